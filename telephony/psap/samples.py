"""Reports of an invented emergency for those who build or connect a centre: each marked as a test, none an emergency.

They are what docs/cap.md shows, but for the marks of a test: ``status``, the beginning of ``headline`` and of ``instruction``. The
person and everything in them are invented; the numbers belong to nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from telephony.domain.facts import (
    Because,
    CallFact,
    CallState,
    ConsentState,
    GuardianFact,
    GuardianNumber,
    GuardianState,
    KnockFact,
    Leg,
    LegState,
    PersonFact,
    ReasonCode,
    Registered,
    ScoreFact,
)
from telephony.domain.heartbeat import Heartbeat, HouseState, Owing
from telephony.domain.position import Position
from telephony.domain.report import EarlierReport, Report, ReportKind, UpdateReason, report_id
from telephony.domain.values import Msisdn
from telephony.psap.cap import encode
from telephony.psap.heartbeat import encode_heartbeat
from telephony.psap.wording import Language

DOCUMENTED_AT: Final = datetime(2026, 11, 23, 6, 5, 2, tzinfo=UTC)
"""When the invented key was pressed, in the document."""
LASTS: Final = timedelta(seconds=40)
"""From the press to the closing."""
CALLER_NUMBER: Final = Msisdn("821000000001")
MOTHER, FATHER = Msisdn("821098760001"), Msisdn("821098760002")
CALL: Final = "voice-1/voice-1-1763900000.12"


@dataclass(frozen=True, slots=True)
class Names:
    """The names of what the samples are about: the incidents of an SMS, a call and a drill, and the heartbeat."""

    sms: str
    call: str
    drill: str
    heartbeat: str

    @classmethod
    def numbered(cls, prefix: str) -> Names:
        """Return names that begin alike."""
        return cls(f"{prefix}-1", f"{prefix}-2", f"{prefix}-3", f"{prefix}-heartbeat")


DOCUMENTED: Final = Names(
    "sos-20261123-7k3qwz2m9t",
    "sos-20261123-b4r8n2x6pd",
    "sos-20261123-d9m3f7k5ht",
    "heartbeat-onetouch-seoul-a-20261123T060502-1",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One document to send. ``name`` is short and fit for a file."""

    name: str
    content: Report | Heartbeat

    @property
    def identifier(self) -> str:
        """Its CAP identifier."""
        return self.content.heartbeat_id if isinstance(self.content, Heartbeat) else self.content.report_id

    def encoded(self, *, sender: str, addresses: str, language: Language, zone: tzinfo) -> bytes:
        """Write it as it is sent; arguments as those of `cap.encode`."""
        if isinstance(self.content, Heartbeat):
            return encode_heartbeat(
                self.content, sender=sender, addresses=addresses, language=language, zone=zone
            )
        return encode(self.content, sender=sender, addresses=addresses, language=language, zone=zone)


def samples(
    at: datetime, names: Names, *, service: str = "onetouch", channel: str = "seoul-a"
) -> Sequence[Sample]:
    """Return every sample in the order in which a centre would get them, as if the key had been pressed at this time."""
    return [
        *(Sample(name, report) for name, report in _of_sms(at, names.sms)),
        *(Sample(name, report) for name, report in _of_call(at, names.call)),
        Sample("drill", _opening(at, names.drill)),
        Sample(
            "heartbeat",
            Heartbeat(
                names.heartbeat, service, channel, 1, at, at + LASTS, 60.0, HouseState(links=3, links_down=("skt-2",), owing=Owing(0), alarms=("link-down",)),
                is_sample=True,
            ),
        ),
    ]  # fmt: skip


def _of_sms(at: datetime, incident: str) -> Iterator[tuple[str, Report]]:
    alert = _opening(at, incident)
    yield "alert", alert
    second = replace(
        _next(alert, at + timedelta(seconds=3)), press_count=2, last_press_at=at + timedelta(seconds=2)
    )
    cell = Position(37.5665, 126.9778, 350.0, 67.0, "cell", "lbs:skt", at - timedelta(seconds=12.3), at)
    located = replace(
        second,
        position=cell,
        labels=("unlisted destination",),
        reasons=(UpdateReason.PRESSED_AGAIN, UpdateReason.POSITION),
    )
    yield "update-position", located
    known = replace(
        _next(located, at + timedelta(seconds=4)),
        facts=(_person(at), _score(at)),
        reasons=(UpdateReason.PERSON, UpdateReason.SCORE),
    )
    yield "update-person", known
    yield "closing", _closed(known, at + LASTS, "found safe, car 12")


def _of_call(at: datetime, incident: str) -> Iterator[tuple[str, Report]]:
    alert = replace(_opening(at, incident), source="call", texts=())
    yield "alert-call", alert
    connected = replace(
        _next(alert, at + timedelta(seconds=9)),
        facts=_facts_of_call(at, incident),
        reasons=(UpdateReason.CALL, UpdateReason.KNOCK, UpdateReason.GUARDIAN),
    )
    yield "update-call", connected
    reason = "false alarm: a pocket press, the guardian confirmed"
    yield "cancel", _closed(connected, at + LASTS, reason)


def _opening(at: datetime, incident: str) -> Report:
    return Report(
        report_id(incident, 1),
        ReportKind.ALERT,
        incident,
        sequence=1,
        earlier=(),
        sent_at=at,
        test=True,
        msisdn=CALLER_NUMBER,
        carrier="skt",
        source="sms",
        destination="112",
        opened_at=at,
        press_count=1,
        last_press_at=at,
        texts=("살려주세요",),
    )


def _next(report: Report, at: datetime) -> Report:
    """Return the update after a report, in which nothing is new."""
    return replace(
        report,
        report_id=report_id(report.incident_id, report.sequence + 1),
        kind=ReportKind.UPDATE,
        sequence=report.sequence + 1,
        earlier=(*report.earlier, EarlierReport(report.report_id, report.sent_at)),
        sent_at=at,
    )


def _closed(report: Report, at: datetime, reason: str) -> Report:
    return replace(
        _next(report, at), kind=ReportKind.CLOSING, close_reason=reason, reasons=(UpdateReason.CLOSED,)
    )


def _facts_of_call(at: datetime, incident: str) -> tuple[CallFact | KnockFact | GuardianFact, ...]:
    legs = (Leg("112-1", LegState.NO_ANSWER, 6), Leg("112-2", LegState.CONNECTED))
    return (
        CallFact(
            CALL,
            at,
            CallState.CONNECTED,
            trunk="skt-a",
            dialled="112",
            incident=incident,
            silence="no-rtp",
            recording=f"{incident}.wav",
            sip_call_id="3c26700857a87f84@10.1.2.3",
            legs=legs,
            route="112-2",
            started=at,
            connected=at + timedelta(seconds=6),
        ),
        KnockFact(f"{CALL}#1", at, "11", 2, "cannot-speak", {"ko": "말할 수 없음", "en": "cannot speak"}),
        GuardianFact(1, at, GuardianState.CALLING, round=1, relation="어머니", phone=MOTHER.masked),
    )


def _person(at: datetime) -> PersonFact:
    return PersonFact(
        at,
        Registered.YES,
        name="김하늘",
        born=date(2015, 3, 2),
        device="u-relief",
        carrier="skt",
        language="ko",
        medical="천식",
        address="서울 종로구 사직로 8",
        family="할머니와 삶",
        school="한국초등학교",
        guardians=(GuardianNumber("어머니", MOTHER), GuardianNumber("아버지", FATHER)),
        photo="2015/haneul.jpg",
        consent=ConsentState.VALID,
    )


def _score(at: datetime) -> ScoreFact:
    return ScoreFact(at, 65, (Because(ReasonCode.FALSE_ALARMS, 2), Because(ReasonCode.SCHOOL_HOURS)))
