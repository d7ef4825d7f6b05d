"""What comes in floods and is told in few words: the first of a kind at once, those of each following while as one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from telephony.clock import Call, Clock

K = TypeVar("K")
S = TypeVar("S")


@dataclass(slots=True)
class _Open(Generic[S]):
    """A while that has begun with one that was told, or with a sum."""

    ending: Call
    sum: S | None = None


class Summed(Generic[K, S]):
    """Says of each that comes whether it is told on its own or goes into a sum.

    ``begin`` makes an empty sum, ``tell`` tells one ``every_s`` after its while has begun. A while in which nothing came
    is the last: the next of that kind is news again. Of more than ``most`` kinds at once each is told on its own.
    """

    def __init__(
        self,
        clock: Clock,
        every_s: float,
        begin: Callable[[], S],
        tell: Callable[[K, S], None],
        *,
        most: int | None = None,
    ) -> None:
        self._clock = clock
        self._every_s = every_s
        self._begin = begin
        self._tell = tell
        self._most = most
        self._open: dict[K, _Open[S]] = {}

    def sum_of(self, kind: K) -> S | None:
        """Count one, and return the sum that it goes into; ``None`` where it is told on its own."""
        standing = self._open.get(kind)
        if standing is None:
            if self._most is None or len(self._open) < self._most:
                self._open_for(kind)
            return None
        if standing.sum is None:
            standing.sum = self._begin()
        return standing.sum

    def stop(self) -> None:
        """Tell what is left to be told; nothing follows."""
        standing, self._open = self._open, {}
        for kind, each in standing.items():
            each.ending.cancel()
            if each.sum is not None:
                self._tell(kind, each.sum)

    def _open_for(self, kind: K) -> None:
        self._open[kind] = _Open(self._clock.callLater(self._every_s, self._close, kind))

    def _close(self, kind: K) -> None:
        over = self._open.pop(kind)
        if over.sum is not None:
            self._open_for(kind)
            self._tell(kind, over.sum)
