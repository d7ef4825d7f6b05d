"""The one bridge from Twisted callbacks to coroutines: nothing that fails in it is lost."""

from __future__ import annotations

from structlog.testing import capture_logs
from twisted.internet import task
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as GaveUp

from telephony.background import OnDemand, handed_to, run_in_background
from telephony.clock import pause, within
from tests.awaiting import is_waiting, result_of
from tests.doubles import Inline


def test_it_fires_with_nothing_when_the_work_has_ended():
    async def work() -> str:
        return "something"

    assert result_of(run_in_background(work(), "work")) is None


def test_work_that_fails_is_logged_by_its_name_and_goes_no_further():
    async def work() -> None:
        raise LookupError("a defect")

    with capture_logs() as said:
        assert result_of(run_in_background(work(), "the work")) is None

    ((line),) = said
    assert (line["event"], line["what"], line["log_level"]) == ("background work failed", "the work", "error")
    assert isinstance(line["exc_info"], LookupError)


def test_cancelling_it_cancels_the_work_without_a_complaint():
    ended: list[str] = []

    async def work() -> None:
        try:
            await Deferred()
        except CancelledError:
            ended.append("cancelled")
            raise

    running = run_in_background(work(), "work")
    with capture_logs() as said:
        running.cancel()

    assert ended == ["cancelled"]
    assert said == []
    assert result_of(running) is None


def test_what_is_handed_to_a_thread_comes_back_with_its_result_or_with_what_it_raised():
    def fail() -> None:
        raise LookupError("a defect")

    assert result_of(handed_to(Inline(), lambda: 7)) == 7
    caught: list[object] = []
    handed_to(Inline(), fail).addErrback(lambda failure: caught.append(failure.type))
    assert caught == [LookupError]


def test_who_waits_no_longer_for_a_thread_does_not_stop_its_work():
    runner, done = Inline(), []
    runner.hold()
    waiting = handed_to(runner, lambda: done.append("work"))
    waiting.addErrback(lambda failure: failure.trap(CancelledError))

    waiting.cancel()
    runner.release()

    assert done == ["work"]


def test_a_time_limit_gives_up_on_the_clock_and_says_so():
    clock: task.Clock = task.Clock()
    caught: list[BaseException] = []
    within(Deferred(), 5.0, clock).addErrback(lambda failure: caught.append(failure.value))

    clock.advance(4.9)
    assert caught == []
    clock.advance(0.1)

    assert isinstance(caught[0], GaveUp)


def test_what_is_in_time_leaves_no_call_behind():
    clock: task.Clock = task.Clock()
    waiting: Deferred[str] = Deferred()
    limited = within(waiting, 5.0, clock)

    waiting.callback("in time")

    assert result_of(limited) == "in time"
    assert clock.getDelayedCalls() == []


def test_a_pause_lasts_as_long_as_asked_and_can_be_cut_short():
    clock: task.Clock = task.Clock()
    whole, cut = pause(clock, 2.0), pause(clock, 2.0)
    cut.addErrback(lambda failure: failure.trap(CancelledError))

    cut.cancel()
    clock.advance(1.9)
    assert is_waiting(whole)
    assert len(clock.getDelayedCalls()) == 1
    clock.advance(0.1)

    assert result_of(whole) is None


def test_a_runner_on_demand_is_made_by_its_first_work_and_stops_without_any():
    made = []

    def make():
        made.append(Inline())
        return made[-1]

    runner = OnDemand(make)
    assert result_of(runner.stop()) is None
    assert made == []

    answers = [result_of(handed_to(runner, lambda: number)) for number in (1, 2)]  # noqa: B023 - called at once

    assert answers == [1, 2]
    assert len(made) == 1
