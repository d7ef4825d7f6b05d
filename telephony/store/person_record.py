"""What is known of a person as octets, to be encrypted: JSON, padded so that its length says little."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from telephony.domain.consent_items import ConsentItem
from telephony.domain.errors import Malformed
from telephony.domain.people import Consent, Device, GuardianEntry, Person
from telephony.domain.values import Msisdn
from telephony.store.times import from_us, to_us

FORMAT = 1
PADDED_TO = 64
"""Octets. JSON may end in blanks, so that the padding needs no mark."""


def to_octets(person: Person) -> bytes:
    """Give the record: equal persons have equal octets."""
    consent = person.consent
    plain = {
        "v": FORMAT,
        "name": person.name,
        "born": person.birth_date.isoformat(),
        "devices": [[device.number.number, device.carrier, device.kind] for device in person.devices],
        "guardians": [
            [each.phone.number, each.relation, each.language, each.rounds, each.is_confirmed]
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
    octets = json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()
    return octets.ljust(-(-len(octets) // PADDED_TO) * PADDED_TO)


def from_octets(octets: bytes) -> Person:
    """Read a record. Raises `Malformed` for what is none: a newer release wrote it, or there is a defect."""
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
        guardians=tuple(
            GuardianEntry(Msisdn(phone), relation, language, rounds, *is_confirmed)
            for phone, relation, language, rounds, *is_confirmed in plain["guardians"]
        ),
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
    )
