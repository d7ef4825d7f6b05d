"""One row of a table as texts, and what a spreadsheet must not make of a text."""

from __future__ import annotations

from dataclasses import dataclass

INJECTED = ("=", "+", "-", "@", "\t", "\r")
"""First characters that make a spreadsheet calculate (OWASP, CSV injection)."""


@dataclass(frozen=True, slots=True)
class Row:
    """Cells as texts, with the line that they begin in (from 1) and how many octets of the file were read by then."""

    line: int
    cells: tuple[str, ...]
    read: int


def plain_cell(text: str) -> str:
    """Take off the apostrophe that keeps a spreadsheet from calculating; nothing is ever calculated here."""
    return text[1:] if len(text) > 1 and text[0] == "'" and text[1] in INJECTED else text


def harmless_cell(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would calculate; `plain_cell` takes it off."""
    is_shielded = len(text) > 1 and text[0] == "'" and text[1] in INJECTED
    return f"'{text}" if text.startswith(INJECTED) or is_shielded else text
