"""Prints a list in the form that fits: one line for each row where the terminal is wide enough, else two.

Nothing is left out or cut: an id that is cut to "sos-20…" is of no use.
"""

from __future__ import annotations

import os
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from telephony.safe_text import one_line

PIPED_WIDTH: Final = 1_000
"""What goes into a pipe or a file is cut by no terminal: one line each."""


def in_one_line() -> Table:
    """Return an empty table whose rows are to take one line each."""
    return Table(box=SIMPLE_HEAD)


def in_two_lines() -> Table:
    """Return an empty table whose rows are to take two lines each, and as little width as can be."""
    return Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)


def print_fitting(wide: Table, narrow: Table) -> None:
    """Print the first table where it fits, else the second, which is not cut where it is too wide as well."""
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPED_WIDTH
    table = wide
    if _width_of(table) > console.width:
        table = narrow
        console.width = max(console.width, _width_of(table))
    console.print(table)


def stacked(upper: Text | str, lower: Text | str) -> Text:
    """Return two lines of one cell. A `str` is taken as one of `safe`."""
    return Text("\n").join([each if isinstance(each, Text) else safe(each) for each in (upper, lower)])


def safe(said: str) -> Text:
    """Return it as a `Text`: what comes from outside must not be read as rich's markup."""
    return Text(one_line(said))


def _width_of(table: Table) -> int:
    return Console(width=PIPED_WIDTH).measure(table).maximum
