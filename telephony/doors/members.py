"""Reads the members of a JSON body, one after the other: each is a value, or nothing and a remark that says what to write. Pure.

Nothing here raises for what a body holds; `read_object` alone does, for a body that is no JSON object.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from telephony.domain.errors import Malformed
from telephony.doors.answers import Remark

E = TypeVar("E", bound=StrEnum)

MOST_REMARKS: Final = 20
"""Remarks in one answer; who has made more mistakes reads of these first."""
LONGEST_NAMED: Final = 40
"""Characters of a member's name in a remark."""


def read_object(body: bytes, *, is_urgent: bool = False) -> Mapping[str, Any]:
    """Return the JSON object that a body is (RFC 8259). Raises `Malformed` in words that say what to send.

    A number that is none (``NaN``), or longer than any, is infinite or none for whoever asks for it. Of an urgent body
    octets that are no UTF-8 are U+FFFD, where they leave an object to be read.
    """
    try:
        said = body.decode("utf-8-sig", "replace" if is_urgent else "strict")
        known = json.loads(said, parse_int=_whole)
    except UnicodeDecodeError:
        raise Malformed("the body is not UTF-8: send a JSON object in UTF-8") from None
    except (ValueError, RecursionError):
        raise Malformed("the body is not JSON: send one JSON object") from None
    if not isinstance(known, dict):
        raise Malformed("the body is JSON but no object: send {…} with the members that the documents name")
    return known


def _whole(digits: str) -> int | float:
    """Return a whole number; an infinite one for more digits than Python reads."""
    try:
        return int(digits)
    except ValueError:
        return float(digits)


class Members:
    """The members of one object. Each is asked for once; `remarks` tells what was wrong, also of names that nobody asked for."""

    def __init__(self, known: Mapping[str, Any], at: str = "#") -> None:
        self._known = known
        self._at = at
        self._asked: set[str] = set()
        self._remarks: list[Remark] = []
        self._lost: list[Remark] = []

    def note(self, name: str, detail: str, *, is_lost: bool = True) -> None:
        """Remark on a member; ``is_lost`` says that something of it could not be read."""
        pointer = name[:LONGEST_NAMED].replace("~", "~0").replace("/", "~1")
        remark = Remark(f"{self._at}/{pointer}", detail)
        self._remarks.append(remark)
        if is_lost:
            self._lost.append(remark)

    def note_whole(self, detail: str) -> None:
        """Remark on the object as a whole, of which something could not be read."""
        remark = Remark(self._at, detail)
        self._remarks.append(remark)
        self._lost.append(remark)

    @property
    def has_lost(self) -> bool:
        """Whether something that was sent could not be read."""
        return bool(self._lost)

    @property
    def lost(self) -> tuple[Remark, ...]:
        """The remarks on what could not be read, or is missing."""
        return tuple(self._lost[:MOST_REMARKS])

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """What was wrong, in the order in which it was asked for; unknown names last."""
        for name in [each for each in self._known if each not in self._asked]:
            self.note(name, "is not a member that is known here; it was passed over", is_lost=False)
            self._asked.add(name)
        return tuple(self._remarks[:MOST_REMARKS])

    def text(self, name: str, longest: int) -> str | None:
        """Return a text of so many characters at most, without blanks around it; a longer one is cut. Empty is nothing."""
        return self._text(name, longest, "; it was cut")

    def line(self, name: str, longest: int) -> str | None:
        """Return a text on one line: every run of blanks and of what cannot be printed is one blank. A longer one is refused."""
        said = self._text(name, longest, "")
        return None if said is None else _on_one_line(said) or None

    def number(self, name: str, least: float, most: float, unit: str) -> float | None:
        """Return a number within bounds."""
        said = self._get(name)
        if said is None:
            return None
        if isinstance(said, int | float) and not isinstance(said, bool):
            try:
                number = float(said)
            except OverflowError:
                number = math.inf
            if least <= number <= most:
                return number
        self.note(name, f"write a number of {unit} from {least:g} to {most:g}, without quotes")
        return None

    def flag(self, name: str) -> bool:
        """Return whether it is ``true``; anything but ``true`` is taken for ``false``."""
        said = self._get(name)
        if said is not None and not isinstance(said, bool):
            self.note(name, "write true or false, without quotes; it was taken for false")
        return said is True

    def time(self, name: str) -> datetime | None:
        """Return a time of RFC 3339, in UTC."""
        said = self._get(name)
        if said is None:
            return None
        moment = _moment(said)
        if moment is None:
            self.note(name, "write a time with its offset from UTC, as 2026-11-30T19:00:00+09:00")
        return moment

    def word(self, name: str, words: type[E], otherwise: E | None = None) -> E | None:
        """Return one of the words; where it is none of them, what is to be taken instead."""
        said = self._get(name)
        if said is None:
            return otherwise
        try:
            return words(said)
        except ValueError:
            taken = "" if otherwise is None else f'; it was taken for "{otherwise}"'
            self.note(name, f"write one of {', '.join(words)}{taken}")
            return otherwise

    def table(self, name: str) -> Members | None:
        """Return the members of an object within this one; its remarks are told by whoever reads it."""
        said = self._get(name)
        if said is None:
            return None
        if not isinstance(said, dict):
            self.note(name, "write an object, {…}")
            return None
        return Members(said, f"{self._at}/{name}")

    def take(self, inner: Members) -> None:
        """Tell what was wrong with an object within this one too."""
        self._remarks += inner.remarks
        self._lost += inner.lost

    def require(self, *names: str) -> None:
        """Note those that are missing, or say nothing that can be seen."""
        for name in names:
            said = self._known.get(name)
            if said is None or (isinstance(said, str) and not _on_one_line(said)):
                self.note(name, "is missing")

    def raw(self, name: str) -> Any:
        """Return a member as it came; ``None`` where there is none."""
        return self._get(name)

    def _text(self, name: str, longest: int, cut: str) -> str | None:
        said = self._get(name)
        if said is None:
            return None
        if not isinstance(said, str):
            self.note(name, f"write a text in quotes, {longest} characters at most")
            return None
        if len(said) > longest:
            self.note(name, f"write {longest} characters at most{cut}")
        return said[:longest].strip() or None

    def _get(self, name: str) -> Any:
        self._asked.add(name)
        return self._known.get(name)


def _on_one_line(said: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in said).split())


def _moment(said: Any) -> datetime | None:
    """Return an aware time that a clock can show in UTC too."""
    try:
        moment = datetime.fromisoformat(said) if isinstance(said, str) else None
        return None if moment is None or moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
