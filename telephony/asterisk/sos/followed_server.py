"""Follows one Asterisk: listens to its manager interface, and compares its SOS calls with its channel list and journal.

Events alone are not trusted: they may be missed, and a caller may have forged one. So the calls are compared
with Asterisk's channel list and with the dialplan's journal after every gap and every minute, at once with the channel
list where an event was not as Asterisk writes it, and the end of a call is told when Asterisk has no such channel any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import structlog
from twisted.internet.defer import Deferred

from telephony.asterisk.ami.client import AmiClient
from telephony.asterisk.ami.genuine import is_genuine
from telephony.asterisk.ami.packets import Packet
from telephony.asterisk.sos.comparison import CallMemory, Comparison
from telephony.asterisk.sos.follower import CallFollower
from telephony.asterisk.sos.recordings import Recordings
from telephony.asterisk.sos.sos_call import SosCall
from telephony.background import run_in_background
from telephony.clock import Clock, pause
from telephony.domain.delivery import retry_delay_s
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.service import Service

log = structlog.get_logger()

COMPARE_S = 60.0
"""How often the calls are compared with the channel list and the journal while the link is up."""
LOOK_AGAIN_S = 1.0
"""The least time between two comparisons: a caller who forges events must not keep us busy with nothing else."""
END_ASKED_AFTER_S = (0.0, 0.2, 1.0, 3.0)
"""When, after a Hangup, Asterisk is asked whether the channel is gone. If it stands at the last time, the Hangup is not
believed."""


class FollowedServer(Service):
    """Listens to one Asterisk. After every gap it asks which calls stand, and reads the dialplan's journal.

    ``listeners`` hear every event beside the follower.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[..., AmiClient],
        follower: CallFollower,
        memory: CallMemory,
        *,
        listeners: Sequence[Callable[[Packet], None]] = (),
        on_lost: Callable[[str], None] | None = None,
        on_channels: Callable[[AmiClient, Sequence[Packet]], None] | None = None,
        recordings: Recordings | None = None,
        clock: Clock,
    ) -> None:
        self.setName(name)  # type: ignore[no-untyped-call]
        self._server = name
        self.follower = follower
        self._listeners = tuple(listeners)
        self._clock = clock
        self._on_lost = on_lost
        self._recordings = recordings
        self._gap = 0
        self._caught_up: int | None = None
        """The gap after which the calls were last compared with Asterisk."""
        self._suspects = 0
        """Events since the last look that were not as Asterisk writes them."""
        self._wanted: Deferred[None] | None = None
        """Fires when the calls should be compared before the minute is over."""
        self.client = connect(on_event=self._event, on_ready=self._ready, on_lost=self._lost)
        self._comparison = Comparison(
            name, self.client, follower, memory, on_channels=on_channels, clock=clock
        )

    @property
    def is_caught_up(self) -> bool:
        """Whether the follower's calls are those that stand: the link is up, and has been compared with since."""
        return self._caught_up == self._gap

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Connect, and go on connecting."""
        super().startService()
        self.client.startService()
        if self._recordings is not None:
            self._recordings.start(self.client, self.follower)

    def stopService(self) -> Deferred[Any] | None:  # noqa: N802 - Twisted's name
        """Leave; the calls go on without us."""
        super().stopService()
        if self._recordings is not None:
            self._recordings.stop()
        return self.client.stopService()

    # What Asterisk tells.

    def _event(self, packet: Packet) -> None:
        if not is_genuine(packet):
            self._suspects += 1
            self._look()
            return
        call = self.follower.calls.get(packet.get("Uniqueid"))
        if call is None or packet.event != "Hangup":
            self.follower.event(packet)
        for listener in self._listeners:
            listener(packet)
        if call is not None and packet.event == "Hangup":
            run_in_background(self._hang_up(call, packet, END_ASKED_AFTER_S), "asking for the end of a call")
        elif call is not None and packet.get("Stage") == "end":
            # The dialplan's last event: the channel goes a moment later. Enough for an account that is sent no Hangup.
            run_in_background(
                self._hang_up(call, None, END_ASKED_AFTER_S[1:]), "asking for the end of a call"
            )

    async def _hang_up(self, call: SosCall, hangup: Packet | None, after_s: Sequence[float]) -> None:
        """End a call once Asterisk says that its channel is gone."""
        for wait_s in after_s:
            if wait_s:
                await pause(self._clock, wait_s)
            if self.follower.calls.get(call.uniqueid) is not call:
                return
            try:
                stands = await self._comparison.stands(call)
            except (Unavailable, Malformed):
                return  # the comparison after the gap will tell
            if stands:
                continue
            if self._recordings is not None:
                await self._recordings.last_look(call, self.client)
            if self.follower.calls.get(call.uniqueid) is not call:
                return
            if hangup is None:
                self.follower.lost(call.uniqueid, None)
            else:
                self.follower.event(hangup)
            return
        if hangup is not None:
            log.warning(
                "end of a call not believed: its channel stands", server=self._server, call=call.reference
            )

    def _look(self) -> None:
        """Compare the calls with the channel list soon."""
        if self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            wanted.callback(None)

    def _ready(self) -> None:
        self._gap += 1
        self._look()
        run_in_background(self._follow(self._gap), "comparing calls with Asterisk")

    def _lost(self) -> None:
        self._gap += 1
        self._look()
        if self._on_lost is not None:
            self._on_lost(self._server)

    # What Asterisk answers.

    async def _follow(self, gap: int) -> None:
        """Catch up, then compare from time to time, until the next gap."""
        await self._catch_up(gap)
        read_at = self._clock.seconds()
        while gap == self._gap:
            await self._pause(gap)
            if gap != self._gap:
                return
            # Reading the journal takes a thousand questions: once a minute, whatever a forger does.
            with_journal = self._clock.seconds() - read_at >= COMPARE_S
            try:
                await self._comparison.in_passing(lambda: gap == self._gap, with_journal=with_journal)
                read_at = self._clock.seconds() if with_journal else read_at
            except (Unavailable, Refused, Malformed) as error:
                log.warning("calls not compared with Asterisk", server=self._server, error=str(error))

    async def _pause(self, gap: int) -> None:
        """Wait for the next comparison: a minute, or a second where something is suspicious."""
        await pause(self._clock, LOOK_AGAIN_S)
        if gap == self._gap and not (self._suspects or self._comparison.is_in_doubt):
            self._wanted = Deferred()
            timer = self._clock.callLater(COMPARE_S - LOOK_AGAIN_S, self._look)
            await self._wanted
            if timer.active():
                timer.cancel()
        if self._suspects:
            log.warning(
                "events of a channel are not as Asterisk writes them",
                server=self._server,
                count=self._suspects,
            )
            self._suspects = 0

    async def _catch_up(self, gap: int) -> None:
        failures = 0
        while gap == self._gap:
            try:
                await self._comparison.after_gap(lambda: gap == self._gap)
            except (Unavailable, Refused, Malformed) as error:
                failures += 1
                log.warning("not caught up with Asterisk", server=self._server, error=str(error))
                await pause(self._clock, retry_delay_s(failures))
            else:
                self._caught_up = gap
                return
