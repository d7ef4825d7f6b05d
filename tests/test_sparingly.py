"""A thing is said at once, and again only after a while; another thing does not wait for it."""

from __future__ import annotations

from twisted.internet.task import Clock

from telephony.sparingly import Sparingly


def test_a_flood_is_said_at_its_beginning_and_then_now_and_then():
    clock = Clock()
    sparingly = Sparingly(clock.seconds, 10.0)

    said = []
    for _ in range(250):
        if sparingly.take_turn():
            said.append(clock.seconds())
        clock.advance(0.125)

    assert said == [0.0, 10.0, 20.0, 30.0]


def test_what_is_asked_again_and_again_in_between_does_not_put_the_next_word_off():
    clock = Clock()
    sparingly = Sparingly(clock.seconds, 10.0)
    sparingly.take_turn()
    clock.advance(9.9)
    assert not sparingly.take_turn()

    clock.advance(0.2)

    assert sparingly.take_turn()


def test_each_thing_has_its_own_while():
    sparingly = Sparingly(Clock().seconds, 10.0)

    assert [sparingly.take_turn(what) for what in ("faulty", "silent", "faulty")] == [True, True, False]
