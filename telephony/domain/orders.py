"""What 112 and operators order about an incident."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from telephony.domain.audit import Seat

LONGEST_UNIT: Final = 60
"""Characters of a unit's name, by whichever door the order comes."""
LONGEST_NOTE: Final = 500
"""Characters of a note, likewise."""


@dataclass(frozen=True, slots=True)
class LiftSilence:
    """Let something of ours reach the caller's phone: the centre's voice in her calls, a call-back, a text."""


@dataclass(frozen=True, slots=True)
class HoldSilence:
    """Keep everything from the caller's phone again."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the incident's calls; the incident stays open."""


@dataclass(frozen=True, slots=True)
class CallBack:
    """Ring the caller's phone and connect it to 112. Refused while silence holds."""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Note that somebody at 112 has taken the incident. It is followed as before."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Note that a unit is on its way; each unit is an order of its own. ``unit`` is its name, told and kept.

    Who sends a unit has taken the incident: it is acknowledged by that, where it was not. ``eta`` is when it will be there,
    aware; another one than before is told anew.
    """

    unit: str
    eta: datetime | None = None


@dataclass(frozen=True, slots=True)
class Arrive:
    """Note that a unit is there; that it was on its way is noted by that, where it was not."""

    unit: str


@dataclass(frozen=True, slots=True)
class Note:
    """Note something in words, for all who read of the incident; told and kept."""

    words: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Close:
    """End the incident: 112 is told, and the phone is not looked for any more. ``reason`` is told and kept."""

    reason: str


@dataclass(frozen=True, slots=True)
class MarkFalse:
    """Label the incident as a false alarm, open or closed; ``why`` is how it is known."""

    why: str


@dataclass(frozen=True, slots=True)
class ToldByVoice:
    """Note that 112 was told of the incident on the telephone; ``why`` is to whom. Its reports stay owed."""

    why: str


Order = (
    LiftSilence
    | HoldSilence
    | HangUp
    | CallBack
    | Acknowledge
    | Dispatch
    | Arrive
    | Note
    | Close
    | MarkFalse
    | ToldByVoice
)


@dataclass(frozen=True, slots=True)
class Orderer:
    """Who orders: ``by`` as 112 and the incident's story are told, ``account`` and ``seat`` as the audit chain names them."""

    by: str
    account: str
    seat: Seat | None = None


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order as it was given.

    ``name`` is the incident's id, or the name that 112 read in the INVITE of any of its calls. ``at`` is aware; 112 reads
    times in its zone.
    """

    name: str
    order: Order
    orderer: Orderer
    at: datetime


@dataclass(frozen=True, slots=True)
class StoodAlready:
    """An order changed nothing, and 112 is told nothing: what it asks for stands already."""


@dataclass(frozen=True, slots=True)
class OrderRefused:
    """Why an order was not given; ``reason`` tells the person what would have to be true first."""

    reason: str
