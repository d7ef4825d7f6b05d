"""Puts what the journal has into the store: in groups, in order, each press once; and tells 112 when that takes long."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Final

import structlog
from twisted.internet.defer import Deferred, gatherResults
from twisted.python.failure import Failure

from telephony.background import run_in_background
from telephony.clock import Call, Clock, wall_s
from telephony.domain.errors import Unavailable
from telephony.domain.incident import Receipt
from telephony.domain.trigger import KEYED_SOURCES
from telephony.journal.journal import Entry, Journal
from telephony.journal.refused import RefusedPresses
from telephony.periodic import Periodic
from telephony.services.spine.recording import Press, Recording, Results
from telephony.services.spine.telling import Telling
from telephony.services.spine.told import ToldReports
from telephony.store.contention import Contended
from telephony.store.database import LARGEST_GROUP, Database
from telephony.store.journal_position import JournalPlace, JournalPosition, PositionMoved, position_of, put
from telephony.store.presses import Recorded, caller_key

log = structlog.get_logger()

ANSWERED_BY_THE_STORE: Final = frozenset({"ussd"}) | KEYED_SOURCES
"""Sources whose senders wait for a store that is well: a phone shows no second text where it knows the press already, and a
machine is told the incident that its press has joined."""
MOST_OWED: Final = 50_000
"""Presses that may wait here for the store; those beyond it are as presses that the journal could not take."""
RETRIED_SOON_S: Final = 0.05
RETRIED_S: Final = 1.0
"""Pause before a store that failed is tried again; one that was put away is tried as soon as it is back."""
REFUSED_RETRIED_S: Final = 300.0
"""How often presses are offered again that the store refused for what they are: a newer release may take them."""


Answers = list[Receipt | Unavailable]
"""What is answered to presses, one each, in their order."""


@dataclass(slots=True)
class _Owed:
    """A press that the journal has and the store not yet; ``since`` in seconds that never step."""

    number: int
    press: Press
    since: float
    is_kept: bool = True
    """Whether its sender was answered because the journal has it."""
    is_told: bool = False
    answer: Deferred[Receipt | Unavailable] | None = None
    """Of a press that has to be in the store, or told to 112, before its sender is answered."""

    def answered(self, answer: Receipt | Unavailable) -> None:
        """Answer the sender, who may be waiting."""
        waiting, self.answer = self.answer, None
        if waiting is not None:
            waiting.callback(answer)


class TakingUp:
    """Takes the journal up into the store.

    ::

        idle ──presses──► recording ──all recorded──► idle, or the next group
          ▲                   │ one refused for what it is: put aside, and on with those behind it
          │                   │ the store failed, or is late: 112 is told directly, once for each press
          │                   ▼
          └──agreed──── asking the store how far it is ◄──a second later, or when it is back

    The store's position is changed with the presses, so that what it has is known for certain: after a commit that was
    not heard of nothing is recorded twice; where commits were lost with a primary, they are made again from the journal.
    """

    def __init__(
        self,
        journal: Journal,
        refused: RefusedPresses,
        database: Database,
        recording: Recording,
        telling: Telling,
        *,
        told: ToldReports,
        clock: Clock,
        budget_s: float,
    ) -> None:
        self._journal = journal
        self._refused = refused
        self._database = database
        self._recording = recording
        self._telling = telling
        self._told = told
        self._clock = clock
        self._budget_s = budget_s
        self._owed: deque[_Owed] = deque()
        self._left: dict[str, list[_Owed]] = {}
        """By caller: what earlier lives have left, until the store has one of theirs, and with it says which incident is open."""
        self._to_owe: list[_Owed] = []
        self._in_hand: list[_Owed] = []
        self._is_busy = False
        self._is_agreed = False
        """Whether the store's position is known to be the journal's."""
        self._has_agreed = False
        """Whether it was in this life."""
        self._first_own = 0
        """The number that this life began with."""
        self._is_late = False
        """Whether the store fails or keeps presses waiting: 112 is told of what comes at once."""
        self._why_late = Unavailable("")
        self._has_refused = False
        """Whether any are owed that were refused."""
        self._failure: Exception | None = None
        self._began = 0.0
        self._went_on = 0.0
        """When the store last answered: how far it is, or that it has a group."""
        self._late: Call | None = None
        self._again: Call | None = None
        self._is_stopped = False
        self._offering = Periodic(
            self._offer_refused, "offering refused presses again",
            every_s=REFUSED_RETRIED_S, clock=clock, first_s=REFUSED_RETRIED_S,
        )  # fmt: skip

    @property
    def owed_count(self) -> int:
        """How many presses the journal has and the store not yet."""
        return len(self._owed)

    @property
    def owed_since(self) -> float | None:
        """Since when the oldest of them waits, in seconds that never step."""
        return self._owed[0].since if self._owed else None

    def resume(self, entries: Iterable[Entry]) -> None:
        """Take what earlier lives have left in the journal, before anybody can press."""
        now = self._clock.seconds()
        self._first_own = self._journal.next_number
        for each in entries:
            self._told.claim(each.trigger)
            self._owed.append(self._left_by_a_life(each, now))
        if self._owed:
            log.info("journal has presses of an earlier life", count=len(self._owed))

    def _left_by_a_life(self, entry: Entry, now: float) -> _Owed:
        owed = _Owed(entry.number, Press(entry.trigger, entry.incident_id), now)
        self._recording.sets_out(entry.trigger)
        if not self._is_own(owed):
            self._left.setdefault(caller_key(entry.trigger), []).append(owed)
        return owed

    def _is_own(self, owed: _Owed) -> bool:
        """Whether it came in this life."""
        return owed.number >= self._first_own

    def start(self) -> None:
        """Begin."""
        self._went_on = self._clock.seconds()
        self._offering.startService()
        self._next()

    def stop(self) -> None:
        """Begin nothing more; what is owed stands in the journal."""
        self._is_stopped = True
        self._offering.stopService()
        _cancel(self._again)
        self._again = None
        _cancel(self._late)
        self._late = None

    @property
    def is_full(self) -> bool:
        """Whether no more presses may wait here."""
        return len(self._owed) >= MOST_OWED

    def accept(self, presses: Sequence[Press]) -> Deferred[Answers]:
        """Accept presses: answers once they are in the journal; where its disk fails, once the store has them, or 112.

        So for a source of `ANSWERED_BY_THE_STORE`, whose receipt then says what the press has joined.
        """
        owed = [_Owed(number, press, 0.0) for number, press in enumerate(presses, self._journal.next_number)]
        appended = self._journal.append([(press.trigger, press.incident_id) for press in presses])
        for press in presses:
            self._recording.sets_out(press.trigger)
        return appended.addCallbacks(self._kept, self._not_kept, callbackArgs=(owed,), errbackArgs=(owed,))

    def _kept(self, numbers: Sequence[int | None], owed: Sequence[_Owed]) -> Answers | Deferred[Answers]:
        now = wall_s(self._clock)
        for number, each in zip(numbers, owed, strict=True):
            each.is_kept = number is not None
            if each.is_kept:
                each.press = replace(each.press, durable_at=now)
            if not each.is_kept or each.press.trigger.source in ANSWERED_BY_THE_STORE:
                each.answer = Deferred()
        waiting = [each.answer for each in owed if each.answer is not None]
        answers: Answers = [Receipt(each.press.incident_id) for each in owed]
        if owed and not self._to_owe:
            # Its sender is answered first; what follows waits its turn.
            self._clock.callLater(0, self._owe)
        self._to_owe += owed
        if not waiting:
            return answers
        places = [place for place, each in enumerate(owed) if each.answer is not None]

        def with_those(theirs: list[Receipt | Unavailable]) -> Answers:
            for place, answer in zip(places, theirs, strict=True):
                answers[place] = answer
            return answers

        return gatherResults(waiting).addCallback(with_those)

    def _not_kept(self, failure: Failure, owed: Sequence[_Owed]) -> Deferred[Answers]:
        if not isinstance(failure.value, Unavailable):
            log.error("presses not journaled by a defect", presses=len(owed), exc_info=failure.value)
        for each in owed:
            each.is_kept, each.answer = False, Deferred()
        waiting = [each.answer for each in owed if each.answer is not None]
        self._to_owe += owed
        self._owe()
        return gatherResults(waiting)

    def _owe(self) -> None:
        """Begin to take up what has come, in the order of its numbers."""
        owed, self._to_owe = self._to_owe, []
        if not owed:
            return
        now = self._clock.seconds()
        for each in owed:
            each.since = now
        self._owed.extend(owed)
        if self._is_late:
            # It has failed, or let an earlier press wait in vain. 112 hears of these now.
            self._tell(owed, self._why_late)
        elif self._late is None:
            self._watch()
        if self._again is None:
            self._next()

    def store_is_back(self) -> None:
        """Go on at once with a store that was taken up again."""
        self._journal.store_is_back()
        self._is_agreed = False
        _cancel(self._again)
        self._again = None
        self._next()

    # -- one group after the other ------------------------------------------------------------------------------

    def _next(self) -> None:
        if self._is_busy or self._is_stopped:
            return
        if not self._is_agreed:
            self._is_busy = True
            self._watch()
            run_in_background(self._agree(), "asking how far the journal is taken up")
        elif self._owed:
            self._is_busy = True
            self._record()

    def _record(self) -> None:
        self._drop_refused()
        self._in_hand = list(islice(self._owed, LARGEST_GROUP))
        if not self._in_hand:
            self._is_busy = False
            return
        self._failure = None
        self._began = self._clock.seconds()
        self._watch()
        try:
            recording = self._recording.record(self._placed(), self._recorded, self._failed)
        except Exception as error:
            log.exception("presses not recorded by a defect", presses=len(self._in_hand))
            self._failed(error)
            self._group_over(None)
        else:
            recording.addCallback(self._group_over)

    def _drop_refused(self) -> None:
        """Owe no press that its sender was told to bring again: many of one would gather here."""
        if self._has_refused:
            self._has_refused = False
            dropped = [each for each in self._owed if not each.is_kept and each.is_told]
            for each in dropped:
                self._recording.has_arrived(each.press.trigger)
            self._owed = deque(each for each in self._owed if each.is_kept or not each.is_told)

    def _placed(self) -> list[Press]:
        after, placed = self._journal.taken_up, []
        for owed in self._in_hand:
            place = JournalPlace(self._journal.id, after, owed.number)
            placed.append(replace(self._recording.as_told(owed.press), place=place))
            after = owed.number
        return placed

    def _recorded(self, results: Results) -> None:
        """Go by what became of each: up to the first that is not in the store, all are taken up."""
        for owed, result in zip(self._in_hand, results, strict=True):
            if not isinstance(result, Recorded):
                self._failure = result
                return
            self._arrived(self._owed.popleft())
            self._journal.has_taken_up(owed.number)
            if owed.is_kept or owed.answer is not None:
                # Of a press that was refused the sender brings more, and 112 has to hear the same of it until then.
                self._recording.note(owed.press.trigger, result)
            owed.answered(result.receipt)
        self._went_on = self._clock.seconds()
        self._is_late = self._went_on - self._began >= self._budget_s

    def _arrived(self, owed: _Owed) -> None:
        if self._left:
            self._left.pop(caller_key(owed.press.trigger), None)
        self._recording.has_arrived(owed.press.trigger)

    def _failed(self, why: Exception) -> None:
        is_refused = len(self._in_hand) == 1 and not isinstance(why, Unavailable)
        self._failure = why if is_refused or isinstance(why, Unavailable) else Unavailable(repr(why))

    def _group_over(self, _: object) -> None:
        """Begin the next group, or see to what kept this one from the store."""
        why, self._failure = self._failure, None
        _cancel(self._late)
        self._late = None
        if why is None:
            self._is_busy = False
            if self._owed:
                self._watch()
            self._next()
        elif isinstance(why, Unavailable):
            self._go_on_later(why)
        else:
            run_in_background(self._set_aside(self._owed[0], why), "setting a refused press aside")

    def _go_on_later(self, why: Unavailable) -> None:
        self._is_agreed = self._is_busy = False
        if isinstance(why, PositionMoved | Contended):
            # The store is well: the press is recorded in a moment, and 112 is told when that is too long.
            self._later(RETRIED_SOON_S)
            self._watch()
            return
        self._keep_late(why)
        self._later(RETRIED_S)

    def _later(self, seconds: float) -> None:
        if self._again is None and not self._is_stopped:
            self._again = self._clock.callLater(seconds, self._try_again)

    def _try_again(self) -> None:
        self._again = None
        self._next()

    def _watch(self) -> None:
        """Look again when the oldest press, or in bad times what is under way, has had its time."""
        _cancel(self._late)
        self._late = None
        if not self._owed or self._is_stopped:
            return
        now = self._clock.seconds()
        since = now if self._is_late else self._waits_since
        self._late = self._clock.callLater(max(0.0, since + self._budget_s - now), self._too_late)

    @property
    def _waits_since(self) -> float:
        """Since when the first press waits that is not to wait longer than the budget.

        Those of earlier lives wait for a sign of life from the store: many of them take long, the store may have them already,
        and it tells 112 of them sooner than they could be told one by one.
        """
        oldest = self._owed[0]
        if self._is_own(oldest):
            return oldest.since
        own = next(filter(self._is_own, self._owed), None)
        return self._went_on if own is None else min(self._went_on, own.since)

    def _too_late(self) -> None:
        self._late = None
        why = Unavailable(f"no commit within {self._budget_s} s")
        own = list(filter(self._is_own, self._owed))
        if len(own) < len(self._owed) and self._clock.seconds() - self._went_on < self._budget_s:
            # The store is well, and busy with what earlier lives have left.
            self._is_late, self._why_late = True, why
            self._tell(own, why)
            self._watch()
            return
        self._keep_late(why)
        # Put away, it refuses what comes next at once, and commits again before it is brought back.
        self._database.give_up_on_a_stall(self._budget_s / 2)

    def _keep_late(self, why: Unavailable) -> None:
        """Tell 112 of all that is owed, and at once of what comes, until the store takes a group in time."""
        self._is_late, self._why_late = True, why
        self._tell(self._owed, why)

    def _tell(self, owed: Iterable[_Owed], why: Exception) -> None:
        """Tell 112 of presses; before those of this life of what the same callers have left, or it would be another incident."""
        for each in owed:
            is_own = self._is_own(each)
            if is_own and (left := self._left.pop(caller_key(each.press.trigger), None)):
                self._tell(left, why)
            if not each.is_told:
                each.is_told = True
                trigger, incident_id = each.press.trigger, each.press.incident_id
                life = "" if is_own else f" {self._first_own}"
                unavailable = self._telling.tell(trigger, incident_id, why, is_kept=each.is_kept, left=life)
                each.answered(Receipt(incident_id) if each.is_kept else unavailable)
                self._has_refused = self._has_refused or not each.is_kept

    # -- how far the store is -------------------------------------------------------------------------------------

    async def _agree(self) -> None:
        """Find out what the store has, and go on from there."""
        try:
            position = await self._database.read(position_of, self._journal.id)
            if position is None or not position.is_ours:
                await self._begin_anew(position)
            elif position.number > self._journal.taken_up:
                self._pass_over(position.number)
            elif position.number < self._journal.taken_up:
                await self._go_back(position.number)
            if self._journal.unread_until:
                await self._owe_unread()
        except Unavailable as error:
            self._go_on_later(error)
            return
        self._is_agreed, self._is_busy = True, False
        if not self._has_agreed and (left := sum(not self._is_own(each) for each in self._owed)):
            log.warning("presses of an earlier life are in the journal alone", count=left)
        self._has_agreed = True
        self._went_on = self._clock.seconds()
        _cancel(self._late)
        self._late = None
        self._next()

    async def _begin_anew(self, position: JournalPosition | None) -> None:
        """Have a position in a store that has none of ours: it is a fresh one, or another hand has changed the row."""
        if position is not None:
            log.warning("position of the journal is not as it was written", number=self._journal.taken_up)
        elif not self._journal.taken_up:
            return
        await self._database.transact(put, self._journal.id, self._journal.taken_up)

    def _pass_over(self, number: int) -> None:
        """Owe no longer what the store has: its commit was not heard of."""
        own: list[_Owed] = []
        while self._owed and self._owed[0].number <= number:
            owed = self._owed.popleft()
            if self._is_own(owed) and not self._has_agreed:
                # This life has recorded nothing yet.
                own.append(owed)
                continue
            self._arrived(owed)
            self._told.taken_up(owed.press.trigger, owed.press.incident_id)
            owed.answered(Receipt(owed.press.incident_id))
        self._journal.has_taken_up(number)
        if own:
            self._number_again(own)

    def _number_again(self, owed: Sequence[_Owed]) -> None:
        """Give presses numbers that the store has not had: the journal's files are older than the store, brought back from a copy."""
        log.error("journal is older than the store, presses numbered again", count=len(owed))
        for number, each in enumerate(owed, self._journal.next_number):
            each.number = number
        presses = [(each.press.trigger, each.press.incident_id) for each in owed]
        self._journal.append(presses).addErrback(_not_written_again)
        self._owed.extend(owed)

    async def _go_back(self, number: int) -> None:
        """Owe again what the store has lost since."""
        lost = await self._journal.read_after(number, self._journal.taken_up)
        if lost:
            log.error("store lost presses that it had, taken up again", count=len(lost))
        self._owe_first(lost)
        self._journal.goes_back_to(number)

    async def _owe_unread(self) -> None:
        """Owe what earlier lives have left and the start could not read."""
        left = await self._journal.read_after(self._journal.taken_up, self._journal.unread_until)
        for each in left:
            self._told.claim(each.trigger)
        self._owe_first(left)
        self._journal.unread_until = 0

    def _owe_first(self, entries: Sequence[Entry]) -> None:
        now = self._clock.seconds()
        self._owed.extendleft(reversed([self._left_by_a_life(each, now) for each in entries]))

    # -- presses that the store refuses ---------------------------------------------------------------------------

    async def _set_aside(self, owed: _Owed, why: Exception) -> None:
        """Keep a press elsewhere and pass over it."""
        trigger, incident_id = owed.press.trigger, owed.press.incident_id
        log.error("press not recorded", incident=incident_id, exc_info=why)
        self._tell([owed], why)
        try:
            await self._refused.keep(owed.number, trigger, incident_id)
            await self._database.transact(put, self._journal.id, owed.number)
        except Unavailable as error:
            self._go_on_later(error)
            return
        self._arrived(self._owed.popleft())
        self._journal.has_taken_up(owed.number)
        self._is_busy = False
        self._next()

    async def _offer_refused(self) -> None:
        for each in self._refused.standing():
            press = self._recording.as_told(Press(each.trigger, each.incident_id))
            await self._recording.record([press], partial(self._taken, each), _refused_again)

    def _taken(self, entry: Entry, results: Results) -> None:
        (result,) = results
        if isinstance(result, Recorded):
            self._recording.note(entry.trigger, result)
            log.warning("refused press recorded after all", incident=result.receipt.incident_id)
            self._refused.has_taken(entry.number).addErrback(_not_taken_out)


def _cancel(call: Call | None) -> None:
    if call is not None:
        call.cancel()


def _refused_again(why: Exception) -> None:
    log.warning("refused press not recorded yet", error=type(why).__name__)


def _not_written_again(failure: Failure) -> None:
    # They are owed all the same, in this process.
    log.warning("presses not written again", error=str(failure.value))


def _not_taken_out(failure: Failure) -> None:
    # It is offered again, and known by its reference.
    log.warning("refused press not taken out of its file", error=str(failure.value))
