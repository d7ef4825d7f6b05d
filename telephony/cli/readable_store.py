"""Opens the store for reading in an emergency, also where the disk takes no writes any more."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telephony.cli.db import file_of, ready_engines, unwritable, wrong_look_up
from telephony.cli.echo import echo

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from telephony.settings import Settings

_MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of our own is made in it
"""A file system that is writable when the disk is not."""
_TRIES = 5
_PARTS = ("", "-wal")


@contextmanager
def readable_store(settings: Settings) -> Iterator[tuple[Engine | None, Engine]]:
    """Return (writing, reading) engines; the first is ``None`` where the store cannot be opened for writing.

    SQLite opens no store with a write-ahead log that it cannot write beside. Then a copy is read, in a directory of this
    user alone, which is gone afterwards; what is personal in it is sealed as it was.
    """
    with ExitStack() as stack:
        try:
            writing, reading = stack.enter_context(ready_engines(settings, with_wrong_look_up=True))
        except click.ClickException:
            file = file_of(settings)
            if file is None or not file.exists():
                raise
            copied = _copy(file, stack)
            store = settings.store.model_copy(update={"url": f"sqlite:///{copied}"})
            copied_settings = settings.model_copy(update={"store": store})
            _, reading = stack.enter_context(ready_engines(copied_settings, with_wrong_look_up=True))
            _warn_of_wrong_look_up(reading, settings)
            yield None, reading
        else:
            _warn_of_wrong_look_up(reading, settings)
            yield writing, reading


@contextmanager
def reading_engine(settings: Settings, *, with_wrong_look_up: bool = False) -> Iterator[Engine]:
    """Return an engine for a command that writes nothing, not even an entry: of a copy where this account cannot write.

    A store that is locked, or damaged, is no such place: what is wrong with it is said.
    """
    with ExitStack() as stack:
        file = file_of(settings)
        if file is not None and unwritable(file) and file.exists():
            store = settings.store.model_copy(update={"url": f"sqlite:///{_copy(file, stack)}"})
            settings = settings.model_copy(update={"store": store})
        engines = ready_engines(settings, with_wrong_look_up=with_wrong_look_up)
        _, reading = stack.enter_context(engines)
        yield reading


def _warn_of_wrong_look_up(reading: Engine, settings: Settings) -> None:
    """112 waits: what can be read is shown, with the reason why look-ups by number may find no one."""
    if (wrong := wrong_look_up(reading, settings)) is not None:
        echo(f"CALLERS CANNOT BE LOOKED UP: {wrong}", err=True)


def _copy(file: Path, stack: ExitStack) -> Path:
    """Copy a store that does not change meanwhile; from one that is being written the last of a few tries is taken."""
    parts = [Path(f"{file}{part}") for part in _PARTS]
    try:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_place(parts), prefix="onetouch-")))
        for _ in range(_TRIES):
            before = _state(parts)
            for part in parts:
                copied = folder / part.name
                copied.unlink(missing_ok=True)
                if part.exists():
                    shutil.copyfile(part, copied)
            if _state(parts) == before:
                break
    except OSError as error:
        raise click.ClickException(f"the store can neither be opened nor copied: {error}") from error
    return folder / file.name


def _place(parts: list[Path]) -> str | None:
    wanted = 2 * sum(part.stat().st_size for part in parts if part.exists())
    return str(_MEMORY) if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > wanted else None


def _state(parts: list[Path]) -> list[tuple[int, int]]:
    found = (part.stat() for part in parts if part.exists())
    return [(each.st_mtime_ns, each.st_size) for each in found]
