"""Reports as CAP 1.2: valid, complete, the same every time; and what a centre answers."""

from __future__ import annotations

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
from telephony.domain.facts import (
    CALLER,
    CENTRE,
    PHONE,
    AcknowledgedFact,
    Because,
    CallFact,
    CallState,
    DispatchedFact,
    EndedBy,
    FactKind,
    FalseAlarmFact,
    GuardianFact,
    GuardianState,
    GuardianWay,
    KnockFact,
    Leg,
    LegState,
    Newer,
    NotReached,
    PersonFact,
    Reach,
    SaidByInvite,
    ScoreFact,
    SilenceFact,
    SilenceState,
    ToldByVoiceFact,
    UnknownFact,
)
from telephony.domain.position import Position
from telephony.domain.report import EarlierReport, Report, UpdateReason, report_id
from telephony.domain.values import Msisdn
from telephony.psap import wording
from telephony.psap.cap import encode
from telephony.store.fact_rows import from_data
from tests.any_fact import FACTS
from tests.doubles import KST

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

REFERENCE = "voice-1/voice-1-1763900000.12"
CALL_FACTS = {
    "id": INCIDENT,
    "state": "connected",
    "trunk": "skt-a",
    "dialled": "112",
    "route": "112-2",
    "legs": "112-1 no answer 6 s; 112-2 connected",
    "silence": "no-rtp",
    "recording": f"{INCIDENT}.wav",
    "sip-call-id": "3c26700857a87f84@10.1.2.3",
    "started": "2026-11-23T06:05:02+00:00",
    "connected": "2026-11-23T06:05:08+00:00",
}


def call(**changes):
    """What is known of the call; a changed key of ``None`` is not known."""
    known = CALL_FACTS | {key.replace("_", "-"): value for key, value in changes.items()}
    return from_data(
        FactKind.CALL, REFERENCE, PRESSED, {key: value for key, value in known.items() if value is not None}
    )


def knock(n=1, **data):
    return from_data(FactKind.KNOCK, f"{REFERENCE}#{n}", PRESSED, data)


def silence(state, **data):
    return from_data(FactKind.SILENCE, PHONE, PRESSED, {"state": state, **data})


def guardian(n=1, **data):
    return from_data(FactKind.GUARDIAN, str(n), PRESSED, data)


TWO_TAPS = knock(digits="11", taps="2", meaning="cannot-speak", ko="말할 수 없음", en="cannot speak")
CALL_REPORT = replace(
    UPDATE_REPORT,
    source="call",
    press_count=1,
    last_press_at=PRESSED,
    texts=(),
    position=None,
    labels=(),
    facts=(call(), TWO_TAPS, guardian(state="calling", relation="mother", phone="8210******78", round="1")),
)

HANEUL = from_data(
    FactKind.PERSON,
    CALLER,
    PRESSED,
    {
        "registered": "yes",
        "name": "김하늘",
        "born": "2015-03-02",
        "device": "u-relief",
        "carrier": "skt",
        "language": "ko",
        "medical": "천식",
        "address": "서울 종로구 사직로 8",
        "family": "할머니와 삶",
        "school": "한국초등학교",
        "guardians": "어머니 +821098760001; 아버지 +821098760002",
        "photo": "2015/haneul.jpg",
        "consent": "valid",
    },
)
LIKELIHOOD = from_data(
    FactKind.SCORE, CALLER, PRESSED, {"score": "65", "reasons": "false-alarms=2;school-hours"}
)
PERSON_REPORT = replace(UPDATE_REPORT, position=None, labels=(), facts=(HANEUL, LIKELIHOOD))
FOLLOWED_REPORT = replace(
    UPDATE_REPORT,
    labels=(),
    reasons=(UpdateReason.POSITION,),
    newest=replace(CELL, latitude=37.5701, uncertainty_m=1_000.0, fixed_at=None),
    sharpest=replace(
        CELL, latitude=37.5662, uncertainty_m=18.0, method="gnss", fixed_at=PRESSED - timedelta(minutes=9)
    ),
)

EXAMPLES = {
    "alert": (ALERT_REPORT, "ko"),
    "update": (UPDATE_REPORT, "ko"),
    "update in English": (UPDATE_REPORT, "en"),
    "followed": (FOLLOWED_REPORT, "en"),
    "closing": (CLOSING_REPORT, "ko"),
    "false alarm": (FALSE_ALARM_REPORT, "ko"),
    "test": (replace(ALERT_REPORT, test=True), "ko"),
    "call": (CALL_REPORT, "en"),
    "caller": (PERSON_REPORT, "ko"),
}


def as_sent(report, language="en", **changes):
    return encode(
        report,
        sender="onetouch.example",
        addresses="112.seoul.example",
        language=language,
        **{"zone": KST, **changes},
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


@pytest.mark.parametrize("example", ["update in English", "followed"])
def test_the_examples_of_the_document_that_are_no_samples_are_what_the_code_sends(example):
    report, language = EXAMPLES[example]
    assert f"```xml\n{as_sent(report, language).decode()}```\n" in DOCUMENT.read_text(encoding="utf-8")


def test_machines_read_who_has_taken_it_and_each_unit_that_is_on_its_way():
    at = datetime(2026, 11, 23, 15, 6, tzinfo=KST)
    facts = (
        AcknowledgedFact(PRESSED, "desk 7", at),
        DispatchedFact(1, PRESSED, "unit 12", "desk 7", at),
        DispatchedFact(2, PRESSED, "unit <14> & \U0001f691", "", None),
    )
    root = read(as_sent(replace(CALL_REPORT, facts=facts)))
    told = [each for each in parameters(root) if each[0].startswith(("acknowledged", "dispatched"))]
    assert told == [
        ("acknowledged", "desk 7"),
        ("acknowledged-time", "2026-11-23T15:06:00+09:00"),
        ("dispatched", "unit 12"),
        ("dispatched-by", "desk 7"),
        ("dispatched-time", "2026-11-23T15:06:00+09:00"),
        ("dispatched", "unit <14> & \U0001f691"),
    ]
    assert dict(parameters(root))["incident-state"] == "open"


def test_an_alert_without_a_position_has_an_area_in_words_and_no_circle():
    root = read(as_sent(ALERT_REPORT))
    assert texts(root, "msgType") == "Alert"
    assert texts(root, "status") == "Actual"
    assert texts(root, "scope") == "Private"
    assert texts(root, "references") is None
    assert texts(root, "info", "area", "areaDesc") == "position not known"
    assert texts(root, "info", "area", "circle") is None
    assert not [name for name, _ in parameters(root) if name.startswith("location")]


def test_the_newest_and_the_sharpest_fix_stand_beside_the_circle():
    root = read(as_sent(FOLLOWED_REPORT))
    known = parameters(root)
    assert texts(root, "info", "area", "circle") == "37.566500,126.977800 0.576"
    assert [each for each in known if each[0].startswith(("update-reason", "newest", "sharpest"))] == [
        ("update-reason", "position"),
        ("newest-location", "37.570100,126.977800 1.644"),
        ("newest-location-source", "lbs:skt"),
        ("newest-location-method", "cell"),
        ("newest-location-confidence-percent", "95"),
        ("newest-location-uncertainty-m", "1644"),
        ("newest-location-age", "unknown"),
        ("sharpest-location", "37.566200,126.977800 0.030"),
        ("sharpest-location-source", "lbs:skt"),
        ("sharpest-location-method", "gnss"),
        ("sharpest-location-confidence-percent", "95"),
        ("sharpest-location-uncertainty-m", "30"),
        ("sharpest-location-time", "2026-11-23T14:56:02+09:00"),
        ("sharpest-location-age-s", "543"),
    ]


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        ("en", ("What is new: position\n", "\nNewest fix: 37.570100", "of unknown age\nSharpest fix so far: 37.566200")),
        ("ko", ("새로운 내용: 위치\n", "\n최근 측위: 37.570100", "측정 시각 미상\n가장 정확한 측위: 37.566200")),
    ],
)  # fmt: skip
def test_an_operator_reads_first_what_is_new_and_then_every_fix(language, lines):
    description = texts(read(as_sent(FOLLOWED_REPORT, language)), "info", "description")
    assert description.startswith(lines[0])
    for line in lines[1:]:
        assert line in description


SILENT_LINE = "Phone: does not answer the location service"
SILENT = {"state": "not-answering", "why": "absent", "last-answered": "2026-11-23T06:04:49+00:00"}


@pytest.mark.parametrize(
    ("said", "language", "line"),
    [
        (SILENT, "en", f"{SILENT_LINE}; switched off or out of coverage; last answered at 2026-11-23 15:04:49+09:00"),
        (SILENT, "ko", "전화기: 위치 조회에 응답하지 않음; 꺼졌거나 통신 불가; 마지막 응답 2026-11-23 15:04:49+09:00"),
        ({"state": "not-answering", "why": "not-located"}, "en",
         f"{SILENT_LINE}; the network could not locate it; it has not answered since the press"),
        ({"state": "answering"}, "en", "Phone: answers the location service again"),
        ({"state": "answering"}, "ko", "전화기: 위치 조회에 다시 응답함"),
        ({"state": "odd\nline", "why": "odd"}, "en", "odd line; odd; it has not answered since the press"),
    ],
)  # fmt: skip
def test_a_phone_that_answers_no_more_is_said_in_words(said, language, line):
    report = replace(UPDATE_REPORT, facts=(from_data(FactKind.REACH, PHONE, PRESSED, said),))
    assert f"\n{line}\n" in texts(read(as_sent(report, language)), "info", "description")


def test_a_phone_that_answers_no_more_is_told_to_machines():
    report = replace(UPDATE_REPORT, facts=(from_data(FactKind.REACH, PHONE, PRESSED, SILENT),))
    assert [each for each in parameters(read(as_sent(report))) if each[0].startswith("phone")] == [
        ("phone-reach", "not-answering"),
        ("phone-reach-why", "absent"),
        ("phone-last-answered", "2026-11-23T15:04:49+09:00"),
    ]


def test_of_a_device_a_machine_reads_what_it_has_said_and_no_more():
    report = replace(UPDATE_REPORT, facts=(from_data(FactKind.DEVICE, PHONE, PRESSED, {"battery": "7"}),))
    told = [each for each in parameters(read(as_sent(report))) if each[0].startswith("device")]
    assert told == [("device-battery-percent", "7")]


def test_every_state_of_reach_and_every_why_has_words():
    for words in wording.WORDINGS.values():
        assert set(words.news.reach) == set(Reach)
        assert set(words.news.reach_why) == set(NotReached)


def test_every_reason_has_words():
    for words in wording.WORDINGS.values():
        assert set(words.news.reasons) == set(UpdateReason)


SEEN_AGAIN_REPORT = replace(
    UPDATE_REPORT,
    reasons=(UpdateReason.SEEN_AGAIN,),
    seen_again_at=PRESSED + timedelta(seconds=5),
)


def test_a_press_seen_again_is_told_with_its_time_and_with_what_it_may_be():
    root = read(as_sent(SEEN_AGAIN_REPORT))

    told = dict(parameters(root))
    assert (told["update-reason"], told["seen-again-time"]) == ("seen-again", "2026-11-23T15:05:07+09:00")
    assert "Seen again at 2026-11-23 15:05:07+09:00: redelivery or pressed again" in described(
        SEEN_AGAIN_REPORT, "en"
    )
    assert "2026-11-23 15:05:07+09:00 같은 신고가 다시 수신됨: 통신망 재전송이거나 다시 누른 것" in described(
        SEEN_AGAIN_REPORT, "ko"
    )


@pytest.mark.parametrize(("language", "words"), [("en", "another caller"), ("ko", "다른 신고자")])
def test_of_a_withheld_number_it_may_be_another_caller_too(language, words):
    withheld = replace(SEEN_AGAIN_REPORT, msisdn=Msisdn("", is_e164=False))

    assert [line for line in described(withheld, language) if words in line]


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


@pytest.mark.parametrize(
    ("age_s", "source", "english", "korean"),
    [
        (59, "lbs:skt", "within 500 m (95 % confidence)", "반경 500 m 이내(신뢰도 95 %)"),
        (60, "lbs:skt", "(95 % confidence), 1 min old at this report", "(신뢰도 95 %), 보고 1분 전 측정"),
        (None, "lbs:skt", "(95 % confidence), of unknown age", "(신뢰도 95 %), 측정 시각 미상"),
        (
            72_000,
            "last-known",
            "(95 % confidence), last known, of an earlier incident, 20 h 0 min old at this report",
            "(신뢰도 95 %), 이전 신고의 마지막 위치, 보고 20시간 0분 전 측정",
        ),
    ],
)
def test_a_headline_does_not_pass_an_old_place_for_a_new_one(age_s, source, english, korean):
    sent_at = UPDATE_REPORT.sent_at
    fixed_at = None if age_s is None else sent_at - timedelta(seconds=age_s)
    position = Position(37.5665, 126.9778, 500.0, 95.0, "cell", source, fixed_at, sent_at)
    for language, words in (("en", english), ("ko", korean)):
        root = read(as_sent(replace(UPDATE_REPORT, position=position), language))
        assert texts(root, "info", "headline").endswith(words)
        if source == "last-known":
            (described,) = [each.text for each in root.iter("{*}areaDesc")]
            assert words.split(", ")[1] in described


# -- calls, knocks, silence, guardians ---------------------------------------------------------------------------


def described(report, language="en"):
    return texts(read(as_sent(report, language)), "info", "description").splitlines()


def test_a_call_is_there_for_machines():
    facts = (call(state="ended", duration_s="42", ended_by="caller"), TWO_TAPS, silence("held", by="desk 7"))
    assert parameters(read(as_sent(replace(CALL_REPORT, facts=facts))))[10:] == [
        ("call-reference", REFERENCE),
        ("call-id", INCIDENT),
        ("call-state", "ended"),
        ("call-trunk", "skt-a"),
        ("call-route", "112-2"),
        ("call-legs", "112-1 no answer 6 s; 112-2 connected"),
        ("call-silence", "no-rtp"),
        ("call-recording", f"{INCIDENT}.wav"),
        ("call-sip-id", "3c26700857a87f84@10.1.2.3"),
        ("call-duration-s", "42"),
        ("call-ended-by", "caller"),
        ("knock", "11"),
        ("knock-taps", "2"),
        ("knock-meaning", "cannot-speak"),
        ("silence", "held"),
        ("silence-by", "desk 7"),
    ]


def test_guardians_are_there_for_machines():
    facts = (guardian(1, state="confirmed", relation="mother", phone="8210******78", round="2"), guardian(2))
    assert parameters(read(as_sent(replace(CALL_REPORT, facts=facts))))[10:] == [
        ("guardian", "1"),
        ("guardian-state", "confirmed"),
        ("guardian-relation", "mother"),
        ("guardian-phone", "8210******78"),
        ("guardian-round", "2"),
        ("guardian", "2"),
    ]


def test_a_knock_whose_keys_are_not_known_still_begins_with_its_name():
    knocks = (knock(1, taps="2"), knock(2, digits="5", taps="1"))
    assert parameters(read(as_sent(replace(CALL_REPORT, facts=knocks))))[10:] == [
        ("knock", ""),
        ("knock-taps", "2"),
        ("knock", "5"),
        ("knock-taps", "1"),
    ]


def test_each_of_several_calls_begins_with_its_reference():
    other = replace(call(state="ended"), reference="voice-2/9")
    names = [
        one
        for one in parameters(read(as_sent(replace(CALL_REPORT, facts=(call(), other)))))
        if "call-" in one[0]
    ]
    assert [value for name, value in names if name in ("call-reference", "call-state")] == [
        REFERENCE,
        "connected",
        "voice-2/9",
        "ended",
    ]


def test_what_came_by_call_does_not_read_as_if_it_were_typed():
    for language in ("en", "ko"):
        octets = as_sent(CALL_REPORT, language).decode()
        assert "caller-text" not in octets
        assert "Caller's text" not in octets
        assert "신고자 문자" not in octets
    assert ("trigger-source", "call") in parameters(read(as_sent(CALL_REPORT)))


@pytest.mark.parametrize(
    ("fact", "english", "korean"),
    [
        (
            call(legs=None),
            f"Call: connected to 112-2; the caller's phone is silent; recording {INCIDENT}.wav",
            f"통화: 112-2 연결됨; 신고자 전화기는 무음 상태; 녹음 {INCIDENT}.wav",
        ),
        (
            call(silence="zeros", recording=None),
            "Call: connected to 112-2; the caller's phone is silent; routes tried: 112-1 no answer 6 s; 112-2 connected",
            "통화: 112-2 연결됨; 신고자 전화기는 무음 상태; 연결 시도: 112-1 응답 없음 6초; 112-2 연결됨",
        ),
        (
            from_data(FactKind.CALL, REFERENCE, PRESSED, {"state": "arrived", "silence": "no-rtp"}),
            "Call: arrived; the caller's phone is silent",
            "통화: 수신됨; 신고자 전화기는 무음 상태",
        ),
        (
            from_data(FactKind.CALL, REFERENCE, PRESSED, {"state": "dialling"}),
            "Call: dialling 112",
            "통화: 112 연결 중",
        ),
        (
            from_data(FactKind.CALL, REFERENCE, PRESSED, {"state": "dialling", "route": "112-1"}),
            "Call: dialling 112-1",
            "통화: 112-1 연결 중",
        ),
        (
            call(state="ended", ended_by="112", duration_s="42", legs=None, recording=None),
            "Call: ended by 112; lasted 42 s",
            "통화: 112가 종료함; 통화 시간 42초",
        ),
        (from_data(FactKind.CALL, REFERENCE, PRESSED, {"state": "ended"}), "Call: ended", "통화: 종료됨"),
        (
            call(state="given-up", legs=None, recording=None),
            "Call: given up by the caller before 112 answered",
            "통화: 112 응답 전에 신고자가 끊음",
        ),
        (from_data(FactKind.CALL, REFERENCE, PRESSED, {"state": "parked"}), "Call: parked", "통화: parked"),
        (from_data(FactKind.CALL, REFERENCE, PRESSED, {}), "Call:", "통화:"),
        (TWO_TAPS, "Knocks: 2 taps (11): cannot speak", "두드림: 2회 (11): 말할 수 없음"),
        (knock(digits="5", taps="1"), "Knocks: 1 tap (5)", "두드림: 1회 (5)"),
        (knock(taps="3", meaning="help"), "Knocks: 3 taps: help", "두드림: 3회: help"),
        (
            silence("lifted", by="desk 7"),
            "Silence was lifted by desk 7: sound can reach the caller's phone",
            "무음이 해제됨(desk 7 요청): 신고자의 전화기에서 소리가 날 수 있음",
        ),
        (
            silence("held", by="desk 7"),
            "Silence is held again, asked for by desk 7",
            "무음을 다시 유지함(desk 7 요청)",
        ),
        (silence("half"), "Silence: half, asked for by 112", "무음: half(112 요청)"),
        (
            guardian(1, state="confirmed", relation="mother", phone="8210******78", round="2"),
            "Guardian 1 (mother, 8210******78): confirmed, round 2",
            "보호자 1 (mother, 8210******78): 확인함, 2회차",
        ),
        (guardian(2, state="no-answer"), "Guardian 2: did not answer", "보호자 2: 받지 않음"),
        (
            guardian(1, state="texted", round="1", by="sms"),
            "Guardian 1: was texted, no reply yet, round 1",
            "보호자 1: 문자 보냄, 답장 기다리는 중, 1회차",
        ),
        (
            guardian(2, state="confirmed", round="1", by="sms"),
            "Guardian 2: confirmed by text, round 1",
            "보호자 2: 문자로 확인함, 1회차",
        ),
        (
            guardian("1.2", state="words", words="학원\n앞", relation="mother", round="1", by="sms"),
            "Guardian 1.2 (mother): writes: 학원 앞",
            "보호자 1.2 (mother): 문자로 전해 옴: 학원 앞",
        ),
        (
            from_data(
                FactKind.ACKNOWLEDGED,
                CENTRE,
                PRESSED,
                {"by": "Lee, desk 7", "at": "2026-11-23T15:06:00+09:00"},
            ),
            "Taken by 112 at 2026-11-23 15:06:00+09:00: Lee, desk 7",
            "112 접수 확인: 2026-11-23 15:06:00+09:00, Lee, desk 7",
        ),
        (
            from_data(FactKind.ACKNOWLEDGED, CENTRE, PRESSED, {}),
            "Taken by 112 at ?: 112",
            "112 접수 확인: ?, 112",
        ),
        (
            from_data(
                FactKind.DISPATCHED,
                "unit 1",
                PRESSED,
                {"unit": "순찰\n12호", "by": "desk 7", "at": "2026-11-23T15:07:00+09:00"},
            ),
            "On the way: 순찰 12호, sent at 2026-11-23 15:07:00+09:00 by desk 7",
            "출동: 순찰 12호, 2026-11-23 15:07:00+09:00, desk 7",
        ),
        (
            from_data(
                FactKind.DISPATCHED,
                "unit 1",
                PRESSED,
                {"unit": "순찰 12호", "eta": "2026-11-23T15:16:00+09:00"},
            ),
            "On the way: 순찰 12호, sent at ? by 112, there at about 2026-11-23 15:16:00+09:00",
            "출동: 순찰 12호, ?, 112, 도착 예정 2026-11-23 15:16:00+09:00",
        ),
        (
            from_data(
                FactKind.ARRIVED, "unit 1", PRESSED, {"unit": "순찰\n12호", "at": "2026-11-23T15:17:00+09:00"}
            ),
            "There: 순찰 12호, arrived at 2026-11-23 15:17:00+09:00, says 112",
            "현장 도착: 순찰 12호, 2026-11-23 15:17:00+09:00, 112",
        ),
        (
            from_data(FactKind.NOTE, "note 1", PRESSED, {"words": "뒷문\n열림", "by": "desk 7"}),
            "Note of 112: 뒷문 열림 (?, desk 7)",
            "112 메모: 뒷문 열림 (?, desk 7)",
        ),
        (
            from_data(FactKind.DISPATCHED, "unit 2", PRESSED, {}),
            "On the way: unit 2, sent at ? by 112",
            "출동: unit 2, ?, 112",
        ),
        (
            from_data(
                FactKind.TOLD_BY_VOICE,
                CENTRE,
                PRESSED,
                {"by": "Kim", "why": "desk 4", "at": "2026-11-23 15:09:00+09:00"},
            ),
            "This incident was told to 112 on the telephone already, at 2026-11-23 15:09:00+09:00, by Kim; desk 4",
            "이 신고는 2026-11-23 15:09:00+09:00에 전화로 먼저 알림: Kim; desk 4",
        ),
        (
            from_data(
                FactKind.DEVICE, PHONE, PRESSED, {"battery": "7", "pressed": "2026-11-23T15:04:50+09:00"}
            ),
            "Device: battery at 7 %; pressed at 2026-11-23 15:04:50+09:00 by its own clock",
            "기기: 배터리 7%; 기기의 시계로 2026-11-23 15:04:50+09:00에 누름",
        ),
    ],
)
def test_a_fact_is_a_line_that_an_operator_understands(fact, english, korean):
    report = replace(CALL_REPORT, facts=(fact,))
    assert described(report, "en")[3:] == [english]
    assert described(report, "ko")[3:] == [korean]


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_state_has_words_in_both_languages(language):
    words = wording.WORDINGS[language].facts
    for states, of in (
        (CallState, words.call_states),
        ({CallState.DIALLING, CallState.CONNECTED}, words.call_states_with_route),
        (EndedBy, words.ended_by),
        (LegState, words.leg_states),
        (SilenceState, words.silence_states),
        (GuardianState, words.guardian_states),
        (GuardianWay, words.guardian_confirmed_by),
    ):
        assert set(of) == set(states)


def test_once_silence_is_lifted_no_line_calls_the_phone_silent_and_the_instruction_says_where_to_look():
    before, after = (
        replace(CALL_REPORT, facts=(call(), silence(state, by="desk 7"))) for state in ("held", "lifted")
    )
    assert "the caller's phone is silent" in "\n".join(described(before))
    assert "the caller's phone is silent" not in "\n".join(described(after))
    told = texts(read(as_sent(after)), "info", "instruction")
    assert told.startswith(wording.ENGLISH.instruction)
    assert "Silence was lifted" in told
    assert texts(read(as_sent(before)), "info", "instruction") == wording.ENGLISH.instruction


def test_a_kind_and_keys_that_nobody_knows_break_nothing_and_say_nothing():
    plain = replace(CALL_REPORT, facts=(call(),))
    strange = replace(
        CALL_REPORT,
        facts=(call(**{"": "x", "codec": "alaw"}), from_data("weather", "", PRESSED, {"rain": "much"})),
    )
    assert as_sent(strange) == as_sent(plain)


def test_what_a_fact_brings_cannot_break_or_forge_the_report():
    nasty = "</value>&\x00\ud83d\r\nClosed because: all is well {route}"
    said = SaidByInvite(nasty, nasty, nasty, nasty)
    facts = (
        CallFact(nasty, PRESSED, Newer(nasty), legs=(Leg(nasty, Newer(nasty)),), recording=nasty, said=said),
        CallFact("v/2", PRESSED, CallState.REFUSED, refused=nasty),
        KnockFact(nasty, PRESSED, nasty, 5, nasty, {"en": nasty, "ko": nasty}),
        SilenceFact(PRESSED, Newer(nasty), nasty),
        GuardianFact(1, PRESSED, GuardianState.WORDS, 1, Newer(nasty), nasty, nasty, nasty),
        PersonFact(PRESSED, Newer(nasty), nasty, device=nasty, carrier=nasty, language=nasty),
        ScoreFact(PRESSED, 5, (Because(Newer(nasty)),)),
        FalseAlarmFact(1, PRESSED, nasty, nasty),
        AcknowledgedFact(PRESSED, nasty),
        DispatchedFact(1, PRESSED, nasty, nasty),
        ToldByVoiceFact(PRESSED, nasty, nasty),
    )
    lines = described(replace(CALL_REPORT, facts=facts))
    assert len(lines) == 3 + len(facts)
    assert not [line for line in lines if line.startswith("Closed")]


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


def test_no_coordinate_is_minus_zero():
    """A centre's parser may take "-0.000000" for no number, or for another place than 0."""
    position = replace(CELL, latitude=-0.0, longitude=-0.0000001)
    document = as_sent(replace(UPDATE_REPORT, position=position))
    assert texts(read(document), "info", "area", "circle").startswith("0.000000,0.000000 ")
    assert b"-0.000000" not in document


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


KEYS = st.sampled_from(
    [*CALL_FACTS, "refused", "digits", "meaning", "ko", "en", "by", "why", "relation", "phone", "words"]
)
SUBJECTS = {FactKind.SILENCE: PHONE, FactKind.GUARDIAN: "1", FactKind.FALSE_ALARM: "guardian 1"}


def fact_of_row(kind, subject, at, data):
    """A fact as a row may bring it; what is malformed is none."""
    try:
        return from_data(kind, SUBJECTS.get(kind, subject), at, data)
    except Malformed:
        return UnknownFact(kind, subject, at, data)


STATES = st.sampled_from([*CallState, *SilenceState, *GuardianState])
ODD_FACTS = st.builds(
    fact_of_row,
    st.sampled_from([FactKind.CALL, FactKind.KNOCK, *SUBJECTS]) | TEXTS,
    TEXTS,
    MOMENTS,
    st.dictionaries(KEYS | TEXTS, STATES | TEXTS, max_size=8),
)


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
        facts=tuple(draw(st.lists(FACTS | ODD_FACTS, max_size=4))),
        reasons=tuple(draw(st.lists(st.sampled_from(UpdateReason), max_size=3))),
        seen_again_at=draw(st.none() | MOMENTS),
    )


@given(reports(), st.sampled_from(["ko", "en"]))
def test_any_report_whatsoever_is_valid_and_repeats_byte_for_byte(report, language):
    octets = as_sent(report, language)
    assert octets == as_sent(report, language)
    facts = parameters(read(octets))
    assert len([name for name, _ in facts if name == "caller-text"]) == len(report.texts)
