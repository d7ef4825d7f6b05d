"""The outbox's message relay: one loop per channel, so that a hung channel delays only itself.

A loop takes its work from two places. What this process has just committed comes with the lease already held and
needs no read (`Relay.offer`). Everything else is claimed from the store: what was too much to hold, what another
process left, what is due again. Either way a delivery ends in one settlement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import structlog
from twisted.internet.defer import Deferred, DeferredList

from telephony.alarms import Alarms
from telephony.background import Runner
from telephony.clock import Clock, due_s, within
from telephony.domain.delivery import Delivery
from telephony.domain.errors import Unavailable
from telephony.domain.report import Report
from telephony.periodic import Periodic
from telephony.services.spine.channel_loop import ChannelLoop
from telephony.services.spine.traffic import Lane, Traffic
from telephony.store.database import Database
from telephony.store.outbox.claiming import due_channels
from telephony.store.outbox.handing_over import Places

log = structlog.get_logger()


NO_LEASES: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Reservation:
    """Room in the loops for so many presses at most."""

    wanted: int
    counts: Mapping[str, int]
    leases: Mapping[str, float]
    least: int
    most: int
    """The smallest and the largest of the counts."""

    def leases_of(self, number: int) -> Mapping[str, float]:
        """Return the leases of the press with this number (from 0): on every channel that has room for so many."""
        if number < self.least:
            return self.leases
        if number >= self.most:
            return NO_LEASES
        return {name: lease for name, lease in self.leases.items() if number < self.counts[name]}

    @property
    def is_whole(self) -> bool:
        """Whether there is room for all of them on all channels."""
        return self.least == self.wanted


class Relay:
    """All channel loops, and the poll that finds work for which they were not woken.

    ``reader`` is the thread of the poll; without one it is the store's. The turn of 112's second URL comes by the poll.
    ``past_the_store`` tells 112 of a report that it has not taken and that the store does not give back when it is due.
    """

    def __init__(
        self,
        lanes: Iterable[Lane],
        database: Database,
        *,
        clock: Clock,
        owner: str,
        alarms: Alarms,
        poll_s: float,
        traffic: Traffic,
        past_the_store: Callable[[Report, str], None],
        reader: Runner | None = None,
    ) -> None:
        self._read = database.read if reader is None else partial(database.read_on, reader)
        self._clock = clock
        self._owner = owner
        self._poll = Periodic(self._look, "poll of the outbox", every_s=poll_s, clock=clock)
        self._traffic = traffic
        self._loop_of = partial(
            ChannelLoop,
            database=database,
            clock=clock,
            owner=owner,
            alarms=alarms,
            traffic=traffic,
            past_the_store=past_the_store,
        )
        self._loops = {lane.name: self._loop_of(lane) for lane in lanes}

    def run(self, lane: Lane) -> None:
        """Run a lane of new settings, from the next delivery on where one of its name runs already."""
        loop = self._loops.get(lane.name)
        if loop is None:
            self._loops[lane.name] = self._loop_of(lane)
        else:
            loop.lane = lane

    def start(self) -> None:
        """Look for work now, and then every poll interval."""
        self._poll.startService()

    def stop(self, within_s: float) -> Deferred[None]:
        """Let deliveries in flight end, for so many seconds at most; the rest is claimed after the next start."""
        self._poll.stopService()
        ended: Deferred[None] = DeferredList([loop.stop() for loop in self._loops.values()]).addCallback(
            _none
        )
        return within(ended, within_s, self._clock).addErrback(_none)

    @property
    def channels(self) -> frozenset[str]:
        """The channels that have a loop."""
        return frozenset(self._loops)

    def reserve(self, channels: Iterable[str], wanted: int) -> Reservation:
        """Keep room for the first deliveries of new incidents; every reservation is given back by `offer`."""
        self._traffic.presses(wanted)
        now = due_s(self._clock)
        counts, leases = {}, {}
        for name in channels:
            loop = self._loops[name]
            counts[name] = count = min(wanted, loop.room)
            leases[name] = now + loop.lane.lease_s
            loop.reserve(count)
        room = counts.values()
        return Reservation(wanted, counts, leases, min(room, default=0), max(room, default=0))

    def offer(self, reservation: Reservation, deliveries: Sequence[Delivery]) -> None:
        """Hand over committed deliveries whose lease this process holds, and give the reservation back."""
        self._traffic.answered(reservation.wanted)
        self._hand(deliveries, reservation.counts)

    def places(self) -> Places:
        """Keep a place in each lane to 112 that has time for an update at once; `take` gives them back."""
        now = due_s(self._clock)
        leases = {}
        for name, loop in self._loops.items():
            if loop.has_time_for_an_update:
                loop.reserve(1)
                leases[name] = now + loop.lane.lease_s
        return Places(self._owner, now, leases)

    def take(self, places: Places, deliveries: Sequence[Delivery]) -> None:
        """Take deliveries that this process has written into such places, in exchange for them."""
        self._hand(deliveries, dict.fromkeys(places.leases, 1))

    def wake(self, incident_id: str | None = None, channels: Iterable[str] | None = None) -> None:
        """Say that a transaction has written deliveries, of one incident or of many: on these channels, or on any."""
        # In the order of the lanes; a channel of another daemon's is rung by that.
        wanted = None if channels is None else frozenset(channels)
        for name, loop in self._loops.items():
            if wanted is None or name in wanted:
                loop.wake(incident_id)

    def _hand(self, deliveries: Sequence[Delivery], reserved: Mapping[str, int]) -> None:
        """Hand deliveries to their loops, and each loop its reservation back."""
        by_channel: dict[str, list[Delivery]] = {}
        for delivery in deliveries:
            by_channel.setdefault(delivery.channel, []).append(delivery)
        for name, count in reserved.items():
            self._loops[name].offer(by_channel.get(name, []), count)

    async def _look(self) -> None:
        try:
            for name in await self._read(due_channels, due_s(self._clock)):
                if name in self._loops:
                    self._loops[name].wake()
        except Unavailable as error:
            log.warning("poll failed", error=str(error))


def _none(_: object) -> None:
    return None
