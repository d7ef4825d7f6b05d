"""A store that hangs keeps those who ask how it stands for a second at most, and nobody twice."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from telephony.domain.errors import Unavailable
from telephony.services.keeping.store_look import GOOD_FOR_S, WITHIN_S, NoAnswer, StoreLook
from telephony.store.outbox.owed import Owed
from tests.awaiting import is_waiting, result_of

SEEN = Owed(2, None, 1, False, "0011")


class Store:
    def __init__(self):
        self.asked = []

    def read_on(self, _reader, _function):
        self.asked.append(Deferred())
        return self.asked[-1]


def looking():
    store, clock = Store(), Clock()
    look = StoreLook(store, None, clock)
    return store, clock, lambda: Deferred.fromCoroutine(look())


def test_an_answer_is_given_again_for_a_second():
    store, clock, look = looking()
    first = look()
    store.asked[0].callback(SEEN)
    clock.advance(GOOD_FOR_S - 0.1)
    again = look()
    clock.advance(0.2)
    later = look()

    assert (result_of(first), result_of(again)) == (SEEN, SEEN)
    assert is_waiting(later)
    assert len(store.asked) == 2


def test_all_who_ask_meanwhile_share_one_look():
    store, _, look = looking()
    several = [look() for _ in range(5)]
    store.asked[0].callback(SEEN)

    assert [result_of(each) for each in several] == [SEEN] * 5
    assert len(store.asked) == 1


def test_a_store_that_hangs_is_waited_for_once_and_never_asked_twice():
    store, clock, look = looking()
    first = look()
    clock.advance(WITHIN_S)
    clock.advance(59)
    second = look()

    assert result_of(first) == NoAnswer("it has not answered for 1 s")
    assert result_of(second) == NoAnswer("it has not answered for 60 s")
    assert len(store.asked) == 1


def test_one_that_answers_late_is_well_again():
    store, clock, look = looking()
    look()
    clock.advance(60)
    store.asked[0].callback(SEEN)

    assert result_of(look()) == SEEN


def test_one_that_refuses_says_why():
    store, _, look = looking()
    asked = look()
    store.asked[0].errback(Unavailable("store: disk I/O error"))

    assert result_of(asked) == NoAnswer("store: disk I/O error")


def test_who_goes_away_while_waiting_disturbs_nobody():
    store, _, look = looking()
    gone, stays = look(), look()
    gone.addErrback(lambda _: None)
    gone.cancel()
    store.asked[0].callback(SEEN)

    assert result_of(stays) == SEEN
