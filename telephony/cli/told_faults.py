"""Tells faults and remarks of the settings: on a terminal as a person reads them, elsewhere one `file:line: what; write …` a line."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from telephony.cli.echo import echo
from telephony.safe_text import one_line

if TYPE_CHECKING:
    from telephony.settings import Fault

WIDEST = 100
"""Columns: longer lines are hard to read on a wide terminal."""
MARGIN = "    "


def tell(found: Sequence[Fault], *, err: bool = False) -> None:
    """Write each on standard output, or on standard error."""
    if is_terminal(err=err):
        _tell_a_person(found, err=err)
        return
    for each in found:
        echo(str(each), err=err)


def tell_all(found: Sequence[Fault], *, err: bool = False) -> None:
    """Tell all that was found, and a person also how much it is."""
    tell(found, err=err)
    if found and is_terminal(err=err):
        counts = Counter(each.weight for each in found)
        words = [
            f"{number} {weight}{'' if number == 1 else 's'}" for weight, number in sorted(counts.items())
        ]
        echo(f"{', '.join(words)}; docs/configuration.md explains every key", err=err)


def is_terminal(*, err: bool = False) -> bool:
    """Whether a person reads this stream as it is written."""
    return (sys.stderr if err else sys.stdout).isatty()


def _tell_a_person(found: Sequence[Fault], *, err: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - the daemon never loads it
    from rich.text import Text  # noqa: PLC0415

    from telephony.settings import Weight  # noqa: PLC0415

    colours = {Weight.FAULT: "bold red", Weight.REMARK: "yellow"}
    console = Console(stderr=err, highlight=False)
    console.width = min(console.width, WIDEST)

    def show(sentence: str, sign: str, style: str) -> None:
        # Text, not str: what a file holds must not be read as rich's markup.
        for line in Text(one_line(sentence), style).wrap(console, console.width - len(MARGIN) - len(sign)):
            line.rstrip()
            console.print(Text.assemble(MARGIN, (sign, style), line))
            sign = " " * len(sign)

    for each in found:
        what = f" {each.what}" if each.what else ""
        place = (one_line(each.where), "bold")
        console.print(Text.assemble((each.weight, colours[each.weight]), " ", place, one_line(what)))
        show(each.problem, "", "")
        show(each.instead, "→ ", "green")
