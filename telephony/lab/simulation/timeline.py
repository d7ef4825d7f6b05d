"""Records a run's events in order of simulated time, to compare two runs and to read a failing one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from telephony.lab.simulation.clock import SimulatedClock

SEOUL: Final = timezone(timedelta(hours=9))


class Timeline:
    """Lines of text. ``turning_points`` are those that change what a reader expects: faults, crashes, starts."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.lines: list[str] = []
        self.turning_points: set[int] = set()
        self._clock = clock

    @property
    def octets(self) -> bytes:
        """The whole of it."""
        return "\n".join(self.lines).encode("utf-8", "surrogatepass")

    def note(self, what: str, /, *, is_turning_point: bool = False, **facts: Any) -> None:
        """Record an event at the present time."""
        moment = datetime.fromtimestamp(self._clock.seconds(), UTC).astimezone(SEOUL)
        if is_turning_point:
            self.turning_points.add(len(self.lines))
        told = "".join(f" {name}={_shown(value)}" for name, value in facts.items())
        self.lines.append(f"{moment:%H:%M:%S.%f} {what}{told}")


def _shown(value: Any) -> str:
    text = str(value)
    return repr(text) if " " in text or not text else text
