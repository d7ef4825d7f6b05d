"""Writes a sign of life as CAP 1.2: a message of the network itself, which nobody can take for an emergency.

CAP's own place for it is ``status`` ``System``, "messages that support alert network internal functions" (clause 3.2.1).
It has no ``incidents``, no ``area`` and ``responseType`` ``None``; ``expires`` says until when it is good.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from types import MappingProxyType
from typing import Final

from telephony.domain.heartbeat import Heartbeat
from telephony.psap.cap import NAMESPACE, escaped, written
from telephony.psap.parameters import Parameter
from telephony.psap.wording import Language

CODE: Final = "heartbeat"
"""CAP ``code`` of every heartbeat, a sample too."""


@dataclass(frozen=True, slots=True)
class _Words:
    """One language. Braces are filled by `_description`."""

    tag: str
    event: str
    headline: str
    sample: str
    links: str
    down: str
    owed: str
    at_least: str
    oldest: str
    nothing_owed: str
    owed_unknown: str
    alarms: str
    no_alarms: str
    instruction: str


_KO: Final = _Words(
    tag="ko-KR",
    event="원터치 SOS 연결 확인(신고 아님)",
    headline="[신고 아님] 원터치 SOS 연결 확인: {service} 작동 중",
    sample="[시험] ",
    links="연결: {links}개 중 {up}개 정상",
    down="끊긴 연결: {names}",
    owed="112에 아직 전달되지 않은 보고 {count}건",
    at_least="최소 {count}",
    oldest=", 가장 오래된 것 {age}초 전",
    nothing_owed="112에 아직 전달되지 않은 보고: 없음",
    owed_unknown="112에 아직 전달되지 않은 보고: 알 수 없음(저장소가 응답하지 않음)",
    alarms="경보: {names}",
    no_alarms="경보: 없음",
    instruction="출동하지 마십시오. {seconds}초 동안 연결 확인도 보고도 오지 않으면 원터치 SOS 운영 담당자에게 전화하십시오.",
)
_EN: Final = _Words(
    tag="en-US",
    event="One-touch SOS heartbeat (no emergency)",
    headline="[NO EMERGENCY] One-touch SOS heartbeat: {service} is alive",
    sample="[TEST] ",
    links="Links: {up} of {links} up",
    down="Links down: {names}",
    owed="Reports not delivered to 112 yet: {count}",
    at_least="at least {count}",
    oldest=", the oldest {age} s old",
    nothing_owed="Reports not delivered to 112 yet: none",
    owed_unknown="Reports not delivered to 112 yet: not known (the store does not answer)",
    alarms="Alarms: {names}",
    no_alarms="Alarms: none",
    instruction="Send no one. When neither a heartbeat nor a report came for {seconds} s, telephone those who run the one-touch SOS.",
)
_WORDS: Final[Mapping[Language, _Words]] = MappingProxyType({"ko": _KO, "en": _EN})


def encode_heartbeat(
    heartbeat: Heartbeat, *, sender: str, addresses: str, language: Language, zone: tzinfo
) -> bytes:
    """Write a heartbeat as one CAP 1.2 document in UTF-8, valid against the schema; arguments as those of `cap.encode`."""
    words = _WORDS[language]
    headline = words.headline.format(service=heartbeat.service)
    seconds = round((heartbeat.expires_at - heartbeat.sent_at).total_seconds())
    parameters = "".join(
        f"<parameter><valueName>{parameter.value_name}</valueName><value>{escaped(value)}</value></parameter>\n"
        for parameter, value in _parameters(heartbeat, zone)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<alert xmlns="{NAMESPACE}">\n'
        f"<identifier>{escaped(heartbeat.heartbeat_id)}</identifier>\n"
        f"<sender>{escaped(sender)}</sender>\n"
        f"<sent>{written(heartbeat.sent_at, zone)}</sent>\n"
        f"<status>{'Test' if heartbeat.is_sample else 'System'}</status>\n"
        "<msgType>Alert</msgType>\n"
        "<scope>Private</scope>\n"
        f"<addresses>{escaped(addresses)}</addresses>\n"
        f"<code>{CODE}</code>\n"
        "<info>\n"
        f"<language>{words.tag}</language>\n"
        "<category>Infra</category>\n"
        f"<event>{words.event}</event>\n"
        "<responseType>None</responseType>\n"
        "<urgency>Unknown</urgency>\n"
        "<severity>Minor</severity>\n"
        "<certainty>Observed</certainty>\n"
        f"<expires>{written(heartbeat.expires_at, zone)}</expires>\n"
        f"<senderName>{escaped(heartbeat.service)}</senderName>\n"
        f"<headline>{words.sample if heartbeat.is_sample else ''}{escaped(headline)}</headline>\n"
        f"<description>{escaped(_description(heartbeat, words))}</description>\n"
        f"<instruction>{words.instruction.format(seconds=seconds)}</instruction>\n"
        f"{parameters}"
        "</info>\n"
        "</alert>\n"
    ).encode()


def _parameters(heartbeat: Heartbeat, zone: tzinfo) -> Iterator[tuple[Parameter, str]]:
    state = heartbeat.state
    yield Parameter.HEARTBEAT, str(heartbeat.number)
    yield Parameter.HEARTBEAT_INTERVAL_S, f"{heartbeat.interval_s:g}"
    yield Parameter.SERVICE, heartbeat.service
    yield Parameter.SERVICE_CHANNEL, heartbeat.channel
    yield Parameter.SERVICE_STARTED_TIME, written(heartbeat.started_at, zone)
    yield Parameter.LINKS, str(state.links)
    yield Parameter.LINKS_UP, str(state.links_up)
    for name in state.links_down:
        yield Parameter.LINK_DOWN, name
    if state.owing is None:
        yield Parameter.REPORTS_OWED, "unknown"
    else:
        yield Parameter.REPORTS_OWED, str(state.owing.reports)
        if state.owing.is_more:
            yield Parameter.REPORTS_OWED_MORE, "yes"
        if state.owing.oldest_age_s is not None:
            yield Parameter.REPORTS_OWED_OLDEST_AGE_S, str(state.owing.oldest_age_s)
    for name in state.alarms:
        yield Parameter.ALARM, name


def _description(heartbeat: Heartbeat, words: _Words) -> str:
    state = heartbeat.state
    lines = [words.links.format(up=state.links_up, links=state.links)]
    if state.links_down:
        lines.append(words.down.format(names=", ".join(state.links_down)))
    lines.append(_owed(heartbeat, words))
    names = ", ".join(state.alarms)
    lines.append(words.alarms.format(names=names) if names else words.no_alarms)
    return "\n".join(lines)


def _owed(heartbeat: Heartbeat, words: _Words) -> str:
    owing = heartbeat.state.owing
    if owing is None:
        return words.owed_unknown
    if not owing.reports:
        return words.nothing_owed
    count = words.at_least.format(count=owing.reports) if owing.is_more else str(owing.reports)
    oldest = "" if owing.oldest_age_s is None else words.oldest.format(age=owing.oldest_age_s)
    return f"{words.owed.format(count=count)}{oldest}"
