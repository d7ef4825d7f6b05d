"""Simulates the reactor of one process: the part of Twisted's that this project uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.base import DelayedCall
from twisted.internet.interfaces import IReactorTCP, IReactorTime
from zope.interface import implementer  # type: ignore[import-untyped] # zope ships no types

from telephony.clock import MachineClock
from telephony.lab.simulation.network import Network, SimulatedConnector, SimulatedPort


@implementer(IReactorTime, IReactorTCP)
class SimulatedReactor:
    """The reactor of one process, which can be killed: nothing of it is ever called again, and its sockets close.

    ``machine`` is its machine's clock, in Unix time; without one that is right.
    """

    def __init__(
        self, network: Network, host: str = "10.0.0.1", machine: Callable[[], float] | None = None
    ) -> None:
        self.network = network
        self.host = host
        self.is_dead = False
        self.nameResolver: Any = None
        self.machine_clock = kept = MachineClock(machine or network.clock.seconds, network.clock.seconds)
        self.wall, self.due, self.ago = kept.wall, kept.due, kept.ago
        self.age, self.ages = kept.age, kept.ages

    def seconds(self) -> float:
        """Return the simulation's time, which is no machine's clock."""
        return self.network.clock.seconds()

    def callLater(  # noqa: N802 - Twisted's name
        self,
        delay: float,
        callable: Callable[..., Any],  # noqa: A002 - Twisted's name
        *args: Any,
        **kwargs: Any,
    ) -> DelayedCall:
        """Call after so many seconds."""
        call = self.network.clock.call(self, delay, callable, *args, **kwargs)
        if self.is_dead:
            # Python finishes the generators of a dead process when it collects them; nothing may come of it.
            self.network.clock.forget(self)
        return call

    def installNameResolver(self, resolver: Any) -> Any:  # noqa: N802 - Twisted's name
        """Install a resolver, and return the one before. There are no names here yet."""
        before, self.nameResolver = self.nameResolver, resolver
        return before

    def callFromThread(self, callable: Callable[..., Any], *args: Any, **kwargs: Any) -> None:  # noqa: A002, N802
        """Call soon; there are no threads here."""
        self.callLater(0, callable, *args, **kwargs)

    def getDelayedCalls(self) -> list[DelayedCall]:  # noqa: N802 - Twisted's name
        """Return nothing to those who would cancel calls wholesale."""
        return []

    def connectTCP(  # noqa: N802 - Twisted's name
        self,
        host: str,
        port: int,
        factory: Any,
        timeout: float = 30,
        bindAddress: Any = None,  # noqa: ARG002, N803 - Twisted's name
    ) -> SimulatedConnector:
        """Dial an IPv4 address."""
        connector = SimulatedConnector(self.network, self, (host, port), factory, timeout)
        if not self.is_dead:
            connector.connect()
        return connector

    def listenTCP(  # noqa: N802 - Twisted's name
        self,
        port: int,
        factory: Any,
        backlog: int = 50,  # noqa: ARG002 - connections here are accepted at once
        interface: str = "",
    ) -> SimulatedPort:
        """Accept connections."""
        return self.network.listen(self, interface, port, factory)

    def kill(self) -> None:
        """Die at once: SIGKILL."""
        self.is_dead = True
        self.network.clock.forget(self)
        self.network.kill(self)
