"""When a delivery is tried again."""

from __future__ import annotations

import pytest

from telephony.domain.delivery import retry_delay_s, update_pause_s


@pytest.mark.parametrize(
    ("attempts", "wait_s"),
    [(1, 1), (2, 1), (3, 2), (4, 4), (5, 8), (6, 15), (7, 15), (100_000, 15)],
)
def test_the_pauses_grow_to_a_quarter_of_a_minute_and_stay_there(attempts: int, wait_s: float):
    assert retry_delay_s(attempts) == wait_s


@pytest.mark.parametrize("attempts", [0, -1])
def test_a_delivery_that_was_never_claimed_waits_like_a_first_attempt(attempts: int):
    assert retry_delay_s(attempts) == 1


@pytest.mark.parametrize(
    ("presses", "pause_s"),
    [(1, 0), (2, 0), (10, 0), (11, 5), (30, 5), (31, 30), (100, 30), (101, 60), (100_000, 60)],
)
def test_updates_about_a_key_that_is_pressed_and_pressed_grow_rarer(presses: int, pause_s: float):
    assert update_pause_s(presses) == pause_s
