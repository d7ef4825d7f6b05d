"""Doors beside the links: HTTP for machines, which are the location URL of 112, presses, and what a centre's own system tells us.

Imported only by a daemon whose settings have ``[web]``: without it, what HTTP takes of the memory is not spent.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from twisted.web.resource import Resource

from telephony.assembly.part import CANNOT_BE_MADE, Ground, Part, Taken
from telephony.domain.ports import AcceptAll
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
    """The server of ``[web]``."""

    def __init__(  # noqa: PLR0917 - what each of its resources speaks to
        self,
        ground: Ground,
        web: Web,
        ledger: CallLedger,
        audit: Audit,
        accept_all: AcceptAll,
        outbox: Outbox,
    ) -> None:
        super().__init__()
        self._ground = ground
        self._outbox = outbox
        self._refusals = Refusals(ground.clock, ABOUT, ground.alarms)
        self._machines: list[Machines] = []
        self._psaps: Sequence[Psap] = ground.settings.psap
        self._settings = ground.settings
        self._accept_all = accept_all
        self._position_reads = PositionReads(audit, ground.clock)
        location = LocationResource(
            ledger.holder,
            host=self._settings.psap[0].sender,
            clock=ground.clock,
            saw=self._position_reads.saw,
        )
        resources: dict[str, Resource] = {"v1/location": location}
        if web.presser:
            resources["v1/presses"] = self._press_door(web.presser)
        resources["v1/centre"] = self._centre_door = self._make_centre_door()
        self.add(WebServer(web, resources, reactor=ground.clock, alarms=ground.alarms))

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
        try:
            self._centre_door.machines = self._centres_of(psaps)
        except CANNOT_BE_MADE as error:
            taken.refused["status_token"] = str(error)
        else:
            self._psaps = psaps
        return taken

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
