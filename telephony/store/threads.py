"""The threads on which the store works: one writer, a few readers, never the reactor's own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, DeferredList

Work = tuple[Callable[[], Any], Callable[[Any], None]]


class FromThread(Protocol):
    """The part of the reactor that another thread may call."""

    def callFromThread(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> None:  # noqa: A002, N802
        """Run in the reactor's thread, soon."""
        ...


class ThreadRunner:
    """A named thread per worker that takes pieces of work in order and answers through the reactor."""

    def __init__(self, reactor: FromThread, name: str, threads: int = 1) -> None:
        self._reactor = reactor
        self._work: queue.SimpleQueue[Work | Deferred[None]] = queue.SimpleQueue()
        self._ends: list[Deferred[None]] = []
        for number in range(threads):
            # A daemon thread: a hung disk must not keep the process from ending.
            threading.Thread(target=self._loop, name=f"{name}-{number}", daemon=True).start()
        self._threads = threads

    def run(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Queue a piece of work."""
        self._work.put((work, done))

    def stop(self) -> Deferred[None]:
        """End every thread after the work that was queued before."""
        ends = [Deferred[None]() for _ in range(self._threads)]
        for end in ends:
            self._work.put(end)
        return DeferredList(ends).addCallback(lambda _: None)

    def _loop(self) -> None:
        while True:
            piece = self._work.get()
            if isinstance(piece, Deferred):
                self._reactor.callFromThread(piece.callback, None)
                return
            work, done = piece
            self._reactor.callFromThread(done, work())
