"""Whatever a location server sends becomes values or `Malformed`, quickly; the seed repeats any run."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.domain.errors import Malformed
from telephony.domain.values import Msisdn
from telephony.lbs.mlp import Answer, decode_answer
from telephony.net.xml.hardened import MAX_OCTETS

CALLER = Msisdn("821000000001")
RECEIVED = datetime(2026, 11, 23, 6, 5, 30, tzinfo=UTC)
COORD = "<coord><X>37 33 59.400N</X><Y>126 58 40.080E</Y></coord>"
FAR = "<coord><X>37 34 59.400N</X><Y>126 59 40.080E</Y><Z>NaN</Z></coord>"
SHAPES = [
    f"<Point>{COORD}</Point>",
    f"<CircularArea>{COORD}<radius>350</radius><distanceUnit>surveyfoot</distanceUnit></CircularArea>",
    f"<EllipticalArea>{COORD}<angle>30</angle><semiMajor>40</semiMajor><semiMinor>15</semiMinor></EllipticalArea>",
    (
        f"<CircularArcArea>{COORD}<inRadius>280</inRadius><outRadius>830</outRadius><startAngle>40</startAngle>"
        "<stopAngle>120</stopAngle><angularUnit>Radians</angularUnit></CircularArcArea>"
    ),
    f"<Polygon><outerBoundaryIs><LinearRing>{COORD}{FAR}{COORD}</LinearRing></outerBoundaryIs></Polygon>",
    f"<MultiPolygon><Box>{COORD}{FAR}</Box><CircularArea>{FAR}<radius>9</radius></CircularArea></MultiPolygon>",
    f"<MultiLineString><LineString>{COORD}{FAR}</LineString></MultiLineString>",
]
ANSWERS = [
    '<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE svc_result SYSTEM "http://127.0.0.1:1/x.dtd">'
    f'<svc_result xmlns="urn:x" ver="3.2.0"><{lia} ver="3.0.0"><{pos} pos_method="A-GPS">'
    f'<msid type="MSISDN">821000000001</msid><pd><time utc_off="+0900">20261123150500</time>'
    f"<shape>{shape}</shape><lev_conf>67</lev_conf></pd></{pos}><result resid='6'>x</result>"
    f"<add_info>y</add_info></{lia}></svc_result>"
    for lia, pos in (("slia", "pos"), ("eme_lia", "eme_pos"))
    for shape in SHAPES
]
DAMAGE = [
    *("&", "&#0;", "&x;", "&amp", "<", "</", "<b>", "</b>", "</X>", "</coord>", "</pd>", "</pos>", "</slia>"),
    *(
        "<X>",
        "<coord>",
        "<pd>",
        "<shape>",
        "\0",
        "\x01",
        "\ufffd",
        "]]>",
        "<![CDATA[",
        "<!--",
        "<?",
        "<!DOCTYPE",
        "'",
    ),
]
"""What breaks XML, and says no other place."""
TOKENS = [
    *(b"NaN", b"-1", b"1e9", b"9" * 400, b"inf", b"0", b"360", b"181 00 00E", b"90.0", b"", b"\xed\xa0\x80"),
    *(b"<", b"</", b">", b"/>", b"&", b"&#0;", b"&#55;", b"&e;", b"<![CDATA[", b"]]>", b"<!--", b"<?x?>"),
    *(b"<!DOCTYPE a [", b"<!ENTITY e 'x'>", b"]>", b' xmlns:a="b"', b"a:", b' type="IMSI"', b' enc="CRP"'),
    *(b"<pos>", b"</pos>", b"<coord>", b"</coord>", b"<msid/>", b"<MultiPolygon>", b"<shape>", b"<X>1</X>"),
    *(b'utf-16"', b'euc-kr"', b'utf-7"', b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"resid", b"\xb3"),
]


def decode(body):
    answer = decode_answer(body, msisdn=CALLER, source="lbs:x", assumed_confidence=67.0, received_at=RECEIVED)
    assert isinstance(answer, Answer)
    for position in answer.positions:
        assert position.fixed_at is None or position.fixed_at <= RECEIVED
        assert position.uncertainty_m is None or 0 < position.uncertainty_m < 30_000_000
    return answer


def mutate(rng, body):
    octets = bytearray(body)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        at = rng.randrange(len(octets) + 1)
        to = min(len(octets), at + rng.choice((0, 1, 3, 10, 60)))
        match rng.randrange(6):
            case 0 if octets:
                octets[at % len(octets)] = rng.randrange(256)
            case 1:
                del octets[at:to]
            case 2:
                octets[at:at] = octets[at:to]
            case 3:
                octets[at:to] = rng.choice(TOKENS)
            case 4:
                other = rng.choice(ANSWERS).encode()
                start = rng.randrange(len(other))
                octets[at:to] = other[start : start + rng.choice((5, 40, 200))]
            case _:
                digits = [index for index, octet in enumerate(octets) if 48 <= octet < 58]
                for index in rng.sample(digits, min(len(digits), 3)):
                    octets[index] = rng.choice(b"0123456789.-EN ")
    return bytes(octets)


def test_the_unmutated_answers_hold_positions():
    for body in ANSWERS:
        assert len(decode(body.encode()).positions) == 1, body


@pytest.mark.parametrize("seed", range(6))
def test_ten_thousand_mutated_and_random_answers_give_values_or_malformed(seed):
    rng = random.Random(seed)
    outcomes = {"position": 0, "none": 0, "malformed": 0}
    for number in range(10_000):
        if number % 10 == 0:
            body = rng.randbytes(rng.randrange(200))
        else:
            body = mutate(rng, rng.choice(ANSWERS).encode())
        try:
            outcomes["position" if decode(body).positions else "none"] += 1
        except Malformed:
            outcomes["malformed"] += 1
        except Exception as error:
            raise AssertionError(f"seed {seed}, answer {number}: {body!r}") from error
    # All three ways are really walked.
    assert min(outcomes.values()) > 300, outcomes


def positions(body):
    try:
        return decode(body.encode()).positions
    except Malformed:
        return ()


@pytest.mark.parametrize("whole", ANSWERS[: len(SHAPES)], ids=range(len(SHAPES)))
def test_an_answer_cut_anywhere_says_the_same_place_or_none(whole):
    (right,) = positions(whole)
    found = [positions(whole[:cut]) for cut in range(len(whole))]
    assert {(one.latitude, one.longitude, one.uncertainty_m) for several in found for one in several} == {
        (right.latitude, right.longitude, right.uncertainty_m)
    }


@pytest.mark.parametrize("seed", range(3))
def test_markup_broken_anywhere_says_the_same_place_or_none(seed):
    """A damaged answer may cost a position or its size, but never makes another place."""
    rng = random.Random(seed)
    found = 0
    for number in range(3_000):
        whole = rng.choice([answer for answer in ANSWERS if "Radians" not in answer])
        damaged = whole
        for _ in range(rng.choice((1, 1, 2))):
            at = rng.randrange(len(damaged))
            damaged = (
                damaged[:at]
                + rng.choice(DAMAGE)
                + damaged[at + rng.choice((0, 0, 1)) * (damaged[at] in "<>/&\"'=") :]
            )
        (right,) = positions(whole)
        for one in positions(damaged):
            found += 1
            assert one.distance_m(right) < 20, f"seed {seed}, answer {number}: {damaged}"
    assert found > 500


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_random_octets_are_values_or_malformed(body):
    with suppress(Malformed):
        decode(body)


@settings(max_examples=300)
@given(st.sampled_from(ANSWERS), st.text(max_size=20), st.data())
def test_any_text_in_place_of_any_value_is_a_value_or_malformed(body, text, data):
    values = body.split(">")
    at = data.draw(st.integers(1, len(values) - 2))
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    values[at] = escaped + values[at][values[at].index("<") :] if "<" in values[at] else values[at]
    with suppress(Malformed):
        decode(">".join(values).encode("utf-8", "surrogatepass"))


HEAVY = {
    "wide": lambda size: b"<svc_result>" + b"<a/>" * size + b"</svc_result>",
    "deep": lambda size: b"<a>" * size + b"</a>" * size,
    "attributes": lambda size: b"<svc_result " + b"".join(b'a%d="" ' % n for n in range(size)) + b"/>",
    "some attributes": lambda size: (
        b"<svc_result>"
        + (b"<a " + b"".join(b'a%d="" ' % n for n in range(99)) + b"/>") * (size // 60)
        + b"</svc_result>"
    ),
    "default attributes": lambda size: (
        b"<!DOCTYPE a ["
        + b"".join(b"<!ATTLIST a b%d CDATA ''>" % n for n in range(size // 6))
        + b"]><a>"
        + b"<a/>" * size
    ),
    "namespaces": lambda size: b"<a " + b"".join(b'xmlns:a%d="b" ' % n for n in range(size)) + b"/>",
    "prefixes": lambda size: b"<svc_result>" + b"<a:b/>" * size + b"</svc_result>",
    "unclosed": lambda size: b"<svc_result" + b"<a" * size,
    "brackets": lambda size: b"<!DOCTYPE a [" + b"[" * size,
    "declaration": lambda size: b"<?xml " * size,
    "comment": lambda size: b"<!--" + b"-" * size,
    "polygon": lambda _: (
        b"<svc_result><pos><Polygon>"
        + b"<coord><X>37.5</X><Y>127</Y></coord>" * 500
        + b"</Polygon></pos></svc_result>"
    ),
    "positions": lambda _: (
        b"<svc_result>" + b"<pos><Point><coord><X>1</X><Y>1</Y></coord></Point></pos>" * 64 + b"</svc_result>"
    ),
    "damaged": lambda size: b"<svc_result>" + b"<a x='" * size,
    "unopened": lambda size: b"<svc_result>" + b"</a>" * size,
    "references": lambda size: b"<svc_result>" + b"&a" * size,
    "one long tag": lambda size: b"<svc_result " + b"a" * size * 15 + b">&",
    "one tag of names": lambda size: b"<svc_result " + b"a:" * size * 7 + b">&",
    "sections": lambda size: b"<svc_result>" + b"<![CDATA[" * size,
    "doctypes": lambda size: b"<!DOCTYPE[" * size,
    "less than": lambda size: b"<svc_result>" + b"<" * size * 15,
    "prefixes declared": lambda size: (
        (b"<a " + b" ".join(b"xmlns:b%d=''" % n for n in range(90)) + b">") * 39
        + b"<b0:c/>" * (size // 4)
        + b"&"
    ),
    "number": lambda size: b"<svc_result><result resid='" + b"9" * size + b"'/></svc_result>",
    "msid": lambda size: b"<svc_result><pos><msid>" + b"0 " * size + b"</msid></pos></svc_result>",
}


@pytest.mark.parametrize("kind", HEAVY)
def test_the_heaviest_answers_take_no_more_than_a_moment(kind):
    body = HEAVY[kind](MAX_OCTETS // 16)[:MAX_OCTETS]
    started = time.process_time()
    with suppress(Malformed):
        decode(body)
    assert time.process_time() - started < 5.0
