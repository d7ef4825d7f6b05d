"""Carries out the orders of the 112 side on the calls that stand: silence, hanging up, call-back."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from twisted.internet.defer import Deferred

from telephony.asterisk.ami.client import AmiClient
from telephony.asterisk.sos.call_back import channels_of
from telephony.background import run_in_background
from telephony.domain.delivery import (
    CALL_BACK,
    HANG_UP,
    HOLD_SILENCE,
    LIFT_SILENCE,
    Delivered,
    Delivery,
    DeliveryKind,
    Errand,
    Outcome,
    Rejected,
    Retry,
)
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.domain.facts import EndedBy, Newer
from telephony.domain.silence import Output, may_reach
from telephony.store.calls import KnownCall

log = structlog.get_logger()

ZEROS = "zeros"
ORDER_EXPIRES_S = 300.0
"""An order that could not be carried out for so long is given up: the person who gave it has long done something
else."""


class Calls(Protocol):
    """What the store knows for an order; both methods raise `Unavailable` when the store cannot be asked."""

    async def of_incident(self, incident_id: str) -> Sequence[KnownCall]:
        """Return the incident's calls of which no end is known."""
        ...

    async def silence_lifted(self, incident_id: str) -> bool:
        """Whether something may reach the caller's phone."""
        ...


@dataclass(frozen=True, slots=True)
class _Leg:
    channel: str
    is_caller: bool


CallBack = Callable[[str, str, str], Coroutine[Deferred[Any], Any, str]]
"""Ring a phone and connect it to 112: number, carrier, incident id. Returns the outcome in words."""


class CallControl:
    """A channel for orders. An order about an Asterisk that cannot be reached now is tried again."""

    def __init__(
        self, clients: Mapping[str, AmiClient], calls: Calls, call_back: CallBack, *, now: Callable[[], float]
    ) -> None:
        self._clients = clients
        self._calls = calls
        self._call_back = call_back
        self._now = now

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Carry out one order once."""
        if self._now() - delivery.created_at.timestamp() > ORDER_EXPIRES_S:
            return Rejected("not carried out in time")
        errand = delivery.content
        if not isinstance(errand, Errand):
            return Rejected(f"an order of kind {delivery.kind} without an errand")
        try:
            done = await (
                self._ring_back(delivery, errand) if delivery.kind == CALL_BACK else self._on_calls(delivery)
            )
        except Unavailable as error:
            return Retry(str(error), 1.0)
        except (Refused, Malformed) as error:
            return Rejected(str(error))
        if isinstance(done, Delivered):
            log.info("order carried out", order=delivery.kind, incident=delivery.incident_id,
                     by=delivery.payload.get("by"), detail=done.detail)  # fmt: skip
        return done

    async def _on_calls(self, delivery: Delivery) -> Outcome:
        lifted = await self._calls.silence_lifted(delivery.incident_id)
        refused = may_reach(Output.CENTRE_VOICE, silence_lifted=lifted)
        if refused is not None and delivery.kind == LIFT_SILENCE:
            return Rejected("silence holds again")
        calls = await self._calls.of_incident(delivery.incident_id)
        done = 0
        unreachable: Unavailable | None = None
        for known in calls:
            try:
                done += await self._on_call(delivery.kind, known)
            except Unavailable as error:
                unreachable = error  # the calls on other servers first
            except Refused as error:
                # Most likely it has just ended.
                log.warning("order not carried out", order=delivery.kind, incident=delivery.incident_id,
                            call=known.record.reference, error=str(error))  # fmt: skip
        ended = 0
        if delivery.kind in (HOLD_SILENCE, HANG_UP):
            for client in self._clients.values():
                try:
                    ended += await _end_call_backs(client, delivery.incident_id)
                except Unavailable as error:
                    unreachable = error
        if unreachable is not None:
            raise unreachable
        if not calls and not ended:
            return Delivered(f"{delivery.kind}: no call stands")
        also = f", {ended} call-backs ended" if ended else ""
        return Delivered(f"{delivery.kind}: {done} of {len(calls)} calls{also}")

    async def _on_call(self, kind: DeliveryKind | Newer, known: KnownCall) -> bool:
        client = self._clients.get(known.record.server)
        if client is None:
            return False
        uniqueid = known.record.reference.partition("/")[2]
        legs = await _legs(client, uniqueid)
        phone = next((leg.channel for leg in legs if leg.is_caller), None)
        if phone is None:
            return False
        if kind == HANG_UP:
            await _set(client, phone, "SOS_ENDED_BY", EndedBy.CENTRE)
            await client.action("Hangup", [("Channel", phone), ("Cause", "16")])
        elif kind in (LIFT_SILENCE, HOLD_SILENCE):
            await _silence(client, phone, uniqueid, is_lifted=kind == LIFT_SILENCE)
        return True

    async def _ring_back(self, delivery: Delivery, errand: Errand) -> Outcome:
        # Asked again here: silence may have been held again between the order and this moment.
        lifted = await self._calls.silence_lifted(delivery.incident_id)
        refused = may_reach(Output.CALL_BACK, silence_lifted=lifted)
        if refused is not None:
            return Rejected(refused.reason)
        ringing: Deferred[str] = Deferred.fromCoroutine(
            self._call_back(errand.msisdn.international, errand.carrier, delivery.incident_id)
        )
        if ringing.called:
            return Delivered(await ringing)
        # Not waited for: a hold or a hang-up must not queue behind a phone that rings, and a restart must not ring it a
        # second time.
        run_in_background(_say_outcome(ringing, delivery.incident_id), "call-back")
        return Delivered("her phone is being called")


async def _end_call_backs(client: AmiClient, incident_id: str) -> int:
    """Hang up every call-back that rings or is connected to her phone: after a hold nothing of ours may reach it."""
    ended = 0
    for row in await client.listing("CoreShowChannels"):
        if row.get("Uniqueid").startswith(channels_of(incident_id)):
            try:
                await client.action("Hangup", [("Channel", row.get("Channel")), ("Cause", "16")])
            except Refused as error:
                # Most likely it has just ended.
                log.warning("order not carried out", order=HANG_UP, incident=incident_id, error=str(error))
            else:
                ended += 1
    return ended


async def _say_outcome(ringing: Deferred[str], incident_id: str) -> None:
    log.info("call-back over", incident=incident_id, outcome=await ringing)


async def _legs(client: AmiClient, uniqueid: str) -> list[_Leg]:
    return [
        _Leg(row.get("Channel"), row.get("Uniqueid") == uniqueid)
        for row in await client.listing("CoreShowChannels")
        if row.get("Linkedid") == uniqueid and row.get("Channel").startswith("PJSIP/")
    ]


async def _silence(client: AmiClient, phone: str, uniqueid: str, *, is_lifted: bool) -> None:
    """Let the centre's voice through or mute it, by the trunk's way of keeping silence (20-sos.conf)."""
    kept = (await client.action("Getvar", [("Channel", phone), ("Variable", "SOS_SILENCE")])).get("Value")
    # Legs to further routes start with this setting.
    await _set(client, phone, "__SOS_LIFTED", "yes" if is_lifted else "no")
    state = "off" if is_lifted else "on"
    if kept == ZEROS:
        # Asked again: a leg that started before the line above does not have the new setting.
        for leg in await _legs(client, uniqueid):
            if not leg.is_caller:
                try:
                    await _set(client, leg.channel, "MUTEAUDIO(in)", state)
                except Refused as error:
                    # Most likely it has just ended; the others must not stay as they were for that.
                    log.warning("leg not changed", channel=leg.channel, error=str(error))
    else:
        await _set(client, phone, "MUTEAUDIO(out)", state)


async def _set(client: AmiClient, channel: str, variable: str, value: str) -> None:
    await client.action("Setvar", [("Channel", channel), ("Variable", variable), ("Value", value)])
