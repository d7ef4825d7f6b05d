"""A reactor without sockets or waiting: a clock, and connections that are two buffers."""

# ruff: noqa: N803 - Twisted's names
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import CannotListenError, ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.error import ConnectionRefusedError as NobodyListens
from twisted.internet.task import Clock
from twisted.python.failure import Failure


class Wires(Clock):
    """What a Twisted reactor offers to this project, in memory. Nothing happens until the clock advances."""

    def __init__(self) -> None:
        super().__init__()
        self.rightNow = 1_800_000_000.0
        self.ports: dict[int, Port] = {}
        self.taken: set[int] = set()
        """Ports that other processes listen on."""
        self.dials: list[float] = []
        """When somebody dialled."""
        self._next_port = 40_000

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Port:
        if port == 0:
            self._next_port += 1
            port = self._next_port
        if port in self.ports or port in self.taken:
            raise CannotListenError(interface, port, OSError(98, "Address already in use"))
        factory.doStart()
        self.ports[port] = Port(self, port, factory)
        return self.ports[port]

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float = 30, bindAddress: Any = None
    ) -> Connector:
        self.dials.append(self.seconds())
        connector = Connector(
            self, host, port, factory, "127.0.0.1" if bindAddress is None else bindAddress[0]
        )
        if hasattr(factory, "startedConnecting"):
            factory.startedConnecting(connector)
        self.callLater(0, connector.connect)
        return connector

    def settle(self) -> None:
        """Let everything happen that needs no time."""
        self.advance(0)
        while any(call.getTime() <= self.seconds() for call in self.getDelayedCalls()):
            self.advance(0)

    def pass_time(self, seconds: float, step: float = 0.1) -> None:
        """Let time go by in small steps, so that answers come when they are due."""
        self.settle()
        end = self.seconds() + seconds
        while self.seconds() < end - 1e-9:
            self.advance(min(step, end - self.seconds()))
            self.settle()


class Port:
    def __init__(self, wires: Wires, number: int, factory: Any) -> None:
        self.number, self.factory, self._wires = number, factory, wires

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", self.number)

    def stopListening(self) -> None:
        self._wires.ports.pop(self.number, None)


class Connector:
    def __init__(self, wires: Wires, host: str, port: int, factory: Any, source: str) -> None:
        self.host, self.port, self.factory, self._wires, self._source = host, port, factory, wires, source
        self._stopped = False

    def connect(self) -> None:
        if self._stopped:
            return
        listener = self._wires.ports.get(self.port)
        address = IPv4Address("TCP", self.host, self.port)
        if listener is None:
            self.factory.clientConnectionFailed(self, Failure(NobodyListens()))
            return
        theirs = listener.factory.buildProtocol(IPv4Address("TCP", self._source, 50_000))
        ours = self.factory.buildProtocol(address)
        if ours is None:
            return
        near, far = Wire(self._wires, ours, self.host), Wire(self._wires, theirs, self._source)
        near.other, far.other = far, near
        if theirs is None:
            ours.makeConnection(near)
            near.end(ConnectionLost())
            return
        theirs.makeConnection(far)
        ours.makeConnection(near)

    def getDestination(self) -> IPv4Address:
        return IPv4Address("TCP", self.host, self.port)

    def stopConnecting(self) -> None:
        self._stopped = True
        self._wires.callLater(0, self.factory.clientConnectionFailed, self, Failure(ConnectionAborted()))


class Wire:
    """One end of a connection."""

    def __init__(self, wires: Wires, protocol: Any, peer: str) -> None:
        self._wires, self.protocol, self._peer = wires, protocol, peer
        self.other: Wire
        self.disconnecting = self.ended = self.stuck = False
        self._written: list[bytes] = []
        self.tamper: Callable[[bytes], bytes] = lambda data: data

    def write(self, data: bytes) -> None:
        if self.ended:
            return
        if not self._written:
            self._wires.callLater(0, self._flush)
        self._written.append(data)

    def _flush(self) -> None:
        data, self._written = b"".join(self._written), []
        if data and not self.other.ended and not self.stuck and not self.other.disconnecting:
            self.other.protocol.dataReceived(self.tamper(data))
        if self.disconnecting and not self.stuck:
            self.other.end(ConnectionDone())
            self.end(ConnectionDone())

    def loseConnection(self) -> None:
        if not self.disconnecting:
            self.disconnecting = True
            if not self._written:
                self._wires.callLater(0, self._flush)

    def abortConnection(self) -> None:
        if not self.ended:
            self._wires.callLater(0, self.other.end, ConnectionLost())
            self._wires.callLater(0, self.end, ConnectionAborted())

    def end(self, reason: Exception) -> None:
        if not self.ended:
            self.ended = True
            self.protocol.connectionLost(Failure(reason))

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", self._peer, 50_000)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 50_001)
