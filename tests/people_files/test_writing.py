"""Tables that we write: no cell of a stranger parts, hides or steers anything where the file is opened."""

from __future__ import annotations

import csv

import pytest

from telephony.domain.people.problems import Fault, Problem
from telephony.people_files.headers import Heading
from telephony.people_files.writing import bad_row, bad_row_headings, table_file


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("Kim\u202eMik", "Kim\ufffdMik"),
        ("two\r\nlines\u2028three", "two lines three"),
        ("\x1b[2Jx\x9b", "\ufffd[2Jx\ufffd"),
        ("hid\u200bden\U000e0041", "hidden"),
        ("\u200b=1+1", "'=1+1"),
        ("김민지 \u1112\u1161\u11ab 👩\u200d👩", "김민지 \u1112\u1161\u11ab 👩\u200d👩"),
    ],
    ids=["bidi", "breaks", "escape", "unseen", "formula", "people"],
)
def test_a_cell_of_a_report_is_one_safe_line(tmp_path, cell, written):
    file = tmp_path / "bad.csv"
    found = Heading({0: "name"}, (), (f"name {cell}",))

    with table_file(file) as table:
        table.writerow(bad_row_headings(found, "en"))
        table.writerow(bad_row(found, [cell], 2, [Fault("name", Problem.EMPTY)], "en"))

    text = file.read_text("utf-8-sig")
    assert len(text.splitlines()) == 2
    headings, row = csv.reader(text.splitlines())
    assert row[:2] == [written, "2"]
    assert "\u202e" not in headings[0]
    assert row[2] == headings[0]
