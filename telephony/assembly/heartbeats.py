"""The heartbeats to the 112 centres as a part: one for each channel by data of a centre that wants them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

from twisted.internet.defer import maybeDeferred

from telephony.assembly.centre import CentrePart
from telephony.assembly.part import Ground, Part
from telephony.clock import age_s, utc_now
from telephony.control.messages import FarEnd, FarEndKind
from telephony.domain.heartbeat import Heartbeat, HouseState, Owing
from telephony.net.standing import FarEndState
from telephony.services.keeping.heartbeats import BeatingChannel, Heartbeats
from telephony.services.keeping.store_look import NoAnswer
from telephony.store.outbox.owed import Owed

LINKS: Final = frozenset({FarEndKind.SMPP, FarEndKind.PEER, FarEndKind.ASTERISK})
"""What we keep a connection with, so that it is up or not."""


class HeartbeatsPart(Part):
    """Heartbeats by each channel of ``centre`` that has them.

    ``far_ends`` are those of the whole house, and ``store`` counts what is owed.
    """

    def __init__(
        self,
        ground: Ground,
        centre: CentrePart,
        far_ends: Callable[[], Sequence[FarEnd]],
        store: Callable[[], Awaitable[Owed | NoAnswer]],
    ) -> None:
        super().__init__()
        self._ground = ground
        self._centre = centre
        self._far_ends = far_ends
        self._store = store
        self._started_at = utc_now(ground.clock)
        self._beating: dict[str, Heartbeats] = {}
        self.take()

    def take(self) -> None:
        """Go by the channels of the centres as they are now; those that did not change beat on."""
        wanted = {channel.name: channel for channel in self._centre.beating()}
        for name, heartbeats in list(self._beating.items()):
            if wanted.get(name) != heartbeats.channel:
                del self._beating[name]
                maybeDeferred(heartbeats.disownServiceParent)
        for name, channel in wanted.items():
            if name not in self._beating:
                self._beating[name] = heartbeats = Heartbeats(
                    channel, self._heartbeat, alarms=self._ground.alarms, clock=self._ground.clock
                )
                self.add(heartbeats)

    async def _heartbeat(self, channel: BeatingChannel, number: int) -> Heartbeat:
        state, service = await self._state(), self._ground.settings.service.name
        return Heartbeat(
            f"heartbeat-{service}-{channel.name}-{self._started_at:%Y%m%dT%H%M%S}-{number}",
            service,
            channel.name,
            number,
            self._started_at,
            utc_now(self._ground.clock),
            channel.every_s,
            state,
        )

    async def _state(self) -> HouseState:
        seen = await self._store()
        links = [each for each in self._far_ends() if each.kind in LINKS]
        return HouseState(
            links=len(links),
            links_down=tuple(each.name for each in links if each.state is not FarEndState.UP),
            owing=None if isinstance(seen, NoAnswer) else self._owing(seen),
            alarms=tuple(dict.fromkeys(each.name for each in self._ground.alarms.standing())),
        )

    def _owing(self, seen: Owed) -> Owing:
        return Owing(seen.reports, self._age_s(seen.oldest_at), seen.is_more)

    def _age_s(self, at: datetime | None) -> int | None:
        return None if at is None else int(age_s(self._ground.clock, at))
