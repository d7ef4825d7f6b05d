"""Raised for a file of people that cannot be used, in the words of both languages."""

from __future__ import annotations

from telephony.domain.errors import Malformed
from telephony.domain.people.person import Language


class Unusable(Malformed):
    """The file cannot be used; it says why, and what to do. In English as a string, in either language by `said`."""

    def __init__(self, korean: str, english: str) -> None:
        super().__init__(english)
        self._korean = korean

    def said(self, language: Language) -> str:
        """Return why, and what to do."""
        return self._korean if language == "ko" else str(self)
