"""Voice: the telephones that we speak by, and the Asterisk servers whose calls we follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred

from telephony.assembly.far_ends import far_end, secret_reading
from telephony.assembly.part import Ground, Part, Taken
from telephony.asterisk.ami.client import AmiClient
from telephony.asterisk.ami.packets import Packet
from telephony.asterisk.mirror.refused_calls import Mirror
from telephony.asterisk.settings import AsteriskServer
from telephony.asterisk.sos.call_back import CallBack
from telephony.asterisk.sos.control import CallControl
from telephony.asterisk.sos.followed_server import FollowedServer
from telephony.asterisk.sos.follower import CallFollower, Trunk
from telephony.asterisk.sos.recording_place import RecordingPlace
from telephony.asterisk.sos.recordings import Recordings, can_see, sizes
from telephony.asterisk.spoken import guardian_calls, voice_sender
from telephony.asterisk.spoken.guardian_calls import MayReach, SpokenGuardianCalls
from telephony.asterisk.spoken.outgoing import OutgoingCalls
from telephony.asterisk.spoken.speech import Numbering
from telephony.asterisk.spoken.voice_sender import Dialling, VoiceSender
from telephony.background import handed_to
from telephony.clock import within
from telephony.control.messages import FarEnd, FarEndKind, RetryAnswer
from telephony.domain.delivery import CALL_CONTROL
from telephony.domain.knocks import KnockRule, KnockTable
from telephony.domain.ports import AcceptAll, ReportSender
from telephony.psap.settings import Psap, VoiceChannel
from telephony.services.calls import CallLedger
from telephony.services.spine.traffic import Lane

ORDERS_AT_ONCE: Final = 16
ORDER_TIMEOUT_S: Final = 60.0
HANG_UP_WITHIN_S: Final = 1.0
SPOKEN_GRACE_S: Final = 20.0
NEXT_SERVER_S: Final = 5.0
CONTEXT: Final = "from-{}"
"""The dialplan context of a trunk's calls."""


class Telephones(Part):
    """The calls that we place: to 112 where data fails, to guardians, and to a caller whom 112 wants to hear.

    They go by whichever server is there: `is_reached_by` names one.
    """

    def __init__(self, ground: Ground, ledger: CallLedger) -> None:
        super().__init__()
        self._settings = settings = ground.settings
        self._ledger = ledger
        self._clock = ground.clock
        outside = ground.outside
        self._clients: dict[str, AmiClient] = {}
        first_trunks = {carrier.name: carrier.trunk[0].name for carrier in settings.carrier if carrier.trunk}
        # A ticket that could be guessed would confirm a call that nobody answered: never the reproducible chance.
        self.spoken = OutgoingCalls(
            lambda: tuple(self._clients.values()),
            owner=settings.service.name,
            clock=outside.reactor,
            rng=outside.rng,
        )
        self._call_back = CallBack(self._clients, first_trunks, clock=outside.reactor, rng=outside.rng)
        service = settings.service
        self._numbering = Numbering(service.country_code, service.trunk_prefix)

    @property
    def clients(self) -> Mapping[str, AmiClient]:
        """The manager interfaces by the name of their server."""
        return self._clients

    @property
    def listeners(self) -> Sequence[Callable[[Packet], None]]:
        """What has to hear every event of every server."""
        return (self._call_back.heard, self.spoken.heard)

    def is_reached_by(self, name: str, client: AmiClient) -> None:
        """Place calls by this server too."""
        self._clients[name] = client

    def sender_of(self, channel: VoiceChannel, psap: Psap) -> ReportSender:
        """Return what speaks reports on a telephone of a centre."""
        return VoiceSender(
            Dialling(
                channel.number,
                channel.endpoint,
                psap.language,
                channel.ring_s,
                channel.confirm_digit,
                channel.repeat_digit,
                channel.caller_id or "",
                self._numbering,
            ),
            self.spoken,
            self._ledger.newest_position,
            self._ledger.is_told,
            clock=self._clock,
        )

    def report_s(self, channel: VoiceChannel) -> float:
        """Return the bound on one spoken report."""
        return self._spoken_s(channel.ring_s, voice_sender.TALK_S)

    def lanes(self) -> Sequence[Lane]:
        """Return the lane of 112's orders."""
        if not self._settings.asterisk:
            return ()
        control = CallControl(self._clients, self._ledger, self._call_back.ring, now=self._clock.seconds)
        return [Lane(CALL_CONTROL, control, ORDERS_AT_ONCE, ORDER_TIMEOUT_S, rank=1)]

    def guardian_calls(self, may_reach: MayReach) -> SpokenGuardianCalls | None:
        """Return the calls to guardians, where the settings want them and there is a server."""
        guardians = self._settings.guardians
        if "call" not in guardians.by or not self._settings.asterisk:
            return None
        return SpokenGuardianCalls(
            self.spoken,
            may_reach,
            endpoint=guardians.endpoint,
            ring_s=guardians.ring_s,
            confirm_digit=guardians.confirm_digit,
            caller_id=guardians.caller_id or "",
        )

    @property
    def guardian_call_s(self) -> float:
        """The bound on one call to a guardian."""
        return self._spoken_s(self._settings.guardians.ring_s, guardian_calls.TALK_S)

    def hang_up_all(self) -> Deferred[Any]:
        """End the calls of ours, because nobody would read their digits; fires within a moment."""
        return within(self.spoken.hang_up_all(), HANG_UP_WITHIN_S, self._clock)

    def _spoken_s(self, ring_s: float, talk_s: float) -> float:
        """Return the bound on a spoken call: it is offered to one Asterisk after the other."""
        return ring_s + talk_s + SPOKEN_GRACE_S + NEXT_SERVER_S * len(self._settings.asterisk)


class AsteriskPart(Part):
    """A link to every Asterisk of the settings, with the follower of its calls; they connect on start."""

    def __init__(
        self, ground: Ground, telephones: Telephones, ledger: CallLedger, accept_all: AcceptAll
    ) -> None:
        super().__init__()
        self._ground = ground
        self._settings = settings = ground.settings
        outside = ground.outside
        self._telephones = telephones
        self._ledger = ledger
        self._accept_all = accept_all
        sees_recordings = any(can_see(server) for server in settings.asterisk)
        self._recordings_reader = outside.thread("recordings") if sees_recordings else None
        self._mirrors: list[Mirror] = []
        self._followed: dict[str, FollowedServer] = {}
        knocks = KnockTable(
            [
                KnockRule(rule.meaning, {"ko": rule.ko, "en": rule.en}, rule.digits, rule.taps)
                for rule in settings.voice.knock
            ]
        )
        for server in settings.asterisk:
            connect = partial(
                AmiClient, server, reactor=outside.reactor, rng=outside.rng, observer=ground.observer
            )
            self._add_server(server, connect, knocks)

    def stopService(self) -> Deferred[None]:  # noqa: N802 - Twisted's name
        """End the calls of ours; then leave. Calls for help go on without us."""

        def leave(_: object) -> Deferred[None]:
            return super(AsteriskPart, self).stopService()

        if self._recordings_reader is not None:
            # Not waited for: it may hang on the disk of another machine.
            self._recordings_reader.stop()
        return self._telephones.hang_up_all().addBoth(leave)

    def far_ends(self) -> Sequence[FarEnd]:
        """Return the manager interfaces."""
        return [
            far_end(
                self._ground.clock,
                FarEndKind.ASTERISK,
                name,
                "",
                followed.client.standing,
                is_caught_up=followed.is_caught_up,
            )
            for name, followed in self._followed.items()
        ]

    def take_secrets(self) -> Taken:
        """Read the secrets again; a server that waits is tried with another one."""
        taken = Taken()
        for name, followed in self._followed.items():
            if taken.reread(name, followed.client.read_again):
                followed.client.retry()
        return taken

    def retry(self, name: str) -> RetryAnswer | None:
        """Connect now, with the secret as its place has it now."""
        followed = self._followed.get(name)
        if followed is None:
            return None
        reading = secret_reading(followed.client.read_again())
        return RetryAnswer(name=name, retried=followed.client.retry(), secret=reading)

    def recognise(self) -> None:
        """Go by the tables of numbers and words as they are now."""
        for followed in self._followed.values():
            followed.follower.recognise(self._trunks())
        for mirror in self._mirrors:
            mirror.recognise(self._trunks())

    def _add_server(
        self, server: AsteriskServer, connect: Callable[..., AmiClient], knocks: KnockTable
    ) -> None:
        mirror = self._mirror(server)
        follower = CallFollower(
            server.name,
            self._trunks(),
            utc_offset=self._settings.service.utc_offset,
            is_service=self._is_service,
            knocks=knocks,
            knock_gap_s=self._settings.voice.knock_gap_s,
            accept_all=self._accept_all,
            book=self._ledger,
            clock=self._ground.clock,
            carried_by=_nothing if mirror is None else mirror.has_channel,
        )
        if mirror is not None:
            mirror.on_invite = follower.carried
        followed = FollowedServer(
            server.name,
            connect,
            follower,
            self._ledger,
            listeners=self._telephones.listeners,
            on_lost=self._telephones.spoken.lost,
            on_channels=self._telephones.spoken.standing,
            recordings=self._recordings(server),
            clock=self._ground.clock,
        )
        self.add(followed)
        self._followed[server.name] = followed
        self._telephones.is_reached_by(server.name, followed.client)

    def recording_places(self) -> list[RecordingPlace]:
        """Return where recordings can be seen from here."""
        return [
            RecordingPlace(server, self._followed[server.name])
            for server in self._settings.asterisk
            if can_see(server)
        ]

    def _recordings(self, server: AsteriskServer) -> Recordings | None:
        reader = self._recordings_reader
        if reader is None or not can_see(server):
            return None

        def look(files: Sequence[Path]) -> Deferred[list[int | str]]:
            return handed_to(reader, partial(sizes, files))

        return Recordings(
            server.name, server.recordings, look=look, alarms=self._ground.alarms, clock=self._ground.clock
        )

    def _mirror(self, server: AsteriskServer) -> Mirror | None:
        """Add the ear for what a server mirrors, where the settings want one."""
        if server.mirror is None:
            return None
        networks = [
            (ip_network(address), trunk.name)
            for carrier in self._settings.carrier
            for trunk in carrier.trunk
            for address in trunk.addresses
        ]
        mirror = Mirror(
            server.name,
            server.mirror,
            self._trunks(),
            lambda address: next((name for network, name in networks if address in network), None),
            accept_all=self._accept_all,
            alarms=self._ground.alarms,
            reactor=self._ground.clock,
        )
        self.add(mirror)
        self._mirrors.append(mirror)
        return mirror

    def _is_service(self, dialled: str) -> bool:
        return self._ground.recognitions.of("").service_number(dialled) is not None

    def _trunks(self) -> list[Trunk]:
        return [
            Trunk(
                trunk.name,
                carrier.name,
                CONTEXT.format(trunk.name),
                self._ground.recognitions.of(carrier.name),
            )
            for carrier in self._settings.carrier
            for trunk in carrier.trunk
        ]


def _nothing(sip_call_id: str) -> None:
    """Return what is known of an INVITE where nothing is mirrored."""
