"""Draws incidents as a table: one line each where the terminal is wide enough, else two, and 80 columns will do.

Nothing is left out or cut: an id that is cut to "sos-20…" is of no use.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import tzinfo
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from telephony.cli.story import caller_of
from telephony.cli.times import clock_time, lasted
from telephony.safe_text import one_line
from telephony.store.incidents import IncidentRow

PIPED_WIDTH: Final = 1_000
"""What goes into a pipe or a file is cut by no terminal: one line each."""


def print_incidents(rows: Sequence[IncidentRow], zone: tzinfo) -> None:
    """Print the rows in the form that fits."""
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPED_WIDTH
    table = _in_one_line(rows, zone)
    if _width_of(table) > console.width:
        table = _in_two_lines(rows, zone)
        console.width = max(console.width, _width_of(table))
    console.print(table)


def _width_of(table: Table) -> int:
    return Console(width=PIPED_WIDTH).measure(table).maximum


def _in_one_line(rows: Sequence[IncidentRow], zone: tzinfo) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for column in ("incident", "opened", "state", "caller", "carrier"):
        table.add_column(column, no_wrap=True)
    for column in ("presses", "112 told", "located"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            *map(_safe, (row.id, clock_time(row.opened_at, zone), _state(row), caller_of(row), row.carrier)),
            str(row.press_count),
            _told(row),
            lasted(row.opened_at, row.located_at),
        )
    return table


def _in_two_lines(rows: Sequence[IncidentRow], zone: tzinfo) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("incident\n  opened", "state\npresses", "caller\ncarrier"):
        table.add_column(column, no_wrap=True)
    table.add_column("112 told\nlocated", justify="right", no_wrap=True)
    for row in rows:
        presses = f"{row.press_count} press{'es' if row.press_count > 1 else ''}"
        table.add_row(
            Text("\n").join([_safe(row.id), Text(f"  {clock_time(row.opened_at, zone)}")]),
            Text("\n").join([_safe(_state(row)), Text(presses)]),
            Text("\n").join([_safe(caller_of(row)), _safe(row.carrier)]),
            Text("\n").join([_told(row), Text(lasted(row.opened_at, row.located_at))]),
        )
    return table


def _state(row: IncidentRow) -> str:
    return f"{row.state} (test)" if row.test else row.state


def _told(row: IncidentRow) -> Text:
    return Text(lasted(row.opened_at, row.told_at)) if row.told_at else Text("not yet", "bold red")


def _safe(said: str) -> Text:
    """Return it as a `Text`: what comes from outside must not be read as rich's markup."""
    return Text(one_line(said))
