"""What is remembered is bounded, and what was written longest ago is forgotten first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from telephony.remembered import Remembered


def filled(most, *keys):
    memory = Remembered(most)
    for number, key in enumerate(keys):
        memory[key] = number
    return memory


def test_the_one_written_longest_ago_is_forgotten():
    assert dict(filled(2, "a", "b", "c")) == {"b": 1, "c": 2}


def test_what_is_written_again_is_the_newest():
    assert dict(filled(2, "a", "b", "a", "c")) == {"a": 2, "c": 3}


def test_what_is_only_read_is_not():
    memory = filled(2, "a", "b")

    assert (memory["a"], memory.get("a"), "a" in memory) == (0, 0, True)
    memory["c"] = 2

    assert list(memory) == ["b", "c"]


def test_a_thing_that_is_taken_out_leaves_room():
    memory = filled(2, "a", "b")
    assert memory.pop("a") == 0

    memory["c"] = 2

    assert list(memory) == ["b", "c"]


@given(st.integers(1, 5), st.lists(st.sampled_from("abcdefgh")))
def test_it_holds_the_last_that_were_written_each_once(most, keys):
    latest = list(dict.fromkeys(reversed(keys)))[:most]

    assert list(filled(most, *keys)) == latest[::-1]
    memory = Remembered(most)
    memory.update(dict.fromkeys(keys))
    assert len(memory) <= most
