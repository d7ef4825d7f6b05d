"""Reads the rows of a file into drafts: finds the headings, checks each row, reports repeats within the file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain, islice
from pathlib import Path
from typing import Self

from telephony.domain.people.draft import EnrolmentRules, draft_of
from telephony.domain.people.person import Draft
from telephony.domain.people.problems import Fault, Problem
from telephony.domain.values import Msisdn
from telephony.people_files.cells import Row
from telephony.people_files.headers import found_heading
from telephony.people_files.not_people import NoPerson, no_person
from telephony.people_files.tables import rows_of

HEADING_WITHIN = 20
"""Rows that are not empty. Schools like to write a title and notes above the headings."""
MOST_PASSED_OVER = 10
"""Lines that are named of each kind of row that is no person."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of people: its draft, or its faults."""

    row: Row
    draft: Draft | None
    faults: tuple[Fault, ...]


class EnrolmentFile:
    """A file of people, read once from its beginning to its end. Raises `Unusable` or `OSError`.

    ``consent`` is what stands in the columns of consent where the file has none, or leaves a cell of them empty.
    ``passed_over`` are the rows that are no people, as far as the file has been read: the first lines, and how many.
    """

    def __init__(self, path: Path, rules: EnrolmentRules, consent: Mapping[str, str] | None = None) -> None:
        self._rules = rules
        self._consent = dict(consent or {})
        self.size = path.stat().st_size
        self._rows = rows_of(path)
        first = list(islice(self._rows, HEADING_WITHIN))
        self.heading, above = found_heading(first)
        self._first = first[above:]
        self.passed_over: dict[NoPerson, tuple[list[int], int]] = {}

    def entries(self) -> Iterator[Entry]:
        """Return what each row says. Memory does not grow with the file."""
        with SeenNumbers() as seen:
            for row in chain(self._first, self._rows):
                texts = self.heading.texts(row.cells)
                kind = no_person(row.cells, texts, self.heading.cells, self._rules)
                if kind is not None:
                    self._pass_over(kind, row.line)
                    continue
                found = draft_of(self._with_consent(texts), self._rules)
                if not isinstance(found, Draft):
                    yield Entry(row, None, found)
                elif repeated := tuple(self._repeated(seen, row.line, found)):
                    yield Entry(row, None, repeated)
                else:
                    yield Entry(row, found, ())

    def _with_consent(self, texts: dict[str, str]) -> dict[str, str]:
        return texts | {name: said for name, said in self._consent.items() if not texts.get(name, "").strip()}

    def _pass_over(self, kind: NoPerson, line: int) -> None:
        lines, count = self.passed_over.setdefault(kind, ([], 0))
        if len(lines) < MOST_PASSED_OVER:
            lines.append(line)
        self.passed_over[kind] = (lines, count + 1)

    @staticmethod
    def _repeated(seen: SeenNumbers, line: int, draft: Draft) -> Iterator[Fault]:
        for name, device in zip(("number", "number2"), draft.devices, strict=False):
            earlier = seen.before(device.number, line)
            if earlier is not None:
                yield Fault(name, Problem.IN_THE_FILE_ALREADY, earlier)


class SeenNumbers:
    """The line in which each number stood first: keyed hashes in a private SQLite file, closed to other processes.

    The key lives and dies with this object. A collision of two numbers is less likely than one in 10**10 in a file
    of 50,000 rows.
    """

    def __init__(self) -> None:
        self._key = os.urandom(32)

    def __enter__(self) -> Self:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("CREATE TABLE seen (hash INTEGER PRIMARY KEY, line INTEGER NOT NULL)")
        self._database.execute("BEGIN")
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def before(self, number: Msisdn, line: int) -> int | None:
        """Note a number; gives the line in which it stood before, or None."""
        digest = blake2b(number.number.encode(), key=self._key, digest_size=8).digest()
        row = (int.from_bytes(digest, "big", signed=True), line)
        if self._database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", row).rowcount:
            return None
        found = self._database.execute("SELECT line FROM seen WHERE hash = ?", row[:1]).fetchone()
        return int(found[0])
