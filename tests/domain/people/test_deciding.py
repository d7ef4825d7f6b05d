"""What comes of a step of enrolment, decided without a store: who must agree, and what a minor needs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from telephony.domain.audit import CHANGED_PERSON, CONSENT_WITHDRAWN, DELETED_PERSON
from telephony.domain.guardians.standing import AgeGroup, Claim, Relation, Standing
from telephony.domain.people.consent_items import ConsentItem
from telephony.domain.people.deciding import confirmed_by_code, decide, decide_refusal, target
from telephony.domain.people.decisions import Ask, Changes, Delete, Enrol, Note, Renumber, Replace, Stop
from telephony.domain.people.draft import EnrolmentRules
from telephony.domain.people.person import (
    MOST_GUARDIANS,
    Device,
    GuardianEntry,
    Person,
    merged,
)
from telephony.domain.people.person import (
    Consent as Agreement,
)
from telephony.domain.people.problems import Problem
from telephony.domain.people.steps import (
    AddGuardian,
    Asker,
    BeGuardian,
    Cancel,
    Change,
    ChangeNumber,
    Consent,
    Move,
    Register,
    RemoveGuardian,
)
from telephony.domain.people.texts import Text
from telephony.domain.values import Msisdn

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
RULES = EnrolmentRules(carriers=frozenset({"skt", "kt"}), today=NOW.date())
CHILD, ADULT = Msisdn("821011110001"), Msisdn("821011110002")
MOTHER, FATHER, STRANGER = Msisdn("821099990001"), Msisdn("821099990002"), Msisdn("821066660001")
MOTHER_OF_AGE = Claim(Relation.MOTHER, AgeGroup.ADULT)
LEGAL = Standing(Relation.MOTHER, AgeGroup.ADULT, "SMS", NOW)


def asker(phone, **facts):
    return replace(Asker(phone, "SMS", "ko", "skt", NOW), **facts)


def fields(phone=ADULT, name="홍길동", birth="1990-03-02", guardian=None):
    named = (
        {} if guardian is None else {"guardian1_phone": guardian.international, "guardian1_relation": "엄마"}
    )
    return {"name": name, "birth_date": birth, "number": phone.international, "language": "ko", **named}


def child_fields(guardian=MOTHER):
    return fields(CHILD, birth="2015-03-02", guardian=guardian)


def adult(*guardians, **facts):
    agreed = Agreement("홍길동", "SMS", NOW)
    person = Person("홍길동", date(1990, 3, 2), (Device(ADULT, "skt"),), agreed, guardians)
    return replace(person, **facts)


def child(*guardians):
    agreed = Agreement("엄마", "SMS", NOW, is_by_guardian=True, until=date(2034, 3, 2))
    return Person("홍아이", date(2015, 3, 2), (Device(CHILD, "skt"),), agreed, guardians)


def kept(decision, known=None):
    """Return the person as they are after the decision."""
    assert isinstance(decision, Changes), decision
    if isinstance(decision.write, Replace):
        return decision.write.person
    assert isinstance(decision.write, Enrol)
    person = merged(known, decision.write.draft, adult_age=19, now=NOW)
    assert isinstance(person, Person)
    return person


# -- signing up ----------------------------------------------------------------------------------------------------


def test_an_adult_signs_up_on_their_own_word():
    decision = decide(Register(fields()), None, asker(ADULT), RULES)

    person = kept(decision)
    assert (person.name, person.devices, person.consent.by) == ("홍길동", (Device(ADULT),), "홍길동")
    assert decision.text is Text.REGISTERED
    assert decision.note == Note(CHANGED_PERSON, "signed up", "the person")
    assert (decision.letters, decision.question) == ((), None)


def test_a_reply_to_our_question_is_kept_with_its_version_and_items():
    items = (ConsentItem.PERSONAL, ConsentItem.LOCATION)

    person = kept(decide(Register(fields(), "sms-2/ko"), None, asker(ADULT, items=items), RULES))

    assert (person.consent.text, person.consent.items) == ("sms-2/ko", items)


def test_an_adults_guardian_is_named_and_asked_and_does_not_count_yet():
    decision = decide(Register(fields(guardian=MOTHER)), None, asker(ADULT), RULES)

    (guardian,) = kept(decision).guardians
    assert (guardian.phone, guardian.is_confirmed) == (MOTHER, False)
    assert decision.text is Text.REGISTERED_GUARDIAN_ASKED
    letter = decision.question.letter
    assert (letter.to, letter.text, decision.question.step) == (MOTHER, Text.ASK_GUARDIAN, BeGuardian(ADULT))


def test_a_guardian_who_agreed_before_need_not_agree_again_when_the_person_signs_up_again():
    known = adult(GuardianEntry(MOTHER, standing=LEGAL))

    decision = decide(Register(fields(guardian=MOTHER)), known, asker(ADULT), RULES)

    assert kept(decision, known).guardians == known.guardians
    assert (decision.text, decision.question) == (Text.REGISTERED, None)


def test_nothing_is_kept_of_a_minor_before_the_guardian_has_replied():
    decision = decide(Register(child_fields()), None, asker(CHILD), RULES)

    assert isinstance(decision, Ask)
    assert decision.question.letter.to == MOTHER
    assert decision.question.step == Consent(CHILD, child_fields(), "SMS", "skt", "sms-2/ko")


def test_a_minor_without_a_guardian_is_told_what_is_missing():
    decision = decide(Register(child_fields(None)), None, asker(CHILD), RULES)

    (fault,) = decision.faults
    assert (fault.field, fault.problem) == ("guardian1_phone", Problem.NO_GUARDIAN)


def test_a_minor_who_has_guardians_names_the_one_who_agrees_now():
    known = replace(child(GuardianEntry(FATHER)), name="홍길동")

    decision = decide(Register(child_fields(None)), known, asker(CHILD), RULES)

    assert isinstance(decision, Stop)


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        (Claim(), Text.STANDING_NEEDED),
        (Claim(Relation.MOTHER), Text.STANDING_NEEDED),
        (Claim(None, AgeGroup.ADULT), Text.STANDING_NEEDED),
        (Claim(Relation.MOTHER, AgeGroup.MINOR), Text.GUARDIAN_NOT_OF_AGE),
    ],
)
def test_whoever_does_not_say_that_he_is_a_legal_guardian_of_age_consents_to_nothing(claim, text):
    step = Consent(CHILD, child_fields(), "SMS", "skt", "sms-2/ko")

    assert decide(step, None, asker(MOTHER, claim=claim), RULES) == Stop(text, {"age": "19"})


def test_a_legal_guardians_reply_signs_the_minor_up_and_the_minor_is_told():
    step = Consent(CHILD, child_fields(), "USSD", "kt", "sms-2/ko")

    decision = decide(step, None, asker(MOTHER, claim=MOTHER_OF_AGE), RULES)

    person = kept(decision)
    (mother,) = person.guardians
    assert (mother.phone, mother.is_confirmed, mother.standing) == (MOTHER, True, LEGAL)
    assert (person.consent.means, person.consent.until) == ("USSD + SMS", date(2034, 3, 2))
    (told,) = decision.letters
    assert (told.to, told.text, told.carrier) == (CHILD, Text.TOLD_REGISTERED, "kt")


def test_a_number_of_another_name_and_birth_date_is_not_taken_over():
    decision = decide(Register(fields(name="김철수", birth="1985-01-01")), adult(), asker(ADULT), RULES)

    assert [each.problem for each in decision.faults] == [Problem.SOMEBODY_ELSES]


@pytest.mark.parametrize(
    ("carrier", "cohort", "is_open"), [("skt", "", False), ("kt", "", True), ("skt", "seoul-1", True)]
)
def test_a_staged_opening_holds_for_carriers_and_for_cohorts(carrier, cohort, is_open):
    rules = replace(RULES, opens_to=frozenset({"kt", "seoul-1"}))
    known = adult(texts={"cohort": cohort})

    decision = decide(Register(fields()), known, asker(ADULT, carrier=carrier), rules)

    assert isinstance(decision, Changes) is is_open
    assert decision.text is (Text.REGISTERED if is_open else Text.NOT_OPEN)


# -- guardians -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("person", "phone", "text"),
    [
        (adult(), ADULT, Text.ASK_GUARDIAN),
        (child(GuardianEntry(FATHER)), CHILD, Text.ASK_GUARDIAN_OF_A_MINOR),
    ],
)
def test_a_guardian_who_is_added_stands_last_and_is_asked(person, phone, text):
    decision = decide(AddGuardian(MOTHER, "엄마"), person, asker(phone), RULES)

    added = GuardianEntry(MOTHER, "엄마", is_confirmed=False)
    assert kept(decision).guardians == (*person.guardians, added)
    assert (decision.text, decision.question.letter.text) == (Text.GUARDIAN_ASKED, text)


def test_the_persons_own_number_is_no_guardian():
    decision = decide(AddGuardian(ADULT), adult(), asker(ADULT), RULES)

    assert [each.problem for each in decision.faults] == [Problem.OWN_NUMBER]


def test_who_has_agreed_is_not_asked_again_and_who_has_not_is():
    agreed, silent = GuardianEntry(MOTHER), GuardianEntry(FATHER, is_confirmed=False)
    person = adult(agreed, silent)

    assert decide(AddGuardian(MOTHER), person, asker(ADULT), RULES) == Stop(Text.GUARDIAN_KNOWN)
    again = decide(AddGuardian(FATHER), person, asker(ADULT), RULES)
    assert kept(again).guardians == (agreed, silent)


def test_there_are_only_so_many_guardians():
    many = [GuardianEntry(Msisdn(f"82107777{place:04d}")) for place in range(MOST_GUARDIANS)]

    decision = decide(AddGuardian(MOTHER), adult(*many), asker(ADULT), RULES)

    assert decision == Stop(Text.TOO_MANY_GUARDIANS)


def test_a_guardian_who_agrees_counts_and_what_he_says_of_himself_is_kept():
    known = child(GuardianEntry(FATHER), GuardianEntry(MOTHER, is_confirmed=False))

    decision = decide(BeGuardian(CHILD), known, asker(MOTHER, claim=MOTHER_OF_AGE), RULES)

    assert kept(decision).guardians == (GuardianEntry(FATHER), GuardianEntry(MOTHER, standing=LEGAL))
    assert [(each.to, each.text) for each in decision.letters] == [(CHILD, Text.TOLD_GUARDIAN_AGREED)]


@pytest.mark.parametrize("known", [None, child(GuardianEntry(FATHER))])
def test_who_was_taken_out_since_he_was_asked_agrees_to_nothing(known):
    decision = decide(BeGuardian(CHILD), known, asker(MOTHER), RULES)

    assert decision == Changes(Text.NOTHING_AWAITED), "the question is settled, and nothing written"


def test_a_minor_keeps_one_legal_guardian_and_an_adult_needs_none():
    legal, other = GuardianEntry(MOTHER, standing=LEGAL), GuardianEntry(FATHER)

    assert decide(RemoveGuardian(MOTHER), child(legal, other), asker(CHILD), RULES) == Stop(
        Text.LAST_GUARDIAN
    )
    assert kept(decide(RemoveGuardian(FATHER), child(legal, other), asker(CHILD), RULES)).guardians == (
        legal,
    )
    assert kept(decide(RemoveGuardian(MOTHER), adult(legal), asker(ADULT), RULES)).guardians == ()
    assert decide(RemoveGuardian(STRANGER), adult(legal), asker(ADULT), RULES) == Stop(Text.NO_SUCH_GUARDIAN)


# -- changes -------------------------------------------------------------------------------------------------------


def test_one_field_is_changed_and_the_rest_stays():
    known = adult(GuardianEntry(MOTHER), texts={"language": "en"})

    decision = decide(Change("address", "서울시 종로구 1"), known, asker(ADULT), RULES)

    wanted = replace(known, texts={"language": "en", "address": "서울시 종로구 1"})
    assert kept(decision, known) == wanted
    assert (decision.text, decision.note.why) == (Text.CHANGED, "changed the address")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("address", "", Problem.EMPTY),
        ("carrier", "T-Mobile", Problem.UNKNOWN_CARRIER),
        ("name", "홍" * 81, Problem.TOO_LONG),
    ],
)
def test_a_change_that_cannot_be_read_is_a_fault(name, value, problem):
    decision = decide(Change(name, value), adult(), asker(ADULT), RULES)

    assert [(each.field, each.problem) for each in decision.faults] == [(name, problem)]


def test_another_number_is_asked_before_anything_moves():
    decision = decide(ChangeNumber(STRANGER), adult(), asker(ADULT), RULES)

    assert isinstance(decision, Ask)
    assert (decision.question.letter.to, decision.question.step) == (STRANGER, Move(ADULT))


@pytest.mark.parametrize("step", [ChangeNumber(STRANGER), Move(ADULT)])
def test_a_number_that_is_somebodys_is_not_taken(step):
    assert target(step, asker(STRANGER)) == STRANGER

    assert decide(step, adult(), asker(STRANGER), RULES, is_taken=True) == Stop(Text.NUMBER_TAKEN)


def test_a_guardians_number_is_not_moved_to():
    decision = decide(ChangeNumber(MOTHER), adult(GuardianEntry(MOTHER)), asker(ADULT), RULES)

    assert [each.problem for each in decision.faults] == [Problem.OWN_NUMBER]


@pytest.mark.parametrize(("carrier", "kept_carrier"), [("kt", "kt"), ("elsewhere", "")])
def test_the_new_number_takes_the_enrolment_over_with_its_carrier_where_we_know_it(carrier, kept_carrier):
    decision = decide(Move(ADULT), adult(), asker(STRANGER, carrier=carrier), RULES)

    assert decision.write == Renumber(STRANGER, kept_carrier)
    assert [(each.to, each.text) for each in decision.letters] == [(ADULT, Text.TOLD_MOVED)]


# -- cancelling ----------------------------------------------------------------------------------------------------


def test_whoever_cancels_is_deleted_and_an_adults_guardians_are_not_told():
    decision = decide(Cancel(ADULT), adult(GuardianEntry(MOTHER)), asker(ADULT), RULES)

    assert decision.write == Delete((ADULT,))
    assert decision.note == Note(DELETED_PERSON, "cancelled", "the person")
    assert decision.letters == ()


def test_a_guardian_who_cancels_for_a_minor_withdraws_the_consent_and_the_others_are_told():
    silent = GuardianEntry(STRANGER, is_confirmed=False)
    known = child(GuardianEntry(MOTHER), GuardianEntry(FATHER, language="en"), silent)

    decision = decide(Cancel(CHILD), known, asker(MOTHER), RULES)

    assert decision.note == Note(CONSENT_WITHDRAWN, "deleted with the consent", "the guardian")
    assert [(each.to, each.language) for each in decision.letters] == [(CHILD, "ko"), (FATHER, "en")]


@pytest.mark.parametrize(
    ("known", "phone"),
    [
        (child(GuardianEntry(MOTHER, is_confirmed=False)), MOTHER),
        (child(GuardianEntry(MOTHER)), STRANGER),
        (adult(GuardianEntry(MOTHER)), MOTHER),
    ],
    ids=["has not agreed", "a stranger", "of an adult"],
)
def test_nobody_else_cancels(known, phone):
    decision = decide(Cancel(known.devices[0].number), known, asker(phone), RULES)

    assert decision == Stop(Text.NOT_REGISTERED)


# -- in general ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "step",
    [
        AddGuardian(MOTHER),
        RemoveGuardian(MOTHER),
        Change("name", "홍길순"),
        ChangeNumber(STRANGER),
        Move(ADULT),
        Cancel(ADULT),
    ],
    ids=lambda step: type(step).__name__,
)
def test_nothing_is_changed_of_somebody_who_is_not_signed_up(step):
    assert decide(step, None, asker(ADULT), RULES) == Stop(Text.NOT_REGISTERED)


def test_an_adults_code_is_the_consent_and_a_minors_is_not():
    of_adult, of_child = Register(fields()), Register(child_fields())

    own = confirmed_by_code(of_adult, decide(of_adult, None, asker(ADULT), RULES), "en")
    minors = confirmed_by_code(of_child, decide(of_child, None, asker(CHILD), RULES), "en")

    assert own == (Register(fields(), "sms-2/en"), Text.CONSENT_OWN)
    assert minors == (of_child, Text.CODE_TO_REGISTER)


def test_a_guardian_who_refuses_is_taken_out_and_it_is_known_that_he_refused():
    known = adult(GuardianEntry(MOTHER, is_confirmed=False), GuardianEntry(FATHER))

    decision = decide_refusal(BeGuardian(ADULT), known, asker(MOTHER))

    person = kept(decision)
    assert person.guardians == (GuardianEntry(FATHER),)
    assert [(each.digits, each.means, each.at) for each in person.refused] == [("0001", "SMS", NOW)]
    assert [(each.to, each.text) for each in decision.letters] == [(ADULT, Text.TOLD_DECLINED)]


def test_a_guardian_who_agreed_before_is_not_taken_out_by_a_late_refusal():
    decision = decide_refusal(BeGuardian(ADULT), adult(GuardianEntry(MOTHER)), asker(MOTHER))

    assert (decision.write, decision.note) == (None, None)


def test_a_refused_consent_is_noted_and_the_minor_told():
    decision = decide_refusal(Consent(CHILD, child_fields(), "SMS", "skt"), None, asker(MOTHER))

    assert (decision.write, decision.note.why) == (None, "the guardian refused to consent")
    assert [each.to for each in decision.letters] == [CHILD]


@pytest.mark.parametrize("step", [Move(ADULT), Cancel(ADULT), Register(fields())])
def test_any_other_refusal_ends_the_question_alone(step):
    assert decide_refusal(step, None, asker(STRANGER)) == Changes(Text.DECLINED)
