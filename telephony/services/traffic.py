"""What goes first: presses before reports, reports before location errands."""

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


@dataclass(frozen=True, slots=True)
class Lane:
    """A channel as the relay runs it."""

    name: str
    channel: Channel
    concurrency: int
    attempt_timeout_s: float
    rank: int
    """0 for reports to 112, higher for what may wait for them."""

    @property
    def lease_s(self) -> float:
        """How long a delivery of this lane belongs to the process that took it."""
        return self.attempt_timeout_s + LEASE_MARGIN_S


class Traffic:
    """Says what is more urgent than a lane right now: presses, then lanes of a lower rank."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._window_ends = 0.0
        self._in_window = 0
        self._pressed_until = 0.0
        self._presses_waiting = 0
        self.waiting: dict[int, int] = {}
        """By rank: loops that have more at hand than slots."""

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
        """Claim that presses come so fast that they need the process for themselves."""
        return self._presses_waiting >= PRESSED_WAITING or self._clock.seconds() < self._pressed_until

    def pause_s(self, lane: Lane) -> float:
        """Give how long a lane rests between the beginnings of two deliveries now; 0 when nothing is more urgent."""
        is_second = self.is_pressed or any(count and rank < lane.rank for rank, count in self.waiting.items())
        if not is_second:
            return 0.0
        return 1.0 / (REPORTS_WHEN_PRESSED_PER_S if lane.rank == 0 else ERRANDS_WHEN_SECOND_PER_S)
