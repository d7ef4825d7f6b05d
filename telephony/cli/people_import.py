"""The import of a file of people: rows in batches, a bar, and every bad row told with what to write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telephony.cli.echo import echo
from telephony.cli.progress import bar
from telephony.domain.people import Draft, Fault

if TYPE_CHECKING:
    from telephony.cli.registry import OpenRegistry
    from telephony.enrolment.reading import EnrolmentFile, Entry

BATCH = 200
"""Rows in one transaction: some 15 ms, for which a press may have to wait."""
FOLD_EVERY = 50
"""Batches."""
MOST_SHOWN = 20
"""Bad rows on the terminal; a report holds all of them."""


@dataclass
class Tally:
    """What became of the rows."""

    outcomes: dict[str, int] = field(default_factory=lambda: {"added": 0, "changed": 0, "unchanged": 0})
    bad: int = 0

    def __str__(self) -> str:
        counted = [f"{name} {number:,}" for name, number in self.outcomes.items()]
        return ", ".join([*counted, f"bad rows {self.bad:,}"])


def run_import(file: EnrolmentFile, to: OpenRegistry, report: Path | None, *, is_dry_run: bool) -> Tally:
    """Import a file. What is committed stays when this is killed; a second run finds it unchanged.

    Raises `Malformed` where the file turns out to be damaged further on, `FileExistsError` for a report that exists.
    """
    tally = Tally()
    with ExitStack() as stack:
        tell = stack.enter_context(_bad_rows(file, report))
        advance = stack.enter_context(bar("dry run" if is_dry_run else "importing", file.size))
        for batches, entries in enumerate(_batches(file.entries()), 1):
            drafts = [entry.draft for entry in entries if entry.draft is not None]
            results = iter(_enrol(to, drafts, is_dry_run=is_dry_run))
            for entry in entries:
                faults = entry.faults
                if entry.draft is not None:
                    result = next(results)
                    faults = (result,) if isinstance(result, Fault) else ()
                    if not isinstance(result, Fault):
                        tally.outcomes[result.value] += 1
                if faults:
                    tally.bad += 1
                    tell(entry, faults)
            advance(entries[-1].row.read)
            if batches % FOLD_EVERY == 0 and not is_dry_run:
                to.fold_back()
    if not is_dry_run:
        to.fold_back()
    return tally


def _enrol(to: OpenRegistry, drafts: list[Draft], *, is_dry_run: bool) -> list[Any]:
    now = datetime.now(UTC)
    if not is_dry_run:
        return to.write(lambda connection: to.registry.enrol(connection, drafts, now))
    with to.reading.connect() as connection:
        return list(to.registry.enrol(connection, drafts, now, is_dry_run=True))


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
def _bad_rows(
    file: EnrolmentFile, report: Path | None
) -> Iterator[Callable[[Entry, tuple[Fault, ...]], None]]:
    """Give what tells a bad row: on standard error, and in the report."""
    from telephony.enrolment.writing import bad_row, bad_row_headings, table_file  # noqa: PLC0415

    shown = 0
    with ExitStack() as stack:
        writer: Any = None
        if report is not None:
            writer = stack.enter_context(table_file(report))
            writer.writerow(bad_row_headings(file.heading))

        def tell(entry: Entry, faults: tuple[Fault, ...]) -> None:
            nonlocal shown
            if writer is not None:
                writer.writerow(bad_row(file.heading, entry.row.cells, entry.row.line, faults))
            shown += 1
            if shown <= MOST_SHOWN:
                for fault in faults:
                    column = file.heading.column_of(fault.field)
                    echo(f"line {entry.row.line}, {column}: {fault.problem}; {fault.remedy}", err=True)
            elif shown == MOST_SHOWN + 1:
                echo("and more; --report FILE writes all of them", err=True)

        yield tell
