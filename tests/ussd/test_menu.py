"""The dialogue of the menu: every screen, every way back, and whatever somebody may type."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.domain.people.person import MOST_GUARDIANS
from telephony.domain.values import Msisdn
from telephony.ussd.conversation import MOST_TURNS, MOST_WRONG, Conversation, Page
from telephony.ussd.menu import (
    INPUTS,
    OVER,
    STATES,
    TABLE,
    Action,
    Do,
    End,
    Ending,
    Memory,
    Note,
    Screen,
    Show,
    new_menu,
)
from telephony.ussd.menu_reading import Reading
from telephony.ussd.menu_texts import WORDS, text_of
from telephony.ussd.pages import fits, pages

DRAWINGS = Path(__file__).parents[2] / "docs" / "state-machines"
READING = Reading(Msisdn("821012345678"), date(2026, 11, 23))
ADULT, MINOR = date(1990, 1, 2), date(2015, 3, 2)

MAIN = Show(Screen.MAIN)
BEGUN = ("dialled", (), (MAIN,))
LIVES = {
    "an adult registers": [
        BEGUN,
        ("register", (), (Show(Screen.NAME),)),
        ("named", ("홍길동",), (Show(Screen.BIRTH),)),
        ("born", (ADULT,), (Show(Screen.SUMMARY),)),
        ("yes", (), (Do(Action.REGISTER),)),
        ("done", ("registered",), (Show(Screen.ANSWER),)),
        ("back", (), (MAIN,)),
        ("back", (), (End(Ending.BYE),)),
        ("back", (), ()),
    ],
    "a minor names a guardian, goes back all the way and comes again": [
        BEGUN,
        ("register", (), (Show(Screen.NAME),)),
        ("named", ("민지",), (Show(Screen.BIRTH),)),
        ("born_lately", (MINOR,), (Show(Screen.MINOR),)),
        ("numbered", ("+821099998888",), (Show(Screen.SUMMARY),)),
        ("back", (), (Show(Screen.MINOR),)),
        ("back", (), (Show(Screen.BIRTH),)),
        ("back", (), (Show(Screen.NAME),)),
        ("back", (), (MAIN,)),
    ],
    "a store in trouble while a minor registers": [
        BEGUN,
        ("register", (), (Show(Screen.NAME),)),
        ("named", ("민지",), (Show(Screen.BIRTH),)),
        ("born_lately", (MINOR,), (Show(Screen.MINOR),)),
        ("numbered", ("+821099998888",), (Show(Screen.SUMMARY),)),
        ("yes", (), (Do(Action.REGISTER),)),
        ("failed", (), (Show(Screen.SUMMARY, Note.TRY_AGAIN),)),
        ("yes", (), (Do(Action.REGISTER),)),
        ("done", ("registered",), (Show(Screen.ANSWER),)),
    ],
    "guardians are listed, added and removed": [
        BEGUN,
        ("guardians", (), (Show(Screen.GUARDIANS),)),
        ("list_guardians", (), (Do(Action.LIST),)),
        ("done", ("1 어머니",), (Show(Screen.ANSWER),)),
        ("back", (), (Show(Screen.GUARDIANS),)),
        ("add", (), (Show(Screen.PHONE),)),
        ("numbered", ("+821099998888",), (Show(Screen.RELATION),)),
        ("related", ("아버지",), (Show(Screen.ADD),)),
        ("back", (), (Show(Screen.RELATION),)),
        ("related", ("아버지",), (Show(Screen.ADD),)),
        ("yes", (), (Do(Action.ADD),)),
        ("done", ("added",), (Show(Screen.ANSWER),)),
        ("back", (), (Show(Screen.GUARDIANS),)),
        ("remove", (), (Do(Action.LIST),)),
        ("done", ("1 어머니",), (Show(Screen.REMOVE),)),
        ("placed", (1,), (Show(Screen.SURE_TO_REMOVE),)),
        ("back", (), (Show(Screen.REMOVE),)),
        ("placed", (1,), (Show(Screen.SURE_TO_REMOVE),)),
        ("yes", (), (Do(Action.REMOVE),)),
        ("failed", (), (Show(Screen.SURE_TO_REMOVE, Note.TRY_AGAIN),)),
        ("back", (), (Show(Screen.REMOVE),)),
        ("back", (), (Show(Screen.GUARDIANS),)),
        ("back", (), (MAIN,)),
    ],
    "my data": [
        BEGUN,
        ("my_data", (), (Do(Action.MY_DATA),)),
        ("failed", (), (Show(Screen.MAIN, Note.TRY_AGAIN),)),
        ("my_data", (), (Do(Action.MY_DATA),)),
        ("done", ("kept",), (Show(Screen.ANSWER),)),
    ],
    "a test ends the dialogue": [
        BEGUN,
        ("test", (), (Show(Screen.TEST),)),
        ("yes", (), (Do(Action.TEST),)),
        ("done", ("begun",), (End(Ending.ANSWER),)),
        ("yes", (), ()),
    ],
    "somebody is not sure, then is": [
        BEGUN,
        ("cancel", (), (Show(Screen.CANCEL),)),
        ("back", (), (MAIN,)),
        ("cancel", (), (Show(Screen.CANCEL),)),
        ("not_understood", (), (Show(Screen.CANCEL, Note.NOT_UNDERSTOOD),)),
        ("yes", (), (Do(Action.CANCEL),)),
        ("done", ("deleted",), (End(Ending.ANSWER),)),
    ],
    "an answer after a restart": [("resumed", (), (Show(Screen.MAIN, Note.LOST),))],
    "an abort while the store is at work": [
        BEGUN,
        ("my_data", (), (Do(Action.MY_DATA),)),
        ("aborted", (), ()),
        ("done", ("kept",), ()),
    ],
    "a time-out": [BEGUN, ("timed_out", (), ()), ("register", (), ())],
}


@pytest.mark.parametrize("life", LIVES)
def test_each_input_gives_exactly_these_effects(life):
    menu = new_menu(Memory("ko"))

    for name, arguments, effects in LIVES[life]:
        assert getattr(menu, name)(*arguments) == effects, name


def test_the_drawing_shows_the_table():
    drawn = re.findall(
        r'^\s*(\w+) -> (\w+) \[label="(\w+)"\]', (DRAWINGS / "ussd-menu.dot").read_text(), re.MULTILINE
    )

    assert sorted(drawn) == sorted((state, following, event.__name__) for state, event, following, _ in TABLE)


def test_no_state_is_a_trap():
    """From everywhere, phone and network can end it; and every state that is no work in hand knows a way back."""
    written = {(state, event.__name__) for state, event, _, _ in TABLE}

    for state in STATES:
        if state == OVER:
            continue
        assert {(state, "aborted"), (state, "timed_out")} <= written
        works = (state, "done") in written
        assert works == ((state, "failed") in written)
        assert works or state == "New" or (state, "back") in written
    assert {event.__name__ for event in INPUTS} == {event for _, event in written}


def conversation(language="ko", **more):
    ours = Conversation(language, READING, **more)
    ours.begin()
    return ours


def typed(ours, *answers):
    """Type one answer after the other; give what the last one came to."""
    found = None
    for words in answers:
        found = ours.hear(words)
    return found


def full_width(digits):
    """Write digits as a Korean keyboard may."""
    return "".join(chr(ord(each) - ord("0") + 0xFF10) for each in digits)


class TestTyping:
    def test_an_adult(self):
        ours = conversation()

        assert typed(ours, "1", "홍길동", "19900102", "1") is Action.REGISTER
        memory = ours.memory
        assert (memory.name, memory.birth, memory.guardian) == ("홍길동", ADULT, "")

    def test_a_minor_has_to_name_a_guardian_who_is_somebody_else(self):
        ours = conversation()

        page = typed(ours, "1", "민지", "2015-03-02")
        assert page.text.startswith("미성년자입니다.")
        for wrong in ("010", "ㄱㄴ", "010-1234-5678", "+82 10 1234 5678"):
            assert typed(ours, wrong).text.startswith("본인이 아닌 보호자의 전화번호여야 합니다.")
        assert "보호자 +821099998888" in typed(ours, "010-9999-8888").text
        assert typed(ours, "1") is Action.REGISTER

    def test_an_adult_after_all_has_no_guardian(self):
        ours = conversation()

        typed(ours, "1", "민지", "20150302", "01099998888", "0", "0", "19900102", "1")

        assert ours.memory.guardian == ""

    @pytest.mark.parametrize(
        "born", ["1990.1.2", "1990-01-02", "1990/1/2", full_width("19900102"), "1990년1월2일"]
    )
    def test_dates_as_people_write_them(self, born):
        ours = conversation()

        typed(ours, "1", "홍길동", born)

        assert ours.memory.birth == ADULT

    @pytest.mark.parametrize("born", ["900102", "19900231", "20990101", "18000101", "오늘", "1990010212345"])
    def test_what_is_no_date_is_asked_for_again(self, born):
        page = typed(conversation(), "1", "홍길동", born)

        assert page.text.startswith("날짜를 읽을 수 없습니다.")
        assert "20150302" in page.text

    @pytest.mark.parametrize("name", ["12", "!?", "", "가" * 81, "홍 900102-1234567"])
    def test_what_is_no_name_is_asked_for_again(self, name):
        assert typed(conversation(), "1", name).text.startswith("이름을 글자로 입력해 주세요.")

    def test_a_relation_is_a_digit_or_a_word(self):
        for words, relation in (("1", "어머니"), ("4", "친구"), ("이모", "이모")):
            ours = conversation()
            typed(ours, "2", "2", "01099998888", words)
            assert ours.memory.relation == relation
        assert "관계" in typed(conversation(), "2", "2", "01099998888", "9").text

    def test_a_place_is_one_that_may_be(self):
        ours = conversation()
        assert typed(ours, "2", "3") is Action.LIST
        ours.done("1 어머니 +8210********")

        for wrong in ("어머니", str(MOST_GUARDIANS + 1), "-1"):
            assert typed(ours, wrong).text.startswith("순번은 1~10 숫자입니다.")
        assert typed(ours, "2").text.startswith("2번 보호자를 삭제할까요?")
        assert typed(ours, "1") is Action.REMOVE
        assert ours.memory.place == 2

    def test_the_language_may_be_changed_on_the_first_page(self):
        ours = conversation()

        assert "1 Register" in typed(ours, "9").text
        assert typed(ours, "1").text == "Type your name.\n0 Back"
        assert "1 등록" in typed(ours, "0", "9").text

    def test_a_long_answer_has_pages_and_back_works_on_each(self):
        ours = conversation()
        assert typed(ours, "3") is Action.MY_DATA

        first = ours.done(" ".join(f"가나다라{n}" for n in range(40)))
        assert first.text.endswith("# 다음 0 뒤로")
        second = typed(ours, "#")
        assert second != first
        assert typed(ours, "0").text.startswith("1 등록")

    def test_more_on_the_last_page_is_no_key(self):
        assert typed(conversation(), "#").text.startswith(WORDS["ko"].what_to_type[Screen.MAIN])

    def test_the_last_text_may_have_pages_too_and_ends_with_the_last(self):
        ours = conversation()
        assert typed(ours, "5", "1") is Action.CANCEL

        page = ours.done("지웠습니다. " * 20)
        seen = [page]
        while not page.ends:
            page = typed(ours, "#")
            seen.append(page)

        assert [each.ends for each in seen] == [False] * (len(seen) - 1) + [True]
        assert len(seen) > 1

    def test_a_person_who_never_types_what_is_asked_is_let_go(self):
        ours = conversation()

        found = [typed(ours, "x") for _ in range(MOST_WRONG)]

        assert [page.ends for page in found] == [False] * (MOST_WRONG - 1) + [True]

    def test_end_means_end(self):
        page = typed(conversation(), "0")

        assert page == Page("이용해 주셔서 감사합니다.", ends=True)


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("note", [None, *Note])
@pytest.mark.parametrize("screen", [each for each in Screen if each is not Screen.ANSWER])
def test_every_screen_fits_on_one_page(screen, note, language):
    memory = Memory(language, "홍길동", date(2015, 3, 2), place=1)
    if note is Note.LOST and screen is not Screen.MAIN:
        return
    words = WORDS[language]

    assert len(pages(text_of(screen, note, memory), words.keys.get(screen, ""), words.more)) <= (
        2 if screen is Screen.SUMMARY else 1
    )


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_screen_says_how_to_leave_it(language):
    words = WORDS[language]
    for screen in Screen:
        assert "0 " in words.keys.get(screen, "") + words.screens[screen], screen
    assert set(words.screens) == set(words.what_to_type) == set(Screen)


answers = st.lists(
    st.sampled_from(["0", "1", "2", "3", "4", "5", "9", "#", "19900102", "20200101", "01099998888", "홍길동"])
    | st.text(max_size=200),
    max_size=60,
)


@given(answers, st.sampled_from(["ko", "en"]), st.text(max_size=400), st.booleans())
def test_whatever_is_typed_there_is_a_page_or_an_end(answers, language, told, works):
    ours = conversation(language)

    for words in answers:
        found = ours.hear(words)
        if isinstance(found, Action):
            found = ours.done(told) if works else ours.failed()
        assert fits(found.text)
        assert found == ours.page


def test_no_dialogue_lasts_for_ever():
    ours = conversation()

    for _ in range(MOST_TURNS):
        assert not ours.hear("9").ends
    assert ours.hear("9").ends
