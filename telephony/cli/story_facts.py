"""Words facts and orders of an incident for the story, without what a reader does not need to see."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, assert_never

from telephony.domain.facts import (
    AcknowledgedFact,
    ArrivedFact,
    CallFact,
    CentreStatusFact,
    DeviceFact,
    DispatchedFact,
    Fact,
    FactKind,
    FalseAlarmFact,
    GuardianFact,
    KnockFact,
    Newer,
    NoteFact,
    PersonFact,
    ReachFact,
    Registered,
    ScoreFact,
    SilenceFact,
    ToldByVoiceFact,
    UnknownFact,
)
from telephony.domain.values import Msisdn
from telephony.store.fact_rows import to_data
from telephony.store.incidents import Happened

_SHOWN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        FactKind.CALL: (
            "state", "trunk", "route", "dialled", "silence", "recording", "sip-call-id", "legs", "started", "connected",
            "ended", "duration-s", "ended-by",
        ),
        FactKind.KNOCK: ("taps",),
        FactKind.SILENCE: ("state", "by"),
        FactKind.GUARDIAN: ("state", "relation", "phone", "round", "by"),
        FactKind.PERSON: ("registered", "device", "consent", "also"),
        FactKind.SCORE: ("score", "reasons"),
        FactKind.FALSE_ALARM: ("by", "at"),
        FactKind.ACKNOWLEDGED: ("by", "at"),
        FactKind.DISPATCHED: ("unit", "by", "at", "eta"),
        FactKind.ARRIVED: ("unit", "by", "at"),
        FactKind.NOTE: ("by", "at"),
        FactKind.CENTRE_STATUS: ("status", "became", "said", "by", "unit"),
        FactKind.TOLD_BY_VOICE: ("by", "at"),
        FactKind.REACH: ("state", "why", "last-answered"),
        FactKind.DEVICE: ("battery", "pressed"),
    }
)  # fmt: skip
"""By kind, the names under which a story as JSON has a fact's data without `--reveal`, which is audited. What was tapped is
told by its length alone, as what was written is; of a person nothing by which they can be known."""


def shown(known: Fact) -> dict[str, str]:
    """Return what may be shown of a fact as its row has it; of a kind that is not known, nothing."""
    data = to_data(known)
    told = {name: data[name] for name in _SHOWN.get(known.kind, ()) if name in data}
    if isinstance(known, GuardianFact) and "phone" in told:
        told["phone"] = _masked(known.phone)
    return told


def fact_in_words(known: Fact) -> str:  # noqa: C901, PLR0911, PLR0912 - one case a kind
    """Return a fact as a line to read."""
    match known:
        case CallFact():
            return _call(known)
        case KnockFact():
            return f"knock {known.subject}: {known.taps} tap{'' if known.taps == 1 else 's'}"
        case SilenceFact():
            return f"silence {_or_not(known.state)} by {known.by or '?'}"
        case GuardianFact():
            return _guardian(known)
        case PersonFact():
            return _person(known)
        case ScoreFact():
            return _score(known)
        case FalseAlarmFact():
            return f"false-alarm, says {known.subject}" + (f" ({known.by})" if known.by else "")
        case AcknowledgedFact():
            return f"acknowledged by {known.by or '?'}"
        case DispatchedFact():
            return _dispatched(known)
        case ArrivedFact():
            return f"arrived {known.unit or known.subject}, says {known.by or '?'}"
        case NoteFact():
            return f"{known.subject} by {known.by or '?'}"
        case CentreStatusFact():
            return f"status {_or_not(known.status)} of {known.by or '?'}: {_or_not(known.became)}"
        case ToldByVoiceFact():
            return f"told-by-voice: read out to 112 by {known.by or '?'}"
        case ReachFact():
            return _reach(known)
        case DeviceFact():
            return _device(known)
        case UnknownFact():
            return f"{known.kind} {known.subject}"
        case _:
            assert_never(known)


def _call(known: CallFact) -> str:
    words = f"call {known.reference}: {_or_not(known.state)}"
    for said, template in (
        (known.route, " to {}"),
        (known.ended_by, " by {}"),
        (known.duration_s, " after {} s"),
        (known.trunk, ", trunk {}"),
        (known.silence, ", silence by {}"),
        (known.recording, ", recording {}"),
        ("; ".join(map(str, known.legs)), ", legs: {}"),
    ):
        if said not in ("", None):
            words += template.format(said)
    return words


def _guardian(known: GuardianFact) -> str:
    phone = _masked(known.phone) if known.phone else ""
    person = ", ".join(filter(None, (known.relation, phone)))
    turn = "" if known.round is None else f", round {known.round}"
    by = "" if known.by is None else f", by {known.by}"
    return f"guardian {known.subject}{f' ({person})' if person else ''}: {_or_not(known.state)}{by}{turn}"


def _person(known: PersonFact) -> str:
    match known.registered:
        case Registered.UNKNOWN:
            return "person not looked up: the registry is not readable"
        case Registered.WITHDRAWN:
            return "person no longer registered: what was said of them is deleted"
        case Registered.NO | Newer():
            return "person not registered"
        case Registered.YES:
            device = f", {known.device}" if known.device else ""
            consent = "" if known.consent is None else f", consent {known.consent}"
            also = f", also pressed: {'; '.join(known.also)}" if known.also else ""
            return f"person registered{device}{consent}{also}"
        case _:
            assert_never(known.registered)


def _score(known: ScoreFact) -> str:
    if known.likelihood is None:
        return "score: deleted with the person"
    reasons = ", ".join(map(str, known.reasons))
    return f"score: an accident at {known.likelihood} %{f': {reasons}' if reasons else ''}"


def _reach(known: ReachFact) -> str:
    why = "" if known.why is None else f" ({known.why})"
    answered = known.last_answered
    last = "" if answered is None else f", last answered at {answered.isoformat(timespec='seconds')}"
    return f"phone {_or_not(known.state)}{why}{last}"


def _dispatched(known: DispatchedFact) -> str:
    eta = "" if known.eta is None else f", there at {known.eta.isoformat(timespec='seconds')}"
    return f"dispatched {known.unit or known.subject} by {known.by or '?'}{eta}"


def _device(known: DeviceFact) -> str:
    battery = "" if known.battery_percent is None else f", battery {known.battery_percent} %"
    pressed = known.pressed_at
    at = "" if pressed is None else f", pressed at {pressed.isoformat(timespec='seconds')} by its own clock"
    return f"device {known.subject}{battery}{at}"


def _or_not(state: StrEnum | Newer) -> str:
    return str(state) or "?"


def _masked(phone: str) -> str:
    """Mask a number. It should be masked already where it was written; masking it again changes nothing."""
    return Msisdn(phone).masked


def order_in_words(kind: Happened, facts: Mapping[str, Any]) -> str:
    """Return a line about an order of the 112 side, ``kind`` being what became of it."""
    order, attempts = facts.get("kind"), facts.get("attempts") or 0
    detail = f": {facts['detail']}" if facts.get("detail") else ""
    match kind:
        case Happened.PLANNED:
            return f"{order} ordered by {facts.get('by')}"
        case Happened.DELIVERED:
            return f"{order} DONE{f' at attempt {attempts}' if attempts > 1 else ''}{detail}"
        case Happened.REJECTED:
            return f"{order} REFUSED{detail}"
        case Happened.SUPERSEDED:
            return f"{order} taken back"
        case _:
            return f"{order} still to be done, next attempt here ({attempts} so far){detail}"
