"""The life of one AMI connection: banner, login, FullyBooted, keep-alive, end.

The machine is pure: each input returns the effects that `telephony.asterisk.ami.client` performs, in order. It knows no
socket, clock or log. One row of `TABLE` is one arrow of ``docs/state-machines/ami.svg``; an input that has no row in a
state changes nothing there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from automat import TypeMachineBuilder

from telephony.net.lifecycle import (
    TIMER_CLOSE,
    Abort,
    Close,
    Common,
    Down,
    Memory,
    StartTimer,
    Up,
    aborting,
    closing,
    dropped,
    dropped_from_up,
    lost,
    lost_from_up,
)
from telephony.net.tables import Row, always, inputs_of, machine


class Limit(Enum):
    """Limits that the one timer of a session runs; every state that waits has its own."""

    BANNER = "banner"
    """From the connection to Asterisk's first line."""
    LOGIN = "login"
    """From our challenge to its answer, and from our login to its answer."""
    BOOT = "boot"
    """From the login to FullyBooted."""
    QUIET = "quiet"
    """From the last packet to our Ping."""
    PING = "ping"
    """From our Ping to whatever packet comes next."""


@dataclass(frozen=True, slots=True)
class SendChallenge:
    """Ask for a challenge."""


@dataclass(frozen=True, slots=True)
class SendLogin:
    """Log in with the MD5 of this challenge and the secret."""

    challenge: str


@dataclass(frozen=True, slots=True)
class SendPing:
    """Make Asterisk say something."""


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """Asterisk refuses the login, in its own words."""

    message: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth a log line."""

    what: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that an operator has to look at."""

    what: str


Effect = SendChallenge | SendLogin | SendPing | LoginRefused | Note | Alarm | Common
Effects = tuple[Effect, ...]


class Session(Protocol):
    """The inputs of the machine: the events of a connection."""

    def connected(self) -> Effects:
        """Learn that we reached the port."""
        ...

    def greeted(self) -> Effects:
        """Learn that the first line is Asterisk's banner."""
        ...

    def challenged(self, challenge: str) -> Effects:
        """Learn the challenge."""
        ...

    def login_accepted(self) -> Effects:
        """Learn that the login was accepted."""
        ...

    def login_refused(self, message: str) -> Effects:
        """Learn that the login was refused."""
        ...

    def fully_booted(self) -> Effects:
        """Learn that Asterisk has loaded its modules and the dialplan."""
        ...

    def shutting_down(self) -> Effects:
        """Learn that Asterisk stops or restarts."""
        ...

    def heard(self) -> Effects:
        """Learn that a packet of any kind has come while we waited for an answer to Ping."""
        ...

    def stop(self) -> Effects:
        """Leave."""
        ...

    def drop(self, reason: str) -> Effects:
        """End it now, without a Logoff."""
        ...

    def timed_out(self) -> Effects:
        """Learn that the session's timer ran out."""
        ...

    def lost(self, reason: str) -> Effects:
        """Learn that the connection has ended."""
        ...


NEW: Final = "New"
AWAITING_BANNER: Final = "AwaitingBanner"
CHALLENGING: Final = "Challenging"
LOGGING_IN: Final = "LoggingIn"
BOOTING: Final = "Booting"
READY: Final = "Ready"
PINGING: Final = "Pinging"
CLOSING: Final = "Closing"
CLOSED: Final = "Closed"

STATES: Final = (
    NEW, AWAITING_BANNER, CHALLENGING, LOGGING_IN, BOOTING, READY, PINGING, CLOSING, CLOSED,
)  # fmt: skip

TIMER_BANNER: Final = StartTimer(Limit.BANNER)
TIMER_LOGIN: Final = StartTimer(Limit.LOGIN)
TIMER_BOOT: Final = StartTimer(Limit.BOOT)
TIMER_QUIET: Final = StartTimer(Limit.QUIET)
TIMER_PING: Final = StartTimer(Limit.PING)

SHUT_DOWN: Final = "Asterisk shut down"
NOT_BOOTED: Final = Alarm("no FullyBooted: Asterisk still loads, or the account lacks read = system")
"""We go on without it: a right that is missing in manager.conf must not keep the calls from us."""


def _send_login(_memory: Memory, challenge: str) -> Effects:
    return (SendLogin(challenge), TIMER_LOGIN)


def _refused(memory: Memory, message: str) -> Effects:
    memory.reason = f"login refused: {message}"
    return (LoginRefused(message), Close(), TIMER_CLOSE)


def _shutting_down(memory: Memory) -> Effects:
    memory.reason = SHUT_DOWN
    return (Note("Asterisk is shutting down"),)


_STOPPED: Final = closing("stopped")
_STOPPED_FROM_UP: Final = closing("stopped", Down("stopped"))

TABLE: Final[tuple[Row[Effect], ...]] = (
    (NEW, Session.connected, AWAITING_BANNER, always(TIMER_BANNER)),
    (NEW, Session.lost, CLOSED, lost),
    (AWAITING_BANNER, Session.greeted, CHALLENGING, always(SendChallenge(), TIMER_LOGIN)),
    (AWAITING_BANNER, Session.stop, CLOSING, _STOPPED),
    (AWAITING_BANNER, Session.drop, CLOSING, dropped),
    (AWAITING_BANNER, Session.timed_out, CLOSING, aborting("no banner in time")),
    (AWAITING_BANNER, Session.lost, CLOSED, lost),
    (CHALLENGING, Session.challenged, LOGGING_IN, _send_login),
    (CHALLENGING, Session.login_refused, CLOSING, _refused),
    (CHALLENGING, Session.stop, CLOSING, _STOPPED),
    (CHALLENGING, Session.drop, CLOSING, dropped),
    (CHALLENGING, Session.timed_out, CLOSING, aborting("no challenge in time")),
    (CHALLENGING, Session.lost, CLOSED, lost),
    (LOGGING_IN, Session.login_accepted, BOOTING, always(TIMER_BOOT)),
    (LOGGING_IN, Session.login_refused, CLOSING, _refused),
    (LOGGING_IN, Session.stop, CLOSING, _STOPPED),
    (LOGGING_IN, Session.drop, CLOSING, dropped),
    (LOGGING_IN, Session.timed_out, CLOSING, aborting("login not answered in time")),
    (LOGGING_IN, Session.lost, CLOSED, lost),
    # Events come from here on.
    (BOOTING, Session.fully_booted, READY, always(Up(), TIMER_QUIET)),
    (BOOTING, Session.shutting_down, BOOTING, _shutting_down),
    (BOOTING, Session.stop, CLOSING, _STOPPED),
    (BOOTING, Session.drop, CLOSING, dropped),
    (BOOTING, Session.timed_out, READY, always(NOT_BOOTED, Up(), TIMER_QUIET)),
    (BOOTING, Session.lost, CLOSED, lost),
    (READY, Session.shutting_down, READY, _shutting_down),
    (READY, Session.stop, CLOSING, _STOPPED_FROM_UP),
    (READY, Session.drop, CLOSING, dropped_from_up),
    (READY, Session.timed_out, PINGING, always(SendPing(), TIMER_PING)),
    (READY, Session.lost, CLOSED, lost_from_up),
    (PINGING, Session.heard, READY, always(TIMER_QUIET)),
    (PINGING, Session.shutting_down, PINGING, _shutting_down),
    (PINGING, Session.stop, CLOSING, _STOPPED_FROM_UP),
    (PINGING, Session.drop, CLOSING, dropped_from_up),
    (PINGING, Session.timed_out, CLOSING, aborting("dead", Down("dead"))),
    (PINGING, Session.lost, CLOSED, lost_from_up),
    (CLOSING, Session.drop, CLOSING, always(Abort())),
    (CLOSING, Session.timed_out, CLOSING, always(Abort())),
    (CLOSING, Session.lost, CLOSED, lost),
)
INPUTS: Final = inputs_of(Session)

_new_session: Final = machine(TypeMachineBuilder(Session, Memory), STATES, TABLE)


def new_session() -> Session:
    """Begin the life of one connection."""
    return _new_session(Memory())
