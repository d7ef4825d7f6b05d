"""Runs the retention once from a terminal, and reports how every kind stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

import click

from telephony.cli.busy_store import in_turn
from telephony.cli.db import ready_engines
from telephony.cli.echo import echo
from telephony.cli.progress import bar
from telephony.cli.readable_store import reading_engine
from telephony.cli.recordings import destroy_over
from telephony.cli.times import clock_time

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from telephony.settings import Settings
    from telephony.store.retention.notes import LastRun, RetentionNotes
    from telephony.store.retention.runs import Done, Kind, Survey

FOLD_TRIES = 20


@dataclass(frozen=True)
class Standing:
    """How a kind stands, ready to be told."""

    kind: Kind
    survey: Survey
    last: LastRun | None
    now: datetime

    @property
    def late(self) -> int:
        """How many are overdue by more than one run."""
        return self.survey.late

    @property
    def plain(self) -> dict[str, Any]:
        """Return it as JSON can say it."""
        return {
            "kind": self.kind.name,
            "period_days": self.kind.period / timedelta(days=1),
            "kept": self.survey.kept,
            "oldest_days": self._oldest_days,
            "overdue": self.survey.overdue,
            "late": self.survey.late,
            "held": self.survey.held,
            "last_run": None if self.last is None else self.last.at.isoformat(timespec="seconds"),
            "last_deleted": None if self.last is None else self.last.deleted,
        }

    def in_words(self, zone: tzinfo) -> str:
        """Return it as a line."""
        period = self.kind.period / timedelta(days=1)
        oldest = "" if self._oldest_days is None else f", the oldest {self._oldest_days:.1f} days"
        held = f", {self.survey.held:,} held for 112" if self.survey.held else ""
        last = (
            "never run here"
            if self.last is None
            else f"last run {clock_time(self.last.at, zone)} deleted {self.last.deleted:,}"
        )
        verdict = f"{self.survey.overdue:,} overdue" + (" LATE" if self.survey.late else "")
        return f"{self.kind.name:<16} {period:>8g} days  {self.survey.kept:>10,} kept{oldest}; {verdict}{held}; {last}"

    @property
    def _oldest_days(self) -> float | None:
        if self.survey.since is None:
            return None
        return (self.now - self.survey.since) / timedelta(days=1)


def standing(settings: Settings) -> Iterator[Standing]:
    """Return how every kind stands; what is wrong with the keys becomes one line and exit code 1."""
    from telephony.domain.errors import OnetouchError  # noqa: PLC0415 - not needed for --help
    from telephony.services.retention import PEOPLE_RUNS  # noqa: PLC0415
    from telephony.store.retention.others import ConsentOver  # noqa: PLC0415

    now = datetime.now(UTC)
    run = timedelta(hours=settings.retention.every_h)
    kinds = _kinds(settings)
    notes = _notes(settings)
    with reading_engine(settings) as reading, bar("counting", len(kinds)) as advance:
        for done, kind in enumerate(kinds, 1):
            grace = run * PEOPLE_RUNS if isinstance(kind, ConsentOver) else run
            try:
                with reading.connect() as connection:
                    survey = kind.survey(connection, now, grace)
            except OnetouchError as error:
                raise click.ClickException(str(error)) from error
            advance(done)
            yield Standing(kind, survey, notes.last_run(kind.name), now)


def run_once(settings: Settings) -> None:
    """Delete data whose time is over, in the same small transactions as the daemon."""
    from telephony.domain.errors import OnetouchError  # noqa: PLC0415 - not needed for --help
    from telephony.store.people_erasing import fold_back  # noqa: PLC0415
    from telephony.store.recordings.register import forget_rows  # noqa: PLC0415
    from telephony.store.retention.runs import forget  # noqa: PLC0415

    now = datetime.now(UTC)
    notes = _notes(settings)
    with ready_engines(settings) as (writing, reading):
        deleted = 0
        try:
            for kind in _kinds(settings):
                done = _take(writing, reading, forget(kind, now))
                notes.ran(kind.name, now, done.deleted)
                deleted += done.deleted
            with reading.connect() as connection:
                gone = destroy_over(connection)
            if gone:
                in_turn(writing, lambda connection: forget_rows(connection, gone))
        except OnetouchError as error:
            raise click.ClickException(str(error)) from error
        if deleted:
            with writing.connect() as connection:
                if not any(fold_back(connection) for _ in range(FOLD_TRIES)):
                    echo(
                        "the store was busy: what was deleted may stand in its -wal file for a while",
                        err=True,
                    )


def _take(writing: Engine, reading: Engine, run: Any) -> Done:
    from telephony.store.retention.runs import Read, Write  # noqa: PLC0415 - not needed for --help

    result = None
    try:
        while True:
            step = run.send(result)
            result = None
            if isinstance(step, Write):
                result = in_turn(writing, step.work)
            elif isinstance(step, Read):
                with reading.connect() as connection:
                    result = step.work(connection)
    except StopIteration as end:
        done: Done = end.value
        return done


def _kinds(settings: Settings) -> list[Kind]:
    from telephony.settings.key_files import key_file_of  # noqa: PLC0415 - not needed for --help
    from telephony.store.people import Registry  # noqa: PLC0415
    from telephony.store.retention.kinds import found_at_closing, found_by_index, found_by_opening  # noqa: PLC0415

    registry = Registry(key_file_of(settings).ring, adult_age=settings.people.adult_age)
    periods = settings.retention
    return [*found_at_closing(periods), *found_by_index(periods), *found_by_opening(periods, registry)]


def _notes(settings: Settings) -> RetentionNotes:
    from telephony.store.retention.notes import NOTES_FILE, RetentionNotes  # noqa: PLC0415 - not needed for --help

    return RetentionNotes(settings.service.state_dir / NOTES_FILE)
