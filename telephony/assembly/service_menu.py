"""The menu of the service number, which Asterisk asks for over FastAGI."""

from __future__ import annotations

from telephony.assembly.part import Ground, Part
from telephony.asterisk.menu.agi_server import AgiServer
from telephony.asterisk.menu.service_menu import Menu
from telephony.domain.errors import Unavailable
from telephony.domain.incident import Receipt
from telephony.domain.ports import AcceptAll
from telephony.domain.trigger import Trigger


class ServiceMenuPart(Part):
    """The menu, where the settings want it."""

    def __init__(self, ground: Ground, accept_all: AcceptAll) -> None:
        super().__init__()
        self._accept_all = accept_all
        settings = ground.settings
        if settings.service_menu is None:
            return
        service, carriers = settings.service, settings.carrier
        menu = Menu(
            settings.service_menu,
            self._accept_one,
            carriers={trunk.name: carrier.name for carrier in carriers for trunk in carrier.trunk},
            default_carrier=carriers[0].name,
            clock=ground.clock,
            language=service.language,
            country_code=service.country_code,
            trunk_prefix=service.trunk_prefix,
        )
        self.add(AgiServer(settings.service_menu, reactor=ground.clock, run=menu.run, alarms=ground.alarms))

    async def _accept_one(self, trigger: Trigger) -> Receipt | Unavailable:
        (answer,) = await self._accept_all([trigger])
        return answer
