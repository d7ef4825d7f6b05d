"""Finds the rows whose time is over, kind by kind, and deletes them.

Every kind is found page by page in reads, announced by an entry of the audit chain, and deleted in small transactions:
no entry, no deletion. A run can be broken off anywhere; the next one goes on with what is still there.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Final, Protocol

from sqlalchemy import Connection

from telephony.domain.audit import FORGOTTEN, Looked
from telephony.store.audit import append

WHO: Final = "retention"
SLICE: Final = 5_000
"""Rows or incidents that one entry of the audit chain announces."""


@dataclass(frozen=True, slots=True)
class Found:
    """The findings of one look: the keys of rows whose time is over, and where to go on (None: that was all).

    ``low`` is where the next run may begin: what stands before it will never be over its time again.
    """

    items: Sequence[Any]
    after: int | None
    low: int | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """How a kind stands. ``since`` is the oldest moment from which a period counts, None where nothing is kept.

    ``overdue`` are over their time, ``late`` so by more than one run. ``held`` are kept although their time is over,
    because a report of theirs is still owed to 112.
    """

    kept: int
    since: datetime | None
    overdue: int
    late: int
    held: int = 0


class Kind(Protocol):
    """One kind of data that is kept."""

    name: ClassVar[str]
    """As entries of the audit chain name it in their subject."""
    at_once: ClassVar[int]
    """How many are deleted in one transaction: some milliseconds, for which a press may have to wait."""

    @property
    def period(self) -> timedelta:
        """How long it is kept."""
        ...

    def find(self, connection: Connection, now: datetime, after: int) -> Found:
        """Look for rows whose time is over at a moment, beginning after a key (0: at the beginning)."""
        ...

    def announce(self, connection: Connection, items: Sequence[Any], now: datetime) -> str:
        """Say how much is deleted, and up to when: an entry's ``why``."""
        ...

    def delete(self, connection: Connection, items: Sequence[Any], now: datetime) -> int:
        """Delete these, unless something has changed about them meanwhile; gives how many."""
        ...

    def survey(self, connection: Connection, now: datetime, grace: timedelta) -> Survey:
        """Count. ``grace`` is the pause between two runs."""
        ...


@dataclass(frozen=True, slots=True)
class Read:
    """A step that only reads."""

    work: Callable[[Connection], Any]


@dataclass(frozen=True, slots=True)
class Write:
    """A step that is one short transaction; the runner lets presses go first."""

    work: Callable[[Connection], Any]


@dataclass(frozen=True, slots=True)
class WentThrough:
    """Not a step but a note: all up to this key has been dealt with. A run of long duration goes on from there."""

    after: int


@dataclass(frozen=True, slots=True)
class Done:
    """The number of rows that one run over a kind has deleted, and where the next may begin (0: at the beginning)."""

    deleted: int
    begin: int


Step = Read | Write | WentThrough
Run = Generator[Step, Any, Done]


def forget(kind: Kind, now: datetime, begin: int = 0) -> Run:
    """Return the steps of one run over a kind; each is sent its result.

    ``begin`` is where an earlier run said that this one may begin, or where one was broken off.
    """
    after: int | None = begin
    low: int | None = None
    deleted = 0
    while after is not None:
        items: list[Any] = []
        while after is not None and len(items) < SLICE:
            found: Found = yield Read(partial(kind.find, now=now, after=after))
            items += found.items
            low = found.low if low is None else low
            after = found.after
            if after is not None and not items:
                yield WentThrough(after)
        for at in range(0, len(items), kind.at_once):
            some = items[at : at + kind.at_once]
            announces = items if at == 0 else ()
            deleted += yield Write(partial(_delete, kind=kind, items=some, announces=announces, now=now))
        if after is not None and items:
            yield WentThrough(after)
    return Done(deleted, 0 if low is None else low - 1)


def _delete(
    connection: Connection, *, kind: Kind, items: Sequence[Any], announces: Sequence[Any], now: datetime
) -> int:
    """Delete; the first transaction of many also holds the entry that announces them all."""
    if announces:
        append(connection, Looked(WHO, FORGOTTEN, kind.name, kind.announce(connection, announces, now), now))
    return kind.delete(connection, items, now)


def announced(count: int, until: datetime) -> str:
    """Say how much, and up to when."""
    return f"deleted {count}, up to {until.isoformat(timespec='seconds')}"
