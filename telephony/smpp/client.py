"""The ESME client: keeps one bind to a carrier's SMSC, reconnects, and unbinds in good order."""

from __future__ import annotations

import hmac
import random
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredList, fail
from twisted.internet.protocol import Factory

from telephony.alarms import Alarms
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.domain.ports import AcceptAll
from telephony.domain.recognition import Recognition
from telephony.domain.ussd import UssdRules
from telephony.net.client_tls import ClientTls
from telephony.net.dialler import Dialler
from telephony.net.endpoints import addresses_of, client_endpoint
from telephony.net.links import LinkObserver
from telephony.net.listening import PatientPort
from telephony.net.names import is_literal
from telephony.net.places import Places, source_of
from telephony.net.reactor import Reactor
from telephony.net.standing import FarEndState, Retried, Standing
from telephony.service import Service
from telephony.smpp.answering import PressDesk
from telephony.smpp.esme import EsmeConnection, bind_request
from telephony.smpp.link import Link
from telephony.smpp.observer import status_name
from telephony.smpp.receipt_book import OnReceipt, ReceiptBook
from telephony.smpp.reconnect import Reconnect
from telephony.smpp.request_book import RequestBook
from telephony.smpp.service_desk import TakeText
from telephony.smpp.settings import BindKind, Dialect, EsmeLink
from telephony.smpp.wire.building import Field, build
from telephony.smpp.wire.constants import BIND_RECEIVER, RECEIPT_FINAL, TAG_MESSAGE_PAYLOAD
from telephony.smpp.wire.inbound import Way
from telephony.smpp.wire.pdus import Outbind, SubmitResp, Tlv

CALLERS: Final = 20
"""Connections at an outbind port that have not been believed; for a new one the oldest goes (`telephony.net.places`)."""
CALLERS_OF_ONE: Final = 5
"""Of them, those of one address."""


class Esme(Service):
    """One configured link (``[[carrier.smpp]]``), for as long as the service runs.

    Raises `LookupError` when its password cannot be read, `Malformed` when the bind cannot be built, `OSError` or
    `ValueError` for files of TLS.
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
        observer: LinkObserver,
        alarms: Alarms,
        ussd: UssdRules | None = None,
        service: TakeText | None = None,
    ) -> None:
        self.name = link.name
        self.desk = PressDesk(
            Way(link.name, carrier, dialect),
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
        self._password = _password_of(link)
        self._receipts = receipts
        self._reactor = reactor
        self._observer = observer
        self._dialler = Dialler(
            link.name,
            self._endpoint(),
            make=partial(self._connection, link.bind, waits_for_outbind=False),
            policy=Reconnect(rng).after,
            clock=reactor,
            observer=observer,
        )
        self._called: EsmeConnection | None = None
        """The connection of an outbind that was believed, beside our own attempts to connect."""
        self._callers: Places[EsmeConnection] = Places(CALLERS, CALLERS_OF_ONE, self._make_room)
        """Connections at the outbind port that have not been believed."""
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
        self._last_caller_gone: Deferred[None] | None = None
        self._heard_s: float | None = None
        """When the last of the connections that have ended was heard."""

    @property
    def _dialled(self) -> EsmeConnection | None:
        return self._dialler.connection

    @property
    def is_bound(self) -> bool:
        """Whether presses can reach us over this link."""
        return any(link is not None and link.is_bound for link in (self._dialled, self._called))

    @property
    def standing(self) -> Standing:
        """Where the link stands; one that an outbind brought is up too."""
        called = self._called
        if called is not None and called.is_bound:
            return Standing(FarEndState.UP, called.bound_s, called.standing.heard_at)
        heard_s = 0.0 if self._dialled is None else self._dialled.standing.heard_at
        return self._dialler.standing(heard_s or self._heard_s)

    def read_again(self) -> bool | None:
        """Use the password and the files of TLS as they are now, from the next connection on.

        Returns whether the password is another one, ``None`` where there is none. Raises like the constructor; then what was
        read before stays.
        """
        password = _password_of(self._settings)
        self._dialler.use(self._endpoint())
        is_changed = password != self._password
        self._password = password
        return None if self._settings.password is None else is_changed

    def retry(self) -> Retried:
        """Bind now instead of after the pause."""
        return Retried.IS_UP if self.is_bound else self._dialler.retry()

    @property
    def may_send(self) -> bool:
        """Whether messages of ours can leave over this link."""
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
        """Connect at once, and reconnect for as long as the service runs."""
        super().startService()
        if self._outbinds is not None:
            self._outbinds.open()
        self._dialler.start()

    def stopService(self) -> Deferred[None]:  # noqa: N802 - Twisted's name
        """Unbind and close; fires when the last connection has ended, within the unbind time-out or so."""
        super().stopService()
        endings: list[Deferred[Any]] = [self._dialler.stop()]
        if self._outbinds is not None:
            endings.append(self._outbinds.close())
        callers = [*self._callers, *([] if self._called is None else [self._called])]
        if callers:
            self._last_caller_gone = Deferred()
            endings.append(self._last_caller_gone)
        for link in callers:
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

    def _endpoint(self) -> Any:
        link = self._settings
        tls = None if link.tls is None else ClientTls(link.tls)
        return client_endpoint(self._reactor, link.host, link.port, timeout_s=link.connect_timeout_s, tls=tls)

    # Outbinds.

    def called(self, host: str) -> EsmeConnection | None:
        """Make the protocol of a connection to our outbind port; none while it has no use for us."""
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
            self._dialler.up()
        self._observer.link_up(self._settings.name, link.kind)

    def link_down(self, link: Link, reason: str) -> None:
        """Fail the messages that still wait to be sent."""
        assert isinstance(link, EsmeConnection)
        link.submitter.stop(reason)
        self._observer.link_down(self._settings.name, reason)

    def link_refused(self, link: Link, status: int) -> None:
        """Note the status: it decides when we reconnect."""
        if link is self._dialled:
            self._dialler.turned_away(status, f"bind refused: {status_name(status)}")
        self._observer.bind_refused(self._settings.name, status)

    def link_gone(self, link: Link, reason: str) -> None:
        """Forget a connection; the one that we dialled is dialled again, after a pause that depends on how it ended."""
        assert isinstance(link, EsmeConnection)
        if link in (self._dialled, self._called):
            self._heard_s = link.standing.heard_at or self._heard_s
        if link is self._dialled:
            self._dialler.gone(reason)
            return
        self._callers.leave(link)
        if link is self._called:
            self._called = None
        if self._last_caller_gone is not None and self._called is None and not len(self._callers):
            gone, self._last_caller_gone = self._last_caller_gone, None
            gone.callback(None)

    def link_noted(self, link: Link, what: str) -> None:
        """Log a remark."""
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


def _password_of(link: EsmeLink) -> str:
    """Return the password as its place has it now; raises `LookupError`, and `Malformed` where no bind can carry it."""
    password = "" if link.password is None else link.password.read()
    bind_request(link, password, link.bind, 1)
    return password


class _OutbindFactory(Factory):
    """Makes the protocols of callers at the outbind port."""

    noisy = False

    def __init__(self, esme: Esme) -> None:
        self._esme = esme

    def buildProtocol(self, address: Any) -> EsmeConnection | None:  # noqa: N802 - Twisted's name
        return self._esme.called(str(address.host))
