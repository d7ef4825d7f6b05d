"""Keeps one connection to an Asterisk's manager interface: connects, logs in, watches, reconnects for ever.

`telephony.asterisk.session` decides, `Connection` performs, `Actions` keeps what waits for an answer, and
`AmiClient` is what the rest of the house sees of it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import random
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import structlog
from twisted.application.service import Service
from twisted.internet import protocol
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import ITCPTransport
from twisted.python.failure import Failure

from telephony.asterisk.actions import Actions
from telephony.asterisk.ami import AmiStream, Packet
from telephony.asterisk.session import (
    Abort,
    Alarm,
    Close,
    Down,
    Effects,
    Gone,
    Limit,
    LoginRefused,
    Note,
    SendChallenge,
    SendLogin,
    SendPing,
    Session,
    StartTimer,
    Up,
    new_session,
)
from telephony.asterisk.settings import AsteriskServer
from telephony.client_tls import ClientTls, tls_reason
from telephony.clock import Call, Clock
from telephony.domain.errors import Refused, Unavailable
from telephony.services.links import LinkObserver

log = structlog.get_logger()

BANNER: Final = "Asterisk Call Manager"
BOOT_S: Final = 30.0
CLOSE_S: Final = 2.0
LONGEST_MESSAGE: Final = 200
"""Characters of Asterisk's own words that we repeat."""

FIRST_RETRY_S: Final = 0.25
LONGEST_RETRY_S: Final = 5.0
"""Full jitter up to 0.25, 0.5, 1 … 5 s: until we are back, a call reaches 112 without us, and with nothing known."""
SETTLED_S: Final = 10.0
"""A connection that was up for so long was a good one: the count starts again."""
REFUSED_RETRY_S: Final = 60.0
"""Only a person can mend a refused login, and fail2ban locks addresses out that keep knocking."""


class Reactor(Clock, Protocol):
    """A clock that can also dial (``IReactorTime`` and ``IReactorTCP``)."""

    def connectTCP(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802 - Twisted's name
        """Dial."""
        ...


class AmiClient(Service):
    """One configured Asterisk (``[[asterisk]]``), for as long as the service runs.

    ``on_event`` hears every event but those of a `listing`, from the login on, which is before ``on_ready``.
    ``on_ready`` comes with every connection that can take actions, ``on_lost`` once after each of them. What they
    raise is logged. Raises `LookupError` when the secret cannot be read, `OSError` or `ValueError` for files of TLS.
    """

    name: str
    """Of the server, as the settings have it."""

    def __init__(
        self,
        settings: AsteriskServer,
        *,
        reactor: Reactor,
        rng: random.Random,
        observer: LinkObserver,
        on_event: Callable[[Packet], None],
        on_ready: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        self.name = settings.name
        self._name = settings.name
        self._settings = settings
        self._secret = settings.secret.read()
        self._endpoint = _endpoint(reactor, settings)
        self._reactor = reactor
        self._rng = rng
        self._observer = observer
        self._on_event = on_event
        self._on_ready = on_ready
        self._on_lost = on_lost
        self._connecting: Deferred[Any] | None = None
        self._connection: Connection | None = None
        self._retry: Call | None = None
        self._failures = 0
        self._up_at: float | None = None
        self._was_refused = False
        self._gone: Deferred[None] | None = None

    @property
    def is_ready(self) -> bool:
        """Claim that Asterisk can be asked now."""
        return self._connection is not None and self._connection.is_up

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Connect at once, and keep at it."""
        super().startService()  # type: ignore[no-untyped-call]
        self._connect()

    def stopService(self) -> Deferred[None]:  # noqa: N802 - Twisted's name
        """Close; fires when the connection has ended, within 2 s or so."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._connecting is not None:
            self._connecting.cancel()
        if self._connection is None:
            return succeed(None)
        if self._gone is None:
            self._gone = Deferred()
        gone = self._gone
        self._connection.perform(self._connection.session.stop())
        return gone

    def action(self, name: str, fields: Sequence[tuple[str, str]] = ()) -> Deferred[Packet]:
        """Send an action, such as ``Setvar``; fires with Asterisk's response.

        Fails with `Refused` and Asterisk's words where it says Error, with `Malformed` for fields that cannot be sent
        (nothing is), and with `Unavailable` when there is no connection or no answer in time: then the action may
        have been done or not.
        """
        if self._connection is None or not self._connection.is_up:
            return fail(Unavailable(f"{self._name} is not connected"))
        return self._connection.actions.send(name, fields)

    def listing(self, name: str, fields: Sequence[tuple[str, str]] = ()) -> Deferred[list[Packet]]:
        """Send an action that is answered by a list of events, such as ``CoreShowChannels``; fires with the events.

        The event that closes the list is not among them. Fails like `action`; also with `Unavailable` for a list that
        Asterisk breaks off, or that is longer than `LONGEST_LIST`. The time-out counts from its last event.
        """
        if self._connection is None or not self._connection.is_up:
            return fail(Unavailable(f"{self._name} is not connected"))
        return self._connection.actions.send_for_list(name, fields)

    # Connecting.

    def _connect(self) -> None:
        self._retry = None
        self._up_at, self._was_refused = None, False
        factory = protocol.Factory.forProtocol(self._new_connection)
        factory.noisy = False
        self._connecting = self._endpoint.connect(factory)
        self._connecting.addCallbacks(self._connected, self._not_connected)

    def _connected(self, _connection: object) -> None:
        self._connecting = None

    def _not_connected(self, failure: Failure) -> None:
        self._connecting = None
        if self.running:
            self._observer.unreachable(self._name, tls_reason(failure) or failure.getErrorMessage())
            self._wait()

    def _new_connection(self) -> Connection:
        # Whoever could guess an id could pass an event of his own making off as part of an answer.
        prefix = f"{self._rng.getrandbits(64):016x}"
        self._connection = Connection(
            self._settings, secret=self._secret, prefix=prefix, clock=self._reactor, owner=self
        )
        return self._connection

    def _wait(self) -> None:
        longest = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(self._failures, 10))
        self._failures += 1
        pause_s = REFUSED_RETRY_S if self._was_refused else self._rng.uniform(0.0, longest)
        self._retry = self._reactor.callLater(pause_s, self._connect)

    # What the connection says.

    def went_up(self) -> None:
        """Tell that actions can be sent."""
        self._up_at = self._reactor.seconds()
        self._observer.link_up(self._name, "ami")
        self._guarded(self._on_ready, "ready")

    def went_down(self, reason: str) -> None:
        """Tell that they no longer can."""
        self._observer.link_down(self._name, reason)
        self._guarded(self._on_lost, "lost")

    def refused(self) -> None:
        """Remember it: it decides when we come again."""
        self._was_refused = True

    def noted(self, what: str) -> None:
        """Pass a remark on."""
        self._observer.noted(self._name, what)

    def alarmed(self, what: str) -> None:
        """Pass an alarm on."""
        self._observer.alarm(self._name, what)

    def took(self, packet: Packet) -> None:
        """Hand an event to whoever watches the calls; one that he cannot take must not cost the next."""
        try:
            self._on_event(packet)
        except Exception:
            log.exception("AMI event not handled", link=self._name, ami_event=packet.event)

    def ended(self, reason: str) -> None:
        """Come again, after a pause that depends on how it ended."""
        self._connection = None
        if self._gone is not None:
            gone, self._gone = self._gone, None
            gone.callback(None)
        if not self.running:
            return
        if self._up_at is None:
            self._observer.unreachable(self._name, reason)
        elif self._reactor.seconds() - self._up_at >= SETTLED_S:
            self._failures = 0
        self._wait()

    def _guarded(self, tell: Callable[[], None], what: str) -> None:
        try:
            tell()
        except Exception:
            log.exception("AMI change of state not handled", link=self._name, what=what)


class Connection(protocol.Protocol):
    """One connection: performs what its session decides."""

    def __init__(
        self, settings: AsteriskServer, *, secret: str, prefix: str, clock: Clock, owner: AmiClient
    ) -> None:
        self.session: Session = new_session()
        self.actions = Actions(
            prefix=prefix, timeout_s=settings.response_timeout_s, clock=clock, write=self._write
        )
        self.is_up = False
        """Actions can be sent."""
        self._settings = settings
        self._secret = secret
        self._clock = clock
        self._owner = owner
        self._stream = AmiStream()
        self._is_greeted = False
        self._is_over = False
        self._limit: Limit | None = None
        self._timer: Call | None = None
        self._heard_at = 0.0
        self._wire: Any = None
        """The transport, from `connectionMade` on."""

    # What the transport says.

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Begin."""
        self._wire = self.transport
        if ITCPTransport.providedBy(self._wire):
            # An action is one small write: Nagle's algorithm would hold the next one back for a round trip.
            self._wire.setTcpNoDelay(True)
        self.perform(self.session.connected())

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Take what one read brought."""
        packets = self._stream.feed(data)
        if not self._is_greeted and self._stream.banner is not None:
            self._is_greeted = True
            is_asterisk = self._stream.banner.startswith(BANNER)
            self.perform(
                self.session.greeted() if is_asterisk else self.session.drop("no banner of Asterisk")
            )
        if packets:
            self._heard_at = self._clock.seconds()
            if self._limit is Limit.PING:
                self.perform(self.session.heard())
        for packet in packets:
            if self._is_over:
                return
            self._take(packet)
        if self._stream.broken is not None and not self._is_over:
            self.perform(self.session.drop(str(self._stream.broken)))

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:  # noqa: N802 - Twisted's name
        """End."""
        self.perform(self.session.lost(tls_reason(reason) or reason.getErrorMessage()))

    def _take(self, packet: Packet) -> None:
        if self.actions.take(packet):
            return
        match packet.event:
            case "FullyBooted":
                self.perform(self.session.fully_booted())
            case "Shutdown":
                self.perform(self.session.shutting_down())
        self._owner.took(packet)

    # What the session decides.

    def perform(self, effects: Effects) -> None:  # noqa: C901, PLR0912 - one arm per effect, each a line or two
        """Do what an input of the session returned."""
        for effect in effects:
            match effect:
                case SendChallenge():
                    self._ask_for_challenge()
                case SendLogin(challenge):
                    self._log_in(challenge)
                case SendPing():
                    # Whatever comes is a sign of life, so nobody waits for this answer in particular.
                    self.actions.send_unawaited("Ping")
                case StartTimer(limit):
                    self._start_timer(limit)
                case Up():
                    self.is_up = True
                    self._owner.went_up()
                case Down(reason):
                    self.is_up = False
                    self.actions.abandon(reason)
                    self._owner.went_down(reason)
                case LoginRefused():
                    self._owner.refused()
                case Note(what):
                    self._owner.noted(what)
                case Alarm(what):
                    self._owner.alarmed(what)
                case Close():
                    self._is_over = True
                    self._wire.loseConnection()
                case Abort():
                    self._is_over = True
                    self._wire.abortConnection()
                case Gone(reason):
                    self._go(reason)

    def _ask_for_challenge(self) -> None:
        self.actions.send("Challenge", (("AuthType", "MD5"),)).addCallbacks(
            lambda answer: self.perform(self.session.challenged(answer.get("Challenge"))), self._login_failed
        )

    def _log_in(self, challenge: str) -> None:
        key = hashlib.md5((challenge + self._secret).encode(), usedforsecurity=False).hexdigest()
        fields = (("AuthType", "MD5"), ("Username", self._settings.username), ("Key", key))
        self.actions.send("Login", fields).addCallbacks(
            lambda _: self.perform(self.session.login_accepted()), self._login_failed
        )

    def _login_failed(self, failure: Failure) -> None:
        """Hear that Asterisk refuses; where it does not answer at all, the session's own timer decides."""
        if failure.check(Refused):
            self.perform(self.session.login_refused(str(failure.value)[:LONGEST_MESSAGE]))

    def _start_timer(self, limit: Limit) -> None:
        seconds = {
            Limit.BANNER: self._settings.connect_timeout_s,
            Limit.LOGIN: self._settings.login_timeout_s,
            Limit.BOOT: BOOT_S,
            Limit.QUIET: self._settings.ping_s,
            Limit.PING: self._settings.ping_timeout_s,
            Limit.CLOSE: CLOSE_S,
        }[limit]
        self._stop_timer()
        self._limit = limit
        self._timer = self._clock.callLater(seconds, self._timed_out)

    def _stop_timer(self) -> None:
        self._limit = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _timed_out(self) -> None:
        self._timer = None
        if self._limit is Limit.QUIET:
            # Packets only leave their time behind; thousands a second must not each move a timer.
            quiet_s = self._clock.seconds() - self._heard_at
            if quiet_s < self._settings.ping_s:
                self._timer = self._clock.callLater(self._settings.ping_s - quiet_s, self._timed_out)
                return
        self.perform(self.session.timed_out())

    def _go(self, reason: str) -> None:
        self._stop_timer()
        self.actions.abandon(reason)
        self._owner.ended(reason)

    def _write(self, octets: bytes) -> None:
        self._wire.write(octets)


def _endpoint(reactor: Reactor, settings: AsteriskServer) -> Any:
    """Give the endpoint (``IStreamClientEndpoint``); only a name is looked up, an address is dialled as it is."""
    kind: Any = TCP4ClientEndpoint if _is_ipv4(settings.host) else HostnameEndpoint
    endpoint = kind(reactor, settings.host, settings.port, timeout=settings.connect_timeout_s)
    if settings.tls is None:
        return endpoint
    return wrapClientTLS(ClientTls(settings.tls).options(settings.host), endpoint)


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True
