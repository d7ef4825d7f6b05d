"""Which reports an incident owes to 112, and what each of them says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Connection

from telephony.domain.delivery import CLOSING, PENDING, UPDATE, Delivery
from telephony.domain.errors import Malformed
from telephony.domain.fact import Fact
from telephony.domain.plan import Plan
from telephony.domain.position import Position
from telephony.domain.report import EarlierReport, Report, UpdateReason, report_id
from telephony.store.bulk import BulkInsert, execute, execute_many, placeholder, select_in
from telephony.store.crypto import KeyRing, KeysUnavailable
from telephony.store.fact_rows import NEWEST_FACTS, FactRow, fact_of, told
from telephony.store.schema import delivery
from telephony.store.sealed_rows import (
    unseal_close_reason,
    unseal_coordinates,
    unseal_incident,
    unseal_press,
)
from telephony.store.sealing import keys_of
from telephony.store.times import fix_time, from_us, seconds_to_us

log = structlog.get_logger()

DELIVERY = BulkInsert(
    delivery,
    (
        "incident_key", "channel", "sequence", "kind", "payload", "created_at", "due_at", "lease_owner",
        "lease_until",
    ),
    {"state": f"'{PENDING}'", "attempts": "0"},
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class News:
    """What an incident has to tell: how many presses, which position (its number) and how many facts 112 should know of.

    Numbers only: what they stand for is sealed in its own rows, and read when the report is made.
    """

    incident_key: int
    carrier: str
    last_sequence: int
    at_us: int
    presses: int
    position: int | None
    facts: int
    reasons: tuple[UpdateReason, ...]
    """What is news in it; folded news adds to the reasons of the update that it goes into."""
    kind: str = UPDATE

    def payload(self, folded: Sequence[str] = ()) -> str:
        """Return the news as the delivery keeps it, after the reasons of the news that it is folded into."""
        known: dict[str, Any] = {"presses": self.presses}
        if self.position is not None:
            known["position"] = self.position
        if self.facts:
            known["facts"] = self.facts
        known["why"] = list(dict.fromkeys((*folded, *self.reasons)))
        return json.dumps(known)


_LAST_REPORTS = (
    "SELECT d.incident_key, d.kind, d.state, d.attempts, d.payload FROM delivery d JOIN incident i"
    " ON i.key = d.incident_key AND d.sequence = i.last_sequence WHERE i.key {}"
)


def plan_updates(connection: Connection, plan: Plan, news: Sequence[News]) -> None:
    """Write down that 112 must hear the news.

    Where the newest report is an update that nobody has begun to send, the news goes into that one: while 112 is
    out of reach, an incident owes one update, not one per fact. Otherwise the incident gets its next report, on
    every channel of its carrier that is told more than the alert. Call it once per transaction and incident.
    """
    foldable: dict[int, bool] = {}
    told: dict[int, tuple[str, ...]] = {}
    last = select_in(connection, _LAST_REPORTS, [n.incident_key for n in news])
    for key, kind, state, attempts, payload in last:
        untouched = kind == UPDATE and state == PENDING and attempts == 0
        foldable[key] = foldable.get(key, True) and untouched
        if foldable[key]:
            told[key] = _reasons_in(payload)
    rows: list[tuple[Any, ...]] = []
    folded: list[tuple[str, int, int]] = []
    moved: list[tuple[int, int]] = []
    for item in news:
        if item.kind == UPDATE and foldable.get(item.incident_key):
            payload = item.payload(told[item.incident_key])
            folded.append((payload, item.incident_key, item.last_sequence))
            continue
        routes = [route for route in plan.reports(item.carrier) if not route.alerts_only]
        if not routes:
            continue
        sequence = item.last_sequence + 1
        moved.append((sequence, item.incident_key))
        rows.extend(
            (
                item.incident_key, route.channel, sequence, item.kind, item.payload(), item.at_us,
                item.at_us + seconds_to_us(route.after_s), None, 0,
            )
            for route in routes
        )  # fmt: skip
    mark = placeholder(connection.dialect.name)
    DELIVERY.run(connection, rows)
    if folded:
        execute_many(
            connection,
            f"UPDATE delivery SET payload = {mark} WHERE incident_key = {mark} AND sequence = {mark}",
            folded,
        )
    if moved:
        execute_many(connection, f"UPDATE incident SET last_sequence = {mark} WHERE key = {mark}", moved)


def _reasons_in(payload: str) -> tuple[str, ...]:
    """Return the reasons that a delivery's payload names; none where it cannot be read."""
    try:
        known = json.loads(payload).get("why", ())
    except (ValueError, AttributeError):
        return ()
    return tuple(each for each in known if isinstance(each, str)) if isinstance(known, list) else ()


class _IncidentRow(NamedTuple):
    key: int
    sealed: bytes
    carrier: str
    source: str
    opened_at: int
    test: bool
    close_reason: bytes | None


class PressRow(NamedTuple):
    """What a report reads of a press."""

    incident_key: int
    number: int
    text: str | None
    received_at: int
    part_reference: int | None
    part_total: int | None
    part_number: int | None
    labels: str | None


class PositionRow(NamedTuple):
    """What a report reads of a position."""

    incident_key: int
    number: int
    sealed: bytes
    uncertainty_m: float | None
    confidence: float | None
    method: str
    source: str
    fixed_at: int
    received_at: int


_INCIDENTS = "SELECT key, sealed, carrier, source, opened_at, test, close_reason FROM incident WHERE key {}"
NEWEST_PRESSES = 40
"""Presses whose words a report carries: a key that is stuck for an hour must not make the reports heavy."""

_PRESS_COLUMNS = "SELECT incident_key, number, sealed, received_at, part_reference, part_total, part_number, labels FROM press"
_FIRST_PRESSES = (
    f"{_PRESS_COLUMNS} WHERE number <= {NEWEST_PRESSES} AND incident_key {{}} ORDER BY incident_key, number"
)
_SOME_PRESSES = (
    f"{_PRESS_COLUMNS} WHERE number > {{0}} AND number <= {{0}} AND incident_key = {{0}} ORDER BY number"
)
_POSITIONS = (
    "SELECT incident_key, number, sealed, uncertainty_m, confidence, method, source, fixed_at, received_at"
    " FROM position WHERE became_best AND incident_key {}"
)
_FACTS = (
    "SELECT incident_key, number, kind, subject, at, sealed FROM fact"
    " WHERE number > {0} AND number <= {0} AND incident_key = {0} ORDER BY number"
)
_REPORTS = (
    "SELECT DISTINCT incident_key, sequence, created_at FROM delivery WHERE sequence > 0 AND incident_key {}"
    " ORDER BY incident_key, sequence"
)


UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, Malformed)
"""What reading a damaged row may raise: in SQLite a column can hold a value of any type and size."""


def text_of(value: Any) -> str:
    """Return a column that is to hold text. Raises `ValueError` for one that does not."""
    if isinstance(value, str):
        return value
    raise ValueError(f"{type(value).__name__} where a text belongs")


def is_test(value: Any) -> bool:
    """Whether the column marks a drill. Raises `ValueError` for what says neither: an emergency is no drill by accident."""
    if value in (0, 1):
        return bool(value)
    raise ValueError("neither a drill nor none")


def load_reports(connection: Connection, deliveries: Sequence[Delivery]) -> list[Report | None]:
    """Give the report that each delivery stands for, as of the facts in its payload: every attempt says the same.

    ``None`` stands for a report whose rows cannot be read: one damaged incident must not cost a whole channel. Raises
    `KeysUnavailable` where the key of one is not here.
    """
    reports: list[Report | None] = []
    for report in load_what_can_be_read(connection, deliveries):
        if isinstance(report, KeysUnavailable):
            raise report
        reports.append(report)
    return reports


def load_what_can_be_read(
    connection: Connection, deliveries: Sequence[Delivery]
) -> list[Report | KeysUnavailable | None]:
    """Do as `load_reports`; an error stands for a report whose key is not here, until the right key file is back."""
    if not deliveries:
        return []
    ring = keys_of(connection)
    keys = {item.incident_key for item in deliveries}
    incidents = {row[0]: _IncidentRow(*row) for row in select_in(connection, _INCIDENTS, keys)}
    presses: dict[int, list[Any]] = {}
    for row in select_in(connection, _FIRST_PRESSES, keys):
        presses.setdefault(row[0], []).append(row)
    positions = {(row[0], row[1]): PositionRow(*row) for row in select_in(connection, _POSITIONS, keys)}
    reports: dict[int, list[tuple[int, int, int]]] = {}
    for row in select_in(connection, _REPORTS, keys):
        reports.setdefault(row[0], []).append(row)

    def report_of(item: Delivery) -> Report | KeysUnavailable | None:
        key = item.incident_key
        try:
            return _report(
                ring,
                item,
                incidents[key],
                _presses_of(connection, ring, item, presses[key]),
                position=positions.get((key, item.payload.get("position", 0))),
                facts=_facts_of(connection, ring, item),
                reports=reports[key],
            )
        except KeysUnavailable as error:
            log.critical(
                "report sealed under a missing key",
                incident=item.incident_id,
                sequence=item.sequence,
                error=str(error),
            )
            return error
        except UNREADABLE as error:
            log.critical(
                "report unreadable", incident=item.incident_id, sequence=item.sequence, error=repr(error)
            )
            return None

    return [report_of(item) for item in deliveries]


def _presses_of(
    connection: Connection, ring: KeyRing, item: Delivery, first: Sequence[Any]
) -> Sequence[PressRow]:
    count = item.payload["presses"]
    rows = first[:count]
    if count > NEWEST_PRESSES:
        mark = placeholder(connection.dialect.name)
        bounds = (count - NEWEST_PRESSES, count, item.incident_key)
        rows = execute(connection, _SOME_PRESSES.format(mark), bounds).fetchall()
    return [
        PressRow(key, number, unseal_press(ring, key, number, sealed).text, *rest)
        for key, number, sealed, *rest in rows
    ]


def _facts_of(connection: Connection, ring: KeyRing, item: Delivery) -> tuple[Fact, ...]:
    count = item.payload.get("facts", 0)
    if not count:
        return ()
    bounds = (count - NEWEST_FACTS, count, item.incident_key)
    rows = execute(connection, _FACTS.format(placeholder(connection.dialect.name)), bounds).fetchall()
    return told([fact_of(ring, FactRow(*row)) for row in rows])


def _report(
    ring: KeyRing,
    item: Delivery,
    incident: _IncidentRow,
    presses: Sequence[PressRow],
    *,
    position: PositionRow | None,
    facts: tuple[Fact, ...],
    reports: Sequence[tuple[int, int, int]],
) -> Report:
    who = unseal_incident(ring, incident.key, incident.sealed)
    is_closing = item.kind == CLOSING
    return Report(
        report_id=report_id(item.incident_id, item.sequence),
        kind=item.kind,
        incident_id=item.incident_id,
        sequence=item.sequence,
        earlier=_earlier(item, reports),
        sent_at=item.created_at,
        test=is_test(incident.test),
        msisdn=who.msisdn,
        carrier=text_of(incident.carrier),
        source=text_of(incident.source),
        destination=who.destination,
        opened_at=from_us(incident.opened_at),
        press_count=item.payload["presses"],
        last_press_at=from_us(max(row.received_at for row in presses)),
        texts=joined_texts(presses),
        position=None if position is None else position_of(ring, position),
        labels=labels_of(presses),
        close_reason=unseal_close_reason(ring, incident.key, incident.close_reason) if is_closing else None,
        facts=facts,
        reasons=tuple(each for each in UpdateReason if each in item.payload.get("why", ())),
    )


def labels_of(presses: Sequence[PressRow]) -> tuple[str, ...]:
    """Give every remark once, in the order in which they came up."""
    return tuple(dict.fromkeys(label for row in presses if row.labels for label in row.labels.split("\n")))


MOST_REFERENCES = 20
"""Earlier reports that one names: the alert and the newest. Each says everything, so the others add nothing."""


def _earlier(item: Delivery, reports: Sequence[tuple[int, int, int]]) -> tuple[EarlierReport, ...]:
    earlier = [
        EarlierReport(report_id(item.incident_id, sequence), from_us(created_at))
        for _, sequence, created_at in reports
        if sequence < item.sequence
    ]
    return (*earlier[:1], *earlier[1:][-(MOST_REFERENCES - 1) :])


def position_of(ring: KeyRing, row: Any) -> Position:
    """Give the domain's position of a row of the position table. Raises `Malformed` or `KeysUnavailable`."""
    return Position(
        *unseal_coordinates(ring, row.incident_key, row.number, row.sealed),
        row.uncertainty_m,
        row.confidence,
        text_of(row.method),
        text_of(row.source),
        fix_time(row.fixed_at),
        from_us(row.received_at),
    )


MOST_PARTS = 255
"""Parts of a long SMS (3GPP TS 23.040 clause 9.2.3.24.1: one octet); a damaged row may say any number."""
LONGEST_TEXTS = 20
"""Texts in one report: somebody who texts a hundred times has said what there is to say in the last twenty."""


def joined_texts(presses: Sequence[PressRow]) -> tuple[str, ...]:
    """Give what the caller wrote, oldest first, the parts of a long SMS joined in their order.

    A part that has not come is shown as ``…``.
    """
    texts: list[str] = []
    long: dict[tuple[int, int], dict[int, str]] = {}
    places: dict[tuple[int, int], int] = {}
    for row in presses:
        if (
            row.part_reference is None
            or row.part_total is None
            or row.part_number is None
            or row.part_total > MOST_PARTS
        ):
            if row.text:
                texts.append(row.text)
            continue
        key = (row.part_reference, row.part_total)
        if key not in long:
            long[key] = {}
            places[key] = len(texts)
            texts.append("")
        long[key][row.part_number] = row.text or ""
        texts[places[key]] = "".join(long[key].get(n, "…") for n in range(1, key[1] + 1))
    return tuple(texts[-LONGEST_TEXTS:])
