"""The one policy before everything that could make the caller's phone ring, sound or light up.

Code that opens a way to her phone asks here first. It says no until the 112 side lifts silence for that incident, with
one exception: a phone that has dialled a USSD code waits for an answer and would show an error without one, so it gets
a neutral text of the settings, and nothing else.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Output(StrEnum):
    """Every kind of thing of ours that could reach the caller's phone."""

    CENTRE_VOICE = "the voice of the centre in her call"
    CALL_BACK = "a call to her phone"
    MESSAGE = "a message to her phone"
    USSD_TEXT = "a text on her phone by USSD"
    USSD_CLOSING_TEXT = "the text that ends her USSD dialogue"


BETRAYING: Final = (
    "112", "119", "sos", "police", "emergency", "rescue", "ambulance", "help", "danger", "alarm", "alert", "crime",
    "경찰", "신고", "긴급", "응급", "구조", "구급", "위급", "위험", "도움", "출동", "범죄", "피해", "보호자",
)  # fmt: skip
"""Words by which somebody who looks over her shoulder would know what she dialled."""


@dataclass(frozen=True, slots=True)
class Silenced:
    """Silence holds: it must not be sent; ``reason`` tells the person what would have to be true first."""

    reason: str


def may_reach(
    output: Output,
    *,
    silence_lifted: bool,
    text: str | None = None,
    neutral_texts: AbstractSet[str] = frozenset(),
) -> Silenced | None:
    """Return ``None`` where the output may reach the caller's phone, otherwise why not.

    ``text`` is what `Output.USSD_CLOSING_TEXT` would show, ``neutral_texts`` those of the settings.
    """
    if silence_lifted:
        return None
    if output is Output.USSD_CLOSING_TEXT and text in neutral_texts and not betraying_words(text or ""):
        return None
    return Silenced(
        f"silence holds: {output.value} could endanger the caller. Lift silence for this incident first."
    )


def betraying_words(text: str) -> tuple[str, ...]:
    """Return the words of a text that would tell an offender what was dialled, in any case."""
    folded = text.casefold()
    return tuple(word for word in BETRAYING if word in folded)
