"""The steps of enrolment that a person can ask for from a phone, as values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from telephony.domain.guardians.standing import NO_CLAIM, Claim
from telephony.domain.people.consent_items import ALL_ITEMS, ConsentItem
from telephony.domain.people.person import Language
from telephony.domain.values import Msisdn

SMS: Final = "SMS"
USSD: Final = "USSD"


@dataclass(frozen=True, slots=True)
class Asker:
    """The sender of the message that asks for a step, or agrees to one, and how it came (``means``)."""

    phone: Msisdn
    means: str
    language: Language
    carrier: str
    now: datetime
    items: tuple[ConsentItem, ...] = ALL_ITEMS
    """What the reply agrees to, where it is a consent."""
    claim: Claim = NO_CLAIM
    """What the reply says of whose phone it is: a minor's guardian has to say who he is."""


@dataclass(frozen=True, slots=True)
class Register:
    """Sign up the person who asks; ``fields`` are those of `telephony.domain.people.draft.FIELDS`.

    ``text`` is the version of the question whose reply is the consent, empty where that was put by a menu.
    """

    fields: Mapping[str, str] = field(repr=False)
    text: str = ""


@dataclass(frozen=True, slots=True)
class Consent:
    """Sign up a minor, to which a guardian agrees. ``means`` and ``carrier`` are those of the minor's own message."""

    number: Msisdn
    fields: Mapping[str, str] = field(repr=False)
    means: str
    carrier: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class AddGuardian:
    """Name one more guardian, who is asked."""

    phone: Msisdn
    relation: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class BeGuardian:
    """Agree to be told of the presses of this number."""

    number: Msisdn


@dataclass(frozen=True, slots=True)
class RemoveGuardian:
    """Take out a guardian."""

    phone: Msisdn


@dataclass(frozen=True, slots=True)
class Change:
    """Change one field of a person."""

    name: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChangeNumber:
    """Move to another number, which is asked."""

    new: Msisdn


@dataclass(frozen=True, slots=True)
class Move:
    """Take over the enrolment of this number, from the phone of the new one."""

    number: Msisdn


@dataclass(frozen=True, slots=True)
class Cancel:
    """Delete the person who has this number."""

    number: Msisdn


OwnStep = Register | AddGuardian | RemoveGuardian | Change | ChangeNumber | Cancel
"""What somebody asks for by themselves: by SMS the very phone is asked for a code first."""
AskedStep = Consent | BeGuardian | Move
"""What another phone is asked to agree to."""
Step = OwnStep | AskedStep


def number_of(step: Step, phone: Msisdn) -> Msisdn:
    """Return whose enrolment a step is about: that of the ``phone`` it came from, where it names no number."""
    match step:
        case Consent() | BeGuardian() | Move() | Cancel():
            return step.number
        case _:
            return phone
