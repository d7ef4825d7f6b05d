"""Keeps one bind of ours to a carrier's SMSC: connects, binds, reconnects, and leaves in good order."""

from __future__ import annotations

import hmac
import random
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, fail
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from telephony.clock import Call
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.domain.ports import AcceptAll
from telephony.domain.recognition import Recognition
from telephony.domain.ussd import UssdRules
from telephony.listening import PatientPort
from telephony.places import Places, source_of
from telephony.services.alarms import Alarms
from telephony.smpp.answering import PressDesk
from telephony.smpp.building import Field, build
from telephony.smpp.constants import BIND_RECEIVER, RECEIPT_FINAL, TAG_MESSAGE_PAYLOAD
from telephony.smpp.endpoints import addresses_of, client_endpoint, is_literal
from telephony.smpp.esme import EsmeConnection, bind_request
from telephony.smpp.link import Link
from telephony.smpp.observer import Observer
from telephony.smpp.pdus import Outbind, SubmitResp, Tlv
from telephony.smpp.reactor import Reactor
from telephony.smpp.receipt_book import OnReceipt, ReceiptBook
from telephony.smpp.reconnect import Pause, Reconnect
from telephony.smpp.request_book import RequestBook
from telephony.smpp.service_desk import TakeText
from telephony.smpp.settings import BindKind, Dialect, EsmeLink

CALLERS: Final = 20
"""Connections at an outbind port that have not been believed; for a new one the oldest goes (`telephony.places`)."""
CALLERS_OF_ONE: Final = 5
"""Of them, those of one address."""


class Esme(Service):
    """One configured link (``[[carrier.smpp]]``), for as long as the service runs.

    Raises `LookupError` when its password cannot be read, `Malformed` when the bind cannot be built.
    """

    def __init__(
        self,
        link: EsmeLink,
        *,
        carrier: str,
        dialect: Dialect,
        recognition: Recognition,
        accept_all: AcceptAll,
        receipts: ReceiptBook,
        requests: RequestBook,
        reactor: Reactor,
        rng: random.Random,
        observer: Observer,
        alarms: Alarms,
        ussd: UssdRules | None = None,
        service: TakeText | None = None,
    ) -> None:
        self.name = link.name
        self.desk = PressDesk(
            name=link.name,
            carrier=carrier,
            dialect=dialect,
            recognition=recognition,
            accept_all=accept_all,
            receipts=receipts,
            requests=requests,
            new_message_id=lambda: f"{rng.getrandbits(64):016x}",
            clock=reactor,
            observer=observer,
            ussd=ussd,
            service=service,
        )
        self._settings = link
        self._password = "" if link.password is None else link.password.read()
        bind_request(link, self._password, link.bind, 1)
        self._receipts = receipts
        self._reactor = reactor
        self._observer = observer
        self._endpoint = client_endpoint(
            reactor, link.host, link.port, timeout_s=link.connect_timeout_s, tls=link.tls
        )
        self._reconnect = Reconnect(rng)
        self._connecting: Deferred[Any] | None = None
        self._retry: Call | None = None
        self._dialled: EsmeConnection | None = None
        self._called: EsmeConnection | None = None
        """The connection of an outbind that was believed, beside our own attempts to connect."""
        self._callers: Places[EsmeConnection] = Places(CALLERS, CALLERS_OF_ONE, self._make_room)
        """Those at the outbind port who have not been believed."""
        self._bound_at: float | None = None
        self._refused_with: int | None = None
        self._outbinds: PatientPort | None = None
        if link.outbind_port is not None:
            self._outbinds = PatientPort(
                partial(_OutbindFactory, self),
                "",
                link.outbind_port,
                reactor=reactor,
                alarms=alarms,
                about=link.name,
            )
        self._last_gone: Deferred[None] | None = None

    @property
    def is_bound(self) -> bool:
        """Claim that presses can reach us over this link."""
        return any(link is not None and link.is_bound for link in (self._dialled, self._called))

    @property
    def may_send(self) -> bool:
        """Claim that messages of ours can leave over this link."""
        link = self._dialled
        return link is not None and link.is_bound and link.bound_as != BIND_RECEIVER

    @property
    def window_size(self) -> int:
        """How many requests of ours may be unanswered."""
        return self._settings.window

    @property
    def sends_in_s(self) -> float | None:
        """Seconds until a message would leave at once: `Submitter.sends_in_s`."""
        return None if self._dialled is None else self._dialled.submitter.sends_in_s

    @property
    def unanswered(self) -> int:
        """How many messages of the SMSC we have not answered yet."""
        return sum(link.in_flight for link in (self._dialled, self._called) if link is not None)

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Connect at once, and keep at it."""
        super().startService()  # type: ignore[no-untyped-call]
        if self._outbinds is not None:
            self._outbinds.open()
        self._connect()

    def stopService(self) -> Deferred[None]:  # noqa: N802 - Twisted's name
        """Unbind and close; fires when the last connection has ended, within the unbind time-out or so."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._connecting is not None:
            self._connecting.cancel()
        endings: list[Deferred[Any]] = []
        if self._outbinds is not None:
            endings.append(self._outbinds.close())
        links = [link for link in (self._dialled, self._called, *self._callers) if link is not None]
        if links:
            self._last_gone = Deferred()
            endings.append(self._last_gone)
        for link in links:
            link.leave()
        return DeferredList(endings).addCallback(lambda _: None)

    def submit(
        self,
        command: str = "submit_sm",
        *,
        tlvs: Sequence[Tlv] = (),
        on_receipt: OnReceipt | None = None,
        gives_way: bool = False,
        **fields: Field,
    ) -> Deferred[SubmitResp]:
        """Send a submit_sm or data_sm, its mandatory fields by their names.

        With ``on_receipt`` a final receipt is asked for and told. ``gives_way`` is as in `Submitter.submit`. Fails
        like that, with `Malformed` for fields that cannot be sent, and with `Refused` for a text in a TLV to a peer
        that takes no TLVs.
        """
        link = self._dialled
        if link is None or not link.is_bound:
            return fail(Unavailable("not bound"))
        if link.bound_as == BIND_RECEIVER:
            return fail(Refused("bound as receiver"))
        if not link.peer_takes_tlvs:
            if any(tlv.tag == TAG_MESSAGE_PAYLOAD for tlv in tlvs):
                return fail(Refused("this peer takes no message_payload"))
            tlvs = ()
        if on_receipt is not None:
            fields.setdefault("registered_delivery", RECEIPT_FINAL)
        try:
            pdu = build(command, 0, status=0, tlvs=tlvs, **fields)
        except Malformed as error:
            return fail(error)
        response = link.submitter.submit(pdu, gives_way=gives_way)
        if on_receipt is not None:
            response.addCallback(self._expect_receipt, on_receipt)
        return response

    def _expect_receipt(self, response: SubmitResp, on_receipt: OnReceipt) -> SubmitResp:
        self._receipts.expect(response.message_id, on_receipt)
        return response

    # Connecting.

    def _connect(self) -> None:
        self._retry = None
        self._connecting = self._endpoint.connect(_DialFactory(self))
        self._connecting.addCallbacks(self._connected, self._not_connected)

    def _connected(self, _protocol: object) -> None:
        self._connecting = None

    def _not_connected(self, failure: Failure) -> None:
        self._connecting = None
        if self.running:
            self._observer.unreachable(self._settings.name, failure.getErrorMessage())
            self._wait(self._reconnect.after_failure())

    def _wait(self, pause: Pause) -> None:
        if pause.alarm is not None:
            self._observer.alarm(self._settings.name, pause.alarm)
        self._retry = self._reactor.callLater(pause.seconds, self._connect)

    def dialled(self) -> EsmeConnection | None:
        """Make the protocol of a connection we asked for; none if the service has stopped meanwhile."""
        if not self.running:
            return None
        self._bound_at = self._refused_with = None
        self._dialled = self._connection(self._settings.bind, waits_for_outbind=False)
        return self._dialled

    def called(self, host: str) -> EsmeConnection | None:
        """Make the protocol of a call to our outbind port; none while we have what the SMSC wants."""
        if not self.running or self.is_bound or self._called is not None:
            return None
        if is_literal(self._settings.host) and host != self._settings.host:
            self._observer.alarm(self._settings.name, "outbind from a stranger")
            return None
        link = self._connection("receiver", waits_for_outbind=True)
        self._callers.take(link, source_of(host))
        return link

    def _make_room(self, link: EsmeConnection) -> None:
        link.drop("made room for another caller")

    def _connection(self, kind: BindKind, *, waits_for_outbind: bool) -> EsmeConnection:
        return EsmeConnection(
            settings=self._settings,
            password=self._password,
            kind=kind,
            waits_for_outbind=waits_for_outbind,
            clock=self._reactor,
            owner=self,
            desk=self.desk,
        )

    # What the connections say.

    def link_up(self, link: Link) -> None:
        """Take note of a bind."""
        assert isinstance(link, EsmeConnection)
        if link is self._dialled:
            self._bound_at = self._reactor.seconds()
        self._observer.link_up(self._settings.name, link.kind)

    def link_down(self, link: Link, reason: str) -> None:
        """Give up what still waits to be sent."""
        assert isinstance(link, EsmeConnection)
        link.submitter.stop(reason)
        self._observer.link_down(self._settings.name, reason)

    def link_refused(self, link: Link, status: int) -> None:
        """Take note of the status: it decides when we come again."""
        if link is self._dialled:
            self._refused_with = status
        self._observer.bind_refused(self._settings.name, status)

    def link_gone(self, link: Link, reason: str) -> None:
        """Come again, after a pause that depends on how it ended."""
        assert isinstance(link, EsmeConnection)
        self._callers.leave(link)
        if link is self._called:
            self._called = None
        elif link is self._dialled:
            self._dialled = None
            if self.running:
                self._wait(self._pause_after(reason))
        is_last = self._dialled is None and self._called is None and not len(self._callers)
        if self._last_gone is not None and is_last:
            gone, self._last_gone = self._last_gone, None
            gone.callback(None)

    def link_noted(self, link: Link, what: str) -> None:
        """Pass a remark on."""
        self._observer.noted(link.name, what)

    def link_outbind(self, link: EsmeConnection, outbind: Outbind) -> None:
        """Believe an outbind that comes from the SMSC's own address with the credentials of this link."""
        knows = hmac.compare_digest(outbind.system_id.encode(), self._settings.system_id.encode())
        knows &= hmac.compare_digest(outbind.password.encode(), self._password.encode())
        if not knows:
            self._doubt(link)
            return
        addresses_of(self._reactor, self._settings.host).addCallback(
            lambda addresses: self._believe(link) if link.peer_host in addresses else self._doubt(link)
        )

    def _believe(self, link: EsmeConnection) -> None:
        if link not in self._callers or self._called is not None:
            link.drop("another outbind was believed before")
            return
        self._callers.leave(link)
        self._called = link
        link.perform(link.session.outbind_believed())

    def _doubt(self, link: EsmeConnection) -> None:
        self._observer.alarm(self._settings.name, "outbind from a stranger")
        link.perform(link.session.outbind_doubted())

    def _pause_after(self, reason: str) -> Pause:
        if self._bound_at is not None:
            return self._reconnect.after_bound(self._reactor.seconds() - self._bound_at)
        if self._refused_with is not None:
            return self._reconnect.after_refusal(self._refused_with)
        self._observer.unreachable(self._settings.name, reason)
        return self._reconnect.after_failure()


class _DialFactory(Factory):
    """Makes the one protocol of one attempt."""

    noisy = False

    def __init__(self, esme: Esme) -> None:
        self._esme = esme

    def buildProtocol(self, _address: object) -> EsmeConnection | None:  # noqa: N802 - Twisted's name
        return self._esme.dialled()


class _OutbindFactory(Factory):
    """Makes the protocols of callers at the outbind port."""

    noisy = False

    def __init__(self, esme: Esme) -> None:
        self._esme = esme

    def buildProtocol(self, address: Any) -> EsmeConnection | None:  # noqa: N802 - Twisted's name
        return self._esme.called(str(address.host))
