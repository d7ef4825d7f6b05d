"""Verifies the audit chain: every entry, and every log line that names one."""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection

from telephony.domain.errors import OnetouchError, Unavailable
from telephony.store.audit import (
    BEFORE_THE_FIRST,
    PAGE,
    Entry,
    Row,
    count,
    cut_of,
    digest_of,
    read,
    rows_after,
    rows_of,
    short_form,
)
from telephony.store.bulk import execute, placeholder
from telephony.store.crypto import KeyRing
from telephony.store.sealing import keys_of

MOST_TOLD: Final = 20
"""Places at which a chain is broken that are told one by one; of the others, how many there are."""
_DAMAGED: Final = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT)
"""Of SQLite's operational errors those that say what is written and not what is in the way: no such table, malformed."""
_HELD: Final = (("incident", "incidents"), ("person", "people"))
OTHER_KEY: Final = " (if none of them does, the key file has another audit key than they were written under)"


@dataclass(frozen=True, slots=True)
class Break:
    """A break of the chain: its place, and how it is broken, in words. ``first`` to ``last`` are the entries concerned."""

    first: int
    last: int
    problem: str

    def __str__(self) -> str:
        """Say it in a line."""
        if self.first == self.last:
            return f"entry {self.first} {self.problem}"
        return f"entries {self.first} to {self.last} {self.problem}"


@dataclass(frozen=True, slots=True)
class LoggedEntry:
    """A line of a log that names an entry: its number, and its digest in short form."""

    number: int
    short: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a walk through the chain. ``head`` stands for all entries: note it down and compare it later.

    ``cut`` is the last entry that retention has deleted, as the chain itself says.
    """

    entries: int
    first: int
    last: int
    head: Entry | None
    cut: Entry | None
    breaks: tuple[Break, ...]
    untold: int = 0
    """Breaks beyond those that are told."""
    by_commands: Mapping[str, int] = field(default_factory=dict)
    """For each machine the last entry that a command there has written."""

    @property
    def is_intact(self) -> bool:
        """Whether every entry is there and as it was written."""
        return not self.breaks


def verify(connection: Connection, progress: Callable[[int], None] = lambda _: None) -> Verdict:
    """Walk through the whole chain; ``progress`` is told how many entries were looked at.

    Raises `KeysUnavailable` where there is no audit key; an entry under a key that is missing is a break like others, and
    so is a chain that the store cannot read. Raises `Unavailable` for a store that is locked or gone.
    """
    ring = keys_of(connection)
    walk = _Walk(ring, ring.audit_key)
    after = 0
    try:
        least = _least(connection)
        if least is not None and least < 1:
            walk.tell(Break(least, least, "has a number that no entry has"))
        while rows := rows_after(connection, after):
            for row in rows:
                walk.look(row)
            after = rows[-1].number
            progress(walk.entries)
        return walk.verdict(_least(connection, 1))
    except connection.dialect.loaded_dbapi.Error as error:
        walk.tell(Break(after + 1, after + 1, f"and what follows cannot be read: {_damage(error)}"))
        return walk.verdict(None)


def expected(connection: Connection) -> int:
    """Return how many entries there are to verify, for the progress of it; 0 where that cannot be read."""
    try:
        return count(connection)
    except connection.dialect.loaded_dbapi.Error as error:
        _damage(error)
        return 0


def emptied(connection: Connection, verdict: Verdict) -> Iterator[Break]:
    """Return the break of an empty chain over a store that is not empty: nothing vouches for it."""
    if verdict.entries or verdict.breaks:
        return
    held = [
        words for table, words in _HELD if execute(connection, f"SELECT 1 FROM {table} LIMIT 1").fetchone()
    ]
    if held:
        yield Break(1, 1, f"is not there: the chain is empty, and the store holds {' and '.join(held)}")


def unanchored(verdict: Verdict, host: str, anchored: Container[int]) -> Iterator[Break]:
    """Return the last entry of this machine's commands where its anchors do not name it: they were cut, or it was killed."""
    last = verdict.by_commands.get(host)
    if last is not None and last not in anchored:
        yield Break(
            last, last, "was written by a command on this machine, and the anchor file does not name it"
        )


def _least(connection: Connection, at_least: int = -(1 << 63)) -> int | None:
    mark = placeholder(connection.dialect.name)
    (least,) = execute(
        connection, f"SELECT min(number) FROM audit WHERE number >= {mark}", (at_least,)
    ).fetchone()
    return None if least is None else int(least)


def _damage(error: Any) -> str:
    """Return the damage in words; raises `Unavailable` where there is none, and the store only cannot answer now."""
    code = getattr(error, "sqlite_errorcode", None)
    if "OperationalError" in (each.__name__ for each in type(error).__mro__) and code not in _DAMAGED:
        raise Unavailable(f"the store: {error}") from error
    return str(error).splitlines()[0]


@dataclass
class _Walk:
    """The state of a walk through the chain."""

    ring: KeyRing
    key: bytes
    entries: int = 0
    first: Row | None = None
    before: Row | None = None
    was_before_sound: bool = True
    cut: Entry | None = None
    breaks: list[Break] = field(default_factory=list)
    gaps: list[Break] = field(default_factory=list)
    untold: int = 0
    by_commands: dict[str, int] = field(default_factory=dict)

    def look(self, row: Row) -> None:
        """Check one entry, and that it follows the one before."""
        before = self.before
        if before is not None and row.number > before.number + 1:
            self.tell(
                Break(before.number + 1, row.number - 1, "missing: taken out of the chain"), is_gap=True
            )
        problem = self._problem(row)
        if problem is None and before is not None and not self._follows(before, row):
            problem = f"does not follow entry {before.number}: one of the two was put in later"
        if problem is None and row.number == 1 and row.previous != BEFORE_THE_FIRST:
            problem = "is not the beginning of a chain"
        if problem is not None:
            self.tell(Break(row.number, row.number, problem))
        self.was_before_sound = problem is None
        self.first = self.first or row
        self.before = row
        self.entries += 1

    def _follows(self, before: Row, row: Row) -> bool:
        """Whether nothing speaks against it: after a gap, or a broken entry that was told, there is no telling."""
        is_next = row.number == before.number + 1
        return not (is_next and self.was_before_sound) or hmac.compare_digest(before.digest, row.previous)

    def verdict(self, first_now: int | None) -> Verdict:
        """Judge the front too. ``first_now`` is the first number now: retention may have cut while we walked."""
        breaks = list(self.breaks)
        if first_now is not None:
            breaks += [gap for gap in self.gaps if gap.last >= first_now]
        if (front := self._front()) is not None:
            breaks.append(front)
        breaks.sort(key=lambda each: each.first)
        head = None if self.before is None else Entry(self.before.number, self.before.digest)
        return Verdict(
            self.entries,
            0 if self.first is None else self.first.number,
            0 if self.before is None else self.before.number,
            head,
            self.cut,
            tuple(breaks),
            self.untold,
            self.by_commands,
        )

    def _front(self) -> Break | None:
        if self.first is None or self.first.number == 1:
            return None
        last_gone = self.first.number - 1
        if self.cut is None or self.cut.number < last_gone:
            allowed = 0 if self.cut is None else self.cut.number
            return Break(
                allowed + 1, last_gone, "missing at the front: no entry says that their time was over"
            )
        if self.cut.number == last_gone and not hmac.compare_digest(self.cut.digest, self.first.previous):
            return Break(
                self.first.number, self.first.number, f"does not follow entry {last_gone}, which was deleted"
            )
        return None

    def _problem(self, row: Row) -> str | None:
        try:
            content, looked = read(self.ring, row)
        except OnetouchError as error:
            return f"cannot be read: {error}"
        wanted = digest_of(self.key, row.number, row.at, content, row.previous)
        if not hmac.compare_digest(wanted, row.digest):
            hint = "" if self.first is not None else OTHER_KEY
            return f"was changed: it does not have the digest that it says{hint}"
        if looked.seat is not None:
            self.by_commands[looked.seat.host] = row.number
        cut = cut_of(looked)
        if cut is not None and cut.number < row.number and (self.cut is None or cut.number > self.cut.number):
            self.cut = cut
        return None

    def tell(self, found: Break, *, is_gap: bool = False) -> None:
        """Keep a break, as long as there is room."""
        if len(self.breaks) + len(self.gaps) >= MOST_TOLD:
            self.untold += 1
        elif is_gap:
            self.gaps.append(found)
        else:
            self.breaks.append(found)


def compare(connection: Connection, verdict: Verdict, logged: Iterable[LoggedEntry]) -> Iterator[Break]:
    """Compare what logs have named with the chain: the only way to see that its end was cut off.

    Entries that retention has deleted are passed over.
    """
    cut = 0 if verdict.cut is None else verdict.cut.number
    missing_from = missing_to = 0
    lines = iter(logged)
    while page := list(islice(lines, PAGE)):
        numbers = {each.number for each in page}
        try:
            shorts = {row.number: short_form(row.digest) for row in rows_of(connection, numbers)}
        except connection.dialect.loaded_dbapi.Error as error:
            yield Break(min(numbers), max(numbers), f"cannot be compared with the log: {_damage(error)}")
            continue
        for each in page:
            short = shorts.get(each.number)
            if short is None and each.number > cut:
                missing_from = min(missing_from or each.number, each.number)
                missing_to = max(missing_to, each.number)
            elif short is not None and short != each.short:
                yield Break(
                    each.number,
                    each.number,
                    f"is another than the log names: {short} here, {each.short} there",
                )
    if missing_to > verdict.last:
        start = max(missing_from, verdict.last + 1)
        yield Break(start, missing_to, f"missing: the log names them, and the chain ends at {verdict.last}")
    if missing_from and missing_from <= verdict.last:
        yield Break(
            missing_from, min(missing_to, verdict.last), "missing, some or all of them: the log names them"
        )
