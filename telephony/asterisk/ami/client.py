"""The daemon's AMI client: keeps one connection to an Asterisk's manager interface, and reconnects for ever.

`telephony.asterisk.ami.session` decides, `Connection` performs, `Actions` keeps the actions that wait for an answer,
and `AmiClient` is the interface to the rest of the daemon.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog
from twisted.internet import protocol
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import ITCPTransport
from twisted.python.failure import Failure

from telephony.asterisk.ami.actions import Actions
from telephony.asterisk.ami.packets import AmiStream, Packet
from telephony.asterisk.ami.session import (
    Alarm,
    Effects,
    Limit,
    LoginRefused,
    Note,
    SendChallenge,
    SendLogin,
    SendPing,
    Session,
    new_session,
)
from telephony.asterisk.settings import AsteriskServer
from telephony.clock import Clock
from telephony.domain.errors import Refused, Unavailable
from telephony.net.client_tls import ClientTls, tls_reason
from telephony.net.dialler import Dialler
from telephony.net.endpoints import client_endpoint
from telephony.net.lifecycle import Abort, Close, Down, Gone, StartTimer, Up
from telephony.net.links import LinkObserver
from telephony.net.pauses import Backoff, Ended, Pause, TurnedAway
from telephony.net.reactor import Reactor
from telephony.net.standing import Retried, Standing
from telephony.net.timer import SessionTimer
from telephony.service import Service

log = structlog.get_logger()

BANNER: Final = "Asterisk Call Manager"
BOOT_S: Final = 30.0
LONGEST_MESSAGE: Final = 200
"""Characters of Asterisk's own words that we repeat."""

FIRST_RETRY_S: Final = 0.25
LONGEST_RETRY_S: Final = 5.0
"""Full jitter up to 0.25, 0.5, 1 … 5 s: until we are back, a call reaches 112 without us, and with nothing known."""
REFUSED_RETRY_S: Final = 60.0
"""Only a person can repair a refused login, and fail2ban locks out addresses that keep trying."""


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
        self._reactor = reactor
        self._backoff = Backoff(rng, FIRST_RETRY_S, LONGEST_RETRY_S)
        self._dialler = Dialler(
            settings.name,
            self._endpoint(),
            make=self._new_connection,
            policy=self._pause_after,
            clock=reactor,
            observer=observer,
        )
        self._rng = rng
        self._observer = observer
        self._on_event = on_event
        self._on_ready = on_ready
        self._on_lost = on_lost
        self._last_heard_s: float | None = None
        """When the last of the connections that have ended was heard."""

    @property
    def _connection(self) -> Connection | None:
        return self._dialler.connection

    @property
    def standing(self) -> Standing:
        """Where the link stands."""
        connection = self._connection
        heard_s = 0.0 if connection is None else connection.heard_at
        return self._dialler.standing(heard_s or self._last_heard_s)

    def read_again(self) -> bool:
        """Use the secret and the files of TLS as they are now, from the next connection on.

        Returns whether the secret is another one. Raises like the constructor; then what was read before stays.
        """
        secret = self._settings.secret.read()
        self._dialler.use(self._endpoint())
        is_changed = secret != self._secret
        self._secret = secret
        return is_changed

    def retry(self) -> Retried:
        """Connect now instead of after the pause."""
        return self._dialler.retry()

    @property
    def is_ready(self) -> bool:
        """Whether Asterisk can be asked now."""
        return self._connection is not None and self._connection.is_up

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Connect at once, and reconnect for as long as the service runs."""
        super().startService()
        self._dialler.start()

    def stopService(self) -> Deferred[None]:  # noqa: N802 - Twisted's name
        """Close; fires when the connection has ended, within 2 s or so."""
        super().stopService()
        return self._dialler.stop()

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

    def _endpoint(self) -> Any:
        far = self._settings
        tls = None if far.tls is None else ClientTls(far.tls)
        return client_endpoint(self._reactor, far.host, far.port, timeout_s=far.connect_timeout_s, tls=tls)

    def _new_connection(self) -> Connection:
        # A caller who could guess an id could pass a forged event off as part of an answer.
        prefix = f"{self._rng.getrandbits(64):016x}"
        return Connection(self._settings, secret=self._secret, prefix=prefix, clock=self._reactor, owner=self)

    def _pause_after(self, ended: Ended) -> Pause:
        return Pause(REFUSED_RETRY_S if isinstance(ended, TurnedAway) else self._backoff.after(ended))

    # What the connection says.

    def went_up(self) -> None:
        """Tell that actions can be sent."""
        self._dialler.up()
        self._observer.link_up(self._name, "ami")
        self._guarded(self._on_ready, "ready")

    def went_down(self, reason: str) -> None:
        """Tell that actions can no longer be sent."""
        self._observer.link_down(self._name, reason)
        self._guarded(self._on_lost, "lost")

    def refused(self, message: str) -> None:
        """Tell that Asterisk refuses the login."""
        reason = f"login refused: {message}"
        self._observer.unreachable(self._name, reason)
        self._dialler.turned_away(words=reason)

    def noted(self, what: str) -> None:
        """Log a remark of the session."""
        self._observer.noted(self._name, what)

    def alarmed(self, what: str) -> None:
        """Raise an alarm of the session."""
        self._observer.alarm(self._name, what)

    def took(self, packet: Packet) -> None:
        """Hand an event to the follower of the calls; an exception there must not cost the next event."""
        try:
            self._on_event(packet)
        except Exception:
            log.exception("AMI event not handled", link=self._name, ami_event=packet.event)

    def ended(self, reason: str) -> None:
        """Reconnect, after a pause that depends on how the connection ended."""
        if self._connection is not None:
            self._last_heard_s = self._connection.heard_at or self._last_heard_s
        self._dialler.gone(reason)

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
        self._timer = SessionTimer(
            clock,
            {
                Limit.BANNER: settings.connect_timeout_s,
                Limit.LOGIN: settings.login_timeout_s,
                Limit.BOOT: BOOT_S,
                Limit.QUIET: settings.ping_s,
                Limit.PING: settings.ping_timeout_s,
            },
            self._timed_out,
        )
        self.heard_at = 0.0
        """When Asterisk last sent a packet."""
        self._wire: Any = None
        """The transport, from `connectionMade` on."""

    def leave(self) -> None:
        """Close; `AmiClient.ended` follows."""
        self.perform(self.session.stop())

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
            self.heard_at = self._clock.seconds()
            if self._timer.limit is Limit.PING:
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
                    # Any packet is a sign of life, so this answer in particular is not waited for.
                    self.actions.send_unawaited("Ping")
                case StartTimer(limit):
                    self._timer.start(limit)
                case Up():
                    self.is_up = True
                    self._owner.went_up()
                case Down(reason):
                    self.is_up = False
                    self.actions.abandon(reason)
                    self._owner.went_down(reason)
                case LoginRefused(message):
                    self._owner.refused(message)
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
        """Report a refusal of Asterisk; where it does not answer at all, the session's own timer decides."""
        if failure.check(Refused):
            self.perform(self.session.login_refused(str(failure.value)[:LONGEST_MESSAGE]))

    def _timed_out(self) -> None:
        if self._timer.limit is Limit.QUIET:
            # A packet only records its time: at thousands a second, none of them may move a timer.
            quiet_s = self._clock.seconds() - self.heard_at
            if quiet_s < self._settings.ping_s:
                self._timer.start(Limit.QUIET, self._settings.ping_s - quiet_s)
                return
        self.perform(self.session.timed_out())

    def _go(self, reason: str) -> None:
        self._timer.stop()
        self.actions.abandon(reason)
        self._owner.ended(reason)

    def _write(self, octets: bytes) -> None:
        self._wire.write(octets)
