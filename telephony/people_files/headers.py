"""Recognises the column headings of an enrolment file, in Korean and in English."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from telephony.domain.people.draft import FIELDS, GUARDIAN_PLACES, REQUIRED
from telephony.domain.people.person import Language
from telephony.people_files.cells import Row
from telephony.people_files.unusable import Unusable

_NAMES: Mapping[str, tuple[str, ...]] = {
    "name": ("이름", "성명", "name", "full name", "학생명", "학생 이름", "가입자명"),
    "birth_date": ("생년월일", "birth date", "date of birth", "birthday", "dob", "생일"),
    "number": (
        "전화번호", "휴대폰", "휴대폰번호", "휴대전화", "휴대전화번호", "핸드폰", "핸드폰번호", "연락처", "학생 전화번호",
        "number", "phone", "phone number", "mobile", "mobile number", "telephone", "msisdn",
    ),
    "carrier": ("통신사", "이동통신사", "carrier", "operator"),
    "device": ("기기", "단말", "단말기 종류", "기기 종류", "device", "device kind"),
    "number2": ("전화번호2", "휴대폰번호2", "단말기 번호", "number2", "second number"),
    "carrier2": ("통신사2", "carrier2"),
    "device2": ("기기2", "단말2", "device2"),
    "address": ("주소", "집주소", "address", "home address"),
    "photo": ("사진", "사진파일", "photo", "photo file"),
    "medical": ("의료정보", "병력", "건강상태", "특이사항", "medical", "medical notes"),
    "family": ("가족사항", "가족정보", "family", "family notes"),
    "language": ("언어", "language"),
    "school": ("학교", "학교명", "school"),
    "cohort": ("그룹", "지역", "학년반", "cohort", "region", "group", "class"),
    "consent_by": ("동의자", "동의인", "법정대리인", "consent by", "consented by"),
    "consent_means": ("동의방법", "동의수단", "consent means"),
    "consent_date": ("동의일", "동의일자", "동의날짜", "consent date"),
}  # fmt: skip
_GUARDIAN_PARTS: Mapping[str, tuple[str, ...]] = {
    "relation": ("관계", "relation"),
    "phone": ("전화번호", "휴대폰", "휴대폰번호", "휴대전화", "연락처", "phone", "number", "phone number", "mobile", ""),
    "language": ("언어", "language"),
    "rounds": ("횟수", "rounds"),
    "age": ("연령", "나이", "성인여부", "age", "age group"),
}  # fmt: skip
_GUARDIANS = ("보호자", "guardian", "학부모", "부모")
_FORBIDDEN = ("주민등록번호", "주민번호", "resident registration number", "rrn")

EXPORTED = {name: names[0] for name, names in _NAMES.items()}
"""Korean headings; the others follow from `heading`."""
_OTHERS = {"guardian_phone": "보호자 전화번호"}
"""Of a fault that is about all guardians."""


def heading(field: str, language: str) -> str:
    """Return the name of a field as a column is headed: what is exported can be imported again."""
    if language == "en":
        return field
    if field in EXPORTED:
        return EXPORTED[field]
    if field not in FIELDS:
        return _OTHERS.get(field, field)
    place, part = field.removeprefix("guardian").split("_")
    return f"보호자{place} {_GUARDIAN_PARTS[part][0]}"


MAKES_A_HEADING = 2
"""Cells that name a field."""


def _bare(text: str) -> str:
    """Take out what people write differently: case, blanks, brackets, hyphens, the composition of Hangul."""
    return "".join(each for each in unicodedata.normalize("NFKC", text).casefold() if each.isalnum())


def _known() -> dict[str, str]:
    known = {_bare(spelling): name for name, names in _NAMES.items() for spelling in (name, *names)}
    for place in GUARDIAN_PLACES:
        for part, spellings in _GUARDIAN_PARTS.items():
            for who in _GUARDIANS:
                # The first guardian is often the only one, and then has no number.
                for number in (str(place), "") if place == 1 else (str(place),):
                    for spelling in spellings:
                        known[_bare(f"{who}{number}{spelling}")] = f"guardian{place}_{part}"
    # Of a template: both languages in one cell.
    return known | {_bare(heading(name, "ko") + heading(name, "en")): name for name in FIELDS}


KNOWN = _known()


@dataclass(frozen=True, slots=True)
class Heading:
    """Which column of a file is which field. ``ignored`` are the headings that mean nothing to us.

    ``lines`` are those of the file in which they stand: one, or two below each other.
    """

    fields: Mapping[int, str]
    ignored: tuple[str, ...]
    cells: tuple[str, ...]
    lines: tuple[int, ...] = ()

    def texts(self, row: Sequence[str]) -> dict[str, str]:
        """Return a row's texts by field; cells that are missing at its end are left out."""
        return {name: row[column] for column, name in self.fields.items() if column < len(row)}

    def column_of(self, field: str, language: Language) -> str:
        """Return a field's column as the file heads it, or as it would have to."""
        named = next((self.cells[column] for column, name in self.fields.items() if name == field), "")
        return named or heading(field, language)


def is_headings(cells: Sequence[str]) -> bool:
    """Whether a row is nothing but headings, in whatever language: they are repeated, or stand below in the other one."""
    written = [bare for bare in map(_bare, cells) if bare]
    return len(written) >= MAKES_A_HEADING and all(bare in KNOWN for bare in written)


def recognised(row: Sequence[str]) -> int:
    """Count the cells that name a field."""
    return sum(_bare(cell) in KNOWN for cell in row)


def found_heading(rows: Sequence[Row]) -> tuple[Heading, int]:
    """Find the headings among the first rows of a file; gives them, and how many of these rows they and what is above take.

    They stand in one row, or in two: groups such as 보호자1 above, the columns of each below. Those with every
    column that is needed are taken, of several the fullest; where none has, the faults of the fullest are told. Raises
    `Unusable` saying which columns to add, rename or take out.
    """
    best = _Candidate(rows[:0], [])
    for start, row in enumerate(rows):
        best = max(best, _Candidate(rows[start : start + 1], list(row.cells), start), key=_merit)
        if start + 1 < len(rows) and (joined := _joined(row.cells, rows[start + 1].cells)) is not None:
            best = max(best, _Candidate(rows[start : start + 2], joined, start), key=_merit)
    count = len(_fields_in(best.cells))
    if count < MAKES_A_HEADING:
        raise Unusable(
            "첫 행들에 제목 행이 없습니다. 이름, 생년월일, 전화번호 열이 필요합니다. `onetouch people template 파일.xlsx`로 "
            "양식을 만들 수 있습니다",
            "there is no row of headings among the first rows: the columns need at least 이름 (name), "
            "생년월일 (birth_date) and 전화번호 (number); `onetouch people template FILE.xlsx` makes such a file",
        )
    return heading_of(best.cells, [each.line for each in best.rows]), best.start + len(best.rows)


class _Candidate(NamedTuple):
    """Rows that may be the headings, and the headings that they make."""

    rows: Sequence[Row]
    cells: Sequence[str]
    start: int = 0


def _merit(candidate: _Candidate) -> tuple[bool, int, int]:
    """Return by what the headings are chosen: whole ones, then full ones, then one row; the first of equals is taken.

    A title above one row of headings adds nothing to it. A group of guardians does, where it adds no field: it says whose
    name and address the columns below are.
    """
    named = [KNOWN[bare] for bare in map(_bare, candidate.cells) if bare in KNOWN]
    is_whole = set(REQUIRED) <= set(named) and len(set(named)) == len(named)
    is_grouped = len(candidate.rows) > 1
    if is_grouped and any(map(_is_guardians, candidate.rows[0].cells)):
        return is_whole, len(set(named)), 1
    return is_whole, len(set(named)), -1 if is_grouped else 0


def _fields_in(cells: Sequence[str]) -> set[str]:
    return {KNOWN[bare] for bare in map(_bare, cells) if bare in KNOWN}


def _joined(above: Sequence[str], below: Sequence[str]) -> list[str] | None:
    """Read two rows as headings of groups and of their columns; ``None`` where the lower one looks like no such row.

    Merged cells are filled. A file that lost them (CSV) has blanks there: a group then holds up to the next.
    """
    width = max(len(above), len(below))
    upper = [*(each.strip() for each in above), *[""] * (width - len(above))]
    lower = [*(each.strip() for each in below), *[""] * (width - len(below))]
    is_filled = any(first and first == second for first, second in pairwise(upper))
    cells, group, known, said = [], "", 0, 0
    taken: set[str] = set()
    for top, bottom in zip(upper, lower, strict=True):
        group = top if top or is_filled else group
        if not bottom or bottom == top:
            cells.append(top)
        else:
            said += 1
            cells.append(_named(group, bottom, taken, is_certain=bool(top)))
            known += _bare(cells[-1]) in KNOWN
        taken |= _fields_in(cells[-1:])
    return cells if known * 2 > said else None


def _named(group: str, below: str, taken: set[str], *, is_certain: bool) -> str:
    """Return the name of a column by its group and what stands below it.

    Nothing of a guardian's is ever taken for the person's own: 보호자 above 이름 is another column than 이름.
    """
    whole = f"{group} {below}".strip()
    field = KNOWN.get(_bare(below))
    if _bare(whole) in KNOWN or field is None or field in taken:
        return whole
    return whole if is_certain and _is_guardians(group) else below


def _is_guardians(group: str) -> bool:
    return any(each in _bare(group) for each in _GUARDIANS)


def heading_of(row: Sequence[str], lines: Sequence[int]) -> Heading:
    """Read the headings. Raises `Unusable` saying which columns to add, rename or take out."""
    fields: dict[int, str] = {}
    ignored: dict[str, None] = {}
    for column, cell in enumerate(row):
        bare, shown = _bare(cell), cell.strip()[:40]
        if not bare:
            continue
        if any(bare.endswith(_bare(each)) for each in _FORBIDDEN):
            raise Unusable(
                f'{column + 1}번째 열 "{shown}": 주민등록번호는 보관할 수 없습니다. 파일에서 그 열을 지우세요',
                f'column {column + 1}, "{shown}": resident registration numbers must not be kept; take that column out '
                "of the file",
            )
        name = KNOWN.get(bare)
        if name is None:
            ignored[shown] = None
        elif name in fields.values():
            raise Unusable(
                f'두 열이 같은 항목({heading(name, "ko")})입니다. "{shown}" 열의 제목을 바꾸거나 열을 지우세요',
                f'two columns are the field {name}; rename or take out "{shown}"',
            )
        else:
            fields[column] = name
    missing = [name for name in REQUIRED if name not in fields.values()]
    if missing:
        raise Unusable(
            f"{_rows(lines, 'ko')}에 열이 빠졌습니다. 더하세요: "
            + ", ".join(heading(name, "ko") for name in missing),
            f"{_rows(lines, 'en')}: a column is missing, add: "
            + "; ".join(f"{heading(name, 'ko')} or {heading(name, 'en')}" for name in missing)
            + "; `onetouch people import --help` lists all",
        )
    return Heading(fields, tuple(ignored), tuple(cell.strip() for cell in row), tuple(lines))


def _rows(lines: Sequence[int], language: Language) -> str:
    if language == "ko":
        return f"제목 행({', '.join(map(str, lines))}행)"
    return f"the headings in row {' and '.join(map(str, lines))}"


assert all(_bare(field) in KNOWN for field in FIELDS)
