"""Decides the outcome of changing one's own data or number, and of cancelling. Pure."""

from __future__ import annotations

from telephony.domain.audit import CHANGED_PERSON, CONSENT_WITHDRAWN, DELETED_PERSON
from telephony.domain.people.deciding_consent import why_not_kept
from telephony.domain.people.decisions import (
    Ask,
    Changes,
    Decision,
    Delete,
    Enrol,
    Letter,
    Note,
    Question,
    Renumber,
    Stop,
)
from telephony.domain.people.draft import EnrolmentRules, draft_of
from telephony.domain.people.letters import letter_to
from telephony.domain.people.named_guardians import guardian_of, has_agreed
from telephony.domain.people.person import Draft, Person
from telephony.domain.people.problems import Fault, Problem
from telephony.domain.people.steps import Asker, Cancel, Change, ChangeNumber, Move
from telephony.domain.people.texts import Text, last_digits


def decide_change(step: Change, known: Person, asker: Asker, rules: EnrolmentRules) -> Decision:
    """Return the outcome of changing a field of one's own data."""
    if not step.value:
        return Stop(faults=(Fault(step.name, Problem.EMPTY),))
    texts = {
        "name": known.name,
        "birth_date": known.birth_date.isoformat(),
        "number": asker.phone.international,
    }
    draft = draft_of({**texts, step.name: step.value}, rules)
    if not isinstance(draft, Draft):
        return Stop(faults=draft)
    if (refused := why_not_kept(known, draft, asker, rules)) is not None:
        return refused
    note = Note(CHANGED_PERSON, f"changed the {step.name}", "the person")
    return Changes(Text.CHANGED, write=Enrol(draft), note=note)


def decide_number(step: ChangeNumber, known: Person, asker: Asker, *, is_taken: bool) -> Ask | Stop:
    """Return the outcome of asking for another number: a question to that number."""
    if is_taken:
        return Stop(Text.NUMBER_TAKEN)
    if guardian_of(known, step.new) is not None:
        return Stop(faults=(Fault("guardian_phone", Problem.OWN_NUMBER),))
    letter = Letter(step.new, Text.ASK_NUMBER, asker.language, {"name": known.name})
    asked = Question(letter, Move(asker.phone))
    return Ask(Text.NUMBER_ASKED, {"digits": last_digits(step.new)}, asked)


def decide_move(
    step: Move, known: Person, asker: Asker, rules: EnrolmentRules, *, is_taken: bool
) -> Changes | Stop:
    """Return the outcome when the new number agrees."""
    if is_taken:
        return Stop(Text.NUMBER_TAKEN)
    told = letter_to(step.number, Text.TOLD_MOVED, known, asker, digits=last_digits(asker.phone))
    carrier = asker.carrier if asker.carrier in rules.carriers else ""
    note = Note(CHANGED_PERSON, "moved to another number", "the new number")
    return Changes(Text.MOVED, {"name": known.name}, Renumber(asker.phone, carrier), note, (told,))


def decide_cancel(step: Cancel, known: Person, asker: Asker, rules: EnrolmentRules) -> Changes | Stop:
    """Return the outcome of cancelling, by the person or by a minor's guardian."""
    is_own = step.number == asker.phone
    is_minor = known.is_minor_on(asker.now.date(), rules.adult_age)
    if not is_own and not (is_minor and has_agreed(known, asker.phone)):
        return Stop(Text.NOT_REGISTERED)
    note = (
        Note(DELETED_PERSON, "cancelled", "the person")
        if is_own
        else Note(CONSENT_WITHDRAWN, "deleted with the consent", "the guardian")
    )
    concerned = [] if is_own else [known.devices[0].number]
    if is_minor:
        agreed = [each.phone for each in known.guardians if each.is_confirmed]
        concerned += [phone for phone in agreed if phone != asker.phone]
    letters = tuple(letter_to(to, Text.TOLD_CANCELLED, known, asker) for to in concerned)
    wanted = Delete(tuple(device.number for device in known.devices))
    return Changes(Text.CANCELLED, {"name": known.name}, wanted, note, letters)
