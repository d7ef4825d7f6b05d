"""What a guardian writes back is a confirmation, a mistake, or something that 112 should read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.domain.guardians.words import LONGEST_WORDS, GuardianReply, read_reply

CONFIRMED = GuardianReply(confirms=True)
MISTAKE = GuardianReply(confirms=True, is_mistake=True)


@pytest.mark.parametrize(
    "text",
    ["1", " 1 ", "1.", "\uff11", "①", "1번", "확인", "확인!", "확 인", "네", "네~", "예", "네 알겠습니다.", "ㅇㅇ", "OK", "Ok!", "yes",
     "\uff39\uff45\uff53", "\n1\n"],
)  # fmt: skip
def test_a_confirmation_is_understood_however_it_is_written(text: str):
    assert read_reply(text) == CONFIRMED


@pytest.mark.parametrize(
    "text",
    [
        "2",
        "\uff12",
        "오작동",
        "오작동입니다.",
        "잘못",
        "잘못 눌렀어요",
        "실수로 눌렀어요!",
        "False",
        "false alarm",
        "장난",
    ],
)
def test_a_mistake_is_understood_and_its_sender_knows_of_the_press(text: str):
    assert read_reply(text) == MISTAKE


@pytest.mark.parametrize(
    "text",
    [
        "잘못된 길로 간 것 같아요", "오작동 아닙니다", "오작동 아니에요 빨리 가주세요", "2층에 있어요", "1층에 있어요",
        "not a false alarm", "아니요", "no", "car accident", "학원에 있을 거예요", "112", "지금 학교 앞", "?",
    ],
)  # fmt: skip
def test_whatever_else_they_write_is_for_112_and_confirms_nothing(text: str):
    assert read_reply(text) == GuardianReply(words=text)


@pytest.mark.parametrize(
    "text", ["네, 지금 학원에 있어요", "1 지금 갑니다", "확인. 아빠랑 있어요", "OK he is with his father"]
)
def test_a_confirmation_may_go_on(text: str):
    assert read_reply(text) == GuardianReply(confirms=True, words=text)


@pytest.mark.parametrize("text", ["123456", " 1234 ", "12345678"])
def test_a_code_that_somebody_else_asked_for_is_left_to_them(text: str):
    assert read_reply(text) == GuardianReply()


def test_words_are_on_one_line_and_not_endless():
    reply = read_reply("학원\r\n앞 " * 400)

    assert reply.words.startswith("학원 앞 학원 앞")
    assert len(reply.words) == LONGEST_WORDS


def test_words_stay_out_of_tracebacks():
    assert "학원" not in repr(read_reply("학원 앞"))


@given(st.text(max_size=600))
def test_any_text_can_be_read(text: str):
    reply = read_reply(text)

    assert len(reply.words) <= LONGEST_WORDS
    assert not reply.is_mistake or reply.confirms
