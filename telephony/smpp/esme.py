"""An SMPP connection in the ESME role: our bind to a carrier's SMSC, dialled by us or requested by an outbind."""

from __future__ import annotations

from typing import Final, Protocol

from twisted.internet.defer import Deferred, fail

from telephony.clock import Clock
from telephony.domain.errors import Malformed, Refused
from telephony.smpp.effects import Effects
from telephony.smpp.link import Desk, Limits, Link, Owner
from telephony.smpp.settings import BindKind, EsmeLink
from telephony.smpp.submitting import Submitter
from telephony.smpp.wire.building import build
from telephony.smpp.wire.codec import decode_bind_resp, decode_outbind, encode_header
from telephony.smpp.wire.constants import (
    BIND_RECEIVER,
    ESME_RINVBNDSTS,
    ESME_ROK,
    GENERIC_NACK,
    OUTBIND,
    RESPONSE,
    VERSION_3_3,
    VERSION_3_4,
    VERSION_5_0,
)
from telephony.smpp.wire.pdus import Outbind, Pdu, SubmitResp, command_name

VERSIONS: Final = {"3.3": VERSION_3_3, "3.4": VERSION_3_4, "5.0": VERSION_5_0}


class EsmeOwner(Owner, Protocol):
    """An owner that also judges outbinds."""

    def link_outbind(self, link: EsmeConnection, outbind: Outbind) -> None:
        """Answer with ``outbind_believed`` or ``outbind_doubted`` of the link's session, now or later."""
        ...


class EsmeConnection(Link):
    """Binds, or waits for an outbind and then binds as receiver on the same connection (SMPP 3.4 clause 2.2.1)."""

    def __init__(
        self,
        *,
        settings: EsmeLink,
        password: str,
        kind: BindKind,
        waits_for_outbind: bool,
        clock: Clock,
        owner: EsmeOwner,
        desk: Desk,
    ) -> None:
        limits = Limits(
            settings.window,
            settings.bind_timeout_s,
            settings.response_timeout_s,
            settings.enquire_link_s,
            settings.enquire_response_s,
            settings.unbind_timeout_s,
        )
        super().__init__(name=settings.name, clock=clock, limits=limits, owner=owner, desk=desk)
        self.kind: BindKind = kind
        self.submitter = Submitter(window=self.window, clock=clock)
        self._settings = settings
        self._password = password
        self._waits_for_outbind = waits_for_outbind
        self._esme_owner = owner
        self._bind_sequence = -1

    def submit(self, pdu: bytes) -> Deferred[SubmitResp]:
        """Send a submit_sm."""
        if self.bound_as == BIND_RECEIVER:
            return fail(Refused("bound as receiver"))
        return self.submitter.submit(pdu)

    def begin(self) -> Effects:
        """Bind, or wait for an outbind."""
        return self.session.awaiting_outbind() if self._waits_for_outbind else self.session.connected()

    def send_bind(self) -> None:
        """Write our bind."""
        self._bind_sequence = self.window.next_sequence()
        self.write(bind_request(self._settings, self._password, self.kind, self._bind_sequence))

    def bind_answered(self, response: Pdu) -> None:
        """Take the answer to our bind; it is not always the first PDU after it, so the sequence number decides."""
        if response.sequence != self._bind_sequence:
            return
        if response.status != ESME_ROK or response.command_id == GENERIC_NACK:
            self.perform(self.session.bind_rejected(response.status))
            return
        version = decode_bind_resp(response.body).sc_interface_version
        self.peer_takes_tlvs = (
            version is not None and version >= VERSION_3_4 and self._settings.version != "3.3"
        )
        self.bound_as = response.command_id & ~RESPONSE
        self.perform(self.session.bind_confirmed())

    def opening_request(self, request: Pdu) -> None:
        """Take an outbind; an SMSC that tries to bind to us here has its roles mixed up."""
        if request.command_id != OUTBIND:
            self.write(encode_header(request.command_id | RESPONSE, ESME_RINVBNDSTS, request.sequence))
            return
        if not self._waits_for_outbind:
            self.note(f"{command_name(OUTBIND)} on a connection of ours")
            return
        try:
            outbind = decode_outbind(request.body)
        except Malformed:
            self.perform(self.session.outbind_doubted())
            return
        self._esme_owner.link_outbind(self, outbind)


def bind_request(settings: EsmeLink, password: str, kind: BindKind, sequence: int) -> bytes:
    """Make our bind. Raises `Malformed` for settings that do not fit, the password (8 characters) for one."""
    return build(
        f"bind_{kind}",
        sequence,
        system_id=settings.system_id,
        password=password,
        system_type=settings.system_type,
        interface_version=VERSIONS[settings.version],
        addr_ton=settings.address_ton,
        addr_npi=settings.address_npi,
        address_range=settings.address_range,
    )
