"""Names of incidents: short enough to read over a radio, and the same for the same press."""

from __future__ import annotations

from datetime import datetime, tzinfo
from hashlib import blake2b

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no i, l, o or u, so that nothing is misread or misheard."""
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_HOUR_S = 3600


class IncidentNames:
    """Derives the id that a press opens an incident under, e.g. ``sos-20261123-7k3qwz2m9t``.

    The id follows from the press's reference and hour under a secret key. So a press that could only be relayed
    directly, because the store was down, gets the same id when the sender delivers it again, even from another
    daemon or after a restart; and the id betrays nothing of the number to somebody without the key.
    """

    def __init__(self, key: bytes, zone: tzinfo) -> None:
        self._key = key
        self._zone = zone
        self._hour = -1
        self._prefix = ""

    def go_by(self, key: bytes) -> None:
        """Name presses by another key from now on."""
        self._key = key

    def name(self, reference: str, received_at: datetime) -> str:
        """Return the id for a press with this reference, received at this time (aware)."""
        hour = int(received_at.timestamp()) // _HOUR_S
        if hour != self._hour:
            self._hour = hour
            # Of the hour and not of this press: in some zones midnight falls within it.
            self._prefix = datetime.fromtimestamp(hour * _HOUR_S, self._zone).strftime("sos-%Y%m%d-")
        digest = blake2b(
            f"{hour}:{reference}".encode("utf-8", "surrogatepass"), key=self._key, digest_size=8
        ).digest()
        bits = int.from_bytes(digest, "big")
        return (
            self._prefix
            + _PAIRS[bits & 1023]
            + _PAIRS[bits >> 10 & 1023]
            + _PAIRS[bits >> 20 & 1023]
            + _PAIRS[bits >> 30 & 1023]
            + _PAIRS[bits >> 40 & 1023]
        )
