"""The orders to carry out a step of enrolment, and their outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from telephony.domain.people.decisions import Letter
from telephony.domain.people.draft import EnrolmentRules
from telephony.domain.people.person import Language
from telephony.domain.people.problems import Fault
from telephony.domain.people.steps import AskedStep, Asker, BeGuardian, Consent, Move, OwnStep, Step
from telephony.domain.people.texts import Text

OWN: Final = "enrol"
"""Awaited from the phone that asked: the network does not vouch for the sender of an SMS."""
CONSENT: Final = "enrol-consent"
"""Awaited from a minor's guardian: their reply is the consent."""
GUARDIAN: Final = "enrol-guardian"
"""Awaited from a guardian who is to be told."""
NUMBER: Final = "enrol-number"
"""Awaited from the number that somebody moves to."""
KINDS: Final = (OWN, CONSENT, GUARDIAN, NUMBER)

MOST_FAILURES: Final = 5
"""Wrong codes of one phone within a day, whatever was asked: after them nothing of it counts by SMS until the day is over."""


def kind_of(step: AskedStep) -> str:
    """Return the kind of reply that a question to another phone awaits."""
    match step:
        case Consent():
            return CONSENT
        case BeGuardian():
            return GUARDIAN
        case Move():
            return NUMBER


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a question: the ``code`` that the reply must hold, its deadline, and the settings."""

    code: str = field(repr=False)
    expires_at: datetime
    rules: EnrolmentRules


@dataclass(frozen=True, slots=True)
class OwnOrder:
    """A step to carry out, or to ask back, for the person who asks for it."""

    step: OwnStep
    asker: Asker
    terms: Terms
    awaited: None = None


@dataclass(frozen=True, slots=True)
class RepliedOrder:
    """A step that a reply brings about; ``awaited`` is the key of that reply."""

    step: Step
    asker: Asker
    terms: Terms
    awaited: int


Order = OwnOrder | RepliedOrder


@dataclass(frozen=True, slots=True)
class Asked:
    """A letter that asks a question, and the key of the reply that it asks for."""

    letter: Letter
    key: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a step: the text for the person who asked, or faults, or neither, and texts for others."""

    text: Text | None
    facts: Mapping[str, str] = field(default_factory=dict, repr=False)
    faults: tuple[Fault, ...] = ()
    letters: tuple[Letter, ...] = ()
    asked: Asked | None = None
    """The question to another phone."""
    language: Language | None = None
    """That of the question which was answered."""
    question: int | None = None
    """The key of the reply that the text itself asks for, where it is a question."""
