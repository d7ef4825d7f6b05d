"""Tells the rows of a table that are no people: sums, notes, numbered rows without a name, repeated headings, the example."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum, unique
from typing import Final

from telephony.domain.people.draft import REQUIRED, EnrolmentRules, read_number
from telephony.domain.people.problems import Fault
from telephony.people_files.headers import is_headings

EXAMPLE_NUMBERS: Final = frozenset({"821000000000", "821000000001"})
"""Of the example in our template: 010-0000-0000 and 010-0000-0001, which no carrier gives to anybody."""
EXAMPLE_MARKS: Final = ("(예시)", "(example)")
"""What the name in that example begins with."""

_SUM: Final = re.compile(
    r"(?:합계|총계|소계|계|누계|총원|총인원|인원|총|합|total|subtotal|sum)[:=]?(?:\d+(?:명|인|people)?)?",
    re.IGNORECASE,
)
_COUNT: Final = re.compile(r"\d{1,7}(?:명|인|people)?")
_NOTE: Final = re.compile(r"[※*#]|주[):]|비고[:)]|참고[:)]|note:", re.IGNORECASE)


@unique
class NoPerson(StrEnum):
    """A kind of row that is no person."""

    SUM = "sum"
    NOTE = "note"
    EMPTY = "empty"
    HEADINGS = "headings"
    EXAMPLE = "example"


def no_person(
    cells: Sequence[str], texts: Mapping[str, str], headings: Sequence[str], rules: EnrolmentRules
) -> NoPerson | None:
    """Return what a row is that is no person; ``None`` for a person, be the row right or wrong.

    ``texts`` are its fields, ``headings`` those of the table. What could be somebody is never passed over: a row with a
    birth date, or with a telephone number, is a person.
    """
    if _is_example(texts, rules):
        return NoPerson.EXAMPLE
    written = [each.strip() for each in cells if each.strip()]
    if set(written) <= set(headings) or is_headings(cells):
        return NoPerson.HEADINGS
    own = [texts.get(name, "").strip() for name in REQUIRED]
    bare = ["".join(each.split()) for each in written]
    if any(map(_SUM.fullmatch, bare)) and all(
        not each or _SUM.fullmatch(each) or _COUNT.fullmatch(each)
        for each in ("".join(own_.split()) for own_ in own)
    ):
        return NoPerson.SUM
    if _NOTE.match(bare[0]) and len(set(bare)) == 1:
        return NoPerson.NOTE
    if not any(own) and not any(text.strip() for name, text in texts.items() if name.endswith("_phone")):
        return NoPerson.EMPTY
    return None


def _is_example(texts: Mapping[str, str], rules: EnrolmentRules) -> bool:
    if texts.get("name", "").strip().casefold().startswith(EXAMPLE_MARKS):
        return True
    number = read_number("number", texts.get("number", ""), rules)
    return not isinstance(number, Fault) and number.number in EXAMPLE_NUMBERS
