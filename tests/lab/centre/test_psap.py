"""The simulated 112 centre is itself to be trusted: it keeps what came, and sees a breach of the contract."""

from __future__ import annotations

from datetime import UTC

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport

from telephony.domain.heartbeat import Heartbeat, HouseState
from telephony.lab.centre.http_server import LabHttpServer, LabRequest, LabResponse
from telephony.lab.centre.psap import LabPsap
from telephony.net.http.client import HttpClient, HttpFailed
from telephony.psap.heartbeat import encode_heartbeat
from tests.awaiting import result_of
from tests.doubles import NOON

ALERT = """<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
<identifier>I-2</identifier><sender>relay.example</sender><sent>2026-11-23T15:05:02+09:00</sent>
<status>Actual</status><msgType>Update</msgType><scope>Private</scope><addresses>112.example</addresses>
<references>relay.example,I-1,2026-11-23T15:05:01+09:00</references><incidents>I</incidents>
<info><category>Security</category><event>SOS</event><urgency>Immediate</urgency><severity>Unknown</severity>
<certainty>Possible</certainty><headline>무음 SOS</headline>
<parameter><valueName>text</valueName><value>one</value></parameter>
<parameter><valueName>text</valueName><value>two</value></parameter>
<area><areaDesc>there</areaDesc><circle>37.5,127.0 0.350</circle></area></info>
</alert>""".encode()


class House:
    def __init__(self):
        self.http = HttpClient(reactor)
        self.centre = LabPsap(reactor)

    async def post(self, body=ALERT, key="I-2", timeout_s=5.0):
        headers = [("Idempotency-Key", key)] if key else []
        return await self.http.post(self.centre.url, body, headers, timeout_s)

    async def close(self):
        await self.http.close()
        await self.centre.close()


@pytest.fixture
def house():
    place = House()
    pytest_twisted.blockon(Deferred.fromCoroutine(place.centre.listen()))
    yield place
    pytest_twisted.blockon(Deferred.fromCoroutine(place.close()))


@pytest_twisted.ensureDeferred
async def test_a_report_is_kept_to_the_octet_and_can_be_read(house):
    before = reactor.seconds()
    assert (await house.post()).status == 200
    (report,) = house.centre.reports
    assert report.raw == ALERT
    assert before <= report.at <= reactor.seconds()
    assert report.is_valid
    assert (report.identifier, report.msg_type, report.status, report.incident) == (
        "I-2",
        "Update",
        "Actual",
        "I",
    )
    assert report.references == ("relay.example,I-1,2026-11-23T15:05:01+09:00",)
    assert report.headline == "무음 SOS"
    assert report.circle == "37.5,127.0 0.350"
    assert report.parameters == {"text": ("one", "two")}
    assert house.centre.of_incident("I") == [report]


def heartbeat(number=1, service="onetouch", **state):
    return encode_heartbeat(
        Heartbeat(f"heartbeat-{service}-{number}", service, "seoul-a", number, NOON, NOON, 60.0, HouseState(), **state),
        sender="a",
        addresses="b",
        language="en",
        zone=UTC,
    )  # fmt: skip


class Quiet:
    """A centre on a clock of its own, to which octets come past the network."""

    def __init__(self):
        self.clock = Clock()
        self.centre = LabPsap(self.clock)
        self.told = []
        self.centre.warn = self.told.append

    def come(self, body, key="k"):
        headers = ((b"idempotency-key", key.encode()),)
        assert self.centre._take(LabRequest("POST", "/cap", headers, body)).status == 200


SILENT = "neither a heartbeat nor a report of onetouch for 180 s: telephone its operators"


def test_a_heartbeat_is_no_report():
    quiet = Quiet()
    quiet.come(heartbeat())

    (kept,) = quiet.centre.heartbeats
    assert kept.is_valid
    assert quiet.centre.reports == []


def test_the_centre_warns_once_when_nothing_came_for_three_intervals():
    quiet = Quiet()
    quiet.come(heartbeat())
    quiet.clock.advance(179)
    quiet.come(heartbeat(2))
    quiet.clock.advance(179)
    assert quiet.centre.warnings == []

    quiet.clock.pump([1, 600])

    assert quiet.centre.warnings == quiet.told == [SILENT]


def test_a_report_is_a_sign_of_life_too():
    quiet = Quiet()
    quiet.come(heartbeat())
    quiet.clock.advance(179)
    quiet.come(ALERT)
    quiet.clock.advance(179)
    assert quiet.centre.warnings == []

    quiet.clock.advance(1)

    assert quiet.centre.warnings == [SILENT]


def test_each_service_is_watched_by_itself():
    quiet = Quiet()
    quiet.come(heartbeat())
    quiet.clock.advance(100)
    quiet.come(heartbeat(service="standby"))
    quiet.clock.advance(80)

    assert quiet.centre.warnings == [SILENT]


def test_nobody_waits_for_another_heartbeat_after_a_sample():
    quiet = Quiet()
    quiet.come(heartbeat(is_sample=True))
    quiet.clock.advance(600)

    assert len(quiet.centre.heartbeats) == 1
    assert quiet.centre.warnings == []


def test_a_heartbeat_that_does_not_say_when_the_next_one_comes_is_a_violation():
    quiet = Quiet()
    quiet.come(heartbeat().replace(b"heartbeat-interval-s", b"interval"))

    assert quiet.centre.violations == ["a heartbeat without heartbeat-interval-s"]


def test_a_closed_centre_watches_no_more():
    quiet = Quiet()
    quiet.come(heartbeat())
    result_of(quiet.centre.close())
    quiet.clock.advance(600)

    assert quiet.centre.warnings == []


@pytest_twisted.ensureDeferred
async def test_a_repeat_is_counted_and_not_kept(house):
    await house.post()
    await house.post()
    assert (len(house.centre.reports), house.centre.repeats, house.centre.requests) == (1, 1, 2)
    assert house.centre.violations == []


@pytest_twisted.ensureDeferred
async def test_a_repeat_with_other_content_is_a_violation(house):
    await house.post()
    await house.post(ALERT + b"\n")
    assert house.centre.violations == ["a repeat of I-2 with other content"]


@pytest_twisted.ensureDeferred
async def test_a_report_without_a_key_is_a_violation_and_kept(house):
    await house.post(key=None)
    await house.post(key=None)
    assert house.centre.violations == ["a report without Idempotency-Key"] * 2
    assert len(house.centre.reports) == 2


@pytest.mark.parametrize(
    ("body", "fault"), [(b"rubbish", "no XML"), (ALERT.replace(b"Actual", b"Real"), "Real"), (b"", "no XML")]
)
@pytest_twisted.ensureDeferred
async def test_what_does_not_fit_the_schema_is_kept_with_its_fault(house, body, fault):
    await house.post(body)
    (report,) = house.centre.reports
    assert not report.is_valid
    assert fault in report.fault
    assert report.raw == body
    assert isinstance(report.headline, str)


@pytest.mark.parametrize(
    ("verb", "reason", "kept"),
    [
        (lambda centre: centre.hang(), "time budget", 0),
        (lambda centre: centre.drop_before_receiving(), "closed before any answer", 0),
        (lambda centre: centre.drop_after_receiving(), "closed before any answer", 1),
        (lambda centre: centre.slow(60), "time budget", 1),
        (lambda centre: centre.answer_rubbish(), "not HTTP", 1),
        (lambda centre: centre.answer(200, truncate_at=3), "closed in the middle", 1),
    ],
)
@pytest_twisted.ensureDeferred
async def test_trouble_is_exactly_what_was_asked_for_until_it_comes_back(house, verb, reason, kept):
    verb(house.centre)
    with pytest.raises(HttpFailed, match=reason):
        await house.post(timeout_s=0.2)
    assert len(house.centre.reports) == kept
    await house.centre.come_back()
    assert (await house.post()).status == 200
    assert len(house.centre.reports) == 1


@pytest_twisted.ensureDeferred
async def test_refusing_takes_nothing_and_names_a_time(house):
    house.centre.refuse(429, retry_after="7")
    response = await house.post()
    assert (response.status, response.header(b"retry-after")) == (429, b"7")
    assert house.centre.reports == []


@pytest_twisted.ensureDeferred
async def test_going_down_refuses_connections_and_coming_back_keeps_the_port(house):
    await house.post()
    url = house.centre.url
    await house.centre.go_down()
    with pytest.raises(HttpFailed, match="connection refused"):
        await house.post()
    await house.centre.come_back()
    assert house.centre.url == url
    assert (await house.post()).status == 200


@pytest_twisted.ensureDeferred
async def test_waiting_for_a_claim_ends_when_it_becomes_true(house):
    waiting = house.centre.wait_for(lambda centre: len(centre.reports) == 2)
    given_up = house.centre.wait_for(lambda centre: False)
    given_up.cancel()
    await house.post()
    assert not waiting.called
    await house.post(key="I-3")
    await waiting
    await house.centre.wait_for(lambda centre: centre.repeats == 0)
    with pytest.raises(CancelledError):
        await given_up


class TestTheServerBeneath:
    """Without a network: octets in, octets out."""

    def connect(self, handle):
        clock = MemoryReactorClock()
        server = LabHttpServer(clock, handle)
        protocol = server.buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        return clock, server, protocol, transport

    def test_pipelined_requests_are_answered_in_order(self):
        _, server, protocol, transport = self.connect(lambda request: LabResponse(200, request.body))
        one = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n"
        protocol.dataReceived(b"".join(one + b"%d" % i for i in range(9)))
        bodies = [part[-1:] for part in transport.value().split(b"HTTP/1.1 200 OK")[1:]]
        assert bodies == [b"%d" % i for i in range(9)]
        assert server.requests == 9

    def test_a_later_answer_may_be_deferred_or_delayed(self):
        later = Deferred()
        clock, _, protocol, transport = self.connect(lambda request: later)
        protocol.dataReceived(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert transport.value() == b""
        later.callback(LabResponse(204, delay_s=2.0))
        clock.advance(1.9)
        assert transport.value() == b""
        clock.advance(0.1)
        assert transport.value().startswith(b"HTTP/1.1 204 No Content\r\n")

    def test_rubbish_is_answered_400_and_closed(self):
        _, _, protocol, transport = self.connect(lambda request: LabResponse())
        protocol.dataReceived(b"\x00\x01\r\n\r\n")
        assert transport.value().startswith(b"HTTP/1.1 400 ")
        assert transport.disconnecting

    def test_a_client_that_wants_to_close_is_closed(self):
        _, _, protocol, transport = self.connect(lambda request: LabResponse())
        protocol.dataReceived(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert transport.value().startswith(b"HTTP/1.1 200 ")
        assert transport.disconnecting

    def test_a_fault_of_the_simulator_is_seen_by_who_asked(self):
        _, _, protocol, transport = self.connect(lambda request: 1 / 0)
        protocol.dataReceived(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert transport.value().startswith(b"HTTP/1.1 500 ")
        assert b"ZeroDivisionError" in transport.value()

    def test_connections_are_counted(self):
        _, server, protocol, _ = self.connect(lambda request: LabResponse())
        assert (server.connections_made, server.open_connections) == (1, 1)
        protocol.connectionLost()
        assert (server.connections_made, server.open_connections) == (1, 0)
