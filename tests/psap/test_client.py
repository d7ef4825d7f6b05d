"""What becomes of a report at the centre's door: acknowledged, tried again, or refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from telephony.domain.delivery import ALERT, CLOSING, UPDATE, Delivered, Rejected, Retry
from telephony.domain.report import EarlierReport, Report
from telephony.domain.values import Msisdn
from telephony.http1 import HttpClient, HttpResponse
from telephony.lab.http_server import LabHttpServer, LabResponse
from telephony.lab.psap import LabPsap
from telephony.psap.client import CapHttpSender, outcome_of
from telephony.psap.settings import CapHttpChannel, Psap

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

    def test_an_unreadable_body_takes_nothing_from_a_2xx(self):
        assert answered(200, b"<alert") == Delivered("200")

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


class Door:
    """A sender, and the centre behind the door it knocks at."""

    def __init__(self):
        self.http = HttpClient(reactor)
        self.centre = LabPsap(reactor)

    async def open(self):
        await self.centre.listen()
        self.channel = CapHttpChannel(name="main", url=self.centre.url, timeout_s=0.3)
        self.psap = Psap(
            name="seoul", addresses="112.example", sender="relay.example", channel=(self.channel,)
        )
        return self.sender()

    def sender(self, authorization=None):
        return CapHttpSender(self.channel, self.psap, self.http, authorization)

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


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (lambda centre: centre.hang(), "time budget of 0.3 s over while waiting for the answer"),
        (lambda centre: centre.slow(5), "time budget of 0.3 s over while waiting for the answer"),
        (lambda centre: centre.answer_rubbish(), "not HTTP"),
        (lambda centre: centre.answer(200, b"long", truncate_at=10), "closed in the middle of the answer"),
        (lambda centre: centre.drop_before_receiving(), "closed before any answer"),
        (lambda centre: centre.refuse(503), "the centre answered 503"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_whatever_the_centre_does_is_a_retry_and_the_next_try_works(door, trouble, reason):
    sender = await door.open()
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

    outcome = await CapHttpSender(channel, psap, http, "Bearer abc").send(UPDATE_REPORT)

    assert isinstance(outcome, Rejected)
    assert seen[0][b"content-type"] == b"application/cap+xml"
    assert seen[0][b"idempotency-key"] == b"I-2"
    assert seen[0][b"authorization"] == b"Bearer abc"
    await http.close()
    await port.stopListening()


def test_a_password_that_http_cannot_carry_is_found_at_the_start_and_not_told():
    door = Door()
    door.channel = CapHttpChannel(name="main", url="http://127.0.0.1:1/")
    door.psap = Psap(name="seoul", addresses="112.example", channel=(door.channel,))
    for wrong in ("Bearer a\nb", "Bearer \u00e9", " ", ""):
        with pytest.raises(ValueError, match="channel main") as caught:
            door.sender(wrong)
        assert wrong.strip() == "" or wrong not in str(caught.value)
