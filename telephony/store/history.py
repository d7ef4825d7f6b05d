"""The history of a person: earlier presses, drills and false alarms, by which a press is scored.

A row says nothing without the keys: whom it is of is a keyed hash, and where it was is sealed. It follows the person,
not the number: of somebody who is registered it is kept under the key of their row. It is kept for a time, and never
more than the newest `MOST_KEPT`. A place is coarse: about 100 m.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from telephony.domain.errors import Malformed
from telephony.domain.position import Position
from telephony.domain.score import FALSE_ALARM, PRESS, Earlier
from telephony.domain.values import Msisdn
from telephony.store.bound import bind, bound_anew, is_sound
from telephony.store.crypto import KeyRing, KeysUnavailable, Place
from telephony.store.people_erasing import clear_around
from telephony.store.prepared import Prepared
from telephony.store.schema import press_history
from telephony.store.sealing import keys_of, seal, unseal
from telephony.store.times import from_us, to_us

log = structlog.get_logger()

SUBJECT: Final = "history"
"""The kind of these look-up hashes."""
MOST_KEPT: Final = 50
DECIMALS: Final = 3
"""Of a degree: 111 m from north to south, 88 m from east to west in Seoul."""
_PADDED_TO: Final = 64


@dataclass(frozen=True, slots=True)
class Remembered:
    """An earlier press: what it was, when (aware, UTC), and roughly where."""

    kind: str
    at: datetime
    place: Position | None = field(default=None, repr=False)

    def seen_from(self, here: Position | None) -> Earlier:
        """Return it as a score weighs it."""
        if here is None or self.place is None:
            return Earlier(self.kind, self.at)
        return Earlier(self.kind, self.at, self.place.distance_m(here))


def registered(person_key: int) -> str:
    """Return whom a history is of: somebody who is registered, by the key of their row."""
    return f"person:{person_key}"


def unregistered(number: Msisdn) -> str | None:
    """Return the same of a number that is not registered; ``None`` for a withheld one."""
    return number.number or None


def history_place(subject: bytes, at_us: int) -> Place:
    """Return the place that a row's value is sealed for."""
    return Place("press_history", "sealed", int.from_bytes(subject, "big"), at_us)


_OF_THEIRS: Final = press_history.c.subject.in_(bindparam("subjects", expanding=True))
_AT_THAT_TIME: Final = Prepared(
    select(press_history).where(_OF_THEIRS, press_history.c.at == bindparam("at"))
)
_SINCE: Final = Prepared(
    select(press_history)
    .where(_OF_THEIRS, press_history.c.at >= bindparam("since"), press_history.c.at != bindparam("besides"))
    .order_by(press_history.c.at.desc())
    .limit(MOST_KEPT)
)
_TOO_MANY: Final = Prepared(
    select(press_history.c.at)
    .where(_OF_THEIRS)
    .order_by(press_history.c.at.desc())
    .offset(MOST_KEPT)
    .limit(MOST_KEPT)
)
_KEEP: Final = Prepared(insert(press_history))
_NO_TIME: Final = -1
"""In microseconds, a time at which nobody has pressed."""


def remember(
    connection: Connection, subject: str, at: datetime, kind: str, place: Position | None = None
) -> None:
    """Keep that this person pressed at that time; the same time again says more of the same press.

    A false alarm stays one, and a place that was known stays known.
    """
    ring, at_us = keys_of(connection), to_us(at)
    subjects = ring.hashes(SUBJECT, subject)
    rows = _AT_THAT_TIME.all(connection, subjects=subjects, at=at_us)
    for row in rows:
        if not is_sound(ring, press_history.name, row):
            continue
        known = _read(ring, row)
        if row.kind == FALSE_ALARM and kind == PRESS:
            kind = FALSE_ALARM
        place = place or known.place
    if rows:
        same = (press_history.c.subject.in_(subjects), press_history.c.at == at_us)
        connection.execute(delete(press_history).where(*same))
    digest = ring.hash(SUBJECT, subject)
    sealed = seal(ring, history_place(digest, at_us), _octets(subject, place))
    code = bind(ring, press_history.name, (digest, at_us, kind))
    _KEEP.run(connection, subject=digest, at=at_us, kind=kind, sealed=sealed, bound=code)
    if not rows:
        _keep_the_newest(connection, subjects)


def history(
    connection: Connection, subject: str, *, since: datetime, besides: datetime | None = None
) -> list[Remembered]:
    """Return the presses that are remembered of a person since a time, the newest first; ``besides`` leaves out the press of that time.

    What retention has not deleted yet, but should have, is left out by ``since``.
    """
    ring = keys_of(connection)
    rows = _SINCE.all(
        connection,
        subjects=ring.hashes(SUBJECT, subject),
        since=to_us(since),
        besides=_NO_TIME if besides is None else to_us(besides),
    )
    return [_read(ring, row) for row in rows if is_sound(ring, press_history.name, row)]


def forget_places(connection: Connection, at: Iterable[int]) -> None:
    """Take out where somebody was at these times, in microseconds; that they pressed stays."""
    ring = keys_of(connection)
    for row in connection.execute(select(press_history).where(press_history.c.at.in_(list(at)))).all():
        subject = bytes(row.subject)
        place = history_place(subject, row.at)
        try:
            said = json.loads(unseal(ring, place, row.sealed))
            sealed = seal(ring, place, _octets(said["subject"], None))
        except (Malformed, KeysUnavailable, ValueError, KeyError, TypeError):
            # It cannot be read, or not any more.
            sealed = None
        connection.execute(
            update(press_history)
            .where(press_history.c.subject == row.subject, press_history.c.at == row.at)
            .values(sealed=sealed)
        )
        clear_around(connection, press_history.name, [subject])


def forget_history(connection: Connection, ring: KeyRing, subject: str) -> int:
    """Delete everything of a person, on SQLite with every trace of it in the file; gives how many rows."""
    hashes = ring.hashes(SUBJECT, subject)
    gone = connection.execute(delete(press_history).where(press_history.c.subject.in_(hashes)))
    if gone.rowcount:
        clear_around(connection, press_history.name, hashes)
    return int(gone.rowcount)


def reseal_history(connection: Connection, rows: Iterable[Any]) -> int:
    """Write rows of the table again, hash and value, under the current key; gives how many.

    For the rotation of keys. A row that cannot be read is left as it is: raises `KeysUnavailable` or `Damaged`.
    """
    ring, written = keys_of(connection), 0
    for row in rows:
        old = bytes(row.subject)
        plain = unseal(ring, history_place(old, row.at), row.sealed)
        new = ring.hash(SUBJECT, json.loads(plain)["subject"])
        here = (press_history.c.subject == old, press_history.c.at == row.at)
        connection.execute(delete(press_history).where(*here))
        sealed = seal(ring, history_place(new, row.at), plain)
        code = bound_anew(ring, press_history.name, row._asdict(), subject=new)
        connection.execute(
            insert(press_history).values(subject=new, at=row.at, kind=row.kind, sealed=sealed, bound=code)
        )
        written += 1
    return written


def _keep_the_newest(connection: Connection, subjects: Sequence[bytes]) -> None:
    too_old = [row.at for row in _TOO_MANY.all(connection, subjects=subjects)]
    if too_old:
        connection.execute(
            delete(press_history).where(
                press_history.c.subject.in_(subjects), press_history.c.at <= max(too_old)
            )
        )


def _octets(subject: str, place: Position | None) -> bytes:
    plain: dict[str, Any] = {"subject": subject}
    if place is not None:
        plain["place"] = [round(place.latitude, DECIMALS), round(place.longitude, DECIMALS)]
    octets = json.dumps(plain, separators=(",", ":")).encode()
    # JSON may end in blanks. The length does not tell whether a place is known.
    return octets.ljust(-(-len(octets) // _PADDED_TO) * _PADDED_TO)


def _read(ring: KeyRing, row: Any) -> Remembered:
    """Return what a row says; a damaged one still tells what happened and when."""
    at = from_us(row.at)
    try:
        plain = json.loads(unseal(ring, history_place(bytes(row.subject), row.at), row.sealed))
        place = None
        if "place" in plain:
            latitude, longitude = plain["place"]
            place = Position(latitude, longitude, None, None, "unknown", "history", at, at)
    except (Malformed, ValueError, KeyError, TypeError) as error:
        # Its contents are not repeated.
        log.warning("history unreadable", kind=row.kind, error=type(error).__name__)
        place = None
    return Remembered(row.kind, at, place)
