"""A carrier's gateway that binds to us, and says what it is answered."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone

from telephony.smpp.wire.building import build
from telephony.smpp.wire.codec import PduStream
from telephony.smpp.wire.pdus import Pdu


class Gateway(Protocol):
    """One connection; every request waits for its response."""

    def __init__(self) -> None:
        self._stream = PduStream()
        self._sequence = 0
        self._waiting: dict[int, Deferred[Pdu]] = {}
        self.is_connected = True

    @classmethod
    def connect(cls, reactor: Any, port: int, source: str = "127.0.0.1") -> Deferred[Gateway]:
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port, bindAddress=(source, 0))
        return connectProtocol(endpoint, cls())

    def request(self, command: str, **fields: Any) -> Deferred[Pdu]:
        """Send a request; fires with the response."""
        self._sequence += 1
        self._waiting[self._sequence] = Deferred()
        self.transport.write(build(command, self._sequence, **fields))
        return self._waiting[self._sequence]

    def dataReceived(self, data: bytes) -> None:
        for pdu in self._stream.feed(data):
            if waiting := self._waiting.pop(pdu.sequence, None):
                waiting.callback(pdu)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self.is_connected = False

    def close(self) -> None:
        self.transport.loseConnection()
