"""Reads an incident for an operator to read out to 112 on the telephone when no report reaches it.

Damage costs no more than the damaged row: an incident whose report cannot be made is told from the rows that can be read,
and in the end from its own row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, exists, select, text, union
from sqlalchemy.exc import SQLAlchemyError

from telephony.domain.delivery import DELIVERED, PENDING, Delivery
from telephony.domain.errors import OnetouchError
from telephony.domain.facts import Fact, ToldByVoiceFact
from telephony.domain.incident import CLOSED
from telephony.domain.plan import Plan
from telephony.domain.position import Position
from telephony.domain.report import UNREADABLE_NUMBER, Report, ReportKind, report_id
from telephony.domain.values import Msisdn
from telephony.store.bound import believed
from telephony.store.fact_rows import told
from telephony.store.facts import append_facts
from telephony.store.incident_rows import incident_to_change
from telephony.store.incidents import Happened, story
from telephony.store.reports import load_what_can_be_read
from telephony.store.schema import delivery, incident
from telephony.store.sealed_rows import unseal_incident
from telephony.store.sealing import keys_of
from telephony.store.times import from_us

log = structlog.get_logger()

T = TypeVar("T")

_REPORTED = exists().where(
    delivery.c.incident_key == incident.c.key, delivery.c.sequence > 0, delivery.c.state == DELIVERED
)
_OWED = exists().where(
    delivery.c.incident_key == incident.c.key, delivery.c.sequence > 0, delivery.c.state == PENDING
)
_CANDIDATES = union(
    # In these words SQLite sees that its indices of open incidents and pending deliveries will do.
    select(incident.c.key).where(text(f"incident.state <> '{CLOSED}'")),
    select(delivery.c.incident_key).where(text(f"delivery.state = '{PENDING}'"), delivery.c.sequence > 0),
)


@dataclass(frozen=True, slots=True)
class ReadOut:
    """An incident as it is now.

    ``is_reported``: 112 has acknowledged a report of it on some channel; ``is_owed``: and has not acknowledged another.
    ``is_damaged``: some of it could not be read and is not here. The `Report` says what 112 would be told now.
    """

    report: Report
    is_closed: bool
    is_reported: bool
    is_owed: bool
    is_damaged: bool

    @property
    def by_voice(self) -> ToldByVoiceFact | None:
        """When somebody last read it out to 112, and who."""
        return next((fact for fact in self.report.facts if isinstance(fact, ToldByVoiceFact)), None)

    @property
    def has_news(self) -> bool:
        """Whether it was pressed again, or found elsewhere, since somebody read it out."""
        position, by_voice = self.report.position, self.by_voice
        newest = (
            self.report.last_press_at
            if position is None
            else max(self.report.last_press_at, position.received_at)
        )
        return by_voice is None or newest > by_voice.at


def unreported(connection: Connection, *, and_all_open: bool = False) -> list[str]:
    """Return the ids of incidents that 112 has acknowledged no report of: emergencies before drills, oldest first.

    Closed ones too, while a report is owed. ``and_all_open`` adds every open incident that 112 knows of.
    """
    query = select(incident.c.id).where(incident.c.key.in_(_CANDIDATES))
    if not and_all_open:
        query = query.where(~_REPORTED)
    return list(connection.execute(query.order_by(incident.c.test, incident.c.opened_at)).scalars())


def read_out(connection: Connection, incident_id: str, now: datetime) -> ReadOut | None:
    """Return an incident as it is now; ``None`` where there is none of that id.

    Raises `SQLAlchemyError` where its own row cannot be read.
    """
    found = connection.execute(
        select(incident, _REPORTED.label("is_reported"), _OWED.label("is_owed")).where(
            incident.c.id == incident_id
        )
    ).one_or_none()
    if found is None:
        return None
    row = believed(keys_of(connection), found)
    kind = ReportKind.CLOSING if row.state == CLOSED else ReportKind.UPDATE
    report = _legible(connection, lambda: _as_112_would_get_it(connection, row, kind, now))
    is_damaged = report is None
    report = report or _legible(connection, lambda: _from_what_is_legible(connection, row, kind, now))
    return ReadOut(
        report or _from_its_own_row(connection, row, kind, now),
        row.state == CLOSED,
        bool(row.is_reported),
        bool(row.is_owed),
        is_damaged,
    )


def record_told_by_voice(  # noqa: PLR0917 - as its neighbours that are handed over by position
    connection: Connection, plan: Plan, incident_id: str, by: str, why: str, now: datetime
) -> bool:
    """Keep that somebody has read an incident out to 112; False for an unknown one.

    Its reports stay owed: 112 gets all of them when it can be reached again, and reads in them that it was told. 112
    reads the time in the zone of ``now``.
    """
    row = incident_to_change(connection, incident_id)
    if row is None:
        return False
    append_facts(
        connection,
        plan,
        row,
        [ToldByVoiceFact(now.astimezone(UTC), by, why, now.replace(microsecond=0))],
    )
    return True


def _as_112_would_get_it(connection: Connection, row: Any, kind: ReportKind, now: datetime) -> Report | None:
    known = {"presses": row.press_count, "facts": row.fact_count}
    if row.best_position is not None:
        known["position"] = row.best_position
    asked = Delivery(row.key, row.id, "", row.last_sequence + 1, kind, known, now)
    [report] = load_what_can_be_read(connection, [asked])
    return report if isinstance(report, Report) else None


def _from_what_is_legible(connection: Connection, row: Any, kind: ReportKind, now: datetime) -> Report | None:
    known = story(connection, row.id)
    if known is None:
        return None
    lines = known.lines
    texts = [line.facts["text"] for line in lines if line.kind is Happened.PRESS and line.facts["text"]]
    best = [line.position for line in lines if line.position is not None and line.facts["became_best"]]
    return _report(
        row,
        kind,
        now,
        known.incident.msisdn,
        texts=tuple(texts),
        position=best[-1] if best else None,
        facts=told([line.known for line in lines if line.known is not None]),
    )


def _from_its_own_row(connection: Connection, row: Any, kind: ReportKind, now: datetime) -> Report:
    who = _legible(connection, lambda: unseal_incident(keys_of(connection), row.key, row.sealed))
    return _report(row, kind, now, None if who is None else who.msisdn)


def _report(
    row: Any,
    kind: ReportKind,
    now: datetime,
    msisdn: Msisdn | None,
    *,
    texts: tuple[str, ...] = (),
    position: Position | None = None,
    facts: tuple[Fact, ...] = (),
) -> Report:
    return Report(
        report_id=report_id(row.id, row.last_sequence + 1),
        kind=kind,
        incident_id=row.id,
        sequence=row.last_sequence + 1,
        earlier=(),
        sent_at=now,
        test=bool(row.test),
        msisdn=UNREADABLE_NUMBER if msisdn is None else msisdn,
        carrier=row.carrier,
        source=row.source,
        destination="",
        opened_at=from_us(row.opened_at),
        press_count=row.press_count,
        last_press_at=from_us(row.last_press_at),
        texts=texts,
        position=position,
        facts=facts,
    )


def _legible(connection: Connection, read: Callable[[], T]) -> T | None:
    """Return the value that was read, ``None`` where rows are damaged, their key is not here, or the disk gives none."""
    driver: Any = connection.dialect.loaded_dbapi
    try:
        return read()
    except (OnetouchError, SQLAlchemyError, driver.Error, LookupError, ValueError, TypeError) as error:
        log.critical("row unreadable", error=str(getattr(error, "orig", None) or error))
        connection.rollback()
        return None
