"""Streams the rows of an Excel workbook (.xlsx) with openpyxl, after bounding what it will unpack."""

from __future__ import annotations

import errno
import re
import resource
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any, Final

from telephony.people_files.cells import Row, plain_cell
from telephony.people_files.merged_cells import MOST_COLUMNS, filled, ranges_in
from telephony.people_files.unusable import Unusable

LARGEST_SHARED_STRINGS = 64 << 20
"""Octets of the one part that openpyxl holds in memory as a whole. 100,000 people need about 10 MiB."""
LARGEST_WORKBOOK = 512 << 20
"""Octets of all parts, unpacked. A row of people takes about 1,000."""
LARGEST_PART = 4 << 20
"""Octets of any other part: openpyxl makes thirty times as much of styles."""
_LARGE_PARTS = ("/worksheets/", "/sharedStrings.xml", "/media/")
MOST_PARTS = 10_000
MOST_ROWS = 1_048_576
"""Excel's own bound (ECMA-376 gives none). openpyxl makes a row of every number that is left out before another."""
LONGEST_ROW = 1 << 20
LONGEST_REST = 16 << 20
"""Octets before the first row and behind the last: widths, merged cells, rules."""
MOST_MEMORY = 1 << 30
"""Octets that an import may take. 100,000 people need a tenth."""
_PROLOGUE = 4096
_ROOT = re.compile(rb"<[A-Za-z]")
_ENCODING = re.compile(rb"<\?xml[^>]*\bencoding\s*=\s*[\"']([^\"']*)[\"']")
_ENCODINGS = (b"utf-8", b"us-ascii", b"ascii")
"""In any other a row could be written with octets that are not looked for."""
_ROW = re.compile(rb"<(?:[A-Za-z][\w.-]{0,40}:)?row(?=[\s/>])")
_ROW_TAG = re.compile(
    rb"<[\w.:-]+((?:\s+[\w.:-]{1,80}\s*=\s*(?:\"[^\"<]{0,200}\"|'[^'<]{0,200}')){0,20})\s*/?>"
)
_NUMBER = re.compile(rb"\sr\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_CHUNK = 1 << 20
_LONGEST_MATCH = 8_192
_AS_CSV = "save the sheet as CSV UTF-8 and import that"
_AS_CSV_KO = "시트를 'CSV UTF-8'로 저장해 그 파일을 가져오세요"


_NO_MEMORY: Final = "Error -4 "
"""How Python tells Z_MEM_ERROR (zlib.h): inflate() itself got no memory. Which of the two it is, is chance."""


@contextmanager
def bounded_memory(more: int = MOST_MEMORY) -> Iterator[None]:
    """Let this process take so many octets more than it has, and no more: a request beyond it is a `MemoryError`."""
    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = [limit for limit in (before, hard, taken + more) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (before, hard))


def xlsx_rows(path: Path) -> Iterator[Row]:
    """Return the rows of the first visible sheet that has any.

    A formula is kept as its text; every cell of a merged range is as its first. Raises `Unusable`.
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
        if isinstance(error, zlib.error) and str(error).startswith(_NO_MEMORY):
            raise _too_large() from None
        raise _unusable(
            f"엑셀 파일이 손상되었습니다({type(error).__name__})",
            f"the workbook is damaged ({type(error).__name__})",
        ) from None
    except MemoryError:
        raise _too_large() from None
    except (EOFError, NotImplementedError, RuntimeError, OverflowError) as error:
        raise _unusable(
            f"엑셀 파일을 읽을 수 없습니다({type(error).__name__})",
            f"the workbook cannot be read ({type(error).__name__})",
        ) from None
    except OSError as error:
        # None: openpyxl misses a part. EINVAL: a part lies before the beginning. All else is the disk's.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise _unusable(
            "엑셀 파일이 손상되었습니다(내부 구성)", "the workbook is damaged (its parts)"
        ) from None


def _rows(file: IO[bytes], size: int) -> Iterator[Row]:
    from openpyxl import load_workbook  # noqa: PLC0415 - half a second, and only here

    with _without_remarks():
        book = load_workbook(file, read_only=True, data_only=False, keep_links=False)
    try:
        sheet = next((each for each in book.worksheets if each.sheet_state == "visible"), None)
        if sheet is None:
            raise _unusable("보이는 시트가 없습니다", "the workbook has no sheet that is shown")
        says = sheet.max_row or 0
        sheet.reset_dimensions()  # what it says of its own size may be wrong
        with sheet._get_source() as part:  # noqa: SLF001 - read-only sheets do not tell their merged cells
            ranges = ranges_in(part)
        rows = _quietly(sheet.iter_rows(max_col=MOST_COLUMNS, values_only=True))
        for line, texts in enumerate(filled((tuple(map(_text, cells)) for cells in rows), ranges), 1):
            if any(text.strip() for text in texts):
                yield Row(line, _without_empty_end(texts), size * line // max(says, line))
    finally:
        book.close()


def _without_remarks() -> warnings.catch_warnings[None]:
    """Hide openpyxl's remarks on styles and dates from the user; faults that matter are reported for each row."""
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
            raise _unusable("엑셀 파일의 구성이 너무 많습니다", "the workbook has too many parts")
        if sum(part.file_size for part in parts) > LARGEST_WORKBOOK:
            raise _too_large()
        for part in parts:
            is_large = any(words in part.filename for words in _LARGE_PARTS)
            if not is_large and part.file_size > LARGEST_PART:
                raise _too_large()
            is_strings = part.filename.endswith("/sharedStrings.xml")
            if is_strings and part.file_size > LARGEST_SHARED_STRINGS:
                raise _too_large()
            if part.filename.endswith((".xml", ".rels")):
                with archive.open(part) as packed:
                    prologue = packed.read(_PROLOGUE)
                root = _ROOT.search(prologue)
                encoding = _ENCODING.search(prologue)
                if encoding is not None and encoding[1].strip().lower() not in _ENCODINGS:
                    raise _not_of_a_spreadsheet()
                if root is None or b"<!" in prologue[: root.start()].replace(b"<!--", b""):
                    raise _not_of_a_spreadsheet()
            # Whatever it is called: another part says which ones are sheets.
            with archive.open(part) as unpacked:
                _look_at_rows(unpacked, LARGEST_SHARED_STRINGS if is_strings else LONGEST_REST)


def _look_at_rows(sheet: IO[bytes], longest_rest: int) -> None:
    """Refuse a sheet of which openpyxl would make more than it holds: rows without end, or one row that is all of it.

    ``longest_rest`` is how many octets may stand before the first row and behind the last.
    """
    rows, since, kept = 0, 0, b""
    while chunk := sheet.read(_CHUNK):
        window, begin = kept + chunk, 0
        # What a match may still need stays for the next turn.
        end = len(window) if len(chunk) < _CHUNK else len(window) - _LONGEST_MATCH
        for match in _ROW.finditer(window):
            if match.start() >= end:
                break
            since += match.start() - begin
            begin = match.start()
            _require_bearable(since, LONGEST_ROW if rows else longest_rest)
            rows, since = rows + 1, 0
            if rows > MOST_ROWS or _number_of(window, begin) > MOST_ROWS:
                raise _too_large()
        since += end - begin
        _require_bearable(since, longest_rest)
        kept = window[end:]


def _number_of(window: bytes, begin: int) -> int:
    """Return what the row that begins there says of its number, 0 for nothing. Raises `Unusable` for no tag of a row."""
    tag = _ROW_TAG.match(window, begin)
    if tag is None:
        raise _not_of_a_spreadsheet()
    said = _NUMBER.search(tag[1])
    number = b"0" if said is None else (said[1] or said[2] or b"").strip()
    return int(number[:9]) if number.isdigit() else MOST_ROWS + 1


def _require_bearable(octets: int, most: int) -> None:
    if octets > most:
        raise _too_large()


def _too_large() -> Unusable:
    return _unusable("엑셀 파일이 너무 큽니다", "the workbook is too large to be read")


def _not_of_a_spreadsheet() -> Unusable:
    return _unusable(
        "엑셀 같은 프로그램이 만든 파일이 아닙니다", "the workbook was not written by a spreadsheet"
    )


def _unusable(korean: str, english: str) -> Unusable:
    return Unusable(f"{korean}. {_AS_CSV_KO}", f"{english}; {_AS_CSV}")


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
