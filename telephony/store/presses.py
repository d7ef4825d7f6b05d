"""Records presses into incidents: the one transaction on which everything else rests.

For a whole group of presses at once: remember each sender's reference, open or join the caller's one open
incident with a recorded reason, and write the deliveries. Two reads and four writes, however
many presses there are. Locks are taken in the order that `telephony.store.locks` says.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count
from string import ascii_lowercase
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from telephony.domain.delivery import ALERT, LOCATE, Delivery, DeliveryKind, update_pause_s
from telephony.domain.facts import Fact
from telephony.domain.incident import CLOSED, OPEN, Join, Receipt
from telephony.domain.plan import Plan, locating_channel
from telephony.domain.position import Position
from telephony.domain.report import UpdateReason
from telephony.domain.trigger import KEYED_SOURCES, Repetition, Trigger
from telephony.domain.whereabouts import AgeOf
from telephony.store.bound import bind, is_sound
from telephony.store.bulk import (
    BulkInsert,
    execute_many,
    placeholder,
    select_among,
    select_in,
)
from telephony.store.callers import CALLER, DRILL, REFERENCE
from telephony.store.crypto import HASH_OCTETS, KeyRing
from telephony.store.fact_rows import FACT, fact_row
from telephony.store.journal_position import JournalPlace, move
from telephony.store.locks import has_other_writers
from telephony.store.outbox.writing import FIRST_TOKEN, NewRow, enqueue, new_row
from telephony.store.positions import FIRST_POSITION, record_opening_position, record_position
from telephony.store.repeats import Seen, is_same_press, load_seen, own_reference
from telephony.store.schema import incident, press
from telephony.store.sealed_rows import seal_incident, seal_press
from telephony.store.sealing import keys_of
from telephony.store.texts import storable
from telephony.store.times import seconds_to_us, to_us
from telephony.store.updates import News, plan_updates

Payload = tuple[str, Mapping[str, Any]]
"""A delivery's payload as its row holds it, and read."""

ONE_PRESS: Payload = ('{"presses":1}', MappingProxyType({"presses": 1}))
NOTHING: Payload = ("{}", MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class NewPress:
    """A press on its way into the store.

    ``incident_id`` is the id to open an incident under, if one is opened; the same press always brings the same
    one. ``leases`` gives, for channels that have room in this process, the Unix time until which the new
    incident's deliveries belong to it; the others are left to the process that claims them first. ``place`` is where it
    stands in a journal, if it does: recording it moves that journal's position.
    """

    trigger: Trigger
    incident_id: str
    leases: Mapping[str, float] = field(default_factory=dict)
    place: JournalPlace | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A press that was recorded: its receipt, and deliveries whose lease this process already holds."""

    receipt: Receipt
    held: tuple[Delivery, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that recording needs beside the press itself."""

    plan: Plan
    owner: str
    repeat_window_s: Mapping[str, float]
    """By carrier: what says the same within this time of a press may be its redelivery, later it is a new press."""
    node: int = 0
    """This daemon's number, 0 to 255, drawn at start: keeps the keys of two daemons apart."""
    age_s: Callable[[], AgeOf] | None = None
    """Gives how old things are by the clock of this daemon, for fixes that come with a press; ``None``: by times alone."""

    def repeat_window_us(self, carrier: str) -> int:
        """Return a carrier's window in microseconds."""
        return seconds_to_us(self.repeat_window_s.get(carrier, DEFAULT_REPEAT_WINDOW_S))


DEFAULT_REPEAT_WINDOW_S = 600.0
NODE_BITS = 8


@dataclass(slots=True)
class _Open:
    """An open incident while a group of presses is recorded."""

    key: int
    id: str
    carrier: str
    source: str
    press_count: int
    last_press_at: int
    last_sequence: int
    best_position: int | None
    fact_count: int
    seen: dict[str, Seen] = field(default_factory=dict)
    """By reference: the presses that may come again."""
    pressed_at: int | None = None
    """When the newest press of this group came, if any did."""
    seen_again_at: int | None = None
    """When this group last saw a press again that may be another one."""
    heard: int = 0
    """How often the key was heard of, repeats of the press that was seen again included."""


def caller_key(trigger: Trigger) -> str:
    """Return what a caller's presses are joined by.

    A drill never joins an emergency; two callers who withhold their numbers are two callers. So are two calls without
    a number in E.164: what stands in its place is a word or a number of a switch's, the same for many.
    """
    number = trigger.msisdn
    if number.is_withheld or (trigger.source == "call" and not number.is_e164):
        key = f"withheld:{trigger.reference}"
    elif number.is_e164:
        key = number.number
    else:
        key = f"raw:{number.number}"
    return f"{DRILL}{key}" if trigger.test else key


INCIDENT_COLUMNS = (
    "key", "id", "caller", "sealed", "carrier", "connector", "source", "test", "opened_at", "last_press_at",
    "bound",
)  # fmt: skip
_INCIDENT = BulkInsert(
    incident, INCIDENT_COLUMNS, {"state": f"'{OPEN}'", "press_count": "1", "last_sequence": "1"}
)
PRESS_COLUMNS = (
    "incident_key", "reference", "number", "sealed", "source", "connector", "carrier", "encoding",
    "part_reference", "part_total", "part_number", "labels", "received_at", "joined", "last_seen_at", "bound",
)  # fmt: skip
_PRESS = BulkInsert(press, PRESS_COLUMNS, {"seen": "1"})


def incident_values(
    ring: KeyRing, key: int, incident_id: str, who: tuple[str, bytes], trigger: Trigger
) -> tuple[Any, ...]:
    """Return the values of `INCIDENT_COLUMNS` for an incident that this press opens; ``who`` is its caller's key, and the hash of that."""
    caller, hashed = who
    received = to_us(trigger.received_at)
    return (
        key, incident_id, hashed, seal_incident(ring, key, caller, trigger.msisdn, trigger.destination),
        trigger.carrier, trigger.connector, trigger.source, trigger.test, received, received,
        bind(
            ring, "incident",
            (
                key, incident_id, hashed, trigger.carrier, trigger.connector, trigger.source, OPEN,
                int(trigger.test), received, None, None,
            ),
        ),
    )  # fmt: skip


def press_values(
    ring: KeyRing, name: tuple[int, int, str, bytes], trigger: Trigger, received: int, joined: Join
) -> tuple[Any, ...]:
    """Return the values of `PRESS_COLUMNS`; ``name`` is the incident's key, the press's number, its reference and the hash of that."""
    key, number, reference, hashed = name
    part = trigger.part
    text = storable(trigger.text)
    sealed = seal_press(ring, key, number, reference, trigger.destination, text, trigger.raw, part)
    parts = (part.reference, part.total, part.number) if part else (None, None, None)
    labels = "\n".join(trigger.labels) or None
    said = (key, number, hashed, trigger.source, trigger.encoding, *parts, labels, received)
    return (
        key, hashed, number, sealed, trigger.source, trigger.connector, trigger.carrier, trigger.encoding,
        *parts, labels, received, joined.value, received, bind(ring, "press", said),
    )  # fmt: skip


_OPEN_INCIDENTS = (
    "SELECT caller, key, id, carrier, connector, source, state, test, opened_at, closed_at,"
    " silence_lifted_at, bound, press_count, last_press_at, last_sequence, best_position, fact_count FROM incident"
    f" WHERE state <> '{CLOSED}' AND caller {{}}"
)
_OPEN_INCIDENTS_LOCKED = f"{_OPEN_INCIDENTS} ORDER BY key FOR UPDATE"


class _OpenRow(NamedTuple):
    """A row of these, in that order."""

    caller: bytes
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
    bound: bytes | None
    press_count: int
    last_press_at: int
    last_sequence: int
    best_position: int | None
    fact_count: int


_TAKEN = "SELECT id FROM incident WHERE id {}"


class _First(NamedTuple):
    """A delivery that every new incident of a carrier begins with."""

    channel: str
    sequence: int
    kind: DeliveryKind
    written: str
    """The kind as its column holds it: a driver binds a plain text faster."""
    after_us: int


class PressRecorder:
    """The batch function behind `Intake`: give one instance to `Database.batch`, with `NewPress` items."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._last_key = 0

    def go_by(self, plan: Plan) -> None:
        """Plan the reports of the next group of presses so; called in another thread than the one that records."""
        self._rules = replace(self._rules, plan=plan)

    def repeat_within(self, window_s: Mapping[str, float]) -> None:
        """Go by these windows (`Rules.repeat_window_s`) from the next group on; called in another thread as well."""
        self._rules = replace(self._rules, repeat_window_s=window_s)

    def _next_key(self, trigger: Trigger) -> int:
        """Return a key that grows with time, and that no other daemon gives: microseconds and the daemon's number."""
        key = to_us(trigger.received_at) << NODE_BITS | self._rules.node
        self._last_key = max(self._last_key + (1 << NODE_BITS), key)
        return self._last_key

    def __call__(self, connection: Connection, items: Sequence[NewPress]) -> list[Recorded]:
        """Record the presses in order, each knowing those before it in the same group.

        Those of a journal are of one, in its order. Raises `PositionMoved` where the store is not where that is.
        """
        ring = keys_of(connection)
        places = [item.place for item in items if item.place is not None]
        if places:
            move(connection, ring, places)
        callers = [caller_key(item.trigger) for item in items]
        hashes = {caller: ring.hashes(CALLER, caller) for caller in callers}
        known = _open_incidents(connection, ring, hashes)
        self._load_seen(connection, ring, known, callers, items)
        wanted = [
            item.incident_id for item, caller in zip(items, callers, strict=True) if caller not in known
        ]
        taken = {row[0] for row in select_in(connection, _TAKEN, wanted)}
        free_id = _free_ids(connection, taken)
        group = _Group(self._rules, ring)
        recorded: list[Recorded] = []
        for item, caller in zip(items, callers, strict=True):
            found = known.get(caller)
            if found is None and item.incident_id in taken and _was_recorded(connection, ring, item):
                press_recorded = Recorded(Receipt(item.incident_id, Join.REDELIVERED))
            elif found is None:
                names = (self._next_key(item.trigger), free_id(item.incident_id))
                who = (caller, hashes[caller][0])
                known[caller], press_recorded = group.open_incident(item, who, *names)
            else:
                press_recorded = group.join(item.trigger, found)
            recorded.append(press_recorded)
        group.write(connection)
        return recorded

    def _load_seen(
        self,
        connection: Connection,
        ring: KeyRing,
        known: Mapping[str, _Open],
        callers: Sequence[str],
        items: Sequence[NewPress],
    ) -> None:
        by_key = {found.key: found for found in known.values()}
        wanted = [
            (known[caller].key, item.trigger, self._rules.repeat_window_us(item.trigger.carrier))
            for caller, item in zip(callers, items, strict=True)
            if caller in known
        ]
        for (key, reference), seen in load_seen(connection, ring, wanted).items():
            by_key[key].seen[reference] = seen


class _Group:
    """The rows that one group of presses causes."""

    def __init__(self, rules: Rules, ring: KeyRing) -> None:
        self._rules = rules
        self._ring = ring
        self._incidents: list[tuple[Any, ...]] = []
        self._presses: list[tuple[Any, ...]] = []
        self._deliveries: list[NewRow] = []
        self._seen_again: list[tuple[int, int, bytes]] = []
        self._facts: list[tuple[Any, ...]] = []
        self._openings: list[tuple[int, Position]] = []
        self._positions: list[tuple[int, Position]] = []
        self._changed: dict[str, _Open] = {}
        self._told_more: dict[int, _Open] = {}
        self._firsts_by_carrier: dict[tuple[str, bool], tuple[_First, ...]] = {}

    def open_incident(
        self, item: NewPress, who: tuple[str, bytes], key: int, incident_id: str
    ) -> tuple[_Open, Recorded]:
        trigger = item.trigger
        received = to_us(trigger.received_at)
        found = _Open(key, incident_id, trigger.carrier, trigger.source, 1, received, 1, None, 0)
        self._incidents.append(incident_values(self._ring, key, incident_id, who, trigger))
        self._add_press(found, trigger, trigger.reference, received, Join.FIRST)
        if trigger.facts:
            self._keep(trigger.facts, found)
        if trigger.position is not None:
            found.best_position = FIRST_POSITION
            self._openings.append((key, trigger.position))
        held = self._first_deliveries(item, key, incident_id, received)
        return found, Recorded(Receipt(incident_id, Join.FIRST), held)

    def join(self, trigger: Trigger, found: _Open) -> Recorded:
        received = to_us(trigger.received_at)
        reference = trigger.reference
        seen = found.seen.get(reference)
        if seen is not None:
            if is_same_press(trigger, seen, self._rules.repeat_window_us(trigger.carrier)):
                return self._see_again(trigger, found, seen, received)
            # Too late for a redelivery: a new press with the same words.
            reference = own_reference(reference, found.press_count + 1)
        joined = _reason(found, trigger)
        found.press_count += 1
        # Of its own time, not of the latest that is known: the clock may have been set back since.
        found.last_press_at = received
        found.pressed_at = max(found.pressed_at or 0, received)
        found.heard = max(found.heard, found.press_count)
        self._changed[found.id] = found
        self._add_press(found, trigger, reference, received, joined)
        if trigger.facts:
            self._keep(trigger.facts, found)
        if trigger.position is not None:
            self._positions.append((found.key, trigger.position))
        return Recorded(Receipt(found.id, joined))

    def _see_again(self, trigger: Trigger, found: _Open, seen: Seen, received: int) -> Recorded:
        """Count a press that is in the store already; where it may be another one, 112 is told as much."""
        times = seen.times + 1
        found.seen[trigger.reference] = seen._replace(times=times)
        self._seen_again.append((received, found.key, seen.hash))
        if trigger.repetition in (Repetition.NONE, Repetition.REDELIVERY):
            return Recorded(Receipt(found.id, Join.REDELIVERED))
        found.seen_again_at = max(found.seen_again_at or 0, received)
        found.heard = max(found.heard, found.press_count + times - 1)
        self._changed[found.id] = found
        return Recorded(Receipt(found.id, Join.SEEN_AGAIN))

    def _add_press(self, found: _Open, trigger: Trigger, reference: str, received: int, joined: Join) -> None:
        hashed = self._ring.hash(REFERENCE, reference)
        found.seen[trigger.reference] = Seen(hashed, 1, received)
        name = (found.key, found.press_count, reference, hashed)
        self._presses.append(press_values(self._ring, name, trigger, received, joined))

    def _keep(self, facts: Sequence[Fact], found: _Open) -> None:
        for known in facts:
            found.fact_count += 1
            self._facts.append(fact_row(self._ring, found.key, found.fact_count, known))
        self._told_more[found.key] = found

    def write(self, connection: Connection) -> None:
        if has_other_writers(connection):
            self._incidents.sort(key=_caller_hash)
        _INCIDENT.run(connection, self._incidents)
        _PRESS.run(connection, self._presses)
        enqueue(connection, self._deliveries)
        FACT.run(connection, self._facts)
        mark = placeholder(connection.dialect.name)
        if self._seen_again:
            execute_many(
                connection,
                f"UPDATE press SET seen = seen + 1, last_seen_at = {mark}"
                f" WHERE incident_key = {mark} AND reference = {mark}",
                self._seen_again,
            )
        if self._told_more:
            execute_many(
                connection,
                f"UPDATE incident SET fact_count = {mark} WHERE key = {mark}",
                [(found.fact_count, key) for key, found in self._told_more.items()],
            )
        for key, position in self._openings:
            record_opening_position(connection, key, position, self._age_s(position))
        if self._changed:
            changed = list(self._changed.values())
            execute_many(
                connection,
                f"UPDATE incident SET press_count = {mark}, last_press_at = {mark} WHERE key = {mark}",
                [(f.press_count, f.last_press_at, f.key) for f in changed],
            )
            plan_updates(connection, self._rules.plan, [_news(found) for found in changed])
        for key, position in self._positions:
            record_position(connection, self._rules.plan, key, position, self._age_s(position))

    def _age_s(self, found: Position) -> AgeOf:
        if self._rules.age_s is not None:
            return self._rules.age_s()
        return lambda moment: max(0.0, (found.received_at - moment).total_seconds())

    def _first_deliveries(
        self, item: NewPress, key: int, incident_id: str, received: int
    ) -> tuple[Delivery, ...]:
        held: list[Delivery] = []
        leases = item.leases
        told, place = len(item.trigger.facts), item.trigger.position
        report = (
            ONE_PRESS if place is None and not told else _first_payload(told, has_position=place is not None)
        )
        for first in self._firsts(item.trigger.carrier, is_test=item.trigger.test):
            written, payload = report if first.sequence else NOTHING
            lease = leases.get(first.channel, 0.0) if first.after_us == 0 else 0.0
            self._deliveries.append(
                new_row(
                    self._ring, key, first.channel, first.sequence, first.written, written, received,
                    received + first.after_us, self._rules.owner if lease else None, int(lease * 1_000_000),
                )
            )  # fmt: skip
            if lease:
                held.append(
                    Delivery(
                        key,
                        incident_id,
                        first.channel,
                        first.sequence,
                        first.kind,
                        payload,
                        item.trigger.received_at,
                        0,
                        lease,
                        lease_token=FIRST_TOKEN,
                        written=written,
                    )
                )
        return tuple(held)

    def _firsts(self, carrier: str, *, is_test: bool) -> tuple[_First, ...]:
        """Return what a new incident of a carrier has to do; worked out once per group."""
        found = self._firsts_by_carrier.get((carrier, is_test))
        if found is None:
            plan = self._rules.plan
            firsts = [
                _First(route.channel, 1, ALERT, ALERT.value, seconds_to_us(route.after_s))
                for route in plan.reports(carrier)
                # A drill wakes no one who answers a telephone.
                if not (is_test and route.alerts_only)
            ]
            firsts.append(_First(locating_channel(carrier), 0, LOCATE, LOCATE.value, 0))
            errands = plan.errands_of_a_drill if is_test else plan.errands
            firsts += [_First(errand.value, 0, errand, errand.value, 0) for errand in errands]
            found = self._firsts_by_carrier[carrier, is_test] = tuple(firsts)
        return found


def _news(found: _Open) -> News:
    reasons = []
    if found.pressed_at is not None:
        reasons.append(UpdateReason.PRESSED_AGAIN)
    if found.seen_again_at is not None:
        reasons.append(UpdateReason.SEEN_AGAIN)
    at_us = max(found.pressed_at or 0, found.seen_again_at or 0)
    return News(
        found.key, found.carrier, found.last_sequence, at_us, found.press_count, found.best_position,
        found.fact_count, tuple(reasons), seen_again_us=found.seen_again_at, pause_s=update_pause_s(found.heard),
    )  # fmt: skip


def _caller_hash(row: tuple[Any, ...]) -> bytes:
    hashed: bytes = row[INCIDENT_COLUMNS.index("caller")]
    return hashed


def _first_payload(facts: int, *, has_position: bool) -> Payload:
    known = {"presses": 1}
    if has_position:
        known["position"] = FIRST_POSITION
    if facts:
        known["facts"] = facts
    return json.dumps(known, separators=(",", ":")), known


def _open_incidents(
    connection: Connection, ring: KeyRing, hashes: Mapping[str, Sequence[bytes]]
) -> dict[str, _Open]:
    """Return the callers' open incidents. A row that another hand has changed, or given her hash, is put out of the way.

    It gets a hash that no caller has: her press opens an incident of its own, and 112 is told of it at once, as hers.
    `telephony.store.mending` makes good for the row.
    """
    by_hash = {each: caller for caller, theirs in hashes.items() for each in theirs}
    wanted = _OPEN_INCIDENTS_LOCKED if has_other_writers(connection) else _OPEN_INCIDENTS
    found, strangers = {}, []
    for row in map(_OpenRow._make, select_among(connection, wanted, by_hash)):
        caller = by_hash[row.caller]
        if is_sound(ring, "incident", row):
            found[caller] = _Open(row.key, row.id, row.carrier, row.source, *row[-5:])
        else:
            strangers.append((os.urandom(HASH_OCTETS), row.key))
    if strangers:
        mark = placeholder(connection.dialect.name)
        execute_many(connection, f"UPDATE incident SET caller = {mark} WHERE key = {mark}", strangers)
    return found


def _was_recorded(connection: Connection, ring: KeyRing, item: NewPress) -> bool:
    """Whether the closed incident of this name was opened by this very press, which its sender could not know."""
    if item.trigger.source not in KEYED_SOURCES:
        return False
    hashes = ring.hashes(REFERENCE, item.trigger.reference)
    pressed = (
        select(press.c.number)
        .join(incident, incident.c.key == press.c.incident_key)
        .where(incident.c.id == item.incident_id, press.c.reference.in_(hashes))
    )
    return connection.execute(pressed).first() is not None


def _free_ids(connection: Connection, taken: set[str]) -> Callable[[str], str]:
    """Return a function from a wanted incident id to one that no incident has; ``taken`` are those among the wanted that have one.

    An id is taken when the same caller sent the same content in the same hour and that incident was closed.
    """

    def free(incident_id: str) -> str:
        for suffix in chain(("", *ascii_lowercase), map(str, count(1))):
            candidate = f"{incident_id}{suffix}"
            if candidate not in taken and not (suffix and select_in(connection, _TAKEN, [candidate])):
                break
        taken.add(candidate)
        return candidate

    return free


def _reason(found: _Open, trigger: Trigger) -> Join:
    if trigger.source != found.source:
        return Join.OTHER_WAY
    return Join.PART if trigger.part is not None else Join.REPEAT
