"""Texts that somebody asked for: a few a day to one phone, and bounded memory."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.domain.values import Msisdn
from telephony.services.people import replies as answers
from telephony.services.people.bounds import DAY_S
from telephony.services.people.replies import PAUSES_S, Answers
from tests.awaiting import failure_of, result_of
from tests.services.enrolling import ADULT, MOTHER, Texts


@pytest.fixture
def clock():
    return Clock()


def test_without_a_texter_nothing_is_sent_and_nobody_may_be_texted(clock):
    silent = Answers(None, texts_per_day=5, clock=clock)

    silent.post(ADULT, "text")

    assert not silent.may_text(ADULT)
    assert result_of(silent.deliver(ADULT, "text")) is False


def test_texts_that_wait_are_bounded(clock, monkeypatch):
    monkeypatch.setattr(answers, "MOST_WAITING", 1)
    texts = Texts()
    texts.fail()
    sending = Answers(texts, texts_per_day=5, clock=clock)
    sending.post(ADULT, "first")
    sending.post(MOTHER, "second")

    texts.error = None
    clock.advance(PAUSES_S[0])

    assert [message.text for message in texts.sent] == ["first"]
    sending.post(MOTHER, "third")
    assert [message.text for message in texts.sent] == ["first", "third"]


def test_a_text_that_nobody_takes_is_given_up_after_some_minutes(clock):
    texts = Texts()
    texts.fail()
    sending = Answers(texts, texts_per_day=5, clock=clock)
    sending.post(ADULT, "text")

    clock.pump(PAUSES_S)
    texts.error = None
    clock.advance(DAY_S)

    assert texts.sent == []


@pytest.mark.parametrize("error", [Refused("silence"), Malformed("no number")])
def test_what_must_not_be_sent_is_dropped(clock, error):
    texts = Texts()
    texts.error = error
    sending = Answers(texts, texts_per_day=1, clock=clock)
    sending.post(MOTHER, "text")
    assert result_of(sending.deliver(ADULT, "text")) is False

    texts.error = None
    clock.pump(PAUSES_S)
    assert texts.sent == []
    # What was not sent does not count.
    assert result_of(sending.deliver(ADULT, "text")) is True
    assert result_of(sending.deliver(ADULT, "text")) is False


def test_a_text_that_can_wait_says_so(clock):
    texts = Texts()
    texts.fail()
    sending = Answers(texts, texts_per_day=1, clock=clock)

    assert isinstance(failure_of(sending.deliver(ADULT, "text")), Unavailable)
    assert sending.may_text(ADULT)


def test_what_is_no_phone_is_not_texted(clock):
    texts = Texts()
    sending = Answers(texts, texts_per_day=1, clock=clock)

    sending.post(Msisdn("1588", is_e164=False), "text")

    assert texts.sent == []
