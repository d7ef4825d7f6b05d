"""Long messages put together: octets before characters, and never two messages mixed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.alphabets import gsm0338
from telephony.alphabets.decoding import Edges
from telephony.alphabets.joining import Piece, joined, messages_of
from telephony.alphabets.reading import read

LONG = "문이 잠겨 있고 그 사람이 밖에서 문을 부수고 있어요 😱 빨리 와 주세요. Please come, 2층이에요!"


def pieces_of(octets, cuts, alphabet):
    """The parts of octets cut at these places, each read alone as it would be when it comes."""
    bounds = [0, *sorted(cuts), len(octets)]
    total = len(bounds) - 1
    pieces = {}
    for number in range(1, total + 1):
        part = octets[bounds[number - 1] : bounds[number]]
        reading = read(part, (alphabet,), edges=Edges(number == 1, number == total))
        pieces[number] = Piece(number, reading.text, part, reading.alphabet)
    return pieces


@given(
    st.sampled_from(["utf-16-be", "utf-8", "cp949"]).flatmap(
        lambda alphabet: st.tuples(
            st.just(alphabet),
            st.sets(st.integers(8, len(LONG.encode(alphabet, "ignore")) - 8), min_size=1, max_size=4),
        )
    )
)
def test_characters_cut_anywhere_come_out_whole(case):
    alphabet, cuts = case
    text = LONG.replace("😱", "") if alphabet == "cp949" else LONG

    pieces = pieces_of(text.encode(alphabet), cuts, alphabet)

    assert joined(pieces, len(pieces)) == text


@pytest.mark.parametrize("cut", range(6, 60))
def test_parts_in_an_undeclared_alphabet_are_joined_too(cut):
    octets = "살려주세요 집에 강도가 들었어요".encode()

    pieces = pieces_of(octets, [min(cut, len(octets) - 3)], "gsm0338")

    assert joined(pieces, 2) == "살려주세요 집에 강도가 들었어요"


@pytest.mark.parametrize("size", range(7, 20, 2))
def test_parts_too_short_to_be_read_alone_are_joined_all_the_same(size):
    """A part in which every character is cut at the edges can mean anything; what it says shows among its neighbours."""
    text = "저는 지금 대전역 근처 모텔에 감금되어 있습니다 남자 두 명이고 칼을 가지고 있어요 제발 빨리 와주세요 504호"
    octets = text.encode("cp949")

    pieces = pieces_of(octets, range(size, len(octets), size), "gsm0338")

    assert joined(pieces, len(pieces)) == text


def test_parts_that_are_data_all_of_them_are_no_text():
    pieces = {number: Piece(number, None, b"\x89PNG\xff\xfe", None) for number in (1, 2)}

    assert not joined(pieces, 2)


def test_a_sign_whose_escape_was_cut_off_is_whole_again():
    octets = gsm0338.encode("it costs 5€ a day")
    cut = octets.index(0x1B) + 1

    assert joined(pieces_of(octets, [cut], "gsm0338"), 2) == "it costs 5€ a day"


def test_octets_that_do_not_fit_together_are_read_apart():
    """A sender that counts a NUL to each part."""
    first, second = "문을 부수고 ".encode("utf-16-be") + b"\0", "있어요 빨리요".encode("utf-16-be") + b"\0"
    pieces = {
        1: Piece(1, "문을 부수고 ", first, "utf-16-be"),
        2: Piece(2, "있어요 빨리요", second, "utf-16-be"),
    }

    assert joined(pieces, 2) == "문을 부수고 있어요 빨리요"


def test_a_part_that_is_missing_is_shown_and_nothing_is_joined_over_it():
    octets = LONG.encode("utf-16-be")
    pieces = pieces_of(octets, [21, 41], "utf-16-be")
    del pieces[2]

    said = joined(pieces, 3)

    before, _, behind = said.partition("…")
    assert LONG.startswith(before)
    assert LONG.endswith(behind)
    assert "\ufffd" not in said


def test_parts_without_octets_are_joined_as_they_were_read():
    assert joined({1: Piece(1, "a"), 2: Piece(2, None), 3: Piece(3, "c")}, 3) == "ac"


@pytest.mark.parametrize(
    ("came", "messages"),
    [
        ("A1 A2 B1 B2", ["A1A2", "B1B2"]),
        ("A2 A1 B2 B1", ["A1A2", "B1B2"]),
        ("A1 B1 A2 B2", ["A1A2", "B1B2"]),
        ("A1 A2 A1 A2", ["A1A2"]),
        ("A1 A1 A2", ["A1A2"]),
        ("A1 B1 B2", ["A1", "B1B2"]),
        ("A1 A2 B2", ["A1A2", "B2"]),
        ("A1 A2 B2 B1 C1", ["A1A2", "B1B2", "C1"]),
        ("A1 A3 A2 B3 B1 B2", ["A1A2A3", "B1B2B3"]),
        ("", []),
    ],
)
def test_a_number_that_comes_again_with_other_words_is_of_another_message(came, messages):
    pieces = [Piece(int(part[1]), part) for part in came.split()]

    assert ["".join(m[n].text for n in sorted(m)) for m in messages_of(pieces)] == messages


@given(st.lists(st.builds(Piece, st.integers(1, 4), st.sampled_from("abcd")), max_size=12))
def test_whatever_comes_no_words_are_lost(pieces):
    messages = messages_of(pieces)

    kept = [(number, piece.text) for message in messages for number, piece in message.items()]
    assert sorted(kept) == sorted({(piece.number, piece.text) for piece in pieces})
