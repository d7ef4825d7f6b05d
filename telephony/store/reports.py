"""Reads the reports to 112 from the store: a delivery names how much of its incident its report tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Connection

from telephony.alphabets.joining import Piece, joined, messages_of
from telephony.alphabets.plausibility import REPLACEMENT
from telephony.domain.delivery import CLOSING, Delivery
from telephony.domain.errors import Malformed
from telephony.domain.facts import Fact, FactKind
from telephony.domain.position import Position
from telephony.domain.report import (
    EarlierReport,
    Report,
    ReportKind,
    UpdateReason,
    opening_report,
    report_id,
)
from telephony.domain.trigger import PARTLY_UNREADABLE_TEXT, PartKind
from telephony.store.bound import is_sound
from telephony.store.bulk import execute, placeholder, select_in, select_numbered
from telephony.store.callers import is_drill
from telephony.store.crypto import Damaged, KeyRing, KeysUnavailable
from telephony.store.fact_rows import NEWEST_FACTS, FactRow, fact_of, told
from telephony.store.sealed_rows import (
    unseal_close_reason,
    unseal_coordinates,
    unseal_incident,
    unseal_press,
)
from telephony.store.sealing import keys_of
from telephony.store.times import fix_time, from_us
from telephony.store.updates import ROLES, numbered, seen_again_us_in

log = structlog.get_logger()


class _IncidentRow(NamedTuple):
    key: int
    sealed: bytes
    carrier: str
    source: str
    opened_at: int
    test: bool
    close_reason: bytes | None
    id: str
    connector: str
    state: str
    closed_at: int | None
    silence_lifted_at: int | None
    caller: bytes
    bound: bytes | None


class PressRow(NamedTuple):
    """The columns that a report reads of a press."""

    incident_key: int
    number: int
    text: str | None
    part_kind: PartKind | None
    part_octets: bytes | None
    received_at: int
    part_reference: int | None
    part_total: int | None
    part_number: int | None
    labels: str | None
    encoding: str | None
    reference: bytes
    source: str
    bound: bytes | None


class PositionRow(NamedTuple):
    """The columns that a report reads of a position."""

    incident_key: int
    number: int
    sealed: bytes
    uncertainty_m: float | None
    confidence: float | None
    method: str
    source: str
    fixed_at: int
    received_at: int
    became_best: bool
    bound: bytes | None


_INCIDENTS = (
    "SELECT key, sealed, carrier, source, opened_at, test, close_reason, id, connector, state, closed_at,"
    " silence_lifted_at, caller, bound FROM incident WHERE key {}"
)
NEWEST_PRESSES = 40
"""Presses whose words a report carries: a key that is stuck for an hour must not make the reports heavy."""

PRESS_COLUMNS = (
    "SELECT incident_key, number, sealed, received_at, part_reference, part_total, part_number, labels, encoding,"
    " reference, source, bound FROM press"
)
_FIRST_PRESSES = (
    f"{PRESS_COLUMNS} WHERE number <= {NEWEST_PRESSES} AND incident_key {{}} ORDER BY incident_key, number"
)
_SOME_PRESSES = (
    f"{PRESS_COLUMNS} WHERE number > {{0}} AND number <= {{0}} AND incident_key = {{0}} ORDER BY number"
)
_POSITIONS = (
    "SELECT incident_key, number, sealed, uncertainty_m, confidence, method, source, fixed_at, received_at,"
    " became_best, bound FROM {} JOIN position ON position.incident_key = wanted.a AND position.number = wanted.b"
)
_FACTS = (
    "SELECT incident_key, number, kind, subject, at, sealed, bound FROM fact"
    f" WHERE number <= {{0}} AND incident_key = {{0}} AND kind <> '{FactKind.CENTRE_STATUS}'"
    f" ORDER BY number DESC LIMIT {NEWEST_FACTS}"
)
_REPORTS = (
    "SELECT DISTINCT incident_key, sequence, created_at FROM delivery WHERE sequence > 0 AND incident_key {}"
    " ORDER BY incident_key, sequence"
)


UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, Malformed)
"""The errors that reading a damaged row may raise: in SQLite a column can hold a value of any type and size."""


def text_of(value: Any) -> str:
    """Return a column that is to hold text. Raises `ValueError` for one that does not."""
    if isinstance(value, str):
        return value
    raise ValueError(f"{type(value).__name__} where a text belongs")


def is_test(value: Any, caller: str | None) -> bool:
    """Whether an incident is a drill: its sealed caller says so, and the column the same.

    Raises `ValueError` for a column that says another thing: an emergency is no drill by accident.
    """
    if value not in (0, 1):
        raise ValueError("neither a drill nor none")
    return is_drill(caller)


def load_reports(connection: Connection, deliveries: Sequence[Delivery]) -> list[Report | None]:
    """Return the report that each delivery stands for, as of the facts in its payload: every attempt says the same.

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
    wanted = {(item.incident_key, numbered(item.payload, role)) for item in deliveries for role in ROLES}
    positions = {
        (row[0], row[1]): PositionRow(*row) for row in select_numbered(connection, _POSITIONS, wanted)
    }
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
                positions={role: positions.get((key, numbered(item.payload, role))) for role in ROLES},
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
    return [press_row(ring, *row) for row in rows]


def press_row(ring: KeyRing, key: int, number: int, sealed: bytes, *rest: Any) -> PressRow:
    """Return what a report reads of a press, from its columns in the order of `PRESS_COLUMNS`; raises one of `UNREADABLE`."""
    came = unseal_press(ring, key, number, sealed)
    row = PressRow(key, number, came.text, came.part_kind, came.part_octets, *rest)
    if not is_sound(ring, "press", row):
        raise Damaged(f"press {key}.{number}: what is plain of it was changed")
    return row


def _facts_of(connection: Connection, ring: KeyRing, item: Delivery) -> tuple[Fact, ...]:
    count = item.payload.get("facts", 0)
    if not count:
        return ()
    bounds = (count, item.incident_key)
    rows = execute(connection, _FACTS.format(placeholder(connection.dialect.name)), bounds).fetchall()
    return told([fact_of(ring, FactRow(*row)) for row in reversed(rows)])


def _report(
    ring: KeyRing,
    item: Delivery,
    incident: _IncidentRow,
    presses: Sequence[PressRow],
    *,
    positions: Mapping[str, PositionRow | None],
    facts: tuple[Fact, ...],
    reports: Sequence[tuple[int, int, int]],
) -> Report:
    if not is_sound(ring, "incident", incident):
        raise Damaged(f"incident {incident.key}: what is plain of it was changed")
    who = unseal_incident(ring, incident.key, incident.sealed)
    is_closing = item.kind == CLOSING
    best = positions["position"]
    seen_again_us = seen_again_us_in(item.payload)
    texts = joined_texts(presses)
    opening = opening_report(
        item.incident_id,
        opened_at=from_us(incident.opened_at),
        test=is_test(incident.test, who.caller),
        msisdn=who.msisdn,
        carrier=text_of(incident.carrier),
        source=text_of(incident.source),
        destination=who.destination,
        texts=texts,
        labels=labels_of(presses, texts),
        facts=facts,
    )
    return replace(
        opening,
        report_id=report_id(item.incident_id, item.sequence),
        kind=ReportKind(str(item.kind)),
        sequence=item.sequence,
        earlier=_earlier(item, reports),
        sent_at=item.created_at,
        press_count=item.payload["presses"],
        last_press_at=from_us(max(row.received_at for row in presses)),
        position=None if best is None else position_of(ring, best),
        close_reason=unseal_close_reason(ring, incident.key, incident.close_reason) if is_closing else None,
        reasons=tuple(each for each in UpdateReason if each in item.payload.get("why", ())),
        newest=_legible(ring, positions["newest"]),
        sharpest=_legible(ring, positions["sharpest"]),
        seen_again_at=None if seen_again_us is None else from_us(seen_again_us),
    )


def _legible(ring: KeyRing, row: PositionRow | None) -> Position | None:
    """Return a position that stands beside the best one; a damaged one must not cost the report."""
    try:
        return None if row is None else position_of(ring, row)
    except Malformed as error:
        log.critical("position unreadable", error=str(error))
        return None


def labels_of(presses: Sequence[PressRow], texts: Sequence[str]) -> tuple[str, ...]:
    """Return every remark once, in the order in which they came up; the last is of parts that do not fit together."""
    labels = dict.fromkeys(label for row in presses if row.labels for label in row.labels.split("\n"))
    if len(presses) > len(texts) and any(REPLACEMENT in text for text in texts):
        labels[PARTLY_UNREADABLE_TEXT] = None
    return tuple(labels)


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
    """Return the domain's position of a row of the position table. Raises `Malformed` or `KeysUnavailable`."""
    if not is_sound(ring, "position", row):
        raise Damaged(f"position {row.incident_key}.{row.number}: what is plain of it was changed")
    latitude, longitude, altitude_m = unseal_coordinates(ring, row.incident_key, row.number, row.sealed)
    return Position(
        latitude,
        longitude,
        row.uncertainty_m,
        row.confidence,
        text_of(row.method),
        text_of(row.source),
        fix_time(row.fixed_at),
        from_us(row.received_at),
        altitude_m,
    )


MOST_PARTS = 255
"""Parts of a long SMS (3GPP TS 23.040 clause 9.2.3.24.1: one octet); a damaged row may say any number."""
LONGEST_TEXTS = 20
"""Texts in one report: somebody who texts a hundred times has said what there is to say in the last twenty."""


def joined_texts(presses: Sequence[PressRow]) -> tuple[str, ...]:
    """Return what the caller wrote, oldest first, the parts of a long SMS joined in their order.

    A part that has not come is shown as ``…``. References of different kinds never mix.
    """
    said = []
    parts: dict[tuple[Any, ...], list[tuple[int, Piece]]] = {}
    for place, row in enumerate(presses):
        if (
            row.part_reference is None
            or row.part_total is None
            or row.part_number is None
            or row.part_total > MOST_PARTS
        ):
            if row.text:
                said.append((place, row.text))
            continue
        piece = Piece(row.part_number, row.text, row.part_octets, row.encoding)
        parts.setdefault((row.part_kind, row.part_reference, row.part_total), []).append((place, piece))
    for (_, _, total), came in parts.items():
        for message in messages_of(piece for _, piece in came):
            first = min(place for place, piece in came if piece in message.values())
            said.append((first, joined(message, total)))
    said.sort(key=lambda text: text[0])
    return tuple(text for _, text in said[-LONGEST_TEXTS:])
