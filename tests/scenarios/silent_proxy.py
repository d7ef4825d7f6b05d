"""A line between the daemon and PostgreSQL that can go dead without a word: no RST, no FIN, no answer to a SYN."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone

BACKLOG = 1
"""Of the listener: so few connections wait to be accepted that a handful keeps the kernel from taking any more."""
FILLERS = 8


class SilentProxy:
    """Passes octets on between its ``port`` and a server's, until it vanishes."""

    def __init__(self, reactor: Any, server: int) -> None:
        self._reactor = reactor
        self._server = server
        self._ends: set[_End] = set()
        self._fillers: list[socket.socket] = []
        self.is_vanished = False
        self.connections = 0
        """How many connections were taken, ever."""
        factory = Factory.forProtocol(lambda: _End(self))
        factory.noisy = False
        self._listening = reactor.listenTCP(0, factory, backlog=BACKLOG, interface="127.0.0.1")
        self.port: int = self._listening.getHost().port

    def vanish(self) -> None:
        """Let nothing through any more: open connections stay open, SYNs of new ones are dropped by the kernel."""
        self.is_vanished = True
        self._listening.stopReading()
        for end in self._ends:
            end.transport.pauseProducing()
        for _ in range(FILLERS):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self._fillers.append(filler)

    def come_back(self) -> None:
        """Be there again as a machine that was started again: it knows nothing of the connections of before."""
        self.is_vanished = False
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        for end in tuple(self._ends):
            end.transport.abortConnection()
        self._listening.startReading()

    async def close(self) -> None:
        """Be gone."""
        self.come_back()
        await self._listening.stopListening()
        for end in tuple(self._ends):
            end.transport.abortConnection()

    def connected(self, daemon: _End) -> None:
        """Connect the daemon's end with the server."""
        self.connections += 1
        self._ends.add(daemon)
        server = TCP4ClientEndpoint(self._reactor, "127.0.0.1", self._server)
        connectProtocol(server, _End(self, daemon)).addErrback(lambda _: daemon.transport.abortConnection())

    def met(self, server: _End) -> None:
        """Know the server's end too."""
        self._ends.add(server)
        if self.is_vanished:
            server.transport.pauseProducing()

    def gone(self, end: _End) -> None:
        """Forget an end."""
        self._ends.discard(end)


class _End(Protocol):
    """One end of a connection."""

    transport: Any

    def __init__(self, proxy: SilentProxy, other: _End | None = None) -> None:
        self._proxy = proxy
        self._other = other
        self._early = b""

    def connectionMade(self) -> None:
        if self._other is None:
            self._proxy.connected(self)
        else:
            self._proxy.met(self)
            self._other.meet(self)

    def meet(self, other: _End) -> None:
        """Take the other end."""
        self._other = other
        other.transport.write(self._early)

    def dataReceived(self, data: bytes) -> None:
        if self._other is None:
            self._early += data
        else:
            self._other.transport.write(data)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self._proxy.gone(self)
        if self._other is not None and self._other.transport is not None:
            self._other.transport.abortConnection()
