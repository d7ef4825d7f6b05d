"""A cable between the daemon and Asterisk's manager interface that can be cut and mended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.scenarios.cable import Cable, End

PACKET_END = b"\r\n\r\n"


class AmiProxy(Cable):
    """Passes on what either side says, until it is cut."""

    def __init__(self, reactor: Any, asterisk: int) -> None:
        super().__init__(reactor, asterisk)
        self._listening: Any = None
        self._begun: dict[End, bytes] = {}
        """By Asterisk's end, once it has greeted: the beginning of a packet."""
        self.port = 0
        self.is_mute = False
        """While it is, whatever is said is lost, and neither side is told."""
        self.drops: Callable[[bytes], bool] = lambda packet: False
        """Which packets of Asterisk are lost while everything else comes through."""

    def listen(self) -> None:
        """Be there, always on the same port."""
        self._listening = self.reactor.listenTCP(self.port, self.factory, interface="127.0.0.1")
        self.port = self._listening.getHost().port

    async def refuse(self) -> None:
        """Cut every connection and refuse new ones."""
        self.cut()
        await self._listening.stopListening()

    def lose_everything(self) -> None:
        """Keep the connections, but let nothing through, in either direction."""
        self.is_mute = True

    def mend(self) -> None:
        """Let everything through again; connections from which something is missing are cut."""
        if self.is_mute:
            self.is_mute = False
            self.cut()
        else:
            self.listen()

    async def close(self) -> None:
        """Be gone."""
        await self.refuse()

    def passed(self, end: End, data: bytes) -> bytes:
        """Return all but the packets that are lost."""
        if self.is_mute:
            return b""
        if not end.is_server:
            return data
        *whole, begun = (self._begun.get(end, b"") + data).split(PACKET_END)
        passed = [packet + PACKET_END for packet in whole if not self.drops(packet)]
        if end not in self._begun:
            # The banner is a line of its own, and the daemon speaks after it.
            passed, begun = [begun], b""
        self._begun[end] = begun
        return b"".join(passed)

    def gone(self, end: End) -> None:
        """Forget an end."""
        super().gone(end)
        self._begun.pop(end, None)
