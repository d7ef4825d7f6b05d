"""Alarms: what is wrong right now, logged once when it begins and once when it has been well for a while."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from telephony.clock import Call, Clock, as_logged, wall_s
from telephony.remembered import Remembered

log = structlog.get_logger()

HOLD_S = 10.0
"""An alarm that was cleared is over when its last cause is this old: what fails every other time is one alarm."""
LONGEST_HOLD_S = 300.0
"""Each time an alarm comes back within this time after its end, it is held twice as long, up to this."""
REMINDED_EVERY_S = 600.0
"""An alarm whose causes go on is said again this often, with their count."""
MOST_REMEMBERED = 1_000
"""Alarms that are over and whose holds are remembered."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something an operator must know of: its name, what it is about, its first and last cause (Unix time), its facts.

    ``facts`` are those of the first cause, ``count`` says how many there were.
    """

    name: str
    about: str
    since: float
    facts: Mapping[str, Any] = field(default_factory=dict)
    count: int = 1
    last_at: float = 0.0


@dataclass(slots=True)
class _Standing:
    """An alarm that stands, in seconds that never step."""

    name: str
    about: str
    facts: Mapping[str, Any]
    since: float
    last_at: float
    began: float
    last: float
    said: float
    hold_s: float
    count: int = 1
    is_cleared: bool = False
    ending: Call | None = None


class Alarms:
    """The alarms that stand. Raising one that stands already is a further cause of it; clearing one that does not, nothing.

    A clear counts once there was no cause for a while, so that an alarm that comes and goes with every attempt is one.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._standing: dict[tuple[str, str], _Standing] = {}
        self._over: Remembered[tuple[str, str], tuple[float, float]] = Remembered(MOST_REMEMBERED)
        """When the last of a name ended, and how long it was held."""

    def raise_(self, name: str, about: str, **facts: Any) -> None:
        """Say that something is wrong, e.g. ``raise_("report-overdue", "psap-seoul", age_s=61)``."""
        self._cause(name, about, facts)

    def note(self, name: str, about: str, for_s: float, **facts: Any) -> None:
        """Say that something went wrong of which no end will be reported: the alarm ends so long after the last one."""
        standing = self._cause(name, about, facts)
        standing.hold_s = max(standing.hold_s, for_s)
        self.clear(name, about)

    def clear(self, name: str, about: str) -> None:
        """Say that it is well again."""
        standing = self._standing.get((name, about))
        if standing is not None:
            standing.is_cleared = True
            self._end_in_time(standing)

    def standing(self) -> list[Alarm]:
        """Return the alarms that stand, oldest first."""
        return [
            Alarm(each.name, each.about, each.since, each.facts, each.count, each.last_at)
            for each in sorted(self._standing.values(), key=lambda each: each.began)
        ]

    def _cause(self, name: str, about: str, facts: Mapping[str, Any]) -> _Standing:
        now, wall = self._clock.seconds(), wall_s(self._clock)
        standing = self._standing.get((name, about))
        if standing is None:
            hold_s = self._hold_s((name, about), now)
            standing = _Standing(name, about, facts, wall, wall, now, now, now, hold_s)
            self._standing[name, about] = standing
            log.error("alarm", alarm=name, about=about, **facts)
            return standing
        standing.count += 1
        standing.last, standing.last_at = now, wall
        standing.is_cleared = False
        if now - standing.said >= REMINDED_EVERY_S:
            standing.said = now
            log.error("alarm stands", alarm=name, about=about, **{**facts, **_told(standing)})
        return standing

    def _hold_s(self, key: tuple[str, str], now: float) -> float:
        ended, held_s = self._over.pop(key, (0.0, 0.0))
        if held_s and now - ended <= LONGEST_HOLD_S:
            return min(2 * held_s, LONGEST_HOLD_S)
        return HOLD_S

    def _end_in_time(self, standing: _Standing) -> None:
        left_s = standing.last + standing.hold_s - self._clock.seconds()
        if left_s <= 0:
            self._end(standing)
        elif standing.ending is None:
            standing.ending = self._clock.callLater(left_s, self._look_again, standing)

    def _look_again(self, standing: _Standing) -> None:
        standing.ending = None
        if standing.is_cleared:
            self._end_in_time(standing)

    def _end(self, standing: _Standing) -> None:
        now = self._clock.seconds()
        if standing.ending is not None:
            standing.ending.cancel()
            standing.ending = None
        del self._standing[standing.name, standing.about]
        self._over[standing.name, standing.about] = (now, standing.hold_s)
        log.warning(
            "alarm over",
            alarm=standing.name,
            about=standing.about,
            lasted_s=round(now - standing.began, 1),
            **_told(standing),
        )


def _told(standing: _Standing) -> dict[str, Any]:
    """Return how often and when, as people read it."""
    return {
        "count": standing.count,
        "first_at": as_logged(standing.since),
        "last_at": as_logged(standing.last_at),
    }
