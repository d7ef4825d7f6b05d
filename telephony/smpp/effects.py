"""Effects that an SMPP session asks of its connection, `telephony.smpp.link`, beside those common to all sessions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from telephony.net.lifecycle import Common


class Limit(Enum):
    """Limits that the one timer of a session runs."""

    BIND = "bind"
    """From the connection to the answer of the bind (session_init_timer)."""
    UNBIND = "unbind"
    """From the unbind, of either side, to the end of what is in flight."""


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
class BindRefused:
    """The bind was refused, by the peer or by us, with this status."""

    status: int


@dataclass(frozen=True, slots=True)
class Drain:
    """Say `Session.drained` as soon as every request of the peer is answered: at the end of this read, or later."""


Effect = SendBind | AnswerBind | SendUnbind | AnswerUnbind | SendNack | BindRefused | Drain | Common
Effects = tuple[Effect, ...]
