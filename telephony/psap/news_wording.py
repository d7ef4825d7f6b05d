"""Puts into words why an update is sent, and whether the phone answers, in Korean and in English."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from types import MappingProxyType

from telephony.domain.facts import NotReached, Reach, ReachFact
from telephony.domain.report import Report, UpdateReason
from telephony.psap.worded import worded


@dataclass(frozen=True, slots=True)
class NewsWording:
    """One language. Braces are filled by the functions below."""

    news: str
    reasons: Mapping[UpdateReason, str]
    reach: Mapping[Reach, str]
    reach_why: Mapping[NotReached, str]
    last_answered: str
    never_answered: str


KOREAN_NEWS = NewsWording(
    news="새로운 내용: {reasons}",
    reasons=MappingProxyType(
        {
            UpdateReason.PRESSED_AGAIN: "다시 누름",
            UpdateReason.SEEN_AGAIN: "같은 신고가 다시 수신됨(재전송이거나 다시 누름)",
            UpdateReason.POSITION: "위치",
            UpdateReason.SIGN_OF_LIFE: "위치 변화 없음, 전화기가 계속 응답함",
            UpdateReason.NOT_ANSWERING: "전화기가 위치 조회에 더 이상 응답하지 않음",
            UpdateReason.ANSWERING: "전화기가 위치 조회에 다시 응답함",
            UpdateReason.CALL: "통화",
            UpdateReason.KNOCK: "두드림",
            UpdateReason.SILENCE: "무음 상태",
            UpdateReason.GUARDIAN: "보호자",
            UpdateReason.PERSON: "신고자 정보",
            UpdateReason.SCORE: "오신고 가능성",
            UpdateReason.FALSE_ALARM: "오신고라는 연락",
            UpdateReason.ACKNOWLEDGED: "112 접수 확인",
            UpdateReason.DISPATCHED: "출동",
            UpdateReason.ARRIVED: "현장 도착",
            UpdateReason.NOTE: "112 메모",
            UpdateReason.CLOSED: "종료",
        }
    ),
    reach=MappingProxyType(
        {
            Reach.ANSWERING: "전화기: 위치 조회에 다시 응답함",
            Reach.NOT_ANSWERING: "전화기: 위치 조회에 응답하지 않음",
        }
    ),
    reach_why=MappingProxyType(
        {
            NotReached.ABSENT: "꺼졌거나 통신 불가",
            NotReached.NOT_LOCATED: "측위 실패",
            NotReached.UNKNOWN: "통신사가 번호를 찾지 못함",
        }
    ),
    last_answered="마지막 응답 {time}",
    never_answered="신고 후 응답한 적 없음",
)

ENGLISH_NEWS = NewsWording(
    news="What is new: {reasons}",
    reasons=MappingProxyType(
        {
            UpdateReason.PRESSED_AGAIN: "pressed again",
            UpdateReason.SEEN_AGAIN: "the same message came once more (delivered again, or pressed again)",
            UpdateReason.POSITION: "position",
            UpdateReason.SIGN_OF_LIFE: "the phone still answers, where it was",
            UpdateReason.NOT_ANSWERING: "the phone does not answer the location service any more",
            UpdateReason.ANSWERING: "the phone answers the location service again",
            UpdateReason.CALL: "call",
            UpdateReason.KNOCK: "knocks",
            UpdateReason.SILENCE: "silence",
            UpdateReason.GUARDIAN: "guardians",
            UpdateReason.PERSON: "who presses",
            UpdateReason.SCORE: "how likely it is an accident",
            UpdateReason.FALSE_ALARM: "said to be a false alarm",
            UpdateReason.ACKNOWLEDGED: "taken by 112",
            UpdateReason.DISPATCHED: "a unit is on its way",
            UpdateReason.ARRIVED: "a unit is there",
            UpdateReason.NOTE: "a note of 112",
            UpdateReason.CLOSED: "closed",
        }
    ),
    reach=MappingProxyType(
        {
            Reach.ANSWERING: "Phone: answers the location service again",
            Reach.NOT_ANSWERING: "Phone: does not answer the location service",
        }
    ),
    reach_why=MappingProxyType(
        {
            NotReached.ABSENT: "switched off or out of coverage",
            NotReached.NOT_LOCATED: "the network could not locate it",
            NotReached.UNKNOWN: "no carrier knows the number any more",
        }
    ),
    last_answered="last answered at {time}",
    never_answered="it has not answered since the press",
)


def news_lines(report: Report, words: NewsWording) -> Iterator[str]:
    """Say what in an update is news; nothing of a report that has no reasons."""
    if report.reasons:
        yield words.news.format(reasons="; ".join(words.reasons[each] for each in report.reasons))


def reach_lines(report: Report, words: NewsWording, zone: tzinfo) -> Iterator[str]:
    """Say whether the phone answers, where anything was noticed of it."""
    for fact in report.facts:
        if isinstance(fact, ReachFact):
            yield _reach_line(fact, words, zone)


def in_zone(moment: datetime, zone: tzinfo) -> datetime:
    """Return a moment in local time; at the very ends of the calendar as it is: no clock may cost a report."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment


def _reach_line(fact: ReachFact, words: NewsWording, zone: tzinfo) -> str:
    clauses = [worded(fact.state, words.reach)]
    if fact.state is not Reach.ANSWERING:
        answered = fact.last_answered
        clauses.append("" if fact.why is None else worded(fact.why, words.reach_why))
        clauses.append(
            words.never_answered
            if answered is None
            else words.last_answered.format(time=local_time(answered, zone, " "))
        )
    return "; ".join(" ".join(clause.split()) for clause in clauses if clause)


def local_time(moment: datetime, zone: tzinfo, separator: str) -> str:
    """Return a time in local time, in ISO 8601 with an offset."""
    return in_zone(moment, zone).isoformat(sep=separator, timespec="seconds")
