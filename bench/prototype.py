"""The least that a durable answer to a press can be: receive, append, sync, answer. Beside it the daemon is measured.

    python bench/prototype.py PORT FILE

Binds to an SMSC on this machine as the daemon does, appends every deliver_sm as it came to a file full of zeros, one fdatasync
for all of a read, and answers ESME_ROK. It recognises nothing, keeps no incident and tells nobody.
"""

from __future__ import annotations

import os
import struct
import sys

from twisted.internet import protocol, reactor

BIND_TRANSCEIVER, DELIVER_SM, ENQUIRE_LINK = 0x09, 0x05, 0x15
HEADER = struct.Struct(">IIII")
ROOM = 256 << 20
"""Octets of the file; beyond it the beginning is written over."""


class Prototype(protocol.Protocol):
    """One bind."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._at = 0
        self._received = b""

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Bind."""
        self.transport.setTcpNoDelay(True)
        body = b"bench\0" + b"\0" * 2 + b"\x34" + b"\0" * 3
        self.transport.write(HEADER.pack(16 + len(body), BIND_TRANSCEIVER, 0, 1) + body)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Append what has come whole, sync once, answer."""
        received = self._received + data
        kept, answers, at = [], [], 0
        while len(received) - at >= HEADER.size:
            length, command, _, sequence = HEADER.unpack_from(received, at)
            if len(received) - at < length:
                break
            if command == DELIVER_SM:
                kept.append(received[at : at + length])
                answers.append(HEADER.pack(17, command | 1 << 31, 0, sequence) + b"\0")
            elif command == ENQUIRE_LINK:
                answers.append(HEADER.pack(16, command | 1 << 31, 0, sequence))
            at += length
        self._received = received[at:]
        if kept:
            octets = b"".join(kept)
            if self._at + len(octets) > ROOM:
                self._at = 0
            os.pwrite(self._file, octets, self._at)
            os.fdatasync(self._file)
            self._at += len(octets)
        if answers:
            self.transport.write(b"".join(answers))


def main() -> None:
    """Serve until killed."""
    file = os.open(sys.argv[2], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for at in range(0, ROOM, 1 << 20):
        os.pwrite(file, bytes(1 << 20), at)
    os.fsync(file)
    creator = protocol.ClientCreator(reactor, Prototype, file)
    creator.connectTCP("127.0.0.1", int(sys.argv[1]))
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
