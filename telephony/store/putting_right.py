"""Puts rows of the newest incidents that another hand has changed on the safe side, as they may not be read otherwise.

An incident that says that it is closed, or that silence is lifted, and was not by us, is open and silent again, and found
by its caller. A report that says that it was delivered, and no far end has said so, is sent. What is bound under a key that is
not here is left alone: it may be right, and another machine's key file newer than ours.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from telephony.domain.delivery import DELIVERED, REJECTED, SUPERSEDED
from telephony.store.bound import believed, is_sound, is_sound_quietly, rebind
from telephony.store.bulk import execute, placeholder
from telephony.store.crypto import KeyRing
from telephony.store.due_rows import KEY_IS_SOUND
from telephony.store.outbox.repairing import reopen
from telephony.store.schema import incident
from telephony.store.sealing import keys_of
from telephony.store.updates import BoundDelivery

MOST_LOOKED_AT: Final = 5_000
"""Incidents that are looked at, the newest; 4 µs each, once a minute."""
MOST_ASKED: Final = 2_000
"""Of these, whose reports are looked at."""


class _Incident(NamedTuple):
    """The columns that are read of an incident."""

    key: int
    id: str
    carrier: str
    connector: str
    source: str
    state: str
    test: bool
    opened_at: int
    closed_at: int | None
    silence_lifted_at: int | None
    caller: bytes
    bound: bytes | None


_NEWEST: Final = (
    f"SELECT {', '.join(_Incident._fields)} FROM incident WHERE key >= {{0}} ORDER BY key DESC LIMIT {{0}}"
)
_SETTLED: Final = (
    "SELECT d.incident_key, d.channel, d.sequence, d.kind, d.payload, d.state, d.bound FROM (SELECT key, last_sequence"
    " FROM incident WHERE key >= {0} ORDER BY key DESC LIMIT {0}) i JOIN delivery d ON d.incident_key = i.key"
    f" WHERE d.sequence > 0 AND (d.sequence = 1 OR d.sequence = i.last_sequence)"
    f" AND d.state IN ('{DELIVERED}', '{REJECTED}', '{SUPERSEDED}')"
    f" AND {KEY_IS_SOUND.format('d.')} AND d.channel IN ({{1}})"
)


class Changed(NamedTuple):
    """Rows that another hand has changed: incidents by their keys, and reports."""

    incidents: Sequence[int] = ()
    reports: Sequence[BoundDelivery] = ()


def find_changed(connection: Connection, channels: Collection[str], first_key: int) -> Changed:
    """Look through incidents from a key on, and reports of theirs on these channels; only reads."""
    ring, mark = keys_of(connection), placeholder(connection.dialect.name)
    rows = execute(connection, _NEWEST.format(mark), (first_key, MOST_LOOKED_AT)).fetchall()
    found = map(_Incident._make, rows)
    incidents = [
        row.key for row in found if not is_sound(ring, incident.name, row) and ring.can_judge(row.bound)
    ]
    known = ", ".join([mark] * len(channels))
    wanted = (first_key, MOST_ASKED, *channels)
    settled = execute(connection, _SETTLED.format(mark, known), wanted).fetchall() if channels else []
    return Changed(incidents, _unproven(ring, map(BoundDelivery._make, settled)))


def put_right(connection: Connection, changed: Changed, at_us: int) -> int:
    """Change these rows, whose incidents are locked; return how many."""
    ring = keys_of(connection)
    count = sum(_put_incident_right(connection, ring, key) for key in changed.incidents)
    if not changed.reports:
        return count
    settled = [(each.incident_key, each.channel, each.sequence, each.state) for each in changed.reports]
    return count + reopen(connection, settled, at_us)


def _unproven(ring: KeyRing, settled: Iterable[BoundDelivery]) -> list[BoundDelivery]:
    """Return the reports that no far end has answered: by their codes, and stand-ins beside none that was delivered."""
    proven: set[tuple[int, int]] = set()
    changed, stand_ins = [], []
    for row in settled:
        if row.state == SUPERSEDED:
            stand_ins.append(row)
            # As `Mending` calls one that was delivered, and whose state is damaged since.
            if is_sound_quietly(ring, "delivery", row._replace(state=DELIVERED)):
                proven.add((row.incident_key, row.sequence))
        elif not is_sound(ring, "delivery", row):
            if ring.can_judge(row.bound):
                changed.append(row)
        elif row.state == DELIVERED:
            proven.add((row.incident_key, row.sequence))
    for row in stand_ins:
        if ring.can_judge(row.bound) and (row.incident_key, row.sequence) not in proven:
            ring.noticed.note("delivery", f"{row.incident_key}.{row.channel}.{row.sequence}", "state")
            changed.append(row)
    return changed


def _put_incident_right(connection: Connection, ring: KeyRing, key: int) -> int:
    row = connection.execute(select(incident).where(incident.c.key == key)).one_or_none()
    if row is None or is_sound_quietly(ring, incident.name, row):
        return 0
    rebind(connection, ring, believed(ring, row))
    return 1
