"""The names of far ends, as a part."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from telephony.assembly.part import Ground, Part
from telephony.net.names import Names

NAMES_FILE: Final = "names.json"
"""In the state directory: where the names of far ends led when they were last found."""


class NamesPart(Part):
    """The names of far ends, found ahead and remembered: as the reactor's own resolver."""

    def __init__(self, ground: Ground) -> None:
        super().__init__()
        self._reactor = ground.clock
        self.names = Names(
            ground.settings.far_hosts,
            ground.settings.service.state_dir / NAMES_FILE,
            clock=ground.clock,
            thread=ground.outside.thread,
            alarms=ground.alarms,
        )
        self._others = ground.clock.installNameResolver(self.names)

    def take(self, hosts: Iterable[str]) -> None:
        """Look these up ahead from now on; what was looked up before still is."""
        self.names.look_ahead(hosts)

    def start(self) -> None:
        """Look them up."""
        self.names.start()

    async def stop(self) -> None:
        """Give the reactor its own resolver back."""
        self.names.stop()
        self._reactor.installNameResolver(self._others)
