"""Letters to others about a step of enrolment, in the language of whoever reads them. Pure."""

from __future__ import annotations

from telephony.domain.people.decisions import Letter, Question
from telephony.domain.people.draft import EnrolmentRules
from telephony.domain.people.named_guardians import guardian_of
from telephony.domain.people.person import GuardianEntry, Language, Person
from telephony.domain.people.steps import Asker, BeGuardian, Consent, Step
from telephony.domain.people.texts import Text, last_digits
from telephony.domain.values import Msisdn


def letter_to(to: Msisdn, text: Text, known: Person | None, asker: Asker, **facts: str) -> Letter:
    """Write to somebody in the language that they chose."""
    if known is None:
        return Letter(to, text, asker.language, facts)
    guardian = guardian_of(known, to)
    language = known.language or asker.language if guardian is None else guardian.language
    carrier = next((device.carrier for device in known.devices if device.number == to), "")
    return Letter(to, text, language, {"name": known.name, **facts}, carrier)


def ask_guardian(
    text: Text, guardian: GuardianEntry, name: str, asker: Asker, rules: EnrolmentRules
) -> Question:
    """Return the question whether somebody agrees to be a guardian."""
    facts = {"name": name, "digits": last_digits(asker.phone), "age": str(rules.adult_age)}
    return Question(Letter(guardian.phone, text, asker.language, facts), BeGuardian(asker.phone))


def reminder(step: Step, to: Msisdn, known: Person | None, language: Language, code: str) -> Letter | None:
    """Return the letter that reminds a guardian of a question; ``known`` is the person whose guardian he is to be."""
    match step:
        case Consent():
            facts = {"name": step.fields["name"].strip(), "code": code}
            return Letter(to, Text.REMIND_CONSENT, language, facts)
        case BeGuardian() if known is not None and guardian_of(known, to) is not None:
            return Letter(to, Text.REMIND_GUARDIAN, language, {"name": known.name, "code": code})
        case _:
            return None
