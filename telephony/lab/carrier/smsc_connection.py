"""An SMSC connection that can fall silent and cut a message short, for the simulated SMSC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from telephony.smpp.smsc import SmscConnection
from telephony.smpp.wire.constants import DATA_SM, DELIVER_SM

_COMMAND_AT: Final = slice(4, 8)
_MOBILE_ORIGINATED: Final = frozenset({DELIVER_SM.to_bytes(4), DATA_SM.to_bytes(4)})


class LabConnection(SmscConnection):
    """A connection that can fall silent and cut its PDUs short."""

    def __init__(self, *, take_cut: Callable[[], int], **how: Any) -> None:
        self._take_cut = take_cut
        super().__init__(**how)
        self.is_silent = False

    def fall_silent(self) -> None:
        """Stay connected and do nothing."""
        self.is_silent = True
        self._liveness.stop()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Read on, unless silent."""
        if not self.is_silent:
            super().dataReceived(data)

    def write(self, data: bytes) -> None:
        """Write, cutting a message short where that is wanted."""
        if self.is_silent:
            return
        if data[_COMMAND_AT] in _MOBILE_ORIGINATED:
            cut = self._take_cut()
            data = data[: max(0, len(data) - cut)] if cut else data
        super().write(data)
