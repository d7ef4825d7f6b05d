"""Opens a listening port in the background: while it cannot be opened, an alarm stands and it is tried again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError

from telephony.alarms import Alarms
from telephony.clock import Call

ALARM = "not-listening"
AGAIN_S = 5.0
BACKLOG = 512
"""Connections that the system keeps until we accept them: with a few, those of strangers would keep all others waiting
for their next SYN (1 s, 3 s). More would make one turn of the reactor long."""
LARGEST_DATAGRAM = 65_535


class PatientPort:
    """Listens on an interface and port, now or as soon as that is possible.

    ``make_factory`` makes Twisted's factory, or the protocol of a UDP port, at each attempt; what it raises for certificate files that cannot be used
    (`OSError`, `ValueError`) is told like a port that is taken. ``about`` names it in the alarm.
    """

    def __init__(
        self,
        make_factory: Callable[[], Any],
        interface: str,
        port: int,
        *,
        reactor: Any,
        alarms: Alarms,
        about: str,
        is_udp: bool = False,
    ) -> None:
        self.port: Any = None
        """Twisted's port, while there is one."""
        self._make_factory = make_factory
        self._interface, self._number = interface, port
        self._reactor = reactor
        self._alarms = alarms
        self._about = about
        self._is_udp = is_udp
        self._again: Call | None = None

    def open(self) -> None:
        """Listen; where that cannot be, again after some seconds."""
        self._again = None
        try:
            self.port = self._listen()
        except (CannotListenError, OSError, ValueError) as error:
            self._alarms.raise_(ALARM, self._about, reason=str(error))
            self._again = self._reactor.callLater(AGAIN_S, self.open)
        else:
            self._alarms.clear(ALARM, self._about)

    def _listen(self) -> Any:
        served = self._make_factory()
        if self._is_udp:
            return self._reactor.listenUDP(
                self._number, served, interface=self._interface, maxPacketSize=LARGEST_DATAGRAM
            )
        return self._reactor.listenTCP(self._number, served, backlog=BACKLOG, interface=self._interface)

    def close(self) -> Deferred[Any]:
        """Listen no longer; fires when the port is closed."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        port, self.port = self.port, None
        return succeed(None) if port is None else maybeDeferred(port.stopListening)
