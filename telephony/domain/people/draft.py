"""Reads the fields of one enrolment into a draft: every field is checked, and each fault is named.

The fields come as people type them and as Excel changes them. No fault repeats what was written: it is shown to the
person who runs the import, who need not be allowed to read it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TypeVar

from telephony.domain.guardians.standing import PAPERS, AgeGroup, Standing, age_of, relation_of
from telephony.domain.people.person import (
    MOST_ROUNDS,
    Device,
    DeviceKind,
    Draft,
    GuardianEntry,
    Language,
)
from telephony.domain.people.problems import Fault, Problem
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
    *(
        f"guardian{n}_{part}"
        for n in GUARDIAN_PLACES
        for part in ("relation", "phone", "language", "rounds", "age")
    ),
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
"""Other names of the carriers than the settings' name with blanks and signs taken out."""

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
    """The settings of enrolment."""

    country_code: str = "82"
    trunk_prefix: str = "0"
    language: Language = "ko"
    carriers: frozenset[str] = frozenset()
    """Names of the settings."""
    today: date = field(default_factory=lambda: datetime.now(UTC).date())
    adult_age: int = 19
    """From which somebody may consent, for themselves and for a minor."""
    opens_to: frozenset[str] = frozenset()
    """Cohorts or carriers that may sign up by themselves; empty: all."""


class _Wrong(Exception):  # noqa: N818 - one field's fault on its way up, caught in this file
    def __init__(self, problem: Problem, figure: int = 0, choices: tuple[str, ...] = ()) -> None:
        super().__init__(problem.name)
        self.problem = problem
        self.figure = figure
        self.choices = choices


class Cells:
    """The texts of one row by field, and the faults found in them so far: one for each field, the first."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self.faults: list[Fault] = []

    def text(self, name: str, longest: int) -> str:
        """Return a text on one line: composed (NFC), with single blanks and without control characters."""
        raw = self._texts.get(name, "")
        if raw.isascii() and raw.isprintable() and "  " not in raw:
            found = raw.strip()
        else:
            found = " ".join(unicodedata.normalize("NFC", raw).split())
            if any(unicodedata.category(each) in ("Cc", "Cs") for each in found):
                self.fault(name, Problem.NOT_TEXT)
                return ""
        if len(found) > longest:
            self.fault(name, Problem.TOO_LONG, longest)
            return ""
        return found

    def fault(self, name: str, problem: Problem, figure: int = 0, choices: tuple[str, ...] = ()) -> None:
        """Note a fault."""
        self.faults.append(Fault(name, problem, figure, choices))


def draft_of(texts: Mapping[str, str], rules: EnrolmentRules) -> Draft | tuple[Fault, ...]:
    """Read the fields of one person (names as in `FIELDS`); gives every field's fault where there is any."""
    cells = Cells(texts)
    name = cells.text("name", LONGEST["name"])
    if not name and not cells.faults:
        cells.fault("name", Problem.EMPTY)
    elif _RESIDENT_NUMBER.search(name):
        cells.fault("name", Problem.RESIDENT_NUMBER_IN_NAME)
    birth_date = _read(cells, "birth_date", lambda raw: _birth_date(raw, rules.today))
    if birth_date is None and not any(fault.field == "birth_date" for fault in cells.faults):
        cells.fault("birth_date", Problem.EMPTY)
    devices = tuple(_devices(cells, rules))
    at = _read(cells, "consent_date", lambda raw: _past_date(raw, rules.today))
    consent_at = None if at is None else datetime(at.year, at.month, at.day, tzinfo=UTC)
    guardians = tuple(_guardians(cells, rules, consent_at))
    written = {
        name: cells.text(name, LONGEST[name])
        for name in ("address", "photo", "medical", "family", "school", "cohort")
    }
    for private in ("address", "medical", "family"):
        if _RESIDENT_NUMBER.search(written[private]):
            cells.fault(private, Problem.RESIDENT_NUMBER_IN_TEXT)
    language = _read(cells, "language", _language)
    if language is not None:
        written["language"] = language
    by = cells.text("consent_by", LONGEST["consent_by"])
    means = cells.text("consent_means", LONGEST["consent_means"])
    if (by == "") != (means == ""):
        cells.fault("consent_means" if by else "consent_by", Problem.EMPTY)
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
        consent_at=consent_at,
    )


def _devices(cells: Cells, rules: EnrolmentRules) -> Iterator[Device]:
    numbers: list[Msisdn] = []
    for place in ("", "2"):
        number = _read(cells, f"number{place}", lambda raw: number_of(raw, rules))
        carrier = _read(cells, f"carrier{place}", lambda raw: _carrier(raw, rules))
        kind = _read(cells, f"device{place}", _kind)
        if number is None:
            if not place and not any(fault.field == "number" for fault in cells.faults):
                cells.fault("number", Problem.EMPTY)
            continue
        if number in numbers:
            cells.fault(f"number{place}", Problem.SAME_NUMBER_AGAIN)
        numbers.append(number)
        yield Device(number, carrier or "", kind or "")


def _guardians(cells: Cells, rules: EnrolmentRules, consent_at: datetime | None) -> Iterator[GuardianEntry]:
    phones: list[Msisdn] = []
    for place in GUARDIAN_PLACES:
        name = f"guardian{place}"
        phone = _read(cells, f"{name}_phone", lambda raw: number_of(raw, rules))
        relation = cells.text(f"{name}_relation", LONGEST["relation"])
        language = _read(cells, f"{name}_language", _language)
        rounds = _read(cells, f"{name}_rounds", _rounds)
        age = _read(cells, f"{name}_age", lambda raw: _age_group(raw, rules))
        if phone is None:
            is_begun = relation or language or rounds is not None or age is not None
            if is_begun and not any(fault.field == f"{name}_phone" for fault in cells.faults):
                cells.fault(f"{name}_phone", Problem.EMPTY)
            continue
        if phone in phones:
            cells.fault(f"{name}_phone", Problem.SAME_GUARDIAN_AGAIN)
        phones.append(phone)
        standing = None if age is None else _on_paper(cells, place, relation, age, consent_at, rules)
        yield GuardianEntry(phone, relation, language or rules.language, rounds or 0, standing=standing)


def _on_paper(  # noqa: PLR0917 - what a row says of one guardian
    cells: Cells,
    place: int,
    relation: str,
    age: AgeGroup,
    consent_at: datetime | None,
    rules: EnrolmentRules,
) -> Standing | None:
    """Return what a registrar's papers say of a guardian whose age group the row has."""
    found = relation_of(relation)
    if found is None:
        cells.fault(f"guardian{place}_relation", Problem.NO_LEGAL_RELATION)
        return None
    today = datetime(rules.today.year, rules.today.month, rules.today.day, tzinfo=UTC)
    return Standing(found, age, PAPERS, consent_at or today)


def _read(cells: Cells, name: str, read: Callable[[str], T]) -> T | None:
    """Return the value of a field; None for one that is empty, or has a fault, which is noted."""
    raw = cells.text(name, 100)
    if not raw:
        return None
    try:
        # Digits of full width, as Korean keyboards write them, become plain ones.
        return read(raw if raw.isascii() else unicodedata.normalize("NFKC", raw))
    except _Wrong as wrong:
        cells.fault(name, wrong.problem, wrong.figure, wrong.choices)
        return None


def number_of(raw: str, rules: EnrolmentRules) -> Msisdn:
    """Read a telephone number as people write it, or as Excel leaves it when it takes it for a quantity."""
    if _ROUNDED.fullmatch(raw):
        raise _Wrong(Problem.ROUNDED)
    if raw.endswith(".0") and raw[:-2].isdigit():
        raw = raw[:-2]
    number = Msisdn.parse(raw, country_code=rules.country_code, trunk_prefix=rules.trunk_prefix)
    if not number.is_e164 or len(number.number) < _SHORTEST_NUMBER:
        raise _Wrong(Problem.NOT_A_NUMBER)
    return number


def read_number(name: str, raw: str, rules: EnrolmentRules) -> Msisdn | Fault:
    """Read one telephone number; ``name`` is the field that a fault names."""
    cells = Cells({name: raw})
    number = _read(cells, name, lambda text: number_of(text, rules))
    if number is not None:
        return number
    return cells.faults[0] if cells.faults else Fault(name, Problem.EMPTY)


def _birth_date(raw: str, today: date) -> date:
    if _RESIDENT_NUMBER.fullmatch(raw):
        raise _Wrong(Problem.RESIDENT_NUMBER)
    found = _past_date(raw, today)
    if found.year < today.year - _OLDEST_YEARS:
        raise _Wrong(Problem.TOO_LONG_AGO)
    return found


def _past_date(raw: str, today: date) -> date:
    match = _DATE.fullmatch(raw) or _DATE_IN_DIGITS.fullmatch(raw)
    if match is None:
        raise _Wrong(Problem.NOT_A_DATE)
    try:
        found = date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        raise _Wrong(Problem.NO_SUCH_DAY) from None
    if found > today:
        raise _Wrong(Problem.IN_THE_FUTURE)
    return found


def _carrier(raw: str, rules: EnrolmentRules) -> str:
    word = _word(raw)
    name = _CARRIER_WORDS.get(word, word)
    for carrier in rules.carriers:
        if _word(carrier) == name:
            return carrier
    raise _Wrong(Problem.UNKNOWN_CARRIER, choices=tuple(sorted(rules.carriers)))


def _kind(raw: str) -> DeviceKind:
    try:
        return _KINDS[_word(raw)]
    except KeyError:
        raise _Wrong(Problem.UNKNOWN_DEVICE) from None


def _language(raw: str) -> Language:
    try:
        return _LANGUAGES[_word(raw)]
    except KeyError:
        raise _Wrong(Problem.UNKNOWN_LANGUAGE) from None


def _rounds(raw: str) -> int:
    text = raw.removesuffix(".0")
    if not (text.isascii() and text.isdigit() and int(text[:4]) <= MOST_ROUNDS):
        raise _Wrong(Problem.NOT_ROUNDS, MOST_ROUNDS)
    return int(text)


def _age_group(raw: str, rules: EnrolmentRules) -> AgeGroup:
    found = age_of(raw, rules.adult_age)
    if found is None:
        raise _Wrong(Problem.UNKNOWN_AGE_GROUP)
    return found


def _word(raw: str) -> str:
    return "".join(each for each in raw.casefold() if each.isalnum())
