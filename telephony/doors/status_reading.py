"""Reads a status that a 112 centre's system sends as JSON. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from telephony.domain.centre_status import CentreSaid, Outcome
from telephony.domain.facts import CentreStatus
from telephony.domain.orders import LONGEST_NOTE, LONGEST_UNIT
from telephony.doors.answers import Remark
from telephony.doors.members import Members, read_object

LONGEST_ID: Final = 128
LONGEST_INCIDENT: Final = 64
LONGEST_BY: Final = 60
EARLY: Final = timedelta(minutes=5)
"""A centre's clock may be so far ahead of ours."""

_NEEDS_UNIT: Final = frozenset({CentreStatus.DISPATCHED, CentreStatus.ARRIVED})


def read_status(body: bytes, centre: str, now: datetime) -> CentreSaid | Sequence[Remark]:
    """Return the status of a body, or all that is wrong with it. ``now`` is in UTC.

    Raises `Malformed` for a body that is no JSON object. A member that is not known is passed over.
    """
    members = Members(read_object(body))
    own_id, incident = members.line("id", LONGEST_ID), members.line("incident", LONGEST_INCIDENT)
    status, said_at = members.word("status", CentreStatus), members.time("at")
    unit, by = members.line("unit", LONGEST_UNIT), members.line("by", LONGEST_BY)
    eta, words = members.time("eta"), members.line("words", LONGEST_NOTE)
    outcome = members.word("outcome", Outcome) or Outcome.OTHER
    members.require("id", "incident", "status", "at")
    if status in _NEEDS_UNIT:
        members.require("unit")
    if status is CentreStatus.NOTE:
        members.require("words")
    if said_at is not None and said_at > now + EARLY:
        members.note(
            "at", "lies more than 5 minutes ahead of our clock: set yours, for the order of things goes by it"
        )
    if members.has_lost or own_id is None or incident is None or status is None or said_at is None:
        return members.lost
    return CentreSaid(
        centre, own_id, incident, said_at, status, by or "", unit or "", eta, words or "", outcome
    )
