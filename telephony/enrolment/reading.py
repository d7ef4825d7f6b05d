"""From the rows of a file to drafts: the headings are found, each row is checked, repeats in the file are told."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Self

from telephony.domain.enrolment import EnrolmentRules, draft_of
from telephony.domain.errors import Malformed
from telephony.domain.people import Draft, Fault
from telephony.domain.values import Msisdn
from telephony.enrolment.cells import Row
from telephony.enrolment.headers import Heading, heading_of, recognised
from telephony.enrolment.tables import rows_of

HEADING_WITHIN = 10
"""Rows. Schools like to write a title above the headings."""
MAKES_A_HEADING = 2
"""Cells that name a field."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of people: what it says, or what is wrong with it."""

    row: Row
    draft: Draft | None
    faults: tuple[Fault, ...]


class EnrolmentFile:
    """A file of people, read once from its beginning to its end. Raises `Malformed` or `OSError`.

    ``consent`` is what stands in the columns of consent where the file has none or leaves them empty.
    """

    def __init__(self, path: Path, rules: EnrolmentRules, consent: Mapping[str, str] | None = None) -> None:
        self._rules = rules
        self._consent = dict(consent or {})
        self.size = path.stat().st_size
        self._rows = rows_of(path)
        self.heading = self._find_heading()

    def _find_heading(self) -> Heading:
        for row, _ in zip(self._rows, range(HEADING_WITHIN), strict=False):
            if recognised(row.cells) >= MAKES_A_HEADING:
                return heading_of(row.cells)
        raise Malformed(
            "there is no row of headings among the first rows: the columns need at least 이름 (name), "
            "생년월일 (birth_date) and 전화번호 (number)"
        )

    def entries(self) -> Iterator[Entry]:
        """Give what each row says. Memory does not grow with the file."""
        with SeenNumbers() as seen:
            for row in self._rows:
                found = draft_of(self._texts(row), self._rules)
                if not isinstance(found, Draft):
                    yield Entry(row, None, found)
                elif repeated := tuple(self._repeated(seen, row.line, found)):
                    yield Entry(row, None, repeated)
                else:
                    yield Entry(row, found, ())

    def _texts(self, row: Row) -> dict[str, str]:
        texts = self.heading.texts(row.cells)
        if self._consent and not any(texts.get(name, "").strip() for name in ("consent_by", "consent_means")):
            texts |= self._consent
        return texts

    @staticmethod
    def _repeated(seen: SeenNumbers, line: int, draft: Draft) -> Iterator[Fault]:
        for name, device in zip(("number", "number2"), draft.devices, strict=False):
            earlier = seen.before(device.number, line)
            if earlier is not None:
                yield Fault(
                    name,
                    f"the same number stands in line {earlier} already",
                    "keep the line that is right, or write this person's own number",
                )


class SeenNumbers:
    """In which line each number stood first: keyed hashes in a private file of SQLite's, which nobody else can open.

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
