"""A guardian's relation and age group, by which it is decided whether his consent counts for a minor. Pure.

A child, or anyone who holds the child's phone, can type any number and any relation. So the guardian states both from his own
phone, in his reply to our question, or a registrar has them on paper. A legal guardian is a parent or an appointed guardian (Civil
Act of Korea, articles 909, 928), and of age. Anybody else may be told of a press, and consents to nothing for a minor.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

LONGEST: Final = 200
"""Characters that are read of a reply."""
PAPERS: Final = "papers"
"""By what means a registrar knows it."""


class Relation(StrEnum):
    """The relations of those who may consent for a minor."""

    MOTHER = "mother"
    FATHER = "father"
    PARENT = "parent"
    GUARDIAN = "legal guardian"


class AgeGroup(StrEnum):
    """Whether somebody has the age of `people.adult_age`."""

    ADULT = "adult"
    MINOR = "minor"


@dataclass(frozen=True, slots=True)
class Standing:
    """A guardian's statement about himself, how it came (``means``: SMS, USSD, papers) and when (aware, UTC)."""

    relation: Relation
    age: AgeGroup
    means: str
    at: datetime

    @property
    def is_legal(self) -> bool:
        """Whether the consent of this guardian counts for a minor."""
        return self.age is AgeGroup.ADULT

    @property
    def words(self) -> str:
        """The standing on one line: ``mother, adult, SMS, 2026-11-23``."""
        return f"{self.relation}, {self.age}, {self.means}, {self.at.date().isoformat()}"


@dataclass(frozen=True, slots=True)
class Claim:
    """A reply's statement about its sender; ``None`` where it makes none, or two."""

    relation: Relation | None = None
    age: AgeGroup | None = None
    others: str = field(default="", repr=False)
    """The reply without its ages, whose digits are no items of a consent."""

    def standing(self, means: str, at: datetime) -> Standing | None:
        """Return it as a standing, where it says both."""
        if self.relation is None or self.age is None:
            return None
        return Standing(self.relation, self.age, means, at)


NO_CLAIM: Final = Claim()
_OWN_WORD: Final = r"(?<![가-힣])"
_NO_LAW: Final = r"(?<!step[- ])(?<!grand[- ])(?<!god[- ])(?<!foster[- ])\b"
_IN_LAW: Final = r"\b(?![- ]in[- ]law)"
_RELATIONS: Final = (
    (
        Relation.MOTHER,
        rf"{_OWN_WORD}(?:어머니|엄마|친모|모친|모(?![가-힣]))|{_NO_LAW}(?:mother|mom|mum){_IN_LAW}",
    ),
    (
        Relation.FATHER,
        rf"{_OWN_WORD}(?:아버지|아빠|친부|부친|부(?![가-힣]))|{_NO_LAW}(?:father|dad){_IN_LAW}",
    ),
    (Relation.PARENT, rf"{_OWN_WORD}(?:부모|친권자)|{_NO_LAW}parents?{_IN_LAW}"),
    (
        Relation.GUARDIAN,
        rf"{_OWN_WORD}(?:미성년)?후견인|{_OWN_WORD}법정\s?대리인|\b(?:legal\s)?guardian\b",
    ),
)
_ADULT: Final = rf"{_OWN_WORD}(?:성인|성년|어른)|\badults?\b|\bof age\b"
_MINOR: Final = rf"{_OWN_WORD}(?:미성년(?!\s?후견)|청소년)|\bminors?\b|\bunder ?age\b"
_AGE: Final = re.compile(
    r"(?P<under>(?:under|below)\s)?(?<![0-9])(?P<years>[0-9]{1,3})\s?(?:세|살|years?(?:\sold)?\b|\+)(?P<below>\s?(?:미만|이하|보다))?",
    re.IGNORECASE,
)
_NOT: Final = re.compile(r"아니|아닙|아님|아녜|않|없|\bnot\b|n't\b|\bno\b", re.IGNORECASE)

_KOREAN: Final = {
    Relation.MOTHER: "어머니",
    Relation.FATHER: "아버지",
    Relation.PARENT: "부모",
    Relation.GUARDIAN: "법정대리인",
}
_COMPILED: Final = tuple((relation, re.compile(pattern, re.IGNORECASE)) for relation, pattern in _RELATIONS)
_ADULT_WORD: Final = re.compile(_ADULT, re.IGNORECASE)
_MINOR_WORD: Final = re.compile(_MINOR, re.IGNORECASE)


def claim(words: str, adult_age: int) -> Claim:
    """Return what a reply says; total. A reply that denies anything says nothing: its sender is asked again."""
    line = _line(words)
    others = " ".join(_AGE.sub(" ", line).split())
    if _NOT.search(line) is not None:
        return Claim(others=others)
    return Claim(_relation(line), _age(line, adult_age), others)


def said(relation: Relation, language: str) -> str:
    """Return a relation as 112 and the guardian read it."""
    return _KOREAN[relation] if language == "ko" else relation.value


def relation_of(text: str) -> Relation | None:
    """Return the relation that a text names, as a registrar writes it in a list."""
    return None if _NOT.search(text[:LONGEST]) else _relation(_line(text))


def age_of(text: str, adult_age: int) -> AgeGroup | None:
    """Return the age group that a cell names: a word, or an age in years with or without a unit."""
    line = _line(text)
    if line.isascii() and line.isdigit():
        line = f"{line} years"
    return None if _NOT.search(line) else _age(line, adult_age)


def _line(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text[:LONGEST]).split())


def _relation(line: str) -> Relation | None:
    found = [relation for relation, pattern in _COMPILED if pattern.search(line)]
    if Relation.MOTHER in found and Relation.FATHER in found:
        return None
    # A mother who is the legal guardian has said one thing; the narrower stands first.
    return found[0] if found else None


def _age(line: str, adult_age: int) -> AgeGroup | None:
    said = set()
    for match in _AGE.finditer(line):
        is_below = bool(match["under"] or match["below"]) or int(match["years"]) < adult_age
        said.add(AgeGroup.MINOR if is_below else AgeGroup.ADULT)
    if _ADULT_WORD.search(line):
        said.add(AgeGroup.ADULT)
    if _MINOR_WORD.search(line):
        said.add(AgeGroup.MINOR)
    return said.pop() if len(said) == 1 else None


def newer_standing(known: Standing | None, said: Standing | None) -> Standing | None:
    """Return the standing that holds: a repetition is no news, and a reply without a standing takes nothing away."""
    if known is None or said is None:
        return said or known
    is_same = (known.relation, known.age, known.means) == (said.relation, said.age, said.means)
    return known if is_same else said
