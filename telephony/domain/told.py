"""Reports told past the store, as lines of a file (`own_lines`), and the standing of each report by those lines."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from telephony.domain import own_lines
from telephony.domain.own_lines import Found


class Step(StrEnum):
    """How far a report has come that was told past the store."""

    TRIED = "tried"
    """Somebody began to tell it. This line alone says all of the report; the others name it."""
    AGAIN = "again"
    """Its press was offered once more."""
    ACKNOWLEDGED = "acknowledged"
    """112 has it."""
    TAKEN_UP = "taken up"
    """Its press is in the store."""
    OVER = "over"
    """The store has everything, and 112 needs no more of this."""


@dataclass(frozen=True, slots=True)
class ToldLine:
    """One line. ``at`` is the Unix time of the step.

    Of a `Step.TRIED`: ``received_us`` is when the press came, in microseconds of Unix time. ``press`` and ``words`` are keyed
    hashes of the press's reference and of the part of it that is made of its words, empty for a report of no press.
    ``sealed`` is the report itself, empty where there was no key to seal it with.
    """

    step: Step
    report_id: str
    at: float
    incident_id: str = ""
    received_us: int = 0
    press: bytes = b""
    words: bytes = b""
    sealed: bytes = field(default=b"", repr=False)
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of one report by its lines. ``channels`` are those that 112 acknowledged by; ``at`` is the last telling."""

    tried: ToldLine
    at: float
    channels: tuple[str, ...] = ()
    is_taken_up: bool = False


def octets_of(line: ToldLine, key: bytes) -> bytes:
    """Return the line as it is written, its line feed included."""
    known: dict[str, Any] = {"step": line.step, "report": line.report_id, "at": line.at}
    if line.step is Step.TRIED:
        known |= {
            "incident": line.incident_id,
            "received": line.received_us,
            "press": line.press.hex(),
            "words": line.words.hex(),
            "sealed": base64.b64encode(line.sealed).decode(),
        }
    if line.channel:
        known["channel"] = line.channel
    return own_lines.line_of(known, key)


def lines_in(octets: bytes, key: bytes) -> Found[ToldLine]:
    """Return the lines of a file, whatever it holds."""
    return own_lines.lines_in(octets, key, _line_of)


def standing_of(lines: Iterable[ToldLine]) -> dict[str, Standing]:
    """Return what the lines come to, by report in the order of telling; finished reports are left out."""
    standing: dict[str, Standing] = {}
    for line in lines:
        if line.step is Step.TRIED:
            standing.setdefault(line.report_id, Standing(line, line.at))
            continue
        found = standing.get(line.report_id)
        if found is None:
            continue
        if line.step is Step.OVER:
            del standing[line.report_id]
        elif line.step is Step.TAKEN_UP:
            standing[line.report_id] = replace(found, is_taken_up=True)
        elif line.step is Step.ACKNOWLEDGED:
            standing[line.report_id] = replace(found, channels=(*found.channels, line.channel))
        else:
            standing[line.report_id] = replace(found, at=max(found.at, line.at))
    return standing


def words_of(reference: str) -> str:
    """Return the part of a press's reference that says the same whenever the same message comes."""
    return reference.partition("@")[0].partition("#")[0]


def _line_of(known: Mapping[str, Any]) -> ToldLine:
    return ToldLine(
        Step(known["step"]),
        known["report"],
        float(known["at"]),
        known.get("incident", ""),
        int(known.get("received", 0)),
        bytes.fromhex(known.get("press", "")),
        bytes.fromhex(known.get("words", "")),
        base64.b64decode(known.get("sealed", "")),
        known.get("channel", ""),
    )
