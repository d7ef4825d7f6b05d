"""Recognises presses and drills by their destination and words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from telephony.domain.values import Msisdn, as_dialled

_SHORTEST_NUMBER = 3
"""Digits that are left of a number without its country code, at the least."""


class Called(NamedTuple):
    """The kinds of number that can be called."""

    is_listed: bool
    is_test: bool


@dataclass(frozen=True, slots=True)
class Recognition:
    """The numbers and words of one carrier.

    The destination opens the door: whatever is sent to an SOS number is a press, whatever its text says.
    A destination that is in neither table is a press too: a misrouted call for help is still one.
    """

    sos_numbers: frozenset[str]
    test_numbers: frozenset[str] = frozenset()
    test_words: frozenset[str] = frozenset()
    country_code: str = "82"
    trunk_prefix: str = "0"
    ussd_codes: frozenset[str] = frozenset()
    service_numbers: frozenset[str] = frozenset()
    """Numbers and USSD codes for enrolment and keywords, used in calm: no press."""
    sos_words: frozenset[str] = frozenset()
    """Words that make a press even of what is sent to a service number."""
    _folded: frozenset[str] = field(init=False, default=frozenset())
    _sos_folded: frozenset[str] = field(init=False, default=frozenset())
    _pressed: frozenset[str] = field(init=False, default=frozenset())
    """SOS and test numbers as they are dialled at home."""
    _service: Mapping[str, str] = field(init=False, default_factory=dict, compare=False)
    """Service numbers as they are dialled at home, to the form in which they are listed."""

    def __post_init__(self) -> None:
        # A blank word would make a drill of every empty message, and a pressed key often sends nothing else.
        object.__setattr__(self, "_folded", _folded(self.test_words))
        object.__setattr__(self, "_sos_folded", _folded(self.sos_words))
        object.__setattr__(
            self, "_pressed", frozenset(map(self.national, self.sos_numbers | self.test_numbers))
        )
        object.__setattr__(self, "_service", {self.national(each): each for each in self.service_numbers})

    def is_listed(self, destination: str) -> bool:
        """Whether the destination is one of ours; otherwise the press is labelled, not refused."""
        return destination in self.sos_numbers or destination in self.test_numbers or self._has(destination)

    def _has(self, destination: str) -> bool:
        """Whether a destination is one of ours once its separators, NULs, filler or URI are off."""
        number = as_dialled(destination)
        return number in self.sos_numbers or number in self.test_numbers

    def national(self, number: str) -> str:
        """Return a number as it is dialled at home, without trunk prefix: 1588112 for +821588112 and 00821588112."""
        dialled = as_dialled(number)
        digits = Msisdn.parse(dialled, country_code=self.country_code, trunk_prefix=self.trunk_prefix).number
        for prefix in (self.trunk_prefix, self.country_code, self.trunk_prefix):
            rest = digits.removeprefix(prefix)
            digits = rest if len(rest) >= _SHORTEST_NUMBER else digits
        return digits

    def called(self, dialled: str) -> Called:
        """Return what a number is that was called, in whatever form the network writes it; parameters after ``;`` aside.

        An SOS number as it is listed is never a drill for what it would be at home.
        """
        home = self.national(dialled.partition(";")[0])
        is_sos = dialled in self.sos_numbers or as_dialled(dialled) in self.sos_numbers
        return Called(
            self.is_listed(dialled) or self.is_listed(home),
            self.is_test(dialled, None) or (not is_sos and self.is_test(home, None)),
        )

    def service_number(self, destination: str) -> str | None:
        """Return the listed service number that a destination is, in whatever form the network writes it.

        A service number that is an SOS or test number as well is none.
        """
        if self.is_listed(destination):
            return None
        if destination in self.service_numbers:
            return destination
        dialled = self.national(destination)
        return None if dialled in self._pressed else self._service.get(dialled)

    def is_own(self, destination: str, number: str) -> bool:
        """Whether a destination is this number of ours, in whatever form; never where it is an SOS or test number."""
        if not number or self.is_listed(destination):
            return False
        if destination == number:
            return True
        dialled = self.national(destination)
        return dialled not in self._pressed and dialled == self.national(number)

    def is_for_service(self, destination: str, text: str | None) -> bool:
        """Whether a message is for enrolment and keywords: sent to a service number, and no call for help.

        A service number that is an SOS number as well is an SOS number.
        """
        if destination not in self.service_numbers or self.is_listed(destination):
            return False
        folded = (text or "").casefold()
        return not any(word in folded for word in self._sos_folded)

    def ussd_code(self, dialled: str) -> str | None:
        """Return the listed code that a string dialled on a phone is; ``None`` for one of somebody else.

        Gateways drop the signs around a code, and the caller may add supplementary information: ``*112#``,
        ``112`` and ``*112*3#`` are one code (3GPP TS 22.030 clause 6.5.2). NULs and blanks around it mean nothing.
        """
        dialled = dialled.strip("\0 \t\r\n")
        service_code = dialled.strip("*#").partition("*")[0]
        if not service_code:
            return None
        for listed in (self.ussd_codes, self.test_numbers, self.sos_numbers):
            if dialled in listed:
                return dialled
            same = [code for code in listed if code.strip("*#") == service_code]
            if same:
                return min(same)
        return None

    def is_test(self, destination: str, text: str | None) -> bool:
        """Whether this press is a drill: by its number, or because its whole text is a test word.

        A NUL that a sender counts to the text is an "@" in GSM 03.38.
        """
        if destination in self.test_numbers:
            return True
        if destination not in self.sos_numbers and as_dialled(destination) in self.test_numbers:
            return True
        return bool(self._folded) and text is not None and _word(text) in self._folded


def _word(text: str) -> str:
    return text.strip().rstrip("@").casefold()


def _folded(words: frozenset[str]) -> frozenset[str]:
    return frozenset(folded for word in words if (folded := word.strip().casefold()))
