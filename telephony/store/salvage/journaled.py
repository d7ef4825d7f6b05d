"""Makes an incident whose row is lost whole again out of the press that opened it, which the journal still has.

The incident keeps its key and its name. So 112 hears who presses, under the one name that the press has, whether its row
is brought over or the journal is taken up first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from telephony.domain.incident import OPEN, Join
from telephony.domain.trigger import Trigger
from telephony.store.callers import CALLER, REFERENCE
from telephony.store.crypto import KeyRing
from telephony.store.presses import (
    INCIDENT_COLUMNS,
    PRESS_COLUMNS,
    caller_key,
    incident_values,
    press_values,
)
from telephony.store.salvage.shapes import SHAPES, Row
from telephony.store.times import to_us

COUNTED: Final[Mapping[str, tuple[str, str]]] = {
    "press_count": ("press", "number"),
    "last_sequence": ("delivery", "sequence"),
    "position_count": ("position", "number"),
    "fact_count": ("fact", "number"),
}
"""What an incident counts, and the column whose greatest number in the rows that are left is that count."""


@dataclass(frozen=True, slots=True)
class Restored:
    """The row of an incident, and that of its first press where it is lost as well."""

    incident: Row
    press: Row | None


class JournaledPresses:
    """The presses that the journal has, each with the name of the incident that it opened if it opened one."""

    def __init__(self, ring: KeyRing, presses: Iterable[tuple[Trigger, str]]) -> None:
        self._ring = ring
        self._by_name: dict[str, Trigger] = {}
        self._by_reference: dict[bytes, tuple[Trigger, str]] = {}
        for trigger, name in presses:
            # What comes again is in the journal again; the first is the one that opened it.
            self._by_name.setdefault(name, trigger)
            for hashed in ring.hashes(REFERENCE, trigger.reference):
                self._by_reference.setdefault(hashed, (trigger, name))

    def opener(self, name: str | None, presses: Sequence[Row]) -> tuple[Trigger, str] | None:
        """Return the press that opened an incident and the incident's name; ``presses`` are the rows that are left of it.

        ``name`` is None where no index knows it: then the row of its first press has to be there.
        """
        if name is not None and (trigger := self._by_name.get(name)) is not None:
            return trigger, name
        shape = SHAPES["press"]
        for row in presses:
            found = self._by_reference.get(_octets(row[shape.index("reference")]))
            if found is not None and row[shape.index("number")] == 1:
                return found[0], found[1] if name is None else name
        return None

    def is_of(self, trigger: Trigger, hashes: Collection[Any]) -> bool:
        """Whether one of these is the hash of its caller."""
        return any(each in hashes for each in self._ring.hashes(CALLER, caller_key(trigger)))

    def restore(self, key: int, opener: tuple[Trigger, str], left: Mapping[str, Sequence[Row]]) -> Restored:
        """Return the rows that are lost; ``left`` are those of the incident that are there, by table."""
        trigger, name = opener
        caller = caller_key(trigger)
        values = incident_values(self._ring, key, name, (caller, self._ring.hash(CALLER, caller)), trigger)
        row = dict(zip(INCIDENT_COLUMNS, values, strict=True)) | {"state": OPEN, "best_position": None}
        for column, (table, number) in COUNTED.items():
            least = 1 if column in {"press_count", "last_sequence"} else 0
            row[column] = max(least, *(_count(table, number, each) for each in left.get(table, ())), least)
        press = SHAPES["press"].index("number")
        has_first = any(each[press] == 1 for each in left.get("press", ()))
        return Restored(_row("incident", row), None if has_first else self._first_press(key, trigger))

    def _first_press(self, key: int, trigger: Trigger) -> Row:
        name = (key, 1, trigger.reference, self._ring.hash(REFERENCE, trigger.reference))
        values = press_values(self._ring, name, trigger, to_us(trigger.received_at), Join.FIRST)
        return _row("press", {**dict(zip(PRESS_COLUMNS, values, strict=True)), "seen": 1})


def _row(table: str, values: Mapping[str, Any]) -> Row:
    return tuple(values.get(name) for name in SHAPES[table].names)


def _count(table: str, column: str, row: Row) -> int:
    value = row[SHAPES[table].index(column)]
    return value if isinstance(value, int) else 0


def _octets(value: Any) -> bytes:
    return value if isinstance(value, bytes) else b""
