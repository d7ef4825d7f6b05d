"""A workbook to be filled in: it goes back in as it was filled in, and its example never signs up."""

from __future__ import annotations

from pathlib import Path

import pytest
from openpyxl import load_workbook

from telephony.domain.people.draft import FIELDS, EnrolmentRules, draft_of
from telephony.domain.people.person import Draft
from telephony.people_files.not_people import NoPerson
from telephony.people_files.reading import EnrolmentFile
from telephony.people_files.template import COLUMNS, EXAMPLE, write_template

RULES = EnrolmentRules(carriers=frozenset({"skt", "kt"}))
HEAD_ROW, EXAMPLE_ROW = 3, 4


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "class.xlsx"
    write_template(file, ["kt", "skt"])
    return file


def fill_in(path: Path, row: int, **texts: str) -> None:
    book = load_workbook(path)
    for name, text in texts.items():
        book.active.cell(row, COLUMNS.index(name) + 1).value = text
    book.save(path)


FILLED = {
    "name": "김하늘",
    "birth_date": "2015-03-02",
    "number": "01012340001",
    "guardian1_phone": "01098760001",
    "consent_by": "박보호",
    "consent_means": "서면",
}


def test_its_headings_are_read_and_its_example_is_nobody(path):
    file = EnrolmentFile(path, RULES)

    assert list(file.entries()) == []
    assert file.heading.lines == (HEAD_ROW,)
    assert set(file.heading.fields.values()) == set(COLUMNS) <= set(FIELDS)
    assert file.passed_over == {NoPerson.EXAMPLE: ([EXAMPLE_ROW], 1)}


def test_without_its_marks_the_example_would_be_a_person_so_it_shows_what_is_right():
    draft = draft_of({**EXAMPLE, "name": "홍길동", "number": "010-1234-5678"}, RULES)

    assert isinstance(draft, Draft)


@pytest.mark.parametrize("half", [{"name": "김하늘"}, {"number": "010-1234-0001"}])
def test_an_example_that_was_written_over_by_half_is_nobody_still(path, half):
    fill_in(path, EXAMPLE_ROW, **half)

    assert list(EnrolmentFile(path, RULES).entries()) == []


@pytest.mark.parametrize("row", [EXAMPLE_ROW, EXAMPLE_ROW + 1], ids=["over the example", "below it"])
def test_what_is_filled_in_comes_back(path, row):
    fill_in(path, row, **FILLED)

    (entry,) = EnrolmentFile(path, RULES).entries()

    assert entry.faults == ()
    assert (entry.draft.name, entry.draft.devices[0].number.number) == ("김하늘", "821012340001")


def test_numbers_and_dates_are_text_in_it(path):
    sheet = load_workbook(path).active

    assert {sheet.cell(EXAMPLE_ROW, place).number_format for place in range(1, len(COLUMNS) + 1)} == {"@"}
    assert sheet.column_dimensions["C"].number_format == "@"


def test_carriers_of_the_settings_are_offered(path):
    offered = {each.formula1 for each in load_workbook(path).active.data_validations.dataValidation}

    assert '"kt,skt"' in offered


def test_a_row_of_headings_in_the_other_language_is_nobody(tmp_path):
    file = tmp_path / "class.csv"
    file.write_text("이름,생년월일,전화번호\nname,birth_date,number\n김하늘,1990-03-02,010-1234-0001\n")

    found = EnrolmentFile(file, RULES)

    assert len(list(found.entries())) == 1
    assert found.passed_over == {NoPerson.HEADINGS: ([2], 1)}


@pytest.mark.parametrize(("options", "told"), [((), "이미 있는"), (("--language", "en"), "exists already")])
def test_a_template_never_overwrites(run, config, tmp_path, options, told):
    arguments = ("people", "template", "--config", config, tmp_path / "class.xlsx")
    assert run(*arguments).exit_code == 0
    before = (tmp_path / "class.xlsx").read_bytes()

    again = run(*arguments, *options)

    assert again.exit_code == 1
    assert told in again.output
    assert (tmp_path / "class.xlsx").read_bytes() == before
