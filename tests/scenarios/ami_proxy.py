"""A cable between the daemon and Asterisk's manager interface that can be cut and mended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone

PACKET_END = b"\r\n\r\n"


class AmiProxy:
    """Passes on what either side says, until it is cut."""

    def __init__(self, reactor: Any, asterisk: int) -> None:
        self._reactor = reactor
        self._asterisk = asterisk
        self._listening: Any = None
        self._cables: set[_End] = set()
        self.port = 0
        self.is_mute = False
        """While it is, whatever is said is lost, and nobody is told."""
        self.drops: Callable[[bytes], bool] = lambda packet: False
        """Which packets of Asterisk are lost while everything else comes through."""

    def listen(self) -> None:
        """Be there, always on the same port."""
        factory = Factory.forProtocol(lambda: _End(self))
        factory.noisy = False
        self._listening = self._reactor.listenTCP(self.port, factory, interface="127.0.0.1")
        self.port = self._listening.getHost().port

    async def refuse(self) -> None:
        """Cut every connection and refuse new ones."""
        self._cut()
        await self._listening.stopListening()

    def lose_everything(self) -> None:
        """Keep the connections, but let nothing through, in either direction."""
        self.is_mute = True

    def mend(self) -> None:
        """Let everything through again; connections from which something is missing are cut."""
        if self.is_mute:
            self.is_mute = False
            self._cut()
        else:
            self.listen()

    async def close(self) -> None:
        """Be gone."""
        await self.refuse()

    def _cut(self) -> None:
        for end in tuple(self._cables):
            end.transport.abortConnection()

    def connected(self, daemon: _End) -> None:
        """Connect the daemon's end with Asterisk."""
        self._cables.add(daemon)
        asterisk = TCP4ClientEndpoint(self._reactor, "127.0.0.1", self._asterisk)
        connectProtocol(asterisk, _End(self, daemon)).addErrback(lambda _: daemon.transport.abortConnection())

    def gone(self, end: _End) -> None:
        """Forget an end."""
        self._cables.discard(end)


class _End(Protocol):
    """One end of a connection."""

    transport: Any

    def __init__(self, proxy: AmiProxy, other: _End | None = None) -> None:
        self._proxy = proxy
        self._other = other
        self._is_asterisk = other is not None
        self._is_greeted = False
        self._early = b""
        self._begun = b""
        """The beginning of a packet of Asterisk."""

    def connectionMade(self) -> None:
        if self._other is None:
            self._proxy.connected(self)
            return
        self._other.meet(self)

    def meet(self, other: _End) -> None:
        """Take the other end."""
        self._other = other
        other.transport.write(self._early)

    def dataReceived(self, data: bytes) -> None:
        if self._proxy.is_mute:
            return
        if self._other is None:
            self._early += data
        elif self._is_asterisk:
            *whole, self._begun = (self._begun + data).split(PACKET_END)
            passed = [packet + PACKET_END for packet in whole if not self._proxy.drops(packet)]
            if not self._is_greeted:
                # The banner is a line of its own, and the daemon speaks after it.
                self._is_greeted = True
                passed, self._begun = [self._begun], b""
            self._other.transport.write(b"".join(passed))
        else:
            self._other.transport.write(data)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self._proxy.gone(self)
        if self._other is not None and self._other.transport is not None:
            self._other.transport.abortConnection()
