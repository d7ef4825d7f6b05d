"""The recordings of calls: sealed, registered, and destroyed when their time is over."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from telephony.assembly.part import Ground, Part
from telephony.assembly.store import StorePart
from telephony.services.recordings_keeping import Place, RecordingsKeeping


class RecordingsPart(Part):
    """Keeps the recordings of each Asterisk whose folder is seen from here."""

    def __init__(self, ground: Ground, store: StorePart, places: Iterable[Place]) -> None:
        super().__init__()
        self._keepings = [
            RecordingsKeeping(
                place,
                store.database,
                host=socket.gethostname(),
                utc_offset=ground.settings.service.utc_offset,
                keys=store.key_file.ring,
                runner=ground.outside.thread(f"recordings-{place.server}"),
                clock=ground.clock,
                alarms=ground.alarms,
                is_pressed=lambda: ground.traffic.is_pressed,
                fold_back=store.empty_the_log,
            )
            for place in places
        ]

    def start(self) -> None:
        """Look now, and go on looking."""
        for keeping in self._keepings:
            keeping.start()

    async def stop(self) -> None:
        """Stop between two steps."""
        for keeping in self._keepings:
            keeping.stop()
