"""Reads the keyword of a text to a service number, in Korean or English, however a phone wrote it.

Total: any text is some `Said`, at worst `Word.UNKNOWN`. Full-width signs, decomposed Hangul, lines, signs around words
and polite endings are all read as what was meant.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from telephony.domain.guardians.standing import claim

LONGEST: Final = 1_000
"""Characters that are read; no keyword needs more."""


class Word(StrEnum):
    """The keywords."""

    REGISTER = "register"
    GUARDIAN = "guardian"
    CHANGE = "change"
    CANCEL = "cancel"
    HELP = "help"
    TEST = "test"
    MY_DATA = "my data"
    AGREE = "agree"
    REFUSE = "refuse"
    CODE = "code"
    """Six digits and no more, or four, as before."""
    CRY = "cry"
    """"Help" with more behind it: not a request for the list of keywords."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Said:
    """A text as it was meant. ``rest`` is what follows the keyword, ``code`` the digits of a reply."""

    word: Word
    rest: str = field(default="", repr=False)
    code: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, repr=False)
class Registration:
    """The fields that follow `Word.REGISTER`; a missing one is empty."""

    name: str
    birth: str
    guardian: str


_HANGUL: Final = re.compile("[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
_BLANKS_IN_HANGUL: Final = re.compile(r"(?<=[가-힣])\s+(?=[가-힣])")
_SIGNS: Final = " \t.,:;!?~*#@'\"`()[]{}<>|/\\_=+-·…\u2018\u2019“”「」『』【】"
_ENDING: Final = (
    r"(?:(?:\s?(?:신청|요청|부탁))?"
    r"(?:합니다|할게요|할께요|해요|해\s?주세요|해\s?줘요?|하기|입니다|이요|요|함)?(?![가-힣]))?"
)
"""Endings that Korean adds to such a word without meaning more."""

_KOREAN: Final = {
    Word.REGISTER: "등록|가입|신규",
    Word.GUARDIAN: "보호자",
    Word.CHANGE: "변경|수정",
    Word.CANCEL: "해지|취소|탈퇴|삭제|철회",
    Word.HELP: r"도움\s*말|안내|사용법",
    Word.TEST: "테스트|시험|훈련",
    Word.MY_DATA: r"내\s*정보|나의\s*정보|조회",
    Word.AGREE: "동의|네|예|승인|수락",
    Word.REFUSE: "거절|거부|아니오|아니요",
    Word.CODE: r"인증\s*번호|코드",
}
_ENGLISH: Final = {
    Word.REGISTER: r"register|sign\s*up|enroll?|join",
    Word.GUARDIAN: "guardians?",
    Word.CHANGE: "change|update",
    Word.CANCEL: "cancel|unsubscribe|stop|withdraw|delete",
    Word.HELP: "help|info|menu",
    Word.TEST: "test|drill",
    Word.MY_DATA: r"my\s*data|my\s*info",
    Word.AGREE: "agree|yes|accept|ok",
    Word.REFUSE: "refuse|decline|reject|no",
    Word.CODE: "code",
}
_TAKES_MORE: Final = frozenset({Word.REGISTER, Word.GUARDIAN, Word.CHANGE})
"""After these a name may follow without a blank: 등록홍길동."""

_PATTERNS: Final = tuple(
    (word, re.compile(rf"(?:{_KOREAN[word]}){_ENDING}{'' if word in _TAKES_MORE else '(?![가-힣])'}"))
    for word in _KOREAN
) + tuple((word, re.compile(rf"(?:{_ENGLISH[word]})(?![a-z])", re.IGNORECASE)) for word in _ENGLISH)

_BARE_CODE: Final = re.compile(r"[0-9]{6}|[0-9]{4}")
_CODE_WITHIN: Final = re.compile(r"(?<![0-9])(?:[0-9]{6}|[0-9]{4})(?![0-9])")
_CODE_FIRST: Final = re.compile(r"([0-9]{6}|[0-9]{4})\s*(?![0-9])(.+)")

_ITEMS: Final = re.compile(r"[1-4](?:[ ,.]{0,2}[1-4]){0,3}")
"""Items of a consent, by their numbers."""

_DATE: Final = (
    r"(?<![0-9])(?:19|20)[0-9]{2}\s?[-./년]?\s?[0-9]{1,2}\s?[-./월]?\s?[0-9]{1,2}(?![0-9])(?:\s?일|\.)?"
)
_PHONE: Final = (
    r"(?<![0-9])(?:\+[0-9]{1,3}[-. ]?[0-9]{1,4}|82[-. ]?1[0-9]|0[0-9]{1,2})"
    r"[-. ]?[0-9]{3,4}[-. ]?[0-9]{4}(?![0-9])"
)
_DATE_OR_PHONE: Final = re.compile(f"(?P<date>{_DATE})|(?P<phone>{_PHONE})")
_A_PHONE: Final = re.compile(_PHONE)
_DIGITS: Final = re.compile(r"[+0-9][0-9()./-]*")
_REMOVE: Final = re.compile(r"삭제|제거|해제|빼기|remove|delete", re.IGNORECASE)


def is_hangul(text: str) -> bool:
    """Whether there is Korean in a text."""
    return _HANGUL.search(text) is not None


def plain(text: str) -> str:
    """Return a text on one line, composed (NFKC), with single blanks and without invisible characters."""
    composed = unicodedata.normalize("NFKC", text[:LONGEST])
    # A blank for everything that separates words; joiners, marks of direction and half characters go without one.
    kept = [
        " " if unicodedata.category(each) in ("Cc", "Zl", "Zp", "Zs") else each
        for each in composed
        if unicodedata.category(each) not in ("Cf", "Cs")
    ]
    return " ".join("".join(kept).split())


def as_heard(text: str) -> str:
    """Return a text as distress words are looked for in it: `plain`, and once more without blanks within Hangul.

    살려 주세요 is as often written with a blank as without one.
    """
    line = plain(text)
    return f"{line}\n{_BLANKS_IN_HANGUL.sub('', line)}"


def read(text: str | None) -> Said:
    """Read a text."""
    line = plain(text or "").strip(_SIGNS)
    if _BARE_CODE.fullmatch(line):
        return Said(Word.CODE, code=line)
    if (match := _CODE_FIRST.fullmatch(line)) is not None:
        said = read_keyword(match[2].strip(_SIGNS))
        if said.word in (Word.AGREE, Word.REFUSE):
            return Said(said.word, said.rest, match[1])
        rest = match[2].strip(_SIGNS)
        if len(match[1]) == len("123456") and (_ITEMS.fullmatch(rest) or _is_about_oneself(rest)):
            # Of four digits it would be a date.
            return Said(Word.CODE, rest, match[1])
    return read_keyword(line)


def _is_about_oneself(rest: str) -> bool:
    """Whether this says who a guardian is: relation or age."""
    said = claim(rest, adult_age=0)
    return said.relation is not None or said.age is not None


def read_keyword(line: str) -> Said:
    """Read a line of `plain` that begins with a keyword, if with anything."""
    for word, pattern in _PATTERNS:
        match = pattern.match(line)
        if match is None:
            continue
        rest = line[match.end() :].strip(_SIGNS.replace("+", ""))
        if word in (Word.AGREE, Word.REFUSE, Word.CODE):
            found = _CODE_WITHIN.search(rest)
            return Said(word, rest, "" if found is None else found[0])
        if word is Word.HELP and rest and line[:4].casefold() == "help":
            return Said(Word.CRY)
        return Said(word, rest)
    return Said(Word.UNKNOWN, line)


def registration(rest: str) -> Registration:
    """Take apart ``홍길동 2015-03-02 엄마 010-1234-5678``, in that order or another, parts missing or not."""
    birth, others, after = "", [], 0
    phones: list[str] = []
    for match in _DATE_OR_PHONE.finditer(rest):
        others.append(rest[after : match.start()])
        after = match.end()
        if match["phone"]:
            phones.append(match["phone"])
        elif not birth:
            birth = match["date"].strip()
    others.append(rest[after:])
    if not birth:
        others, birth = _odd_digits(others)
    words = [stripped for each in others if (stripped := each.strip(_SIGNS))]
    name, more = (words[0], words[1:]) if words else ("", [])
    return Registration(name, birth, " ".join([*phones[:1], *more]))


def _odd_digits(others: list[str]) -> tuple[list[str], str]:
    """Return the first digits that are neither date nor number as what was meant as the date."""
    for place, each in enumerate(others):
        match = _DIGITS.search(each)
        if match is not None:
            cut = [each[: match.start()], each[match.end() :]]
            return [*others[:place], *cut, *others[place + 1 :]], match[0]
    return others, ""


def phone_and_words(text: str) -> tuple[str, str]:
    """Part a telephone number, the first of a text, from the words around it; either may be empty."""
    match = _A_PHONE.search(text) or _DIGITS.search(text)
    if match is None:
        return "", text.strip(_SIGNS)
    words = f"{text[: match.start()]} {text[match.end() :]}".split()
    return match[0], " ".join(words).strip(_SIGNS)


def removal(rest: str) -> str | None:
    """Return which guardian is to be taken out, by place or number as it was written; ``None``: it asks for no removal."""
    match = _REMOVE.search(rest)
    if match is None:
        return None
    return phone_and_words(f"{rest[: match.start()]} {rest[match.end() :]}")[0]


def field_and_value(rest: str) -> tuple[str, str]:
    """Part the first word, which says what to change, from what to change it to."""
    name, _, value = rest.partition(" ")
    return name.strip(_SIGNS), value.strip(_SIGNS.replace("+", ""))
