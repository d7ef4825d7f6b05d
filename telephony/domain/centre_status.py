"""What a 112 centre's own system tells us of an incident, and the orders that it comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, assert_never

from telephony.domain.facts import CentreStatus
from telephony.domain.orders import (
    Acknowledge,
    Arrive,
    CallBack,
    Close,
    Dispatch,
    HangUp,
    HoldSilence,
    LiftSilence,
    MarkFalse,
    Note,
    Order,
)

FALSE_ALARM_WORDS: Final = "false alarm"
"""A close reason that begins with this, in any case, with a blank or a hyphen, takes the reports back: CAP's Cancel is for it."""


class Outcome(StrEnum):
    """How an emergency ended."""

    HELPED = "helped"
    FALSE_ALARM = "false-alarm"
    NOT_FOUND = "not-found"
    DUPLICATE = "duplicate"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class CentreSaid:
    """One status as it was sent.

    ``id`` is the centre's own, the same in each repeat; ``incident`` the incident's id or the name of one of its calls.
    ``said_at`` is when it happened by the centre's clock, ``by`` who there says so.
    """

    centre: str
    id: str
    incident: str
    said_at: datetime
    status: CentreStatus
    by: str = ""
    unit: str = ""
    eta: datetime | None = None
    words: str = field(default="", repr=False)
    outcome: Outcome = Outcome.OTHER

    @property
    def who(self) -> str:
        """Who says so, as 112 and the story read it."""
        return ", ".join(filter(None, (self.centre, self.by)))

    @property
    def reason(self) -> str:
        """Why the incident is closed, in words."""
        outcome = FALSE_ALARM_WORDS if self.outcome is Outcome.FALSE_ALARM else self.outcome.value
        if self.outcome is Outcome.OTHER and self.words:
            return self.words
        return f"{outcome}: {self.words}" if self.words else outcome


def orders_of(said: CentreSaid) -> tuple[Order, ...]:
    """Return what a status comes to, in the order in which it is carried out."""
    orders: tuple[Order, ...]
    match said.status:
        case CentreStatus.ACCEPTED:
            orders = (Acknowledge(),)
        case CentreStatus.DISPATCHED:
            orders = (Dispatch(said.unit, said.eta),)
        case CentreStatus.ARRIVED:
            orders = (Arrive(said.unit),)
        case CentreStatus.NOTE:
            orders = (Note(said.words),)
        case CentreStatus.LIFT_SILENCE:
            orders = (LiftSilence(),)
        case CentreStatus.HOLD_SILENCE:
            orders = (HoldSilence(),)
        case CentreStatus.HANG_UP:
            orders = (HangUp(),)
        case CentreStatus.CALL_BACK:
            orders = (CallBack(),)
        case CentreStatus.CLOSED:
            is_false = said.outcome is Outcome.FALSE_ALARM
            orders = (MarkFalse(said.reason), Close(said.reason)) if is_false else (Close(said.reason),)
        case never:
            assert_never(never)
    return orders
