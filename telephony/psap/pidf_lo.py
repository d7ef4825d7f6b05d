"""Writes a position as PIDF-LO (RFC 4119, 5491, 7459), reads HELD requests and writes their answers (RFC 5985, 6753).

Values in, bytes out. A question is read by element names, not by place; requests beyond the position (civic
addresses, further URIs) are not served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from urllib.parse import quote

from telephony.domain.errors import Malformed
from telephony.domain.position import REPORT_CONFIDENCE, Position
from telephony.domain.values import Msisdn
from telephony.net.xml.hardened import Element, parse
from telephony.psap.wording import radius_m

PIDF_TYPE = "application/pidf+xml"
HELD_TYPE = "application/held+xml"

HELD_NAMESPACE = "urn:ietf:params:xml:ns:geopriv:held"

METHODS: Mapping[str, str] = MappingProxyType({"cell": "Cell", "gnss": "GNSS", "wifi": "802.11"})
"""Our words for how a position was found, and IANA's (registry "Method Tokens"). No element for any other."""

SMALLEST_RADIUS_M = 1
"""A circle has a size (RFC 5491 clause 5.2.3), and no phone is known better than this."""

KEPT_FOR = timedelta(hours=24)
"""RFC 4119 clause 2.2.2 grants this time to who is told none. The next day the place of a call says nothing about the
person; what the centre must keep of its case, it keeps under its own law."""
KEPT_AT_LEAST = timedelta(hours=1)
"""A fix of yesterday may be all there is: the recipient has only just asked, and must be allowed to use it."""

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_POINT_OF_TIME_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LocationRequest:
    """A HELD locationRequest. ``types`` are the kinds of location asked for, ``any`` where none is named.

    ``is_exact`` says that no other kind will do (RFC 5985 clause 6.2).
    """

    types: frozenset[str] = frozenset({"any"})
    is_exact: bool = False

    @property
    def takes_coordinates(self) -> bool:
        """Whether a position in coordinates answers it."""
        return not self.is_exact or not self.types.isdisjoint({"any", "geodetic"})


@dataclass(frozen=True, slots=True)
class HeldError:
    """Why there is no location: a code of RFC 5985 clause 6.3 and a sentence for people."""

    code: str
    message: str


LOCATION_UNKNOWN = HeldError("locationUnknown", "No position is known yet. Ask again in a few seconds.")
XML_ERROR = HeldError("xmlError", "The request is no XML that is read here.")
UNSUPPORTED_MESSAGE = HeldError("unsupportedMessage", "Only a locationRequest is answered here.")
CANNOT_PROVIDE = HeldError("cannotProvideLiType", "Only coordinates are to be had here.")


def presence(position: Position, *, incident_id: str, host: str, msisdn: Msisdn, now: datetime) -> bytes:
    """Write a position as a PIDF-LO document in UTF-8.

    ``host`` says who we are, domain-like; ``now`` (UTC) is when it was asked for. The presentity is the incident: the
    caller's number stands in ``dm:deviceID`` alone.
    """
    return (_DECLARATION + _presence(position, incident_id, host, msisdn, now)).encode()


def location_response(
    position: Position, *, incident_id: str, host: str, msisdn: Msisdn, now: datetime
) -> bytes:
    """Write a position as HELD's locationResponse: the document of `presence`, in an envelope."""
    return (
        f'{_DECLARATION}<locationResponse xmlns="{HELD_NAMESPACE}">\n'
        f"{_presence(position, incident_id, host, msisdn, now)}"
        "</locationResponse>\n"
    ).encode()


def held_error(error: HeldError) -> bytes:
    """Write HELD's error document."""
    return (
        f'{_DECLARATION}<error xmlns="{HELD_NAMESPACE}" code="{error.code}">\n'
        f'<message xml:lang="en">{error.message}</message>\n'
        "</error>\n"
    ).encode()


def read_request(body: bytes) -> LocationRequest | HeldError:
    """Read the body of a HELD request. Total: what cannot be answered gives the error to answer with."""
    try:
        root = parse(body)
    except Malformed:
        return XML_ERROR
    if root.name != "locationRequest":
        return UNSUPPORTED_MESSAGE
    request = _location_request(root)
    return request if request.takes_coordinates else CANNOT_PROVIDE


def _location_request(root: Element) -> LocationRequest:
    asked = root.first("locationType")
    if asked is None or not asked.text.strip():
        return LocationRequest()
    # xs:boolean has two words for yes.
    is_exact = asked.attributes.get("exact", "").strip() in ("true", "1")
    return LocationRequest(frozenset(asked.text.split()), is_exact)


def _presence(position: Position, incident_id: str, host: str, msisdn: Msisdn, now: datetime) -> str:
    return (
        '<presence xmlns="urn:ietf:params:xml:ns:pidf"\n'
        '    xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"\n'
        '    xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10"\n'
        '    xmlns:gbp="urn:ietf:params:xml:ns:pidf:geopriv10:basicPolicy"\n'
        '    xmlns:gml="http://www.opengis.net/gml"\n'
        '    xmlns:gs="http://www.opengis.net/pidflo/1.0"\n'
        '    xmlns:con="urn:ietf:params:xml:ns:geopriv:conf"\n'
        f'    entity="pres:{quote(incident_id, safe="")}@{quote(host, safe=":[]")}">\n'
        f"{_whose(position, msisdn, now)}"
        "</presence>\n"
    )


def _whose(position: Position, msisdn: Msisdn, now: datetime) -> str:
    """Return the phone with its place; where the phone has no global number, the person.

    A device must have an id (RFC 4479, schema), and a withheld number is none.
    """
    geopriv = _geopriv(position, now)
    note = ""
    if position.is_memory:
        note = '<dm:note xml:lang="en">Last known position, of an earlier incident.</dm:note>\n'
    timestamp = ""
    if position.fixed_at is not None:
        timestamp = f"<dm:timestamp>{_time(position.fixed_at)}</dm:timestamp>\n"
    if msisdn.is_e164 and not msisdn.is_withheld:
        device_id = f"<dm:deviceID>tel:+{msisdn.number}</dm:deviceID>\n"
        return f'<dm:device id="phone">\n{geopriv}{device_id}{note}{timestamp}</dm:device>\n'
    return f'<dm:person id="caller">\n{geopriv}{note}{timestamp}</dm:person>\n'


def _geopriv(position: Position, now: datetime) -> str:
    method = ""
    if position.method in METHODS:
        method = f"<gp:method>{METHODS[position.method]}</gp:method>\n"
    return (
        "<gp:geopriv>\n"
        f"<gp:location-info>\n{_shape(position)}</gp:location-info>\n"
        "<gp:usage-rules>\n"
        # The centre hands it on to the cars that drive there.
        "<gbp:retransmission-allowed>true</gbp:retransmission-allowed>\n"
        f"<gbp:retention-expiry>{_time(_kept_until(position, now))}</gbp:retention-expiry>\n"
        "</gp:usage-rules>\n"
        f"{method}"
        "</gp:geopriv>\n"
    )


def _shape(position: Position) -> str:
    """Return the circle at `REPORT_CONFIDENCE`; a bare point stays one: its accuracy is unknown, and that is said so."""
    pos = f"<gml:pos>{position.latitude:z.6f} {position.longitude:z.6f}</gml:pos>\n"
    if position.uncertainty_m is None:
        return f'<gml:Point srsName="urn:ogc:def:crs:EPSG::4326">\n{pos}</gml:Point>\n'
    radius = max(radius_m(position), SMALLEST_RADIUS_M)
    return (
        f'<gs:Circle srsName="urn:ogc:def:crs:EPSG::4326">\n{pos}'
        f'<gs:radius uom="urn:ogc:def:uom:EPSG::9001">{radius}</gs:radius>\n</gs:Circle>\n'
        # Stated although absence means 95 (RFC 7459): the reader need not know that.
        f'<con:confidence pdf="unknown">{REPORT_CONFIDENCE:g}</con:confidence>\n'
    )


def _kept_until(position: Position, now: datetime) -> datetime:
    return max(_after(position.fixed_at or position.received_at, KEPT_FOR), _after(now, KEPT_AT_LEAST))


def _after(moment: datetime, span: timedelta) -> datetime:
    """Return a later time; at the end of the calendar its last one: no clock may cost a position."""
    try:
        return moment + span
    except OverflowError:
        return _POINT_OF_TIME_LAST


def _time(moment: datetime) -> str:
    """Write a UTC time as xs:dateTime, in whole seconds."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
