"""One Asterisk as the daemon sees it: its manager interface, its SOS calls, and what to do after a gap."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog
from twisted.application.service import Service
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.python.failure import Failure

from telephony.asterisk.ami import Packet
from telephony.asterisk.client import AmiClient
from telephony.asterisk.desk import CallDesk
from telephony.asterisk.journal import JOURNAL_SLOTS, Slot, read_note, read_slot
from telephony.asterisk.sos_call import DIALLING, ENDED, SosCall, route_of
from telephony.background import run_in_background
from telephony.clock import Clock, pause, utc_now
from telephony.domain.delivery import retry_delay_s
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.store.calls import CallRecord, KnownCall

log = structlog.get_logger()

NOTE_KEPT = timedelta(hours=24)
"""A call of longer ago that the store does not know is no emergency any more: the store is new, or was emptied."""

AT_ONCE = 64
"""Questions about the journal, or about channels, that are in flight at a time."""


class CallMemory(Protocol):
    """What the store knows of calls; both raise `Unavailable` when it cannot be asked."""

    async def known(self, references: Sequence[str]) -> dict[str, str]:
        """Give the incidents of those calls that are known, by reference."""
        ...

    async def live(self, server: str) -> list[KnownCall]:
        """Give the calls of a server of which no end is known."""
        ...


class Line(Service):
    """Listens to one Asterisk. After every gap it asks which calls stand, and reads the dialplan's journal.

    ``listeners`` hear every event beside the desk.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[..., AmiClient],
        desk: CallDesk,
        memory: CallMemory,
        *,
        listeners: Sequence[Callable[[Packet], None]] = (),
        on_lost: Callable[[str], None] | None = None,
        on_channels: Callable[[AmiClient, Sequence[Packet]], None] | None = None,
        clock: Clock,
    ) -> None:
        self.setName(name)  # type: ignore[no-untyped-call]
        self._server = name
        self.desk = desk
        self._memory = memory
        self._listeners = (desk.event, *listeners)
        self._clock = clock
        self._on_lost = on_lost
        self._on_channels = on_channels
        self._gap = 0
        self.client = connect(on_event=self._event, on_ready=self._ready, on_lost=self._lost)

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Connect, and go on connecting."""
        super().startService()  # type: ignore[no-untyped-call]
        self.client.startService()

    def stopService(self) -> Deferred[Any] | None:  # noqa: N802 - Twisted's name
        """Leave; the calls go on without us."""
        super().stopService()  # type: ignore[no-untyped-call]
        return self.client.stopService()

    def _event(self, packet: Packet) -> None:
        for listener in self._listeners:
            listener(packet)

    def _ready(self) -> None:
        self._gap += 1
        run_in_background(self._catch_up(self._gap), "catching up with Asterisk")

    def _lost(self) -> None:
        self._gap += 1
        if self._on_lost is not None:
            self._on_lost(self._server)

    async def _catch_up(self, gap: int) -> None:
        failures = 0
        while gap == self._gap:
            try:
                await self._learn(gap)
            except (Unavailable, Refused, Malformed) as error:
                failures += 1
                log.warning("not caught up with Asterisk", server=self._server, error=str(error))
                await pause(self._clock, retry_delay_s(failures))
            else:
                return

    async def _learn(self, gap: int) -> None:
        """Learn what came, went and stands since we last listened."""
        slots = await self._journal()
        noted = {call.uniqueid for slot in slots for call in slot.calls}
        journal = [call for slot in slots for call in slot.calls] + await self._standing_unnoted(noted)
        journal.sort(key=lambda call: call.started)
        unheard = [call.reference for call in journal if not self.desk.has_heard_of(call.uniqueid)]
        known = await self._memory.known(unheard)
        open_ends = await self._memory.live(self._server)
        # Asked last, and nothing is awaited after it: events that come before its end are taken already, those that
        # come later find the calls that it names.
        channels = await self.client.listing("CoreShowChannels")
        if self._on_channels is not None:
            self._on_channels(self.client, channels)
        if gap != self._gap:
            return  # answers from before the gap; whoever was told that Asterisk is back asks anew
        self._own_up(slots, known)
        self._compare(journal, known, open_ends, channels)

    def _compare(
        self,
        journal: Sequence[SosCall],
        known: Mapping[str, str],
        open_ends: Sequence[KnownCall],
        channels: Sequence[Packet],
    ) -> None:
        standing = {row.get("Uniqueid"): row for row in channels}
        routes = _routes(channels)
        ended = {call.uniqueid: call.ended for call in journal}
        for call in self.desk.calls.live():
            if call.uniqueid in standing:
                self.desk.standing(call.uniqueid, routes.get(call.uniqueid))
            else:
                self.desk.lost(call.uniqueid, ended.get(call.uniqueid))
        incidents = {each.record.reference: each.incident_id for each in open_ends}
        noted = {call.reference for call in journal}
        forgotten = [_of_record(each.record) for each in open_ends if each.record.reference not in noted]
        learnt = 0
        for call in (*journal, *forgotten):
            row = standing.get(call.uniqueid)
            is_told = call.reference in known and call.reference not in incidents and row is None
            if is_told or self.desk.has_heard_of(call.uniqueid):
                continue
            if call.reference not in known and row is None and self._now() - call.started > NOTE_KEPT:
                log.warning("old note of the journal passed over", call=call.reference, trunk=call.trunk)
                continue
            if row is not None:
                _take_up(call, row, routes.get(call.uniqueid), self._now())
            elif not call.is_over:
                call.ended, call.state = self._now(), ENDED
            self.desk.learn(call, incidents.get(call.reference) or known.get(call.reference))
            learnt += 1
        log.info(
            "caught up with Asterisk",
            server=self._server,
            channels=len(channels),
            journal=len(journal),
            learnt=learnt,
        )

    async def _journal(self) -> list[Slot]:
        names = [f"SOS_JOURNAL_{slot}" for slot in range(JOURNAL_SLOTS)]
        answers = await self._ask_each([[("Variable", name)] for name in names])
        return [read_slot(self._server, answer) for answer in answers]

    async def _standing_unnoted(self, noted: Collection[str]) -> list[SosCall]:
        """Give the SOS calls that stand and that the journal names no more: each carries its own note.

        That is a call so long that many have come since, and its note is pushed out.
        """
        rows = await self.client.listing("CoreShowChannels")
        channels = [
            row.get("Channel")
            for row in rows
            # The first channel of its call, so a phone's.
            if row.get("Uniqueid") == row.get("Linkedid")
            and row.get("Uniqueid") not in noted
            and not self.desk.has_heard_of(row.get("Uniqueid"))
        ]
        answers = await self._ask_each([[("Channel", name), ("Variable", "SOS_NOTE")] for name in channels])
        return [call for answer in answers if (call := read_note(self._server, f"{answer}|"))]

    async def _ask_each(self, questions: Sequence[Sequence[tuple[str, str]]]) -> list[str]:
        """Ask for variables, some at a time; give their values, empty for a channel that is gone meanwhile."""
        values: list[str] = []
        for first in range(0, len(questions), AT_ONCE):
            asked = [self._value(question) for question in questions[first : first + AT_ONCE]]
            try:
                values += await gatherResults(asked, consumeErrors=True)
            except FirstError as error:
                error.subFailure.raiseException()
        return values

    def _value(self, question: Sequence[tuple[str, str]]) -> Deferred[str]:
        answer = self.client.action("Getvar", question)
        value = answer.addCallback(lambda packet: packet.get("Value"))
        if question[0][0] == "Channel":
            value.addErrback(_is_gone)
        return value

    def _own_up(self, slots: Iterable[Slot], known: Collection[str]) -> None:
        """Say so when the journal was too small: a slot was cut, and even its oldest note is news to us."""
        oldest = [slot.calls[0] for slot in slots if slot.is_cut and slot.calls]
        lost = [
            call
            for call in oldest
            if call.reference not in known
            and not self.desk.has_heard_of(call.uniqueid)
            and self._now() - call.started <= NOTE_KEPT
        ]
        if lost:
            log.error(
                "journal was full: calls of this time may be missing",
                server=self._server,
                slots=len(lost),
                until=max(call.started for call in lost).isoformat(timespec="seconds"),
            )

    def _now(self) -> datetime:
        return utc_now(self._clock)


def _is_gone(failure: Failure) -> str:
    failure.trap(Refused)
    return ""


def _routes(channels: Iterable[Packet]) -> dict[str, str]:
    """Give by which route 112 has each call that it has; an empty one where its channel's name does not tell."""
    return {
        row.get("Linkedid"): route_of(row.get("Channel"))
        for row in channels
        if row.get("Linkedid") != row.get("Uniqueid")
        and row.get("ChannelStateDesc") == "Up"
        and row.get("Channel").startswith("PJSIP/")
    }


def _take_up(call: SosCall, row: Packet, route: str | None, now: datetime) -> None:
    """Complete a call from the channel list: its channel, and whether 112 is on the line."""
    call.channel = row.get("Channel")
    call.ended = None
    call.state = DIALLING
    call.stand(route, now)


def _of_record(record: CallRecord) -> SosCall:
    """Give a call that the journal does not name: Asterisk was restarted, or many calls have come since."""
    uniqueid = record.reference.partition("/")[2]
    return SosCall(record.server, uniqueid, record.channel, record.trunk, "", "", record.started_at)
