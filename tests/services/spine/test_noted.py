"""How a channel to 112 stands is that of its last use, whoever used it."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from telephony.domain.delivery import Delivered, Rejected, Retry
from telephony.net.standing import LONGEST_REASON, FarEndState, Standing
from telephony.services.spine.noted import NotedSender
from tests.awaiting import failure_of, result_of


class Sender:
    """Answers what the test says."""

    def __init__(self):
        self.outcome = None

    async def send(self, _report):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return await self.outcome if isinstance(self.outcome, Deferred) else self.outcome


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def noted(clock):
    return NotedSender(Sender(), clock)


def send(noted, outcome):
    noted.sender.outcome = outcome
    return Deferred.fromCoroutine(noted.send(None))


def test_before_its_first_use_nothing_is_known(noted):
    assert noted.asked.standing == Standing(FarEndState.NOT_ASKED, 0.0)


def test_an_acknowledgement_makes_it_well_until_it_fails(noted, clock):
    clock.advance(10)
    assert result_of(send(noted, Delivered("200"))) == Delivered("200")
    clock.advance(10)
    well = noted.asked.standing
    assert result_of(send(noted, Retry("the centre answered 503"))) == Retry("the centre answered 503")

    assert well == Standing(FarEndState.UP, 10.0, 10.0)
    assert noted.asked.standing == Standing(FarEndState.FAILING, 20.0, 10.0, "the centre answered 503")


def test_one_failure_after_another_is_one_time_in_which_it_failed(noted, clock):
    send(noted, Retry("no answer"))
    clock.advance(60)
    send(noted, Rejected("never " * 100))

    standing = noted.asked.standing
    assert (standing.since_s, standing.heard_s) == (0.0, 60.0)
    assert len(standing.reason) == LONGEST_REASON


def test_what_is_raised_and_what_is_given_up_are_failures_and_go_on(noted):
    assert isinstance(failure_of(send(noted, OSError("no route"))), OSError)
    assert noted.asked.standing.reason == "OSError: no route"

    hanging = send(noted, Deferred())
    hanging.addErrback(lambda _: None)
    hanging.cancel()
    assert noted.asked.standing.reason == "no answer in time"


def test_it_knows_how_many_reports_are_being_sent(noted):
    """Heartbeats wait for them."""
    (answered, given_up) = outcomes = [Deferred(), Deferred()]
    (_, second) = [send(noted, outcome) for outcome in outcomes]
    assert noted.in_flight == 2

    answered.callback(Delivered("200"))
    assert noted.in_flight == 1
    second.addErrback(lambda _: None).cancel()

    assert given_up.called
    assert noted.in_flight == 0
    failure_of(send(noted, RuntimeError("a defect")))
    assert noted.in_flight == 0
