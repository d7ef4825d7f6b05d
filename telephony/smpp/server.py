"""The SMSC role: carriers' gateways bind to us. The lab's SMSC is this server with another gate and desk."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.protocol import Factory

from telephony.alarms import Alarms
from telephony.domain.ports import AcceptAll
from telephony.domain.recognition import Recognition
from telephony.domain.ussd import UssdRules
from telephony.net.links import LinkObserver
from telephony.net.listening import PatientPort
from telephony.net.places import Places, affordable, source_of
from telephony.net.reactor import Reactor
from telephony.net.refusals import Cause, Refusals
from telephony.net.server_tls import server_tls
from telephony.net.standing import FarEndState, Standing
from telephony.service import Service
from telephony.smpp.answering import PressDesk
from telephony.smpp.gatekeeper import STRANGERS, Gate, Gatekeeper, Known
from telephony.smpp.link import Limits, Link
from telephony.smpp.receipt_book import ReceiptBook
from telephony.smpp.request_book import RequestBook
from telephony.smpp.service_desk import TakeText
from telephony.smpp.settings import Dialect, Peer, Server
from telephony.smpp.smsc import KINDS, SmscConnection
from telephony.smpp.wire.building import build
from telephony.smpp.wire.inbound import Way

ABOUT: Final = "smpp-server"
"""The listener, in alarms and log lines."""
RESPONSE_TIMEOUT_S: Final = 10.0
"""Wait for the answer to a request of ours."""


class SmppServer(Service):
    """Listens for binds. `links` holds those that are bound.

    A connection that has not bound yet has a place among those of its gateway, or among the strangers', and takes none
    from others: see `telephony.net.places`. A bound one needs none, its gateway may have so many binds.

    A port that is taken, or certificate files that cannot be used, are an alarm and tried again. ``make_connection``
    makes the protocol of a connection; a simulator has one of its own. ``binds_at_once`` is how many a gateway may
    want at the same moment.
    """

    def __init__(
        self,
        settings: Server,
        *,
        gate: Gate,
        reactor: Reactor,
        observer: LinkObserver,
        alarms: Alarms,
        make_connection: Callable[..., SmscConnection] = SmscConnection,
        binds_at_once: int = 100,
    ) -> None:
        self.links: list[SmscConnection] = []
        self.settings = settings
        self.gate = gate
        self._reactor = reactor
        self._observer = observer
        self._patient = PatientPort(
            self._factory,
            settings.interface,
            settings.port,
            reactor=reactor,
            alarms=alarms,
            about=ABOUT,
        )
        self._make_connection = make_connection
        self._refusals = Refusals(reactor, ABOUT, alarms)
        self._connections: dict[SmscConnection, str] = {}
        """Each with the group whose places it takes while it is not bound."""
        self._places: dict[str, Places[SmscConnection]] = {}
        """By group; one without a connection that waits has none."""
        self._most = affordable(settings.max_connections)
        self._most_of_one = max(settings.max_connections_per_address, binds_at_once)
        self._last_gone: Deferred[None] | None = None
        self._began_s = reactor.seconds()
        self._left: dict[str, Standing] = {}
        """By gateway: how its last bind ended."""
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
        super().startService()
        self._patient.open()

    @property
    def port(self) -> Any:
        """The listening port, while there is one."""
        return self._patient.port

    def standing(self, peer: str) -> tuple[Standing, int]:
        """Return where a gateway of the settings stands, and how many binds it has."""
        binds = [link for link in self.links if link.name == peer]
        if binds:
            since_s = min(link.bound_s for link in binds)
            heard_s = max(link.standing.heard_at for link in binds)
            return Standing(FarEndState.UP, since_s, heard_s), len(binds)
        never = Standing(FarEndState.DOWN, self._began_s, reason="it has not bound since the start")
        return self._left.get(peer, never), 0

    def _factory(self) -> Any:
        """Make the factory of our connections. Raises `OSError` or `ValueError` for certificate files."""
        factory: Any = _ConnectionFactory(self)
        if self.settings.tls_certificate is not None and self.settings.tls_key is not None:
            certificate = self.settings.tls_certificate.read_bytes()
            factory = server_tls(certificate, self.settings.tls_key.read_bytes(), factory)
        return _Door(self, factory)

    def stopService(self) -> Deferred[None]:  # noqa: N802 - Twisted's name
        """Stop listening and unbind every peer; fires when the last connection has ended."""
        super().stopService()
        self._refusals.stop()
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

    def lets_in(self, host: str) -> bool:
        """Whether this address is on a list; a connection from another is counted, and costs no more."""
        if self.gate.group(host) is not None:
            return True
        self._refusals.count(Cause.NOT_LISTED, host)
        return False

    def connection(self, host: str, outbind: bytes = b"") -> SmscConnection | None:
        """Make the protocol of a connection, and room for it; none once we stop."""
        if not self.running:
            return None
        connection = self._make_connection(
            system_id=self.settings.system_id,
            limits=self._limits,
            gate=self.gate,
            clock=self._reactor,
            owner=self,
            outbind=outbind,
        )
        group = self.gate.group(host) or STRANGERS
        self._connections[connection] = group
        if group not in self._places:
            self._places[group] = Places(self._most, self._most_of_one, self._make_room)
        self._places[group].take(connection, source_of(host))
        return connection

    def _make_room(self, connection: SmscConnection) -> None:
        self._refuse(connection, Cause.MADE_ROOM)
        connection.drop("made room for another connection")

    def _leave_place(self, connection: SmscConnection, group: str) -> None:
        places = self._places.get(group)
        if places is not None:
            places.leave(connection)
            if not len(places):
                del self._places[group]

    def _refuse(self, connection: SmscConnection, cause: Cause, *, peer: str = "", reason: str = "") -> None:
        """Log once that a connection ended without a bind."""
        if not connection.is_told and self.running:
            connection.is_told = True
            self._refusals.count(cause, connection.peer_host, peer=peer, reason=reason)

    def link_up(self, link: Link) -> None:
        """Add a bind; its connection gives back its place."""
        assert isinstance(link, SmscConnection)
        self._leave_place(link, self._connections[link])
        self.links.append(link)
        self._observer.link_up(link.name, KINDS[link.bound_as])

    def link_down(self, link: Link, reason: str) -> None:
        """Take a bind away."""
        assert isinstance(link, SmscConnection)
        link.submitter.stop(reason)
        self.links.remove(link)
        heard_s = link.standing.heard_at
        self._left[link.name] = Standing(FarEndState.DOWN, self._reactor.seconds(), heard_s, reason)
        self._observer.link_down(link.name, reason)

    def link_refused(self, link: Link, status: int) -> None:
        """Count it: all refusals get one answer, and only the log distinguishes them."""
        assert isinstance(link, SmscConnection)
        assert link.denied is not None, status
        self._refuse(link, link.denied.cause, peer=link.denied.peer)

    def link_gone(self, link: Link, reason: str) -> None:
        """Forget a connection."""
        assert isinstance(link, SmscConnection)
        group = self._connections.pop(link, None)
        if group is not None:
            self._leave_place(link, group)
        if link.admitted:
            self.gate.left(link.name)
        else:
            self._refuse(link, Cause.LEFT, reason=reason)
        if self._last_gone is not None and not self._connections:
            gone, self._last_gone = self._last_gone, None
            gone.callback(None)

    def link_noted(self, link: Link, what: str) -> None:
        """Log a remark; of a stranger only the end is counted."""
        assert isinstance(link, SmscConnection)
        if link.admitted:
            self._observer.noted(link.name, what)


class _ConnectionFactory(Factory):
    noisy = False

    def __init__(self, server: SmppServer, outbind: bytes = b"") -> None:
        self._server = server
        self._outbind = outbind

    def startedConnecting(self, connector: object) -> None:  # noqa: N802 - Twisted's name
        """Wait for the connection of an outbind."""

    def clientConnectionFailed(self, connector: object, reason: object) -> None:  # noqa: N802 - Twisted's name
        """Do nothing: the caller of the outbind sees that there is no bind."""

    def clientConnectionLost(self, connector: object, reason: object) -> None:  # noqa: N802 - Twisted's name
        """Do nothing: the connection itself has reported its end."""

    def buildProtocol(self, address: Any) -> SmscConnection | None:  # noqa: N802 - Twisted's name
        """Make one connection's protocol."""
        return self._server.connection(str(address.host), self._outbind)


class _Door(Factory):
    """Comes before TLS and every protocol: a connection from an unlisted address is closed as it is accepted."""

    noisy = False

    def __init__(self, server: SmppServer, inner: Any) -> None:
        self._server = server
        self._inner = inner

    def doStart(self) -> None:  # noqa: N802 - Twisted's name
        """Start the wrapped factory too."""
        super().doStart()  # type: ignore[no-untyped-call]
        self._inner.doStart()

    def doStop(self) -> None:  # noqa: N802 - Twisted's name
        """Stop the wrapped factory too."""
        self._inner.doStop()
        super().doStop()  # type: ignore[no-untyped-call]

    def buildProtocol(self, address: Any) -> Any:  # noqa: N802 - Twisted's name
        """Let the wrapped factory make the protocol; `None` closes the connection."""
        return self._inner.buildProtocol(address) if self._server.lets_in(str(address.host)) else None


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
    observer: LinkObserver,
    alarms: Alarms,
    service: TakeText | None = None,
) -> SmppServer:
    """Assemble the server for carriers' gateways: any message that a bound peer sends us may be a press.

    Raises `LookupError` when a peer's password cannot be read.
    """
    known = [
        Known(
            one.peer,
            one.peer.password.read(),
            PressDesk(
                Way(one.peer.name, one.carrier, one.dialect),
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
    return SmppServer(
        settings,
        gate=gatekeeper,
        reactor=reactor,
        observer=observer,
        alarms=alarms,
        binds_at_once=max((one.peer.max_binds for one in peers), default=1),
    )


def _message_id(rng: random.Random) -> str:
    """Return an id that says nothing about the incident."""
    return f"{rng.getrandbits(64):016x}"
