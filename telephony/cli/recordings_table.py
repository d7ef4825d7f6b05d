"""Draws recordings as a table: one line each where the terminal is wide enough, else two."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from rich.text import Text

from telephony.cli.fitting_table import in_one_line, in_two_lines, print_fitting, safe, stacked
from telephony.cli.times import clock_time
from telephony.domain.recording import Recording


def print_recordings(rows: Sequence[Recording], zone: tzinfo) -> None:
    """Print the rows in the form that fits."""
    wide, narrow = in_one_line(), in_two_lines()
    for column in ("recording", "incident", "begun", "length", "caller", "state"):
        wide.add_column(column, no_wrap=True, justify="right" if column == "length" else "left")
    for column in ("recording\n  incident", "begun\nlength", "caller\nstate"):
        narrow.add_column(column, no_wrap=True)
    for row in rows:
        begun, length = clock_time(row.begun_at, zone), f"{row.length_s:.1f} s"
        caller = row.msisdn.masked if row.msisdn.number else "unknown"
        state = f"{row.state.value} on {row.host}"
        wide.add_row(*map(safe, (row.name, row.incident_id, begun, length, caller, state)))
        narrow.add_row(
            stacked(row.name, Text("  ") + safe(row.incident_id)),
            stacked(begun, length),
            stacked(caller, state),
        )
    print_fitting(wide, narrow)
