"""Reads typed words as an input of the menu. Pure and total."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

from telephony.domain.guardians.guardian import is_same_phone
from telephony.domain.people.person import MOST_GUARDIANS, birthday
from telephony.domain.values import Msisdn
from telephony.ussd.menu import Effects, Memory, Menu, Screen
from telephony.ussd.menu_texts import WORDS

BACK: Final = "0"
YES: Final = "1"

LONGEST_NAME: Final = 80
LONGEST_RELATION: Final = 40
LONGEST_TYPED: Final = 1_000
"""Characters: a phone sends 182 at most; composing tens of thousands of a gateway's takes seconds."""
"""Characters, as in `telephony.domain.people.draft`."""

_DATE = re.compile(r"(\d{4})\D{0,2}(\d{1,2})\D{0,2}(\d{1,2})\D?")
_OLDEST_YEARS = 130
_SHORTEST_NUMBER = 10
"""Digits in E.164, country code included."""
_RESIDENT_NUMBER = re.compile(r"\d{6}\s*-?\s*[1-8]\d{6}")
"""The resident registration number of Korea, which hardly anyone may store by law."""

Do = Callable[[Menu], Effects]
"""Gives the input to the machine."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Whose phone it is, and what is needed to read numbers and ages."""

    caller: Msisdn
    today: date
    adult_age: int = 19
    country_code: str = "82"
    trunk_prefix: str = "0"


def read(screen: Screen, words: str, memory: Memory, reading: Reading) -> Do:
    """Return the input that these words are on this screen."""
    if len(words) > LONGEST_TYPED:
        return _not_understood
    # Korean keyboards write digits of full width; NFC alone would leave them.
    typed = " ".join(unicodedata.normalize("NFKC", words).split())
    if typed == BACK:
        return _back
    found = _READERS[screen](typed, memory, reading)
    return _not_understood if found is None else found


def _back(menu: Menu) -> Effects:
    return menu.back()


def _not_understood(menu: Menu) -> Effects:
    return menu.not_understood()


def _option(options: Mapping[str, Do]) -> Callable[[str, Memory, Reading], Do | None]:
    return lambda typed, _memory, _reading: options.get(typed.removesuffix("."))


def _name(typed: str, _memory: Memory, _reading: Reading) -> Do | None:
    if not _is_word(typed, LONGEST_NAME) or _RESIDENT_NUMBER.search(typed):
        return None
    return lambda menu: menu.named(typed)


def _birth(typed: str, _memory: Memory, reading: Reading) -> Do | None:
    match = _DATE.fullmatch(typed)
    if match is None:
        return None
    try:
        born = date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None
    if born > reading.today or born.year < reading.today.year - _OLDEST_YEARS:
        return None
    if reading.today < birthday(born, reading.adult_age):
        return lambda menu: menu.born_lately(born)
    return lambda menu: menu.born(born)


def _phone(typed: str, _memory: Memory, reading: Reading) -> Do | None:
    number = Msisdn.parse(typed, country_code=reading.country_code, trunk_prefix=reading.trunk_prefix)
    if not number.is_e164 or len(number.number) < _SHORTEST_NUMBER or is_same_phone(number, reading.caller):
        return None
    return lambda menu: menu.numbered(number.international)


def _relation(typed: str, memory: Memory, _reading: Reading) -> Do | None:
    listed = WORDS[memory.language].relations
    if typed.isascii() and typed.isdigit() and 1 <= int(typed[:3]) <= len(listed):
        return lambda menu: menu.related(listed[int(typed[:3]) - 1])
    return (lambda menu: menu.related(typed)) if _is_word(typed, LONGEST_RELATION) else None


def _place(typed: str, _memory: Memory, _reading: Reading) -> Do | None:
    if not (typed.isascii() and typed.isdigit() and 1 <= int(typed[:3]) <= MOST_GUARDIANS):
        return None
    return lambda menu: menu.placed(int(typed[:3]))


def _is_word(typed: str, longest: int) -> bool:
    is_clean = not any(unicodedata.category(each) in ("Cc", "Cs") for each in typed)
    return is_clean and len(typed) <= longest and any(each.isalpha() for each in typed)


_YES_OR_BACK: Final = _option(MappingProxyType({YES: lambda menu: menu.yes()}))
_READERS: Final[Mapping[Screen, Callable[[str, Memory, Reading], Do | None]]] = MappingProxyType(
    {
        Screen.MAIN: _option(
            MappingProxyType(
                {
                    "1": lambda menu: menu.register(),
                    "2": lambda menu: menu.guardians(),
                    "3": lambda menu: menu.my_data(),
                    "4": lambda menu: menu.test(),
                    "5": lambda menu: menu.cancel(),
                    "9": lambda menu: menu.language(),
                }
            )
        ),
        Screen.NAME: _name,
        Screen.BIRTH: _birth,
        Screen.MINOR: _phone,
        Screen.SUMMARY: _YES_OR_BACK,
        Screen.GUARDIANS: _option(
            MappingProxyType(
                {
                    "1": lambda menu: menu.list_guardians(),
                    "2": lambda menu: menu.add(),
                    "3": lambda menu: menu.remove(),
                }
            )
        ),
        Screen.PHONE: _phone,
        Screen.RELATION: _relation,
        Screen.ADD: _YES_OR_BACK,
        Screen.REMOVE: _place,
        Screen.SURE_TO_REMOVE: _YES_OR_BACK,
        Screen.TEST: _YES_OR_BACK,
        Screen.CANCEL: _YES_OR_BACK,
        Screen.ANSWER: _option(MappingProxyType({})),
    }
)
