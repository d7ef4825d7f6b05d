"""Simulates the network: listeners, connections, and the state of the way between them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from twisted.internet.address import IPv4Address
from twisted.internet.error import CannotListenError, NotConnectingError, UserError
from twisted.internet.error import ConnectionRefusedError as TcpRefused
from twisted.internet.error import TimeoutError as TcpTimeout
from twisted.internet.interfaces import IConnector, IListeningPort
from twisted.python.failure import Failure
from zope.interface import implementer  # type: ignore[import-untyped] # zope ships no types

from telephony.lab.simulation.clock import SimulatedClock
from telephony.lab.simulation.pipe import Pipe, Weather
from telephony.lab.simulation.transport import SimulatedTransport

if TYPE_CHECKING:
    from telephony.lab.simulation.reactor import SimulatedReactor

Address = tuple[str, int]

FIRST_FREE_PORT: Final = 40_000
SYN_AGAIN_S: Final = 1.0
"""How soon a connection attempt that got no answer is repeated (RFC 6298 section 2)."""
ANY_HOST: Final = ("", "0.0.0.0")


class Connection(NamedTuple):
    """A connection: what was dialled, the end that dialled, the end that was dialled."""

    address: Address
    near: SimulatedTransport
    far: SimulatedTransport


class Network:
    """All connections. Whatever is drawn for one of them depends on the seed and on its number alone."""

    def __init__(self, clock: SimulatedClock, seed: object, on_defect: Callable[[Failure], None]) -> None:
        self.clock = clock
        self.on_defect = on_defect
        self._seed = seed
        self._listening: dict[Address, SimulatedPort] = {}
        self._weather: dict[Address, Weather] = {}
        self._open: dict[int, Connection] = {}
        self._numbers = 0
        self._next_port = FIRST_FREE_PORT

    # Trouble.

    def weather(self, address: Address) -> Weather:
        """Return what the way to an address is like; change it with `hang`, `heal` and `slow`."""
        return self._weather.setdefault(address, Weather())

    def hang(self, address: Address) -> None:
        """Let nothing through to or from an address, silently."""
        self.weather(address).is_hanging = True

    def heal(self, address: Address) -> None:
        """Let everything through again, at the usual speed."""
        calm, weather = Weather(), self.weather(address)
        weather.least_s, weather.most_s, weather.is_hanging = calm.least_s, calm.most_s, False
        for connection in list(self._open.values()):
            if connection.address == address:
                connection.near.out.weather_changed()
                connection.far.out.weather_changed()

    def slow(self, address: Address, least_s: float, most_s: float) -> None:
        """Make the way to and from an address longer."""
        weather = self.weather(address)
        weather.least_s, weather.most_s = least_s, most_s

    def connections(self, address: Address) -> list[int]:
        """Return the numbers of the open connections to an address, oldest first."""
        return [number for number, one in self._open.items() if one.address == address]

    def reset(self, number: int) -> None:
        """Break one connection: what is on its way is lost, both ends learn of it."""
        if number in self._open:
            connection = self._open[number]
            connection.near.break_off()
            connection.far.break_off()

    # What reactors ask.

    def listen(self, reactor: SimulatedReactor, host: str, port: int, factory: Any) -> SimulatedPort:
        """Accept connections; port 0 takes a free one. Raises `CannotListenError` where the port is taken."""
        address = (host, port or self._free_port())
        if address in self._listening:
            raise CannotListenError(host, port, OSError("address in use"))
        listening = self._listening[address] = SimulatedPort(self, reactor, address, factory)
        factory.doStart()
        return listening

    def listener(self, address: Address) -> SimulatedPort | None:
        """Return the listener there."""
        everywhere = (self._listening.get((host, address[1])) for host in ANY_HOST)
        return self._listening.get(address) or next((one for one in everywhere if one is not None), None)

    def not_listening(self, port: SimulatedPort) -> None:
        """Refuse connections there from now on."""
        if self._listening.get(port.address) is port:
            del self._listening[port.address]

    def join(self, connector: SimulatedConnector, port: SimulatedPort) -> SimulatedTransport:
        """Make a connection; gives the end that dialled, which is not established yet."""
        self._numbers += 1
        rng = random.Random(f"{self._seed}:connection:{self._numbers}")
        weather = self.weather(connector.address)
        here = (connector.reactor.host, self._free_port())
        near, far = (
            SimulatedTransport(reactor, self, self._numbers, weather, addresses=addresses, rng=rng)
            for reactor, addresses in (
                (connector.reactor, (here, connector.address)),
                (port.reactor, (connector.address, here)),
            )
        )
        near.out.receiver, far.out.receiver = far, near
        far.out.hold()
        self._open[self._numbers] = Connection(connector.address, near, far)
        protocol = port.factory.buildProtocol(near.getHost())
        if protocol is None:
            far.die()
        else:
            far.establish(protocol, near.out)
        return near

    def closed(self, number: int) -> None:
        """Forget a connection when both of its ends are closed."""
        connection = self._open.get(number)
        if connection is not None and connection.near.is_closed and connection.far.is_closed:
            del self._open[number]

    def towards(self, end: SimulatedTransport) -> Pipe:
        """Return the pipe that leads to the end that dialled."""
        return self._open[end.number].far.out

    def kill(self, reactor: SimulatedReactor) -> None:
        """Close everything a process has open, as the kernel does when it dies."""
        for port in list(self._listening.values()):
            if port.reactor is reactor:
                self.not_listening(port)
        for connection in list(self._open.values()):
            for end in (connection.near, connection.far):
                if end.reactor is reactor:
                    end.die()

    def open_ends(self, reactor: SimulatedReactor) -> int:
        """Return how many ends of connections a process has open."""
        ends = (end for one in self._open.values() for end in (one.near, one.far))
        return sum(1 for end in ends if end.reactor is reactor and not end.is_closed)

    def _free_port(self) -> int:
        self._next_port += 1
        return self._next_port


@implementer(IListeningPort)
class SimulatedPort:
    """A listening port."""

    def __init__(self, network: Network, reactor: SimulatedReactor, address: Address, factory: Any) -> None:
        self.reactor = reactor
        self.address = address
        self.factory = factory
        self._network = network

    def startListening(self) -> None:  # noqa: N802 - Twisted's name
        """Listen; it does from the start."""

    def stopListening(self) -> None:  # noqa: N802 - Twisted's name
        """Refuse connections from now on; those there are stay."""
        self._network.not_listening(self)
        self.factory.doStop()

    def getHost(self) -> IPv4Address:  # noqa: N802 - Twisted's name
        """Return the address."""
        return IPv4Address("TCP", *self.address)


@implementer(IConnector)
class SimulatedConnector:
    """One attempt to connect, and then the connection."""

    def __init__(
        self, network: Network, reactor: SimulatedReactor, address: Address, factory: Any, timeout_s: float
    ) -> None:
        self.reactor = reactor
        self.address = address
        self.state = "disconnected"
        self.transport: SimulatedTransport | None = None
        self._network = network
        self._factory = factory
        self._timeout_s = timeout_s
        self._timer: Any = None

    def connect(self) -> None:
        """Dial."""
        self.state = "connecting"
        self._factory.doStart()
        self._timer = self.reactor.callLater(self._timeout_s, self._failed, TcpTimeout())
        self._factory.startedConnecting(self)
        self._knock()

    def stopConnecting(self) -> None:  # noqa: N802 - Twisted's name
        """Give up. Raises `NotConnectingError` where nothing is being dialled."""
        if self.state != "connecting":
            raise NotConnectingError("not connecting")
        self._failed(UserError())

    def disconnect(self) -> None:
        """Give the attempt up, or close the connection."""
        if self.state == "connecting":
            self.stopConnecting()
        elif self.transport is not None:
            self.transport.loseConnection()

    def getDestination(self) -> IPv4Address:  # noqa: N802 - Twisted's name
        """Return the address that is dialled."""
        return IPv4Address("TCP", *self.address)

    def connection_lost(self, reason: Failure) -> None:
        """Tell the factory."""
        self.state = "disconnected"
        self._factory.clientConnectionLost(self, reason)
        self._factory.doStop()

    def _knock(self) -> None:
        if self.state != "connecting":
            return
        weather = self._network.weather(self.address)
        if weather.is_hanging:
            self.reactor.callLater(SYN_AGAIN_S, self._knock)
            return
        rng = random.Random(f"{self.address}:{self._network.clock.seconds()}")
        port = self._network.listener(self.address)
        if port is None:
            self.reactor.callLater(2 * weather.delay_s(rng), self._failed, TcpRefused())
            return
        transport = self._network.join(self, port)
        self.reactor.callLater(2 * weather.delay_s(rng), self._established, transport)

    def _established(self, transport: SimulatedTransport) -> None:
        if self.state != "connecting":
            transport.abortConnection()
            return
        self._timer.cancel()
        self.state = "connected"
        protocol = self._factory.buildProtocol(transport.getPeer())
        if protocol is None:
            transport.abortConnection()
            return
        self.transport = transport
        transport.connector = self
        arriving = self._network.towards(transport)
        transport.establish(protocol, arriving)
        arriving.release()

    def _failed(self, error: Exception) -> None:
        if self.state != "connecting":
            return
        if self._timer.active():
            self._timer.cancel()
        self.state = "disconnected"
        self._factory.clientConnectionFailed(self, Failure(error))
        self._factory.doStop()
