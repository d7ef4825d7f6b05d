"""Imports a file of people: rows in batches, a progress bar, and what is wrong with rows told with what to write instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from telephony.cli.echo import echo
from telephony.cli.people_import_report import Changed, Faults
from telephony.cli.people_import_words import passed_over
from telephony.cli.progress import bar
from telephony.domain.people.person import Language
from telephony.domain.people.problems import Fault
from telephony.store.import_undo import MOST_ROWS, forget, note

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from telephony.cli.registry import OpenRegistry
    from telephony.people_files.reading import EnrolmentFile, Entry
    from telephony.store.people import Enrolled

BATCH = 200
"""Rows in one transaction: some 15 ms, for which a press may have to wait."""
FOLD_EVERY = 50
"""Batches."""


@dataclass
class Tally:
    """Counts the outcomes of the rows."""

    outcomes: dict[str, int] = field(default_factory=lambda: {"added": 0, "changed": 0, "unchanged": 0})
    bad: int = 0
    undoable: int = 0
    """Rows that can be undone; 0 also where there were too many."""

    @property
    def written(self) -> int:
        """Rows that changed something."""
        return self.outcomes["added"] + self.outcomes["changed"]


@dataclass(frozen=True)
class Run:
    """How a file is imported: into what, in whose language, and where the bad rows go."""

    to: OpenRegistry
    language: Language
    report: Path | None
    is_dry_run: bool
    name: str
    """By which it can be undone."""


def run_import(file: EnrolmentFile, run: Run) -> Tally:
    """Import a file. What is committed stays when this is killed; a second run finds it unchanged.

    Faults, and in a dry run changes, are told on standard error when it ends, be it by a fault of the file. Raises
    `Unusable` where the file turns out to be damaged further on, `FileExistsError` for a report that exists.
    """
    tally, faults, changed = Tally(), Faults(file.heading, run.language), Changed(run.language)
    with ExitStack() as stack:
        stack.callback(_tell, file, faults, changed, run.language)
        write = stack.enter_context(_bad_rows(file, run))
        advance = stack.enter_context(bar("dry run" if run.is_dry_run else "importing", file.size))
        for batches, entries in enumerate(_batches(file.entries()), 1):
            results = iter(_enrol(run, entries, tally))
            for entry in entries:
                found = entry.faults
                if entry.draft is not None:
                    result = next(results)
                    if isinstance(result.outcome, Fault):
                        found = (result.outcome,)
                    else:
                        tally.outcomes[result.outcome.value] += 1
                    if run.is_dry_run and result.outcome == "changed" and result.before and result.after:
                        changed.add(entry.row.line, result.before, result.after)
                if found:
                    tally.bad += 1
                    faults.add(entry.row.line, found)
                    write(entry, found)
            advance(entries[-1].row.read)
            if batches % FOLD_EVERY == 0 and not run.is_dry_run:
                run.to.fold_back()
    if not run.is_dry_run:
        run.to.fold_back()
    return tally


def _tell(file: EnrolmentFile, faults: Faults, changed: Changed, language: Language) -> None:
    for line in (*passed_over(file.passed_over, language), *changed.told(), *faults.told()):
        echo(line, err=True)


def _enrol(run: Run, entries: list[Entry], tally: Tally) -> list[Enrolled]:
    """Enrol a batch; what it changed can be undone, as long as the import is not too large."""
    now, to = datetime.now(UTC), run.to
    drafts = [entry.draft for entry in entries if entry.draft is not None]
    lines = [entry.row.line for entry in entries if entry.draft is not None]
    if run.is_dry_run:
        with to.reading.connect() as connection:
            return to.registry.enrolled(connection, drafts, now, is_dry_run=True)
    is_undoable = tally.written <= MOST_ROWS

    def write(connection: Connection) -> tuple[list[Enrolled], int]:
        enrolled = to.registry.enrolled(connection, drafts, now)
        if not is_undoable:
            return enrolled, 0
        return enrolled, note(connection, run.name, zip(lines, enrolled, strict=True), now)

    enrolled, noted = to.write(write)
    tally.undoable += noted
    if is_undoable and tally.undoable > MOST_ROWS:
        to.write(lambda connection: forget(connection, run.name))
        tally.undoable = 0
    return enrolled


def _batches(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    for entry in entries:
        batch.append(entry)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


@contextmanager
def _bad_rows(file: EnrolmentFile, run: Run) -> Iterator[Callable[[Entry, tuple[Fault, ...]], None]]:
    """Return what writes a bad row into the report, where there is one."""
    if run.report is None:
        yield lambda *_: None
        return
    from telephony.people_files.writing import bad_row, bad_row_headings, table_file  # noqa: PLC0415

    with table_file(run.report) as table:
        table.writerow(bad_row_headings(file.heading, run.language))
        yield lambda entry, faults: table.writerow(
            bad_row(file.heading, entry.row.cells, entry.row.line, faults, run.language)
        )
