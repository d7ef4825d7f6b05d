"""The one policy before everything that could make the caller's phone ring, sound or light up.

Whoever opens a way to her phone asks here first. It says no until the 112 side lifts silence for that incident.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Output(StrEnum):
    """Every kind of thing of ours that could reach the caller's phone."""

    CENTRE_VOICE = "the voice of the centre in her call"
    CALL_BACK = "a call to her phone"
    MESSAGE = "a message to her phone"


@dataclass(frozen=True, slots=True)
class Refused:
    """It must not be done; ``reason`` tells the person what would have to be true first."""

    reason: str


def may_reach(output: Output, *, silence_lifted: bool) -> Refused | None:
    """Give ``None`` where the output may reach the caller's phone, otherwise why not."""
    if silence_lifted:
        return None
    return Refused(
        f"silence holds: {output.value} could endanger the caller. Lift silence for this incident first."
    )
