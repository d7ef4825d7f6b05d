"""What is wrong right now, said once when it begins and once when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from telephony.clock import Clock

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something an operator must know of: its name, what it is about, since when (Unix time), its facts."""

    name: str
    about: str
    since: float
    facts: Mapping[str, Any] = field(default_factory=dict)


class Alarms:
    """The alarms that stand. Raising one that stands already, or clearing one that does not, is no event."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._standing: dict[tuple[str, str], Alarm] = {}

    def raise_(self, name: str, about: str, **facts: Any) -> None:
        """Say that something is wrong, e.g. ``raise_("report-overdue", "psap-seoul", age_s=61)``."""
        if (name, about) not in self._standing:
            self._standing[name, about] = Alarm(name, about, self._clock.seconds(), facts)
            log.error("alarm", alarm=name, about=about, **facts)

    def clear(self, name: str, about: str) -> None:
        """Say that it is well again."""
        alarm = self._standing.pop((name, about), None)
        if alarm is not None:
            log.warning(
                "alarm over", alarm=name, about=about, lasted_s=round(self._clock.seconds() - alarm.since, 1)
            )

    def standing(self) -> list[Alarm]:
        """Give the alarms that stand, oldest first."""
        return sorted(self._standing.values(), key=lambda alarm: alarm.since)
