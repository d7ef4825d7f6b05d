"""Decides how long to wait before a far end is dialled again, from how the last connection ended. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

SETTLED_S: Final = 10.0
"""A connection that was up for so long was a good one: the count starts again."""
_MOST_DOUBLINGS: Final = 10


@dataclass(frozen=True, slots=True)
class Failed:
    """It was not reached, or ended before it was up."""

    reason: str


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """It was reached and does not want us; ``status`` says why in its protocol, 0 where that knows only one way."""

    status: int = 0


@dataclass(frozen=True, slots=True)
class WasUp:
    """It was up, for so long."""

    for_s: float


Ended = Failed | TurnedAway | WasUp


class Pause(NamedTuple):
    """The pause before the next attempt."""

    seconds: float
    alarm: str | None = None
    """The alarm to raise, if any."""


Policy = Callable[[Ended], Pause]


class Backoff:
    """Pauses with full jitter below a bound that doubles from ``first_s`` to ``longest_s`` with every failure."""

    def __init__(self, rng: random.Random, first_s: float, longest_s: float) -> None:
        self.failures = 0
        """In a row, those of a connection that did not hold among them."""
        self._rng = rng
        self._first_s = first_s
        self._longest_s = longest_s

    def after(self, ended: Ended) -> float:
        """Count one end more, and return the seconds to wait."""
        if isinstance(ended, WasUp) and ended.for_s >= SETTLED_S:
            self.failures = 0
        longest_s = min(self._longest_s, self._first_s * 2.0 ** min(self.failures, _MOST_DOUBLINGS))
        self.failures += 1
        return self._rng.uniform(0.0, longest_s)
