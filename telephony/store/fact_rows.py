"""Facts to rows and back: the one place that knows the names and texts of a fact's row.

The data of a fact are short texts under names. What is empty or not known is left out. Rows are never rewritten: what
earlier releases wrote is read, and what a newer one wrote is kept as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar, assert_never

from telephony.domain.errors import Malformed
from telephony.domain.facts import (
    CALLER,
    CENTRE,
    PHONE,
    AcknowledgedFact,
    ArrivedFact,
    Became,
    Because,
    CallFact,
    CallState,
    CentreStatus,
    CentreStatusFact,
    ConsentState,
    DeviceFact,
    DispatchedFact,
    EndedBy,
    Fact,
    FactKind,
    FalseAlarmFact,
    GuardianFact,
    GuardianNumber,
    GuardianState,
    GuardianWay,
    KnockFact,
    Leg,
    LegState,
    Newer,
    NoteFact,
    NotReached,
    PersonFact,
    Reach,
    ReachFact,
    ReasonCode,
    Registered,
    SaidByInvite,
    Sayer,
    ScoreFact,
    SilenceFact,
    SilenceState,
    ToldByVoiceFact,
    UnknownFact,
    newest,
)
from telephony.domain.values import Msisdn
from telephony.store.bound import bind, is_sound
from telephony.store.bulk import BulkInsert
from telephony.store.crypto import Damaged, KeyRing
from telephony.store.schema import fact
from telephony.store.sealed_rows import seal_fact, unseal_fact
from telephony.store.texts import storable
from telephony.store.times import from_us, to_us

FACT = BulkInsert(fact, ("incident_key", "number", "kind", "subject", "at", "sealed", "bound"))
FACT_COLUMNS = tuple(fact.columns)
"""What a `FactRow` is read of."""

NEWEST_FACTS = 200
"""Facts that a report looks at: somebody who taps keys for an hour must not make the reports heavy."""

_JSON: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode
_NUL: Final = r"\u0000"
"""A NUL in JSON."""
_LEG: Final = re.compile(
    r"(?P<route>112(?:-[^ ]+)?) (?P<state>.+?)(?: (?P<seconds>-?[0-9]{1,10}) s)?(?: [(](?P<times>[0-9]{1,10}) times[)])?"
)
"""One leg as a row has it: ``112-1 no answer 6 s (3 times)``."""
_NUMBER: Final = re.compile(r"-?[0-9]{1,10}")
_GUARDIAN: Final = re.compile(r"([1-9][0-9]{0,8})(?:[.]([1-9][0-9]{0,8}))?")
_UNIT: Final = re.compile(r"unit ([1-9][0-9]{0,8})")
_NOTE: Final = re.compile(r"note ([1-9][0-9]{0,8})")
_SAYER: Final = re.compile(r"guardian ([1-9][0-9]{0,8})")
_SUBJECTS: Final[Mapping[FactKind, str]] = MappingProxyType(
    {
        FactKind.SILENCE: PHONE,
        FactKind.REACH: PHONE,
        FactKind.DEVICE: PHONE,
        FactKind.PERSON: CALLER,
        FactKind.SCORE: CALLER,
        FactKind.ACKNOWLEDGED: CENTRE,
        FactKind.TOLD_BY_VOICE: CENTRE,
    }
)
"""The subject of those kinds that are about one only."""
_OF_A_KNOCK: Final = frozenset({"digits", "taps", "meaning"})
"""Names in a knock's data beside the languages."""

E = TypeVar("E", bound=StrEnum)


class FactRow(NamedTuple):
    """The columns that are read of a fact."""

    incident_key: int
    number: int
    kind: str
    subject: str
    at: int
    sealed: bytes
    bound: bytes | None


def to_data(known: Fact) -> dict[str, str]:
    """Return the data of a fact's row: unknown values are left out."""
    if isinstance(known, UnknownFact):
        return dict(known.data)
    return {name: text for name, text in _texts(known).items() if text}


def from_data(kind: str, subject: str, at: datetime, data: Mapping[str, str]) -> Fact:
    """Return the fact of a row. Raises `Malformed` where a number or a time of it is none.

    A kind or a subject that is not known is a newer release's: its fact is kept as it is.
    """
    try:
        known = FactKind(kind)
    except ValueError:
        return UnknownFact(kind, subject, at, data)
    return _fact(known, subject, at, data) or UnknownFact(kind, subject, at, data)


def storable_fact(known: Fact) -> Fact:
    """Return the fact as the store will give it: with its texts as both databases keep them."""
    data = to_data(known)
    if _is_plain("".join((known.kind, known.subject, *data, *data.values()))):
        return known
    return from_data(_kept(known.kind), _kept(known.subject), known.at, _all_kept(data))


def fact_row(ring: KeyRing, incident_key: int, number: int, known: Fact) -> tuple[Any, ...]:
    """Return the row of an incident's n-th fact."""
    sealed = seal_fact(ring, incident_key, number, said_by(known))
    said = (incident_key, number, _kept(known.kind), _kept(known.subject), to_us(known.at))
    return (*said, sealed, bind(ring, fact.name, said))


def said_by(known: Fact) -> str:
    """Return a fact's data as they are sealed: the same for the same data, so that facts can be compared."""
    data = to_data(known)
    said = _JSON(data)
    return said if _is_plain(said) and _NUL not in said else _JSON(_all_kept(data))


def fact_of(ring: KeyRing, row: FactRow) -> Fact:
    """Return the fact of a row. Raises `Malformed` for one that it cannot read, or `KeysUnavailable`."""
    if not is_sound(ring, fact.name, row):
        raise Damaged(f"fact {row.incident_key}: what it is about was changed")
    try:
        data = json.loads(unseal_fact(ring, row.incident_key, row.number, row.sealed))
        at = from_us(row.at)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise Malformed("a fact is not what was written") from None
    if not isinstance(data, dict) or not all(isinstance(text, str) for text in data.values()):
        raise Malformed("the data of a fact are texts under names")
    if not isinstance(row.kind, str) or not isinstance(row.subject, str):
        raise Malformed("kind and subject of a fact are texts")
    return from_data(row.kind, row.subject, at, data)


def told(facts: Sequence[Fact]) -> tuple[Fact, ...]:
    """Return of an incident's facts, in the order in which they came, those that a report tells."""
    return newest(facts[-NEWEST_FACTS:])


# -- values to texts --------------------------------------------------------------------------------------------------


def _texts(known: Fact) -> Mapping[str, str]:  # noqa: C901, PLR0911, PLR0912 - one case a kind
    match known:
        case CallFact():
            return _of_call(known)
        case KnockFact():
            return {"digits": known.digits, "taps": str(known.taps), "meaning": known.meaning, **known.words}
        case SilenceFact():
            return {"state": str(known.state), "by": known.by}
        case GuardianFact():
            return _of_guardian(known)
        case PersonFact():
            return _of_person(known)
        case ScoreFact():
            return {"score": _digits(known.likelihood), "reasons": ";".join(map(str, known.reasons))}
        case FalseAlarmFact():
            return {"by": known.by, "why": known.why, "at": _time(known.said_at)}
        case AcknowledgedFact():
            return {"by": known.by, "at": _time(known.acknowledged_at)}
        case DispatchedFact():
            return {
                "unit": known.unit,
                "by": known.by,
                "at": _time(known.dispatched_at),
                "eta": _time(known.eta),
            }
        case ArrivedFact():
            return {"unit": known.unit, "by": known.by, "at": _time(known.arrived_at)}
        case NoteFact():
            return {"words": known.words, "by": known.by, "at": _time(known.noted_at)}
        case CentreStatusFact():
            return _of_centre_status(known)
        case ToldByVoiceFact():
            return {"by": known.by, "why": known.why, "at": _time(known.told_at, " ")}
        case ReachFact():
            return {
                "state": str(known.state),
                "why": _word(known.why),
                "last-answered": _time(known.last_answered),
            }
        case DeviceFact():
            return {"battery": _digits(known.battery_percent), "pressed": _time(known.pressed_at)}
        case UnknownFact():
            return known.data
        case _:
            assert_never(known)


def _of_call(known: CallFact) -> Mapping[str, str]:
    said = known.said
    texts = {
        "id": known.incident,
        "state": str(known.state),
        "trunk": known.trunk,
        "dialled": known.dialled,
        "silence": known.silence,
        "recording": known.recording,
        "sip-call-id": known.sip_call_id,
        "of": known.second_leg_of,
        "route": known.route,
        "started": _millisecond(known.started),
        "refused": known.refused,
        "cell": said.cell,
        "access": said.access,
        "geolocation": said.geolocation,
        "call-info": said.call_info,
    }
    if known.legs:
        texts["legs"] = "; ".join(map(str, known.legs))
    if known.connected is not None:
        texts["connected"] = _millisecond(known.connected)
    if known.ended is not None:
        texts["ended"] = _millisecond(known.ended)
    if known.duration_s is not None:
        texts["duration-s"] = str(known.duration_s)
    if known.ended_by is not None:
        texts["ended-by"] = str(known.ended_by)
    return texts


def _of_guardian(known: GuardianFact) -> Mapping[str, str]:
    return {
        "state": str(known.state),
        "phone": known.phone,
        "round": _digits(known.round),
        "by": _word(known.by),
        "relation": known.relation,
        "words": known.words,
    }


def _of_person(known: PersonFact) -> Mapping[str, str]:
    return {
        "registered": str(known.registered),
        "name": known.name,
        "born": "" if known.born is None else known.born.isoformat(),
        "device": known.device,
        "carrier": known.carrier,
        "guardians": "; ".join(map(str, known.guardians)),
        "guardians-said": "; ".join(known.guardians_said),
        "consent": _word(known.consent),
        "also": "; ".join(known.also),
        "address": known.address,
        "photo": known.photo,
        "medical": known.medical,
        "family": known.family,
        "language": known.language,
        "school": known.school,
    }


def _of_centre_status(known: CentreStatusFact) -> Mapping[str, str]:
    return {
        "status": str(known.status),
        "became": str(known.became),
        "said": "" if known.said_at is None else known.said_at.isoformat(),
        "by": known.by,
        "unit": known.unit,
        "content": known.content,
        "refused": known.refused,
    }


def _word(word: StrEnum | Newer | None) -> str:
    return "" if word is None else str(word)


def _digits(number: int | None) -> str:
    return "" if number is None else str(number)


def _time(moment: datetime | None, separator: str = "T") -> str:
    return "" if moment is None else moment.isoformat(sep=separator, timespec="seconds")


def _millisecond(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat(timespec="milliseconds")


def _is_plain(text: str) -> bool:
    """Whether both databases keep a text as it is, which is cheaper to see of all texts together."""
    return text.isascii() and "\0" not in text


def _all_kept(data: Mapping[str, str]) -> dict[str, str]:
    return {_kept(name): _kept(text) for name, text in data.items()}


def _kept(text: str) -> str:
    return storable(text) or ""


# -- texts to values --------------------------------------------------------------------------------------------------


def _fact(  # noqa: C901, PLR0911, PLR0912 - one case a kind
    kind: FactKind, subject: str, at: datetime, data: Mapping[str, str]
) -> Fact | None:
    """Return the fact of a kind that is known; ``None`` where its subject is a newer release's."""
    text = data.get
    if _SUBJECTS.get(kind, subject) != subject:
        return None
    match kind:
        case FactKind.CALL:
            return _call(subject, at, data)
        case FactKind.KNOCK:
            digits = text("digits", "")
            taps = _number(text("taps"))
            words = {name: words for name, words in data.items() if words and name not in _OF_A_KNOCK}
            return KnockFact(
                subject, at, digits, len(digits) if taps is None else taps, text("meaning", ""), words
            )
        case FactKind.SILENCE:
            return SilenceFact(at, _state(SilenceState, text("state")), text("by", ""))
        case FactKind.GUARDIAN:
            return _guardian(subject, at, data)
        case FactKind.PERSON:
            return _person(at, data)
        case FactKind.SCORE:
            reasons = tuple(_because(each) for each in _items(text("reasons"), ";"))
            return ScoreFact(at, _number(text("score")), reasons)
        case FactKind.FALSE_ALARM:
            place = _SAYER.fullmatch(subject)
            if place is None and subject != CENTRE:
                return None
            sayer: Sayer = "112" if place is None else int(place[1])
            return FalseAlarmFact(sayer, at, text("by", ""), text("why", ""), _moment(text("at")))
        case FactKind.ACKNOWLEDGED:
            return AcknowledgedFact(at, text("by", ""), _moment(text("at")))
        case FactKind.DISPATCHED:
            return _dispatched(subject, at, data)
        case FactKind.ARRIVED:
            return _arrived(subject, at, data)
        case FactKind.NOTE:
            return _note(subject, at, data)
        case FactKind.CENTRE_STATUS:
            return _centre_status(subject, at, data)
        case FactKind.TOLD_BY_VOICE:
            return ToldByVoiceFact(at, text("by", ""), text("why", ""), _moment(text("at")))
        case FactKind.REACH:
            why = _stated(NotReached, text("why"))
            return ReachFact(at, _state(Reach, text("state")), why, _moment(text("last-answered")))
        case FactKind.DEVICE:
            return DeviceFact(at, _number(text("battery")), _moment(text("pressed")))
        case _:
            assert_never(kind)


def _call(reference: str, at: datetime, data: Mapping[str, str]) -> CallFact:
    text = data.get
    return CallFact(
        reference,
        at,
        _state(CallState, text("state")),
        trunk=text("trunk", ""),
        dialled=text("dialled", ""),
        incident=text("id", ""),
        second_leg_of=text("of", ""),
        silence=text("silence", ""),
        recording=text("recording", ""),
        sip_call_id=text("sip-call-id", ""),
        legs=tuple(_leg(each) for each in _items(text("legs"), "; ")),
        route=text("route", ""),
        started=_moment(text("started")),
        connected=_moment(text("connected")),
        ended=_moment(text("ended")),
        duration_s=_number(text("duration-s")),
        ended_by=_stated(EndedBy, text("ended-by")),
        refused=text("refused", ""),
        said=SaidByInvite(
            text("cell", ""), text("access", ""), text("geolocation", ""), text("call-info", "")
        ),
    )


def _leg(written: str) -> Leg:
    """Return a leg; one that is written otherwise is a word of its own, and no text of it is lost."""
    found = _LEG.fullmatch(written)
    if found is None:
        return Leg("", Newer(written))
    seconds, times = _number(found["seconds"]), _number(found["times"])
    return Leg(found["route"], _state(LegState, found["state"]), seconds, 1 if times is None else times)


def _guardian(subject: str, at: datetime, data: Mapping[str, str]) -> GuardianFact | None:
    which = _GUARDIAN.fullmatch(subject)
    if which is None:
        return None
    text = data.get
    return GuardianFact(
        int(which[1]),
        at,
        _state(GuardianState, text("state")),
        _number(text("round")),
        _stated(GuardianWay, text("by")),
        text("relation", ""),
        text("phone", ""),
        text("words", ""),
        None if which[2] is None else int(which[2]),
    )


def _dispatched(subject: str, at: datetime, data: Mapping[str, str]) -> DispatchedFact | None:
    which = _UNIT.fullmatch(subject)
    if which is None:
        return None
    text = data.get
    eta = _moment(text("eta"))
    return DispatchedFact(int(which[1]), at, text("unit", ""), text("by", ""), _moment(text("at")), eta)


def _arrived(subject: str, at: datetime, data: Mapping[str, str]) -> ArrivedFact | None:
    which = _UNIT.fullmatch(subject)
    if which is None:
        return None
    text = data.get
    return ArrivedFact(int(which[1]), at, text("unit", ""), text("by", ""), _moment(text("at")))


def _note(subject: str, at: datetime, data: Mapping[str, str]) -> NoteFact | None:
    which = _NOTE.fullmatch(subject)
    if which is None:
        return None
    text = data.get
    return NoteFact(int(which[1]), at, text("words", ""), text("by", ""), _moment(text("at")))


def _centre_status(key: str, at: datetime, data: Mapping[str, str]) -> CentreStatusFact:
    text = data.get
    return CentreStatusFact(
        key,
        at,
        _state(CentreStatus, text("status")),
        _state(Became, text("became")),
        _moment(text("said")),
        text("by", ""),
        text("unit", ""),
        text("content", ""),
        text("refused", ""),
    )


def _person(at: datetime, data: Mapping[str, str]) -> PersonFact:
    text = data.get
    return PersonFact(
        at,
        _state(Registered, text("registered")),
        name=text("name", ""),
        born=_day(text("born")),
        device=text("device", ""),
        carrier=text("carrier", ""),
        language=text("language", ""),
        medical=text("medical", ""),
        address=text("address", ""),
        family=text("family", ""),
        school=text("school", ""),
        guardians=tuple(_guardian_number(each) for each in _items(text("guardians"), "; ")),
        guardians_said=tuple(_items(text("guardians-said"), "; ")),
        photo=text("photo", ""),
        consent=_stated(ConsentState, text("consent")),
        also=tuple(_items(text("also"), "; ")),
    )


def _guardian_number(written: str) -> GuardianNumber:
    relation, _, number = written.rpartition(" ")
    digits = number.removeprefix("+")
    is_e164 = number.startswith("+") and digits.isascii() and digits.isdigit()
    return GuardianNumber(relation, Msisdn(digits if is_e164 else number, is_e164=is_e164))


def _because(written: str) -> Because:
    """Return a reason; one whose number is none is a word of its own."""
    code, has_number, number = written.partition("=")
    if has_number and _NUMBER.fullmatch(number) is None:
        return Because(Newer(written))
    return Because(_state(ReasonCode, code), _number(number))


def _state(states: type[E], word: str | None) -> E | Newer:
    try:
        return states(word or "")
    except ValueError:
        return Newer(word or "")


def _stated(states: type[E], word: str | None) -> E | Newer | None:
    return _state(states, word) if word else None


def _items(written: str | None, separator: str) -> list[str]:
    return written.split(separator) if written else []


def _number(written: str | None) -> int | None:
    if not written:
        return None
    if _NUMBER.fullmatch(written) is None:
        raise Malformed("a number of a fact is none")
    return int(written)


def _day(written: str | None) -> date | None:
    if not written:
        return None
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise Malformed("a day of a fact is none") from None


def _moment(written: str | None) -> datetime | None:
    if not written:
        return None
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Malformed("a time of a fact is none")
    return moment
