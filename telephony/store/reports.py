"""Which reports an incident owes to 112, and what each of them says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Connection

from telephony.domain.delivery import PENDING, UPDATE, Delivery
from telephony.domain.errors import Malformed
from telephony.domain.fact import Fact
from telephony.domain.plan import Plan
from telephony.domain.position import Position
from telephony.domain.report import EarlierReport, Report, report_id
from telephony.domain.values import Msisdn
from telephony.store.bulk import BulkInsert, execute, execute_many, placeholder, select_in
from telephony.store.fact_rows import NEWEST_FACTS, FactRow, fact_of, told
from telephony.store.schema import delivery
from telephony.store.times import from_us, seconds_to_us

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
    """What an incident has to tell: how many presses, which position (its number) and how many facts 112 should know of."""

    incident_key: int
    carrier: str
    last_sequence: int
    at_us: int
    presses: int
    position: int | None
    facts: int
    kind: str = UPDATE
    close_reason: str | None = None

    @property
    def payload(self) -> str:
        """The news as the delivery keeps it."""
        known: dict[str, Any] = {"presses": self.presses}
        if self.position is not None:
            known["position"] = self.position
        if self.facts:
            known["facts"] = self.facts
        if self.close_reason is not None:
            known["close_reason"] = self.close_reason
        return json.dumps(known, ensure_ascii=False)


_LAST_REPORTS = (
    "SELECT d.incident_key, d.kind, d.state, d.attempts FROM delivery d JOIN incident i"
    " ON i.key = d.incident_key AND d.sequence = i.last_sequence WHERE i.key {}"
)


def plan_updates(connection: Connection, plan: Plan, news: Sequence[News]) -> None:
    """Write down that 112 must hear the news.

    Where the newest report is an update that nobody has begun to send, the news goes into that one: while 112 is
    out of reach, an incident owes one update, not one per fact. Otherwise the incident gets its next report, on
    every channel of its carrier that is told more than the alert. Call it once per transaction and incident.
    """
    foldable: dict[int, bool] = {}
    for key, kind, state, attempts in select_in(connection, _LAST_REPORTS, [n.incident_key for n in news]):
        untouched = kind == UPDATE and state == PENDING and attempts == 0
        foldable[key] = foldable.get(key, True) and untouched
    rows: list[tuple[Any, ...]] = []
    folded: list[tuple[str, int, int]] = []
    moved: list[tuple[int, int]] = []
    for item in news:
        if item.kind == UPDATE and foldable.get(item.incident_key):
            folded.append((item.payload, item.incident_key, item.last_sequence))
            continue
        routes = [route for route in plan.reports(item.carrier) if not route.alerts_only]
        if not routes:
            continue
        sequence = item.last_sequence + 1
        moved.append((sequence, item.incident_key))
        rows.extend(
            (
                item.incident_key, route.channel, sequence, item.kind, item.payload, item.at_us,
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


class _IncidentRow(NamedTuple):
    key: int
    msisdn: str
    is_e164: bool
    carrier: str
    source: str
    destination: str
    opened_at: int
    test: bool


class _PressRow(NamedTuple):
    incident_key: int
    number: int
    text: str | None
    received_at: int
    part_reference: int | None
    part_total: int | None
    part_number: int | None
    labels: str | None


class _PositionRow(NamedTuple):
    incident_key: int
    number: int
    latitude: float
    longitude: float
    uncertainty_m: float | None
    confidence: float | None
    method: str
    source: str
    fixed_at: int
    received_at: int


_INCIDENTS = (
    "SELECT key, msisdn, is_e164, carrier, source, destination, opened_at, test FROM incident WHERE key {}"
)
NEWEST_PRESSES = 40
"""Presses whose words a report carries: a key that is stuck for an hour must not make the reports heavy."""

_PRESS_COLUMNS = "SELECT incident_key, number, text, received_at, part_reference, part_total, part_number, labels FROM press"
_FIRST_PRESSES = (
    f"{_PRESS_COLUMNS} WHERE number <= {NEWEST_PRESSES} AND incident_key {{}} ORDER BY incident_key, number"
)
_SOME_PRESSES = (
    f"{_PRESS_COLUMNS} WHERE number > {{0}} AND number <= {{0}} AND incident_key = {{0}} ORDER BY number"
)
_POSITIONS = (
    "SELECT incident_key, number, latitude, longitude, uncertainty_m, confidence, method, source, fixed_at, received_at"
    " FROM position WHERE became_best AND incident_key {}"
)
_FACTS = (
    "SELECT kind, subject, at, data FROM fact"
    " WHERE number > {0} AND number <= {0} AND incident_key = {0} ORDER BY number"
)
_REPORTS = (
    "SELECT DISTINCT incident_key, sequence, created_at FROM delivery WHERE sequence > 0 AND incident_key {}"
    " ORDER BY incident_key, sequence"
)


def load_reports(connection: Connection, deliveries: Sequence[Delivery]) -> list[Report | None]:
    """Give the report that each delivery stands for, as of the facts in its payload: every attempt says the same.

    ``None`` stands for a report whose rows cannot be read: one damaged incident must not cost a whole channel.
    """
    keys = {item.incident_key for item in deliveries}
    incidents = {row[0]: _IncidentRow(*row) for row in select_in(connection, _INCIDENTS, keys)}
    presses: dict[int, list[_PressRow]] = {}
    for row in select_in(connection, _FIRST_PRESSES, keys):
        presses.setdefault(row[0], []).append(_PressRow(*row))
    positions = {(row[0], row[1]): _PositionRow(*row) for row in select_in(connection, _POSITIONS, keys)}
    reports: dict[int, list[tuple[int, int, int]]] = {}
    for row in select_in(connection, _REPORTS, keys):
        reports.setdefault(row[0], []).append(row)

    def report_of(item: Delivery) -> Report | None:
        key = item.incident_key
        try:
            return _report(
                item,
                incidents[key],
                _presses_of(connection, item, presses[key]),
                position=positions.get((key, item.payload.get("position", 0))),
                facts=_facts_of(connection, item),
                reports=reports[key],
            )
        except (LookupError, TypeError, ValueError, OverflowError, Malformed) as error:
            log.critical(
                "report unreadable", incident=item.incident_id, sequence=item.sequence, error=repr(error)
            )
            return None

    return [report_of(item) for item in deliveries]


def _presses_of(connection: Connection, item: Delivery, first: Sequence[_PressRow]) -> Sequence[_PressRow]:
    count = item.payload["presses"]
    if count <= NEWEST_PRESSES:
        return first[:count]
    mark = placeholder(connection.dialect.name)
    bounds = (count - NEWEST_PRESSES, count, item.incident_key)
    return [_PressRow(*row) for row in execute(connection, _SOME_PRESSES.format(mark), bounds).fetchall()]


def _facts_of(connection: Connection, item: Delivery) -> tuple[Fact, ...]:
    count = item.payload.get("facts", 0)
    if not count:
        return ()
    bounds = (count - NEWEST_FACTS, count, item.incident_key)
    rows = execute(connection, _FACTS.format(placeholder(connection.dialect.name)), bounds).fetchall()
    return told([fact_of(FactRow(*row)) for row in rows])


def _report(
    item: Delivery,
    incident: _IncidentRow,
    presses: Sequence[_PressRow],
    *,
    position: _PositionRow | None,
    facts: tuple[Fact, ...],
    reports: Sequence[tuple[int, int, int]],
) -> Report:
    return Report(
        report_id=report_id(item.incident_id, item.sequence),
        kind=item.kind,
        incident_id=item.incident_id,
        sequence=item.sequence,
        earlier=_earlier(item, reports),
        sent_at=item.created_at,
        test=bool(incident.test),
        msisdn=Msisdn(incident.msisdn, is_e164=bool(incident.is_e164)),
        carrier=incident.carrier,
        source=incident.source,
        destination=incident.destination,
        opened_at=from_us(incident.opened_at),
        press_count=item.payload["presses"],
        last_press_at=from_us(max(row.received_at for row in presses)),
        texts=joined_texts(presses),
        position=None if position is None else position_of(position),
        labels=_labels(presses),
        close_reason=item.payload.get("close_reason"),
        facts=facts,
    )


def _labels(presses: Sequence[_PressRow]) -> tuple[str, ...]:
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


def position_of(row: Any) -> Position:
    """Give the domain's position of a row of the position table."""
    return Position(
        row.latitude,
        row.longitude,
        row.uncertainty_m,
        row.confidence,
        row.method,
        row.source,
        from_us(row.fixed_at),
        from_us(row.received_at),
    )


LONGEST_TEXTS = 20
"""Texts in one report: somebody who texts a hundred times has said what there is to say in the last twenty."""


def joined_texts(presses: Sequence[_PressRow]) -> tuple[str, ...]:
    """Give what the caller wrote, oldest first, the parts of a long SMS joined in their order.

    A part that has not come is shown as ``…``.
    """
    texts: list[str] = []
    long: dict[tuple[int, int], dict[int, str]] = {}
    places: dict[tuple[int, int], int] = {}
    for row in presses:
        if row.part_reference is None or row.part_total is None or row.part_number is None:
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
