"""The life of one SMPP connection, in both roles (SMPP 3.4 clause 2.2, SMPP 5.0 clause 2.2).

The machine is pure: each input returns the effects that `telephony.smpp.link` performs, in order.
It knows no socket, clock or log. One row of `TABLE` is one arrow of ``docs/state-machines/smpp-session.svg``; an
input that has no row in a state changes nothing there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from automat import TypeMachineBuilder

from telephony.net import lifecycle
from telephony.net.lifecycle import (
    TIMER_CLOSE,
    Abort,
    Close,
    Down,
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
from telephony.smpp.effects import (
    AnswerBind,
    AnswerUnbind,
    BindRefused,
    Drain,
    Effect,
    Effects,
    Limit,
    SendBind,
    SendNack,
    SendUnbind,
)


class Session(Protocol):
    """The inputs of the machine: the events of a connection."""

    def connected(self) -> Effects:
        """Learn that we reached the SMSC and are to bind."""
        ...

    def awaiting_outbind(self) -> Effects:
        """Learn that a peer reached our outbind port."""
        ...

    def accepted(self) -> Effects:
        """Learn that an ESME reached us, or we reached it with an outbind: it is to bind."""
        ...

    def outbind_believed(self) -> Effects:
        """Learn that the outbind carries the right credentials from the right address."""
        ...

    def outbind_doubted(self) -> Effects:
        """Learn that the outbind is not from the right address or lacks the right credentials."""
        ...

    def bind_confirmed(self) -> Effects:
        """Learn that our bind was answered ESME_ROK."""
        ...

    def bind_rejected(self, status: int) -> Effects:
        """Learn that our bind was answered with an error."""
        ...

    def bind_admitted(self) -> Effects:
        """Learn that the peer's bind is in order."""
        ...

    def bind_denied(self, status: int) -> Effects:
        """Learn that the peer's bind is not."""
        ...

    def unbind(self) -> Effects:
        """Leave in good order."""
        ...

    def unbind_confirmed(self) -> Effects:
        """Learn that our unbind was answered."""
        ...

    def peer_unbound(self, sequence: int) -> Effects:
        """Learn that the peer sent unbind."""
        ...

    def drained(self) -> Effects:
        """Learn that every request of the peer is answered."""
        ...

    def found_dead(self) -> Effects:
        """Learn that the peer has been silent to enquire_link for too long."""
        ...

    def framing_lost(self) -> Effects:
        """Learn that a command_length cannot be true."""
        ...

    def drop(self, reason: str) -> Effects:
        """End it now, without an unbind."""
        ...

    def timed_out(self) -> Effects:
        """Learn that the session's timer ran out."""
        ...

    def lost(self, reason: str) -> Effects:
        """Learn that the connection has ended."""
        ...


@dataclass
class Memory(lifecycle.Memory):
    """The memory of a session beside its state."""

    farewell: Effects = ()
    """The last effects, once all requests in flight have been answered."""


NEW: Final = "New"
OUTBOUND: Final = "Outbound"
BINDING: Final = "Binding"
OPEN: Final = "Open"
BOUND: Final = "Bound"
UNBINDING: Final = "Unbinding"
DRAINING: Final = "Draining"
CLOSING: Final = "Closing"
CLOSED: Final = "Closed"

STATES: Final = (NEW, OUTBOUND, BINDING, OPEN, BOUND, UNBINDING, DRAINING, CLOSING, CLOSED)

TIMER_BIND: Final = StartTimer(Limit.BIND)
TIMER_UNBIND: Final = StartTimer(Limit.UNBIND)


def _rejected(memory: Memory, status: int) -> Effects:
    """Close, once the requests that came ahead of the refusal have been answered."""
    memory.reason = "bind refused"
    return (BindRefused(status), TIMER_UNBIND, Drain())


def _denied(memory: Memory, status: int) -> Effects:
    memory.reason = "bind refused"
    return (AnswerBind(status), BindRefused(status), Close(), TIMER_CLOSE)


def _unbound_early(memory: Memory, sequence: int) -> Effects:
    """Answer an unbind that came before there was a bind."""
    memory.reason = "unbound by the peer"
    return (AnswerUnbind(sequence), Close(), TIMER_CLOSE)


def _leaving(memory: Memory) -> Effects:
    memory.reason = "stopped"
    return (Down("stopped"), SendUnbind(), TIMER_UNBIND)


def _leaving_before_bound(memory: Memory) -> Effects:
    """Unbind a bind whose answer is not known: an SMSC that took it would call the next one ESME_RALYBND."""
    memory.reason = "stopped"
    return (SendUnbind(), TIMER_UNBIND)


def _peer_leaves(memory: Memory, sequence: int) -> Effects:
    """Answer what is in flight, also what came ahead of the answer to our bind, then the unbind."""
    memory.reason = "unbound by the peer"
    memory.farewell = (AnswerUnbind(sequence),)
    return (TIMER_UNBIND, Drain())


def _peer_leaves_bound(memory: Memory, sequence: int) -> Effects:
    effects = _peer_leaves(memory, sequence)
    return (Down(memory.reason), *effects)


def _peer_leaves_too(_memory: Memory, sequence: int) -> Effects:
    return (AnswerUnbind(sequence),)


def _framing_lost(memory: Memory) -> Effects:
    """Answer what came whole before the fault, then go: the way back is in order."""
    memory.reason = "framing lost"
    memory.farewell = (SendNack(),)
    return (TIMER_UNBIND, Drain())


def _framing_lost_while_bound(memory: Memory) -> Effects:
    effects = _framing_lost(memory)
    return (Down(memory.reason), *effects)


def _framing_lost_while_leaving(memory: Memory) -> Effects:
    memory.farewell = (SendNack(),)
    return (Drain(),)


def _say_farewell(memory: Memory) -> Effects:
    return (*memory.farewell, Close(), TIMER_CLOSE)


_NO_FRAMING: Final = closing("framing lost", SendNack())
_STOPPED: Final = closing("stopped")

TABLE: Final[tuple[Row[Effect], ...]] = (
    (NEW, Session.connected, BINDING, always(SendBind(), TIMER_BIND)),
    (NEW, Session.awaiting_outbind, OUTBOUND, always(TIMER_BIND)),
    (NEW, Session.accepted, OPEN, always(TIMER_BIND)),
    (NEW, Session.lost, CLOSED, lost),
    # We listen for an outbind; the peer is not trusted with anything yet.
    (OUTBOUND, Session.outbind_believed, BINDING, always(SendBind(), TIMER_BIND)),
    (OUTBOUND, Session.outbind_doubted, CLOSING, closing("outbind not believed")),
    (OUTBOUND, Session.peer_unbound, CLOSING, _unbound_early),
    (OUTBOUND, Session.framing_lost, CLOSING, _NO_FRAMING),
    (OUTBOUND, Session.unbind, CLOSING, _STOPPED),
    (OUTBOUND, Session.timed_out, CLOSING, aborting("no outbind in time")),
    (OUTBOUND, Session.drop, CLOSING, dropped),
    (OUTBOUND, Session.lost, CLOSED, lost),
    # As ESME: our bind is on its way, and some SMSCs deliver before they answer it.
    (BINDING, Session.bind_confirmed, BOUND, always(Up())),
    (BINDING, Session.bind_rejected, DRAINING, _rejected),
    (BINDING, Session.peer_unbound, DRAINING, _peer_leaves),
    (BINDING, Session.framing_lost, DRAINING, _framing_lost),
    (BINDING, Session.unbind, UNBINDING, _leaving_before_bound),
    (BINDING, Session.timed_out, CLOSING, aborting("no bind_resp in time")),
    (BINDING, Session.drop, CLOSING, dropped),
    (BINDING, Session.lost, CLOSED, lost),
    # As SMSC: the peer has to bind.
    (OPEN, Session.bind_admitted, BOUND, always(AnswerBind(0), Up())),
    (OPEN, Session.bind_denied, CLOSING, _denied),
    (OPEN, Session.peer_unbound, CLOSING, _unbound_early),
    (OPEN, Session.framing_lost, CLOSING, _NO_FRAMING),
    (OPEN, Session.unbind, CLOSING, _STOPPED),
    (OPEN, Session.timed_out, CLOSING, aborting("no bind in time")),
    (OPEN, Session.drop, CLOSING, dropped),
    (OPEN, Session.lost, CLOSED, lost),
    # Both roles from here on.
    (BOUND, Session.unbind, UNBINDING, _leaving),
    (BOUND, Session.peer_unbound, DRAINING, _peer_leaves_bound),
    (BOUND, Session.framing_lost, DRAINING, _framing_lost_while_bound),
    (BOUND, Session.found_dead, CLOSING, aborting("dead", Down("dead"))),
    (BOUND, Session.drop, CLOSING, dropped_from_up),
    (BOUND, Session.lost, CLOSED, lost_from_up),
    (UNBINDING, Session.unbind_confirmed, DRAINING, always(Drain())),
    (UNBINDING, Session.peer_unbound, UNBINDING, _peer_leaves_too),
    (UNBINDING, Session.framing_lost, DRAINING, _framing_lost_while_leaving),
    (UNBINDING, Session.timed_out, CLOSING, closing("unbind not answered")),
    (UNBINDING, Session.drop, CLOSING, dropped),
    (UNBINDING, Session.lost, CLOSED, lost),
    (DRAINING, Session.drained, CLOSING, _say_farewell),
    (DRAINING, Session.peer_unbound, DRAINING, _peer_leaves_too),
    (DRAINING, Session.timed_out, CLOSING, _say_farewell),
    (DRAINING, Session.drop, CLOSING, dropped),
    (DRAINING, Session.lost, CLOSED, lost),
    (CLOSING, Session.timed_out, CLOSING, always(Abort())),
    (CLOSING, Session.drop, CLOSING, always(Abort())),
    (CLOSING, Session.lost, CLOSED, lost),
)
INPUTS: Final = inputs_of(Session)

_new_session: Final = machine(TypeMachineBuilder(Session, Memory), STATES, TABLE)


def new_session() -> Session:
    """Begin the life of one connection."""
    return _new_session(Memory())
