"""What is sealed of the rows of the spine comes back as it was, and only at its own place."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.domain.errors import Malformed
from telephony.domain.trigger import Part, PartKind
from telephony.domain.values import Msisdn
from telephony.store import sealed_rows as rows
from telephony.store.crypto import Key, KeyRing, KeysUnavailable, Place
from telephony.store.sealing import KEY_ID_OCTETS, seal
from tests.doubles import NOON, keys

ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=30)
KEYS = st.integers(0, 2**62)


@given(KEYS, ANY_TEXT, ANY_TEXT, st.booleans(), ANY_TEXT)
def test_an_incident_comes_back(key: int, caller: str, number: str, is_e164: bool, destination: str):  # noqa: FBT001 - drawn
    sealed = rows.seal_incident(keys(), key, caller, Msisdn(number, is_e164=is_e164), destination)

    found = rows.unseal_incident(keys(), key, sealed)

    assert found == rows.SealedIncident(caller, Msisdn(number, is_e164=is_e164), destination)


@given(KEYS, ANY_TEXT, ANY_TEXT, st.none() | ANY_TEXT, st.none() | st.binary(max_size=40))
def test_a_press_comes_back(key: int, reference: str, destination: str, words: str | None, raw: bytes | None):
    """An empty text is a text, and no text is none."""
    sealed = rows.seal_press(keys(), key, 3, reference, destination, words, raw)

    assert rows.unseal_press(keys(), key, 3, sealed) == rows.SealedPress(reference, destination, words, raw)


@given(
    ANY_TEXT,
    st.none() | ANY_TEXT,
    st.none() | st.binary(max_size=40),
    st.none() | st.binary(max_size=40),
    st.sampled_from(PartKind),
)
def test_a_part_comes_back_with_its_kind_and_its_octets(
    reference: str, words: str | None, raw: bytes | None, octets: bytes | None, kind: PartKind
):
    part = Part(7, 3, 2, kind, octets, "utf-8")

    sealed = rows.seal_press(keys(), 1, 3, reference, "112", words, raw, part)

    assert rows.unseal_press(keys(), 1, 3, sealed) == rows.SealedPress(
        reference, "112", words, raw, kind, octets
    )
    assert not octets or len(octets) < 8 or octets not in sealed


@given(KEYS, st.floats(-90, 90), st.floats(-180, 180), st.none() | st.floats(-1_000, 20_000))
def test_coordinates_come_back_to_the_last_bit(
    key: int, latitude: float, longitude: float, altitude_m: float | None
):
    sealed = rows.seal_coordinates(keys(), key, 1, latitude, longitude, altitude_m)

    assert rows.unseal_coordinates(keys(), key, 1, sealed) == (latitude, longitude, altitude_m)


@given(ANY_TEXT, st.dictionaries(st.text(max_size=5), st.text(max_size=9), max_size=3))
def test_words_come_back(words: str, said: dict[str, str]):
    ring = keys()

    assert rows.unseal_channel(ring, "v/1", rows.seal_channel(ring, "v/1", words)) == words
    assert rows.unseal_close_reason(ring, 1, rows.seal_close_reason(ring, 1, words)) == words
    assert rows.unseal_order(ring, 1, -5, rows.seal_order(ring, 1, -5, said)) == said


@pytest.mark.parametrize("nothing", [None, ""])
def test_nothing_said_is_nothing_kept(nothing: str | None):
    assert rows.seal_error(keys(), 1, 1, nothing) is None
    assert rows.unseal_error(keys(), 1, 1, None) is None
    assert rows.unseal_close_reason(keys(), 1, None) is None


READERS: dict[str, tuple[Callable[[KeyRing, bytes], Any], Place]] = {
    "incident": (lambda ring, sealed: rows.unseal_incident(ring, 7, sealed), Place("incident", "sealed", 7)),
    "press": (lambda ring, sealed: rows.unseal_press(ring, 7, 2, sealed), Place("press", "sealed", 7, 2)),
    "position": (
        lambda ring, sealed: rows.unseal_coordinates(ring, 7, 2, sealed),
        Place("position", "sealed", 7, 2),
    ),
    "fact": (lambda ring, sealed: rows.unseal_fact(ring, 7, 2, sealed), Place("fact", "sealed", 7, 2)),
    "call": (lambda ring, sealed: rows.unseal_channel(ring, "v/1", sealed), Place("call", "sealed", "v/1")),
    "order": (
        lambda ring, sealed: rows.unseal_order(ring, 7, -2, sealed),
        Place("delivery", "sealed", 7, -2),
    ),
    "error": (
        lambda ring, sealed: rows.unseal_error(ring, 7, 2, sealed),
        Place("delivery", "last_error", 7, 2),
    ),
    "reason": (
        lambda ring, sealed: rows.unseal_close_reason(ring, 7, sealed),
        Place("incident", "close_reason", 7),
    ),
}


@given(kind=st.sampled_from(sorted(READERS)), plain=st.binary(max_size=40))
def test_whatever_stands_there_is_read_or_malformed(kind: str, plain: bytes):
    read, place = READERS[kind]

    with contextlib.suppress(Malformed):
        read(keys(), seal(keys(), place, plain))


@given(kind=st.sampled_from(sorted(READERS)), octets=st.binary(max_size=60))
def test_what_was_never_sealed_is_damage_and_no_missing_key(kind: str, octets: bytes):
    """An operator who is told of a missing key looks for a file that there never was."""
    read, _ = READERS[kind]

    with pytest.raises(Malformed):
        read(keys(), b"\xff" + octets)


@pytest.mark.parametrize("kind", READERS)
def test_what_belongs_to_another_row_is_refused(kind: str):
    read, place = READERS[kind]
    elsewhere = place._replace(row="other" if kind == "call" else 8)

    with pytest.raises(Malformed, match="comes from elsewhere"):
        read(keys(), seal(keys(), elsewhere, b"x" * 40))


@pytest.mark.parametrize("kind", READERS)
def test_a_key_that_is_not_here_is_named(kind: str):
    other = Key.make(NOON)
    read, place = READERS[kind]

    with pytest.raises(KeysUnavailable, match=str(other.id)):
        read(keys(), seal(KeyRing({other.id: other}, other.id), place, b"x" * 40))


def test_the_same_is_never_sealed_to_the_same_octets():
    sealed = {rows.seal_press(keys(), 1, 1, "r", "112", "SOS", b"") for _ in range(50)}

    assert len(sealed) == 50
    assert len({each[:KEY_ID_OCTETS] for each in sealed}) == 1


def test_nobody_is_in_the_repr():
    told = repr(rows.SealedIncident("821012345678", Msisdn("821012345678"), "112"))
    told += repr(rows.SealedPress("821012345678", "01012345678", "my words", b"raw"))

    assert not any(each in told for each in ("12345678", "my words", "raw'"))
