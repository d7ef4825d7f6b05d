"""The recordings of one Asterisk as seen from this host, and its standing calls, for the sealing of recordings."""

from __future__ import annotations

from pathlib import Path

from telephony.asterisk.settings import AsteriskServer
from telephony.asterisk.sos.followed_server import FollowedServer
from telephony.asterisk.sos.recordings import folder_of


class RecordingPlace:
    """See `telephony.services.recordings_keeping.Place`."""

    def __init__(self, server: AsteriskServer, followed: FollowedServer) -> None:
        self.server = server.name
        self._followed = followed
        self._folder = server.recordings

    async def folder(self) -> Path | None:
        """Return the folder of the settings, or where Asterisk says that it records; None while it does not say."""
        self._folder = self._folder or await folder_of(self._followed.client)
        return self._folder

    def standing(self) -> frozenset[str] | None:
        """Return the names of calls that stand; None until the calls were compared with Asterisk after the last gap."""
        if not self._followed.is_caught_up:
            return None
        return frozenset(
            call.incident_id for call in self._followed.follower.calls.live() if call.incident_id
        )
