"""Records positions of an incident, and the update that tells 112 of a fix that is news."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any, Final, NamedTuple

import structlog
from sqlalchemy import Connection, bindparam, exists, insert, select, update

from telephony.domain.errors import Malformed
from telephony.domain.facts import Fact, Reach, ReachFact
from telephony.domain.incident import CLOSED
from telephony.domain.plan import Plan
from telephony.domain.position import Position, is_better
from telephony.domain.report import UpdateReason
from telephony.domain.whereabouts import (
    AgeOf,
    Told,
    as_it_came_before,
    is_answer,
    is_newer,
    is_sharper,
    on_the_clock_of,
    worth_telling,
)
from telephony.store.bound import bind_row
from telephony.store.bulk import execute, placeholder
from telephony.store.callers import caller_hashes, caller_of
from telephony.store.crypto import KeyRing
from telephony.store.facts import keep_facts, reasons_of
from telephony.store.incident_rows import incident_at, incident_at_to_change
from telephony.store.locks import lock_incidents
from telephony.store.prepared import Prepared
from telephony.store.reach import reach_states
from telephony.store.reports import position_of
from telephony.store.schema import incident, last_position, position, press
from telephony.store.sealed_rows import seal_coordinates, unseal_incident
from telephony.store.sealing import keys_of
from telephony.store.times import fix_time_to_us, from_us, to_us
from telephony.store.updates import News, is_waiting, numbered, payload_of, plan_updates

log = structlog.get_logger()


FIRST_POSITION: Final = 1
"""The number of an incident's first position."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The positions of an incident's caller."""

    best: Position | None
    last_known: Position | None
    """The newest position of an earlier incident of the same caller."""


_MOVE: Final = Prepared(
    update(incident)
    .where(incident.c.key == bindparam("at"))
    .values(
        {
            column: bindparam(column.name)
            for column in (
                incident.c.position_count,
                incident.c.best_position,
                incident.c.newest_position,
                incident.c.sharpest_position,
                incident.c.unreached_since,
            )
        }
    )
)
_KEEP: Final = Prepared(insert(position))
_SOME: Final = Prepared(
    select(position).where(
        position.c.incident_key == bindparam("incident_key"),
        position.c.number.in_(bindparam("numbers", expanding=True)),
    )
)
_OF_CALLER: Final = last_position.c.caller.in_(bindparam("callers", expanding=True))
_LAST_PLACES: Final = Prepared(select(last_position).where(_OF_CALLER))
_LAST: Final = Prepared(
    select(position, incident.c.sealed.label("whose"))
    .join(
        last_position,
        (last_position.c.incident_key == position.c.incident_key)
        & (last_position.c.number == position.c.number),
    )
    .join(incident, incident.c.key == position.c.incident_key)
    .where(_OF_CALLER)
)
_MOVE_LAST: Final = Prepared(
    update(last_position)
    .where(last_position.c.caller == bindparam("known_as"))
    .values(caller=bindparam("caller"), incident_key=bindparam("incident_key"), number=bindparam("number"))
)
_KEEP_LAST: Final = Prepared(insert(last_position))


def whereabouts(connection: Connection, incident_key: int) -> Whereabouts:
    """Read the positions of an incident's caller; of an incident that is not there any more nothing is known."""
    row = incident_at(connection, incident_key)
    if row is None:
        return Whereabouts(None, None)
    ring = keys_of(connection)
    last = _last_of(connection, ring, row, _callers(connection, ring, row))
    best = _positions(connection, ring, row, {row.best_position}).get(row.best_position)
    return Whereabouts(best, last)


def best_position(connection: Connection, incident_id: str) -> Position | None:
    """Read the best position of an incident's caller."""
    row = connection.execute(
        select(position)
        .join(
            incident,
            (incident.c.key == position.c.incident_key) & (incident.c.best_position == position.c.number),
        )
        .where(incident.c.id == incident_id)
    ).one_or_none()
    return _read(keys_of(connection), row)


def first_position(connection: Connection, row: Any) -> Position | None:
    """Return where an incident's caller was first found, by its row; ``None`` where that cannot be read."""
    return _positions(connection, keys_of(connection), row, {1}).get(1)


class Located(NamedTuple):
    """The outcome of recording a position."""

    became_best: bool
    is_told: bool
    """Whether there is something for 112 that should leave at once."""
    is_answer: bool = True
    """Whether the phone has answered, and not what a location server remembers of it."""


def record_position(
    connection: Connection, plan: Plan, incident_key: int, found: Position, age_s: AgeOf
) -> Located:
    """Keep a position; where it is news to 112, write down the update that tells so.

    A closed incident takes no more positions, nor does one that is deleted. What came before it is compared by how long
    before it came, not by what the machine's clock showed then.
    """
    ring = keys_of(connection)
    row = incident_at_to_change(connection, incident_key)
    if row is None or row.state == CLOSED:
        return Located(became_best=False, is_told=False)
    said = _last_reports(connection, row)
    numbers = {numbered(each.payload, role) for each in said for role in ("position", "newest")}
    numbers |= {row.best_position, row.newest_position, row.sharpest_position}
    known = {
        number: as_it_came_before(found.received_at, earlier, age_s)
        for number, earlier in _positions(connection, ring, row, numbers).items()
    }
    best, newest = known.get(row.best_position), known.get(row.newest_position)
    number = row.position_count + 1
    became_best = is_better(found, best, found.received_at)
    is_newest = is_newer(found, newest)
    becomes_sharpest = became_best and is_sharper(found, known.get(row.sharpest_position))
    if became_best:
        _remember(connection, ring, row, found, number=number, age_s=age_s)
    answered = is_answer(found, newest)
    facts: Sequence[Fact] = ()
    if answered and row.unreached_since is not None:
        facts = _answers_again(connection, row, found)
    _keep(connection, ring, incident_key, number, found, became_best=became_best)
    best_number = number if became_best else row.best_position
    _MOVE.run(
        connection,
        at=incident_key,
        position_count=number,
        best_position=best_number,
        newest_position=number if is_newest else row.newest_position,
        sharpest_position=number if becomes_sharpest else row.sharpest_position,
        unreached_since=None if answered else row.unreached_since,
    )
    news = worth_telling(
        found, found if became_best or best is None else best, _told(said, known, found.received_at, age_s),
        is_newest=is_newest, now=found.received_at,
    )  # fmt: skip
    reasons = reasons_of(facts)
    if news is not None and not (reasons and news.reason is UpdateReason.SIGN_OF_LIFE):
        reasons += (news.reason,)
    if not reasons:
        return Located(became_best, is_told=False, is_answer=answered)
    told = News(
        row.key, row.carrier, row.last_sequence, to_us(found.received_at), row.press_count,
        best_number, row.fact_count + len(facts), reasons,
        calm=0 if facts or news is None else news.calm,
    )  # fmt: skip
    plan_updates(connection, plan, [told])
    return Located(became_best, is_told=True, is_answer=answered)


class Fix(NamedTuple):
    """A position of an incident, as `record_positions` takes it."""

    plan: Plan
    incident_key: int
    found: Position
    age_s: AgeOf


def record_positions(connection: Connection, items: Sequence[Fix]) -> list[Located]:
    """Do `record_position` for each; a batch function for `Database.batch`, so that many share a commit."""
    lock_incidents(connection, [item.incident_key for item in items])
    return [record_position(connection, *item) for item in items]


def record_opening_position(connection: Connection, incident_key: int, found: Position, age_s: AgeOf) -> None:
    """Keep the fix that came with the press that has opened an incident in this transaction: its alert tells of it."""
    ring = keys_of(connection)
    row = incident_at(connection, incident_key)
    _keep(connection, ring, incident_key, FIRST_POSITION, found, became_best=True)
    _remember(connection, ring, row, found, number=FIRST_POSITION, age_s=age_s)
    roles = ("position_count", "best_position", "newest_position", "sharpest_position")
    _MOVE.run(connection, at=incident_key, unreached_since=None, **dict.fromkeys(roles, FIRST_POSITION))


def record_position_of(
    connection: Connection, plan: Plan, incident_id: str, found: Position, age_s: AgeOf
) -> Located | None:
    """Do as `record_position`, for an incident that is known by its id; ``None`` where there is none."""
    key = connection.execute(select(incident.c.key).where(incident.c.id == incident_id)).scalar_one_or_none()
    return None if key is None else record_position(connection, plan, key, found, age_s)


def _answers_again(connection: Connection, row: Any, found: Position) -> Sequence[Fact]:
    """Keep that the phone answers, where 112 was told that it does not."""
    if reach_states(connection, row.key)[-1:] != [Reach.NOT_ANSWERING]:
        return ()
    return keep_facts(connection, row, [ReachFact(found.received_at, Reach.ANSWERING)])


def _keep(
    connection: Connection,
    ring: KeyRing,
    incident_key: int,
    number: int,
    found: Position,
    *,
    became_best: bool,
) -> None:
    said: dict[str, Any] = {
        "incident_key": incident_key,
        "number": number,
        "uncertainty_m": found.uncertainty_m,
        "confidence": found.confidence,
        "method": found.method,
        "source": found.source,
        "fixed_at": fix_time_to_us(found.fixed_at),
        "received_at": to_us(found.received_at),
        "became_best": became_best,
    }
    sealed = seal_coordinates(ring, incident_key, number, found.latitude, found.longitude, found.altitude_m)
    code = bind_row(ring, position.name, said)
    _KEEP.run(connection, **said, sealed=sealed, bound=code)


LATELY: Final = 12
"""Reports to look back on: phones change between this many places without going anywhere, and more is a journey."""

_LAST_REPORTS = (
    "SELECT sequence, kind, state, attempts, created_at, payload FROM delivery"
    " WHERE incident_key = {0} AND sequence > {0} ORDER BY sequence DESC"
)


class _Said(NamedTuple):
    """One of the last reports, on one of its channels."""

    sequence: int
    is_waiting: bool
    created_at: int
    payload: Mapping[str, Any]


def _last_reports(connection: Connection, row: Any) -> list[_Said]:
    """Return the last reports of an incident, the newest first; where 112 was told nothing there is none."""
    since = max(0, row.last_sequence - LATELY)
    query = _LAST_REPORTS.format(placeholder(connection.dialect.name))
    return [
        _Said(sequence, is_waiting(kind, state, attempts), created_at, payload_of(payload))
        for sequence, kind, state, attempts, created_at, payload in execute(
            connection, query, (row.key, since)
        )
    ]


def _positions(
    connection: Connection, ring: KeyRing, row: Any, numbers: Collection[int | None]
) -> dict[int, Position]:
    """Return positions of an incident by their numbers, those that are there and can be read."""
    wanted = sorted(number for number in numbers if number)
    if not wanted:
        return {}
    read = {
        each.number: _read(ring, each) for each in _SOME.all(connection, incident_key=row.key, numbers=wanted)
    }
    return {number: found for number, found in read.items() if found is not None}


def _told(said: Sequence[_Said], known: Mapping[int, Position], now: datetime, age_s: AgeOf) -> Told:
    """Return what the last report says, and what those before it said."""
    if not said:
        return Told(datetime.min.replace(tzinfo=UTC))
    last = said[0]
    circles = {numbered(each.payload, "position") for each in said}
    others = {numbered(each.payload, "newest") for each in said}
    circle = known.get(numbered(last.payload, "position"))
    calm = last.payload.get("calm", 0)
    return Told(
        on_the_clock_of(now, from_us(last.created_at), age_s),
        circle,
        known.get(numbered(last.payload, "newest"), circle),
        [known[number] for number in sorted(circles) if number in known],
        [known[number] for number in sorted(circles | others) if number in known],
        calm if isinstance(calm, int) and calm > 0 else 0,
        is_waiting=all(each.is_waiting for each in said if each.sequence == last.sequence),
    )


def _read(ring: KeyRing, row: Any) -> Position | None:
    """Return the position of a row; a damaged one is as good as none: whatever comes next is better."""
    try:
        return None if row is None else position_of(ring, row)
    except Malformed as error:
        log.critical("position unreadable", error=str(error))
        return None


def _callers(connection: Connection, ring: KeyRing, row: Any) -> Sequence[bytes]:
    """Return the hashes under which the last position of an incident's caller may stand."""
    try:
        return caller_hashes(connection, unseal_incident(ring, row.key, row.sealed).caller)
    except Malformed as error:
        log.critical("caller unreadable", incident=row.id, error=str(error))
        return (row.caller,)


def _last_of(connection: Connection, ring: KeyRing, row: Any, callers: Sequence[bytes]) -> Position | None:
    """Return where the caller of an incident was last, in another one; of a row that names another caller's incident nothing."""
    caller = caller_of(ring, row.key, row.sealed)
    if caller is None:
        return None
    for found in _LAST.all(connection, callers=callers):
        if found.incident_key == row.key:
            continue
        if caller_of(ring, found.incident_key, found.whose) == caller:
            return _read(ring, found)
        ring.noticed.note(last_position.name, found.incident_key, "caller")
    return None


def _remember(
    connection: Connection, ring: KeyRing, row: Any, found: Position, *, number: int, age_s: AgeOf
) -> None:
    """Note where the caller was last, for a later incident; what an earlier one knew better stands."""
    callers = _callers(connection, ring, row)
    names = {"caller": callers[0], "incident_key": row.key, "number": number}
    places = _LAST_PLACES.all(connection, callers=callers)
    if not places:
        _KEEP_LAST.run(connection, **names)
        return
    own = [place for place in places if place.incident_key == row.key]
    if not own:
        earlier = _last_of(connection, ring, row, callers)
        if earlier is not None and is_better(
            as_it_came_before(found.received_at, earlier, age_s), found, found.received_at
        ):
            return
    # While keys are changed there may be one under the old hash too: the newest keeps its own.
    place = next((each for each in own or places if each.caller == callers[0]), (own or places)[0])
    _MOVE_LAST.run(connection, known_as=place.caller, **names)


class FixKept(Enum):
    """What became of a fix that a device has sent after its press."""

    KEPT = auto()
    UNKNOWN = auto()
    """There is no such incident, or none with a press that came by this link."""
    CLOSED = auto()


def record_device_fix(  # noqa: PLR0917 - `Outbox.transact` hands its arguments over by position
    connection: Connection, plan: Plan, incident_id: str, connector: str, found: Position, age_s: AgeOf
) -> tuple[FixKept, Located | None]:
    """Do as `record_position`, for an incident with a press that came by this link, and for no other."""
    pressed = exists().where(press.c.incident_key == incident.c.key, press.c.connector == connector)
    wanted = select(incident.c.key, incident.c.state).where(incident.c.id == incident_id, pressed)
    row = connection.execute(wanted.with_for_update(of=incident)).one_or_none()
    if row is None:
        return FixKept.UNKNOWN, None
    if row.state == CLOSED:
        return FixKept.CLOSED, None
    return FixKept.KEPT, record_position(connection, plan, row.key, found, age_s)
