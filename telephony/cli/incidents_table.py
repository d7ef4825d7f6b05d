"""Draws incidents as a table: one line each where the terminal is wide enough, else two, and 80 columns will do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from rich.table import Table
from rich.text import Text

from telephony.cli.fitting_table import in_one_line, in_two_lines, print_fitting, safe, stacked
from telephony.cli.story import caller_of
from telephony.cli.times import clock_time, lasted
from telephony.store.incidents import IncidentRow


def print_incidents(rows: Sequence[IncidentRow], zone: tzinfo) -> None:
    """Print the rows in the form that fits."""
    print_fitting(_wide(rows, zone), _narrow(rows, zone))


def _wide(rows: Sequence[IncidentRow], zone: tzinfo) -> Table:
    table = in_one_line()
    for column in ("incident", "opened", "state", "caller", "carrier"):
        table.add_column(column, no_wrap=True)
    for column in ("presses", "112 told", "located"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            *map(safe, (row.id, clock_time(row.opened_at, zone), _state(row), caller_of(row), row.carrier)),
            str(row.press_count),
            _told(row),
            lasted(row.opened_at, row.located_at),
        )
    return table


def _narrow(rows: Sequence[IncidentRow], zone: tzinfo) -> Table:
    table = in_two_lines()
    for column in ("incident\n  opened", "state\npresses", "caller\ncarrier"):
        table.add_column(column, no_wrap=True)
    table.add_column("112 told\nlocated", justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            stacked(row.id, Text(f"  {clock_time(row.opened_at, zone)}")),
            stacked(_state(row), f"{row.press_count} press{'es' if row.press_count > 1 else ''}"),
            stacked(caller_of(row), row.carrier),
            stacked(_told(row), lasted(row.opened_at, row.located_at)),
        )
    return table


def _state(row: IncidentRow) -> str:
    return f"{row.state} (test)" if row.test else row.state


def _told(row: IncidentRow) -> Text:
    return Text(lasted(row.opened_at, row.told_at)) if row.told_at else Text("not yet", "bold red")
