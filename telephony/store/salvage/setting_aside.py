"""Puts a fresh store in the place of a damaged one, which is kept beside it; safe to be killed at any point.

The damaged file and its log get second names first. Only when both are on disk is the log taken from its place, and the
fresh file, finished and synced before, moved onto the damaged one's. A start that finds the store's file under both names
was killed between the two, and does the rest.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

LOG, INDEX = "-wal", "-shm"
MARK: Final = ".damaged-"
FRESH: Final = ".fresh"
"""The store that is being made; worth nothing before it has its place."""


def fresh_place(file: Path) -> Path:
    """Return where the fresh store is made, empty: a file there is of an earlier try."""
    place = drop_fresh(file)
    os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    return place


def drop_fresh(file: Path) -> Path:
    """Remove an unfinished fresh store; returns its place."""
    place = Path(f"{real(file)}{FRESH}")
    for ending in ("", LOG, INDEX, "-journal"):
        Path(f"{place}{ending}").unlink(missing_ok=True)
    return place


def kept_place(file: Path, now: datetime) -> Path:
    """Return where a store that is found damaged at this time (UTC) is kept."""
    return Path(f"{real(file)}{MARK}{now:%Y%m%dT%H%M%SZ}")


def set_aside(file: Path, now: datetime) -> Path:
    """Put the fresh store in its place; returns where the damaged one is kept. Raises `OSError`, and nothing has moved."""
    store, kept = real(file), kept_place(file, now)
    _sync(Path(f"{store}{FRESH}"))
    made: list[Path] = []
    try:
        for ending in (LOG, ""):
            if Path(f"{store}{ending}").exists():
                os.link(f"{store}{ending}", f"{kept}{ending}")
                made.append(Path(f"{kept}{ending}"))
    except OSError:
        for each in made:
            each.unlink(missing_ok=True)
        raise
    _sync(store.parent)
    _finish(store)
    return kept


def finish(file: Path) -> Path | None:
    """Do the rest of what a killed process began; returns where the damaged store is kept, None where all is in order."""
    store = real(file)
    kept = next((each for each in damaged_ones(store) if _is_same(each, store)), None)
    if kept is None:
        return None
    if Path(f"{store}{FRESH}").exists():
        _finish(store)
        return kept
    # Someone took the fresh one away: the damaged one has its place again, under one name.
    if not Path(f"{store}{LOG}").exists() and Path(f"{kept}{LOG}").exists():
        os.link(f"{kept}{LOG}", f"{store}{LOG}")
    for ending in ("", LOG):
        Path(f"{kept}{ending}").unlink(missing_ok=True)
    _sync(store.parent)
    return None


def damaged_ones(file: Path) -> list[Path]:
    """Return the damaged stores that are kept beside this one, the newest first."""
    store = real(file)
    found = store.parent.glob(f"{store.name}{MARK}*")
    return sorted((each for each in found if not each.name.endswith((LOG, INDEX))), reverse=True)


def real(file: Path) -> Path:
    """Return where the file lies, wherever a link to it lies; its log is beside it."""
    return Path(os.path.realpath(file))


def _finish(store: Path) -> None:
    """From here on the damaged store is whole under its second name alone."""
    for ending in (LOG, INDEX):
        Path(f"{store}{ending}").unlink(missing_ok=True)
    _sync(store.parent)
    Path(f"{store}{FRESH}").replace(store)
    _sync(store.parent)


def _is_same(one: Path, other: Path) -> bool:
    with suppress(OSError):
        return one.samefile(other)
    return False


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
