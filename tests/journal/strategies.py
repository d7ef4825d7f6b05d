"""Presses of every kind, as Hypothesis draws them."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from telephony.domain.position import Position
from telephony.domain.trigger import Part, PartKind, Repetition, Trigger
from telephony.domain.values import Msisdn
from tests.any_fact import FACTS

HALVES = st.sampled_from(["\ud83d", "\ude00", "\ud800", "\udfff", "\0", "\ufffe"])
TEXTS = st.lists(st.text(max_size=6) | HALVES, max_size=6).map("".join)
"""Also with halves of surrogate pairs, two of which may stand side by side."""
MAY_LACK = st.none() | TEXTS


def is_plain(moment: datetime) -> bool:
    """Whether its wall clock shows it once: Python holds one that is shown twice for no other zone's (PEP 495)."""
    return moment.replace(fold=0).utcoffset() == moment.replace(fold=1).utcoffset()


TIMES = st.datetimes(timezones=st.just(UTC)) | st.datetimes(timezones=st.timezones()).filter(is_plain)
"""Of any zone."""
METRES = st.floats(0, 1e9)
PLACES = st.tuples(st.floats(-90, 90), st.floats(-180, 180)).filter(lambda place: place != (0.0, 0.0))
POSITIONS = st.builds(
    lambda place, *rest: Position(*place, *rest),
    PLACES, st.none() | METRES, st.none() | st.floats(0.001, 100), TEXTS, TEXTS,
    st.none() | TIMES, TIMES, st.none() | st.floats(-1e3, 2e4),
)  # fmt: skip
PARTS = st.builds(
    Part, st.integers(0, 65535), st.integers(0, 255), st.integers(0, 255), st.sampled_from(PartKind),
    st.none() | st.binary(max_size=8), MAY_LACK,
)  # fmt: skip
TRIGGERS = st.builds(
    Trigger, TEXTS, TEXTS, TEXTS, st.builds(Msisdn, TEXTS, st.booleans()), TEXTS, TIMES, TEXTS,
    text=MAY_LACK,
    encoding=MAY_LACK,
    raw=st.none() | st.binary(max_size=20),
    part=st.none() | PARTS,
    position=st.none() | POSITIONS,
    test=st.booleans(),
    labels=st.lists(TEXTS, max_size=3).map(tuple),
    incident_id=MAY_LACK,
    facts=st.lists(FACTS, max_size=3).map(tuple),
    repetition=st.sampled_from(Repetition),
)  # fmt: skip
