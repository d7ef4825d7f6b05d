"""Requests of ours: numbers, places, time-outs, and the pace an SMSC allows."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from telephony.domain.errors import Unavailable
from telephony.smpp.pace import Pace
from telephony.smpp.submitting import PATIENCE_S, Submitter
from telephony.smpp.window import Window
from telephony.smpp.wire.codec import encode_header
from telephony.smpp.wire.constants import ESME_RMSGQFUL, ESME_ROK, ESME_RTHROTTLED, MAX_SEQUENCE
from telephony.smpp.wire.pdus import Pdu

REQUEST = encode_header(4, 0, 0, b"body")


def response(sequence, status=ESME_ROK, body=b"id\0"):
    return Pdu(0x80000004, status, sequence, body)


class Bench:
    def __init__(self, size=2, **more):
        self.clock = Clock()
        self.written = []
        self.window = Window(size=size, response_timeout_s=10, clock=self.clock, write=self.written.append)
        self.submitter = Submitter(window=self.window, clock=self.clock, **more)

    @property
    def sequences(self):
        return [int.from_bytes(pdu[12:16]) for pdu in self.written]


def test_numbers_begin_at_one_and_wrap_to_one():
    bench = Bench(size=5)
    bench.window._sequence = MAX_SEQUENCE - 1

    for _ in range(3):
        bench.window.send(REQUEST, print)

    assert bench.sequences == [MAX_SEQUENCE, 1, 2]
    assert {pdu[:12] + pdu[16:] for pdu in bench.written} == {REQUEST[:12] + REQUEST[16:]}


def test_an_answer_frees_its_place_before_it_is_told():
    bench = Bench(size=1)
    rooms = []
    bench.window.send(REQUEST, lambda _: rooms.append(bench.window.has_room))
    assert not bench.window.has_room

    assert bench.window.answered(response(1))

    assert rooms == [True]
    assert not bench.window.answered(response(1))


def test_each_request_has_its_own_time():
    bench, told = Bench(), []
    bench.window.send(REQUEST, lambda answer: told.append((1, answer)))
    bench.clock.advance(6)
    bench.window.send(REQUEST, lambda answer: told.append((2, answer)))

    bench.clock.advance(4)
    assert [number for number, _ in told] == [1]
    bench.clock.advance(6)

    assert [number for number, _ in told] == [1, 2]
    assert all(isinstance(answer, Unavailable) for _, answer in told)
    assert bench.clock.getDelayedCalls() == []


def test_abandoning_tells_everybody_in_order_and_leaves_no_timer():
    bench, told = Bench(size=3), []
    for number in range(3):
        bench.window.send(REQUEST, lambda _, number=number: told.append(number))

    bench.window.abandon("gone")

    assert told == [0, 1, 2]
    assert bench.clock.getDelayedCalls() == []


class TestSubmitter:
    def test_a_full_queue_says_so(self):
        bench = Bench(size=1, queue_limit=2)

        results = [bench.submitter.submit(REQUEST) for _ in range(4)]

        failed = []
        results[3].addErrback(lambda failure: failed.append(failure.type))
        assert failed == [Unavailable]
        assert bench.submitter.queued == 2

    def test_cancelling_takes_a_waiting_message_back(self):
        bench = Bench(size=1)
        bench.submitter.submit(REQUEST)
        waiting = bench.submitter.submit(REQUEST)

        waiting.addErrback(lambda _: None)
        waiting.cancel()
        bench.window.answered(response(1))

        assert len(bench.written) == 1

    def test_a_message_nobody_takes_goes_back_in_the_end(self):
        bench = Bench(size=1)
        failed = []
        bench.submitter.submit(REQUEST).addErrback(lambda failure: failed.append(failure.type))

        while not failed and bench.clock.seconds() < 2 * PATIENCE_S:
            if bench.window.outstanding:
                bench.window.answered(response(bench.sequences[-1], ESME_RMSGQFUL))
            bench.clock.advance(0.25)

        assert PATIENCE_S <= bench.clock.seconds() <= PATIENCE_S + 3
        assert issubclass(failed[0], Unavailable)

    @pytest.mark.parametrize(("state", "slows"), [(50, False), (85, False), (95, True), (100, True)])
    def test_congestion_state_is_obeyed(self, state, slows):
        bench = Bench(size=1)
        for _ in range(10):
            bench.submitter.submit(REQUEST)

        bench.window.answered(response(1, body=b"id\0\x04\x28\x00\x01" + bytes([state])))

        assert (bench.submitter.pace.per_s is not None) is slows


class TestPace:
    def busy(self, per_s=100):
        pace = Pace()
        for number in range(per_s):
            pace.sent(10.0 + number / per_s)
        return pace

    def test_it_is_unlimited_until_somebody_complains(self):
        assert self.busy().wait_s(10.5) == 0.0

    def test_a_complaint_halves_the_rate_once_however_often_it_is_repeated(self):
        pace = self.busy()

        for _ in range(10):
            pace.throttled(11.0)

        assert pace.per_s == 50.0
        assert pace.wait_s(11.0) == pytest.approx(0.02)

    def test_a_later_complaint_halves_it_again_but_never_below_one_a_second(self):
        pace = self.busy()

        for second in range(20):
            pace.throttled(11.0 + 1.001 * second)

        assert pace.per_s == 1.0

    def test_it_recovers_slowly_and_at_last_wholly(self):
        pace = self.busy()
        pace.throttled(11.0)

        rates = []
        for second in range(12, 60):
            pace.wait_s(float(second))
            rates.append(pace.per_s)

        assert rates[0] == pytest.approx(55.0)
        assert rates[7] == pytest.approx(107.2, abs=0.1)
        assert rates[-1] is None

    def test_throttling_statuses_are_both_understood(self):
        for status in (ESME_RTHROTTLED, ESME_RMSGQFUL):
            bench = Bench(size=1)
            bench.submitter.submit(REQUEST)
            bench.window.answered(response(1, status))
            assert bench.submitter.pace.per_s == 1.0
            assert bench.submitter.queued == 1
