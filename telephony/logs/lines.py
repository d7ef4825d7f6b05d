"""From a masked event to one line of JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

from telephony.safe_text import escaped


class Encode:
    """The last structlog processor: timestamp (UTC, milliseconds), level and event first, then the facts.

    Texts are kept readable (non-ASCII as it is); what could steer or part a line where it is shown is escaped.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._second = -1
        self._second_text = ""
        self._chunks = _chunks_encoder()

    def __call__(self, _: object, method_name: str, event_dict: MutableMapping[str, Any]) -> str:
        """Give the line, without its end."""
        line = {"timestamp": "", "level": "", "event": "", **event_dict}
        line["timestamp"] = self._timestamp()
        line["level"] = method_name
        return escaped("".join(self._chunks(line, 0)))

    def _timestamp(self) -> str:
        """Give e.g. ``2026-03-01T12:00:00.250Z``; the second's text is made once a second."""
        now = self._now()
        second = int(now)
        if second != self._second:
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = second
        return f"{self._second_text}.{int((now - second) * 1000):03d}Z"


def _chunks_encoder() -> Callable[[Any, int], Iterable[str]]:
    """Give what `json.JSONEncoder.encode` makes anew for each call, made once: halves the time of a line."""
    plain = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # an interpreter without the C accelerator
        return lambda line, _: (plain.encode(line),)
    quote = json.encoder.encode_basestring
    chunks: Callable[[Any, int], Iterable[str]] = make(
        None, plain.default, quote, None, ":", ",", False, False, False
    )
    return chunks
