"""What people read who sign up by phone: in both languages, and every fault in both."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from telephony.domain.people.draft import FIELDS as FIELDS_OF_A_ROW
from telephony.domain.people.faults import reason, remedy, sentences
from telephony.domain.people.keywords import is_hangul
from telephony.domain.people.problems import Fault, Problem
from telephony.domain.people.texts import Text, say

FIELDS = ["name", "number", "guardian2_age", "something"]
"""With and without an example; and what a phone has no word for."""


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("problem", Problem)
def test_every_problem_is_told_in_korean_and_in_english(problem, field):
    fault = Fault(field, problem, 19, ("kt", "skt"))

    korean, english = sentences([fault], "ko"), sentences([fault], "en")

    assert is_hangul(problem.value.korean)
    assert not re.search("[A-Za-z]", korean)
    assert english.isascii()
    assert english[0].isupper()
    assert korean.endswith(".")
    assert english.endswith(".")
    assert reason(fault)
    assert remedy(fault)
    assert not set("{}") & set(korean + english + reason(fault) + remedy(fault))


@pytest.mark.parametrize("problem", Problem)
def test_the_words_of_a_problem_name_the_same_figure_in_both_languages(problem):
    words = problem.value

    assert places(words.korean) - {"이", "을"} == places(words.english) <= {"figure"}
    assert places(words.remedy) <= {"figure", "choices"}


@pytest.mark.parametrize(
    "field",
    [
        field
        for field in FIELDS_OF_A_ROW
        if field in ("name", "birth_date", "number") or field.endswith("_phone")
    ],
)
def test_an_importer_reads_what_to_write_into_a_field_that_must_not_be_empty(field):
    assert remedy(Fault(field, Problem.EMPTY)) != Problem.EMPTY.value.remedy


def test_the_particle_fits_the_word_before_it():
    assert sentences([Fault("name", Problem.EMPTY)], "ko").startswith("이름이 없습니다")
    assert sentences([Fault("number", Problem.EMPTY)], "ko").startswith("전화번호가 없습니다")
    assert sentences([Fault("address", Problem.NOT_A_DATE)], "ko").startswith("주소가 날짜가 아닙니다")


def test_faults_are_told_once_each_and_in_order():
    faults = [
        Fault("name", Problem.EMPTY),
        Fault("birth_date", Problem.EMPTY),
        Fault("name", Problem.EMPTY),
    ]

    assert sentences(faults, "en") == (
        "The name is empty (e.g. Hong Gildong). The birth date is empty (e.g. 20150302)."
    )


def test_a_field_without_a_name_is_told_all_the_same():
    assert sentences([Fault("something", Problem.NOT_A_DATE)], "ko") == "내용이 날짜가 아닙니다."
    assert sentences([Fault("something", Problem.NOT_A_DATE)], "en") == "Is not a date."


EXAMPLES = {"name": "김하늘", "digits": "1234", "code": "123456", "age": "19", "left": "4", "seconds": "1.5"}
"""Every fact that a text may tell."""


def spoken(text, **facts):
    """Return a text in Korean and in English, with an example of each fact that it tells."""
    told = {name: EXAMPLES[name] for name in places(text.value.korean)} | facts
    return say(text, "ko", **told), say(text, "en", **told)


@pytest.mark.parametrize("text", Text)
def test_every_text_tells_the_same_facts_in_both_languages(text):
    korean, english = text.value

    assert is_hangul(korean)
    assert english.isascii()
    assert places(korean) == places(english) <= set(EXAMPLES)
    assert not set("{}") & set("".join(spoken(text)))


def places(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("text", [text for text in Text if text.name.startswith(("CODE_TO_", "TEST_"))])
def test_what_has_to_be_read_at_a_glance_is_one_message(text):
    """70 characters of UCS-2 (3GPP TS 23.038 clause 6.2.3), 160 of the GSM alphabet."""
    korean, english = spoken(text)

    assert len(korean) <= 70
    assert len(english) <= 160


@pytest.mark.parametrize("text", [Text.CONSENT_OWN, Text.ASK_CONSENT])
def test_a_consent_is_asked_for_in_four_parts_at_most(text):
    """67 characters of UCS-2 and 153 of the GSM alphabet fit a part of several (3GPP TS 23.040 clause 9.2.3.24.1)."""
    assert len(spoken(text, name="가" * 12)[0]) <= 4 * 67
    assert len(spoken(text, name="A" * 20)[1]) <= 4 * 153


def test_a_long_name_is_cut():
    assert "x" * 21 not in say(Text.CANCELLED, "en", name="x" * 80)
