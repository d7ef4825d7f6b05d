"""The first of a kind is told at once, those of the following while as one, and after a while without any the next is news."""

from __future__ import annotations

from collections import Counter

import pytest
from twisted.internet.task import Clock

from telephony.summed import Summed


class House:
    """Counts words, and what was told of them."""

    def __init__(self, most=None):
        self.clock = Clock()
        self.told = []
        self.summed = Summed(self.clock, 60.0, Counter, self.tell, most=most)

    def tell(self, kind, words):
        self.told.append((self.clock.seconds(), kind, dict(words)))

    def hear(self, kind, word="x"):
        """Return whether it is told on its own."""
        words = self.summed.sum_of(kind)
        if words is None:
            return True
        words[word] += 1
        return False


@pytest.fixture
def house():
    return House()


def test_the_first_is_told_on_its_own_and_the_others_of_its_while_as_one(house):
    assert [house.hear("a", word) for word in "ppqp"] == [True, False, False, False]
    assert house.hear("b")

    house.clock.advance(60)

    assert house.told == [(60.0, "a", {"p": 2, "q": 1})]


def test_a_flood_that_goes_on_is_a_sum_for_each_while(house):
    for _ in range(180):
        house.hear("a")
        house.clock.advance(1)

    assert [(at, sum(words.values())) for at, _, words in house.told] == [
        (60.0, 59),
        (120.0, 60),
        (180.0, 60),
    ]


def test_after_a_while_without_any_the_next_is_news(house):
    house.hear("a")
    house.clock.advance(60)

    assert house.hear("a")
    assert house.told == []


def test_of_more_kinds_than_are_kept_each_is_told_on_its_own():
    house = House(most=1)
    house.hear("a")

    assert [house.hear("b"), house.hear("b"), house.hear("a")] == [True, True, False]


def test_what_is_left_is_told_at_a_stop_and_nothing_follows(house):
    house.hear("a")
    house.hear("a", "p")
    house.hear("b")

    house.summed.stop()

    assert house.told == [(0.0, "a", {"p": 1})]
    assert house.clock.getDelayedCalls() == []
