"""The length of a sealed value says nothing of a number, a text or a reason; what was sealed before still opens."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.domain.trigger import Part, PartKind
from telephony.domain.values import Msisdn
from telephony.store.crypto import Key, KeyRing, Place
from telephony.store.sealed_rows import (
    SealedIncident,
    SealedPress,
    seal_channel,
    seal_close_reason,
    seal_error,
    seal_fact,
    seal_incident,
    seal_order,
    seal_press,
    unseal_channel,
    unseal_close_reason,
    unseal_error,
    unseal_fact,
    unseal_incident,
    unseal_order,
    unseal_press,
)
from telephony.store.sealing import padded, seal

KEY = Key.make(datetime(2026, 3, 1, tzinfo=UTC))
RING = KeyRing({KEY.id: KEY}, KEY.id)
AROUND = 4 + 12 + 16
"""Key id, nonce and tag."""


@pytest.mark.parametrize(
    ("sealed", "octets"),
    [
        (lambda text: seal_incident(RING, 1, f"8210{text}", Msisdn(f"8210{text}"), ""), 64),
        (lambda text: seal_press(RING, 1, 1, "skt-1:1", "112", text, text.encode("utf-16-be")), 256),
        (lambda text: seal_press(RING, 1, 1, "", "", None if text == "1" else text, None), 256),
        (lambda text: seal_fact(RING, 1, 1, f'{{"note":"{text}"}}'), 256),
        (lambda text: seal_channel(RING, "a", text), 64),
        (lambda text: seal_order(RING, 1, -1, {"by": text}), 256),
        (lambda text: seal_error(RING, 1, 1, text), 64),
        (lambda text: seal_close_reason(RING, 1, text), 64),
    ],
    ids=["incident", "press", "text", "fact", "channel", "order", "error", "reason"],
)
def test_a_length_says_nothing(sealed, octets):
    assert {len(sealed("1" * length)) for length in range(1, 16)} == {octets + AROUND}


@given(
    st.text(max_size=30),
    st.text(max_size=10),
    st.none() | st.text(max_size=200),
    st.none() | st.binary(max_size=200),
    st.none() | st.binary(max_size=200),
)
def test_a_press_is_what_it_was_also_with_nuls_at_its_end(reference, destination, text, raw, octets):
    for end in (b"", b"\0\0"):
        came = None if raw is None else raw + end
        whole = seal_press(RING, 1, 2, reference, destination, text, came)
        assert unseal_press(RING, 1, 2, whole) == SealedPress(reference, destination, text, came)
        part = Part(7, 3, 2, kind=PartKind.SAR, octets=None if octets is None else octets + end)
        piece = seal_press(RING, 1, 2, reference, destination, text, came, part)
        assert unseal_press(RING, 1, 2, piece) == SealedPress(
            reference, destination, text, came, PartKind.SAR, part.octets
        )


@given(st.text(max_size=30), st.text(max_size=40), st.booleans(), st.text(max_size=40))
def test_who_pressed_is_who_it_was(caller, number, is_e164, destination):
    who = Msisdn(number, is_e164=is_e164)

    sealed = seal_incident(RING, 3, caller, who, destination)

    assert unseal_incident(RING, 3, sealed) == SealedIncident(caller, who, destination)


def test_words_are_what_they_were():
    assert unseal_fact(RING, 1, 1, seal_fact(RING, 1, 1, '{"a": "살려주세요 "}')) == '{"a": "살려주세요 "}'
    assert unseal_channel(RING, "a", seal_channel(RING, "a", "PJSIP/kt-1")) == "PJSIP/kt-1"
    assert unseal_order(RING, 1, -1, seal_order(RING, 1, -1, {"by": "Lee"})) == {"by": "Lee"}
    assert unseal_error(RING, 1, 1, seal_error(RING, 1, 1, "503 \0")) == "503 \0"
    assert unseal_close_reason(RING, 1, seal_close_reason(RING, 1, "x" * 64)) == "x" * 64


def test_what_an_earlier_release_sealed_still_opens():
    """Without padding: the last field went to the end of the value."""
    who = struct.pack(">B?II", 1, True, 2, 12) + b"ab" + b"821012345678" + b"112"
    press = struct.pack(">BBIII", 1, 3, 1, 3, 4) + b"r112help" + b"help\0"
    part = struct.pack(">BBIIIBI", 2, 7, 1, 3, 4, 0, 2) + b"r112help" + b"\0a" + b"raw\0"

    assert unseal_incident(RING, 1, seal(RING, Place("incident", "sealed", 1), who)) == SealedIncident(
        "ab", Msisdn("821012345678"), "112"
    )
    place = Place("press", "sealed", 1, 1)
    assert unseal_press(RING, 1, 1, seal(RING, place, press)) == SealedPress("r", "112", "help", b"help\0")
    assert unseal_press(RING, 1, 1, seal(RING, place, part)) == SealedPress(
        "r", "112", "help", b"raw\0", PartKind.CONCATENATED_8, b"\0a"
    )
    assert unseal_fact(RING, 1, 1, seal(RING, Place("fact", "sealed", 1, 1), b'{"a":1}')) == '{"a":1}'
    assert unseal_error(RING, 1, 1, seal(RING, Place("delivery", "last_error", 1, 1), b"503")) == "503"
    order = seal(RING, Place("delivery", "sealed", 1, -1), b'{"by":"Lee"}')
    assert unseal_order(RING, 1, -1, order) == {"by": "Lee"}


@pytest.mark.parametrize(("length", "octets"), [(0, 0), (1, 64), (64, 64), (65, 128)])
def test_values_are_lengthened_to_whole_buckets(length, octets):
    assert len(padded(b"x" * length, 64)) == octets
