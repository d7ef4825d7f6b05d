"""Simulates phones that show texts: joins the parts that an ESME has submitted, as a phone does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from telephony.smpp.wire.constants import TAG_ITS_SESSION_INFO, TAG_USSD_SERVICE_OP
from telephony.smpp.wire.pdus import Message
from telephony.smpp.wire.text import Text, read_text

MOST_UNFINISHED: Final = 1_000
"""Long messages of which parts are missing; the oldest make room."""


@dataclass(frozen=True, slots=True)
class ShownText:
    """A text on a phone. ``alphabet`` is that of its parts, ``message_ids`` are those under which they were taken."""

    to: str
    sender: str
    text: str
    alphabet: str
    message_ids: tuple[str, ...]


@dataclass(slots=True)
class _Unfinished:
    parts: dict[int, tuple[str, str]] = field(default_factory=dict)
    """By number: text and message id."""


class TextPhones:
    """Shows a message once all of its parts are there. ``shown`` is in the order in which they became whole."""

    def __init__(self) -> None:
        self.shown: list[ShownText] = []
        self.watch: Callable[[ShownText], None] | None = None
        """Told of every text as it is shown."""
        self._unfinished: dict[tuple[str, str, int, int], _Unfinished] = {}

    def take(self, message: Message, message_id: str, *, default_alphabet: str = "gsm0338") -> None:
        """Take a submitted message; the text of a USSD dialogue is not one."""
        if message.service_type or any(
            message.tlv(tag) is not None for tag in (TAG_USSD_SERVICE_OP, TAG_ITS_SESSION_INFO)
        ):
            return
        read = read_text(
            message.data_coding,
            message.esm_class,
            message.short_message,
            default_alphabet=default_alphabet,
            sar=message.sar,
        )
        if read.part is None:
            self._show(message, read, read.text or "", (message_id,))
            return
        key = (message.destination, message.source, read.part.reference, read.part.total)
        unfinished = self._unfinished.setdefault(key, _Unfinished())
        unfinished.parts[read.part.number] = (read.text or "", message_id)
        if len(unfinished.parts) == read.part.total:
            del self._unfinished[key]
            texts, ids = zip(*(unfinished.parts[number] for number in sorted(unfinished.parts)), strict=True)
            self._show(message, read, "".join(texts), ids)
        elif len(self._unfinished) > MOST_UNFINISHED:
            del self._unfinished[next(iter(self._unfinished))]

    def _show(self, message: Message, read: Text, text: str, message_ids: tuple[str, ...]) -> None:
        shown = ShownText(message.destination, message.source, text, read.encoding or "", message_ids)
        self.shown.append(shown)
        if self.watch is not None:
            self.watch(shown)
