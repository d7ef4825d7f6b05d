"""Whose turn it is follows from the record alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from telephony.domain.facts import Fact, FactKind, GuardianFact, GuardianState, GuardianWay
from telephony.domain.guardians.guardian import Guardian, Ward
from telephony.domain.guardians.turns import (
    Turn,
    confirmed_by,
    open_turns,
    texted_last,
    those_to_tell,
    to_release,
)
from telephony.domain.values import Msisdn
from telephony.store.fact_rows import from_data, to_data
from tests.doubles import NOON

CHILD = Msisdn("821012345678")
TERMINAL = Msisdn("821200001111")
MOTHER = Guardian(Msisdn("821011112222"), "ko", "mother")
UNCLE = Guardian(Msisdn("821033334444"), "en")
TEACHER = Guardian(Msisdn("821055556666"), rounds=1)


def had(guardian: Guardian, place: int, turn: int, *states: str) -> list[Fact]:
    return [Turn(guardian, place, turn).fact(state, NOON) for state in states]


def places(turns: list[Turn]) -> list[tuple[int, int]]:
    return [(turn.place, turn.round) for turn in turns]


def test_nobody_was_told_so_they_come_in_their_order():
    assert places(open_turns([MOTHER, UNCLE], [], 3)) == [(1, 1), (2, 1)]


@pytest.mark.parametrize(
    "state",
    [
        GuardianState.TEXTED,
        GuardianState.TEXT_DELIVERED,
        GuardianState.TEXT_FAILED,
        GuardianState.NO_ANSWER,
        GuardianState.ANSWERED,
        GuardianState.FAILED,
    ],
)
def test_a_guardian_who_had_a_turn_comes_after_those_who_had_none(state: str):
    assert places(open_turns([MOTHER, UNCLE], had(MOTHER, 1, 1, state), 3)) == [(2, 1), (1, 2)]


def test_several_states_of_one_round_are_one_turn():
    facts = had(
        MOTHER,
        1,
        1,
        GuardianState.TEXTED,
        GuardianState.CALLING,
        GuardianState.NO_ANSWER,
        GuardianState.TEXT_DELIVERED,
    )

    assert places(open_turns([MOTHER], facts, 3)) == [(1, 2)]


@pytest.mark.parametrize("state", [GuardianState.CALLING, GuardianState.WORDS, GuardianState.RELEASED])
def test_what_ends_no_turn_leaves_it_open(state: str):
    assert places(open_turns([MOTHER], had(MOTHER, 1, 1, state), 3)) == [(1, 1)]


def test_a_guardians_own_rounds_stand_for_those_of_the_settings():
    facts = had(TEACHER, 1, 1, GuardianState.TEXTED) + had(MOTHER, 2, 1, GuardianState.TEXTED)

    assert places(open_turns([TEACHER, MOTHER], facts, 2)) == [(2, 2)]
    assert open_turns([TEACHER], facts, 2) == []


def test_a_guardian_who_was_put_in_the_place_of_another_has_had_no_turn():
    assert places(open_turns([UNCLE], had(MOTHER, 1, 1, GuardianState.TEXTED), 3)) == [(1, 1)]


def test_facts_of_other_kinds_are_no_turn():
    other = from_data(
        FactKind.CALL, "1", NOON, {"state": "texted", "phone": MOTHER.phone.masked, "round": "1"}
    )

    assert places(open_turns([MOTHER], [other], 3)) == [(1, 1)]
    assert confirmed_by([from_data(FactKind.CALL, "1", NOON, {"state": "confirmed"})]) is None


def test_a_reply_is_waited_for_from_the_last_text_on():
    first, last = (
        had(MOTHER, 1, 1, GuardianState.TEXTED)[0],
        Turn(UNCLE, 2, 1).fact(GuardianState.TEXTED, NOON + timedelta(seconds=70)),
    )

    assert texted_last([first, last]) == NOON + timedelta(seconds=70)
    assert texted_last(had(MOTHER, 1, 1, GuardianState.NO_ANSWER)) is None


@pytest.mark.parametrize(
    ("states", "waits"),
    [
        ((GuardianState.TEXTED, GuardianState.TEXT_DELIVERED), True),
        ((GuardianState.TEXTED, GuardianState.NO_ANSWER), True),
        ((GuardianState.TEXTED, GuardianState.TEXT_FAILED), False),
    ],
)
def test_a_text_that_never_arrived_is_not_waited_for(states: tuple[str, ...], waits: bool):  # noqa: FBT001 - a table
    assert (texted_last(had(MOTHER, 1, 1, *states)) is not None) is waits


def test_the_first_confirmation_stands():
    facts = (
        had(MOTHER, 1, 1, GuardianState.TEXTED)
        + had(UNCLE, 2, 1, GuardianState.CONFIRMED)
        + had(MOTHER, 1, 1, GuardianState.CONFIRMED)
    )

    assert confirmed_by(facts) == facts[1]


def test_112_reads_who_how_and_in_which_round_and_no_whole_number():
    fact = Turn(MOTHER, 2, 3).fact(GuardianState.TEXTED, NOON, GuardianWay.SMS)

    assert fact == from_data(
        FactKind.GUARDIAN,
        "2",
        NOON,
        {"state": "texted", "phone": "8210******22", "round": "3", "by": "sms", "relation": "mother"},
    )
    assert "by" not in to_data(Turn(UNCLE, 1, 1).fact(GuardianState.FAILED, NOON))


def test_no_phone_of_the_person_is_told_even_when_it_is_listed_as_a_guardians():
    ward = Ward("", (CHILD, TERMINAL), (Guardian(TERMINAL), MOTHER, Guardian(CHILD)))

    assert those_to_tell(ward, CHILD) == (MOTHER,)
    assert those_to_tell(Ward(guardians=(Guardian(CHILD), MOTHER)), CHILD) == (MOTHER,)


@pytest.mark.parametrize(
    ("state", "is_told"),
    [(GuardianState.TEXTED, True), (GuardianState.TEXT_DELIVERED, True), (GuardianState.CALLING, True), (GuardianState.NO_ANSWER, True), (GuardianState.ANSWERED, True), (GuardianState.CONFIRMED, True),
     (GuardianState.FAILED, False), (GuardianState.TEXT_FAILED, False), (GuardianState.WORDS, False)],
)  # fmt: skip
def test_only_those_who_were_told_hear_that_it_is_over(state: str, is_told: bool):  # noqa: FBT001 - a table
    assert places(to_release([UNCLE, MOTHER], had(MOTHER, 2, 1, state))) == ([(2, 1)] if is_told else [])


def test_nobody_hears_twice_that_it_is_over():
    facts = (
        had(MOTHER, 1, 1, GuardianState.TEXTED)
        + had(UNCLE, 2, 1, GuardianState.TEXTED)
        + had(MOTHER, 1, 1, GuardianState.RELEASED, GuardianState.TEXT_DELIVERED)
    )

    assert places(to_release([MOTHER, UNCLE], facts)) == [(2, 1)]


def test_a_guardian_whose_place_has_changed_is_known_by_the_phone():
    facts = had(MOTHER, 1, 2, GuardianState.TEXTED)

    assert to_release([UNCLE, MOTHER], facts) == [Turn(MOTHER, 1, 2)]


def test_a_round_that_is_not_known_is_the_first():
    fact = GuardianFact(1, NOON, GuardianState.TEXTED, phone=MOTHER.phone.masked)

    assert to_release([MOTHER], [fact]) == [Turn(MOTHER, 1, 1)]
