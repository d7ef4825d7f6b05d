"""Keeps a link's unanswered presses while the intake has them; answers each once, ESME_ROK if it is durable.

All of one read are handed over at once and answered at once. At the hard stop, presses that the intake has not settled
are answered so that the SMSC delivers them again; a later result changes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from telephony.clock import Call, Clock
from telephony.domain.errors import Unavailable
from telephony.domain.incident import Receipt
from telephony.domain.ports import AcceptAll
from telephony.domain.trigger import Trigger
from telephony.smpp.answers import Answers
from telephony.smpp.link import Link
from telephony.smpp.press_tally import Tally
from telephony.smpp.request_book import PressRequest
from telephony.smpp.ussd_desk import UssdDesk
from telephony.smpp.wire.pdus import Pdu
from telephony.smpp.wire.sorting import Dialogue
from telephony.sparingly import Sparingly

log = structlog.get_logger()

HARD_STOP_S: Final = 3.0
"""Answer by then in any case: the most impatient message centres wait 5 s for a deliver_sm_resp."""
MOST_UNANSWERED: Final = 10_000
MOST_UNANSWERED_OCTETS: Final = 32 * 1024 * 1024
"""Open presses that one link may have; beyond it the answer is the transient status, at once."""
SAY_AGAIN_S: Final = 10.0


@dataclass(slots=True)
class Press:
    """A press until its request is answered. ``dialogue`` is the phone that waits for a text; most have none."""

    pdu: Pdu
    trigger: Trigger
    dialogue: Dialogue | None = None
    entered: PressRequest | None = None
    """The request as the carrier's book has it; ``None`` where a defect kept it out."""


@dataclass(slots=True)
class _Batch:
    """The presses of one read, in order, until they are answered."""

    link: Link
    presses: list[Press]
    octets: int
    due: float
    is_answered: bool = field(default=False)


class Batches:
    """Hands presses over and answers them. ``alarm`` hears of those that were not durable in time."""

    def __init__(
        self,
        link_name: str,
        answers: Answers,
        *,
        accept_all: AcceptAll,
        ussd: UssdDesk | None,
        tally: Tally,
        alarm: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._link_name = link_name
        self._answers = answers
        self._accept_all = accept_all
        self._ussd = ussd
        self._tally = tally
        self._alarm = alarm
        self._clock = clock
        self._batches: deque[_Batch] = deque()
        """Oldest first, answered ones dropped when they come to the front."""
        self._unanswered = 0
        self._unanswered_octets = 0
        self._timer: Call | None = None
        self._sparingly = Sparingly(clock.seconds, SAY_AGAIN_S)

    def has_room(self, count: int, octets: int) -> bool:
        """Whether so many presses more may be open."""
        return (
            self._unanswered + count <= MOST_UNANSWERED
            and self._unanswered_octets + octets <= MOST_UNANSWERED_OCTETS
        )

    def hand_over(self, link: Link, presses: list[Press], octets: int, now: float) -> None:
        """Hand the presses of one read to Intake, all at once. Each is answered, by the hard stop at the latest."""
        batch = _Batch(link, presses, octets, now + HARD_STOP_S)
        self._batches.append(batch)
        self._unanswered += len(batch.presses)
        self._unanswered_octets += batch.octets
        if self._timer is None:
            self._timer = self._clock.callLater(HARD_STOP_S, self._stop_waiting)
        triggers = [press.trigger for press in batch.presses]
        try:
            results = self._accept_all(triggers)
            waiting = results if isinstance(results, Deferred) else Deferred.fromCoroutine(_awaited(results))
        except Exception as error:  # noqa: BLE001 - whatever it is, 112 hears of them and the SMSC is answered
            self._fail(batch, error)
            self.tell_again(triggers)
            return
        waiting.addCallback(self._answer, batch).addErrback(self._failed, batch)

    def tell_again(self, triggers: Sequence[Trigger]) -> None:
        """Offer presses whose request is answered already: the result is no longer told to the peer."""
        try:
            self._accept_all(triggers)
        except Exception:
            log.exception("presses could not be told", link=self._link_name, presses=len(triggers))

    def _answer(self, results: Sequence[Receipt | Unavailable], batch: _Batch) -> None:
        """Answer ESME_ROK to durable presses and to no others."""
        if batch.is_answered:
            return
        if len(results) != len(batch.presses):
            self._fail(batch, AssertionError("as many answers as presses"))
            return
        responses: list[bytes] = []
        accepted = 0
        now = self._clock.seconds()
        for press, result in zip(batch.presses, results, strict=True):
            if isinstance(result, Receipt):
                accepted += 1
                if press.entered is not None:
                    press.entered.acknowledged(now)
                responses.append(self._answers.done(press.pdu))
            else:
                if press.entered is not None:
                    press.entered.refused()
                responses.append(self._answers.again(press.pdu))
        self._tally.accepted += accepted
        self._tally.retried += len(responses) - accepted
        self._settle(batch, responses, results)

    def _failed(self, failure: Failure, batch: _Batch) -> None:
        self._fail(batch, failure.value)

    def _fail(self, batch: _Batch, error: BaseException | None) -> None:
        if self._sparingly.take_turn("presses not accepted"):
            log.error(
                "presses not accepted", link=self._link_name, presses=len(batch.presses), exc_info=error
            )
        if not batch.is_answered:
            self._retry(batch)

    def _retry(self, batch: _Batch) -> None:
        self._tally.retried += len(batch.presses)
        for press in batch.presses:
            if press.entered is not None:
                press.entered.refused()
        responses = [self._answers.again(press.pdu) for press in batch.presses]
        self._settle(batch, responses, [None] * len(batch.presses))

    def _settle(
        self, batch: _Batch, responses: list[bytes], results: Sequence[Receipt | Unavailable | None]
    ) -> None:
        batch.is_answered = True
        self._unanswered -= len(batch.presses)
        self._unanswered_octets -= batch.octets
        while self._batches and self._batches[0].is_answered:
            self._batches.popleft()
        octets, count = b"".join(responses), len(responses)
        if self._ussd is None:
            batch.link.answer(octets, count)
            return
        waiting = [
            (press.dialogue, result)
            for press, result in zip(batch.presses, results, strict=True)
            if press.dialogue is not None
        ]
        self._ussd.answer(batch.link, octets, count, waiting)

    def _stop_waiting(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        while self._batches and self._batches[0].due <= now:
            batch = self._batches.popleft()
            if not batch.is_answered:
                self._tally.late += len(batch.presses)
                self._alarm("presses not durable within 3 s")
                self._retry(batch)
        if self._batches and self._timer is None:
            self._timer = self._clock.callLater(self._batches[0].due - now, self._stop_waiting)


async def _awaited(
    results: Awaitable[list[Receipt | Unavailable]],
) -> list[Receipt | Unavailable]:
    return await results
