"""The HTTP client: on a fake clock without a network, then over loopback, plain and by TLS."""

from __future__ import annotations

import base64
import gzip
import ipaddress
import math
import quopri
import random
import time
import zlib
from datetime import UTC, datetime, timedelta

import pytest
import pytest_twisted
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor, ssl
from twisted.internet.defer import CancelledError, Deferred, gatherResults, maybeDeferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.error import ConnectionRefusedError as TcpRefused
from twisted.internet.task import LoopingCall
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from telephony.domain.errors import Unavailable
from telephony.fields import Tls
from telephony.lab.centre.http_server import LabHttpServer, LabResponse
from telephony.net.http.client import HttpClient, HttpFailed
from telephony.net.http.coding import unwrapped
from telephony.net.http.connections import READ_AT_ONCE
from telephony.net.http.wire import (
    MOST_BESIDE_BODY,
    AnswerReader,
    HttpResponse,
    NotReadable,
    Target,
    encode_post,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"

ANSWERS = [
    ("usual", OK, 200, b"ok", True),
    ("no phrase", b"HTTP/1.1 202 \r\nContent-Length:0\r\n\r\n", 202, b"", True),
    ("headers", b"HTTP/1.1 503 Busy\r\nRetry-After:  7 \r\ncontent-length: 1\r\n\r\nx", 503, b"x", True),
    ("no content", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    ("not modified", b"HTTP/1.1 304 N\r\nContent-Length: 9\r\n\r\n", 304, b"", True),
    (
        "chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        200,
        b"ok",
        True,
    ),
    ("interim", b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"ok", True),
    ("closing", b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
    ("HTTP/1.0", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
    ("no blank after the status", b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", True),
    ("bare line feeds", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", 200, b"ok", True),
    ("blank lines before", b"\r\n\r\n\n" + OK, 200, b"ok", True),
    ("a blank before the colon", OK.replace(b"Length:", b"Length \t:"), 200, b"ok", True),
    (
        "a blank before the colon, chunked",
        b"HTTP/1.1 200 OK\r\nServer : x\r\nTransfer-Encoding : chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        200,
        b"ok",
        True,
    ),
    (
        "several interim",
        b"\r\nHTTP/1.1 103 Early Hints\r\nLink : x\r\n\r\nHTTP/1.1 102 P\r\n\r\n" + OK,
        200,
        b"ok",
        True,
    ),
    ("a line without a colon", OK.replace(b"\r\n", b"\r\nNo colon\r\n", 1), 200, b"ok", False),
    ("a NUL", OK.replace(b"\r\n", b"\r\nX: a\x00b\r\n", 1), 200, b"ok", False),
    ("a name of no token", OK.replace(b"\r\n", b"\r\nX (y): z\r\n", 1), 200, b"ok", False),
    ("no transfer coding", OK.replace(b"\r\n", b"\r\nTransfer-Encoding: identity\r\n", 1), 200, b"ok", False),
    ("chunked twice", CHUNKED.replace(b"\r\n", b"\r\nTransfer-Encoding: chunked\r\n", 1), 200, b"ok", False),
    ("chunked twice in one", CHUNKED.replace(b"chunked", b"Chunked, chunked"), 200, b"ok", False),
    ("chunked and a length", CHUNKED.replace(b"\r\n", b"\r\nContent-Length: 1\r\n", 1), 200, b"ok", False),
    (
        "a length and chunked after a blank",
        OK[:-4] + b"Transfer-Encoding : chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        200,
        b"ok",
        False,
    ),
    (
        "equal lengths",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        200,
        b"ok",
        True,
    ),
]

RUBBISH = [
    b"\x00\xff rubbish \r\n\r\n",
    b"SSH-2.0-OpenSSH\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length : 3\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
    b"HTTP/1.1 99 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000,
]

TEXT = b"<?xml version='1.0'?>" + b"<where>37.5665</where>" * 50


def raw_deflate(octets):
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(octets) + packer.flush()


CODED = {
    "gzip": ("gzip", gzip.compress(TEXT, mtime=0)),
    "x-gzip": ("X-GZIP", gzip.compress(TEXT, mtime=0)),
    "zlib": ("deflate", zlib.compress(TEXT)),
    "raw deflate": ("deflate", raw_deflate(TEXT)),
    "two members": ("gzip", gzip.compress(TEXT[:100], mtime=0) + gzip.compress(TEXT[100:], mtime=0)),
    "padding behind": ("gzip", gzip.compress(TEXT, mtime=0) + b"\0" * 20),
    "again on the way": ("gzip", gzip.compress(gzip.compress(TEXT, mtime=0), mtime=0)),
    "twice": ("deflate, gzip", gzip.compress(zlib.compress(TEXT))),
    "with identity": ("identity, gzip", gzip.compress(TEXT, mtime=0)),
    "not said": ("identity", gzip.compress(TEXT, mtime=0)),
    "said and not done": ("gzip", TEXT),
    "unknown": ("br", TEXT),
}

PARTS = {
    "related": (
        'multipart/related; type="text/xml"; boundary=b',
        b"--b\r\nContent-Type: text/xml\r\n\r\n%b\r\n--b--\r\n",
    ),
    "quoted": ('Multipart/Mixed; boundary="b c"', b"preamble\r\n--b c\r\n\r\n%b\r\n--b c--"),
    "bare line feeds": ("multipart/mixed;boundary=b", b"--b\nContent-Type: application/xml\n\n%b\n--b--\n"),
    "second part": (
        "multipart/mixed; boundary=b",
        b"--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\nContent-Type: application/soap+xml\r\n\r\n%b\r\n--b--",
    ),
    "never closed": ("multipart/mixed; boundary=b", b"--b\r\n\r\n%b"),
    "no boundary in it": ("multipart/mixed; boundary=b", b"%b"),
    "no boundary": ("multipart/mixed", b"%b"),
}


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = {
    "interim answers": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "interim answers by an old server": (b"", b"HTTP/1.0 100 \n\n"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
    "one header": (b"HTTP/1.1 200 OK\r\na: ", b"b"),
    "blank lines": (b"", b"\r\n"),
    "chunks of one octet": (CHUNKED, b"1\r\na\r\n"),
    "extensions of chunks": (CHUNKED, b"1;" + b"e" * 900 + b"\r\na\r\n"),
    "one extension": (CHUNKED + b"1;", b"e"),
    "trailers": (CHUNKED + b"0\r\n", b"a: b\r\n"),
    "a length of a chunk": (CHUNKED, b"0"),
}
"""Answers that never end although they have hardly a body: how they begin, and what follows again and again."""


def read(pieces, max_body=1000):
    """Feed pieces; give the answer (or why there is none) and whether the connection may go on."""
    reader = AnswerReader(max_body)
    try:
        for piece in pieces:
            response = reader.feed(piece)
            if response is not None:
                return response, reader.is_reusable
    except NotReadable as error:
        return str(error), False
    return reader.end(), False


def taken_before_given_up(beginning, then, piece):
    """Feed an endless answer in pieces of a size; give the octets after which the reader had enough."""
    reader = AnswerReader(1_048_576)
    reader.feed(beginning)
    pieces = then * (piece // len(then) + 2)
    for fed in range(0, 1_000_000, piece):
        at = fed % len(then)
        try:
            assert reader.feed(pieces[at : at + piece]) is None
        except NotReadable:
            return fed
    return math.inf


class TestReadingAnAnswer:
    @pytest.mark.parametrize(
        ("octets", "status", "body", "reusable"),
        [row[1:] for row in ANSWERS],
        ids=[row[0] for row in ANSWERS],
    )
    def test_it_is_the_same_in_one_piece_and_octet_by_octet(self, octets, status, body, reusable):
        whole = read([octets])
        single = read([octets[i : i + 1] for i in range(len(octets))])

        assert whole == single
        assert (whole[0].status, whole[0].body, whole[1]) == (status, body, reusable)

    def test_header_names_are_lower_case_and_values_trimmed(self):
        response, _ = read([ANSWERS[2][1]])
        assert response.headers == ((b"retry-after", b"7"), (b"content-length", b"1"))
        assert response.header(b"retry-after") == b"7"
        assert not response.is_success

    def test_an_answer_without_a_length_ends_with_the_connection(self):
        response, reusable = read([b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n", b"all of", b" it"])
        assert (response.body, reusable) == (b"all of it", False)

    def test_octets_after_the_answer_spoil_the_connection(self):
        for octets in (OK + b"x", ANSWERS[5][1] + b"x"):
            response, reusable = read([octets])
            assert (response.body, reusable) == (b"ok", False)

    def test_chunks_that_are_announced_and_not_there_cost_nothing(self):
        for body in (TEXT, b"\r\n" + TEXT):
            octets = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
            for pieces in ([octets], [octets[i : i + 1] for i in range(len(octets))]):
                response, reusable = read(pieces, 10_000)
                assert (response.body, reusable) == (TEXT, False)

    @pytest.mark.parametrize("octets", RUBBISH)
    def test_what_is_no_http_is_said_to_be_none(self, octets):
        assert read([octets])[0] in ("not HTTP", "answer too large")
        assert read([octets[i : i + 1] for i in range(min(len(octets), 20_000))])[0] in (
            "not HTTP",
            "answer too large",
        )

    @pytest.mark.parametrize(
        "octets",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + b"x" * 1000 + b"\r\n1\r\nx\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001,
        ],
    )
    def test_a_body_beyond_the_bound_is_given_up_at_once(self, octets):
        assert read([octets])[0] == "answer too large"

    @pytest.mark.parametrize("kind", CODED)
    @pytest.mark.parametrize("is_chunked", [False, True])
    def test_a_content_coding_that_nobody_asked_for_is_undone(self, kind, is_chunked):
        coding, body = CODED[kind]
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n".encode()
        if is_chunked:
            octets = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        else:
            octets = head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        for pieces in ([octets], [octets[i : i + 1] for i in range(len(octets))]):
            response, reusable = read(pieces, max_body=10_000)
            assert (response.body, reusable) == (TEXT, True)

    @pytest.mark.parametrize("coding", ["gzip", "deflate", "gzip, gzip"])
    def test_a_bomb_is_not_let_off(self, coding):
        """A body may not grow a hundredfold, nor beyond the bound of any body."""
        pack = zlib.compress if coding == "deflate" else gzip.compress
        for body in (
            pack(bytes(50_000_000)),
            pack(pack(bytes(50_000_000)))[: 1 << 20],
            pack(random.randbytes(2_000)),
        ):
            octets = (
                f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            started = time.process_time()
            answer, _ = read([octets], max_body=1_000_000 if len(body) > 5_000 else 1_000)
            assert answer == "answer too large" or len(answer.body) <= 100 * len(body)
            assert time.process_time() - started < 0.5

    def test_many_small_members_cost_no_more_than_a_few(self):
        body = gzip.compress(b"") * 40_000
        octets = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (
            len(body),
            body,
        )
        started = time.process_time()
        read([octets], max_body=1_000_000)
        assert time.process_time() - started < 0.5

    @pytest.mark.parametrize("kind", PARTS)
    def test_of_a_multipart_answer_the_xml_is_handed_on(self, kind):
        said, form = PARTS[kind]
        body = form % TEXT
        octets = (
            f"HTTP/1.1 200 OK\r\nContent-Type: {said}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        )
        assert read([octets], max_body=10_000)[0].body == TEXT

    @pytest.mark.parametrize("coding", ["base64", "quoted-printable", "8bit"])
    def test_the_transfer_coding_of_a_part_is_undone(self, coding):
        packed = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}.get(coding, bytes)(
            TEXT
        )
        part = f"--b\r\nContent-Type: text/xml\r\nContent-Transfer-Encoding: {coding}\r\n\r\n".encode()
        headers = ((b"content-type", b"multipart/mixed; boundary=b"),)
        assert unwrapped(headers, part + packed + b"\r\n--b--", 10_000) == TEXT

    @given(
        st.lists(
            st.tuples(
                st.sampled_from([b"content-encoding", b"content-type"]),
                st.sampled_from(
                    [
                        b"gzip",
                        b"deflate",
                        b"x-gzip, deflate",
                        b"multipart/mixed; boundary=b",
                        b'multipart/x; boundary="',
                    ]
                ),
            ),
            max_size=3,
        ),
        st.one_of(
            st.binary(max_size=100),
            st.sampled_from([gzip.compress(TEXT, mtime=0), zlib.compress(TEXT), PARTS["related"][1]]).flatmap(
                lambda body: st.integers(0, len(body)).map(lambda cut: body[:cut])
            ),
        ),
    )
    def test_any_body_is_unwrapped_or_handed_on_as_it_came(self, headers, body):
        assert len(unwrapped(headers, body, 10_000)) <= 10_000

    def test_headers_keep_their_order_whichever_way_the_answer_is_read(self):
        octets = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nServer: a\r\n\r\n2"
        for pieces in ([octets], [octets[i : i + 1] for i in range(len(octets))]):
            answer, _ = read(pieces)
            assert [name for name, _ in answer.headers] == [b"content-length", b"server"]

    @given(
        st.lists(
            st.sampled_from(
                [row[1] for row in ANSWERS] + RUBBISH[:-1] + [b"\r\n", b"HTTP/1.1 ", b"\t", b"0", b":"]
            ),
            max_size=3,
        ).map(b"".join),
        st.data(),
    )
    def test_any_split_and_any_damage_gives_the_same_answer(self, octets, data):
        """Octet by octet h11 reads alone, so this holds the fast reading against h11."""
        for _ in range(data.draw(st.integers(0, 2))):
            if octets:
                at = data.draw(st.integers(0, len(octets) - 1))
                octets = octets[:at] + data.draw(st.binary(max_size=2)) + octets[at + 1 :]
        cut = data.draw(st.integers(0, len(octets)))

        slowly, _ = read([octets[i : i + 1] for i in range(len(octets))])
        for pieces in ([octets], [octets[:cut], octets[cut:]]):
            assert read([piece for piece in pieces if piece])[0] == slowly

    def test_twenty_thousand_mutated_answers_never_break_the_reader(self):
        source = random.Random(112)
        for _ in range(20_000):
            octets = bytearray(source.choice(ANSWERS)[1])
            for _ in range(source.randint(1, 6)):
                octets[source.randrange(len(octets))] = source.randrange(256)
            answer, _ = read([bytes(octets)])
            assert answer is None or isinstance(answer, (HttpResponse, str))

    @pytest.mark.parametrize(("beginning", "then"), ENDLESS.values(), ids=ENDLESS.keys())
    def test_an_answer_that_goes_on_for_ever_without_a_body_is_given_up(self, beginning, then):
        """Within 64 KiB, however it goes on, and in pieces of any size."""
        for piece in (1, 4_096):
            assert taken_before_given_up(beginning, then, piece) <= 1.3 * MOST_BESIDE_BODY

    def test_a_large_answer_in_small_chunks_and_after_interim_answers_is_read(self):
        body = bytes(range(256)) * 4_000
        chunks = [b"100\r\n" + body[at : at + 256] + b"\r\n" for at in range(0, len(body), 256)]
        octets = b"HTTP/1.1 102 Processing\r\n\r\n" * 100 + CHUNKED + b"".join(chunks) + b"0\r\n\r\n"
        assert read([octets], max_body=len(body))[0].body == body

    def test_an_answer_of_ten_thousand_octets_in_as_many_chunks_is_read(self):
        octets = CHUNKED + b"1\r\na\r\n" * 10_000 + b"0\r\n\r\n"
        assert read([octets], max_body=10_000)[0].body == b"a" * 10_000

    def test_a_hostile_head_is_read_in_linear_time(self):
        head = b"HTTP/1.1 200 OK\r\n" + (b"a:" + b" " * 60 + b"\r\n") * 900 + b"\x00"
        assert read([head])[0] == "answer too large"


class TestWritingARequest:
    def test_it_is_one_piece_with_the_port_in_host_and_the_query_in_the_target(self):
        target = Target.of("http://user:pw@112.example:8080/cap?a=b#part")
        octets = encode_post(target, [("Content-Type", "text/plain")], b"hi")
        assert octets == (
            b"POST /cap?a=b HTTP/1.1\r\nHost: 112.example:8080\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"
        )

    @pytest.mark.parametrize(
        "header", [("A", "x\r\nB: y"), ("A\r\n", "x"), ("", "x"), ("A", "\u00e9"), ("A", " x"), ("A", "x\n")]
    )
    def test_a_header_that_would_break_out_is_refused_without_being_quoted(self, header):
        with pytest.raises(ValueError, match="nothing that HTTP can carry") as caught:
            encode_post(Target.of("http://h/"), [header], b"")
        assert header[1] not in str(caught.value) or header[1] == "x"

    @pytest.mark.parametrize(
        "url", ["ftp://h/", "http:///x", "http://h/a b", "http://h/\u00e9", "http://h:99999/", ""]
    )
    def test_a_url_that_cannot_be_posted_to_is_refused(self, url):
        with pytest.raises(ValueError, match=r"URL|[Pp]ort"):
            Target.of(url)


class Wire:
    """The far end of a client on a fake reactor: connections are accepted, heard and answered by hand."""

    def __init__(self, **settings):
        self.reactor = MemoryReactorClock()
        self.client = HttpClient(self.reactor, **settings)
        self.transports = []

    def post(self, timeout_s=10.0, body=b"hi"):
        outcome = []
        deferred = self.client.post("http://192.0.2.1/cap", body, [], timeout_s)
        deferred.addBoth(outcome.append)
        return deferred, outcome

    @property
    def attempts(self):
        return len(self.reactor.tcpClients)

    def accept(self, attempt=-1):
        factory = self.reactor.tcpClients[attempt][2]
        protocol = factory.buildProtocol(None)
        transport = StringTransport()
        transport.protocol = protocol
        protocol.makeConnection(transport)
        self.transports.append(transport)
        return protocol

    def refuse(self, attempt=-1):
        factory = self.reactor.tcpClients[attempt][2]
        factory.clientConnectionFailed(self.reactor.connectors[attempt], Failure(TcpRefused()))


def reason(outcome):
    (failure,) = outcome
    assert isinstance(failure.value, HttpFailed)
    assert isinstance(failure.value, Unavailable)
    return failure.value.reason, failure.value.sent


class TestOnAFakeClock:
    def test_a_request_leaves_in_one_write_and_its_answer_comes_back(self):
        wire = Wire()
        _, outcome = wire.post()
        peer = wire.accept()
        assert wire.transports[0].value().endswith(b"\r\n\r\nhi")

        peer.dataReceived(OK)

        assert outcome == [HttpResponse(200, ((b"content-length", b"2"),), b"ok")]
        assert wire.reactor.getDelayedCalls() == []

    def test_connecting_counts_in_the_budget(self):
        wire = Wire(connect_timeout_s=60)
        _, outcome = wire.post(timeout_s=3)
        wire.reactor.advance(2.9)
        assert outcome == []
        wire.reactor.advance(0.2)
        assert reason(outcome) == ("time budget of 3 s over while connecting", False)
        assert wire.reactor.connectors[0].stoppedConnecting

    def test_waiting_for_the_answer_counts_in_the_budget_to_the_last_octet(self):
        wire = Wire()
        _, outcome = wire.post(timeout_s=3)
        peer = wire.accept()
        wire.reactor.advance(2)
        peer.dataReceived(OK[:-1])
        wire.reactor.advance(1)
        assert reason(outcome) == ("time budget of 3 s over while waiting for the answer", True)
        assert wire.transports[0].disconnected
        peer.connectionLost(Failure(ConnectionLost()))

    def test_waiting_for_a_free_connection_counts_in_the_budget(self):
        wire = Wire(connections=1)
        wire.post(timeout_s=30)
        _, second = wire.post(timeout_s=2)
        wire.accept()
        wire.reactor.advance(2)
        assert reason(second) == ("time budget of 2 s over while waiting for a free connection", False)

    def test_calls_wait_in_order_and_share_the_connection(self):
        wire = Wire(connections=1)
        outcomes = [wire.post(body=body)[1] for body in (b"one", b"two", b"three")]
        peer = wire.accept()
        for index, body in enumerate((b"one", b"two", b"three")):
            assert wire.transports[0].value().endswith(body)
            assert outcomes[index] == []
            peer.dataReceived(OK)
            assert outcomes[index][0].status == 200
        assert wire.attempts == 1

    def test_a_refused_connection_is_said_in_words_and_the_next_call_tries_again(self):
        wire = Wire(connections=1)
        _, first = wire.post()
        _, second = wire.post()
        wire.refuse()
        assert reason(first) == ("connection refused", False)
        assert (second, wire.attempts) == ([], 2)

    def test_a_kept_alive_connection_found_dead_is_replaced_once(self):
        wire = Wire()
        wire.post()
        peer = wire.accept()
        peer.dataReceived(OK)
        _, outcome = wire.post(body=b"again")
        assert wire.attempts == 1

        peer.connectionLost(Failure(ConnectionDone()))
        assert (outcome, wire.attempts) == ([], 2)
        fresh = wire.accept()
        assert wire.transports[1].value().endswith(b"again")
        fresh.connectionLost(Failure(ConnectionDone()))

        assert reason(outcome) == ("closed before any answer", True)

    def test_a_connection_lost_within_the_answer_is_not_retried(self):
        wire = Wire()
        wire.post()
        peer = wire.accept()
        peer.dataReceived(OK)
        _, outcome = wire.post()
        peer.dataReceived(OK[:5])
        peer.connectionLost(Failure(ConnectionLost()))
        assert reason(outcome) == ("closed in the middle of the answer", True)
        assert wire.attempts == 1

    @pytest.mark.parametrize(
        "head",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 350\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
        ],
    )
    @pytest.mark.parametrize("ends", ["closed", "silent"])
    def test_an_answer_that_does_not_end_is_handed_on_as_far_as_it_came(self, head, ends):
        """Servers count a line end that they do not send: who reads the body knows whether it is whole."""
        wire = Wire()
        _, outcome = wire.post(timeout_s=3)
        peer = wire.accept()
        peer.dataReceived(head + b"<a/>")
        if ends == "closed":
            peer.connectionLost(Failure(ConnectionDone()))
        else:
            wire.reactor.advance(3)
        words, sent = reason(outcome)
        assert (words.startswith(("closed in the middle", "time budget")), sent) == (True, True)
        assert (outcome[0].value.partial.status, outcome[0].value.partial.body) == (200, b"<a/>")

    @pytest.mark.parametrize(
        "octets", [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"]
    )
    def test_of_an_answer_without_a_body_nothing_is_handed_on(self, octets):
        wire = Wire()
        _, outcome = wire.post()
        peer = wire.accept()
        peer.dataReceived(octets)
        peer.connectionLost(Failure(ConnectionDone()))
        assert outcome[0].value.partial is None

    def test_a_fresh_connection_that_closes_is_not_retried(self):
        wire = Wire()
        _, outcome = wire.post()
        wire.accept().connectionLost(Failure(ConnectionDone()))
        assert reason(outcome) == ("closed before any answer", True)

    def test_a_connection_that_rested_too_long_is_not_trusted(self):
        wire = Wire()
        wire.post()
        wire.accept().dataReceived(OK)
        wire.reactor.advance(31)
        wire.post()
        assert wire.transports[0].disconnected
        assert wire.attempts == 2

    @pytest.mark.parametrize("spoilt", [OK + b"x", OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")])
    def test_a_connection_that_cannot_go_on_is_closed_and_the_next_call_gets_another(self, spoilt):
        wire = Wire(connections=1)
        _, first = wire.post()
        _, second = wire.post()
        peer = wire.accept()
        peer.dataReceived(spoilt)
        assert first[0].body == b"ok"
        assert wire.transports[0].disconnected
        peer.connectionLost(Failure(ConnectionLost()))
        wire.accept().dataReceived(OK)
        assert second[0].status == 200

    def test_unasked_octets_close_an_idle_connection(self):
        wire = Wire()
        wire.post()
        peer = wire.accept()
        peer.dataReceived(OK)
        peer.dataReceived(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        assert wire.transports[0].disconnected
        peer.connectionLost(Failure(ConnectionDone()))
        wire.post()
        assert wire.attempts == 2

    def test_cancelling_gives_the_request_up_and_frees_the_place(self):
        wire = Wire(connections=1)
        first, outcome = wire.post()
        _, second = wire.post()
        peer = wire.accept()
        first.cancel()
        assert outcome[0].check(CancelledError)
        assert wire.transports[0].disconnected
        peer.dataReceived(OK)
        peer.connectionLost(Failure(ConnectionLost()))
        wire.accept().dataReceived(OK)
        assert second[0].status == 200

    def test_closing_fails_every_call_and_fires_when_the_last_connection_is_gone(self):
        wire = Wire(connections=2)
        _, carried = wire.post()
        peer = wire.accept()
        _, connecting = wire.post()
        _, waiting = wire.post()
        done = []
        wire.client.close().addCallback(lambda _: done.append(True))
        assert [reason(outcome) for outcome in (carried, connecting, waiting)] == [
            ("the client was closed", True),
            ("the client was closed", False),
            ("the client was closed", False),
        ]
        assert done == []
        peer.connectionLost(Failure(ConnectionLost()))
        assert done == [True]
        assert reason(wire.post()[1]) == ("the client was closed", False)
        assert wire.reactor.getDelayedCalls() == []

    def test_a_secret_in_a_bad_header_is_not_told(self):
        wire = Wire()
        outcome = []
        wire.client.post("http://192.0.2.1/", b"", [("Authorization", "se\ncret")], 1).addErrback(
            outcome.append
        )
        assert "cret" not in reason(outcome)[0]


@pytest.fixture
def far_end():
    """A server on loopback whose answer a test sets, and clients that are closed afterwards."""
    place = FarEnd()
    yield place
    pytest_twisted.blockon(place.close())


class FarEnd:
    def __init__(self):
        self.response = LabResponse(200, b"ok")
        self.seen = []
        self.server = LabHttpServer(reactor, self._handle)
        self.ports = []
        self.clients = []

    def _handle(self, request):
        self.seen.append(request)
        return self.response

    async def url(self):
        port = await self.server.listen()
        self.ports.append(port)
        return f"http://127.0.0.1:{port.getHost().port}/cap"

    def client(self, **settings):
        self.clients.append(HttpClient(reactor, **settings))
        return self.clients[-1]

    async def _close(self):
        for client in self.clients:
            await client.close()
        for port in self.ports:
            await maybeDeferred(port.stopListening)
        self.server.drop_connections()

    def close(self):
        return Deferred.fromCoroutine(self._close())


async def failure_of(deferred):
    with pytest.raises(HttpFailed) as caught:
        await deferred
    return caught.value.reason, caught.value.sent


@pytest.fixture
def turns(monkeypatch):
    """Return how many octets of answers were taken in each turn of the reactor."""
    taken = [0]
    feed = AnswerReader.feed

    def counting(reader, octets):
        taken[-1] += len(octets)
        return feed(reader, octets)

    monkeypatch.setattr(AnswerReader, "feed", counting)
    turn = LoopingCall(taken.append, 0)
    turn.start(0)
    yield taken
    turn.stop()


class TestOverLoopback:
    @pytest_twisted.ensureDeferred
    async def test_a_hundred_requests_share_a_few_connections(self, far_end):
        url = await far_end.url()
        client = far_end.client(connections=4)
        answers = await gatherResults(
            [client.post(url, b"%d" % i, [("Idempotency-Key", str(i))], 5) for i in range(100)]
        )
        assert {answer.status for answer in answers} == {200}
        assert far_end.server.connections_made == 4
        assert sorted(int(request.body) for request in far_end.seen) == list(range(100))
        assert far_end.seen[0].header(b"idempotency-key") == far_end.seen[0].body

    @pytest.mark.parametrize(
        ("trouble", "expected"),
        [
            (LabResponse(close_instead=True), ("closed before any answer", True)),
            (LabResponse(200, b"long enough", truncate_at=20), ("closed in the middle of the answer", True)),
            (LabResponse(200, b"long enough", truncate_at=45), ("closed in the middle of the answer", True)),
            (LabResponse(raw=b"rubbish\r\n\r\n"), ("not HTTP", True)),
            (LabResponse(200, b"x" * 2000), ("answer too large", True)),
            (LabResponse(never=True), ("time budget of 0.2 s over while waiting for the answer", True)),
        ],
    )
    @pytest_twisted.ensureDeferred
    async def test_trouble_is_told_in_words_and_the_next_request_works(self, far_end, trouble, expected):
        url = await far_end.url()
        client = far_end.client(connections=1, max_body=1000)
        far_end.response = trouble
        assert await failure_of(client.post(url, b"", [], 0.2)) == expected
        far_end.response = LabResponse(200, b"ok")
        assert (await client.post(url, b"", [], 5)).body == b"ok"

    @pytest_twisted.ensureDeferred
    async def test_of_what_a_far_end_says_little_is_read_in_a_turn(self, far_end, turns):
        """A large answer leaves the reactor to others between its pieces."""
        far_end.response = LabResponse(200, b"x" * 1_000_000)
        url = await far_end.url()
        assert len((await far_end.client().post(url, b"", [], 30)).body) == 1_000_000
        assert max(turns) <= READ_AT_ONCE

    @pytest_twisted.ensureDeferred
    async def test_nobody_listening_is_a_refused_connection(self, far_end):
        url = await far_end.url()
        await far_end.ports.pop().stopListening()
        assert await failure_of(far_end.client().post(url, b"", [], 5)) == ("connection refused", False)

    @pytest_twisted.ensureDeferred
    async def test_a_server_that_was_restarted_costs_no_request(self, far_end):
        url = await far_end.url()
        client = far_end.client(connections=1)
        await client.post(url, b"", [], 5)
        far_end.server.drop_connections()
        assert (await client.post(url, b"", [], 5)).status == 200
        assert far_end.server.connections_made == 2


def authority(name):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return key, certificate(subject, key, subject, key, is_ca=True)


def certificate(subject, key, issuer, issuer_key, *, is_ca=False, usage=None):
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    if usage is not None:
        names = [x509.DNSName("112.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


class Certificates:
    """Two authorities; the first has signed a server and a client."""

    def __init__(self, folder):
        self.folder = folder
        key, ca = authority("the authority")
        self.ca = self._write("ca.pem", ca)
        self.other_ca = self._write("other.pem", authority("another authority")[1])
        self.server, self.server_key = self._leaf("server", ca, key, ExtendedKeyUsageOID.SERVER_AUTH)
        self.client, self.client_key = self._leaf("client", ca, key, ExtendedKeyUsageOID.CLIENT_AUTH)

    def _leaf(self, name, ca, ca_key, usage):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        path = self.folder / f"{name}.key"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return self._write(f"{name}.pem", certificate(subject, key, ca.subject, ca_key, usage=usage)), path

    def _write(self, name, one):
        path = self.folder / name
        path.write_bytes(one.public_bytes(serialization.Encoding.PEM))
        return path

    def server_options(self):
        trusted = ssl.trustRootFromCertificates([ssl.Certificate.loadPEM(self.ca.read_bytes())])
        return ssl.CertificateOptions(
            privateKey=serialization.load_pem_private_key(self.server_key.read_bytes(), None),
            certificate=x509.load_pem_x509_certificate(self.server.read_bytes()),
            trustRoot=trusted,
        )


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


class TestTls:
    """The server wants a client certificate of its own authority."""

    async def _url(self, far_end, certificates):
        port = reactor.listenSSL(0, far_end.server, certificates.server_options(), interface="127.0.0.1")
        far_end.ports.append(port)
        return f"https://127.0.0.1:{port.getHost().port}/"

    def _settings(self, certificates, **changes):
        own = {"client_certificate": certificates.client, "client_key": certificates.client_key}
        return Tls(**{"ca_file": certificates.ca, **own, **changes})

    @pytest_twisted.ensureDeferred
    async def test_both_ends_show_who_they_are_and_the_connection_is_kept(self, far_end, certificates):
        url = await self._url(far_end, certificates)
        client = far_end.client(tls=self._settings(certificates))
        for _ in range(3):
            assert (await client.post(url, b"hi", [], 5)).body == b"ok"
        assert far_end.server.connections_made == 1

    @pytest_twisted.ensureDeferred
    async def test_of_what_a_far_end_says_one_record_is_read_in_a_turn(self, far_end, certificates, turns):
        """What has come of a record waits for its rest, at most 16 KiB (RFC 8446 section 5.1)."""
        far_end.response = LabResponse(200, b"x" * 1_000_000)
        url = await self._url(far_end, certificates)
        client = far_end.client(tls=self._settings(certificates))
        assert len((await client.post(url, b"", [], 30)).body) == 1_000_000
        assert max(turns) <= 16_384 + READ_AT_ONCE

    @pytest_twisted.ensureDeferred
    async def test_the_name_may_differ_from_the_host_when_configured(self, far_end, certificates):
        url = await self._url(far_end, certificates)
        client = far_end.client(tls=self._settings(certificates, server_name="112.example"))
        assert (await client.post(url, b"hi", [], 5)).status == 200

    @pytest_twisted.ensureDeferred
    async def test_a_wrong_authority_ends_it_before_anything_is_sent(self, far_end, certificates):
        url = await self._url(far_end, certificates)
        client = far_end.client(tls=self._settings(certificates, ca_file=certificates.other_ca))
        words, sent = await failure_of(client.post(url, b"secret", [], 5))
        assert words.startswith("TLS verification failed: ")
        assert not sent
        assert far_end.seen == []

    @pytest_twisted.ensureDeferred
    async def test_a_wrong_name_ends_it_before_anything_is_sent(self, far_end, certificates):
        url = await self._url(far_end, certificates)
        client = far_end.client(tls=self._settings(certificates, server_name="113.example"))
        words, sent = await failure_of(client.post(url, b"secret", [], 5))
        assert words == "TLS verification failed: the certificate is not for 113.example"
        assert not sent
        assert far_end.seen == []

    @pytest_twisted.ensureDeferred
    async def test_without_our_certificate_the_server_says_no(self, far_end, certificates):
        url = await self._url(far_end, certificates)
        client = far_end.client(tls=Tls(ca_file=certificates.ca))
        words, _ = await failure_of(client.post(url, b"hi", [], 5))
        assert words.startswith("TLS failed: ")
        assert far_end.seen == []

    @pytest_twisted.ensureDeferred
    async def test_a_silent_server_costs_the_budget_and_not_more(self, far_end, certificates):
        plain = (await far_end.url()).replace("http:", "https:")
        client = far_end.client(tls=self._settings(certificates))
        words, sent = await failure_of(client.post(plain, b"hi", [], 5))
        assert (words.startswith("TLS failed: "), sent) == (True, False)

    def test_files_that_hold_something_else_are_found_at_the_start(self, certificates):
        with pytest.raises(ValueError, match="ca_file holds no certificate"):
            HttpClient(reactor, tls=Tls(ca_file=certificates.client_key))
        with pytest.raises(ValueError, match="client_key holds no key"):
            HttpClient(reactor, tls=Tls(client_certificate=certificates.client, client_key=certificates.ca))
        with pytest.raises(OSError, match="No such file"):
            HttpClient(reactor, tls=Tls(ca_file=certificates.folder / "missing.pem"))
