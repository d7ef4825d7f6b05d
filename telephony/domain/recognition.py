"""Which destinations and words make a message a press, and which a drill."""

from __future__ import annotations

from dataclasses import dataclass, field


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

    def __post_init__(self) -> None:
        # A blank word would make a drill of every empty message, and a pressed key often sends nothing else.
        object.__setattr__(self, "_folded", _folded(self.test_words))
        object.__setattr__(self, "_sos_folded", _folded(self.sos_words))

    def is_listed(self, destination: str) -> bool:
        """Claim that the destination is one of ours; otherwise the press is labelled, not refused."""
        return destination in self.sos_numbers or destination in self.test_numbers

    def is_for_service(self, destination: str, text: str | None) -> bool:
        """Claim that a message is for enrolment and keywords: sent to a service number, and no call for help.

        A service number that is an SOS number as well is an SOS number.
        """
        if destination not in self.service_numbers or self.is_listed(destination):
            return False
        folded = (text or "").casefold()
        return not any(word in folded for word in self._sos_folded)

    def ussd_code(self, dialled: str) -> str | None:
        """Give the listed code that a string dialled on a phone is; ``None`` for one of somebody else.

        Gateways drop the signs around a code, and whoever dials may add supplementary information: ``*112#``,
        ``112`` and ``*112*3#`` are one code (3GPP TS 22.030 clause 6.5.2).
        """
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
        """Claim that this press is a drill: by its number, or because its whole text is a test word.

        A NUL that a sender counts to the text is an "@" in GSM 03.38.
        """
        if destination in self.test_numbers:
            return True
        return bool(self._folded) and text is not None and _word(text) in self._folded


def _word(text: str) -> str:
    return text.strip().rstrip("@").casefold()


def _folded(words: frozenset[str]) -> frozenset[str]:
    return frozenset(folded for word in words if (folded := word.strip().casefold()))
