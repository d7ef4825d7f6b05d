"""The one policy before everything that could make the caller's phone ring, sound or light up."""

from __future__ import annotations

import pytest

from telephony.domain.silence import BETRAYING, Output, Silenced, betraying_words, may_reach
from telephony.ussd.settings import Ussd


@pytest.mark.parametrize("output", list(Output))
def test_nothing_reaches_the_phone_while_silence_holds_and_the_reason_says_what_to_do(output):
    refused = may_reach(output, silence_lifted=False)

    assert isinstance(refused, Silenced)
    assert output.value in refused.reason
    assert refused.reason.endswith("Lift silence for this incident first.")


@pytest.mark.parametrize("output", list(Output))
def test_everything_may_reach_it_once_silence_is_lifted(output):
    assert may_reach(output, silence_lifted=True) is None


NEUTRAL = frozenset({"요청이 처리되었습니다.", "Request completed."})


def closing(text, neutral=NEUTRAL):
    return may_reach(Output.USSD_CLOSING_TEXT, silence_lifted=False, text=text, neutral_texts=neutral)


@pytest.mark.parametrize("text", sorted(NEUTRAL))
def test_a_neutral_text_of_the_settings_may_end_a_ussd_dialogue_while_silence_holds(text):
    assert closing(text) is None


@pytest.mark.parametrize(
    "text", [None, "", "Request completed", "Request completed. 112", "도와드리겠습니다"]
)
def test_no_other_text_may(text):
    assert isinstance(closing(text), Silenced)


@pytest.mark.parametrize("word", BETRAYING)
def test_a_text_that_betrays_the_press_may_not_even_when_the_settings_hold_it(word):
    text = f"Your {word.upper()} request"

    assert word in betraying_words(text)
    assert isinstance(closing(text, frozenset({text})), Silenced)


@pytest.mark.parametrize("output", [output for output in Output if output is not Output.USSD_CLOSING_TEXT])
def test_a_neutral_text_opens_no_other_way_to_the_phone(output):
    text = "Request completed."

    assert isinstance(may_reach(output, silence_lifted=False, text=text, neutral_texts=NEUTRAL), Silenced)


def test_the_texts_that_are_shipped_betray_nothing():
    assert {betraying_words(text) for text in Ussd().neutral_texts} == {()}
