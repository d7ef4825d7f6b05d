"""A restart of the daemon forgets no step of the machine's clock."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.clock import MOST_STEPS
from telephony.clock_steps import keep_steps, read_steps
from tests.test_clock import HOUR_S, Machine

BOOT = "b1"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "clock.json"


def begin(machine, file, boot=BOOT):
    """Start a process on the machine."""
    clock = machine.start()
    keep_steps(clock, file, lambda: boot)
    return clock


@pytest.mark.parametrize("is_seen", [True, False])
@pytest.mark.parametrize("step_s", [-HOUR_S, HOUR_S])
def test_what_an_earlier_process_wrote_down_is_as_old_as_it_is(file, step_s, is_seen):
    """Whether the clock was set while that process ran, or between the two."""
    machine = Machine()
    earlier = begin(machine, file)
    written = earlier.wall()
    machine.uptime_s += 60.0
    machine.set_by_s = step_s
    if is_seen:
        earlier.wall()
    machine.uptime_s += 5.0

    later = begin(machine, file)
    machine.uptime_s += 5.0

    assert later.age(written) == pytest.approx(70.0)
    assert begin(machine, file).age(written) == pytest.approx(70.0)


def test_a_machine_that_was_started_again_has_steps_of_its_own(file):
    machine = Machine()
    written = begin(machine, file).wall()
    machine.set_by_s = HOUR_S
    machine.uptime_s += 5.0
    assert begin(machine, file, "b2").age(written) == pytest.approx(HOUR_S + 5.0)


def test_a_clock_that_nobody_sets_leaves_one_step_however_often_the_daemon_starts(file):
    machine = Machine()
    for _ in range(5):
        begin(machine, file)
        machine.uptime_s += 5.0
    assert len(read_steps(file, BOOT)) == 1


def test_steps_are_kept_in_bounds_over_many_starts(file):
    machine = Machine()
    for number in range(3 * MOST_STEPS):
        machine.set_by_s = HOUR_S * (number % 2)
        machine.uptime_s += 5.0
        clock = begin(machine, file)
    assert len(clock.steps) == len(read_steps(file, BOOT)) == MOST_STEPS
    assert clock.steps[-1][0] == machine.uptime_s


def test_a_file_that_cannot_be_written_costs_only_what_it_would_have_told(file):
    file.mkdir()
    machine = Machine()
    clock = begin(machine, file)
    machine.set_by_s = HOUR_S
    assert clock.wall() > 0


@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.one_of(st.none(), st.floats(), st.text(max_size=5), st.integers()),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["boot", "steps", "x"]), inner)
            ),
            max_leaves=8,
        ).map(lambda value: json.dumps(value).encode()),
        st.lists(st.lists(st.floats() | st.text(max_size=3), max_size=3), max_size=5).map(
            lambda steps: json.dumps({"boot": BOOT, "steps": steps}).encode()
        ),
    )
)
def test_any_file_gives_sound_steps_or_none(tmp_path_factory, octets):
    file = tmp_path_factory.mktemp("clock") / "clock.json"
    file.write_bytes(octets)
    steps = read_steps(file, BOOT)
    assert list(steps) == sorted(steps, key=lambda step: step[0])
    Machine().start().take_up(steps)
