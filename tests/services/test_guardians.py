"""Guardians are called in their order, again and again, until one confirms; the caller's own phone never is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from twisted.internet import task
from twisted.internet.defer import Deferred

from telephony.asterisk.settings import Guardians
from telephony.domain.delivery import GUARDIANS, Again, Delivered, Delivery, Errand, Outcome, Rejected, Retry
from telephony.domain.errors import Malformed, Unavailable
from telephony.domain.fact import GUARDIAN, Fact
from telephony.domain.guardian import Guardian, ListedGuardians, Ward, is_same_phone
from telephony.domain.spoken_call import CallOutcome, End
from telephony.domain.values import Msisdn
from telephony.services.guardians import RECORD_S, REMEMBERED, GuardianChannel
from tests.awaiting import result_of
from tests.doubles import NOON

CHILD = Msisdn("821012345678")
MOTHER = Guardian(Msisdn("821011112222"), "ko", "mother")
UNCLE = Guardian(Msisdn("821033334444"), "en")

CONFIRMS = CallOutcome(End.ANSWERED, "1", "pressed 1")
VOICEMAIL = CallOutcome(End.ANSWERED, "", "no digit")
RINGS = CallOutcome(End.NO_ANSWER, "", "no answer")
DEAD = CallOutcome(End.FAILED, "", "congestion")


class Calls:
    """Calls to guardians that come to what they are told, the last of it again and again."""

    def __init__(self, *outcomes: CallOutcome | Exception) -> None:
        self.is_ready = True
        self.outcomes = list(outcomes)
        self.called: list[tuple[str, str]] = []

    async def call(self, guardian: Guardian, caller: Msisdn) -> CallOutcome:
        self.called.append((guardian.phone.number, caller.number))
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class Book(ListedGuardians):
    """A book that may be away."""

    error: Exception | None = None

    async def ward_of(self, msisdn: Msisdn) -> Ward:
        if self.error is not None:
            raise self.error
        return await super().ward_of(msisdn)


class House:
    """The channel with its book, its calls and what it told 112."""

    def __init__(
        self, *outcomes: CallOutcome | Exception, guardians: Sequence[Guardian] = (MOTHER, UNCLE)
    ) -> None:
        self.clock = task.Clock()
        self.clock.advance(NOON.timestamp())
        self.book = Book({CHILD.number: guardians})
        self.calls = Calls(*outcomes)
        self.facts: list[tuple[str, Fact]] = []
        self.record_error: Exception | None = None
        self.record_hangs = False
        self.channel = GuardianChannel(
            self.book, self.calls, rounds=3, pause_s=5.0, confirm_digit="1", clock=self.clock, record=self._record
        )  # fmt: skip
        self.attempts = 0

    async def _record(self, incident_id: str, facts: Sequence[Fact]) -> None:
        if self.record_error is not None:
            raise self.record_error
        if self.record_hangs:
            await Deferred()
        self.facts += [(incident_id, fact) for fact in facts]

    def start(self, attempts: int, caller: Msisdn = CHILD, incident: str = "sos-1") -> Deferred[Outcome]:
        errand = Errand(caller, "skt", NOON)
        delivery = Delivery(1, incident, GUARDIANS, 0, GUARDIANS, {}, NOON, attempts, content=errand)
        return Deferred.fromCoroutine(self.channel.deliver(delivery))

    def attempt(self, caller: Msisdn = CHILD) -> Outcome:
        """One claim of the relay and what came of it."""
        self.attempts += 1
        outcome: Outcome = result_of(self.start(self.attempts, caller))
        return outcome

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """Place, state and round of each fact."""
        return [(fact.subject, fact.data["state"], fact.data["round"]) for _, fact in self.facts]


def test_a_guardian_who_presses_the_digit_has_confirmed():
    house = House(CONFIRMS)

    assert house.attempt() == Delivered("confirmed by guardian 1 in round 1")
    assert house.calls.called == [(MOTHER.phone.number, CHILD.number)]


def test_112_reads_who_is_called_and_what_came_of_it():
    house = House(CONFIRMS)
    house.attempt()

    known = {"phone": "8210******22", "round": "1", "relation": "mother"}
    assert house.facts == [
        ("sos-1", Fact(GUARDIAN, "1", NOON, {"state": "calling", **known})),
        ("sos-1", Fact(GUARDIAN, "1", NOON, {"state": "confirmed", **known})),
    ]


def test_a_relation_that_is_not_known_is_left_out():
    house = House(CONFIRMS, guardians=[UNCLE])
    house.attempt()

    assert "relation" not in house.facts[0][1].data


def test_guardians_are_called_in_order_and_in_rounds_until_nobody_is_left():
    house = House(VOICEMAIL, RINGS, DEAD, RINGS)
    outcomes = [house.attempt() for _ in range(6)]

    assert [number for number, _ in house.calls.called] == [MOTHER.phone.number, UNCLE.phone.number] * 3
    assert outcomes[0] == Again(
        5.0, GUARDIANS, GUARDIANS, "guardian 1, round 1: answered-unconfirmed: no digit"
    )
    assert all(isinstance(outcome, Again) for outcome in outcomes[:5])
    assert outcomes[5] == Rejected("nobody confirmed in 3 rounds")
    assert [state for state in house.told if state[1] != "calling"] == [
        ("1", "answered-unconfirmed", "1"),
        ("2", "no-answer", "1"),
        ("1", "failed", "2"),
        ("2", "no-answer", "2"),
        ("1", "no-answer", "3"),
        ("2", "no-answer", "3"),
    ]


def test_the_last_guardian_of_the_last_round_may_still_confirm():
    house = House(CONFIRMS)
    house.attempts = 5

    assert house.attempt() == Delivered("confirmed by guardian 2 in round 3")


@pytest.mark.parametrize(
    "outcome",
    [
        CallOutcome(End.ANSWERED, "2"), CallOutcome(End.ANSWERED, "*"), CallOutcome(End.UNKNOWN, "1"),
        CallOutcome(End.NO_ANSWER, "1"), CallOutcome(End.UNKNOWN), CallOutcome(End.NOT_PLACED),
    ],
)  # fmt: skip
def test_nothing_but_the_digit_in_an_answered_call_confirms(outcome: CallOutcome):
    assert isinstance(House(outcome).attempt(), Again)


def test_a_number_that_cannot_be_dialled_is_passed_over():
    house = House(Malformed("a number holds digits"), CONFIRMS)

    assert isinstance(house.attempt(), Again)
    assert house.attempt() == Delivered("confirmed by guardian 2 in round 1")
    assert house.told[1] == ("1", "failed", "1")


# Silence.


def test_the_callers_own_phone_is_never_called():
    house = House(CONFIRMS, guardians=[Guardian(CHILD), UNCLE])

    assert house.attempt() == Delivered("confirmed by guardian 1 in round 1")
    assert house.calls.called == [(UNCLE.phone.number, CHILD.number)]


def test_whose_only_guardian_is_their_own_phone_has_none():
    house = House(CONFIRMS, guardians=[Guardian(CHILD)])

    assert house.attempt() == Delivered("the caller has no guardians")
    assert house.calls.called == []


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (Msisdn("821012345678"), Msisdn("821012345678"), True),
        (Msisdn("821012345678"), Msisdn("82212345678"), False),
        (Msisdn("821012345678"), Msisdn("tel:010-1234-5678", is_e164=False), True),
        (Msisdn("821012345678"), Msisdn("tel:010-1234-5679", is_e164=False), False),
        (Msisdn(""), Msisdn("", is_e164=False), False),
        (Msisdn("abc", is_e164=False), Msisdn("abd", is_e164=False), False),
    ],
)
def test_two_ways_of_writing_a_number_are_one_phone(one: Msisdn, other: Msisdn, is_same: bool):  # noqa: FBT001 - a table
    assert is_same_phone(one, other) is is_same
    assert is_same_phone(other, one) is is_same


# Nobody to call.


@pytest.mark.parametrize("caller", [Msisdn("821099998888"), Msisdn("", is_e164=False)])
def test_a_caller_without_guardians_is_done(caller: Msisdn):
    house = House(CONFIRMS)

    assert house.attempt(caller) == Delivered("the caller has no guardians")
    assert house.facts == []


def test_a_delivery_without_an_errand_is_refused():
    house = House(CONFIRMS)
    delivery = Delivery(1, "sos-1", GUARDIANS, 0, GUARDIANS, {}, NOON, 1)

    assert isinstance(result_of(house.channel.deliver(delivery)), Rejected)


# Trouble of ours.


def test_while_no_asterisk_is_ready_nobody_loses_a_turn_and_112_is_not_told_again_and_again():
    house = House(RINGS)
    house.calls.is_ready = False
    for _ in range(20):
        assert house.attempt() == Retry("nobody could be called: no Asterisk is ready", 5.0)
    assert house.facts == []

    house.calls.is_ready = True
    outcomes = [house.attempt() for _ in range(6)]
    assert [number for number, _ in house.calls.called] == [MOTHER.phone.number, UNCLE.phone.number] * 3
    assert outcomes[-1] == Rejected("nobody confirmed in 3 rounds")
    assert house.channel._in_vain == {}


def test_a_confirmation_after_trouble_leaves_nothing_behind():
    house = House(CONFIRMS)
    house.calls.is_ready = False
    house.attempt()
    house.calls.is_ready = True

    assert house.attempt() == Delivered("confirmed by guardian 1 in round 1")
    assert house.channel._in_vain == {}


def test_a_book_that_is_away_costs_no_turn():
    house = House(CONFIRMS)
    house.book.error = Unavailable("no book")
    assert isinstance(house.attempt(), Retry)
    house.book.error = None

    assert house.attempt() == Delivered("confirmed by guardian 1 in round 1")


def test_trouble_of_many_incidents_is_remembered_up_to_a_bound():
    house = House(CONFIRMS)
    house.calls.is_ready = False
    for number in range(REMEMBERED + 5):
        result_of(house.start(1, incident=f"sos-{number}"))

    assert len(house.channel._in_vain) == REMEMBERED
    assert "sos-0" not in house.channel._in_vain


def test_a_store_in_trouble_does_not_keep_a_guardian_from_being_called():
    house = House(CONFIRMS)
    house.record_error = Unavailable("the store is down")

    assert house.attempt() == Delivered("confirmed by guardian 1 in round 1")


def test_a_store_that_hangs_is_not_waited_for():
    house = House(CONFIRMS)
    house.record_hangs = True
    attempt = house.start(1)
    assert house.calls.called == []
    house.clock.pump([RECORD_S, RECORD_S])

    assert result_of(attempt) == Delivered("confirmed by guardian 1 in round 1")
    assert len(house.calls.called) == 1


# The settings.


def test_the_settings_list_guardians_in_order_and_numbers_as_people_write_them():
    settings = Guardians.model_validate(
        {
            "listed": [
                {"of": "010-1234-5678", "phone": "+82 10 1111 2222", "relation": "mother"},
                {"of": "010-9999-0000", "phone": "010-1111-2222"},
                {"of": "+821012345678", "phone": "010 3333 4444", "language": "en"},
            ]
        }
    )

    assert result_of(settings.book().ward_of(CHILD)).guardians == (MOTHER, UNCLE)
