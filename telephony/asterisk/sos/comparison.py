"""Compares a follower's calls with Asterisk's channel list and the dialplan's journal, and corrects them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.python.failure import Failure

from telephony.asterisk.ami.client import AmiClient
from telephony.asterisk.ami.packets import Packet
from telephony.asterisk.sos.follower import CallFollower
from telephony.asterisk.sos.journal import JOURNAL_SLOTS, Slot, is_sealed, read_note, read_slot
from telephony.asterisk.sos.sealed_caller import KEY_VARIABLE
from telephony.asterisk.sos.sos_call import SosCall, route_of
from telephony.clock import Clock, utc_now
from telephony.domain.errors import Refused
from telephony.domain.facts import CallState
from telephony.store.calls import CallRecord, KnownCall

log = structlog.get_logger()

NOTE_KEPT = timedelta(hours=24)
"""A call of longer ago that the store does not know is no emergency any more: the store is new, or was emptied."""

AT_ONCE = 64
"""Questions about the journal, or about channels, that are in flight at a time."""


class CallMemory(Protocol):
    """What the store knows about calls; both methods raise `Unavailable` when it cannot be asked."""

    async def known(self, references: Sequence[str]) -> dict[str, str]:
        """Return the incidents of those calls that are known, by reference."""
        ...

    async def live(self, server: str) -> list[KnownCall]:
        """Return the calls of a server of which no end is known."""
        ...


@dataclass(frozen=True, slots=True)
class _Standing:
    """The channels that stand."""

    rows: Mapping[str, Packet]
    """By Uniqueid."""
    torn: Mapping[str, Packet]
    """By name: the channels into whose row a caller has written."""

    def row_of(self, call: SosCall) -> Packet | None:
        return self.rows.get(call.uniqueid) or self.torn.get(call.channel)


class Comparison:
    """Compares the follower's calls with what Asterisk says when it is asked.

    ``on_channels`` gets the channel list after a gap.
    """

    def __init__(
        self,
        server: str,
        client: AmiClient,
        follower: CallFollower,
        memory: CallMemory,
        *,
        on_channels: Callable[[AmiClient, Sequence[Packet]], None] | None,
        clock: Clock,
    ) -> None:
        self._server = server
        self._client = client
        self._follower = follower
        self._memory = memory
        self._on_channels = on_channels
        self._clock = clock
        self._doubted: set[tuple[str, str | None]] = set()
        """Calls that the last channel list showed at another place than the events did, and where."""

    @property
    def is_in_doubt(self) -> bool:
        """Whether the last channel list has shown something that is believed once it is seen again."""
        return bool(self._doubted)

    async def after_gap(self, is_current: Callable[[], bool]) -> None:
        """Tell the follower which calls came, went and stand. Raises like `AmiClient.listing`, and `Unavailable`.

        Nothing is told once the answers are no longer those of the connection (``is_current``).
        """
        slots = await self._journal()
        told = await self._tell(is_current, [call for slot in slots for call in slot.calls], slots)
        if told is not None:
            log.info("caught up with Asterisk", server=self._server, **told)

    async def in_passing(self, is_current: Callable[[], bool], *, with_journal: bool) -> None:
        """Tell the follower what the events have not said about calls. Raises like `after_gap`."""
        slots = await self._journal() if with_journal else []
        told = await self._tell(is_current, [call for slot in slots for call in slot.calls])
        if told is not None and (told["learnt"] or told["ended"]):
            log.warning("events of calls were missed", server=self._server, **told)

    async def stands(self, call: SosCall) -> bool:
        """Whether the channel of a call is still there. Raises `Unavailable`."""
        question = [("Channel", call.channel or call.uniqueid), ("Variable", "UNIQUEID")]
        return await self._value(question) == call.uniqueid

    async def _tell(
        self, is_current: Callable[[], bool], journal: list[SosCall], first: Sequence[Slot] | None = None
    ) -> dict[str, int] | None:
        """Tell the follower what stands and what the journal says; ``first``: after a gap. Return a summary."""
        noted = {call.uniqueid for call in journal}
        with suppress(
            Refused
        ):  # no channel list for this account: `_channels` asks for one call after the other
            journal = journal + await self._standing_unnoted(noted)
        journal.sort(key=lambda call: call.started)
        unheard = [call.reference for call in journal if not self._follower.has_heard_of(call.uniqueid)]
        known = await self._memory.known(unheard)
        open_ends = await self._memory.live(self._server) if first is not None else []
        # Asked last, and nothing is awaited after it: events that come before its end are taken already, those that
        # come later find the calls that it names.
        channels, is_complete = await self._channels(journal, open_ends)
        if self._on_channels is not None and first is not None:
            self._on_channels(self._client, channels)
        if not is_current():
            return None  # answers from before the gap; the next `after_gap` asks again
        if first is not None:
            self._own_up(first, known)
        routes = _routes(channels) if is_complete else None
        return self._compare(journal, known, open_ends, channels, routes, is_first=first is not None)

    async def _channels(
        self, journal: Sequence[SosCall], open_ends: Sequence[KnownCall]
    ) -> tuple[list[Packet], bool]:
        """Return the channel list, and whether it is one: an account without ``write = reporting`` asks for each call."""
        try:
            return await self._client.listing("CoreShowChannels"), True
        except Refused as error:
            log.warning("no channel list", server=self._server, error=str(error))
        asked = [call.uniqueid for call in self._follower.calls.live()]
        asked += [call.uniqueid for call in journal if not call.is_over]
        asked += [each.record.reference.partition("/")[2] for each in open_ends]
        uniqueids = list(dict.fromkeys(asked))
        names = await self._ask_each([[("Channel", one), ("Variable", "CHANNEL(name)")] for one in uniqueids])
        return [
            Packet((("Channel", name), ("Uniqueid", one), ("Linkedid", one)))
            for one, name in zip(uniqueids, names, strict=True)
            if name
        ], False

    def _compare(
        self,
        journal: Sequence[SosCall],
        known: Mapping[str, str],
        open_ends: Sequence[KnownCall],
        channels: Sequence[Packet],
        routes: Mapping[str, str] | None,
        *,
        is_first: bool,
    ) -> dict[str, int]:
        rows = {row.get("Uniqueid"): row for row in channels if not _is_torn(row)}
        torn = {row.get("Channel"): row for row in channels if _is_torn(row)}
        standing = _Standing(rows, torn)
        ended = {call.uniqueid: call.ended for call in journal}
        over = self._compare_live(standing, ended, routes, is_first=is_first)
        incidents = {each.record.reference: each.incident_id for each in open_ends}
        noted = {call.reference for call in journal}
        forgotten = [_of_record(each.record) for each in open_ends if each.record.reference not in noted]
        learnt = 0
        for call in (*journal, *forgotten):
            row = standing.row_of(call)
            is_told = call.reference in known and call.reference not in incidents and row is None
            if self._follower.has_heard_of(call.uniqueid):
                self._follower.complete(call)
                continue
            if is_told:
                self._follower.pass_over(call.uniqueid)
                continue
            if call.reference not in known and row is None and self._now() - call.started > NOTE_KEPT:
                log.warning("old note of the journal passed over", call=call.reference, trunk=call.trunk)
                self._follower.pass_over(call.uniqueid)
                continue
            if row is not None:
                _take_up(call, row, (routes or {}).get(call.uniqueid), self._now())
            elif not call.is_over:
                call.ended, call.state = self._now(), CallState.ENDED
            if call.is_caller_sealed:
                log.error(
                    "caller sealed in the journal, and no key opens it",
                    server=self._server,
                    call=call.reference,
                )
            self._follower.learn(call, incidents.get(call.reference) or known.get(call.reference))
            learnt += 1
        return {"channels": len(channels), "journal": len(journal), "learnt": learnt, "ended": over}

    def _compare_live(
        self,
        standing: _Standing,
        ended: Mapping[str, datetime | None],
        routes: Mapping[str, str] | None,
        *,
        is_first: bool,
    ) -> int:
        """Compare the calls that the follower follows; return how many of them are over."""
        over = 0
        doubted = set()
        for call in self._follower.calls.live():
            if standing.row_of(call) is None:
                self._follower.lost(call.uniqueid, ended.get(call.uniqueid))
                over += 1
            elif routes is not None and not call.is_held_by(routes.get(call.uniqueid)):
                # An event that says so may be on its way: it is believed after a gap, and when it is seen twice.
                doubt = (call.uniqueid, routes.get(call.uniqueid))
                if is_first or doubt in self._doubted:
                    self._follower.standing(*doubt)
                else:
                    doubted.add(doubt)
        self._doubted = doubted
        return over

    async def _journal(self) -> list[Slot]:
        names = [f"SOS_JOURNAL_{slot}" for slot in range(JOURNAL_SLOTS)]
        answers = await self._ask_each([[("Variable", name)] for name in names])
        key = await self._key_for(answers)
        return [read_slot(self._server, answer, key) for answer in answers]

    async def _key_for(self, texts: Iterable[str]) -> str:
        """Return what opens the numbers in these slots or notes; empty where there are none, or Asterisk has no key."""
        if not any(is_sealed(text) for text in texts):
            return ""
        try:
            return await self._value([("Variable", KEY_VARIABLE)])
        except Refused:
            return ""  # `_compare` says so of each call that is told without its number

    async def _standing_unnoted(self, noted: Collection[str]) -> list[SosCall]:
        """Return the SOS calls that stand and that the journal names no more: each carries its own note.

        Such a call has lasted so long that the notes of later calls have pushed its own out.
        """
        rows = await self._client.listing("CoreShowChannels")
        channels = [
            row.get("Channel")
            for row in rows
            # The first channel of its call, so a phone's.
            if _is_torn(row)
            or (
                row.get("Uniqueid") == row.get("Linkedid")
                and row.get("Uniqueid") not in noted
                and not self._follower.has_heard_of(row.get("Uniqueid"))
            )
        ]
        answers = await self._ask_each([[("Channel", name), ("Variable", "SOS_NOTE")] for name in channels])
        key = await self._key_for(answers)
        found = []
        for name, answer in zip(channels, answers, strict=True):
            call = read_note(self._server, f"{answer}|", key)
            if call is not None:
                call.channel = name
                found.append(call)
        return found

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
        answer = self._client.action("Getvar", question)
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
            and not self._follower.has_heard_of(call.uniqueid)
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


def _is_torn(row: Packet) -> bool:
    """Whether a caller has written into the row of his channel, so that only its first keys can be believed."""
    return any(len(row.all(key)) != 1 for key in ("Channel", "Uniqueid", "Linkedid"))


def _routes(channels: Iterable[Packet]) -> dict[str, str]:
    """Return by which route 112 has each call that it has; an empty one where its channel's name does not tell."""
    return {
        row.get("Linkedid"): route_of(row.get("Channel"))
        for row in channels
        if row.get("Linkedid") != row.get("Uniqueid")
        and row.get("ChannelStateDesc") == "Up"
        and not _is_torn(row)
        and row.get("Channel").startswith("PJSIP/")
    }


def _take_up(call: SosCall, row: Packet, route: str | None, now: datetime) -> None:
    """Complete a call from the channel list: its channel, and whether 112 is on the line."""
    call.channel = row.get("Channel")
    call.ended = None
    call.state = CallState.DIALLING
    call.stand(route, now)


def _of_record(record: CallRecord) -> SosCall:
    """Return a call that the journal does not name: Asterisk was restarted, or many calls have come since."""
    uniqueid = record.reference.partition("/")[2]
    return SosCall(record.server, uniqueid, record.channel, record.trunk, "", "", record.started_at)
