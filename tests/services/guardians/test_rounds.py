"""Guardians are told in their order, again and again, until one confirms; the caller's own phone never is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta, timezone

import pytest
from twisted.internet import task
from twisted.internet.defer import Deferred

from telephony.clock import age_s
from telephony.domain import silence
from telephony.domain.delivery import GUARDIANS, Again, Delivered, Delivery, Errand, Outcome, Rejected, Retry
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.domain.facts import Fact, FactKind, GuardianState, GuardianWay
from telephony.domain.guardians.guardian import Guardian, ListedGuardians, Ward, is_same_phone
from telephony.domain.guardians.spoken_call import CallOutcome, End, Look, Standing
from telephony.domain.guardians.turns import Turn
from telephony.domain.silence import Output
from telephony.domain.text_message import TextMessage, TextState
from telephony.domain.values import Msisdn
from telephony.services.guardians.rounds import REMEMBERED, GuardianChannel
from telephony.services.guardians.ways import TEXT_S, GuardianWays
from telephony.settings.guardians import Guardians
from telephony.store.fact_rows import from_data, to_data
from tests.awaiting import result_of
from tests.doubles import NOON, SetClock

CHILD = Msisdn("821012345678")
TERMINAL = Msisdn("821200001111")
MOTHER = Guardian(Msisdn("821011112222"), "ko", "mother")
UNCLE = Guardian(Msisdn("821033334444"), "en")
SEOUL = timezone(timedelta(hours=9))

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
        self.heard: Standing | None = None

    async def call(self, guardian: Guardian, caller: Msisdn, look: Look) -> CallOutcome:
        self.heard = await look()
        self.called.append((guardian.phone.number, caller.number))
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class Texts:
    """A texter that takes what it is given, except for phones that are to fail; ``heard`` are the ways to receipts."""

    def __init__(self) -> None:
        self.is_ready = True
        self.sent: list[TextMessage] = []
        self.heard: list[Callable[[TextState], None]] = []
        self.errors: dict[str, Exception] = {}
        self.receipt_at_once: TextState | None = None
        self.hangs = False

    async def send(self, message: TextMessage, on_state: Callable[[TextState], None] | None = None) -> str:
        if self.hangs:
            await Deferred()
        if message.to.number in self.errors:
            raise self.errors[message.to.number]
        self.sent.append(message)
        assert on_state is not None
        self.heard.append(on_state)
        if self.receipt_at_once is not None:
            on_state(self.receipt_at_once)
        return "skt-1"

    @property
    def to(self) -> list[str]:
        return [message.to.number for message in self.sent]


class Book(ListedGuardians):
    """A book that may be away, and that knows a name and a second number."""

    error: Exception | None = None
    name = ""

    async def ward_of(self, msisdn: Msisdn) -> Ward:
        if self.error is not None:
            raise self.error
        ward = await super().ward_of(msisdn)
        return Ward(self.name, (msisdn, TERMINAL), ward.guardians)


class Record:
    """The record in memory, as `telephony.services.guardians.record.GuardianRecord` keeps it in the store."""

    def __init__(self, clock: task.Clock) -> None:
        self.clock = clock
        self.kept: list[tuple[str, Fact]] = []
        self.error: Exception | None = None
        self.expected: list[tuple[str, int, int]] = []
        self.hastened: list[str] = []
        self.is_heard = True

    async def does_112_know(self, incident_id: str) -> bool:
        return self.is_heard

    async def standing(self, incident_id: str) -> Standing:
        return Standing.KNOWN if self.is_heard else Standing.ASKED

    @property
    def now(self):
        return NOON + timedelta(seconds=self.clock.seconds() - NOON.timestamp())

    def age_s(self, moment):
        return age_s(self.clock, moment)

    async def facts(self, incident_id: str) -> Sequence[Fact]:
        if self.error is not None:
            raise self.error
        return [fact for incident, fact in self.kept if incident == incident_id]

    async def tell(self, incident_id: str, turn: Turn, state: str, by: str = "") -> None:
        self.kept.append((incident_id, turn.fact(state, self.now, by)))

    async def expect(self, incident_id: str, turn: Turn) -> None:
        self.expected.append((incident_id, turn.place, turn.round))

    async def hasten(self, incident_id: str) -> None:
        self.hastened.append(incident_id)


class House:
    """The channel with its book, its ways and what is on record. Only the ways that are asked for are there."""

    def __init__(
        self,
        *outcomes: CallOutcome | Exception,
        guardians: Sequence[Guardian] = (MOTHER, UNCLE),
        texts: bool = False,
        rounds: int = 3,
    ) -> None:
        self.clock = SetClock()
        self.clock.advance(NOON.timestamp())
        self.book = Book({CHILD.number: guardians})
        self.calls = Calls(*outcomes)
        self.texts = Texts()
        self.record = Record(self.clock)
        self.in_danger: set[str] = set()
        self.guard_error: Exception | None = None
        ways = GuardianWays(
            self.texts if texts else None,
            self.calls if outcomes else None,
            may_reach=self._may_reach,
            record=self.record,
            confirm_digit="1",
            zone=SEOUL,
            clock=self.clock,
        )
        self.channel = GuardianChannel(self.book, ways, self.record, rounds=rounds, pause_s=5.0, reply_s=60.0)
        self.attempts = 0

    async def _may_reach(self, phone: Msisdn, output: Output) -> silence.Silenced | None:
        if self.guard_error is not None:
            raise self.guard_error
        return silence.Silenced(f"silence holds: {output.value}") if phone.number in self.in_danger else None

    def start(self, attempts: int, caller: Msisdn = CHILD, incident: str = "sos-1") -> Deferred[Outcome]:
        errand = Errand(caller, "skt", NOON)
        delivery = Delivery(1, incident, GUARDIANS, 0, GUARDIANS, {}, NOON, attempts, content=errand)
        return Deferred.fromCoroutine(self.channel.deliver(delivery))

    def attempt(self, caller: Msisdn = CHILD) -> Outcome:
        """One claim of the relay and what came of it."""
        self.attempts += 1
        outcome: Outcome = result_of(self.start(self.attempts, caller))
        return outcome

    def attempt_later(self, seconds: float = 60.0) -> Outcome:
        self.clock.advance(seconds)
        return self.attempt()

    @property
    def facts(self) -> list[tuple[str, Fact]]:
        return self.record.kept

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """Place, state and round of each fact."""
        return [(fact.subject, to_data(fact)["state"], to_data(fact)["round"]) for _, fact in self.facts]


@pytest.mark.parametrize(("is_heard", "stands"), [(True, Standing.KNOWN), (False, Standing.ASKED)])
def test_a_guardian_is_called_with_how_it_stands_with_112(is_heard, stands):
    house = House(CONFIRMS)
    house.record.is_heard = is_heard
    house.clock.advance(5)

    house.attempt()

    assert house.calls.heard is stands


def test_a_guardian_who_presses_the_digit_has_confirmed():
    house = House(CONFIRMS)

    assert house.attempt() == Delivered("confirmed by guardian 1 in round 1")
    assert house.calls.called == [(MOTHER.phone.number, CHILD.number)]


def test_guardians_wait_a_moment_for_112_and_then_read_that_it_has_not_answered():
    house = House(texts=True)
    house.record.is_heard = False

    assert house.attempt() == Again(0.5, GUARDIANS, GUARDIANS, "112 has not acknowledged yet")
    assert house.texts.sent == []
    house.attempt_later(2.0)

    (message,) = house.texts.sent
    assert message.text.startswith("[112신고중]")
    house.record.is_heard = True
    house.attempt_later(60.0)
    assert "112 knows" in house.texts.sent[1].text


def test_112_reads_who_is_called_and_what_came_of_it():
    house = House(CONFIRMS)
    house.attempt()

    known = {"phone": "8210******22", "round": "1", "relation": "mother", "by": "call"}
    assert house.facts == [
        ("sos-1", from_data(FactKind.GUARDIAN, "1", NOON, {"state": "calling", **known})),
        ("sos-1", from_data(FactKind.GUARDIAN, "1", NOON, {"state": "confirmed", **known})),
    ]


def test_a_relation_that_is_not_known_is_left_out():
    house = House(CONFIRMS, guardians=[UNCLE])
    house.attempt()

    assert "relation" not in to_data(house.facts[0][1])


def test_guardians_are_called_in_order_and_in_rounds_until_nobody_is_left():
    house = House(VOICEMAIL, RINGS, DEAD, RINGS)
    outcomes = [house.attempt() for _ in range(6)]

    assert [number for number, _ in house.calls.called] == [MOTHER.phone.number, UNCLE.phone.number] * 3
    assert outcomes[0] == Again(
        5.0, GUARDIANS, GUARDIANS, "guardian 1, round 1: text not there; answered-unconfirmed; no digit"
    )
    assert all(isinstance(outcome, Again) for outcome in outcomes[:5])
    assert outcomes[5] == Rejected("no guardian confirmed in all rounds")
    assert [state for state in house.told if state[1] != "calling"] == [
        ("1", "answered-unconfirmed", "1"),
        ("2", "no-answer", "1"),
        ("1", "failed", "2"),
        ("2", "no-answer", "2"),
        ("1", "no-answer", "3"),
        ("2", "no-answer", "3"),
    ]


def test_the_last_guardian_of_the_last_round_may_still_confirm():
    house = House(*[RINGS] * 5, CONFIRMS)
    for _ in range(5):
        house.attempt()

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


# No one to call.


@pytest.mark.parametrize("caller", [Msisdn("821099998888"), Msisdn("", is_e164=False)])
def test_a_caller_without_guardians_is_done(caller: Msisdn):
    house = House(CONFIRMS)

    assert house.attempt(caller) == Delivered("the caller has no guardians")
    assert house.facts == []


def test_a_delivery_without_an_errand_is_refused():
    house = House(CONFIRMS)
    delivery = Delivery(1, "sos-1", GUARDIANS, 0, GUARDIANS, {}, NOON, 1)

    assert isinstance(result_of(house.channel.deliver(delivery)), Rejected)


# Texts.


def test_a_guardian_is_texted_what_happened_to_whom():
    house = House(texts=True)
    house.book.name = "김하늘"
    outcome = house.attempt()

    [message] = house.texts.sent
    assert message.to == MOTHER.phone
    assert message.text == "[112신고됨] 김하늘 12:00 SOS 누름. 위험하니 그 폰에 전화 마세요. 확인은 1 답장"
    assert message.is_urgent
    assert outcome == Again(60.0, GUARDIANS, GUARDIANS, "waiting for a guardian's reply")
    assert house.told == [("1", "texted", "1")]
    assert to_data(house.facts[0][1])["by"] == "sms"


def test_a_reply_is_awaited_before_the_text_leaves():
    house = House(texts=True)
    house.texts.errors[MOTHER.phone.number] = Unavailable("no bind")
    house.attempt()

    assert house.record.expected == [("sos-1", 1, 1)]


def test_each_guardian_reads_their_own_language():
    house = House(texts=True, guardians=[UNCLE])
    house.attempt()

    assert "Reply 1 to confirm" in house.texts.sent[0].text


def test_the_next_guardian_is_told_when_the_first_has_not_replied_in_time():
    house = House(texts=True)
    house.attempt()

    assert house.attempt_later(59.0) == Again(5.0, GUARDIANS, GUARDIANS, "waiting for a guardian's reply")
    house.attempt_later(1.0)
    assert house.texts.to == [MOTHER.phone.number, UNCLE.phone.number]


def test_after_a_restart_the_reply_is_still_waited_for_and_nobody_is_told_again():
    house = House(texts=True)
    house.attempt()
    again = House(texts=True)
    again.record.kept = house.facts
    again.clock.advance(20.0)

    assert again.attempt() == Again(40.0, GUARDIANS, GUARDIANS, "waiting for a guardian's reply")
    again.attempt_later(40.0)
    assert again.texts.to == [UNCLE.phone.number]


@pytest.mark.parametrize("step_s", [-3600.0, 3600.0])
def test_a_reply_is_waited_for_as_long_as_ever_although_the_clock_was_set(step_s):
    house = House(texts=True)
    house.attempt()
    house.clock.advance(20.0)
    house.clock.set_by_s = step_s

    assert house.attempt() == Again(40.0, GUARDIANS, GUARDIANS, "waiting for a guardian's reply")
    house.attempt_later(40.0)
    assert house.texts.to == [MOTHER.phone.number, UNCLE.phone.number]


def test_texts_go_in_order_and_in_rounds_and_the_last_reply_is_waited_for():
    house = House(texts=True, rounds=2)
    outcomes = [house.attempt(), *(house.attempt_later() for _ in range(4))]

    assert house.texts.to == [MOTHER.phone.number, UNCLE.phone.number] * 2
    assert [type(outcome) for outcome in outcomes] == [Again] * 4 + [Rejected]


def test_a_guardian_may_have_rounds_of_their_own():
    house = House(texts=True, guardians=[Guardian(MOTHER.phone, rounds=1), UNCLE], rounds=2)
    for _ in range(4):
        house.attempt_later()

    assert house.texts.to == [MOTHER.phone.number, UNCLE.phone.number, UNCLE.phone.number]


def test_a_reply_ends_the_rounds_once_each_guardian_was_told():
    """Its sender may be forged: it must not keep the others from hearing of it."""
    house = House(texts=True)
    house.attempt()
    house.record.kept.append(
        ("sos-1", Turn(MOTHER, 1, 1).fact(GuardianState.CONFIRMED, NOON, GuardianWay.SMS))
    )

    assert house.attempt() == Delivered("confirmed by guardian 1 in round 1")
    assert house.texts.to == [MOTHER.phone.number, UNCLE.phone.number]


def test_a_guardian_who_confirmed_on_a_call_of_ours_ends_the_rounds_at_once():
    house = House(texts=True)
    house.attempt()
    house.record.kept.append(
        ("sos-1", Turn(MOTHER, 1, 1).fact(GuardianState.CONFIRMED, NOON, GuardianWay.CALL))
    )

    assert house.attempt() == Delivered("confirmed by guardian 1 in round 1")
    assert house.texts.to == [MOTHER.phone.number]


@pytest.mark.parametrize(
    ("state", "said"), [(TextState.DELIVERED, "text-delivered"), (TextState.FAILED, "text-failed")]
)
def test_a_receipt_is_told_to_112_and_confirms_nothing(state: TextState, said: str):
    house = House(texts=True)
    house.attempt()
    house.texts.heard[0](state)

    assert house.told[-1] == ("1", said, "1")
    assert not isinstance(house.attempt_later(), Delivered)


def test_a_message_on_its_way_is_no_news():
    house = House(texts=True)
    house.attempt()
    house.texts.heard[0](TextState.ON_ITS_WAY)

    assert house.told == [("1", "texted", "1")]


def test_a_receipt_that_is_quicker_than_our_own_record_comes_after_it():
    house = House(texts=True)
    house.texts.receipt_at_once = TextState.DELIVERED
    house.attempt()

    assert [state for _, state, _ in house.told] == ["texted", "text-delivered"]


def test_a_text_that_did_not_arrive_lets_the_next_guardian_be_told_at_once():
    house = House(texts=True)
    house.attempt()
    house.texts.heard[0](TextState.FAILED)

    assert house.record.hastened == ["sos-1"]
    house.attempt()
    assert house.texts.to == [MOTHER.phone.number, UNCLE.phone.number]


def test_a_text_that_failed_before_the_turn_was_over_is_not_waited_for():
    house = House(texts=True)
    house.texts.receipt_at_once = TextState.FAILED

    assert isinstance(outcome := house.attempt(), Again)
    assert outcome.after_s == 5.0


# Both ways.


def test_a_guardian_is_texted_and_then_called():
    house = House(RINGS, texts=True)
    house.attempt()

    assert house.texts.to == [MOTHER.phone.number]
    assert house.calls.called == [(MOTHER.phone.number, CHILD.number)]
    assert [state for _, state, _ in house.told] == ["texted", "calling", "no-answer"]


def test_a_digit_confirms_though_the_text_is_not_answered():
    house = House(CONFIRMS, texts=True)

    assert house.attempt() == Delivered("confirmed by guardian 1 in round 1")
    assert to_data(house.facts[-1][1])["by"] == "call"


@pytest.mark.parametrize(
    "error", [Unavailable("every bind is down"), Refused("unknown subscriber"), Malformed("a landline")]
)
def test_a_text_that_cannot_be_sent_does_not_keep_the_phone_from_ringing(error: Exception):
    house = House(CONFIRMS, texts=True)
    house.texts.errors[MOTHER.phone.number] = error

    assert house.attempt() == Delivered("confirmed by guardian 1 in round 1")


def test_carriers_that_hang_do_not_keep_the_phone_from_ringing():
    house = House(CONFIRMS, texts=True)
    house.texts.hangs = True
    attempt = house.start(1)
    assert house.calls.called == []
    house.clock.advance(TEXT_S)

    assert result_of(attempt) == Delivered("confirmed by guardian 1 in round 1")


def test_without_a_line_the_text_is_enough_and_without_a_bind_the_call():
    house = House(RINGS, texts=True)
    house.calls.is_ready = False
    house.attempt()
    house.calls.is_ready, house.texts.is_ready = True, False
    house.attempt_later()

    assert house.told == [("1", "texted", "1"), ("2", "calling", "1"), ("2", "no-answer", "1")]


# A guardian who is in danger herself.


def test_a_guardian_in_danger_is_neither_texted_nor_called_and_the_next_one_is_told():
    house = House(RINGS, texts=True)
    house.in_danger = {MOTHER.phone.number}

    assert isinstance(house.attempt(), Again)
    house.attempt()
    assert house.texts.to == [UNCLE.phone.number]
    assert [number for number, _ in house.calls.called] == [UNCLE.phone.number]
    assert house.told[0] == ("1", "failed", "1")


def test_while_nobody_can_say_for_whom_silence_holds_nobody_is_told():
    house = House(RINGS, texts=True)
    house.guard_error = Unavailable("store: locked")
    outcomes = [house.attempt() for _ in range(3)]

    assert isinstance(outcomes[2], Retry)
    assert (house.texts.sent, house.calls.called, house.facts) == ([], [], [])


def test_no_phone_of_the_person_is_told():
    house = House(RINGS, texts=True, guardians=[Guardian(CHILD), Guardian(TERMINAL), UNCLE])
    for _ in range(8):
        house.attempt_later()

    assert set(house.texts.to) == {UNCLE.phone.number}
    assert {number for number, _ in house.calls.called} == {UNCLE.phone.number}


# Trouble of ours.


def test_while_no_way_is_ready_nobody_loses_a_turn_and_112_is_not_told_again_and_again():
    house = House(RINGS, texts=True)
    house.calls.is_ready = house.texts.is_ready = False
    for _ in range(20):
        assert house.attempt() == Retry("no guardian could be told: no bind and no Asterisk is ready", 5.0)
    assert house.facts == []

    house.calls.is_ready = True
    outcomes = [house.attempt() for _ in range(6)]
    assert [number for number, _ in house.calls.called] == [MOTHER.phone.number, UNCLE.phone.number] * 3
    assert outcomes[-1] == Rejected("no guardian confirmed in all rounds")


def test_a_guardian_whom_no_carrier_takes_loses_no_turn_and_holds_up_nobody():
    house = House(texts=True, rounds=1)
    house.texts.errors[MOTHER.phone.number] = Unavailable("ESME_RMSGQFUL")
    outcome = house.attempt()
    assert isinstance(outcome, Again)
    assert outcome.after_s == 5.0
    house.attempt_later(5.0)
    assert house.texts.to == [UNCLE.phone.number]

    for _ in range(30):
        house.attempt_later()
    house.texts.errors.clear()
    house.attempt_later()
    house.attempt_later()
    assert house.texts.to == [UNCLE.phone.number, MOTHER.phone.number]
    assert house.told == [("2", "texted", "1"), ("1", "texted", "1")]


def test_when_every_guardian_was_put_off_they_are_tried_again_after_a_while():
    house = House(texts=True)
    for guardian in (MOTHER, UNCLE):
        house.texts.errors[guardian.phone.number] = Unavailable("ESME_RTHROTTLED")

    outcomes = [house.attempt() for _ in range(6)]
    assert [type(outcome) for outcome in outcomes] == [Again, Again, Retry] * 2


def test_a_book_that_is_away_costs_no_turn():
    house = House(CONFIRMS)
    house.book.error = Unavailable("no book")
    assert isinstance(house.attempt(), Retry)
    house.book.error = None

    assert house.attempt() == Delivered("confirmed by guardian 1 in round 1")


def test_a_record_that_cannot_be_read_costs_no_turn():
    house = House(CONFIRMS)
    house.record.error = Unavailable("store: locked")
    assert isinstance(house.attempt(), Retry)
    assert house.calls.called == []


def test_guardians_put_off_of_many_incidents_are_remembered_up_to_a_bound():
    house = House(texts=True)
    house.texts.errors[MOTHER.phone.number] = Unavailable("throttled")
    for number in range(REMEMBERED + 5):
        result_of(house.start(1, incident=f"sos-{number}"))

    assert len(house.channel._put_off) == REMEMBERED
    assert "sos-0" not in house.channel._put_off


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
