"""Askers of our web server: on a wire in memory with a clock of the test's own, and over real sockets."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from telephony.alarms import Alarms
from telephony.domain.location_token import sought_digests
from telephony.domain.position import Position
from telephony.domain.values import Msisdn
from telephony.doors.location import LocationResource
from telephony.doors.server import WebServer
from telephony.doors.settings import Web
from telephony.store.calls import TokenHolder
from tests.doubles import NOON

TOKEN = "Zq3vT0kE9-_aB1cD2eF3gH4iJ5kL6mN7"
INCIDENT = "sos-20261123-7k3qwz2m9t"
CELL = Position(37.5665, 126.9778, 350.0, 67.0, "cell", "lbs:skt", NOON, NOON)


def holder(*, is_open=True, best=CELL, msisdn="821000000001"):
    """What the store gives for a token."""
    return TokenHolder(INCIDENT, is_open, Msisdn(msisdn, is_e164=bool(msisdn)), best)


class Store:
    """Answers questions for tokens as told, and keeps them; `hold` makes it wait."""

    def __init__(self, **holders):
        self.holders = {digest_of(token): opened for token, opened in (holders or {TOKEN: holder()}).items()}
        self.asked = []
        self.held = None
        self.error = None

    async def find(self, digest):
        self.asked.append(digest)
        if self.held is not None:
            waiting = Deferred()
            self.held.append(waiting)
            await waiting
        if self.error is not None:
            raise self.error
        return self.holders.get(digest)

    def hold(self):
        self.held = []

    def release(self):
        held, self.held = self.held, None
        for waiting in held:
            waiting.callback(None)


def digest_of(token):
    return sought_digests(token.encode())


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes


def request(method="GET", path=f"/v1/location/{TOKEN}", *, body=None, version="1.1", **headers):
    """Header names are written with underscores."""
    lines = [f"{method} {path} HTTP/{version}", "Host: onetouch.example"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def responses(octets, *, to_head=False):
    """Read complete responses, one after the other; what is left over must be nothing."""
    read = []
    while octets:
        head, blank, octets = octets.partition(b"\r\n\r\n")
        assert blank, "a head that is cut off"
        status, *fields = head.decode("ascii").split("\r\n")
        headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
        length = 0 if to_head else int(headers.get("content-length", 0))
        read.append(Response(int(status.split()[1]), headers, octets[:length]))
        assert len(octets) >= length, "a body that is cut off"
        octets = octets[length:]
    return read


class Wire(StringTransport):
    """A connection in memory. ``is_ended`` says that the server let it end, ``is_cut`` that it cut it off."""

    def __init__(self, site, host="192.0.2.1"):
        super().__init__(peerAddress=IPv4Address("TCP", host, 40_000))
        self.is_cut = False
        self.is_lost = False
        self.channel = site.buildProtocol(None)
        self.channel.makeConnection(self)

    @property
    def is_ended(self):
        return self.disconnecting

    def unregisterProducer(self):
        self.producer = None

    def abortConnection(self):
        self.is_cut = True
        self.lose()

    def lose(self):
        if not self.is_lost:
            self.is_lost = True
            self.channel.connectionLost(Failure(ConnectionDone()))

    def send(self, octets):
        self.channel.dataReceived(octets)

    def heard(self, *, to_head=False):
        octets = self.value()
        self.clear()
        return responses(octets, to_head=to_head)


class Served:
    """A server of some resources, on a clock and wires of its own."""

    def __init__(self, resources, reactor, **settings):
        self.reactor = reactor
        self.server = WebServer(Web(**settings), resources, reactor=reactor, alarms=Alarms(reactor))
        self.server.startService()
        self.site = reactor.tcpServers[-1][1]

    def connect(self, host="192.0.2.1"):
        return Wire(self.site, host)

    def ask(self, *arguments, **details):
        """Ask on a fresh connection and give the answer."""
        wire = self.connect()
        wire.send(request(*arguments, **details))
        (answer,) = wire.heard(to_head="HEAD" in arguments)
        if wire.is_ended:
            wire.lose()
        return answer


class Listening(Served):
    """The server with the location URL."""

    def __init__(self, store=None, **settings):
        reactor = some_reactor()
        self.store = store or Store()
        self.seen = []
        location = LocationResource(
            self.store.find, host="onetouch.example", clock=reactor, saw=self.seen.append
        )
        super().__init__({"v1/location": location}, reactor, **settings)


def some_reactor():
    """A reactor in memory, 20 s after noon."""
    reactor = MemoryReactorClock()
    reactor.rightNow = NOON.timestamp() + 20
    return reactor


class Socket(Protocol):
    """A real connection that keeps what it hears; ``ended`` fires with all of it."""

    def __init__(self):
        self.octets = b""
        self.ended = Deferred()
        self._waiting = []

    def dataReceived(self, data):
        self.octets += data
        self._tell()

    def connectionLost(self, reason):
        self.ended.callback(self.octets)

    def until(self, what):
        """Return all that was heard, once ``what`` is in it."""
        waiting = Deferred()
        self._waiting.append((what, waiting))
        self._tell()
        return waiting

    def _tell(self):
        for what, waiting in self._waiting:
            if what in self.octets and not waiting.called:
                waiting.callback(self.octets)


async def connected(reactor, port):
    return await TCP4ClientEndpoint(reactor, "127.0.0.1", port).connect(Factory.forProtocol(Socket))
