"""The ways to the 112 centres, and the objects that all ways share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from telephony.assembly.adapters import ChannelAdapter, channel_of
from telephony.assembly.far_ends import far_end, moment, secret_reading
from telephony.assembly.part import CANNOT_BE_MADE, Ground, Part, Taken
from telephony.assembly.voice import Telephones
from telephony.background import run_in_background
from telephony.clock import pause
from telephony.control.messages import FarEnd, FarEndKind, HeartbeatLook, RetryAnswer
from telephony.domain.ports import ReportSender
from telephony.net.standing import Retried
from telephony.psap.settings import Channel, Psap
from telephony.services.keeping.heartbeats import BeatingChannel, HeartbeatRecord
from telephony.services.spine.noted import NotedSender
from telephony.services.spine.reporting import ReportChannel
from telephony.services.spine.told import ToldReports
from telephony.services.spine.traffic import Lane


@dataclass(frozen=True, slots=True)
class _Way:
    """A channel, the settings that its adapter was made of, and the adapter."""

    psap: Psap
    channel: Channel
    adapter: ChannelAdapter

    def serves(self, psap: Psap, channel: Channel) -> bool:
        """Whether the adapter is the one of these settings; which carriers a centre has makes no difference to it."""
        return self.channel == channel and _without_routes(self.psap) == _without_routes(psap)


class CentrePart(Part):
    """A sender for each channel of each centre."""

    def __init__(self, ground: Ground, told: ToldReports, telephones: Telephones) -> None:
        super().__init__()
        self._ground = ground
        self._told = told
        self._telephones = telephones
        self.psaps: Sequence[Psap] = ground.settings.psap
        """The centres as they are now."""
        self._ways = {channel.name: self._way(psap, channel) for psap, channel in _channels(self.psaps)}
        self._noted = {
            name: NotedSender(way.adapter.speaker, ground.clock) for name, way in self._ways.items()
        }
        self.senders: Mapping[str, ReportSender] = self._noted
        """By the name of the channel; one that left the settings delivers what it still owes."""
        self._heartbeats: dict[str, HeartbeatRecord] = {}
        """By the name of the channel: what became of those that went by it."""
        self._former: list[_Way] = []
        """Those that were changed for others, and in which something may be in flight."""

    def take(self, psaps: Sequence[Psap]) -> Taken:
        """Take new and changed centres in, all or none: a report must find every channel that the plan names.

        A changed channel sends its next report anew; what is in flight ends as it began.
        """
        taken, fresh, failed = Taken(), dict[str, _Way](), dict[str, str]()
        for psap, channel in _channels(psaps):
            way = self._ways.get(channel.name)
            if way is not None and way.serves(psap, channel):
                taken.reread(channel.name, way.adapter.read_again)
                continue
            try:
                fresh[channel.name] = self._way(psap, channel)
            except CANNOT_BE_MADE as error:
                failed[channel.name] = str(error)
        if failed:
            for way in fresh.values():
                run_in_background(_closed(way), "closing a channel that is not used")
            taken.refused |= failed
            return taken
        for name, way in fresh.items():
            self._use(name, way)
        self.psaps = tuple(psaps)
        return taken

    def _way(self, psap: Psap, channel: Channel) -> _Way:
        return _Way(psap, channel, channel_of(channel, psap, self._ground, self._telephones))

    def _use(self, name: str, way: _Way) -> None:
        former = self._ways.get(name)
        self._ways[name] = way
        if former is None:
            self._noted[name] = NotedSender(way.adapter.speaker, self._ground.clock)
        else:
            self._noted[name].sender = way.adapter.speaker
            self._former.append(former)
            run_in_background(self._close_later(former), "closing a changed channel")

    async def _close_later(self, way: _Way) -> None:
        await pause(self._ground.clock, way.adapter.attempt_s)
        if way in self._former:
            self._former.remove(way)
            await way.adapter.close()

    def far_ends(self) -> Sequence[FarEnd]:
        """Return the channels."""
        return [
            far_end(
                self._ground.clock,
                FarEndKind.CENTRE,
                channel.name,
                psap.name,
                self._noted[channel.name].asked.standing,
                heartbeat=self._heartbeat_look(psap, channel),
            )
            for psap, channel in _channels(self.psaps)
        ]

    def _heartbeat_look(self, psap: Psap, channel: Channel) -> HeartbeatLook | None:
        record = self._heartbeats.get(channel.name)
        if psap.heartbeat_s is None or record is None:
            return None
        taken_at = None if record.taken_s is None else moment(self._ground.clock, record.taken_s)
        return HeartbeatLook(every_s=psap.heartbeat_s, taken_at=taken_at, misses=record.misses)

    def beating(self) -> Sequence[BeatingChannel]:
        """Return the channels by which heartbeats go, as they are now."""
        return [
            BeatingChannel(
                channel.name,
                psap.heartbeat_s,
                way.adapter.heartbeats,
                way.adapter.attempt_s,
                self._noted[channel.name],
                self._heartbeats.setdefault(channel.name, HeartbeatRecord()),
            )
            for psap, channel in _channels(self.psaps)
            for way in [self._ways[channel.name]]
            if psap.heartbeat_s is not None and way.adapter.heartbeats is not None
        ]

    def retry(self, name: str) -> RetryAnswer | None:
        """Send the next report with the secret as its place has it now."""
        way = self._ways.get(name)
        if way is None:
            return None
        reading = secret_reading(way.adapter.read_again())
        return RetryAnswer(name=name, retried=Retried.WITH_THE_NEXT, secret=reading)

    def lanes(self) -> Sequence[Lane]:
        """Return a lane for each channel."""
        return [
            Lane(
                channel.name,
                ReportChannel(self.senders[channel.name], self._told),
                channel.concurrency,
                self._ways[channel.name].adapter.attempt_s,
                rank=0,
            )
            for _, channel in _channels(self.psaps)
        ]

    async def stop(self) -> None:
        """Close the connections."""
        former, self._former = self._former, []
        for way in (*former, *self._ways.values()):
            await way.adapter.close()


def _channels(psaps: Sequence[Psap]) -> Iterator[tuple[Psap, Channel]]:
    for psap in psaps:
        for channel in psap.channel:
            yield psap, channel


def _without_routes(psap: Psap) -> Psap:
    return psap.model_copy(update={"carriers": (), "channel": ()})


async def _closed(way: _Way) -> None:
    await way.adapter.close()
