"""What a text to a service number asks, however a phone wrote it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from telephony.domain.people.keywords import (
    Registration,
    Said,
    Word,
    as_heard,
    field_and_value,
    is_hangul,
    phone_and_words,
    plain,
    read,
    registration,
    removal,
)


def wide(text: str) -> str:
    """Write a text as a Korean keyboard in full width does."""
    return "".join(
        "\u3000" if each == " " else chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in text
    )


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("등록 홍길동 20150302", Word.REGISTER),
        ("가입", Word.REGISTER),
        ("REGISTER Hong Gildong", Word.REGISTER),
        ("sign up", Word.REGISTER),
        ("보호자 01012345678 엄마", Word.GUARDIAN),
        ("guardian 01012345678", Word.GUARDIAN),
        ("변경 주소 서울", Word.CHANGE),
        ("Change name Kim", Word.CHANGE),
        ("해지", Word.CANCEL),
        ("취소해 주세요", Word.CANCEL),
        ("CANCEL", Word.CANCEL),
        ("stop", Word.CANCEL),
        ("도움말", Word.HELP),
        ("도움 말", Word.HELP),
        ("Help", Word.HELP),
        ("help?", Word.HELP),
        ("테스트", Word.TEST),
        ("시험입니다.", Word.TEST),
        ("TEST", Word.TEST),
        ("내정보", Word.MY_DATA),
        ("내 정보", Word.MY_DATA),
        ("My data", Word.MY_DATA),
        ("네", Word.AGREE),
        ("Yes!", Word.AGREE),
        ("거절", Word.REFUSE),
        ("No.", Word.REFUSE),
        ("안녕하세요", Word.UNKNOWN),
        ("예쁜 꽃", Word.UNKNOWN),
        ("nobody", Word.UNKNOWN),
        ("contest", Word.UNKNOWN),
        ("", Word.UNKNOWN),
        (None, Word.UNKNOWN),
    ],
)
def test_keywords_and_their_synonyms(text, word):
    assert read(text).word is word


@pytest.mark.parametrize("text", ["help me", "HELP he is here", "Help! 살려", "help, please", "Help\nme"])
def test_help_with_more_behind_it_is_a_cry_and_not_the_list_of_keywords(text):
    assert read(text).word is Word.CRY


@pytest.mark.parametrize(
    ("text", "word", "code"),
    [
        ("1234", Word.CODE, "1234"),
        (wide("1234"), Word.CODE, "1234"),
        (" 1234.\r\n", Word.CODE, "1234"),
        ("인증번호 1234", Word.CODE, "1234"),
        ("동의 1234", Word.AGREE, "1234"),
        ("동의1234", Word.AGREE, "1234"),
        ("동의합니다 1234", Word.AGREE, "1234"),
        ("1234 동의", Word.AGREE, "1234"),
        ("AGREE 1234", Word.AGREE, "1234"),
        ("agree1234", Word.AGREE, "1234"),
        ("거절 1234", Word.REFUSE, "1234"),
        ("no 1234", Word.REFUSE, "1234"),
        ("동의", Word.AGREE, ""),
        ("동의 12345", Word.AGREE, ""),
        ("12345", Word.UNKNOWN, ""),
        ("123", Word.UNKNOWN, ""),
    ],
)
def test_a_code_is_exactly_four_digits_with_or_without_a_word(text, word, code):
    said = read(text)
    assert (said.word, said.code) == (word, code)


FULL = Registration("홍길동", "20150302", "01012345678")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("등록 홍길동 20150302 01012345678", FULL),
        ("등록홍길동 20150302 01012345678", FULL),
        ("등록\n홍길동\n20150302\n01012345678", FULL),
        ("등록 : 홍길동, 20150302, 01012345678.", FULL),
        (wide("등록 홍길동 20150302 01012345678"), FULL),
        ("등록 홍길동 2015. 3. 2. 010-1234-5678", Registration("홍길동", "2015. 3. 2.", "010-1234-5678")),
        ("등록 홍길동 2015 03 02 010 1234 5678", Registration("홍길동", "2015 03 02", "010 1234 5678")),
        ("등록 홍길동 010-2015-0302 20150302", Registration("홍길동", "20150302", "010-2015-0302")),
        ("등록 홍길동 20150302 엄마 01012345678", Registration("홍길동", "20150302", "01012345678 엄마")),
        ("등록 20150302 홍길동", Registration("홍길동", "20150302", "")),
        ("등록 홍길동 01012345678", Registration("홍길동", "", "01012345678")),
        ("등록 홍길동 150302 01012345678", Registration("홍길동", "150302", "01012345678")),
        ("등록 요한 19900101", Registration("요한", "19900101", "")),
        ("등록 신청합니다 홍길동 19900101", Registration("홍길동", "19900101", "")),
        ("등록", Registration("", "", "")),
        (
            "REGISTER Gildong Hong 2015-03-02 +82 10-1234-5678",
            Registration("Gildong Hong", "2015-03-02", "+82 10-1234-5678"),
        ),
    ],
)
def test_a_registration_is_taken_apart_however_it_was_written(text, wanted):
    said = read(unicodedata.normalize("NFD", text))

    assert said.word is Word.REGISTER
    found = registration(said.rest)
    assert (found.name, found.birth, found.guardian) == (wanted.name, wanted.birth, wanted.guardian)


@pytest.mark.parametrize(
    ("rest", "place"),
    [
        ("삭제 2", "2"),
        ("2 삭제", "2"),
        ("REMOVE 1", "1"),
        ("삭제 010-1234-5678", "010-1234-5678"),
        ("삭제", ""),
        ("01012345678 엄마", None),
        ("", None),
    ],
)
def test_a_guardian_is_removed_by_place_or_number(rest, place):
    assert removal(rest) == place


def test_a_number_is_parted_from_the_words_around_it():
    assert phone_and_words("엄마 010-1234-5678") == ("010-1234-5678", "엄마")
    assert phone_and_words("+82 10 1234 5678 my mother") == ("+82 10 1234 5678", "my mother")
    assert phone_and_words("엄마") == ("", "엄마")


def test_what_to_change_is_the_first_word():
    assert field_and_value("주소 서울시 종로구 1-1") == ("주소", "서울시 종로구 1-1")
    assert field_and_value("번호: +82 10-1234-5678") == ("번호", "+82 10-1234-5678")
    assert field_and_value("") == ("", "")


def test_distress_is_looked_for_with_and_without_blanks_and_in_any_width():
    assert "살려주세요" in as_heard("살려 주세요")
    assert "살려주세요" in as_heard(unicodedata.normalize("NFD", "살려주세요"))
    assert "SOS" in as_heard(wide("SOS"))
    # Latin words are not pushed together: "Jess Oslo" is a name.
    assert "sos" not in as_heard("Jess Oslo").casefold()


def test_neither_what_was_said_nor_a_name_is_shown_in_a_traceback():
    assert "홍길동" not in repr(read("등록 홍길동 20150302"))
    assert "홍길동" not in repr(registration("홍길동 20150302"))


ANYTHING = st.text(max_size=300) | st.text(
    alphabet="등록보호자변경해지도움말시험내정보동의거절 0123456789+-./\n\u1100\u1161\u200d\ud800\uff32\uff25",
    max_size=300,
)


@given(ANYTHING)
@example("000000")
@example("0000")
def test_any_text_is_read(text):
    said = read(text)

    assert said.code == "" or (len(said.code) in (4, 6) and said.code.isascii() and said.code.isdigit())
    found = registration(said.rest)
    assert all(isinstance(each, str) for each in (found.name, found.birth, found.guardian))
    phone_and_words(said.rest)
    removal(said.rest)
    field_and_value(said.rest)
    is_hangul(text)
    as_heard(text)


@given(ANYTHING)
def test_plain_is_one_line_without_signs_that_nobody_sees_and_changes_nothing_twice(text):
    line = plain(text)

    assert not any(unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp") for each in line)
    assert "  " not in line
    assert line == line.strip()


def test_the_longest_text_is_read_in_no_time():
    for text in ("등록 " + "0 " * 100_000, "1" * 200_000, "등록 " + "2015-" * 50_000, "+" * 200_000):
        read(text)
        registration(read(text).rest)


def test_items_of_a_consent_may_stand_behind_a_code_and_a_date_is_none():
    assert read("123456 1, 3") == Said(Word.CODE, "1, 3", "123456")
    assert read("123456 동의 1 3") == Said(Word.AGREE, "1 3", "123456")
    assert read("2015 3 2").word is Word.UNKNOWN
