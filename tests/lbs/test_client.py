"""A locator asks once, and again where the answer says how; it returns and never raises."""

from __future__ import annotations

from dataclasses import replace

import pytest
from twisted.internet.defer import CancelledError, Deferred

from telephony.alarms import HOLD_S
from telephony.domain.facts import NotReached
from telephony.domain.locating import kind_of
from telephony.domain.ports import ACCURATE, FAST, NoFix
from telephony.domain.position import Position
from telephony.domain.values import Msisdn
from telephony.lab.centre.http_server import LabResponse
from telephony.lbs.client import LARGE_ANSWER, CarrierLocators
from telephony.net.http.client import HttpFailed

HOME = (37.5665, 126.9778)


@pytest.fixture
def skt(carrier):
    skt = carrier("skt")
    skt.server.place("821000000001", *HOME)
    return skt


def test_a_fast_question_gives_the_cell_and_an_accurate_one_the_satellites(skt, seconds, caller):
    fast, _ = seconds(skt.locator.locate(caller, FAST))
    accurate, _ = seconds(skt.locator.locate(caller, ACCURATE))

    assert (fast.method, fast.uncertainty_m, fast.confidence) == ("cell", 350, 67)
    assert (accurate.method, accurate.uncertainty_m, accurate.confidence) == ("gnss", 20, 90)
    assert fast.source == "lbs:skt"
    first, second = skt.server.requests
    assert (first.service, first.resp_req, first.resp_timer, first.hor_acc, first.loc_type) == (
        ("eme_lir", "LOW_DELAY", "4", "500", "CURRENT_OR_LAST")
    )
    assert (second.resp_req, second.resp_timer, second.hor_acc, second.loc_type) == (
        ("DELAY_TOL", "25", "50", "CURRENT")
    )
    assert first.password == "secret"


def test_content_type_and_budget_are_those_of_the_profile(skt, http, seconds, caller):
    seconds(skt.locator.locate(caller, FAST))
    _, _, headers, timeout_s = http.posts[0]
    assert headers == {"Content-Type": "application/xml; charset=UTF-8"}
    assert timeout_s == 6.0


@pytest.mark.parametrize("msisdn", [Msisdn("", is_e164=False), Msisdn("112", is_e164=False)])
def test_a_caller_without_a_number_is_not_asked_for(skt, seconds, msisdn):
    answer, _ = seconds(skt.locator.locate(msisdn, FAST))
    assert answer == NoFix("the caller has no number that a location server knows")
    assert not skt.server.requests


def test_where_eme_lir_is_not_supported_slir_is_asked_and_remembered(carrier, seconds, caller):
    skt = carrier(lab={"services": ("slir",)})
    skt.server.place("821000000001", *HOME)

    first, _ = seconds(skt.locator.locate(caller, FAST))
    second, _ = seconds(skt.locator.locate(caller, FAST))

    assert isinstance(first, Position)
    assert isinstance(second, Position)
    assert [(r.service, r.prio) for r in skt.server.requests] == [
        ("eme_lir", ""),
        ("slir", "HIGH"),
        ("slir", "HIGH"),
    ]


def test_an_unknown_service_by_http_404_and_gem_leads_to_slir_too(skt, seconds, caller):
    skt.server.gem(108, status=404, times=1)
    answer, _ = seconds(skt.locator.locate(caller, FAST))
    assert isinstance(answer, Position)
    assert [r.service for r in skt.server.requests] == ["eme_lir", "slir"]


def test_where_neither_service_is_supported_it_is_said(carrier, seconds, caller):
    skt = carrier(lab={"services": ()})
    answer, _ = seconds(skt.locator.locate(caller, FAST))
    assert answer == NoFix("108 SERVICE NOT SUPPORTED")
    assert len(skt.server.requests) == 2


@pytest.mark.parametrize("resid", [107, 109, 112, 113])
def test_what_a_server_does_not_support_is_left_out_once(skt, seconds, caller, resid):
    skt.server.result(resid, times=1)
    answer, _ = seconds(skt.locator.locate(caller, FAST))
    assert isinstance(answer, Position)
    assert [r.is_bare for r in skt.server.requests] == [False, True]

    skt.server.result(resid)
    answer, _ = seconds(skt.locator.locate(caller, FAST))
    assert answer.retry_after_s is None
    assert len(skt.server.requests) == 4


@pytest.mark.parametrize("resid", [6, 201])
def test_where_the_quality_cannot_be_had_any_position_is_asked_for(skt, seconds, caller, resid):
    skt.server.result(resid, level="position", times=1)
    answer, _ = seconds(skt.locator.locate(caller, ACCURATE))
    assert isinstance(answer, Position)
    assert [(r.hor_acc, r.loc_type) for r in skt.server.requests] == [
        ("50", "CURRENT"),
        ("", "CURRENT_OR_LAST"),
    ]


def test_of_an_absent_phone_the_last_position_is_asked_for_with_its_age(skt, clock, seconds, caller):
    skt.server.switch_off("821000000001")
    clock.advance(600)

    answer, _ = seconds(skt.locator.locate(caller, ACCURATE))

    assert [r.loc_type for r in skt.server.requests] == ["CURRENT", "LAST"]
    assert 599 <= (answer.received_at - answer.fixed_at).total_seconds() <= 602


def test_a_phone_of_which_not_even_the_last_position_is_known_is_asked_for_again_later(skt, seconds, caller):
    skt.server.result(5)
    answer, _ = seconds(skt.locator.locate(caller, FAST))
    assert answer == NoFix("5 ABSENT SUBSCRIBER", retry_after_s=5.0, not_reached=NotReached.ABSENT)
    assert len(skt.server.requests) == 2


def test_several_hints_are_followed_one_after_the_other_and_then_it_ends(skt, seconds, caller):
    replies = iter([108, 201, 5, 112, 5, 201, 107])
    original = skt.server._handle

    def hinting(request):
        skt.server.result(next(replies))
        return original(request)

    skt.locator._http.ends[skt.url] = hinting
    answer, _ = seconds(skt.locator.locate(caller, ACCURATE))
    assert answer == NoFix("5 ABSENT SUBSCRIBER", retry_after_s=5.0, not_reached=NotReached.ABSENT)
    assert [(r.service, r.loc_type, r.is_bare) for r in skt.server.requests] == [
        ("eme_lir", "CURRENT", False),
        ("slir", "CURRENT", False),
        ("slir", "CURRENT_OR_LAST", False),
        ("slir", "LAST", False),
        ("slir", "CURRENT", True),
    ]


@pytest.mark.parametrize("resid", [0, *range(1, 8), *range(99, 120), *range(199, 210), 300, 503, 605, 9999])
@pytest.mark.parametrize("level", ["message", "position"])
def test_whatever_the_result_id_there_is_an_answer_within_the_budget(skt, seconds, caller, resid, level):
    skt.server.result(resid, level)
    answer, took_s = seconds(skt.locator.locate(caller, FAST))
    assert isinstance(answer, NoFix)
    assert took_s <= 6.1
    assert answer.is_unknown_subscriber == (resid == 4)
    hopeless = {3, 4, 103, 104, 105, 106, 107, 108, 109, *range(110, 118), 202, 204, 207}
    assert (answer.retry_after_s is None) == (resid in hopeless)


def test_the_lists_of_the_profile_decide_which_results_are_worth_another_try(carrier, seconds, caller):
    lgu = carrier("lgu", retryable_results=(503,), unknown_subscriber_results=(4, 560), retry_after_s=2)
    outcomes = {}
    for resid in (1, 4, 503, 504, 560):
        lgu.server.result(resid)
        outcomes[resid], _ = seconds(lgu.locator.locate(caller, FAST))

    assert {resid for resid, answer in outcomes.items() if answer.retry_after_s == 2} == {503}
    assert {resid for resid, answer in outcomes.items() if answer.is_unknown_subscriber} == {4, 560}


@pytest.mark.parametrize(("retryable", "is_worth_it"), [((1,), True), ((2,), False), ((208,), True)])
def test_the_result_of_another_protocol_counts_as_a_system_failure(
    carrier, seconds, caller, retryable, is_worth_it
):
    skt = carrier(retryable_results=retryable)
    skt.server.result(208)
    answer, _ = seconds(skt.locator.locate(caller, FAST))
    assert (answer.retry_after_s is not None) == is_worth_it


def test_settings_that_are_wrong_are_named(carrier, seconds, caller):
    old = carrier("kt", lab={"versions": ("3.0.0",), "password": "secret"})
    answer, _ = seconds(old.locator.locate(caller, FAST))
    assert answer == NoFix("103 UNSUPPORTED VERSION: set `version` of [carrier.lbs] to another than 3.2.0")

    guarded = carrier("lgu", lab={"password": "other"})
    answer, _ = seconds(guarded.locator.locate(caller, FAST))
    assert "check `client_id`, `password`" in answer.reason
    assert answer.retry_after_s is None


def test_a_password_that_xml_cannot_carry_is_named_and_nothing_is_sent(carrier, seconds, caller):
    skt = carrier(password="\x01")
    answer, _ = seconds(skt.locator.locate(caller, FAST))
    assert "cannot ask" in answer.reason
    assert answer.retry_after_s is None
    assert not skt.server.requests


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (lambda lab: lab.never(), "no answer: time budget over"),
        (lambda lab: lab.late(7), "no answer: time budget over"),
        (lambda lab: lab.hang_up(), "no answer: closed"),
        (lambda lab: lab.truncated(), "no answer: closed"),
        (lambda lab: lab.rubbish(), "unreadable answer: not well-formed XML"),
        (lambda lab: lab.cut_xml(), "unreadable answer: not well-formed XML"),
        (lambda lab: lab.entity_bomb(), "unreadable answer: XML that brings a DTD of its own"),
        (lambda lab: lab.http_status(200), "unreadable answer: neither svc_result nor gem"),
        (lambda lab: lab.http_status(404), "HTTP 404"),
        (lambda lab: lab.http_status(500), "HTTP 500"),
        (lambda lab: lab.http_status(503), "HTTP 503"),
        (lambda lab: lab.http_status(302), "HTTP 302"),
        (lambda lab: lab.zero_zero(), "no position in the answer: 0,0 is how"),
        (lambda lab: lab.nan(), "no position in the answer: a coordinate is neither"),
        (lambda lab: lab.other_target(), "no position in the answer: a position of another number"),
        (lambda lab: lab.no_position(), "no position in the answer"),
    ],
)
def test_every_trouble_that_may_pass_is_worth_another_try(skt, seconds, caller, trouble, reason):
    trouble(skt.server)
    answer, took_s = seconds(skt.locator.locate(caller, FAST))
    assert answer.reason.startswith(reason)
    assert answer.retry_after_s == 5.0
    assert not answer.is_unknown_subscriber
    assert took_s <= 6.1


def test_refused_credentials_and_a_promise_to_push_are_not_worth_another_try(skt, seconds, caller):
    skt.server.http_status(401)
    refused, _ = seconds(skt.locator.locate(caller, FAST))
    skt.server.deferred()
    pushed, _ = seconds(skt.locator.locate(caller, FAST))

    assert refused.reason.startswith("HTTP 401")
    assert pushed.reason.startswith("the server wants to answer later")
    assert refused.retry_after_s is None
    assert pushed.retry_after_s is None


def test_an_answer_that_lacks_its_last_octets_is_used_where_the_position_is_whole(skt, seconds, caller):
    skt.server.length_too_large(2)
    whole, _ = seconds(skt.locator.locate(caller, FAST))
    skt.server.truncated(300)
    cut, _ = seconds(skt.locator.locate(caller, FAST))

    assert whole.uncertainty_m == 350
    assert cut == NoFix("no answer: closed", retry_after_s=5.0)


def test_a_large_answer_is_read_on_a_thread_and_a_usual_one_at_once(skt, seconds, caller):
    skt.reader.hold()
    usual, _ = seconds(skt.locator.locate(caller, FAST))
    skt.server.padded(LARGE_ANSWER)
    outcome = []
    Deferred.fromCoroutine(skt.locator.locate(caller, FAST)).addBoth(outcome.append)
    skt.clock.advance(5)
    assert outcome == []

    skt.reader.release()

    assert isinstance(usual, Position)
    assert replace(outcome[0], fixed_at=usual.fixed_at, received_at=usual.received_at) == usual


def test_a_large_answer_that_makes_no_sense_is_no_position(skt, seconds, caller):
    skt.server.rubbish_of(2 * LARGE_ANSWER)
    answer, _ = seconds(skt.locator.locate(caller, FAST))
    assert answer.reason.startswith("unreadable answer")


@pytest.mark.parametrize("status", [401, 403, 407])
def test_a_server_or_a_proxy_that_refuses_us_is_not_asked_again(skt, seconds, caller, status):
    skt.server.http_status(status)
    refused, _ = seconds(skt.locator.locate(caller, FAST))
    assert refused.reason.startswith(f"HTTP {status}")
    assert refused.retry_after_s is None


def off(carrier):
    return {alarm.about: alarm.facts["ahead_s"] for alarm in carrier.alarms.standing()}


def test_a_clock_that_is_off_is_said_once_and_its_times_are_not_believed(skt, clock, seconds, caller):
    skt.server.clock_off(3600)
    for _ in range(3):
        answer, _ = seconds(skt.locator.locate(caller, FAST))
        assert answer.fixed_at is None
        assert off(skt) == {"lbs:skt": 3600}

    skt.server.behave()
    for _ in range(2):
        seconds(skt.locator.locate(caller, FAST))
        clock.advance(HOLD_S)
        assert off(skt) != {}
    seconds(skt.locator.locate(caller, FAST))
    clock.advance(HOLD_S)
    assert off(skt) == {}


def test_a_clock_a_little_ahead_is_said_when_it_stays_so(skt, seconds, caller):
    skt.server.clock_off(60)
    for times in range(1, 4):
        answer, _ = seconds(skt.locator.locate(caller, FAST))
        assert answer.fixed_at == answer.received_at
        assert off(skt) == ({"lbs:skt": 60} if times == 3 else {})


def test_a_few_seconds_or_an_old_fix_say_nothing_of_a_clock(skt, clock, seconds, caller):
    for ahead_s in (5, -3600):
        skt.server.clock_off(ahead_s)
        for _ in range(5):
            seconds(skt.locator.locate(caller, FAST))
    assert off(skt) == {}


def test_an_answer_without_a_time_gives_a_position_of_unknown_age(skt, seconds, caller):
    skt.server.no_time()
    answer, _ = seconds(skt.locator.locate(caller, FAST))
    assert (answer.fixed_at, answer.uncertainty_m) == (None, 350)
    assert off(skt) == {}


def test_a_position_beside_errors_is_used(skt, http, seconds, caller):
    """A message is neither all good nor all bad; of several positions the one that says most is given."""
    circle = (
        "<pos><msid>821000000001</msid><pd><shape><CircularArea><coord><X>37.5</X><Y>127.0</Y></coord>"
        "<radius>{}</radius></CircularArea></shape></pd></pos>"
    )
    failed = "<pos><msid>821000000001</msid><poserr><result resid='6'/></poserr></pos>"
    body = f"<svc_result><slia>{circle.format(900)}{failed}{circle.format(60)}</slia></svc_result>"
    http.ends[skt.url] = lambda _: LabResponse(200, body.encode())

    answer, _ = seconds(skt.locator.locate(caller, FAST))

    assert answer.uncertainty_m == 60


def test_a_second_question_keeps_within_what_is_left_of_the_budget(skt, http, seconds, caller):
    skt.server.result(201)
    original = skt.server._handle

    def slow(request):
        return LabResponse(200, original(request).body, delay_s=3.5)

    http.ends[skt.url] = slow
    answer, took_s = seconds(skt.locator.locate(caller, FAST))

    assert answer.reason == "no answer: time budget over"
    assert took_s == pytest.approx(6.0, abs=0.2)
    assert [r.resp_timer for r in skt.server.requests] == ["4", "2"]


def test_with_no_time_left_there_is_no_second_question(skt, http, seconds, caller):
    skt.server.result(201)
    original = skt.server._handle
    http.ends[skt.url] = lambda request: LabResponse(200, original(request).body, delay_s=5.5)

    answer, _ = seconds(skt.locator.locate(caller, FAST))

    assert answer == NoFix("201 QOP NOT ATTAINABLE", retry_after_s=5.0, not_reached=NotReached.NOT_LOCATED)
    assert len(skt.server.requests) == 1


def test_a_refused_connection_is_worth_another_try(skt, http, seconds, caller):
    http.ends[skt.url] = lambda _: HttpFailed("connection refused", sent=False)
    answer, _ = seconds(skt.locator.locate(caller, FAST))
    assert answer == NoFix("no answer: connection refused", retry_after_s=5.0)


def test_no_reason_holds_the_number(skt, http, seconds, caller):
    for resid in (503, 105, 4):
        body = f'<gem><result resid="{resid}">no {caller.number}</result><add_info>{caller.number}</add_info></gem>'
        http.ends[skt.url] = lambda _, body=body: LabResponse(200, body.encode())
        answer, _ = seconds(skt.locator.locate(caller, FAST))
        assert "0000" not in answer.reason


# Several carriers


@pytest.fixture
def three(carrier, clock):
    carriers = {name: carrier(name) for name in ("skt", "kt", "lgu")}
    locators = CarrierLocators({name: one.locator for name, one in carriers.items()}, clock)
    return carriers, locators


def test_every_carrier_that_is_asked_is_told_of_with_its_answer(three, seconds, caller):
    carriers, locators = three
    carriers["lgu"].server.place(caller.number, *HOME)
    told: list[tuple[str, str]] = []

    def asking(carrier):
        told.append((carrier, "asked"))
        return lambda found: told.append((carrier, kind_of(found).value))

    seconds(locators.locate(caller, FAST, "skt", asking))

    assert told[:2] == [("skt", "asked"), ("skt", "unknown")]
    assert set(told[2:]) >= {("kt", "asked"), ("lgu", "asked"), ("lgu", "found")}


def test_the_carrier_of_the_press_is_asked_alone_while_it_knows_the_number(three, seconds, caller):
    carriers, locators = three
    for one in carriers.values():
        one.server.place(caller.number, *HOME)

    answer, _ = seconds(locators.locate(caller, FAST, "kt"))

    assert answer.source == "lbs:kt"
    assert [len(one.server.requests) for one in carriers.values()] == [0, 1, 0]


def test_a_ported_number_is_found_at_the_carrier_that_has_it_now(three, seconds, caller):
    carriers, locators = three
    carriers["lgu"].server.place(caller.number, *HOME)

    answer, _ = seconds(locators.locate(caller, FAST, "skt"))

    assert answer.source == "lbs:lgu"
    assert [len(one.server.requests) for one in carriers.values()] == [1, 1, 1]


def test_the_others_are_asked_at_the_same_time_and_the_best_answer_is_taken(three, seconds, caller):
    carriers, locators = three
    carriers["kt"].server.place(caller.number, *HOME, radius_m=2000)
    carriers["lgu"].server.place(caller.number, *HOME, radius_m=200)
    carriers["kt"].server.late(2.0)
    carriers["lgu"].server.late(2.5)

    answer, took_s = seconds(locators.locate(caller, FAST, "skt"))

    assert answer.source == "lbs:lgu"
    assert took_s < 3.0


def test_no_timer_is_left_when_the_others_answer_within_the_grace(three, clock, seconds, caller):
    carriers, locators = three
    for name, late_s in (("kt", 0.1), ("lgu", 0.4)):
        carriers[name].server.place(caller.number, *HOME)
        carriers[name].server.late(late_s)

    answer, took_s = seconds(locators.locate(caller, FAST, "skt"))

    assert isinstance(answer, Position)
    assert took_s < 0.8
    assert not [call for call in clock.getDelayedCalls() if call.func.__name__ == "_finish"]
    clock.advance(10)  # a timer left behind would answer a second time, and raise


def test_a_carrier_that_hangs_does_not_hold_up_the_position_of_another(three, http, seconds, caller):
    carriers, locators = three
    carriers["kt"].server.never()
    carriers["lgu"].server.place(caller.number, *HOME)

    answer, took_s = seconds(locators.locate(caller, ACCURATE, "skt"))

    assert answer.source == "lbs:lgu"
    assert took_s < 1.5
    assert http.cancelled == 1


def test_trouble_that_may_pass_is_no_reason_to_ask_the_others(three, seconds, caller):
    carriers, locators = three
    carriers["skt"].server.http_status(503)

    answer, _ = seconds(locators.locate(caller, FAST, "skt"))

    assert answer == NoFix("HTTP 503", retry_after_s=5.0)
    assert not carriers["kt"].server.requests


def test_a_number_that_no_carrier_knows_is_unknown(three, seconds, caller):
    _, locators = three
    answer, _ = seconds(locators.locate(caller, FAST, "skt"))
    assert answer == NoFix("4 UNKNOWN SUBSCRIBER", is_unknown_subscriber=True)


def test_where_another_carrier_could_not_be_asked_it_is_worth_another_try(three, seconds, caller):
    carriers, locators = three
    carriers["kt"].server.http_status(503)
    answer, _ = seconds(locators.locate(caller, FAST, "skt"))
    assert answer == NoFix("HTTP 503", retry_after_s=5.0)


def test_the_press_of_a_carrier_without_a_location_service_is_located_by_the_others(three, seconds, caller):
    carriers, locators = three
    carriers["kt"].server.place(caller.number, *HOME)
    answer, _ = seconds(locators.locate(caller, FAST, "mvno"))
    assert answer.source == "lbs:kt"


def test_without_any_location_service_it_is_said(clock, seconds, caller):
    answer, _ = seconds(CarrierLocators({}, clock).locate(caller, FAST, "skt"))
    assert answer == NoFix("skt has no location service", is_unknown_subscriber=True, is_without_service=True)


def test_a_locator_with_a_fault_costs_nobody_elses_answer(three, clock, seconds, caller):
    class Faulty:
        async def locate(self, msisdn, quality):
            raise RuntimeError("a fault of ours")

    carriers, _ = three
    carriers["lgu"].server.place(caller.number, *HOME)
    locators = CarrierLocators(
        {"skt": carriers["skt"].locator, "kt": Faulty(), "lgu": carriers["lgu"].locator}, clock
    )

    answer, _ = seconds(locators.locate(caller, FAST, "skt"))
    own, _ = seconds(locators.locate(caller, FAST, "kt"))

    assert answer.source == "lbs:lgu"
    assert own.retry_after_s is not None


@pytest.mark.parametrize("wait_s", [0.01, 0.5])
def test_giving_up_gives_up_every_question_under_way(three, clock, http, caller, wait_s):
    carriers, locators = three
    for one in carriers.values():
        one.server.late(0.1)
    carriers["kt"].server.never()
    carriers["lgu"].server.never()
    failures = []
    asking = Deferred.fromCoroutine(locators.locate(caller, ACCURATE, "skt"))
    asking.addErrback(lambda failure: failures.append(failure.trap(CancelledError)))
    clock.pump([wait_s / 10] * 10)

    asking.cancel()

    assert failures == [CancelledError]
    assert http.cancelled == (1 if wait_s < 0.1 else 2)
    assert not [call for call in clock.getDelayedCalls() if call.func.__name__ == "_finish"]


# -- whose silence it is ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resid", "why"),
    [(5, NotReached.ABSENT), (6, NotReached.NOT_LOCATED), (201, NotReached.NOT_LOCATED)]
    + [(resid, None) for resid in (1, 2, 3, 4, 7, 101, 103, 107, 202, 203, 207, 208, 503)],
)
def test_only_results_about_the_phone_say_that_it_does_not_answer(skt, seconds, caller, resid, why):
    skt.server.result(resid)

    answer, _ = seconds(skt.locator.locate(caller, ACCURATE))

    assert answer.not_reached is why
