"""What becomes of a report at the centre's door: acknowledged, tried again, or refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from telephony.alarms import HOLD_S, Alarms
from telephony.domain.delivery import ALERT, CLOSING, UPDATE, Delivered, Rejected, Retry
from telephony.domain.facts import FactKind
from telephony.domain.heartbeat import Heartbeat, HouseState, Owing
from telephony.domain.position import Position
from telephony.domain.report import EarlierReport, Report
from telephony.domain.values import Msisdn
from telephony.lab.centre.http_server import LabHttpServer, LabResponse
from telephony.lab.centre.psap import LabPsap
from telephony.net.http.client import HttpClient, HttpFailed, HttpResponse
from telephony.psap.client import (
    ALARM,
    MOST_DOUBTS,
    MOST_REFUSALS,
    CapHttpSender,
    outcome_of,
    outcome_of_part,
)
from telephony.psap.settings import CapHttpChannel, Psap
from telephony.store.fact_rows import from_data
from tests.doubles import KST

NOW = datetime(2026, 11, 23, 6, 5, 2, tzinfo=UTC)

REPORT = Report(
    report_id="I-1",
    kind=ALERT,
    incident_id="I",
    sequence=1,
    earlier=(),
    sent_at=NOW,
    test=False,
    msisdn=Msisdn("821000000001"),
    carrier="skt",
    source="sms",
    destination="112",
    opened_at=NOW,
    press_count=1,
    last_press_at=NOW,
)
UPDATE_REPORT = replace(
    REPORT, report_id="I-2", kind=UPDATE, sequence=2, earlier=(EarlierReport("I-1", NOW),)
)


def cap_answer(msg_type, note):
    return (
        '<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>c-1</identifier>'
        f"<msgType>{msg_type}</msgType><note>{note}</note></alert>"
    ).encode()


def answered(status, body=b"", report=REPORT, **headers):
    lines = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())
    return outcome_of(HttpResponse(status, lines, body), report)


class TestWhatAnAnswerMeans:
    @pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
    def test_any_2xx_is_the_acknowledgement(self, status):
        assert answered(status) == Delivered(str(status))

    def test_an_ack_in_the_body_is_kept_for_the_story(self):
        assert answered(200, cap_answer("Ack", "desk 7")) == Delivered("200 Ack desk 7")
        assert answered(200, cap_answer("Ack", "")) == Delivered("200 Ack")

    @pytest.mark.parametrize("body", [b"OK", b"<html><h1>Thank you</h1></html>", b'{"status": "ok"}'])
    def test_words_that_are_no_cap_and_no_error_take_nothing_from_a_2xx(self, body):
        assert answered(200, body) == Delivered("200")

    @pytest.mark.parametrize("report", [REPORT, UPDATE_REPORT], ids=["alert", "update"])
    def test_cap_that_is_not_plainly_an_ack_of_this_report_is_tried_again(self, report):
        for body, reason in (
            (b"<alert", "its answer in CAP cannot be read"),
            (cap_answer("Alert", ""), "it answered in CAP with neither Ack nor Error"),
            (
                cap_answer("Ack", "</note><references>x,I-11,y</references><note>"),
                "it answered with a CAP Ack of another report",
            ),
        ):
            assert answered(200, body, report) == Retry(
                f"the centre answered 200, but {reason}", is_doubtful=True
            )

    @pytest.mark.parametrize("report", [REPORT, UPDATE_REPORT], ids=["alert", "update"])
    def test_a_failure_in_words_of_its_own_is_tried_again_like_a_status(self, report):
        outcome = answered(201, b'{"status": "error", "message": "no database"}', report, retry_after="4")
        assert outcome == Retry("the centre answered 201 and an error: no database", 4.0)

    @pytest.mark.parametrize(
        "status", [100, 301, 400, 401, 403, 404, 408, 409, 413, 422, 425, 429, 500, 502, 503, 599]
    )
    def test_every_other_status_is_tried_again_and_named(self, status):
        assert answered(status) == Retry(f"the centre answered {status}", None)

    def test_an_error_to_an_alert_is_tried_again(self):
        outcome = answered(200, cap_answer("Error", "no such area"))
        assert outcome == Retry("the centre answered with a CAP Error: no such area")

    @pytest.mark.parametrize("kind", [UPDATE, CLOSING])
    def test_an_error_to_what_follows_holds_nothing_up(self, kind):
        outcome = answered(200, cap_answer("Error", ""), replace(UPDATE_REPORT, kind=kind))
        assert outcome == Rejected("the centre answered with a CAP Error: no reason given")

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("7", 7.0),
            ("0", 1.0),
            ("3600", 15.0),
            ("9" * 400, 15.0),
            ("Wed, 21 Oct 2026 07:28:00 GMT", 15.0),
            ("-1", 15.0),
            (" ", None),
            ("", None),
        ],
    )
    def test_retry_after_is_honoured_within_bounds(self, value, seconds):
        assert answered(503, retry_after=value) == Retry("the centre answered 503", seconds)

    def test_cap_that_is_whole_counts_although_more_octets_were_announced(self):
        def ended_early(status, body, report=REPORT):
            part = HttpResponse(status, (), body)
            return outcome_of_part(HttpFailed("closed", sent=True, partial=part), report)

        error = cap_answer("Error", "no")
        assert ended_early(200, cap_answer("Ack", "desk 7")) == Delivered("200 Ack desk 7")
        assert ended_early(200, error) == answered(200, error)
        assert isinstance(ended_early(200, error, UPDATE_REPORT), Rejected)
        for body in (cap_answer("Ack", "desk 7")[:-3], b"OK"):
            assert ended_early(200, body) == Retry("the centre answered 200, but: closed", is_doubtful=True)
        assert ended_early(503, cap_answer("Ack", "")) == Retry("closed")
        assert outcome_of_part(HttpFailed("refused", sent=False), REPORT) == Retry("refused")


class Door:
    """A sender, and the centre behind the door it knocks at."""

    def __init__(self):
        self.http = HttpClient(reactor)
        self.clock = Clock()
        self.alarms = Alarms(self.clock)
        self.centre = LabPsap(reactor)

    async def open(self, timeout_s=60.0):
        await self.centre.listen()
        self.channel = CapHttpChannel(name="main", url=self.centre.url, timeout_s=timeout_s)
        self.psap = Psap(
            name="seoul", addresses="112.example", sender="relay.example", channel=(self.channel,)
        )
        return self.sender()

    def sender(self, authorization=None):
        return CapHttpSender(self.channel, self.psap, self.http, authorization, alarms=self.alarms, zone=KST)

    async def close(self):
        await self.http.close()
        await self.centre.close()


@pytest.fixture
def door():
    place = Door()
    yield place
    pytest_twisted.blockon(Deferred.fromCoroutine(place.close()))


@pytest_twisted.ensureDeferred
async def test_a_report_arrives_whole_and_is_acknowledged(door):
    sender = await door.open()
    assert await sender.send(REPORT) == Delivered("200")
    (received,) = door.centre.reports
    assert received.is_valid
    assert (received.identifier, received.key, received.msg_type) == ("I-1", "I-1", "Alert")


@pytest_twisted.ensureDeferred
async def test_a_retry_repeats_key_and_content(door):
    """The centre took it and the answer was lost: it must be able to see that it knows the report."""
    sender = await door.open()
    door.centre.drop_after_receiving()
    assert await sender.send(REPORT) == Retry("closed before any answer")
    await door.centre.come_back()
    assert await sender.send(REPORT) == Delivered("200")
    assert len(door.centre.reports) == 1
    assert door.centre.repeats == 1
    assert door.centre.violations == []


@pytest_twisted.ensureDeferred
async def test_doubtful_answers_raise_one_alarm_until_the_centre_acknowledges(door):
    sender = await door.open()
    door.centre.answer(200, cap_answer("Update", ""))
    for _ in range(3):
        assert isinstance(await sender.send(REPORT), Retry)
    (alarm,) = door.alarms.standing()
    assert (alarm.name, alarm.about, alarm.count) == (ALARM, "main", 3)
    door.centre.refuse(503)
    await sender.send(REPORT)
    assert door.alarms.standing() == [alarm]
    door.centre.answer(200, cap_answer("Ack", ""))
    assert isinstance(await sender.send(REPORT), Delivered)
    door.clock.advance(HOLD_S)
    assert door.alarms.standing() == []


@pytest_twisted.ensureDeferred
async def test_doubt_never_ends_the_attempts_of_an_alert_and_frees_the_way_after_an_update(door):
    """An update says everything again; an alert has nothing behind it that could take its place."""
    sender = await door.open()
    door.centre.answer(200, cap_answer("Ack", "</note><references>x,I-7,y</references><note>"))
    for _ in range(3 * MOST_DOUBTS):
        assert isinstance(await sender.send(REPORT), Retry)
    for report in (UPDATE_REPORT, replace(UPDATE_REPORT, report_id="I-3", kind=CLOSING)):
        outcomes = [await sender.send(report) for _ in range(MOST_DOUBTS)]
        assert [type(each) for each in outcomes] == [Retry] * (MOST_DOUBTS - 1) + [Rejected]


LONG_UPDATE = replace(
    UPDATE_REPORT,
    texts=tuple(f"text {number} " + "x" * 500 for number in range(20)),
    facts=tuple(
        from_data(FactKind.CALL, f"voice-1/{number}", NOW, {"state": "ended"}) for number in range(100)
    ),
    earlier=tuple(EarlierReport(f"I-{number}", NOW) for number in range(1, 20)),
    position=Position(37.5665, 126.978, 50.0, 95.0, "cell", "lbs:skt", NOW, NOW),
)
CLOSING_REPORT = replace(UPDATE_REPORT, report_id="I-3", kind=CLOSING)


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("report", [UPDATE_REPORT, CLOSING_REPORT])
@pytest_twisted.ensureDeferred
async def test_an_update_that_the_centre_refuses_is_given_up_after_some_tries(door, status, report):
    """It would hold up the next one for ever."""
    sender = await door.open()
    door.centre.refuse(status)

    outcomes = [await sender.send(report) for _ in range(MOST_REFUSALS)]

    assert [type(each) for each in outcomes] == [Retry] * (MOST_REFUSALS - 1) + [Rejected]
    assert outcomes[-1] == Rejected(f"the centre answered {status}")


@pytest.mark.parametrize("status", [400, 413, 422, 404])
@pytest_twisted.ensureDeferred
async def test_an_alert_is_never_given_up_whatever_the_centre_answers(door, status):
    sender = await door.open()
    door.centre.refuse(status)

    for _ in range(5 * MOST_REFUSALS):
        assert isinstance(await sender.send(REPORT), Retry)
    await door.centre.come_back()

    assert await sender.send(REPORT) == Delivered("200")


@pytest.mark.parametrize("status", [401, 403, 404, 405, 408, 429, 500, 503])
@pytest_twisted.ensureDeferred
async def test_what_people_repair_is_waited_for_while_the_centre_takes_nothing(door, status):
    sender = await door.open()
    door.centre.refuse(status)

    for _ in range(5 * MOST_REFUSALS):
        assert isinstance(await sender.send(UPDATE_REPORT), Retry)


@pytest_twisted.ensureDeferred
async def test_a_404_to_one_update_while_others_are_taken_is_a_refusal_of_that_update(door):
    sender = await door.open()
    door.centre.refuse_if(404, lambda octets: b"<identifier>I-2<" in octets)
    assert isinstance(await sender.send(UPDATE_REPORT), Retry)
    assert await sender.send(REPORT) == Delivered("200")

    outcomes = [await sender.send(UPDATE_REPORT) for _ in range(MOST_REFUSALS)]

    assert isinstance(outcomes[-1], Rejected)


@pytest.mark.parametrize("kind", [ALERT, UPDATE, CLOSING])
@pytest.mark.parametrize(
    ("status", "most", "tries"), [(413, 8_000, 2), (413, 3_500, 3), (400, 8_000, 3), (400, 3_500, 5)]
)
@pytest_twisted.ensureDeferred
async def test_what_is_refused_is_sent_again_with_less_in_it_until_it_is_taken(
    door, kind, status, most, tries
):
    """Where it says that the report is too large at once, otherwise at every second refusal."""
    sender = await door.open()
    door.centre.refuse_if(status, lambda octets: len(octets) > most)
    report = replace(LONG_UPDATE, kind=kind)

    outcomes = [await sender.send(report) for _ in range(tries)]

    assert outcomes == [Retry(f"the centre answered {status}")] * (tries - 1) + [Delivered("200")]
    (received,) = door.centre.reports
    assert received.is_valid
    assert received.identifier == "I-2"
    assert received.circle is not None
    assert received.parameters["callback"] == ("tel:+821000000001",)
    assert received.parameters["label"] == ("shortened",)


@pytest_twisted.ensureDeferred
async def test_the_next_report_is_whole_again(door):
    sender = await door.open()
    door.centre.refuse_if(413, lambda octets: len(octets) > 8_000)
    await sender.send(LONG_UPDATE)
    await sender.send(LONG_UPDATE)

    await sender.send(replace(UPDATE_REPORT, report_id="I-3"))

    assert "label" not in door.centre.reports[-1].parameters


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (lambda centre: centre.hang(), "time budget of 2 s over while waiting for the answer"),
        (lambda centre: centre.slow(50), "time budget of 2 s over while waiting for the answer"),
        (lambda centre: centre.answer_rubbish(), "not HTTP"),
        (lambda centre: centre.answer(200, b"long", truncate_at=10), "closed in the middle of the answer"),
        (lambda centre: centre.drop_before_receiving(), "closed before any answer"),
        (lambda centre: centre.refuse(503), "the centre answered 503"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_whatever_the_centre_does_is_a_retry_and_the_next_try_works(door, trouble, reason):
    # Only where nothing else can end it does the time budget: a busy machine is slow to connect too.
    sender = await door.open(2.0 if "budget" in reason else 60.0)
    trouble(door.centre)
    assert await sender.send(REPORT) == Retry(reason)
    await door.centre.come_back()
    assert await sender.send(REPORT) == Delivered("200")


@pytest_twisted.ensureDeferred
async def test_a_centre_that_is_down_is_a_retry(door):
    sender = await door.open()
    await door.centre.go_down()
    assert await sender.send(REPORT) == Retry("connection refused")
    await door.centre.come_back()
    assert await sender.send(REPORT) == Delivered("200")


@pytest_twisted.ensureDeferred
async def test_content_type_and_password_are_sent_as_configured():
    seen = []

    def handle(request):
        seen.append(dict(request.headers))
        return LabResponse(200, cap_answer("Error", "x"))

    port = await LabHttpServer(reactor, handle).listen()
    http = HttpClient(reactor)
    channel = CapHttpChannel(name="main", url=f"http://127.0.0.1:{port.getHost().port}/cap")
    psap = Psap(name="seoul", addresses="112.example", channel=(channel,))

    sender = CapHttpSender(channel, psap, http, "Bearer abc", alarms=Alarms(Clock()), zone=KST)
    outcome = await sender.send(UPDATE_REPORT)

    assert isinstance(outcome, Rejected)
    assert seen[0][b"content-type"] == b"application/cap+xml"
    assert seen[0][b"idempotency-key"] == b"I-2"
    assert seen[0][b"authorization"] == b"Bearer abc"
    await http.close()
    await port.stopListening()


HEARTBEAT = Heartbeat(
    "heartbeat-onetouch-main-1", "onetouch", "main", 1, NOW, NOW, 60.0, HouseState(links=2, owing=Owing(0))
)


@pytest_twisted.ensureDeferred
async def test_a_heartbeat_goes_the_way_of_the_reports_and_is_none(door):
    sender = await door.open()

    assert await sender.send_heartbeat(HEARTBEAT) == Delivered("200")

    (received,) = door.centre.heartbeats
    assert received.is_valid
    assert (received.identifier, received.key) == ("heartbeat-onetouch-main-1",) * 2
    assert door.centre.reports == []
    assert door.centre.violations == []


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ((503, b""), Retry("the centre answered 503")),
        ((200, cap_answer("Error", "no heartbeats")), Rejected("the centre answered with a CAP Error: no heartbeats")),
        ((200, cap_answer("Update", "")), Retry("the centre answered 200, but it answered in CAP with neither Ack nor Error", is_doubtful=True)),
    ],
)  # fmt: skip
@pytest_twisted.ensureDeferred
async def test_what_becomes_of_a_heartbeat_says_nothing_of_the_reports(door, answer, outcome):
    """No alarm about reports is raised by it, and none is ended."""
    sender = await door.open()
    door.centre.answer(200, cap_answer("Update", ""))
    await sender.send(REPORT)
    before = door.alarms.standing()
    door.centre.answer(*answer)

    assert await sender.send_heartbeat(HEARTBEAT) == outcome
    door.centre.answer(200)
    assert await sender.send_heartbeat(HEARTBEAT) == Delivered("200")

    door.clock.advance(HOLD_S)
    assert door.alarms.standing() == before


def soon(waiting):
    """Wait for what a busy machine does within a few seconds."""
    return waiting.addTimeout(20, reactor)


@pytest_twisted.ensureDeferred
async def test_a_heartbeat_goes_past_reports_that_have_every_connection_and_a_report_past_a_heartbeat(door):
    await door.open()
    door.http, aside = HttpClient(reactor, connections=1), HttpClient(reactor, connections=1)
    sender = CapHttpSender(
        door.channel, door.psap, door.http, None, alarms=door.alarms, zone=KST, heartbeats=aside
    )
    door.centre.hang()
    stuck = Deferred.fromCoroutine(sender.send(REPORT))
    await soon(door.centre.wait_for(lambda centre: centre.requests == 1))
    hanging = Deferred.fromCoroutine(sender.send_heartbeat(HEARTBEAT))
    await soon(door.centre.wait_for(lambda centre: centre.requests == 2))

    stuck.addErrback(lambda _: None).cancel()
    await door.centre.come_back()

    assert await sender.send(UPDATE_REPORT) == Delivered("200")
    hanging.addErrback(lambda _: None).cancel()
    await aside.close()


def test_a_password_that_http_cannot_carry_is_found_at_the_start_and_not_told():
    door = Door()
    door.channel = CapHttpChannel(name="main", url="http://127.0.0.1:1/")
    door.psap = Psap(name="seoul", addresses="112.example", channel=(door.channel,))
    for wrong in ("Bearer a\nb", "Bearer \u00e9", " ", ""):
        with pytest.raises(ValueError, match="channel main") as caught:
            door.sender(wrong)
        assert wrong.strip() == "" or wrong not in str(caught.value)
