"""Tells a press in milliseconds: what the phone did, what the daemon recorded, what the far ends were asked and told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import assert_never

from telephony.domain.facts import (
    AcknowledgedFact,
    ArrivedFact,
    CallFact,
    CentreStatusFact,
    DeviceFact,
    DispatchedFact,
    Fact,
    FalseAlarmFact,
    GuardianFact,
    KnockFact,
    NoteFact,
    PersonFact,
    ReachFact,
    ScoreFact,
    SilenceFact,
    ToldByVoiceFact,
    UnknownFact,
)
from telephony.lab.carrier.mlp_answers import MlpRequest
from telephony.lab.centre.psap import ReceivedReport
from telephony.lab.stage.house import Language
from telephony.lab.stage.lines import KOREAN_WHO, Who, timed
from telephony.lab.stage.report_words import WORDS as REPORT_WORDS
from telephony.lab.stage.report_words import report_in_words
from telephony.psap.worded import worded
from telephony.store.incidents import Happened, Story


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the timeline: milliseconds since the phone sent, who, and what."""

    ms: float
    who: Who
    what: str


@dataclass(frozen=True, slots=True)
class TimelineWords:
    """One language; braces are filled below and where the press is made."""

    texts: str
    dials: str
    calls: str
    on_disk: str
    answered: str
    shows: str
    hangs_up: str
    answered_silently: str
    invited: str
    asked_where: str
    with_place: str
    ways: Mapping[str, str]
    position: str
    acknowledged: str
    kinds: Mapping[str, str]
    asked_fast: str
    asked_accurate: str
    reported: str


WORDS: Mapping[Language, TimelineWords] = MappingProxyType(
    {
        "en": TimelineWords(
            texts="holds the key: an SMS to {number}, “{text}”",
            dials="dials {code}",
            calls="holds the key: a call to {number}",
            on_disk="answered {status}: the press is on disk",
            answered="answered {status}",
            shows="shows “{text}”",
            hangs_up="hangs up",
            answered_silently="200 OK: answered in silence, no 180 before it",
            invited="the telephone of route 1 is called",
            asked_where="asked the URL of the call for her place: {answer}",
            with_place=", a circle",
            ways=MappingProxyType(
                {
                    "sms": "deliver_sm read from link {link}",
                    "ussd": "deliver_sm (USSD) read from link {link}",
                    "call": "a call arrives on trunk {link}",
                    "app": "a press of the app {link} comes over HTTP",
                    "terminal": "a press of a terminal comes over HTTP by {link}",
                    "system": "a press of another system, {link}, comes over HTTP",
                }
            ),
            position="position by {method}: {radius} m at {confidence} %",
            acknowledged="112 acknowledged the {kind} (attempt {attempts})",
            kinds=MappingProxyType({}),
            asked_fast="asked: {service} {speed}, what is known now",
            asked_accurate="asked: {service} {speed}, the accurate position",
            reported="CAP {report}",
        ),
        "ko": TimelineWords(
            texts="키를 길게 누름: {number}로 문자 “{text}”",
            dials="{code} 다이얼",
            calls="키를 길게 누름: {number}로 전화",
            on_disk="{status} 응답: 신고가 디스크에 기록됨",
            answered="{status} 응답",
            shows="화면 표시 “{text}”",
            hangs_up="전화를 끊음",
            answered_silently="200 OK: 소리 없이 연결됨, 앞선 180 없음",
            invited="경로 1의 112 전화가 울림",
            asked_where="통화의 위치 URL 조회: {answer}",
            with_place=", 위치 있음",
            ways=MappingProxyType(
                {
                    "sms": "링크 {link}에서 deliver_sm 수신",
                    "ussd": "링크 {link}에서 deliver_sm(USSD) 수신",
                    "call": "중계선 {link}에 전화가 들어옴",
                    "app": "앱 {link}의 신고가 HTTP로 들어옴",
                    "terminal": "단말기 신고가 {link}을(를) 통해 HTTP로 들어옴",
                    "system": "다른 시스템 {link}의 신고가 HTTP로 들어옴",
                }
            ),
            position="위치({method}): {confidence} %로 {radius} m",
            acknowledged="112가 {kind} 수신을 확인함({attempts}번째 시도)",
            kinds=MappingProxyType({"alert": "신고", "update": "갱신", "closing": "종료"}),
            asked_fast="조회: {service} {speed}, 지금 아는 위치",
            asked_accurate="조회: {service} {speed}, 정확한 위치",
            reported="CAP {report}",
        ),
    }
)


def since_ms(at: float, start: float) -> float:
    """Return milliseconds."""
    return round((at - start) * 1000, 1)


def daemon_moments(told: Story, start: float, language: Language) -> list[Moment]:
    """Return the daemon's records."""
    words = WORDS[language]
    moments = []
    for line in told.lines:
        facts, said = line.facts, ""
        if line.kind is Happened.PRESS:
            said = words.ways[facts["source"]].format(link=facts["connector"])
        elif line.kind is Happened.POSITION:
            said = words.position.format(
                method=facts["method"],
                radius=f"{facts['uncertainty_m']:.0f}",
                confidence=f"{facts['confidence']:.0f}",
            )
        elif line.known is not None:
            said = fact_in_words(line.known, language)
        elif line.kind is Happened.DELIVERED and facts["sequence"] > 0:
            kind = words.kinds.get(facts["kind"], facts["kind"])
            said = words.acknowledged.format(kind=kind, attempts=facts["attempts"])
        if said:
            moments.append(Moment(since_ms(line.at.timestamp(), start), Who.ONETOUCH, said))
    return moments


def fact_in_words(fact: Fact, language: Language) -> str:  # noqa: PLR0911 - one case a kind
    """Return what became known; all persons here are invented, so it may be told in full."""
    words = REPORT_WORDS[language]
    match fact:
        case PersonFact():
            born = "" if fact.born is None else fact.born.isoformat()
            who = ", ".join(filter(None, (fact.name, born, fact.device)))
            return words.who.format(who=who) if who else words.unregistered
        case ScoreFact():
            reasons = ", ".join(map(str, fact.reasons))
            return words.accident.format(percent=fact.likelihood) + (f": {reasons}" if reasons else "")
        case CallFact():
            return words.facts.call.format(said=worded(fact.state, words.facts.call_states))
        case KnockFact():
            return words.knocks.format(meaning=fact.words.get(language) or fact.digits)
        case GuardianFact():
            state = worded(fact.state, words.facts.guardian_states)
            return words.guardian.format(number=fact.subject, state=state)
        case SilenceFact() | ReachFact():
            return f"{fact.kind} {fact.state}"
        case (
            AcknowledgedFact()
            | ArrivedFact()
            | CentreStatusFact()
            | DeviceFact()
            | DispatchedFact()
            | FalseAlarmFact()
            | NoteFact()
            | ToldByVoiceFact()
            | UnknownFact()
        ):
            return fact.kind
        case _:
            assert_never(fact)


def question_in_words(asked: MlpRequest, language: Language) -> str:
    """Return what the location server was asked."""
    words = WORDS[language]
    template = words.asked_fast if asked.is_fast else words.asked_accurate
    return template.format(service=asked.service, speed=asked.resp_req)


def location_moments(requests: Sequence[MlpRequest], start: float, language: Language) -> list[Moment]:
    """Return what the location server was asked."""
    return [
        Moment(since_ms(asked.at, start), Who.LBS, question_in_words(asked, language)) for asked in requests
    ]


def centre_moments(reports: Sequence[ReceivedReport], start: float, language: Language) -> list[Moment]:
    """Return what 112 received."""
    words = WORDS[language]
    return [
        Moment(
            since_ms(report.at, start),
            Who.CENTRE,
            words.reported.format(report=report_in_words(report, language)),
        )
        for report in reports
    ]


def named(who: Who, language: Language) -> str:
    """Return whose doing it was, in a language."""
    return KOREAN_WHO.get(who, who) if language == "ko" else who


def in_lines(moments: Sequence[Moment], language: Language) -> list[str]:
    """Return the timeline for a terminal."""
    return [timed(moment.ms, named(moment.who, language), moment.what) for moment in moments]
