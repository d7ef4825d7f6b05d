"""Tracks our requests that the peer has not answered yet, on one link and in one direction."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from telephony.clock import Call, Clock
from telephony.domain.errors import Unavailable
from telephony.smpp.wire.constants import MAX_SEQUENCE
from telephony.smpp.wire.pdus import Pdu

_SEQUENCE_AT = slice(12, 16)
"""Where the sequence number stands in a header (SMPP 3.4 clause 3.2)."""

Done = Callable[[Pdu | Unavailable], None]
"""Told once about each request: the response, whatever its status, or why there will be none."""


class _Outstanding(NamedTuple):
    deadline: float
    done: Done


class Window:
    """Numbers our requests, holds at most ``size`` of them open, and gives up on those not answered in time.

    Requests that must never wait (bind, enquire_link, unbind) take their number from `next_sequence` and are
    not held here. A place is free again before ``done`` is called, so ``done`` may send the next request.
    """

    def __init__(
        self, *, size: int, response_timeout_s: float, clock: Clock, write: Callable[[bytes], None]
    ) -> None:
        self._size = size
        self._response_timeout_s = response_timeout_s
        self._clock = clock
        self._write = write
        self._sequence = 0
        self._outstanding: dict[int, _Outstanding] = {}
        """By sequence number, oldest first: every request waits equally long."""
        self._timer: Call | None = None

    @property
    def has_room(self) -> bool:
        """Whether one more request may be sent."""
        return len(self._outstanding) < self._size

    @property
    def outstanding(self) -> int:
        """How many requests wait for their response."""
        return len(self._outstanding)

    def next_sequence(self) -> int:
        """Return the next sequence number: from 1, and round again after 0x7FFFFFFF."""
        self._sequence = self._sequence + 1 if self._sequence < MAX_SEQUENCE else 1
        return self._sequence

    def send(self, pdu: bytes, done: Done) -> None:
        """Give a request its number and write it. The caller has made sure that there is room."""
        sequence = self.next_sequence()
        self._outstanding[sequence] = _Outstanding(self._clock.seconds() + self._response_timeout_s, done)
        if self._timer is None:
            self._timer = self._clock.callLater(self._response_timeout_s, self._expire)
        self._write(pdu[: _SEQUENCE_AT.start] + sequence.to_bytes(4) + pdu[_SEQUENCE_AT.stop :])

    def answered(self, response: Pdu) -> bool:
        """Match a response to its request; return whether there was one."""
        outstanding = self._outstanding.pop(response.sequence, None)
        if outstanding is None:
            return False
        outstanding.done(response)
        return True

    def abandon(self, reason: str) -> None:
        """Give up on everything: the link is gone, and what the peer did with it is not known."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        abandoned, self._outstanding = self._outstanding, {}
        for outstanding in abandoned.values():
            outstanding.done(Unavailable(reason))

    def _expire(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        late = [number for number, waiting in self._outstanding.items() if waiting.deadline <= now]
        for number in late:
            outstanding = self._outstanding.pop(number, None)
            if outstanding is not None:
                outstanding.done(Unavailable("no response in time"))
        if self._outstanding and self._timer is None:
            oldest = next(iter(self._outstanding.values()))
            self._timer = self._clock.callLater(max(0.0, oldest.deadline - now), self._expire)
