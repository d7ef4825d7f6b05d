"""A line between the daemon and PostgreSQL that can go dead without a word: no RST, no FIN, no answer to a SYN."""

from __future__ import annotations

import socket
from typing import Any

from tests.scenarios.cable import Cable, End

BACKLOG = 1
"""Of the listener: so few connections wait to be accepted that a handful keeps the kernel from taking any more."""
FILLERS = 8


class SilentProxy(Cable):
    """Passes octets on between its ``port`` and a server's, until it vanishes."""

    def __init__(self, reactor: Any, server: int) -> None:
        super().__init__(reactor, server)
        self._fillers: list[socket.socket] = []
        self.is_vanished = False
        self.connections = 0
        """How many connections were taken, ever."""
        self._listening = reactor.listenTCP(0, self.factory, backlog=BACKLOG, interface="127.0.0.1")
        self.port: int = self._listening.getHost().port

    def vanish(self) -> None:
        """Let nothing through any more: open connections stay open, SYNs of new ones are dropped by the kernel."""
        self.is_vanished = True
        self._listening.stopReading()
        for end in self.ends:
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
        self.cut()
        self._listening.startReading()

    async def close(self) -> None:
        """Be gone."""
        self.come_back()
        await self._listening.stopListening()
        self.cut()

    def connected(self, daemon: End) -> None:
        """Connect the daemon's end with the server."""
        self.connections += 1
        super().connected(daemon)

    def met(self, server: End) -> None:
        """Know the server's end too."""
        super().met(server)
        if self.is_vanished:
            server.transport.pauseProducing()
