"""How likely it is that a press was an accident: a label for 112, with its reasons.

It is a label and nothing else. It is worked out beside the relay, after the first report has left; it never delays a
report, never holds one back and never drops one. No condition may be built on it: a woman with twenty false alarms
behind her is sent a car like everybody else.

Pure and total: any evidence, however odd, has a score. The only table of numbers is `_POINTS`.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from telephony.domain.facts import Because, CallState, EndedBy, Newer, ReasonCode

PRESS, DRILL, FALSE_ALARM = "press", "drill", "false-alarm"
"""The kinds of earlier press."""

KNOWING_NOTHING: Final = 30
"""Percent without any evidence. Most presses of a key are accidents (4.09 million in half a year, says the police); that
is known of the crowd and not of her, so that the label does not begin there."""
LEAST, MOST = 5, 95
"""Nothing that can be seen from here makes it certain."""

_POINTS: Mapping[ReasonCode, tuple[int, ...]] = MappingProxyType(
    {
        # For an accident. One input alone never makes more than 90 of 100: KNOWING_NOTHING + 60.
        ReasonCode.SAID_FALSE: (55,),  # a guardian or 112 has said so of this very incident
        ReasonCode.STUCK_KEY: (40,),  # no hand presses six times at the same interval
        ReasonCode.FALSE_ALARMS: (15, 25, 35),  # one, two, three or more that are remembered
        ReasonCode.RECENT_FALSE_ALARM: (10,),  # in the last week: the phone lies in the same bag
        ReasonCode.PLACE_OF_FALSE_ALARM: (10,),
        ReasonCode.DRILLED: (20,),  # shown to a friend after it was tried out
        ReasonCode.PLACE_OF_DRILL: (5,),
        ReasonCode.CALL_GIVEN_UP: (
            20,
        ),  # the only call, and hung up before 112 answered; she may have had to
        ReasonCode.CALL_CUT_SHORT: (10,),  # the same, just after 112 answered
        ReasonCode.SCHOOL_HOURS: (10,),  # a terminal round the neck of a child in a class
        ReasonCode.UNREGISTERED: (5,),  # those who signed up were shown the key, and how to carry it
        # Meant.
        ReasonCode.KNOCKED: (-60,),  # somebody listened, and answered by tapping keys
        ReasonCode.TYPED: (-45,),  # the key sends one preset text: other words were typed
        ReasonCode.NEARBY: (-10, -17, -25),  # others press around here: fire, an attack
        ReasonCode.PRESSED_AT_ONCE: (-20,),  # again within ten seconds, by hand
        ReasonCode.ANOTHER_WAY: (-15,),  # a call and an SMS are two keys
        ReasonCode.PRESSED_LATER: (-10,),
        ReasonCode.MOVING: (-5,),  # taken away, or on a bus
        ReasonCode.NIGHT: (-5,),  # bags are at rest
    }
)
"""By reason, percentage points for its first, second … degree; the last stands for all above it."""

AT_ONCE_S: Final = 10.0
STUCK_PRESSES: Final = 6
STUCK_GAP_S: Final = 60.0
STUCK_TOLERANCE, STUCK_TOLERANCE_S = 0.1, 0.25
"""By how much a stuck key's intervals differ from their median: a part of it, or seconds for very short ones."""
ONE_SMS: Final = 70
"""Characters of one SMS in UCS-2 (3GPP TS 23.038). A preset text is one SMS."""
CUT_SHORT_S: Final = 10
RECENT_S: Final = 7 * 86_400
DRILLED_S: Final = 3_600
SAME_PLACE_M: Final = 300.0
"""Places of earlier presses are kept to about 100 m, and cells are no better."""
MOVED_M: Final = 300.0
_NIGHT: Final = frozenset({22, 23, 0, 1, 2, 3, 4, 5})
_SCHOOL: Final = range(8, 17)
_MONDAY_TO_FRIDAY: Final = range(5)
_OLDEST_PUPIL: Final = 18

_DIALLED = re.compile(r"[*#0-9+\s]*")
"""A USSD code, or nothing at all: no words."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier press of the same person. ``distance_m`` from here; ``None``: one of the two places is not known."""

    kind: str
    at: datetime
    distance_m: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """The facts by which one incident is scored. Times are aware.

    ``opened_at`` is the first press in local time; ``pressed_at`` the newest presses in order of time; ``ways`` are
    their sources. ``is_registered`` is ``None`` where the registry could not be read. ``nearby`` counts incidents of
    other people close by in time and place. ``texts`` are left out of ``repr``.
    """

    opened_at: datetime
    pressed_at: Sequence[datetime] = ()
    ways: frozenset[str] = frozenset()
    texts: Sequence[str] = field(default=(), repr=False)
    call_state: CallState | Newer | None = None
    """Of the only call; ``None``: no call, or several."""
    call_ended_by: EndedBy | Newer | None = None
    call_s: int | None = None
    knocks: int = 0
    is_registered: bool | None = None
    device: str = ""
    age: int | None = None
    earlier: Sequence[Earlier] = ()
    nearby: int = 0
    moved_m: float = 0.0
    is_said_false: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, and the percentage points that it is worth."""

    because: Because
    points: int


@dataclass(frozen=True, slots=True)
class Score:
    """The likelihood in percent that it is an accident, and why, the weightiest first."""

    likelihood: int
    reasons: tuple[Reason, ...] = ()


def score(evidence: Evidence) -> Score:
    """Weigh the evidence."""
    reasons = sorted(_reasons(evidence), key=lambda reason: -abs(reason.points))
    total = KNOWING_NOTHING + sum(reason.points for reason in reasons)
    return Score(min(max(total, LEAST), MOST), tuple(reasons))


def is_worth_an_update(before: int | None, now: int, tell_from: int) -> bool:
    """Whether 112 should hear of a score by itself rather than with the next report.

    ``before`` is the score that stood until now. It is so where the score has passed ``tell_from``, upwards or
    downwards, and where it has changed by 20 or more above it.
    """
    was_high, is_high = before is not None and before >= tell_from, now >= tell_from
    if was_high != is_high:
        return True
    return before is not None and is_high and abs(now - before) >= 20  # noqa: PLR2004 - points, named in the docstring


def _reasons(known: Evidence) -> Iterator[Reason]:
    if known.is_said_false:
        yield _reason(ReasonCode.SAID_FALSE)
    yield from _of_presses(known)
    if _is_typed(known.texts):
        yield _reason(ReasonCode.TYPED)
    if known.knocks > 0:
        yield _reason(ReasonCode.KNOCKED, number=known.knocks)
    yield from _of_the_call(known)
    yield from _of_history(known)
    if known.nearby > 0:
        yield _reason(ReasonCode.NEARBY, known.nearby, known.nearby)
    if known.moved_m >= MOVED_M:
        yield _reason(ReasonCode.MOVING, number=round(min(known.moved_m, 1e9)))
    yield from _of_the_hour(known)
    if known.is_registered is False:
        yield _reason(ReasonCode.UNREGISTERED)


def _reason(code: ReasonCode, degree: int = 1, number: int | None = None) -> Reason:
    points = _POINTS[code]
    return Reason(Because(code, number), points[min(degree, len(points)) - 1])


def _of_presses(known: Evidence) -> Iterator[Reason]:
    moments = sorted(known.pressed_at)
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]
    if _is_stuck(gaps):
        yield _reason(ReasonCode.STUCK_KEY, number=len(moments))
    elif any(gap <= AT_ONCE_S for gap in gaps):
        yield _reason(ReasonCode.PRESSED_AT_ONCE, number=len(moments))
    elif gaps:
        yield _reason(ReasonCode.PRESSED_LATER, number=len(moments))
    if len(known.ways) > 1:
        yield _reason(ReasonCode.ANOTHER_WAY)


def _is_stuck(gaps: Sequence[float]) -> bool:
    """Whether the newest presses came at intervals that no hand keeps."""
    newest = gaps[-(STUCK_PRESSES - 1) :]
    if len(newest) < STUCK_PRESSES - 1:
        return False
    usual = statistics.median(newest)
    tolerance_s = max(usual * STUCK_TOLERANCE, STUCK_TOLERANCE_S)
    return usual <= STUCK_GAP_S and all(abs(gap - usual) <= tolerance_s for gap in newest)


def _is_typed(texts: Sequence[str]) -> bool:
    """Whether there are words which the key does not send by itself.

    What the key sends is not known, but it is always the same, and one SMS long.
    """
    worded = {" ".join(text.split()) for text in texts if not _DIALLED.fullmatch(text)}
    return len(worded) > 1 or any(len(text) > ONE_SMS for text in worded)


def _of_the_call(known: Evidence) -> Iterator[Reason]:
    if len(known.pressed_at) > 1 or known.knocks > 0:
        return
    if known.call_state is CallState.GIVEN_UP:
        yield _reason(ReasonCode.CALL_GIVEN_UP)
    elif known.call_ended_by is EndedBy.CALLER and known.call_s is not None and known.call_s <= CUT_SHORT_S:
        yield _reason(ReasonCode.CALL_CUT_SHORT, number=max(known.call_s, 0))


def _of_history(known: Evidence) -> Iterator[Reason]:
    false = [each for each in known.earlier if each.kind == FALSE_ALARM]
    drills = [each for each in known.earlier if each.kind == DRILL]
    if false:
        yield _reason(ReasonCode.FALSE_ALARMS, len(false), len(false))
        if any(_since_s(known, each) <= RECENT_S for each in false):
            yield _reason(ReasonCode.RECENT_FALSE_ALARM)
        if any(_is_here(each) for each in false):
            yield _reason(ReasonCode.PLACE_OF_FALSE_ALARM)
    if lately := [_since_s(known, each) for each in drills if _since_s(known, each) <= DRILLED_S]:
        yield _reason(ReasonCode.DRILLED, number=round(min(lately) / 60))
    if any(_is_here(each) for each in drills):
        yield _reason(ReasonCode.PLACE_OF_DRILL)


def _since_s(known: Evidence, each: Earlier) -> float:
    """Seconds, never negative: a drill may be told of after the press that it came before."""
    return max(0.0, (known.opened_at - each.at).total_seconds())


def _is_here(each: Earlier) -> bool:
    return each.distance_m is not None and each.distance_m <= SAME_PLACE_M


def _of_the_hour(known: Evidence) -> Iterator[Reason]:
    hour = known.opened_at.hour
    if hour in _NIGHT:
        yield _reason(ReasonCode.NIGHT)
    is_pupil = known.age is not None and known.age <= _OLDEST_PUPIL
    is_school = known.opened_at.weekday() in _MONDAY_TO_FRIDAY and hour in _SCHOOL
    if known.device == "u-relief" and is_pupil and is_school:
        yield _reason(ReasonCode.SCHOOL_HOURS)
