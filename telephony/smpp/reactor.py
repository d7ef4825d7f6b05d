"""What this package asks of a reactor and of a transport: little enough that a simulated one can offer it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class DelayedCall(Protocol):
    """A call that has not been made yet."""

    def cancel(self) -> None:
        """Do not make it."""
        ...


class Clock(Protocol):
    """The time, as ``IReactorTime`` gives it: seconds since 1970, UTC."""

    def seconds(self) -> float:
        """Give the time now."""
        ...

    def callLater(  # noqa: N802 - Twisted's name
        self, delay: float, call: Callable[..., object], /, *args: object
    ) -> DelayedCall:
        """Call after so many seconds."""
        ...


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
        """Give the address of the other end."""
        ...
