"""Who has a place at a listener, and who goes when there is none."""

from __future__ import annotations

import random
import resource

import pytest

from telephony.net.places import Places, affordable, is_loopback, source_of


class Listener:
    """Places, and who was cut."""

    def __init__(self, most=4, most_of_one=2):
        self.cut = []
        self.places = Places(most, most_of_one, self.cut.append)

    def take(self, *connections, share=None):
        """Let connections in; their letters name the sources."""
        for connection in connections:
            self.places.take(connection, connection[0], share=share)


def test_a_source_with_its_share_loses_its_own_oldest_and_no_other_s():
    listener = Listener()
    listener.take("a1", "b1", "b2", "b3")
    assert listener.cut == ["b1"]
    assert sorted(listener.places) == ["a1", "b2", "b3"]


def test_where_all_places_are_taken_the_source_that_has_most_makes_room():
    listener = Listener(most=4, most_of_one=3)
    listener.take("a1", "b1", "b2", "b3", "c1")
    assert listener.cut == ["b1"]


def test_among_equals_the_oldest_goes():
    listener = Listener()
    listener.take("a1", "b1", "c1", "d1", "e1", "f1")
    assert listener.cut == ["a1", "b1"]


def test_one_that_asked_for_something_outlives_all_that_did_not():
    listener = Listener(most=3)
    listener.take("a1", "b1", "c1")
    listener.places.busy("a1")
    listener.take("d1", "e1")
    assert listener.cut == ["b1", "c1"]


def test_of_those_that_all_ask_the_oldest_of_whom_has_most_goes():
    listener = Listener(most=3)
    listener.take("a1", "b1", "b2")
    for connection in list(listener.places):
        listener.places.busy(connection)
    listener.take("c1")
    assert listener.cut == ["b1"]


def test_one_that_was_answered_is_the_youngest_of_the_idle():
    listener = Listener(most=2, most_of_one=2)
    listener.take("a1", "a2")
    listener.places.busy("a1")
    listener.places.idle("a1")
    listener.take("a3")
    assert listener.cut == ["a2"]


def test_a_source_may_have_another_share():
    listener = Listener(most=4, most_of_one=1)
    listener.take("p1", "p2", "p3", "p4", share=4)
    assert listener.cut == []
    listener.take("p5", share=4)
    assert listener.cut == ["p1"]


def test_a_place_is_given_back_once():
    listener = Listener(most=2)
    listener.take("a1", "b1")
    for _ in range(2):
        listener.places.leave("a1")
    listener.places.busy("a1")
    listener.take("c1")
    assert listener.cut == []
    assert sorted(listener.places) == ["b1", "c1"]


def test_whatever_happens_bounds_hold_and_nothing_is_kept_of_who_has_gone():
    rng = random.Random(11)
    listener = Listener(most=20, most_of_one=5)
    for number in range(5_000):
        listener.take(f"{rng.choice('abcdefghijkl')}{number}")
        here = list(listener.places)
        act = rng.choice([listener.places.busy, listener.places.idle, listener.places.leave, lambda _: None])
        act(rng.choice(here))
        here = list(listener.places)
        assert len(here) <= 20
        assert max(sum(one[0] == source for one in here) for source in "abcdefghijkl") <= 5
    assert len(listener.cut) == len(set(listener.cut)) > 1_000
    for connection in list(listener.places):
        listener.places.leave(connection)
    assert (listener.places._idle, listener.places._busy, len(listener.places)) == ({}, {}, 0)


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("no address", "no address"),
        ("", ""),
    ],
    ids=["ipv4", "mapped", "ipv6", "zone", "words", "nothing"],
)
def test_one_source_is_an_address_or_a_network_of_ipv6(host, source):
    assert source_of(host) == source


def test_this_machine_is_known_in_all_its_clothes():
    assert [is_loopback(host) for host in ("127.8.9.1", "::1", "::ffff:127.0.0.1", "192.0.2.1", "")] == [
        True,
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("limit", "places"),
    [(20_000, 200), (1_024, 128), (4, 1), (resource.RLIM_INFINITY, 200)],
    ids=["many", "usual", "hardly any", "no limit"],
)
def test_a_listener_leaves_most_files_to_others(monkeypatch, limit, places):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert affordable(200) == places
