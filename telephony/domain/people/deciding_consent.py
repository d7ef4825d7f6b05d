"""Decides the outcome of signing up, and of a guardian's consent for a minor. Pure."""

from __future__ import annotations

from dataclasses import replace

from telephony.domain.audit import CHANGED_PERSON
from telephony.domain.guardians.standing import AgeGroup, Standing, said
from telephony.domain.people.consent_items import consent_text
from telephony.domain.people.decisions import Ask, Changes, Decision, Enrol, Letter, Note, Question, Stop
from telephony.domain.people.draft import EnrolmentRules, draft_of
from telephony.domain.people.letters import ask_guardian
from telephony.domain.people.named_guardians import with_guardian
from telephony.domain.people.person import Draft, GuardianEntry, Person, merged
from telephony.domain.people.problems import Fault, Problem
from telephony.domain.people.steps import Asker, Consent, Register
from telephony.domain.people.texts import Text, last_digits


def decide_registration(  # noqa: PLR0911 - one for each reason to stop
    step: Register, known: Person | None, asker: Asker, rules: EnrolmentRules
) -> Decision:
    """Return the outcome of signing up: of a minor, a question to the guardian."""
    draft = draft_of(step.fields, rules)
    if not isinstance(draft, Draft):
        return Stop(faults=draft)
    if not _is_open_to(known, asker.carrier, rules):
        return Stop(Text.NOT_OPEN)
    guardian = replace(draft.guardians[0], is_confirmed=False) if draft.guardians else None
    if draft.is_minor_on(asker.now.date(), rules.adult_age):
        return _ask_consent(step, draft, guardian, known, asker, rules)
    guardians = with_guardian(known, guardian)
    if isinstance(guardians, Stop):
        return guardians
    wanted = replace(draft, guardians=guardians, consent_by=draft.name, consent_means=asker.means)
    wanted = _agreed(wanted, step.text, asker)
    if (refused := why_not_kept(known, wanted, asker, rules)) is not None:
        return refused
    facts = {"name": draft.name}
    note = Note(CHANGED_PERSON, "signed up", "the person")
    if guardian is None or any(each.phone == guardian.phone and each.is_confirmed for each in guardians):
        return Changes(Text.REGISTERED, facts, Enrol(wanted), note)
    facts["digits"] = last_digits(guardian.phone)
    asked = ask_guardian(Text.ASK_GUARDIAN, guardian, draft.name, asker, rules)
    return Changes(Text.REGISTERED_GUARDIAN_ASKED, facts, Enrol(wanted), note, question=asked)


def decide_consent(step: Consent, known: Person | None, asker: Asker, rules: EnrolmentRules) -> Decision:
    """Return the outcome of a guardian's consent to a minor's signing up."""
    standing = _legal_standing(asker, rules)
    if isinstance(standing, Stop):
        return standing
    draft = draft_of(step.fields, rules)
    if not isinstance(draft, Draft):
        return Stop(faults=draft)
    guardian = replace(
        draft.guardians[0],
        phone=asker.phone,
        relation=draft.guardians[0].relation or said(standing.relation, asker.language),
        is_confirmed=True,
        standing=standing,
    )
    guardians = with_guardian(known, guardian)
    if isinstance(guardians, Stop):
        return guardians
    wanted = replace(
        draft,
        guardians=guardians,
        consent_by=f"{guardian.relation or 'guardian'} {asker.phone.international}",
        consent_means=asker.means if step.means == asker.means else f"{step.means} + {asker.means}",
    )
    wanted = _agreed(wanted, step.text, asker)
    if (refused := why_not_kept(known, wanted, asker, rules)) is not None:
        return refused
    facts = {"name": draft.name}
    told = Letter(step.number, Text.TOLD_REGISTERED, asker.language, facts, step.carrier)
    note = Note(CHANGED_PERSON, "signed up with a guardian's consent", "the guardian")
    return Changes(Text.CONSENTED, facts, Enrol(wanted), note, (told,))


def why_not_kept(known: Person | None, draft: Draft, asker: Asker, rules: EnrolmentRules) -> Stop | None:
    """Return why a draft cannot be kept."""
    result = merged(known, draft, adult_age=rules.adult_age, now=asker.now)
    return Stop(faults=(result,)) if isinstance(result, Fault) else None


def _ask_consent(  # noqa: PLR0917 - what `_register` knows
    step: Register,
    draft: Draft,
    guardian: GuardianEntry | None,
    known: Person | None,
    asker: Asker,
    rules: EnrolmentRules,
) -> Ask | Stop:
    # Whatever would keep the guardian's consent from counting is told now, to whoever can correct it.
    named = () if guardian is None else (guardian,)
    rehearsed = replace(draft, guardians=named, consent_by="guardian", consent_means=asker.means)
    if (refused := why_not_kept(known, rehearsed, asker, rules)) is not None:
        return refused
    if guardian is None:
        # They may have guardians already: the one who agrees now has to be named all the same.
        return Stop(faults=(Fault("guardian1_phone", Problem.EMPTY),))
    text = consent_text(asker.language)
    consent = Consent(asker.phone, dict(step.fields), asker.means, asker.carrier, text)
    facts = {"name": draft.name, "digits": last_digits(asker.phone), "age": str(rules.adult_age)}
    letter = Letter(guardian.phone, Text.ASK_CONSENT, asker.language, facts)
    told = {"name": draft.name, "digits": last_digits(guardian.phone)}
    return Ask(Text.CONSENT_ASKED, told, Question(letter, consent))


def _legal_standing(asker: Asker, rules: EnrolmentRules) -> Standing | Stop:
    """Return what makes this reply a consent for a minor."""
    age = {"age": str(rules.adult_age)}
    if asker.claim.age is AgeGroup.MINOR:
        return Stop(Text.GUARDIAN_NOT_OF_AGE, age)
    return asker.claim.standing(asker.means, asker.now) or Stop(Text.STANDING_NEEDED, age)


def _agreed(draft: Draft, text: str, asker: Asker) -> Draft:
    """Return a draft with what was agreed to; as it is where a menu put the question, or an earlier release."""
    return replace(draft, consent_text=text, consent_items=asker.items) if text else draft


def _is_open_to(known: Person | None, carrier: str, rules: EnrolmentRules) -> bool:
    if not rules.opens_to or carrier in rules.opens_to:
        return True
    return known is not None and known.texts.get("cohort", "") in rules.opens_to
