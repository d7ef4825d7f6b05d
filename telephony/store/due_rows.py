"""Reads each due row of the outbox as a delivery, by itself, so that a damaged one does not cost the others anything."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from telephony.domain.delivery import ALERT, PENDING, UPDATE, Delivery, DeliveryKind, kind_of
from telephony.domain.facts import Newer
from telephony.domain.report import Part, ReportKind
from telephony.store.bound import UNBOUND, is_sound
from telephony.store.crypto import KeyRing
from telephony.store.outbox.writing import FIRST_TOKEN
from telephony.store.remains import is_count, time_of_key
from telephony.store.reports import UNREADABLE
from telephony.store.times import from_us, seconds_to_us
from telephony.store.updates import BoundDelivery

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
    """The columns that a claim reads of a delivery and of its incident, of which there may be none."""

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
    bound: bytes | None

    @property
    def next_token(self) -> int:
        """The token of its next holder; a damaged token counts as none."""
        is_sound = type(self.lease_token) is int and 0 < self.lease_token < HIGHEST_TOKEN
        return self.lease_token + 1 if is_sound else FIRST_TOKEN


def delivery_of(
    ring: KeyRing, row: DueRow, channel: str, lease_until: float, now: float
) -> tuple[Delivery, tuple[Part, ...]]:
    """Return the delivery of any row, and what of it had to be guessed because it is damaged.

    Of a row that another hand has changed, or moved here from another channel, only its incident is believed: its
    report is an alert or an update that tells all there is.
    """
    lost: list[Part] = []
    kind, is_report = _kind_of(row)
    bound = BoundDelivery(row.key, channel, row.sequence, row.kind, row.payload, PENDING, row.bound)
    needs_no_code = kind in UNBOUND and not is_report
    is_ours = needs_no_code or is_sound(ring, "delivery", bound)
    payload = {} if needs_no_code else _payload_of(row.payload, is_report=is_report)
    if not is_ours:
        kind = _as_told(row.sequence) if is_report else kind
        payload = None
    created_at = _moment(row.created_at)
    if (
        str(kind) != row.kind
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
        written=row.payload if is_ours else "{}",
    )
    return delivery, tuple(lost)


def opened_at(row: DueRow) -> datetime | None:
    """Return when the incident was opened; ``None`` where neither its row nor its key tells."""
    return _moment(row.opened_at) or _opened_by_key(row.key)


def _kind_of(row: DueRow) -> tuple[DeliveryKind | Newer, bool]:
    """Return the kind, and whether it is a report: the sequence of one is above 0, and the first is the alert."""
    kind = kind_of(str(row.kind))
    if isinstance(kind, ReportKind):
        return (ALERT if row.sequence == 1 else kind), True
    if row.sequence > 0:
        return _as_told(row.sequence), True
    return kind, False


def _as_told(sequence: int) -> ReportKind:
    return ALERT if sequence == 1 else UPDATE


def _payload_of(written: Any, *, is_report: bool) -> Mapping[str, Any] | None:
    """Return a payload; ``None`` for a value that was never written as one."""
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
