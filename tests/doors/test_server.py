"""The web server's bounds: on a clock and wires in memory, then over real sockets, in the clear and under TLS."""

from __future__ import annotations

import http.client
import random
import ssl

import pytest
import pytest_twisted
from pydantic import ValidationError
from structlog.testing import capture_logs
from twisted.internet import reactor
from twisted.internet.error import ConnectionRefusedError  # noqa: A004 - Twisted's own
from twisted.internet.testing import MemoryReactorClock
from twisted.internet.threads import deferToThread
from twisted.logger import globalLogPublisher
from twisted.web.resource import Resource

from telephony.alarms import Alarms
from telephony.doors.location import LocationResource
from telephony.doors.server import (
    CLOSED_WITHIN_S,
    MOST_BODY,
    MOST_HEADER,
    MOST_HEADERS,
    MOST_PIECES,
    MOST_REQUESTS,
    WebServer,
)
from telephony.doors.settings import Web
from telephony.fields import Tls
from telephony.net.http.client import HttpClient
from tests.doors.asking import TOKEN, Listening, Store, Wire, connected, request, responses
from tests.scenarios.certificates import make_certificates

UNKNOWN = f"/v1/location/{'x' * 32}"
URL = f"/v1/location/{TOKEN}"


# -- one connection ---------------------------------------------------------------------------------------------


def test_who_has_a_token_may_go_on_asking_on_one_connection():
    wire = Listening().connect()
    for _ in range(3):
        wire.send(request())
        (answer,) = wire.heard()
        assert (answer.status, answer.headers["connection"]) == (200, "keep-alive")
    assert not wire.is_ended


@pytest.mark.parametrize("path", [UNKNOWN, "/", "*", "/v1/location/short"])
def test_a_stranger_s_connection_ends_with_its_answer(path):
    """A thousand requests in one read must not be a thousand answers in one go."""
    wire = Listening().connect()
    wire.send(request("OPTIONS" if path == "*" else "GET", path) * 1_000)
    (answer,) = wire.heard()
    assert (answer.status, answer.headers["connection"]) == (404, "close")
    assert wire.is_ended


def test_pipelined_requests_with_a_token_are_answered_one_by_one():
    listening = Listening()
    listening.store.hold()
    wire = listening.connect()
    wire.send(request() * 5)
    assert len(listening.store.asked) == 1
    for answered in range(1, 4):
        held, listening.store.held = listening.store.held, []
        for waiting in held:
            waiting.callback(None)
        assert len(wire.heard()) == 1
        assert len(listening.store.asked) == answered + 1


def test_a_connection_is_good_for_so_many_requests():
    wire = Listening().connect()
    wire.send(request() * 3 * MOST_REQUESTS)
    answers = wire.heard()
    assert [answer.headers["connection"] for answer in answers] == ["keep-alive"] * (MOST_REQUESTS - 1) + [
        "close"
    ]
    assert wire.is_ended


def test_who_pipelines_without_end_is_not_read_any_further():
    listening = Listening()
    listening.store.hold()
    wire = listening.connect()
    for _ in range(40):
        if wire.producerState == "paused":
            break
        wire.send(request() * 10)
    assert wire.producerState == "paused"
    assert len(listening.store.asked) == 1


@pytest.mark.parametrize("how", [{"Connection": "close"}, {"version": "1.0"}])
def test_a_client_that_wants_its_connection_closed_gets_that(how):
    wire = Listening().connect()
    wire.send(request(**how))
    (answer,) = wire.heard()
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert wire.is_ended


def test_answers_tell_neither_the_software_nor_the_url():
    listening = Listening()
    for answer in (
        listening.ask(),
        listening.ask("PUT"),
        listening.ask(path="/other"),
        listening.ask("BREW", "/"),
    ):
        assert "server" not in answer.headers
        assert TOKEN.encode() not in answer.body


class Echo(Resource):
    isLeaf = True  # noqa: N815 - Twisted's name

    def render(self, request):
        return request.getHeader("content-type").encode() + b"|" + request.content.read()


def test_a_resource_gets_the_content_type_and_the_body_as_they_came():
    clock = MemoryReactorClock()
    WebServer(
        Web(), {"v1/a/echo": Echo(), "v1/b": Echo()}, reactor=clock, alarms=Alarms(clock)
    ).startService()
    for path in ("/v1/a/echo", "/v1/b"):
        wire = Wire(clock.tcpServers[-1][1])
        wire.send(request("POST", path, body=b"a=b", Content_Type="application/x-www-form-urlencoded"))
        assert wire.heard()[0].body == b"application/x-www-form-urlencoded|a=b"


def test_any_octets_are_survived():
    listening = Listening()
    rng = random.Random(9112)
    whole = request("POST", body=b"<locationRequest/>", Accept="*/*", Expect="100-continue")
    for _ in range(1_000):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(damaged))
            damaged[at : at + rng.randint(0, 3)] = rng.randbytes(rng.randint(0, 3))
        wire = listening.connect()
        for piece in (damaged[: len(damaged) // 2], damaged[len(damaged) // 2 :]):
            if not wire.is_ended:
                wire.send(bytes(piece))
        wire.lose()
    assert listening.reactor.getDelayedCalls() == []
    assert listening.ask().status == 200


# -- size -------------------------------------------------------------------------------------------------------


def test_a_body_of_the_largest_size_is_read():
    body = b"<locationRequest/>".ljust(MOST_BODY)
    answer = Listening().ask("POST", body=body)
    assert b"<locationResponse" in answer.body


@pytest.mark.parametrize("sent", [0, 10, MOST_BODY + 1])
def test_a_larger_one_is_refused_by_its_announcement(sent):
    listening = Listening()
    wire = listening.connect()
    head = (
        f"POST {URL} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {MOST_BODY + 1}\r\n\r\n"
    )
    wire.send(head.encode() + b"x" * sent)
    assert [answer.status for answer in wire.heard()] == [413]
    assert wire.is_ended
    assert listening.store.asked == []


def test_one_in_chunks_is_refused_where_it_grows_too_large():
    listening = Listening()
    wire = listening.connect()
    wire.send(f"POST {URL} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    wire.send(chunk * 4)
    assert wire.heard() == []
    wire.send(chunk + b"0\r\n\r\n")
    assert [answer.status for answer in wire.heard()] == [413]
    assert wire.is_ended
    assert listening.store.asked == []


def test_one_in_a_chunk_for_each_octet_is_refused_and_the_rest_not_looked_at():
    wire = Listening().connect()
    seen = []
    chunk = wire.channel.requestFactory.handleContentChunk
    wire.channel.requestFactory = type(
        "Counted",
        (wire.channel.requestFactory,),
        {"handleContentChunk": lambda request, data: seen.append(data) or chunk(request, data)},
    )
    wire.send(f"POST {URL} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    wire.send(b"1\r\nx\r\n" * 10_000)
    assert [answer.status for answer in wire.heard()] == [413]
    assert MOST_PIECES < len(seen) < 1_000


def test_one_in_chunks_of_bearable_size_is_read():
    wire = Listening().connect()
    wire.send(f"POST {URL} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    wire.send(b"9\r\n<location\r\n9\r\nRequest/>\r\n0\r\n\r\n")
    assert b"<locationResponse" in wire.heard()[0].body


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"GET /" + b"a" * MOST_HEADER, 431),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * MOST_HEADER, 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (MOST_HEADERS + 2), 400),
        (b"GET / HTTP/1.1\r\n" + (b"A: " + b"b" * 100 + b"\r\n") * 50, 400),
        (b"GET / HTTP/1.1\r\nA: b\r\n" + b" c\r\n" * MOST_HEADER, 400),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"1" * 5_000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"1" * 4_000 + b"\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"\r\n" * 1_000, 400),
        (b"nonsense\r\n", 400),
    ],
)
def test_a_head_that_is_too_large_or_none_is_refused(octets, status):
    """Python refuses to read numbers of more than 4,300 digits: no header may be long enough to hold one."""
    wire = Listening().connect()
    wire.send(octets)
    assert [answer.status for answer in wire.heard()] == [status]
    assert wire.is_ended


# -- time -------------------------------------------------------------------------------------------------------


def test_a_client_that_sends_one_octet_at_a_time_gains_no_time_by_it():
    listening = Listening(idle_timeout_s=15)
    wire = listening.connect()
    for octet in request()[:14]:
        listening.reactor.advance(1)
        wire.send(bytes([octet]))
    assert not wire.is_ended
    listening.reactor.advance(1)
    assert wire.is_ended
    assert wire.heard() == []


def test_a_slow_body_is_bounded_too():
    listening = Listening(idle_timeout_s=15)
    wire = listening.connect()
    wire.send(request("POST", body=b"x" * 100)[:-100])
    for _ in range(15):
        listening.reactor.advance(1)
        wire.send(b"x")
    assert wire.is_ended
    assert listening.store.asked == []


def test_each_request_has_its_own_time():
    listening = Listening(idle_timeout_s=15)
    wire = listening.connect()
    for _ in range(3):
        listening.reactor.advance(14)
        wire.send(request())
        assert [answer.status for answer in wire.heard()] == [200]
    listening.reactor.advance(15)
    assert wire.is_ended


def test_a_client_that_does_not_take_its_answer_is_cut_off():
    listening = Listening()
    wire = listening.connect()
    wire.send(request(path=UNKNOWN))
    assert wire.is_ended
    listening.reactor.advance(CLOSED_WITHIN_S - 0.1)
    assert not wire.is_cut
    listening.reactor.advance(0.2)
    assert wire.is_cut


def test_a_closed_connection_leaves_no_timer_behind():
    listening = Listening()
    for octets in (b"", b"GET", request(), request(path=UNKNOWN), b"nonsense\r\n"):
        wire = listening.connect()
        wire.send(octets)
        wire.lose()
    assert listening.reactor.getDelayedCalls() == []


# -- number -----------------------------------------------------------------------------------------------------


def test_a_newcomer_takes_the_place_of_the_oldest_connection():
    """A client that only holds connections open cannot keep the centre out."""
    listening = Listening(max_connections=3)
    holding = [listening.connect() for _ in range(3)]
    assert listening.ask().status == 200
    assert [wire.is_cut for wire in holding] == [True, False, False]
    holding[1].lose()
    listening.connect()
    assert not holding[2].is_cut


def test_a_request_that_is_being_answered_outlives_connections_that_ask_for_nothing():
    """The centre's question is with the store while strangers crowd in from everywhere."""
    listening = Listening(max_connections=3)
    listening.store.hold()
    centre = listening.connect("198.51.100.1")
    centre.send(request())

    strangers = [listening.connect(f"192.0.2.{number}") for number in range(10)]
    listening.store.release()

    assert [answer.status for answer in centre.heard()] == [200]
    assert [wire.is_cut for wire in strangers] == [True] * 8 + [False] * 2


def test_one_that_was_answered_and_is_kept_is_idle_again():
    listening = Listening(max_connections=2)
    centre, stranger = listening.connect("198.51.100.1"), listening.connect("192.0.2.1")
    for _ in range(2):
        centre.send(request())
        assert [answer.status for answer in centre.heard()] == [200]
    listening.connect("192.0.2.2")
    assert [centre.is_cut, stranger.is_cut] == [False, True]
    listening.connect("192.0.2.3")
    assert centre.is_cut


@pytest.mark.parametrize(
    ("host", "cut"), [("192.0.2.1", 4), ("127.0.0.1", 0)], ids=["an address", "a proxy of ours"]
)
def test_one_address_has_its_share_unless_it_speaks_for_many(host, cut):
    listening = Listening(max_connections=10, max_connections_per_address=2)
    other = listening.connect("198.51.100.1")
    wires = [listening.connect(host) for _ in range(6)]
    assert [wire.is_cut for wire in wires] == [True] * cut + [False] * (6 - cut)
    assert not other.is_cut


def test_who_crowds_is_a_few_lines_and_an_alarm():
    with capture_logs() as said:
        listening = Listening(max_connections=3)
        for _ in range(100):
            listening.connect()
        listening.server.stopService()
    assert [(line["event"], line.get("count")) for line in said] == [
        ("alarm", None),
        ("connections refused", 1),
        ("connections refused", 96),
    ]


def test_stopping_cuts_every_connection_and_waits_for_it():
    listening = Listening()
    listening.store.hold()
    wires = [listening.connect() for _ in range(3)]
    wires[0].send(request())
    ended = []
    listening.server.stopService().addCallback(ended.append)
    assert [wire.is_cut for wire in wires] == [True] * 3
    assert ended == [None]
    assert [call for call in listening.reactor.getDelayedCalls() if call.active()] == []


# -- settings ---------------------------------------------------------------------------------------------------


def test_it_listens_to_this_machine_alone_unless_told_otherwise():
    listening = Listening()
    (port, _, _, interface) = listening.reactor.tcpServers[-1]
    assert (port, interface) == (8480, "127.0.0.1")


@pytest.mark.parametrize("given", [{"tls_certificate": "a.pem"}, {"tls_key": "a.key"}])
def test_a_certificate_comes_with_its_key(given):
    with pytest.raises(ValidationError, match="together"):
        Web(**given)


# -- real sockets -----------------------------------------------------------------------------------------------


class House:
    """The server on a real loopback port, asked over real sockets."""

    def __init__(self, **settings):
        self.store = Store()
        location = LocationResource(self.store.find, host="onetouch.example", clock=reactor, saw=list)
        chosen = Web(**settings).model_copy(update={"port": 0})
        self.server = WebServer(chosen, {"v1/location": location}, reactor=reactor, alarms=Alarms(reactor))

    async def __aenter__(self):
        self.server.startService()
        self.port = self.server.port.getHost().port
        return self

    async def __aexit__(self, *_):
        await self.server.stopService()

    async def connect(self):
        return await connected(reactor, self.port)


@pytest_twisted.ensureDeferred
async def test_a_real_client_asks_again_and_again():
    async with House() as house:
        client = HttpClient(reactor, connections=1)
        url = f"http://127.0.0.1:{house.port}{URL}"
        for _ in range(3):
            answer = await client.post(
                url, b"<locationRequest/>", [("Content-Type", "application/held+xml")], 5.0
            )
            assert (answer.status, b"<locationResponse" in answer.body) == (200, True)
        await client.close()
    with pytest.raises(ConnectionRefusedError):
        await house.connect()


@pytest_twisted.ensureDeferred
async def test_two_requests_in_one_packet_are_two_answers_in_order():
    async with House() as house:
        asker = await house.connect()
        asker.transport.write(request() + request("HEAD") + request(path=UNKNOWN) + request())
        octets = await asker.ended
        first, rest = octets.split(b"</presence>\n")
        assert responses(first + b"</presence>\n")[0].status == 200
        head, _, stranger = rest.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert [answer.status for answer in responses(stranger)] == [404]


@pytest_twisted.ensureDeferred
async def test_real_slow_clients_are_closed_while_others_are_served():
    async with House(idle_timeout_s=0.3, max_connections=50) as house:
        slow = [await house.connect() for _ in range(20)]
        for asker in slow:
            asker.transport.write(b"GET / HT")
        served = await house.connect()
        served.transport.write(request(Connection="close"))
        assert responses(await served.ended)[0].status == 200
        assert [await asker.ended for asker in slow] == [b""] * 20


@pytest_twisted.ensureDeferred
async def test_real_connections_beyond_the_number_close_the_oldest():
    async with House(max_connections=5) as house:
        askers = [await house.connect() for _ in range(8)]
        for asker in askers[:3]:
            assert await asker.ended == b""
        for asker in askers[3:]:
            asker.transport.write(request(Connection="close"))
            assert responses(await asker.ended)[0].status == 200


@pytest_twisted.ensureDeferred
async def test_a_real_oversized_body_is_refused_before_it_is_sent():
    async with House() as house:
        asker = await house.connect()
        asker.transport.write(request("POST", body=b"x" * (MOST_BODY + 1))[: -MOST_BODY - 1])
        assert [answer.status for answer in responses(await asker.ended)] == [413]


@pytest_twisted.ensureDeferred
async def test_a_real_client_that_reads_nothing_piles_up_only_so_many_answers():
    async with House() as house:
        asker = await house.connect()
        asker.transport.pauseProducing()
        asker.transport.write(request() * 3 * MOST_REQUESTS)
        other = await house.connect()
        other.transport.write(request(Connection="close"))
        await other.ended
        asker.transport.resumeProducing()
        assert len(responses(await asker.ended)) == MOST_REQUESTS


@pytest_twisted.ensureDeferred
async def test_nothing_that_twisted_logs_holds_a_token():
    said = []
    globalLogPublisher.addObserver(said.append)
    try:
        with capture_logs() as ours:
            async with House(idle_timeout_s=0.2) as house:
                for octets in (
                    request(),
                    request("HEAD"),
                    request("PUT"),
                    request(path=f"{URL}/x"),
                    request()[:40],
                ):
                    asker = await house.connect()
                    asker.transport.write(octets)
                    await asker.ended
    finally:
        globalLogPublisher.removeObserver(said.append)
    assert TOKEN not in repr(ours)
    assert [event for event in said if TOKEN in repr(event)] == []


@pytest_twisted.ensureDeferred
async def test_the_same_under_tls_and_never_in_http_2(tmp_path):
    made = make_certificates(tmp_path / "certificates")
    async with House(tls_certificate=made.certificate, tls_key=made.key) as house:
        client = HttpClient(reactor, tls=Tls(ca_file=made.authority))
        answer = await client.post(f"https://127.0.0.1:{house.port}{URL}", b"<locationRequest/>", [], 5.0)
        assert (answer.status, b"<locationResponse" in answer.body) == (200, True)
        await client.close()
        status, spoken = await deferToThread(_get_over_tls, house.port, made.authority)
        assert (status, spoken) == (200, "http/1.1")


def _get_over_tls(port, authority):
    context = ssl.create_default_context(cafile=str(authority))
    context.set_alpn_protocols(["h2", "http/1.1"])
    client = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=5)
    client.request("GET", URL)
    spoken = client.sock.selected_alpn_protocol()
    status = client.getresponse().status
    client.close()
    return status, spoken


@pytest_twisted.ensureDeferred
async def test_a_tls_handshake_that_never_comes_is_closed(tmp_path):
    made = make_certificates(tmp_path / "certificates")
    async with House(tls_certificate=made.certificate, tls_key=made.key, idle_timeout_s=0.2) as house:
        asker = await house.connect()
        assert await asker.ended == b""
