"""Makes the report of an incident whose rows are damaged: each part is read on its own, and lost parts are named.

Reports of sound rows are made in `telephony.store.reports`. Here nothing is believed: in SQLite a damaged column holds a value
of any type and size, a row may be gone, and still somebody has pressed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import structlog
from sqlalchemy import Connection

from telephony.domain.delivery import ALERT, CLOSING, Delivery
from telephony.domain.facts import Fact, FactKind
from telephony.domain.position import Position
from telephony.domain.report import (
    DETAILS_LOST,
    NUMBER_LOST,
    UNREADABLE_NUMBER,
    EarlierReport,
    Part,
    Report,
    ReportKind,
    UpdateReason,
    report_id,
)
from telephony.store.bound import is_sound
from telephony.store.bulk import execute, placeholder
from telephony.store.crypto import KeyRing, KeysUnavailable
from telephony.store.fact_rows import NEWEST_FACTS, FactRow, fact_of, told
from telephony.store.presses import NODE_BITS
from telephony.store.reports import (
    MOST_REFERENCES,
    NEWEST_PRESSES,
    PRESS_COLUMNS,
    UNREADABLE,
    PositionRow,
    PressRow,
    is_test,
    joined_texts,
    labels_of,
    position_of,
    press_row,
    text_of,
)
from telephony.store.sealed_rows import unseal_close_reason, unseal_incident
from telephony.store.sealing import keys_of
from telephony.store.times import from_us

log = structlog.get_logger()

T = TypeVar("T")

LARGEST_COUNT = 1_000_000
"""Presses, facts, positions or reports of one incident: a row that says more is damaged."""

_INCIDENT = (
    "SELECT key, id, carrier, connector, source, state, test, opened_at, closed_at, silence_lifted_at, caller,"
    " bound, sealed, close_reason FROM incident WHERE key = {0}"
)
_PRESSES = f"{PRESS_COLUMNS} WHERE incident_key = {{0}} AND number <= {{0}} ORDER BY number DESC LIMIT {NEWEST_PRESSES}"
POSITIONS_TRIED = 20
_POSITIONS = (
    "SELECT incident_key, number, sealed, uncertainty_m, confidence, method, source, fixed_at, received_at,"
    " became_best, bound FROM position WHERE became_best AND incident_key = {0} AND number <= {0}"
    f" ORDER BY number DESC LIMIT {POSITIONS_TRIED}"
)
_FACTS = (
    "SELECT incident_key, number, kind, subject, at, sealed, bound FROM fact"
    f" WHERE incident_key = {{0}} AND number <= {{0}} AND kind <> '{FactKind.CENTRE_STATUS}'"
    f" ORDER BY number DESC LIMIT {NEWEST_FACTS}"
)
_REPORTS = (
    "SELECT DISTINCT sequence, created_at FROM delivery WHERE incident_key = {0} AND sequence > 0 AND sequence < {0}"
    " ORDER BY sequence"
)


class _IncidentRow(NamedTuple):
    """The columns that are read of an incident, each of which may hold a value of any type."""

    key: Any
    id: Any
    carrier: Any
    connector: Any
    source: Any
    state: Any
    test: Any
    opened_at: Any
    closed_at: Any
    silence_lifted_at: Any
    caller: Any
    bound: Any
    sealed: Any
    close_reason: Any


_NO_INCIDENT = _IncidentRow(*[None] * len(_IncidentRow._fields))


def is_count(value: Any) -> bool:
    """Whether a value can be the number of a row, or a count of rows."""
    return type(value) is int and 0 < value <= LARGEST_COUNT


def sequence_of(item: Delivery) -> int:
    """Return the number of a report: that of its delivery, or the last one that its kind can have."""
    if is_count(item.sequence):
        return item.sequence
    return 1 if item.kind == ALERT else LARGEST_COUNT


def time_of_key(key: Any) -> datetime:
    """Return when an incident was opened, as its key has it. Raises one of `UNREADABLE` for what is no key."""
    return from_us(key >> NODE_BITS)


def what_is_left(
    connection: Connection, item: Delivery, lost: Sequence[Part] = ()
) -> Report | KeysUnavailable:
    """Return the report that a delivery stands for as far as its rows can be read; ``lost`` names the parts lost already.

    An error stands for one of which everything is sealed under a key that is not here: it is whole, and waits. Where
    anything can be opened, an unknown key is damage too: what belongs together was sealed together.
    """
    reading = _Reading(connection, item, lost)
    report = reading.report()
    if reading.missing is not None and not reading.opened:
        return reading.missing
    log.critical(
        "report partly unreadable",
        incident=item.incident_id,
        sequence=sequence_of(item),
        lost=" ".join(report.unread),
    )
    return report


class _Reading:
    """One report, read part by part."""

    def __init__(self, connection: Connection, item: Delivery, lost: Sequence[Part]) -> None:
        self._connection = connection
        self._ring: KeyRing = keys_of(connection)
        self._item = item
        self._lost = dict.fromkeys(lost)
        self._press_count = 1
        self.missing: KeysUnavailable | None = None
        self.opened = 0
        """Sealed values that could be opened."""

    def report(self) -> Report:
        item, ring = self._item, self._ring
        rows = self._rows(_INCIDENT)
        row = _IncidentRow(*rows[0]) if rows else _NO_INCIDENT
        is_whole = bool(rows) and is_sound(ring, "incident", row)
        if not is_whole:
            self._lost[Part.INCIDENT] = None
        who = self._opened(Part.NUMBER, lambda: unseal_incident(ring, item.incident_key, row.sealed))
        caller = None if who is None else who.caller
        opened_at = (
            self._part(Part.INCIDENT, lambda: from_us(row.opened_at) if is_whole else None)
            or self._part(Part.INCIDENT, lambda: time_of_key(item.incident_key))
            or item.created_at
        )
        presses = self._presses()
        texts = self._part(Part.PRESSES, lambda: joined_texts(presses)) or ()
        position, facts = self._position(), self._facts()
        reason = None
        if item.kind == CLOSING:
            reason = self._opened(
                Part.CLOSE_REASON, lambda: unseal_close_reason(ring, item.incident_key, row.close_reason)
            )
        return Report(
            report_id=report_id(item.incident_id, sequence_of(item)),
            kind=item.kind if isinstance(item.kind, ReportKind) else ReportKind.UPDATE,
            incident_id=item.incident_id,
            sequence=sequence_of(item),
            earlier=self._earlier(),
            sent_at=item.created_at,
            # A possible emergency is never told as a drill.
            test=bool(self._part(Part.INCIDENT, lambda: is_test(row.test, caller))),
            msisdn=UNREADABLE_NUMBER if who is None else who.msisdn,
            carrier=self._part(Part.INCIDENT, lambda: text_of(row.carrier)) or "?",
            source=self._part(Part.INCIDENT, lambda: text_of(row.source)) or "?",
            destination="?" if who is None else who.destination,
            opened_at=opened_at,
            press_count=self._press_count,
            last_press_at=max((from_us(row.received_at) for row in presses), default=opened_at),
            texts=texts,
            position=position,
            labels=(*(self._part(Part.PRESSES, lambda: labels_of(presses, texts)) or ()), *self._remarks()),
            close_reason=reason,
            facts=facts,
            reasons=tuple(each for each in UpdateReason if each in item.payload.get("why", ())),
            unread=tuple(self._lost),
        )

    def _presses(self) -> list[PressRow]:
        wanted = self._item.payload.get("presses")
        rows = self._rows(_PRESSES, wanted or LARGEST_COUNT)
        last: Any = rows[0][1] if rows else None
        if last is None or last != (wanted or last):
            self._lost[Part.PRESSES] = None
        self._press_count = int(last) if is_count(last) else wanted or 1
        read = [
            self._opened(Part.PRESSES, lambda row=row: self._press(*row))  # type: ignore[misc]
            for row in reversed(rows)
        ]
        return [row for row in read if row is not None]

    def _press(self, key: int, number: int, sealed: bytes, *rest: Any) -> PressRow:
        row = press_row(self._ring, key, number, sealed, *rest)
        # Each by itself, so that a fault in one does not cost the others.
        from_us(row.received_at)
        joined_texts([row])
        labels_of([row], ())
        return row

    def _position(self) -> Position | None:
        wanted = self._item.payload.get("position")
        if wanted is None and Part.DELIVERY not in self._lost:
            return None
        rows = [PositionRow(*row) for row in self._rows(_POSITIONS, wanted or LARGEST_COUNT)]
        if wanted is not None and (not rows or rows[0].number != wanted):
            self._lost[Part.POSITION] = None
        for row in rows:
            found = self._opened(Part.POSITION, lambda row=row: position_of(self._ring, row))  # type: ignore[misc]
            if found is not None:
                return found
        return None

    def _facts(self) -> tuple[Fact, ...]:
        wanted = self._item.payload.get("facts")
        if wanted is None and Part.DELIVERY not in self._lost:
            return ()
        rows = self._rows(_FACTS, wanted or LARGEST_COUNT)
        read = [
            self._opened(Part.FACTS, lambda row=row: fact_of(self._ring, FactRow(*row)))  # type: ignore[misc]
            for row in reversed(rows)
        ]
        return told([known for known in read if known is not None])

    def _earlier(self) -> tuple[EarlierReport, ...]:
        if self._item.kind == ALERT:
            return ()
        read = [
            self._part(Part.EARLIER, lambda row=row: self._earlier_one(*row))  # type: ignore[misc]
            for row in self._rows(_REPORTS, sequence_of(self._item))
        ]
        earlier = [each for each in read if each is not None]
        return (*earlier[:1], *earlier[1:][-(MOST_REFERENCES - 1) :])

    def _earlier_one(self, sequence: Any, created_at: Any) -> EarlierReport:
        if not is_count(sequence):
            raise ValueError("no number of a report")
        return EarlierReport(report_id(self._item.incident_id, sequence), from_us(created_at))

    def _remarks(self) -> list[str]:
        remarks = [NUMBER_LOST] if Part.NUMBER in self._lost else []
        return [*remarks, DETAILS_LOST] if set(self._lost) - {Part.NUMBER} else remarks

    def _rows(self, statement: str, *numbers: int) -> list[Any]:
        key = self._item.incident_key
        if type(key) is not int:
            return []
        mark = placeholder(self._connection.dialect.name)
        found: list[Any] = execute(self._connection, statement.format(mark), (key, *numbers)).fetchall()
        return found

    def _opened(self, part: Part, read: Callable[[], T]) -> T | None:
        """Open a sealed value."""
        try:
            found = read()
        except KeysUnavailable as error:
            self.missing = error
        except UNREADABLE as error:
            log.warning(
                "row unreadable", incident=self._item.incident_id, part=part.value, error=type(error).__name__
            )
        else:
            self.opened += 1
            return found
        self._lost[part] = None
        return None

    def _part(self, part: Part, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except UNREADABLE as error:
            log.warning(
                "row unreadable", incident=self._item.incident_id, part=part.value, error=type(error).__name__
            )
        self._lost[part] = None
        return None
