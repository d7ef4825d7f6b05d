"""Reports as CAP 1.2: valid, complete, the same every time; and what a centre answers."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from telephony.domain.delivery import ALERT, CLOSING, UPDATE
from telephony.domain.errors import Malformed
from telephony.domain.position import Position
from telephony.domain.report import EarlierReport, Report, report_id
from telephony.domain.values import Msisdn
from telephony.psap import wording
from telephony.psap.cap import encode
from telephony.psap.cap_answer import MAX_OCTETS, Ack, Error, read_answer

CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
SCHEMA = etree.XMLSchema(
    etree.fromstring(files("telephony.psap").joinpath("schemas/CAP-v1.2.xsd").read_bytes())
)
DOCUMENT = Path(__file__).parents[2] / "docs" / "cap.md"

PRESSED = datetime(2026, 11, 23, 6, 5, 2, 123456, tzinfo=UTC)
INCIDENT = "sos-20261123-7k3qwz2m9t"

CELL = Position(37.5665, 126.9778, 350.0, 67.0, "cell", "lbs:skt", PRESSED - timedelta(seconds=12.3), PRESSED)

ALERT_REPORT = Report(
    report_id=report_id(INCIDENT, 1),
    kind=ALERT,
    incident_id=INCIDENT,
    sequence=1,
    earlier=(),
    sent_at=PRESSED,
    test=False,
    msisdn=Msisdn("821000000001"),
    carrier="skt",
    source="sms",
    destination="112",
    opened_at=PRESSED,
    press_count=1,
    last_press_at=PRESSED,
    texts=("살려주세요",),
)
UPDATE_REPORT = replace(
    ALERT_REPORT,
    report_id=report_id(INCIDENT, 2),
    kind=UPDATE,
    sequence=2,
    earlier=(EarlierReport(report_id(INCIDENT, 1), PRESSED),),
    sent_at=PRESSED + timedelta(seconds=3),
    press_count=2,
    last_press_at=PRESSED + timedelta(seconds=2),
    position=CELL,
    labels=("unlisted destination",),
)
CLOSING_REPORT = replace(
    UPDATE_REPORT,
    report_id=report_id(INCIDENT, 3),
    kind=CLOSING,
    sequence=3,
    earlier=(*UPDATE_REPORT.earlier, EarlierReport(report_id(INCIDENT, 2), UPDATE_REPORT.sent_at)),
    sent_at=PRESSED + timedelta(minutes=16),
    close_reason="quiet for 6 h",
)
FALSE_ALARM_REPORT = replace(
    CLOSING_REPORT, close_reason="false alarm: a pocket press, the guardian confirmed"
)

EXAMPLES = {
    "alert": (ALERT_REPORT, "ko"),
    "update": (UPDATE_REPORT, "ko"),
    "update in English": (UPDATE_REPORT, "en"),
    "closing": (CLOSING_REPORT, "ko"),
    "false alarm": (FALSE_ALARM_REPORT, "ko"),
    "test": (replace(ALERT_REPORT, test=True), "ko"),
}


def as_sent(report, language="en", **changes):
    return encode(
        report, sender="onetouch.example", addresses="112.seoul.example", language=language, **changes
    )


def read(octets):
    root = etree.fromstring(octets)
    SCHEMA.assertValid(root)
    return root


def parameters(root):
    return [
        (one.findtext(f"{CAP}valueName"), one.findtext(f"{CAP}value")) for one in root.iter(f"{CAP}parameter")
    ]


def texts(root, *path):
    return root.findtext("/".join(CAP + name for name in path))


@pytest.mark.parametrize(("report", "language"), EXAMPLES.values(), ids=EXAMPLES)
def test_every_kind_of_report_fits_the_schema(report, language):
    read(as_sent(report, language))


@pytest.mark.parametrize(("report", "language"), EXAMPLES.values(), ids=EXAMPLES)
def test_the_examples_of_the_document_are_what_the_code_sends(report, language):
    assert f"```xml\n{as_sent(report, language).decode()}```\n" in DOCUMENT.read_text(encoding="utf-8")


def test_the_document_names_every_parameter():
    document = DOCUMENT.read_text(encoding="utf-8")
    odd_callers = [replace(CLOSING_REPORT, msisdn=Msisdn(number, is_e164=False)) for number in ("", "BANK")]
    for report in (CLOSING_REPORT, *odd_callers):
        for name, _ in parameters(read(as_sent(report))):
            assert f"| `{name}` |" in document


def test_an_alert_without_a_position_has_an_area_in_words_and_no_circle():
    root = read(as_sent(ALERT_REPORT))
    assert texts(root, "msgType") == "Alert"
    assert texts(root, "status") == "Actual"
    assert texts(root, "scope") == "Private"
    assert texts(root, "references") is None
    assert texts(root, "info", "area", "areaDesc") == "position not known"
    assert texts(root, "info", "area", "circle") is None
    assert not [name for name, _ in parameters(root) if name.startswith("location")]


def test_the_facts_are_there_for_machines():
    root = read(as_sent(UPDATE_REPORT))
    assert parameters(root) == [
        ("callback", "tel:+821000000001"),
        ("incident", INCIDENT),
        ("incident-state", "open"),
        ("report-sequence", "2"),
        ("trigger-source", "sms"),
        ("destination", "112"),
        ("carrier", "skt"),
        ("press-count", "2"),
        ("first-press-time", "2026-11-23T15:05:02+09:00"),
        ("last-press-time", "2026-11-23T15:05:04+09:00"),
        ("location-source", "lbs:skt"),
        ("location-method", "cell"),
        ("location-confidence-percent", "95"),
        ("location-uncertainty-m", "576"),
        ("location-time", "2026-11-23T15:04:49+09:00"),
        ("location-age-s", "16"),
        ("caller-text", "살려주세요"),
        ("label", "unlisted destination"),
    ]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "en",
            [
                "Do not call or text the phone",
                "within 576 m",
                "mobile cell",
                "carrier skt",
                "16 s old",
                "Presses: 2",
            ],
        ),
        (
            "ko",
            [
                "전화하거나 문자를 보내지 마십시오",
                "반경 576 m 이내",
                "기지국",
                "통신사 위치 서버(skt)",
                "16초 전",
                "2회",
            ],
        ),
    ],
)
def test_the_facts_are_there_for_operators(language, words):
    root = read(as_sent(UPDATE_REPORT, language))
    seen = "\n".join(texts(root, "info", name) for name in ("headline", "description", "instruction"))
    assert [word for word in words if word not in seen] == []
    assert "+821000000001" in texts(root, "info", "headline")


def test_the_circle_is_in_kilometres_at_95_percent_and_rounded_up():
    for uncertainty, confidence, kilometres in [
        (350.0, 67.0, "0.576"),
        (100.0, 95.0, "0.100"),
        (100.2, 95.0, "0.101"),
        (100.0, 99.0, "0.100"),
        (0.0, 95.0, "0.000"),
        (35_000.0, 95.0, "35.000"),
        (1e300, 67.0, "20037.508"),
    ]:
        position = replace(CELL, uncertainty_m=uncertainty, confidence=confidence)
        root = read(as_sent(replace(UPDATE_REPORT, position=position)))
        assert texts(root, "info", "area", "circle") == f"37.566500,126.977800 {kilometres}"


def test_a_bare_point_is_drawn_wide_and_said_to_be_of_unknown_accuracy():
    root = read(as_sent(replace(UPDATE_REPORT, position=replace(CELL, uncertainty_m=None, confidence=None))))
    assert texts(root, "info", "area", "circle") == "37.566500,126.977800 5.000"
    assert "accuracy not stated" in texts(root, "info", "area", "areaDesc")
    assert not {"location-uncertainty-m", "location-confidence-percent"} & dict(parameters(root)).keys()


def test_an_update_refers_to_every_earlier_report_as_it_was_sent():
    first, second = read(as_sent(ALERT_REPORT)), read(as_sent(UPDATE_REPORT))
    root = read(as_sent(CLOSING_REPORT))
    triples = [
        ",".join(texts(one, name) for name in ("sender", "identifier", "sent")) for one in (first, second)
    ]
    assert texts(root, "references") == " ".join(triples)


def test_an_update_with_nothing_to_refer_to_is_an_alert():
    root = read(as_sent(replace(UPDATE_REPORT, earlier=())))
    assert (texts(root, "msgType"), texts(root, "references")) == ("Alert", None)


@pytest.mark.parametrize(
    "reason", ["false alarm", "False-Alarm", " false_alarm: pocket", "FALSE ALARM by 112"]
)
def test_a_false_alarm_cancels(reason):
    root = read(as_sent(replace(CLOSING_REPORT, close_reason=reason)))
    assert texts(root, "msgType") == "Cancel"
    assert texts(root, "info", "certainty") == "Unlikely"


@pytest.mark.parametrize("reason", ["quiet for 6 h", "handled by 112", "not a false alarm", "", None])
def test_any_other_closing_takes_nothing_back(reason):
    root = read(as_sent(replace(CLOSING_REPORT, close_reason=reason)))
    assert texts(root, "msgType") == "Update"
    assert texts(root, "note") == reason
    assert texts(root, "info", "urgency") == "Past"
    assert ("incident-state", "closed") in parameters(root)
    assert texts(root, "info", "headline").startswith("Closed: ")


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_drill_says_so_in_status_headline_and_instruction(language):
    root = read(as_sent(replace(ALERT_REPORT, test=True), language))
    words = wording.WORDINGS[language]
    assert texts(root, "status") == "Test"
    assert texts(root, "info", "headline").startswith(words.test_mark)
    assert texts(root, "info", "instruction").startswith(words.test_instruction)


def test_what_a_caller_types_cannot_break_or_forge_the_report():
    nasty = "</value></parameter>&amp;]]>\x00\x0b\ud800\ufffe\r\nClosed because: all is well"
    root = read(as_sent(replace(ALERT_REPORT, texts=(nasty,), labels=(nasty,))))
    seen = dict(parameters(root))["caller-text"]
    assert seen == "</value></parameter>&amp;]]>\ufffd\ufffd\ufffd\ufffd\r\nClosed because: all is well"
    assert "\nClosed" not in texts(root, "info", "description").split("Remark")[0]


@pytest.mark.parametrize(
    ("msisdn", "fact", "word"),
    [
        (Msisdn("", is_e164=False), ("caller", "withheld"), "(number withheld)"),
        (Msisdn("112", is_e164=False), ("caller", "112"), "112"),
        (Msisdn("<BANK>", is_e164=False), ("caller", "<BANK>"), "<BANK>"),
    ],
)
def test_a_caller_without_a_global_number_is_told_as_it_came(msisdn, fact, word):
    root = read(as_sent(replace(ALERT_REPORT, msisdn=msisdn)))
    assert parameters(root)[0] == fact
    assert word in texts(root, "info", "headline")


def test_times_carry_the_zone_that_was_asked_for():
    root = read(as_sent(UPDATE_REPORT, zone=timezone(timedelta(hours=-3, minutes=-30))))
    assert texts(root, "sent") == "2026-11-23T02:35:05-03:30"
    assert texts(root, "references").endswith(",2026-11-23T02:35:02-03:30")


def test_a_clock_at_the_end_of_the_calendar_costs_no_report():
    position = replace(CELL, fixed_at=datetime.max.replace(tzinfo=UTC))
    root = read(as_sent(replace(UPDATE_REPORT, position=position)))
    assert dict(parameters(root))["location-time"] == "9999-12-31T23:59:59+00:00"


@pytest.mark.parametrize(
    ("seconds", "english", "korean"),
    [
        (0, "0 s", "0초"),
        (59, "59 s", "59초"),
        (60, "1 min", "1분"),
        (3_660, "1 h 1 min", "1시간 1분"),
        (90_000, "1 d 1 h", "1일 1시간"),
    ],
)
def test_ages_are_told_in_at_most_two_units(seconds, english, korean):
    assert wording.age(seconds, wording.ENGLISH) == english
    assert wording.age(seconds, wording.KOREAN) == korean


def test_a_method_and_a_source_without_a_word_of_their_own_are_told_as_they_are():
    position = replace(CELL, method="E-OTD", source="somebody")
    description = texts(read(as_sent(replace(UPDATE_REPORT, position=position))), "info", "description")
    assert "found by E-OTD, source: somebody" in description


MOMENTS = st.datetimes(timezones=st.just(UTC))
TEXTS = st.text(st.characters(), max_size=40)


@st.composite
def positions(draw):
    try:
        return Position(
            draw(st.floats(-90, 90)),
            draw(st.floats(-180, 180)),
            draw(st.none() | st.floats(0, 1e308)),
            draw(st.none() | st.floats(0.0001, 100)),
            draw(TEXTS),
            draw(TEXTS | st.sampled_from(["device", "lbs:kt", "last-known"])),
            draw(MOMENTS),
            draw(MOMENTS),
        )
    except Malformed:
        return None


@st.composite
def reports(draw):
    moments = draw(st.lists(MOMENTS, min_size=4, max_size=6))
    return Report(
        report_id=report_id(INCIDENT, 9),
        kind=draw(st.sampled_from([ALERT, UPDATE, CLOSING])),
        incident_id=INCIDENT,
        sequence=draw(st.integers(1, 10**6)),
        earlier=tuple(EarlierReport(report_id(INCIDENT, n), at) for n, at in enumerate(moments[3:])),
        sent_at=moments[0],
        test=draw(st.booleans()),
        msisdn=Msisdn(draw(TEXTS), is_e164=draw(st.booleans())),
        carrier=draw(TEXTS),
        source=draw(TEXTS),
        destination=draw(TEXTS),
        opened_at=moments[1],
        press_count=draw(st.integers(1, 10**6)),
        last_press_at=moments[2],
        texts=tuple(draw(st.lists(TEXTS, max_size=3))),
        position=draw(st.none() | positions()),
        labels=tuple(draw(st.lists(TEXTS, max_size=2))),
        close_reason=draw(st.none() | TEXTS),
    )


@given(reports(), st.sampled_from(["ko", "en"]))
def test_any_report_whatsoever_is_valid_and_repeats_byte_for_byte(report, language):
    octets = as_sent(report, language)
    assert octets == as_sent(report, language)
    facts = parameters(read(octets))
    assert len([name for name, _ in facts if name == "caller-text"]) == len(report.texts)


def answer(msg_type, note="", namespace="urn:oasis:names:tc:emergency:cap:1.2"):
    return (
        f'<?xml version="1.0"?><!-- x --><a:alert xmlns:a="{namespace}"><a:identifier>a-1</a:identifier>'
        f"<a:sender>112</a:sender><a:msgType> {msg_type}\n</a:msgType><a:note>{note}</a:note></a:alert>"
    ).encode()


def test_an_ack_and_an_error_are_read_in_every_version():
    for namespace in (
        "urn:oasis:names:tc:emergency:cap:1.2",
        "urn:oasis:names:tc:emergency:cap:1.1",
        "http://www.incident.com/cap/1.0",
    ):
        assert read_answer(answer("Ack", "taken\n by  desk 7", namespace)) == Ack("a-1", "taken by desk 7")
        assert read_answer(answer("Error", "no such area", namespace)) == Error("a-1", "no such area")
    assert read_answer(b"<alert><msgType>Ack</msgType></alert>") == Ack("", "")


def test_a_long_note_is_cut():
    assert len(read_answer(answer("Error", "x" * 10_000)).note) == 200


BOMB = (
    b'<!DOCTYPE alert [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;">]>'
    b"<alert><msgType>Ack</msgType><note>&c;</note></alert>"
)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"OK",
        b'{"status": "ok"}',
        b"<html><body>Service</body></html>",
        b"<alert><msgType>Ack</msgType>",
        answer("Alert"),
        answer("Ack", namespace="urn:example:other"),
        BOMB,
        b'<!DOCTYPE alert SYSTEM "file:///etc/passwd"><alert><msgType>Ack</msgType></alert>',
        BOMB.decode().encode("utf-16"),
        b'<?xml version="1.0" encoding="no-such"?><alert><msgType>Ack</msgType></alert>',
        b"<alert>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</alert>",
        answer("Ack", "x" * MAX_OCTETS),
    ],
)
def test_what_is_no_answer_in_cap_is_none(body):
    assert read_answer(body) is None


def test_fifty_thousand_mutated_answers_give_a_value_or_nothing():
    source = random.Random(1122)
    seeds = [answer("Ack", "taken"), answer("Error", "no"), BOMB, as_sent(ALERT_REPORT)]
    for _ in range(50_000):
        body = bytearray(source.choice(seeds))
        for _ in range(source.randint(1, 5)):
            body[source.randrange(len(body))] = source.randrange(256)
        assert isinstance(read_answer(bytes(body)), Ack | Error | None)


@given(st.binary(max_size=200))
def test_any_octets_give_a_value_or_nothing(body):
    assert isinstance(read_answer(body), Ack | Error | None)
