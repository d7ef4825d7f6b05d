"""What we ask is what the DTD allows; what we read is what servers send."""

from __future__ import annotations

import itertools
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from lxml import etree

from telephony.domain.errors import Malformed
from telephony.domain.position import Position
from telephony.domain.values import Msisdn
from telephony.lbs.mlp import Answer, Question, Result, decode_answer, encode_request
from telephony.lbs.settings import MlpSettings
from telephony.net.xml.hardened import MAX_DEPTH, MAX_ELEMENTS, MAX_OCTETS

CALLER = Msisdn("821000000001")
RECEIVED = datetime(2026, 11, 23, 6, 5, 30, tzinfo=UTC)
FIXED = datetime(2026, 11, 23, 6, 5, tzinfo=UTC)
FAST = Question("eme_lir", "LOW_DELAY", 4, 500, "CURRENT_OR_LAST")
VERSIONS = ["3.0.0", "3.1.0", "3.2.0", "3.3.0", "3.4.0", "3.5.0"]
DOCS = Path(__file__).parents[2] / "docs" / "mlp.md"


def request(question=FAST, *, password="secret", msisdn=CALLER, **settings):
    table = MlpSettings(url="http://lbs.example/", client_id="sosrelay", **settings)
    return encode_request(msisdn, question, settings=table, password=password)


def read(body, msisdn=CALLER, received_at=RECEIVED) -> Answer:
    body = body if isinstance(body, bytes) else body.encode()
    return decode_answer(
        body, msisdn=msisdn, source="lbs:skt", assumed_confidence=67.0, received_at=received_at
    )


COORD = "<coord><X>37 33 59.400N</X><Y>126 58 40.080E</Y></coord>"
CIRCLE = f"<CircularArea>{COORD}<radius>350</radius></CircularArea>"
TIME = '<time utc_off="+0900">20261123150500</time>'


def pos(
    shape=CIRCLE, *, time=TIME, msid="<msid>821000000001</msid>", level="<lev_conf>90</lev_conf>", attrs=""
):
    return f"<pos {attrs}>{msid}<pd>{time}<shape>{shape}</shape>{level}</pd></pos>"


def slia(content):
    return f'<svc_result ver="3.2.0"><slia ver="3.2.0">{content}</slia></svc_result>'


def only(answer) -> Position:
    assert len(answer.positions) == 1, answer
    return answer.positions[0]


# What we ask


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("service", ["eme_lir", "slir"])
def test_every_request_fits_the_dtd(dtd, version, service):
    for resp_req, accuracy, loc_type, is_bare, mode in itertools.product(
        ("LOW_DELAY", "DELAY_TOL"),
        (None, 50),
        ("CURRENT", "LAST", "CURRENT_OR_LAST"),
        (False, True),
        (None, "ACTIVE", "PASSIVE"),
    ):
        question = Question(service, resp_req, 5, accuracy, loc_type, is_bare)
        for more in ({}, {"serviceid": "0112"}):
            for password in (None, "p&<>"):
                document = request(question, password=password, version=version, requestmode=mode, **more)
                assert dtd.validate(etree.fromstring(document)), dtd.error_log.filter_from_errors()


def test_the_dtd_check_notices_an_element_out_of_order(dtd):
    swapped = request().replace(b"<eqop>", b"<loc_type/><eqop>")
    assert not dtd.validate(etree.fromstring(swapped))


def test_an_emergency_request_never_has_a_priority_and_a_standard_one_has_the_high_one():
    assert b"<prio" not in request()
    standard = request(Question("slir", "LOW_DELAY", 4, 500, "CURRENT_OR_LAST"))
    assert b'<prio type="HIGH"/>' in standard
    assert b"eme_lir" not in standard


def test_the_quality_class_is_left_out_where_the_version_does_not_know_it():
    assert b"qos_class" not in request(version="3.1.0")
    assert b'qos_class="BEST_EFFORT"' in request(version="3.2.0")


def test_a_bare_request_has_nothing_that_can_be_done_without():
    bare = etree.fromstring(request(Question("eme_lir", "LOW_DELAY", 4, 500, "LAST", is_bare=True)))
    assert [element.tag for element in bare.iter()] == (
        ["svc_init", "hdr", "client", "id", "pwd", "eme_lir", "msids", "msid", "eqop", "resp_req"]
    )


def test_the_number_is_written_as_the_carrier_wants_it():
    assert b">821000000001<" in request()
    assert b">01000000001<" in request(msisdn_form="national")
    assert b">46701234567<" in request(msisdn=Msisdn("46701234567"), msisdn_form="national")


def test_a_password_that_xml_cannot_carry_is_a_fault_of_ours_with_a_name():
    with pytest.raises(Malformed, match="XML cannot carry"):
        request(password="\x00")


def test_the_documented_request_is_the_one_we_send():
    documented = re.search(r"<!-- request -->\n```xml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert documented is not None
    assert documented[1].strip() == request(serviceid="0112", password="example-only").decode().strip()


# What we read


def test_a_circle_with_its_confidence_method_and_time():
    answer = read(slia(pos(attrs='pos_method="CELL"')))
    assert only(answer) == Position(
        latitude=37.5665,
        longitude=126.9778,
        uncertainty_m=350.0,
        confidence=90.0,
        method="cell",
        source="lbs:skt",
        fixed_at=FIXED,
        received_at=RECEIVED,
    )
    assert not answer.results
    assert not answer.faults


@pytest.mark.parametrize(
    ("said", "method"),
    [
        ("CELL", "cell"),
        ("E-CID", "cell"),
        ("UL-AoA", "cell"),
        ("NR_MULTI_RTT", "cell"),
        ("CELLID+TA", "cell"),
        ("기지국", "cell"),
        ("NavIC", "gnss"),
        ("BDS", "gnss"),
        ("UE_BASED_AGNSS", "gnss"),
        ("Wi-Fi RTT", "wifi"),
        ("BAROMETRIC_PRESSURE", "unknown"),
        ("OTDOA", "cell"),
        ("GPS", "gnss"),
        ("A-GPS", "gnss"),
        ("A-GNSS", "gnss"),
        ("a-gnss", "gnss"),
        ("WLAN", "wifi"),
        ("BT", "bluetooth"),
        ("CELLID", "cell"),
        ("CELL_ID", "cell"),
        ("Cell-ID", "cell"),
        ("CGI", "cell"),
        ("CITA", "cell"),
        ("E_CID", "cell"),
        ("AGPS", "gnss"),
        ("A_GPS", "gnss"),
        ("ASSISTED GPS", "gnss"),
        ("WPS", "wifi"),
        ("Wi-Fi", "wifi"),
        ("BLE", "bluetooth"),
        ("UNKNOWN", "unknown"),
        ("HYBRID", "unknown"),
        ("A-GPS CELL", "unknown"),
        ("MAGIC", "unknown"),
    ],
)
def test_the_method_is_told_in_our_words(said, method):
    assert only(read(slia(pos(attrs=f'pos_method="{said}"')))).method == method


@pytest.mark.parametrize(
    "level", ["", "<lev_conf>0</lev_conf>", "<lev_conf>many</lev_conf>", "<lev_conf>101</lev_conf>"]
)
def test_where_no_confidence_is_stated_the_profile_says_it(level):
    assert only(read(slia(pos(level=level)))).confidence == 67.0


def test_confidence_is_read_wherever_it_stands():
    assert only(read(slia(pos(level="<qos_not_met/><lev_conf>85.5</lev_conf>")))).confidence == 85.5


@pytest.mark.parametrize(
    ("level", "percent"),
    [
        ("67,5", 67.5),
        ("0.67", 67.0),
        ("0,67", 67.0),
        (".9", 90.0),
        ("67 %", 67.0),
        ("67%", 67.0),
        ("1", 1.0),
        ("100", 100.0),
        ("127", 67.0),
        ("-5", 67.0),
    ],
)
def test_confidence_is_a_percentage_or_a_fraction(level, percent):
    assert only(read(slia(pos(level=f"<lev_conf>{level}</lev_conf>")))).confidence == pytest.approx(percent)


def circle(radius, unit=""):
    return f"<CircularArea>{COORD}<radius>{radius}</radius>{unit and f'<distanceUnit>{unit}</distanceUnit>'}</CircularArea>"


SHAPES = {
    circle("+350"): 350,
    circle("350 m"): 350,
    circle("350m", "meter"): 350,
    circle("350,5"): 350.5,
    circle("0,350", "km"): 350,
    circle("2", "kilometer"): 2000,
    circle("2 km"): 2000,
    circle("1000", "feet"): 304.8,
    circle("350", " METER "): 350,
    circle("1806627.4999999999"): 1_806_627.5,
    # The place is still what the network says; its size is not known.
    circle("1,000"): None,
    circle("2 km", "meter"): None,
    circle("5", "furlong"): None,
    circle("5000001"): None,
    circle("9999999"): None,
    circle("350\ufffd"): None,
    circle("3<b/>50"): None,
    f"<EllipticalArea>{COORD}<semiMajor>15</semiMajor><semiMinor>40</semiMinor></EllipticalArea>": 40,
    f"<EllipticalArea>{COORD}<semiMajor>0</semiMajor><semiMinor>0</semiMinor></EllipticalArea>": None,
    f"<CircularArcArea>{COORD}<inRadius>0</inRadius><outRadius>1000</outRadius><startAngle>60</startAngle></CircularArcArea>": 1000,
    f"<CircularArcArea>{COORD}<inRadius>280</inRadius></CircularArcArea>": None,
    f"<Point>{COORD}</Point>": None,
    f"<CircularArea>{COORD}</CircularArea>": None,
    f"<CircularArea>{COORD}<radius>NaN</radius></CircularArea>": None,
    f"<CircularArea>{COORD}<radius>-5</radius></CircularArea>": None,
    f"<CircularArea>{COORD}<radius>0</radius></CircularArea>": None,
    f"<CircularArea><radius>57.3</radius>{COORD}</CircularArea>": 57.3,
    f"<CircularArea>{COORD}<radius>1.0E3</radius></CircularArea>": 1000,
    f"<CircularArea>{COORD}<radius>3937</radius><distanceUnit>surveyfoot</distanceUnit></CircularArea>": 1200,
    f"<CircularArea>{COORD}<radius>5</radius><distanceUnit>Meter</distanceUnit></CircularArea>": 5,
    f"<CircularArea>{COORD}<angle>3</angle><semiMajor>40</semiMajor><semiMinor>15</semiMinor></CircularArea>": 40,
    f"<EllipticalArea>{COORD}<angle>3</angle><semiMajor>40</semiMajor><semiMinor>15</semiMinor></EllipticalArea>": 40,
    f"<EllipticalArea>{COORD}<semiMajor>40</semiMajor></EllipticalArea>": 40,
    f"<EllipticalArea>{COORD}<radius>70</radius></EllipticalArea>": 70,
    f"<EllipticalArea>{COORD}<semiMinor>15</semiMinor></EllipticalArea>": None,
    f"<CircularArcArea>{COORD}<outRadius>830</outRadius></CircularArcArea>": 830,
    f"<CircularArcArea>{COORD}<inRadius>280</inRadius><outRadius>830</outRadius>"
    "<startAngle>40</startAngle><stopAngle>360</stopAngle></CircularArcArea>": 830,
    f"<LineString>{COORD}{COORD}</LineString>": None,
    f"<LinearRing>{COORD}{COORD}{COORD}</LinearRing>": None,
    f"<MultiPoint><Point>{COORD}</Point></MultiPoint>": None,
    f"<MultiLineString><LineString>{COORD}{COORD}</LineString></MultiLineString>": None,
    f"<MultiPolygon>{CIRCLE}{CIRCLE}</MultiPolygon>": 350,
    f"<MultiPolygon><polygonMember>{CIRCLE}</polygonMember><CircularArea>{COORD}</CircularArea></MultiPolygon>": 350,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_around_its_centre_becomes_a_circle(shape):
    position = only(read(slia(pos(shape))))
    assert position.uncertainty_m == (None if SHAPES[shape] is None else pytest.approx(SHAPES[shape]))
    assert (position.latitude, position.longitude) == (pytest.approx(37.5665), pytest.approx(126.9778))
    assert (position.confidence is None) == (position.uncertainty_m is None)


@pytest.mark.parametrize("unit", ["Degrees", "Radians", ""])
def test_the_coordinate_of_an_arc_is_its_mast_and_the_stop_angle_is_no_bearing(unit):
    start, stop = ("0.6981317", "2.0943951") if unit == "Radians" else ("40", "120")
    position = only(
        read(
            slia(
                pos(
                    f"<CircularArcArea>{COORD}<inRadius>280</inRadius><outRadius>830</outRadius>"
                    f"<startAngle>{start}</startAngle><stopAngle>{stop}</stopAngle>"
                    f"<angularUnit>{unit}</angularUnit></CircularArcArea>"
                )
            )
        )
    )
    assert position.uncertainty_m == pytest.approx(718.8, abs=0.1)
    # 415 m from the mast on the bearing 100: mostly east, a little south
    assert (position.longitude - 126.9778) * 88_400 == pytest.approx(408.7, abs=2)
    assert (position.latitude - 37.5665) * 111_000 == pytest.approx(-72.1, abs=2)


def arc(inner, outer, start, stop):
    named = {"inRadius": inner, "outRadius": outer, "startAngle": start, "stopAngle": stop}
    values = "".join(f"<{name}>{value}</{name}>" for name, value in named.items() if value is not None)
    return f"<CircularArcArea>{COORD}{values}</CircularArcArea>"


@pytest.mark.parametrize(
    ("start", "stop", "outer"), [("-60", "120", "1000"), ("60", "-120", "1000"), ("300,0", "120,0", "1000,0")]
)
def test_an_arc_looks_the_same_way_however_its_angles_are_written(start, stop, outer):
    """A sector of 120 degrees that looks north, 500 m from the mast."""
    position = only(read(slia(pos(arc("0", outer, start, stop)))))
    assert position.uncertainty_m == pytest.approx(866.0, abs=0.1)
    assert (position.latitude - 37.5665) * 111_000 == pytest.approx(500, abs=2)
    assert position.longitude == pytest.approx(126.9778, abs=1e-6)


def test_an_arc_without_its_outer_radius_tells_where_but_not_how_large():
    """Some servers write no outRadius at all: the phone is not at the mast, but in that direction."""
    position = only(read(slia(pos(arc("1500", None, "0", "90")))))
    assert position.uncertainty_m is None
    assert (position.latitude - 37.5665) * 111_000 == pytest.approx(1061, abs=5)
    assert (position.longitude - 126.9778) * 88_400 == pytest.approx(1061, abs=5)


def test_of_several_shapes_in_one_pd_the_one_that_says_more_is_told():
    shapes = f"<Point>{COORD}</Point></shape><shape>{circle('200')}</shape><shape><Point/>"
    assert only(read(slia(pos(shapes)))).uncertainty_m == 200


CORNERS = [f"<coord><X>37.{n}</X><Y>126.{e}</Y></coord>" for n, e in ((56, 97), (56, 98), (57, 98), (57, 97))]


def polygon(*corners):
    return (
        f"<Polygon><outerBoundaryIs><LinearRing>{''.join(corners)}</LinearRing></outerBoundaryIs></Polygon>"
    )


@pytest.mark.parametrize(
    "corners",
    [
        (*CORNERS[:2], "<coord><X>NaN</X><Y>NaN</Y></coord>", CORNERS[3]),
        (*CORNERS[:3], "<coord><X>0.0</X><Y>0.0</Y></coord>"),
        (*CORNERS, *["<coord><X>0</X><Y>0</Y></coord>"] * 11),
        (*CORNERS[:3], "<coord/>"),
    ],
)
def test_one_bad_corner_or_some_unfilled_ones_do_not_cost_an_area(corners):
    position = only(read(slia(pos(polygon(*corners)))))
    assert (position.latitude, position.longitude) == (
        pytest.approx(37.565, abs=0.001),
        pytest.approx(126.975, abs=0.001),
    )
    assert position.uncertainty_m == pytest.approx(710, abs=10)


@pytest.mark.parametrize("bad", ["<coord><X>NaN</X><Y>NaN</Y></coord>", "<coord><X>0</X><Y>0</Y></coord>"])
def test_two_corners_that_are_left_of_more_are_no_area(bad):
    assert not read(slia(pos(polygon(*CORNERS[:2], bad)))).positions
    assert not read(slia(pos(polygon(bad, bad, bad)))).positions


BUSAN = "<coord><X>35.1</X><Y>129.0</Y></coord>"


@pytest.mark.parametrize(
    "shape",
    [
        f"<CircularArea>{COORD}{BUSAN}<radius>350</radius></CircularArea>",
        f"<Point>{BUSAN}{COORD}</Point>",
        f"<CircularArcArea>{COORD}{BUSAN}<outRadius>350</outRadius></CircularArcArea>",
        "<CircularArea><coord><X>37.5665</X><X>35.1</X><Y>126.9778</Y></coord><radius>350</radius></CircularArea>",
    ],
)
def test_of_two_centres_none_is_taken(shape):
    assert not read(slia(pos(shape))).positions


def test_a_centre_written_twice_is_one_and_of_two_radii_none_counts():
    twice = only(read(slia(pos(f"<CircularArea>{COORD}{COORD}<radius>350</radius></CircularArea>"))))
    assert twice.uncertainty_m == 350
    two_radii = f"<CircularArea>{COORD}<radius>350</radius><radius>50</radius></CircularArea>"
    assert only(read(slia(pos(two_radii)))).uncertainty_m is None


def test_digits_of_the_servers_language_are_digits():
    """What ``String.format`` writes under an Arabic or Indian locale."""
    shape = "<CircularArea><coord><X>{}</X><Y>{}</Y></coord><radius>{}</radius></CircularArea>"
    said = [
        number.translate({ord(digit): zero + int(digit) for digit in "0123456789"})
        for number, zero in (("37\u066b5665", 0x660), ("126.9778", 0x966), ("350", 0xFF10))
    ]
    found = only(read(slia(pos(shape.format(*said)))))
    assert (found.latitude, found.longitude, found.uncertainty_m) == (37.5665, 126.9778, 350)


def test_an_arc_given_by_the_width_of_its_ring_is_covered_too():
    shape = f"<CircularArcArea>{COORD}<inRadius>2000</inRadius><outRadius>550</outRadius></CircularArcArea>"
    assert only(read(slia(pos(shape)))).uncertainty_m == 2550


def test_the_holes_of_a_polygon_do_not_count():
    corner = "<coord><X>37 34 00.000N</X><Y>126 58 00.000E</Y></coord>"
    ring = "".join(
        f"<coord><X>37 {m:02d} 00.000N</X><Y>126 {n:02d} 00.000E</Y></coord>"
        for m, n in ((34, 58), (34, 59), (33, 59), (33, 58))
    )
    far = "<coord><X>10 00 00.000N</X><Y>10 00 00.000E</Y></coord>" * 3
    shape = (
        f"<Polygon><innerBoundaryIs><LinearRing>{far}</LinearRing></innerBoundaryIs>"
        f"<outerBoundaryIs><LinearRing>{ring}{corner}</LinearRing></outerBoundaryIs></Polygon>"
    )
    assert only(read(slia(pos(shape)))).uncertainty_m == pytest.approx(1185, abs=5)


@pytest.mark.parametrize(
    "coordinate",
    [
        "<coord><X>37.5665</X><Y>126.9778</Y></coord>",
        "<coord><X>37.5665</X><Y>126.9778</Y><Z>NaN</Z></coord>",
        "<coord><Y>126 58 40.080 E</Y><X>037 33 59.400 N</X></coord>",
        "<X>37.5665</X><Y>126.9778</Y>",
    ],
)
def test_coordinates_are_read_in_the_forms_that_live_servers_use(coordinate):
    position = only(read(slia(pos(f"<Point>{coordinate}</Point>"))))
    assert (position.latitude, position.longitude) == (pytest.approx(37.5665), pytest.approx(126.9778))


@pytest.mark.parametrize(
    "shape",
    [
        "<Point><coord><X>0.0</X><Y>0.0</Y></coord></Point>",
        "<Point><coord><X>0 0 0.0N</X><Y>0 0 0.0E</Y></coord></Point>",
        "<Point><coord><X>NaN</X><Y>NaN</Y></coord></Point>",
        "<Point><coord><X>37.5</X></coord></Point>",
        "<Point/>",
        "<Point><coord><X>126.9778</X><Y>37.5665</Y></coord></Point>",
        "<Point><coord><X>0.000001</X><Y>0.000001</Y></coord></Point>",
        "<Point><coord><X>-1</X><Y>-1</Y></coord></Point>",
        "<Point><coord><X>90.0</X><Y>180.0</Y></coord></Point>",
        "<Point><coord><X>37<b/>.5</X><Y>127</Y></coord></Point>",
        f"<CircularArcArea>{COORD}<startAngle>0</startAngle><stopAngle>90</stopAngle></CircularArcArea>",
        "<MultiPolygon/>",
        f"<Box>{COORD}</Box>",
        f"<Polygon>{COORD * 600}</Polygon>",
    ],
)
def test_what_is_no_place_is_a_fault_and_no_position(shape):
    answer = read(slia(pos(shape)))
    assert not answer.positions
    assert len(answer.faults) == 1
    assert not re.search(r"\d\d\.\d", answer.faults[0]), "a coordinate has no place in a reason"


@pytest.mark.parametrize(
    ("time", "fixed_at"),
    [
        ('<time utc_off="+0900">20261123150500</time>', FIXED),
        ('<time utc_off="0900">20261123150500</time>', FIXED),
        ('<time utc_off="+09:00">20261123150500</time>', FIXED),
        ('<time utc_off="+09">20261123150500</time>', FIXED),
        ('<time utc_off="+9">20261123150500</time>', FIXED),
        ('<time utc_off="+900">20261123150500</time>', FIXED),
        ('<time utc_off="GMT+09:00">20261123150500</time>', FIXED),
        ('<time utc_off="UTC+9">20261123150500</time>', FIXED),
        ('<time utc_off="KST">20261123150500</time>', FIXED),
        ('<time utc_off="Z">20261123060500</time>', FIXED),
        ('<time utc_off="-0330">20261123023500</time>', FIXED),
        ('<time utc_off="0000"> 20261123060500 </time>', FIXED),
        ('<time utc_off=" +0900 "> 20261123150500 </time>', FIXED),
        ('<time utc_off="+0900">20261123150500.000</time>', FIXED),
        ('<time utc_off="+0900">20261123150459,5</time>', FIXED - timedelta(seconds=0.5)),
        ("<time>2026-11-23T15:05:00+09:00</time>", FIXED),
        ("<time>2026-11-23T06:05:00.000Z</time>", FIXED),
        ("<time>20261123T060500Z</time>", FIXED),
        ('<time utc_off="+0900">2026-11-23 15:05:00</time>', FIXED),
        ('<time utc_off="+0900">2026/11/23 15:05:00 +0900</time>', FIXED),
        ('<time utc_off="+0900">20261123150600</time>', RECEIVED),  # the clocks differ by half a minute
        ('<time utc_off="+0900">20261123151030</time>', RECEIVED),
        ("<time>20261123150500</time>", FIXED),  # as UTC it were in the future, so it is Korean time
        ("<time>20261123071000</time>", datetime(2026, 11, 22, 22, 10, tzinfo=UTC)),
        ('<time utc_off="+0900">20261123150500000</time>', FIXED),  # yyyyMMddHHmmssSSS
        ('<time utc_off="Asia/Seoul">20261123150460</time>', FIXED),  # a leap second
        ('<time utc_off="+0900">20261122240000</time>', datetime(2026, 11, 22, 15, tzinfo=UTC)),
        ("<time>2026-11-23T15:05+09:00[Asia/Seoul]</time>", FIXED),
        ("<time>1795413900</time>", FIXED),
        ('<time utc_off="+0900">1795413899500</time>', FIXED - timedelta(seconds=0.5)),
        # What has no one meaning is of unknown age.
        ('<time utc_off="+0900">20261123150461</time>', None),
        ('<time utc_off="+0900">20261122240001</time>', None),
        ('<time utc_off="+0900">9999999999</time>', None),
        ("<time>20261123060500</time>", None),  # half a minute ago, or nine hours
        ('<time utc_off="+0900">20261123151031</time>', None),  # a clock that is off
        ('<time utc_off="+1500">20261123150500</time>', None),
        ('<time utc_off="+540">20261123150500</time>', None),
        ('<time utc_off="Seoul">20261123150500</time>', None),
        ('<time utc_off="+0900">2026-11-23T06:05:00Z</time>', None),
        ('<time utc_off="+0900">23112026150500</time>', None),
        ('<time utc_off="+0900">202611231505</time>', None),
        ("<time>20261323150500</time>", None),
        ('<time utc_off="+0900">00010101000000</time>', None),
        ("<time>yesterday</time>", None),
        ("<time>" + "2" * 5000 + "</time>", None),
        ("<time/>", None),
        ("", None),
    ],
)
def test_the_time_of_a_fix_has_one_meaning_or_is_unknown(time, fixed_at):
    position = only(read(slia(pos(time=time))))
    assert position.fixed_at == fixed_at
    assert position.age_s(RECEIVED) == (None if fixed_at is None else (RECEIVED - fixed_at).total_seconds())


@pytest.mark.parametrize(
    ("time", "ahead_s"),
    [
        ('<time utc_off="+0900">20261123150500</time>', -30),
        ('<time utc_off="+0900">20261123160530</time>', 3600),
        ("<time/>", None),
    ],
)
def test_it_is_told_how_far_the_servers_clock_is_ahead(time, ahead_s):
    assert read(slia(pos(time=time))).clock_ahead_s == ahead_s


@pytest.mark.parametrize(
    "msid",
    [
        "<msid>821000000001</msid>",
        '<msid type="MSISDN">+821000000001</msid>',
        "<msid> +82 10-0000-0001 </msid>",
        "<msid>01000000001</msid>",
        "<msid>1000000001</msid>",
        "<msid>00821000000001</msid>",
        "<msid>8201000000001</msid>",
        '<msid type="MIN">821000000001</msid>',
        '<msid type="TEL_URL">tel:+821000000001</msid>',
        '<msid type="IMEI">356938035643809</msid><msid>821000000001</msid>',
        '<msid type="IMSI">450051234567890</msid>',
        '<msid enc="CRP">c2VjcmV0</msid>',
        "<msid>19821000000001</msid>",
        "<msid>91821000000001</msid>",
        "<msid/>",
        "",
    ],
)
def test_the_number_asked_for_is_known_in_any_form(msid):
    assert read(slia(pos(msid=msid))).positions


@pytest.mark.parametrize(
    "msid",
    [
        "<msid>821000000002</msid>",
        "<msid>01000000002</msid>",
        "<msid>0001</msid>",
        "<msid>911821000000001</msid>",
        "<msid>19821000000002</msid>",
        '<msid type="MIN">1099999999</msid>',
        '<msid type="IMEI">821000000001</msid><msid>821000000002</msid>',
        "<msid>nobody</msid>",
        "<msid>" + "0" * 5000 + "821000000001</msid>",
        '<msid type="GPSI">msisdn-821000000002</msid>',
        '<msid type="SIP_URI">sip:+821000000002@ims.example;user=phone</msid>',
    ],
)
def test_the_position_of_another_number_is_never_used(msid):
    answer = read(slia(pos(msid=msid)))
    assert not answer.positions
    assert answer.faults == ("a position of another number",)


def test_of_several_positions_those_of_our_number_are_given_and_others_errors_do_not_count():
    other = "<msid>821099999999</msid>"
    lost = f"<pos>{other}<poserr><result resid='4'>UNKNOWN SUBSCRIBER</result>{TIME}</poserr></pos>"
    nameless = pos(msid="")
    answer = read(slia(pos(msid=other) + lost + pos() + nameless + pos(attrs='pos_method="A-GPS"')))
    assert [position.method for position in answer.positions] == ["unknown", "gnss"]
    assert not answer.results


# Results


def test_a_result_is_found_at_either_level_whatever_its_text_says():
    for content in (
        '<result resid="101">CONGESTION</result>',
        '<pos><msid>821000000001</msid><poserr><result resid="101">OK</result></poserr></pos>',
        '<pos><msid>821000000001</msid><pd/><result resid=" 101 "/></pos>',
    ):
        assert [result.resid for result in read(slia(content)).results] == [101]
    assert read('<svc_result><result resid="3"/></svc_result>').results == (Result(3),)


def test_a_general_error_message_is_an_answer_too():
    answer = read(
        '<gem ver="3.2.0"><result resid="108">SERVICE NOT SUPPORTED</result><add_info>eme_lir</add_info></gem>'
    )
    assert answer.results == (Result(108, "eme_lir"),)
    assert str(answer.results[0]) == "108 SERVICE NOT SUPPORTED (eme_lir)"


@pytest.mark.parametrize(("resid", "number"), [("", 2), ("x", 2), ("-1", 2), ("12345", 2), ("007", 7)])
def test_a_result_id_that_is_no_number_is_an_unspecified_error(resid, number):
    assert read(slia(f'<result resid="{resid}">?</result>')).results[0].resid == number


def test_a_servers_words_never_carry_a_number_or_a_place_into_a_log():
    words = "no 821000000001 at 37.5665,126.9778\n\x85" + "x" * 500
    note = read(slia(f'<result resid="503">{words}</result>')).results[0].note
    assert not re.search(r"\d", note)
    assert note.startswith("no ############ at")
    assert len(note) <= 80
    assert note.isprintable()


def test_neither_a_position_nor_an_error_is_lawful():
    answer = read("<svc_result><eme_lia><eme_pos><msid>821000000001</msid></eme_pos></eme_lia></svc_result>")
    assert answer == Answer()


def test_a_promise_to_answer_later_is_noticed():
    assert read(slia("<req_id>25293</req_id>")).is_deferred


# What live servers do


def test_a_default_namespace_a_prefix_and_mixed_versions_do_not_matter():
    inside = f'<slia ver="3.0.0">{pos()}</slia></svc_result>'
    assert read(f'<svc_result xmlns="urn:x" ver="3.2.0">{inside}').positions
    prefixed = re.sub(r"<(/?)(?=\w)", r"<\1m:", f"<svc_result>{inside}").replace(
        "<m:svc_result", '<m:svc_result xmlns:m="urn:x"', 1
    )
    assert read(prefixed).positions
    assert read(re.sub(r"<(/?)(?=\w)", r"<\1m:", f"<svc_result>{inside}")).positions


def test_vendor_elements_are_passed_over_even_with_a_prefix_declared_nowhere():
    extra = "<ext:cell><ext:msid>821099999999</ext:msid><result resid='4'/><shape><Point/></shape></ext:cell>"
    answer = read(slia(extra + pos() + extra))
    assert answer.positions
    assert not answer.results


@pytest.mark.parametrize(
    "content",
    [
        f"<pos><msid>821000000001</msid><geo_info><shape>{CIRCLE}</shape></geo_info><pd>{TIME}</pd></pos>",
        f"<pos><msid>821000000001</msid><pd>{TIME}</pd></pos><geo_info><shape>{CIRCLE}</shape></geo_info>",
        f"<pd>{TIME}<shape>{CIRCLE}</shape></pd><msid>821000000001</msid>",
        f"<pos><pd><lev_conf>50</lev_conf>{CIRCLE}{TIME}</pd><msid>821000000001</msid></pos>",
        f"<pos><msids><msid>821000000001</msid></msids><shape>{CIRCLE}</shape>{TIME}</pos>",
    ],
)
def test_misplaced_elements_are_found_by_their_names(content):
    position = only(read(slia(content)))
    assert position.uncertainty_m == 350
    assert position.fixed_at == FIXED


def test_a_misplaced_shape_of_another_number_is_not_ours():
    assert not read(slia(f"<pd><shape>{CIRCLE}</shape></pd><msid>821099999999</msid>")).positions


ENCODINGS = {
    "utf-8": "위치",
    "utf8": "위치",
    "UNICODE": "위치",
    "unknown": "위치",
    "": "위치",
    **dict.fromkeys(
        ("EUC-KR", "euckr", "KS_C_5601-1987", "KSC5601", "KSC_5601", "CP949", "MS949", "UHC"), "위치"
    ),
    **dict.fromkeys(("windows-949", "x-windows-949", "ISO-2022-KR", "johab"), "서울"),
    **dict.fromkeys(
        ("ISO-8859-1", "latin1", "ISO8859_1", "Windows-1252", "cp1252", "iso-8859-2", "KOI8-R"), "ok"
    ),
    **dict.fromkeys(("GB2312", "Shift_JIS", "Big5", "US-ASCII", "UTF-7", "IBM037", "x/y z"), "ok"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("quote", "\"'")
def test_the_name_of_an_encoding_never_costs_a_position(encoding, quote):
    """Every octet that matters is ASCII."""
    text = f"<?xml version={quote}1.0{quote} encoding={quote}{encoding}{quote}?>"
    text += slia(pos() + f"<add_info>{ENCODINGS[encoding]}</add_info>")
    codec = {"x-windows-949": "cp949", "windows-949": "cp949", "ISO-2022-KR": "iso2022_kr", "johab": "johab"}
    assert only(read(text.encode(codec.get(encoding, "cp949" if "5601" in encoding else "utf-8")))) == only(
        read(slia(pos()))
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("declared", ["UTF-16", "UTF-8", "UNICODE"])
def test_wide_encodings_are_known_by_their_octets(encoding, declared):
    text = f'<?xml version="1.0" encoding="{declared}"?>' + slia(f"<add_info>위치</add_info>{pos()}")
    assert read(text.encode(encoding)).positions
    assert read(("\n" + text).encode(encoding)).positions


def test_a_byte_order_mark_and_text_in_an_undeclared_encoding_are_tolerated():
    assert read(b"\xef\xbb\xbf" + slia(pos()).encode()).positions
    korean = slia(f"<add_info>위치</add_info>{pos()}").encode("euc-kr")
    assert read(korean).positions


# What is damaged


CUT_AT = slia(pos()).index("</shape>")
AFTER = len(slia(pos())) - slia(pos()).index("</pos>")


@pytest.mark.parametrize(
    "body",
    [
        slia(pos()) + "\0",
        "\0" + slia(pos()),
        slia(pos()) + "\0" * 50 + "\r\n",
        slia(pos()) + "OK",
        "HTTP/1.1 200 OK\r\n\r\n" + slia(pos()),
        "--x\r\nContent-Type: text/xml\r\n\r\n" + slia(pos()) + "\r\n--x--\r\n",
        slia(pos() + "<add_info>AT&T cell</add_info>"),
        slia("<add_info>AT&T cell</add_info>" + pos()),
        slia(pos() + "<add_info>acc <50 m</add_info>"),
        slia("<add_info>acc <b m, <br> or so</add_info>" + pos()),
        slia(pos() + "<add_info>a\x01b</add_info>"),
        slia(pos() + "<add_info>a&#0;b</add_info>"),
        slia(pos() + "<add_info>a&#xD800;b</add_info>"),
        slia(pos() + "<add_info>a&nbsp;b</add_info>"),
        slia("<add_info>&undeclared;</add_info>" + pos()),
        slia(pos() + "<add_info a=1 a='2'>x</add_info>"),
        slia(pos() + f"<add_info>{'=' * 120}</add_info>"),
        slia(pos()).removesuffix("</svc_result>"),
        slia(pos())[:-AFTER],
        slia(pos())[: CUT_AT + len("</shape>")],
        slia(pos() + "<add_info>x"),
        slia(pos() + "<!-- never closed"),
        slia(pos()).replace("</slia>", "</SLIA>"),
        slia(pos()).replace("</pd>", ""),
        slia(pos().replace("<msid>821000000001</msid>", "<msid>821000000001\0</msid>")),
        slia(pos(CIRCLE.replace("37 33", "37&deg;33'").replace(".400N", '.4"N'))),
        slia(pos(CIRCLE.replace("</Y>", "\0</Y>"))),
        '<!DOCTYPE svc_result SYSTEM "http://127.0.0.1:1/x">' + slia(pos() + "<add_info>&e;</add_info>"),
        slia(pos()).replace('ver="3.2.0"', "ver=3.2.0"),
    ],
    ids=itertools.count(),
)
def test_damage_beside_a_position_does_not_cost_it(body):
    position = only(read(body))
    assert (position.latitude, position.longitude) == (pytest.approx(37.5665), pytest.approx(126.9778))
    assert (position.uncertainty_m, position.fixed_at) == (350, FIXED)


@pytest.mark.parametrize(
    "body",
    [
        slia(pos())[: slia(pos()).index("</CircularArea>")],
        slia(pos()).replace(".400N", "\x01.400N"),
        slia(pos()).replace(".400N", "&#0;.400N"),
        slia(pos()).replace(".400N", "&unknown;.400N"),
        '<!DOCTYPE svc_result SYSTEM "x">'
        + slia(pos("<Point><coord><X>37.5&e;665</X><Y>127.0</Y></coord></Point>")),
        slia(pos()).replace("</X>", ""),
        slia(pos()).replace("</CircularArea>", ""),
        slia(pos(msid="<msid>821099999999</msid>").removesuffix("</pos>") + pos()),
        slia(pos().removesuffix("</pos>") + pos(msid="<msid>821099999999</msid>")),
        slia(pos(msid="<msid>821099999999</msid>") + "<add_info>AT&T</add_info>"),
        slia(pos(msid=""))[:-AFTER],
        slia(pos(arc("280", "830", "0", "90").replace("<outRadius>", "</CircularArcArea><outRadius>"))),
        slia(
            pos(
                f"<CircularArcArea>{COORD}<inRadius>280</inRadius></CircularArcArea><outRadius>830</outRadius>"
            )
            + "<add_info>AT&T</add_info>"
        ),
        slia("") + slia(pos()),
        slia(pos()) + "<again/>",
        slia(pos())[: CUT_AT // 2],
        "<html><body>AT&T</body></html>",
    ],
    ids=itertools.count(),
)
def test_damage_within_a_position_never_makes_another_one(body):
    with suppress(Malformed):
        assert not read(body).positions


def test_a_result_beside_damage_is_read_and_nothing_else_is_concluded():
    assert read(slia('<result resid="4">AT&T</result>')).results == (Result(4),)
    with pytest.raises(Malformed, match="not well-formed"):
        read("<svc_result><slia><req_id>1</req_id>")


@pytest.mark.parametrize("body", [slia(pos() + pos(attrs='pos_method="A-GPS"')), slia("<result resid='5'/>")])
def test_an_answer_that_is_well_formed_is_never_read_as_a_damaged_one(body, monkeypatch):
    def never(*_, **__):
        raise AssertionError

    monkeypatch.setattr("telephony.lbs.mlp.parse_damaged", never)
    assert read(body)


def prefixed(document, prefix, declaration=""):
    return re.sub(r"<(/?)(?=\w)", rf"<\1{prefix}:", document).replace(
        f"<{prefix}:svc_result", f"<{prefix}:svc_result{declaration}", 1
    )


@pytest.mark.parametrize("damage", ["", "AT&T"])
@pytest.mark.parametrize(
    "document",
    [
        slia(pos()),
        prefixed(slia(pos()), "m", ' xmlns:m="urn:mlp"'),
        prefixed(slia(pos()), "m"),
        slia(pos()).replace("<svc_result", '<svc_result xmlns="urn:mlp"'),
    ],
)
def test_a_soap_envelope_is_opened_whatever_its_prefixes(document, damage):
    envelope = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>{}</s:Header><s:Body>{}</s:Body></s:Envelope>'
    assert only(read(envelope.format(damage, document))).uncertainty_m == 350


@pytest.mark.parametrize(
    "wrapped",
    [
        "<string xmlns='http://tempuri.org/'>{}</string>",
        "<s:Envelope xmlns:s='s'><s:Body><r>\n{}\n</r></s:Body></s:Envelope>",
    ],
)
def test_an_answer_that_an_envelope_holds_as_text_is_read(wrapped):
    answer = '<?xml version="1.0" encoding="utf-16"?>' + slia(pos())
    for held in (escape(answer), f"<![CDATA[{answer}]]>"):
        assert only(read(wrapped.format(held))) == only(read(slia(pos())))
    damaged = escape(answer.replace("</slia>", "<add_info>AT&T</add_info></slia>"))
    assert only(read(wrapped.format(damaged))) == only(read(slia(pos())))
    with pytest.raises(Malformed):
        read(wrapped.format(escape(escape(answer))))
    with pytest.raises(Malformed):
        read(wrapped.format(f"<a>{escape(answer)}</a><b>{escape(answer)}</b>"))


@pytest.mark.parametrize("damage", ["", "<a:add_info>AT&T</a:add_info>"])
def test_another_prefix_of_the_same_namespace_is_not_a_vendors(damage):
    inside = (
        prefixed(slia(pos()), "b").removeprefix('<b:svc_result ver="3.2.0">').removesuffix("</b:svc_result>")
    )
    declared = 'xmlns:a="urn:mlp" xmlns:b="urn:mlp" xmlns:v="urn:vendor"'
    vendors = inside.replace("b:", "v:").replace("350", "20")
    answer = read(f"<a:svc_result {declared}>{damage}{vendors}{inside}</a:svc_result>")
    assert only(answer).uncertainty_m == 350


# What attacks


def test_a_doctype_whose_dtd_is_dead_is_tolerated_and_never_fetched():
    doctype = '<!DOCTYPE svc_result SYSTEM "http://127.0.0.1:1/mlp.dtd">'
    assert read(doctype + slia(pos())).positions
    subset = '<!DOCTYPE svc_result SYSTEM "file:///dev/full" [<?oma supported-versions="3.2"?>]>'
    assert read(subset + slia(pos())).positions


@pytest.mark.parametrize(
    "body",
    [
        '<!DOCTYPE a [<!ENTITY e "x">]>' + slia(pos()),
        '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + slia("<add_info>&e;</add_info>"),
        '<!DOCTYPE a [<!ENTITY % e SYSTEM "http://127.0.0.1:1/x"> %e;]>' + slia(pos()),
        ('<!DOCTYPE a [<!ENTITY e "x">]>' + slia(pos())).encode("utf-16"),
        ('<!DOCTYPE a [<!ENTITY e "x">]>' + slia(pos())).encode("utf-16-be"),
        ('<?xml version="1.0" encoding="UTF-7"?>' + slia(pos()).replace("<", "+ADw-")).encode(),
        "<!DOCTYPE a [<!ATTLIST pos pos_method CDATA 'A-GPS'>]>" + slia(pos()),
        slia("<add_info " + " ".join(f"a{n}=''" for n in range(101)) + "/>" + pos()),
        '<!DOCTYPE a [<!ENTITY e "x">]>' + slia("<add_info>AT&T</add_info>" + pos()),
        slia(pos())[: -len("</shape><lev_conf>90</lev_conf></pd></pos></slia></svc_result>") - 5],
        slia(pos()) + "<again/>",
        slia("<a>" * MAX_DEPTH + "</a>" * MAX_DEPTH),
        slia("<a/>" * MAX_ELEMENTS),
        slia("x" * MAX_OCTETS),
        slia("<b>" * 60_000),
        slia(pos() * 70),
        "<html><body>It works!</body></html>",
        "",
        "   ",
        "{}",
        "\x00" * 100,
        b"\xff\xfe\x00",
        b"\xff" * 100,
    ],
    ids=range(23),
)
def test_what_attacks_or_is_no_answer_is_malformed(body):
    with pytest.raises(Malformed):
        read(body)


def test_limits_are_not_reached_by_a_long_honest_answer():
    assert len(read(slia(pos() * 64)).positions) == 64


def test_the_dtd_keeps_its_licence_notice():
    text = (Path(__file__).parent / "schemas" / "MLP_v3_4_1.dtd").read_text()
    assert "Redistribution and use in source and binary forms" in text
