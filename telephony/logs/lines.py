"""Writes a masked event as one line of JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any, Final

from telephony.safe_text import escaped

PRIORITIES: Final[Mapping[str, int]] = MappingProxyType(
    {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
)
"""The severity of RFC 5424, clause 6.2.1, of each level."""
UNKNOWN_PRIORITY: Final = PRIORITIES["info"]


class Encode:
    """The last structlog processor: timestamp (UTC, milliseconds), level, priority and event first, then the facts.

    Texts are kept readable (non-ASCII as it is); what could steer or part a line where it is shown is escaped.
    With ``is_for_journal`` the priority also stands before the line as ``<4>``, where systemd's journal reads it (sd-daemon(3))
    and takes it off.
    """

    def __init__(self, now: Callable[[], float] = time.time, *, is_for_journal: bool = False) -> None:
        self._now = now
        self._is_for_journal = is_for_journal
        self._second = -1
        self._second_text = ""
        self._chunks = _chunks_encoder()

    def __call__(self, _: object, method_name: str, event_dict: MutableMapping[str, Any]) -> str:
        """Return the line, without its end."""
        priority = PRIORITIES.get(method_name, UNKNOWN_PRIORITY)
        line = {"timestamp": "", "level": "", "priority": 0, "event": "", **event_dict}
        line["timestamp"] = self._timestamp()
        line["level"] = method_name
        line["priority"] = priority
        told = escaped("".join(self._chunks(line, 0)))
        return f"<{priority}>{told}" if self._is_for_journal else told

    def _timestamp(self) -> str:
        """Return e.g. ``2026-03-01T12:00:00.250Z``; the second's text is made once a second."""
        now = self._now()
        second = int(now)
        if second != self._second:
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = second
        return f"{self._second_text}.{int((now - second) * 1000):03d}Z"


def _chunks_encoder() -> Callable[[Any, int], Iterable[str]]:
    """Return the encoder that `json.JSONEncoder.encode` makes for each call, made once: halves the time of a line."""
    plain = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # an interpreter without the C accelerator
        return lambda line, _: (plain.encode(line),)
    quote = json.encoder.encode_basestring
    chunks: Callable[[Any, int], Iterable[str]] = make(
        None, plain.default, quote, None, ":", ",", False, False, False
    )
    return chunks
