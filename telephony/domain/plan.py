"""Who is told of an incident, and by which channels: a pure function of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from telephony.domain.delivery import LOCATE, TRACK


@dataclass(frozen=True, slots=True)
class ReportRoute:
    """A channel to 112, and after how many seconds of silence from the earlier ones it is used."""

    channel: str
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Routes by carrier. ``everywhere_else`` serves a carrier that no centre lists."""

    everywhere_else: tuple[ReportRoute, ...]
    by_carrier: Mapping[str, tuple[ReportRoute, ...]]

    def reports(self, carrier: str) -> tuple[ReportRoute, ...]:
        """Give the channels to 112 for a press of this carrier, first to last."""
        return self.by_carrier.get(carrier, self.everywhere_else)


def locating_channels(carrier: str) -> tuple[tuple[str, str], ...]:
    """Give the two location errands of a new incident as (channel, kind).

    A channel per carrier and per kind, so that one carrier's hanging location service delays nobody else, and
    slow accurate requests never stand before a fast one.
    """
    return ((f"{LOCATE}:{carrier}", LOCATE), (f"{TRACK}:{carrier}", TRACK))
