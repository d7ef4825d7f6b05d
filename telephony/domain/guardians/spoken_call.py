"""The outcome of a call in which a machine speaks and waits for a digit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum


class End(StrEnum):
    """How such a call ended."""

    ANSWERED = "answered"
    """Somebody or something answered; only a digit says that it was a person who listened."""
    NO_ANSWER = "no answer"
    """It rang in vain, or was busy."""
    FAILED = "failed"
    """The network could not make it ring: a dead number, congestion."""
    UNKNOWN = "unknown"
    """It was ordered, and no outcome was reported."""
    NOT_PLACED = "not placed"
    """The order was not taken: the fault is ours, and the number was never dialled."""


class Standing(StrEnum):
    """How an emergency stands with 112, as a guardian on the telephone may hear it."""

    ASKED = "asked"
    """112 is called and has not acknowledged, as far as can be known."""
    KNOWN = "known"
    """112 has acknowledged a report."""
    OVER = "over"
    """112 has closed it."""


Look = Callable[[], Awaitable[Standing]]
"""Returns how the emergency stands now; raises `Unavailable` where that cannot be known."""


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """``digit`` is the last key that was pressed, empty for none; ``detail`` says the same in words, without numbers."""

    end: End
    digit: str = ""
    detail: str = ""

    @property
    def answered(self) -> bool:
        """Whether the call was answered, by a person or a machine."""
        return self.end is End.ANSWERED
