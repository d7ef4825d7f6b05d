"""What the columns of an enrolment file may be called, in Korean and in English."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from telephony.domain.enrolment import FIELDS, GUARDIAN_PLACES, REQUIRED
from telephony.domain.errors import Malformed

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
}  # fmt: skip
_FORBIDDEN = ("주민등록번호", "주민번호", "resident registration number", "rrn")

EXPORTED = {name: names[0] for name, names in _NAMES.items()}
"""Korean headings; the others follow from `heading`."""


def heading(field: str, language: str) -> str:
    """Give the name of a field as a column is headed: what is exported can be imported again."""
    if language == "en":
        return field
    if field in EXPORTED:
        return EXPORTED[field]
    place, part = field.removeprefix("guardian").split("_")
    return f"보호자{place} {_GUARDIAN_PARTS[part][0]}"


def _bare(text: str) -> str:
    """Take out what people write differently: case, blanks, brackets, hyphens, the composition of Hangul."""
    return "".join(each for each in unicodedata.normalize("NFKC", text).casefold() if each.isalnum())


def _known() -> dict[str, str]:
    known = {_bare(spelling): name for name, names in _NAMES.items() for spelling in (name, *names)}
    for place in GUARDIAN_PLACES:
        for part, spellings in _GUARDIAN_PARTS.items():
            for who in ("보호자", "guardian", "학부모", "부모"):
                # The first guardian is often the only one, and then has no number.
                for number in (str(place), "") if place == 1 else (str(place),):
                    for spelling in spellings:
                        known[_bare(f"{who}{number}{spelling}")] = f"guardian{place}_{part}"
    return known


KNOWN = _known()


@dataclass(frozen=True, slots=True)
class Heading:
    """Which column of a file is which field. ``ignored`` are the headings that mean nothing to us."""

    fields: Mapping[int, str]
    ignored: tuple[str, ...]
    cells: tuple[str, ...]

    def texts(self, row: Sequence[str]) -> dict[str, str]:
        """Give a row's texts by field; cells that are missing at its end are left out."""
        return {name: row[column] for column, name in self.fields.items() if column < len(row)}

    def column_of(self, field: str) -> str:
        """Give a field's column as the file heads it, or as it would have to."""
        return next((self.cells[column] for column, name in self.fields.items() if name == field), field)


def recognised(row: Sequence[str]) -> int:
    """Count the cells that name a field."""
    return sum(_bare(cell) in KNOWN for cell in row)


def heading_of(row: Sequence[str]) -> Heading:
    """Read the row of headings. Raises `Malformed` saying which columns to add, rename or take out."""
    fields: dict[int, str] = {}
    ignored = []
    for column, cell in enumerate(row):
        bare = _bare(cell)
        if not bare:
            continue
        if bare in {_bare(each) for each in _FORBIDDEN}:
            raise Malformed(
                f'column {column + 1}, "{cell.strip()}": resident registration numbers must not be kept; '
                "take that column out of the file"
            )
        name = KNOWN.get(bare)
        if name is None:
            ignored.append(cell.strip()[:40])
        elif name in fields.values():
            raise Malformed(f'two columns are the field {name}; rename or take out "{cell.strip()}"')
        else:
            fields[column] = name
    missing = [name for name in REQUIRED if name not in fields.values()]
    if missing:
        wanted = "; ".join(f"{heading(name, 'ko')} or {heading(name, 'en')}" for name in missing)
        raise Malformed(f"a column is missing, add: {wanted}; `onetouch people import --help` lists all")
    return Heading(fields, tuple(ignored), tuple(cell.strip() for cell in row))


assert all(_bare(field) in KNOWN for field in FIELDS)
