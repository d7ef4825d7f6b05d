"""A cable between the daemon and a server that it dials: it passes octets on, and leaves to its kinds what becomes of them."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone


class Cable:
    """Passes on what either side says, for every connection to where it listens."""

    def __init__(self, reactor: Any, server: int) -> None:
        self.reactor = reactor
        self.ends: set[End] = set()
        self.factory = Factory.forProtocol(lambda: End(self))
        self.factory.noisy = False
        self._server = server

    def cut(self) -> None:
        """End every connection."""
        for end in tuple(self.ends):
            end.transport.abortConnection()

    def passed(self, end: End, data: bytes) -> bytes:
        """Return what the other end hears of what this one says."""
        del end
        return data

    def connected(self, daemon: End) -> None:
        """Connect the daemon's end with the server."""
        self.ends.add(daemon)
        server = TCP4ClientEndpoint(self.reactor, "127.0.0.1", self._server)
        connectProtocol(server, End(self, daemon)).addErrback(lambda _: daemon.transport.abortConnection())

    def met(self, server: End) -> None:
        """Know the server's end too."""
        self.ends.add(server)

    def gone(self, end: End) -> None:
        """Forget an end."""
        self.ends.discard(end)


class End(Protocol):
    """One end of a connection."""

    transport: Any

    def __init__(self, cable: Cable, other: End | None = None) -> None:
        self.is_server = other is not None
        self._cable = cable
        self._other = other
        self._early = b""

    def connectionMade(self) -> None:
        if self._other is None:
            self._cable.connected(self)
        else:
            self._cable.met(self)
            self._other.meet(self)

    def meet(self, other: End) -> None:
        """Take the other end."""
        self._other = other
        other.transport.write(self._early)

    def dataReceived(self, data: bytes) -> None:
        passed = self._cable.passed(self, data)
        if self._other is None:
            self._early += passed
        else:
            self._other.transport.write(passed)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self._cable.gone(self)
        if self._other is not None and self._other.transport is not None:
            self._other.transport.abortConnection()
