"""What a session asks of the connection it belongs to: small values, performed in order by `telephony.smpp.link`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Limit(Enum):
    """What the one timer of a session bounds."""

    BIND = "bind"
    """From the connection to the answer of the bind (session_init_timer)."""
    UNBIND = "unbind"
    """From the unbind, of either side, to the end of what is in flight."""
    CLOSE = "close"
    """From our close to the peer's: a peer that has gone never answers a TLS close or reads the last octets."""


@dataclass(frozen=True, slots=True)
class SendBind:
    """Send our bind request."""


@dataclass(frozen=True, slots=True)
class AnswerBind:
    """Answer the peer's bind with this status."""

    status: int


@dataclass(frozen=True, slots=True)
class SendUnbind:
    """Send our unbind."""


@dataclass(frozen=True, slots=True)
class AnswerUnbind:
    """Send unbind_resp to the request of this sequence number."""

    sequence: int


@dataclass(frozen=True, slots=True)
class SendNack:
    """Send generic_nack (ESME_RINVCMDLEN), sequence 0: the place in the stream is lost."""


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Start the session's timer; it replaces the one that runs. `Up` and `Gone` stop it."""

    limit: Limit


@dataclass(frozen=True, slots=True)
class Up:
    """The link is bound: messages may flow."""


@dataclass(frozen=True, slots=True)
class Down:
    """The link is no longer bound: nothing new is sent on it. Follows each `Up` exactly once."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The bind was refused, by the peer or by us, with this status."""

    status: int


@dataclass(frozen=True, slots=True)
class Drain:
    """Say `Session.drained` as soon as every request of the peer is answered: at the end of this read, or later."""


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
    SendBind
    | AnswerBind
    | SendUnbind
    | AnswerUnbind
    | SendNack
    | StartTimer
    | Up
    | Down
    | Refused
    | Drain
    | Close
    | Abort
    | Gone
)
Effects = tuple[Effect, ...]
