"""Reads coordinates as location servers write them, where they have only one reading.

MLP writes degrees, minutes, seconds and a hemisphere (``35 35 24.139N``, clause 5.3.144) or signed decimal degrees.
Servers add signs, letters or words for degrees, minutes and seconds, put the hemisphere first, write a decimal comma,
an exponent, minutes with a fraction, or no blank at all. A text with two readings is `Malformed`: a place is never
guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from telephony.domain.errors import Malformed
from telephony.lbs.geodesy import MAX_LATITUDE, MAX_LONGITUDE, Coord, coord
from telephony.lbs.mlp_numbers import plain

_LONGEST = 64
_SIXTY = 60

_Axis = Literal["latitude", "longitude"]

_ALIKE = (
    (" ", "\u00a0\u2002\u2003\u2007\u2009\u202f\u3000_\t\r\n"),
    ("°", "\u00ba\u02da\u2218"),
    ("'", "\u2032\u2019\u2018\u02b9\u00b4`"),
    ('"', "\u2033\u201d\u201c\u02ba"),
)
_SIGNS = str.maketrans({other: sign for sign, others in _ALIKE for other in others})
_WORDS = tuple(
    (re.compile(word), sign)
    for word, sign in (
        (r'^"(.*)"$', r"\1"),
        # An S behind seconds is South, unless another letter says which hemisphere it is.
        (r"^([NSEW].*\d *D.*\d *M.*\d) *S$", r'\1"'),
        (r"(?<=[\d.]) *S(?= *[NSEW]$)", '"'),
        (r"(?<=[\d.]) *(?:DEGREES?|DEG\.?|D(?=[NSEW]$|[^A-Z]|$)|도)", "°"),
        (r"(?<=[\d.]) *(?:MINUTES?|MIN\.?|M(?=[NSEW]$|[^A-Z]|$)|분)", "'"),
        (r"(?<=[\d.]) *(?:SECONDS?|SECS?\.?|초)", '"'),
        (r"NORTH|북위", "N"),
        (r"SOUTH|남위", "S"),
        (r"EAST|동경", "E"),
        (r"WEST|서경", "W"),
        (r"^(?:LAT(?:ITUDE)?\.?|LON(?:G(?:ITUDE)?)?\.?) *[:=]? *", ""),
        (r"(?<=^[NSEW]) *[,;]| *[,;](?= *[NSEW]?$)", ""),
    )
)
"""Words and letters for signs. A label says no more than the element that it stands in, if it is that of its axis."""
_LABELS: dict[_Axis, re.Pattern[str]] = {"latitude": re.compile("LON"), "longitude": re.compile("LAT")}
"""How a label of the other axis begins."""
_SOUTH_OR_SECONDS = re.compile(r"[^NSEW].*\d *M(?![A-Z]).*\d *S")
"""As in ``37d33m59.4s``: where minutes have a letter, so may seconds."""

_HEMISPHERES: dict[str, tuple[_Axis, int]] = {
    "N": ("latitude", 1),
    "S": ("latitude", -1),
    "E": ("longitude", 1),
    "W": ("longitude", -1),
}
_FRAME = re.compile(
    r"(?P<first>[NSEW]?) *(?P<sign>[+-]?) *(?P<number>[^A-Z+]*?(?:E[+-]?\d{1,3})?) *(?P<last>[NSEW]?)"
)
_DECIMAL = re.compile(r"(\d{1,3}(?:\.\d*)?) *°?|(\d{1,3}\.\d+E[+-]?\d{1,3})", re.ASCII)
_PARTS = re.compile(
    r"(\d{1,3})(?: *° *| +| *[:-] *)"
    r"(?:(\d{1,2}(?:\.\d*)?) *'?|(\d{1,2})(?: *' *| +| *[:-] *)(\d{1,2}(?:\.\d*)?) *(?:\"|'')?)",
    re.ASCII,
)
_ONE_SEPARATOR = re.compile(r"(\d{1,3})([./,])(\d\d?)\2(\d\d?(?:[.,]\d*)?)", re.ASCII)
"""No number has two decimal points, so what stands between them are degrees, minutes and seconds."""
_COMPACT = {
    # As ISO 6709 and NMEA 0183 write it: the number of digits tells the parts.
    "latitude": re.compile(r"(\d\d)(?:(\d\d\.\d+)|(\d\d)(\d\d(?:\.\d*)?))", re.ASCII),
    "longitude": re.compile(r"(\d{3})(?:(\d\d\.\d+)|(\d\d)(\d\d(?:\.\d*)?))", re.ASCII),
}

_LIMITS = {"latitude": MAX_LATITUDE, "longitude": MAX_LONGITUDE}

_NOWHERE_DEG = 0.01
"""Within a kilometre of 0,0, open sea; a server that codes its ignorance as 0 decodes it to a little more."""
_EDGE_DEG = 0.001
"""How far TS 23.032 coding may put 90 and 180 degrees below their value: all bits set, an unknown place, where no phone is."""


def read_place(x: str, y: str) -> Coord:
    """Read MLP's ``X`` and ``Y``: latitude and longitude, or the other way round where letters say so.

    Raises `Malformed` for what is no place, is not on Earth, or has two readings.
    """
    first, second = _read(x, "latitude"), _read(y, "longitude")
    if first[0] == "longitude" and second[0] == "latitude":
        first, second = second, first
    if first[0] != "latitude" or second[0] != "longitude":
        raise Malformed("a place needs one coordinate with N or S and one with E or W")
    return coord(first[1], second[1])


def is_nowhere(place: Coord) -> bool:
    """Whether a place is a known way of saying that there is none: about 0,0 or 0,180, or -1,-1, or 90 beside 180."""
    latitude, longitude = place
    is_half_filled = abs(longitude) <= _NOWHERE_DEG or MAX_LONGITUDE - abs(longitude) <= _NOWHERE_DEG
    return (
        (abs(latitude) <= _NOWHERE_DEG and is_half_filled)
        or (latitude == longitude == -1.0)
        or (MAX_LATITUDE - abs(latitude) <= _EDGE_DEG and MAX_LONGITUDE - abs(longitude) <= _EDGE_DEG)
    )


def parse_latitude(text: str) -> float:
    """Read a latitude in any of the forms above. Raises `Malformed`."""
    return _read_axis(text, "latitude", "N or S")


def parse_longitude(text: str) -> float:
    """Read a longitude in any of the forms above. Raises `Malformed`."""
    return _read_axis(text, "longitude", "E or W")


def _read_axis(text: str, axis: _Axis, letters: str) -> float:
    is_of, degrees = _read(text, axis)
    if is_of != axis:
        raise Malformed(f"a coordinate needs {letters} here")
    return degrees


def _read(text: str, expected: _Axis) -> tuple[_Axis, float]:
    """Read a coordinate; a letter tells its axis, or else the element that it stands in."""
    if len(text) > _LONGEST:
        raise Malformed("a coordinate of absurd length")
    said = plain(text).translate(_SIGNS).strip().upper()
    if _LABELS[expected].match(said):
        raise Malformed("a coordinate with the label of the other axis")
    if _SOUTH_OR_SECONDS.fullmatch(said):
        raise Malformed("a coordinate whose last letter is South or seconds")
    for word, sign in _WORDS:
        said = word.sub(sign, said)
    frame = _FRAME.fullmatch(said)
    if frame is None or (frame["first"] and frame["last"]):
        raise _no_coordinate()
    letter = frame["first"] or frame["last"]
    axis, direction = _HEMISPHERES.get(letter, (expected, 1))
    if frame["sign"]:
        signed = -1 if frame["sign"] == "-" else 1
        if letter and signed != direction:
            raise Malformed("a coordinate whose sign and letter contradict each other")
        direction = signed
    number = _ONE_SEPARATOR.sub(r"\1 \3 \4", frame["number"]).replace(",", ".")
    degrees = direction * _degrees(number, axis, is_marked=bool(letter or frame["sign"]))
    if abs(degrees) > _LIMITS[axis]:
        raise Malformed(f"a coordinate is beyond {_LIMITS[axis]:g} degrees")
    return axis, degrees + 0.0  # -0.0 becomes 0.0


def _degrees(number: str, axis: _Axis, *, is_marked: bool) -> float:
    """Read the number of a coordinate. Minutes need a sign or letter beside them: without, a letter was lost."""
    if decimal := _DECIMAL.fullmatch(number):
        return float(decimal[1] or decimal[2])
    parts = _PARTS.fullmatch(number) or _COMPACT[axis].fullmatch(number)
    if parts is None or not is_marked:
        raise _no_coordinate()
    degrees, only_minutes, minutes, seconds = parts.groups()
    return _sexagesimal(float(part) for part in (degrees, only_minutes or minutes, seconds or "0"))


def _sexagesimal(parts: Iterable[float]) -> float:
    """Add up degrees, minutes and seconds. Sixty exactly is what rounding up makes of 59.9996."""
    degrees, minutes, seconds = parts
    if seconds > _SIXTY or minutes > _SIXTY or (minutes == _SIXTY and seconds > 0):
        raise Malformed("minutes and seconds of arc stay below 60")
    return degrees + minutes / 60 + seconds / 3600


def _no_coordinate() -> Malformed:
    return Malformed("a coordinate is neither degrees-minutes-seconds-hemisphere nor decimal degrees")
