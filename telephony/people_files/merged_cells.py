"""Fills the cells of merged ranges with what stands in them: a workbook keeps it in the first cell alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Final

MOST_RANGES: Final = 20_000
MOST_COLUMNS: Final = 200
"""So many columns are read. No spreadsheet lets two ranges overlap, so those of one row are no wider together; from where a
sheet says more it is read as if it had none."""
_RANGE: Final = re.compile(
    rb"<(?:[A-Za-z][\w.-]{0,40}:)?mergeCell\s+ref\s*=\s*[\"']([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})[\"']"
)
_CHUNK: Final = 1 << 20
_LONGEST_MATCH: Final = 200


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """A merged range; rows and columns count from 0, the last ones included."""

    top: int
    left: int
    bottom: int
    right: int


def ranges_in(sheet: IO[bytes]) -> list[Range]:
    """Return the merged ranges of a sheet's XML, from the top; none where there are more than any school makes."""
    found: list[Range] = []
    kept = b""
    while chunk := sheet.read(_CHUNK):
        window, last = kept + chunk, 0
        for match in _RANGE.finditer(window):
            last = match.end()
            left, top, right, bottom = match.groups()
            if _column(left) < MOST_COLUMNS:
                found.append(Range(int(top) - 1, _column(left), int(bottom) - 1, _column(right)))
            if len(found) > MOST_RANGES:
                return []
        kept = window[max(last, len(window) - _LONGEST_MATCH) :]
    return sorted(found)


def filled(rows: Iterator[tuple[str, ...]], ranges: Sequence[Range]) -> Iterator[tuple[str, ...]]:
    """Return the rows with every cell of a range as its first cell is."""
    waiting = list(reversed(ranges))
    active: list[tuple[Range, str]] = []
    for number, row in enumerate(rows):
        active = [each for each in active if each[0].bottom >= number]
        while waiting and waiting[-1].top <= number:
            begun = waiting.pop()
            active.append((begun, row[begun.left] if begun.left < len(row) else ""))
        if sum(min(each.right, MOST_COLUMNS) - each.left + 1 for each, _ in active) > MOST_COLUMNS:
            waiting, active = [], []
        yield _with(row, active) if active else row


def _with(row: tuple[str, ...], active: Sequence[tuple[Range, str]]) -> tuple[str, ...]:
    cells = list(row)
    for each, text in active:
        if text:
            cells += [""] * (min(each.right, MOST_COLUMNS - 1) + 1 - len(cells))
            for column in range(each.left, min(each.right + 1, len(cells))):
                cells[column] = cells[column] or text
    return tuple(cells)


def _column(letters: bytes) -> int:
    number = 0
    for each in letters:
        number = number * 26 + each - ord("A") + 1
    return number - 1
