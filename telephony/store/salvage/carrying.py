"""Makes a fresh store that holds all that a damaged one still owes: what a press, a repeat or 112 may need now.

That is every delivery that is not settled, every incident that is open or of the last two days (so that repeats keep
their names), all that belongs to these, awaited replies and the end of the audit chain. The rest follows afterwards
(`telephony.store.salvage.runs`).

Of an incident whose row is lost its press may be left, or an index knows its name. Where the journal still has the press, the
row is made of that (`telephony.store.salvage.journaled`). Otherwise a stand-in takes its place: 112 is told under that name what
is left, by the very way on which damaged rows are told.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from telephony.domain.delivery import DELIVERED, PENDING
from telephony.domain.incident import CLOSED, OPEN
from telephony.store.presses import NODE_BITS
from telephony.store.salvage.journaled import COUNTED, JournaledPresses
from telephony.store.salvage.reading import DamagedStore, Reading
from telephony.store.salvage.runs import put
from telephony.store.salvage.shapes import SHAPES, Row
from telephony.store.times import seconds_to_us
from telephony.store.upgrade import HEAD, make_anew

RECENT_S: Final = 2 * 86_400.0
"""Closed incidents of this age are brought over at once too: the redelivery of their presses finds their name taken."""
WITH_AN_INCIDENT: Final = ("press", "position", "fact", "call", "delivery")
LOST_SEALED: Final = b"\x00"
"""What stands in the place of sealed octets that are lost: no key opens it."""
COUNTED_TABLES: Final = frozenset(table for table, _ in COUNTED.values())
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,40}")
_NAMES: Final = "sqlite_autoindex_incident_1"
_OPEN_ONES: Final = "one_open_incident_per_caller"


@dataclass(frozen=True, slots=True)
class Carried:
    """The contents with which a fresh store began."""

    incidents: int
    """Open or of the last days, stand-ins included."""
    open: int
    owed: int
    """Deliveries that are not settled."""
    stand_ins: tuple[str, ...]
    """Names of incidents whose row is lost."""
    restored: tuple[str, ...]
    """Names of those whose row was lost and could be made of the journal."""
    damaged_tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Lost:
    """Rows in the place of those that are lost: of incidents that nothing tells of, and of those that the journal does, with presses."""

    stand_ins: list[Row]
    restored: list[Row]
    presses: list[Row]


class OtherSchema(Exception):  # noqa: N818 - what it is
    """The damaged store speaks an older schema: its rows are not understood as they are."""


def carry_over(
    store: DamagedStore,
    fresh: Path,
    now_s: float,
    memory: sqlite3.Connection | None = None,
    journaled: Callable[[], JournaledPresses | None] = lambda: None,
) -> Carried:
    """Fill an empty file with the schema and all that is owed; returns when it is synced and closed.

    ``memory`` is the connection that wrote last: its cache may hold pages that the disk has lost. ``journaled`` reads the
    journal, and is called where the row of an incident is lost; None where it cannot be read. Raises `OtherSchema`, or
    `sqlite3.Error` where the file cannot be written.
    """
    if store.version not in (None, HEAD):
        raise OtherSchema(f"the damaged store has schema {store.version}")
    engine = create_engine(f"sqlite:///{fresh}", poolclass=NullPool)
    try:
        with engine.begin() as connection:
            make_anew(connection)
    finally:
        engine.dispose()
    with closing(sqlite3.connect(fresh, isolation_level=None)) as target:
        target.execute("PRAGMA synchronous=FULL")
        target.execute("BEGIN IMMEDIATE")
        carried = _Carrying(store, target, seconds_to_us(now_s), memory, journaled).carry()
        target.execute("COMMIT")
    return carried


class _Carrying:
    def __init__(
        self,
        store: DamagedStore,
        target: sqlite3.Connection,
        now_us: int,
        memory: sqlite3.Connection | None,
        journaled: Callable[[], JournaledPresses | None],
    ) -> None:
        self._journaled = journaled
        self._store = store
        self._target = target
        self._memory = memory
        self._since_us = now_us - seconds_to_us(RECENT_S)

    def carry(self) -> Carried:
        for table in ("key_proof", "awaited_reply"):
            self._put(table, self._store.rows(table, Reading(table, self._store.is_sound(table))))
        self._audit_head()
        remembered = self._remember()
        owed = self._pending()
        owing = {row[0] for row in owed}
        keys = set(owing)
        incidents = {**self._incidents(keys), **remembered}
        keys |= incidents.keys()
        lost = _Lost([], [], [])
        if not self._store.is_sound("incident"):
            lost = self._lost(incidents)
            keys |= {row[0] for row in (*lost.stand_ins, *lost.restored)}
        state = SHAPES["incident"].index("state")
        # Of a closed one its name and that it was told are enough; the rest follows.
        closed = {key for key, row in incidents.items() if row[state] == CLOSED} - owing
        for table in WITH_AN_INCIDENT:
            wanted = keys if table == "delivery" else keys - closed
            self._put(table, self._store.of(table, "incident_key", wanted))
        # After those that are left, which say more: they may be repeats, and are counted.
        self._put("press", lost.presses)
        for found in (incidents.values(), lost.restored, lost.stand_ins):
            self._put("incident", found)
        every_one = [*incidents.values(), *lost.restored, *lost.stand_ins]
        return Carried(
            len(every_one),
            sum(row[state] != CLOSED for row in every_one),
            len(owed),
            tuple(str(row[1]) for row in lost.stand_ins),
            tuple(str(row[1]) for row in lost.restored),
            tuple(table for table in SHAPES if not self._store.is_sound(table)),
        )

    def _put(self, table: str, rows: Iterable[Row]) -> None:
        shape = SHAPES[table]
        put(self._target, shape, [row for row in rows if shape.can_be_kept(row)])

    def _remember(self) -> dict[Any, Row]:
        """Bring over recent rows as the writer's connection still has them; returns those of incidents."""
        if self._memory is None:
            return {}
        damaged = [table for table in ("incident", *WITH_AN_INCIDENT) if not self._store.is_sound(table)]
        rows = {table: self._newest(self._memory, table) for table in damaged}
        first = self._since_us << NODE_BITS
        keys = {row[_key_at(table)] for table, found in rows.items() for row in found}
        for table in ("press", "delivery"):
            keys |= {row[0] for row in self._store.rows(table, Reading(table, self._store.is_sound(table)))}
        recent = [key for key in keys if isinstance(key, int) and key >= first]
        for table in damaged:
            rows[table] += self._one_by_one(self._memory, table, recent)
            self._put(table, rows[table])
        return {row[0]: row for row in rows.get("incident", ())}

    def _newest(self, memory: sqlite3.Connection, table: str) -> list[Row]:
        """Return rows, the newest first, up to a page that the connection has not read before it was damaged."""
        found: list[Row] = []
        key = SHAPES[table].names[_key_at(table)]
        with suppress(sqlite3.Error):
            found.extend(
                memory.execute(
                    f"{_select(table)} WHERE {key} >= ? ORDER BY {key} DESC", (self._since_us << NODE_BITS,)
                )
            )
        return found

    @staticmethod
    def _one_by_one(memory: sqlite3.Connection, table: str, keys: Iterable[int]) -> list[Row]:
        """Return the rows of these incidents that stand on pages which the connection remembers."""
        found: list[Row] = []
        key = SHAPES[table].names[_key_at(table)]
        for each in keys:
            with suppress(sqlite3.Error):
                found.extend(memory.execute(f"{_select(table)} WHERE {key} = ?", (each,)))
        return found

    def _audit_head(self) -> None:
        """Bring over the last entry, from which the chain goes on."""
        last: Row | None = None
        if self._store.is_sound("audit"):
            found = self._store.where("audit", "number = (SELECT max(number) FROM audit)", lambda _: True)
            last = _greatest(found)
        else:
            last = _greatest(self._store.rows("audit", Reading("audit", is_sound=False)))
        if last is not None:
            self._put("audit", [last])

    def _pending(self) -> list[Row]:
        state = SHAPES["delivery"].index("state")
        found = self._store.where("delivery", f"state = '{PENDING}'", lambda row: row[state] == PENDING)
        return list({row[:3]: row for row in found}.values())

    def _incidents(self, owing: Collection[Any]) -> dict[Any, Row]:
        shape = SHAPES["incident"]
        state, pressed = shape.index("state"), shape.index("last_press_at")
        since = self._since_us

        def is_wanted(row: Row) -> bool:
            at = row[pressed]
            return row[state] != CLOSED or not isinstance(at, int) or at >= since

        found = {
            row[0]: row
            for row in self._store.where(
                "incident", f"state <> '{CLOSED}' OR last_press_at >= {since}", is_wanted
            )
        }
        missing = [key for key in owing if key not in found]
        found.update({row[0]: row for row in self._store.of("incident", "key", missing)})
        return found

    def _lost(self, known: Mapping[Any, Row]) -> _Lost:
        """Return rows for recent incidents of which an index, a press or a delivery is left, and no row."""
        first = self._since_us << NODE_BITS
        names: dict[Any, Any] = {
            key: name
            for name, key in self._store.trees.index_rows(_NAMES)
            if isinstance(name, str) and isinstance(key, int) and _NAME.fullmatch(name)
        }
        there = set(known) | {row[0] for row in self._store.of("incident", "key", list(names))}
        lost = {key for key in names if key >= first} - there
        presses = self._of_lost("press", lambda key: key >= first and key not in there)
        lost |= presses.keys()
        if not lost:
            return _Lost([], [], [])
        callers = {key: caller for caller, key in self._store.trees.index_rows(_OPEN_ONES)}
        told = {
            row[0]
            for row in self._store.of("delivery", "incident_key", lost)
            if row[2] == 1 and row[SHAPES["delivery"].index("state")] == DELIVERED
        }
        journaled = self._journaled()
        state, hashed = SHAPES["incident"].index("state"), SHAPES["incident"].index("caller")
        open_callers = {row[hashed] for row in known.values() if row[state] != CLOSED}
        left = {table: self._by_incident(table, lost) for table in COUNTED_TABLES} if journaled else {}
        found = _Lost([], [], [])
        # A caller has one open incident, the newest.
        for key in sorted(lost, reverse=True):
            if key in told and key not in callers:
                continue  # closed, and 112 knows
            opener = journaled and journaled.opener(names.get(key), presses.get(key, []))
            if journaled and opener and not journaled.is_of(opener[0], open_callers):
                restored = journaled.restore(
                    key, opener, {table: rows.get(key, []) for table, rows in left.items()}
                )
                open_callers.add(restored.incident[hashed])
                found.restored.append(restored.incident)
                if restored.press is not None:
                    found.presses.append(restored.press)
                continue
            # Where 112 was never told who it is, her next press is better an incident of its own, with her number.
            caller = callers[key] if key in told else os.urandom(16)
            found.stand_ins.append(
                _stand_in(key, names.get(key, f"lost-{key}"), caller, presses.get(key, []))
            )
        return found

    def _by_incident(self, table: str, keys: Collection[int]) -> dict[Any, list[Row]]:
        found: dict[Any, list[Row]] = {}
        for row in self._store.of(table, "incident_key", keys):
            found.setdefault(row[0], []).append(row)
        return found

    def _of_lost(self, table: str, is_lost: Callable[[int], bool]) -> dict[Any, list[Row]]:
        found: dict[Any, list[Row]] = {}
        for row in self._store.rows(table, Reading(table, self._store.is_sound(table))):
            if isinstance(row[0], int) and is_lost(row[0]):
                found.setdefault(row[0], []).append(row)
        return found


def _key_at(table: str) -> int:
    """Return the place of the column that names the incident."""
    return SHAPES[table].index("key" if table == "incident" else "incident_key")


def _select(table: str) -> str:
    columns = ", ".join(f'"{name}"' for name in SHAPES[table].names)
    return f"SELECT {columns} FROM {table}"


def _stand_in(key: int, name: str, caller: Any, presses: list[Row]) -> Row:
    """Return a row of the incident table that says only what is left of the incident."""
    shape = SHAPES["press"]
    told = presses[0] if presses else ("?",) * len(shape.columns)

    def of_press(column: str) -> Any:
        return told[shape.index(column)]

    values = {
        "key": key,
        "id": name,
        "caller": caller,
        "sealed": LOST_SEALED,
        "carrier": of_press("carrier"),
        "connector": of_press("connector"),
        "source": of_press("source"),
        "state": OPEN,
        "test": 0,
        "opened_at": key >> NODE_BITS,
        "press_count": max(1, len(presses)),
        "last_press_at": key >> NODE_BITS,
        "last_sequence": 1,
        "position_count": 0,
        "fact_count": 0,
    }
    return tuple(values.get(column) for column in SHAPES["incident"].names)


def _greatest(rows: Iterable[Row]) -> Row | None:
    last: Row | None = None
    for row in rows:
        if isinstance(row[0], int) and (last is None or not isinstance(last[0], int) or row[0] > last[0]):
            last = row
    return last
