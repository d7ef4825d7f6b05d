"""The kinds of data that are kept, with the periods of the settings."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from telephony.store.people import Registry
from telephony.store.retention.at_closing import PositionsAtClosing
from telephony.store.retention.incidents import ClosedIncidents, Positions, Texts
from telephony.store.retention.others import AuditEntries, AwaitedReplies, ConsentOver, History, Locatings
from telephony.store.retention.recordings import Recordings
from telephony.store.retention.runs import Kind
from telephony.store.retention.withdrawn import WithdrawnFacts


class Periods(Protocol):
    """The table ``[retention]`` of the settings, in days."""

    @property
    def incident_days(self) -> float: ...  # noqa: D102 - see docs/configuration.md
    @property
    def position_days(self) -> float: ...  # noqa: D102
    @property
    def deletes_positions_at_closing(self) -> bool: ...  # noqa: D102
    @property
    def text_days(self) -> float: ...  # noqa: D102
    @property
    def history_days(self) -> float: ...  # noqa: D102
    @property
    def consent_ended_days(self) -> float: ...  # noqa: D102
    @property
    def locating_days(self) -> float: ...  # noqa: D102
    @property
    def recording_days(self) -> float: ...  # noqa: D102
    @property
    def audit_days(self) -> float: ...  # noqa: D102


def found_at_closing(periods: Periods) -> list[Kind]:
    """Return the kinds that go as soon as an incident is closed: gone through every few seconds."""
    return [PositionsAtClosing()] if periods.deletes_positions_at_closing else []


def found_by_index(periods: Periods) -> list[Kind]:
    """Return the kinds that cost little to find: gone through in every run."""
    in_time: list[Kind] = [Positions(timedelta(days=periods.position_days))]
    return [
        Texts(timedelta(days=periods.text_days)),
        *([] if periods.deletes_positions_at_closing else in_time),
        WithdrawnFacts(),
        ClosedIncidents(timedelta(days=periods.incident_days)),
        History(timedelta(days=periods.history_days)),
        AwaitedReplies(),
        Locatings(timedelta(days=periods.locating_days)),
        Recordings(timedelta(days=periods.recording_days)),
        AuditEntries(timedelta(days=periods.audit_days)),
    ]


def found_by_opening(periods: Periods, registry: Registry) -> list[Kind]:
    """Return the kind for which every row is opened: gone through about once a day."""
    return [ConsentOver(registry, timedelta(days=periods.consent_ended_days))]
