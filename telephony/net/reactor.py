"""The parts of reactor and transport that our protocols use: few enough for a simulated one to offer them."""

from __future__ import annotations

from typing import Any, Protocol

from telephony.clock import Clock


class Reactor(Clock, Protocol):
    """A clock that also has sockets (``IReactorTime`` and ``IReactorTCP``)."""

    def connectTCP(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802 - Twisted's name
        """Dial."""
        ...

    def listenTCP(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802 - Twisted's name
        """Listen."""
        ...


class Transport(Protocol):
    """A connection (``ITCPTransport``)."""

    def write(self, data: bytes, /) -> None:
        """Send octets, at some time."""
        ...

    def loseConnection(self) -> None:  # noqa: N802 - Twisted's name
        """Close after what was written has left."""
        ...

    def abortConnection(self) -> None:  # noqa: N802 - Twisted's name
        """Close now."""
        ...

    def getPeer(self) -> Any:  # noqa: N802 - Twisted's name
        """Return the address of the other end."""
        ...
