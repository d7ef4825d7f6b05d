"""The FastAGI server: Asterisk connects for each call that wants a menu, and we tell it what to play.

FastAGI knows no authentication, so it listens on loopback unless the settings say otherwise, and whatever connects is
bounded in size, number and time. Never put it before the first dial of an SOS call: a server that hangs holds the call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import structlog
from twisted.internet.defer import Deferred, DeferredList, fail
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from telephony.alarms import Alarms
from telephony.asterisk.menu.agi import AgiStream, HangUp, Message, Reply, Request, digit_of, encode_command
from telephony.asterisk.settings import ServiceMenu
from telephony.background import run_in_background
from telephony.clock import Call, within
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.net.listening import PatientPort
from telephony.net.places import Places, affordable, source_of
from telephony.net.refusals import Cause, Refusals
from telephony.service import Service

log = structlog.get_logger()

SCRIPT: Final = "menu"
"""The one script that we have: ``AGI(agi://…/menu)``."""
ABOUT: Final = "service-menu"
"""The listener, in alarms and log lines."""
WAITING_PER_CALL: Final = 4
"""Connections that may wait to send their request, for each call that there may be at once; half of them of one address."""


class CallOver(Unavailable):
    """The caller has hung up, or Asterisk is gone: nothing more can be said to her."""


@dataclass(frozen=True, slots=True)
class Played:
    """The result of playing a file: the digit that interrupted it, or none; False where there was nothing to play."""

    digit: str
    was_there: bool


class Agi:
    """The commands of one call; one at a time.

    Each raises `CallOver` once the call is over or Asterisk does not reply in time, `Refused` when Asterisk does not
    take the command, and `Malformed` for an argument that cannot be written or a reply that makes no sense.
    """

    def __init__(self, request: Request, send: Callable[[bytes], Deferred[Reply]]) -> None:
        self.request = request
        self._send = send

    async def set_variable(self, name: str, value: str) -> None:
        """Set a variable or function of the channel. Nothing in the value is evaluated."""
        await self._command("SET VARIABLE", name, value)

    async def stream_file(self, file: str, digits: str) -> Played:
        """Play a file, named without its ending, until its end or one of these digits."""
        reply = await self._command("STREAM FILE", file, digits)
        was_there = bool(reply.endpos)
        # -1 is a file that is missing, and also a caller who is gone: then the connection ends by itself.
        return Played("" if reply.result == -1 else digit_of(reply.result), was_there)

    async def wait_for_digit(self, seconds: float) -> str:
        """Return the digit that is pressed within so many seconds; empty for none."""
        reply = await self._command("WAIT FOR DIGIT", str(round(seconds * 1000)))
        if reply.result == -1:
            raise CallOver("the call ended while a digit was waited for")
        return digit_of(reply.result)

    async def _command(self, verb: str, *arguments: str) -> Reply:
        reply = await self._send(encode_command(verb, *arguments))
        if reply.code != 200:  # noqa: PLR2004 - the only code of a command that was carried out
            raise Refused(f"Asterisk answered {verb} with {reply.code}")
        return reply


class AgiServer(Service):
    """Listens for Asterisk and gives each call to ``run``; the connection ends when ``run`` does.

    ``run`` is never cancelled, as it may be in the middle of accepting a press: of a call that is over its next
    command raises `CallOver`.
    """

    def __init__(
        self,
        settings: ServiceMenu,
        *,
        reactor: Any,
        run: Callable[[Agi], Awaitable[None]],
        alarms: Alarms,
    ) -> None:
        self._patient = PatientPort(
            partial(_ConnectionFactory, self),
            settings.interface,
            settings.port,
            reactor=reactor,
            alarms=alarms,
            about=ABOUT,
        )
        self.settings = settings
        self.reactor = reactor
        self.run = run
        self._refusals = Refusals(reactor, ABOUT, alarms)
        self._connections: set[_Connection] = set()
        waiting = affordable(WAITING_PER_CALL * settings.max_calls)
        self._waiting: Places[_Connection] = Places(waiting, (waiting + 1) // 2, self._make_room)
        """Those that have not sent their request yet: they keep no call out."""
        self._calls: set[Deferred[None]] = set()

    @property
    def port(self) -> Any:
        """The listening port, while there is one."""
        return self._patient.port

    @property
    def open_connections(self) -> int:
        """How many there are now."""
        return len(self._connections)

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Listen, now or as soon as the port is free."""
        super().startService()
        self._patient.open()

    def stopService(self) -> Deferred[None]:  # noqa: N802 - Twisted's name
        """Listen no longer and cut every call off; fires when the last one has come to its end."""
        super().stopService()
        endings: list[Deferred[Any]] = list(self._calls)
        endings.append(self._patient.close())
        for connection in tuple(self._connections):
            connection.cut("we are stopping")
        self._refusals.stop()
        return DeferredList(endings).addCallback(lambda _: None)

    def connection(self, host: str) -> _Connection | None:
        """Make the protocol of a connection, and room for it; none once we stop."""
        if not self.running:
            return None
        connection = _Connection(self, host)
        self._connections.add(connection)
        self._waiting.take(connection, source_of(host))
        return connection

    def call(self, connection: _Connection, agi: Agi) -> None:
        """Run the menu of a call in the background, as long as there are not too many."""
        in_call = len(self._connections) - len(self._waiting)
        if in_call >= self.settings.max_calls:
            connection.refuse(Cause.TOO_MANY_CALLS, f"{in_call} at once already")
            return
        self._waiting.leave(connection)
        call = run_in_background(self._serve(connection, agi), "service call")
        self._calls.add(call)
        call.addBoth(lambda _: self._calls.discard(call))

    def gone(self, connection: _Connection) -> None:
        """Forget a connection."""
        self._waiting.leave(connection)
        self._connections.discard(connection)

    def tell(self, cause: Cause, host: str, reason: str) -> None:
        """Log a connection that ended without a request."""
        if self.running:
            self._refusals.count(cause, host, reason=reason)

    def _make_room(self, connection: _Connection) -> None:
        self.tell(Cause.MADE_ROOM, connection.host, "no request yet")
        connection.cut("made room for another connection")

    async def _serve(self, connection: _Connection, agi: Agi) -> None:
        reference = agi.request.reference
        log.info("service call", reference=reference)
        try:
            await self.run(agi)
        except CallOver as over:
            log.info("service call cut short", reference=reference, reason=str(over))
        except (Malformed, Refused) as error:
            log.error("service call failed", reference=reference, error=str(error))  # noqa: TRY400 - no fault of our code
        else:
            log.info("service call served", reference=reference)
        finally:
            connection.end()


class _ConnectionFactory(Factory):
    noisy = False

    def __init__(self, server: AgiServer) -> None:
        self._server = server

    def buildProtocol(self, address: Any) -> _Connection | None:  # noqa: N802 - Twisted's name
        """Make one connection's protocol; None closes it at once."""
        return self._server.connection(str(address.host))


class _Connection(Protocol):
    """One call: its request, then one command and one reply at a time."""

    def __init__(self, server: AgiServer, host: str) -> None:
        self.host = host
        """The address at the other end."""
        self._server = server
        self._stream = AgiStream()
        self._over = ""
        """Why nothing more can be sent; empty as long as it can."""
        self._waiting: Deferred[Reply] | None = None
        self._request_due: Call | None = None

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Wait for the request, but not for long: it comes with the connection."""
        self._request_due = self._server.reactor.callLater(
            self._server.settings.request_timeout_s, self.refuse, Cause.LEFT, "no whole request in time"
        )

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Take octets as they came."""
        for message in self._stream.feed(data):
            if self._over:
                return
            self._take(message)
        if self._stream.broken is not None and not self._over:
            self.refuse(Cause.UNREADABLE, str(self._stream.broken))

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002, N802 - Twisted's name and signature
        """Clear up. How TCP ended says nothing about the call."""
        self._stop_waiting_for_request()
        self._finish("the connection has ended")
        self._server.gone(self)

    def send(self, command: bytes) -> Deferred[Reply]:
        """Send a command; gives the reply, or fails with `CallOver`.

        In one write: Asterisk reads half a line without a look at the clock or at the caller.
        """
        if self._over:
            return fail(CallOver(self._over))
        assert self._waiting is None, "one command at a time"
        waiting: Deferred[Reply] = Deferred()
        self._waiting = waiting
        self._transport.write(command)
        answer = within(waiting, self._server.settings.idle_s, self._server.reactor)
        return answer.addErrback(self._no_reply)

    def end(self) -> None:
        """Close once what was written has left: the dialplan goes on."""
        self._finish("the menu has ended")
        self._transport.loseConnection()

    def cut(self, reason: str) -> None:
        """Close now."""
        self._finish(reason)
        self._transport.abortConnection()

    def refuse(self, cause: Cause, reason: str) -> None:
        """Tell of it and close."""
        self._server.tell(cause, self.host, reason)
        self._stop_waiting_for_request()
        self._finish(reason)
        self._transport.loseConnection()

    def _take(self, message: Message) -> None:
        if isinstance(message, Request):
            self._stop_waiting_for_request()
            if message.script == SCRIPT:
                self._server.call(self, Agi(message, self.send))
            else:
                self.refuse(Cause.UNREADABLE, "it asks for another script than ours")
        elif isinstance(message, HangUp):
            self._finish("the caller has hung up")
        elif self._waiting is None:
            self.refuse(Cause.UNREADABLE, "a reply without a command")
        else:
            waiting, self._waiting = self._waiting, None
            waiting.callback(message)

    def _no_reply(self, failure: Failure) -> Failure:
        if failure.check(DeferredTimeout) is None:
            return failure
        self._waiting = None
        self.cut("no reply in time")
        return Failure(CallOver(self._over))

    def _finish(self, reason: str) -> None:
        """Send nothing more, and fail the command that waits for a reply."""
        self._over = self._over or reason
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.errback(CallOver(self._over))

    def _stop_waiting_for_request(self) -> None:
        if self._request_due is not None and self._request_due.active():
            self._request_due.cancel()

    @property
    def _transport(self) -> Any:
        return self.transport
