"""What 112 should know of an incident beside its presses and positions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

CALL = "call"
"""One SOS call: its state, its legs. The subject is the call's reference."""
KNOCK = "knock"
"""Keys tapped in a silent call. The subject is the call's reference and the number of the knock."""
SILENCE = "silence"
"""Whether something may reach the caller's phone. The subject is the phone."""
GUARDIAN = "guardian"
"""What came of telling a guardian. The subject is which one."""
PERSON = "person"
"""Who presses, from the registry. The subject is `CALLER`."""
SCORE = "score"
"""How likely the presses are meant, and why: a label beside them, never a condition. The subject is `CALLER`."""
FALSE_ALARM = "false-alarm"
"""Somebody who may say so has said that it was none. The subject is who: ``guardian 1``, ``112``."""
TOLD_BY_VOICE = "told-by-voice"
"""Somebody has read the incident out to 112 on the telephone. The subject is `CENTRE`."""
REACH = "reach"
"""Whether the location service reaches the caller's phone. The subject is `PHONE`; the state is a `Reach`."""

CENTRE = "112"
"""The subject of `TOLD_BY_VOICE`."""
CALLER = "caller"
"""The subject of `PERSON` and `SCORE`."""
PHONE = "phone"
"""The subject of `SILENCE` and `REACH`."""

LAST_ANSWERED = "last-answered"
"""Under this name a fact of kind `REACH` has the time, in ISO 8601, at which the phone last answered, if it ever did."""


class Reach(StrEnum):
    """The states of a fact of kind `REACH`. That a location service itself is down says nothing of the phone."""

    ANSWERING = "answering"
    NOT_ANSWERING = "not-answering"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that became known at a time (aware, UTC).

    All facts are kept. In a report the newest of the same kind and subject stands for the earlier ones.
    ``data`` holds short texts under the names that the 112 formats write; what is said of people and places in it
    is left out of ``repr``: tracebacks end up in logs.
    """

    kind: str
    subject: str
    at: datetime
    data: Mapping[str, str] = field(repr=False)


def newest(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Give the facts as a report tells them: the last of each kind and subject, where the first of them stood."""
    standing: dict[tuple[str, str], Fact] = {}
    for fact in facts:
        standing[fact.kind, fact.subject] = fact
    return tuple(standing.values())
