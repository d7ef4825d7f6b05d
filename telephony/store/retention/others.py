"""Deletes old history, expired questions, locatings, the front of the audit chain, and people whose consent is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from sqlalchemy import Column, Connection, Table, case, delete, func, select

from telephony.domain.people.person import Person
from telephony.store.audit import AUDIT, Entry
from telephony.store.people import Registry
from telephony.store.people_erasing import clear_around
from telephony.store.retention.runs import SLICE, Found, Survey, announced
from telephony.store.schema import audit, awaited_reply, locating, press_history
from telephony.store.times import from_us, to_us

PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class History:
    """Earlier presses, drills and false alarms."""

    period: timedelta
    name: ClassVar[str] = "history"
    at_once: ClassVar[int] = 100

    def find(self, connection: Connection, now: datetime, after: int) -> Found:
        """Return (subject, time) of rows that are older than the period; the index of times leads there."""
        del after
        columns = (press_history.c.subject, press_history.c.at)
        return _oldest(connection, columns, press_history.c.at, now - self.period)

    def announce(self, connection: Connection, items: Sequence[Any], now: datetime) -> str:
        """Say how many."""
        del connection
        return announced(len(items), now - self.period)

    def delete(self, connection: Connection, items: Sequence[Any], now: datetime) -> int:
        """Delete these."""
        del now
        for subject, at in items:
            connection.execute(
                delete(press_history).where(press_history.c.subject == subject, press_history.c.at == at)
            )
        clear_around(connection, press_history.name, {bytes(subject) for subject, _ in items})
        return len(items)

    def survey(self, connection: Connection, now: datetime, grace: timedelta) -> Survey:
        """Count by time."""
        return _by_time(connection, press_history, press_history.c.at, now - self.period, grace)


@dataclass(frozen=True, slots=True)
class AwaitedReplies:
    """Questions that were not answered in time; the period is within each of them."""

    period: timedelta = timedelta(0)
    name: ClassVar[str] = "awaited replies"
    at_once: ClassVar[int] = 100

    def find(self, connection: Connection, now: datetime, after: int) -> Found:
        """Return keys of those that have expired."""
        del after
        found = _oldest(connection, (awaited_reply.c.key,), awaited_reply.c.expires_at, now)
        return Found([row[0] for row in found.items], found.after)

    def announce(self, connection: Connection, items: Sequence[Any], now: datetime) -> str:
        """Say how many."""
        del connection
        return announced(len(items), now)

    def delete(self, connection: Connection, items: Sequence[Any], now: datetime) -> int:
        """Delete these."""
        del now
        connection.execute(delete(awaited_reply).where(awaited_reply.c.key.in_(items)))
        clear_around(connection, awaited_reply.name, items)
        return len(items)

    def survey(self, connection: Connection, now: datetime, grace: timedelta) -> Survey:
        """Count by the time at which they expire."""
        return _by_time(connection, awaited_reply, awaited_reply.c.expires_at, now, grace)


@dataclass(frozen=True, slots=True)
class Locatings:
    """Requests to carriers, by the time at which they were made."""

    period: timedelta
    name: ClassVar[str] = "locatings"
    at_once: ClassVar[int] = 100

    def find(self, connection: Connection, now: datetime, after: int) -> Found:
        """Return keys of rows that are older than the period."""
        del after
        found = _oldest(connection, (locating.c.key,), locating.c.at, now - self.period)
        return Found([row[0] for row in found.items], found.after)

    def announce(self, connection: Connection, items: Sequence[Any], now: datetime) -> str:
        """Say how many."""
        del connection
        return announced(len(items), now - self.period)

    def delete(self, connection: Connection, items: Sequence[Any], now: datetime) -> int:
        """Delete these."""
        del now
        connection.execute(delete(locating).where(locating.c.key.in_(items)))
        clear_around(connection, locating.name, items)
        return len(items)

    def survey(self, connection: Connection, now: datetime, grace: timedelta) -> Survey:
        """Count by time."""
        return _by_time(connection, locating, locating.c.at, now - self.period, grace)


@dataclass(frozen=True, slots=True)
class AuditEntries:
    """The front of the audit chain. The entry that announces it names the last one that goes, with its digest."""

    period: timedelta
    name: ClassVar[str] = AUDIT
    at_once: ClassVar[int] = 200

    def find(self, connection: Connection, now: datetime, after: int) -> Found:
        """Return the numbers of the first entries, up to the first that is in its time."""
        rows = connection.execute(
            select(audit.c.number, audit.c.at)
            .where(audit.c.number > after)
            .order_by(audit.c.number)
            .limit(PAGE)
        ).all()
        numbers: list[int] = []
        for row in rows:
            if row.at >= to_us(now - self.period):
                return Found(numbers, None)
            numbers.append(int(row.number))
        return Found(numbers, numbers[-1] if len(rows) == PAGE else None)

    def announce(self, connection: Connection, items: Sequence[Any], now: datetime) -> str:
        """Say how many, and through which entry: `telephony.store.audit.cut_of` reads it."""
        digest = connection.execute(select(audit.c.digest).where(audit.c.number == items[-1])).scalar_one()
        return f"{announced(len(items), now - self.period)}, {Entry(items[-1], bytes(digest)).as_cut}"

    def delete(self, connection: Connection, items: Sequence[Any], now: datetime) -> int:
        """Delete these, from the front."""
        del now
        connection.execute(delete(audit).where(audit.c.number <= items[-1]))
        clear_around(connection, audit.name, [items[-1]])
        return len(items)

    def survey(self, connection: Connection, now: datetime, grace: timedelta) -> Survey:
        """Count by time."""
        return _by_time(connection, audit, audit.c.at, now - self.period, grace)


@dataclass(frozen=True, slots=True)
class ConsentOver:
    """People whose consent was withdrawn, or outgrown and not given again within the period.

    The day stands sealed in each row, so all rows are opened: 17 µs each, a quarter of an hour of a core for 50
    million, in pages of 500 with pauses between them.
    """

    registry: Registry
    period: timedelta
    name: ClassVar[str] = "people"
    at_once: ClassVar[int] = 1

    def find(self, connection: Connection, now: datetime, after: int) -> Found:
        """Return row keys of such people on a page."""
        page = self.registry.page(connection, after)
        if page is None:
            return Found((), None)
        people, last = page
        return Found([each.key for each in people if self._is_over(each.person, now)], last)

    def announce(self, connection: Connection, items: Sequence[Any], now: datetime) -> str:
        """Say how many."""
        del connection
        return announced(len(items), now - self.period)

    def delete(self, connection: Connection, items: Sequence[Any], now: datetime) -> int:
        """Delete these people as `Registry.delete` does, unless they have agreed again."""
        deleted = 0
        for key in items:
            found = self.registry.by_key(connection, key)
            if found is not None and self._is_over(found.person, now):
                deleted += self.registry.delete(connection, found.person.devices[0].number)
        return deleted

    def survey(self, connection: Connection, now: datetime, grace: timedelta) -> Survey:
        """Go through everybody: minutes for millions."""
        kept = overdue = late = after = 0
        since: datetime | None = None
        while (page := self.registry.page(connection, after)) is not None:
            people, after = page
            for each in people:
                kept += 1
                overdue += self._is_over(each.person, now)
                late += self._is_over(each.person, now - grace)
                ended = _ended_at(each.person)
                if ended is not None and ended <= now and (since is None or ended < since):
                    since = ended
        return Survey(kept, since, overdue, late)

    def _is_over(self, person: Person, now: datetime) -> bool:
        if person.consent.withdrawn_at is not None:
            return person.consent.withdrawn_at <= now
        ended = _ended_at(person)
        return ended is not None and ended + self.period <= now


def _ended_at(person: Person) -> datetime | None:
    """Return when a consent ended or will end; an outgrown one ends with the beginning of the day, UTC."""
    consent = person.consent
    if consent.withdrawn_at is not None:
        return consent.withdrawn_at
    if consent.until is None:
        return None
    return datetime.combine(consent.until, datetime.min.time(), consent.at.tzinfo)


def _oldest(
    connection: Connection, columns: Sequence[Column[Any]], moment: Column[Any], before: datetime
) -> Found:
    """Return rows before a time, the oldest first. They are deleted before anybody looks again, at what is left then."""
    rows = connection.execute(
        select(*columns).where(moment < to_us(before)).order_by(moment).limit(SLICE)
    ).all()
    return Found([tuple(row) for row in rows], 0 if len(rows) == SLICE else None)


def _by_time(
    connection: Connection, table: Table, moment: Column[Any], before: datetime, grace: timedelta
) -> Survey:
    kept, since, overdue, late = connection.execute(
        select(
            func.count(),
            func.min(moment),
            func.sum(case((moment < to_us(before), 1), else_=0)),
            func.sum(case((moment < to_us(before - grace), 1), else_=0)),
        ).select_from(table)
    ).one()
    return Survey(int(kept), None if since is None else from_us(since), int(overdue or 0), int(late or 0))
