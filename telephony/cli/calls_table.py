"""Draws the calls that stand as a table: one line each where the terminal is wide enough, else two."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from rich.text import Text

from telephony.cli.fitting_table import in_one_line, in_two_lines, print_fitting, safe, stacked
from telephony.cli.times import clock_time
from telephony.store.standing_calls import StandingCall


def print_calls(rows: Sequence[StandingCall], zone: tzinfo) -> None:
    """Print the rows in the form that fits."""
    wide, narrow = in_one_line(), in_two_lines()
    for column in ("incident", "since", "caller", "trunk", "state", "silence"):
        wide.add_column(column, no_wrap=True)
    for column in ("incident\n  since", "caller\ntrunk", "state\nsilence"):
        narrow.add_column(column, no_wrap=True)
    for row in rows:
        since = clock_time(row.started_at, zone)
        caller = "(unreadable)" if row.caller is None else row.caller.masked
        state = row.state or "just arrived"
        wide.add_row(*map(safe, (row.incident_id, since, caller, row.trunk, state)), _silence(row))
        narrow.add_row(
            stacked(row.incident_id, Text(f"  {since}")),
            stacked(caller, row.trunk),
            stacked(state, _silence(row)),
        )
    print_fitting(wide, narrow)


def _silence(row: StandingCall) -> Text:
    return Text("LIFTED", "bold red") if row.is_lifted else safe(f"holds ({row.silence or 'mode not known'})")
