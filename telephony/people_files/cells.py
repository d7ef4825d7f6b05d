"""A row of a table as texts, and the shielding of texts that a spreadsheet would calculate."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from itertools import dropwhile

_SIGNS = frozenset("=+-@")
"""First characters that make a spreadsheet calculate (OWASP, CSV injection), in whatever width they are written."""
_BREAKS = ("\t", "\r", "\n")
"""First characters at which some begin another cell."""
_BLANK = ("Z", "C")
"""Categories of invisible characters, which some spreadsheets skip: separators, controls, marks of direction."""


@dataclass(frozen=True, slots=True)
class Row:
    """Cells as texts, with the line that they begin in (from 1) and how many octets of the file were read by then."""

    line: int
    cells: tuple[str, ...]
    read: int


def plain_cell(text: str) -> str:
    """Take off the apostrophe that keeps a spreadsheet from calculating; nothing is ever calculated here."""
    return text[1:] if text.startswith("'") and _needs_shield(text[1:]) else text


def harmless_cell(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would calculate; `plain_cell` takes it off."""
    return f"'{text}" if _needs_shield(text) else text


def _needs_shield(text: str) -> bool:
    """Whether a spreadsheet may calculate it, or whether it looks as if it were shielded already."""
    bare = text.lstrip("'")
    if bare.startswith(_BREAKS):
        return True
    first = next(dropwhile(lambda each: unicodedata.category(each)[0] in _BLANK, bare), "")
    return unicodedata.normalize("NFKC", first)[:1] in _SIGNS
