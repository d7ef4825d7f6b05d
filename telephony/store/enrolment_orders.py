"""An order to carry out what a person has asked by phone, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from telephony.domain.consent_items import ALL_ITEMS, ConsentItem
from telephony.domain.enrolment import EnrolmentRules
from telephony.domain.people import Fault, Language
from telephony.domain.values import Msisdn

OWN: Final = "enrol"
"""Awaited from the phone that asked: by SMS nobody vouches for it."""
CONSENT: Final = "enrol-consent"
"""Awaited from a minor's guardian: their reply is the consent."""
GUARDIAN: Final = "enrol-guardian"
"""Awaited from a guardian who is to be told."""
NUMBER: Final = "enrol-number"
"""Awaited from the number that somebody moves to."""
KINDS: Final = (OWN, CONSENT, GUARDIAN, NUMBER)

MOST_FAILURES: Final = 5
"""Wrong codes of one phone within a day, whatever was asked: after them nothing of it counts by SMS until the day is over."""

SMS: Final = "SMS"
USSD: Final = "USSD"


@dataclass(frozen=True, slots=True)
class Order:
    """A step to carry out.

    ``phone`` is whose message it is, ``means`` how it came. ``code`` is what whoever must agree next is to reply, until
    ``expires_at``. ``awaited`` is the key of the reply that confirmed the step, where one did.
    """

    step: Mapping[str, Any] = field(repr=False)
    phone: Msisdn
    means: str
    language: Language
    carrier: str
    code: str = field(repr=False)
    now: datetime
    expires_at: datetime
    rules: EnrolmentRules
    awaited: int | None = None
    items: tuple[ConsentItem, ...] = ALL_ITEMS
    """What the reply agrees to, where it is a consent."""

    @property
    def number(self) -> Msisdn:
        """Whose registration it is about: the asker's own where nothing else is said."""
        return Msisdn(self.step["number"]) if "number" in self.step else self.phone


@dataclass(frozen=True, slots=True)
class Letter:
    """A text for somebody else: a key of `telephony.domain.enrolment_texts` and what it tells."""

    to: Msisdn
    text: str
    language: Language
    facts: Mapping[str, str] = field(repr=False)
    carrier: str = ""
    question: int | None = None
    """The key of the reply that it asks for, where it is a question."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a step: the text for whoever asked, or faults, and texts for others."""

    text: str
    facts: Mapping[str, str] = field(default_factory=dict, repr=False)
    faults: tuple[Fault, ...] = ()
    letters: tuple[Letter, ...] = ()
    language: Language | None = None
    """That of the question which was answered."""
    is_done: bool = True
    """False where nothing was changed and nothing is awaited."""
    question: int | None = None
    """The key of the reply that the text asks for, where it is a question."""


class Stopped(Exception):  # noqa: N818 - an answer on its way out of a transaction, caught where that is undone
    """The step cannot be done, and nothing of it has been."""

    def __init__(self, text: str = "", *faults: Fault) -> None:
        super().__init__(text)
        self.outcome = Outcome(text, faults=faults, is_done=False)
