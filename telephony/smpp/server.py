"""The SMSC role: carriers' gateways bind to us. The lab's SMSC is this server with another gate and desk."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.protocol import Factory

from telephony.domain.ports import AcceptAll
from telephony.domain.recognition import Recognition
from telephony.domain.ussd import UssdRules
from telephony.listening import PatientPort
from telephony.server_tls import server_tls
from telephony.services.alarms import Alarms
from telephony.smpp.answering import PressDesk
from telephony.smpp.building import build
from telephony.smpp.gatekeeper import Gate, Gatekeeper, Known
from telephony.smpp.link import Limits, Link
from telephony.smpp.observer import Observer
from telephony.smpp.reactor import Reactor
from telephony.smpp.receipt_book import ReceiptBook
from telephony.smpp.request_book import RequestBook
from telephony.smpp.service_desk import TakeText
from telephony.smpp.settings import Dialect, Peer, Server
from telephony.smpp.smsc import KINDS, SmscConnection

RESPONSE_TIMEOUT_S: Final = 10.0
"""Wait for the answer to a request of ours."""


class SmppServer(Service):
    """Listens for binds. `links` holds those that are bound.

    A port that is taken, or certificate files that cannot be used, are an alarm and tried again. ``make_connection`` makes the protocol of a connection; a simulator has one of its own.
    """

    def __init__(
        self,
        settings: Server,
        *,
        gate: Gate,
        reactor: Reactor,
        observer: Observer,
        alarms: Alarms,
        make_connection: Callable[..., SmscConnection] = SmscConnection,
    ) -> None:
        self.links: list[SmscConnection] = []
        self.settings = settings
        self._gate = gate
        self._reactor = reactor
        self._observer = observer
        self._patient = PatientPort(
            self._factory,
            settings.interface,
            settings.port,
            reactor=reactor,
            alarms=alarms,
            about="smpp-server",
        )
        self._make_connection = make_connection
        self._connections: dict[SmscConnection, None] = {}
        self._last_gone: Deferred[None] | None = None
        self._limits = Limits(
            settings.window,
            settings.bind_timeout_s,
            RESPONSE_TIMEOUT_S,
            settings.enquire_link_s,
            settings.enquire_response_s,
            settings.unbind_timeout_s,
        )

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Listen, now or as soon as that is possible."""
        super().startService()  # type: ignore[no-untyped-call]
        self._patient.open()

    @property
    def port(self) -> Any:
        """The listening port, while there is one."""
        return self._patient.port

    def _factory(self) -> Any:
        """Make the factory of our connections. Raises `OSError` or `ValueError` for certificate files."""
        factory = _ConnectionFactory(self)
        if self.settings.tls_certificate is None or self.settings.tls_key is None:
            return factory
        certificate = Path(self.settings.tls_certificate).read_bytes()
        return server_tls(certificate, Path(self.settings.tls_key).read_bytes(), factory)

    def stopService(self) -> Deferred[None]:  # noqa: N802 - Twisted's name
        """Listen no longer, unbind everybody; fires when the last connection has ended."""
        super().stopService()  # type: ignore[no-untyped-call]
        endings: list[Deferred[Any]] = [self._patient.close()]
        if self._connections:
            self._last_gone = Deferred()
            endings.append(self._last_gone)
        for connection in list(self._connections):
            connection.leave()
        return DeferredList(endings).addCallback(lambda _: None)

    def outbind(self, host: str, port: int, *, system_id: str, password: str) -> None:
        """Call an ESME and ask it to bind as receiver (SMPP 3.4 clause 4.1.7)."""
        request = build("outbind", 1, system_id=system_id, password=password)
        self._reactor.connectTCP(host, port, _ConnectionFactory(self, request))

    def connection(self, outbind: bytes = b"") -> SmscConnection | None:
        """Make the protocol of a connection, as long as there are not too many."""
        if not self.running or len(self._connections) >= self.settings.max_connections:
            return None
        connection = self._make_connection(
            system_id=self.settings.system_id,
            limits=self._limits,
            gate=self._gate,
            clock=self._reactor,
            owner=self,
            outbind=outbind,
        )
        self._connections[connection] = None
        return connection

    def link_up(self, link: Link) -> None:
        """Add a bind."""
        assert isinstance(link, SmscConnection)
        self.links.append(link)
        self._observer.link_up(link.name, KINDS[link.bound_as])

    def link_down(self, link: Link, reason: str) -> None:
        """Take a bind away."""
        assert isinstance(link, SmscConnection)
        link.submitter.stop(reason)
        self.links.remove(link)
        self._observer.link_down(link.name, reason)

    def link_refused(self, link: Link, status: int) -> None:
        """Pass it on, with the address: the name is what the stranger claims."""
        self._observer.bind_refused(link.peer_host, status)

    def link_gone(self, link: Link, reason: str) -> None:
        """Forget a connection."""
        assert isinstance(link, SmscConnection)
        self._connections.pop(link, None)
        if link.admitted:
            self._gate.left(link.name)
        else:
            self._observer.unreachable(link.peer_host, reason)
        if self._last_gone is not None and not self._connections:
            gone, self._last_gone = self._last_gone, None
            gone.callback(None)

    def link_noted(self, link: Link, what: str) -> None:
        """Pass a remark on."""
        self._observer.noted(link.name, what)


class _ConnectionFactory(Factory):
    noisy = False

    def __init__(self, server: SmppServer, outbind: bytes = b"") -> None:
        self._server = server
        self._outbind = outbind

    def startedConnecting(self, connector: object) -> None:  # noqa: N802 - Twisted's name
        """Wait for the connection of an outbind."""

    def clientConnectionFailed(self, connector: object, reason: object) -> None:  # noqa: N802 - Twisted's name
        """Leave it: whoever wanted the outbind sees no bind."""

    def clientConnectionLost(self, connector: object, reason: object) -> None:  # noqa: N802 - Twisted's name
        """Leave it: the connection itself has said so."""

    def buildProtocol(self, _address: object) -> SmscConnection | None:  # noqa: N802 - Twisted's name
        """Make one connection's protocol."""
        return self._server.connection(self._outbind)


@dataclass(frozen=True, slots=True)
class PeerOfCarrier:
    """A peer of the settings and the carrier it belongs to."""

    peer: Peer
    carrier: str
    dialect: Dialect
    recognition: Recognition
    receipts: ReceiptBook
    requests: RequestBook
    ussd: UssdRules | None = None


def peer_server(
    settings: Server,
    peers: Sequence[PeerOfCarrier],
    *,
    accept_all: AcceptAll,
    reactor: Reactor,
    rng: random.Random,
    observer: Observer,
    alarms: Alarms,
    service: TakeText | None = None,
) -> SmppServer:
    """Assemble the server for carriers' gateways: whatever message a bound peer sends us is a press.

    Raises `LookupError` when a peer's password cannot be read.
    """
    known = [
        Known(
            one.peer,
            one.peer.password.read(),
            PressDesk(
                name=one.peer.name,
                carrier=one.carrier,
                dialect=one.dialect,
                recognition=one.recognition,
                accept_all=accept_all,
                receipts=one.receipts,
                requests=one.requests,
                new_message_id=partial(_message_id, rng),
                clock=reactor,
                observer=observer,
                ussd=one.ussd,
                service=service,
            ),
        )
        for one in peers
    ]
    gatekeeper = Gatekeeper(
        known,
        clock=reactor,
        failures_before_pause=settings.failed_binds_before_pause,
        pause_s=settings.failed_bind_pause_s,
    )
    return SmppServer(settings, gate=gatekeeper, reactor=reactor, observer=observer, alarms=alarms)


def _message_id(rng: random.Random) -> str:
    """Give an id that says nothing about the incident."""
    return f"{rng.getrandbits(64):016x}"
