"""PIDF-LO as written, and HELD as read and written."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from telephony.domain.position import Position
from telephony.domain.values import Msisdn
from telephony.psap.pidf_lo import (
    CANNOT_PROVIDE,
    HELD_NAMESPACE,
    LOCATION_UNKNOWN,
    UNSUPPORTED_MESSAGE,
    XML_ERROR,
    HeldError,
    LocationRequest,
    held_error,
    location_response,
    presence,
    read_request,
)

FIXED_AT = datetime(2026, 11, 23, 6, 5, tzinfo=UTC)
NOW = FIXED_AT + timedelta(seconds=20)
CELL = Position(37.5665, 126.9778, 350.0, 67.0, "cell", "lbs:skt", FIXED_AT, FIXED_AT)
CALLER = Msisdn("821000000001")
NS = {
    "p": "urn:ietf:params:xml:ns:pidf",
    "dm": "urn:ietf:params:xml:ns:pidf:data-model",
    "gp": "urn:ietf:params:xml:ns:pidf:geopriv10",
    "gbp": "urn:ietf:params:xml:ns:pidf:geopriv10:basicPolicy",
    "gml": "http://www.opengis.net/gml",
    "gs": "http://www.opengis.net/pidflo/1.0",
    "con": "urn:ietf:params:xml:ns:geopriv:conf",
    "held": HELD_NAMESPACE,
}
PREFIXES = {uri: prefix for prefix, uri in NS.items()}
PAGE = Path(__file__).parents[2] / "docs" / "location-url.md"


def written(
    position=CELL, *, msisdn=CALLER, now=NOW, incident_id="sos-20261123-7k3qwz2m9t", host="onetouch.example"
):
    return presence(position, incident_id=incident_id, host=host, msisdn=msisdn, now=now)


def read(document):
    return etree.fromstring(document)


def text(root, path):
    found = root.findall(f".//{path}", NS)
    assert len(found) <= 1
    return found[0].text if found else None


def outline(element):
    """Names in document order, children in brackets."""
    name = etree.QName(element)
    own = f"{PREFIXES[name.namespace]}:{name.localname}"
    inner = " ".join(outline(child) for child in element)
    return f"{own}({inner})" if inner else own


def test_the_example_of_the_page_is_what_is_written():
    assert written().decode() in PAGE.read_text(encoding="utf-8")


def test_a_circle_is_written_in_the_order_of_the_schemas():
    """RFC 4479: extensions, deviceID, note, timestamp. RFC 4119: location-info, usage-rules, method."""
    assert outline(read(written())) == (
        "p:presence(dm:device("
        "gp:geopriv(gp:location-info(gs:Circle(gml:pos gs:radius) con:confidence)"
        " gp:usage-rules(gbp:retransmission-allowed gbp:retention-expiry) gp:method)"
        " dm:deviceID dm:timestamp))"
    )


def test_the_circle_is_the_one_that_112_knows_from_its_reports_at_95_percent():
    root = read(written())
    assert text(root, "gml:pos") == "37.566500 126.977800"
    assert text(root, "gs:radius") == "576"
    assert root.find(".//gs:radius", NS).get("uom") == "urn:ogc:def:uom:EPSG::9001"
    assert root.find(".//gs:Circle", NS).get("srsName") == "urn:ogc:def:crs:EPSG::4326"
    assert text(root, "con:confidence") == "95"
    assert text(root, "gp:method") == "Cell"
    assert text(root, "gbp:retransmission-allowed") == "true"
    assert text(root, "dm:timestamp") == "2026-11-23T06:05:00Z"


def test_no_coordinate_is_minus_zero():
    root = read(written(replace(CELL, latitude=-0.0000001, longitude=-0.0)))
    assert text(root, "gml:pos") == "0.000000 0.000000"


@pytest.mark.parametrize(
    ("uncertainty", "confidence", "radius"),
    [
        (100.0, 95.0, "100"),
        (100.2, 95.0, "101"),
        (100.0, 99.0, "100"),
        (0.0, 95.0, "1"),
        (1e300, 67.0, "20037508"),
    ],
)
def test_a_radius_is_rounded_up_to_whole_metres_and_never_nothing(uncertainty, confidence, radius):
    root = read(written(replace(CELL, uncertainty_m=uncertainty, confidence=confidence)))
    assert text(root, "gs:radius") == radius


def test_a_bare_point_stays_a_point_without_confidence():
    root = read(written(replace(CELL, uncertainty_m=None, confidence=None)))
    assert outline(root.find(".//gp:location-info", NS)) == "gp:location-info(gml:Point(gml:pos))"


@pytest.mark.parametrize(
    ("method", "token"),
    [("cell", "Cell"), ("gnss", "GNSS"), ("wifi", "802.11"), ("unknown", None), ("<b>", None)],
)
def test_the_method_is_told_in_words_of_the_registry_or_not_at_all(method, token):
    assert text(read(written(replace(CELL, method=method))), "gp:method") == token


def test_the_number_stands_in_the_device_id_alone():
    document = written()
    assert text(read(document), "dm:deviceID") == "tel:+821000000001"
    assert document.count(b"821000000001") == 1
    assert read(document).get("entity") == "pres:sos-20261123-7k3qwz2m9t@onetouch.example"


@pytest.mark.parametrize(
    "msisdn",
    [Msisdn("", is_e164=False), Msisdn("112", is_e164=False), Msisdn("<BANK>", is_e164=False), Msisdn("")],
)
def test_without_a_global_number_it_is_a_person_not_a_device(msisdn):
    """A device without an id is against RFC 4479's schema; a person needs none."""
    root = read(written(msisdn=msisdn))
    assert [etree.QName(child).localname for child in root] == ["person"]
    assert text(root, "dm:deviceID") is None
    assert outline(root[0]).endswith("dm:timestamp)")


def test_a_memory_of_an_earlier_incident_says_so():
    assert text(read(written()), "dm:note") is None
    root = read(written(CELL.as_last_known()))
    assert text(root, "dm:note") == "Last known position, of an earlier incident."
    assert outline(root).endswith("dm:deviceID dm:note dm:timestamp))")


@pytest.mark.parametrize(
    ("age", "until"),
    [
        (timedelta(seconds=20), "2026-11-24T06:05:00Z"),
        (timedelta(hours=23), "2026-11-24T06:05:00Z"),
        (timedelta(hours=30), "2026-11-24T13:05:00Z"),
    ],
)
def test_it_may_be_kept_for_a_day_after_the_fix_and_an_hour_after_the_asking(age, until):
    assert text(read(written(now=FIXED_AT + age)), "gbp:retention-expiry") == until


def test_a_clock_at_either_end_of_the_calendar_costs_no_position():
    for moment in (datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)):
        root = read(written(replace(CELL, fixed_at=moment), now=moment))
        assert text(root, "dm:timestamp") == moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def test_no_name_of_ours_can_break_the_document():
    root = read(written(incident_id='a"b<c>&/@', host='x"<&>y:8443'))
    assert root.get("entity") == "pres:a%22b%3Cc%3E%26%2F%40@x%22%3C%26%3Ey:8443"


MOMENTS = st.datetimes(timezones=st.just(UTC))
POSITIONS = st.builds(
    Position,
    # Exactly 0,0 is no position.
    st.floats(-90, 90).filter(bool),
    st.floats(-180, 180),
    st.none() | st.floats(0, allow_infinity=False),
    st.none() | st.floats(0.01, 100),
    st.text(),
    st.text(),
    MOMENTS,
    MOMENTS,
)


@given(POSITIONS, MOMENTS)
def test_every_position_there_can_be_is_written(position, now):
    root = read(written(position, now=now))
    latitude, longitude = (float(part) for part in text(root, "gml:pos").split())
    assert abs(latitude - position.latitude) < 1e-6
    assert abs(longitude - position.longitude) < 1e-6
    assert (root.find(".//gs:Circle", NS) is None) == (position.uncertainty_m is None)


def test_held_wraps_the_very_same_document():
    root = read(location_response(CELL, incident_id="i", host="h", msisdn=CALLER, now=NOW))
    assert root.tag == f"{{{HELD_NAMESPACE}}}locationResponse"
    (inner,) = root
    alone = read(presence(CELL, incident_id="i", host="h", msisdn=CALLER, now=NOW))
    assert outline(inner) == outline(alone)
    assert inner.get("entity") == alone.get("entity")
    assert [one.text for one in inner.iter()] == [one.text for one in alone.iter()]


@pytest.mark.parametrize("error", [LOCATION_UNKNOWN, XML_ERROR, UNSUPPORTED_MESSAGE, CANNOT_PROVIDE])
def test_an_error_of_held_has_its_code_and_a_sentence(error):
    root = read(held_error(error))
    assert (root.tag, root.get("code")) == (f"{{{HELD_NAMESPACE}}}error", error.code)
    (message,) = root
    assert (message.tag, message.text) == (f"{{{HELD_NAMESPACE}}}message", error.message)
    assert message.get("{http://www.w3.org/XML/1998/namespace}lang") == "en"


ANYTHING = LocationRequest()
REQUESTS = [
    ("", ANYTHING),
    ("<locationType/>", ANYTHING),
    ("<locationType> </locationType>", ANYTHING),
    (
        '<locationType exact="true">geodetic</locationType>',
        LocationRequest(frozenset({"geodetic"}), is_exact=True),
    ),
    ('<locationType exact="1">any</locationType>', LocationRequest(frozenset({"any"}), is_exact=True)),
    (
        '<locationType exact="false">\n civic\n locationURI\n</locationType>',
        LocationRequest(frozenset({"civic", "locationURI"})),
    ),
    ("<locationType>civic</locationType>", LocationRequest(frozenset({"civic"}))),
    (
        '<locationType exact="true">civic geodetic</locationType>',
        LocationRequest(frozenset({"civic", "geodetic"}), is_exact=True),
    ),
    ('<locationType exact="true">civic</locationType>', CANNOT_PROVIDE),
    ('<locationType exact="true">locationURI</locationType>', CANNOT_PROVIDE),
    ('<device xmlns="urn:ietf:params:xml:ns:geopriv:held:id"><uri>tel:+821</uri></device>', ANYTHING),
]


@pytest.mark.parametrize(("inside", "expected"), REQUESTS)
def test_a_location_request_is_read(inside, expected):
    plain = f'<locationRequest xmlns="{HELD_NAMESPACE}" responseTime="emergencyDispatch">{inside}</locationRequest>'
    assert read_request(plain.encode()) == expected
    assert read_request(b'<?xml version="1.0" encoding="UTF-8"?>\n' + plain.encode()) == expected


def test_prefixes_are_the_senders_own_business():
    body = (
        f'<h:locationRequest xmlns:h="{HELD_NAMESPACE}"><h:locationType exact="true">civic</h:locationType>'
        "</h:locationRequest>"
    )
    assert read_request(body.encode()) == CANNOT_PROVIDE


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", XML_ERROR),
        (b"location please", XML_ERROR),
        (b"<locationRequest>", XML_ERROR),
        (b"<locationRequest/><locationRequest/>", XML_ERROR),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><locationRequest>&a;</locationRequest>', XML_ERROR),
        (b"<a>" * 100 + b"</a>" * 100, XML_ERROR),
        (b"\xff\xfe<\x00", XML_ERROR),
        (b"<locationResponse/>", UNSUPPORTED_MESSAGE),
        (b"<createContext xmlns='urn:ietf:params:xml:ns:geopriv:held:context'/>", UNSUPPORTED_MESSAGE),
    ],
)
def test_anything_else_is_answered_with_the_error_it_deserves(body, error):
    assert read_request(body) == error


@given(st.binary(max_size=300))
def test_any_octets_are_a_request_or_an_error(body):
    assert isinstance(read_request(body), LocationRequest | HeldError)


def test_a_damaged_request_is_a_request_or_an_error():
    rng = random.Random(5985)
    whole = (
        f'<?xml version="1.0" encoding="UTF-8"?><locationRequest xmlns="{HELD_NAMESPACE}" responseTime="8">'
        '<locationType exact="true">geodetic civic</locationType></locationRequest>'
    ).encode()
    for _ in range(2_000):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(damaged))
            damaged[at : at + rng.randint(0, 3)] = rng.randbytes(rng.randint(0, 3))
        assert isinstance(read_request(bytes(damaged)), LocationRequest | HeldError)
