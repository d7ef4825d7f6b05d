"""A registered person: numbers, guardians, notes, and the consent to keeping them.

Personal data stay out of ``repr``: tracebacks end up in logs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Literal

from telephony.domain.guardians.guardian import Guardian, is_same_phone
from telephony.domain.guardians.standing import Standing, newer_standing
from telephony.domain.people.consent_items import ConsentItem
from telephony.domain.people.problems import Fault, Problem
from telephony.domain.values import Msisdn

DeviceKind = Literal["phone", "u-relief", ""]
"""Empty in a `Draft` that does not say it; never so in a `Person`."""
Language = Literal["ko", "en"]

TEXTS = ("address", "photo", "medical", "family", "school", "cohort", "language")
"""The fields of a person that are one text each, and that may be empty."""

HEALTH_TEXTS = frozenset({"medical", "family"})
"""Those of them that are kept with a consent to health data."""

MOST_DEVICES = 4
MOST_GUARDIANS = 10
MOST_ROUNDS = 20
MOST_REFUSALS = 5

_FEBRUARY, _LEAP_DAY = 2, 29


@dataclass(frozen=True, slots=True)
class Device:
    """A phone or a U-Relief terminal, by its number. ``carrier`` is a name of the settings; empty: not known."""

    number: Msisdn
    carrier: str = ""
    kind: DeviceKind = "phone"


@dataclass(frozen=True, slots=True)
class GuardianEntry:
    """A guardian at a place in the order; ``rounds`` is how often they are tried, 0 as often as the settings say."""

    phone: Msisdn
    relation: str = field(default="", repr=False)
    language: Language = "ko"
    rounds: int = 0
    is_confirmed: bool = True
    """False until a guardian who was only named from a phone agrees by replying. Till then the others are told first."""
    standing: Standing | None = field(default=None, repr=False)
    """The guardian's own statement, or a registrar's from paper: without one his consent does not count for a minor."""

    @property
    def is_legal(self) -> bool:
        """Whether this guardian may consent for a minor."""
        return self.standing is not None and self.standing.is_legal

    @property
    def guardian(self) -> Guardian:
        """The guardian as those who tell guardians know them."""
        return Guardian(self.phone, self.language, self.relation, self.rounds)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A guardian who was named and refused, for the registrar: enough to recognise the number, and no more."""

    digits: str = field(repr=False)
    means: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Consent:
    """Who agreed, when (aware, UTC), by what means. ``until`` is the day on which a guardian's consent ends."""

    by: str = field(repr=False)
    means: str = field(repr=False)
    at: datetime
    is_by_guardian: bool = False
    until: date | None = field(default=None, repr=False)
    withdrawn_at: datetime | None = None
    text: str = ""
    """The version of what was read before agreeing; empty: it is not ours to know (paper, a menu, before it was kept)."""
    items: tuple[ConsentItem, ...] = ()
    """The items that were agreed to, where ``text`` is known."""

    def allows(self, item: ConsentItem) -> bool:
        """Whether it covers an item. One that was given as a whole covers everything."""
        return not self.text or item in self.items

    def is_valid_on(self, day: date) -> bool:
        """Whether it has neither been withdrawn nor been outgrown."""
        return self.withdrawn_at is None and (self.until is None or day < self.until)

    def is_same_statement(self, other: Consent) -> bool:
        """Whether the two say the same, whenever each was written down."""
        return (self.by, self.means, self.is_by_guardian, self.until, self.text, self.items) == (
            other.by,
            other.means,
            other.is_by_guardian,
            other.until,
            other.text,
            other.items,
        )


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """Somebody who is signed up. ``devices`` has at least one; its first is the number they are known by."""

    name: str
    birth_date: date
    devices: tuple[Device, ...]
    consent: Consent
    guardians: tuple[GuardianEntry, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[Refusal, ...] = ()
    """The newest `MOST_REFUSALS`."""

    def __repr__(self) -> str:
        """Never the name nor the number."""
        return f"Person({self.devices[0].number.masked!r})"

    @property
    def language(self) -> Language | None:
        """The language in which they are written to, where it is known."""
        chosen = self.texts.get("language")
        return "ko" if chosen == "ko" else "en" if chosen == "en" else None

    def is_minor_on(self, day: date, adult_age: int) -> bool:
        """Whether on that day a guardian has to agree for them."""
        return day < birthday(self.birth_date, adult_age)

    def has_consented(self, day: date) -> bool:
        """Whether somebody who may agree has agreed, and still does on that day."""
        return self.consent.is_valid_on(day)

    def with_number(self, old: Msisdn, new: Msisdn) -> Person:
        """Return the person after a change of number; the device keeps its carrier, kind and place."""
        devices = tuple(
            replace(device, number=new) if device.number == old else device for device in self.devices
        )
        return replace(self, devices=devices)

    def with_carrier(self, number: Msisdn, carrier: str) -> Person:
        """Return the person after one of the numbers went to another carrier."""
        devices = tuple(
            replace(device, carrier=carrier) if device.number == number else device for device in self.devices
        )
        return replace(self, devices=devices)


@dataclass(frozen=True, slots=True, repr=False)
class Draft:
    """One enrolment's statements about a person. Fields that it does not name stay as they are.

    No guardians means that nothing is said of them; otherwise the whole order is replaced. The same holds of
    ``texts``, name by name, and of the carrier of a device.
    """

    name: str
    birth_date: date
    devices: tuple[Device, ...]
    guardians: tuple[GuardianEntry, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    consent_by: str = ""
    consent_means: str = ""
    consent_at: datetime | None = None
    consent_text: str = ""
    consent_items: tuple[ConsentItem, ...] = ()

    def __repr__(self) -> str:
        """Never the name nor the number."""
        return f"Draft({self.devices[0].number.masked!r})"

    def is_minor_on(self, day: date, adult_age: int) -> bool:
        """Whether on that day a guardian has to agree for them."""
        return day < birthday(self.birth_date, adult_age)


def birthday(born: date, years: int) -> date:
    """Return the day on which somebody completes so many years; 1 March for those born on 29 February."""
    if (born.month, born.day) == (_FEBRUARY, _LEAP_DAY):
        try:
            return born.replace(year=born.year + years)
        except ValueError:
            return date(born.year + years, 3, 1)
    return born.replace(year=born.year + years)


def merged(known: Person | None, draft: Draft, *, adult_age: int, now: datetime) -> Person | Fault:
    """Return the person as they are after this enrolment, or why it cannot be.

    The same enrolment once more gives a person equal to ``known``: then nothing is to be written. Somebody else's
    number is never taken over: it takes a delete first, or a change of number.
    """
    if known is not None and known.name != draft.name and known.birth_date != draft.birth_date:
        return Fault("number", Problem.SOMEBODY_ELSES)
    guardians = _guardians(known, draft)
    devices = _devices(known, draft)
    if len(devices) > MOST_DEVICES:
        return Fault("number2", Problem.TOO_MANY_DEVICES, MOST_DEVICES)
    consent = _consent(known, draft, guardians, adult_age, now)
    if isinstance(consent, Fault):
        return consent
    for guardian in guardians:
        if any(is_same_phone(guardian.phone, device.number) for device in devices):
            return Fault("guardian_phone", Problem.OWN_NUMBER)
    return Person(
        name=draft.name,
        birth_date=draft.birth_date,
        devices=devices,
        consent=consent,
        guardians=guardians,
        refused=() if known is None else known.refused,
        texts=_allowed({**(known.texts if known is not None else {}), **draft.texts}, consent),
    )


def _allowed(texts: Mapping[str, str], consent: Consent) -> dict[str, str]:
    """Return those of these texts that may be kept: no notes on health without consent to them."""
    keeps_health = consent.allows(ConsentItem.HEALTH)
    return {name: text for name, text in texts.items() if keeps_health or name not in HEALTH_TEXTS}


def _guardians(known: Person | None, draft: Draft) -> tuple[GuardianEntry, ...]:
    """Return the order of guardians; what one of them has said of himself stands until something else is said."""
    if known is None or not draft.guardians:
        return draft.guardians or (() if known is None else known.guardians)
    before = {each.phone: each.standing for each in known.guardians}
    return tuple(
        replace(each, standing=newer_standing(before.get(each.phone), each.standing))
        for each in draft.guardians
    )


def _devices(known: Person | None, draft: Draft) -> tuple[Device, ...]:
    if known is None:
        return tuple(replace(device, kind=device.kind or "phone") for device in draft.devices)
    said = {device.number: device for device in draft.devices}
    kept = []
    for device in known.devices:
        new = said.pop(device.number, device)
        kept.append(replace(new, carrier=new.carrier or device.carrier, kind=new.kind or device.kind))
    return (*kept, *(replace(device, kind=device.kind or "phone") for device in said.values()))


def _consent(
    known: Person | None, draft: Draft, guardians: tuple[GuardianEntry, ...], adult_age: int, now: datetime
) -> Consent | Fault:
    adult_on = birthday(draft.birth_date, adult_age)
    is_minor = now.date() < adult_on
    standing = known.consent if known is not None and known.consent.is_valid_on(now.date()) else None
    if not draft.consent_by:
        if standing is not None and standing.is_by_guardian == is_minor:
            # The day of coming of age follows a corrected birth date.
            return replace(standing, until=adult_on if is_minor else None)
        return Fault("consent_by", Problem.NO_CONSENT)
    if is_minor and not guardians:
        return Fault("guardian1_phone", Problem.NO_GUARDIAN, adult_age)
    given = Consent(
        by=draft.consent_by,
        means=draft.consent_means,
        at=draft.consent_at or now,
        is_by_guardian=is_minor,
        until=adult_on if is_minor else None,
        text=draft.consent_text,
        items=draft.consent_items,
    )
    is_of_the_day = draft.consent_at is None or (
        standing is not None and draft.consent_at.date() == standing.at.date()
    )
    if standing is not None and is_of_the_day and standing.is_same_statement(given):
        return standing
    return given
