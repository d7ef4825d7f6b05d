"""Joins the parts of long messages: they wait in memory for the rest, for a minute."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from telephony.alphabets.joining import Piece, joined
from telephony.clock import Call, Clock
from telephony.domain.people.service_text import ServiceText
from telephony.domain.trigger import PartKind

WAIT_S: Final = 60.0
MOST_WAITING: Final = 500
"""Messages that may wait for parts; the oldest then goes on as it is."""
MOST_PARTS: Final = 10

Key = tuple[str, str, PartKind, int, int]


@dataclass(slots=True)
class _Begun:
    parts: dict[int, ServiceText] = field(default_factory=dict)
    timer: Call | None = None

    def has_room_for(self, text: ServiceText) -> bool:
        """Whether this part is missing, or here already with the same words; other words are of another message."""
        known = self.parts.get(_number(text))
        return known is None or _piece(known).says_the_same(_piece(text))

    def stop_waiting(self) -> None:
        """Leave the timer, if one runs."""
        if self.timer is not None and self.timer.active():
            self.timer.cancel()


class LongTexts:
    """Joins the parts of long messages. ``alone`` is called with the parts that came of a message whose rest did not."""

    def __init__(self, clock: Clock, alone: Callable[[ServiceText], None]) -> None:
        self._clock = clock
        self._alone = alone
        self._begun: OrderedDict[Key, _Begun] = OrderedDict()
        self._given: dict[tuple[str, str], _Begun] = {}
        """Whole messages that are being handled, by carrier and reference of their last part."""

    def add(self, text: ServiceText) -> ServiceText | None:
        """Return the whole message, with the reference of its last part to come; ``None`` while parts are missing.

        What is no part, or of more parts than anybody writes to us, is given back as it is. What is given is to be
        followed by `done` or `not_done`.
        """
        if not _is_part(text):
            return text
        key = _key(text)
        begun = self._begun.get(key)
        if begun is not None and not begun.has_room_for(text):
            self._give_up(key)
        begun = self._begun.pop(key, None) or _Begun()
        begun.stop_waiting()
        begun.parts[_number(text)] = text
        if len(begun.parts) == key[-1]:
            self._given[_name(text)] = begun
            return _joined(begun, text)
        self._wait(key, begun)
        if len(self._begun) > MOST_WAITING:
            self._give_up(next(iter(self._begun)))
        return None

    def done(self, text: ServiceText) -> None:
        """Forget the message of which this was the last part."""
        self._given.pop(_name(text), None)

    def not_done(self, text: ServiceText) -> None:
        """Wait for this last part once more: the others have been acknowledged and will not come again."""
        begun = self._given.pop(_name(text), None)
        if begun is None:
            return
        if _key(text) in self._begun:
            self._give_up(_key(text))
        self._wait(_key(text), begun)

    def _wait(self, key: Key, begun: _Begun) -> None:
        begun.timer = self._clock.callLater(WAIT_S, self._give_up, key)
        self._begun[key] = begun

    def _give_up(self, key: Key) -> None:
        begun = self._begun.pop(key)
        begun.stop_waiting()
        self._alone(_joined(begun, begun.parts[max(begun.parts)]))


def _is_part(text: ServiceText) -> bool:
    part = text.part
    return part is not None and 1 <= part.number <= part.total <= MOST_PARTS and part.total > 1


def _key(text: ServiceText) -> Key:
    assert text.part is not None
    return text.sender.number, text.destination, text.part.kind, text.part.reference, text.part.total


def _name(text: ServiceText) -> tuple[str, str]:
    return text.carrier, text.reference


def _number(text: ServiceText) -> int:
    assert text.part is not None
    return text.part.number


def _piece(text: ServiceText) -> Piece:
    assert text.part is not None
    return Piece(text.part.number, text.text, text.part.octets, text.part.alphabet)


def _joined(begun: _Begun, last: ServiceText) -> ServiceText:
    pieces = {number: _piece(part) for number, part in begun.parts.items()}
    total = last.part.total if last.part is not None else 1
    return replace(last, text=joined(pieces, total, missing=""), part=None)
