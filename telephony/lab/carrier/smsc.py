"""Simulates a carrier's SMSC on the server role, with verbs for the trouble that real ones make.

It keeps a message until a deliver_sm_resp says ESME_ROK, and sends it again when an answer is late or says anything
else, when the link it went by is lost, and when a bind comes up.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Final

from twisted.internet.defer import Deferred, DeferredList, fail

from telephony.alarms import Alarms
from telephony.clock import Call
from telephony.domain.errors import Unavailable
from telephony.lab.carrier.mobile_originated import Content, Counts, Mo, MoStore, Split, encode_mo, split_text
from telephony.lab.carrier.smsc_connection import LabConnection
from telephony.lab.carrier.text_phones import ShownText, TextPhones
from telephony.lab.carrier.ussd_gateway import UssdGateway
from telephony.net.links import LinkObserver
from telephony.net.reactor import Reactor
from telephony.net.refusals import Cause
from telephony.smpp.gatekeeper import STRANGERS, Admission, Denial
from telephony.smpp.link import Link
from telephony.smpp.observer import LogObserver
from telephony.smpp.server import SmppServer
from telephony.smpp.settings import Server
from telephony.smpp.smsc import SmscConnection
from telephony.smpp.wire.codec import decode_message, encode_deliver_sm_resp
from telephony.smpp.wire.constants import (
    BIND_TRANSMITTER,
    DATA_SM,
    DELIVER_SM,
    ESM_TYPE_MC_RECEIPT,
    ESME_RINVPASWD,
    ESME_ROK,
    ESME_RTHROTTLED,
    RECEIPT_FINAL,
    RESPONSE,
    TON_INTERNATIONAL,
)
from telephony.smpp.wire.pdus import Bind, Message, Pdu, Tlv

QUEUE_LIMIT: Final = 100_000
REMEMBERED: Final = 1_000
"""Acknowledged messages that can be sent again."""
ANYBODY: Final = ""
"""In the place of a phone's number."""

_ACKNOWLEDGEMENTS: Final = frozenset({DELIVER_SM | RESPONSE, DATA_SM | RESPONSE})


class LabSmsc(SmppServer):
    """The simulated SMSC. ``accounts`` maps system_id to password; ``None`` accepts every bind."""

    def __init__(
        self,
        *,
        reactor: Reactor,
        rng: random.Random,
        accounts: dict[str, str] | None = None,
        port: int = 0,
        interface: str = "127.0.0.1",
        window: int = 10,
        redelivery_s: float = 5.0,
        settings: Server | None = None,
        observer: LinkObserver | None = None,
    ) -> None:
        if settings is None:
            # Port 0 lets the system choose; the settings of a real server know no such thing.
            settings = Server.model_construct(port=port, interface=interface, window=window, system_id="lab")
        super().__init__(
            settings,
            gate=self,
            reactor=reactor,
            observer=LogObserver() if observer is None else observer,
            alarms=Alarms(reactor),
            make_connection=partial(LabConnection, take_cut=self._take_cut),
        )
        self.counts = Counts()
        self.ussd = UssdGateway()
        """The USSD texts that phones have shown."""
        self.phones = TextPhones()
        self._accounts = accounts
        self._rng = rng
        self._store = MoStore(redelivery_s=redelivery_s)
        self._outstanding = 0
        self._acked: deque[Mo] = deque(maxlen=REMEMBERED)
        self._tickets = 0
        self._message_ids = 0
        self._next_link = 0
        self._timer: Call | None = None
        self._submitted: deque[Message] = deque(maxlen=REMEMBERED)
        self._expecting: deque[Deferred[Message]] = deque()
        self._bound_waiters: list[tuple[int, Deferred[None]]] = []
        self._empty_waiters: list[Deferred[None]] = []
        self._bind_verdict: int | None = ESME_ROK
        self._cut_next = 0
        self._reorder = 0
        self._throttle = 0
        self._refused: dict[str, int] = {}
        self._receipt_state: str | None = None

    @property
    def texts(self) -> list[ShownText]:
        """The texts that phones have shown, each joined from its parts."""
        return self.phones.shown

    # Verbs: phones.

    def send_mo(
        self,
        source: str,
        destination: str,
        *,
        text: str | None = None,
        octets: bytes = b"",
        data_coding: int = 0,
        esm_class: int = 0,
        tlvs: Sequence[Tlv] = (),
        split: Split = "udh",
        source_ton: int = TON_INTERNATIONAL,
        as_data_sm: bool = False,
    ) -> Deferred[int]:
        """Send a message of a phone, as text or as octets.

        Fires when every part has been answered for the first time, with the highest status. Fails with
        `Unavailable` when the store is full.
        """
        contents = (
            [Content(octets, data_coding, esm_class)]
            if text is None
            else split_text(text, self._rng.randrange(256), split)
        )
        pdus = [
            encode_mo(source, destination, content, source_ton=source_ton, as_data_sm=as_data_sm, tlvs=tlvs)
            for content in contents
        ]
        return self.send_pdus(pdus)

    def send_pdus(self, pdus: Sequence[bytes]) -> Deferred[int]:
        """Store and send requests made elsewhere; their sequence numbers are replaced."""
        if self.queued + len(pdus) > QUEUE_LIMIT:
            return fail(Unavailable("the store of the SMSC is full"))
        answers = [self._keep(pdu).answered for pdu in pdus]
        self._pump()
        if len(answers) == 1:
            return answers[0]
        return DeferredList(answers).addCallback(
            lambda results: max((status for _, status in results), default=ESME_ROK)
        )

    def send_ussd(self, source: str, code: str, kind: str = "generic") -> Deferred[int]:
        """Dial a USSD code on a phone, through a gateway of this kind; fires as `send_mo` does."""
        return self.send_pdus([self.ussd.dial(source, code, kind)])

    def send_receipt(
        self, message_id: str, source: str, destination: str, *, state: str = "DELIVRD"
    ) -> Deferred[int]:
        """Send a delivery receipt in the text form of appendix B."""
        text = f"id:{message_id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:{state} err:000 text:"
        return self.send_mo(source, destination, octets=text.encode("ascii"), esm_class=ESM_TYPE_MC_RECEIPT)

    def redeliver(self, count: int = 1) -> Deferred[int]:
        """Send the last acknowledged messages again, as if their acknowledgements had been lost."""
        again = list(self._acked)[-count:]
        return self.send_pdus([mo.pdu for mo in again])

    # Verbs: trouble.

    def refuse_bind(self, status: int) -> None:
        """Refuse binds with this status, until `accept_binds`."""
        self._bind_verdict = status

    def ignore_binds(self) -> None:
        """Answer no bind, until `accept_binds`."""
        self._bind_verdict = None

    def accept_binds(self) -> None:
        """Accept binds again."""
        self._bind_verdict = ESME_ROK

    def drop_link(self, index: int | None = None) -> None:
        """Break one link, or all, without an unbind."""
        for link in list(self.links) if index is None else [self.links[index]]:
            link.drop("dropped by the SMSC")

    def stop_answering(self) -> None:
        """Stay connected and answer nothing, on the links there are."""
        for link in self.links:
            assert isinstance(link, LabConnection)
            link.fall_silent()

    def unbind(self) -> None:
        """Leave every link in good order."""
        for link in list(self.links):
            link.leave()

    def reorder(self, count: int) -> None:
        """Hold messages back until there are so many, then send them in another order."""
        self._reorder = count

    def truncate_next(self, count: int) -> None:
        """Cut so many octets off the end of the next message; its command_length stays as it was."""
        self._cut_next = count

    def throttle(self, count: int) -> None:
        """Answer the next so many submit_sm with ESME_RTHROTTLED."""
        self._throttle = count

    def refuse_texts(self, status: int, to: str = ANYBODY) -> None:
        """Answer every submit_sm for this phone with a status, until `accept_texts`."""
        self._refused[to] = status

    def accept_texts(self) -> None:
        """Take submit_sm for all phones again."""
        self._refused.clear()

    def tell_receipts(self, state: str | None = "DELIVRD") -> None:
        """Send a receipt for every text that is taken from now on and asks for one; ``None``: for none."""
        self._receipt_state = state

    def send_raw(self, octets: bytes, index: int = 0) -> None:
        """Write octets as they are."""
        self.links[index].write(octets)

    # Verbs: waiting.

    @property
    def queued(self) -> int:
        """Messages that are not acknowledged yet, those on their way included."""
        return len(self._store) + self._outstanding

    def when_bound(self, count: int = 1) -> Deferred[None]:
        """Fire as soon as so many links are bound."""
        waiter: Deferred[None] = Deferred()
        self._bound_waiters.append((count, waiter))
        self._tell_waiters()
        return waiter

    def when_empty(self) -> Deferred[None]:
        """Fire as soon as every message is acknowledged."""
        waiter: Deferred[None] = Deferred()
        self._empty_waiters.append(waiter)
        self._tell_waiters()
        return waiter

    def expect_submit_sm(self) -> Deferred[Message]:
        """Return the next submit_sm or data_sm of an ESME, also one that has come already."""
        expected: Deferred[Message] = Deferred()
        if self._submitted:
            expected.callback(self._submitted.popleft())
        else:
            self._expecting.append(expected)
        return expected

    # What the server role asks of its gate and desk.

    def group(self, _host: str) -> str:
        """Let every address in."""
        return STRANGERS

    def pause_s(self, _bind: Bind, _host: str) -> float:
        """Judge at once."""
        return 0.0

    def admit(self, bind: Bind, _host: str) -> Admission | Denial | None:
        """Judge a bind."""
        if self._bind_verdict is None:
            return None
        if self._bind_verdict != ESME_ROK:
            return Denial(self._bind_verdict, Cause.TOO_MANY_BINDS)
        if self._accounts is not None and self._accounts.get(bind.system_id) != bind.password:
            return Denial(ESME_RINVPASWD, Cause.WRONG_PASSWORD)
        return Admission(bind.system_id or "esme", self)

    def left(self, _name: str) -> None:
        """Forget it: this SMSC does not count binds."""

    def take(self, link: Link, requests: list[Pdu]) -> None:
        """Answer what an ESME submits."""
        responses = [self._take_submit(pdu) for pdu in requests]
        link.answer(b"".join(responses), len(responses))

    def _take_submit(self, pdu: Pdu) -> bytes:
        if self._throttle > 0:
            self._throttle -= 1
            return encode_deliver_sm_resp(pdu.command_id, ESME_RTHROTTLED, pdu.sequence)
        message = decode_message(pdu.command_id, pdu.body)
        refused = self._refused.get(message.destination, self._refused.get(ANYBODY))
        if refused is not None:
            return encode_deliver_sm_resp(pdu.command_id, refused, pdu.sequence)
        self.counts.submitted += 1
        self._message_ids += 1
        message_id = str(self._message_ids)
        self.ussd.take(message)
        self.phones.take(message, message_id)
        if self._receipt_state is not None and message.registered_delivery & RECEIPT_FINAL:
            arguments = (message_id, message.destination, message.source)
            self._reactor.callLater(0, partial(self.send_receipt, *arguments, state=self._receipt_state))
        if self._expecting:
            self._expecting.popleft().callback(message)
        else:
            self._submitted.append(message)
        return encode_deliver_sm_resp(pdu.command_id, ESME_ROK, pdu.sequence, message_id)

    def link_up(self, link: Link) -> None:
        """Send what has waited."""
        super().link_up(link)
        self.counts.binds += 1
        self._store.due(self._reactor.seconds(), everything=True)
        self._tell_waiters()
        self._pump()

    def stopService(self) -> Deferred[None]:  # noqa: N802 - Twisted's name
        """Stop for good."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return super().stopService()

    # Store and forward.

    def _keep(self, pdu: bytes) -> Mo:
        mo = Mo(pdu, self._tickets)
        self._tickets += 1
        self._store.ready.append(mo)
        return mo

    def _pump(self) -> None:
        ready = self._store.ready
        if self._reorder:
            if len(ready) < self._reorder:
                return
            self._store.shuffle(self._reorder, self._rng)
            self._reorder = 0
        while ready:
            link = self._link_with_room()
            if link is None:
                return
            mo = ready.popleft()
            mo.attempts += 1
            self.counts.sent += 1
            self._outstanding += 1
            link.window.send(mo.pdu, partial(self._answered, link, mo))

    def _link_with_room(self) -> SmscConnection | None:
        """Take the links in turn."""
        count = len(self.links)
        for step in range(count):
            link = self.links[(self._next_link + step) % count]
            assert isinstance(link, LabConnection)
            if link.bound_as != BIND_TRANSMITTER and not link.is_silent and link.window.has_room:
                self._next_link = (self._next_link + step + 1) % count
                return link
        return None

    def _answered(self, link: Link, mo: Mo, answer: Pdu | Unavailable) -> None:
        self._outstanding -= 1
        if isinstance(answer, Unavailable):
            self.counts.unanswered += 1
            if link.is_bound:
                self._postpone(mo)
            else:
                self._store.give_back(mo)
        elif answer.status == ESME_ROK and answer.command_id in _ACKNOWLEDGEMENTS:
            self.counts.acked += 1
            self._acked.append(mo)
            self._tell_waiters()
        else:
            self.counts.refused += 1
            self._postpone(mo)
        if not isinstance(answer, Unavailable) and not mo.answered.called:
            mo.answered.callback(answer.status)
        self._pump()

    def _postpone(self, mo: Mo) -> None:
        self._store.postpone(mo, self._reactor.seconds())
        self._redeliver_due()

    def _redeliver_due(self) -> None:
        wait_s = self._store.due(self._reactor.seconds())
        if wait_s is not None and self._timer is None and self.running:
            self._timer = self._reactor.callLater(wait_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._redeliver_due()
        self._pump()

    def _take_cut(self) -> int:
        cut, self._cut_next = self._cut_next, 0
        return cut

    def _tell_waiters(self) -> None:
        bound = len(self.links)
        met = [waiter for count, waiter in self._bound_waiters if count <= bound]
        self._bound_waiters = [one for one in self._bound_waiters if one[0] > bound]
        if self.queued == 0:
            met += self._empty_waiters
            self._empty_waiters = []
        for waiter in met:
            waiter.callback(None)
