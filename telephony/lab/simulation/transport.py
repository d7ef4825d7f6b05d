"""Simulates one end of a TCP connection, as Twisted's protocols know it (``ITCPTransport``)."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IPushProducer,
    ITCPTransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer  # type: ignore[import-untyped] # zope ships no types

from telephony.lab.simulation.pipe import Pipe, Signal, Weather

if TYPE_CHECKING:
    from telephony.lab.simulation.network import Network
    from telephony.lab.simulation.reactor import SimulatedReactor

SOCKET_BUFFER: Final = 65_536
"""Octets that the kernel takes from a writer; beyond it the writer is asked to pause."""


@implementer(ITCPTransport, IConsumer, IPushProducer)
class SimulatedTransport:
    """One end. It lives as a socket does: a dead process never hears of it again, but the other end does."""

    def __init__(
        self,
        reactor: SimulatedReactor,
        network: Network,
        number: int,
        weather: Weather,
        *,
        addresses: tuple[Any, Any],
        rng: random.Random,
    ) -> None:
        self.reactor = reactor
        self.number = number
        """The connection's, in the network."""
        self.protocol: Any = None
        self.connector: Any = None
        """The connector, at the end that dialled."""
        self.connected = False
        self.disconnecting = False
        self.out = Pipe(network.clock, rng, weather, self._drained)
        self.arriving: Pipe | None = None
        """The other end's `out`."""
        self._network = network
        self._weather = weather
        self._rng = rng
        self._host, self._peer = addresses
        self._is_closed = False
        self._is_aborting = False
        self._has_said_fin = False
        self._producer: Any = None
        self._is_paused = False
        self._options: dict[str, bool] = {}

    @property
    def is_closed(self) -> bool:
        """Whether this end is no longer in use."""
        return self._is_closed

    # What the network does.

    def establish(self, protocol: Any, arriving: Pipe) -> None:
        """Begin: from here on octets arrive."""
        self.protocol, self.arriving = protocol, arriving
        self.connected = True
        self._guarded(protocol.makeConnection, self)

    def arrived(self, octets: bytes) -> None:
        """Take octets; a closed end answers them with a reset (RFC 9293 section 3.10.7.1)."""
        if self._is_closed:
            self.out.send(Signal.RST)
        elif not self._is_aborting and self.protocol is not None:
            self._guarded(self.protocol.dataReceived, octets)

    def signalled(self, signal: Signal) -> None:
        """Take the other end's goodbye."""
        if self._is_closed:
            return
        if signal is Signal.RST:
            self._lost(ConnectionLost("reset by the other end"))
        elif IHalfCloseableProtocol.providedBy(self.protocol) and not self._has_said_fin:
            self._guarded(self.protocol.readConnectionLost)
        else:
            self._say_fin()
            self._lost(ConnectionDone())

    def break_off(self) -> None:
        """Lose the connection on the way: both ends learn it, what was on its way has gone."""
        self.out.lose()
        self.out.send(Signal.RST)

    def die(self) -> None:
        """Die with the process: the kernel says goodbye for it, and what had left still arrives."""
        if not self._is_closed:
            self._close()
            if not self._weather.is_hanging:
                self.out.send(self._rng.choice((Signal.FIN, Signal.RST)))

    # ITransport and ITCPTransport.

    def write(self, data: bytes) -> None:
        """Send octets."""
        if not isinstance(data, bytes):
            raise TypeError(f"octets are written, not {type(data).__name__}")
        if not data or self._is_closed or self._is_aborting or self._has_said_fin:
            return
        self.out.send(data)
        if self._producer is not None and not self._is_paused and self.out.in_flight > SOCKET_BUFFER:
            self._is_paused = True
            self._producer.pauseProducing()

    def writeSequence(self, pieces: Iterable[bytes]) -> None:  # noqa: N802 - Twisted's name
        """Send octets."""
        self.write(b"".join(pieces))

    def loseConnection(self) -> None:  # noqa: N802 - Twisted's name
        """Close when the kernel has taken what was written."""
        if not self._is_closed and not self.disconnecting:
            self.disconnecting = True
            self.reactor.callLater(0, self._close_if_taken)

    def loseWriteConnection(self) -> None:  # noqa: N802 - Twisted's name
        """Send no more, and go on reading."""
        if not self._is_closed and not self._has_said_fin:
            self._say_fin()
            if IHalfCloseableProtocol.providedBy(self.protocol):
                self._guarded(self.protocol.writeConnectionLost)

    def abortConnection(self) -> None:  # noqa: N802 - Twisted's name
        """Close now; what is on its way may or may not arrive before the reset does."""
        if self._is_closed or self._is_aborting:
            return
        self._is_aborting = self.disconnecting = True
        if self._weather.is_hanging:
            self.out.lose()  # the kernel forgets what it could not send, and a reset is not repeated
        else:
            if self._rng.random() < 0.5:  # noqa: PLR2004 - either way
                self.out.lose()
            self.out.send(Signal.RST)
        self.reactor.callLater(0, self._lost, ConnectionAborted())

    def getHost(self) -> IPv4Address:  # noqa: N802 - Twisted's name
        """Return the address of this end."""
        return IPv4Address("TCP", *self._host)

    def getPeer(self) -> IPv4Address:  # noqa: N802 - Twisted's name
        """Return the address of the other end."""
        return IPv4Address("TCP", *self._peer)

    def getTcpNoDelay(self) -> bool:  # noqa: N802 - Twisted's name
        """Return the option; nothing here is delayed by Nagle's algorithm."""
        return self._options.get("no_delay", False)

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802, FBT001 - Twisted's signature
        """Keep the option."""
        self._options["no_delay"] = bool(enabled)

    def getTcpKeepAlive(self) -> bool:  # noqa: N802 - Twisted's name
        """Return the option."""
        return self._options.get("keep_alive", False)

    def setTcpKeepAlive(self, enabled: bool) -> None:  # noqa: N802, FBT001 - Twisted's signature
        """Keep the option."""
        self._options["keep_alive"] = bool(enabled)

    # IConsumer, for the writer; IPushProducer, for the reader.

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: N802, FBT001 - Twisted's signature
        """Tell a push producer when to pause. A pull producer is asked for more whenever there is room."""
        if self._producer is not None:
            raise RuntimeError("there is a producer already")
        self._producer = producer
        if self._is_closed:
            producer.stopProducing()
        elif not streaming:
            raise NotImplementedError("pull producers: none of ours is one")

    def unregisterProducer(self) -> None:  # noqa: N802 - Twisted's name
        """Forget the producer."""
        self._producer = None
        self._is_paused = False

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Read no more for now."""
        if self.arriving is not None:
            self.arriving.hold()

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Read on."""
        if self.arriving is not None and not self._is_closed:
            self.arriving.release()

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Close."""
        self.loseConnection()

    # How it ends.

    def _drained(self) -> None:
        """Go on after octets have arrived at the other end."""
        if self.reactor.is_dead or self._is_closed or self.out.in_flight > SOCKET_BUFFER:
            return
        if self._is_paused and self._producer is not None:
            self._is_paused = False
            self._guarded(self._producer.resumeProducing)
        elif self.disconnecting and not self._is_aborting:
            self._close_if_taken()

    def _close_if_taken(self) -> None:
        if (
            not self._is_closed
            and not self._is_aborting
            and self.out.in_flight <= SOCKET_BUFFER
            and not self._is_paused
        ):
            self._say_fin()
            self._lost(ConnectionDone())

    def _say_fin(self) -> None:
        if not self._has_said_fin:
            self._has_said_fin = True
            self.out.send(Signal.FIN)

    def _lost(self, reason: Exception) -> None:
        if self._is_closed:
            return
        self._close()
        producer, self._producer = self._producer, None
        if producer is not None:
            self._guarded(producer.stopProducing)
        failure = Failure(reason)
        if self.protocol is not None:
            self._guarded(self.protocol.connectionLost, failure)
        if self.connector is not None:
            self._guarded(self.connector.connection_lost, failure)

    def _close(self) -> None:
        self._is_closed = True
        self.connected = False
        self._network.closed(self.number)
        if self.arriving is not None:
            self.arriving.release()  # so that what still comes is answered with a reset

    def _guarded(self, call: Any, *arguments: Any) -> None:
        """Call a protocol; one that raises loses its connection, as in Twisted."""
        if self.reactor.is_dead:
            return
        try:
            call(*arguments)
        except Exception as error:  # noqa: BLE001 - a reactor outlives whatever it calls
            self._network.on_defect(Failure())
            self.out.send(Signal.RST)
            self._lost(error)
