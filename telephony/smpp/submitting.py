"""Sends our messages on one bind: first in, first out, within the window and at the pace the SMSC allows.

A message that gives way stays behind all others, and goes back to its sender when the SMSC wants it later.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from twisted.internet.defer import Deferred

from telephony.clock import Call, Clock
from telephony.domain.errors import Refused, Unavailable
from telephony.smpp.observer import status_name
from telephony.smpp.pace import Pace
from telephony.smpp.window import Window
from telephony.smpp.wire.codec import decode_submit_resp
from telephony.smpp.wire.constants import (
    ESME_RINVBNDSTS,
    ESME_RMSGQFUL,
    ESME_ROK,
    ESME_RSUBMITFAIL,
    ESME_RSYSERR,
    ESME_RTHROTTLED,
    ESME_RUNKNOWNERR,
    ESME_RX_T_APPN,
    TAG_CONGESTION_STATE,
)
from telephony.smpp.wire.pdus import Pdu, SubmitResp

QUEUE_LIMIT: Final = 1_000
PATIENCE_S: Final = 60.0
"""A message that could not be sent for so long goes back to its sender."""

SLOW_DOWN: Final = frozenset({ESME_RTHROTTLED, ESME_RMSGQFUL})
PASSING: Final = frozenset(
    {ESME_RSYSERR, ESME_RX_T_APPN, ESME_RSUBMITFAIL, ESME_RINVBNDSTS, ESME_RUNKNOWNERR, *SLOW_DOWN}
)
"""Statuses after which the same message may be accepted later."""


class SubmitUnavailable(Unavailable):
    """The SMSC did not take a message now; ``status`` is what it said."""

    def __init__(self, status: int) -> None:
        super().__init__(f"submit answered {status_name(status)}")
        self.status = status


class SubmitRefused(Refused):
    """The SMSC will not take this message; ``status`` is what it said."""

    def __init__(self, status: int) -> None:
        super().__init__(f"submit answered {status_name(status)}")
        self.status = status


@dataclass(slots=True)
class _Waiting:
    order: tuple[bool, int]
    """Whether it gives way, and its ticket."""
    pdu: bytes
    give_up_at: float
    response: Deferred[SubmitResp] = field(default_factory=Deferred)


class Submitter:
    """Sends requests over one bind. Bound to nothing else: when the link goes, so does everything in it."""

    def __init__(self, *, window: Window, clock: Clock, queue_limit: int = QUEUE_LIMIT) -> None:
        self.pace = Pace()
        self._window = window
        self._clock = clock
        self._queue_limit = queue_limit
        self._queue: deque[_Waiting] = deque()
        """Messages that give way stand behind the rest, each in the order of the tickets: a throttled one returns to
        its place."""
        self._tickets = 0
        self._timer: Call | None = None
        self._stopped: str | None = None

    @property
    def queued(self) -> int:
        """How many messages have not been sent yet."""
        return len(self._queue)

    @property
    def sends_in_s(self) -> float | None:
        """Seconds until a request would leave at once; ``None`` while others wait or the window is full."""
        if self._queue or not self._window.has_room:
            return None
        return self.pace.wait_s(self._clock.seconds())

    def submit(self, pdu: bytes, *, gives_way: bool = False) -> Deferred[SubmitResp]:
        """Send a request, its sequence number still to be set; fires with the answer to it.

        Fails with `SubmitRefused` for good, with `Unavailable` (`SubmitUnavailable` where the SMSC said so) when it
        may be tried again; in the case of a lost link the message may have been sent. Cancelling a message that
        still waits takes it back. With ``gives_way`` it stays behind all other messages, and one that the SMSC
        throttles fails at once.
        """
        waiting = _Waiting((gives_way, self._tickets), pdu, self._clock.seconds() + PATIENCE_S)
        if self._stopped is not None:
            waiting.response.errback(Unavailable(self._stopped))
        elif len(self._queue) >= self._queue_limit:
            waiting.response.errback(Unavailable("too many messages wait for this link"))
        else:
            self._tickets += 1
            self._put(waiting)
            self._pump()
        return waiting.response

    def stop(self, reason: str) -> None:
        """Send nothing more; messages that wait fail. Those that were sent fail when the window is abandoned."""
        self._stopped = reason
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        queue, self._queue = self._queue, deque()
        for waiting in queue:
            _fail(waiting, Unavailable(reason))

    def _pump(self) -> None:
        while self._queue and self._window.has_room:
            now = self._clock.seconds()
            first = self._queue[0]
            if first.response.called:
                self._queue.popleft()
                continue
            if first.give_up_at <= now:
                self._queue.popleft()
                _fail(first, Unavailable("the link is too slow"))
                continue
            wait_s = self.pace.wait_s(now)
            if wait_s > 0.0:
                self._pump_after(wait_s)
                return
            self._queue.popleft()
            self.pace.sent(now)
            self._window.send(first.pdu, partial(self._answered, first))

    def _pump_after(self, seconds: float) -> None:
        def pump() -> None:
            self._timer = None
            self._pump()

        if self._timer is None:
            self._timer = self._clock.callLater(seconds, pump)

    def _answered(self, waiting: _Waiting, answer: Pdu | Unavailable) -> None:
        if isinstance(answer, Unavailable):
            _fail(waiting, answer)
        else:
            self._obey(waiting, answer)
        self._pump()

    def _obey(self, waiting: _Waiting, answer: Pdu) -> None:
        now = self._clock.seconds()
        response = decode_submit_resp(answer.body)
        congestion = response.uint_tlv(TAG_CONGESTION_STATE)
        if congestion is not None:
            self.pace.congestion(now, congestion)
        status = answer.status
        if status in SLOW_DOWN:
            self.pace.throttled(now)
            gives_way, _ = waiting.order
            if self._stopped is None and waiting.give_up_at > now and not gives_way:
                self._put(waiting)
            else:
                _fail(waiting, SubmitUnavailable(status))
        elif status != ESME_ROK:
            _fail(waiting, SubmitUnavailable(status) if status in PASSING else SubmitRefused(status))
        elif not waiting.response.called:
            waiting.response.callback(response)

    def _put(self, waiting: _Waiting) -> None:
        place = len(self._queue)
        while place and self._queue[place - 1].order > waiting.order:
            place -= 1
        self._queue.insert(place, waiting)


def _fail(waiting: _Waiting, error: Refused | Unavailable) -> None:
    if not waiting.response.called:
        waiting.response.errback(error)
