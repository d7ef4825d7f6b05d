"""Rows of an Excel workbook (.xlsx), streamed by openpyxl, after a look at what it is about to unpack."""

from __future__ import annotations

import errno
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any

from telephony.domain.errors import Malformed
from telephony.enrolment.cells import Row, plain_cell

LARGEST_SHARED_STRINGS = 64 << 20
"""Octets of the one part that openpyxl holds in memory as a whole. 100,000 people need about 10 MiB."""
LARGEST_PART = 2 << 30
MOST_PARTS = 10_000
MOST_COLUMNS = 200
_PROLOGUE = 4096
_ROOT = re.compile(rb"<[A-Za-z]")
_AS_CSV = "save the sheet as CSV UTF-8 and import that"


def xlsx_rows(path: Path) -> Iterator[Row]:
    """Give the rows of the first visible sheet that has any.

    A formula is kept as its text. Raises `Malformed`.
    """
    size = path.stat().st_size
    try:
        # Ours to close: openpyxl leaves a file open when it fails half-way.
        with path.open("rb") as file:
            _look_at_parts(file)
            yield from _rows(file, size)
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        SyntaxError,
    ) as error:
        raise Malformed(f"the workbook is damaged ({type(error).__name__}); {_AS_CSV}") from None
    except (EOFError, NotImplementedError, RuntimeError, OverflowError) as error:
        raise Malformed(f"the workbook cannot be read ({type(error).__name__}); {_AS_CSV}") from None
    except OSError as error:
        # None: openpyxl misses a part. EINVAL: a part lies before the beginning. All else is the disk's.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise Malformed(f"the workbook is damaged (its parts); {_AS_CSV}") from None


def _rows(file: IO[bytes], size: int) -> Iterator[Row]:
    from openpyxl import load_workbook  # noqa: PLC0415 - half a second, and only here

    with _without_remarks():
        book = load_workbook(file, read_only=True, data_only=False, keep_links=False)
    try:
        sheet = next((each for each in book.worksheets if each.sheet_state == "visible"), None)
        if sheet is None:
            raise Malformed(f"the workbook has no sheet that is shown; {_AS_CSV}")
        says = sheet.max_row or 0
        sheet.reset_dimensions()  # what it says of its own size may be wrong
        for line, cells in enumerate(_quietly(sheet.iter_rows(max_col=MOST_COLUMNS, values_only=True)), 1):
            texts = tuple(_text(cell) for cell in cells)
            if any(text.strip() for text in texts):
                yield Row(line, _without_empty_end(texts), size * line // max(says, line))
    finally:
        book.close()


def _without_remarks() -> warnings.catch_warnings[None]:
    """Keep openpyxl's remarks on styles and dates from whoever imports; what matters is told of each row."""
    return warnings.catch_warnings(action="ignore")


def _quietly(rows: Iterator[Any]) -> Iterator[Any]:
    while True:
        with _without_remarks():
            try:
                row = next(rows)
            except StopIteration:
                return
        yield row


def _look_at_parts(file: IO[bytes]) -> None:
    """Refuse what would unpack to more than memory holds, and XML that defines entities, which Excel never does."""
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
        if len(parts) > MOST_PARTS:
            raise Malformed(f"the workbook has too many parts; {_AS_CSV}")
        for part in parts:
            limit = LARGEST_PART if "/worksheets/" in part.filename else LARGEST_SHARED_STRINGS
            if part.file_size > limit:
                raise Malformed(f"the workbook is too large to be read; {_AS_CSV}")
            if part.filename.endswith((".xml", ".rels")):
                with archive.open(part) as packed:
                    prologue = packed.read(_PROLOGUE)
                root = _ROOT.search(prologue)
                if root is None or b"<!" in prologue[: root.start()].replace(b"<!--", b""):
                    raise Malformed(f"the workbook was not written by a spreadsheet; {_AS_CSV}")


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == cell.min.time() else cell.isoformat(" ")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:  # noqa: PLR2004 - exact in a double
        return str(int(cell))
    return plain_cell(str(cell))


def _without_empty_end(texts: tuple[str, ...]) -> tuple[str, ...]:
    end = len(texts)
    while end and not texts[end - 1]:
        end -= 1
    return texts[:end]
