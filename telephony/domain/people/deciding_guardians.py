"""Decides the outcome of naming a guardian, of the guardian's reply, and of removing one. Pure."""

from __future__ import annotations

from dataclasses import replace

from telephony.domain.audit import CHANGED_PERSON
from telephony.domain.guardians.guardian import is_same_phone
from telephony.domain.guardians.standing import newer_standing
from telephony.domain.people.decisions import Changes, Decision, Note, Replace, Stop
from telephony.domain.people.draft import EnrolmentRules
from telephony.domain.people.letters import ask_guardian, letter_to
from telephony.domain.people.named_guardians import (
    guardian_of,
    has_agreed,
    has_who_consents,
    with_guardian,
    without_guardian,
)
from telephony.domain.people.person import GuardianEntry, Person
from telephony.domain.people.problems import Fault, Problem
from telephony.domain.people.steps import AddGuardian, Asker, BeGuardian, RemoveGuardian
from telephony.domain.people.texts import Text, last_digits


def decide_new_guardian(step: AddGuardian, known: Person, asker: Asker, rules: EnrolmentRules) -> Decision:
    """Return the outcome of naming one more guardian, who is asked."""
    if any(is_same_phone(step.phone, device.number) for device in known.devices):
        return Stop(faults=(Fault("guardian_phone", Problem.OWN_NUMBER),))
    if has_agreed(known, step.phone):
        return Stop(Text.GUARDIAN_KNOWN)
    guardian = GuardianEntry(step.phone, step.relation, asker.language, is_confirmed=False)
    guardians = with_guardian(known, guardian)
    if isinstance(guardians, Stop):
        return guardians
    is_minor = known.is_minor_on(asker.now.date(), rules.adult_age)
    text = Text.ASK_GUARDIAN_OF_A_MINOR if is_minor else Text.ASK_GUARDIAN
    return Changes(
        Text.GUARDIAN_ASKED,
        {"digits": last_digits(step.phone)},
        Replace(replace(known, guardians=guardians)),
        Note(CHANGED_PERSON, "named a guardian, who is asked", "the person"),
        question=ask_guardian(text, guardian, known.name, asker, rules),
    )


def decide_agreement(step: BeGuardian, known: Person | None, asker: Asker) -> Decision:
    """Return the outcome of a reply that agrees to be a guardian."""
    if known is None or guardian_of(known, asker.phone) is None:
        # Cancelled, or taken out again, since they were asked.
        return Changes(Text.NOTHING_AWAITED)
    # Whoever says who he is counts for a minor too; whoever agrees without that is told of a press, and no more.
    said_now = asker.claim.standing(asker.means, asker.now)
    guardians = tuple(
        replace(each, is_confirmed=True, standing=newer_standing(each.standing, said_now))
        if each.phone == asker.phone
        else each
        for each in known.guardians
    )
    told = letter_to(step.number, Text.TOLD_GUARDIAN_AGREED, known, asker, digits=last_digits(asker.phone))
    note = Note(CHANGED_PERSON, "a guardian agreed", "the guardian")
    wanted = Replace(replace(known, guardians=guardians))
    return Changes(Text.GUARDIAN_AGREED, {"name": known.name}, wanted, note, (told,))


def decide_removal(step: RemoveGuardian, known: Person, asker: Asker, rules: EnrolmentRules) -> Decision:
    """Return the outcome of removing a guardian; a minor keeps one who may consent."""
    if guardian_of(known, step.phone) is None:
        return Stop(Text.NO_SUCH_GUARDIAN)
    left = without_guardian(known, step.phone)
    is_minor = known.is_minor_on(asker.now.date(), rules.adult_age)
    if is_minor and not has_who_consents(left, known):
        return Stop(Text.LAST_GUARDIAN)
    note = Note(CHANGED_PERSON, "removed a guardian", "the person")
    return Changes(Text.GUARDIAN_REMOVED, {"digits": last_digits(step.phone)}, Replace(left), note)
