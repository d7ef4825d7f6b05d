"""A short message that we send to a phone, and the port that sends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from telephony.domain.values import Msisdn


class TextState(StrEnum):
    """The state of a message that a message centre has taken, as its delivery receipt tells."""

    ON_ITS_WAY = "on its way"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class TextMessage:
    """One text for one phone.

    ``carrier`` is the likely carrier of the phone, empty where it is not known; ``valid_s`` is how long it is worth
    delivering. The text is left out of ``repr``: tracebacks end up in logs.
    """

    to: Msisdn
    text: str = field(repr=False)
    carrier: str = ""
    valid_s: float = 3_600.0
    is_urgent: bool = False


OnState = Callable[[TextState], None]


class Texter(Protocol):
    """Sends messages over whatever bind of whatever carrier is healthy, past the silence policy."""

    @property
    def is_ready(self) -> bool:
        """Whether there is a bind that takes messages now."""
        ...

    async def send(self, message: TextMessage, on_state: OnState | None = None) -> str:
        """Send it; returns once a message centre has taken every part, with the name of the bind.

        ``on_state`` hears of the delivery receipts, in this process only. Raises `Unavailable` when no bind took it
        and it may be tried again, `Refused` when it must not be sent (silence) or every bind refused it for good,
        and `Malformed` for a number that no message can go to.
        """
        ...
