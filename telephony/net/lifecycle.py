"""Effects that the sessions of all protocols share, and the table rows that end a connection.

A session is pure: each input returns the effects that its connection performs, in order. Each protocol has a table
(`telephony.net.tables`), states and effects of its own beside these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeVar


class Ending(Enum):
    """The limit that the one timer of a session runs at its end, in every protocol."""

    CLOSE = "close"
    """From our close to the peer's: a peer that has gone never answers a TLS close or reads the last octets."""


CLOSE_S: Final = 2.0
"""`Ending.CLOSE`."""


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Start the session's timer; it replaces the one that runs. `Gone` stops it."""

    limit: Enum


@dataclass(frozen=True, slots=True)
class Up:
    """The connection is up: messages may be sent."""


@dataclass(frozen=True, slots=True)
class Down:
    """The connection is no longer up: nothing new is sent on it. Follows each `Up` exactly once."""

    reason: str


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection after what was written has left."""


@dataclass(frozen=True, slots=True)
class Abort:
    """Close the connection at once: the other end does not read."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The connection has ended; why it did, in words."""

    reason: str


Common = StartTimer | Up | Down | Close | Abort | Gone
TIMER_CLOSE: Final = StartTimer(Ending.CLOSE)

Own = TypeVar("Own")


@dataclass
class Memory:
    """The memory of a session beside its state."""

    reason: str = ""
    """Why the connection ends, where we know better than the transport."""


def closing(reason: str, *effects: Own) -> Callable[[Memory], tuple[Own | Close | StartTimer, ...]]:
    """Say the effects, then close after what was written has left."""

    def close(memory: Memory) -> tuple[Own | Close | StartTimer, ...]:
        memory.reason = reason
        return (*effects, Close(), TIMER_CLOSE)

    return close


def aborting(reason: str, *effects: Own) -> Callable[[Memory], tuple[Own | Abort, ...]]:
    """Say the effects, then close at once."""

    def abort(memory: Memory) -> tuple[Own | Abort, ...]:
        memory.reason = reason
        return (*effects, Abort())

    return abort


def dropped(memory: Memory, reason: str) -> tuple[Abort]:
    """End it before it was up."""
    memory.reason = reason
    return (Abort(),)


def dropped_from_up(memory: Memory, reason: str) -> tuple[Down, Abort]:
    """End it while it is up."""
    memory.reason = reason
    return (Down(reason), Abort())


def lost(memory: Memory, reason: str) -> tuple[Gone]:
    """Hear that it has ended, as was to be expected or while it was not up."""
    return (Gone(memory.reason or reason),)


def lost_from_up(memory: Memory, reason: str) -> tuple[Down, Gone]:
    """Hear that it has ended while it was up."""
    reason = memory.reason or reason
    return (Down(reason), Gone(reason))
