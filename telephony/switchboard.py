"""The voice part of the daemon, assembled: Asterisk lines, the desk behind each, and the orders of 112."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from twisted.application.service import MultiService

from telephony.asterisk.ami import Packet
from telephony.asterisk.call_back import CallBack
from telephony.asterisk.client import AmiClient
from telephony.asterisk.control import CallControl
from telephony.asterisk.desk import CallDesk, Trunk
from telephony.asterisk.line import Line
from telephony.domain.delivery import CALL_CONTROL
from telephony.domain.knocks import KnockRule, KnockTable
from telephony.domain.ports import AcceptAll
from telephony.services.calls import CallLedger
from telephony.services.links import LinkObserver
from telephony.services.traffic import Lane
from telephony.settings import Settings

ORDERS_AT_ONCE = 16
ORDER_TIMEOUT_S = 60.0
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
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._settings = settings
        self._ledger = ledger
        self._reactor = reactor
        self._rng = rng
        self._observer = observer
        self._lines: dict[str, Line] = {}
        self._clients: dict[str, AmiClient] = {}
        first_trunks = {carrier.name: carrier.trunk[0].name for carrier in settings.carrier if carrier.trunk}
        self._call_back = CallBack(self._clients, first_trunks, clock=reactor, rng=rng)

    @property
    def clients(self) -> Mapping[str, AmiClient]:
        """The manager interfaces by the name of their server."""
        return self._clients

    def lanes(self) -> list[Lane]:
        """Give the lane of 112's orders."""
        if not self._settings.asterisk:
            return []
        control = CallControl(self._clients, self._ledger, self._call_back.ring, now=self._reactor.seconds)
        return [Lane(CALL_CONTROL, control, ORDERS_AT_ONCE, ORDER_TIMEOUT_S, rank=1)]

    def open_lines(self, accept_all: AcceptAll) -> None:
        """Add a line for every Asterisk; they connect when the service starts."""
        rules = [
            KnockRule(rule.meaning, {"ko": rule.ko, "en": rule.en}, rule.digits, rule.taps)
            for rule in self._settings.voice.knock
        ]
        for server in self._settings.asterisk:
            desk = CallDesk(
                server.name,
                self._trunks(),
                is_service=self._is_service,
                knocks=KnockTable(rules),
                knock_gap_s=self._settings.voice.knock_gap_s,
                accept_all=accept_all,
                book=self._ledger,
                clock=self._reactor,
            )
            connect = partial(
                AmiClient, server, reactor=self._reactor, rng=self._rng, observer=self._observer
            )
            line = Line(
                server.name, connect, desk, self._ledger, listeners=self._listeners, clock=self._reactor
            )
            line.setServiceParent(self)  # type: ignore[no-untyped-call]
            self._lines[server.name] = line
            self._clients[server.name] = line.client

    def reload(self, settings: Settings) -> None:
        """Take over the recognition tables of new settings."""
        self._settings = settings
        for line in self._lines.values():
            line.desk.recognise(self._trunks())

    @property
    def _listeners(self) -> Sequence[Callable[[Packet], None]]:
        return (self._call_back.heard,)

    def _is_service(self, dialled: str) -> bool:
        return dialled in self._settings.recognition.service_numbers

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
