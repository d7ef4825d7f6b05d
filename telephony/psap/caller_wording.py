"""Puts into words who the caller is, how likely an accident is, and who has called it a false alarm.

Total like its neighbour `fact_wording`: a reason that is not known here is shown as it came.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import assert_never

from telephony.domain.facts import (
    Because,
    ConsentState,
    FalseAlarmFact,
    Newer,
    PersonFact,
    ReasonCode,
    Registered,
    ScoreFact,
)
from telephony.domain.people.person_fact import age_on
from telephony.domain.report import Report


@dataclass(frozen=True, slots=True)
class CallerWording:
    """One language. Braces are filled by the functions below."""

    caller: str
    unregistered: str
    unreadable: str
    born: str
    devices: Mapping[str, str]
    languages: Mapping[str, str]
    speaks: str
    consent_ended: str
    also: str
    medical: str
    address: str
    family: str
    school: str
    guardians: str
    photo: str
    score: str
    because: str
    reasons: Mapping[ReasonCode, str]
    """``{number}`` is the reason's number."""
    false_alarm: str
    guardian: str
    false_alarm_why: str


KOREAN_CALLER = CallerWording(
    caller="신고자: {said}",
    unregistered="신고자: 등록되지 않은 번호(등록 정보 없음)",
    unreadable="신고자: 등록 정보를 읽을 수 없음. 등록 여부를 알 수 없으니 정보가 없다고 판단하지 마십시오.",
    born="{born} 출생(만 {age}세)",
    devices=MappingProxyType({"phone": "휴대전화", "u-relief": "U-안심 단말기"}),
    languages=MappingProxyType({"ko": "한국어", "en": "영어"}),
    speaks="사용 언어 {language}",
    consent_ended="보호자 동의 만료(성년)",
    also="같은 사람의 다른 기기로도 신고됨: {also}",
    medical="의료 정보: {text}",
    address="등록 주소: {text}",
    family="가족 사항: {text}",
    school="학교: {text}",
    guardians="보호자 연락처: {text}",
    photo="사진: {text}",
    score="오신고 가능성: {score} %(참고용, 출동 판단의 조건이 아님){because}",
    because=". 근거: {reasons}",
    reasons=MappingProxyType(
        {
            ReasonCode.SAID_FALSE: "이번 신고가 오신고라는 확인이 있음",
            ReasonCode.STUCK_KEY: "일정한 간격으로 {number}회 눌림(키 눌림 고장)",
            ReasonCode.FALSE_ALARMS: "이전 오신고 {number}회",
            ReasonCode.RECENT_FALSE_ALARM: "최근 7일 안에 오신고",
            ReasonCode.PLACE_OF_FALSE_ALARM: "이전 오신고와 같은 장소",
            ReasonCode.DRILLED: "{number}분 전에 시험함",
            ReasonCode.PLACE_OF_DRILL: "이전에 시험한 장소",
            ReasonCode.CALL_GIVEN_UP: "112 응답 전에 끊은 한 번의 통화",
            ReasonCode.CALL_CUT_SHORT: "{number}초 만에 끊은 한 번의 통화",
            ReasonCode.SCHOOL_HOURS: "수업 시간의 어린이 단말기",
            ReasonCode.UNREGISTERED: "등록되지 않은 번호",
            ReasonCode.KNOCKED: "신고자가 키를 {number}회 두드려 응답함",
            ReasonCode.TYPED: "직접 입력한 글이 있음",
            ReasonCode.NEARBY: "주변의 다른 신고 {number}건",
            ReasonCode.PRESSED_AT_ONCE: "10초 안에 다시 누름(모두 {number}회)",
            ReasonCode.ANOTHER_WAY: "다른 방법으로도 신고함",
            ReasonCode.PRESSED_LATER: "나중에 다시 누름(모두 {number}회)",
            ReasonCode.MOVING: "{number} m 이동함",
            ReasonCode.NIGHT: "야간",
        }
    ),
    false_alarm="{who}: 오신고라고 알림",
    guardian="보호자",
    false_alarm_why="({by})",
)

ENGLISH_CALLER = CallerWording(
    caller="Caller: {said}",
    unregistered="Caller: the number is not registered; nothing is known",
    unreadable="Caller: the registry is not readable; that nothing is told does not mean that nothing is known",
    born="born {born} ({age} years)",
    devices=MappingProxyType({"phone": "phone", "u-relief": "U-Relief terminal"}),
    languages=MappingProxyType({"ko": "Korean", "en": "English"}),
    speaks="speaks {language}",
    consent_ended="the guardian's consent has ended: of age now",
    also="The same person's other device was pressed too: {also}",
    medical="Medical: {text}",
    address="Registered address: {text}",
    family="Family: {text}",
    school="School: {text}",
    guardians="Guardians' numbers: {text}",
    photo="Photo: {text}",
    score="Likelihood of an accident: {score} % (a remark, no condition for sending help){because}",
    because="; because {reasons}",
    reasons=MappingProxyType(
        {
            ReasonCode.SAID_FALSE: "this one was said to be a false alarm",
            ReasonCode.STUCK_KEY: "pressed {number} times at even intervals (a stuck key)",
            ReasonCode.FALSE_ALARMS: "earlier false alarms: {number}",
            ReasonCode.RECENT_FALSE_ALARM: "a false alarm within 7 days",
            ReasonCode.PLACE_OF_FALSE_ALARM: "the place of an earlier false alarm",
            ReasonCode.DRILLED: "tried out {number} min before",
            ReasonCode.PLACE_OF_DRILL: "a place where it was tried out",
            ReasonCode.CALL_GIVEN_UP: "a single call, given up before 112 answered",
            ReasonCode.CALL_CUT_SHORT: "a single call, ended by the caller after {number} s",
            ReasonCode.SCHOOL_HOURS: "a child's terminal in school hours",
            ReasonCode.UNREGISTERED: "the number is not registered",
            ReasonCode.KNOCKED: "the caller answered by tapping {number} keys",
            ReasonCode.TYPED: "words were typed",
            ReasonCode.NEARBY: "others pressing nearby: {number}",
            ReasonCode.PRESSED_AT_ONCE: "pressed again within 10 s ({number} in all)",
            ReasonCode.ANOTHER_WAY: "pressed by another way too",
            ReasonCode.PRESSED_LATER: "pressed again later ({number} in all)",
            ReasonCode.MOVING: "moved {number} m",
            ReasonCode.NIGHT: "at night",
        }
    ),
    false_alarm="{who} says that it was a false alarm",
    guardian="Guardian",
    false_alarm_why=" ({by})",
)


def person_lines(fact: PersonFact, words: CallerWording, report: Report) -> Iterator[str]:
    """Return the lines about who presses: one in short, and one for each thing that must be found at a glance."""
    match fact.registered:
        case Registered.NO:
            yield words.unregistered
        case Registered.UNKNOWN:
            yield words.unreadable
        case Registered.YES | Registered.WITHDRAWN | Newer():
            yield words.caller.format(said=", ".join(_in_short(fact, words, report)))
            for template, text in _lines_of_their_own(fact, words):
                if text:
                    yield template.format(text=text)
            if fact.also:
                yield words.also.format(also="; ".join(fact.also))
        case _:
            assert_never(fact.registered)


def score_line(fact: ScoreFact, words: CallerWording) -> str:
    """Return the label and why."""
    reasons = "; ".join(_reason(each, words) for each in fact.reasons)
    because = words.because.format(reasons=reasons) if reasons else ""
    score = "?" if fact.likelihood is None else fact.likelihood
    return words.score.format(score=score, because=because)


def false_alarm_line(fact: FalseAlarmFact, words: CallerWording) -> str:
    """Say who calls it a false alarm."""
    who = f"{words.guardian} {fact.sayer}" if isinstance(fact.sayer, int) else fact.sayer
    said = "; ".join(filter(None, (fact.by, fact.why)))
    why = words.false_alarm_why.format(by=said) if said else ""
    return words.false_alarm.format(who=who) + why


def _lines_of_their_own(fact: PersonFact, words: CallerWording) -> Iterator[tuple[str, str]]:
    yield words.medical, fact.medical
    yield words.address, fact.address
    yield words.family, fact.family
    yield words.school, fact.school
    yield words.guardians, "; ".join(map(str, fact.guardians))
    yield words.photo, fact.photo


def _in_short(fact: PersonFact, words: CallerWording, report: Report) -> Iterator[str]:
    yield fact.name or "?"
    if fact.born is not None:
        yield words.born.format(born=fact.born, age=age_on(report.opened_at.date(), fact.born))
    if fact.device:
        yield words.devices.get(fact.device, fact.device)
    if fact.carrier:
        yield fact.carrier
    if fact.language:
        yield words.speaks.format(language=words.languages.get(fact.language, fact.language))
    if fact.consent is ConsentState.ENDED:
        yield words.consent_ended


def _reason(because: Because, words: CallerWording) -> str:
    if isinstance(because.code, Newer):
        return str(because)
    return words.reasons[because.code].format(number="?" if because.number is None else because.number)
