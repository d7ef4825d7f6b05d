"""A look from outside at what stands in a journal's folder, and under which keys: for commands, beside a daemon that writes it.

Nothing is opened and nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from telephony.journal.files import journal_of
from telephony.journal.records import Record, records_in
from telephony.journal.refused import REFUSED_FILE
from telephony.journal.segments import read_all
from telephony.store.line_file import LineFile
from telephony.store.sealing import key_id_of

REFUSED: Final = None
"""In place of a journal's id: presses in the file of those that the store refuses."""


class Standing(NamedTuple):
    """A press that stands in a file under a key. ``journal`` is `REFUSED` for one that the store refuses."""

    journal: bytes | None
    number: int
    key_id: int


class Look(NamedTuple):
    """What was found; ``noted`` is how far the files themselves say that the store is, for each journal."""

    standing: list[Standing]
    noted: Mapping[bytes, int]


def look_at(folder: Path) -> Look:
    """Return what stands in a journal's folder; nothing where there is none. Raises `OSError`."""
    standing = [
        _standing(REFUSED, record) for record in records_in(LineFile(folder / REFUSED_FILE).read()).records
    ]
    segments = read_all(folder) if folder.is_dir() else []
    # A segment whose header is damaged is read by the daemon as one of its own.
    ours = journal_of(segments)
    noted: dict[bytes, int] = {}
    for old in segments:
        journal = ours if old.header is None else old.header.journal
        if journal is None:
            continue
        if old.header is not None:
            noted[journal] = max(noted.get(journal, 0), old.header.taken_up)
        standing += [_standing(journal, record) for record in old.found.records]
    return Look(standing, noted)


def _standing(journal: bytes | None, record: Record) -> Standing:
    return Standing(journal, record.number, key_id_of(record.sealed))
