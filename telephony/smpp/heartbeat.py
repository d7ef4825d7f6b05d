"""Finds a dead link: enquire_link after silence, dead after two misses (SMPP 3.4 clauses 4.11 and 7.2).

Pure, like the session. The link asks at each step how long it may wait, and then says whether the peer was heard.
Drawing: ``docs/state-machines/smpp-heartbeat.svg``.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, Protocol

from automat import TypeMachineBuilder


class Beat(Enum):
    """The next action."""

    WAIT = "wait until the peer has been silent for enquire_link_s"
    ENQUIRE = "send enquire_link and wait enquire_response_s"
    DEAD = "the peer is gone"


class Heartbeat(Protocol):
    """The inputs of the machine: what a link can learn about its peer."""

    def heard(self) -> Beat:
        """Learn that a PDU of any kind has arrived since the last step."""
        ...

    def silent(self) -> Beat:
        """Learn that none has."""
        ...


class _NoMemory:
    """The state is all there is to remember."""


def _give(beat: Beat) -> Callable[[Heartbeat, _NoMemory], Beat]:
    return lambda _heartbeat, _memory: beat


def _build() -> Callable[[_NoMemory], Heartbeat]:
    builder = TypeMachineBuilder(Heartbeat, _NoMemory)
    listening = builder.state("Listening")
    probing = builder.state("Probing")
    probing_again = builder.state("ProbingAgain")
    dead = builder.state("Dead")

    listening.upon(Heartbeat.heard).loop()(_give(Beat.WAIT))
    listening.upon(Heartbeat.silent).to(probing)(_give(Beat.ENQUIRE))
    probing.upon(Heartbeat.heard).to(listening)(_give(Beat.WAIT))
    probing.upon(Heartbeat.silent).to(probing_again)(_give(Beat.ENQUIRE))
    probing_again.upon(Heartbeat.heard).to(listening)(_give(Beat.WAIT))
    probing_again.upon(Heartbeat.silent).to(dead)(_give(Beat.DEAD))
    dead.upon(Heartbeat.heard).loop()(_give(Beat.DEAD))
    dead.upon(Heartbeat.silent).loop()(_give(Beat.DEAD))
    return builder.build()


_new_heartbeat: Final = _build()


def new_heartbeat() -> Heartbeat:
    """Begin with a link that has just been bound."""
    return _new_heartbeat(_NoMemory())
