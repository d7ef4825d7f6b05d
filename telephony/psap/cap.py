"""Writes a report as CAP 1.2 (OASIS Common Alerting Protocol, July 2010); the same report gives the same bytes.

Built from pieces of text: the first report is on the hot path, and an element tree costs several times as much.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from typing import assert_never

from telephony.domain.centre_status import FALSE_ALARM_WORDS
from telephony.domain.delivery import ALERT, CLOSING
from telephony.domain.facts import (
    AcknowledgedFact,
    ArrivedFact,
    CallFact,
    CentreStatusFact,
    DeviceFact,
    DispatchedFact,
    Fact,
    FalseAlarmFact,
    GuardianFact,
    KnockFact,
    NoteFact,
    PersonFact,
    ReachFact,
    ScoreFact,
    SilenceFact,
    ToldByVoiceFact,
    UnknownFact,
)
from telephony.domain.position import REPORT_CONFIDENCE, Position
from telephony.domain.report import Report
from telephony.psap import wording
from telephony.psap.news_wording import in_zone, local_time
from telephony.psap.wording import Language, Wording

CONTENT_TYPE = "application/cap+xml"
NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"

_SPECIAL = re.compile("[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Everything that XML 1.0 gives a meaning (clause 2.4, 2.11) or does not allow (clause 2.2)."""

_REPLACEMENTS = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_NOT_ALLOWED = "\ufffd"
"""Stands visibly where a character cannot be written in XML."""


def encode(report: Report, *, sender: str, addresses: str, language: Language, zone: tzinfo) -> bytes:
    """Write a report as one CAP 1.2 document in UTF-8, valid against the schema.

    ``sender`` and ``addresses`` hold no blank, comma, ``<`` or ``&`` (clause 3.2.1). Every time is written with the
    offset of ``zone``; it must not change within an incident, because references repeat the times of earlier
    reports as they were sent. Depends on nothing but its arguments, so a repeat is byte-identical.
    """
    words = wording.WORDINGS[language]
    msg_type = message_type(report)
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<alert xmlns="{NAMESPACE}">\n'
        f"<identifier>{_text(report.report_id)}</identifier>\n"
        f"<sender>{_text(sender)}</sender>\n"
        f"<sent>{_time(report.sent_at, zone)}</sent>\n"
        f"<status>{'Test' if report.test else 'Actual'}</status>\n"
        f"<msgType>{msg_type}</msgType>\n"
        "<scope>Private</scope>\n"
        f"<addresses>{_text(addresses)}</addresses>\n"
        "<code>silent</code>\n"
    )
    note = "" if report.close_reason is None else f"<note>{_text(report.close_reason)}</note>\n"
    references = ""
    if report.earlier and msg_type != "Alert":
        triples = " ".join(f"{sender},{one.report_id},{_time(one.sent_at, zone)}" for one in report.earlier)
        references = f"<references>{_text(triples)}</references>\n"
    return (
        f"{head}{note}{references}"
        f"<incidents>{_text(report.incident_id)}</incidents>\n"
        f"{_info(report, words, zone, msg_type)}"
        "</alert>\n"
    ).encode()


def message_type(report: Report) -> str:
    """Choose CAP's msgType (clause 3.2.1).

    Cancel takes earlier reports back, so it is for a false alarm alone; every other closing is an Update that says
    so. An Update without anything to refer to would be no valid CAP: it is an Alert.
    """
    if report.kind == ALERT or not report.earlier:
        return "Alert"
    return "Cancel" if is_false_alarm(report) else "Update"


def is_false_alarm(report: Report) -> bool:
    """Whether the incident was closed because there was no emergency."""
    reason = (report.close_reason or "").strip().casefold().replace("-", " ").replace("_", " ")
    return report.kind == CLOSING and reason.startswith(FALSE_ALARM_WORDS)


def _info(report: Report, words: Wording, zone: tzinfo, msg_type: str) -> str:
    is_closing = report.kind == CLOSING
    return (
        "<info>\n"
        f"<language>{words.tag}</language>\n"
        "<category>Security</category>\n"
        f"<event>{words.event}</event>\n"
        f"<responseType>{'None' if is_closing else 'Assess'}</responseType>\n"
        f"<urgency>{'Past' if is_closing else 'Immediate'}</urgency>\n"
        "<severity>Unknown</severity>\n"
        f"<certainty>{'Unlikely' if msg_type == 'Cancel' else 'Possible'}</certainty>\n"
        f"<headline>{_text(wording.headline(report, words))}</headline>\n"
        f"<description>{_text(wording.description(report, words, zone))}</description>\n"
        f"<instruction>{wording.instruction(report, words)}</instruction>\n"
        f"{_parameters(report, zone)}"
        f"{_area(report, words)}"
        "</info>\n"
    )


def _parameters(report: Report, zone: tzinfo) -> str:
    return "".join(
        f"<parameter><valueName>{name}</valueName><value>{_text(value)}</value></parameter>\n"
        for name, value in _facts(report, zone)
    )


def _facts(report: Report, zone: tzinfo) -> Iterator[tuple[str, str]]:
    """Return the facts that a machine reads, in the order in which they are written."""
    if report.msisdn.is_withheld:
        yield "caller", "withheld"
    elif report.msisdn.is_e164:
        yield "callback", f"tel:+{report.msisdn.number}"
    else:
        # RFC 3966 has no tel: form for what is no global number and whose network is not known.
        yield "caller", report.msisdn.number
    yield "incident", report.incident_id
    yield "incident-state", "closed" if report.kind == CLOSING else "open"
    yield "report-sequence", str(report.sequence)
    for reason in report.reasons:
        yield "update-reason", reason
    yield "trigger-source", report.source
    yield "destination", report.destination
    yield "carrier", report.carrier
    yield "press-count", str(report.press_count)
    yield "first-press-time", _time(report.opened_at, zone)
    yield "last-press-time", _time(report.last_press_at, zone)
    if report.seen_again_at is not None:
        yield "seen-again-time", _time(report.seen_again_at, zone)
    yield from _location_facts(report, zone)
    yield from _told_facts(report, zone)
    for text in report.texts:
        yield "caller-text", text
    for label in report.labels:
        yield "label", label
    if report.close_reason is not None:
        yield "close-reason", report.close_reason


def _location_facts(report: Report, zone: tzinfo) -> Iterator[tuple[str, str]]:
    if report.position is not None:
        yield from _fix_facts("location", report.position, report, zone)
    for name, position in (("newest-location", report.newest), ("sharpest-location", report.sharpest)):
        if position is not None:
            yield name, _circle(position)
            yield from _fix_facts(name, position, report, zone)


def _fix_facts(name: str, position: Position, report: Report, zone: tzinfo) -> Iterator[tuple[str, str]]:
    yield f"{name}-source", position.source
    yield f"{name}-method", position.method
    if position.uncertainty_m is not None:
        yield f"{name}-confidence-percent", f"{REPORT_CONFIDENCE:g}"
        yield f"{name}-uncertainty-m", str(wording.radius_m(position))
    if position.altitude_m is not None:
        yield f"{name}-altitude-m", f"{position.altitude_m:z.0f}"
    age_s = wording.age_s(report, position)
    if position.fixed_at is None or age_s is None:
        yield f"{name}-age", "unknown"
    else:
        yield f"{name}-time", _time(position.fixed_at, zone)
        yield f"{name}-age-s", str(age_s)


def _told_facts(report: Report, zone: tzinfo) -> Iterator[tuple[str, str]]:
    """Return the parameters of each fact. The first is always there: it begins the fact; the others where they are known."""
    for fact in report.facts:
        parameters = _of_fact(fact, zone)
        if parameters:
            yield parameters[0]
        for name, said in parameters[1:]:
            if said:
                yield name, said


def _of_fact(fact: Fact, zone: tzinfo) -> Sequence[tuple[str, str]]:  # noqa: C901, PLR0911, PLR0912 - one case a kind
    match fact:
        case CallFact():
            return _of_call(fact)
        case KnockFact():
            return (("knock", fact.digits), ("knock-taps", str(fact.taps)), ("knock-meaning", fact.meaning))
        case SilenceFact():
            return (("silence", str(fact.state)), ("silence-by", fact.by))
        case GuardianFact():
            return _of_guardian(fact)
        case PersonFact():
            return _of_person(fact)
        case ScoreFact():
            return (
                ("accident-likelihood-percent", _number(fact.likelihood)),
                ("accident-reasons", ";".join(map(str, fact.reasons))),
            )
        case FalseAlarmFact():
            return (
                ("false-alarm", fact.subject),
                ("false-alarm-by", fact.by),
                ("false-alarm-why", fact.why),
                ("false-alarm-time", _whole_seconds(fact.said_at)),
            )
        case AcknowledgedFact():
            return (("acknowledged", fact.by), ("acknowledged-time", _whole_seconds(fact.acknowledged_at)))
        case DispatchedFact():
            return (
                ("dispatched", fact.unit or fact.subject),
                ("dispatched-by", fact.by),
                ("dispatched-time", _whole_seconds(fact.dispatched_at)),
                ("dispatched-eta", _whole_seconds(fact.eta)),
            )
        case ArrivedFact():
            return (
                ("arrived", fact.unit or fact.subject),
                ("arrived-by", fact.by),
                ("arrived-time", _whole_seconds(fact.arrived_at)),
            )
        case NoteFact():
            return (
                ("note", fact.words),
                ("note-by", fact.by),
                ("note-time", _whole_seconds(fact.noted_at)),
            )
        case ToldByVoiceFact():
            told_at = "" if fact.told_at is None else fact.told_at.isoformat(sep=" ", timespec="seconds")
            return (
                ("told-by-voice", fact.by),
                ("told-by-voice-time", told_at),
                ("told-by-voice-why", fact.why),
            )
        case ReachFact():
            answered = fact.last_answered
            return (
                ("phone-reach", str(fact.state)),
                ("phone-reach-why", "" if fact.why is None else str(fact.why)),
                ("phone-last-answered", "" if answered is None else local_time(answered, zone, "T")),
            )
        case DeviceFact():
            return _of_device(fact)
        case CentreStatusFact() | UnknownFact():
            return ()
        case _:
            assert_never(fact)


def _of_call(fact: CallFact) -> Sequence[tuple[str, str]]:
    return (
        ("call-reference", fact.reference),
        ("call-id", fact.incident),
        ("call-state", str(fact.state)),
        ("call-of", fact.second_leg_of),
        ("call-trunk", fact.trunk),
        ("call-route", fact.route),
        ("call-legs", "; ".join(map(str, fact.legs))),
        ("call-silence", fact.silence),
        ("call-recording", fact.recording),
        ("call-sip-id", fact.sip_call_id),
        ("call-duration-s", _number(fact.duration_s)),
        ("call-ended-by", "" if fact.ended_by is None else str(fact.ended_by)),
        ("call-refused", fact.refused),
        ("call-cell", fact.said.cell),
        ("call-access", fact.said.access),
        ("call-geolocation", fact.said.geolocation),
        ("call-info", fact.said.call_info),
    )


def _of_guardian(fact: GuardianFact) -> Sequence[tuple[str, str]]:
    return (
        ("guardian", fact.subject),
        ("guardian-state", str(fact.state)),
        ("guardian-relation", fact.relation),
        ("guardian-phone", fact.phone),
        ("guardian-round", _number(fact.round)),
        ("guardian-by", "" if fact.by is None else str(fact.by)),
        ("guardian-words", fact.words),
    )


def _of_person(fact: PersonFact) -> Sequence[tuple[str, str]]:
    return (
        ("person-registered", str(fact.registered)),
        ("person-name", fact.name),
        ("person-birth-date", "" if fact.born is None else fact.born.isoformat()),
        ("person-device", fact.device),
        ("person-carrier", fact.carrier),
        ("person-language", fact.language),
        ("person-medical", fact.medical),
        ("person-address", fact.address),
        ("person-family", fact.family),
        ("person-school", fact.school),
        ("person-guardians", "; ".join(map(str, fact.guardians))),
        ("person-guardians-said", "; ".join(fact.guardians_said)),
        ("person-photo", fact.photo),
        ("person-consent", "" if fact.consent is None else str(fact.consent)),
        ("person-other-incidents", "; ".join(fact.also)),
    )


def _of_device(fact: DeviceFact) -> Sequence[tuple[str, str]]:
    parameters = (
        ("device-battery-percent", _number(fact.battery_percent)),
        ("device-press-time", _whole_seconds(fact.pressed_at)),
    )
    return tuple(each for each in parameters if each[1])


def _whole_seconds(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat(timespec="seconds")


def _number(number: int | None) -> str:
    return "" if number is None else str(number)


def _area(report: Report, words: Wording) -> str:
    position = report.position
    circle = ""
    if position is not None:
        circle = f"<circle>{_circle(position)}</circle>\n"
    return f"<area>\n<areaDesc>{_text(wording.area(report, words))}</areaDesc>\n{circle}</area>\n"


def _circle(position: Position) -> str:
    """Write a circle as CAP does: degrees and kilometres (clause 3.2.4)."""
    return f"{position.latitude:z.6f},{position.longitude:z.6f} {wording.radius_m(position) / 1000:.3f}"


def _time(moment: datetime, zone: tzinfo) -> str:
    """Write a time as the schema's pattern wants it: whole seconds, a numeric offset, never ``Z``."""
    return in_zone(moment, zone).isoformat(timespec="seconds")


def _text(text: str) -> str:
    return _SPECIAL.sub(_replacement, text) if _SPECIAL.search(text) else text


def _replacement(match: re.Match[str]) -> str:
    return _REPLACEMENTS.get(match[0], _NOT_ALLOWED)
