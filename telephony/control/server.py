"""The daemon's side of the control socket: one request and one answer a connection, for the daemon's own account and root.

Whoever may connect may see how the house stands and have links dialled: no number, no text and no place passes here. The file
has mode 0600, and the kernel's word for the account of the other end (SO_PEERCRED) is asked as well, because the mode of a
socket in a directory that somebody has opened up is easily changed.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog
from twisted.internet import protocol
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from telephony.alarms import Alarms
from telephony.background import run_in_background
from telephony.clock import Call, Clock
from telephony.control.messages import (
    LONGEST_ANSWER,
    LONGEST_REQUEST,
    Answer,
    AskRetry,
    AskStatus,
    Refusal,
    decode_request,
    encode,
)
from telephony.control.place import is_answered, short_address
from telephony.domain.errors import Malformed
from telephony.net.listening import PatientPort
from telephony.service import Service
from telephony.sparingly import Sparingly

log = structlog.get_logger()

ABOUT: Final = "control-socket"
"""The listener, in alarms."""
LONGEST_S: Final = 10.0
"""From the connection until the last octet of the answer is read."""
MOST_CONNECTIONS: Final = 16
"""At once; those who come then are closed at once, and come again a second later."""
TOLD_EVERY_S: Final = 60.0
_CREDENTIALS: Final = struct.Struct("3i")
"""``struct ucred`` of unix(7): process, user, group."""

AnswerTo = Callable[[AskStatus | AskRetry], Awaitable[Answer]]


def user_of(peer: socket.socket) -> int:
    """Return the account of the process at the other end, as the kernel noted it when it connected."""
    noted = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    user: int = _CREDENTIALS.unpack(noted)[1]
    return user


class ControlServer(Service):
    """Listens at a socket; one that a dead daemon left is replaced, one that is answered is left alone and an alarm.

    ``answer`` is asked for the answer to each request; what it raises becomes a refusal that says nothing.
    """

    def __init__(self, path: Path, *, answer: AnswerTo, reactor: Any, alarms: Alarms) -> None:
        self.answer = answer
        self.clock: Clock = reactor
        self.connections: set[ControlConnection] = set()
        self.users = frozenset({os.geteuid(), 0})
        self._sparingly = Sparingly(reactor.seconds, TOLD_EVERY_S)
        self._port = _SocketPort(path, self, reactor=reactor, alarms=alarms)

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Listen, now or as soon as that is possible."""
        super().startService()
        self._port.open()

    def stopService(self) -> Deferred[Any]:  # noqa: N802 - Twisted's name
        """Listen no more and cut off who is being answered."""
        super().stopService()
        for connection in list(self.connections):
            connection.cut_off()
        return self._port.close()

    def turned_away(self, user: int) -> None:
        """Log that a connection of another account was closed."""
        if self._sparingly.take_turn():
            log.warning("control socket: other account turned away", user=user)


class _SocketPort(PatientPort):
    """A listening UNIX socket that is opened like the ports: patiently."""

    def __init__(self, path: Path, server: ControlServer, *, reactor: Any, alarms: Alarms) -> None:
        super().__init__(
            partial(_ConnectionFactory, server), "", 0, reactor=reactor, alarms=alarms, about=ABOUT
        )
        self._path = path
        self._open = ExitStack()
        """Keeps a shortened address good for as long as the port is open."""

    def _listen(self) -> Any:
        with ExitStack() as opening:
            address = opening.enter_context(short_address(self._path))
            if is_answered(address):
                raise OSError(f"another process answers at {self._path}")
            self._path.unlink(missing_ok=True)
            # Made with this mode before it listens: nobody gets in between.
            port = self._reactor.listenUNIX(address, self._make_factory(), mode=0o600)
            self._open = opening.pop_all()
        return port

    def close(self) -> Deferred[Any]:
        """Listen no longer and take the file away."""

        def closed(result: object) -> None:
            self._open.close()
            if isinstance(result, Failure):
                # Twisted takes the file away itself, and minds where somebody was faster.
                log.warning("control socket not taken away", reason=str(result.value))

        return super().close().addBoth(closed)


class _ConnectionFactory(protocol.Factory):
    noisy = False

    def __init__(self, server: ControlServer) -> None:
        self._server = server

    def buildProtocol(self, _address: object) -> ControlConnection | None:  # noqa: N802 - Twisted's name
        if len(self._server.connections) >= MOST_CONNECTIONS or not self._server.running:
            return None
        return ControlConnection(self._server)


class ControlConnection(protocol.Protocol):
    """One connection: reads a line, writes a line, closes."""

    transport: Any

    def __init__(self, server: ControlServer) -> None:
        self._server = server
        self._read = b""
        self._is_asked = False
        self._answering: Deferred[None] | None = None
        self._limit: Call | None = None

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Look who it is."""
        user = user_of(self.transport.getHandle())
        if user not in self._server.users:
            self._server.turned_away(user)
            self.transport.abortConnection()
            return
        self._server.connections.add(self)
        self._limit = self._server.clock.callLater(LONGEST_S, self.cut_off)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Take the request; what follows it is not read."""
        if self._is_asked:
            return
        self._read += data
        line, lf, _ = self._read.partition(b"\n")
        if not lf and len(self._read) <= LONGEST_REQUEST:
            return
        self._is_asked = True
        try:
            request = decode_request(line)
        except Malformed as error:
            self._say(Refusal(refused=f"not a request of this release: {error}"))
            return
        self._answering = run_in_background(self._answer(request), "answering on the control socket")

    async def _answer(self, request: AskStatus | AskRetry) -> None:
        try:
            answer: Answer = await self._server.answer(request)
        except CancelledError:
            raise  # nobody waits for it any more
        except Exception:
            log.exception("control request failed", want=request.want)
            answer = Refusal(refused="the daemon failed to answer; its log says why")
        self._say(answer)

    def _say(self, answer: Answer) -> None:
        line = encode(answer)
        if len(line) > LONGEST_ANSWER:
            line = encode(Refusal(refused="the answer is too long"))
        self.transport.write(line)
        self.transport.loseConnection()

    def cut_off(self) -> None:
        """Close at once: it does not ask or does not read, or we stop."""
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:  # noqa: N802 - Twisted's name
        """End."""
        del reason
        if self._limit is not None and self._limit.active():
            self._limit.cancel()
        self._server.connections.discard(self)
        if self._answering is not None:
            self._answering.cancel()
