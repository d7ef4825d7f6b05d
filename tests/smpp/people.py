"""The cast of the session tests: an intake, an observer, and a peer that does exactly what the test says."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory, Protocol

from telephony.alarms import Alarms
from telephony.domain.incident import Receipt
from telephony.domain.recognition import Recognition
from telephony.smpp.client import Esme
from telephony.smpp.receipt_book import ReceiptBook
from telephony.smpp.request_book import RequestBook
from telephony.smpp.settings import Dialect, EsmeLink
from telephony.smpp.wire.building import build
from telephony.smpp.wire.codec import PduStream, encode_header
from telephony.smpp.wire.constants import RESPONSE
from telephony.smpp.wire.pdus import Pdu

RECOGNITION = Recognition(
    frozenset({"112"}), test_numbers=frozenset({"1129"}), test_words=frozenset({"drill"})
)

SENDER = "1366"
"""The number that texts of ours leave from."""


class Intake:
    """Takes presses; answers at once, unless told to hold."""

    def __init__(self) -> None:
        self.calls: list[list[Any]] = []
        self.held: list[tuple[Deferred[Any], int]] | None = None
        self.answer: Any = None

    @property
    def presses(self) -> list[Any]:
        return [trigger for call in self.calls for trigger in call]

    def accept_all(self, triggers: Any) -> Deferred[Any]:
        self.calls.append(list(triggers))
        if self.held is not None:
            waiting: Deferred[Any] = Deferred()
            self.held.append((waiting, len(triggers)))
            return waiting
        if callable(self.answer):
            return self.answer(triggers)
        return succeed([self.answer or Receipt("i-1", "first press")] * len(triggers))

    def hold(self) -> None:
        self.held = []

    def release(self) -> None:
        held, self.held = self.held or [], None
        for waiting, count in held:
            waiting.callback([Receipt("i-1", "first press")] * count)


@dataclass
class Witness:
    """An observer that remembers."""

    said: list[tuple[Any, ...]] = field(default_factory=list)

    def link_up(self, name: str, kind: str) -> None:
        self.said.append(("up", name, kind))

    def link_down(self, name: str, reason: str) -> None:
        self.said.append(("down", name, reason))

    def unreachable(self, name: str, reason: str) -> None:
        self.said.append(("unreachable", name, reason))

    def bind_refused(self, name: str, status: int) -> None:
        self.said.append(("refused", name, status))

    def alarm(self, name: str, what: str) -> None:
        self.said.append(("alarm", name, what))

    def noted(self, name: str, what: str, count: int = 1) -> None:
        self.said.append(("noted", name, what))

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        return [one for one in self.said if one[0] == kind]


class Peer(Protocol):
    """Reads PDUs and writes what it is told."""

    def __init__(self) -> None:
        self.heard: list[Pdu] = []
        self.is_lost = False
        self._stream = PduStream()

    def dataReceived(self, data: bytes) -> None:
        self.heard += self._stream.feed(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.is_lost = True

    def send(self, *pdus: bytes) -> None:
        self.transport.write(b"".join(pdus))

    def answer(self, request: Pdu, status: int = 0, body: bytes = b"") -> None:
        self.send(encode_header(request.command_id | RESPONSE, status, request.sequence, body))

    def take(self) -> list[Pdu]:
        heard, self.heard = self.heard, []
        return heard

    @property
    def names(self) -> list[str]:
        return [pdu.name for pdu in self.heard]


class Peers(Factory):
    """Listens with, or dials as, a `Peer` per connection."""

    noisy = False

    def __init__(self) -> None:
        self.all: list[Peer] = []

    @property
    def last(self) -> Peer:
        return self.all[-1]

    def buildProtocol(self, address: Any) -> Peer:
        self.all.append(Peer())
        return self.all[-1]

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
        """Stay away."""


def deliver_sm(sequence: int, text: bytes = b"help", **fields: Any) -> bytes:
    fields.setdefault("destination_addr", "112")
    return build(
        "deliver_sm", sequence, source_addr="821012345678", source_addr_ton=1, short_message=text, **fields
    )


class House:
    """One ESME of ours with everything around it."""

    def __init__(self, wires: Any, *, dialect: Dialect | None = None, ussd: Any = None, **link: Any) -> None:
        self.wires = wires
        self.peers = Peers()
        self.intake = Intake()
        self.witness = Witness()
        self.book = ReceiptBook(clock=wires, sender=SENDER)
        settings = {"name": "skt-1", "host": "127.0.0.1", "port": 2775, "system_id": "sos", **link}
        self.alarms = Alarms(wires)
        self.esme = Esme(
            EsmeLink(**settings),
            carrier="skt",
            dialect=dialect or Dialect(),
            recognition=RECOGNITION,
            accept_all=self.intake.accept_all,
            receipts=self.book,
            requests=RequestBook(600.0),
            reactor=wires,
            rng=random.Random(7),
            observer=self.witness,
            alarms=self.alarms,
            ussd=ussd,
        )

    def listen(self) -> None:
        self.wires.listenTCP(2775, self.peers)

    def start(self) -> Peer:
        """Start against a listening peer that has not answered the bind."""
        self.listen()
        self.esme.startService()
        self.wires.settle()
        return self.peers.last

    def start_bound(self, version: int | None = 0x34) -> Peer:
        peer = self.start()
        self.accept_bind(peer, version)
        return peer

    def accept_bind(self, peer: Peer, version: int | None = 0x34) -> None:
        (bind,) = peer.take()
        tlv = b"" if version is None else b"\x02\x10\x00\x01" + bytes([version])
        peer.answer(bind, body=b"mc\0" + tlv)
        self.wires.settle()
        assert self.esme.is_bound
