"""Ranks the traffic: presses go before reports, reports before location errands."""

from __future__ import annotations

from dataclasses import dataclass

from telephony.clock import Clock
from telephony.domain.ports import Channel

LEASE_MARGIN_S = 5.0
"""A lease outlives the attempt it was taken for by this much: waiting in the loop, and the settling commit."""

PRESSED_PER_S = 1_000.0
"""From this many presses a second on, taking presses in comes before everything else (promise 9)."""
PRESSURE_WINDOW_S = 0.1
PRESSED_WAITING = 8
"""So many presses waiting for their commit have the same effect, however few they are a second."""
REPORTS_WHEN_PRESSED_PER_S = 250.0
ERRANDS_WHEN_SECOND_PER_S = 25.0
"""Deliveries that a lane begins a second while something more urgent waits: it goes on, but leaves the process to it."""
ERRANDS_WHEN_IDLE_PER_S = 400.0
"""The same where the process has time left: what is more urgent waits for a far end and not for us."""
LAG_PROBED_S = 0.02
LAG_OF_A_BUSY_PROCESS_S = 0.005
"""A call that comes so late says that the process has none left. Between the two the pace goes by how late it comes."""
URGENT, IMPORTANT = 0, 1
"""Ranks of what waits in a lane to 112: alerts of new incidents, and updates, which positions need not wait for."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A channel as the relay runs it."""

    name: str
    channel: Channel
    concurrency: int
    attempt_timeout_s: float
    rank: int
    """0 for reports to 112, higher for work that may wait for them."""

    @property
    def has_alerts(self) -> bool:
        """Whether it tells 112 of new incidents."""
        return self.rank == 0

    @property
    def lease_s(self) -> float:
        """How long a delivery of this lane belongs to the process that took it."""
        return self.attempt_timeout_s + LEASE_MARGIN_S


class Traffic:
    """Tells whether anything is more urgent than a lane right now: presses, then lanes of a lower rank."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._window_ends = 0.0
        self._in_window = 0
        self._pressed_until = 0.0
        self._presses_waiting = 0
        self.waiting: dict[int, int] = {}
        """By rank: loops that have more at hand than slots."""
        self._lag_s = 0.0
        self._is_probing = False

    def presses(self, count: int) -> None:
        """Count presses that came in and wait for their commit."""
        now = self._clock.seconds()
        self._presses_waiting += count
        if now >= self._window_ends:
            self._window_ends = now + PRESSURE_WINDOW_S
            self._in_window = 0
        self._in_window += count
        if self._in_window > PRESSED_PER_S * PRESSURE_WINDOW_S:
            self._pressed_until = self._window_ends + PRESSURE_WINDOW_S

    def answered(self, count: int) -> None:
        """Count presses that wait no longer."""
        self._presses_waiting -= count

    @property
    def is_pressed(self) -> bool:
        """Whether presses come so fast that they need the process for themselves."""
        return self._presses_waiting >= PRESSED_WAITING or self._clock.seconds() < self._pressed_until

    def pause_s(self, lane: Lane) -> float:
        """Return how long a lane rests between the beginnings of two deliveries now; 0 when nothing is more urgent."""
        is_second = self.is_pressed or any(count and rank < lane.rank for rank, count in self.waiting.items())
        if not is_second:
            return 0.0
        if lane.has_alerts:
            return 1.0 / REPORTS_WHEN_PRESSED_PER_S
        self._probe()
        busy = min(1.0, self._lag_s / LAG_OF_A_BUSY_PROCESS_S)
        return max(busy / ERRANDS_WHEN_SECOND_PER_S, 1.0 / ERRANDS_WHEN_IDLE_PER_S)

    def _probe(self) -> None:
        """See how late a call comes."""
        if not self._is_probing:
            self._is_probing = True
            self._clock.callLater(LAG_PROBED_S, self._probed, self._clock.seconds() + LAG_PROBED_S)

    def _probed(self, due: float) -> None:
        self._is_probing = False
        self._lag_s = (self._lag_s + max(0.0, self._clock.seconds() - due)) / 2
