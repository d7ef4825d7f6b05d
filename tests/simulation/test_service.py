"""Hours of service with trouble drawn from a seed: whatever happens, the promises hold; a failure tells its seed.

Beside fixed seeds every run tries some new ones, and tells them at its end. ``ONETOUCH_SIM_SEED="123 456"
pytest tests/simulation`` runs these instead.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from telephony.lab.simulation.__main__ import main
from telephony.lab.simulation.reality import no_real_world
from telephony.lab.simulation.service import DAY, SHORT, Service, serve
from telephony.lab.simulation.witness import Broken
from tests.conftest import FRESH_SEED
from tests.simulation.house import folder, seeds_of_this_run

ASKED_FOR = [int(seed) for seed in os.environ.get("ONETOUCH_SIM_SEED", "").split()]
FIXED = (*range(1, 16), 947343)
FRESH = ASKED_FOR or seeds_of_this_run(10)


def test_six_hours_with_every_kind_of_trouble():
    with folder() as path:
        story = serve([112, *ASKED_FOR][-1], path, DAY)

    assert not story.broken, str(story)
    assert story.presses > 500
    assert story.starts > 5


@pytest.mark.parametrize("seed", FIXED)
def test_every_promise_is_kept(seed):
    with folder() as path:
        story = serve(seed, path, Service())

    assert not story.broken, str(story)


@pytest.mark.parametrize("seed", FRESH)
def test_every_promise_is_kept_whatever_the_seed(seed, record_property):
    record_property(FRESH_SEED, seed)
    with folder() as path, no_real_world():
        story = serve(seed, path, Service())

    assert not story.broken, str(story)


def test_all_processes_of_one_run_draw_the_same_fresh_seeds(monkeypatch):
    monkeypatch.setenv("PYTEST_XDIST_TESTRUNUID", "one run")
    of_one = seeds_of_this_run(10)
    assert seeds_of_this_run(10) == of_one
    assert len(set(of_one)) == 10

    monkeypatch.setenv("PYTEST_XDIST_TESTRUNUID", "another")
    assert seeds_of_this_run(10) != of_one


def test_in_peace_no_report_is_repeated_and_none_goes_without_the_store():
    with folder() as path:
        story = serve(1, path, Service(mean_pause_s=0.0))

    assert not story.broken, str(story)
    assert story.strays == 0
    assert story.starts == 1
    assert not [line for line in story.timeline if "log error" in line]


def test_a_seed_gives_the_same_timeline_to_the_octet_twice():
    with folder() as one, folder() as other:
        first, second = serve(5, one, SHORT), serve(5, other, SHORT)

    assert first == second
    assert len(first.timeline) > 100


def test_a_failure_tells_its_seed_what_was_broken_and_the_lines_about_it():
    with folder() as path:
        story = serve(5, path, SHORT)
    incident = next(line for line in story.timeline if "112 has" in line).split("report=")[1].split("-1 ")[0]
    failed = replace(story, broken=(Broken("a promise", (incident,), "it was broken"),))

    told = str(failed).splitlines()

    assert told[0].startswith("seed 5:")
    assert told[1] == f"  a promise: it was broken ({incident})"
    assert any(f"112 has report={incident}-1" in line for line in told)
    assert any("FAULT" in line for line in told)


def test_the_command_prints_the_timeline_and_says_how_it_went(capsys):
    assert main(["5", "--short", "--calm", "--only", "112 has"]) == 0

    printed = capsys.readouterr()
    assert "the daemon starts number=1" in printed.out
    assert "112 has report=" in printed.out
    assert "log info" not in printed.out
    assert "0 promises broken" in printed.err


def test_another_seed_gives_another_timeline():
    with folder() as one, folder() as other:
        assert serve(5, one, SHORT).timeline != serve(6, other, SHORT).timeline
