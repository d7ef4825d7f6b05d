"""A small HTTP/1.1 server for simulators: it answers properly, or goes wrong in exactly the way asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import h11
from twisted.internet.defer import Deferred, execute, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IPullProducer, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer  # type: ignore[import-untyped] # zope ships no types

MAX_BODY = 4_194_304
"""Octets of a request's body; more is answered 413 and the connection closed."""

TALKED_AT_ONCE = 65_536
"""Octets that an endless answer hands over at a time."""

_REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class LabRequest:
    """A whole request as it came; header names are in lower case."""

    method: str
    target: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """Return the first header of this (lower-case) name."""
        return next((value for key, value in self.headers if key == name), None)


@dataclass(frozen=True, slots=True)
class LabResponse:
    """An answer, and the fault to make in it.

    ``truncate_at`` closes after that many octets of the whole answer, head included. ``close_instead`` closes
    without an octet. ``never`` leaves the connection open and silent. ``raw`` is sent instead of status, headers
    and body, then the connection is closed; with ``for_ever`` these octets follow again and again instead, for as long
    as they are taken. ``delay_s`` comes before any of them.
    """

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    truncate_at: int | None = None
    close_instead: bool = False
    never: bool = False
    raw: bytes | None = None
    for_ever: bytes = b""
    delay_s: float = 0.0

    def octets(self) -> bytes:
        """Return the answer as it goes over the wire, untroubled."""
        if self.raw is not None:
            return self.raw
        head = [f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Unnamed')}"]
        head += [f"{name}: {value}" for name, value in self.headers]
        head.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        return "\r\n".join(head).encode("latin-1") + self.body

    @property
    def ends_connection(self) -> bool:
        """Whether the connection is closed after the octets of this answer."""
        return self.truncate_at is not None or self.raw is not None or self.close_instead


Handle = Callable[[LabRequest], "LabResponse | Deferred[LabResponse]"]


class LabHttpServer(Factory):
    """Serves HTTP/1.1 with kept-alive connections; ``handle`` decides every answer.

    ``connections_made`` and ``requests`` count; ``open_connections`` is how many are open now.
    """

    noisy = False

    def __init__(self, reactor: Any, handle: Handle) -> None:
        self.reactor = reactor
        self.handle = handle
        self.connections_made = 0
        self.requests = 0
        self._open: dict[_ServerConnection, None] = {}
        """In the order they were made: a set of objects has another order in each process."""

    @property
    def open_connections(self) -> int:
        """Number of connections open now."""
        return len(self._open)

    def listen(self, interface: str = "127.0.0.1", port: int = 0) -> Deferred[IListeningPort]:
        """Accept connections; port 0 takes a free one. Fails with `CannotListenError`."""
        return execute(self.reactor.listenTCP, port, self, interface=interface)

    def buildProtocol(self, addr: Any) -> Protocol:  # noqa: N802, ARG002 - Twisted's name and signature
        """Take a new connection."""
        return _ServerConnection(self)

    def drop_connections(self) -> None:
        """Close every open connection at once."""
        for connection in tuple(self._open):
            connection.drop()

    def opened(self, connection: _ServerConnection) -> None:
        """Count a connection in."""
        self.connections_made += 1
        self._open[connection] = None

    def closed(self, connection: _ServerConnection) -> None:
        """Count a connection out."""
        self._open.pop(connection, None)


class _ServerConnection(Protocol):
    """One connection: one request at a time."""

    def __init__(self, server: LabHttpServer) -> None:
        self._server = server
        self._http = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._body = bytearray()
        self._is_open = False
        self._is_reading = False

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        self._is_open = True
        self._server.opened(self)
        tcp: Any = ITCPTransport(self.transport, None)
        if tcp is not None:
            tcp.setTcpNoDelay(True)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802, ARG002 - Twisted's signature
        self._is_open = False
        self._server.closed(self)

    def drop(self) -> None:
        """Close at once."""
        if self._is_open:
            self._is_open = False
            self._transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        if self._is_open:
            self._http.receive_data(data)
            self._read()

    @property
    def _transport(self) -> Any:
        return self.transport

    def _read(self) -> None:
        self._is_reading = True
        try:
            self._read_events()
        except h11.RemoteProtocolError as error:
            self._say(LabResponse(error.error_status_hint))
            self._end()
        finally:
            self._is_reading = False

    def _read_events(self) -> None:
        while self._is_open:
            event: Any = self._http.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return
            if isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > MAX_BODY:
                    raise h11.RemoteProtocolError("body too large", error_status_hint=413)
            elif isinstance(event, h11.Request):
                self._request = event
                self._body = bytearray()
            elif isinstance(event, h11.EndOfMessage):
                self._answer()

    def _answer(self) -> None:
        request = self._request
        assert request is not None
        self._server.requests += 1
        asked = LabRequest(
            request.method.decode("ascii"),
            request.target.decode("ascii"),
            tuple(request.headers),
            bytes(self._body),
        )
        maybeDeferred(self._server.handle, asked).addCallbacks(self._reply, self._broken)

    def _broken(self, failure: Failure) -> None:
        """Make a fault of the simulator itself visible to the client."""
        self._reply(LabResponse(500, failure.getTraceback().encode()))

    def _reply(self, response: LabResponse) -> None:
        if response.delay_s > 0:
            self._server.reactor.callLater(response.delay_s, self._reply_now, response)
        else:
            self._reply_now(response)

    def _reply_now(self, response: LabResponse) -> None:
        if not self._is_open or response.never:
            return
        if response.close_instead:
            self.drop()
            return
        self._say(response)
        if response.for_ever:
            self._transport.registerProducer(_Talker(self._transport, response.for_ever), False)
        elif response.ends_connection or self._http.their_state is not h11.DONE:
            self._end()
        else:
            self._ready_for_next()

    def _end(self) -> None:
        # Not an abort: the octets that are to arrive must arrive.
        self._is_open = False
        self._transport.loseConnection()

    def _say(self, response: LabResponse) -> None:
        octets = response.octets()
        self._transport.write(octets if response.truncate_at is None else octets[: response.truncate_at])

    def _ready_for_next(self) -> None:
        # h11 reads requests here and writes none of the answers: they may be wrong on purpose. It is told of a
        # plain answer, so that it goes on to the next request.
        self._http.send(_PLAIN_ANSWER)
        self._http.send(h11.EndOfMessage())
        self._http.start_next_cycle()
        if not self._is_reading:
            self._read()


@implementer(IPullProducer)
class _Talker:
    """Writes the same octets whenever the transport has room, until the connection is lost."""

    def __init__(self, transport: Any, octets: bytes) -> None:
        self._transport = transport
        self._octets = octets * max(1, TALKED_AT_ONCE // len(octets))

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        self._transport.write(self._octets)

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Nothing more to do: the connection is gone."""


_PLAIN_ANSWER = h11.Response(status_code=204, headers=[])
