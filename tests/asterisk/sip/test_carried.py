"""Where an INVITE says that the phone is: PIDF-LO of every shape, references, cells."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime, timedelta

import pytest

from telephony.asterisk.sip import pidf_lo_reading
from telephony.asterisk.sip.carried import SOURCE, cell, of_headers, of_invite
from telephony.asterisk.sip.message import read
from telephony.domain.facts import NOTHING_SAID, SaidByInvite
from telephony.domain.position import Position
from telephony.domain.values import Msisdn
from telephony.psap.pidf_lo import presence
from tests.asterisk.hep_datagrams import sip

NOW = datetime(2026, 11, 23, 1, 45, tzinfo=UTC)
WGS_84 = 'srsName="urn:ogc:def:crs:EPSG::4326"'
SEED = int(os.environ.get("ONETOUCH_FUZZ_SEED", "20110419"))

DOCUMENT = """<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"
  xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10" xmlns:gml="http://www.opengis.net/gml"
  xmlns:gs="http://www.opengis.net/pidflo/1.0" xmlns:con="urn:ietf:params:xml:ns:geopriv:conf"
  entity="pres:phone@ims.example">
<dm:device id="d"><gp:geopriv><gp:location-info>{shape}</gp:location-info><gp:usage-rules/>
<gp:method>{method}</gp:method></gp:geopriv><dm:timestamp>{time}</dm:timestamp></dm:device></presence>"""
CIRCLE = (
    f"<gs:Circle {WGS_84}><gml:pos>37.5665 126.978</gml:pos>"
    '<gs:radius uom="urn:ogc:def:uom:EPSG::9001">150</gs:radius></gs:Circle>'
)


def document(shape=CIRCLE, method="Cell", time="2026-11-23T10:44:30+09:00"):
    return DOCUMENT.format(shape=shape, method=method, time=time).encode()


def place(**how):
    return pidf_lo_reading.read(document(**how), source=SOURCE, now=NOW)


def test_a_circle_is_a_position_with_its_time_method_and_confidence():
    assert place() == Position(
        37.5665, 126.978, 150.0, 95.0, "cell", SOURCE, NOW - timedelta(seconds=30), NOW
    )


@pytest.mark.parametrize(
    ("shape", "latitude", "longitude", "radius", "confidence"),
    [
        (f"<gml:Point {WGS_84}><gml:pos>37.5 127.0</gml:pos></gml:Point>", 37.5, 127.0, None, None),
        ("<gml:Point><gml:pos>37.5 127.0 48.5</gml:pos></gml:Point>", 37.5, 127.0, None, None),
        (
            (f"<gs:Ellipse {WGS_84}><gml:pos>37.5 127</gml:pos><gs:semiMajorAxis>80</gs:semiMajorAxis>"
            "<gs:semiMinorAxis>20</gs:semiMinorAxis><gs:orientation>43</gs:orientation></gs:Ellipse>"
            '<con:confidence pdf="normal">68</con:confidence>'), 37.5, 127.0, 80.0, 68.0,
        ),
        (
            (f"<gs:ArcBand {WGS_84}><gml:pos>37.5 127</gml:pos><gs:innerRadius>500</gs:innerRadius>"
            "<gs:outerRadius>1100</gs:outerRadius><gs:startAngle>0</gs:startAngle></gs:ArcBand>"
            "<con:confidence>unknown</con:confidence>"), 37.5, 127.0, 1100.0, None,
        ),
        (
            ('<gs:Sphere srsName="urn:ogc:def:crs:EPSG::4979"><gml:pos>37.5 127 26.3</gml:pos>'
            "<gs:radius>850.24</gs:radius></gs:Sphere>"), 37.5, 127.0, 850.24, 95.0,
        ),
    ],
    ids=["point", "point-with-height", "ellipse", "arc-band", "sphere"],
)  # fmt: skip
def test_every_shape_becomes_a_circle_that_holds_it(shape, latitude, longitude, radius, confidence):
    found = place(shape=shape)

    assert (found.latitude, found.longitude, found.uncertainty_m, found.confidence) == (
        latitude, longitude, radius, confidence,
    )  # fmt: skip


@pytest.mark.parametrize(
    "ring",
    [
        "".join(f"<gml:pos>{each}</gml:pos>" for each in ("37.50 127.00", "37.50 127.02", "37.52 127.02", "37.52 127.00")),
        "<gml:posList>37.50 127.00 37.50 127.02 37.52 127.02 37.52 127.00</gml:posList>",
        "<gml:posList>37.50 127.00 9 37.50 127.02 9 37.52 127.02 9 37.52 127.00 9</gml:posList>",
    ],
    ids=["pos", "posList", "posList-with-heights"],
)  # fmt: skip
def test_a_polygon_becomes_the_circle_around_its_corners(ring):
    shape = f"<gml:Polygon {WGS_84}><gml:exterior><gml:LinearRing>{ring}</gml:LinearRing></gml:exterior></gml:Polygon>"

    if " 9 " in ring:
        shape = shape.replace("EPSG::4326", "EPSG::4979")

    found = place(shape=shape)

    assert (round(found.latitude, 4), round(found.longitude, 4)) == (37.51, 127.01)
    assert 1_410 < found.uncertainty_m < 1_425


@pytest.mark.parametrize(
    ("said", "ours"),
    [
        ("GPS", "gnss"),
        ("A-GPS", "gnss"),
        ("802.11", "wifi"),
        ("Device-Assisted_A-GPS", "gnss"),
        ("Magic", "unknown"),
    ],
)
def test_the_method_is_told_in_our_words(said, ours):
    assert place(method=said).method == ours


@pytest.mark.parametrize(
    "time",
    ["2026-11-23T10:44:30", "yesterday", "", "2026-11-23T11:00:00+09:00", "2020-01-01T00:00:00Z"],
    ids=["no-offset", "words", "none", "in-the-future", "years-ago"],
)
def test_a_time_that_cannot_be_believed_is_none(time):
    assert place(time=time).fixed_at is None


@pytest.mark.parametrize(
    "shape",
    [
        CIRCLE.replace("4326", "3857"),
        CIRCLE.replace("37.5665 126.978", "126.978 37.5665"),
        CIRCLE.replace("37.5665 126.978", "0 0"),
        CIRCLE.replace("37.5665 126.978", "nan nan"),
        CIRCLE.replace(">150<", ">near<"),
        CIRCLE.replace(">150<", ">-1<"),
        f"<gml:Polygon {WGS_84}><gml:posList>37 127 38 127</gml:posList></gml:Polygon>",
        "<ca:civicAddress xmlns:ca='urn:x'><ca:country>KR</ca:country></ca:civicAddress>",
    ],
    ids=range(8),
)
def test_what_is_no_place_is_passed_over_and_the_next_one_counts(shape):
    assert place(shape=shape) is None
    assert place(shape=shape + CIRCLE).uncertainty_m == 150.0


@pytest.mark.parametrize(
    "body", [b"", b"<presence", b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", b"<a>" * 100, b"\0" * 70_000]
)
def test_what_is_no_document_is_no_place(body):
    assert pidf_lo_reading.read(body, source=SOURCE, now=NOW) is None


def test_what_we_write_ourselves_is_read_again():
    own = Position(35.1796, 129.0756, 40.0, 95.0, "gnss", "lbs:skt", NOW - timedelta(seconds=9), NOW)

    found = pidf_lo_reading.read(
        presence(own, incident_id="sos-1", host="112.example", msisdn=Msisdn("821012345678"), now=NOW),
        source="lbs:skt",
        now=NOW,
    )

    assert found == own


def test_no_mutation_of_a_document_raises():
    chance = random.Random(SEED)
    for _ in range(1_500):
        octets = bytearray(document())
        for _ in range(chance.randint(1, 5)):
            where = chance.randrange(len(octets))
            octets[where : where + chance.randint(0, 6)] = chance.choice(
                [b"9", b"<", b"", b"-1e999", b"\xff"]
            )
        pidf_lo_reading.read(bytes(octets), source=SOURCE, now=NOW)


@pytest.mark.parametrize(
    ("access", "told"),
    [
        ("3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=450051A2B0123456", "450-05-1A2B-0123456"),
        ("3GPP-E-UTRAN-TDD; utran-cell-id-3gpp=4500081A2b0123456;network-provided", "450-008-1A2B-0123456"),
        ('3GPP-UTRAN-FDD;utran-cell-id-3gpp="450080001000ABCD"', "450-08-0001-000ABCD"),
        ("3GPP-GERAN;cgi-3gpp=4500500010A1B", "450-05-0001-0A1B"),
        ("3GPP-NR-FDD;utran-cell-id-3gpp=45005001A2B012345678", "450-05-001A2B-012345678"),
        ("3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=45005", "45005"),
        ("IEEE-802.11;i-wlan-node-id=ffeeddccbbaa", ""),
        ("", ""),
    ],
)
def test_a_cell_is_told_by_its_parts_and_as_it_came_where_it_has_another_length(access, told):
    assert cell(access) == told


def test_headers_become_texts_of_a_fact_and_nothing_that_is_no_reference_is_one():
    told = of_headers(
        ["IEEE-802.11", "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=450051A2B0123456"],
        [
            "<cid:target123@ims.example>",
            "<https://ls.ims.example/lo/8f3>;par=1",
            "<javascript:1>",
            "https://bare.example",
        ],
        ["<urn:emergency:uid:callid:1:ims.example>;purpose=emergency-CallId"],
    )

    assert told == SaidByInvite(
        cell="450-05-1A2B-0123456",
        access="3GPP-E-UTRAN-FDD",
        geolocation="https://ls.ims.example/lo/8f3",
        call_info="<urn:emergency:uid:callid:1:ims.example>;purpose=emergency-CallId",
    )
    assert of_headers([], [], []) == NOTHING_SAID


def test_an_invite_tells_its_place_by_value_and_what_it_refers_to():
    body = (
        b"--b1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n"
        b"--b1\r\nContent-Type: application/pidf+xml\r\nContent-ID: <t@x>\r\n\r\n"
        + document()
        + b"\r\n--b1--\r\n"
    )
    invite = read(
        sip(
            "INVITE sip:112@x SIP/2.0",
            "Content-Type: multipart/mixed;boundary=b1",
            "Geolocation: <cid:t@x>, <https://ls.example/1>",
            body=body,
        )
    )

    carried = of_invite(invite, NOW)

    assert carried.position.uncertainty_m == 150.0
    assert carried.said == SaidByInvite(geolocation="https://ls.example/1")
    assert not of_invite(read(sip()), NOW)
