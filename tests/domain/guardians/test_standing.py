"""What a guardian's reply says of him: who may consent for a minor, in Korean and English, and nothing by chance."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from telephony.domain.guardians.standing import (
    LONGEST,
    AgeGroup,
    Claim,
    Relation,
    Standing,
    age_of,
    claim,
    newer_standing,
    relation_of,
)
from telephony.domain.people.consent_items import ALL_ITEMS, agreed_items
from telephony.domain.people.keywords import Word, read

NOON = datetime(2026, 11, 23, 3, tzinfo=UTC)
ADULT, MINOR = AgeGroup.ADULT, AgeGroup.MINOR


@pytest.mark.parametrize(
    ("words", "relation", "age"),
    [
        ("어머니 성인", Relation.MOTHER, ADULT),
        ("엄마이고 42세입니다", Relation.MOTHER, ADULT),
        ("모 성인", Relation.MOTHER, ADULT),
        ("아빠, 어른이에요", Relation.FATHER, ADULT),
        ("부/만 19세 이상", Relation.FATHER, ADULT),
        ("부모님 성년", Relation.PARENT, ADULT),
        ("미성년후견인 성인", Relation.GUARDIAN, ADULT),
        ("법정 대리인 성인", Relation.GUARDIAN, ADULT),
        ("엄마 법정대리인 성인", Relation.MOTHER, ADULT),
        ("MOTHER ADULT", Relation.MOTHER, ADULT),
        ("I am her dad, 45 years old", Relation.FATHER, ADULT),
        ("legal guardian of age", Relation.GUARDIAN, ADULT),
        ("parent 19+", Relation.PARENT, ADULT),
        ("어머니 18세", Relation.MOTHER, MINOR),
        ("엄마 미성년자", Relation.MOTHER, MINOR),
        ("father under 19 years", Relation.FATHER, MINOR),
        ("엄마 19세 미만", Relation.MOTHER, MINOR),
        ("어머니", Relation.MOTHER, None),
        ("성인", None, ADULT),
        ("성인 미성년", None, None),
        ("어머니 아버지 성인", None, ADULT),
        ("", None, None),
    ],
)
def test_a_reply_says_who_somebody_is(words, relation, age):
    said = claim(words, 19)

    assert (said.relation, said.age) == (relation, age)


@pytest.mark.parametrize(
    "words",
    [
        "할머니 성인", "외할머니 성인", "시어머니 성인", "새엄마 성인", "이모 성인", "고모 성인", "조부 성인", "오빠 성인", "친구 성인",
        "step-mother adult", "stepmother adult", "grandmother adult", "mother-in-law adult", "foster father adult", "smother adult",
        "godfather adult", "aunt adult",
    ],
)  # fmt: skip
def test_one_who_is_near_to_a_child_and_no_parent_or_guardian_has_not_said_that_he_is(words):
    assert claim(words, 19).relation is None


@pytest.mark.parametrize(
    "words",
    [
        "엄마 아닙니다 성인",
        "어머니가 아니에요",
        "성인 아님 엄마",
        "not the mother, adult",
        "I'm no adult mother",
    ],
)
def test_a_reply_that_denies_anything_has_said_nothing(words):
    said = claim(words, 19)

    assert (said.relation, said.age) == (None, None)


@given(st.integers(0, 150), st.integers(1, 99))
def test_an_age_is_measured_by_the_settings(years, adult_age):
    assert claim(f"엄마 {years}세", adult_age).age is (ADULT if years >= adult_age else MINOR)
    assert age_of(str(years), adult_age) is (ADULT if years >= adult_age else MINOR)


@given(st.integers(1, 99), st.lists(st.integers(1, 4), min_size=1, max_size=4, unique=True))
def test_years_are_no_items_of_a_consent(years, items):
    words = f"{' '.join(map(str, items))} 엄마 {years}세"

    assert agreed_items(claim(words, 19).others, "") == agreed_items(" ".join(map(str, items)), "")
    assert agreed_items(claim(f"엄마 {years}세", 19).others, "") == ALL_ITEMS


PIECES = st.sampled_from(
    [
        "엄마",
        "어머니",
        "성인",
        "미성년",
        "아니",
        "42세",
        "mother",
        "adult",
        "not",
        "under",
        "동의",
        "123456",
        " ",
        ",",
        "모",
        "부",
        "\u200b",
        "１９세",
    ]
)


@given(st.one_of(st.text(max_size=400), st.lists(PIECES, max_size=30).map("".join)), st.integers(0, 120))
@example("세" * 1_000, 19)
@example("9" * 1_000 + "세", 19)
@example("\ud800성인", 19)
def test_reading_is_total_and_says_the_same_twice(text, adult_age):
    said = claim(text, adult_age)

    assert said == claim(text, adult_age)
    assert isinstance(said, Claim)
    assert len(said.others) <= 20 * LONGEST
    assert (said.standing("SMS", NOON) is None) == (said.relation is None or said.age is None)
    assert relation_of(text) in (None, *Relation)
    assert age_of(text, adult_age) in (None, *AgeGroup)


@pytest.mark.parametrize(
    "text",
    [
        "동의 123456 어머니 성인",
        "123456 엄마 성인",
        "AGREE 123456 MOTHER ADULT",
        "123456 동의 아빠 45세",
        "네 123456 부모 성인",
    ],
)
def test_the_digits_are_a_reply_with_who_somebody_is_beside_them(text):
    said = read(text)

    assert said.word in (Word.AGREE, Word.CODE)
    assert said.code == "123456"
    assert claim(said.rest.replace(said.code, " ", 1), 19).standing("SMS", NOON).is_legal


def test_only_who_is_of_age_may_consent():
    assert Standing(Relation.MOTHER, ADULT, "SMS", NOON).is_legal
    assert not Standing(Relation.MOTHER, MINOR, "papers", NOON).is_legal


def test_the_same_said_again_is_no_news_and_nothing_said_takes_nothing_away():
    once = Standing(Relation.MOTHER, ADULT, "papers", NOON)
    again = Standing(Relation.MOTHER, ADULT, "papers", NOON.replace(year=2027))
    by_phone = Standing(Relation.MOTHER, ADULT, "SMS", NOON)

    assert newer_standing(once, again) is once
    assert newer_standing(once, None) is once
    assert newer_standing(None, once) is once
    assert newer_standing(once, by_phone) is by_phone
