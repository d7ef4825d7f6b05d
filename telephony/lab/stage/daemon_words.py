"""Puts a line of the daemon's log into the few words of the lab's screen; most lines are of no news there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from telephony.lab.stage.daemon_log import Entry
from telephony.lab.stage.house import FIRST, SECOND, Language
from telephony.lab.stage.lines import Who
from telephony.lab.stage.timeline import WORDS as TIMELINE_WORDS

LOUD: Final = ("warning", "error", "critical")
_OWN_LINE: Final = frozenset({"guardian not texted", "alarm stands"})
"""Loud lines that something else on the screen tells already."""


@dataclass(frozen=True, slots=True)
class DaemonWords:
    """One language; braces are filled with the facts of the line."""

    events: Mapping[str, str]
    retry: str
    delivered_late: str
    alarm: str
    alarm_over: str
    drill_passed: str
    drill_failed: str


WORDS: Mapping[Language, DaemonWords] = MappingProxyType(
    {
        "en": DaemonWords(
            events=MappingProxyType(
                {
                    "started": "runs as process {pid}",
                    "stopping": "is asked to stop",
                    "link up": "link {link} is up",
                    "link down": "link {link} is down: {reason}",
                    "press accepted": "on disk in {durable_ms} ms: {incident}",
                    "press not durable, relayed directly": "NOT on disk: 112 is told directly",
                    "press in the journal alone, relayed directly": "in the journal alone: 112 is told directly",
                    "relayed directly": "112 was told directly by {channel}",
                    "guardian replied": "guardian {guardian} replied: {said}",
                    "incident closed": "closed {incident}",
                    "no position": "no position ({quality}): {reason}",
                }
            ),
            retry="112 lacks the {kind} (attempt {attempt}): {reason}",
            delivered_late="112 has the {kind}, by {channel}, at attempt {attempt}",
            alarm="{alarm} ({about})",
            alarm_over="over: {alarm} ({about})",
            drill_passed="the drill passed: 112 acknowledged it",
            drill_failed="the drill FAILED",
        ),
        "ko": DaemonWords(
            events=MappingProxyType(
                {
                    "started": "프로세스 {pid}로 실행 중",
                    "stopping": "종료를 요청받음",
                    "link up": "링크 {link} 연결됨",
                    "link down": "링크 {link} 끊김: {reason}",
                    "press accepted": "{durable_ms} ms 만에 디스크에 기록: {incident}",
                    "press not durable, relayed directly": "디스크에 기록 못 함: 112에 직접 알림",
                    "press in the journal alone, relayed directly": "저널에만 기록됨: 112에 직접 알림",
                    "relayed directly": "{channel} 통해 112에 직접 알렸음",
                    "guardian replied": "보호자 {guardian} 답장: {said}",
                    "incident closed": "종료됨 {incident}",
                    "no position": "위치 없음({quality}): {reason}",
                }
            ),
            retry="112가 {kind} 아직 못 받음({attempt}번째 시도): {reason}",
            delivered_late="112가 {kind} 받음: {channel}, {attempt}번째 시도",
            alarm="{alarm} ({about})",
            alarm_over="끝남: {alarm} ({about})",
            drill_passed="훈련 통과: 112가 수신을 확인함",
            drill_failed="훈련 실패",
        ),
    }
)


class _Facts(dict[str, Any]):
    """The facts of a line; one that is missing is told as such."""

    def __missing__(self, key: str) -> str:
        return "?"


def entry_in_words(  # noqa: PLR0911 - one case a line
    entry: Entry, language: Language
) -> tuple[Who, str] | None:
    """Return who and what; ``None`` for a line that the screen does not tell. Total."""
    words = WORDS[language]
    event, facts = entry["event"], _Facts(entry)
    match event:
        case "alarm":
            return Who.ALARM, _with_reason(words.alarm.format_map(_about(facts)), facts)
        case "alarm over":
            return Who.ALARM, words.alarm_over.format_map(_about(facts))
        case "drill over":
            passed = facts.get("is_passed") is True
            return Who.ONETOUCH, words.drill_passed if passed else words.drill_failed
        case "will retry" | "delivered":
            if facts["channel"] not in (FIRST, SECOND):
                return None  # what another channel lacks has a line of its own
            kinds = TIMELINE_WORDS[language].kinds
            facts["kind"] = kinds.get(str(facts["kind"]), facts["kind"])
            if event == "will retry":
                return Who.ONETOUCH, words.retry.format_map(facts)
            is_late = facts.get("attempt") not in (1, None) or facts["channel"] == SECOND
            return (Who.ONETOUCH, words.delivered_late.format_map(facts)) if is_late else None
        case _ if event in words.events:
            return Who.ONETOUCH, words.events[event].format_map(facts)
        case _ if facts.get("level") in LOUD and event not in _OWN_LINE:
            return Who.ONETOUCH, _with_reason(event, facts)
    return None


def _about(facts: _Facts) -> _Facts:
    """Name a file by its name alone: the folder of a lab tells nothing."""
    return _Facts(facts | {"about": str(facts["about"]).rpartition("/")[2]})


def _with_reason(said: str, facts: _Facts) -> str:
    reason = facts.get("reason") or facts.get("error") or facts.get("status")
    return f"{said}: {reason}" if reason else said
