"""Small workbooks that would take a gigabyte or minutes are refused at a glance; what spreadsheets write is read."""

from __future__ import annotations

import io
import re
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable

import pytest
from openpyxl import Workbook

from telephony.domain.errors import Malformed
from telephony.people_files.reading import EnrolmentFile
from telephony.people_files.xlsx import LARGEST_PART, LONGEST_ROW, MOST_ROWS
from tests.people_files.test_fuzz import RULES, workbook

SHEET = "xl/worksheets/sheet1.xml"
STYLES = "xl/styles.xml"
CELL = b'<c t="n"><v>1</v></c>'
XF = b'<xf numFmtId="0" fontId="0" fillId="0" borderId="0"/>'
STRING = b'<row r="20"><c r="A20" t="inlineStr"><is><t>%b</t></is></c></row>'


def with_part(name: str, change: Callable[[bytes], bytes], book: bytes | None = None) -> bytes:
    """The workbook with one part changed."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(book or workbook())) as archive,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as changed,
    ):
        for part in archive.namelist():
            octets = archive.read(part)
            changed.writestr(part, change(octets) if part == name else octets)
    return out.getvalue()


def ending_with(rows: bytes) -> bytes:
    return with_part(SHEET, lambda sheet: sheet.replace(b"</sheetData>", rows + b"</sheetData>"))


def in_another_part() -> bytes:
    """A sheet that is not called one."""
    moved = "xl/evil.xml"
    book = with_part(
        "xl/_rels/workbook.xml.rels", lambda rels: rels.replace(b"worksheets/sheet1.xml", b"evil.xml")
    )
    book = with_part("[Content_Types].xml", lambda types: types.replace(SHEET.encode(), moved.encode()), book)
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(book)) as archive,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as changed,
    ):
        for part in archive.namelist():
            octets = archive.read(part)
            if part == SHEET:
                changed.writestr(moved, octets.replace(b"</sheetData>", b'<row r="99999999"/></sheetData>'))
            else:
                changed.writestr(part, octets)
    return out.getvalue()


HOSTILE = {
    "a row far down": lambda: ending_with(b'<row r="99999999"/>'),
    "a row far down, beyond what is looked at": lambda: ending_with(
        b'<row s="%b" r="99999999"/>' % (b"1" * 2_000)
    ),
    "a row far down, behind an angle bracket": lambda: ending_with(b'<row s=">" r="99999999"/>'),
    "a row far down, with a prefix": lambda: ending_with(b'<x:row xmlns:x="urn:x" r="99999999"/>'),
    "a row far down, as a reference": lambda: ending_with(b'<row r="&#57;9999999"/>'),
    "a row far down in another part": in_another_part,
    "rows without end": lambda: ending_with(b"<row/>" * (MOST_ROWS + 1)),
    "a row of a hundred thousand cells": lambda: ending_with(
        b'<row r="20">' + CELL * (LONGEST_ROW // len(CELL) + 1) + b"</row><row/>"
    ),
    "a text of two million letters": lambda: ending_with(STRING % (b"x" * 2 * LONGEST_ROW) + b"<row/>"),
    "the name of a cell": lambda: ending_with(
        b'<row r="20"><c r="%b20"/></row><row/>' % (b"A" * 2 * LONGEST_ROW)
    ),
    "a hundred thousand styles": lambda: with_part(
        STYLES,
        lambda styles: re.sub(
            rb"<cellXfs.*?</cellXfs>",
            b"<cellXfs>" + XF * (LARGEST_PART // len(XF)) + b"</cellXfs>",
            styles,
            flags=re.DOTALL,
        ),
    ),
    "letters of another alphabet": lambda: with_part(
        SHEET,
        lambda sheet: b'<?xml version="1.0" encoding="cp037"?>' + re.sub(rb"<\?xml.*?\?>", b"", sheet),
    ),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_workbook_is_refused_before_it_is_unpacked(tmp_path, make):
    path = tmp_path / "people.xlsx"
    path.write_bytes(make())
    assert path.stat().st_size < LONGEST_ROW

    with pytest.raises(Malformed, match="save the sheet as CSV UTF-8"):
        list(EnrolmentFile(path, RULES).entries())


def test_a_large_and_untidy_workbook_is_read(tmp_path):
    """Rows left out, columns beyond ours, a long text, merged cells, a heading below a title."""
    path = tmp_path / "people.xlsx"
    book = Workbook()
    sheet = book.active
    sheet.append(["3학년 명단"])
    sheet.append([])
    sheet.append(["이름", "생년월일", "전화번호", "비고", *[f"열{n}" for n in range(190)]])
    for number in range(3_000):
        sheet.append([f"김하늘{number}", "1990-03-02", f"010-1234-{number:04}", "x" * 500, *["y"] * 20])
    sheet.cell(9_000, 1, "박바다")
    sheet.cell(9_000, 2, "1990-03-02")
    sheet.cell(9_000, 3, "010-9999-0001")
    sheet.merge_cells("A1:F1")
    book.save(path)

    entries = list(EnrolmentFile(path, RULES).entries())

    assert len(entries) == 3_001
    assert entries[-1].row.line == 9_000
    assert not [entry.faults for entry in entries if entry.faults]


def test_what_takes_more_memory_than_an_import_may_have_is_one_sentence(tmp_path):
    """Whatever gets past the look ends with the process's own bound."""
    path = tmp_path / "people.xlsx"
    path.write_bytes(ending_with(STRING % (b"x" * 900_000) * 40))
    code = (
        "import sys; from pathlib import Path; from telephony.people_files.xlsx import xlsx_rows, bounded_memory\n"
        "from telephony.domain.errors import Malformed\n"
        "import openpyxl\n"
        "with bounded_memory(0):\n"
        "    try: list(xlsx_rows(Path(sys.argv[1])))\n"
        "    except Malformed as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )

    assert "too large to be read" in done.stdout, done.stderr
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY
