"""Decides the outcome of a step of enrolment, from the step, the person and the rules alone. Pure.

`decide` says what is to be written, who is to be asked, or why nothing can be done; the store does it. The same decision
tells, before a code is asked for, whether there is anything to confirm.
"""

from __future__ import annotations

from dataclasses import replace

from telephony.domain.audit import CHANGED_PERSON
from telephony.domain.people.consent_items import consent_text
from telephony.domain.people.deciding_consent import decide_consent, decide_registration
from telephony.domain.people.deciding_guardians import decide_agreement, decide_new_guardian, decide_removal
from telephony.domain.people.deciding_own_data import decide_cancel, decide_change, decide_move, decide_number
from telephony.domain.people.decisions import Ask, Changes, Decision, Note, Replace, Stop
from telephony.domain.people.draft import EnrolmentRules
from telephony.domain.people.letters import letter_to
from telephony.domain.people.named_guardians import guardian_of, without_guardian
from telephony.domain.people.person import MOST_REFUSALS, Language, Person, Refusal
from telephony.domain.people.steps import (
    AddGuardian,
    Asker,
    BeGuardian,
    Cancel,
    Change,
    ChangeNumber,
    Consent,
    Move,
    OwnStep,
    Register,
    RemoveGuardian,
    Step,
)
from telephony.domain.people.texts import Text, last_digits
from telephony.domain.values import Msisdn


def decide(  # noqa: C901, PLR0911 - one arm per step
    step: Step, known: Person | None, asker: Asker, rules: EnrolmentRules, *, is_taken: bool = False
) -> Decision:
    """Return the outcome of a step. ``known`` is the person whom it is about.

    ``is_taken``: whether the number to which a person wants to move (`target`) is somebody's already.
    """
    match step:
        case Register():
            return decide_registration(step, known, asker, rules)
        case Consent():
            return decide_consent(step, known, asker, rules)
        case BeGuardian():
            return decide_agreement(step, known, asker)
    if known is None:
        return Stop(Text.NOT_REGISTERED)
    match step:
        case AddGuardian():
            return decide_new_guardian(step, known, asker, rules)
        case RemoveGuardian():
            return decide_removal(step, known, asker, rules)
        case Change():
            return decide_change(step, known, asker, rules)
        case ChangeNumber():
            return decide_number(step, known, asker, is_taken=is_taken)
        case Move():
            return decide_move(step, known, asker, rules, is_taken=is_taken)
        case Cancel():
            return decide_cancel(step, known, asker, rules)


def target(step: Step, asker: Asker) -> Msisdn | None:
    """Return the number to which a step wants to move a person."""
    match step:
        case ChangeNumber():
            return step.new
        case Move():
            return asker.phone
        case _:
            return None


def confirmed_by_code(  # noqa: PLR0911 - one arm per step
    step: OwnStep, decision: Changes | Ask, language: Language
) -> tuple[OwnStep, Text]:
    """Return the step that waits for a code from the very phone that asks, and the question to that phone."""
    match step:
        case Register() if isinstance(decision, Changes):
            # The code is the consent: of a minor the guardian's reply is.
            return replace(step, text=consent_text(language)), Text.CONSENT_OWN
        case Register():
            return step, Text.CODE_TO_REGISTER
        case AddGuardian():
            return step, Text.CODE_TO_ADD_GUARDIAN
        case RemoveGuardian():
            return step, Text.CODE_TO_REMOVE_GUARDIAN
        case Change():
            return step, Text.CODE_TO_CHANGE
        case ChangeNumber():
            return step, Text.CODE_TO_CHANGE_NUMBER
        case Cancel():
            return step, Text.CODE_TO_CANCEL


def decide_refusal(step: Step, known: Person | None, asker: Asker) -> Changes:
    """Return the outcome when the person who was asked does not agree."""
    if not isinstance(step, BeGuardian | Consent):
        return Changes(Text.DECLINED)
    told = (letter_to(step.number, Text.TOLD_DECLINED, known, asker, digits=last_digits(asker.phone)),)
    if isinstance(step, Consent):
        note = Note(CHANGED_PERSON, "the guardian refused to consent", "the guardian")
        return Changes(Text.DECLINED, note=note, letters=told)
    named = None if known is None else guardian_of(known, asker.phone)
    if known is None or named is None or named.is_confirmed:
        return Changes(Text.DECLINED, letters=told)
    refusal = Refusal(last_digits(asker.phone), asker.means, asker.now)
    left = replace(without_guardian(known, asker.phone), refused=(*known.refused, refusal)[-MOST_REFUSALS:])
    note = Note(CHANGED_PERSON, "the guardian refused", "the guardian")
    return Changes(Text.DECLINED, write=Replace(left), note=note, letters=told)
