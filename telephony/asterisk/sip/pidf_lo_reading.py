"""Reads PIDF-LO, by which a network says in the body of an INVITE where a phone is (RFC 4119, 5491, 7459). Pure.

Every shape of RFC 5491 clause 5 becomes one circle that holds it. A shape that is not on WGS 84 is skipped.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from telephony.domain.errors import Malformed
from telephony.domain.position import EARTH_RADIUS_M, Position, best_of
from telephony.net.xml.hardened import Element, parse_whole

MEDIA_TYPE: Final = "application/pidf+xml"
MAX_OCTETS: Final = 65_535
"""A body that came in a UDP datagram; one with a position is a few kilobytes."""

METHODS: Mapping[str, str] = MappingProxyType(
    {
        "gps": "gnss", "gnss": "gnss", "a-gps": "gnss", "agps": "gnss", "a-gnss": "gnss", "device-assisted_a-gps": "gnss",
        "device-based_a-gps": "gnss", "handset_aflt": "cell", "handset_efm": "cell", "aflt": "cell", "cell": "cell",
        "ecid": "cell", "otdoa": "cell", "networkdbh": "cell", "networktoa": "cell", "networktdoa": "cell",
        "802.11": "wifi", "wifi": "wifi",
    }
)  # fmt: skip
"""IANA's registry "Method Tokens" and NENA's, in our words; any other is unknown to us."""

DEFAULT_CONFIDENCE: Final = 95.0
"""What absence means (RFC 7459 clause 3)."""
LONGEST_AGE: Final = timedelta(days=30)
EARLY: Final = timedelta(minutes=5)
"""A clock that is so far ahead of ours, or a fix so old, is not believed: its age is unknown then."""

_WGS_84 = re.compile(r"(?:.*[:/])?(?:4326|4979)")
"""RFC 5491 clause 3 allows these two, latitude first."""
_DEGREES_PER_M = math.degrees(1 / EARTH_RADIUS_M)
_POINTS = ("Point", "Circle", "Sphere", "Ellipse", "Ellipsoid", "ArcBand", "Polygon", "Prism")
_RADII = ("radius", "semiMajorAxis", "outerRadius")
_MOST_CORNERS = 100


def read(body: bytes, *, source: str, now: datetime) -> Position | None:
    """Return the best position in a document; ``None`` where it has none, or is no PIDF-LO. Total."""
    if len(body) > MAX_OCTETS:
        return None
    try:
        root = parse_whole(body)
    except Malformed:
        return None
    found = list(_positions(root, source, now))
    return best_of(found, now) if found else None


def _positions(root: Element, source: str, now: datetime) -> Iterator[Position]:
    # A tuple, device or person has its own time; in a bare document there is one for all.
    for whose in root.outermost(("tuple", "device", "person")) or [root]:
        fixed_at = _time(whose.text_of("timestamp"), now)
        for geopriv in whose.outermost(("geopriv",)) or [whose]:
            method = METHODS.get((geopriv.text_of("method") or "").lower(), "unknown")
            for shape in geopriv.outermost(_POINTS):
                try:
                    latitude, longitude, radius = _circle(shape)
                    confidence = None if radius is None else _confidence(geopriv)
                    yield Position(latitude, longitude, radius, confidence, method, source, fixed_at, now)
                except (Malformed, ValueError, OverflowError):
                    continue  # the next one may be readable


def _circle(shape: Element) -> tuple[float, float, float | None]:
    name = shape.attributes.get("srsName", "")
    if name and _WGS_84.fullmatch(name) is None:
        raise Malformed("coordinates that are not WGS 84")
    if shape.name in ("Polygon", "Prism"):
        return _around(_corners(shape))
    text = shape.text_of("pos") or shape.text_of("coordinates") or ""
    return (*_pair(text.replace(",", " ")), _radius(shape))


def _radius(shape: Element) -> float | None:
    """Return the radius in metres: RFC 5491 clause 5 has no other unit; that of an arc band reaches its far side."""
    text = next((said for name in _RADII if (said := shape.text_of(name)) is not None), None)
    return None if text is None else float(text)


def _corners(shape: Element) -> list[tuple[float, float]]:
    exterior = shape.first("exterior") or shape
    lists = exterior.text_of("posList")
    if lists is not None:
        numbers = lists.split()
        size = 3 if "4979" in shape.attributes.get("srsName", "") else 2
        places = [" ".join(numbers[first : first + size]) for first in range(0, len(numbers), size)]
    else:
        places = [each.text for each in exterior.walk() if each.name == "pos"]
    if not 3 <= len(places) <= _MOST_CORNERS:  # noqa: PLR2004 - fewer enclose nothing
        raise Malformed("a polygon needs at least three corners")
    return [_pair(each) for each in places]


def _around(corners: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Return the middle of the corners and how far the farthest is; a polygon of a cell is far from any pole."""
    latitude = sum(each[0] for each in corners) / len(corners)
    longitude = sum(each[1] for each in corners) / len(corners)
    east_m = math.cos(math.radians(latitude)) / _DEGREES_PER_M
    farthest = max(
        math.hypot((each[0] - latitude) / _DEGREES_PER_M, (each[1] - longitude) * east_m) for each in corners
    )
    return latitude, longitude, farthest


def _pair(text: str) -> tuple[float, float]:
    numbers = text.split()
    if len(numbers) not in (2, 3):
        raise Malformed("a position is two or three numbers")
    return float(numbers[0]), float(numbers[1])


def _confidence(geopriv: Element) -> float | None:
    text = geopriv.text_of("confidence")
    if text is None:
        return DEFAULT_CONFIDENCE
    try:
        confidence = float(text)
    except ValueError:
        return None  # "unknown"
    return confidence if 0.0 < confidence <= 100.0 else None  # noqa: PLR2004 - percent


def _time(text: str | None, now: datetime) -> datetime | None:
    """Read an xs:dateTime; ``None`` for one without an offset, and for one that cannot be believed."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        return None
    return moment if now - LONGEST_AGE <= moment <= now + EARLY else None
