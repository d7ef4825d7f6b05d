"""Limits the rate of one bind by the SMSC's feedback (SMPP 3.4 clause 5.1.3, SMPP 5.0 clause 2.9)."""

from __future__ import annotations

from typing import Final

SLOWEST_PER_S: Final = 1.0
"""The lowest rate: an SMSC that takes nothing at all is not helped by a lower one."""
UNLIMITED_ABOVE_PER_S: Final = 1_000.0
"""Once the rate has recovered to this, the limit is removed."""
RECOVERY_STEP_S: Final = 1.0
RECOVERY_FACTOR: Final = 1.1
"""A tenth more for each second without complaint: about 7 s from half speed back to full."""

OPTIMUM: Final = 80
NEAR_CONGESTION: Final = 90
CONGESTED: Final = 100
"""Lower ends of the ranges of congestion_state (SMPP 5.0 clause 4.8.4.18)."""
NEAR_CONGESTION_FACTOR: Final = 0.9
THROTTLED_FACTOR: Final = 0.5


class Pace:
    """The rate of one bind: unlimited until the SMSC complains, then halved, then slowly recovering.

    All times are seconds of one clock, passed in. A window full of complaints about the same burst counts once.
    """

    def __init__(self) -> None:
        self._per_s: float | None = None
        self._changed_at = 0.0
        self._next_at = 0.0
        self._second_began = 0.0
        self._sent_this_second = 0
        self._sent_last_second = 0

    @property
    def per_s(self) -> float | None:
        """Messages a second; ``None`` is as fast as the window allows."""
        return self._per_s

    def wait_s(self, now: float) -> float:
        """Seconds until the next message may go."""
        self._recover(now)
        return 0.0 if self._per_s is None else max(0.0, self._next_at - now)

    def sent(self, now: float) -> None:
        """Count a message that went out."""
        if now - self._second_began >= 1.0:
            is_next = now - self._second_began < 2.0  # noqa: PLR2004 - the second before this one, not an older one
            self._sent_last_second = self._sent_this_second if is_next else 0
            self._sent_this_second = 0
            self._second_began = now
        self._sent_this_second += 1
        if self._per_s is not None:
            self._next_at = max(self._next_at, now) + 1.0 / self._per_s

    def throttled(self, now: float) -> None:
        """Obey ESME_RTHROTTLED or ESME_RMSGQFUL."""
        self._slow(now, THROTTLED_FACTOR)
        if self._per_s is not None:
            self._next_at = max(self._next_at, now + 1.0 / self._per_s)

    def congestion(self, now: float, state: int) -> None:
        """Obey a congestion_state: hold at the optimum, ease off above it, halve when congested."""
        if state >= CONGESTED:
            self._slow(now, THROTTLED_FACTOR)
        elif state >= NEAR_CONGESTION:
            self._slow(now, NEAR_CONGESTION_FACTOR)
        elif state >= OPTIMUM and self._per_s is not None:
            self._changed_at = now

    def _slow(self, now: float, factor: float) -> None:
        if self._per_s is not None and now - self._changed_at < RECOVERY_STEP_S:
            return
        busy = float(max(self._sent_this_second, self._sent_last_second))
        current = busy if self._per_s is None else self._per_s
        self._per_s = max(SLOWEST_PER_S, current * factor)
        self._changed_at = now

    def _recover(self, now: float) -> None:
        if self._per_s is None:
            return
        steps = int((now - self._changed_at) / RECOVERY_STEP_S)
        if steps <= 0:
            return
        enough = 100
        self._per_s *= RECOVERY_FACTOR ** min(steps, enough)
        self._changed_at += steps * RECOVERY_STEP_S
        if self._per_s > UNLIMITED_ABOVE_PER_S:
            self._per_s = None
