"""Writes a report as CAP 1.2 (OASIS Common Alerting Protocol, July 2010); the same report gives the same bytes.

Built from pieces of text: the first report is on the hot path, and an element tree costs several times as much.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final, assert_never

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
from telephony.psap.parameters import Parameter
from telephony.psap.wording import Language, Wording

CONTENT_TYPE = "application/cap+xml"
NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"

_SPECIAL = re.compile("[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Everything that XML 1.0 gives a meaning (clause 2.4, 2.11) or does not allow (clause 2.2)."""

_REPLACEMENTS = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_NOT_ALLOWED = "\ufffd"
"""Stands visibly where a character cannot be written in XML."""


@dataclass(frozen=True, slots=True)
class _FixParameters:
    """The parameters of one fix."""

    source: Parameter
    method: Parameter
    confidence_percent: Parameter
    uncertainty_m: Parameter
    altitude_m: Parameter
    time: Parameter
    age_s: Parameter
    age: Parameter


_LOCATION: Final = _FixParameters(
    source=Parameter.LOCATION_SOURCE,
    method=Parameter.LOCATION_METHOD,
    confidence_percent=Parameter.LOCATION_CONFIDENCE_PERCENT,
    uncertainty_m=Parameter.LOCATION_UNCERTAINTY_M,
    altitude_m=Parameter.LOCATION_ALTITUDE_M,
    time=Parameter.LOCATION_TIME,
    age_s=Parameter.LOCATION_AGE_S,
    age=Parameter.LOCATION_AGE,
)
_NEWEST: Final = _FixParameters(
    source=Parameter.NEWEST_LOCATION_SOURCE,
    method=Parameter.NEWEST_LOCATION_METHOD,
    confidence_percent=Parameter.NEWEST_LOCATION_CONFIDENCE_PERCENT,
    uncertainty_m=Parameter.NEWEST_LOCATION_UNCERTAINTY_M,
    altitude_m=Parameter.NEWEST_LOCATION_ALTITUDE_M,
    time=Parameter.NEWEST_LOCATION_TIME,
    age_s=Parameter.NEWEST_LOCATION_AGE_S,
    age=Parameter.NEWEST_LOCATION_AGE,
)
_SHARPEST: Final = _FixParameters(
    source=Parameter.SHARPEST_LOCATION_SOURCE,
    method=Parameter.SHARPEST_LOCATION_METHOD,
    confidence_percent=Parameter.SHARPEST_LOCATION_CONFIDENCE_PERCENT,
    uncertainty_m=Parameter.SHARPEST_LOCATION_UNCERTAINTY_M,
    altitude_m=Parameter.SHARPEST_LOCATION_ALTITUDE_M,
    time=Parameter.SHARPEST_LOCATION_TIME,
    age_s=Parameter.SHARPEST_LOCATION_AGE_S,
    age=Parameter.SHARPEST_LOCATION_AGE,
)


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
        f"<identifier>{escaped(report.report_id)}</identifier>\n"
        f"<sender>{escaped(sender)}</sender>\n"
        f"<sent>{written(report.sent_at, zone)}</sent>\n"
        f"<status>{'Test' if report.test else 'Actual'}</status>\n"
        f"<msgType>{msg_type}</msgType>\n"
        "<scope>Private</scope>\n"
        f"<addresses>{escaped(addresses)}</addresses>\n"
        "<code>silent</code>\n"
    )
    note = "" if report.close_reason is None else f"<note>{escaped(report.close_reason)}</note>\n"
    references = ""
    if report.earlier and msg_type != "Alert":
        triples = " ".join(f"{sender},{one.report_id},{written(one.sent_at, zone)}" for one in report.earlier)
        references = f"<references>{escaped(triples)}</references>\n"
    return (
        f"{head}{note}{references}"
        f"<incidents>{escaped(report.incident_id)}</incidents>\n"
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
        f"<headline>{escaped(wording.headline(report, words))}</headline>\n"
        f"<description>{escaped(wording.description(report, words, zone))}</description>\n"
        f"<instruction>{wording.instruction(report, words)}</instruction>\n"
        f"{_parameters(report, zone)}"
        f"{_area(report, words)}"
        "</info>\n"
    )


def _parameters(report: Report, zone: tzinfo) -> str:
    return "".join(
        f"<parameter><valueName>{parameter.value_name}</valueName><value>{escaped(value)}</value></parameter>\n"
        for parameter, value in _facts(report, zone)
    )


def _facts(report: Report, zone: tzinfo) -> Iterator[tuple[Parameter, str]]:
    """Return the facts that a machine reads, in the order in which they are written."""
    if report.msisdn.is_withheld:
        yield Parameter.CALLER, "withheld"
    elif report.msisdn.is_e164:
        yield Parameter.CALLBACK, f"tel:+{report.msisdn.number}"
    else:
        # RFC 3966 has no tel: form for what is no global number and whose network is not known.
        yield Parameter.CALLER, report.msisdn.number
    yield Parameter.INCIDENT, report.incident_id
    yield Parameter.INCIDENT_STATE, "closed" if report.kind == CLOSING else "open"
    yield Parameter.REPORT_SEQUENCE, str(report.sequence)
    for reason in report.reasons:
        yield Parameter.UPDATE_REASON, reason
    yield Parameter.TRIGGER_SOURCE, report.source
    yield Parameter.DESTINATION, report.destination
    yield Parameter.CARRIER, report.carrier
    yield Parameter.PRESS_COUNT, str(report.press_count)
    yield Parameter.FIRST_PRESS_TIME, written(report.opened_at, zone)
    yield Parameter.LAST_PRESS_TIME, written(report.last_press_at, zone)
    if report.seen_again_at is not None:
        yield Parameter.SEEN_AGAIN_TIME, written(report.seen_again_at, zone)
    yield from _location_facts(report, zone)
    yield from _told_facts(report, zone)
    for text in report.texts:
        yield Parameter.CALLER_TEXT, text
    for label in report.labels:
        yield Parameter.LABEL, label
    if report.close_reason is not None:
        yield Parameter.CLOSE_REASON, report.close_reason


def _location_facts(report: Report, zone: tzinfo) -> Iterator[tuple[Parameter, str]]:
    if report.position is not None:
        yield from _fix_facts(_LOCATION, report.position, report, zone)
    if report.newest is not None:
        yield Parameter.NEWEST_LOCATION, _circle(report.newest)
        yield from _fix_facts(_NEWEST, report.newest, report, zone)
    if report.sharpest is not None:
        yield Parameter.SHARPEST_LOCATION, _circle(report.sharpest)
        yield from _fix_facts(_SHARPEST, report.sharpest, report, zone)


def _fix_facts(
    parameters: _FixParameters, position: Position, report: Report, zone: tzinfo
) -> Iterator[tuple[Parameter, str]]:
    yield parameters.source, position.source
    yield parameters.method, position.method
    if position.uncertainty_m is not None:
        yield parameters.confidence_percent, f"{REPORT_CONFIDENCE:g}"
        yield parameters.uncertainty_m, str(wording.radius_m(position))
    if position.altitude_m is not None:
        yield parameters.altitude_m, f"{position.altitude_m:z.0f}"
    age_s = wording.age_s(report, position)
    if position.fixed_at is None or age_s is None:
        yield parameters.age, "unknown"
    else:
        yield parameters.time, written(position.fixed_at, zone)
        yield parameters.age_s, str(age_s)


def _told_facts(report: Report, zone: tzinfo) -> Iterator[tuple[Parameter, str]]:
    """Return the parameters of each fact. The first is always there: it begins the fact; the others where they are known."""
    for fact in report.facts:
        parameters = _of_fact(fact, zone)
        if parameters:
            yield parameters[0]
        for name, said in parameters[1:]:
            if said:
                yield name, said


def _of_fact(fact: Fact, zone: tzinfo) -> Sequence[tuple[Parameter, str]]:  # noqa: C901, PLR0911, PLR0912 - one case a kind
    match fact:
        case CallFact():
            return _of_call(fact)
        case KnockFact():
            return (
                (Parameter.KNOCK, fact.digits),
                (Parameter.KNOCK_TAPS, str(fact.taps)),
                (Parameter.KNOCK_MEANING, fact.meaning),
            )
        case SilenceFact():
            return ((Parameter.SILENCE, str(fact.state)), (Parameter.SILENCE_BY, fact.by))
        case GuardianFact():
            return _of_guardian(fact)
        case PersonFact():
            return _of_person(fact)
        case ScoreFact():
            return (
                (Parameter.ACCIDENT_LIKELIHOOD_PERCENT, _number(fact.likelihood)),
                (Parameter.ACCIDENT_REASONS, ";".join(map(str, fact.reasons))),
            )
        case FalseAlarmFact():
            return (
                (Parameter.FALSE_ALARM, fact.subject),
                (Parameter.FALSE_ALARM_BY, fact.by),
                (Parameter.FALSE_ALARM_WHY, fact.why),
                (Parameter.FALSE_ALARM_TIME, _written_if_known(fact.said_at, zone)),
            )
        case AcknowledgedFact():
            return (
                (Parameter.ACKNOWLEDGED, fact.by),
                (Parameter.ACKNOWLEDGED_TIME, _written_if_known(fact.acknowledged_at, zone)),
            )
        case DispatchedFact():
            return (
                (Parameter.DISPATCHED, fact.unit or fact.subject),
                (Parameter.DISPATCHED_BY, fact.by),
                (Parameter.DISPATCHED_TIME, _written_if_known(fact.dispatched_at, zone)),
                (Parameter.DISPATCHED_ETA, _written_if_known(fact.eta, zone)),
            )
        case ArrivedFact():
            return (
                (Parameter.ARRIVED, fact.unit or fact.subject),
                (Parameter.ARRIVED_BY, fact.by),
                (Parameter.ARRIVED_TIME, _written_if_known(fact.arrived_at, zone)),
            )
        case NoteFact():
            return (
                (Parameter.NOTE, fact.words),
                (Parameter.NOTE_BY, fact.by),
                (Parameter.NOTE_TIME, _written_if_known(fact.noted_at, zone)),
            )
        case ToldByVoiceFact():
            told_at = "" if fact.told_at is None else local_time(fact.told_at, zone, " ")
            return (
                (Parameter.TOLD_BY_VOICE, fact.by),
                (Parameter.TOLD_BY_VOICE_TIME, told_at),
                (Parameter.TOLD_BY_VOICE_WHY, fact.why),
            )
        case ReachFact():
            return (
                (Parameter.PHONE_REACH, str(fact.state)),
                (Parameter.PHONE_REACH_WHY, "" if fact.why is None else str(fact.why)),
                (Parameter.PHONE_LAST_ANSWERED, _written_if_known(fact.last_answered, zone)),
            )
        case DeviceFact():
            return _of_device(fact, zone)
        case CentreStatusFact() | UnknownFact():
            return ()
        case _:
            assert_never(fact)


def _of_call(fact: CallFact) -> Sequence[tuple[Parameter, str]]:
    return (
        (Parameter.CALL_REFERENCE, fact.reference),
        (Parameter.CALL_ID, fact.incident),
        (Parameter.CALL_STATE, str(fact.state)),
        (Parameter.CALL_OF, fact.second_leg_of),
        (Parameter.CALL_TRUNK, fact.trunk),
        (Parameter.CALL_ROUTE, fact.route),
        (Parameter.CALL_LEGS, "; ".join(map(str, fact.legs))),
        (Parameter.CALL_SILENCE, fact.silence),
        (Parameter.CALL_RECORDING, fact.recording),
        (Parameter.CALL_SIP_ID, fact.sip_call_id),
        (Parameter.CALL_DURATION_S, _number(fact.duration_s)),
        (Parameter.CALL_ENDED_BY, "" if fact.ended_by is None else str(fact.ended_by)),
        (Parameter.CALL_REFUSED, fact.refused),
        (Parameter.CALL_CELL, fact.said.cell),
        (Parameter.CALL_ACCESS, fact.said.access),
        (Parameter.CALL_GEOLOCATION, fact.said.geolocation),
        (Parameter.CALL_INFO, fact.said.call_info),
    )


def _of_guardian(fact: GuardianFact) -> Sequence[tuple[Parameter, str]]:
    return (
        (Parameter.GUARDIAN, fact.subject),
        (Parameter.GUARDIAN_STATE, str(fact.state)),
        (Parameter.GUARDIAN_RELATION, fact.relation),
        (Parameter.GUARDIAN_PHONE, fact.phone),
        (Parameter.GUARDIAN_ROUND, _number(fact.round)),
        (Parameter.GUARDIAN_BY, "" if fact.by is None else str(fact.by)),
        (Parameter.GUARDIAN_WORDS, fact.words),
    )


def _of_person(fact: PersonFact) -> Sequence[tuple[Parameter, str]]:
    return (
        (Parameter.PERSON_REGISTERED, str(fact.registered)),
        (Parameter.PERSON_NAME, fact.name),
        (Parameter.PERSON_BIRTH_DATE, "" if fact.born is None else fact.born.isoformat()),
        (Parameter.PERSON_DEVICE, fact.device),
        (Parameter.PERSON_CARRIER, fact.carrier),
        (Parameter.PERSON_LANGUAGE, fact.language),
        (Parameter.PERSON_MEDICAL, fact.medical),
        (Parameter.PERSON_ADDRESS, fact.address),
        (Parameter.PERSON_FAMILY, fact.family),
        (Parameter.PERSON_SCHOOL, fact.school),
        (Parameter.PERSON_GUARDIANS, "; ".join(map(str, fact.guardians))),
        (Parameter.PERSON_GUARDIANS_SAID, "; ".join(fact.guardians_said)),
        (Parameter.PERSON_PHOTO, fact.photo),
        (Parameter.PERSON_CONSENT, "" if fact.consent is None else str(fact.consent)),
        (Parameter.PERSON_OTHER_INCIDENTS, "; ".join(fact.also)),
    )


def _of_device(fact: DeviceFact, zone: tzinfo) -> Sequence[tuple[Parameter, str]]:
    parameters = (
        (Parameter.DEVICE_BATTERY_PERCENT, _number(fact.battery_percent)),
        (Parameter.DEVICE_PRESS_TIME, _written_if_known(fact.pressed_at, zone)),
    )
    return tuple(each for each in parameters if each[1])


def _written_if_known(moment: datetime | None, zone: tzinfo) -> str:
    return "" if moment is None else written(moment, zone)


def _number(number: int | None) -> str:
    return "" if number is None else str(number)


def _area(report: Report, words: Wording) -> str:
    position = report.position
    circle = ""
    if position is not None:
        circle = f"<circle>{_circle(position)}</circle>\n"
    return f"<area>\n<areaDesc>{escaped(wording.area(report, words))}</areaDesc>\n{circle}</area>\n"


def _circle(position: Position) -> str:
    """Write a circle as CAP does: degrees and kilometres (clause 3.2.4)."""
    return f"{position.latitude:z.6f},{position.longitude:z.6f} {wording.radius_m(position) / 1000:.3f}"


def written(moment: datetime, zone: tzinfo) -> str:
    """Write a time as the schema's pattern wants it: whole seconds, a numeric offset, never ``Z``."""
    return in_zone(moment, zone).isoformat(timespec="seconds")


def escaped(text: str) -> str:
    """Return a text as it stands between tags; a character that XML cannot carry becomes U+FFFD."""
    return _SPECIAL.sub(_replacement, text) if _SPECIAL.search(text) else text


def _replacement(match: re.Match[str]) -> str:
    return _REPLACEMENTS.get(match[0], _NOT_ALLOWED)
