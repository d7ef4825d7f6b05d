"""Doors beside the links: HTTP for machines (the location URL of 112, presses), and the menu of the service number."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from twisted.web.resource import Resource

from telephony.assembly.part import CANNOT_BE_MADE, Ground, Part, Taken
from telephony.asterisk.menu.agi_server import AgiServer
from telephony.asterisk.menu.service_menu import Menu
from telephony.asterisk.settings import ServiceMenu
from telephony.domain.errors import Unavailable
from telephony.domain.incident import Receipt
from telephony.domain.ports import AcceptAll
from telephony.domain.trigger import Trigger
from telephony.doors.centres import CentreDoor
from telephony.doors.location import LocationResource
from telephony.doors.machines import Machine, Machines
from telephony.doors.press_reading import Source
from telephony.doors.presses import Agreed, Numbering, PressDoor
from telephony.doors.server import ABOUT, WebServer
from telephony.doors.settings import Presser, Web
from telephony.net.refusals import Refusals
from telephony.psap.settings import Psap
from telephony.services.audit import Audit
from telephony.services.calls import CallLedger
from telephony.services.centre_statuses import CentreStatuses
from telephony.services.device_fixes import DeviceFixes
from telephony.services.position_reads import PositionReads
from telephony.services.spine.outbox import Outbox


class DoorsPart(Part):
    """Servers of ours, where the settings want them."""

    def __init__(
        self, ground: Ground, ledger: CallLedger, audit: Audit, accept_all: AcceptAll, outbox: Outbox
    ) -> None:
        super().__init__()
        self._ground = ground
        self._outbox = outbox
        self._refusals = Refusals(ground.clock, ABOUT, ground.alarms)
        self._machines: list[Machines] = []
        self._psaps: Sequence[Psap] = ground.settings.psap
        self._centre_door: CentreDoor | None = None
        self._settings = settings = ground.settings
        self._accept_all = accept_all
        self._position_reads = PositionReads(audit, ground.clock)
        if settings.web is not None:
            self._add_web(settings.web, ledger)
        if settings.service_menu is not None:
            self._add_service_menu(settings.service_menu)

    async def stop(self) -> None:
        """Hand over the entries about positions that were read."""
        self._position_reads.stop()
        self._refusals.stop()

    def take(self, psaps: Sequence[Psap]) -> Taken:
        """Know these centres from now on, and read the tokens of all machines again; one that cannot be used stays as it was."""
        taken = Taken()
        for machines in self._machines:
            for name, read in machines.read_again().items():
                taken.reread(name, read)
        if self._centre_door is not None:
            try:
                self._centre_door.machines = self._centres_of(psaps)
            except CANNOT_BE_MADE as error:
                taken.refused["status_token"] = str(error)
                return taken
        self._psaps = psaps
        return taken

    def _add_web(self, web: Web, ledger: CallLedger) -> None:
        location = LocationResource(
            ledger.holder,
            host=self._settings.psap[0].sender,
            clock=self._ground.clock,
            saw=self._position_reads.saw,
        )
        resources: dict[str, Resource] = {"v1/location": location}
        if web.presser:
            resources["v1/presses"] = self._press_door(web.presser)
        resources["v1/centre"] = self._centre_door = self._make_centre_door()
        self.add(WebServer(web, resources, reactor=self._ground.clock, alarms=self._ground.alarms))

    def _press_door(self, pressers: Sequence[Presser]) -> PressDoor:
        service, clock = self._settings.service, self._ground.clock
        return PressDoor(
            self._known([Machine(each.name, each.token, each.addresses) for each in pressers]),
            {each.name: Agreed([*map(Source, each.sources)], each.carriers) for each in pressers},
            accept_all=self._accept_all,
            keep_fix=DeviceFixes(self._outbox, clock=clock).keep,
            numbering=Numbering(service.country_code, service.trunk_prefix, service.zone),
            clock=clock,
        )

    def _make_centre_door(self) -> CentreDoor:
        statuses = CentreStatuses(
            self._outbox, self._channels_of, zone=self._settings.service.zone, clock=self._ground.clock
        )
        return CentreDoor(self._centres_of(self._psaps), statuses.take, self._ground.clock)

    def _channels_of(self, centre: str) -> Collection[str]:
        return {channel.name for psap in self._psaps if psap.name == centre for channel in psap.channel}

    def _centres_of(self, psaps: Sequence[Psap]) -> Machines:
        tokens = [Machine(psap.name, psap.status_token) for psap in psaps if psap.status_token is not None]
        return Machines(tokens, self._refusals)

    def _known(self, machines: Sequence[Machine]) -> Machines:
        known = Machines(machines, self._refusals)
        self._machines.append(known)
        return known

    def _add_service_menu(self, service_menu: ServiceMenu) -> None:
        service, carriers = self._settings.service, self._settings.carrier
        menu = Menu(
            service_menu,
            self._accept_one,
            carriers={trunk.name: carrier.name for carrier in carriers for trunk in carrier.trunk},
            default_carrier=carriers[0].name,
            clock=self._ground.clock,
            language=service.language,
            country_code=service.country_code,
            trunk_prefix=service.trunk_prefix,
        )
        self.add(
            AgiServer(service_menu, reactor=self._ground.clock, run=menu.run, alarms=self._ground.alarms)
        )

    async def _accept_one(self, trigger: Trigger) -> Receipt | Unavailable:
        (answer,) = await self._accept_all([trigger])
        return answer
