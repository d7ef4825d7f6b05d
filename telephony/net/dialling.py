"""State machine of a link that we dial, over all its connections: dial, be up, wait, dial again, stop.

Pure, like the sessions of its connections. One row of `TABLE` is one arrow of ``docs/state-machines/dialling.svg``.
`telephony.net.dialler` performs the effects; how long it waits is the policy of each protocol (`telephony.net.pauses`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from automat import TypeMachineBuilder

from telephony.net.pauses import Ended, Failed, TurnedAway, WasUp
from telephony.net.tables import Row, always, inputs_of, machine


class State(StrEnum):
    """Where a link stands."""

    IDLE = "Idle"
    DIALLING = "Dialling"
    """From the attempt to connect until its session is up."""
    UP = "Up"
    WAITING = "Waiting"
    STOPPING = "Stopping"
    """Until the last connection, or attempt, has ended."""
    RESTARTING = "Restarting"
    """Wanted again before it has stopped."""


@dataclass(frozen=True, slots=True)
class Dial:
    """Connect."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Say `Dialling.waited` after the pause that the policy has for this end."""

    ended: Ended


@dataclass(frozen=True, slots=True)
class StopWaiting:
    """Cancel that pause."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Close the connection in good order, or give the attempt up; `Dialling.ended` follows."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Nothing of ours is open any more: tell the caller that asked for the stop."""


Effect = Dial | Wait | StopWaiting | Leave | Stopped
Effects = tuple[Effect, ...]


class Dialling(Protocol):
    """The inputs of the machine: the events of a link."""

    def start(self) -> Effects:
        """Learn that it is wanted."""
        ...

    def up(self, at_s: float) -> Effects:
        """Learn that the connection's session is up, and when."""
        ...

    def turned_away(self, status: int) -> Effects:
        """Learn that the far end refuses us; the end of the connection follows."""
        ...

    def ended(self, reason: str, at_s: float) -> Effects:
        """Learn that the attempt, or the connection that came of it, has ended: why in words, and when."""
        ...

    def waited(self) -> Effects:
        """Learn that the pause is over."""
        ...

    def stop(self) -> Effects:
        """Learn that it is not wanted any more."""
        ...


@dataclass
class Memory:
    """The memory about the current connection."""

    turned_away: TurnedAway | None = None
    up_at_s: float = 0.0


def _is_up(memory: Memory, at_s: float) -> Effects:
    memory.up_at_s = at_s
    return ()


def _turned_away(memory: Memory, status: int) -> Effects:
    memory.turned_away = TurnedAway(status)
    return ()


def _not_up(memory: Memory, reason: str, _at_s: float) -> Effects:
    turned_away, memory.turned_away = memory.turned_away, None
    return (Wait(turned_away or Failed(reason)),)


def _was_up(memory: Memory, _reason: str, at_s: float) -> Effects:
    memory.turned_away = None
    return (Wait(WasUp(at_s - memory.up_at_s)),)


def _stopped(memory: Memory, _reason: str, _at_s: float) -> Effects:
    memory.turned_away = None
    return (Stopped(),)


def _restarted(memory: Memory, reason: str, at_s: float) -> Effects:
    return (Dial(), *_stopped(memory, reason, at_s))


TABLE: Final[tuple[Row[Effect], ...]] = (
    (State.IDLE, Dialling.start, State.DIALLING, always(Dial())),
    (State.IDLE, Dialling.stop, State.IDLE, always(Stopped())),
    (State.DIALLING, Dialling.up, State.UP, _is_up),
    (State.DIALLING, Dialling.turned_away, State.DIALLING, _turned_away),
    (State.DIALLING, Dialling.ended, State.WAITING, _not_up),
    (State.DIALLING, Dialling.stop, State.STOPPING, always(Leave())),
    (State.UP, Dialling.ended, State.WAITING, _was_up),
    (State.UP, Dialling.stop, State.STOPPING, always(Leave())),
    (State.WAITING, Dialling.waited, State.DIALLING, always(Dial())),
    (State.WAITING, Dialling.stop, State.IDLE, always(StopWaiting(), Stopped())),
    (State.STOPPING, Dialling.ended, State.IDLE, _stopped),
    (State.STOPPING, Dialling.start, State.RESTARTING, always()),
    (State.RESTARTING, Dialling.ended, State.DIALLING, _restarted),
    (State.RESTARTING, Dialling.stop, State.STOPPING, always()),
)
INPUTS: Final = inputs_of(Dialling)

_new_dialling: Final = machine(TypeMachineBuilder(Dialling, Memory), State, TABLE)


def new_dialling() -> Dialling:
    """Begin the life of one link."""
    return _new_dialling(Memory())
