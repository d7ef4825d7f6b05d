"""Writes a workbook to be filled in: every column with its Korean and its English heading, and an example that is never imported."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from telephony.domain.people.draft import FIELDS, REQUIRED
from telephony.people_files.headers import heading
from telephony.people_files.not_people import EXAMPLE_MARKS

ROWS: Final = 1_000
"""Rows in which a list is offered."""
_LEFT_OUT: Final = (
    "photo",
    *(f"guardian{n}_{part}" for n in (3, 4) for part in ("relation", "phone", "language", "rounds", "age")),
)
"""Columns that hardly any school fills in. A file may have them all the same."""
COLUMNS: Final = tuple(name for name in FIELDS if name not in _LEFT_OUT)
EXAMPLE: Final[Mapping[str, str]] = {
    "name": f"{EXAMPLE_MARKS[0]} 홍길동",
    "birth_date": "2015-03-02",
    "number": "010-0000-0000",
    "address": "서울시 종로구 1",
    "school": "한국초등학교",
    "cohort": "3학년 2반",
    "guardian1_relation": "어머니",
    "guardian1_phone": "010-0000-0001",
    "guardian1_age": "성인",
    "consent_by": "어머니",
    "consent_means": "서면",
    "consent_date": "2026-03-02",
}
_NOTES: Final = (
    "※ 노란 열(이름, 생년월일, 전화번호)은 꼭 적어 주세요. 주민등록번호는 적지 마세요. 예시 행은 등록되지 않습니다.",
    "* The yellow columns are needed. Write no resident registration number. The example row is never imported.",
)
_CHOICES: Final[Mapping[str, Sequence[str]]] = {
    "device": ("phone", "u-relief"),
    "device2": ("phone", "u-relief"),
    "language": ("ko", "en"),
    "guardian1_language": ("ko", "en"),
    "guardian2_language": ("ko", "en"),
    "guardian1_age": ("성인", "미성년"),
    "guardian2_age": ("성인", "미성년"),
}
_WIDTH, _WIDE = 14, 22


def write_template(path: Path, carriers: Sequence[str]) -> None:
    """Write the workbook into a new file. Raises `FileExistsError` rather than overwrite, or `OSError`."""
    from openpyxl import Workbook  # noqa: PLC0415 - half a second, and only here
    from openpyxl.styles import Alignment, Font, PatternFill  # noqa: PLC0415
    from openpyxl.utils import get_column_letter  # noqa: PLC0415

    book = Workbook()
    sheet: Any = book.active
    sheet.title = "명단"
    for note in _NOTES:
        sheet.append([note])
    sheet.append([f"{heading(name, 'ko')}\n{heading(name, 'en')}" for name in COLUMNS])
    sheet.append([EXAMPLE.get(name, "") for name in COLUMNS])
    head, example = len(_NOTES) + 1, len(_NOTES) + 2
    choices = {**_CHOICES, "carrier": carriers, "carrier2": carriers}
    for place, name in enumerate(COLUMNS, 1):
        letter = get_column_letter(place)
        cell = sheet.cell(head, place)
        cell.font, cell.alignment = Font(bold=True), Alignment(wrap_text=True, vertical="top")
        if name in REQUIRED:
            cell.fill = PatternFill("solid", start_color="FFF2CC")
        sheet.column_dimensions[letter].width = (
            _WIDE if name.endswith(("number", "phone", "name")) else _WIDTH
        )
        # As text: a spreadsheet takes the zero off a number, and rounds it.
        sheet.column_dimensions[letter].number_format = "@"
        sheet.cell(example, place).number_format = "@"
        sheet.cell(example, place).font = Font(italic=True, color="808080")
        if choices.get(name):
            _offer(sheet, f"{letter}{example}:{letter}{ROWS}", choices[name])
    sheet.row_dimensions[head].height = 32
    sheet.freeze_panes = sheet.cell(example, 2)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        book.save(file)


def _offer(sheet: Any, cells: str, choices: Sequence[str]) -> None:
    """Offer a list to choose from; other words may be written all the same."""
    from openpyxl.worksheet.datavalidation import DataValidation  # noqa: PLC0415 - as above

    offered = DataValidation("list", formula1=f'"{",".join(choices)}"', allow_blank=True)
    offered.showErrorMessage = False
    sheet.add_data_validation(offered)
    offered.add(cells)
