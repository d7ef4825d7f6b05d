"""Draws the people of a simulation: their carriers, numbers, homes, and what their phones send."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Final

SOS_NUMBER: Final = "112"
CARRIERS: Final = ("skt", "kt")
SEOUL: Final = (37.56, 126.98)
SPREAD_DEGREES: Final = 0.15

PREPARED: Final = "SOS"
"""The text of a key, the same at every press."""

INTERNATIONAL: Final = 1
NATIONAL: Final = 2
"""Types of number (SMPP 3.4 clause 5.2.5)."""


@dataclass(frozen=True)
class Caller:
    """A person with a phone. ``home`` is the carrier whose location service knows the number, if any does."""

    index: int
    number: str
    """E.164 digits."""
    carrier: str
    """The carrier that the presses come by."""
    home: str | None
    place: tuple[float, float]

    def __str__(self) -> str:
        """How the timeline calls her: no number."""
        return f"caller-{self.index:03d}"


@dataclass
class Press:
    """One press of the key, as it left the phone."""

    caller: Caller
    number: int
    at: float
    smsc: str
    before: Press | None = None
    """Her last press that sent these very octets, if there is one."""
    first_answer: int | None = None
    """Status of the first deliver_sm_resp; the SMSC repeats it until it is ESME_ROK."""
    answered_at: float | None = None
    """When that came."""

    @property
    def is_new(self) -> bool:
        """Whether her phone has never sent these octets before."""
        return self.before is None

    def __str__(self) -> str:
        """How the timeline calls it."""
        return f"press-{self.number:04d}"


def draw_callers(rng: random.Random, count: int) -> list[Caller]:
    """Draw people: most at home with their carrier, some ported to the other, some known to no location service."""
    callers = []
    for index in range(count):
        carrier = rng.choice(CARRIERS)
        other = CARRIERS[1 - CARRIERS.index(carrier)]
        home = rng.choices((carrier, other, None), (85, 10, 5))[0]
        place = tuple(round(middle + rng.uniform(-SPREAD_DEGREES, SPREAD_DEGREES), 6) for middle in SEOUL)
        callers.append(
            Caller(index, f"8210{5_000_000 + index * 7919:08d}", carrier, home, (place[0], place[1]))
        )
    return callers


def same_again(caller: Caller) -> dict[str, Any]:
    """Return the prepared text of a key, the same octets every time, as arguments of `LabSmsc.send_mo`."""
    return {
        "source": caller.number,
        "source_ton": INTERNATIONAL,
        "text": PREPARED,
        "octets": b"",
        "data_coding": 0,
        "as_data_sm": False,
    }


def draw_message(rng: random.Random, caller: Caller, number: int) -> dict[str, Any]:
    """Draw what a phone sends, as arguments of `LabSmsc.send_mo`: mostly the one prepared text, sometimes anything."""
    source = caller.number if rng.random() < 0.7 else f"0{caller.number[2:]}"  # noqa: PLR2004 - two spellings
    ton = INTERNATIONAL if source == caller.number else NATIONAL
    arguments: dict[str, Any] = {"source": source, "destination": SOS_NUMBER, "source_ton": ton}
    kind = rng.randrange(12)
    if kind <= 4:  # noqa: PLR2004 - the same octets every time: only the time tells two presses apart
        return arguments | {"text": PREPARED}
    if kind <= 7:  # noqa: PLR2004
        return arguments | {"text": f"살려주세요 {number}"}
    if kind == 8:  # noqa: PLR2004
        text = f"{number} 지금 집에 있어요. " + "그 사람이 문 앞에 서 있어요. " * rng.randrange(4, 9)
        return arguments | {"text": text, "split": rng.choice(("udh", "sar", "payload"))}
    if kind == 9:  # noqa: PLR2004
        return arguments | {"octets": f"도와주세요 {number}".encode("cp949"), "data_coding": 0x0E}
    if kind == 10:  # noqa: PLR2004
        return arguments | {"text": f"help {number}", "as_data_sm": True}
    return arguments | {
        "octets": rng.randbytes(rng.randrange(0, 60)),
        "data_coding": rng.choice((0, 4, 8, 0xF5)),
    }
