"""Turns the SOS calls of one Asterisk into presses and facts for 112.

Each call is followed by one coroutine of its own: first its press is accepted, again and again until it is on disk
(Asterisk delivers nothing twice), then all that has changed meanwhile is recorded as one fact. What changes while
the store is slow is thus told once, with its newest state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from twisted.internet.defer import CancelledError, Deferred

from telephony.asterisk.ami.packets import Packet
from telephony.asterisk.mirror.refusals import key_of
from telephony.asterisk.sip.carried import Carried
from telephony.asterisk.sos.accepting import accepted
from telephony.asterisk.sos.caller import caller_of
from telephony.asterisk.sos.journal import MOST_NOTES
from telephony.asterisk.sos.sos_call import (
    Arrived,
    Forgotten,
    Happening,
    SosCall,
    SosCalls,
    Tapped,
)
from telephony.background import run_in_background
from telephony.clock import Call, Clock, pause, utc_now
from telephony.domain.delivery import retry_delay_s
from telephony.domain.errors import Unavailable
from telephony.domain.facts import CallFact, Fact, KnockFact
from telephony.domain.knocks import MOST_DIGITS, KnockTable
from telephony.domain.location_token import kept_digest
from telephony.domain.ports import AcceptAll
from telephony.domain.position import Position
from telephony.domain.recognition import Recognition
from telephony.domain.trigger import TOLD_LATE, UNLISTED_DESTINATION, Trigger
from telephony.remembered import Remembered
from telephony.store.calls import CallRecord

log = structlog.get_logger()

SOURCE = "call"
WORD_S = 2.0
"""How long a press waits for what the dialplan says of it, 1 to 3 ms after the channel came, and some tenths of a second on a
machine that is busy: above all the number. The carrier may assert it in a header that Asterisk itself does not read,
and then 112 would be told of someone else, or of a caller whom it could neither locate nor call. Her call is with 112
meanwhile."""
LATE_S = 60.0
"""A call that we learn of so long after it came is reported with a remark."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """A carrier's trunk as the daemon knows it. ``context`` is where its calls enter the dialplan."""

    name: str
    carrier: str
    context: str
    recognition: Recognition


class CallBook(Protocol):
    """Where calls and facts are kept."""

    async def record(self, incident_id: str, record: CallRecord, facts: Sequence[Fact]) -> None:
        """Keep a call and its facts; raises `Unavailable` when that cannot be done now."""
        ...

    async def located(self, incident_id: str, position: Position) -> None:
        """Keep where the caller is; raises `Unavailable` when that cannot be done now."""
        ...


@dataclass(slots=True)
class _Followed:
    """One call while it is followed."""

    call: SosCall
    incident_id: str | None = None
    """The call's incident, where an earlier process has had its press accepted."""
    is_changed: bool = False
    is_news: bool = False
    is_forgotten: bool = False
    has_asked: bool = False
    """Whether what came with its INVITE was asked for."""
    position: Position | None = field(default=None, repr=False)
    """One that came with its INVITE and is not written down yet."""
    knocks: list[KnockFact] = field(default_factory=list)
    digits: str = ""
    pause: Call | None = None
    waiting: Deferred[None] | None = None

    @property
    def has_news(self) -> bool:
        return self.is_changed or bool(self.knocks)


class CallFollower:
    """Follows the SOS calls of one Asterisk. Feed it every event; give it the journal after a gap.

    ``carried_by`` is told the Call-ID of each call and gives what its INVITE carried, where that is known by then;
    what is heard later comes by `carried`.
    """

    def __init__(
        self,
        server: str,
        trunks: Sequence[Trunk],
        *,
        utc_offset: timedelta,
        is_service: Callable[[str], bool],
        knocks: KnockTable,
        knock_gap_s: float,
        accept_all: AcceptAll,
        book: CallBook,
        clock: Clock,
        word_s: float = WORD_S,
        carried_by: Callable[[str], Carried | None] = lambda _: None,
    ) -> None:
        self._trunks = {trunk.name: trunk for trunk in trunks}
        self._knocks = knocks
        self._knock_gap_s = knock_gap_s
        self._accept_all = accept_all
        self._book = book
        self._clock = clock
        self._word_s = word_s
        self._carried_by = carried_by
        contexts: Mapping[str, str] = {trunk.context: trunk.name for trunk in trunks}
        self.calls = SosCalls(server, contexts, is_service, self._now, utc_offset)
        self._followed: dict[str, _Followed] = {}
        self._ended: Remembered[str, None] = Remembered(MOST_NOTES)
        """Calls that were followed to their end, oldest first, for as long as the journal may still name them."""

    def recognise(self, trunks: Sequence[Trunk]) -> None:
        """Take over new tables of numbers; which trunks there are stays."""
        self._trunks |= {trunk.name: trunk for trunk in trunks if trunk.name in self._trunks}

    def event(self, packet: Packet) -> None:
        """Take an event of this Asterisk."""
        # An event that comes after a call's end would begin it again.
        uniqueid = packet.get("Uniqueid")
        if self._trunks and (uniqueid not in self._ended or uniqueid in self._followed):
            self._take(self.calls.event(packet))

    def has_heard_of(self, uniqueid: str) -> bool:
        """Whether this process follows the call, or has followed it to its end: the journal says nothing new."""
        return uniqueid in self._followed or uniqueid in self._ended

    def pass_over(self, uniqueid: str) -> None:
        """Note that this call is over and the journal has nothing new about it."""
        self._ended[uniqueid] = None

    def complete(self, note: SosCall) -> None:
        """Complete a standing call from the journal, with what no event has said."""
        self._take(self.calls.complete(note))

    def learn(self, call: SosCall, incident_id: str | None) -> None:
        """Take a call that came while we were not listening; ``incident_id`` where its press is known all the same."""
        if self.has_heard_of(call.uniqueid):
            return
        if not self._trunks:
            log.error("call of a trunk that is not in the settings", call=call.reference, trunk=call.trunk)
            return
        self._take(self.calls.learn(call), _Followed(call, incident_id, is_changed=True, is_news=True))

    def carried(self, sip_call_id: str, carried: Carried) -> None:
        """Take what the INVITE of a call carried; for a call that is not known yet `carried_by` is asked later."""
        for followed in self._followed.values():
            if key_of(followed.call.sip_call_id) == key_of(sip_call_id):
                self._take_carried(followed, carried)

    def standing(self, uniqueid: str, route: str | None) -> None:
        """Take who has a call after a gap: 112 on this route (empty: unknown which), or no one (``None``)."""
        self._take(self.calls.standing(uniqueid, route))

    def lost(self, uniqueid: str, ended: datetime | None) -> None:
        """Note that a call is over whose end was not heard; ``ended`` is when, where that is known."""
        self._take(self.calls.lost(uniqueid, ended))

    # -- what happens -----------------------------------------------------------------------------------------

    def _take(self, happenings: Sequence[Happening], learnt: _Followed | None = None) -> None:
        for happening in happenings:
            if isinstance(happening, Arrived):
                followed = learnt or _Followed(happening.call)
                self._begin(followed)
                self._ask_for_carried(followed)
                continue
            followed = self._followed[happening.call.uniqueid]
            self._ask_for_carried(followed)
            if isinstance(happening, Tapped):
                self._tapped(followed, happening.digit)
            elif isinstance(happening, Forgotten):
                self._forget(followed)
            else:
                self._changed(followed, is_news=happening.is_news)

    def _ask_for_carried(self, followed: _Followed) -> None:
        """Ask what came with the call, once its Call-ID is known."""
        if followed.call.sip_call_id and not followed.has_asked:
            followed.has_asked = True
            carried = self._carried_by(followed.call.sip_call_id)
            if carried:
                self._take_carried(followed, carried)

    def _take_carried(self, followed: _Followed, carried: Carried) -> None:
        followed.call.carried = followed.call.carried.updated(carried.said)
        followed.position = carried.position or followed.position
        self._changed(followed, is_news=True)

    def _begin(self, followed: _Followed) -> None:
        self._followed[followed.call.uniqueid] = followed
        run_in_background(self._follow(followed), "following a call")

    def _changed(self, followed: _Followed, *, is_news: bool) -> None:
        # Before the last digits are reported: they and the end of the call are recorded together.
        followed.is_changed = True
        followed.is_news = followed.is_news or is_news
        if followed.call.is_over:
            self._knock_over(followed)
        self._announce(followed)

    def _forget(self, followed: _Followed) -> None:
        log.warning("call forgotten: there are too many", call=followed.call.reference)
        followed.is_forgotten = True
        self._knock_over(followed)
        self._announce(followed)

    def _tapped(self, followed: _Followed, digit: str) -> None:
        followed.digits = (followed.digits + digit)[:MOST_DIGITS]
        if followed.pause is not None and followed.pause.active():
            followed.pause.cancel()
        followed.pause = self._clock.callLater(self._knock_gap_s, self._knock_over, followed)

    def _knock_over(self, followed: _Followed) -> None:
        if followed.pause is not None and followed.pause.active():
            followed.pause.cancel()
        if not followed.digits:
            return
        knock = self._knocks.read(followed.digits)
        followed.digits = ""
        now = self._now()
        followed.knocks.append(knock.fact(f"{followed.call.reference}#{now:%H%M%S.%f}", now))
        self._announce(followed)

    @staticmethod
    def _announce(followed: _Followed) -> None:
        waiting, followed.waiting = followed.waiting, None
        if waiting is not None:
            waiting.callback(None)

    # -- one call, from its press to its end ------------------------------------------------------------------

    async def _follow(self, followed: _Followed) -> None:
        call = followed.call
        try:
            incident_id = followed.incident_id or await self._press(followed)
            log.info(
                "call followed", incident=incident_id, call=call.reference, trunk=call.trunk, state=call.state
            )
            while True:
                await self._keep(followed, incident_id)
                if call.is_over or followed.is_forgotten:
                    break
                followed.waiting = Deferred()
                await followed.waiting
            if call.is_over:
                self._ended[call.uniqueid] = None
        finally:
            if self._followed.get(call.uniqueid) is followed:
                del self._followed[call.uniqueid]

    async def _press(self, followed: _Followed) -> str:
        """Have the press accepted, as soon as the dialplan has said who calls; return its incident."""
        call = followed.call
        if self._word_s and not (call.is_said or call.is_over):
            followed.waiting = Deferred()
            timer = self._clock.callLater(self._word_s, self._announce, followed)
            await followed.waiting
            if timer.active():
                timer.cancel()
        return (await accepted(self._trigger(call), self._accept_all, self._clock)).incident_id

    def _trunk_of(self, call: SosCall) -> Trunk:
        """Return the call's trunk. One that is not in the settings is told as the first carrier's: it is a call for help."""
        known = self._trunks.get(call.trunk)
        if known is not None:
            return known
        log.error("call of a trunk that is not in the settings", call=call.reference, trunk=call.trunk)
        return replace(next(iter(self._trunks.values())), name=call.trunk)

    def _trigger(self, call: SosCall) -> Trigger:
        trunk = self._trunk_of(call)
        recognition = trunk.recognition
        called = recognition.called(call.dialled)
        labels = () if called.is_listed else (UNLISTED_DESTINATION,)
        if (self._now() - call.started).total_seconds() > LATE_S:
            labels = (*labels, TOLD_LATE)
        return Trigger(
            source=SOURCE,
            connector=trunk.name,
            carrier=trunk.carrier,
            msisdn=caller_of(
                call.caller, country_code=recognition.country_code, trunk_prefix=recognition.trunk_prefix
            ),
            reference=call.reference,
            received_at=call.started,
            destination=call.dialled,
            # As the dialplan takes it: its own word may come after this has to be told.
            test=called.is_test,
            labels=labels,
            incident_id=call.incident_id,
            facts=(self._fact(call),),
        )

    async def _keep(self, followed: _Followed, incident_id: str) -> None:
        """Record what is new about a call, and try again until it is recorded."""
        failures = 0
        while followed.has_news:
            knocks = tuple(followed.knocks)
            is_news, followed.is_news = followed.is_news, False
            followed.is_changed = False
            facts: tuple[Fact, ...] = (self._fact(followed.call), *knocks) if is_news else knocks
            try:
                await self._book.record(incident_id, _record(followed.call), facts)
                await self._locate(followed, incident_id)
            except CancelledError:
                raise
            except Exception as error:
                failures += 1
                followed.is_changed, followed.is_news = True, followed.is_news or is_news
                defect = None if isinstance(error, Unavailable) else error
                log.warning("call not written down", incident=incident_id, error=str(error), exc_info=defect)
                await pause(self._clock, retry_delay_s(failures))
            else:
                del followed.knocks[: len(knocks)]
                _log_facts(incident_id, followed.call, knocks, is_news=is_news)

    async def _locate(self, followed: _Followed, incident_id: str) -> None:
        position = followed.position
        if position is not None:
            await self._book.located(incident_id, position)
            if followed.position is position:
                followed.position = None

    def _fact(self, call: SosCall) -> CallFact:
        return call.fact(self._now())

    def _now(self) -> datetime:
        return utc_now(self._clock)


def _record(call: SosCall) -> CallRecord:
    token = kept_digest(call.token_digest) if call.token_digest else None
    return CallRecord(call.reference, call.server, call.channel, call.trunk, call.started, token, call.ended)


def _log_facts(incident_id: str, call: SosCall, knocks: Sequence[KnockFact], *, is_news: bool) -> None:
    if is_news:
        log.info(
            "call state", incident=incident_id, call=call.reference, state=call.state,
            legs="; ".join(str(leg.known) for leg in call.legs), ended_by=call.ended_by or None,
        )  # fmt: skip
    for knock in knocks:
        log.info("knock", incident=incident_id, call=call.reference, taps=knock.taps,
                 meaning=knock.meaning or None)  # fmt: skip
