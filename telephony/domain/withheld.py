"""Recognises what networks write in place of a withheld number. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

SOURCES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        # RFC 3323 section 4.1.1.3, also where the host is put behind it.
        "anonymous": ("RFC 3323",),
        "anonymous.invalid": ("RFC 3323",),
        # 3GPP TS 29.163 table 7.2.3.1.2.6: no number came from the ISUP side.
        "unavailable": ("3GPP TS 29.163",),
        "unknown.invalid": ("3GPP TS 29.163",),
        # Reasons for no CLI: 3GPP TS 22.081, as 3GPP TS 24.008 clause 10.5.4.30 names them.
        "unknown": ("3GPP TS 24.008",),
        "unable to provide": ("3GPP TS 24.008",),
        "reject by user": ("3GPP TS 24.008",),
        "interaction with other service": ("3GPP TS 24.008",),
        "coin line/payphone": ("3GPP TS 24.008",),
        "payphone": ("3GPP TS 24.008",),
        # Bellcore GR-31 (P, O), and how gateways spell them out.
        "private": ("GR-31-CORE",),
        "p": ("GR-31-CORE",),
        "out of area": ("GR-31-CORE",),
        "o": ("GR-31-CORE",),
        # Gateways, switches and SBCs in the field.
        "restricted": ("Cisco IOS, AudioCodes",),
        "caller id restricted": ("gateways",),
        "presentation restricted": ("gateways",),
        "withheld": ("British Telecom",),
        "number withheld": ("British Telecom",),
        "blocked": ("North American switches",),
        "not available": ("gateways",),
        "id unavailable": ("gateways",),
        "no number": ("gateways",),
        "no caller id": ("gateways",),
        "private number": ("gateways",),
        "unknown number": ("gateways",),
        "invalid": ("gateways",),
        "asterisk": ("Asterisk, where from_user is not set",),
        "s": ("Asterisk, where there is no user",),
        # Korea: 발신번호표시제한 (Telecommunications Business Act, article 84) and what phones show for it.
        "발신번호표시제한": ("carriers of Korea",),
        "발신자표시제한": ("carriers of Korea",),
        "발신번호제한": ("carriers of Korea",),
        "표시제한": ("carriers of Korea",),
        "번호표시제한": ("carriers of Korea",),
        "발신번호표시금지": ("carriers of Korea",),
        "표시금지": ("carriers of Korea",),
        "발신번호없음": ("carriers of Korea",),
        "번호없음": ("carriers of Korea",),
        "발신정보없음": ("carriers of Korea",),
        "알수없음": ("carriers of Korea",),
        "비공개": ("carriers of Korea",),
        "공중전화": ("carriers of Korea",),
    }
)
"""The words, and who writes them. Case, blanks and signs do not count."""

_SIGNS = re.compile(r"[\W_]+")
_WORDS: Final = frozenset(_SIGNS.sub("", word) for word in SOURCES)
_ZEROS = re.compile(r"\+?0*")
"""A number of zeros alone is what a switch fills in; ``0000000000`` of ten was seen."""
_LONGEST: Final = 64


def is_withheld(shown: str) -> bool:
    """Whether the text in the place of a number says that it is withheld."""
    if len(shown) > _LONGEST:
        return False
    return _ZEROS.fullmatch(shown.strip()) is not None or _SIGNS.sub("", shown.casefold()) in _WORDS
