"""From the texts of one enrolment to values: every field is checked, and each fault says what to write.

The texts come as people type them and as Excel changes them. No fault repeats what was written: it is shown to
whoever runs the import, and they may not be the ones who may read it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TypeVar

from telephony.domain.people import (
    MOST_ROUNDS,
    Device,
    DeviceKind,
    Draft,
    Fault,
    GuardianEntry,
    Language,
)
from telephony.domain.values import Msisdn

T = TypeVar("T")

GUARDIAN_PLACES = (1, 2, 3, 4)
"""A file has columns for so many guardians."""

LONGEST = {
    "name": 80,
    "address": 200,
    "photo": 200,
    "medical": 1000,
    "family": 1000,
    "school": 80,
    "cohort": 40,
    "consent_by": 80,
    "consent_means": 200,
    "relation": 40,
}
"""Characters."""

FIELDS = (
    "name",
    "birth_date",
    "number",
    "carrier",
    "device",
    "number2",
    "carrier2",
    "device2",
    "address",
    "photo",
    "medical",
    "family",
    "language",
    "school",
    "cohort",
    *(f"guardian{n}_{part}" for n in GUARDIAN_PLACES for part in ("relation", "phone", "language", "rounds")),
    "consent_by",
    "consent_means",
    "consent_date",
)
"""Every field that an enrolment may have, in the order in which they are exported."""

REQUIRED = ("name", "birth_date", "number")

_LANGUAGES: Mapping[str, Language] = {
    "ko": "ko", "kor": "ko", "korean": "ko", "한국어": "ko", "한글": "ko",
    "en": "en", "eng": "en", "english": "en", "영어": "en",
}  # fmt: skip
_KINDS: Mapping[str, DeviceKind] = {
    "phone": "phone", "mobile": "phone", "휴대폰": "phone", "휴대전화": "phone", "핸드폰": "phone", "일반폰": "phone",
    "urelief": "u-relief", "terminal": "u-relief", "u안심": "u-relief", "u안심알리미": "u-relief", "단말기": "u-relief",
}  # fmt: skip
_CARRIER_WORDS = {
    "sktelecom": "skt",
    "에스케이텔레콤": "skt",
    "케이티": "kt",
    "엘지유플러스": "lgu",
    "lguplus": "lgu",
}
"""What the carriers are called, where it is not the settings' name with blanks and signs taken out."""

_DATE = re.compile(r"(\d{4})\s*[-./년]\s*(\d{1,2})\s*[-./월]\s*(\d{1,2})\s*[.일]?(?:[T ]00:00(?::00)?)?")
_DATE_IN_DIGITS = re.compile(r"(\d{4})(\d{2})(\d{2})")
_RESIDENT_NUMBER = re.compile(r"\d{6}\s*-?\s*[1-8]\d{6}")
"""Of Korean residents: the birth date and seven digits. The law lets hardly anybody keep it."""
_ROUNDED = re.compile(r"\d(?:[.,]\d+)?[eE]\+?\d+")
_OLDEST_YEARS = 130
_SHORTEST_NUMBER = 10
"""Digits in E.164, country code included; fewer is no subscriber in the countries that we serve."""


@dataclass(frozen=True, slots=True)
class EnrolmentRules:
    """What the settings say about enrolment."""

    country_code: str = "82"
    trunk_prefix: str = "0"
    language: Language = "ko"
    carriers: frozenset[str] = frozenset()
    """Names of the settings."""
    today: date = field(default_factory=lambda: datetime.now(UTC).date())


class _Wrong(Exception):  # noqa: N818 - one field's fault on its way up, caught in this file
    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


class Cells:
    """The texts of one row by field, and the faults found in them so far: one for each field, the first."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self.faults: list[Fault] = []

    def text(self, name: str, longest: int) -> str:
        """Give a text on one line: composed (NFC), with single blanks and without control characters."""
        raw = self._texts.get(name, "")
        if raw.isascii() and raw.isprintable() and "  " not in raw:
            found = raw.strip()
        else:
            found = " ".join(unicodedata.normalize("NFC", raw).split())
            if any(unicodedata.category(each) in ("Cc", "Cs") for each in found):
                self.fault(name, "holds characters that are no text", "write it anew")
                return ""
        if len(found) > longest:
            self.fault(name, f"has more than {longest} characters", "shorten it")
            return ""
        return found

    def fault(self, name: str, problem: str, remedy: str) -> None:
        """Note a fault."""
        self.faults.append(Fault(name, problem, remedy))


def draft_of(texts: Mapping[str, str], rules: EnrolmentRules) -> Draft | tuple[Fault, ...]:
    """Read the fields of one person (names as in `FIELDS`); gives every field's fault where there is any."""
    cells = Cells(texts)
    name = cells.text("name", LONGEST["name"])
    if not name and not cells.faults:
        cells.fault("name", "is empty", "write the person's name")
    elif _RESIDENT_NUMBER.search(name):
        cells.fault("name", "holds a resident registration number", "write the name alone")
    birth_date = _read(cells, "birth_date", lambda raw: _birth_date(raw, rules.today))
    if birth_date is None and not any(fault.field == "birth_date" for fault in cells.faults):
        cells.fault("birth_date", "is empty", "write it as 2015-03-02")
    devices = tuple(_devices(cells, rules))
    guardians = tuple(_guardians(cells, rules))
    written = {
        name: cells.text(name, LONGEST[name])
        for name in ("address", "photo", "medical", "family", "school", "cohort")
    }
    for private in ("address", "medical", "family"):
        if _RESIDENT_NUMBER.search(written[private]):
            cells.fault(private, "holds a resident registration number", "take that number out")
    language = _read(cells, "language", _language)
    if language is not None:
        written["language"] = language
    by = cells.text("consent_by", LONGEST["consent_by"])
    means = cells.text("consent_means", LONGEST["consent_means"])
    at = _read(cells, "consent_date", lambda raw: _past_date(raw, rules.today))
    if (by == "") != (means == ""):
        lacking = "consent_means" if by else "consent_by"
        cells.fault(
            lacking, "is empty", "write who agreed and by what means, e.g. a paper form, or neither of them"
        )
    if cells.faults or birth_date is None:
        return tuple(cells.faults)
    return Draft(
        name=name,
        birth_date=birth_date,
        devices=devices,
        guardians=guardians,
        texts={key: text for key, text in written.items() if text},
        consent_by=by,
        consent_means=means,
        consent_at=None if at is None else datetime(at.year, at.month, at.day, tzinfo=UTC),
    )


def _devices(cells: Cells, rules: EnrolmentRules) -> Iterator[Device]:
    numbers: list[Msisdn] = []
    for place in ("", "2"):
        number = _read(cells, f"number{place}", lambda raw: number_of(raw, rules))
        carrier = _read(cells, f"carrier{place}", lambda raw: _carrier(raw, rules))
        kind = _read(cells, f"device{place}", _kind)
        if number is None:
            if not place and not any(fault.field == "number" for fault in cells.faults):
                cells.fault("number", "is empty", "write the telephone number, e.g. 010-1234-5678")
            continue
        if number in numbers:
            cells.fault(f"number{place}", "is the same number again", "leave one of the two empty")
        numbers.append(number)
        yield Device(number, carrier or "", kind or "")


def _guardians(cells: Cells, rules: EnrolmentRules) -> Iterator[GuardianEntry]:
    phones: list[Msisdn] = []
    for place in GUARDIAN_PLACES:
        name = f"guardian{place}"
        phone = _read(cells, f"{name}_phone", lambda raw: number_of(raw, rules))
        relation = cells.text(f"{name}_relation", LONGEST["relation"])
        language = _read(cells, f"{name}_language", _language)
        rounds = _read(cells, f"{name}_rounds", _rounds)
        if phone is None:
            is_begun = relation or language or rounds is not None
            if is_begun and not any(fault.field == f"{name}_phone" for fault in cells.faults):
                cells.fault(f"{name}_phone", "is empty", "write the guardian's telephone number")
            continue
        if phone in phones:
            cells.fault(f"{name}_phone", "is another guardian's number too", "name each guardian once")
        phones.append(phone)
        yield GuardianEntry(phone, relation, language or rules.language, rounds or 0)


def _read(cells: Cells, name: str, read: Callable[[str], T]) -> T | None:
    """Give the value of a field; None for one that is empty, or has a fault, which is noted."""
    raw = cells.text(name, 100)
    if not raw:
        return None
    try:
        # Digits of full width, as Korean keyboards write them, become plain ones.
        return read(raw if raw.isascii() else unicodedata.normalize("NFKC", raw))
    except _Wrong as wrong:
        cells.fault(name, wrong.problem, wrong.remedy)
        return None


def number_of(raw: str, rules: EnrolmentRules) -> Msisdn:
    """Read a telephone number as people write it, or as Excel leaves it when it takes it for a quantity."""
    if _ROUNDED.fullmatch(raw):
        raise _Wrong("Excel has rounded the number", "format the column as text, then type the number again")
    if raw.endswith(".0") and raw[:-2].isdigit():
        raw = raw[:-2]
    number = Msisdn.parse(raw, country_code=rules.country_code, trunk_prefix=rules.trunk_prefix)
    if not number.is_e164 or len(number.number) < _SHORTEST_NUMBER:
        raise _Wrong("is not a telephone number", "write it as 010-1234-5678 or +82 10-1234-5678")
    return number


def read_number(name: str, raw: str, rules: EnrolmentRules) -> Msisdn | Fault:
    """Read one telephone number; ``name`` is the field that a fault names."""
    cells = Cells({name: raw})
    number = _read(cells, name, lambda text: number_of(text, rules))
    if number is not None:
        return number
    return cells.faults[0] if cells.faults else Fault(name, "is empty", "write the telephone number")


def _birth_date(raw: str, today: date) -> date:
    if _RESIDENT_NUMBER.fullmatch(raw):
        raise _Wrong(
            "is a resident registration number, which must not be kept",
            "write the birth date alone, as 2015-03-02",
        )
    found = _past_date(raw, today)
    if found.year < today.year - _OLDEST_YEARS:
        raise _Wrong("is too long ago", "write it as 2015-03-02")
    return found


def _past_date(raw: str, today: date) -> date:
    match = _DATE.fullmatch(raw) or _DATE_IN_DIGITS.fullmatch(raw)
    if match is None:
        raise _Wrong("is not a date", "write it as 2015-03-02")
    try:
        found = date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        raise _Wrong("is a day that there is not", "write it as 2015-03-02: year, month, day") from None
    if found > today:
        raise _Wrong("lies in the future", "write it as 2015-03-02")
    return found


def _carrier(raw: str, rules: EnrolmentRules) -> str:
    word = _word(raw)
    name = _CARRIER_WORDS.get(word, word)
    for carrier in rules.carriers:
        if _word(carrier) == name:
            return carrier
    raise _Wrong(
        "is not a carrier of the settings",
        f"write one of {', '.join(sorted(rules.carriers))}, or leave it empty",
    )


def _kind(raw: str) -> DeviceKind:
    try:
        return _KINDS[_word(raw)]
    except KeyError:
        raise _Wrong("is not a kind of device", "write phone or u-relief, or leave it empty") from None


def _language(raw: str) -> Language:
    try:
        return _LANGUAGES[_word(raw)]
    except KeyError:
        raise _Wrong("is not a language that we speak", "write ko or en, or leave it empty") from None


def _rounds(raw: str) -> int:
    text = raw.removesuffix(".0")
    if not (text.isascii() and text.isdigit() and int(text[:4]) <= MOST_ROUNDS):
        raise _Wrong(
            "is not a number of rounds", f"write a whole number from 1 to {MOST_ROUNDS}, or leave it empty"
        )
    return int(text)


def _word(raw: str) -> str:
    return "".join(each for each in raw.casefold() if each.isalnum())
