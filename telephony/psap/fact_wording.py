"""The words for what 112 is told beside presses and positions: calls, knocks, silence, guardians, the caller.

Keys of a fact's data that are not known here say nothing, and none is needed: whatever a fact brings, it gives a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from telephony.domain.fact import (
    CALL,
    FALSE_ALARM,
    GUARDIAN,
    KNOCK,
    PERSON,
    SCORE,
    SILENCE,
    TOLD_BY_VOICE,
    Fact,
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

_LEG = re.compile(
    r"(?P<route>112-[0-9]+) (?P<state>[a-z ]+?)(?: (?P<seconds>[0-9]+) s)?(?: [(](?P<times>[0-9]+) times[)])?(?=;|$)"
)
"""One leg as the call's fact has it: ``112-1 no answer 6 s``."""

_LIVE_STATES = ("arrived", "dialling", "connected")


@dataclass(frozen=True, slots=True)
class FactWording:
    """One language. Braces are filled by the functions below."""

    language: str
    """The key under which a knock brings its meaning in this language."""
    call: str
    call_states: Mapping[str, str]
    call_states_with_route: Mapping[str, str]
    ended_by: Mapping[str, str]
    lasted: str
    silent: str
    recording: str
    cell: str
    geolocation: str
    legs: str
    leg_states: Mapping[str, str]
    second: str
    knock: str
    tap: str
    taps: str
    silence_states: Mapping[str, str]
    silence: str
    somebody: str
    guardian: str
    guardian_states: Mapping[str, str]
    guardian_confirmed_by: Mapping[str, str]
    guardian_round: str
    told_by_voice: str
    caller: CallerWording


KOREAN_FACTS = FactWording(
    language="ko",
    call="통화: {said}",
    call_states=MappingProxyType(
        {
            "arrived": "수신됨",
            "dialling": "112 연결 중",
            "connected": "112 연결됨",
            "ended": "종료됨",
            "given-up": "112 응답 전에 신고자가 끊음",
            "second-leg": "같은 신고의 두 번째 연결, 첫 통화로 처리됨",
            "refused": "교환기가 받지 못함({refused}), 음성 연결 없음",
        }
    ),
    call_states_with_route=MappingProxyType({"dialling": "{route} 연결 중", "connected": "{route} 연결됨"}),
    ended_by=MappingProxyType(
        {"caller": "신고자가 종료함", "112": "112가 종료함", "network": "통신망에서 끊김"}
    ),
    lasted="통화 시간 {seconds}초",
    silent="신고자 전화기는 무음 상태",
    recording="녹음 {recording}",
    cell="기지국 {cell}{access}",
    geolocation="통신사 위치 참조 {geolocation}",
    legs="연결 시도: {legs}",
    leg_states=MappingProxyType(
        {
            "dialling": "연결 중",
            "connected": "연결됨",
            "not answered": "응답 없음",
            "no answer": "응답 없음",
            "busy": "통화 중",
            "congestion": "회선 혼잡",
            "unreachable": "연결 불가",
            "cancelled": "취소됨",
            "lost": "끊김",
        }
    ),
    second="초",
    knock="두드림: {said}",
    tap="{taps}회",
    taps="{taps}회",
    silence_states=MappingProxyType(
        {
            "lifted": "무음이 해제됨({by} 요청): 신고자의 전화기에서 소리가 날 수 있음",
            "held": "무음을 다시 유지함({by} 요청)",
        }
    ),
    silence="무음: {state}({by} 요청)",
    somebody="112",
    guardian="보호자 {who}: {said}",
    guardian_states=MappingProxyType(
        {
            "texted": "문자 보냄, 답장 기다리는 중",
            "text-delivered": "문자가 전화기에 도착함, 아직 확인하지 않음",
            "text-failed": "문자 전달 실패",
            "calling": "전화하는 중",
            "confirmed": "확인함",
            "no-answer": "받지 않음",
            "answered-unconfirmed": "받았으나 확인하지 않음",
            "failed": "연결 실패",
            "words": "문자로 전해 옴",
            "released": "종료를 문자로 알림",
        }
    ),
    guardian_confirmed_by=MappingProxyType({"sms": "문자로 확인함", "call": "전화로 확인함"}),
    guardian_round="{round}회차",
    told_by_voice="이 신고는 {at}에 전화로 먼저 알림: {by}",
    caller=KOREAN_CALLER,
)

ENGLISH_FACTS = FactWording(
    language="en",
    call="Call: {said}",
    call_states=MappingProxyType(
        {
            "arrived": "arrived",
            "dialling": "dialling 112",
            "connected": "connected to 112",
            "ended": "ended",
            "given-up": "given up by the caller before 112 answered",
            "second-leg": "a second leg of the same press, its first call stands for it",
            "refused": "could not be taken ({refused}), so there is no voice",
        }
    ),
    call_states_with_route=MappingProxyType(
        {"dialling": "dialling {route}", "connected": "connected to {route}"}
    ),
    ended_by=MappingProxyType(
        {"caller": "ended by the caller", "112": "ended by 112", "network": "cut off by the network"}
    ),
    lasted="lasted {seconds} s",
    silent="the caller's phone is silent",
    recording="recording {recording}",
    cell="cell {cell}{access}",
    geolocation="the carrier's reference to a position {geolocation}",
    legs="routes tried: {legs}",
    leg_states=MappingProxyType({}),
    second=" s",
    knock="Knocks: {said}",
    tap="{taps} tap",
    taps="{taps} taps",
    silence_states=MappingProxyType(
        {
            "lifted": "Silence was lifted by {by}: sound can reach the caller's phone",
            "held": "Silence is held again, asked for by {by}",
        }
    ),
    silence="Silence: {state}, asked for by {by}",
    somebody="112",
    guardian="Guardian {who}: {said}",
    guardian_states=MappingProxyType(
        {
            "texted": "was texted, no reply yet",
            "text-delivered": "has the text on the phone, not confirmed yet",
            "text-failed": "could not be texted",
            "calling": "being called",
            "confirmed": "confirmed",
            "no-answer": "did not answer",
            "answered-unconfirmed": "answered, but did not confirm",
            "failed": "could not be reached",
            "words": "writes",
            "released": "was told that it is over",
        }
    ),
    guardian_confirmed_by=MappingProxyType({"sms": "confirmed by text", "call": "confirmed by phone"}),
    guardian_round="round {round}",
    told_by_voice="This incident was told to 112 on the telephone already, at {at}, by {by}",
    caller=ENGLISH_CALLER,
)


def fact_lines(report: Report, words: FactWording) -> Iterator[str]:
    """Give a line for each fact whose kind is known, in their order; several for who presses."""
    for fact in report.facts:
        if fact.kind in _LINES:
            told = [_LINES[fact.kind](fact, words, report)]
        elif fact.kind == PERSON:
            told = list(person_lines(fact, words.caller, report))
        else:
            continue
        for line in told:
            # On one line each: a line break in what came from outside must not pass for a line of ours.
            yield " ".join(line.split())


def is_silence_lifted(report: Report) -> bool:
    """Claim that, as the report knows it, sound can reach the caller's phone."""
    return any(fact.kind == SILENCE and fact.data.get("state") == "lifted" for fact in report.facts)


def _call(fact: Fact, words: FactWording, report: Report) -> str:
    known = fact.data
    state = known.get("state", "")
    clauses = [_call_state(fact, words)]
    if seconds := known.get("duration-s"):
        clauses.append(words.lasted.format(seconds=seconds))
    if known.get("silence") and state in _LIVE_STATES and not is_silence_lifted(report):
        clauses.append(words.silent)
    if recording := known.get("recording"):
        clauses.append(words.recording.format(recording=recording))
    if cell := known.get("cell"):
        access = f" ({known['access']})" if known.get("access") else ""
        clauses.append(words.cell.format(cell=cell, access=access))
    if geolocation := known.get("geolocation"):
        clauses.append(words.geolocation.format(geolocation=geolocation))
    if legs := known.get("legs"):
        clauses.append(words.legs.format(legs=_LEG.sub(partial(_leg, words), legs)))
    return words.call.format(said="; ".join(clauses))


def _leg(words: FactWording, leg: re.Match[str]) -> str:
    state = words.leg_states.get(leg["state"], leg["state"])
    seconds = f" {leg['seconds']}{words.second}" if leg["seconds"] else ""
    times = f" (x{leg['times']})" if leg["times"] else ""
    return f"{leg['route']} {state}{seconds}{times}"


def _call_state(fact: Fact, words: FactWording) -> str:
    state, route, ended_by = (fact.data.get(key, "") for key in ("state", "route", "ended-by"))
    if state == "ended" and ended_by in words.ended_by:
        return words.ended_by[ended_by]
    if route and state in words.call_states_with_route:
        return words.call_states_with_route[state].format(route=route)
    refused = fact.data.get("refused", "?")
    return words.call_states[state].format(refused=refused) if state in words.call_states else state


def _knock(fact: Fact, words: FactWording, _: Report) -> str:
    known = fact.data
    taps, digits = known.get("taps", ""), known.get("digits", "")
    said = (words.tap if taps == "1" else words.taps).format(taps=taps or "?")
    if digits:
        said += f" ({digits})"
    if meaning := known.get(words.language) or known.get("meaning"):
        said += f": {meaning}"
    return words.knock.format(said=said)


def _silence(fact: Fact, words: FactWording, _: Report) -> str:
    state, by = fact.data.get("state", ""), fact.data.get("by") or words.somebody
    return words.silence_states.get(state, words.silence).format(state=state, by=by)


def _guardian(fact: Fact, words: FactWording, _: Report) -> str:
    known = fact.data
    who = fact.subject
    if person := ", ".join(known[key] for key in ("relation", "phone") if known.get(key)):
        who += f" ({person})"
    state, by = known.get("state", ""), known.get("by", "")
    said = words.guardian_states.get(state, state)
    if state == "confirmed":
        said = words.guardian_confirmed_by.get(by, said)
    if written := known.get("words"):
        said += f": {written}"
    elif turn := known.get("round"):
        said += ", " + words.guardian_round.format(round=turn)
    return words.guardian.format(who=who, said=said)


def _score(fact: Fact, words: FactWording, _: Report) -> str:
    return score_line(fact, words.caller)


def _false_alarm(fact: Fact, words: FactWording, _: Report) -> str:
    return false_alarm_line(fact, words.caller)


def _told_by_voice(fact: Fact, words: FactWording, _: Report) -> str:
    known = fact.data
    by = "; ".join(known[key] for key in ("by", "why") if known.get(key))
    return words.told_by_voice.format(at=known.get("at", "?"), by=by or words.somebody)


_LINES: Mapping[str, Callable[[Fact, FactWording, Report], str]] = MappingProxyType(
    {
        CALL: _call,
        KNOCK: _knock,
        SILENCE: _silence,
        GUARDIAN: _guardian,
        SCORE: _score,
        FALSE_ALARM: _false_alarm,
        TOLD_BY_VOICE: _told_by_voice,
    }
)
