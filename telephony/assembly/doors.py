"""Doors beside the links: the location URL of 112, and the menu of the service number."""

from __future__ import annotations

from telephony.assembly.part import Ground, Part
from telephony.asterisk.menu.agi_server import AgiServer
from telephony.asterisk.menu.service_menu import Menu
from telephony.asterisk.settings import ServiceMenu
from telephony.domain.errors import Unavailable
from telephony.domain.incident import Receipt
from telephony.domain.ports import AcceptAll
from telephony.domain.trigger import Trigger
from telephony.doors.location import LocationResource
from telephony.doors.server import WebServer
from telephony.doors.settings import Web
from telephony.services.audit import Audit
from telephony.services.calls import CallLedger
from telephony.services.position_reads import PositionReads


class DoorsPart(Part):
    """Servers of ours, where the settings want them."""

    def __init__(self, ground: Ground, ledger: CallLedger, audit: Audit, accept_all: AcceptAll) -> None:
        super().__init__()
        self._ground = ground
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

    def _add_web(self, web: Web, ledger: CallLedger) -> None:
        location = LocationResource(
            ledger.holder,
            host=self._settings.psap[0].sender,
            clock=self._ground.clock,
            saw=self._position_reads.saw,
        )
        self.add(
            WebServer(web, {"v1/location": location}, reactor=self._ground.clock, alarms=self._ground.alarms)
        )

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
