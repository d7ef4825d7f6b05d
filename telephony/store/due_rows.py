"""A due row of the outbox as a delivery: read by itself, so that a damaged one costs nobody else anything."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from telephony.domain.delivery import ALERT, REPORTS, UPDATE, Delivery
from telephony.domain.report import Part
from telephony.store.remains import is_count, time_of_key
from telephony.store.reports import UNREADABLE
from telephony.store.times import from_us, seconds_to_us
from telephony.store.updates import FIRST_TOKEN

LONGEST_PAYLOAD = 10_000
"""Characters; a payload holds a few numbers and the reasons of an update."""
MOST_ATTEMPTS = 1_000_000_000
HIGHEST_TOKEN = 2**31 - 1

KEY_IS_SOUND = (
    "{0}sequence = CAST({0}sequence AS INTEGER) AND {0}incident_key = CAST({0}incident_key AS BIGINT)"
)
"""As SQL: the row can be named in a statement. A text or octets in these columns of SQLite equal no number."""

_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
"""What an incident may be called: nothing that CAP gives a meaning (CAP 1.2 clause 3.2.1)."""


class DueRow(NamedTuple):
    """What a claim reads of a delivery and of its incident, of which there may be none."""

    key: int
    incident_id: str | None
    who: Any
    carrier: Any
    opened_at: Any
    sequence: int
    kind: str
    payload: str
    sealed: bytes | None
    created_at: int
    attempts: int
    lease_token: int

    @property
    def next_token(self) -> int:
        """The token of whoever takes it now; a damaged one is no token of anybody's."""
        is_sound = type(self.lease_token) is int and 0 < self.lease_token < HIGHEST_TOKEN
        return self.lease_token + 1 if is_sound else FIRST_TOKEN


def delivery_of(
    row: DueRow, channel: str, lease_until: float, now: float
) -> tuple[Delivery, tuple[Part, ...]]:
    """Return the delivery of any row, and what of it had to be guessed because it is damaged."""
    lost: list[Part] = []
    kind, is_report = _kind_of(row)
    payload = _payload_of(row.payload, is_report=is_report)
    created_at = _moment(row.created_at)
    if (
        kind != row.kind
        or payload is None
        or created_at is None
        or (is_report and not is_count(row.sequence))
    ):
        lost.append(Part.DELIVERY)
    name = row.incident_id
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        lost.append(Part.INCIDENT)
        name = f"lost-{row.key}"
    attempts = row.attempts if type(row.attempts) is int and 0 <= row.attempts <= MOST_ATTEMPTS else 0
    delivery = Delivery(
        row.key,
        name,
        channel,
        row.sequence,
        kind,
        payload or {},
        created_at or _opened_by_key(row.key) or from_us(seconds_to_us(now)),
        attempts + 1,
        lease_until,
        lease_token=row.next_token,
    )
    return delivery, tuple(lost)


def opened_at(row: DueRow) -> datetime | None:
    """Return when the incident was opened; ``None`` where neither its row nor its key tells."""
    return _moment(row.opened_at) or _opened_by_key(row.key)


def _kind_of(row: DueRow) -> tuple[str, bool]:
    """Return the kind, and whether it is a report: the sequence of one is above 0, and the first is the alert."""
    if row.kind in REPORTS:
        return (ALERT if row.sequence == 1 else row.kind), True
    if row.sequence > 0:
        return (ALERT if row.sequence == 1 else UPDATE), True
    return str(row.kind), False


def _payload_of(written: Any, *, is_report: bool) -> Mapping[str, Any] | None:
    """Return a payload; ``None`` for what was never written as one."""
    try:
        if len(written) > LONGEST_PAYLOAD:
            return None
        payload = json.loads(written)
    except UNREADABLE:
        return None
    if not isinstance(payload, dict):
        return None
    if is_report and not _counts(payload):
        return None
    return payload


def _counts(payload: Mapping[str, Any]) -> bool:
    """Whether the payload of a report counts what the report tells."""
    why = payload.get("why", [])
    return (
        is_count(payload.get("presses"))
        and all(is_count(payload[name]) for name in ("position", "facts") if name in payload)
        and isinstance(why, list)
        and all(isinstance(each, str) for each in why)
    )


def _moment(microseconds: Any) -> datetime | None:
    try:
        return from_us(microseconds)
    except UNREADABLE:
        return None


def _opened_by_key(key: Any) -> datetime | None:
    try:
        return time_of_key(key)
    except UNREADABLE:
        return None
