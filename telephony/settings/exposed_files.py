"""Finds files of secrets that other accounts of this machine may read: passwords, keys of certificates, the key file."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

from telephony.fields import Secret
from telephony.settings.faults import Weight
from telephony.settings.keys import Path, written
from telephony.settings.model import Settings


def exposed_files(settings: Settings, raw: dict[str, Any]) -> Iterator[tuple[Path, str, str, Weight]]:
    """Return (where it is named, what is said of it, what to do, its weight) of each such file."""
    for at, shape, value in written(Settings, raw):
        if shape.table is Secret and isinstance(value, dict) and isinstance(value.get("file"), str):
            yield from _exposed((*at, "file"), FilePath(value["file"]))
        elif str(at[-1]) in ("client_key", "tls_key") and isinstance(value, str):
            yield from _exposed(at, FilePath(value))
    at = ("service", "state_dir") if settings.store.key_file is None else ("store", "key_file")
    yield from _key_file(at, settings.key_file)


def _exposed(at: Path, file: FilePath) -> Iterator[tuple[Path, str, str, Weight]]:
    try:
        is_open = _may_others_read(file)
    except OSError:
        return  # said by the loader, where it is needed
    if is_open:
        yield at, f'every account of this machine may read "{file}"', f"chmod o= {file}", Weight.REMARK


def _may_others_read(file: FilePath) -> bool:
    """Whether the file's mode and those of all folders above it let anyone in."""
    real = file.resolve()
    return bool(real.stat().st_mode & stat.S_IROTH) and all(
        folder.stat().st_mode & stat.S_IXOTH for folder in real.parents
    )


def _key_file(at: Path, file: FilePath) -> Iterator[tuple[Path, str, str, Weight]]:
    """Return why a daemon does not take its key file; then no person's data can be read."""
    try:
        is_open = file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    except OSError:
        return  # there is none yet, or whoever needs it says so
    if is_open:
        problem = f'others may read the key file "{file}", so no command and no daemon takes it'
        yield at, problem, f"chmod 600 {file}", Weight.FAULT
