"""What a machine sends as a press: a value and remarks, or one error that says what to write; never anything else."""

from __future__ import annotations

import json
import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.domain.errors import Malformed
from telephony.domain.position import Position
from telephony.domain.values import Msisdn
from telephony.doors.answers import Remark
from telephony.doors.members import MOST_REMARKS
from telephony.doors.press_reading import LONGEST_KEY, LONGEST_TEXT, Source, read_fix, read_key, read_press
from tests.doubles import NOON

KIM = "+821012345678"
PLACE = {"latitude": 37.5665, "longitude": 126.978}


def reading(body):
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_press(octets, country_code="82", trunk_prefix="0", now=NOON)


def pointers(pressed):
    return [each.pointer for each in pressed.remarks]


def test_a_whole_press_is_read_without_a_remark():
    pressed = reading(
        {
            "caller": KIM,
            "source": "terminal",
            "carrier": "skt",
            "pressed_at": "2026-11-23T11:59:50+09:00",
            "text": " 살려주세요 ",
            "position": PLACE
            | {
                "uncertainty_m": 12,
                "confidence_percent": 68,
                "altitude_m": 61.5,
                "method": "gnss",
                "measured_at": "2026-11-23T11:59:45+09:00",
            },
            "battery_percent": 14,
            "test": True,
        }
    )

    assert (pressed.caller, pressed.source, pressed.carrier) == (
        Msisdn("821012345678"),
        Source.TERMINAL,
        "skt",
    )
    assert pressed.pressed_at == NOON - timedelta(seconds=10)
    assert (pressed.text, pressed.battery_percent, pressed.test) == ("살려주세요", 14, True)
    measured_at = NOON - timedelta(seconds=15)
    assert pressed.position == Position(
        37.5665, 126.978, 12.0, 68.0, "gnss", "device", measured_at, NOON, 61.5
    )
    assert (pressed.remarks, pressed.has_lost) == ((), False)


def test_a_press_needs_no_more_than_who_presses():
    pressed = reading({"caller": KIM})
    assert (pressed.remarks, pressed.position, pressed.source, pressed.test) == ((), None, None, False)


@pytest.mark.parametrize(
    ("member", "value", "pointer"),
    [
        ("source", "watch", "#/source"),
        ("source", ["app"], "#/source"),
        ("carrier", 5, "#/carrier"),
        ("pressed_at", "soon", "#/pressed_at"),
        ("pressed_at", "2026-11-23T11:59:50", "#/pressed_at"),
        ("pressed_at", "0001-01-01T00:00:00+14:00", "#/pressed_at"),
        ("text", {"words": "help"}, "#/text"),
        ("text", "x" * (LONGEST_TEXT + 1), "#/text"),
        ("position", "Seoul", "#/position"),
        ("position", {"longitude": 126.9}, "#/position/latitude"),
        ("position", {"latitude": "37.5", "longitude": 126.9}, "#/position/latitude"),
        ("position", {"latitude": 91, "longitude": 126.9}, "#/position/latitude"),
        ("position", {"latitude": 0, "longitude": 0}, "#/position/latitude"),
        ("position", PLACE | {"uncertainty_m": -1}, "#/position/uncertainty_m"),
        ("position", PLACE | {"altitude_m": "3rd floor"}, "#/position/altitude_m"),
        ("position", PLACE | {"uncertainty_m": 10**400}, "#/position/uncertainty_m"),
        ("position", PLACE | {"measured_at": "2020-01-01T00:00:00Z"}, "#/position/measured_at"),
        ("position", PLACE | {"method": "dowsing"}, "#/position/method"),
        ("battery_percent", 101, "#/battery_percent"),
        ("battery_percent", True, "#/battery_percent"),
        ("test", "true", "#/test"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_costs_itself_and_not_the_press(member, value, pointer):
    pressed = reading({"caller": KIM, member: value})

    assert pressed.caller == Msisdn("821012345678")
    assert pointers(pressed) == [pointer]
    assert pressed.has_lost
    assert not pressed.test


def test_a_fix_with_a_part_that_cannot_be_read_is_kept_without_it():
    pressed = reading(
        {"caller": KIM, "position": PLACE | {"uncertainty_m": "small", "confidence_percent": 68}}
    )
    assert pressed.position == Position(37.5665, 126.978, None, None, "unknown", "device", None, NOON)


def test_a_member_that_is_not_known_here_is_passed_over_and_nothing_is_lost():
    pressed = reading({"caller": KIM, "mood/now": "afraid"})
    assert pressed.remarks == (
        Remark("#/mood~1now", "is not a member that is known here; it was passed over"),
    )
    assert not pressed.has_lost


@pytest.mark.parametrize("written", ["010-1234-5678", "821012345678", 821012345678, " +82 10 1234 5678"])
def test_a_number_that_is_written_otherwise_is_read_and_remarked_on(written):
    pressed = reading({"caller": written})
    assert pressed.caller == Msisdn("821012345678")
    assert (pointers(pressed), pressed.has_lost) == ([] if written == 821012345678 else ["#/caller"], False)


def test_a_caller_that_is_no_number_is_kept_as_it_came():
    pressed = reading({"caller": "room 12"})
    assert pressed.caller == Msisdn("room 12", is_e164=False)
    assert pressed.has_lost


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"help",
        b"[]",
        b"7",
        b"{",
        b"\xff",
        b"[" * 16_000,
    ],
)
def test_a_body_that_is_no_object_is_the_one_error(body):
    with pytest.raises(Malformed, match=r"JSON|UTF-8"):
        reading(body)


@pytest.mark.parametrize(
    "battery", [b"NaN", b"-Infinity", b"1e999", b"9" * 5_000, b"-" + b"9" * 5_000, b'"\xc0\xcc"']
)
def test_a_member_that_is_no_json_costs_itself_and_not_the_press(battery):
    pressed = reading(b'{"caller": "+821012345678", "battery_percent": ' + battery + b"}")

    assert (pressed.caller, pressed.battery_percent, pressed.has_lost) == (Msisdn("821012345678"), None, True)
    assert pointers(pressed)[-1] == "#/battery_percent"


def test_a_text_that_is_no_utf_8_costs_no_press_and_is_remarked_on():
    pressed = reading('{"caller": "+821012345678", "text": "살려주세요 112"}'.encode("cp949"))

    assert (pressed.caller, pointers(pressed), pressed.has_lost) == (Msisdn("821012345678"), ["#"], True)
    assert pressed.text is not None
    assert pressed.text.endswith("\ufffd 112")


@pytest.mark.parametrize("caller", [None, "", "  ", True, [], {}, -5, 0, math.nan, math.inf])
def test_a_press_of_nobody_says_how_to_write_a_number(caller):
    with pytest.raises(Malformed, match=r"\+821012345678"):
        reading({"caller": caller})


def test_remarks_are_bounded():
    pressed = reading({"caller": KIM} | {f"member {n}": n for n in range(500)})
    assert len(pressed.remarks) == MOST_REMARKS


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["caller", "position", "latitude", "text", "source", "x"]), inner
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_a_press_or_the_one_error(body):
    try:
        pressed = reading(json.dumps(body).encode())
    except Malformed:
        return
    assert pressed.caller is not None


@given(st.binary(max_size=200))
def test_any_octets_are_a_press_or_the_one_error(body):
    for read in (reading, lambda octets: read_fix(octets, NOON)):
        try:
            read(body)
        except Malformed:
            continue


def test_a_later_fix_is_a_position_or_says_what_is_wrong_with_it():
    assert read_fix(json.dumps(PLACE).encode(), NOON) == Position(
        37.5665, 126.978, None, None, "unknown", "device", None, NOON
    )
    remarks = read_fix(b'{"latitude": 37.5}', NOON)
    assert [each.pointer for each in remarks] == ["#/longitude"]


@pytest.mark.parametrize("header", ["8e03978e-40d5", '"8e03978e-40d5"', ' "8e03978e-40d5" '])
def test_a_key_is_read_with_and_without_quotes(header):
    assert read_key(header) == "8e03978e-40d5"


@pytest.mark.parametrize("header", [None, "", '""', "a b", "é", "a" * (LONGEST_KEY + 1), '"a\\"b"', "a\x00"])
def test_a_key_that_is_none_says_what_to_send(header):
    with pytest.raises(Malformed, match="Idempotency-Key"):
        read_key(header)
