"""A press as the octets that the journal seals, and back: with all that recording and telling it needs.

A JSON array, its first element the format's number. Every press is written this way once and read only after a death, so the
form is made for writing. Halves of surrogate pairs, which a carrier may send within a text, come back as they were: they are
written as octets of their own, for two of them as JSON's escapes would come back as one character.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from datetime import datetime
from typing import Any, Final

from telephony.domain.errors import Malformed
from telephony.domain.facts import Fact
from telephony.domain.position import Position
from telephony.domain.trigger import Part, PartKind, Repetition, Trigger
from telephony.domain.values import Msisdn
from telephony.store.fact_rows import from_data, to_data

_FORMAT: Final = 1
_encode: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False, ensure_ascii=False).encode
_SURROGATES: Final = "surrogatepass"


def octets_of(trigger: Trigger, incident_id: str) -> bytes:
    """Return a press and the name that its incident gets if it opens one, as octets."""
    position, part = trigger.position, trigger.part
    return _encode(
        (
            _FORMAT,
            incident_id,
            trigger.source,
            trigger.connector,
            trigger.carrier,
            trigger.msisdn.number,
            trigger.msisdn.is_e164,
            trigger.reference,
            trigger.received_at.isoformat(),
            trigger.destination,
            trigger.text,
            trigger.encoding,
            _text(trigger.raw),
            None if part is None else _of_part(part),
            None if position is None else _of_position(position),
            trigger.test,
            trigger.labels,
            trigger.incident_id,
            [(known.kind, known.subject, known.at.isoformat(), to_data(known)) for known in trigger.facts],
            trigger.repetition.value,
        )
    ).encode("utf-8", _SURROGATES)


def press_in(octets: bytes) -> tuple[Trigger, str]:
    """Return the press and the name for its incident. Raises `Malformed` for octets that hold none."""
    try:
        return _read(json.loads(octets.decode("utf-8", _SURROGATES)))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise Malformed(f"no press: {type(error).__name__}") from error


def _read(known: Any) -> tuple[Trigger, str]:
    (
        form, incident_id, source, connector, carrier, number, is_e164, reference, received_at, destination, text,
        encoding, raw, part, position, test, labels, named, facts, repetition,
    ) = known  # fmt: skip
    texts = (incident_id, source, connector, carrier, number, reference, destination, *labels)
    may_lack = (text, encoding, named)
    if form != _FORMAT or not all(isinstance(each, str) for each in texts):
        raise ValueError("format")
    if not all(each is None or isinstance(each, str) for each in may_lack):
        raise ValueError("text")
    trigger = Trigger(
        source=source,
        connector=connector,
        carrier=carrier,
        msisdn=Msisdn(number, bool(is_e164)),
        reference=reference,
        received_at=_time(received_at),
        destination=destination,
        text=text,
        encoding=encoding,
        raw=_octets(raw),
        part=None if part is None else _part(part),
        position=None if position is None else _position(position),
        test=bool(test),
        labels=tuple(labels),
        incident_id=named,
        facts=tuple(map(_fact, facts)),
        repetition=Repetition(repetition),
    )
    return trigger, incident_id


def _of_part(part: Part) -> tuple[Any, ...]:
    return part.reference, part.total, part.number, part.kind.value, _text(part.octets), part.alphabet


def _part(known: Any) -> Part:
    reference, total, number, kind, octets, alphabet = known
    if not all(isinstance(each, int) for each in (reference, total, number)):
        raise ValueError("part")
    return Part(reference, total, number, PartKind(kind), _octets(octets), alphabet)


def _of_position(position: Position) -> tuple[Any, ...]:
    fixed_at, altitude_m = position.fixed_at, position.altitude_m
    return (
        position.latitude,
        position.longitude,
        position.uncertainty_m,
        position.confidence,
        position.method,
        position.source,
        None if fixed_at is None else fixed_at.isoformat(),
        position.received_at.isoformat(),
        *(() if altitude_m is None else (altitude_m,)),
    )


def _position(known: Any) -> Position:
    latitude, longitude, uncertainty_m, confidence, method, source, fixed_at, received_at, *altitude_m = known
    if not isinstance(method, str) or not isinstance(source, str):
        raise TypeError("position")
    return Position(
        float(latitude),
        float(longitude),
        None if uncertainty_m is None else float(uncertainty_m),
        None if confidence is None else float(confidence),
        method,
        source,
        None if fixed_at is None else _time(fixed_at),
        _time(received_at),
        *map(float, altitude_m),
    )


def _fact(known: Any) -> Fact:
    kind, subject, at, data = known
    if not all(isinstance(each, str) for each in (kind, subject, *data.values())):
        raise ValueError("fact")
    return from_data(kind, subject, _time(at), data)


def _time(text: Any) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("time without a zone")
    return moment


def _text(octets: bytes | None) -> str | None:
    return None if octets is None else b64encode(octets).decode()


def _octets(text: Any) -> bytes | None:
    return None if text is None else b64decode(text, validate=True)
