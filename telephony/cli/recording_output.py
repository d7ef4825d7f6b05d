"""Writes a sealed recording as the WAV file that it was, into a new file or a pipe. Nothing plain stays behind by itself."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telephony.cli.progress import bar

if TYPE_CHECKING:
    from telephony.domain.recording import Recording
    from telephony.settings import Settings
    from telephony.store.recordings.sealed import SealedRecording

Write = Callable[[bytes], object]


@dataclass(frozen=True)
class Gap:
    """A piece that cannot be read: where it begins, in seconds of the recording, and why."""

    at_s: float
    reason: str

    @property
    def in_words(self) -> str:
        """The gap as a person finds it."""
        minutes, seconds = divmod(int(self.at_s), 60)
        return f"{minutes}:{seconds:02d} ({self.reason})"


def require_here(recording: Recording) -> None:
    """End the command where a recording is on another machine, and say on which; called before it is looked at."""
    if recording.host != socket.gethostname() and not Path(recording.path).exists():
        raise click.ClickException(
            f"{recording.name} is on {recording.host}, {recording.path}: run this command there"
        )


@contextmanager
def _opened(settings: Settings, recording: Recording) -> Iterator[SealedRecording]:
    from telephony.domain.errors import OnetouchError  # noqa: PLC0415 - not needed for --help
    from telephony.domain.recording import recorded_as  # noqa: PLC0415
    from telephony.store.crypto import KeyFile  # noqa: PLC0415
    from telephony.store.recordings.sealed import opened  # noqa: PLC0415

    try:
        with opened(Path(recording.path), KeyFile(settings.key_file).ring()) as sealed:
            if sealed.header.name != recorded_as(recording.name):
                raise click.ClickException(
                    f"{recording.path} holds {sealed.header.name}, another call's: somebody has moved files or changed the "
                    "register; restore it from a backup"
                )
            yield sealed
    except FileNotFoundError as error:
        raise click.ClickException(
            f"{recording.path} is gone: it was deleted past the register, or its disk is not mounted"
        ) from error
    except PermissionError as error:
        raise click.ClickException(
            f"{recording.path}: {error.strerror}; run this as the daemon's account"
        ) from error
    except OnetouchError as error:
        raise click.ClickException(f"{recording.name}: {error}") from error


def write_wav(settings: Settings, recording: Recording, write: Write, *, skip_damage: bool) -> list[Gap]:
    """Write the WAV file; return the gaps that could not be read.

    Without ``skip_damage`` it ends at the first gap. With it each piece that is damaged is silence of the same length.
    """
    from telephony.domain.recording import OCTETS_A_SECOND, WAV_HEADER  # noqa: PLC0415 - not needed for --help
    from telephony.store.recordings.sealed import CHUNK, DamagedChunk  # noqa: PLC0415

    gaps = []
    with _opened(settings, recording) as sealed, bar(recording.name, sealed.header.octets) as advance:
        for number in range(sealed.header.chunks):
            begins = number * CHUNK
            try:
                octets = sealed.chunk(number)
            except DamagedChunk as error:
                gaps.append(Gap(max(0, begins - WAV_HEADER) / OCTETS_A_SECOND, str(error)))
                if not skip_damage:
                    break
                octets = bytes(min(CHUNK, sealed.header.octets - begins))
            write(octets)
            advance(begins + len(octets))
    return gaps


@contextmanager
def new_wav(path: Path) -> Iterator[Write]:
    """Make a file that only this account may read; one that is there is never written over."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file.write
    except FileExistsError as error:
        raise click.ClickException(f"{path} exists already; name a new file") from error
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error


def new_folder(path: Path) -> None:
    """Make a folder that only this account may look into; one that is there stays as it is."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error


def told_gaps(recording: Recording, gaps: list[Gap], *, skip_damage: bool) -> str:
    """Return what a person must know of the gaps of a recording."""
    if skip_damage:
        return (
            f"{recording.name} is DAMAGED at {', '.join(gap.in_words for gap in gaps)}: each piece is 4 s of silence, or the"
            " rest of it at its end; restore the file from a backup"
        )
    return (
        f"{recording.name} is DAMAGED from {gaps[0].in_words} on: what came before it was given and is whole. "
        "--skip-damage gives the rest too, with silence for what cannot be read; or restore the file from a backup"
    )
