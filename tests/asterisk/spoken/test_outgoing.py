"""Calls that we place: what Asterisk is asked, and what each of its answers, or none, comes to."""

from __future__ import annotations

import random
import string
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import task
from twisted.internet.defer import Deferred, fail, succeed

from telephony.asterisk.ami.packets import Packet, encode_action
from telephony.asterisk.spoken.outgoing import (
    CAUSE_S,
    GRACE_S,
    NEWS_S,
    OutgoingCalls,
    dial_string,
    spoken_variables,
)
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.domain.guardians.spoken_call import CallOutcome, End
from tests.awaiting import failure_of, is_waiting, result_of

DIAL = "PJSIP/+821055556666@guardian"
VARIABLES = spoken_variables(["ko/guardian", "ko/1"], confirm_digit="1")
RING_S, TALK_S = 25.0, 120.0


class Server:
    """An Asterisk that takes orders, refuses them, or does not answer."""

    def __init__(self, name: str = "voice-1") -> None:
        self.name = name
        self.is_ready = True
        self.gone = True
        """Whether its calls have ended by themselves when they are to be hung up."""
        self.answer: Deferred[Packet] | None = None
        self.actions: list[tuple[str, list[tuple[str, str]]]] = []

    def action(self, name: str, fields: Sequence[tuple[str, str]] = ()) -> Deferred[Packet]:
        encode_action(name, "id-1", fields)
        self.actions.append((name, list(fields)))
        if name == "Hangup" and self.gone:
            return fail(Refused("No such channel"))
        answer, self.answer = self.answer, None
        return answer or succeed(Packet((("Response", "Success"), ("ActionID", f"{self.name}-originate"))))

    @property
    def order(self) -> dict[str, list[str]]:
        """What the last Originate said."""
        fields = next(fields for name, fields in reversed(self.actions) if name == "Originate")
        return {key: [value for name, value in fields if name == key] for key, _ in fields}

    @property
    def ticket(self) -> str:
        return next(value for value in self.order["Variable"] if "TICKET" in value).partition("=")[2]

    @property
    def hung_up(self) -> list[str]:
        return [dict(fields)["Channel"] for name, fields in self.actions if name == "Hangup"]


class House:
    """Calls over some servers, on a clock of their own."""

    def __init__(self, *servers: Server) -> None:
        self.clock = task.Clock()
        self.servers = servers or (Server(),)
        self.server = self.servers[0]
        self.calls = OutgoingCalls(lambda: self.servers, owner="me", clock=self.clock, rng=random.Random(7))

    def call(self, **changes: Any) -> Deferred[CallOutcome]:
        facts: dict[str, Any] = {"ring_s": RING_S, "talk_s": TALK_S}
        dial, variables = changes.pop("dial", DIAL), changes.pop("variables", VARIABLES)
        context = changes.pop("context", "guardian")
        return Deferred.fromCoroutine(self.calls.call(dial, context, variables, **(facts | changes)))

    def say(self, event: str, *fields: tuple[str, str]) -> None:
        self.calls.heard(Packet((("Event", event), *fields)))

    def answered(self, action_id: str = "voice-1-originate") -> None:
        self.say("OriginateResponse", ("Response", "Success"), ("ActionID", action_id), ("Reason", "4"))

    def not_answered(self, reason: str) -> None:
        self.say(
            "OriginateResponse",
            ("Response", "Failure"),
            ("ActionID", "voice-1-originate"),
            ("Reason", reason),
            ("Uniqueid", "<null>"),
        )

    def spoken(self, digit: str, ticket: str | None = None) -> None:
        told = [("UserEvent", "Spoken"), ("Ticket", ticket or self.server.ticket), ("Digit", digit)]
        self.say("UserEvent", *told, ("Times", "2"), ("Heard", "31"))

    def hung_up(
        self, state: str, channel: str | None = None, cause: tuple[str, str] = ("0", "Unknown")
    ) -> None:
        self.say(
            "Hangup",
            ("Uniqueid", channel or f"spoken-me-{self.server.ticket}"),
            ("ChannelStateDesc", state),
            ("Cause", cause[0]),
            ("Cause-txt", cause[1]),
        )


@pytest.fixture
def house() -> House:
    return House()


def test_the_order_names_the_number_the_context_the_time_and_the_prompts(house: House):
    house.call(caller_id="0215881120")

    order = house.server.order
    variables = order.pop("Variable")
    assert order == {
        "Channel": [DIAL],
        "Context": ["guardian"],
        "Exten": ["s"],
        "Priority": ["1"],
        "Timeout": ["25000"],
        "Async": ["true"],
        "CallerID": ["0215881120"],
        "ChannelId": [f"spoken-me-{house.server.ticket}"],
    }
    assert variables == [
        "SPOKEN_1=ko/guardian&ko/1",
        "SPOKEN_CONFIRM=1",
        "SPOKEN_REPEAT=",
        "SPOKEN_SECONDS=120",
        f"SPOKEN_TICKET={house.server.ticket}",
    ]


def test_no_application_is_ever_ordered(house: House):
    """Application and Data would run what they are told; a context is ours."""
    house.call()

    assert not {"Application", "Data"} & house.server.order.keys()


def test_each_call_has_a_ticket_of_its_own(house: House):
    house.call()
    first = house.server.ticket
    house.call()

    assert first != house.server.ticket
    assert len(first) == 32


def test_a_digit_is_the_outcome(house: House):
    calling = house.call()
    house.answered()
    house.spoken("1")

    outcome = result_of(calling)
    assert (outcome.end, outcome.answered, outcome.digit) == (End.ANSWERED, True, "1")
    assert outcome.detail == "answered, pressed 1, message begun 2 times, 31 s on the line"
    assert house.server.hung_up == []
    assert house.clock.getDelayedCalls() == []


def test_a_digit_counts_even_when_it_is_heard_before_the_answer(house: House):
    calling = house.call()
    house.spoken("1")

    assert result_of(calling).digit == "1"


def test_the_message_may_end_without_a_digit(house: House):
    calling = house.call()
    house.answered()
    house.spoken("")

    outcome = result_of(calling)
    assert (outcome.answered, outcome.digit) == (True, "")
    assert "no digit" in outcome.detail


def test_somebody_who_hangs_up_has_answered_and_pressed_nothing(house: House):
    calling = house.call()
    house.answered()
    house.hung_up("Up")

    assert result_of(calling) == CallOutcome(End.ANSWERED, "", "answered, hung up")


@pytest.mark.parametrize(
    ("reason", "end", "words"),
    [
        ("1", End.NO_ANSWER, "no answer"),
        ("3", End.NO_ANSWER, "no answer"),
        ("5", End.NO_ANSWER, "busy"),
        ("8", End.FAILED, "congestion"),
        ("99", End.FAILED, "reason 99"),
    ],
)
def test_why_nobody_answered_is_said_in_words(house: House, reason: str, end: End, words: str):
    calling = house.call()
    house.hung_up("Ringing")
    assert is_waiting(calling), "the reason comes after the end of the channel"
    house.not_answered(reason)

    assert result_of(calling) == CallOutcome(end, "", words)


REFUSALS = [
    (("17", "User busy"), CallOutcome(End.NO_ANSWER, "", "busy")),
    (("20", "Subscriber absent"), CallOutcome(End.NO_ANSWER, "", "switched off or out of reach")),
    (("21", "Call Rejected"), CallOutcome(End.NO_ANSWER, "", "rejected")),
    (
        ("1", "Unallocated (unassigned) number"),
        CallOutcome(End.FAILED, "", "unallocated (unassigned) number"),
    ),
    (("34", ""), CallOutcome(End.FAILED, "", "cause 34")),
]
NO_ENDPOINT = CallOutcome(End.FAILED, "", "no such endpoint, or it is not reachable")


@pytest.mark.parametrize(("cause", "outcome"), REFUSALS)
def test_a_call_that_was_refused_without_ringing_is_told_by_its_cause(
    house: House, cause: tuple[str, str], outcome: CallOutcome
):
    """Its OriginateResponse says only Reason 0, and comes before the Hangup or after it."""
    first = house.call()
    house.hung_up("Down", cause=cause)
    assert is_waiting(first)
    house.not_answered("0")

    second = house.call()
    house.not_answered("0")
    assert is_waiting(second)
    house.hung_up("Down", cause=cause)

    assert (result_of(first), result_of(second)) == (outcome, outcome)
    assert house.server.hung_up == []
    assert house.clock.getDelayedCalls() == []


def test_without_an_endpoint_there_is_no_channel_and_no_cause(house: House):
    calling = house.call()
    house.not_answered("0")
    house.clock.advance(CAUSE_S)

    assert result_of(calling) == NO_ENDPOINT
    assert house.server.hung_up == []


def test_a_channel_that_ends_without_a_cause_leaves_the_reason(house: House):
    calling = house.call()
    house.not_answered("0")
    house.hung_up("Down")

    assert result_of(calling) == NO_ENDPOINT


def test_what_belongs_to_other_calls_changes_nothing(house: House):
    calling = house.call()
    house.answered("voice-1-other")
    house.answered("")
    house.spoken("1", ticket="0" * 32)
    house.say("UserEvent", ("UserEvent", "SOSCall"), ("Ticket", house.server.ticket), ("Digit", "1"))
    house.hung_up("Up", channel="voice-1-1763900000.12")
    house.say("Newstate", ("Uniqueid", f"spoken-me-{house.server.ticket}"))

    assert is_waiting(calling)


def test_what_names_no_action_belongs_to_no_call(house: House):
    """Until the order is answered its id is not known either."""
    order = house.server.answer = Deferred()
    calling = house.call()
    house.say("OriginateResponse", ("Response", "Failure"), ("Reason", "5"))
    order.callback(Packet((("Response", "Success"), ("ActionID", "voice-1-originate"))))
    assert is_waiting(calling)
    house.spoken("1")

    assert result_of(calling).digit == "1"


def test_events_after_the_end_and_events_of_no_call_are_harmless(house: House):
    calling = house.call()
    house.spoken("")
    house.spoken("1")
    house.hung_up("Up")
    house.answered()
    house.calls.lost("voice-1")

    assert result_of(calling).digit == ""


def test_two_calls_at_once_keep_their_digits_apart(house: House):
    first, one = house.call(), house.server.ticket
    second, two = house.call(), house.server.ticket
    house.spoken("2", ticket=two)
    house.spoken("1", ticket=one)

    assert (result_of(first).digit, result_of(second).digit) == ("1", "2")


# Bounds.


def test_an_asterisk_that_says_nothing_after_the_order_is_given_up(house: House):
    calling = house.call()
    house.clock.advance(RING_S + GRACE_S - 0.1)
    assert is_waiting(calling)
    house.clock.advance(0.1)

    assert result_of(calling).end is End.UNKNOWN
    assert house.server.hung_up == [f"spoken-me-{house.server.ticket}"]


def test_a_call_that_was_answered_and_never_ends_is_hung_up(house: House):
    calling = house.call()
    house.clock.advance(RING_S)
    house.answered()
    house.clock.advance(TALK_S + GRACE_S - 0.1)
    assert is_waiting(calling)
    house.clock.advance(0.1)

    outcome = result_of(calling)
    assert (outcome.end, outcome.digit) == (End.ANSWERED, "")
    assert house.server.hung_up == [f"spoken-me-{house.server.ticket}"]


def test_cancelling_hangs_up_and_leaves_nothing_behind(house: House):
    calling = house.call()
    calling.addErrback(lambda _: None)
    calling.cancel()

    assert house.server.hung_up == [f"spoken-me-{house.server.ticket}"]
    assert house.clock.getDelayedCalls() == []
    house.spoken("1")
    house.calls.lost("voice-1")


# Servers.


def test_a_lost_connection_is_no_confirmation(house: House):
    calling = house.call()
    house.calls.lost("voice-2")
    assert is_waiting(calling)
    house.calls.lost("voice-1")

    assert result_of(calling).end is End.UNKNOWN


def test_a_connection_that_is_lost_while_they_listen_was_an_answer_without_digit(house: House):
    calling = house.call()
    house.answered()
    house.calls.lost("voice-1")

    outcome = result_of(calling)
    assert (outcome.answered, outcome.digit) == (True, "")
    assert outcome.detail.startswith("unknown")


def test_the_first_server_that_is_ready_is_asked():
    house = House(Server("voice-1"), Server("voice-2"))
    house.servers[0].is_ready = False
    assert house.calls.is_ready
    house.call()

    assert house.servers[0].actions == []
    assert house.servers[1].order["Channel"] == [DIAL]


@pytest.mark.parametrize("error", [Refused("Permission denied"), Unavailable("no answer in time")])
def test_a_server_that_does_not_take_the_call_is_followed_by_the_next(error: Exception):
    """It may have taken it all the same, so the call is hung up there."""
    house = House(Server("voice-1"), Server("voice-2"))
    house.servers[0].answer = fail(error)
    calling = house.call()

    assert house.servers[0].hung_up == [f"spoken-me-{house.servers[0].ticket}"]
    house.answered("voice-2-originate")
    house.spoken("1", ticket=house.servers[1].ticket)
    assert result_of(calling).digit == "1"


def test_a_server_that_hangs_may_not_keep_the_call_for_ever(house: House):
    house.server.answer = Deferred()
    answer = house.server.answer
    calling = house.call()
    house.calls.lost("voice-1")
    assert is_waiting(calling), "the action itself will fail"
    answer.errback(Unavailable("the connection ended"))

    assert result_of(calling) == CallOutcome(End.NOT_PLACED, "", "voice-1: the connection ended")


def test_without_a_server_nothing_is_dialled(house: House):
    house.server.is_ready = False

    assert not house.calls.is_ready
    assert result_of(house.call()) == CallOutcome(End.NOT_PLACED, "", "no Asterisk server is ready")


# What is dialled.


@pytest.mark.parametrize("number", ["112", "+821012345678", "01012345678"])
def test_a_number_is_digits_and_perhaps_a_plus(number: str):
    assert dial_string(number, "centre-voice") == f"PJSIP/{number}@centre-voice"


@pytest.mark.parametrize(
    ("number", "endpoint"),
    [
        ("", "guardian"), ("+", "guardian"), ("112&PJSIP/9", "guardian"), ("112\r\nAction: x", "guardian"),
        ("112\n", "guardian"), ("0" * 25, "guardian"), ("١١٢", "guardian"), ("11 2", "guardian"), ("1+2", "guardian"),
        ("112", ""), ("112", "a/b"), ("112", "a&b"), ("112", "a b"), ("112", "a@b"), ("112", "a\n"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(number: str, endpoint: str):
    with pytest.raises(Malformed):
        dial_string(number, endpoint)


@pytest.mark.parametrize(
    "changes",
    [
        {"dial": "Local/s@sos"}, {"dial": f"{DIAL}&{DIAL}"}, {"dial": f"{DIAL}\r\nX: y"}, {"context": "a,b"},
        {"context": ""}, {"caller_id": "SOS <1>"}, {"ring_s": 0}, {"ring_s": float("nan")}, {"talk_s": 1e9},
        {"variables": {"lower": "1"}}, {"variables": {"SPOKEN_1": "a,b"}}, {"variables": {"SPOKEN_1": "a=b"}},
        {"variables": {"SPOKEN_1": "${SHELL(id)}"}}, {"variables": {"SPOKEN_1": "a\r\nAction: b"}},
        {"variables": {"FUNC(X)": "1"}}, {"variables": {"SPOKEN_1": "a" * 901}},
    ],
)  # fmt: skip
def test_nothing_odd_reaches_asterisk(house: House, changes: dict[str, Any]):
    assert isinstance(failure_of(house.call(**changes)), Malformed)
    assert house.server.actions == []
    assert house.clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    "name", ["", "ko/A", "ko/1&ko/2", "../etc", "ko//1", "/1", "ko/1,", "ko/${X}", "ko/1\n", "공"]
)
def test_a_prompt_has_a_plain_name(name: str):
    with pytest.raises(Malformed):
        spoken_variables(["ko/1", name], confirm_digit="1")


def test_many_prompts_go_in_parts_and_keep_their_order():
    names = [f"ko/{number}" for number in range(45)]

    variables = spoken_variables(names, confirm_digit="1", repeat_digit="2")

    parts = [variables[f"SPOKEN_{number}"] for number in (1, 2, 3)]
    assert "&".join(parts).split("&") == names
    assert [len(part.split("&")) for part in parts] == [20, 20, 5]
    assert "SPOKEN_4" not in variables


def test_without_a_prompt_there_is_no_call():
    with pytest.raises(Malformed):
        spoken_variables([], confirm_digit="1")


# Whatever comes.

_WORDS = st.text(alphabet=string.printable, max_size=12)
_FIELDS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "Event",
                "Response",
                "Reason",
                "Uniqueid",
                "ActionID",
                "UserEvent",
                "Ticket",
                "Digit",
                "ChannelStateDesc",
            ]
        ),
        _WORDS | st.sampled_from(["Success", "Failure", "Up", "Spoken", "voice-1-originate"]),
    ),
    max_size=8,
)


@given(
    st.lists(
        st.tuples(st.sampled_from(["OriginateResponse", "UserEvent", "Hangup", "DTMFEnd", ""]), _FIELDS),
        max_size=8,
    )
)
def test_no_event_raises_and_every_call_ends(packets: list[tuple[str, list[tuple[str, str]]]]):
    house = House()
    calling = house.call()

    for event, fields in packets:
        house.say(event, *fields)
    # It may have been answered at the last moment, so the bound of talking comes on top of that of ringing.
    house.clock.pump([1.0] * int(RING_S + TALK_S + 2 * GRACE_S))

    assert isinstance(result_of(calling), CallOutcome)
    assert house.clock.getDelayedCalls() == []
    assert house.calls._placed == {}


def test_a_call_that_an_earlier_process_left_is_hung_up_and_no_other():
    house = House()
    calling = house.call()
    mine = f"spoken-me-{house.server.ticket}"
    others = ("spoken-me-0123", "spoken-you-0123", "voice-1-1763900000.12", mine)

    house.calls.standing(house.server, [Packet((("Uniqueid", uniqueid),)) for uniqueid in others])

    assert house.server.hung_up == ["spoken-me-0123"]
    assert is_waiting(calling)


def test_a_stop_ends_the_calls_that_would_not_be_listened_to():
    house = House()
    house.call()

    house.calls.hang_up_all()

    assert house.server.hung_up == [f"spoken-me-{house.server.ticket}"]


class News:
    """What has changed, as the test says."""

    def __init__(self) -> None:
        self.changes: list[dict[str, str] | Exception | None] = []

    async def __call__(self) -> dict[str, str] | None:
        change = self.changes.pop(0) if self.changes else {}
        if isinstance(change, Exception):
            raise change
        return change


def set_on(server: Server) -> list[dict[str, str]]:
    return [dict(fields) for name, fields in server.actions if name == "Setvar"]


def test_what_changes_while_a_call_stands_is_told_to_its_channel(house: House):
    news = News()
    calling = house.call(news=news)
    house.clock.advance(NEWS_S)
    assert set_on(house.server) == []

    news.changes = [Unavailable("store: locked"), {"SPOKEN_1": "ko/police"}]
    house.clock.pump([NEWS_S] * 3)

    channel = f"spoken-me-{house.server.ticket}"
    assert set_on(house.server) == [{"Channel": channel, "Variable": "SPOKEN_1", "Value": "ko/police"}]
    house.answered()
    house.spoken("1")
    assert result_of(calling).digit == "1"
    assert house.clock.getDelayedCalls() == []


def test_a_change_that_asterisk_does_not_take_is_told_again(house: House):
    news = News()
    calling = house.call(news=news)
    news.changes = [{"SPOKEN_1": "ko/police"}]
    house.server.answer = fail(Unavailable("no answer"))

    house.clock.pump([NEWS_S] * 2)

    assert len(set_on(house.server)) == 2
    house.hung_up("Up")
    assert result_of(calling).answered


def test_a_call_that_is_over_while_it_rings_is_hung_up(house: House):
    news = News()
    calling = house.call(news=news)
    news.changes = [None]
    house.server.gone = False
    house.clock.advance(NEWS_S)

    assert house.server.hung_up == [f"spoken-me-{house.server.ticket}"]
    house.not_answered("0")
    house.clock.advance(CAUSE_S)
    outcome = result_of(calling)
    assert (outcome.end, outcome.detail) == (End.NO_ANSWER, "hung up by us while it rang: it was over")
    assert house.clock.getDelayedCalls() == []


def test_a_call_that_ended_before_it_could_be_hung_up_has_its_own_outcome(house: House):
    news = News()
    calling = house.call(news=news)
    news.changes = [None]
    house.clock.advance(NEWS_S)

    house.not_answered("5")

    assert result_of(calling).detail == "busy"


def test_a_call_that_is_over_once_answered_ends_with_its_last_words(house: House):
    news = News()
    calling = house.call(news=news)
    house.answered()
    news.changes = [{}, None]
    house.clock.pump([NEWS_S] * 4)

    redirects = [dict(fields) for name, fields in house.server.actions if name == "Redirect"]
    assert redirects == [
        {
            "Channel": f"spoken-me-{house.server.ticket}",
            "Context": "guardian",
            "Exten": "over",
            "Priority": "1",
        }
    ]
    house.spoken("")
    outcome = result_of(calling)
    assert (outcome.answered, outcome.digit) == (True, "")
    assert house.server.hung_up == []


def test_a_call_that_could_not_be_ended_is_ended_a_second_later(house: House):
    news = News()
    house.call(news=news)
    house.answered()
    news.changes = [None, None]
    house.server.answer = fail(Unavailable("no answer"))

    house.clock.pump([NEWS_S] * 3)

    assert [name for name, _ in house.server.actions] == ["Originate", "Redirect", "Redirect"]
