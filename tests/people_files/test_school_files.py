"""Files as schools keep them: titles, notes, two rows of headings, merged cells, sums, numbered rows without a name."""

from __future__ import annotations

import csv
from datetime import date

import pytest
from openpyxl import Workbook

from telephony.domain.people.draft import EnrolmentRules
from telephony.people_files.merged_cells import Range, filled, ranges_in
from telephony.people_files.not_people import NoPerson
from telephony.people_files.reading import EnrolmentFile
from telephony.people_files.unusable import Unusable

RULES = EnrolmentRules(carriers=frozenset({"skt", "kt"}), today=date(2026, 11, 23))

TWO_ROWS = [
    ["2026학년도 3학년 2반 SOS 등록 명단"],
    ["※ 이름, 생년월일, 전화번호는 반드시 적어 주세요."],
    [],
    ["번호", "학생", None, None, "주소", "보호자1", None, None, "보호자2", None, "동의", None, None, "비고"],
    [
        None,
        "이름",
        "생년월일",
        "휴대폰번호",
        None,
        "이름",
        "관계",
        "연락처",
        "관계",
        "연락처",
        "동의자",
        "방법",
        "일자",
        None,
    ],
    *[
        [
            n,
            f"김하늘{n}",
            date(2015, 3, n),
            f"010-1234-000{n}",
            "서울",
            "박보호",
            "어머니",
            f"010-9876-000{n}",
            "아버지",
            f"010-9876-100{n}",
            "박보호",
            "서면",
            "2026-03-02",
            "",
        ]
        for n in (1, 2, 3)
    ],
    ["합계", None, None, "3명"],
    ["담임 확인: 이가람 (인)"],
]
MERGED = ("A1:N1", "A2:N2", "A4:A5", "B4:D4", "E4:E5", "F4:H4", "I4:J4", "K4:M4", "N4:N5", "A9:C9")


def workbook(folder, rows, merged=()):
    path = folder / "class.xlsx"
    book = Workbook()
    for row in rows:
        book.active.append(row)
    for each in merged:
        book.active.merge_cells(each)
    book.save(path)
    return path


def as_csv(folder, rows):
    path = folder / "class.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["" if cell is None else cell for cell in row] for row in rows])
    return path


def read(path):
    file = EnrolmentFile(path, RULES)
    return file, list(file.entries())


@pytest.mark.parametrize("kind", ["merged", "not merged", "csv"])
def test_two_rows_of_headings_are_read_as_one(tmp_path, kind):
    path = (
        as_csv(tmp_path, TWO_ROWS)
        if kind == "csv"
        else workbook(tmp_path, TWO_ROWS, MERGED if kind == "merged" else ())
    )

    file, entries = read(path)

    assert file.heading.lines == (4, 5)
    assert [entry.faults for entry in entries[:3]] == [(), (), ()]
    draft = entries[0].draft
    assert (draft.name, draft.devices[0].number.number) == ("김하늘1", "821012340001")
    assert [(each.relation, each.phone.number) for each in draft.guardians] == [
        ("어머니", "821098760001"),
        ("아버지", "821098761001"),
    ]
    assert (draft.texts["address"], draft.consent_by, draft.consent_means) == ("서울", "박보호", "서면")
    assert draft.consent_at.date() == date(2026, 3, 2)


def test_a_guardians_name_or_address_is_never_the_persons(tmp_path):
    rows = [
        ["학생", None, None, "보호자", None, None],
        ["이름", "생년월일", "전화번호", "이름", "주소", "연락처"],
        ["김하늘", "2015-03-02", "010-1234-0001", "박보호", "부산", "010-9876-0001"],
    ]

    file, (entry,) = read(workbook(tmp_path, rows, ["A1:C1", "D1:F1"]))

    assert entry.draft.name == "김하늘"
    assert "address" not in entry.draft.texts
    assert entry.draft.guardians[0].phone.number == "821098760001"
    assert file.heading.ignored == ("보호자 이름", "보호자 주소")


def test_a_title_and_a_note_that_names_columns_are_no_headings(tmp_path):
    rows = [
        ["담임", "이가람", "연락처", "02-123-4567"],
        ["이름", "전화번호", "(작성자)"],
        ["이름", "생년월일", "전화번호"],
        ["김하늘", "2015-03-02", "010-1234-0001"],
    ]

    file, entries = read(workbook(tmp_path, rows))

    assert file.heading.lines == (3,)
    assert [entry.draft.name for entry in entries] == ["김하늘"]


def test_a_row_of_data_below_the_headings_is_never_taken_for_headings(tmp_path):
    rows = [
        ["이름", "생년월일", "전화번호", "기기", "언어", "보호자 관계"],
        ["김하늘", "2015-03-02", "010-1234-0001", "phone", "한국어", "어머니"],
        [None, None, None, "phone", None, None],
    ]

    file, entries = read(workbook(tmp_path, rows))

    assert file.heading.lines == (1,)
    assert len(entries) == 1


def test_a_cell_that_is_merged_down_stands_in_every_row(tmp_path):
    rows = [
        ["학교", "이름", "생년월일", "전화번호"],
        ["한국초", "김하늘", "2015-03-02", "010-1234-0001"],
        [None, "이바다", "2015-03-02", "010-1234-0002"],
        [None, None, None, None],
    ]

    file, entries = read(workbook(tmp_path, rows, ["A2:A4"]))

    assert [entry.draft.texts["school"] for entry in entries] == ["한국초", "한국초"]
    assert file.passed_over == {NoPerson.EMPTY: ([4], 1)}


HEAD = ["번호", "이름", "생년월일", "전화번호", "보호자 전화번호"]


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (["합계", None, None, 32], NoPerson.SUM),
        ([None, "합 계", "32명"], NoPerson.SUM),
        ([None, "총 32명"], NoPerson.SUM),
        ([None, "총원: 32명", None, None], NoPerson.SUM),
        ([None, None, None, "계", "5"], NoPerson.SUM),
        (["Total", None, None, "32"], NoPerson.SUM),
        (["※ 위 명단은 사실과 다름이 없습니다"], NoPerson.NOTE),
        ([33], NoPerson.EMPTY),
        (["한국초등학교장 (직인)"], NoPerson.EMPTY),
        (HEAD, NoPerson.HEADINGS),
        ([1, "(예시) 홍길동", "2015-03-02", "010-1111-2222"], NoPerson.EXAMPLE),
        ([1, "김하늘", "2015-03-02", "010-0000-0000"], NoPerson.EXAMPLE),
    ],
)
def test_a_row_that_is_no_person_is_passed_over_and_counted(tmp_path, row, kind):
    file, entries = read(workbook(tmp_path, [HEAD, row]))

    assert entries == []
    assert file.passed_over == {kind: ([2], 1)}


@pytest.mark.parametrize(
    "row",
    [
        [32, "계", "2015-03-02", "010-1234-0001"],
        ["합계", "김하늘", "2015-03-02", None],
        [1, "김하늘", None, None],
        [1, None, None, "010-1234-0001"],
        [1, None, None, None, "010-9876-0001"],
        [1, "총명한", None, None],
    ],
)
def test_what_could_be_somebody_is_a_person(tmp_path, row):
    file, entries = read(workbook(tmp_path, [HEAD, row]))

    assert len(entries) == 1
    assert file.passed_over == {}


def test_headings_that_lack_a_column_say_in_which_row_they_stand(tmp_path):
    path = workbook(tmp_path, [["명단"], ["이름", "전화번호"], ["김하늘", "010-1234-0001"]])

    with pytest.raises(Unusable) as refused:
        EnrolmentFile(path, RULES)

    assert "row 2" in str(refused.value)
    assert refused.value.said("ko") == "제목 행(2행)에 열이 빠졌습니다. 더하세요: 생년월일"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (["", "", ""], ("학교", "서면", date(2026, 3, 2))),
        (["어머니", "", ""], ("어머니", "서면", date(2026, 3, 2))),
        (["어머니", "전화", "2026-04-01"], ("어머니", "전화", date(2026, 4, 1))),
    ],
)
def test_what_is_said_of_the_consent_fills_gaps_and_nothing_else(tmp_path, written, kept):
    rows = [
        ["이름", "생년월일", "전화번호", "동의자", "동의방법", "동의일"],
        ["김하늘", "1990-03-02", "010-1234-0001", *written],
    ]
    said = {"consent_by": "학교", "consent_means": "서면", "consent_date": "2026-03-02"}

    (entry,) = EnrolmentFile(workbook(tmp_path, rows), RULES, said).entries()

    draft = entry.draft
    assert (draft.consent_by, draft.consent_means, draft.consent_at.date()) == kept


def test_ranges_that_overlap_as_no_spreadsheet_lets_them_are_left_alone():
    rows = [("a", "b"), ("c", "d")]
    ranges = [Range(0, 0, 1, 150), Range(0, 1, 1, 199)]

    assert list(filled(iter(rows), ranges)) == rows


def test_a_sheet_with_more_ranges_than_any_school_makes_is_read_without(tmp_path, monkeypatch):
    monkeypatch.setattr("telephony.people_files.merged_cells.MOST_RANGES", 1)
    xml = tmp_path / "sheet.xml"
    xml.write_bytes(b'<mergeCells><mergeCell ref="A1:B2"/><mergeCell ref="C1:D2"/></mergeCells>')

    with xml.open("rb") as sheet:
        assert ranges_in(sheet) == []
