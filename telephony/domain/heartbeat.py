"""The sign of life to a 112 centre: by it a quiet night differs from a dead relay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

MISSES: Final = 3
"""Intervals without a sign of life after which either side has to act: one lost packet is none, and a minute is not long."""


@dataclass(frozen=True, slots=True)
class Owing:
    """The reports that no channel has delivered to 112 yet."""

    reports: int
    oldest_age_s: int | None = None
    """``None`` where nothing is owed."""
    is_more: bool = False
    """Whether the count stopped at its bound: then there are more."""


@dataclass(frozen=True, slots=True)
class HouseState:
    """How the service stands, as far as 112 should know. It holds names of links and alarms, and nothing of a person."""

    links: int = 0
    """Links that we keep: to carriers, and to Asterisk servers."""
    links_down: tuple[str, ...] = ()
    """The names of those that are not up."""
    owing: Owing | None = None
    """``None`` where the store does not answer."""
    alarms: tuple[str, ...] = ()
    """The names of the alarms that stand, each once."""

    @property
    def links_up(self) -> int:
        """How many of the links are up."""
        return self.links - len(self.links_down)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One sign of life. ``heartbeat_id`` is given once: a lost one is never sent again, the next one says everything.

    ``number`` counts from 1 since ``started_at``, the start of the service: a gap shows how many were lost on the way.
    ``is_sample`` marks one that a person sends to try the connection.
    """

    heartbeat_id: str
    service: str
    channel: str
    number: int
    started_at: datetime
    sent_at: datetime
    interval_s: float
    state: HouseState
    is_sample: bool = False

    @property
    def expires_at(self) -> datetime:
        """From when the receiver has to believe that the service, or the way to it, is dead."""
        return self.sent_at + timedelta(seconds=MISSES * self.interval_s)
