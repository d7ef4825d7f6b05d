"""The record of a location request to a carrier: who asked, when, why and what kind of answer came; never the place.

The Location Information Act of Korea asks for such a record of each request, made by the machine itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from telephony.domain.facts import NotReached
from telephony.domain.ports import NoFix
from telephony.domain.position import Position
from telephony.domain.values import Msisdn


class Purpose(StrEnum):
    """Why a phone was looked for; the incident says for whom."""

    AT_THE_PRESS = "at-the-press"
    """Its owner has just pressed."""
    FOLLOWING = "following"
    """Its incident is open."""


class AnswerKind(StrEnum):
    """The kinds of answer."""

    FOUND = "found"
    """A position; the method says how it was found."""
    NOT_REACHED = "not-reached"
    """The network does not reach the phone."""
    NOT_LOCATED = "not-located"
    """The network tried, and no method gave a position."""
    UNKNOWN = "unknown"
    """The carrier does not know the number."""
    FAILED = "failed"
    """The location service refused, failed or did not answer in time."""
    NONE = "none"
    """No answer was waited for any more, or it came while this was not being recorded."""


_OF_NOT_REACHED = {
    NotReached.ABSENT: AnswerKind.NOT_REACHED,
    NotReached.NOT_LOCATED: AnswerKind.NOT_LOCATED,
    NotReached.UNKNOWN: AnswerKind.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Locating:
    """One request to one carrier. Times are aware, UTC; ``answered_at`` is None while no answer has come.

    ``asked_by`` is the service that asked, by its name in the settings; ``method`` is the carrier's, of a position alone.
    """

    incident_id: str
    msisdn: Msisdn
    carrier: str
    asked_by: str
    purpose: Purpose
    quality: str
    asked_at: datetime
    answer: AnswerKind = AnswerKind.NONE
    method: str = ""
    answered_at: datetime | None = None


def kind_of(found: Position | NoFix) -> AnswerKind:
    """Return the kind of a carrier's answer."""
    if isinstance(found, Position):
        return AnswerKind.FOUND
    if found.is_unknown_subscriber:
        return AnswerKind.UNKNOWN
    return AnswerKind.FAILED if found.not_reached is None else _OF_NOT_REACHED[found.not_reached]
