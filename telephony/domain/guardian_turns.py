"""Whose turn it is to be told, read from what is known of an incident's guardians. Pure.

The facts of kind `GUARDIAN` are the record: which guardian was told in which round, by what way, and what came of it.
So a restart goes on where it was, and a guardian who was put in or taken out meanwhile changes nobody else's turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from telephony.domain.fact import GUARDIAN, Fact
from telephony.domain.guardian import Guardian, Ward, is_same_phone
from telephony.domain.values import Msisdn

TEXTED: Final = "texted"
"""A message centre has taken the text."""
TEXT_DELIVERED: Final = "text-delivered"
"""The phone has it. That confirms nothing: nobody may have read it."""
TEXT_FAILED: Final = "text-failed"
CALLING: Final = "calling"
NO_ANSWER: Final = "no-answer"
ANSWERED: Final = "answered-unconfirmed"
"""Somebody or something answered, and pressed no digit."""
FAILED: Final = "failed"
CONFIRMED: Final = "confirmed"
WORDS: Final = "words"
"""A guardian has written something; the words stand beside it."""
RELEASED: Final = "released"
"""The guardian was told that it is over."""

STATES: Final = (
    TEXTED, TEXT_DELIVERED, TEXT_FAILED, CALLING, NO_ANSWER, ANSWERED, FAILED, CONFIRMED, WORDS, RELEASED,
)  # fmt: skip
"""Everything that a fact of a guardian may say under ``state``."""

BY_SMS: Final = "sms"
BY_CALL: Final = "call"

_ENDS_A_TURN: Final = frozenset({TEXTED, TEXT_DELIVERED, TEXT_FAILED, NO_ANSWER, ANSWERED, FAILED, CONFIRMED})
"""A call that was begun and of which nothing more is known was cut short by our own end: that turn comes again."""
_KNOWS: Final = frozenset({TEXTED, TEXT_DELIVERED, CALLING, NO_ANSWER, ANSWERED, CONFIRMED})
"""States by which a guardian has a text or a call of ours, and is told when it is over."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A guardian's turn: the place in the order and the round, both counted from 1."""

    guardian: Guardian
    place: int
    round: int

    def fact(self, state: str, at: datetime, by: str = "") -> Fact:
        """Say what is known of the turn now."""
        known = {"state": state, "phone": self.guardian.phone.masked, "round": str(self.round)}
        if by:
            known["by"] = by
        if self.guardian.relation:
            known["relation"] = self.guardian.relation
        return Fact(GUARDIAN, str(self.place), at, known)


def those_to_tell(ward: Ward, caller: Msisdn) -> tuple[Guardian, ...]:
    """Give the guardians in their order, without any who has a phone of the person's own: that must stay silent."""
    own = (caller, *ward.numbers)
    return tuple(each for each in ward.guardians if not any(is_same_phone(each.phone, one) for one in own))


def open_turns(guardians: Sequence[Guardian], facts: Iterable[Fact], rounds: int) -> list[Turn]:
    """Give the next turn of each guardian who has one left, the one whose turn it is first.

    ``rounds`` holds for guardians without a number of their own.
    """
    had = _rounds_had(facts)
    turns = [
        Turn(guardian, place, len(had.get((str(place), guardian.phone.masked), ())) + 1)
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
    facts = list(facts)
    turns = open_turns(guardians, facts, rounds)
    confirmed = [fact for fact in facts if _state(fact) == CONFIRMED]
    if any(fact.data.get("by") == BY_CALL for fact in confirmed):
        return []
    return [turn for turn in turns if turn.round == 1] if confirmed else turns


def confirmed_by(facts: Iterable[Fact]) -> Fact | None:
    """Give the first confirmation, if there is one."""
    return next((fact for fact in facts if _state(fact) == CONFIRMED), None)


def texted_last(facts: Iterable[Fact]) -> datetime | None:
    """Return when the last text left whose reply is still waited for; None where there is none."""
    since: dict[tuple[str, str], datetime] = {}
    for fact in facts:
        turn = (fact.subject, fact.data.get("round", ""))
        match _state(fact):
            case state if state == TEXTED:
                since[turn] = fact.at
            case state if state in (TEXT_FAILED, CONFIRMED):
                since.pop(turn, None)
    return max(since.values(), default=None)


def to_release(guardians: Sequence[Guardian], facts: Iterable[Fact]) -> list[Turn]:
    """Give the last turn of each guardian who was told and does not know yet that it is over.

    Whoever stands at another place by now is known by the phone.
    """
    facts = [fact for fact in facts if fact.kind == GUARDIAN]
    told = {_who(fact): _round(fact) for fact in facts if _state(fact) in _KNOWS}
    for fact in facts:
        if _state(fact) == RELEASED:
            told.pop(_who(fact), None)
    turns = []
    for place, guardian in enumerate(guardians, 1):
        masked = guardian.phone.masked
        who = next((each for each in told if each == (str(place), masked)), None)
        who = who or next((each for each in told if each[1] == masked), None)
        if who is not None:
            turns.append(Turn(guardian, int(who[0]) if who[0].isdigit() else place, told.pop(who)))
    return turns


def _rounds_had(facts: Iterable[Fact]) -> Mapping[tuple[str, str], set[str]]:
    had: dict[tuple[str, str], set[str]] = {}
    for fact in facts:
        if _state(fact) in _ENDS_A_TURN:
            had.setdefault(_who(fact), set()).add(fact.data.get("round", ""))
    return had


def _state(fact: Fact) -> str:
    return fact.data.get("state", "") if fact.kind == GUARDIAN else ""


def _who(fact: Fact) -> tuple[str, str]:
    return fact.subject, fact.data.get("phone", "")


def _round(fact: Fact) -> int:
    written = fact.data.get("round", "")
    return int(written) if written.isascii() and written.isdigit() else 1
