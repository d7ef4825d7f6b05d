"""Reads a report as the desk of the lab's 112 centre does, and says in a few words what is new in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from telephony.domain.facts import CallState, GuardianState
from telephony.domain.report import UpdateReason
from telephony.lab.centre.psap import ReceivedReport
from telephony.lab.stage.house import Language
from telephony.psap.fact_wording import ENGLISH_FACTS, KOREAN_FACTS, FactWording
from telephony.psap.news_wording import ENGLISH_NEWS, KOREAN_NEWS, NewsWording

ALERT, UPDATE = "Alert", "Update"
"""Of CAP's msgType."""

E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class ReportWords:
    """One language; braces are filled below."""

    types: Mapping[str, str]
    drill: str
    pressed: str
    ways: Mapping[str, str]
    unlocated: str
    within: str
    who: str
    unregistered: str
    accident: str
    guardian: str
    closed: str
    knocks: str
    facts: FactWording
    news: NewsWording


WORDS: Mapping[Language, ReportWords] = MappingProxyType(
    {
        "en": ReportWords(
            types=MappingProxyType({ALERT: "Alert", UPDATE: "Update", "Cancel": "Cancel"}),
            drill="(drill) ",
            pressed="key held ({way})",
            ways=MappingProxyType({"sms": "SMS", "ussd": "USSD", "call": "call"}),
            unlocated="place not known yet",
            within="within {radius} m of {place}",
            who="she is {who}",
            unregistered="the number is not registered",
            accident="accident {percent} %",
            guardian="guardian {number} {state}",
            closed="closed: {reason}",
            knocks="taps in the call: {meaning}",
            facts=ENGLISH_FACTS,
            news=ENGLISH_NEWS,
        ),
        "ko": ReportWords(
            types=MappingProxyType({ALERT: "신고", UPDATE: "갱신", "Cancel": "취소"}),
            drill="(훈련) ",
            pressed="키를 길게 누름({way})",
            ways=MappingProxyType({"sms": "문자", "ussd": "USSD", "call": "전화"}),
            unlocated="위치는 아직 모름",
            within="{place} 반경 {radius} m 이내",
            who="신고자: {who}",
            unregistered="등록되지 않은 번호",
            accident="오신고 가능성 {percent} %",
            guardian="보호자 {number}: {state}",
            closed="종료: {reason}",
            knocks="통화 중 두드림: {meaning}",
            facts=KOREAN_FACTS,
            news=KOREAN_NEWS,
        ),
    }
)


def report_in_words(report: ReceivedReport, language: Language) -> str:
    """Return the type of a report and what in it is new. Total: what the lab does not know is told as it is."""
    words = WORDS[language]
    drill = words.drill if report.status == "Test" else ""
    kind = words.types.get(report.msg_type, report.msg_type or "?")
    return f"{drill}{kind}: {'; '.join(_news(report, words, language))}"


def where(report: ReceivedReport, language: Language) -> str | None:
    """Return the circle of a report in words; ``None`` without one."""
    radius = radius_m(report)
    if radius is None:
        return None
    latitude, longitude = (float(each) for each in (report.circle or "").split()[0].split(","))
    return WORDS[language].within.format(radius=radius, place=f"{latitude:.4f},{longitude:.4f}")


def radius_m(report: ReceivedReport) -> int | None:
    """Return the radius of a report's circle; ``None`` without one, or where it cannot be read."""
    try:
        place, radius = (report.circle or "").split()
        latitude, longitude = place.split(",")
        float(latitude), float(longitude)
        return round(float(radius) * 1000)
    except (ValueError, OverflowError):
        return None


def reasons(report: ReceivedReport) -> tuple[str, ...]:
    """Return why an update was sent."""
    return report.parameters.get("update-reason", ())


def first(report: ReceivedReport, name: str) -> str:
    """Return the first value of a parameter; empty without one."""
    return next(iter(report.parameters.get(name, ())), "")


def latest(report: ReceivedReport, name: str) -> str:
    """Return the last value of a parameter; empty without one."""
    return (report.parameters.get(name) or ("",))[-1]


def _news(report: ReceivedReport, words: ReportWords, language: Language) -> Iterator[str]:
    if report.msg_type == ALERT:
        way = first(report, "trigger-source")
        yield words.pressed.format(way=words.ways.get(way, way))
        yield where(report, language) or words.unlocated
    for reason in reasons(report):
        yield _reason(reason, report, words, language)
    if first(report, "incident-state") == "closed" and UpdateReason.CLOSED not in reasons(report):
        yield _reason(UpdateReason.CLOSED, report, words, language)


def _reason(  # noqa: PLR0911 - one case a reason
    reason: str, report: ReceivedReport, words: ReportWords, language: Language
) -> str:
    match reason:
        case UpdateReason.POSITION:
            return where(report, language) or words.unlocated
        case UpdateReason.PERSON:
            who = [first(report, f"person-{name}") for name in ("name", "birth-date")]
            told = ", ".join(filter(None, who))
            return words.who.format(who=told) if told else words.unregistered
        case UpdateReason.SCORE:
            return words.accident.format(percent=first(report, "accident-likelihood-percent"))
        case UpdateReason.GUARDIAN:
            state = named(GuardianState, latest(report, "guardian-state"), words.facts.guardian_states)
            return words.guardian.format(number=latest(report, "guardian"), state=state)
        case UpdateReason.CALL:
            state = named(CallState, latest(report, "call-state"), words.facts.call_states)
            return words.facts.call.format(said=state)
        case UpdateReason.KNOCK:
            return words.knocks.format(meaning=latest(report, "knock-meaning") or latest(report, "knock"))
        case UpdateReason.CLOSED:
            return words.closed.format(reason=first(report, "close-reason"))
        case _:
            return named(UpdateReason, reason, words.news.reasons)


def named(kind: type[E], value: str, words: Mapping[E, str]) -> str:
    """Return a state in words; one that the lab does not know is told as it is."""
    try:
        return words[kind(value)]
    except (ValueError, KeyError):
        return value
