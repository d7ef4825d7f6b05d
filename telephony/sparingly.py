"""Limits how often the same thing is logged: a flood of messages must not become a flood of log lines."""

from __future__ import annotations

from collections.abc import Callable


class Sparingly:
    """Lets each thing be said once in ``every_s``; what is said is named by words of ours, of which there are few."""

    def __init__(self, now: Callable[[], float], every_s: float) -> None:
        """``now`` gives seconds that never step."""
        self._now = now
        self._every_s = every_s
        self._said_at: dict[str, float] = {}

    def take_turn(self, what: str = "") -> bool:
        """Take the turn to say something; False where it was said less than a while ago."""
        now = self._now()
        said_at = self._said_at.get(what)
        if said_at is not None and now - said_at < self._every_s:
            return False
        self._said_at[what] = now
        return True
