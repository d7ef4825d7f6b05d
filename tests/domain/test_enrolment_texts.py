"""What people read who sign up by phone: in both languages, and every fault in both."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from string import Formatter

import pytest

from telephony.domain import enrolment, people
from telephony.domain.enrolment_faults import sentences
from telephony.domain.enrolment_texts import _TEXTS, say
from telephony.domain.keywords import is_hangul
from telephony.domain.people import Fault


def problems():
    """Give every problem that a fault can name, as the sources write it; a number stands for what is put in."""
    found = set()
    for module in (enrolment, people):
        for node in ast.walk(ast.parse(Path(module.__file__).read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            place = {"fault": 1, "Fault": 1, "_Wrong": 0}.get(name)
            if place is not None and len(node.args) > place:
                found.add(written(node.args[place]))
    return sorted(found - {""})


def written(node):
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(each.value if isinstance(each, ast.Constant) else "19" for each in node.values)
    return ""


@pytest.mark.parametrize("problem", problems())
def test_every_fault_that_there_is_has_korean_words_of_its_own(problem):
    said = sentences([Fault("birth_date", problem, "")], "ko")

    assert is_hangul(said)
    assert "생년월일을 확인하세요 (예" not in said or problem == "is too long ago"
    assert not re.search("[A-Za-z]", said)
    assert sentences([Fault("birth_date", problem, "")], "en").endswith(".")


def test_there_are_problems_to_speak_of():
    assert len(problems()) > 15


def test_the_particle_fits_the_word_before_it():
    assert sentences([Fault("name", "is empty", "")], "ko").startswith("이름이 없습니다")
    assert sentences([Fault("number", "is empty", "")], "ko").startswith("전화번호가 없습니다")
    assert sentences([Fault("address", "is not a date", "")], "ko").startswith("주소가 날짜가 아닙니다")


def test_faults_are_told_once_each_and_in_order():
    faults = [
        Fault("name", "is empty", ""),
        Fault("birth_date", "is empty", ""),
        Fault("name", "is empty", ""),
    ]

    assert sentences(faults, "en") == (
        "The name is empty (e.g. Hong Gildong). The birth date is empty (e.g. 20150302)."
    )


def test_an_unknown_problem_or_field_is_told_all_the_same():
    assert sentences([Fault("something", "went wrong", "")], "ko") == "내용을 확인하세요."
    assert sentences([Fault("something", "went wrong", "")], "en") == "Went wrong."


@pytest.mark.parametrize("key", sorted(_TEXTS))
def test_every_text_tells_the_same_in_both_languages(key):
    korean, english = _TEXTS[key]

    assert is_hangul(korean)
    assert english.isascii()
    assert places(korean) == places(english)
    facts = dict.fromkeys(places(korean), "1234")
    assert "{" not in say(key, "ko", **facts) + say(key, "en", **facts)


def places(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("key", [key for key in sorted(_TEXTS) if key.startswith(("code: ", "test "))])
def test_what_has_to_be_read_at_a_glance_is_one_message(key):
    """70 characters of UCS-2 (3GPP TS 23.038 clause 6.2.3), 160 of the GSM alphabet."""
    facts = dict.fromkeys(places(_TEXTS[key][0]), "김하늘")

    assert len(say(key, "ko", **facts)) <= 70
    assert len(say(key, "en", **facts)) <= 160


@pytest.mark.parametrize("key", ["consent: own", "ask consent"])
def test_a_consent_is_asked_for_in_four_parts_at_most(key):
    """67 characters of UCS-2 and 153 of the GSM alphabet fit a part of several (3GPP TS 23.040 clause 9.2.3.24.1)."""
    facts = {"name": "가" * 12, "digits": "1234", "code": "123456"}

    assert len(say(key, "ko", **facts)) <= 4 * 67
    assert len(say(key, "en", **(facts | {"name": "A" * 20}))) <= 4 * 153


def test_a_long_name_is_cut():
    assert "x" * 21 not in say("cancelled", "en", name="x" * 80)
