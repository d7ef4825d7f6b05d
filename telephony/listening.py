"""A listening port that presses do not wait for: when it is taken, that is an alarm, and it is tried again."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError

from telephony.clock import Call
from telephony.services.alarms import Alarms

ALARM = "not-listening"
AGAIN_S = 5.0


class PatientPort:
    """Listens with a factory on an interface and port, now or as soon as that is possible.

    ``about`` names it in the alarm.
    """

    def __init__(
        self, factory: Any, interface: str, port: int, *, reactor: Any, alarms: Alarms, about: str
    ) -> None:
        self.port: Any = None
        """Twisted's port, while there is one."""
        self._factory = factory
        self._interface, self._number = interface, port
        self._reactor = reactor
        self._alarms = alarms
        self._about = about
        self._again: Call | None = None

    def open(self) -> None:
        """Listen; on a port that is taken, again after some seconds."""
        self._again = None
        try:
            self.port = self._reactor.listenTCP(self._number, self._factory, interface=self._interface)
        except CannotListenError as error:
            self._alarms.raise_(ALARM, self._about, reason=str(error))
            self._again = self._reactor.callLater(AGAIN_S, self.open)
        else:
            self._alarms.clear(ALARM, self._about)

    def close(self) -> Deferred[Any]:
        """Listen no longer; fires when the port is closed."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        port, self.port = self.port, None
        return succeed(None) if port is None else maybeDeferred(port.stopListening)
