"""Rates how plausible a text is as human writing: Korean and English first, no other language spoiled.

Each character has a weight (`_RANGES`, `_SETS`): characters that people write are worth up to 1, those that only
misread octets give less than 0. A text is worth the mean, less what its shape costs (`_SHAPES`). In every script that
people write, a clean text is worth at least `CLEAN`: see `telephony.alphabets.reading` for what follows from it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from itertools import chain, pairwise
from math import inf
from typing import Final

REPLACEMENT: Final = "\ufffd"
"""Stands for octets that are no character."""

CLEAN: Final = 0.7
"""The least that a text of any script is worth when it is read as it was meant."""

_USUAL: Final = 1.0
_GOOD: Final = 0.85
_FAIR: Final = 0.7
_SELDOM: Final = 0.55
_ODD: Final = 0.2
_NEUTRAL: Final = 0.0
_STRANGE: Final = -0.3
_RARE: Final = -0.6
_RUBBISH: Final = -1.5

_SAMPLE: Final = 256
"""Characters that are weighed: in one message, more tell nothing else."""

_FREQUENT_SYLLABLES: Final = (
    "이다는에을가고의로하지은니사를도어아기한자시그있나들해라인리서대오과만보수주정일요여부전거장스구면우안음상제소게"
    "것원유생으동선신네미간경말적며성야내공계관할모세위었학습까국실조비마교문화저방무진연재영심식없트년와개중바더치발"
    "물행려터집명차드회용당산현러같민알배속했살분되외운통력른람약예불달체감강단결번천손금양임데움건히좋청각께작표후또"
    "않온두호입길겠르직질녀머점날목노줄급권출키때업함남군법포토승왜피병빠엄힘잡못받열반복최막타카던둘될련루설류름너합"
    "죠칼죽맞숨갇납협박폭밖옆층역앞뒤빨줘찰험섭워파편누끌갔왔혔혀졌렸났됐돼봐응형언님씨쪽곳빌골창텔색흰검렁크택버철읍"
    "밭논쓰쳤떡잠첫째셋넷섯곱덟홉백억월휴폰걸씀립녕답메긴등록변확취절테훈깨술욕울총흉든혼애딸처겁괜찮죄송얼굴봤젊큰옷"
    "란티셔츠엘베페프래"
)
"""Syllables that make up most of what Koreans write, and what they write in need."""


def _rows(first: int, last: int) -> str:
    """Return rows of KS X 1001, by the first octet of their characters."""
    leads = range(first, last + 1)
    octets = bytes(chain.from_iterable((lead, trail) for lead in leads for trail in range(0xA1, 0xFF)))
    return octets.decode("euc_kr")


def _common_syllables() -> str:
    """Return the 2,350 syllables of KS X 1001; misread octets are mostly others of the 11,172."""
    return _rows(0xB0, 0xC8)


def _common_han() -> str:
    """Return the characters of the first levels of GB 2312, Big5 and JIS X 0208: what Chinese and Japanese write."""
    return "".join(
        bytes((lead, trail)).decode(encoding, "ignore")
        for encoding, leads in (("gb2312", (0xB0, 0xD8)), ("euc_jp", (0xB0, 0xD0)), ("big5", (0xA4, 0xC7)))
        for lead in range(*leads)
        for trail in chain(range(0x40, 0x7F) if encoding == "big5" else (), range(0xA1, 0xFF))
    )


_SETS: Final[Iterable[tuple[str, float]]] = (
    (_rows(0xCA, 0xFD), _SELDOM),
    (_common_han(), _GOOD),
    (_common_syllables(), _SELDOM),
    (_FREQUENT_SYLLABLES, _USUAL),
    ("\t\n\r\f !'(),-./0123456789:?\"", _USUAL),
    ("$=<>[]\\^_`{|}~@", _ODD),
    ("#%&*+;", _FAIR),
    ("\u200c\u200d\ufe0f\u20e3", _GOOD),
    ("¡£¥§«°·»¿\u00d7\u00f7", _FAIR),
    ("\u0259\u018f\u01a0\u01a1\u01af\u01b0\u01e6\u01e7\u0218\u0219\u021a\u021b", _GOOD),
    ("\u3000", _FAIR),
    ("\u00a0", _SELDOM),
    ("\u2116\u2122\u2103\u2109\u212b\u20a9\u20ac\u203b", _FAIR),
)
"""Characters by name; later lines win."""

# First code point of each range, and what it is worth. What is in none of them is "strange".
_RANGES: Final[tuple[tuple[int, float], ...]] = (
    (0x0000, _RUBBISH),  # controls
    (0x0041, _USUAL), (0x005B, _ODD), (0x0061, _USUAL), (0x007B, _ODD), (0x007F, _RUBBISH),
    (0x00A0, _ODD), (0x00C0, _GOOD),  # Latin
    (0x0180, _ODD), (0x0250, _STRANGE), (0x02B0, _FAIR), (0x0300, _GOOD),  # phonetic signs; modifiers; accents, Greek, Cyrillic
    (0x0530, _GOOD), (0x0700, _STRANGE), (0x0750, _GOOD), (0x0780, _STRANGE), (0x08A0, _GOOD),  # Armenian to Arabic
    (0x0900, _GOOD),  # Indic scripts, Thai, Lao, Tibetan, Burmese, Georgian
    (0x1100, _FAIR), (0x1200, _GOOD), (0x13A0, _STRANGE),  # Hangul letters; Ethiopic
    (0x1780, _GOOD), (0x18B0, _STRANGE),  # Khmer, Mongolian
    (0x1C80, _STRANGE), (0x1E00, _GOOD),  # Latin and Greek with more accents: Vietnamese
    (0x2000, _ODD), (0x2010, _FAIR), (0x2028, _RUBBISH), (0x202F, _FAIR), (0x2060, _RUBBISH),  # punctuation
    (0x2070, _ODD), (0x20A0, _FAIR), (0x20D0, _STRANGE),  # currency
    (0x2190, _FAIR), (0x2200, _ODD), (0x2460, _FAIR), (0x2500, _FAIR),  # arrows, circled numbers
    (0x25A0, _FAIR), (0x27C0, _STRANGE),  # shapes, signs, dingbats: the older emoji are among them
    (0x3001, _GOOD), (0x3020, _ODD), (0x3041, _GOOD), (0x3100, _GOOD), (0x3130, _GOOD), (0x3190, _STRANGE),  # kana
    (0x3200, _ODD), (0x3400, _RARE), (0x4DC0, _STRANGE), (0x4E00, _STRANGE), (0xA000, _STRANGE),  # Han
    (0xA960, _STRANGE), (0xAC00, _NEUTRAL), (0xD7A4, _STRANGE), (0xD800, _RUBBISH),  # Hangul; surrogates, private use
    (0xF900, _STRANGE), (0xFB50, _STRANGE), (0xFDD0, _RUBBISH), (0xFDF0, _STRANGE), (0xFE00, _ODD), (0xFE10, _STRANGE),
    (0xFF01, _FAIR), (0xFF5F, _ODD), (0xFF66, _FAIR), (0xFFA0, _ODD), (0xFFE0, _FAIR), (0xFFE7, _RUBBISH),  # full width
    (0x10000, _NEUTRAL), (0x1F000, _GOOD), (0x1FB00, _NEUTRAL), (0x20000, _NEUTRAL), (0x323B0, _RUBBISH),  # emoji
)  # fmt: skip
_STARTS: Final = tuple(start for start, _ in _RANGES)
_WEIGHTS: Final = tuple(weight for _, weight in _RANGES)
_LAST_OF_TABLE: Final = "\uffff"


def _weights_of_the_basic_plane() -> tuple[float, ...]:
    weights: list[float] = []
    for (start, value), (following, _) in pairwise(_RANGES):
        if start <= ord(_LAST_OF_TABLE):
            weights += [value] * (following - start)
    for characters, value in _SETS:
        for character in characters:
            weights[ord(character)] = value
    return tuple(weights)


_TABLE: Final = _weights_of_the_basic_plane()

_ASCII_IN_THE_OTHER_ORDER: Final = "".join(
    chr(octet << 8) for octet in range(0x20, 0x7F) if octet != ord("%")
)
"""ASCII in UTF-16 as it looks with its octets in the wrong order; "%" would be the line that frames are drawn with."""

# Shapes that letters do not take when they are read as they were meant, and the cost of each.
_SHAPES: Final[tuple[tuple[re.Pattern[str], float], ...]] = (
    (re.compile("[A-Za-z](?=[0-9&+<-@{-~])|[0-9](?=[A-Za-z])"), 0.3),
    (re.compile("[a-z\u00df-\u00ff](?=[A-Z\u00c0-\u00de])"), 0.5),
    (re.compile("[\u00a1-\u00ff]{2}(?=[\u00a1-\u00ff])"), 1.5),
    (re.compile("[\u00a1-\u00ff](?=[!-@\\[-`{-~])|[!-@\\[-`{-~](?=[\u00a1-\u00ff])"), 0.25),
    (re.compile(f"[{_ASCII_IN_THE_OTHER_ORDER}](?=[{_ASCII_IN_THE_OTHER_ORDER}])"), 1.0),
    (re.compile('[^\\W_]"(?=[^\\W_])'), 0.5),
    (re.compile("@(?=[^@]@)"), 3.0),
    (re.compile("([^\x00-\x7f])(?=(?!\\1).\\1(?!\\1).\\1)", re.DOTALL), 1.0),
    (re.compile("([^\x00-\x7f])(?=(?!\\1).\\1(?!\\1).\\1(?!\\1).\\1)", re.DOTALL), 2.0),
    (re.compile("([01])(?=[1-~]\\1[1-~]\\1[1-~]\\1[1-~])(?![0-9]{8})"), 2.0),
    (re.compile("[\\w.-]\u00a1(?=\\w+\\.[a-z]{2})"), 2.0),
    (re.compile("[\u0100-\u024f](?=[\u0370-\u1dff])|[\u0370-\u1dff](?=[\u0100-\u024f])"), 0.7),
    (re.compile("[a-z][\uac00-\ud7a3]{1,2}(?=[a-z])"), 0.7),
    (re.compile("[\uac00-\ud7a3](?=[\u0080-\u024f\u0370-\u1fff\u4e00-\u9fff])"), 0.4),
    (re.compile("[\u0080-\u024f\u0370-\u1fff\u4e00-\u9fff](?=[\uac00-\ud7a3])"), 0.4),
)
"""Letters among digits, every second character the same one, quotation marks within words, a capital behind a small letter, accents in a row, accents among signs, Hangul against letters that are neither."""

_SANDWICHED: Final = re.compile("[a-z][\uac00-\ud7a3]{1,2}[a-z]")
NO_ROW: Final = "(?!(?:1.){5}|(?:.1){5}|(?:0.){4}|(?:.0){4})"
"""Looks ahead for what letters of Hangul or kana in UTF-16 are in ASCII: all of a row begin with the octet of "1" or of "0"."""
_PLAINEST: Final = re.compile(f"{NO_ROW}[\t\n\r -`\u3131-\u3163{_FREQUENT_SYLLABLES}]*")
"""Neither letters that Hangul could be sandwiched between, nor a syllable that is not frequent."""
_PLAIN: Final = re.compile(
    f"{NO_ROW}[\t\n\r -~{_common_syllables()}\u3131-\u3163\u00a0\u00b7\u2010-\u2027\u2030-\u203b\u3001-\u3011\uff01-\uff5e"
    "\u2600-\u27bf\U0001f300-\U0001faff\ufe0f]*"
)
_INFREQUENT: Final = re.compile(f"[{''.join(sorted(set(_common_syllables()) - set(_FREQUENT_SYLLABLES)))}]")


def weight(character: str) -> float:
    """Return what one character is worth."""
    if character <= _LAST_OF_TABLE:
        return _TABLE[ord(character)]
    return _WEIGHTS[bisect_right(_STARTS, ord(character)) - 1]


def worth(text: str, most: int = _SAMPLE, *, floor: float = -inf) -> float:
    """Return what a text is worth, by its first ``most`` characters, at most 1; -1 where there is none.

    Anything below ``floor`` may be returned where it is worth less than that.
    """
    sample = text[:most]
    if not sample:
        return -1.0
    total = sum(
        map(weight, sample) if max(sample) > _LAST_OF_TABLE else map(_TABLE.__getitem__, map(ord, sample))
    )
    if total < floor * len(sample):
        return total / len(sample)
    total -= sum([cost * len(found) for shape, cost in _SHAPES if (found := shape.findall(sample))])
    return total / len(sample)


def is_plain(text: str) -> bool:
    """Whether a text is plainly Korean, English or both, so that no other reading need be tried: the quick way."""
    if _PLAINEST.fullmatch(text):
        return True
    if _PLAIN.fullmatch(text) is None:
        return False
    return text.isascii() or (
        2 * len(_INFREQUENT.findall(text)) <= len(text) and not _SANDWICHED.search(text)
    )
