"""The decisions about a step of enrolment, as values: changes to write, a question to somebody else, or a stop. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from telephony.domain.people.person import Draft, Language, Person
from telephony.domain.people.problems import Fault
from telephony.domain.people.steps import AskedStep
from telephony.domain.people.texts import Text
from telephony.domain.values import Msisdn


@dataclass(frozen=True, slots=True)
class Letter:
    """A text for somebody else: what it says and the facts in it. ``carrier`` is empty where it is not known."""

    to: Msisdn
    text: Text
    language: Language
    facts: Mapping[str, str] = field(repr=False)
    carrier: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A letter whose reply, with the code that is still to be put into its facts, brings about a step."""

    letter: Letter
    step: AskedStep


@dataclass(frozen=True, slots=True)
class Enrol:
    """Add or change a person as a draft says. `merged` has taken it."""

    draft: Draft


@dataclass(frozen=True, slots=True)
class Replace:
    """Keep a person as they are here."""

    person: Person


@dataclass(frozen=True, slots=True)
class Renumber:
    """Let the person be known by another number, whose carrier is empty where it is not known."""

    new: Msisdn
    carrier: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the person; nothing is awaited from these numbers any more."""

    numbers: tuple[Msisdn, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """An entry for the audit log: what was done, why, and on whose word."""

    what: str
    why: str
    who: str


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes to write, with the texts for the person who asked (``text``, ``facts``) and for others.

    Without ``write`` nothing changes, and the question that was replied to is settled all the same.
    """

    text: Text
    facts: Mapping[str, str] = field(default_factory=dict, repr=False)
    write: Enrol | Replace | Renumber | Delete | None = None
    note: Note | None = None
    letters: tuple[Letter, ...] = ()
    question: Question | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """Nothing is to be written before somebody else has replied."""

    text: Text
    facts: Mapping[str, str] = field(repr=False)
    question: Question


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing can be done: a text says why, or faults do. A question that was replied to may be replied to again."""

    text: Text | None = None
    facts: Mapping[str, str] = field(default_factory=dict, repr=False)
    faults: tuple[Fault, ...] = ()


Decision = Changes | Ask | Stop
