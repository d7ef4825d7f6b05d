"""Scores an incident: gathers the evidence of its presses, and returns the score as the fact that 112 is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from typing import Final

from telephony.clock import Clock, ago, utc_now
from telephony.domain.facts import CallFact, Fact, FalseAlarmFact, KnockFact, ScoreFact
from telephony.domain.people.person import Person
from telephony.domain.people.person_fact import age_on
from telephony.domain.position import Position
from telephony.domain.score import Evidence, is_worth_an_update, score
from telephony.domain.values import Msisdn
from telephony.store.database import Database
from telephony.store.who_presses import OpenPlace, SoFar, places_of_open_incidents

LOOK_AROUND_S: Final = 5.0
"""How old a list of the other open incidents may be: in a disaster thousands are weighed by one reading of it."""
SHARPEST_M: Final = 500.0
"""A position with a larger radius is in no place that could be the same as an earlier one."""


@dataclass(frozen=True, slots=True)
class ScoringRules:
    """The settings of scoring."""

    tell_from: int = 60
    nearby_m: float = 500.0
    nearby: timedelta = timedelta(minutes=15)
    history: timedelta = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller, as far as she is known. ``is_registered`` is ``None`` where the registry could not be read."""

    number: Msisdn
    is_registered: bool | None
    person: Person | None = None


class Scales:
    """Weighs one incident after the other. ``zone`` says what night is, and when school is."""

    def __init__(self, database: Database, rules: ScoringRules, *, zone: tzinfo, clock: Clock) -> None:
        self._database = database
        self.rules = rules
        self._zone = zone
        self._clock = clock
        self._around: Sequence[OpenPlace] = ()
        self._looked_around_at = float("-inf")

    async def weigh(self, so_far: SoFar, caller: Caller) -> tuple[ScoreFact, bool]:
        """Return the score as a fact, and whether it is worth an update of its own. Raises `Unavailable`."""
        here = position_of(so_far)
        around = [] if here is None else await self._look_around()
        found = score(evidence(so_far, caller, self._nearby(so_far, here, around), self._zone))
        reasons = tuple(reason.because for reason in found.reasons)
        before = standing_score(() if so_far.report is None else so_far.report.facts)
        return (
            ScoreFact(utc_now(self._clock), found.likelihood, reasons),
            is_worth_an_update(before, found.likelihood, self.rules.tell_from),
        )

    async def _look_around(self) -> Sequence[OpenPlace]:
        now = self._clock.seconds()
        if now - self._looked_around_at > LOOK_AROUND_S:
            # Set before the reading: a weighing meanwhile takes the earlier list.
            self._looked_around_at = now
            since = ago(self._clock, self.rules.nearby.total_seconds())
            self._around = await self._database.read(places_of_open_incidents, since)
        return self._around

    def _nearby(self, so_far: SoFar, here: Position | None, around: Iterable[OpenPlace]) -> int:
        own = {so_far.incident_id, *so_far.also}
        return sum(
            1
            for other in around
            if here is not None
            and other.incident_id not in own
            and not other.position.is_memory
            and abs(so_far.opened_at - other.opened_at) <= self.rules.nearby
            and other.position.distance_m(here) <= self.rules.nearby_m
        )


def evidence(so_far: SoFar, caller: Caller, nearby: int, zone: tzinfo) -> Evidence:
    """Return the evidence about an incident's presses."""
    report = so_far.report
    facts = () if report is None else report.facts
    opened_at = so_far.opened_at.astimezone(zone)
    call = _only_call(facts)
    here = position_of(so_far)
    person = caller.person
    is_sharp = here is not None and (here.radius_at() or SHARPEST_M + 1) <= SHARPEST_M
    return Evidence(
        opened_at=opened_at,
        pressed_at=so_far.pressed_at,
        ways=so_far.ways,
        texts=() if report is None else report.texts,
        call_state=None if call is None else call.state,
        call_ended_by=None if call is None else call.ended_by,
        call_s=None if call is None else call.duration_s,
        knocks=sum(fact.taps or 1 for fact in facts if isinstance(fact, KnockFact)),
        is_registered=caller.is_registered,
        device=_device_kind(caller),
        age=None if person is None else age_on(opened_at.date(), person.birth_date),
        earlier=[each.seen_from(here if is_sharp else None) for each in so_far.earlier],
        nearby=nearby,
        moved_m=_moved_m(so_far.first_position, here),
        is_said_false=any(isinstance(fact, FalseAlarmFact) for fact in facts),
    )


def position_of(so_far: SoFar) -> Position | None:
    """Return where she is; a memory of an earlier incident is no place of this one."""
    found = None if so_far.report is None else so_far.report.position
    return None if found is None or found.is_memory else found


def standing_score(facts: Iterable[Fact]) -> int | None:
    """Return the score that 112 knows, or will know from the next report."""
    standing = [fact.likelihood for fact in facts if isinstance(fact, ScoreFact)]
    return standing[-1] if standing else None


def _only_call(facts: Iterable[Fact]) -> CallFact | None:
    calls = [fact for fact in facts if isinstance(fact, CallFact)]
    return calls[0] if len(calls) == 1 else None


def _device_kind(caller: Caller) -> str:
    if caller.person is None:
        return ""
    return next((each.kind for each in caller.person.devices if each.number == caller.number), "")


def _moved_m(first: Position | None, here: Position | None) -> float:
    """Return how far she has certainly moved: the distance less what the two circles may explain."""
    if first is None or here is None:
        return 0.0
    circles = [each.radius_at() for each in (first, here)]
    if None in circles:
        return 0.0
    return max(0.0, first.distance_m(here) - sum(each or 0.0 for each in circles))
