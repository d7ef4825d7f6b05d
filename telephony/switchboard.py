"""The voice part of the daemon, assembled: Asterisk lines, the desk behind each, and the orders of 112."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred

from telephony.asterisk import guardian_calls, voice_sender
from telephony.asterisk.ami import Packet
from telephony.asterisk.call_back import CallBack
from telephony.asterisk.client import AmiClient
from telephony.asterisk.control import CallControl
from telephony.asterisk.desk import CallDesk, Trunk
from telephony.asterisk.guardian_calls import MayReach, SpokenGuardianCalls
from telephony.asterisk.line import Line
from telephony.asterisk.mirror import Mirror
from telephony.asterisk.outgoing import OutgoingCalls
from telephony.asterisk.recordings import Recordings, can_see, sizes
from telephony.asterisk.settings import AsteriskServer
from telephony.asterisk.speech import Numbering
from telephony.asterisk.voice_sender import Line as SpokenLine
from telephony.asterisk.voice_sender import VoiceSender
from telephony.clock import within
from telephony.domain.delivery import CALL_CONTROL
from telephony.domain.knocks import KnockRule, KnockTable
from telephony.domain.ports import AcceptAll, ReportSender
from telephony.services.alarms import Alarms
from telephony.services.calls import CallLedger
from telephony.services.links import LinkObserver
from telephony.services.reporting import ReportChannel
from telephony.services.told import ToldReports
from telephony.services.traffic import Lane
from telephony.settings import Settings
from telephony.store.database import Runner

ORDERS_AT_ONCE = 16
ORDER_TIMEOUT_S = 60.0
HANG_UP_WITHIN_S = 1.0
SPOKEN_GRACE_S = 20.0
NEXT_SERVER_S = 5.0
CONTEXT = "from-{}"
"""The dialplan context of a trunk's calls."""


class Switchboard(MultiService):
    """All Asterisk servers of the settings. The channels that need them exist before the lines do."""

    def __init__(
        self,
        settings: Settings,
        ledger: CallLedger,
        *,
        reactor: Any,
        rng: random.Random,
        observer: LinkObserver,
        alarms: Alarms,
        runner: Callable[[], Runner],
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._settings = settings
        self._numbers = settings.recognition_for("")
        """Those of all carriers: the service numbers among them, which are dialled in any form."""
        self._ledger = ledger
        self._reactor = reactor
        self._rng = rng
        self._observer = observer
        self._alarms = alarms
        self._recordings_reader = runner() if any(can_see(server) for server in settings.asterisk) else None
        self._mirrors: list[Mirror] = []
        self._lines: dict[str, Line] = {}
        self._clients: dict[str, AmiClient] = {}
        first_trunks = {carrier.name: carrier.trunk[0].name for carrier in settings.carrier if carrier.trunk}
        # A ticket that could be guessed would confirm a call that nobody answered: never the reproducible chance.
        self._spoken = OutgoingCalls(
            lambda: tuple(self._clients.values()), owner=settings.service.name, clock=reactor, rng=rng
        )
        self._call_back = CallBack(self._clients, first_trunks, clock=reactor, rng=rng)

    def stopService(self) -> Deferred[Any]:  # noqa: N802 - Twisted's name
        """End the calls of ours, because nobody would read their digits; then leave. Calls for help go on without us."""

        def leave(_: object) -> Any:
            return super(Switchboard, self).stopService()  # type: ignore[no-untyped-call]

        if self._recordings_reader is not None:
            # Not waited for: it may hang on the disk of another machine.
            self._recordings_reader.stop()

        left: Deferred[Any] = within(self._spoken.hang_up_all(), HANG_UP_WITHIN_S, self._reactor)
        return left.addBoth(leave)

    @property
    def clients(self) -> Mapping[str, AmiClient]:
        """The manager interfaces by the name of their server."""
        return self._clients

    def senders(self) -> dict[str, VoiceSender]:
        """Give the telephones to 112 by the name of their channel."""
        service = self._settings.service
        numbering = Numbering(service.country_code, service.trunk_prefix)
        senders = {}
        for psap in self._settings.psap:
            for each in psap.voice:
                line = SpokenLine(
                    each.number,
                    each.endpoint,
                    psap.language,
                    each.ring_s,
                    each.confirm_digit,
                    each.repeat_digit,
                    each.caller_id or "",
                    numbering,
                )
                senders[each.name] = VoiceSender(
                    line,
                    self._spoken,
                    self._ledger.newest_position,
                    self._ledger.is_told,
                    clock=self._reactor,
                )
        return senders

    def report_lanes(self, senders: Mapping[str, ReportSender], told: ToldReports) -> list[Lane]:
        """Give a lane for each telephone to 112."""
        return [
            Lane(
                each.name,
                ReportChannel(senders[each.name], told),
                each.concurrency,
                self._spoken_s(each.ring_s, voice_sender.TALK_S),
                rank=0,
            )
            for psap in self._settings.psap
            for each in psap.voice
        ]

    def lanes(self) -> list[Lane]:
        """Give the lane of 112's orders."""
        lanes = []
        if self._settings.asterisk:
            control = CallControl(
                self._clients, self._ledger, self._call_back.ring, now=self._reactor.seconds
            )
            lanes.append(Lane(CALL_CONTROL, control, ORDERS_AT_ONCE, ORDER_TIMEOUT_S, rank=1))
        return lanes

    def guardian_calls(self, may_reach: MayReach) -> SpokenGuardianCalls | None:
        """Give the calls to guardians, where the settings want them and there is a line."""
        guardians = self._settings.guardians
        if "call" not in guardians.by or not self._settings.asterisk:
            return None
        return SpokenGuardianCalls(
            self._spoken,
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

    def _spoken_s(self, ring_s: float, talk_s: float) -> float:
        """Give the bound on a spoken call: it is offered to one Asterisk after the other."""
        return ring_s + talk_s + SPOKEN_GRACE_S + NEXT_SERVER_S * len(self._settings.asterisk)

    def open_lines(self, accept_all: AcceptAll) -> None:
        """Add a line for every Asterisk; they connect when the service starts."""
        rules = [
            KnockRule(rule.meaning, {"ko": rule.ko, "en": rule.en}, rule.digits, rule.taps)
            for rule in self._settings.voice.knock
        ]
        for server in self._settings.asterisk:
            mirror = self._mirror(server, accept_all)
            desk = CallDesk(
                server.name,
                self._trunks(),
                is_service=self._is_service,
                knocks=KnockTable(rules),
                knock_gap_s=self._settings.voice.knock_gap_s,
                accept_all=accept_all,
                book=self._ledger,
                clock=self._reactor,
                carried_by=_nothing if mirror is None else mirror.has_channel,
            )
            if mirror is not None:
                mirror.on_invite = desk.carried
            connect = partial(
                AmiClient, server, reactor=self._reactor, rng=self._rng, observer=self._observer
            )
            line = Line(
                server.name,
                connect,
                desk,
                self._ledger,
                listeners=self._listeners,
                on_lost=self._spoken.lost,
                on_channels=self._spoken.standing,
                recordings=self._recordings(server),
                clock=self._reactor,
            )
            line.setServiceParent(self)  # type: ignore[no-untyped-call]
            self._lines[server.name] = line
            self._clients[server.name] = line.client

    def _recordings(self, server: AsteriskServer) -> Recordings | None:
        reader = self._recordings_reader
        if reader is None or not can_see(server):
            return None

        def look(files: Sequence[Path]) -> Deferred[list[int | str]]:
            found: Deferred[list[int | str]] = Deferred()
            reader.run(partial(sizes, files), found.callback)
            return found

        return Recordings(server.name, server.recordings, look=look, alarms=self._alarms, clock=self._reactor)

    def _mirror(self, server: AsteriskServer, accept_all: AcceptAll) -> Mirror | None:
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
            accept_all=accept_all,
            places=self._ledger,
            alarms=self._alarms,
            reactor=self._reactor,
        )
        mirror.setServiceParent(self)  # type: ignore[no-untyped-call]
        self._mirrors.append(mirror)
        return mirror

    def reload(self, settings: Settings) -> None:
        """Take over the recognition tables of new settings."""
        self._settings = settings
        self._numbers = settings.recognition_for("")
        for line in self._lines.values():
            line.desk.recognise(self._trunks())
        for mirror in self._mirrors:
            mirror.recognise(self._trunks())

    @property
    def _listeners(self) -> Sequence[Callable[[Packet], None]]:
        return (self._call_back.heard, self._spoken.heard)

    def _is_service(self, dialled: str) -> bool:
        return self._numbers.service_number(dialled) is not None

    def _trunks(self) -> list[Trunk]:
        return [
            Trunk(
                trunk.name,
                carrier.name,
                CONTEXT.format(trunk.name),
                self._settings.recognition_for(carrier.name),
            )
            for carrier in self._settings.carrier
            for trunk in carrier.trunk
        ]


def _nothing(sip_call_id: str) -> None:
    """Return what is known of an INVITE where nothing is mirrored."""
