"""The turns of the guardians: whose is next, worked out from the facts recorded of an incident. Pure.

The facts about guardians are the record: which guardian was told in which round, by what way, and what came of it.
So a restart continues where it was, and adding or removing a guardian meanwhile leaves the turns of the others alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from telephony.domain.facts import Fact, GuardianFact, GuardianState, GuardianWay
from telephony.domain.guardians.guardian import Guardian, Ward, is_same_phone
from telephony.domain.values import Msisdn

_ENDS_A_TURN: Final = frozenset(
    {
        GuardianState.TEXTED,
        GuardianState.TEXT_DELIVERED,
        GuardianState.TEXT_FAILED,
        GuardianState.NO_ANSWER,
        GuardianState.ANSWERED,
        GuardianState.FAILED,
        GuardianState.CONFIRMED,
    }
)
"""A call that was begun and of which nothing more is known was cut short by our own end: that turn comes again."""
_KNOWS: Final = frozenset(
    {
        GuardianState.TEXTED,
        GuardianState.TEXT_DELIVERED,
        GuardianState.CALLING,
        GuardianState.NO_ANSWER,
        GuardianState.ANSWERED,
        GuardianState.CONFIRMED,
    }
)
"""States by which a guardian has a text or a call of ours, and is told when it is over."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A guardian's turn: the place in the order and the round, both counted from 1."""

    guardian: Guardian
    place: int
    round: int

    def fact(self, state: GuardianState, at: datetime, by: GuardianWay | None = None) -> GuardianFact:
        """Say what is known of the turn now."""
        guardian = self.guardian
        return GuardianFact(self.place, at, state, self.round, by, guardian.relation, guardian.phone.masked)


def those_to_tell(ward: Ward, caller: Msisdn) -> tuple[Guardian, ...]:
    """Return the guardians in their order, without any who has a phone of the person's own: that must stay silent."""
    own = (caller, *ward.numbers)
    return tuple(each for each in ward.guardians if not any(is_same_phone(each.phone, one) for one in own))


def guardian_facts_of(facts: Iterable[Fact]) -> list[GuardianFact]:
    """Return those facts that are about guardians."""
    return [fact for fact in facts if isinstance(fact, GuardianFact)]


def open_turns(guardians: Sequence[Guardian], facts: Iterable[Fact], rounds: int) -> list[Turn]:
    """Return the next turn of each guardian who has one left, the one whose turn it is first.

    ``rounds`` holds for guardians without a number of their own.
    """
    had = _rounds_had(facts)
    turns = [
        Turn(guardian, place, len(had.get((place, guardian.phone.masked), ())) + 1)
        for place, guardian in enumerate(guardians, 1)
    ]
    return sorted(
        (turn for turn in turns if turn.round <= (turn.guardian.rounds or rounds)),
        key=lambda turn: (turn.round, turn.place),
    )


def turns_left(guardians: Sequence[Guardian], facts: Iterable[Fact], rounds: int) -> list[Turn]:
    """Return the turns that are still to be had, the first one first.

    A confirmation on a call of ours ends them. One by text leaves those who were never told: the sender of a text can be
    forged, and must not keep anyone from hearing of it.
    """
    known = guardian_facts_of(facts)
    turns = open_turns(guardians, known, rounds)
    confirmed = [fact for fact in known if fact.state is GuardianState.CONFIRMED]
    if any(fact.by is GuardianWay.CALL for fact in confirmed):
        return []
    return [turn for turn in turns if turn.round == 1] if confirmed else turns


def confirmed_by(facts: Iterable[Fact]) -> GuardianFact | None:
    """Return the first confirmation, if there is one."""
    return next((fact for fact in guardian_facts_of(facts) if fact.state is GuardianState.CONFIRMED), None)


def texted_last(facts: Iterable[Fact]) -> datetime | None:
    """Return when the last text left whose reply is still waited for; None where there is none."""
    since: dict[tuple[str, int | None], datetime] = {}
    for fact in guardian_facts_of(facts):
        turn = (fact.subject, fact.round)
        match fact.state:
            case GuardianState.TEXTED:
                since[turn] = fact.at
            case GuardianState.TEXT_FAILED | GuardianState.CONFIRMED:
                since.pop(turn, None)
    return max(since.values(), default=None)


def to_release(guardians: Sequence[Guardian], facts: Iterable[Fact]) -> list[Turn]:
    """Return the last turn of each guardian who was told and does not know yet that it is over.

    A guardian who has another place in the order by now is known by the phone.
    """
    known = guardian_facts_of(facts)
    told = {_who(fact): fact.round or 1 for fact in known if fact.state in _KNOWS}
    for fact in known:
        if fact.state is GuardianState.RELEASED:
            told.pop(_who(fact), None)
    turns = []
    for place, guardian in enumerate(guardians, 1):
        masked = guardian.phone.masked
        who = next((each for each in told if each == (place, masked)), None)
        who = who or next((each for each in told if each[1] == masked), None)
        if who is not None:
            turns.append(Turn(guardian, who[0], told.pop(who)))
    return turns


def _rounds_had(facts: Iterable[Fact]) -> Mapping[tuple[int, str], set[int | None]]:
    had: dict[tuple[int, str], set[int | None]] = {}
    for fact in guardian_facts_of(facts):
        if fact.state in _ENDS_A_TURN:
            had.setdefault(_who(fact), set()).add(fact.round)
    return had


def _who(fact: GuardianFact) -> tuple[int, str]:
    return fact.place, fact.phone
