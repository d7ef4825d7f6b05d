"""Reads a press, or a later fix, that a machine sends as JSON. Pure.

A press is refused only where nobody could be told who presses: whatever else cannot be read is left out, remarked on in the
answer, and labelled for 112. Of a fix alone nothing is lost: there every fault is told, and nothing is kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from telephony.domain.errors import Malformed
from telephony.domain.position import Position
from telephony.domain.values import Msisdn
from telephony.doors.answers import Remark
from telephony.doors.members import Members, read_object

LONGEST_KEY: Final = 128
LONGEST_CALLER: Final = 40
LONGEST_TEXT: Final = 2_000
LARGEST_UNCERTAINTY_M: Final = 100_000.0
DEVICE: Final = "device"
"""The source of a fix that the device has made itself."""
EARLY: Final = timedelta(minutes=5)
LONGEST_AGE: Final = timedelta(days=30)
"""A clock so far ahead of ours, or a fix so old, is not believed: its age is unknown then."""

_KEY: Final = re.compile(rf'"?([\x21\x23-\x5b\x5d-\x7e]{{1,{LONGEST_KEY}}})"?')
"""A string of RFC 9651 without escapes, as the draft on Idempotency-Key has it; the quotes may be missing."""


class Source(StrEnum):
    """What kind of machine presses."""

    APP = "app"
    """The 112 App of a smartphone."""
    TERMINAL = "terminal"
    """A U-Relief terminal, or the server of its maker."""
    SYSTEM = "system"
    """Another system."""


class Method(StrEnum):
    """How a device finds itself."""

    GNSS = "gnss"
    WIFI = "wifi"
    CELL = "cell"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Pressed:
    """A press as it was sent: what could be read of it, and remarks on what could not. Times are UTC.

    ``source`` and ``carrier`` are ``None`` where they were not stated; whether they may be used is not known here.
    """

    caller: Msisdn
    source: Source | None = None
    carrier: str | None = None
    pressed_at: datetime | None = None
    text: str | None = field(default=None, repr=False)
    position: Position | None = field(default=None, repr=False)
    battery_percent: int | None = None
    test: bool = False
    remarks: tuple[Remark, ...] = ()
    has_lost: bool = False
    """Whether something that was sent could not be read."""


def read_key(header: str | None) -> str:
    """Return the key of an Idempotency-Key header, without its quotes. Raises `Malformed`."""
    if header is None:
        raise Malformed(
            "the header Idempotency-Key is missing: send one that is new for each press, e.g. a UUID, and repeat it with"
            " each attempt at the same press"
        )
    found = _KEY.fullmatch(header.strip())
    if found is None:
        raise Malformed(
            f"the header Idempotency-Key cannot be read: send 1 to {LONGEST_KEY} visible characters of ASCII, without"
            ' quotes and \\ within, e.g. "8e03978e-40d5-43dd-bc93-6894a57f9324"'
        )
    return found[1]


def read_press(body: bytes, *, country_code: str, trunk_prefix: str, now: datetime) -> Pressed:
    """Return the press of a body. ``now`` is in UTC, for the age of its fix.

    Raises `Malformed` for a body that is no JSON object, and for one that does not say who presses.
    """
    members = Members(read_object(body, is_urgent=True))
    if not _is_utf8(body):
        members.note_whole("write JSON in UTF-8: some of it could not be read")
    caller = _caller(members, country_code, trunk_prefix)
    battery = members.number("battery_percent", 0, 100, "percent")
    fix = members.table("position")
    position = None if fix is None else _position(fix, now)
    if fix is not None:
        members.take(fix)
    return Pressed(
        caller,
        source=members.word("source", Source),
        carrier=members.text("carrier", 32),
        pressed_at=members.time("pressed_at"),
        text=members.text("text", LONGEST_TEXT),
        position=position,
        battery_percent=None if battery is None else round(battery),
        test=members.flag("test"),
        remarks=members.remarks,
        has_lost=members.has_lost,
    )


def read_fix(body: bytes, now: datetime) -> Position | Sequence[Remark]:
    """Return the fix of a body, or what is wrong with it. Raises `Malformed` for one that is no JSON object."""
    members = Members(read_object(body))
    position = _position(members, now)
    return members.remarks if position is None else position


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _caller(members: Members, country_code: str, trunk_prefix: str) -> Msisdn:
    said = members.raw("caller")
    if isinstance(said, int) and not isinstance(said, bool) and said > 0:
        said = f"+{said}"
    if not isinstance(said, str) or not said.strip():
        raise Malformed('the member "caller" is missing: write who presses in E.164, as "+821012345678"')
    caller = Msisdn.parse(said[:LONGEST_CALLER], country_code=country_code, trunk_prefix=trunk_prefix)
    if said != caller.international or not caller.is_e164:
        members.note(
            "caller",
            'write the number in E.164, with plus and country code: "+821012345678"',
            is_lost=not caller.is_e164,
        )
    return caller


def _position(members: Members, now: datetime) -> Position | None:
    """Return the fix; ``None`` where there is no place in it, which is then remarked on."""
    latitude = members.number("latitude", -90, 90, "degrees")
    longitude = members.number("longitude", -180, 180, "degrees")
    uncertainty_m = members.number("uncertainty_m", 0, LARGEST_UNCERTAINTY_M, "metres")
    confidence = members.number("confidence_percent", 1, 100, "percent")
    altitude_m = members.number("altitude_m", -1_000, 20_000, "metres")
    method = members.word("method", Method, Method.UNKNOWN) or Method.UNKNOWN
    measured_at = members.time("measured_at")
    for name, value, such in (("latitude", latitude, 37.5665), ("longitude", longitude, 126.978)):
        if value is None and members.raw(name) is None:
            members.note(name, f"is missing: write degrees of WGS 84, as {such}")
    if latitude is None or longitude is None:
        return None
    if measured_at is not None and not now - LONGEST_AGE <= measured_at <= now + EARLY:
        members.note("measured_at", "is not believed: it lies ahead, or more than 30 days back")
        measured_at = None
    try:
        return Position(
            latitude, longitude, uncertainty_m, None if uncertainty_m is None else confidence, method.value,
            DEVICE, measured_at, now, altitude_m,
        )  # fmt: skip
    except Malformed as error:
        members.note("latitude", str(error))
        return None
