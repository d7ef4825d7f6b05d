"""Every parameter that a report or a heartbeat can have: its name in CAP, what it holds and what it means.

`telephony.psap.cap` and `telephony.psap.heartbeat` write parameters by these members alone, so that the list of them
(``onetouch cap parameters``) is what can be sent. docs/cap.md says more of each; a test compares both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final

from telephony.domain.facts import (
    CallState,
    ConsentState,
    EndedBy,
    GuardianState,
    GuardianWay,
    NotReached,
    Reach,
    ReasonCode,
    Registered,
    SilenceState,
)
from telephony.domain.report import UpdateReason
from telephony.psap.wording import ENGLISH

FIRST_RELEASE: Final = "0.1.0"
"""The release in which a parameter was sent first, where none is given."""


class Document(StrEnum):
    """The documents that have parameters."""

    REPORT = "report"
    HEARTBEAT = "heartbeat"


class Type(StrEnum):
    """What a value looks like."""

    TEXT = "text"
    """Characters in nobody's form."""
    WORD = "word"
    """One of the listed values."""
    NUMBER = "number"
    """Decimal digits; perhaps a minus before them, a point where it is not whole."""
    TIME = "time"
    """``2026-11-23T15:05:02+09:00``: whole seconds, an offset, never ``Z``."""
    SPOKEN_TIME = "time with a blank"
    """``2026-11-23 15:05:02+09:00``."""
    DATE = "date"
    """``2015-03-02``."""
    CIRCLE = "circle"
    """``latitude,longitude radius`` in WGS 84 degrees and kilometres, as CAP's ``circle``."""
    TEL = "tel"
    """A ``tel:`` URI of a global number (RFC 3966)."""
    URIS = "uris"
    """URIs with a blank between them."""
    LIST = "list"
    """Texts joined by ``;`` and a blank."""
    CODES = "codes"
    """Listed values joined by ``;``, each perhaps with ``=`` and a whole number."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a parameter is."""

    name: str
    """Its ``valueName``."""
    type: Type
    ko: str
    en: str
    unit: str = ""
    values: tuple[str, ...] = ()
    """The words that it can hold; a later release may add some."""
    is_open: bool = False
    """Whether it can hold others than these words."""
    repeats: bool = False
    """Whether one document can have more than one of it."""
    document: Document = Document.REPORT
    since: str = FIRST_RELEASE


def _words(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(str, words))


_DEGREES_AND_KM: Final = "deg, km"


class Parameter(Enum):
    """The parameters, in the order of docs/cap.md."""

    value: Meaning

    CALLBACK = Meaning(
        "callback",
        Type.TEL,
        "신고자의 번호. 기록용이며 이 번호로 전화하지 않는다",
        "the caller's number, for the record: do not call it",
    )
    CALLER = Meaning(
        "caller",
        Type.TEXT,
        "국제 형식이 아닌 신고자 번호. 번호가 없으면 withheld",
        "instead of callback: what the carrier gave, when it is no global number",
        values=("withheld",),
        is_open=True,
    )
    INCIDENT = Meaning("incident", Type.TEXT, "사건 이름", "the incident's id")
    INCIDENT_STATE = Meaning(
        "incident-state",
        Type.WORD,
        "사건 상태. 112가 접수했거나 출동한 사건도 open",
        "whether the incident is open; one that was acknowledged or dispatched to still is",
        values=("open", "closed"),
    )
    REPORT_SEQUENCE = Meaning(
        "report-sequence",
        Type.NUMBER,
        "사건 안에서의 보고 번호, 1부터",
        "number of the report in its incident, from 1",
    )
    UPDATE_REASON = Meaning(
        "update-reason",
        Type.WORD,
        "이 보고에서 새로운 내용",
        "what in an Update is news",
        values=_words(UpdateReason),
        repeats=True,
    )
    TRIGGER_SOURCE = Meaning(
        "trigger-source",
        Type.WORD,
        "첫 신고가 들어온 방법",
        "how the first press came",
        values=_words(ENGLISH.ways),
    )
    DESTINATION = Meaning(
        "destination", Type.TEXT, "신고자가 건 번호 또는 문자를 보낸 번호", "what was dialled or texted"
    )
    CARRIER = Meaning(
        "carrier", Type.TEXT, "신고가 들어온 통신사의 이름", "our name of the carrier that it came by"
    )
    PRESS_COUNT = Meaning("press-count", Type.NUMBER, "지금까지 누른 횟수", "presses so far")
    FIRST_PRESS_TIME = Meaning(
        "first-press-time", Type.TIME, "사건을 연 신고의 시각", "time of the press that opened the incident"
    )
    LAST_PRESS_TIME = Meaning(
        "last-press-time", Type.TIME, "가장 최근 신고의 시각", "time of the latest press"
    )
    SEEN_AGAIN_TIME = Meaning(
        "seen-again-time",
        Type.TIME,
        "같은 신고가 다시 들어온 시각. 재전송인지 다시 누른 것인지 알 수 없다",
        "when the same press came again, which may be a redelivery or another press",
    )
    LOCATION_SOURCE = Meaning(
        "location-source",
        Type.WORD,
        "믿는 위치(circle)의 출처",
        "who says so, of the circle",
        values=("lbs:", *ENGLISH.sources),
        is_open=True,
    )
    LOCATION_METHOD = Meaning(
        "location-method",
        Type.WORD,
        "믿는 위치(circle)의 측위 방법",
        "how the circle was found",
        values=_words(ENGLISH.methods),
        is_open=True,
    )
    LOCATION_CONFIDENCE_PERCENT = Meaning(
        "location-confidence-percent",
        Type.NUMBER,
        "믿는 위치(circle)의 신뢰도",
        "confidence of the circle as sent",
        unit="%",
    )
    LOCATION_UNCERTAINTY_M = Meaning(
        "location-uncertainty-m", Type.NUMBER, "믿는 위치(circle)의 반경", "radius of the circle", unit="m"
    )
    LOCATION_ALTITUDE_M = Meaning(
        "location-altitude-m",
        Type.NUMBER,
        "믿는 위치(circle)의 고도(WGS 84 타원체 기준). 기기가 알려 준 때만",
        "altitude of the circle above the WGS 84 ellipsoid, where the device said so",
        unit="m",
    )
    LOCATION_TIME = Meaning(
        "location-time", Type.TIME, "믿는 위치(circle)를 측정한 시각", "when the circle was measured"
    )
    LOCATION_AGE_S = Meaning(
        "location-age-s",
        Type.NUMBER,
        "믿는 위치(circle)의 측정 후 경과 시간(sent 기준)",
        "age of the circle at sent",
        unit="s",
    )
    LOCATION_AGE = Meaning(
        "location-age",
        Type.WORD,
        "믿는 위치(circle)의 측정 시각을 모름. -time과 -age-s 대신",
        "instead of time and age of the circle: when it was measured is not known",
        values=("unknown",),
    )
    NEWEST_LOCATION = Meaning(
        "newest-location",
        Type.CIRCLE,
        "가장 최근에 측정한 위치. circle과 다를 때만",
        "the newest fix, where it is not the circle",
        unit=_DEGREES_AND_KM,
    )
    NEWEST_LOCATION_SOURCE = Meaning(
        "newest-location-source",
        Type.WORD,
        "가장 최근에 측정한 위치의 출처",
        "who says so, of the newest fix",
        values=("lbs:", *ENGLISH.sources),
        is_open=True,
    )
    NEWEST_LOCATION_METHOD = Meaning(
        "newest-location-method",
        Type.WORD,
        "가장 최근에 측정한 위치의 측위 방법",
        "how the newest fix was found",
        values=_words(ENGLISH.methods),
        is_open=True,
    )
    NEWEST_LOCATION_CONFIDENCE_PERCENT = Meaning(
        "newest-location-confidence-percent",
        Type.NUMBER,
        "가장 최근에 측정한 위치의 신뢰도",
        "confidence of the newest fix as sent",
        unit="%",
    )
    NEWEST_LOCATION_UNCERTAINTY_M = Meaning(
        "newest-location-uncertainty-m",
        Type.NUMBER,
        "가장 최근에 측정한 위치의 반경",
        "radius of the newest fix",
        unit="m",
    )
    NEWEST_LOCATION_ALTITUDE_M = Meaning(
        "newest-location-altitude-m",
        Type.NUMBER,
        "가장 최근에 측정한 위치의 고도(WGS 84 타원체 기준). 기기가 알려 준 때만",
        "altitude of the newest fix above the WGS 84 ellipsoid, where the device said so",
        unit="m",
    )
    NEWEST_LOCATION_TIME = Meaning(
        "newest-location-time",
        Type.TIME,
        "가장 최근에 측정한 위치를 측정한 시각",
        "when the newest fix was measured",
    )
    NEWEST_LOCATION_AGE_S = Meaning(
        "newest-location-age-s",
        Type.NUMBER,
        "가장 최근에 측정한 위치의 측정 후 경과 시간(sent 기준)",
        "age of the newest fix at sent",
        unit="s",
    )
    NEWEST_LOCATION_AGE = Meaning(
        "newest-location-age",
        Type.WORD,
        "가장 최근에 측정한 위치의 측정 시각을 모름. -time과 -age-s 대신",
        "instead of time and age of the newest fix: when it was measured is not known",
        values=("unknown",),
    )
    SHARPEST_LOCATION = Meaning(
        "sharpest-location",
        Type.CIRCLE,
        "이 사건에서 가장 정확한 위치. circle과 다를 때만",
        "the sharpest fix of the incident, where it is not the circle",
        unit=_DEGREES_AND_KM,
    )
    SHARPEST_LOCATION_SOURCE = Meaning(
        "sharpest-location-source",
        Type.WORD,
        "이 사건에서 가장 정확한 위치의 출처",
        "who says so, of the sharpest fix of the incident",
        values=("lbs:", *ENGLISH.sources),
        is_open=True,
    )
    SHARPEST_LOCATION_METHOD = Meaning(
        "sharpest-location-method",
        Type.WORD,
        "이 사건에서 가장 정확한 위치의 측위 방법",
        "how the sharpest fix of the incident was found",
        values=_words(ENGLISH.methods),
        is_open=True,
    )
    SHARPEST_LOCATION_CONFIDENCE_PERCENT = Meaning(
        "sharpest-location-confidence-percent",
        Type.NUMBER,
        "이 사건에서 가장 정확한 위치의 신뢰도",
        "confidence of the sharpest fix of the incident as sent",
        unit="%",
    )
    SHARPEST_LOCATION_UNCERTAINTY_M = Meaning(
        "sharpest-location-uncertainty-m",
        Type.NUMBER,
        "이 사건에서 가장 정확한 위치의 반경",
        "radius of the sharpest fix of the incident",
        unit="m",
    )
    SHARPEST_LOCATION_ALTITUDE_M = Meaning(
        "sharpest-location-altitude-m",
        Type.NUMBER,
        "이 사건에서 가장 정확한 위치의 고도(WGS 84 타원체 기준). 기기가 알려 준 때만",
        "altitude of the sharpest fix of the incident above the WGS 84 ellipsoid, where the device said so",
        unit="m",
    )
    SHARPEST_LOCATION_TIME = Meaning(
        "sharpest-location-time",
        Type.TIME,
        "이 사건에서 가장 정확한 위치를 측정한 시각",
        "when the sharpest fix of the incident was measured",
    )
    SHARPEST_LOCATION_AGE_S = Meaning(
        "sharpest-location-age-s",
        Type.NUMBER,
        "이 사건에서 가장 정확한 위치의 측정 후 경과 시간(sent 기준)",
        "age of the sharpest fix of the incident at sent",
        unit="s",
    )
    SHARPEST_LOCATION_AGE = Meaning(
        "sharpest-location-age",
        Type.WORD,
        "이 사건에서 가장 정확한 위치의 측정 시각을 모름. -time과 -age-s 대신",
        "instead of time and age of the sharpest fix of the incident: when it was measured is not known",
        values=("unknown",),
    )
    CALL_REFERENCE = Meaning(
        "call-reference",
        Type.TEXT,
        "통화의 이름(Asterisk 서버/Uniqueid). 이 통화의 내용이 여기서 시작한다",
        "our name of an SOS call; begins what is told of it",
        repeats=True,
    )
    CALL_ID = Meaning(
        "call-id",
        Type.TEXT,
        "이 통화의 INVITE에 있는 X-Incident-ID",
        "X-Incident-ID of the call's INVITE",
        repeats=True,
    )
    CALL_STATE = Meaning(
        "call-state", Type.WORD, "통화 상태", "state of the call", values=_words(CallState), repeats=True
    )
    CALL_OF = Meaning(
        "call-of",
        Type.TEXT,
        "두 번째로 들어온 같은 통화일 때 먼저 온 통화의 call-id",
        "call-id of the call that a second leg waited for",
        repeats=True,
    )
    CALL_TRUNK = Meaning(
        "call-trunk",
        Type.TEXT,
        "통화가 들어온 트렁크의 이름",
        "our name of the trunk that it came by",
        repeats=True,
    )
    CALL_ROUTE = Meaning(
        "call-route",
        Type.TEXT,
        "통화를 받은 112 회선",
        "which of the routes to 112 has the call",
        repeats=True,
    )
    CALL_LEGS = Meaning(
        "call-legs",
        Type.LIST,
        "시도한 회선과 그 결과",
        "each route that was dialled and what came of it",
        repeats=True,
    )
    CALL_SILENCE = Meaning(
        "call-silence",
        Type.WORD,
        "신고자 전화기를 무음으로 두는 방법",
        "how the caller's phone is kept silent",
        values=("no-rtp", "zeros"),
        repeats=True,
    )
    CALL_RECORDING = Meaning(
        "call-recording", Type.TEXT, "녹음 파일 이름", "file name of the recording", repeats=True
    )
    CALL_SIP_ID = Meaning(
        "call-sip-id", Type.TEXT, "신고자 INVITE의 Call-ID", "Call-ID of the caller's INVITE", repeats=True
    )
    CALL_DURATION_S = Meaning(
        "call-duration-s",
        Type.NUMBER,
        "통화 시간(착신부터 종료까지)",
        "from the call's arrival to its end",
        unit="s",
        repeats=True,
    )
    CALL_ENDED_BY = Meaning(
        "call-ended-by",
        Type.WORD,
        "통화를 끝낸 쪽",
        "who ended the call",
        values=_words(EndedBy),
        repeats=True,
    )
    CALL_REFUSED = Meaning(
        "call-refused",
        Type.TEXT,
        "교환기가 받지 못한 통화: 통신망에 보낸 SIP 상태",
        "of a refused call: what the caller's network was told",
        repeats=True,
    )
    CALL_CELL = Meaning(
        "call-cell",
        Type.TEXT,
        "통신망이 통화와 함께 알린 기지국(P-Access-Network-Info)",
        "the cell that the network told with the call (P-Access-Network-Info)",
        repeats=True,
    )
    CALL_ACCESS = Meaning(
        "call-access", Type.TEXT, "통신망이 알린 접속 방식", "the access that the network told", repeats=True
    )
    CALL_GEOLOCATION = Meaning(
        "call-geolocation",
        Type.URIS,
        "통신망이 알린 위치 조회 URI(RFC 6442)",
        "where the network says that the position can be asked (RFC 6442)",
        repeats=True,
    )
    CALL_INFO = Meaning(
        "call-info", Type.TEXT, "통신망 INVITE의 Call-Info", "Call-Info of the network's INVITE", repeats=True
    )
    KNOCK = Meaning(
        "knock",
        Type.TEXT,
        "무음 통화 중 누른 숫자. 두드림마다 하나이고 그 내용이 여기서 시작한다",
        "digits tapped in a silent call; begins what is told of the knock",
        repeats=True,
    )
    KNOCK_TAPS = Meaning("knock-taps", Type.NUMBER, "누른 횟수", "how many taps", repeats=True)
    KNOCK_MEANING = Meaning(
        "knock-meaning",
        Type.TEXT,
        "두드림 표에서 뜻하는 것",
        "what it stands for in the table of knocks",
        repeats=True,
    )
    SILENCE = Meaning(
        "silence",
        Type.WORD,
        "신고자 전화기에 소리가 날 수 있는지. 없으면 무음이 해제된 적이 없다",
        "whether sound can reach the caller's phone; absent: silence was never lifted",
        values=_words(SilenceState),
    )
    SILENCE_BY = Meaning("silence-by", Type.TEXT, "무음 해제나 복귀를 요청한 사람", "who asked for it")
    GUARDIAN = Meaning(
        "guardian",
        Type.TEXT,
        "보호자의 순서. 1.2처럼 점이 있으면 그 보호자가 쓴 문자. 이 보호자의 내용이 여기서 시작한다",
        "place of a guardian in the order, or with a point one of his texts; begins what is told of him",
        repeats=True,
    )
    GUARDIAN_STATE = Meaning(
        "guardian-state",
        Type.WORD,
        "보호자 연락 상태",
        "what came of telling the guardian",
        values=_words(GuardianState),
        repeats=True,
    )
    GUARDIAN_RELATION = Meaning(
        "guardian-relation", Type.TEXT, "신고자와의 관계", "what the guardian is to the caller", repeats=True
    )
    GUARDIAN_PHONE = Meaning(
        "guardian-phone", Type.TEXT, "보호자 번호(일부 가림)", "the guardian's number, masked", repeats=True
    )
    GUARDIAN_ROUND = Meaning(
        "guardian-round", Type.NUMBER, "몇 번째 연락인지", "in which round", repeats=True
    )
    GUARDIAN_BY = Meaning(
        "guardian-by",
        Type.WORD,
        "연락하거나 응답한 방법",
        "by what way the guardian was told, or answered",
        values=_words(GuardianWay),
        repeats=True,
    )
    GUARDIAN_WORDS = Meaning(
        "guardian-words", Type.TEXT, "보호자가 쓴 글", "what the guardian wrote", repeats=True
    )
    ACKNOWLEDGED = Meaning(
        "acknowledged", Type.TEXT, "112에서 접수한 사람", "who at 112 has taken the incident"
    )
    ACKNOWLEDGED_TIME = Meaning("acknowledged-time", Type.TIME, "접수한 시각", "when it was taken")
    DISPATCHED = Meaning(
        "dispatched",
        Type.TEXT,
        "출동한 순찰차나 부대. 하나마다 하나씩이고 그 내용이 여기서 시작한다",
        "a unit on its way; begins what is told of it",
        repeats=True,
    )
    DISPATCHED_BY = Meaning("dispatched-by", Type.TEXT, "출동시킨 사람", "who sent it", repeats=True)
    DISPATCHED_TIME = Meaning("dispatched-time", Type.TIME, "출동시킨 시각", "when it was sent", repeats=True)
    DISPATCHED_ETA = Meaning(
        "dispatched-eta", Type.TIME, "도착 예정 시각", "when it will be there, as was said last", repeats=True
    )
    ARRIVED = Meaning(
        "arrived",
        Type.TEXT,
        "현장에 도착한 순찰차나 부대. 하나마다 하나씩이고 그 내용이 여기서 시작한다",
        "a unit that is there; begins what is told of it",
        repeats=True,
    )
    ARRIVED_BY = Meaning("arrived-by", Type.TEXT, "도착을 알린 사람", "who said so", repeats=True)
    ARRIVED_TIME = Meaning("arrived-time", Type.TIME, "도착한 시각", "when it arrived", repeats=True)
    NOTE = Meaning(
        "note",
        Type.TEXT,
        "112에서 남긴 메모. 하나마다 하나씩이고 그 내용이 여기서 시작한다",
        "what somebody at 112 has noted; begins what is told of it",
        repeats=True,
    )
    NOTE_BY = Meaning("note-by", Type.TEXT, "메모를 남긴 사람", "who noted it", repeats=True)
    NOTE_TIME = Meaning("note-time", Type.TIME, "메모를 남긴 시각", "when it was noted", repeats=True)
    TOLD_BY_VOICE = Meaning(
        "told-by-voice",
        Type.TEXT,
        "이 보고가 가기 전에 전화로 알린 우리 운영자",
        "who of our operators read this incident out on the telephone",
        repeats=True,
    )
    TOLD_BY_VOICE_TIME = Meaning(
        "told-by-voice-time", Type.SPOKEN_TIME, "전화로 알린 시각", "when it was read out", repeats=True
    )
    TOLD_BY_VOICE_WHY = Meaning(
        "told-by-voice-why", Type.TEXT, "누구에게 알렸는지", "what the operator noted: to whom", repeats=True
    )
    PERSON_REGISTERED = Meaning(
        "person-registered",
        Type.WORD,
        "등록된 사람인지. unknown은 등록부를 읽지 못했다는 뜻",
        "whether the person is registered; unknown: the registry could not be read",
        values=_words(each for each in Registered if each is not Registered.WITHDRAWN),
    )
    PERSON_NAME = Meaning("person-name", Type.TEXT, "신고자 이름", "the caller's name")
    PERSON_BIRTH_DATE = Meaning("person-birth-date", Type.DATE, "생년월일", "date of birth")
    PERSON_DEVICE = Meaning(
        "person-device",
        Type.WORD,
        "누른 기기",
        "what was pressed",
        values=_words(ENGLISH.facts.caller.devices),
    )
    PERSON_CARRIER = Meaning("person-carrier", Type.TEXT, "등록된 통신사", "the carrier as it was registered")
    PERSON_LANGUAGE = Meaning(
        "person-language", Type.WORD, "사용 언어", "language", values=_words(ENGLISH.facts.caller.languages)
    )
    PERSON_MEDICAL = Meaning("person-medical", Type.TEXT, "의료 정보", "medical notes")
    PERSON_ADDRESS = Meaning(
        "person-address",
        Type.TEXT,
        "등록 주소. 지금 있는 곳이 아니다",
        "the registered address: not where the person is",
    )
    PERSON_FAMILY = Meaning("person-family", Type.TEXT, "가족 사항", "family notes")
    PERSON_SCHOOL = Meaning("person-school", Type.TEXT, "학교", "school")
    PERSON_GUARDIANS = Meaning(
        "person-guardians",
        Type.LIST,
        "보호자의 관계와 번호",
        "the guardians' relation and whole number, in order",
    )
    PERSON_GUARDIANS_SAID = Meaning(
        "person-guardians-said",
        Type.LIST,
        "보호자로 등록된 근거, 같은 순서로",
        "by whose word each of them is a guardian, in the same order",
    )
    PERSON_PHOTO = Meaning("person-photo", Type.TEXT, "사진의 이름", "reference to a photo")
    PERSON_CONSENT = Meaning(
        "person-consent", Type.WORD, "동의 상태", "state of the consent", values=_words(ConsentState)
    )
    PERSON_OTHER_INCIDENTS = Meaning(
        "person-other-incidents",
        Type.LIST,
        "같은 사람의 다른 기기로 진행 중인 사건",
        "open incidents of the same person's other devices",
    )
    ACCIDENT_LIKELIHOOD_PERCENT = Meaning(
        "accident-likelihood-percent",
        Type.NUMBER,
        "오신고 가능성, 5부터 95. 참고용이며 출동의 조건이 아니다",
        "how likely it is an accident, 5 to 95: a remark, no condition for sending help",
        unit="%",
    )
    ACCIDENT_REASONS = Meaning(
        "accident-reasons",
        Type.CODES,
        "그 근거, 무거운 것부터",
        "why, the weightiest first",
        values=_words(ReasonCode),
    )
    FALSE_ALARM = Meaning(
        "false-alarm", Type.TEXT, "오신고라고 말한 쪽", "who says that it was a false alarm", repeats=True
    )
    FALSE_ALARM_BY = Meaning(
        "false-alarm-by", Type.TEXT, "말한 자리나 방법", "which desk, or by what means", repeats=True
    )
    FALSE_ALARM_WHY = Meaning(
        "false-alarm-why", Type.TEXT, "오신고인 것을 안 근거", "how it is known", repeats=True
    )
    FALSE_ALARM_TIME = Meaning("false-alarm-time", Type.TIME, "말한 시각", "when it was said", repeats=True)
    PHONE_REACH = Meaning(
        "phone-reach",
        Type.WORD,
        "전화기가 위치 조회에 응답하는지",
        "whether the phone answers the location service",
        values=_words(Reach),
    )
    PHONE_REACH_WHY = Meaning(
        "phone-reach-why", Type.WORD, "응답하지 않는 이유", "why it does not", values=_words(NotReached)
    )
    PHONE_LAST_ANSWERED = Meaning(
        "phone-last-answered",
        Type.TIME,
        "마지막으로 응답한 시각",
        "when the phone was measured last in this incident",
    )
    DEVICE_BATTERY_PERCENT = Meaning(
        "device-battery-percent",
        Type.NUMBER,
        "HTTP로 들어온 신고: 기기의 배터리 잔량",
        "of a press over HTTP: what is left of the device's battery",
        unit="%",
    )
    DEVICE_PRESS_TIME = Meaning(
        "device-press-time",
        Type.TIME,
        "HTTP로 들어온 신고: 기기 시계로 누른 시각. 틀릴 수 있다",
        "of a press over HTTP: when the key was pressed by the device's own clock, which may be wrong",
    )
    CALLER_TEXT = Meaning(
        "caller-text",
        Type.TEXT,
        "신고자가 쓴 글, 오래된 것부터",
        "what the caller typed, the oldest first",
        repeats=True,
    )
    LABEL = Meaning(
        "label",
        Type.WORD,
        "우리가 붙인 참고 사항",
        "a remark of ours",
        values=_words(ENGLISH.labels),
        repeats=True,
    )
    CLOSE_REASON = Meaning("close-reason", Type.TEXT, "사건을 끝낸 이유", "why the incident was closed")
    HEARTBEAT = Meaning(
        "heartbeat",
        Type.NUMBER,
        "서비스가 시작된 뒤 이 채널의 몇 번째 연결 확인인지, 1부터",
        "its number on this channel since the start of the service, from 1",
        document=Document.HEARTBEAT,
    )
    HEARTBEAT_INTERVAL_S = Meaning(
        "heartbeat-interval-s",
        Type.NUMBER,
        "다음 연결 확인까지의 시간",
        "to the next heartbeat",
        unit="s",
        document=Document.HEARTBEAT,
    )
    SERVICE = Meaning(
        "service", Type.TEXT, "서비스의 이름", "our name of the service", document=Document.HEARTBEAT
    )
    SERVICE_CHANNEL = Meaning(
        "service-channel",
        Type.TEXT,
        "채널의 이름. URL마다 하나",
        "our name of the channel, one for each URL",
        document=Document.HEARTBEAT,
    )
    SERVICE_STARTED_TIME = Meaning(
        "service-started-time",
        Type.TIME,
        "서비스가 시작된 시각",
        "when the service started",
        document=Document.HEARTBEAT,
    )
    LINKS = Meaning(
        "links",
        Type.NUMBER,
        "서비스가 유지하는 연결의 수",
        "links that the service keeps",
        document=Document.HEARTBEAT,
    )
    LINKS_UP = Meaning(
        "links-up",
        Type.NUMBER,
        "그중 정상인 연결의 수",
        "how many of them are up",
        document=Document.HEARTBEAT,
    )
    LINK_DOWN = Meaning(
        "link-down",
        Type.TEXT,
        "끊긴 연결의 이름",
        "our name of a link that is down",
        repeats=True,
        document=Document.HEARTBEAT,
    )
    REPORTS_OWED = Meaning(
        "reports-owed",
        Type.NUMBER,
        "아직 전달되지 않은 보고의 수",
        "reports that no channel has delivered",
        values=("unknown",),
        is_open=True,
        document=Document.HEARTBEAT,
    )
    REPORTS_OWED_MORE = Meaning(
        "reports-owed-more",
        Type.WORD,
        "세지 못한 보고가 더 있음",
        "there are more than were counted",
        values=("yes",),
        document=Document.HEARTBEAT,
    )
    REPORTS_OWED_OLDEST_AGE_S = Meaning(
        "reports-owed-oldest-age-s",
        Type.NUMBER,
        "그중 가장 오래된 것의 나이",
        "age of the oldest of them",
        unit="s",
        document=Document.HEARTBEAT,
    )
    ALARM = Meaning(
        "alarm",
        Type.TEXT,
        "진행 중인 경보의 이름",
        "the name of an alarm that stands",
        repeats=True,
        document=Document.HEARTBEAT,
    )

    @property
    def value_name(self) -> str:
        """CAP's ``valueName`` of it."""
        return self.value.name
