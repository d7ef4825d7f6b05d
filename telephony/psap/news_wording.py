"""The words for why an update is sent, and for whether the phone answers, in Korean and in English."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from types import MappingProxyType

from telephony.domain.fact import LAST_ANSWERED, REACH, Fact, Reach
from telephony.domain.report import Report, UpdateReason


@dataclass(frozen=True, slots=True)
class NewsWording:
    """One language. Braces are filled by the functions below."""

    news: str
    reasons: Mapping[UpdateReason, str]
    reach: Mapping[str, str]
    """By state of a fact of kind `REACH`."""
    reach_why: Mapping[str, str]
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
        {"absent": "꺼졌거나 통신 불가", "not-located": "측위 실패", "unknown": "통신사가 번호를 찾지 못함"}
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
            "absent": "switched off or out of coverage",
            "not-located": "the network could not locate it",
            "unknown": "no carrier knows the number any more",
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
        if fact.kind == REACH:
            yield _reach_line(fact, words, zone)


def in_zone(moment: datetime, zone: tzinfo) -> datetime:
    """Give a moment in local time; at the very ends of the calendar as it is: no clock may cost a report."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment


def _reach_line(fact: Fact, words: NewsWording, zone: tzinfo) -> str:
    state = fact.data.get("state", "")
    clauses = [words.reach.get(state, state)]
    if state != Reach.ANSWERING:
        why, answered = fact.data.get("why", ""), fact.data.get(LAST_ANSWERED)
        clauses.append(words.reach_why.get(why, why))
        clauses.append(
            words.never_answered
            if answered is None
            else words.last_answered.format(time=local_time(answered, zone, " "))
        )
    return "; ".join(" ".join(clause.split()) for clause in clauses if clause)


def local_time(said: str, zone: tzinfo, separator: str) -> str:
    """Put a time that a fact has in ISO 8601 in local time; what is no such time stays as it is."""
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        return said
    return in_zone(moment, zone).isoformat(sep=separator, timespec="seconds")
