"""Facts and orders of an incident in words, without what nobody needs to see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from telephony.domain import fact
from telephony.domain.fact import Fact
from telephony.domain.person_fact import UNKNOWN, WITHDRAWN, YES
from telephony.domain.values import Msisdn

_SHOWN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        fact.CALL: (
            "state", "trunk", "route", "dialled", "silence", "recording", "sip-call-id", "legs", "started", "connected",
            "ended", "duration-s", "ended-by",
        ),
        fact.KNOCK: ("taps",),
        fact.SILENCE: ("state", "by"),
        fact.GUARDIAN: ("state", "relation", "phone", "round", "by"),
        fact.PERSON: ("registered", "device", "consent", "also"),
        fact.SCORE: ("score", "reasons"),
        fact.FALSE_ALARM: ("by", "at"),
        fact.TOLD_BY_VOICE: ("by", "at"),
        fact.REACH: ("state", "why", fact.LAST_ANSWERED),
    }
)  # fmt: skip
"""What a story tells of a fact. What was tapped is told by its length alone, as what was written is; of a person
nothing by which they can be known: that takes `--reveal`, which is audited."""


def shown(known: Fact) -> dict[str, str]:
    """Give what may be shown of a fact; of a kind that is not known, nothing."""
    told = {name: known.data[name] for name in _SHOWN.get(known.kind, ()) if name in known.data}
    if "phone" in told:
        # Masked already by whoever wrote it down; masking what is masked changes nothing.
        told["phone"] = Msisdn(told["phone"]).masked
    return told


def fact_in_words(known: Fact) -> str:
    """Give a fact as a line to read."""
    in_words = _IN_WORDS.get(known.kind)
    return f"{known.kind} {known.subject}" if in_words is None else in_words(known.subject, shown(known))


def _call(reference: str, told: Mapping[str, str]) -> str:
    words = f"call {reference}: {told.get('state', '?')}"
    for name, template in (
        ("route", " to {}"),
        ("ended-by", " by {}"),
        ("duration-s", " after {} s"),
        ("trunk", ", trunk {}"),
        ("silence", ", silence by {}"),
        ("recording", ", recording {}"),
        ("legs", ", legs: {}"),
    ):
        if name in told:
            words += template.format(told[name])
    return words


def _knock(subject: str, told: Mapping[str, str]) -> str:
    taps = told.get("taps", "?")
    return f"knock {subject}: {taps} tap{'' if taps == '1' else 's'}"


def _silence(_: str, told: Mapping[str, str]) -> str:
    return f"silence {told.get('state', '?')} by {told.get('by', '?')}"


def _guardian(subject: str, told: Mapping[str, str]) -> str:
    person = ", ".join(told[name] for name in ("relation", "phone") if name in told)
    turn = f", round {told['round']}" if "round" in told else ""
    by = f", by {told['by']}" if "by" in told else ""
    return f"guardian {subject}{f' ({person})' if person else ''}: {told.get('state', '?')}{by}{turn}"


def _person(_: str, told: Mapping[str, str]) -> str:
    if told.get("registered") == UNKNOWN:
        return "person not looked up: the registry is not readable"
    if told.get("registered") == WITHDRAWN:
        return "person no longer registered: what was said of them is deleted"
    if told.get("registered") != YES:
        return "person not registered"
    words = "person registered"
    for name, template in (("device", ", {}"), ("consent", ", consent {}"), ("also", ", also pressed: {}")):
        if name in told:
            words += template.format(told[name])
    return words


def _score(_: str, told: Mapping[str, str]) -> str:
    if not told:
        return "score: deleted with the person"
    reasons = told.get("reasons", "").replace(";", ", ")
    return f"score: an accident at {told.get('score', '?')} %{f': {reasons}' if reasons else ''}"


def _false_alarm(subject: str, told: Mapping[str, str]) -> str:
    by = f" ({told['by']})" if "by" in told else ""
    return f"false-alarm, says {subject}{by}"


def _told_by_voice(_: str, told: Mapping[str, str]) -> str:
    return f"told-by-voice: read out to 112 by {told.get('by', '?')}"


def _reach(_: str, told: Mapping[str, str]) -> str:
    words = f"phone {told.get('state', '?')}"
    for name, template in (("why", " ({})"), (fact.LAST_ANSWERED, ", last answered at {}")):
        if name in told:
            words += template.format(told[name])
    return words


_IN_WORDS: Mapping[str, Callable[[str, Mapping[str, str]], str]] = MappingProxyType(
    {
        fact.CALL: _call,
        fact.KNOCK: _knock,
        fact.SILENCE: _silence,
        fact.GUARDIAN: _guardian,
        fact.PERSON: _person,
        fact.SCORE: _score,
        fact.FALSE_ALARM: _false_alarm,
        fact.TOLD_BY_VOICE: _told_by_voice,
        fact.REACH: _reach,
    }
)


def order_in_words(kind: str, facts: Mapping[str, Any]) -> str:
    """Give a line about an order of the 112 side, ``kind`` being what became of it."""
    order, attempts = facts.get("kind"), facts.get("attempts") or 0
    detail = f": {facts['detail']}" if facts.get("detail") else ""
    match kind:
        case "planned":
            return f"{order} ordered by {facts.get('by')}"
        case "delivered":
            return f"{order} DONE{f' at attempt {attempts}' if attempts > 1 else ''}{detail}"
        case "rejected":
            return f"{order} REFUSED{detail}"
        case "superseded":
            return f"{order} taken back"
        case _:
            return f"{order} still to be done, next attempt here ({attempts} so far){detail}"
