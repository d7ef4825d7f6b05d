"""Simulates one direction of a TCP connection: octets arrive in order, later, cut and joined at random."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Protocol

from telephony.lab.simulation.clock import SimulatedClock

CUT_ONE_IN: Final = 8
"""Of so many writes one arrives in two reads."""


class Signal(Enum):
    """Signals that end a direction, or the whole connection (RFC 9293)."""

    FIN = "FIN"
    RST = "RST"


@dataclass
class Weather:
    """The state of the way to one address: its one-way delay in seconds, and whether anything comes through."""

    least_s: float = 0.000_2
    most_s: float = 0.003
    is_hanging: bool = False

    def delay_s(self, rng: random.Random) -> float:
        """Draw the delay of one packet."""
        return rng.uniform(self.least_s, self.most_s)


class Receiver(Protocol):
    """The end that a pipe leads to."""

    def arrived(self, octets: bytes) -> None:
        """Take octets."""
        ...

    def signalled(self, signal: Signal) -> None:
        """Learn that there will be no more."""
        ...


class Pipe:
    """Keeps what is on its way. ``in_flight`` counts octets that were sent and have not arrived."""

    def __init__(self, clock: SimulatedClock, rng: random.Random, weather: Weather, on_drained: Any) -> None:
        self.in_flight = 0
        self.receiver: Receiver | None = None
        """The end it leads to, once both ends are there."""
        self._clock = clock
        self._rng = rng
        self._weather = weather
        self._on_drained = on_drained
        self._pieces: deque[tuple[float, bytes | Signal]] = deque()
        self._last_due = 0.0
        self._is_held = False
        self._call: Any = None

    def send(self, piece: bytes | Signal) -> None:
        """Put octets or a signal on their way."""
        if isinstance(piece, bytes):
            self.in_flight += len(piece)
            if len(piece) > 1 and self._rng.randrange(CUT_ONE_IN) == 0:
                place = self._rng.randrange(1, len(piece))
                self._append(piece[:place])
                piece = piece[place:]
        self._append(piece)
        self._wait()

    def lose(self) -> None:
        """Lose everything that is on its way."""
        self._pieces.clear()
        self.in_flight = 0

    def hold(self) -> None:
        """Deliver nothing: the receiver does not read."""
        self._is_held = True

    def release(self) -> None:
        """Deliver again."""
        self._is_held = False
        self._wait()

    def weather_changed(self) -> None:
        """Go on after the way was blocked: what was held back is sent again."""
        self._wait()

    def _append(self, piece: bytes | Signal) -> None:
        due = self._clock.seconds() + self._weather.delay_s(self._rng)
        self._last_due = max(self._last_due, due)
        self._pieces.append((self._last_due, piece))

    def _wait(self) -> None:
        if self._call is None and self._pieces and not self._is_held and not self._weather.is_hanging:
            delay_s = max(0.0, self._pieces[0][0] - self._clock.seconds())
            # A call without an owner: octets that a process has sent arrive even when it has died.
            self._call = self._clock.call(None, delay_s, self._deliver)

    def _deliver(self) -> None:
        self._call = None
        if self._is_held or self._weather.is_hanging:
            return
        now = self._clock.seconds()
        octets: list[bytes] = []
        signal: Signal | None = None
        while self._pieces and self._pieces[0][0] <= now and signal is None:
            piece = self._pieces.popleft()[1]
            if isinstance(piece, bytes):
                octets.append(piece)
                self.in_flight -= len(piece)
            else:
                signal = piece
        self._wait()
        assert self.receiver is not None
        if octets:
            self._on_drained()
            self.receiver.arrived(b"".join(octets))
        if signal is not None:
            self.receiver.signalled(signal)
