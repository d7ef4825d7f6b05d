"""Our web server: twisted.web, with bounds on the memory, work and log lines that a stranger can cause.

What twisted.web does by itself and is not wanted here: it writes URLs into logs, keeps bodies of any size on the disk,
takes forms apart unasked, restarts the time-out with every octet, answers a thousand pipelined requests in one go,
and shows requests in its error pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web import server
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource

from telephony.alarms import Alarms
from telephony.clock import Call
from telephony.doors.settings import Web
from telephony.net.listening import PatientPort
from telephony.net.places import Places, affordable, is_loopback, source_of
from telephony.net.refusals import Cause, Refusals
from telephony.net.server_tls import server_tls
from telephony.service import Service

ABOUT: Final = "web"
"""The listener, in alarms and log lines."""

MOST_BODY: Final = 16_384
"""Octets of a request's body. The largest we are meant to get is a HELD locationRequest of some hundred."""

MOST_HEADER: Final = 4_096
"""Octets of request line and headers. Below the 4,300 digits of a number that Python refuses to read."""

MOST_HEADERS: Final = 64

MOST_PIECES: Final = 256
"""Pieces that a body may come in, chunks or packets; a chunk for each octet would be work for nothing."""

AT_A_TIME: Final = 4_096
"""Octets that are taken in before we look whether the connection is still wanted."""

MOST_REQUESTS: Final = 100
"""Requests on one connection. twisted.web goes on answering a client that pipelines and never reads: this bounds the
pile."""

CLOSED_WITHIN_S: Final = 5.0
"""A client that does not take its answer is cut off after this time."""

_TOO_LARGE: Final = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_LINE_TOO_LONG: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)


class WebServer(Service):
    """Serves resources (``IResource``) by their paths, ``{"v1/location": …}``; any other path is answered 404, without a body.

    A connection ends with its answer, unless the resource sets ``Connection: keep-alive``: then it has seen something
    that a stranger does not have.
    """

    def __init__(self, settings: Web, resources: Mapping[str, Any], *, reactor: Any, alarms: Alarms) -> None:
        self._alarms = alarms
        self._patient: PatientPort | None = None
        self._settings = settings
        self._reactor = reactor
        self._refusals = Refusals(reactor, ABOUT, alarms)
        self._site = _Site(_tree(resources), settings, reactor, self._refusals)

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Listen. A port that is taken, or certificate files that cannot be used, are an alarm and tried again."""
        super().startService()
        self._patient = PatientPort(
            self._factory,
            self._settings.interface,
            self._settings.port,
            reactor=self._reactor,
            alarms=self._alarms,
            about=ABOUT,
        )
        self._patient.open()

    def _factory(self) -> Any:
        """Make the factory of our connections. Raises `OSError` or `ValueError` for certificate files."""
        if self._settings.tls_certificate is None or self._settings.tls_key is None:
            return self._site
        certificate = self._settings.tls_certificate.read_bytes()
        return server_tls(certificate, self._settings.tls_key.read_bytes(), self._site)

    @property
    def port(self) -> Any:
        """The listening port, while there is one."""
        return None if self._patient is None else self._patient.port

    def stopService(self) -> Deferred[None]:  # noqa: N802 - Twisted's name
        """Listen no longer and cut every connection; fires when the last one is gone."""
        super().stopService()
        endings: list[Deferred[Any]] = [self._site.cut_all()]
        if self._patient is not None:
            endings.append(self._patient.close())
            self._patient = None
        self._refusals.stop()
        return DeferredList(endings).addCallback(lambda _: None)


class _Site(server.Site):
    """The connections, at most so many: a newcomer takes the place of one that asks for nothing (`telephony.net.places`).

    So a client that only holds connections open cannot keep the centre out; a refused newcomer would be the centre.
    """

    noisy = False

    def __init__(self, root: Any, settings: Web, reactor: Any, refusals: Refusals) -> None:
        super().__init__(root, _Request, timeout=settings.idle_timeout_s, reactor=reactor)  # type: ignore[no-untyped-call]
        self.protocol: Any = _Channel
        self._most = affordable(settings.max_connections)
        self._refusals = refusals
        self.places: Places[_Channel] = Places(
            self._most, settings.max_connections_per_address, self._make_room
        )
        self._all_gone: Deferred[None] | None = None

    def log(self, request: object) -> None:
        """Keep no access log: a URL holds a token. The resources log what may be told."""

    def acceptableProtocols(self) -> list[bytes]:  # noqa: N802 - Twisted's name
        """Never speak HTTP/2, even where it is installed: none of the bounds here would hold for it."""
        return [b"http/1.1"]

    def came(self, channel: _Channel) -> None:
        """Count a connection in."""
        share = self._most if is_loopback(channel.host) else None
        self.places.take(channel, source_of(channel.host), share=share)

    def gone(self, channel: _Channel) -> None:
        """Count a connection out."""
        self.places.leave(channel)
        if self._all_gone is not None and not len(self.places):
            all_gone, self._all_gone = self._all_gone, None
            all_gone.callback(None)

    def _make_room(self, channel: _Channel) -> None:
        self._refusals.count(Cause.MADE_ROOM, channel.host)
        channel.cut()

    def cut_all(self) -> Deferred[None]:
        """Cut every connection; fires when the last one is gone."""
        if not len(self.places):
            return succeed(None)
        all_gone: Deferred[None] = Deferred()
        self._all_gone = all_gone
        for channel in tuple(self.places):
            channel.cut()
        return all_gone


class _Channel(HTTPChannel):
    """One connection: one request at a time, each bounded in size and in time."""

    MAX_LENGTH = MOST_HEADER
    totalHeadersSize = MOST_HEADER  # noqa: N815 - Twisted's name
    maxHeaders = MOST_HEADERS  # noqa: N815 - Twisted's name
    site: _Site
    answered = 0
    """Requests that were answered on it."""
    host = ""
    """The address at the other end."""
    _cutting: Call | None = None

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Begin, with the time-out running: a TLS handshake is part of the first request's time."""
        super().connectionMade()  # type: ignore[no-untyped-call]
        self.host = str(getattr(self._transport.getPeer(), "host", ""))
        self.site.came(self)

    def requestDone(self, request: Any) -> None:  # noqa: N802 - Twisted's name
        """Wait for the next request, as one of those that ask for nothing now."""
        super().requestDone(request)  # type: ignore[no-untyped-call]
        if self.persistent and not self.requests:
            self.site.places.idle(self)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Take the octets that came; once a request was refused, the rest costs nothing."""
        for at in range(0, len(data), AT_A_TIME):
            if self._transport.disconnecting:
                return
            super().dataReceived(data[at : at + AT_A_TIME])  # type: ignore[no-untyped-call]

    def resetTimeout(self) -> None:  # noqa: N802 - Twisted's name
        """Grant no time for a single octet: the time-out counts for the whole request."""

    def timeoutConnection(self) -> None:  # noqa: N802 - Twisted's name
        """Close a connection on which no whole request came in time."""
        self.loseConnection()

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: ARG002, N802 - Twisted's name and signature
        """Refuse: nothing sensible has a line that long."""
        self._transport.write(_LINE_TOO_LONG)
        self.loseConnection()

    def loseConnection(self) -> None:  # noqa: N802 - Twisted's name
        """Close once what was written has left, and at the latest after a time."""
        if self._cutting is None:
            self._cutting = self.callLater(CLOSED_WITHIN_S, self.cut)  # type: ignore[no-untyped-call]
        super().loseConnection()  # type: ignore[no-untyped-call]

    def cut(self) -> None:
        """Close now."""
        self._transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        """Clear up."""
        if self._cutting is not None and self._cutting.active():
            self._cutting.cancel()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        self.site.gone(self)

    @property
    def _transport(self) -> Any:
        return self.transport


class _Request(server.Request):
    """One request, whose body is kept in memory up to `MOST_BODY`."""

    channel: Any
    _is_too_large = False
    _body_octets = 0
    _body_pieces = 0
    _content_types: Sequence[bytes] = ()

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted's name
        """Make room for the body; ``None`` where it comes in chunks."""
        self.content = BytesIO()
        if length is not None and length > MOST_BODY:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Keep a piece of the body."""
        self._body_octets += len(data)
        self._body_pieces += 1
        if self._body_octets > MOST_BODY or self._body_pieces > MOST_PIECES:
            self._refuse()
        if not self._is_too_large:
            super().handleContentChunk(data)  # type: ignore[no-untyped-call]

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: N802 - Twisted's name
        """Answer, unless that has been done."""
        if self._is_too_large:
            return
        self.channel.site.places.busy(self.channel)
        # twisted.web takes forms apart unasked, before the path is looked at; nested ones cost it 80 ms.
        self._content_types = self.requestHeaders.getRawHeaders(b"content-type", [])
        self.requestHeaders.removeHeader(b"content-type")
        super().requestReceived(command, path, version)  # type: ignore[no-untyped-call]

    def process(self) -> None:
        """Find the resource. ``OPTIONS *`` is about none."""
        self.requestHeaders.setRawHeaders(b"content-type", self._content_types)
        if self.path == b"*":
            self.path = b"/"
        super().process()  # type: ignore[no-untyped-call]

    def write(self, data: bytes) -> None:
        """Send a part of the answer, the head first."""
        if not self.startedWriting:
            self.responseHeaders.removeHeader(b"server")
            self._decide_persistence()
        super().write(data)  # type: ignore[no-untyped-call]

    def _decide_persistence(self) -> None:
        self.channel.answered += 1
        stays = self.channel.persistent and self.channel.answered < MOST_REQUESTS
        if not (stays and b"keep-alive" in self.responseHeaders.getRawHeaders(b"connection", [])):
            self.channel.persistent = False
            self.responseHeaders.setRawHeaders(b"connection", [b"close"])

    def _refuse(self) -> None:
        """Answer before the body is read; the body is discarded as it comes."""
        if not self._is_too_large:
            self._is_too_large = True
            self.requestHeaders.removeHeader(b"expect")  # or else it would still be told to go on
            self.channel.write(_TOO_LARGE)
            self.channel.loseConnection()


class _Nothing(Resource):
    """A path that leads to nothing, or on to a resource. Its answer says 404 and no more."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def getChild(self, path: bytes, request: Any) -> Resource:  # noqa: ARG002, N802 - Twisted's name and signature
        """Lead to nothing."""
        return _Nothing()

    def render(self, request: Any) -> bytes:
        """Answer 404 to whatever method."""
        request.setResponseCode(404)
        request.setHeader(b"Content-Length", b"0")
        return b""


def _tree(resources: Mapping[str, Any]) -> Any:
    root = _Nothing()
    for path, resource in resources.items():
        *folders, name = path.encode("ascii").split(b"/")
        place: Any = root
        for folder in folders:
            if folder not in place.children:
                place.putChild(folder, _Nothing())
            place = place.children[folder]
        place.putChild(name, resource)
    return root
