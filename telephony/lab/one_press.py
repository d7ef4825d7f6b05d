"""One press through the whole house, and its story with milliseconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import TimeoutError as GaveUp

from telephony.clock import Clock, pause, within
from telephony.domain.fact import PERSON, SCORE, Fact
from telephony.lab.house import SOS_CODE, SOS_NUMBER, VICTIM, House
from telephony.lab.psap import LabPsap, ReceivedReport
from telephony.lab.ussd_gateway import Shown, UssdGateway
from telephony.smpp.constants import ESME_ROK, STATUS_NAMES
from telephony.store.incidents import Story, list_incidents, story

LONGEST_S = 15.0
SETTLED_WITHIN_S = 2.0
WORDS = "살려주세요"
SHOWN_WITHIN_S = 2.0
_HOW = {
    "sms": "deliver_sm read from link",
    "ussd": "deliver_sm (USSD) read from link",
    "call": "a call arrives on trunk",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the timeline: milliseconds since the phone sent, who, and what."""

    ms: float
    who: str
    what: str


@dataclass
class PressReport:
    """How a press went. ``is_ok`` claims that 112 acknowledged the alert and an update with a position."""

    is_ok: bool = False
    incident: str = ""
    timeline: list[Moment] = field(default_factory=list)
    reports: list[ReceivedReport] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    audio: dict[str, Any] = field(default_factory=dict)
    """Of a call: what could be heard at both ends."""
    shown: str | None = None
    """Of a USSD code: what the phone showed at the end."""

    def as_json(self) -> dict[str, Any]:
        """Give it as a JSON object; reports hold the document exactly as the centre received it."""
        return {
            "ok": self.is_ok,
            "incident": self.incident,
            "missing": self.missing,
            **({"audio": self.audio} if self.audio else {}),
            **({"shown": self.shown} if self.shown is not None else {}),
            "timeline": [{"ms": m.ms, "who": m.who, "what": m.what} for m in self.timeline],
            "reports": [
                {
                    "identifier": report.identifier,
                    "msgType": report.msg_type,
                    "valid": report.is_valid,
                    "circle": report.circle,
                    "document": report.raw.decode("utf-8", "replace"),
                }
                for report in self.reports
            ],
        }


def is_located_update(report: ReceivedReport) -> bool:
    """Claim that a report tells 112 where she is."""
    return report.msg_type == "Update" and report.circle is not None


async def one_press(house: House, clock: Clock, by: str = "sms") -> PressReport:
    """Press once (``sms`` or ``ussd``) and follow it until 112 has acknowledged alert and position.

    For at most `LONGEST_S`. A phone that dialled must have shown the text that ends its session.
    """
    sent_at = clock.seconds()
    result = PressReport()
    if by == "ussd":
        what, sending = f"the code {SOS_CODE} is dialled", house.smsc.send_ussd(VICTIM, SOS_CODE)
    else:
        what = f"the key is held: an SMS to {SOS_NUMBER}, “{WORDS}”"
        sending = house.smsc.send_mo(VICTIM, SOS_NUMBER, text=WORDS)
    try:
        status = await within(sending, LONGEST_S, clock)
    except GaveUp:
        result.missing.append("the SMSC got no answer to its deliver_sm")
        return result
    acked_at = clock.seconds()
    if status != ESME_ROK:
        result.missing.append(f"the SMSC was answered {STATUS_NAMES.get(status, hex(status))}")
    shown_moments = await _shown(house, clock, sent_at, result) if by == "ussd" else []
    located = house.psap.wait_for(has_located_update)
    try:
        await within(located, LONGEST_S, clock)
    except GaveUp:
        result.missing.append(f"112 got no update with a position within {LONGEST_S:.0f} s")
    told = await story_when_settled(house, clock)
    if told is None:
        result.missing.append("the store knows no incident")
        return result
    result.incident = told.incident.id
    result.reports = house.psap.of_incident(told.incident.id)
    result.missing += not_acknowledged(told)
    result.timeline = sorted(
        [
            Moment(0.0, "phone", what),
            Moment(
                since_ms(acked_at, sent_at),
                "SMSC",
                f"deliver_sm_resp {STATUS_NAMES[status]}: the press is on disk",
            ),
            *shown_moments,
            *daemon_moments(told, sent_at),
            *location_moments(house, sent_at),
            *centre_moments(result.reports, sent_at),
        ],
        key=lambda moment: moment.ms,
    )
    result.is_ok = not result.missing
    return result


async def _shown(house: House, clock: Clock, sent_at: float, result: PressReport) -> list[Moment]:
    shown = await text_shown(house.smsc.ussd, clock)
    if shown is None:
        result.missing.append(f"the phone showed nothing within {SHOWN_WITHIN_S:.0f} s")
        return []
    result.shown = shown.text
    if not shown.ends_session:
        result.missing.append("the text did not end the session")
    return [Moment(since_ms(clock.seconds(), sent_at), "phone", f"shows “{shown.text}”")]


async def text_shown(gateway: UssdGateway, clock: Clock, before: int = 0) -> Shown | None:
    """Give the text that a phone shows after so many earlier ones, or ``None`` when none comes in time."""
    until = clock.seconds() + SHOWN_WITHIN_S
    while len(gateway.shown) <= before:
        if clock.seconds() > until:
            return None
        await pause(clock, 0.002)
    return gateway.shown[before]


def has_located_update(centre: LabPsap) -> bool:
    """Claim that 112 knows where she is."""
    return any(is_located_update(report) for report in centre.reports)


async def story_when_settled(house: House, clock: Clock) -> Story | None:
    """Give the incident's story once what the centre has taken is written down as delivered."""
    assert house.daemon is not None
    until = clock.seconds() + SETTLED_WITHIN_S
    while True:
        rows = await house.daemon.database.read(lambda connection: list_incidents(connection, limit=1))
        told = await house.daemon.database.read(story, rows[0].id) if rows else None
        is_settled = told is not None and not told.owed and not not_acknowledged(told)
        if told is not None and (is_settled or clock.seconds() > until):
            return told
        if clock.seconds() > until:
            return None
        await pause(clock, 0.02)


def not_acknowledged(told: Story) -> list[str]:
    """Say what 112 has not acknowledged of what it must have: the alert, and an update."""
    delivered = {
        line.facts["kind"] for line in told.lines if line.kind == "delivered" and line.facts["sequence"] > 0
    }
    return [f"112 has not acknowledged the {kind}" for kind in ("alert", "update") if kind not in delivered]


def since_ms(at: float, start: float) -> float:
    """Give milliseconds."""
    return round((at - start) * 1000, 1)


def daemon_moments(told: Story, start: float) -> list[Moment]:
    """Give what the daemon wrote down."""
    moments = []
    for line in told.lines:
        ms = since_ms(line.at.timestamp(), start)
        if line.kind == "press":
            moments.append(
                Moment(
                    ms,
                    "onetouch",
                    f"{_HOW[line.facts['source']]} {line.facts['connector']}: {line.facts['joined']}",
                )
            )
        elif line.kind == "position":
            radius, confidence = line.facts["uncertainty_m"], line.facts["confidence"]
            moments.append(
                Moment(
                    ms,
                    "onetouch",
                    f"position by {line.facts['method']}: {radius:.0f} m at {confidence:.0f} %",
                )
            )
        elif line.known is not None:
            moments.append(Moment(ms, "onetouch", fact_in_words(line.known)))
        elif line.kind == "delivered" and line.facts["sequence"] > 0:
            what = f"112 acknowledged the {line.facts['kind']} (attempt {line.facts['attempts']})"
            moments.append(Moment(ms, "onetouch", what))
    return moments


def fact_in_words(fact: Fact) -> str:
    """Give what became known; everybody here is invented, so that it may be told in full."""
    known = fact.data
    if fact.kind == PERSON:
        who = [known.get(key, "") for key in ("name", "born", "device")]
        return "who presses: " + (", ".join(filter(None, who)) or "nobody who is registered")
    if fact.kind == SCORE:
        reasons = known.get("reasons", "").replace(";", ", ")
        return f"an accident at {known.get('score')} %{f': {reasons}' if reasons else ''}"
    what = known.get("legs") or known.get("en") or known.get("digits") or ""
    return f"{fact.kind} {known.get('state', '')} {what}".strip()


def location_moments(house: House, start: float) -> list[Moment]:
    """Give what the location server was asked."""
    return [
        Moment(
            since_ms(asked.at, start),
            "LBS",
            f"{asked.service} {asked.resp_req} received: {'what is known now' if asked.is_fast else 'the accurate position'}",
        )
        for asked in house.mlp.requests
    ]


def centre_moments(reports: list[ReceivedReport], start: float) -> list[Moment]:
    """Give what 112 received."""
    return [
        Moment(
            since_ms(report.at, start),
            "112",
            f"CAP {report.msg_type} received: {report.headline}"
            + (f" [circle {report.circle}]" if report.circle else ""),
        )
        for report in reports
    ]


def in_words(result: PressReport) -> str:
    """Give the timeline and the reports for a person."""
    lines = [f"Incident {result.incident}" if result.incident else "No incident", ""]
    lines += [f"{moment.ms:>9.1f} ms  {moment.who:<9} {moment.what}" for moment in result.timeline]
    for number, report in enumerate(result.reports, 1):
        validity = "valid CAP 1.2" if report.is_valid else f"NOT VALID: {report.fault}"
        lines += ["", f"--- report {number} of {len(result.reports)}, as 112 received it ({validity}) ---"]
        lines.append(report.raw.decode("utf-8", "replace"))
    lines.append("")
    if result.is_ok:
        lines.append("112 acknowledged the alert and an update with her position.")
    else:
        lines += [f"FAILED: {what}" for what in result.missing]
    return "\n".join(lines)
