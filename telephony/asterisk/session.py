"""The life of one AMI connection: banner, login, FullyBooted, keep-alive, end.

The machine is pure: each input returns the effects that somebody else (`telephony.asterisk.client`) performs, in
order. It knows no socket, clock or log. One row of `TABLE` is one arrow of ``docs/state-machines/ami.svg``; an input
that has no row in a state changes nothing there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Protocol

from automat import TypeMachineBuilder


class Limit(Enum):
    """What the one timer of a session bounds; every state that waits has its own."""

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
    CLOSE = "close"
    """From our close to Asterisk's."""


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
class StartTimer:
    """Start the session's timer; it replaces the one that runs. `Gone` stops it."""

    limit: Limit


@dataclass(frozen=True, slots=True)
class Up:
    """Asterisk is ready: actions may be sent."""


@dataclass(frozen=True, slots=True)
class Down:
    """It no longer is. Follows each `Up` exactly once."""

    reason: str


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """Asterisk does not let us in; its words."""

    message: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth a log line."""

    what: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that a person has to look at."""

    what: str


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection after what was written has left."""


@dataclass(frozen=True, slots=True)
class Abort:
    """Close the connection at once: nobody reads at the other end."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The connection has ended; why it did, in words."""

    reason: str


Effect = (
    SendChallenge
    | SendLogin
    | SendPing
    | StartTimer
    | Up
    | Down
    | LoginRefused
    | Note
    | Alarm
    | Close
    | Abort
    | Gone
)
Effects = tuple[Effect, ...]


class Session(Protocol):
    """What can happen to a connection."""

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
        """Learn that we are in."""
        ...

    def login_refused(self, message: str) -> Effects:
        """Learn that we are not."""
        ...

    def fully_booted(self) -> Effects:
        """Learn that Asterisk has loaded its modules and the dialplan."""
        ...

    def shutting_down(self) -> Effects:
        """Learn that Asterisk stops or restarts."""
        ...

    def heard(self) -> Effects:
        """Learn that a packet, any packet, has come while we waited for an answer to Ping."""
        ...

    def stop(self) -> Effects:
        """Leave."""
        ...

    def drop(self, reason: str) -> Effects:
        """End it now, without a word."""
        ...

    def timed_out(self) -> Effects:
        """Learn that the session's timer ran out."""
        ...

    def lost(self, reason: str) -> Effects:
        """Learn that the connection has ended."""
        ...


@dataclass
class Memory:
    """What a session remembers beside its state."""

    reason: str = ""
    """Why it ends, where we know better than the transport."""


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
TIMER_CLOSE: Final = StartTimer(Limit.CLOSE)

SHUT_DOWN: Final = "Asterisk shut down"
NOT_BOOTED: Final = Alarm("no FullyBooted: Asterisk still loads, or the account lacks read = system")
"""We go on without it: a right that is missing in manager.conf must not keep the calls from us."""


def _always(*effects: Effect) -> Callable[..., Effects]:
    return lambda _memory, *_arguments: effects


def _send_login(_memory: Memory, challenge: str) -> Effects:
    return (SendLogin(challenge), TIMER_LOGIN)


def _refused(memory: Memory, message: str) -> Effects:
    memory.reason = f"login refused: {message}"
    return (LoginRefused(message), Close(), TIMER_CLOSE)


def _shutting_down(memory: Memory) -> Effects:
    memory.reason = SHUT_DOWN
    return (Note("Asterisk is shutting down"),)


def _closing(reason: str, *effects: Effect) -> Callable[..., Effects]:
    """Say the effects, then close after what was written has left."""

    def close(memory: Memory) -> Effects:
        memory.reason = reason
        return (*effects, Close(), TIMER_CLOSE)

    return close


def _aborting(reason: str, *effects: Effect) -> Callable[..., Effects]:
    def abort(memory: Memory) -> Effects:
        memory.reason = reason
        return (*effects, Abort())

    return abort


def _dropped(memory: Memory, reason: str) -> Effects:
    memory.reason = reason
    return (Abort(),)


def _dropped_from_up(memory: Memory, reason: str) -> Effects:
    memory.reason = reason
    return (Down(reason), Abort())


def _lost(memory: Memory, reason: str) -> Effects:
    return (Gone(memory.reason or reason),)


def _lost_from_up(memory: Memory, reason: str) -> Effects:
    reason = memory.reason or reason
    return (Down(reason), Gone(reason))


_STOPPED: Final = _closing("stopped")
_STOPPED_FROM_UP: Final = _closing("stopped", Down("stopped"))

TABLE: Final[tuple[tuple[str, Any, str, Callable[..., Effects]], ...]] = (
    (NEW, Session.connected, AWAITING_BANNER, _always(TIMER_BANNER)),
    (NEW, Session.lost, CLOSED, _lost),
    (AWAITING_BANNER, Session.greeted, CHALLENGING, _always(SendChallenge(), TIMER_LOGIN)),
    (AWAITING_BANNER, Session.stop, CLOSING, _STOPPED),
    (AWAITING_BANNER, Session.drop, CLOSING, _dropped),
    (AWAITING_BANNER, Session.timed_out, CLOSING, _aborting("no banner in time")),
    (AWAITING_BANNER, Session.lost, CLOSED, _lost),
    (CHALLENGING, Session.challenged, LOGGING_IN, _send_login),
    (CHALLENGING, Session.login_refused, CLOSING, _refused),
    (CHALLENGING, Session.stop, CLOSING, _STOPPED),
    (CHALLENGING, Session.drop, CLOSING, _dropped),
    (CHALLENGING, Session.timed_out, CLOSING, _aborting("no challenge in time")),
    (CHALLENGING, Session.lost, CLOSED, _lost),
    (LOGGING_IN, Session.login_accepted, BOOTING, _always(TIMER_BOOT)),
    (LOGGING_IN, Session.login_refused, CLOSING, _refused),
    (LOGGING_IN, Session.stop, CLOSING, _STOPPED),
    (LOGGING_IN, Session.drop, CLOSING, _dropped),
    (LOGGING_IN, Session.timed_out, CLOSING, _aborting("login not answered in time")),
    (LOGGING_IN, Session.lost, CLOSED, _lost),
    # Events come from here on.
    (BOOTING, Session.fully_booted, READY, _always(Up(), TIMER_QUIET)),
    (BOOTING, Session.shutting_down, BOOTING, _shutting_down),
    (BOOTING, Session.stop, CLOSING, _STOPPED),
    (BOOTING, Session.drop, CLOSING, _dropped),
    (BOOTING, Session.timed_out, READY, _always(NOT_BOOTED, Up(), TIMER_QUIET)),
    (BOOTING, Session.lost, CLOSED, _lost),
    (READY, Session.shutting_down, READY, _shutting_down),
    (READY, Session.stop, CLOSING, _STOPPED_FROM_UP),
    (READY, Session.drop, CLOSING, _dropped_from_up),
    (READY, Session.timed_out, PINGING, _always(SendPing(), TIMER_PING)),
    (READY, Session.lost, CLOSED, _lost_from_up),
    (PINGING, Session.heard, READY, _always(TIMER_QUIET)),
    (PINGING, Session.shutting_down, PINGING, _shutting_down),
    (PINGING, Session.stop, CLOSING, _STOPPED_FROM_UP),
    (PINGING, Session.drop, CLOSING, _dropped_from_up),
    (PINGING, Session.timed_out, CLOSING, _aborting("dead", Down("dead"))),
    (PINGING, Session.lost, CLOSED, _lost_from_up),
    (CLOSING, Session.drop, CLOSING, _always(Abort())),
    (CLOSING, Session.timed_out, CLOSING, _always(Abort())),
    (CLOSING, Session.lost, CLOSED, _lost),
)
"""Rows of (state, input, next state, effects as a function of the memory and of the input's arguments)."""

INPUTS: Final = tuple(getattr(Session, name) for name in vars(Session) if not name.startswith("_"))


def _build() -> Callable[[Memory], Session]:
    builder = TypeMachineBuilder(Session, Memory)
    states = {name: builder.state(name) for name in STATES}

    def output(effects: Callable[..., Effects]) -> Callable[..., Effects]:
        def give(_session: Session, memory: Memory, *arguments: object) -> Effects:
            return effects(memory, *arguments)

        return give

    for state, event, following, effects in TABLE:
        states[state].upon(event).to(states[following])(output(effects))
    written = {(state, event) for state, event, _, _ in TABLE}
    for state in STATES:
        for event in INPUTS:
            if (state, event) not in written:
                states[state].upon(event).loop().returns(())
    return builder.build()


_new_session: Final = _build()


def new_session() -> Session:
    """Begin the life of one connection."""
    return _new_session(Memory())
