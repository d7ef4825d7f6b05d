"""Puts a report into words for the operator of a 112 centre, in Korean and in English."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from types import MappingProxyType
from typing import Literal

from telephony.domain.delivery import CLOSING
from telephony.domain.position import UNKNOWN_RADIUS_M, Position
from telephony.domain.report import DETAILS_LOST, NUMBER_LOST, SHORTENED, Report
from telephony.domain.trigger import (
    DOUBTFUL_TEXT,
    PARTLY_UNREADABLE_PRESS,
    PARTLY_UNREADABLE_TEXT,
    REFUSED_CALL,
    TEXT_IN_ANOTHER_ALPHABET,
    TOLD_LATE,
    UNKNOWN_USSD_STRING,
    UNLISTED_DESTINATION,
    UNREADABLE_TEXT,
)
from telephony.domain.ussd import DIALLED_IN_INCIDENT
from telephony.psap.fact_wording import (
    ENGLISH_FACTS,
    KOREAN_FACTS,
    FactWording,
    fact_lines,
    is_silence_lifted,
)
from telephony.psap.news_wording import (
    ENGLISH_NEWS,
    KOREAN_NEWS,
    NewsWording,
    in_zone,
    news_lines,
    reach_lines,
)

Language = Literal["ko", "en"]

_HALF_WAY_ROUND_M = 20_037_508
"""No circle on Earth is larger; keeps absurd uncertainties readable."""


OLD_S = 60
"""From this age on a headline tells it: on foot she may be a street away."""


@dataclass(frozen=True, slots=True)
class Wording:
    """One language. Braces are filled by the functions below."""

    tag: str
    """RFC 5646 tag, as CAP's ``language``."""
    event: str
    headline: str
    closed_headline: str
    test_mark: str
    instruction: str
    test_instruction: str
    lifted_instruction: str
    pressed: str
    way: str
    presses: str
    seen_again: str
    seen_again_withheld: str
    text: str
    remark: str
    labels: Mapping[str, str]
    closed: str
    position: str
    newest: str
    sharpest: str
    position_unknown: str
    position_never: str
    area: str
    area_unknown: str
    within: str
    altitude: str
    accuracy_unknown: str
    withheld: str
    ways: Mapping[str, str]
    methods: Mapping[str, str]
    sources: Mapping[str, str]
    carrier_source: str
    aged: str
    age_unknown: str
    age_units: tuple[str, str, str, str]
    """Seconds, minutes, hours, days, each to be put after its number."""
    facts: FactWording
    news: NewsWording


KOREAN = Wording(
    tag="ko-KR",
    event="원터치 SOS",
    headline="무음 원터치 SOS 신고 {number}, {where}",
    closed_headline="종료: 원터치 SOS {number}, {where}",
    test_mark="[훈련 - 실제 상황 아님] ",
    instruction=(
        "신고자의 전화로 전화하거나 문자를 보내지 마십시오. "
        "소리나 화면이 신고자를 위험하게 할 수 있고, 신고자는 말을 하지 못하는 상황일 수 있습니다."
    ),
    test_instruction="훈련입니다. 출동하지 마십시오. ",
    lifted_instruction=" 이 신고는 무음이 해제되었습니다. 요청자는 설명에 있습니다.",
    pressed="신고 시각: {time}",
    way="신고 방법: {way}, 수신 번호 {destination}, 통신사 {carrier}",
    presses="누른 횟수: {count}회, 마지막 {time}",
    seen_again="{time} 같은 신고가 다시 수신됨: 통신망 재전송이거나 다시 누른 것",
    seen_again_withheld="{time} 같은 신고가 다시 수신됨: 통신망 재전송이거나 다시 누른 것, 또는 발신 번호 없는 다른 신고자",
    text="신고자 문자: {text}",
    remark="참고: {label}",
    labels={
        UNLISTED_DESTINATION: "등록되지 않은 수신 번호로 온 신고",
        UNREADABLE_TEXT: "문자 내용을 읽을 수 없음(원문 보관)",
        PARTLY_UNREADABLE_TEXT: "문자 일부를 읽을 수 없어 \ufffd로 표시함(원문 보관)",
        DOUBTFUL_TEXT: "문자 내용이 뜻이 통하지 않음: 문자 코드가 잘못되었을 수 있음(원문 보관)",
        TEXT_IN_ANOTHER_ALPHABET: "문자를 통신사가 알린 것과 다른 문자 코드로 읽음: 틀릴 수 있음(원문 보관)",
        UNKNOWN_USSD_STRING: "USSD 코드 외에 다른 내용이 입력됨",
        PARTLY_UNREADABLE_PRESS: "앱이나 단말기가 보낸 내용의 일부를 읽을 수 없음(원문 보관)",
        DIALLED_IN_INCIDENT: "신고 진행 중에 서비스 코드(메뉴)가 사용됨: 본인이 아닐 수 있음",
        REFUSED_CALL: "교환기가 받지 못한 통화: 음성 연결 없음",
        TOLD_LATE: "늦게 전달됨: 시스템 중단 중에 들어온 신고",
        NUMBER_LOST: "신고자 번호를 읽을 수 없음(기록 손상)",
        SHORTENED: "수신 측이 전문을 거부하여 줄여서 보냄: 문자와 상황 일부 생략",
        DETAILS_LOST: "일부 내용을 읽을 수 없음(기록 손상)",
    },
    closed="종료 사유: {reason}",
    position="위치: {latitude:z.6f}, {longitude:z.6f}, {within}, 측위 방법: {method}, 출처: {source}, {age}",
    newest="최근 측위: {latitude:z.6f}, {longitude:z.6f}, {within}, 측위 방법: {method}, 출처: {source}, {age}",
    sharpest="가장 정확한 측위: {latitude:z.6f}, {longitude:z.6f}, {within}, 측위 방법: {method}, 출처: {source}, {age}",
    position_unknown="위치: 아직 확인되지 않음. 확인되는 즉시 다시 보고합니다.",
    position_never="위치: 확인되지 않음",
    area="{within}, {method}, {age}",
    area_unknown="위치 미확인",
    within="반경 {radius} m 이내(신뢰도 95 %)",
    altitude=", 고도 {altitude} m(타원체 기준)",
    accuracy_unknown="정확도 미제공(반경 {radius} m로 가정)",
    withheld="(발신 번호 없음)",
    ways=MappingProxyType(
        {
            "sms": "문자(SMS)",
            "call": "전화",
            "ussd": "USSD",
            "modem": "문자(모뎀)",
            "app": "112 앱",
            "terminal": "U-안심 단말기",
            "system": "다른 시스템",
        }
    ),
    methods=MappingProxyType({"cell": "기지국", "gnss": "위성", "wifi": "Wi-Fi", "unknown": "방법 미상"}),
    sources=MappingProxyType(
        {"device": "단말기", "invite": "통화 연결 신호", "last-known": "이전 신고의 마지막 위치"}
    ),
    carrier_source="통신사 위치 서버({carrier})",
    aged="보고 {age} 전 측정",
    age_unknown="측정 시각 미상",
    age_units=("초", "분", "시간", "일"),
    facts=KOREAN_FACTS,
    news=KOREAN_NEWS,
)

ENGLISH = Wording(
    tag="en-US",
    event="One-touch SOS",
    headline="Silent one-touch SOS from {number}, {where}",
    closed_headline="Closed: one-touch SOS from {number}, {where}",
    test_mark="[TEST - NOT AN EMERGENCY] ",
    instruction=(
        "Do not call or text the phone: a sound or a light may endanger the caller, who may be unable to speak."
    ),
    test_instruction="This is a test: send nobody. ",
    lifted_instruction=" Silence was lifted for this incident; the description says by whom.",
    pressed="Pressed at: {time}",
    way="By: {way}, to {destination}, carrier {carrier}",
    presses="Presses: {count}, the last at {time}",
    seen_again="Seen again at {time}: redelivery or pressed again",
    seen_again_withheld="Seen again at {time}: redelivery or pressed again, or another caller who withholds the number",
    text="Caller's text: {text}",
    remark="Remark: {label}",
    labels={
        UNLISTED_DESTINATION: "sent to a number that is not listed",
        UNREADABLE_TEXT: "the text cannot be read; its octets are kept",
        PARTLY_UNREADABLE_TEXT: "some of the text cannot be read, \ufffd stands for it; its octets are kept",
        DOUBTFUL_TEXT: "the text makes no sense and may have been in another alphabet; its octets are kept",
        TEXT_IN_ANOTHER_ALPHABET: (
            "the text was read in another alphabet than the carrier declared and may be wrong; its octets are kept"
        ),
        REFUSED_CALL: "a call that our exchange could not take: there is no voice",
        UNKNOWN_USSD_STRING: "more than the USSD code was dialled or typed",
        PARTLY_UNREADABLE_PRESS: "some of what the app or terminal sent could not be read; it is kept as it came",
        DIALLED_IN_INCIDENT: "the service menu was used during this incident, perhaps by somebody else",
        TOLD_LATE: "told late: it came while the system was away",
        NUMBER_LOST: "the caller's number could not be read: our record of it is damaged",
        SHORTENED: "shortened, because your system refused the whole report: texts and facts are left out",
        DETAILS_LOST: "details could not be read: our record of them is damaged",
    },
    closed="Closed because: {reason}",
    position="Position: {latitude:z.6f}, {longitude:z.6f}, {within}, found by {method}, source: {source}, {age}",
    newest="Newest fix: {latitude:z.6f}, {longitude:z.6f}, {within}, found by {method}, source: {source}, {age}",
    sharpest="Sharpest fix so far: {latitude:z.6f}, {longitude:z.6f}, {within}, found by {method}, source: {source}, {age}",
    position_unknown="Position: not known yet. Another report follows as soon as it is.",
    position_never="Position: never found",
    area="{within}, found by {method}, {age}",
    area_unknown="position not known",
    within="within {radius} m (95 % confidence)",
    altitude=", {altitude} m above the ellipsoid",
    accuracy_unknown="accuracy not stated ({radius} m assumed)",
    withheld="(number withheld)",
    ways=MappingProxyType(
        {
            "sms": "SMS",
            "call": "call",
            "ussd": "USSD",
            "modem": "SMS (modem)",
            "app": "112 App",
            "terminal": "U-Relief terminal",
            "system": "another system",
        }
    ),
    methods=MappingProxyType(
        {"cell": "mobile cell", "gnss": "satellite", "wifi": "Wi-Fi", "unknown": "a method not stated"}
    ),
    sources=MappingProxyType(
        {
            "device": "the phone itself",
            "invite": "sent with the call",
            "last-known": "last known, of an earlier incident",
        }
    ),
    carrier_source="location service of carrier {carrier}",
    aged="{age} old at this report",
    age_unknown="of unknown age",
    age_units=(" s", " min", " h", " d"),
    facts=ENGLISH_FACTS,
    news=ENGLISH_NEWS,
)

WORDINGS: Mapping[Language, Wording] = MappingProxyType({"ko": KOREAN, "en": ENGLISH})


def headline(report: Report, words: Wording) -> str:
    """Return the one line an operator sees first: drill or not, number, how well the place is known."""
    position = report.position
    template = words.closed_headline if report.kind == CLOSING else words.headline
    line = template.format(
        number=report.msisdn.international or words.withheld,
        where=words.area_unknown if position is None else _where(report, position, words),
    )
    return words.test_mark + line if report.test else line


def _where(report: Report, position: Position, words: Wording) -> str:
    """Say how well the place is known, and what makes it doubtful that she is there still: its source, or its age."""
    clauses = [_within(position, words)]
    if position.is_memory:
        clauses.append(_source(position.source, words))
    seconds = age_s(report, position)
    if seconds is None or seconds >= OLD_S:
        clauses.append(aged(seconds, words))
    return ", ".join(clauses)


def description(report: Report, words: Wording, zone: tzinfo) -> str:
    """Return everything known in words, one fact a line."""
    lines = [
        *news_lines(report, words.news),
        words.pressed.format(time=_clock(report.opened_at, zone)),
        words.way.format(
            way=words.ways.get(report.source, report.source),
            destination=report.destination,
            carrier=report.carrier,
        ),
    ]
    if report.press_count > 1:
        lines.append(words.presses.format(count=report.press_count, time=_clock(report.last_press_at, zone)))
    if report.seen_again_at is not None:
        seen_again = words.seen_again_withheld if report.msisdn.is_withheld else words.seen_again
        lines.append(seen_again.format(time=_clock(report.seen_again_at, zone)))
    lines += _position_lines(report, words)
    lines += reach_lines(report, words.news, zone)
    lines += fact_lines(report, words.facts)
    # On one line each: a line break in a text must not pass for a line of ours.
    lines += [words.text.format(text=" ".join(text.split())) for text in report.texts]
    lines += [words.remark.format(label=words.labels.get(label, label)) for label in report.labels]
    if report.close_reason is not None:
        lines.append(words.closed.format(reason=report.close_reason))
    return "\n".join(lines)


def instruction(report: Report, words: Wording) -> str:
    """Return what the centre must not do, whatever else it does."""
    told = words.test_instruction + words.instruction if report.test else words.instruction
    return told + words.lifted_instruction if is_silence_lifted(report) else told


def area(report: Report, words: Wording) -> str:
    """Describe the circle, or say that there is none."""
    position = report.position
    if position is None:
        return words.area_unknown
    return words.area.format(
        within=_within(position, words),
        method=_method(position, words),
        age=aged(age_s(report, position), words),
    )


def radius_m(position: Position) -> int:
    """Radius of the circle that 112 gets, in whole metres, never less than the truth.

    A bare point gets the circle that its accuracy is taken for: a dot on a map would claim too much.
    """
    radius = position.radius_at()
    return math.ceil(min(UNKNOWN_RADIUS_M if radius is None else radius, _HALF_WAY_ROUND_M))


def age_s(report: Report, position: Position) -> int | None:
    """Whole seconds from the fix to the writing of the report, rounded up; the same at every attempt.

    ``None`` where the time of the fix is not known.
    """
    seconds = position.age_s(report.sent_at)
    return None if seconds is None else math.ceil(seconds)


def aged(seconds: int | None, words: Wording) -> str:
    """Put in words how old a position is, or that this is not known."""
    return words.age_unknown if seconds is None else words.aged.format(age=age(seconds, words))


def age(seconds: int, words: Wording) -> str:
    """Put an age in words of at most two units."""
    second, minute, hour, day = words.age_units
    if seconds < 60:  # noqa: PLR2004 - units of time
        return f"{seconds}{second}"
    minutes = seconds // 60
    if minutes < 60:  # noqa: PLR2004 - units of time
        return f"{minutes}{minute}"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:  # noqa: PLR2004 - units of time
        return f"{hours}{hour} {minutes}{minute}"
    days, hours = divmod(hours, 24)
    return f"{days}{day} {hours}{hour}"


def _position_lines(report: Report, words: Wording) -> Iterator[str]:
    if report.position is None:
        yield words.position_never if report.kind == CLOSING else words.position_unknown
    for template, position in (
        (words.position, report.position),
        (words.newest, report.newest),
        (words.sharpest, report.sharpest),
    ):
        if position is not None:
            yield _position_line(template, position, report, words)


def _position_line(template: str, position: Position, report: Report, words: Wording) -> str:
    return template.format(
        latitude=position.latitude,
        longitude=position.longitude,
        within=_within(position, words) + _altitude(position, words),
        method=words.methods.get(position.method, position.method),
        source=_source(position.source, words),
        age=aged(age_s(report, position), words),
    )


def _altitude(position: Position, words: Wording) -> str:
    return "" if position.altitude_m is None else words.altitude.format(altitude=round(position.altitude_m))


def _within(position: Position, words: Wording) -> str:
    template = words.accuracy_unknown if position.uncertainty_m is None else words.within
    return template.format(radius=radius_m(position))


def _method(position: Position, words: Wording) -> str:
    method = words.methods.get(position.method, position.method)
    return f"{method}, {_source(position.source, words)}" if position.is_memory else method


def _source(source: str, words: Wording) -> str:
    kind, _, carrier = source.partition(":")
    if kind == "lbs" and carrier:
        return words.carrier_source.format(carrier=carrier)
    return words.sources.get(source, source)


def _clock(moment: datetime, zone: tzinfo) -> str:
    return in_zone(moment, zone).isoformat(sep=" ", timespec="seconds")
