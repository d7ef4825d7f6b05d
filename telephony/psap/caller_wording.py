"""The words for who presses, for how likely it is an accident, and for whoever has said that it was one.

Total like its neighbour `fact_wording`: a key or a reason that is not known here is shown as it came or left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from telephony.domain.fact import Fact
from telephony.domain.person_fact import NO, UNKNOWN, age_on
from telephony.domain.report import Report


@dataclass(frozen=True, slots=True)
class CallerWording:
    """One language. Braces are filled by the functions below."""

    caller: str
    nobody: str
    unreadable: str
    born: str
    devices: Mapping[str, str]
    languages: Mapping[str, str]
    speaks: str
    consent_ended: str
    also: str
    lines: Mapping[str, str]
    """Those of a person's facts that have a line of their own, by key, in the order in which they are told."""
    score: str
    because: str
    reasons: Mapping[str, str]
    """By code; ``{number}`` is the reason's number."""
    false_alarm: str
    guardian: str
    false_alarm_why: str


KOREAN_CALLER = CallerWording(
    caller="신고자: {said}",
    nobody="신고자: 등록되지 않은 번호(등록 정보 없음)",
    unreadable="신고자: 등록 정보를 읽을 수 없음. 등록 여부를 알 수 없으니 정보가 없다고 판단하지 마십시오.",
    born="{born} 출생(만 {age}세)",
    devices=MappingProxyType({"phone": "휴대전화", "u-relief": "U-안심 단말기"}),
    languages=MappingProxyType({"ko": "한국어", "en": "영어"}),
    speaks="사용 언어 {language}",
    consent_ended="보호자 동의 만료(성년)",
    also="같은 사람의 다른 기기로도 신고됨: {also}",
    lines=MappingProxyType(
        {
            "medical": "의료 정보: {text}",
            "address": "등록 주소: {text}",
            "family": "가족 사항: {text}",
            "school": "학교: {text}",
            "guardians": "보호자 연락처: {text}",
            "photo": "사진: {text}",
        }
    ),
    score="오신고 가능성: {score} %(참고용, 출동 판단의 조건이 아님){because}",
    because=". 근거: {reasons}",
    reasons=MappingProxyType(
        {
            "said-false": "이번 신고가 오신고라는 확인이 있음",
            "stuck-key": "일정한 간격으로 {number}회 눌림(키 눌림 고장)",
            "false-alarms": "이전 오신고 {number}회",
            "recent-false-alarm": "최근 7일 안에 오신고",
            "place-of-false-alarm": "이전 오신고와 같은 장소",
            "drilled": "{number}분 전에 시험함",
            "place-of-drill": "이전에 시험한 장소",
            "call-given-up": "112 응답 전에 끊은 한 번의 통화",
            "call-cut-short": "{number}초 만에 끊은 한 번의 통화",
            "school-hours": "수업 시간의 어린이 단말기",
            "unregistered": "등록되지 않은 번호",
            "knocked": "신고자가 키를 {number}회 두드려 응답함",
            "typed": "직접 입력한 글이 있음",
            "nearby": "주변의 다른 신고 {number}건",
            "pressed-at-once": "10초 안에 다시 누름(모두 {number}회)",
            "another-way": "다른 방법으로도 신고함",
            "pressed-later": "나중에 다시 누름(모두 {number}회)",
            "moving": "{number} m 이동함",
            "night": "야간",
        }
    ),
    false_alarm="{who}: 오신고라고 알림",
    guardian="보호자",
    false_alarm_why="({by})",
)

ENGLISH_CALLER = CallerWording(
    caller="Caller: {said}",
    nobody="Caller: the number is not registered; nothing is known",
    unreadable="Caller: the registry is not readable; that nothing is told does not mean that nothing is known",
    born="born {born} ({age} years)",
    devices=MappingProxyType({"phone": "phone", "u-relief": "U-Relief terminal"}),
    languages=MappingProxyType({"ko": "Korean", "en": "English"}),
    speaks="speaks {language}",
    consent_ended="the guardian's consent has ended: of age now",
    also="The same person's other device was pressed too: {also}",
    lines=MappingProxyType(
        {
            "medical": "Medical: {text}",
            "address": "Registered address: {text}",
            "family": "Family: {text}",
            "school": "School: {text}",
            "guardians": "Guardians' numbers: {text}",
            "photo": "Photo: {text}",
        }
    ),
    score="Likelihood of an accident: {score} % (a remark, no condition for sending help){because}",
    because="; because {reasons}",
    reasons=MappingProxyType(
        {
            "said-false": "this one was said to be a false alarm",
            "stuck-key": "pressed {number} times at even intervals (a stuck key)",
            "false-alarms": "earlier false alarms: {number}",
            "recent-false-alarm": "a false alarm within 7 days",
            "place-of-false-alarm": "the place of an earlier false alarm",
            "drilled": "tried out {number} min before",
            "place-of-drill": "a place where it was tried out",
            "call-given-up": "a single call, given up before 112 answered",
            "call-cut-short": "a single call, ended by the caller after {number} s",
            "school-hours": "a child's terminal in school hours",
            "unregistered": "the number is not registered",
            "knocked": "the caller answered by tapping {number} keys",
            "typed": "words were typed",
            "nearby": "others pressing nearby: {number}",
            "pressed-at-once": "pressed again within 10 s ({number} in all)",
            "another-way": "pressed by another way too",
            "pressed-later": "pressed again later ({number} in all)",
            "moving": "moved {number} m",
            "night": "at night",
        }
    ),
    false_alarm="{who} says that it was a false alarm",
    guardian="Guardian",
    false_alarm_why=" ({by})",
)


def person_lines(fact: Fact, words: CallerWording, report: Report) -> Iterator[str]:
    """Give the lines about who presses: one in short, and one for each thing that must be found at a glance."""
    known = fact.data
    if known.get("registered") == NO:
        yield words.nobody
        return
    if known.get("registered") == UNKNOWN:
        yield words.unreadable
        return
    yield words.caller.format(said=", ".join(_in_short(known, words, report)))
    for key, template in words.lines.items():
        if text := known.get(key):
            yield template.format(text=text)
    if also := known.get("also"):
        yield words.also.format(also=also)


def score_line(fact: Fact, words: CallerWording) -> str:
    """Give the label and why."""
    reasons = "; ".join(_reasons(fact.data.get("reasons", ""), words))
    because = words.because.format(reasons=reasons) if reasons else ""
    return words.score.format(score=fact.data.get("score", "?"), because=because)


def false_alarm_line(fact: Fact, words: CallerWording) -> str:
    """Say who calls it a false alarm."""
    kind, _, place = fact.subject.partition(" ")
    who = f"{words.guardian} {place}" if kind == "guardian" and place else fact.subject
    said = "; ".join(fact.data[key] for key in ("by", "why") if fact.data.get(key))
    why = words.false_alarm_why.format(by=said) if said else ""
    return words.false_alarm.format(who=who) + why


def _in_short(known: Mapping[str, str], words: CallerWording, report: Report) -> Iterator[str]:
    yield known.get("name", "?")
    if born := known.get("born"):
        yield _born(born, words, report)
    if device := known.get("device"):
        yield words.devices.get(device, device)
    if carrier := known.get("carrier"):
        yield carrier
    if language := known.get("language"):
        yield words.speaks.format(language=words.languages.get(language, language))
    if known.get("consent") == "ended":
        yield words.consent_ended


def _born(born: str, words: CallerWording, report: Report) -> str:
    try:
        age = age_on(report.opened_at.date(), date.fromisoformat(born))
    except ValueError:
        return born
    return words.born.format(born=born, age=age)


def _reasons(codes: str, words: CallerWording) -> Iterator[str]:
    for each in filter(None, codes.split(";")):
        code, _, number = each.partition("=")
        template = words.reasons.get(code)
        yield each if template is None else template.format(number=number or "?")
