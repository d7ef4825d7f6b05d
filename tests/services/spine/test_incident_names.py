"""Names of incidents: short enough to read over a radio, and the same for the same press."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from telephony.services.spine.incident_names import IncidentNames
from tests.doubles import NOON

KST = timezone(timedelta(hours=9))
INDIA = timezone(timedelta(hours=5, minutes=30))
KEY = b"k" * 32

references = st.text(st.characters(exclude_categories=[]), max_size=80)


def name(reference: str, moment: datetime = NOON, key: bytes = KEY) -> str:
    """As a daemon names it that has just been started."""
    return IncidentNames(key, KST).name(reference, moment)


@given(references, st.integers(0, 3599))
def test_a_redelivery_within_the_hour_has_the_same_name_also_after_a_restart(reference: str, second: int):
    assert name(reference) == name(reference, NOON + timedelta(seconds=second))


def test_the_next_hour_has_other_names():
    assert name("a") != name("a", NOON + timedelta(hours=1))
    assert name("a") != name("a", NOON + timedelta(days=1))


@given(references, references)
def test_two_presses_have_two_names(one: str, other: str):
    assert (name(one) == name(other)) == (one == other)


def test_the_key_matters():
    assert name("a") != name("a", key=b"x" * 32)


@given(references, st.integers(0, 4_000_000_000))
def test_a_name_is_short_and_has_no_letter_that_is_misheard(reference: str, second: int):
    moment = datetime.fromtimestamp(second, UTC)

    found = re.fullmatch(r"sos-([0-9]{8})-([0-9a-z]{10})", name(reference, moment))

    assert found
    assert not set("ilou") & set(found[2])


def test_the_date_is_that_of_the_country():
    before, after = datetime(2026, 11, 23, 14, 59, tzinfo=UTC), datetime(2026, 11, 23, 15, 0, tzinfo=UTC)

    assert name("a", before).startswith("sos-20261123-")
    assert name("a", after).startswith("sos-20261124-")


def test_one_namer_keeps_up_with_the_hours_in_any_order():
    names = IncidentNames(KEY, KST)
    moments = [NOON + timedelta(hours=hours) for hours in (0, 13, 0, 40, 13)]

    assert [names.name("a", moment) for moment in moments] == [name("a", moment) for moment in moments]


def test_where_midnight_falls_within_an_hour_the_name_does_not_hang_on_who_came_first():
    midnight = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)
    early, late = midnight - timedelta(minutes=10), midnight + timedelta(minutes=10)
    running, restarted = IncidentNames(KEY, INDIA), IncidentNames(KEY, INDIA)

    running.name("somebody else", early)

    assert running.name("a", late) == restarted.name("a", late)


def test_names_are_spread_evenly_enough_never_to_meet():
    names = IncidentNames(KEY, KST)

    assert len({names.name(str(number), NOON) for number in range(100_000)}) == 100_000
