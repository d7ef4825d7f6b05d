"""Binds a row's plain columns that decide something: one code over all of them, in the column ``bound``.

The relay works by states, times, kinds and channels, so they are not sealed. Another hand, which writes into the database
without the key file, can set them, but not make their code, nor take that of another row: table and key are in it. A row without a
code is as one with a wrong one.

What is not in the code is not believed without something else: hashes that lead to people, to awaited replies and to last
positions by the sealed value in the row that they lead to. A drill is one by its sealed caller too. Errands that help her
and reach no phone of hers need no code (`UNBOUND`). Counts, due times and leases are not bound: they change with
every attempt, and `telephony.store.mending` makes good for what would keep a report from 112. A row that is set back as a
whole has the code of then.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, Final

from sqlalchemy import Boolean, Connection, Float, LargeBinary, Table, select, update

from telephony.domain.delivery import DELIVERED, GUARDIANS, HOLD_SILENCE, LOCATE, PERSON, REJECTED, TRACK
from telephony.domain.incident import CLOSED, OPEN
from telephony.store.callers import CALLER, caller_of, is_drill
from telephony.store.crypto import HASH_OCTETS, KeyRing
from telephony.store.schema import (
    awaited_reply,
    call,
    delivery,
    fact,
    incident,
    position,
    press,
    press_history,
)

COLUMN: Final = "bound"
BOUND: Final[Mapping[str, tuple[str, ...]]] = {
    "incident": (
        "key", "id", "caller", "carrier", "connector", "source", "state", "test", "opened_at", "closed_at",
        "silence_lifted_at",
    ),
    "press": (
        "incident_key", "number", "reference", "source", "encoding", "part_reference", "part_total", "part_number",
        "labels", "received_at",
    ),
    "position": (
        "incident_key", "number", "uncertainty_m", "confidence", "method", "source", "fixed_at", "received_at",
        "became_best",
    ),
    "fact": ("incident_key", "number", "kind", "subject", "at"),
    "call": ("reference", "incident_key", "server", "trunk", "token", "started_at", "ended_at"),
    "delivery": ("incident_key", "channel", "sequence", "kind", "payload", "state"),
    "awaited_reply": ("key", "hash", "kind", "made_at", "expires_at", "failures", "sent_at"),
    "press_history": ("subject", "at", "kind"),
}  # fmt: skip
"""The columns that are bound, of each table: its key first, then all that decides."""
UNDER_A_MISSING_KEY: Final = "bound, under a key that is not here"
"""What is noted of a row whose code names another key: the key file may be older than that of another machine."""
UNBOUND: Final = frozenset({LOCATE, TRACK, PERSON, GUARDIANS, HOLD_SILENCE})
"""Kinds of deliveries that are done with a code or without: all help her, none reaches her phone, and no payload decides."""
UNSETTLED: Final = ""
"""What is bound as the state of a delivery that no far end has answered: such a state changes in many places, and sends more."""
_TABLES: Final = (incident, press, position, fact, call, delivery, awaited_reply, press_history)


def bind(ring: KeyRing, table: str, values: Sequence[Any]) -> bytes:
    """Return the code of the values of `BOUND`, in that order, as the database would give them: 0 and 1 for truth."""
    return ring.bind(_octets(table, values))


def bind_row(ring: KeyRing, table: str, row: Mapping[str, Any]) -> bytes:
    """Return the code of a row, whatever else it holds."""
    return bind(ring, table, _values(table, SimpleNamespace(**row)))


def is_sound(ring: KeyRing, table: str, row: Any) -> bool:
    """Whether a row, its columns as attributes, says what we wrote; where it does not, that is noted."""
    if is_sound_quietly(ring, table, row):
        return True
    column = COLUMN if ring.can_judge(row.bound) else UNDER_A_MISSING_KEY
    ring.noticed.note(table, ".".join(_name(getattr(row, name)) for name in _KEYS[table]), column)
    return False


def is_sound_quietly(ring: KeyRing, table: str, row: Any) -> bool:
    """Do so, without noting anything."""
    try:
        said = _octets(table, _values(table, row))
    except (TypeError, ValueError, OverflowError):
        return False  # in SQLite a column may hold a value of any type
    return ring.is_bound(said, row.bound)


def bound_anew(ring: KeyRing, table: str, row: Mapping[str, Any], **changes: Any) -> bytes | None:
    """Return the code of a changed row; ``None`` where another hand had changed it before: nothing makes it ours again.

    ``None`` also for a row that had no code, as some need none.
    """
    if row[COLUMN] is None or not is_sound(ring, table, SimpleNamespace(**row)):
        return None
    return bind_row(ring, table, {**row, **changes})


def believed(ring: KeyRing, row: Any) -> Any:
    """Return an incident's row as it may be acted upon: as it is, or on the safe side where another hand changed it.

    Then it is open, silence holds, and a drill is what its sealed caller says is one.
    """
    return row if is_sound(ring, incident.name, row) else _on_the_safe_side(ring, row)


def rebind(connection: Connection, ring: KeyRing, row: Any, **changes: Any) -> None:
    """Change an incident whose row `believed` has given, with its code; the row is locked.

    One that another hand had changed is found by its own caller again.
    """
    known = {name: getattr(row, name) for name in BOUND[incident.name]} | changes
    if isinstance(row, SimpleNamespace):
        known["caller"] = _own_hash(connection, ring, row, known["state"])
    changed = update(incident).where(incident.c.key == row.key)
    connection.execute(changed.values(**known, bound=bind_row(ring, incident.name, known)))


def _own_hash(connection: Connection, ring: KeyRing, row: Any, state: str) -> bytes:
    """Return the hash by which an incident is to be found: its caller's, or one that no caller has where another open incident has that."""
    caller = caller_of(ring, row.key, row.sealed)
    if caller is None:
        return os.urandom(HASH_OCTETS)
    hashes = ring.hashes(CALLER, caller)
    others = select(incident.c.key).where(
        incident.c.caller.in_(hashes), incident.c.state != CLOSED, incident.c.key != row.key
    )
    is_taken = state != CLOSED and connection.execute(others).first() is not None
    return os.urandom(HASH_OCTETS) if is_taken else hashes[0]


def _on_the_safe_side(ring: KeyRing, row: Any) -> Any:
    safe = {
        "state": OPEN,
        "closed_at": None,
        "silence_lifted_at": None,
        "test": is_drill(caller_of(ring, row.key, row.sealed)),
    }
    return SimpleNamespace(**{**row._asdict(), **safe})


def _octets(table: str, values: Sequence[Any]) -> bytes:
    # `ascii` is the same in every release of Python for numbers, texts, octets and None, and tells each from the others.
    # An enum is the text that its row has.
    return ascii(
        (table, *[value.value if isinstance(value, StrEnum) else value for value in values])
    ).encode()


def _values(table: str, row: Any) -> list[Any]:
    values = list(_READ[table](row))
    for place, as_kept in _AS_KEPT[table]:
        if values[place] is not None:
            values[place] = as_kept(values[place])
    return values


def _name(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _conversion(table: Table, name: str) -> Callable[[Any], Any] | None:
    """Return the conversion that makes both databases' values of a column equal, such as a boolean and a number."""
    if table is delivery and name == "state":
        return _settled_as
    kind = table.columns[name].type
    if isinstance(kind, LargeBinary):
        return bytes
    if isinstance(kind, Boolean):
        return int
    return float if isinstance(kind, Float) else None


def _settled_as(state: Any) -> Any:
    return state if state in {DELIVERED, REJECTED} else UNSETTLED


_READ: Final = {table: attrgetter(*names) for table, names in BOUND.items()}
_AS_KEPT: Final = {
    table.name: tuple(
        (place, as_kept)
        for place, name in enumerate(BOUND[table.name])
        if (as_kept := _conversion(table, name)) is not None
    )
    for table in _TABLES
}
_KEYS: Final = {table.name: tuple(column.name for column in table.primary_key) for table in _TABLES}
