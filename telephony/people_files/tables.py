"""Streams the rows of a file of any size: CSV as it is written in Korea, or XLSX."""

from __future__ import annotations

import codecs
import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from telephony.people_files.cells import Row, plain_cell
from telephony.people_files.headers import recognised
from telephony.people_files.unusable import Unusable
from telephony.people_files.xlsx import xlsx_rows

LONGEST_LINE = 100_000
"""Characters. A line beyond it is no row of people."""
DELIMITERS = (",", ";", "\t")
CHUNK = 1 << 16
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ENCODINGS = ("utf-8", "cp949")
"""Without a byte-order mark: Excel in Korea writes cp949, all others UTF-8. Rarely is a text both."""


def rows_of(path: Path) -> Iterator[Row]:
    """Return the rows of a file that are not empty. Raises `Unusable` saying what to do, or `OSError`.

    The kind of file is told by its first octets, not by its name.
    """
    with path.open("rb") as file:
        begin = file.read(4)
    if begin.startswith(b"PK\x03\x04"):
        return xlsx_rows(path)
    if begin == b"\xd0\xcf\x11\xe0":
        raise Unusable(
            "옛 엑셀 파일(.xls)이거나 암호가 걸린 파일입니다. .xlsx나 CSV로 저장하세요",
            "this is an old Excel file (.xls), or one with a password; save it as .xlsx or CSV",
        )
    return _csv_rows(path)


def encoding_of(path: Path) -> str:
    """Find the encoding by decoding the whole file in pieces. Raises `Unusable` naming the line that fits none."""
    with path.open("rb") as file:
        begin = file.read(4)
    for mark, name in _MARKS:
        if begin.startswith(mark):
            return name
    line = 0
    for encoding in _ENCODINGS:
        line = _first_undecodable_line(path, encoding)
        if not line:
            return encoding
    raise Unusable(
        f"{line}행이 UTF-8도 cp949도 아닙니다. 'CSV UTF-8'로 저장하세요",
        f"line {line} is neither UTF-8 nor cp949; save the file as CSV UTF-8",
    )


def _first_undecodable_line(path: Path, encoding: str) -> int:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    line = 1
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                return line + error.object[: error.start].count(b"\n")
            line += chunk.count(b"\n")
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return line
    return 0


def _csv_rows(path: Path) -> Iterator[Row]:
    encoding = encoding_of(path)
    delimiter = _delimiter_of(path, encoding)
    with path.open(encoding=encoding, newline="") as text:
        descriptor = text.fileno()
        reader = csv.reader(_bounded_lines(text), delimiter=delimiter)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                raise Unusable(
                    f"{line}행: 따옴표가 닫히지 않았습니다. 닫거나 지우세요",
                    f"line {line}: a quotation mark is opened and not closed; close it, or take it out",
                ) from None
            except UnicodeError:
                raise Unusable(
                    f"{line}행을 읽을 수 없습니다. 'CSV UTF-8'로 저장하세요",
                    f"line {line} cannot be decoded; save the file as CSV UTF-8",
                ) from None
            if any(cell.strip() for cell in cells):
                yield Row(
                    line,
                    tuple(plain_cell(cell) for cell in cells),
                    os.lseek(descriptor, 0, os.SEEK_CUR),
                )


def _bounded_lines(text: IO[str]) -> Iterator[str]:
    number = 0
    while line := text.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE and not line.endswith("\n"):
            raise Unusable(
                f"{number}행이 {LONGEST_LINE}자를 넘습니다. CSV로 저장한 표가 맞습니까?",
                f"line {number} has more than {LONGEST_LINE} characters; is this a table, saved as CSV?",
            )
        yield line


def _delimiter_of(path: Path, encoding: str) -> str:
    """Return the delimiter that makes most headings out of the first lines."""
    with path.open(encoding=encoding, newline="") as text:
        try:
            lines = [line for line, _ in zip(_bounded_lines(text), range(20), strict=False)]
        except UnicodeError:
            raise Unusable(
                "파일을 읽을 수 없습니다. 'CSV UTF-8'로 저장하세요",
                "the file cannot be decoded; save it as CSV UTF-8",
            ) from None
    bare = [line.replace('"', "") for line in lines]

    def headings(delimiter: str) -> int:
        return max((recognised(line.split(delimiter)) for line in bare), default=0)

    return max(DELIMITERS, key=headings)
