"""Accepts presses: returns when they are on disk, or says that they are not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from telephony.clock import Clock
from telephony.domain.errors import Unavailable
from telephony.domain.incident import Receipt
from telephony.domain.trigger import Trigger
from telephony.services.spine.open_callers import KnownCallers
from telephony.services.spine.recording import Press, Recording, Results
from telephony.services.spine.taking_up import Answers, TakingUp
from telephony.services.spine.telling import Telling
from telephony.store.database import Database
from telephony.store.incidents import OpenIncident
from telephony.store.presses import Recorded

log = structlog.get_logger()


class Intake:
    """The one door for presses, whatever way they came.

    What `accept_all` answers with a `Receipt` is durable: in the journal, from where it is taken up into the store, or in the
    store itself where there is no journal or its disk fails. What it answers with `Unavailable` is not: 112 has been
    told of it directly, and the sender is to be asked for it again. The redelivery then opens the very incident that 112
    has already heard of.
    """

    def __init__(
        self,
        database: Database,
        recording: Recording,
        telling: Telling,
        *,
        callers: KnownCallers,
        clock: Clock,
        budget_s: float,
        taking_up: TakingUp | None = None,
    ) -> None:
        self._database = database
        self._recording = recording
        self._telling = telling
        self._callers = callers
        self._clock = clock
        self._budget_s = budget_s
        self._taking_up = taking_up
        self._is_store_late = False

    def remember(self, incidents: Iterable[OpenIncident]) -> None:
        """Learn at the start which callers' incidents are open, against an outage that begins later."""
        self._callers.forget_the_earlier_life()
        for each in incidents:
            self._callers.learn(each.caller, each.id, each.opened_at, each.press_count)

    async def accept(self, trigger: Trigger) -> Receipt:
        """Accept one press; returns once it is durable, raises `Unavailable` when it is not."""
        (answer,) = await self.accept_all([trigger])
        if isinstance(answer, Unavailable):
            raise answer
        return answer

    def accept_all(self, triggers: Sequence[Trigger]) -> Deferred[Answers]:
        """Accept presses that came together; fires with one answer each, in order, and never fails.

        Fires within the budgets of journal and store even when both hang. A defect of ours on the way costs nobody her
        emergency: 112 is told directly then too.
        """
        taking_up = self._taking_up
        if taking_up is None or taking_up.is_full:
            return self.record_all(triggers)
        try:
            presses = [self._recording.named(trigger) for trigger in triggers]
            return taking_up.accept(presses).addErrback(self._defect, triggers)
        except Exception as error:
            log.exception("presses not journaled by a defect", presses=len(triggers))
            return self._told_barely(triggers, error)

    def record_all(self, triggers: Sequence[Trigger]) -> Deferred[Answers]:
        """Do so past the journal: a receipt then says which incident a press has opened or joined."""
        try:
            return self._record([self._recording.named(trigger) for trigger in triggers])
        except Exception as error:
            log.exception("presses not recorded by a defect", presses=len(triggers))
            return self._told_barely(triggers, error)

    def _defect(self, failure: Failure, triggers: Sequence[Trigger]) -> Deferred[Answers]:
        log.error("presses not taken up by a defect", presses=len(triggers), exc_info=failure.value)
        return self._told_barely(triggers, _error_of(failure))

    def _told_barely(self, triggers: Sequence[Trigger], error: Exception) -> Deferred[Answers]:
        return succeed([self._telling.barely(trigger, None, error) for trigger in triggers])

    def _record(self, presses: Sequence[Press]) -> Deferred[Answers]:
        answered: Deferred[Answers] = Deferred()
        told: Answers | None = None
        if self._is_store_late:
            # It let an earlier press wait in vain. 112 hears of this one now; the store may keep it all the same.
            told = self._tell(presses, Unavailable("the store has not answered in time before"))

        def recorded(results: Results) -> None:
            if not late.active():
                return
            late.cancel()
            self._is_store_late = False
            before: Sequence[Receipt | Unavailable | None] = told or [None] * len(presses)
            answered.callback([self._answer(*each) for each in zip(presses, results, before, strict=True)])

        def failed(why: Exception) -> None:
            if late.active():
                late.cancel()
            if not answered.called:
                answered.callback(told or self._tell(presses, why))

        late = self._clock.callLater(self._budget_s, self._too_late, presses, answered, told)
        try:
            self._recording.record(presses, recorded, failed)
        except Exception:
            if late.active():
                late.cancel()
            raise
        return answered

    def _answer(
        self, press: Press, result: Recorded | Exception, told: Receipt | Unavailable | None
    ) -> Receipt | Unavailable:
        """Answer a press by what became of it; ``told`` is the answer where 112 was told of it before."""
        if isinstance(result, Recorded):
            self._recording.note(press.trigger, result)
            return result.receipt
        log.error("press not recorded", incident=press.incident_id, exc_info=result)
        return told or self._telling.tell(press.trigger, press.incident_id, result)

    def _too_late(self, presses: Sequence[Press], answered: Deferred[Any], told: Answers | None) -> None:
        # The commit may still come; the redelivery is then a repeat of a known reference.
        answered.callback(told or self._tell(presses, Unavailable(f"no commit within {self._budget_s} s")))
        # Put away, it refuses the next at once, and commits again before it is brought back.
        self._is_store_late = not self._database.give_up_on_a_stall(self._budget_s / 2)

    def _tell(self, presses: Sequence[Press], why: Exception) -> Answers:
        return [self._telling.tell(press.trigger, press.incident_id, why) for press in presses]


def _error_of(failure: Failure) -> Exception:
    error = failure.value
    return error if isinstance(error, Exception) else Unavailable(repr(error))
