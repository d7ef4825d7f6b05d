"""Checks a location server's clock against ours, by the times of its fixes."""

from __future__ import annotations

from telephony.alarms import Alarms
from telephony.lbs.mlp_times import TOLERANCE

ALARM = "location-clock-off"

AHEAD_S = 30.0
"""A fix cannot be from the future: more than transport and rounding explain is the server's clock."""

FRESH_S = 60.0
"""A fix no older than this shows that the clock is right; an older one shows nothing."""

_IN_A_ROW = 3
"""Answers that must agree before a small difference is believed, or the end of a difference."""


class ClockWatch:
    """Raises `ALARM` about one server, once, while its fixes come from the future; clears it when they no longer do."""

    def __init__(self, server: str, alarms: Alarms) -> None:
        self._server = server
        self._alarms = alarms
        self._off = 0
        self._right = 0

    def observe(self, ahead_s: float | None) -> None:
        """Take how far the time of a fix lies after our clock; ``None`` where no time was read."""
        if ahead_s is None or ahead_s < -FRESH_S:
            return
        is_off = ahead_s > AHEAD_S
        self._off, self._right = (self._off + 1, 0) if is_off else (0, self._right + 1)
        if self._off >= _IN_A_ROW or ahead_s > TOLERANCE.total_seconds():
            self._alarms.raise_(ALARM, self._server, ahead_s=round(ahead_s))
        elif self._right >= _IN_A_ROW:
            self._alarms.clear(ALARM, self._server)
