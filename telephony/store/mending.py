"""Mends the outbox: finds rows that no claim would find, because their columns are damaged, and makes good for them.

A report is found by its channel, state and times, and known by its incident and sequence. Where any of these is damaged
the report stands in the store and is never sent. Nothing is guessed about it: what its incident owes 112 is written
down again, and 112 discards what it has already by the report's id.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from telephony.domain.delivery import (
    ALERT,
    CLOSING,
    DELIVERED,
    LOCATE,
    PENDING,
    REJECTED,
    REPORTS,
    SUPERSEDED,
    TRACK,
    UPDATE,
)
from telephony.domain.incident import CLOSED
from telephony.domain.plan import Plan, locating_channel, tracking_channel
from telephony.store.bulk import execute, placeholder
from telephony.store.due_rows import KEY_IS_SOUND
from telephony.store.locks import lock_incidents, lock_pending
from telephony.store.outbox.repairing import Condition, give_a_state, make_due, move, set_aside
from telephony.store.outbox.writing import enqueue, new_row
from telephony.store.presses import NODE_BITS
from telephony.store.putting_right import Changed, find_changed, put_right
from telephony.store.remains import LARGEST_COUNT, is_count
from telephony.store.sealing import keys_of
from telephony.store.times import seconds_to_us
from telephony.store.updates import Beside, News, plan_updates

LONGEST_WAIT_S = 86_400.0
"""No delivery is due later than this, nor leased for longer: what says so is damaged. A report waits for its turn only."""
COUNTS = (
    ("press_count", "press", "number", 1),
    ("last_sequence", "delivery", "sequence", 1),
    ("fact_count", "fact", "number", 0),
    ("position_count", "position", "number", 0),
)
"""What an incident counts, the rows that are counted (the next one gets the next number), and the least that is right."""
SOON_S = 60.0
"""A report that is due by then on some channel is on its way; a fallback alone, which waits for longer, is not."""
MOST_AT_ONCE = 500
"""Incidents and errands mended in one transaction; the rest in the next."""

_STATES = ", ".join(f"'{state}'" for state in (PENDING, DELIVERED, REJECTED, SUPERSEDED))
_REPORTS = ", ".join(f"'{kind}'" for kind in sorted(REPORTS))
_TOLD = f"{_REPORTS}, '{LOCATE}', '{TRACK}'"


@dataclass(frozen=True, slots=True)
class Mended:
    """The number of rows that were found and made good; ``incidents`` are those of which 112 is told again."""

    times: int = 0
    states: int = 0
    keys: int = 0
    channels: int = 0
    counts: int = 0
    changed: int = 0
    """Rows that another hand had changed, which are on the safe side now."""
    incidents: tuple[str, ...] = ()

    @property
    def is_nothing(self) -> bool:
        """Whether all was well."""
        return self == Mended()


class Mending:
    """The search for rows that would never be sent; ``channels`` are those of which this service has a loop."""

    def __init__(self, plan: Plan, channels: Collection[str]) -> None:
        self._plan = plan
        self._channels = sorted(channels)
        routes = [*plan.everywhere_else, *(route for each in plan.by_carrier.values() for route in each)]
        self._slowest_s = max(route.after_s for route in routes)

    def finds(self, connection: Connection, now: float, since: float) -> bool:
        """Whether anything is to be mended among incidents opened since then (Unix times); only reads."""
        search = _Search(connection, self._channels, now, since, self._slowest_s)
        return any(
            search.rows(f"SELECT 1 FROM delivery WHERE {where} LIMIT 1", values)
            for where, values in (search.times, search.states, search.keys, search.strays)
        ) or bool(search.wrong_counts() or search.owing() or any(search.changed()))

    def mend(self, connection: Connection, now: float, since: float) -> Mended:
        """Mend the rows that are found, in one transaction."""
        search = _Search(connection, self._channels, now, since, self._slowest_s)
        mark, at = search.mark, seconds_to_us(now)
        # No incident lacks a report afterwards that does not lack it now.
        changed = search.changed()
        concerned = {row[0] for row in (*search.owing(), *search.wrong_counts(), *changed.reports)}
        lock_incidents(connection, concerned.union(changed.incidents))
        lock_pending(connection, concerned)
        put = put_right(connection, search.changed(), at)
        times = make_due(connection, search.times, at)
        states = give_a_state(connection, search.states, at)
        keys = set_aside(connection, search.keys, at)
        channels = self._moved(search, connection, at)
        counts = search.wrong_counts()
        for key, column, counted, number, least in counts:
            execute(
                connection,
                f"UPDATE incident SET {column} = coalesce((SELECT max({number}) FROM {counted} WHERE incident_key = {mark}"
                f" AND {number} BETWEEN 0 AND {LARGEST_COUNT}), {least}) WHERE key = {mark}",
                (key, key),
            )
        told = [row for row in search.owing() if self._tell(search, connection, row, at)]
        return Mended(times, states, keys, channels, len(counts), put, tuple(str(row[1]) for row in told))

    def _tell(self, search: _Search, connection: Connection, row: Any, at: int) -> bool:
        """Write down again the report that an incident lacks: the alert, or one that says everything it has."""
        key, _, carrier, state, is_test, presses, position, facts, last, has_alert = row
        known = News(
            key,
            str(carrier),
            last if is_count(last) else 1,
            at,
            presses if is_count(presses) else 1,
            position if is_count(position) else None,
            facts if is_count(facts) else 0,
            (),
            CLOSING if state == CLOSED else UPDATE,
        )
        if has_alert:
            plan_updates(connection, self._plan, [known])
            return True
        taken = search.channels_of(key, 1)
        ring = keys_of(connection)
        rows = [
            new_row(
                ring,
                key,
                route.channel,
                1,
                ALERT,
                known.payload(Beside()),
                at,
                at + seconds_to_us(route.after_s),
            )
            for route in self._plan.reports(str(carrier))
            if route.channel not in taken and not (is_test == 1 and route.alerts_only)
        ]
        enqueue(connection, rows)
        return bool(rows)

    def _moved(self, search: _Search, connection: Connection, at: int) -> int:
        """Move deliveries that are owed on a channel that is none of ours to one on which their incident lacks them; set the rest aside."""
        changed = 0
        for key, sequence, kind, carrier in search.stray_rows():
            taken = search.channels_of(key, sequence)
            to = next((each for each in self._channels_for(kind, str(carrier)) if each not in taken), None)
            where, values = search.strays
            found = (
                f"{where} AND incident_key = {search.mark} AND sequence = {search.mark}",
                (*values, key, sequence),
            )
            if to is not None:
                changed += move(connection, found, to, at)
            elif kind in REPORTS:
                changed += set_aside(connection, found, at)
        return changed

    def _channels_for(self, kind: str, carrier: str) -> list[str]:
        if kind not in REPORTS:
            channel = locating_channel(carrier) if kind == LOCATE else tracking_channel(carrier)
            return [channel] if channel in self._channels else []
        return [
            route.channel
            for route in self._plan.reports(carrier)
            if route.channel in self._channels and not route.alerts_only
        ]


class _Search:
    """The search, as conditions on the delivery table."""

    def __init__(
        self, connection: Connection, channels: Collection[str], now: float, since: float, slowest_s: float
    ) -> None:
        self._connection = connection
        self.mark = mark = placeholder(connection.dialect.name)
        latest, first = seconds_to_us(now + LONGEST_WAIT_S), seconds_to_us(since) << NODE_BITS
        self._first = first
        self._soon = seconds_to_us(now + SOON_S)
        self._channels = tuple(channels)
        known = ", ".join([mark] * len(self._channels))
        self._is_known = f"channel IN ({known})"
        # In SQLite any text and any octets are greater than every number.
        too_late = f"due_at > {mark} OR lease_until > {mark} OR (due_at > {mark} AND kind IN ({_REPORTS}))"
        self.times: Condition = (
            f"state = '{PENDING}' AND ({too_late})",
            (latest, latest, seconds_to_us(now + slowest_s + SOON_S)),
        )
        self.states: Condition = (f"incident_key >= {mark} AND state NOT IN ({_STATES})", (first,))
        self.keys: Condition = (
            f"state = '{PENDING}' AND NOT ({KEY_IS_SOUND.format('')})",
            (),
        )
        self.strays: Condition = (
            f"state = '{PENDING}' AND kind IN ({_TOLD}) AND incident_key >= {mark} AND channel NOT IN ({known})",
            (first, *self._channels),
        )

    def rows(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        found: list[Any] = execute(self._connection, statement, values).fetchall()
        return found

    def owing(self) -> list[Any]:
        """Return the incidents whose alert or newest report no row stands for that is settled or can be claimed."""

        def stands(sequence: str) -> str:
            return (
                "EXISTS (SELECT 1 FROM delivery d WHERE d.incident_key = i.key"
                f" AND d.sequence = {sequence} AND d.state IN ({_STATES})"
                f" AND (d.state <> '{PENDING}' OR (d.due_at <= {self.mark} AND d.{self._is_known})))"
            )

        statement = (
            "SELECT i.key, i.id, i.carrier, i.state, i.test, i.press_count, i.best_position, i.fact_count,"
            f" i.last_sequence, {stands('1')} FROM incident i WHERE i.key >= {self.mark}"
            f" AND NOT ({stands('1')} AND {stands('i.last_sequence')}) LIMIT {MOST_AT_ONCE}"
        )
        known = (self._soon, *self._channels)
        return self.rows(statement, (*known, self._first, *known, *known))

    def wrong_counts(self) -> list[Any]:
        """Return the counts to make again: those that are no number, or less than a report's number."""
        found = []
        for column, counted, number, least in COUNTS:
            too_low = ""
            if counted == "delivery":
                too_low = (
                    " OR EXISTS (SELECT 1 FROM delivery d WHERE d.incident_key = i.key"
                    f" AND d.sequence > i.last_sequence AND d.sequence <= {LARGEST_COUNT})"
                )
            statement = (
                f"SELECT i.key FROM incident i WHERE i.key >= {self.mark}"
                f" AND (NOT i.{column} BETWEEN {least} AND {LARGEST_COUNT}{too_low}) LIMIT {MOST_AT_ONCE}"
            )
            found += [
                (row[0], column, counted, number, least) for row in self.rows(statement, (self._first,))
            ]
        return found

    def changed(self) -> Changed:
        """Return what another hand has changed of the newest incidents, and of their reports."""
        return find_changed(self._connection, self._channels, self._first)

    def stray_rows(self) -> list[Any]:
        """Return incident, sequence, kind and carrier of deliveries that are owed on channels that are none of ours."""
        where, values = self.strays
        statement = (
            "SELECT d.incident_key, d.sequence, d.kind, i.carrier FROM (SELECT incident_key, sequence, kind FROM delivery"
            f" WHERE {where} LIMIT {MOST_AT_ONCE}) d LEFT JOIN incident i ON i.key = d.incident_key"
        )
        return self.rows(statement, values)

    def channels_of(self, key: int, sequence: int) -> set[str]:
        """Return the channels on which an incident has a row of this sequence."""
        statement = (
            f"SELECT channel FROM delivery WHERE incident_key = {self.mark} AND sequence = {self.mark}"
        )
        return {row[0] for row in self.rows(statement, (key, sequence))}
