"""Listens to the SIP that one Asterisk mirrors: makes presses of refused calls, and gives INVITEs to the follower.

Asterisk refuses some INVITEs before there is a channel, so that neither its dialplan nor its manager interface tells of them.
``res_hep_pjsip`` sends us each message as one UDP datagram beside the call; nothing ever waits for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import structlog
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol

from telephony.alarms import Alarms
from telephony.asterisk.mirror import hep
from telephony.asterisk.mirror.hep import Address
from telephony.asterisk.mirror.refusals import NOT_ANSWERED, Invite, Invites, key_of
from telephony.asterisk.settings import SipMirror
from telephony.asterisk.sip.carried import Carried
from telephony.asterisk.sos.accepting import accepted
from telephony.asterisk.sos.follower import SOURCE, Trunk
from telephony.background import run_in_background
from telephony.clock import Call, Clock, utc_now
from telephony.domain.errors import Malformed
from telephony.domain.facts import CallFact, CallState
from telephony.domain.ports import AcceptAll
from telephony.domain.trigger import REFUSED_CALL, UNLISTED_DESTINATION, Trigger
from telephony.domain.values import Msisdn
from telephony.net.listening import PatientPort

log = structlog.get_logger()

ALARM = "call-refused"
FOREIGN_ALARM = "mirror-unreadable"
STANDS_S = 3_600.0
"""How long the alarm stands after a refusal: a refusal is one moment, and only time without another one clears it."""
LOOK_S = 0.25
URN_SOS = "urn:service:sos"
"""RFC 5031; ``urn:service:sos.police`` is one of its kinds."""


class Mirror(Service):
    """Listens to what one Asterisk mirrors. ``on_invite`` is given what each INVITE carried, by its Call-ID."""

    def __init__(
        self,
        server: str,
        settings: SipMirror,
        trunks: Sequence[Trunk],
        trunk_of: Callable[[Address], str | None],
        *,
        accept_all: AcceptAll,
        alarms: Alarms,
        reactor: Any,
    ) -> None:
        self._server = server
        self._settings = settings
        self._trunks = {trunk.name: trunk for trunk in trunks}
        self._accept_all = accept_all
        self._alarms = alarms
        self._clock: Clock = reactor
        self.on_invite: Callable[[str, Carried], None] = lambda _call_id, _carried: None
        self._password = settings.password.read() if settings.password is not None else ""
        self.invites = Invites(trunk_of)
        self._look: Call | None = None
        self._patient = PatientPort(
            partial(_Ear, self.take), settings.interface, settings.port,
            reactor=reactor, alarms=alarms, about=f"sip-mirror {server}", is_udp=True,
        )  # fmt: skip

    @property
    def port(self) -> Any:
        """The listening port, while there is one."""
        return self._patient.port

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Listen, now or as soon as the port is free."""
        super().startService()  # type: ignore[no-untyped-call]
        self._patient.open()

    def stopService(self) -> Deferred[Any]:  # noqa: N802 - Twisted's name
        """Listen no longer; refused calls that have not been told yet are told now."""
        super().stopService()  # type: ignore[no-untyped-call]
        for invite in self.invites.due(math.inf):
            if invite.answer != NOT_ANSWERED:
                self._came_to_nothing(invite)
        if self._look is not None:
            self._look.cancel()
            self._look = None
        return self._patient.close()

    def recognise(self, trunks: Sequence[Trunk]) -> None:
        """Take over new tables of numbers; which trunks there are stays."""
        self._trunks |= {trunk.name: trunk for trunk in trunks if trunk.name in self._trunks}

    def has_channel(self, call_id: str) -> Carried | None:
        """Take that the manager interface tells of this call; give what its INVITE carried, where it has come."""
        return self.invites.has_channel(call_id, self._clock.seconds())

    def take(self, datagram: bytes) -> None:
        """Take one datagram, whatever it is."""
        try:
            mirrored = hep.read(datagram)
        except Malformed as error:
            self._alarms.note(FOREIGN_ALARM, self._server, STANDS_S, reason=str(error))
            return
        if mirrored is None:
            return
        if not mirrored.has_key(self._password):
            self._alarms.note(FOREIGN_ALARM, self._server, STANDS_S, reason="another password than ours")
            return
        invite = self.invites.take(mirrored, self._clock.seconds(), utc_now(self._clock))
        if invite is None:
            return
        if invite.carried:
            self.on_invite(invite.call_id, invite.carried)
        if self._look is None:
            self._look = self._clock.callLater(LOOK_S, self._look_again)

    def _look_again(self) -> None:
        self._look = None
        for invite in self.invites.due(self._clock.seconds()):
            self._came_to_nothing(invite)
        if len(self.invites) and self.running:
            self._look = self._clock.callLater(LOOK_S, self._look_again)

    def _came_to_nothing(self, invite: Invite) -> None:
        trunk = self._trunks[invite.trunk]
        caller = self._caller(invite, trunk)
        self._alarms.note(ALARM, invite.trunk, STANDS_S, status=invite.answer, caller=caller.masked)
        log.error(
            "call refused before it had a channel", server=self._server, trunk=invite.trunk, status=invite.answer,
            caller=caller.masked,
        )  # fmt: skip
        if trunk.recognition.service_number(invite.dialled) is not None:
            return  # no press: a caller who dials the menu in calm can dial again
        trigger = self._trigger(invite, trunk, caller)
        run_in_background(accepted(trigger, self._accept_all, self._clock), "telling of a refused call")

    def _trigger(self, invite: Invite, trunk: Trunk, caller: Msisdn) -> Trigger:
        called = trunk.recognition.called(invite.dialled)
        is_listed = called.is_listed or invite.dialled.lower().startswith(URN_SOS)
        # With its time: a gateway that gives two calls one Call-ID must not make the second a repeat of the first.
        reference = f"{self._server}/sip/{invite.came_at:%Y%m%dT%H%M%S.%f}/{key_of(invite.call_id)}"
        refused = CallFact(
            reference,
            invite.came_at,
            CallState.REFUSED,
            trunk=invite.trunk,
            dialled=invite.dialled,
            sip_call_id=invite.call_id[:256],
            refused=invite.answer,
            said=invite.carried.said,
        )
        return Trigger(
            source=SOURCE,
            connector=trunk.name,
            carrier=trunk.carrier,
            msisdn=caller,
            reference=reference,
            received_at=invite.came_at,
            destination=invite.dialled,
            position=invite.carried.position,
            test=called.is_test,
            labels=(REFUSED_CALL,) if is_listed else (REFUSED_CALL, UNLISTED_DESTINATION),
            facts=(refused,),
        )

    @staticmethod
    def _caller(invite: Invite, trunk: Trunk) -> Msisdn:
        recognition = trunk.recognition
        return Msisdn.parse(
            invite.caller, country_code=recognition.country_code, trunk_prefix=recognition.trunk_prefix
        )


class _Ear(DatagramProtocol):
    """One UDP port."""

    noisy = False

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:  # noqa: N802, ARG002 - Twisted's name and signature
        try:
            self._take(datagram)
        except Exception:
            # One datagram must not cost the port.
            log.exception("mirrored message not taken")
