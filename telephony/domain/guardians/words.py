"""Reads a guardian's reply to what they were told: a confirmation, a mistake, or words for 112. Pure.

Only whole sentences that can mean nothing else are a mistake: "잘못된 길로 갔어요" is about a child who lost her way.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Final

LONGEST_WORDS: Final = 500
"""Characters of a guardian's words that 112 is given."""
LONGEST_READ: Final = 1_000
"""Characters that are composed: of 32,000 accents in disorder it takes seconds, and a reply that decides is a few words."""

_WORD: Final = re.compile(r"\w+")
_CODE: Final = re.compile(r"[0-9]{4,8}")
"""Somebody else asked for it: a code by which a phone proves itself while it signs up."""


def _as_compared(text: str) -> list[str]:
    """Return the words of a text without case, full-width forms and punctuation."""
    return [each.casefold() for each in _WORD.findall(unicodedata.normalize("NFKC", text))]


def _sentences(*written: str) -> frozenset[str]:
    return frozenset("".join(_as_compared(each)) for each in written)


_CONFIRM: Final = _sentences(
    "1", "1번", "일번", "확인", "확인함", "확인요", "확인했음", "확인했어요", "확인했습니다", "확인하였습니다", "네", "넵",
    "넹", "네네", "예", "옙", "예예", "응", "ㅇㅇ", "ㅇㅋ", "알겠어요", "알겠습니다", "알았어요", "알았습니다", "네 확인",
    "네 확인했습니다", "네 알겠습니다", "예 알겠습니다", "ok", "okay", "yes", "y", "yep", "confirm", "confirmed", "I know",
    "understood",
)  # fmt: skip
_BEGINS_A_CONFIRMATION: Final = _sentences("1", "1번", "확인", "네", "넵", "예", "ok", "okay", "yes")
"""First words after which more may follow: "네, 지금 가요"."""
_MISTAKE: Final = _sentences(
    "2", "2번", "오작동", "오작동임", "오작동이에요", "오작동입니다", "오작동이었습니다", "잘못", "잘못 누름", "잘못 눌렀어요",
    "잘못 눌렀습니다", "잘못 눌렀대요", "잘못 눌러졌어요", "실수", "실수로 누름", "실수로 눌렀어요", "실수로 눌렀습니다",
    "실수입니다", "실수예요", "장난", "false", "false alarm", "a false alarm", "it was a false alarm", "mistake",
    "by mistake", "by accident",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GuardianReply:
    """The meaning of a reply. ``words`` are for 112 to read, empty for none; they stay out of ``repr``."""

    confirms: bool = False
    is_mistake: bool = False
    words: str = field(default="", repr=False)


def read_reply(text: str) -> GuardianReply:
    """Read a reply. Total: full-width digits, case, blanks and punctuation do not matter."""
    words = _as_compared(text[:LONGEST_READ])
    whole = "".join(words) if len(text) <= LONGEST_READ else ""
    if whole in _CONFIRM:
        return GuardianReply(confirms=True)
    if whole in _MISTAKE:
        return GuardianReply(confirms=True, is_mistake=True)
    if _CODE.fullmatch(whole):
        return GuardianReply()
    kept = " ".join(text.split())[:LONGEST_WORDS]
    return GuardianReply(confirms=bool(words) and words[0] in _BEGINS_A_CONFIRMATION, words=kept)
