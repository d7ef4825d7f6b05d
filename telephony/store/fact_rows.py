"""A fact as the store keeps it, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from telephony.domain.fact import Fact, newest
from telephony.store.bulk import BulkInsert
from telephony.store.crypto import KeyRing
from telephony.store.schema import fact
from telephony.store.sealed_rows import seal_fact, unseal_fact
from telephony.store.texts import storable
from telephony.store.times import from_us, to_us

FACT = BulkInsert(fact, ("incident_key", "number", "kind", "subject", "at", "sealed"))

NEWEST_FACTS = 200
"""Facts that a report looks at: somebody who taps keys for an hour must not make the reports heavy."""


class FactRow(NamedTuple):
    """What is read of a fact."""

    incident_key: int
    number: int
    kind: str
    subject: str
    at: int
    sealed: bytes


def storable_fact(known: Fact) -> Fact:
    """Give the fact with its texts as both databases keep them."""
    texts = {_kept(name): _kept(text) for name, text in known.data.items()}
    return Fact(_kept(known.kind), _kept(known.subject), known.at, texts)


def fact_row(ring: KeyRing, incident_key: int, number: int, known: Fact) -> tuple[Any, ...]:
    """Give the row of an incident's n-th fact; the fact is storable."""
    sealed = seal_fact(ring, incident_key, number, said_by(known))
    return (incident_key, number, known.kind, known.subject, to_us(known.at), sealed)


def said_by(known: Fact) -> str:
    """Give a fact's data as they are sealed: the same for the same data, so that facts can be compared."""
    return json.dumps(dict(known.data), ensure_ascii=False, sort_keys=True)


def fact_of(ring: KeyRing, row: FactRow) -> Fact:
    """Give the domain's fact of a row; raises `ValueError`, `TypeError`, `Malformed` or `KeysUnavailable` for one it cannot read."""
    data = json.loads(unseal_fact(ring, row.incident_key, row.number, row.sealed))
    if not isinstance(data, dict) or not all(isinstance(text, str) for text in data.values()):
        raise ValueError("the data of a fact are texts under names")
    if not isinstance(row.kind, str) or not isinstance(row.subject, str):
        raise TypeError("kind and subject of a fact are texts")
    return Fact(row.kind, row.subject, from_us(row.at), data)


def told(facts: Sequence[Fact]) -> tuple[Fact, ...]:
    """Give of an incident's facts, in the order in which they came, those that a report tells."""
    return newest(facts[-NEWEST_FACTS:])


def _kept(text: str) -> str:
    return storable(text) or ""
