"""Puts a report's facts into words, beside presses and positions: calls, knocks, silence, guardians, the caller.

Total: a state that a newer release wrote is told as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import assert_never

from telephony.domain.facts import (
    AcknowledgedFact,
    ArrivedFact,
    CallFact,
    CallState,
    CentreStatusFact,
    DeviceFact,
    DispatchedFact,
    EndedBy,
    Fact,
    FalseAlarmFact,
    GuardianFact,
    GuardianState,
    GuardianWay,
    KnockFact,
    Leg,
    LegState,
    Newer,
    NoteFact,
    PersonFact,
    ReachFact,
    ScoreFact,
    SilenceFact,
    SilenceState,
    ToldByVoiceFact,
    UnknownFact,
)
from telephony.domain.report import Report
from telephony.psap.caller_wording import (
    ENGLISH_CALLER,
    KOREAN_CALLER,
    CallerWording,
    false_alarm_line,
    person_lines,
    score_line,
)
from telephony.psap.worded import worded


@dataclass(frozen=True, slots=True)
class FactWording:
    """One language. Braces are filled by the functions below."""

    language: str
    """The key under which a knock brings its meaning in this language."""
    call: str
    call_states: Mapping[CallState, str]
    call_states_with_route: Mapping[CallState, str]
    ended_by: Mapping[EndedBy, str]
    lasted: str
    silent: str
    recording: str
    cell: str
    geolocation: str
    legs: str
    leg_states: Mapping[LegState, str]
    second: str
    knock: str
    tap: str
    taps: str
    silence_states: Mapping[SilenceState, str]
    silence: str
    somebody: str
    guardian: str
    guardian_states: Mapping[GuardianState, str]
    guardian_confirmed_by: Mapping[GuardianWay, str]
    guardian_round: str
    acknowledged: str
    dispatched: str
    eta: str
    arrived: str
    note: str
    told_by_voice: str
    device: str
    battery: str
    pressed: str
    caller: CallerWording


KOREAN_FACTS = FactWording(
    language="ko",
    call="통화: {said}",
    call_states=MappingProxyType(
        {
            CallState.ARRIVED: "수신됨",
            CallState.DIALLING: "112 연결 중",
            CallState.CONNECTED: "112 연결됨",
            CallState.ENDED: "종료됨",
            CallState.GIVEN_UP: "112 응답 전에 신고자가 끊음",
            CallState.SECOND_LEG: "같은 신고의 두 번째 연결, 첫 통화로 처리됨",
            CallState.REFUSED: "교환기가 받지 못함({refused}), 음성 연결 없음",
        }
    ),
    call_states_with_route=MappingProxyType(
        {CallState.DIALLING: "{route} 연결 중", CallState.CONNECTED: "{route} 연결됨"}
    ),
    ended_by=MappingProxyType(
        {
            EndedBy.CALLER: "신고자가 종료함",
            EndedBy.CENTRE: "112가 종료함",
            EndedBy.NETWORK: "통신망에서 끊김",
        }
    ),
    lasted="통화 시간 {seconds}초",
    silent="신고자 전화기는 무음 상태",
    recording="녹음 {recording}",
    cell="기지국 {cell}{access}",
    geolocation="통신사 위치 참조 {geolocation}",
    legs="연결 시도: {legs}",
    leg_states=MappingProxyType(
        {
            LegState.DIALLING: "연결 중",
            LegState.CONNECTED: "연결됨",
            LegState.NOT_ANSWERED: "응답 없음",
            LegState.NO_ANSWER: "응답 없음",
            LegState.BUSY: "통화 중",
            LegState.CONGESTION: "회선 혼잡",
            LegState.UNREACHABLE: "연결 불가",
            LegState.CANCELLED: "취소됨",
            LegState.LOST: "끊김",
            LegState.FAILED: "연결 실패",
        }
    ),
    second="초",
    knock="두드림: {said}",
    tap="{taps}회",
    taps="{taps}회",
    silence_states=MappingProxyType(
        {
            SilenceState.LIFTED: "무음이 해제됨({by} 요청): 신고자의 전화기에서 소리가 날 수 있음",
            SilenceState.HELD: "무음을 다시 유지함({by} 요청)",
        }
    ),
    silence="무음: {state}({by} 요청)",
    somebody="112",
    guardian="보호자 {who}: {said}",
    guardian_states=MappingProxyType(
        {
            GuardianState.TEXTED: "문자 보냄, 답장 기다리는 중",
            GuardianState.TEXT_DELIVERED: "문자가 전화기에 도착함, 아직 확인하지 않음",
            GuardianState.TEXT_FAILED: "문자 전달 실패",
            GuardianState.CALLING: "전화하는 중",
            GuardianState.CONFIRMED: "확인함",
            GuardianState.NO_ANSWER: "받지 않음",
            GuardianState.ANSWERED: "받았으나 확인하지 않음",
            GuardianState.FAILED: "연결 실패",
            GuardianState.WORDS: "문자로 전해 옴",
            GuardianState.RELEASED: "종료를 문자로 알림",
        }
    ),
    guardian_confirmed_by=MappingProxyType(
        {GuardianWay.SMS: "문자로 확인함", GuardianWay.CALL: "전화로 확인함"}
    ),
    guardian_round="{round}회차",
    acknowledged="112 접수 확인: {at}, {by}",
    dispatched="출동: {unit}, {at}, {by}",
    eta=", 도착 예정 {eta}",
    arrived="현장 도착: {unit}, {at}, {by}",
    note="112 메모: {words} ({at}, {by})",
    told_by_voice="이 신고는 {at}에 전화로 먼저 알림: {by}",
    device="기기: {said}",
    battery="배터리 {percent}%",
    pressed="기기의 시계로 {at}에 누름",
    caller=KOREAN_CALLER,
)

ENGLISH_FACTS = FactWording(
    language="en",
    call="Call: {said}",
    call_states=MappingProxyType(
        {
            CallState.ARRIVED: "arrived",
            CallState.DIALLING: "dialling 112",
            CallState.CONNECTED: "connected to 112",
            CallState.ENDED: "ended",
            CallState.GIVEN_UP: "given up by the caller before 112 answered",
            CallState.SECOND_LEG: "a second leg of the same press, its first call stands for it",
            CallState.REFUSED: "could not be taken ({refused}), so there is no voice",
        }
    ),
    call_states_with_route=MappingProxyType(
        {CallState.DIALLING: "dialling {route}", CallState.CONNECTED: "connected to {route}"}
    ),
    ended_by=MappingProxyType(
        {
            EndedBy.CALLER: "ended by the caller",
            EndedBy.CENTRE: "ended by 112",
            EndedBy.NETWORK: "cut off by the network",
        }
    ),
    lasted="lasted {seconds} s",
    silent="the caller's phone is silent",
    recording="recording {recording}",
    cell="cell {cell}{access}",
    geolocation="the carrier's reference to a position {geolocation}",
    legs="routes tried: {legs}",
    leg_states=MappingProxyType({state: state.value for state in LegState}),
    second=" s",
    knock="Knocks: {said}",
    tap="{taps} tap",
    taps="{taps} taps",
    silence_states=MappingProxyType(
        {
            SilenceState.LIFTED: "Silence was lifted by {by}: sound can reach the caller's phone",
            SilenceState.HELD: "Silence is held again, asked for by {by}",
        }
    ),
    silence="Silence: {state}, asked for by {by}",
    somebody="112",
    guardian="Guardian {who}: {said}",
    guardian_states=MappingProxyType(
        {
            GuardianState.TEXTED: "was texted, no reply yet",
            GuardianState.TEXT_DELIVERED: "has the text on the phone, not confirmed yet",
            GuardianState.TEXT_FAILED: "could not be texted",
            GuardianState.CALLING: "being called",
            GuardianState.CONFIRMED: "confirmed",
            GuardianState.NO_ANSWER: "did not answer",
            GuardianState.ANSWERED: "answered, but did not confirm",
            GuardianState.FAILED: "could not be reached",
            GuardianState.WORDS: "writes",
            GuardianState.RELEASED: "was told that it is over",
        }
    ),
    guardian_confirmed_by=MappingProxyType(
        {GuardianWay.SMS: "confirmed by text", GuardianWay.CALL: "confirmed by phone"}
    ),
    guardian_round="round {round}",
    acknowledged="Taken by 112 at {at}: {by}",
    dispatched="On the way: {unit}, sent at {at} by {by}",
    eta=", there at about {eta}",
    arrived="There: {unit}, arrived at {at}, says {by}",
    note="Note of 112: {words} ({at}, {by})",
    told_by_voice="This incident was told to 112 on the telephone already, at {at}, by {by}",
    device="Device: {said}",
    battery="battery at {percent} %",
    pressed="pressed at {at} by its own clock",
    caller=ENGLISH_CALLER,
)


def fact_lines(report: Report, words: FactWording) -> Iterator[str]:
    """Return a line for each fact that is told here, in their order; several for who presses."""
    for fact in report.facts:
        for line in _lines(fact, words, report):
            # On one line each: a line break in what came from outside must not pass for a line of ours.
            yield " ".join(line.split())


def is_silence_lifted(report: Report) -> bool:
    """Whether, as the report knows it, sound can reach the caller's phone."""
    return any(isinstance(fact, SilenceFact) and fact.state is SilenceState.LIFTED for fact in report.facts)


def _lines(  # noqa: C901, PLR0911, PLR0912 - one case a kind
    fact: Fact, words: FactWording, report: Report
) -> Iterable[str]:
    match fact:
        case CallFact():
            return [_call(fact, words, report)]
        case KnockFact():
            return [_knock(fact, words)]
        case SilenceFact():
            return [_silence(fact, words)]
        case GuardianFact():
            return [_guardian(fact, words)]
        case PersonFact():
            return person_lines(fact, words.caller, report)
        case ScoreFact():
            return [score_line(fact, words.caller)]
        case FalseAlarmFact():
            return [false_alarm_line(fact, words.caller)]
        case AcknowledgedFact():
            return [_acknowledged(fact, words)]
        case DispatchedFact():
            return [_dispatched(fact, words)]
        case ArrivedFact():
            return [_arrived(fact, words)]
        case NoteFact():
            at, by = _clock(fact.noted_at), fact.by or words.somebody
            return [words.note.format(words=fact.words, at=at, by=by)]
        case ToldByVoiceFact():
            return [_told_by_voice(fact, words)]
        case DeviceFact():
            return _device(fact, words)
        case ReachFact() | CentreStatusFact() | UnknownFact():
            return []  # it stands beside the position; it is not told; it has no words in this release
        case _:
            assert_never(fact)


def _call(fact: CallFact, words: FactWording, report: Report) -> str:
    clauses = [_call_state(fact, words)]
    if fact.duration_s is not None:
        clauses.append(words.lasted.format(seconds=fact.duration_s))
    is_live = isinstance(fact.state, CallState) and fact.state.is_live
    if fact.silence and is_live and not is_silence_lifted(report):
        clauses.append(words.silent)
    if fact.recording:
        clauses.append(words.recording.format(recording=fact.recording))
    if fact.said.cell:
        access = f" ({fact.said.access})" if fact.said.access else ""
        clauses.append(words.cell.format(cell=fact.said.cell, access=access))
    if fact.said.geolocation:
        clauses.append(words.geolocation.format(geolocation=fact.said.geolocation))
    if fact.legs:
        clauses.append(words.legs.format(legs="; ".join(_leg(leg, words) for leg in fact.legs)))
    return words.call.format(said="; ".join(clauses))


def _leg(leg: Leg, words: FactWording) -> str:
    lasted = "" if leg.seconds is None else f" {leg.seconds}{words.second}"
    times = f" (x{leg.times})" if leg.times > 1 else ""
    return f"{leg.route} {worded(leg.state, words.leg_states)}{lasted}{times}"


def _call_state(fact: CallFact, words: FactWording) -> str:
    match fact.state:
        case CallState.ENDED if isinstance(fact.ended_by, EndedBy):
            return words.ended_by[fact.ended_by]
        case CallState.DIALLING | CallState.CONNECTED if fact.route:
            return words.call_states_with_route[fact.state].format(route=fact.route)
        case CallState.REFUSED:
            return words.call_states[CallState.REFUSED].format(refused=fact.refused or "?")
        case _:
            return worded(fact.state, words.call_states)


def _knock(fact: KnockFact, words: FactWording) -> str:
    said = (words.tap if fact.taps == 1 else words.taps).format(taps=fact.taps)
    if fact.digits:
        said += f" ({fact.digits})"
    if meaning := fact.words.get(words.language) or fact.meaning:
        said += f": {meaning}"
    return words.knock.format(said=said)


def _silence(fact: SilenceFact, words: FactWording) -> str:
    by = fact.by or words.somebody
    if isinstance(fact.state, Newer):
        return words.silence.format(state=fact.state, by=by)
    return words.silence_states[fact.state].format(by=by)


def _guardian(fact: GuardianFact, words: FactWording) -> str:
    who = fact.subject
    if person := ", ".join(filter(None, (fact.relation, fact.phone))):
        who += f" ({person})"
    if fact.state is GuardianState.CONFIRMED and isinstance(fact.by, GuardianWay):
        said = words.guardian_confirmed_by[fact.by]
    else:
        said = worded(fact.state, words.guardian_states)
    if fact.words:
        said += f": {fact.words}"
    elif fact.round is not None:
        said += ", " + words.guardian_round.format(round=fact.round)
    return words.guardian.format(who=who, said=said)


def _acknowledged(fact: AcknowledgedFact, words: FactWording) -> str:
    return words.acknowledged.format(at=_clock(fact.acknowledged_at), by=fact.by or words.somebody)


def _dispatched(fact: DispatchedFact, words: FactWording) -> str:
    at, by = _clock(fact.dispatched_at), fact.by or words.somebody
    eta = "" if fact.eta is None else words.eta.format(eta=_clock(fact.eta))
    return words.dispatched.format(unit=fact.unit or fact.subject, at=at, by=by) + eta


def _arrived(fact: ArrivedFact, words: FactWording) -> str:
    at, by = _clock(fact.arrived_at), fact.by or words.somebody
    return words.arrived.format(unit=fact.unit or fact.subject, at=at, by=by)


def _told_by_voice(fact: ToldByVoiceFact, words: FactWording) -> str:
    by = "; ".join(filter(None, (fact.by, fact.why)))
    return words.told_by_voice.format(at=_clock(fact.told_at), by=by or words.somebody)


def _device(fact: DeviceFact, words: FactWording) -> Iterator[str]:
    clauses = []
    if fact.battery_percent is not None:
        clauses.append(words.battery.format(percent=fact.battery_percent))
    if fact.pressed_at is not None:
        clauses.append(words.pressed.format(at=_clock(fact.pressed_at)))
    if clauses:
        yield words.device.format(said="; ".join(clauses))


def _clock(moment: datetime | None) -> str:
    return "?" if moment is None else moment.isoformat(sep=" ", timespec="seconds")
