"""Plans the updates that an incident owes to 112: news becomes an update of its own, or goes into one that waits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from telephony.domain.delivery import PENDING, UPDATE
from telephony.domain.plan import Plan
from telephony.domain.report import UpdateReason
from telephony.store.bound import is_sound
from telephony.store.bulk import execute_many, placeholder, select_in
from telephony.store.crypto import KeyRing
from telephony.store.locks import has_other_writers
from telephony.store.outbox.writing import NewRow, Place, enqueue, fold, hurry, new_row
from telephony.store.sealing import keys_of
from telephony.store.times import seconds_to_us


@dataclass(frozen=True, slots=True)
class News:
    """The news of an incident: the number of presses, the position (by its number) and the number of facts that 112 should know of.

    Numbers only: what they stand for is sealed in its own rows, and read when the report is made.
    """

    incident_key: int
    carrier: str
    last_sequence: int
    at_us: int
    presses: int
    position: int | None
    facts: int
    reasons: tuple[UpdateReason, ...]
    """The reasons why it is news; folded news adds to the reasons of the update that it goes into."""
    kind: str = UPDATE
    calm: int = 0
    """How many reports in a row, with this one, show nothing new of where the phone is."""
    seen_again_us: int | None = None
    """When a press came again that may be a redelivery or another press."""
    pause_s: float = 0.0
    """How long after the report before it this may be told; what is folded into it hurries it, unless it waits too."""

    def payload(self, beside: Beside, folded: Mapping[str, Any] | None = None) -> str:
        """Return the news as the delivery keeps it, with what is still new in the payload that it is folded into."""
        before = folded or {}
        known: dict[str, Any] = {"presses": self.presses}
        if self.position is not None:
            known["position"] = self.position
            others = beside._asdict().items()
            known |= {role: number for role, number in others if number not in {None, self.position}}
        if self.facts:
            known["facts"] = self.facts
        seen_again_us = self.seen_again_us or seen_again_us_in(before)
        if seen_again_us is not None:
            known["seen"] = seen_again_us
        known["why"] = list(dict.fromkeys((*_reasons_of(before), *self.reasons)))
        if self.calm:
            known["calm"] = self.calm
        return json.dumps(known)


class Beside(NamedTuple):
    """The positions of an incident that stand in its reports beside the best one, by their numbers."""

    newest: int | None = None
    sharpest: int | None = None


ROLES: Final = ("position", *Beside._fields)
"""The positions that a payload may name."""
_HIGHEST_NUMBER = 2**31 - 1


def numbered(payload: Mapping[str, Any], role: str) -> int:
    """Return the number of a position that a payload names; 0 for none, and for what is no number."""
    number = payload.get(role, 0)
    return number if isinstance(number, int) and 0 < number <= _HIGHEST_NUMBER else 0


def seen_again_us_in(payload: Mapping[str, Any]) -> int | None:
    """Return when a press was seen again, as a payload says; ``None`` where it says nothing of it."""
    known = payload.get("seen")
    return known if isinstance(known, int) else None


class Begun(Exception):  # noqa: N818 - what happened to the update
    """News did not find the update that it was to go into: the transaction is to be run again."""


def is_waiting(kind: str | None, state: str | None, attempts: int | None) -> bool:
    """Whether a report is an update that has not begun to be sent, so that news can go into it."""
    return kind == UPDATE and state == PENDING and attempts == 0


def payload_of(payload: str | None) -> Mapping[str, Any]:
    """Return what a delivery's payload holds; nothing where it cannot be read."""
    try:
        known = json.loads(payload or "{}")
    except ValueError:
        return {}
    return known if isinstance(known, dict) else {}


def reasons_in(payload: str) -> tuple[str, ...]:
    """Return the reasons that a delivery's payload names; none where it cannot be read."""
    return _reasons_of(payload_of(payload))


def _reasons_of(payload: Mapping[str, Any]) -> tuple[str, ...]:
    known = payload.get("why")
    return tuple(each for each in known if isinstance(each, str)) if isinstance(known, list) else ()


_LAST_REPORTS = (
    "SELECT i.key, d.kind, d.state, d.attempts, d.payload, d.created_at, i.newest_position, i.sharpest_position,"
    " d.channel, d.sequence, d.bound FROM incident i {0} delivery d ON d.incident_key = i.key AND d.sequence = i.last_sequence"
    " WHERE i.key {{}}{1}"
)
_LAST_REPORTS_IF_ANY = _LAST_REPORTS.format("LEFT JOIN", "")
_LAST_REPORTS_LOCKED = _LAST_REPORTS.format(
    "JOIN", " ORDER BY d.incident_key, d.channel, d.sequence FOR UPDATE OF d"
)


class BoundDelivery(NamedTuple):
    """The bound columns of a delivery, and their code."""

    incident_key: int
    channel: str
    sequence: int
    kind: str
    payload: str
    state: str
    bound: bytes | None


class _Last(NamedTuple):
    """The newest report of an incident: as of when, and what it tells, if it is an update that has not begun to be sent."""

    created_at: int
    is_foldable: bool
    payload: str
    beside: Beside
    channels: tuple[str, ...]


_NO_REPORT = _Last(0, is_foldable=False, payload="", beside=Beside(), channels=())


def _last_reports(connection: Connection, ring: KeyRing, keys: Sequence[int]) -> dict[int, _Last]:
    """Return the newest report of each incident. It waits only where it has not been begun on any channel.

    Into one that another hand has changed no news goes: it would be told as ours.

    What waits is locked: no channel of any daemon begins it before this transaction ends.
    """
    rows: list[Any] = []
    if has_other_writers(connection):
        rows = select_in(connection, _LAST_REPORTS_LOCKED, keys)
        found = {row[0] for row in rows}
        keys = [key for key in keys if key not in found]
    rows += select_in(connection, _LAST_REPORTS_IF_ANY, keys)
    last: dict[int, _Last] = {}
    for key, kind, state, attempts, payload, created_at, newest, sharpest, channel, sequence, code in rows:
        before = last.get(key)
        row = BoundDelivery(key, channel, sequence, kind, payload, state, code)
        is_foldable = (
            is_waiting(kind, state, attempts)
            and (before is None or before.is_foldable)
            and is_sound(ring, "delivery", row)
        )
        channels = (channel,) if before is None else (*before.channels, channel)
        beside = Beside(newest, sharpest)
        last[key] = _Last(created_at or 0, is_foldable, payload or "", beside, channels)
    return last


def plan_updates(connection: Connection, plan: Plan, news: Sequence[News]) -> None:
    """Write down, in a waiting update or a new one, the news that 112 must hear.

    Where the newest report is an update that has not begun to be sent, the news goes into that one: while 112 is
    out of reach, an incident owes one update, not one per fact. Otherwise the incident gets its next report, on
    every channel of its carrier that is told more than the alert. What may wait (``pause_s``) is written down as of
    the time at which it is to be told. Call it once per transaction and incident, after the incident's own row is
    written and under its lock. Raises `Begun` where an update was begun all the same.
    """
    ring = keys_of(connection)
    last = _last_reports(connection, ring, [item.incident_key for item in news])
    rows: list[NewRow] = []
    folded: list[tuple[str, Place]] = []
    folded_quietly: list[tuple[str, Place]] = []
    hurried: list[tuple[int, int, Place]] = []
    moved: list[tuple[int, int]] = []
    for item in news:
        routes = [route for route in plan.reports(item.carrier) if not route.alerts_only]
        before = last.get(item.incident_key, _NO_REPORT)
        key, sequence = item.incident_key, item.last_sequence
        if before.is_foldable and not item.pause_s and before.created_at > item.at_us:
            hurried.extend(
                (item.at_us, item.at_us + seconds_to_us(route.after_s), Place(key, sequence, route.channel))
                for route in routes
            )
        if item.kind == UPDATE and before.is_foldable:
            written = item.payload(before.beside, payload_of(before.payload))
            told = folded if routes else folded_quietly
            told.extend((written, Place(key, sequence, channel)) for channel in before.channels)
            continue
        if not routes:
            continue
        at_us = item.at_us
        if item.pause_s:
            pause_us = seconds_to_us(item.pause_s)
            # Of a later time only where the machine's clock has been set back since: that must not be waited for.
            at_us = max(at_us, min(before.created_at, at_us) + pause_us)
        sequence += 1
        written = item.payload(before.beside)
        moved.append((sequence, key))
        rows.extend(
            new_row(
                ring, key, route.channel, sequence, item.kind, written, at_us,
                at_us + seconds_to_us(route.after_s),
            )
            for route in routes
        )  # fmt: skip
    enqueue(connection, rows)
    if not (fold(connection, folded, is_news=True) and fold(connection, folded_quietly, is_news=False)):
        raise Begun("an update was begun while news was written into it")
    hurry(connection, hurried)
    if moved:
        mark = placeholder(connection.dialect.name)
        execute_many(connection, f"UPDATE incident SET last_sequence = {mark} WHERE key = {mark}", moved)
