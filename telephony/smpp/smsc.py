"""An SMPP connection in the SMSC role: an ESME binds to us, by itself or on our outbind."""

from __future__ import annotations

from typing import Final

from twisted.internet.defer import Deferred, fail
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from telephony.clock import Call, Clock
from telephony.domain.errors import Malformed, Refused
from telephony.net.refusals import Cause
from telephony.smpp.effects import Effects
from telephony.smpp.gatekeeper import Denial, Gate
from telephony.smpp.link import Limits, Link, Owner
from telephony.smpp.submitting import Submitter
from telephony.smpp.wire.building import build
from telephony.smpp.wire.codec import decode_bind, encode_header
from telephony.smpp.wire.constants import (
    BIND_RECEIVER,
    BIND_TRANSCEIVER,
    BIND_TRANSMITTER,
    ESME_RALYBND,
    ESME_RBINDFAIL,
    ESME_ROK,
    OUTBIND,
    RESPONSE,
    TAG_SC_INTERFACE_VERSION,
    VERSION_3_4,
    VERSION_5_0,
)
from telephony.smpp.wire.pdus import Bind, Pdu, SubmitResp, Tlv, command_name

KINDS: Final = {BIND_RECEIVER: "receiver", BIND_TRANSMITTER: "transmitter", BIND_TRANSCEIVER: "transceiver"}


class NoDesk:
    """The desk of a connection that has not bound: it never gets a message."""

    def take(self, link: Link, requests: list[Pdu]) -> None:
        """Answer what cannot come."""
        raise AssertionError(f"{len(requests)} messages on the unbound {link.name}")


class SmscConnection(Link):
    """Accepts the bind of an ESME, and its messages in any of the three bind modes."""

    sends = "deliver_sm"

    def __init__(
        self,
        *,
        system_id: str,
        limits: Limits,
        gate: Gate,
        clock: Clock,
        owner: Owner,
        outbind: bytes = b"",
    ) -> None:
        super().__init__(name="unbound", clock=clock, limits=limits, owner=owner, desk=NoDesk())
        self.admitted = False
        self.denied: Denial | None = None
        """Why its bind was refused."""
        self.is_told = False
        """Whether it has been logged why there was no bind."""
        self.submitter = Submitter(window=self.window, clock=clock)
        self._system_id = system_id
        self._gate = gate
        self._outbind = outbind
        self._bind_request: Pdu | None = None
        self._judging: Call | None = None
        self._peer_version = 0

    def submit(self, pdu: bytes) -> Deferred[SubmitResp]:
        """Send a deliver_sm."""
        if self.bound_as == BIND_TRANSMITTER:
            return fail(Refused("bound as transmitter"))
        return self.submitter.submit(pdu)

    def begin(self) -> Effects:
        """Wait for the bind; where we called the ESME, ask for it."""
        if self._outbind:
            self.write(self._outbind)
        return self.session.accepted()

    def opening_request(self, request: Pdu) -> None:
        """Judge a bind."""
        if request.command_id == OUTBIND:
            self.note(f"{command_name(OUTBIND)} from an ESME")
            return
        if self._bind_request is not None:
            self.write(encode_header(request.command_id | RESPONSE, ESME_RALYBND, request.sequence))
            return
        self._bind_request = request
        try:
            bind = decode_bind(request.command_id, request.body)
        except Malformed:
            self._deny(Denial(ESME_RBINDFAIL, Cause.UNREADABLE))
            return
        pause_s = self._gate.pause_s(bind, self.peer_host)
        if pause_s > 0:
            self._judging = self.clock.callLater(pause_s, self._judge, bind)
        else:
            self._judge(bind)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        """End; a bind that was not judged yet is forgotten."""
        if self._judging is not None:
            self._judging.cancel()
            self._judging = None
        super().connectionLost(reason)

    def _deny(self, denial: Denial) -> None:
        self.denied = denial
        self.perform(self.session.bind_denied(denial.status))

    def _judge(self, bind: Bind) -> None:
        self._judging = None
        if self.standing.is_over:
            return
        verdict = self._gate.admit(bind, self.peer_host)
        if verdict is None:
            return
        if isinstance(verdict, Denial):
            self._deny(verdict)
            return
        self.name, self.desk = verdict
        self.admitted = True
        self.bound_as = bind.command_id
        self._peer_version = bind.interface_version
        self.peer_takes_tlvs = bind.interface_version >= VERSION_3_4
        self.perform(self.session.bind_admitted())

    def answer_bind(self, status: int) -> None:
        """Write bind_resp: who we are, and our version to those who know of versions."""
        request = self._bind_request
        assert request is not None
        if status != ESME_ROK:
            self.write(encode_header(request.command_id | RESPONSE, status, request.sequence))
            return
        version = bytes([min(max(self._peer_version, VERSION_3_4), VERSION_5_0)])
        tlvs = (Tlv(TAG_SC_INTERFACE_VERSION, version),) if self.peer_takes_tlvs else ()
        self.write(
            build(
                f"{command_name(request.command_id)}_resp",
                request.sequence,
                tlvs=tlvs,
                system_id=self._system_id,
            )
        )
