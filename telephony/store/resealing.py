"""Reseals everything under the current key, row by row, while daemons go on.

Each table is walked in the order of its key. Rows under an older key are looked for beside the writer, and written in
short transactions, each only where it still stands as it was read: a change meanwhile has sealed it under the
current key already. A walk begins again until it finds nothing to do, so it may be broken off at any point. Look-up
hashes are computed again with the value that they belong to; meanwhile rows are found under either (`KeyRing.hashes`).

What cannot be read is left as it is and counted: its key must not be forgotten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import structlog
from sqlalchemy import Connection, func, select, tuple_

from telephony.domain.errors import Malformed
from telephony.domain.incident import CLOSED
from telephony.domain.recording import RecordingState
from telephony.store import awaited, history
from telephony.store.bound import BOUND, COLUMN, bound_anew
from telephony.store.bulk import execute, placeholder
from telephony.store.callers import CALLER, REFERENCE
from telephony.store.crypto import KEY_ID_OCTETS, KeyRing, KeysUnavailable, Place
from telephony.store.journal_position import bind_anew, sound_rows
from telephony.store.locatings import subject_of
from telephony.store.people import Registry
from telephony.store.recordings import register as recordings
from telephony.store.recordings import sealed as sealed_recording
from telephony.store.schema import press_history, recording
from telephony.store.sealed_rows import unseal_incident, unseal_press
from telephony.store.sealing import key_id_of, keys_of, seal, unseal

log = structlog.get_logger()

Row = Mapping[str, Any]
After = tuple[Any, ...]
"""The key of the last row that was gone through; empty at the beginning."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a table: the key of the last one gone through, and those that are under an older key."""

    after: After
    rows: Sequence[Any]


class Walk(Protocol):
    """The way through one table."""

    @property
    def table(self) -> str:
        """The table's name."""
        ...

    def count(self, connection: Connection) -> dict[int, int]:
        """Return how many values are sealed under each key id; reads the whole table."""
        ...

    def find(self, connection: Connection, after: After, limit: int) -> Page | None:
        """Read the next rows; ``None`` at the end."""
        ...

    def reseal(self, connection: Connection, rows: Sequence[Any]) -> int:
        """Write rows that `find` gave under the current key, in a transaction; gives how many were."""
        ...


def walks(registry: Registry) -> tuple[Walk, ...]:
    """Return the ways through all tables that hold anything sealed or hashed; incidents before what is hashed with them."""
    return (
        SealedTable("key_proof", ("key",), ("sealed",), ("key",)),
        SealedTable("incident", ("key",), ("sealed", "close_reason"), ("key",), ("caller", _caller), _ONE_OPEN),
        LastPositions(),
        SealedTable(
            "press", ("incident_key", "reference"), ("sealed",), ("incident_key", "number"), ("reference", _reference)
        ),
        SealedTable("position", ("incident_key", "number"), ("sealed",), ("incident_key", "number")),
        SealedTable("fact", ("incident_key", "number"), ("sealed",), ("incident_key", "number")),
        SealedTable("call", ("reference",), ("sealed",), ("reference",)),
        SealedTable(
            "delivery",
            ("incident_key", "channel", "sequence"),
            ("sealed", "last_error"),
            ("incident_key", "sequence"),
        ),
        SealedTable("audit", ("number",), ("sealed",), ("number",)),
        SealedTable("locating", ("key",), ("sealed",), ("key",), ("subject", _subject)),
        SealedTable("recording", ("key",), ("sealed",), ("key",), ("subject", _recorded)),
        RecordingHeaders(),
        AwaitedReplies(),
        History(),
        JournalPositions(),
        People(registry),
    )  # fmt: skip


def count_by_key(connection: Connection, ways: Sequence[Walk]) -> dict[int, int]:
    """Return how many values are sealed under each key id."""
    counted: Counter[int] = Counter()
    for way in ways:
        counted.update(way.count(connection))
    return dict(counted)


_ONE_OPEN = (
    f" AND (state = '{CLOSED}' OR NOT EXISTS (SELECT 1 FROM incident o WHERE o.caller = {{caller}} AND o.state <> '{CLOSED}'"
    " AND o.key <> incident.key))"
)
"""Two daemons may have opened one caller's incident each, at the very moment at which the keys changed. There may only
be one under the new hash; the other follows once one of them is closed."""


def _caller(ring: KeyRing, row: Row) -> bytes:
    return ring.hash(CALLER, unseal_incident(ring, row["key"], row["sealed"]).caller)


def _reference(ring: KeyRing, row: Row) -> bytes:
    came = unseal_press(ring, row["incident_key"], row["number"], row["sealed"])
    return ring.hash(REFERENCE, came.reference)


def _subject(ring: KeyRing, row: Row) -> bytes:
    return subject_of(ring, row["key"], row["sealed"])


def _recorded(ring: KeyRing, row: Row) -> bytes:
    return recordings.subject_of(ring, row["key"], row["sealed"])


@dataclass(frozen=True, slots=True)
class SealedTable:
    """A table whose sealed values are resealed as they are, with at most one hash beside them."""

    table: str
    key: tuple[str, ...]
    sealed: tuple[str, ...]
    place: tuple[str, ...]
    """The columns that a value is sealed for: see `Place`."""
    hashed: tuple[str, Callable[[KeyRing, Row], bytes]] | None = None
    guard: str = ""
    """What else must hold of the row, as SQL; the hash's column in braces stands for the new hash."""

    def count(self, connection: Connection) -> dict[int, int]:
        """See `Walk`."""
        counted: Counter[int] = Counter()
        for column in self.under_keys:
            counted.update(_count(connection, self.table, column))
        return dict(counted)

    def find(self, connection: Connection, after: After, limit: int) -> Page | None:
        """See `Walk`."""
        columns = tuple(dict.fromkeys((*self.key, *self.place, *self.under_keys, *BOUND.get(self.table, ()))))
        rows = _page(connection, self.table, columns, self.key, after, limit)
        if not rows:
            return None
        current = keys_of(connection).current.id
        found = [dict(zip(columns, row, strict=True)) for row in rows]
        return Page(
            tuple(found[-1][column] for column in self.key),
            [row for row in found if any(_is_old(row[column], current) for column in self.under_keys)],
        )

    def reseal(self, connection: Connection, rows: Sequence[Any]) -> int:
        """See `Walk`."""
        ring = keys_of(connection)
        return sum(self._one(connection, ring, row) for row in rows)

    def _one(self, connection: Connection, ring: KeyRing, row: Row) -> int:
        stood = {column: row[column] for column in self.under_keys if row[column] is not None}
        try:
            values: dict[str, bytes | None] = {
                column: self._resealed(ring, row, column) for column in self.sealed if column in stood
            }
            if self.hashed is not None:
                column, make = self.hashed
                values[column] = make(ring, row)
            if self.is_bound:
                values[COLUMN] = bound_anew(ring, self.table, row, **values)
        except (Malformed, KeysUnavailable) as error:
            log.critical("left under its key", table=self.table, error=str(error))
            return 0
        mark = placeholder(connection.dialect.name)
        wanted = {column: row[column] for column in self.key} | stood
        given = [*values.values(), *wanted.values()]
        guard = ""
        if self.guard and self.hashed is not None:
            guard = self.guard.format(**{self.hashed[0]: mark})
            given.append(values[self.hashed[0]])
        changed = execute(
            connection,
            f"UPDATE {self.table} SET {', '.join(f'{column} = {mark}' for column in values)}"
            f" WHERE {' AND '.join(f'{column} = {mark}' for column in wanted)}{guard}",
            given,
        )
        return int(changed.rowcount)

    @property
    def is_bound(self) -> bool:
        """Whether the row has a code over its plain columns: under a key too, as it begins with its id."""
        return self.table in BOUND

    @property
    def under_keys(self) -> tuple[str, ...]:
        """The columns of which a key must be there."""
        return (*self.sealed, COLUMN) if self.is_bound else self.sealed

    def _resealed(self, ring: KeyRing, row: Row, column: str) -> bytes:
        place = Place(self.table, column, *[row[each] for each in self.place])
        return seal(ring, place, unseal(ring, place, row[column]))


class LastPositions:
    """Rows that hold no more than a hash, whose caller stands sealed in the incident that each names.

    Nothing in a row tells under which key its hash is, so all are gone through, every time.
    """

    table = "last_position"

    def count(self, connection: Connection) -> dict[int, int]:  # noqa: ARG002 - as `Walk` has it
        """See `Walk`."""
        return {}

    def find(self, connection: Connection, after: After, limit: int) -> Page | None:
        """See `Walk`."""
        mark = placeholder(connection.dialect.name)
        begin = f"WHERE l.caller > {mark}" if after else ""
        rows = execute(
            connection,
            "SELECT l.caller, i.key, i.sealed FROM last_position l LEFT JOIN incident i ON i.key = l.incident_key"
            f" {begin} ORDER BY l.caller LIMIT {limit:d}",
            after,
        ).fetchall()
        if not rows:
            return None
        ring = keys_of(connection)
        stale = []
        for caller, key, sealed in rows:
            try:
                new = None if key is None else ring.hash(CALLER, unseal_incident(ring, key, sealed).caller)
            except (Malformed, KeysUnavailable) as error:
                log.critical("left under its key", table=self.table, error=str(error))
                continue
            if new is not None and new != bytes(caller):
                stale.append((bytes(caller), new))
        return Page((bytes(rows[-1][0]),), stale)

    def reseal(self, connection: Connection, rows: Sequence[Any]) -> int:
        """See `Walk`."""
        mark = placeholder(connection.dialect.name)
        done = 0
        for old, new in rows:
            # A daemon may have written under the new hash meanwhile: that is the newer position.
            changed = execute(
                connection,
                f"UPDATE last_position SET caller = {mark} WHERE caller = {mark}"
                f" AND NOT EXISTS (SELECT 1 FROM last_position n WHERE n.caller = {mark})",
                (new, old, new),
            )
            if not changed.rowcount:
                changed = execute(connection, f"DELETE FROM last_position WHERE caller = {mark}", (old,))
            done += int(changed.rowcount)
        return done


class RecordingHeaders:
    """The headers of sealed recordings: files of this machine. Another machine's daemon does its own.

    Files are written as they are found, beside the store's writer, and the register is told afterwards.
    """

    table = "recording"

    def count(self, connection: Connection) -> dict[int, int]:
        """See `Walk`."""
        wanted = select(recording.c.key_id, func.count()).where(recording.c.state == RecordingState.SEALED)
        rows = connection.execute(wanted.group_by(recording.c.key_id)).all()
        return {int(key_id): int(number) for key_id, number in rows}

    def find(self, connection: Connection, after: After, limit: int) -> Page | None:
        """See `Walk`."""
        ring = keys_of(connection)
        rows = connection.execute(
            select(recording.c.key, recording.c.name, recording.c.host, recording.c.path)
            .where(
                recording.c.key > (after[0] if after else 0),
                recording.c.key_id != ring.current.id,
                recording.c.state == RecordingState.SEALED,
            )
            .order_by(recording.c.key)
            .limit(limit)
        ).all()
        if not rows:
            return None
        done = [(int(row.key), key_id) for row in rows if (key_id := self._reseal(ring, row)) is not None]
        return Page((int(rows[-1].key),), done)

    def reseal(self, connection: Connection, rows: Sequence[Any]) -> int:
        """See `Walk`."""
        return len(recordings.resealed(connection, rows))

    @staticmethod
    def _reseal(ring: KeyRing, row: Any) -> int | None:
        try:
            return sealed_recording.reseal(Path(row.path), ring)
        except (Malformed, KeysUnavailable, OSError) as error:
            log.critical(
                "left under its key", table="recording", name=row.name, host=row.host, error=str(error)
            )
            return None


class AwaitedReplies:
    """Replies that are awaited: few, and short-lived."""

    table = "awaited_reply"

    def count(self, connection: Connection) -> dict[int, int]:
        """See `Walk`."""
        return _count(connection, self.table, "sealed")

    def find(self, connection: Connection, after: After, limit: int) -> Page | None:
        """See `Walk`."""
        rows = _page(connection, self.table, ("key", "sealed"), ("key",), after, limit)
        if not rows:
            return None
        current = keys_of(connection).current.id
        return Page((rows[-1][0],), [row[0] for row in rows if _is_old(row[1], current)])

    def reseal(self, connection: Connection, rows: Sequence[Any]) -> int:
        """See `Walk`."""
        done = awaited.reseal(connection, rows[0] - 1, len(rows))
        return 0 if done is None else done[1]


class History:
    """The history, by which a press is scored. The hash is part of the key, and of what each value is sealed for."""

    table = "press_history"

    def count(self, connection: Connection) -> dict[int, int]:
        """See `Walk`."""
        return _count(connection, self.table, "sealed")

    def find(self, connection: Connection, after: After, limit: int) -> Page | None:
        """See `Walk`."""
        key = (press_history.c.subject, press_history.c.at)
        wanted = select(press_history).order_by(*key).limit(limit)
        if after:
            wanted = wanted.where(tuple_(*key) > tuple_(*after))
        rows = connection.execute(wanted).all()
        if not rows:
            return None
        current = keys_of(connection).current.id
        return Page(
            (bytes(rows[-1].subject), rows[-1].at), [row for row in rows if _is_old(row.sealed, current)]
        )

    def reseal(self, connection: Connection, rows: Sequence[Any]) -> int:
        """See `Walk`."""
        done = 0
        for row in rows:
            here = (press_history.c.subject == row.subject, press_history.c.at == row.at)
            # As it stands now: retention may have deleted it, and a false alarm may have changed it.
            standing = connection.execute(select(press_history).where(*here).with_for_update()).all()
            try:
                done += history.reseal_history(connection, standing)
            except (Malformed, KeysUnavailable) as error:
                log.critical("left under its key", table=self.table, error=str(error))
        return done


class JournalPositions:
    """How far each journal of presses is taken up: one row for each daemon, with nothing sealed and a code.

    What another hand has changed is neither counted nor made ours: its daemon says so, and goes by its journal.
    """

    table = "journal_position"

    def count(self, connection: Connection) -> dict[int, int]:
        """See `Walk`."""
        return dict(Counter(key_id_of(row.bound) for row in sound_rows(connection)))

    def find(self, connection: Connection, after: After, limit: int) -> Page | None:  # noqa: ARG002 - they are few
        """See `Walk`."""
        rows = [] if after else sound_rows(connection)
        if not rows:
            return None
        current = keys_of(connection).current.id
        return Page((rows[-1].journal,), [row for row in rows if _is_old(row.bound, current)])

    def reseal(self, connection: Connection, rows: Sequence[Any]) -> int:
        """See `Walk`."""
        return sum(bind_anew(connection, row) for row in rows)


@dataclass(frozen=True, slots=True)
class People:
    """The registry."""

    registry: Registry
    table: str = "person"

    def count(self, connection: Connection) -> dict[int, int]:
        """See `Walk`."""
        rows = execute(connection, "SELECT key_id, count(*) FROM person GROUP BY key_id").fetchall()
        return {int(key_id): int(number) for key_id, number in rows}

    def find(self, connection: Connection, after: After, limit: int) -> Page | None:
        """See `Walk`."""
        mark = placeholder(connection.dialect.name)
        rows = execute(
            connection,
            f"SELECT key FROM person WHERE key > {mark} AND key_id <> {mark} ORDER BY key LIMIT {limit:d}",
            (after[0] if after else 0, keys_of(connection).current.id),
        ).fetchall()
        return Page((rows[-1][0],), [row[0] for row in rows]) if rows else None

    def reseal(self, connection: Connection, rows: Sequence[Any]) -> int:
        """See `Walk`."""
        done = self.registry.reseal(connection, rows[0] - 1, len(rows))
        return 0 if done is None else done[1]


def _count(connection: Connection, table: str, column: str) -> dict[int, int]:
    rows = execute(
        connection,
        f"SELECT substr({column}, 1, {KEY_ID_OCTETS}), count(*) FROM {table} WHERE {column} IS NOT NULL GROUP BY 1",
    ).fetchall()
    return {key_id_of(bytes(key_id)): int(number) for key_id, number in rows}


def _page(  # noqa: PLR0917 - a SELECT and its bounds
    connection: Connection,
    table: str,
    columns: Sequence[str],
    key: Sequence[str],
    after: After,
    limit: int,
) -> list[Any]:
    mark = placeholder(connection.dialect.name)
    names = ", ".join(key)
    begin = f"WHERE ({names}) > ({', '.join([mark] * len(key))})" if after else ""
    rows: list[Any] = execute(
        connection,
        f"SELECT {', '.join(columns)} FROM {table} {begin} ORDER BY {names} LIMIT {limit:d}",
        after,
    ).fetchall()
    return rows


def _is_old(sealed: bytes | None, current: int) -> bool:
    return sealed is not None and key_id_of(bytes(sealed)) != current
