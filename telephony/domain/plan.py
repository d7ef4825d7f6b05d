"""Plans who is told of an incident, and by which channels: a pure function of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from telephony.domain.delivery import GUARDIANS, LOCATE, PERSON, TEST_RESULT, TRACK, ErrandKind


@dataclass(frozen=True, slots=True)
class ReportRoute:
    """A channel to 112, and after how many seconds of silence from the earlier ones it is used."""

    channel: str
    after_s: float = 0.0
    alerts_only: bool = False
    """A channel that a person listens to is told of an incident once, not of every update."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Routes by carrier. ``everywhere_else`` serves a carrier that no centre lists."""

    everywhere_else: tuple[ReportRoute, ...]
    by_carrier: Mapping[str, tuple[ReportRoute, ...]]
    tells_guardians: bool = False
    """There is a way to tell guardians: a caller who has some gets a delivery of kind and channel `GUARDIANS`."""
    joins_people: bool = False
    """Each new incident is also a delivery of kind and channel `PERSON`."""
    can_call: bool = True
    """There is an Asterisk, by which a phone can be rung."""
    answers_tests: bool = False
    """Each drill is also a delivery of kind and channel `TEST_RESULT`."""

    @property
    def errands(self) -> tuple[ErrandKind, ...]:
        """The errands of a new incident that are due at once beside its report and its location; a kind is also its channel."""
        if self.joins_people:
            # The guardians are known once the person is: that errand enqueues theirs.
            return (PERSON,)
        return (GUARDIANS,) if self.tells_guardians else ()

    @property
    def errands_of_a_drill(self) -> tuple[ErrandKind, ...]:
        """The same of a drill: no guardian is told."""
        return (TEST_RESULT,) if self.answers_tests else ()

    def reports(self, carrier: str) -> tuple[ReportRoute, ...]:
        """Return the channels to 112 for a press of this carrier, first to last."""
        return self.by_carrier.get(carrier, self.everywhere_else)


def locating_channel(carrier: str) -> str:
    """Return the channel of a new incident's location errand: one per carrier.

    So one carrier's hanging location service does not delay the others.
    """
    return f"{LOCATE}:{carrier}"


def tracking_channel(carrier: str) -> str:
    """Return the channel to which the errand moves once it has begun to follow the phone.

    So slow accurate requests never stand before the fast one of a new incident.
    """
    return f"{TRACK}:{carrier}"
