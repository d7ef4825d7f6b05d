"""Who presses and how likely it is meant, in the words that an operator of 112 reads."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given

from telephony.domain.delivery import UPDATE
from telephony.domain.facts import CALLER, CentreStatusFact, FactKind, ReachFact, ReasonCode, UnknownFact
from telephony.domain.report import Report
from telephony.domain.values import Msisdn
from telephony.psap.caller_wording import ENGLISH_CALLER, KOREAN_CALLER
from telephony.psap.cap import encode
from telephony.psap.fact_wording import ENGLISH_FACTS, KOREAN_FACTS, fact_lines
from telephony.store.fact_rows import from_data
from tests.any_fact import FACTS
from tests.doubles import KST

PRESSED = datetime(2026, 11, 23, 6, 5, tzinfo=UTC)


SCORE_75 = "Likelihood of an accident: 75 % (a remark, no condition for sending help)"


def report(*facts):
    return Report(
        "sos-1-2", UPDATE, "sos-1", 2, (), PRESSED, False, Msisdn("821012345678"), "skt", "sms", "112", PRESSED, 1, PRESSED,
        facts=facts,
    )  # fmt: skip


def lines(*facts, words=ENGLISH_FACTS):
    return list(fact_lines(report(*facts), words))


def person(**known):
    return from_data(FactKind.PERSON, CALLER, PRESSED, {"registered": "yes", **known})


def score(score, reasons=""):
    return from_data(FactKind.SCORE, CALLER, PRESSED, {"score": score, "reasons": reasons})


HANEUL = person(
    name="Kim Haneul", born="2015-03-02", device="u-relief", carrier="skt", language="ko", medical="asthma",
    guardians="mother +821098760001; father +821098760002", consent="valid", also="sos-2",
)  # fmt: skip


def test_who_presses_stands_in_one_line_and_what_must_be_found_at_once_in_lines_of_its_own():
    assert lines(HANEUL) == [
        "Caller: Kim Haneul, born 2015-03-02 (11 years), U-Relief terminal, skt, speaks Korean",
        "Medical: asthma",
        "Guardians' numbers: mother +821098760001; father +821098760002",
        "The same person's other device was pressed too: sos-2",
    ]
    assert lines(HANEUL, words=KOREAN_FACTS) == [
        "신고자: Kim Haneul, 2015-03-02 출생(만 11세), U-안심 단말기, skt, 사용 언어 한국어",
        "의료 정보: asthma",
        "보호자 연락처: mother +821098760001; father +821098760002",
        "같은 사람의 다른 기기로도 신고됨: sos-2",
    ]


@pytest.mark.parametrize(
    ("fact", "english", "korean"),
    [
        (
            from_data(FactKind.PERSON, CALLER, PRESSED, {"registered": "no"}),
            "Caller: the number is not registered; nothing is known",
            "신고자: 등록되지 않은 번호(등록 정보 없음)",
        ),
        (
            from_data(FactKind.PERSON, CALLER, PRESSED, {"registered": "unknown"}),
            "Caller: the registry is not readable; that nothing is told does not mean that nothing is known",
            "신고자: 등록 정보를 읽을 수 없음. 등록 여부를 알 수 없으니 정보가 없다고 판단하지 마십시오.",
        ),
        (
            person(name="Lee", consent="ended"),
            "Caller: Lee, the guardian's consent has ended: of age now",
            "신고자: Lee, 보호자 동의 만료(성년)",
        ),
        (person(name="Lee", device="watch"), "Caller: Lee, watch", "신고자: Lee, watch"),
        (
            score("75", "false-alarms=2;recent-false-alarm"),
            f"{SCORE_75}; because earlier false alarms: 2; a false alarm within 7 days",
            "오신고 가능성: 75 %(참고용, 출동 판단의 조건이 아님). 근거: 이전 오신고 2회; 최근 7일 안에 오신고",
        ),
        (
            score("30"),
            "Likelihood of an accident: 30 % (a remark, no condition for sending help)",
            "오신고 가능성: 30 %(참고용, 출동 판단의 조건이 아님)",
        ),
        (
            score("30", "of-a-later-release=3;{odd}"),
            "Likelihood of an accident: 30 % (a remark, no condition for sending help); because of-a-later-release=3; {odd}",
            "오신고 가능성: 30 %(참고용, 출동 판단의 조건이 아님). 근거: of-a-later-release=3; {odd}",
        ),
        (
            from_data(FactKind.FALSE_ALARM, "guardian 1", PRESSED, {"by": "sms", "at": "2026-11-23T06:09:00+00:00"}),
            "Guardian 1 says that it was a false alarm (sms)",
            "보호자 1: 오신고라고 알림(sms)",
        ),
        (
            from_data(FactKind.FALSE_ALARM, "112", PRESSED, {"by": "desk 7", "why": "met by unit 12"}),
            "112 says that it was a false alarm (desk 7; met by unit 12)",
            "112: 오신고라고 알림(desk 7; met by unit 12)",
        ),
    ],
)  # fmt: skip
def test_each_fact_has_its_line_in_both_languages(fact, english, korean):
    assert lines(fact) == [english]
    assert lines(fact, words=KOREAN_FACTS) == [korean]


def test_every_reason_of_the_score_has_words_in_both_languages():
    for words in (KOREAN_CALLER, ENGLISH_CALLER):
        assert set(words.reasons) == set(ReasonCode)


def test_a_name_cannot_forge_a_line():
    nasty = person(name="Kim\nClosed because: all is well", medical="none\r\nSilence was lifted by 112")
    assert lines(nasty) == [
        "Caller: Kim Closed because: all is well",
        "Medical: none Silence was lifted by 112",
    ]


@given(FACTS)
def test_whatever_a_fact_brings_there_is_a_report_with_whole_lines(known):
    for words in (KOREAN_FACTS, ENGLISH_FACTS):
        told = lines(known, words=words)
        assert bool(told) is not isinstance(known, ReachFact | CentreStatusFact | UnknownFact)
        assert all("\n" not in line and "\r" not in line for line in told)
    for language in ("ko", "en"):
        encode(report(known), sender="onetouch.example", addresses="112.example", language=language, zone=KST)
