"""Pool of HTTP connections to one far end, and the requests that they carry or that wait for one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError as TcpRefused
from twisted.internet.error import DNSLookupError
from twisted.internet.error import TimeoutError as TcpTimeout
from twisted.internet.interfaces import IHandshakeListener, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer  # type: ignore[import-untyped] # zope ships no types

from telephony.domain.errors import Unavailable
from telephony.net.client_tls import tls_reason
from telephony.net.http.wire import AnswerReader, HttpResponse, NotReadable

IDLE_S = 30.0
"""Longest rest of a connection before its next request.

A firewall forgets a silent connection without telling either end; the next request on it would be lost until
its budget is over. Common gateways keep idle connections for 60 s and more.
"""

READ_AT_ONCE = 4_096
"""Octets that are read from a far end in one turn of the reactor: the most expensive ones cost 3 ms, during which
others wait."""

CLIENT_CLOSED = "the client was closed"


class HttpFailed(Unavailable):
    """There is no answer. ``reason`` says why in words; ``sent``: whether the request may have arrived.

    ``partial`` is the answer as far as it came: of use to those whose documents show by themselves that they are
    whole, for servers exist whose Content-Length is larger than what they send.
    """

    def __init__(self, reason: str, *, sent: bool, partial: HttpResponse | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent
        self.partial = partial


class Call:
    """One request on its way, with its budget of time. ``answer`` fires once, whatever happens."""

    __slots__ = ("_timer", "answer", "is_over", "octets", "partial", "sent", "step", "stop")

    def __init__(self, reactor: Any, octets: bytes, timeout_s: float) -> None:
        self.octets = octets
        self.answer: Deferred[HttpResponse] = Deferred(self._abandon)
        self.is_over = False
        self.sent = False
        self.step = "waiting for a free connection"
        self.stop: Callable[[], object] = _nothing_to_stop
        self.partial: Callable[[], HttpResponse | None] = _nothing_came
        self._timer = reactor.callLater(timeout_s, self._time_over, timeout_s)

    def succeed(self, response: HttpResponse) -> None:
        """Give the answer."""
        if not self.is_over:
            self.is_over = True
            self._timer.cancel()
            self.answer.callback(response)

    def fail(self, reason: str) -> None:
        """Say that there will be none."""
        if not self.is_over:
            self.is_over = True
            self._timer.cancel()
            self.answer.errback(HttpFailed(reason, sent=self.sent, partial=self.partial()))

    def _time_over(self, timeout_s: float) -> None:
        self.is_over = True
        reason = f"time budget of {timeout_s:g} s over while {self.step}"
        # The answer first, before stopping sets off anything else: the caller has waited long enough.
        self.answer.errback(HttpFailed(reason, sent=self.sent, partial=self.partial()))
        self.stop()

    def _abandon(self, _: Deferred[HttpResponse]) -> None:
        self.is_over = True
        self._timer.cancel()
        self.stop()


class Pool:
    """The connections to one far end, at most ``limit``, and the calls that wait for one, in order."""

    def __init__(self, reactor: Any, endpoint: Any, *, is_tls: bool, limit: int, max_body: int) -> None:
        self.reactor = reactor
        self.max_body = max_body
        self._endpoint = endpoint
        self._is_tls = is_tls
        self._limit = limit
        self._open: dict[_Connection, None] = {}
        self._connecting: dict[Call, None] = {}
        self._idle: list[_Connection] = []
        self._waiting: deque[Call] = deque()
        self._when_empty: list[Deferred[None]] = []
        self._is_closed = False

    def use(self, endpoint: Any) -> None:
        """Open the next connections there; those that are open stay in use."""
        self._endpoint = endpoint

    def submit(self, call: Call) -> None:
        """Carry a call on a free connection, else on a new one, else when its turn comes."""
        connection = self._take_idle()
        if connection is not None:
            connection.carry(call)
        elif len(self._open) + len(self._connecting) < self._limit:
            self._connect(call)
        else:
            self._waiting.append(call)

    def give_back(self, connection: _Connection) -> None:
        """Use a connection whose answer is complete for the next call."""
        call = self._next_waiting()
        if call is None:
            self._idle.append(connection)
        else:
            connection.carry(call)

    def lost(self, connection: _Connection, retry: Call | None) -> None:
        """Forget a closed connection; the call to retry, or else the next one waiting, gets a fresh one."""
        self._open.pop(connection, None)
        if connection in self._idle:
            self._idle.remove(connection)
        self._use_free_place(retry)

    def close(self) -> Deferred[None]:
        """Fail all calls and drop all connections; fires when the last is gone."""
        self._is_closed = True
        empty: Deferred[None] = Deferred()
        self._when_empty.append(empty)
        while (call := self._next_waiting()) is not None:
            call.fail(CLIENT_CLOSED)
        for call in tuple(self._connecting):
            call.fail(CLIENT_CLOSED)
            call.stop()
        for connection in tuple(self._open):
            connection.give_up(CLIENT_CLOSED)
        self._tell_if_empty()
        return empty

    def _take_idle(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if self.reactor.seconds() - connection.idle_since <= IDLE_S:
                return connection
            connection.drop()
        return None

    def _next_waiting(self) -> Call | None:
        while self._waiting:
            call = self._waiting.popleft()
            if not call.is_over:
                return call
        return None

    def _use_free_place(self, retry: Call | None) -> None:
        if self._is_closed:
            if retry is not None:
                retry.fail(CLIENT_CLOSED)
            self._tell_if_empty()
            return
        call = retry or self._next_waiting()
        if call is not None:
            self._connect(call)

    def _tell_if_empty(self) -> None:
        if not self._open and not self._connecting:
            listeners, self._when_empty = self._when_empty, []
            for listener in listeners:
                listener.callback(None)

    def _connect(self, call: Call) -> None:
        call.step = "connecting"
        self._connecting[call] = None
        attempt = self._endpoint.connect(Factory.forProtocol(lambda: _Connection(self)))
        call.stop = attempt.cancel
        attempt.addCallbacks(self._connected, self._not_connected, callbackArgs=(call,), errbackArgs=(call,))

    def _connected(self, connection: Any, call: Call) -> None:
        self._connecting.pop(call, None)
        self._open[connection] = None
        if call.is_over:
            connection.drop()
        elif self._is_tls:
            connection.carry_after_handshake(call)
        else:
            connection.carry(call)

    def _not_connected(self, failure: Failure, call: Call) -> None:
        self._connecting.pop(call, None)
        call.fail(_why_not_connected(failure))
        self._use_free_place(None)


@implementer(IHandshakeListener)
class _Connection(Protocol):
    """One connection: one call at a time, any number after each other."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._call: Call | None = None
        self._reader = AnswerReader(pool.max_body)
        self._is_reused = False
        self._is_dropped = False
        self.idle_since = 0.0

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        tcp: Any = ITCPTransport(self.transport, None)
        if tcp is not None:
            tcp.setTcpNoDelay(True)
        _read_little(self.transport)

    def carry_after_handshake(self, call: Call) -> None:
        """Hold a call until TLS is up: nothing of it leaves before the far end is verified."""
        self._hold(call, "in the TLS handshake")

    def handshakeCompleted(self) -> None:  # noqa: N802 - Twisted's name
        # The call's budget may have ended in the meantime; the connection is being closed then.
        if self._call is not None and not self._is_dropped:
            self.carry(self._call)

    def carry(self, call: Call) -> None:
        """Send the call's request, in one write, and expect its answer."""
        self._hold(call, "waiting for the answer")
        call.partial = self._reader.so_far
        call.sent = True
        self._transport.write(call.octets)

    def give_up(self, reason: str) -> None:
        """Fail the call under way, if any, and drop the connection."""
        self._fail_call(reason)
        self.drop()

    def drop(self) -> None:
        """Close without goodbye; the pool hears of it when the connection is gone."""
        if not self._is_dropped:
            self._is_dropped = True
            self._transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        if self._is_dropped:
            return
        if self._call is None:
            # Nothing was asked: the next answer could not be told from these octets.
            self.drop()
            return
        try:
            response = self._reader.feed(data)
        except NotReadable as error:
            self.give_up(str(error))
        else:
            if response is not None:
                self._finish(response)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        self._is_dropped = True
        call, self._call = self._call, None
        retry = None
        if call is not None and not call.is_over:
            response = self._reader.end()
            if response is not None:
                call.succeed(response)
            elif self._is_reused and not self._reader.has_heard:
                # Once: the pool carries it on a connection that is not reused.
                retry = call
            else:
                call.fail(self._why_lost(call, reason))
        self._pool.lost(self, retry)

    @property
    def _transport(self) -> Any:
        return self.transport

    def _hold(self, call: Call, step: str) -> None:
        self._call = call
        call.step = step
        call.stop = self.drop

    def _finish(self, response: HttpResponse) -> None:
        call, self._call = self._call, None
        assert call is not None
        # The connection first: the receiver of the answer may need it at once.
        if self._reader.is_reusable and not call.is_over:
            self._reader = AnswerReader(self._pool.max_body)
            self._is_reused = True
            self.idle_since = self._pool.reactor.seconds()
            self._pool.give_back(self)
        else:
            # The answer is whole, so nothing is lost by not waiting for the far end's goodbye.
            self.drop()
        call.succeed(response)

    def _fail_call(self, reason: str) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.fail(reason)

    def _why_lost(self, call: Call, reason: Failure) -> str:
        if self._reader.has_heard:
            return "closed in the middle of the answer"
        return tls_reason(reason) or (
            "closed before any answer" if call.sent else "closed in the TLS handshake"
        )


def _read_little(transport: Any) -> None:
    """Have the socket under a transport, which may be TLS, read at most `READ_AT_ONCE` octets a turn."""
    while (under := getattr(transport, "transport", None)) is not None:
        transport = under
    transport.bufferSize = READ_AT_ONCE


def _nothing_came() -> None:
    """Stand in for a call that no connection carries yet."""


def _nothing_to_stop() -> None:
    """Stand in for a call that is only waiting: the queue passes over it."""


def _why_not_connected(failure: Failure) -> str:
    error = failure.value
    if isinstance(error, TcpRefused):
        return "connection refused"
    if isinstance(error, TcpTimeout):
        return "no connection within the time to connect"
    if isinstance(error, DNSLookupError):
        return "host name not found"
    return tls_reason(failure) or f"no connection: {type(error).__name__}"
