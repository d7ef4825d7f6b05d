"""Rings the caller's phone and connects it to 112. It does not ask `telephony.domain.silence`: its caller does."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as GaveUp

from telephony.asterisk.ami.client import AmiClient
from telephony.asterisk.ami.packets import Packet
from telephony.clock import Clock, within
from telephony.domain.errors import Refused, Unavailable

CONTEXT = "sos-callback"
RING_S = 30.0
GRACE_S = 5.0

NOBODY_KNOWS = "nobody knows whether it rang"

_REASONS = {"1": "no answer", "3": "no answer", "5": "busy", "8": "congestion"}
"""AST_CONTROL_* of a failed Originate, as OriginateResponse numbers them. PJSIP leaves most at 0."""
_CAUSES = {
    "1": "no such number", "17": "busy", "18": "no answer", "19": "no answer", "20": "the phone cannot be reached",
    "21": "rejected", "27": "the phone cannot be reached", "34": "congestion", "42": "congestion",
}  # fmt: skip
"""ITU-T Q.850 table 1, as HangupRequest brings it before the OriginateResponse."""


@dataclass(slots=True)
class _Ringing:
    """A phone that is ringing."""

    answered: Deferred[Packet]
    cause: str = ""


class CallBack:
    """Rings phones over the trunk of their carrier. Feed it every event of every Asterisk.

    ``trunks`` gives the trunk of a carrier: its endpoint in pjsip.conf has the same name.
    """

    def __init__(
        self,
        clients: Mapping[str, AmiClient],
        trunks: Mapping[str, str],
        *,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._clients = clients
        self._trunks = trunks
        self._clock = clock
        self._rng = rng
        self._ringing: dict[str, _Ringing] = {}

    def heard(self, packet: Packet) -> None:
        """Take an event: the outcome of a call of ours may be in it."""
        if packet.event not in ("HangupRequest", "OriginateResponse"):
            return
        ringing = self._ringing.get(packet.get("Uniqueid"))
        if ringing is None:
            return
        if packet.event == "HangupRequest":
            ringing.cause = packet.get("Cause")
        elif not ringing.answered.called:
            ringing.answered.callback(packet)

    async def ring(self, number: str, carrier: str, incident_id: str) -> str:
        """Ring ``number`` (``+8210…``) and return the outcome in words.

        Raises `Unavailable` where no Asterisk can be asked, `Refused` for a carrier without a trunk.
        """
        client = next((each for each in self._clients.values() if each.is_ready), None)
        if client is None:
            raise Unavailable("no Asterisk can be reached")
        trunk = self._trunks.get(carrier)
        if trunk is None:
            raise Refused(f"carrier {carrier} has no trunk to call by")
        uniqueid = f"{channels_of(incident_id)}{self._rng.getrandbits(64):016x}"
        ringing = self._ringing[uniqueid] = _Ringing(Deferred())
        try:
            await client.action(
                "Originate",
                [
                    ("Channel", f"PJSIP/{number}@{trunk}"),
                    ("ChannelId", uniqueid),
                    ("Context", CONTEXT),
                    ("Exten", "s"),
                    ("Priority", "1"),
                    ("Timeout", str(int(RING_S * 1000))),
                    ("CallerID", '"112" <112>'),
                    ("Variable", f"__SOS_ID={incident_id}"),
                    ("Variable", f"__SOS_CALLER={number}"),
                    ("Async", "true"),
                ],
            )
            packet = await within(ringing.answered, RING_S + GRACE_S, self._clock)
        except (GaveUp, Unavailable):
            # The order may have been heard all the same, and her phone must not ring twice for it.
            return NOBODY_KNOWS
        finally:
            del self._ringing[uniqueid]
        return "answered" if packet.is_success else _words(packet.get("Reason"), ringing.cause)


def channels_of(incident_id: str) -> str:
    """Return the prefix of the unique ids of an incident's call-backs, by which an order to hold silence finds them."""
    return f"back-{incident_id}-"


def _words(reason: str, cause: str) -> str:
    return (
        _REASONS.get(reason) or _CAUSES.get(cause) or f"failed (reason {reason}, cause {cause or 'unknown'})"
    )
