"""How often something may happen is counted by phone and by sender, in bounded memory."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from telephony.services.people import bounds
from telephony.services.people.bounds import DAY_S, PerPhone, PerSender, ToldPerPhone, Turn
from tests.services.enrolling import ADULT, MOTHER, STRANGER


@pytest.fixture
def clock():
    return Clock()


def test_it_happens_so_often_in_any_24_hours(clock):
    counted = PerPhone(2, clock)
    assert counted.count(ADULT)
    clock.advance(DAY_S / 2)
    assert counted.count(ADULT)
    assert not counted.count(ADULT)
    assert counted.count(MOTHER)

    clock.advance(DAY_S / 2)
    assert counted.count(ADULT)
    assert not counted.count(ADULT)


def test_a_phone_is_not_forgotten_to_make_room_within_its_day(clock, monkeypatch):
    monkeypatch.setattr(bounds, "MOST_PHONES", 2)
    counted = PerPhone(1, clock)
    assert counted.count(ADULT)
    clock.advance(1)
    assert counted.count(MOTHER)
    assert not counted.count(STRANGER)
    assert not counted.count(ADULT)

    clock.advance(DAY_S - 1)
    assert counted.count(STRANGER)
    assert not counted.count(MOTHER)


def test_a_sender_may_so_often_from_the_first_on_is_told_once_and_then_may_again(clock):
    counted = PerSender(2, clock, period_s=600.0)
    assert [counted.turn("kim") for _ in range(5)] == [
        Turn.WITHIN,
        Turn.WITHIN,
        Turn.FIRST_BEYOND,
        Turn.BEYOND,
        Turn.BEYOND,
    ]
    assert counted.turn("lee") is Turn.WITHIN

    clock.advance(599)
    assert counted.turn("kim") is Turn.BEYOND
    clock.advance(1)

    assert [counted.turn("kim") for _ in range(3)] == [Turn.WITHIN, Turn.WITHIN, Turn.FIRST_BEYOND]


def test_of_more_senders_than_can_be_counted_the_earliest_is_forgotten(clock, monkeypatch):
    monkeypatch.setattr(bounds, "MOST_SENDERS", 2)
    counted = PerSender(1, clock, period_s=600.0)
    assert {counted.turn(sender) for sender in ("kim", "lee", "park")} == {Turn.WITHIN}

    assert counted.turn("lee") is Turn.FIRST_BEYOND
    assert counted.turn("kim") is Turn.WITHIN


def test_a_phone_is_told_once_a_day_that_it_may_not(clock):
    counted = ToldPerPhone(1, clock)
    assert [counted.turn(ADULT) for _ in range(3)] == [Turn.WITHIN, Turn.FIRST_BEYOND, Turn.BEYOND]
    assert counted.turn(MOTHER) is Turn.WITHIN

    clock.advance(DAY_S)
    assert [counted.turn(ADULT) for _ in range(3)] == [Turn.WITHIN, Turn.FIRST_BEYOND, Turn.BEYOND]
