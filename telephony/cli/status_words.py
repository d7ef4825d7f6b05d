"""The words of ``onetouch status``, in Korean and in English. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal

from telephony.control.messages import FarEndKind, SecretReading
from telephony.control.verdict import Cause, Level
from telephony.net.standing import FarEndState, Retried

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_GIB, _MIB = 1 << 30, 1 << 20


@dataclass(frozen=True, slots=True)
class Words:
    """One language. Braces are filled by the screen."""

    levels: Mapping[Level, str]
    up_for: str
    causes: Mapping[Cause, str]
    kinds: Mapping[FarEndKind, str]
    states: Mapping[FarEndState, str]
    since: str
    heard: str
    never_heard: str
    again_in: str
    again_now: str
    binds: str
    comparing: str
    heartbeat: str
    heartbeat_none: str
    heartbeat_missed: str
    more_well: str
    more: str
    alarms: str
    more_alarms: str
    alarm: str
    owed: str
    owed_none: str
    open_incidents: str
    store_silent: str
    journal: str
    journal_empty: str
    at_least: str
    certificate: str
    certificate_over: str
    certificate_unread: str
    no_certificates: str
    disk: str
    versions: str
    other_schema: str
    labels: Mapping[str, str]
    units: tuple[str, str, str, str]
    """Days, hours, minutes, seconds."""
    keys: str
    retried: Mapping[Retried, str]
    secrets: Mapping[SecretReading, str]


_EN: Final = Words(
    levels=MappingProxyType(
        {Level.OK: "OK", Level.WARNING: "WARNING", Level.CRITICAL: "CRITICAL", Level.UNKNOWN: "UNKNOWN"}
    ),
    up_for="up {age}, process {pid}",
    causes=MappingProxyType(
        {
            Cause.NOT_TOLD: "112 has not been told for {age}: `onetouch incidents readout` and telephone",
            Cause.CENTRE_UNREACHED: "112 centre {about}: no channel delivers; runbook, 112 down",
            Cause.CARRIER_CUT_OFF: "carrier {about}: no link is up; runbook, Carrier down",
            Cause.STORE_SILENT: "the store does not answer; runbook, Store down",
            Cause.JOURNAL_WAITS: "presses wait in the journal; runbook, Store down",
            Cause.CERTIFICATE: "certificate of {about}: renew it",
            Cause.DISK_FULL: "the disk of {about} is full; runbook, Disk full",
            Cause.DISK_LOW: "the disk of {about} is nearly full; runbook, Disk full",
        }
    ),
    kinds=MappingProxyType(
        {
            FarEndKind.CENTRE: "112",
            FarEndKind.SMPP: "SMPP",
            FarEndKind.PEER: "SMPP peer",
            FarEndKind.ASTERISK: "Asterisk",
            FarEndKind.LBS: "LBS",
        }
    ),
    states=MappingProxyType(
        {
            FarEndState.UP: "up",
            FarEndState.CONNECTING: "connecting",
            FarEndState.DOWN: "DOWN",
            FarEndState.REFUSED: "REFUSED",
            FarEndState.FAILING: "FAILING",
            FarEndState.NOT_ASKED: "not asked",
            FarEndState.STOPPED: "stopped",
        }
    ),
    since="{at} ({age})",
    heard="{age} ago",
    never_heard="-",
    again_in="again in {age}",
    again_now="being tried",
    binds="{binds} binds",
    comparing="its calls are being compared",
    heartbeat="heartbeat every {every}: taken {age} ago",
    heartbeat_none="heartbeat every {every}: none taken yet",
    heartbeat_missed="{misses} not taken since",
    more_well="and {count} more, all well",
    more="and {count} more",
    alarms="alarms: {count}",
    more_alarms="and {count} more alarms: `onetouch status --json`",
    alarm="{since}, {count}x, last {last}",
    owed="reports: {count}, the oldest {age}",
    owed_none="reports: none",
    open_incidents="open incidents: {count}",
    store_silent="the store does not answer: {reason}",
    journal="presses not in the store yet: {count}, the oldest {age}",
    journal_empty="all presses are in the store",
    at_least="at least {count}",
    certificate="{setting} {age} left",
    certificate_over="{setting} EXPIRED {age} ago",
    certificate_unread="{setting}: {file}: {problem}",
    no_certificates="none in the settings",
    disk="{directory} {free} free of {size}",
    versions="onetouch {onetouch}, Python {python}, schema {schema}, started {started}",
    other_schema="{store} (this release writes {own})",
    labels=MappingProxyType(
        {
            "name": "NAME",
            "what": "WHAT",
            "state": "STATE",
            "since": "SINCE",
            "heard": "LAST HEARD",
            "owed": "owed to 112",
            "certificates": "certificates",
            "journal": "journal",
            "disk": "disk",
            "versions": "versions",
        }
    ),
    units=(" d", " h", " min", " s"),
    keys="q ends",
    retried=MappingProxyType(
        {
            Retried.DIALLED: "{name}: it is being dialled now, the pause was dropped",
            Retried.UNDER_WAY: "{name}: an attempt is under way",
            Retried.IS_UP: "{name}: it is up, and was left alone",
            Retried.WITH_THE_NEXT: "{name}: it is asked only on occasion; the next report or question goes out with it",
        }
    ),
    secrets=MappingProxyType(
        {
            SecretReading.NONE: "the settings name no secret for it",
            SecretReading.CHANGED: "its secret was read again, and is another one now",
            SecretReading.SAME: "its secret was read again, and is the same as before",
        }
    ),
)

_KO: Final = Words(
    levels=MappingProxyType(
        {Level.OK: "정상", Level.WARNING: "주의", Level.CRITICAL: "위험", Level.UNKNOWN: "알 수 없음"}
    ),
    up_for="가동 {age}, 프로세스 {pid}",
    causes=MappingProxyType(
        {
            Cause.NOT_TOLD: "112에 {age}째 미전달: `onetouch incidents readout` 후 전화로 전달",
            Cause.CENTRE_UNREACHED: "112 센터 {about}: 전달되는 채널 없음; runbook, 112 down",
            Cause.CARRIER_CUT_OFF: "통신사 {about}: 연결된 링크 없음; runbook, Carrier down",
            Cause.STORE_SILENT: "저장소가 응답하지 않음; runbook, Store down",
            Cause.JOURNAL_WAITS: "신고가 저널에서 대기 중; runbook, Store down",
            Cause.CERTIFICATE: "{about} 인증서: 갱신 필요",
            Cause.DISK_FULL: "{about} 디스크가 가득 참; runbook, Disk full",
            Cause.DISK_LOW: "{about} 디스크 여유 부족; runbook, Disk full",
        }
    ),
    kinds=MappingProxyType(
        {
            FarEndKind.CENTRE: "112",
            FarEndKind.SMPP: "SMPP",
            FarEndKind.PEER: "SMPP 수신",
            FarEndKind.ASTERISK: "Asterisk",
            FarEndKind.LBS: "위치(LBS)",
        }
    ),
    states=MappingProxyType(
        {
            FarEndState.UP: "연결됨",
            FarEndState.CONNECTING: "연결 중",
            FarEndState.DOWN: "끊김",
            FarEndState.REFUSED: "거부됨",
            FarEndState.FAILING: "실패",
            FarEndState.NOT_ASKED: "사용 전",
            FarEndState.STOPPED: "중지됨",
        }
    ),
    since="{at} ({age})",
    heard="{age} 전",
    never_heard="-",
    again_in="{age} 뒤 재시도",
    again_now="재시도 중",
    binds="바인드 {binds}개",
    comparing="통화 목록 대조 중",
    heartbeat="연결 확인 {every}마다: {age} 전에 112가 받음",
    heartbeat_none="연결 확인 {every}마다: 아직 112가 받은 것이 없음",
    heartbeat_missed="그 뒤 {misses}회 받지 않음",
    more_well="그 밖에 {count}개, 모두 정상",
    more="그 밖에 {count}개",
    alarms="경보 {count}건",
    more_alarms="그 밖에 경보 {count}건: `onetouch status --json`",
    alarm="{since}, {count}회, 최근 {last}",
    owed="{count}건, 가장 오래된 것 {age}",
    owed_none="없음",
    open_incidents="진행 중 사건 {count}건",
    store_silent="저장소가 응답하지 않음: {reason}",
    journal="저장소에 아직 없는 신고 {count}건, 가장 오래된 것 {age}",
    journal_empty="모든 신고가 저장소에 있음",
    at_least="{count} 이상",
    certificate="{setting} {age} 남음",
    certificate_over="{setting} {age} 전에 만료됨",
    certificate_unread="{setting}: {file}: {problem}",
    no_certificates="설정에 없음",
    disk="{directory} 여유 {free} / 전체 {size}",
    versions="onetouch {onetouch}, Python {python}, 스키마 {schema}, 시작 {started}",
    other_schema="{store} (이 버전은 {own})",
    labels=MappingProxyType(
        {
            "name": "이름",
            "what": "종류",
            "state": "상태",
            "since": "시각",
            "heard": "마지막 수신",
            "owed": "112 미전달",
            "certificates": "인증서",
            "journal": "저널",
            "disk": "디스크",
            "versions": "버전",
        }
    ),
    units=("일", "시간", "분", "초"),
    keys="q 종료",
    retried=MappingProxyType(
        {
            Retried.DIALLED: "{name}: 대기를 끝내고 지금 연결을 시도함",
            Retried.UNDER_WAY: "{name}: 이미 연결을 시도하는 중",
            Retried.IS_UP: "{name}: 연결되어 있어 그대로 둠",
            Retried.WITH_THE_NEXT: "{name}: 필요할 때만 사용됨; 다음 보고나 조회부터 적용됨",
        }
    ),
    secrets=MappingProxyType(
        {
            SecretReading.NONE: "설정에 비밀 값이 없음",
            SecretReading.CHANGED: "비밀 값을 다시 읽음: 바뀌었음",
            SecretReading.SAME: "비밀 값을 다시 읽음: 이전과 같음",
        }
    ),
)

WORDS: Final[Mapping[Literal["ko", "en"], Words]] = MappingProxyType({"en": _EN, "ko": _KO})


def age(words: Words, how_long: timedelta) -> str:
    """Return a span of time in its two largest units: ``3 d 4 h``, ``61 min`` as ``1 h 1 min``, ``12 s``."""
    seconds = max(0, int(how_long.total_seconds()))
    days, hours, minutes, units = seconds // _DAY, seconds // _HOUR, seconds // _MINUTE, words.units
    if days:
        return f"{days}{units[0]} {hours % 24}{units[1]}"
    if hours:
        return f"{hours}{units[1]} {minutes % 60}{units[2]}"
    return f"{minutes}{units[2]}" if minutes else f"{seconds}{units[3]}"


def clock_time(at: datetime, now: datetime) -> str:
    """Return a time as people read it, both in their zone: of today the clock alone."""
    return f"{at:%H:%M:%S}" if at.date() == now.date() else f"{at:%m-%d %H:%M}"


def size(octets: int) -> str:
    """Return a number of octets as people read it."""
    return f"{octets / _GIB:.1f} GiB" if octets >= _GIB else f"{octets / _MIB:.0f} MiB"
