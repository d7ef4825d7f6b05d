"""A person's record as octets, to be encrypted: JSON, padded so that its length says little."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from telephony.domain.errors import Malformed
from telephony.domain.guardians.standing import AgeGroup, Relation, Standing
from telephony.domain.people.consent_items import ConsentItem
from telephony.domain.people.person import Consent, Device, GuardianEntry, Language, Person, Refusal
from telephony.domain.values import Msisdn
from telephony.store.times import from_us, to_us

FORMAT = 1
PADDED_TO = 64
"""Octets. JSON may end in blanks, so that the padding needs no mark."""


def to_octets(person: Person) -> bytes:
    """Return the record: equal persons have equal octets."""
    consent = person.consent
    plain = {
        "v": FORMAT,
        "name": person.name,
        "born": person.birth_date.isoformat(),
        "devices": [[device.number.number, device.carrier, device.kind] for device in person.devices],
        "guardians": [
            [
                each.phone.number,
                each.relation,
                each.language,
                each.rounds,
                each.is_confirmed,
                # Nothing where it is not known, as below.
                *([] if each.standing is None else [_standing_as_json(each.standing)]),
            ]
            for each in person.guardians
        ],
        "consent": [
            consent.by,
            consent.means,
            to_us(consent.at),
            consent.is_by_guardian,
            None if consent.until is None else consent.until.isoformat(),
            None if consent.withdrawn_at is None else to_us(consent.withdrawn_at),
            # Nothing where it is not known, so that a record of an earlier release stays as it is.
            *([consent.text, list(consent.items)] if consent.text else []),
        ],
        "texts": dict(sorted(person.texts.items())),
    }
    if person.refused:
        plain["refused"] = [[each.digits, each.means, to_us(each.at)] for each in person.refused]
    octets = json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()
    return octets.ljust(-(-len(octets) // PADDED_TO) * PADDED_TO)


def _standing_as_json(standing: Standing) -> list[Any]:
    return [standing.relation, standing.age, standing.means, to_us(standing.at)]


def _guardian(  # noqa: PLR0917 - the order is the record's
    phone: str,
    relation: str,
    language: Language,
    rounds: int,
    is_confirmed: bool = True,  # noqa: FBT001, FBT002 - a record of an earlier release has none
    standing: Any = None,
) -> GuardianEntry:
    known = None
    if standing is not None:
        who, age, means, at = standing
        known = Standing(Relation(who), AgeGroup(age), means, from_us(at))
    return GuardianEntry(Msisdn(phone), relation, language, rounds, is_confirmed, known)


def from_octets(octets: bytes) -> Person:
    """Read a record. Raises `Malformed` for anything else: a newer release wrote it, or there is a defect."""
    try:
        return _person(json.loads(octets))
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError):
        # The original error might quote the record.
        raise Malformed("a person's record cannot be read: was it written by a newer release?") from None


def _person(plain: Any) -> Person:
    if plain["v"] != FORMAT:
        raise ValueError("format")
    by, means, at, is_by_guardian, until, withdrawn_at, *read = plain["consent"]
    text, items = read or ("", [])
    return Person(
        name=plain["name"],
        birth_date=date.fromisoformat(plain["born"]),
        devices=tuple(Device(Msisdn(number), carrier, kind) for number, carrier, kind in plain["devices"]),
        guardians=tuple(_guardian(*each) for each in plain["guardians"]),
        consent=Consent(
            by,
            means,
            from_us(at),
            is_by_guardian,
            None if until is None else date.fromisoformat(until),
            None if withdrawn_at is None else from_us(withdrawn_at),
            text,
            tuple(ConsentItem(each) for each in items),
        ),
        texts=plain["texts"],
        refused=tuple(Refusal(digits, means, from_us(at)) for digits, means, at in plain.get("refused", ())),
    )
