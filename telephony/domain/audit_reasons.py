"""The reason given for reading personal data: a code, by which reasons are counted, and words for the auditor."""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from typing import Final

LEAST_WEIGHT: Final = 5
"""Letters and digits of a reason; a Hangul syllable counts as two."""
LEAST_DIFFERENT: Final = 4
_SYLLABLES: Final = range(0xAC00, 0xD7A4)


class Reason(StrEnum):
    """The code of a reason, as it is written before its words: ``order: letter 2026-114``."""

    RESCUE = "rescue"
    PERSON = "person"
    ORDER = "order"
    COMPLAINT = "complaint"
    CORRECTION = "correction"
    FAULT = "fault"
    DRILL = "drill"
    REVIEW = "review"

    @property
    def korean(self) -> str:
        """Its meaning, in Korean."""
        return _WORDS[self][0]

    @property
    def english(self) -> str:
        """Its meaning, in English."""
        return _WORDS[self][1]

    @property
    def is_enough(self) -> bool:
        """Whether the code needs no words; after the others a paper, a person or a fault is named."""
        return self in {Reason.RESCUE, Reason.DRILL}


_WORDS: Final = {
    Reason.RESCUE: ("112 또는 현장 대원이 찾는 중", "112 or a unit in the field is looking for the person"),
    Reason.PERSON: ("본인 또는 보호자의 요청", "the person, or a guardian, asks for it"),
    Reason.ORDER: ("법원, 수사기관, 보호책임자의 명령", "a court, an investigator or the data protection officer orders it"),
    Reason.COMPLAINT: ("민원 처리", "a complaint is answered"),
    Reason.CORRECTION: ("틀리거나 바뀐 정보의 정정", "what is kept is wrong, or has changed"),
    Reason.FAULT: ("장애 원인 조사", "a fault of the service is looked for"),
    Reason.DRILL: ("훈련 또는 시험", "a drill or a test"),
    Reason.REVIEW: ("접근 기록 점검", "the looks of others are examined"),
}  # fmt: skip


def split(text: str) -> tuple[Reason | None, str]:
    """Return the code before the first colon, and the words after it; no code where there is none of ours."""
    code, colon, words = text.partition(":")
    try:
        return (Reason(code.strip().lower()), words.strip()) if colon else (None, text.strip())
    except ValueError:
        return None, text.strip()


def joined(reason: Reason | None, words: str) -> str:
    """Return both as they are kept."""
    return ": ".join(filter(None, (reason, words)))


def says_something(words: str) -> bool:
    """Whether these may be words: not blank, too short, repeated, or digits alone. Sense is for readers to judge."""
    letters = [each for each in unicodedata.normalize("NFC", words).casefold() if each.isalnum()]
    weight = sum(2 if ord(each) in _SYLLABLES else 1 for each in letters)
    is_varied = len(set(letters)) >= LEAST_DIFFERENT
    return weight >= LEAST_WEIGHT and is_varied and any(each.isalpha() for each in letters)
