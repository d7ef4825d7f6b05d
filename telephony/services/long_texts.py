"""Long messages put together again: the parts wait in memory for the rest, for a minute."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from telephony.clock import Call, Clock
from telephony.domain.service_text import ServiceText

WAIT_S: Final = 60.0
MOST_WAITING: Final = 500
"""Messages that may wait for parts; the oldest then goes on as it is."""
MOST_PARTS: Final = 10

Key = tuple[str, str, int, int]


@dataclass(slots=True)
class _Begun:
    parts: dict[int, ServiceText] = field(default_factory=dict)
    timer: Call | None = None


class LongTexts:
    """Joins the parts of long messages. ``alone`` is called with what came of one whose rest did not."""

    def __init__(self, clock: Clock, alone: Callable[[ServiceText], None]) -> None:
        self._clock = clock
        self._alone = alone
        self._begun: OrderedDict[Key, _Begun] = OrderedDict()
        self._given: dict[Key, _Begun] = {}
        """Whole messages that are being handled."""

    def add(self, text: ServiceText) -> ServiceText | None:
        """Give the whole message, with the reference of its last part to come; ``None`` while parts are missing.

        What is no part, or of more parts than anybody writes to us, is given back as it is. What is given is to be
        followed by `done` or `not_done`.
        """
        if not _is_part(text):
            return text
        key = _key(text)
        begun = self._begun.pop(key, None) or _Begun()
        begun.parts[text.part.number if text.part else 0] = text
        if begun.timer is not None and begun.timer.active():
            begun.timer.cancel()
        if len(begun.parts) == key[-1]:
            self._given[key] = begun
            return _joined(begun, text)
        self._wait(key, begun)
        if len(self._begun) > MOST_WAITING:
            self._give_up(next(iter(self._begun)))
        return None

    def done(self, text: ServiceText) -> None:
        """Forget the message of which this was the last part."""
        if _is_part(text):
            self._given.pop(_key(text), None)

    def not_done(self, text: ServiceText) -> None:
        """Wait for this last part once more: the others have been acknowledged and will not come again."""
        begun = self._given.pop(_key(text), None) if _is_part(text) else None
        if begun is not None:
            self._wait(_key(text), begun)

    def _wait(self, key: Key, begun: _Begun) -> None:
        begun.timer = self._clock.callLater(WAIT_S, self._give_up, key)
        self._begun[key] = begun

    def _give_up(self, key: Key) -> None:
        begun = self._begun.pop(key)
        if begun.timer is not None and begun.timer.active():
            begun.timer.cancel()
        self._alone(_joined(begun, begun.parts[max(begun.parts)]))


def _is_part(text: ServiceText) -> bool:
    part = text.part
    return part is not None and 1 <= part.number <= part.total <= MOST_PARTS and part.total > 1


def _key(text: ServiceText) -> Key:
    assert text.part is not None
    return text.sender.number, text.destination, text.part.reference, text.part.total


def _joined(begun: _Begun, last: ServiceText) -> ServiceText:
    texts = [begun.parts[number].text or "" for number in sorted(begun.parts)]
    return replace(last, text="".join(texts), part=None)
