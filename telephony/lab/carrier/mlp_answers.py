"""Writes the pieces of an MLP answer, and reads the parts of a request that matter to the simulator."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from telephony.lbs.geodesy import Coord, destination
from telephony.lbs.mlp_results import SLOGANS
from telephony.net.xml.hardened import Element, parse

ANSWERS = {"eme_lir": ("eme_lia", "eme_pos"), "slir": ("slia", "pos")}
"""Service asked for: the element that answers it, and the one that holds a position."""

_SRS = 'srsName="www.epsg.org#4326"'


@dataclass(frozen=True, slots=True)
class MlpRequest:
    """A question as the server got it; ``at`` is the reactor's time. What it did not hold is the empty string."""

    at: float
    service: str
    version: str
    msid: str
    client_id: str
    password: str = field(repr=False)
    resp_req: str
    resp_timer: str
    hor_acc: str
    loc_type: str
    prio: str
    is_bare: bool
    body: bytes = field(repr=False)

    @property
    def is_fast(self) -> bool:
        """Whether time goes before accuracy."""
        return self.resp_req in ("LOW_DELAY", "NO_DELAY")


def read_request(body: bytes, at: float) -> MlpRequest:
    """Read ``svc_init``. Raises `Malformed` for what is no XML; whatever else is missing is left empty."""
    root = parse(body)
    asked = next((child for child in root.children if child.name != "hdr"), root)

    def typed(name: str, default: str) -> str:
        element = asked.first(name)
        return default if element is None else element.attributes.get("type", default)

    return MlpRequest(
        at=at,
        service=asked.name,
        version=root.attributes.get("ver", ""),
        msid=_text(asked, "msid"),
        client_id=_text(root, "id"),
        password=_text(root, "pwd"),
        resp_req=typed("resp_req", "DELAY_TOL"),
        resp_timer=_text(asked, "resp_timer"),
        hor_acc=_text(asked, "hor_acc"),
        loc_type=typed("loc_type", "CURRENT"),
        prio=typed("prio", ""),
        is_bare=asked.first("geo_info") is None and asked.first("loc_type") is None,
        body=body,
    )


def _text(element: Element, name: str) -> str:
    return element.text_of(name) or ""


def svc_result(asked: MlpRequest, content: str) -> str:
    """Wrap the content of an answer."""
    name = ANSWERS.get(asked.service, ("slia", "pos"))[0]
    version = asked.version or "3.2.0"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<svc_result ver="{version}">'
        f'<{name} ver="{version}">{content}</{name}></svc_result>'
    )


def result(resid: int) -> str:
    """Write a result with its slogan."""
    return f'<result resid="{resid}">{SLOGANS.get(resid, "VENDOR SPECIFIC")}</result>'


def position(asked: MlpRequest, method: str, content: str, *, msid: str = "") -> str:
    """Write ``pos`` or ``eme_pos`` about the number asked for, or another."""
    name = ANSWERS.get(asked.service, ("slia", "pos"))[1]
    return f'<{name} pos_method="{method}"><msid>{msid or asked.msid}</msid>{content}</{name}>'


def position_error(asked: MlpRequest, resid: int, at: float) -> str:
    """Write a position that is none."""
    return position(asked, "UNKNOWN", f"<poserr>{result(resid)}{time(at)}</poserr>")


def pd(shape: str, at: float, lev_conf: int | None) -> str:
    """Write the position data: time, shape and, if any, the level of confidence in percent."""
    level = "" if lev_conf is None else f"<lev_conf>{lev_conf}</lev_conf>"
    return f"<pd>{time(at)}<shape>{shape}</shape>{level}</pd>"


def time(at: float) -> str:
    """Write seconds since 1970 as Korean time."""
    korean = datetime.fromtimestamp(at, UTC) + timedelta(hours=9)
    return f'<time utc_off="+0900">{korean:%Y%m%d%H%M%S}</time>'


def coord(place: Coord) -> str:
    """Write a place as degrees, minutes, seconds, hemisphere."""
    return f"<coord><X>{_dmsh(place.latitude, 'NS')}</X><Y>{_dmsh(place.longitude, 'EW')}</Y></coord>"


def decimal_coord(place: Coord) -> str:
    """Write a place as decimal degrees."""
    return f"<coord><X>{place.latitude:.6f}</X><Y>{place.longitude:.6f}</Y></coord>"


def _dmsh(degrees: float, hemispheres: str) -> str:
    thousandths = round(abs(degrees) * 3_600_000)
    minutes, rest = divmod(thousandths, 60_000)
    letter = hemispheres[degrees < 0]
    return f"{minutes // 60} {minutes % 60:02d} {rest // 1000:02d}.{rest % 1000:03d}{letter}"


def point(place: Coord) -> str:
    """Write a bare point."""
    return f"<Point {_SRS}>{coord(place)}</Point>"


def circle(place: Coord, radius_m: float) -> str:
    """Write a circle."""
    return f"<CircularArea {_SRS}>{coord(place)}<radius>{radius_m:g}</radius></CircularArea>"


def ellipse(place: Coord, semi_major_m: float, semi_minor_m: float, bearing_deg: int = 30) -> str:
    """Write an ellipse."""
    return (
        f"<EllipticalArea {_SRS}>{coord(place)}<angle>{bearing_deg}</angle>"
        f"<semiMajor>{semi_major_m:g}</semiMajor><semiMinor>{semi_minor_m:g}</semiMinor>"
        "<angularUnit>Degrees</angularUnit></EllipticalArea>"
    )


def arc(place: Coord, radius_m: float) -> str:
    """Write a sector of 120 degrees around a mast two radii south-west of the place, the place in its middle."""
    mast = destination(place, 225, 2 * radius_m)
    return (
        f"<CircularArcArea {_SRS}>{coord(mast)}<inRadius>{radius_m:g}</inRadius>"
        f"<outRadius>{3 * radius_m:g}</outRadius><startAngle>345</startAngle><stopAngle>120</stopAngle>"
        "<angularUnit>Degrees</angularUnit><distanceUnit>meter</distanceUnit></CircularArcArea>"
    )


def polygon(place: Coord, radius_m: float) -> str:
    """Write a square whose corners are at the radius from the place."""
    corners = "".join(coord(destination(place, bearing, radius_m)) for bearing in (45, 135, 225, 315))
    return f"<Polygon {_SRS}><outerBoundaryIs><LinearRing>{corners}</LinearRing></outerBoundaryIs></Polygon>"
