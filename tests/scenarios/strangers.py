"""Strangers who open connections and say nothing, from as many addresses of loopback as they like."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from itertools import cycle, islice

AT_ONCE = 300
"""Connections between two looks at which of them still stand: a listener that keeps more than these is one that is full."""


class Strangers:
    """Holds each connection for as long as the other side does."""

    def __init__(self, port: int, sources: Sequence[str]) -> None:
        self._port = port
        self._sources = cycle(sources)
        self._open: list[socket.socket] = []
        self.tried = 0

    def come(self, count: int) -> None:
        """Open so many connections one after the other; blocks, so call it on a thread."""
        while count > 0:
            some = min(count, AT_ONCE)
            for source in islice(self._sources, some):
                with contextlib.suppress(OSError):  # turned away
                    self._open.append(
                        socket.create_connection(("127.0.0.1", self._port), 60, source_address=(source, 0))
                    )
                self.tried += 1
            count -= some
            self.standing()

    def standing(self) -> int:
        """Let go what the other side has closed; give the number of those that it keeps."""
        kept = []
        for each in self._open:
            each.setblocking(False)
            try:
                is_closed = each.recv(1) == b""
            except BlockingIOError:
                is_closed = False
            except OSError:
                is_closed = True
            if is_closed:
                each.close()
            else:
                kept.append(each)
        self._open = kept
        return len(kept)

    def leave(self) -> None:
        """Close all."""
        for each in self._open:
            each.close()
        self._open.clear()
