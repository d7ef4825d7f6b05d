"""The desk of a link in service: presses in, one answer for each, never ESME_ROK before they are durable.

Per read: decode everything, hand over everything at once, write all answers at once. The hard stop answers what
Intake has not answered in time, so that the SMSC delivers it again; a later result changes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from typing import Final

import structlog
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from telephony.clock import Call, Clock, utc_now
from telephony.domain.errors import Unavailable
from telephony.domain.incident import Receipt
from telephony.domain.ports import AcceptAll
from telephony.domain.recognition import Recognition
from telephony.domain.service_text import ServiceText
from telephony.domain.trigger import UNREADABLE_TEXT, Repetition, Trigger
from telephony.domain.ussd import UssdOver, UssdRules
from telephony.domain.values import Msisdn
from telephony.smpp.codec import decode_message, encode_deliver_sm_resp
from telephony.smpp.constants import ESME_ROK, STATUS_BY_NAME, SUBMIT_SM
from telephony.smpp.inbound import REFERENCE_OCTETS, SOURCE, trigger_of
from telephony.smpp.link import Link
from telephony.smpp.observer import Observer
from telephony.smpp.pdus import Message, Pdu
from telephony.smpp.receipt_book import ReceiptBook
from telephony.smpp.request_book import PressRequest, RequestBook
from telephony.smpp.service_desk import ServiceDesk, TakeText
from telephony.smpp.settings import Dialect
from telephony.smpp.sorting import InCalm, OfCentre, sort
from telephony.smpp.ussd_desk import Dialogue, MenuMessage, UssdDesk

log = structlog.get_logger()

HARD_STOP_S: Final = 3.0
"""Answer by then in any case: the most impatient message centres wait 5 s for a deliver_sm_resp."""
MOST_UNANSWERED: Final = 10_000
MOST_UNANSWERED_OCTETS: Final = 32 * 1024 * 1024
"""What one link may have open with us; beyond it the answer is the transient status, at once."""
SAY_AGAIN_S: Final = 10.0


@dataclass
class Tally:
    """What a link has brought and what it was answered, for metrics and for the console."""

    presses: int = 0
    accepted: int = 0
    retried: int = 0
    late: int = 0
    receipts: int = 0
    dialogues_over: int = 0
    """USSD messages that were no press: a dialogue ended by the phone or the network."""
    menu_messages: int = 0
    """USSD messages of the menu: no press."""
    service_texts: int = 0
    """Texts to a service number: no press."""
    faulty: int = 0
    last_press_at: float | None = None


@dataclass(slots=True)
class _Batch:
    """The presses of one read, until they are answered."""

    link: Link
    owed: list[tuple[int, int]]
    """Command id and sequence number of each request, in order."""
    requests: list[PressRequest]
    """The same requests, as the carrier's book has them."""
    octets: int
    due: float
    dialogues: dict[int, Dialogue]
    """The phones that wait for a text, by the place of their press; most batches have none."""
    is_answered: bool = field(default=False)


@dataclass(slots=True)
class _Read:
    """What one read brought, by what it is."""

    received_at: datetime
    triggers: list[Trigger] = field(default_factory=list)
    owed: list[tuple[int, int]] = field(default_factory=list)
    """Command id and sequence number of each press, in order."""
    dialogues: dict[int, Dialogue] = field(default_factory=dict)
    """By the place of their press."""
    taken: list[bytes] = field(default_factory=list)
    """Answers to what is no press and is done with."""
    menus: list[MenuMessage] = field(default_factory=list)
    texts: list[tuple[Pdu, ServiceText]] = field(default_factory=list)


class PressDesk:
    """Takes the messages of one configured link or peer, on however many connections."""

    def __init__(
        self,
        *,
        name: str,
        carrier: str,
        dialect: Dialect,
        recognition: Recognition,
        accept_all: AcceptAll,
        receipts: ReceiptBook,
        requests: RequestBook,
        new_message_id: Callable[[], str],
        clock: Clock,
        observer: Observer,
        ussd: UssdRules | None = None,
        service: TakeText | None = None,
    ) -> None:
        self.tally = Tally()
        self._name = name
        self._carrier = carrier
        self._dialect = dialect
        self.recognition = recognition
        """May be replaced at any time: the next message is read with the new tables."""
        self._accept_all = accept_all
        self._receipts = receipts
        self._requests = requests
        self._new_message_id = new_message_id
        self._clock = clock
        self._observer = observer
        self._ussd = None
        if ussd is not None:
            self._ussd = UssdDesk(
                ussd, name=name, carrier=carrier, dialect=dialect, accept_all=accept_all, clock=clock
            )
        self._service = None
        if service is not None:
            # Without one nobody could answer: a text to a service number is then a press, labelled, as any other.
            self._service = ServiceDesk(
                service,
                self._response,
                name=name,
                carrier=carrier,
                dialect=dialect,
                clock=clock,
                hard_stop_s=HARD_STOP_S,
            )
        self._retry_status = STATUS_BY_NAME[dialect.retry_status]
        self._batches: deque[_Batch] = deque()
        """Oldest first, answered ones dropped when they come to the front."""
        self._unanswered = 0
        self._unanswered_octets = 0
        self._timer: Call | None = None
        self._said_at: dict[str, float] = {}

    def take(self, link: Link, requests: list[Pdu]) -> None:
        """Take what one read brought. Whatever defect of ours strikes, 112 is told and the sender asked again."""
        try:
            self._take(link, requests)
        except Exception:
            log.exception("messages could not be taken", link=self._name, count=len(requests))
            read = _Read(utc_now(self._clock))
            for pdu in requests:
                self._take_unread(pdu, read)
            self._tell_again(read.triggers)
            self._refuse(link, requests)

    def _take(self, link: Link, requests: list[Pdu]) -> None:
        now = self._clock.seconds()
        octets = sum([len(pdu.body) for pdu in requests])
        if (
            self._unanswered + len(requests) > MOST_UNANSWERED
            or self._unanswered_octets + octets > MOST_UNANSWERED_OCTETS
        ):
            self._refuse(link, requests)
            return
        read = _Read(utc_now(self._clock))
        for pdu in requests:
            try:
                self._sort(pdu, read, now)
            except Exception:
                # Whatever is wrong with us, the message may be a call for help.
                log.exception("message could not be taken", link=self._name)
                self._take_unread(pdu, read)
        if read.taken:
            self._acknowledge(link, read.taken, read.menus)
        if read.triggers:
            self.tally.presses += len(read.triggers)
            self.tally.last_press_at = now
            entered = self._enter(link, read, now)
            batch = _Batch(link, read.owed, entered, octets, now + HARD_STOP_S, read.dialogues)
            self._hand_over(batch, read.triggers)
        if read.texts:
            self._take_texts(link, read.texts)

    def _enter(self, link: Link, read: _Read, now: float) -> list[PressRequest]:
        """Enter the presses into the carrier's book; one that came before goes on as what it is."""
        entered: list[PressRequest] = []
        for place, trigger in enumerate(read.triggers):
            dialogue = read.dialogues.get(place)
            dialogue_s = 0.0
            if dialogue is not None and self._ussd is not None:
                dialogue_s = self._ussd.life_s(dialogue)
            sequence = read.owed[place][1]
            try:
                request = self._requests.take(trigger, link.standing, sequence, now, dialogue_s=dialogue_s)
            except Exception:
                log.exception("press could not be entered", link=self._name)
                request = PressRequest(trigger.reference, Repetition.UNKNOWN, link.standing, sequence, now)
            entered.append(request)
            if request.repetition is not Repetition.UNKNOWN:
                known = replace(trigger, reference=request.reference, repetition=request.repetition)
                read.triggers[place] = known
                if dialogue is not None:
                    read.dialogues[place] = dialogue._replace(trigger=known)
        return entered

    def _sort(self, pdu: Pdu, read: _Read, now: float) -> None:
        """Say what a message is: whatever is nothing else is a press."""
        message = decode_message(pdu.command_id, pdu.body)
        if message.faults:
            self._remark(message)
        found = self._sorted(message)
        if isinstance(found, OfCentre) and found.is_proven:
            read.taken.append(self._take_receipt(pdu, found))
            return
        heard = None
        if self._ussd is not None:
            heard = self._ussd.hear(message, pdu.body, self.recognition, read.received_at, now)
        if isinstance(heard, UssdOver | MenuMessage):
            read.taken.append(self._take_dialogue(pdu, heard, read.menus))
            return
        if heard is not None:
            read.dialogues[len(read.triggers)] = heard
            read.triggers.append(heard.trigger)
        elif isinstance(found, OfCentre):
            read.taken.append(self._take_receipt(pdu, found))
            return
        elif isinstance(found, InCalm) and self._service is not None:
            text = self._service.text_of(message, found, self.recognition, read.received_at)
            read.texts.append((pdu, text))
            return
        else:
            read.triggers.append(self._trigger_of(message, pdu.body, read.received_at))
        read.owed.append((pdu.command_id, pdu.sequence))

    def _sorted(self, message: Message) -> OfCentre | InCalm | None:
        try:
            return sort(
                message, self.recognition, self._receipts, default_alphabet=self._dialect.default_alphabet
            )
        except Exception:
            # A fault of ours in reading must not cost what may be a press.
            log.exception("message could not be sorted", link=self._name)
            return None

    def _take_texts(self, link: Link, texts: Sequence[tuple[Pdu, ServiceText]]) -> None:
        """Hand over what was sent in calm, after the presses of the same read."""
        if self._service is not None:
            self.tally.service_texts += len(texts)
            for pdu, text in texts:
                self._service.take(link, pdu, text)

    def _trigger_of(self, message: Message, body: bytes, received_at: datetime) -> Trigger:
        try:
            return trigger_of(
                message,
                body,
                link_name=self._name,
                carrier=self._carrier,
                dialect=self._dialect,
                recognition=self.recognition,
                received_at=received_at,
            )
        except Exception:
            # A fault of ours in reading a text must not cost the press: it goes on unread, with its raw octets.
            log.exception("press could not be read", link=self._name)
            return self._unread(message.source, message.destination, body, received_at)

    def _unread(self, source: str, destination: str, body: bytes, received_at: datetime) -> Trigger:
        """Return the press of a message of which no more is known; its octets are kept."""
        reference = blake2b(body, digest_size=REFERENCE_OCTETS).hexdigest()
        return Trigger(
            SOURCE,
            self._name,
            self._carrier,
            Msisdn(source, is_e164=False),
            reference,
            received_at,
            destination,
            raw=body,
            labels=(UNREADABLE_TEXT,),
            repetition=Repetition.UNKNOWN,
        )

    def _take_unread(self, pdu: Pdu, read: _Read) -> None:
        """Take a message that a defect of ours kept from being sorted for a press."""
        if len(read.triggers) == len(read.owed):
            try:
                message = decode_message(pdu.command_id, pdu.body)
                source, destination = message.source, message.destination
            except Exception:
                log.exception("message could not be decoded", link=self._name)
                source = destination = ""
            read.triggers.append(self._unread(source, destination, pdu.body, read.received_at))
        read.owed.append((pdu.command_id, pdu.sequence))

    def _take_receipt(self, pdu: Pdu, found: OfCentre) -> bytes:
        self.tally.receipts += 1
        try:
            if found.receipt is not None:
                self._receipts.receive(found.receipt)
        except Exception:
            log.exception("delivery receipt could not be taken", link=self._name)
            return self._response(pdu.command_id, self._retry_status, pdu.sequence)
        return self._response(pdu.command_id, ESME_ROK, pdu.sequence)

    def _take_dialogue(self, pdu: Pdu, heard: UssdOver | MenuMessage, menus: list[MenuMessage]) -> bytes:
        """Acknowledge what is no press; a message of the menu gets its page afterwards."""
        if isinstance(heard, MenuMessage):
            self.tally.menu_messages += 1
            menus.append(heard)
        else:
            self.tally.dialogues_over += 1
        return self._response(pdu.command_id, ESME_ROK, pdu.sequence)

    def _acknowledge(self, link: Link, responses: list[bytes], menus: list[MenuMessage]) -> None:
        """Answer what is no press; the pages of the menu follow."""
        link.answer(b"".join(responses), len(responses))
        if menus and self._ussd is not None:
            self._ussd.converse(link, menus)

    def _hand_over(self, batch: _Batch, triggers: Sequence[Trigger]) -> None:
        self._batches.append(batch)
        self._unanswered += len(batch.owed)
        self._unanswered_octets += batch.octets
        if self._timer is None:
            self._timer = self._clock.callLater(HARD_STOP_S, self._stop_waiting)
        try:
            results = self._accept_all(triggers)
            waiting = results if isinstance(results, Deferred) else Deferred.fromCoroutine(_awaited(results))
        except Exception as error:  # noqa: BLE001 - whatever it is, 112 hears of them and the SMSC is answered
            self._fail(batch, error)
            self._tell_again(triggers)
            return
        waiting.addCallback(self._answer, batch).addErrback(self._failed, batch)

    def _tell_again(self, triggers: Sequence[Trigger]) -> None:
        """Offer presses whose request is answered already: what comes of it is Intake's alone."""
        try:
            self._accept_all(triggers)
        except Exception:
            log.exception("presses could not be told", link=self._name, presses=len(triggers))

    def _answer(self, results: list[Receipt | Unavailable], batch: _Batch) -> None:
        """Answer ESME_ROK to what is durable and to nothing else."""
        if batch.is_answered:
            return
        if len(results) != len(batch.owed):
            self._fail(batch, AssertionError("as many answers as presses"))
            return
        accepted = 0
        responses: list[bytes] = []
        now = self._clock.seconds()
        for (command_id, sequence), request, result in zip(batch.owed, batch.requests, results, strict=True):
            if isinstance(result, Receipt):
                accepted += 1
                request.acknowledged(now)
                responses.append(self._response(command_id, ESME_ROK, sequence))
            else:
                request.refused()
                responses.append(encode_deliver_sm_resp(command_id, self._retry_status, sequence))
        self.tally.accepted += accepted
        self.tally.retried += len(responses) - accepted
        self._settle(batch, responses, results)

    def _failed(self, failure: Failure, batch: _Batch) -> None:
        self._fail(batch, failure.value)

    def _fail(self, batch: _Batch, error: BaseException | None) -> None:
        if self._says("presses not accepted"):
            log.error("presses not accepted", link=self._name, presses=len(batch.owed), exc_info=error)
        if not batch.is_answered:
            self._retry(batch)

    def _retry(self, batch: _Batch) -> None:
        self.tally.retried += len(batch.owed)
        for request in batch.requests:
            request.refused()
        self._settle(
            batch,
            [
                encode_deliver_sm_resp(command_id, self._retry_status, sequence)
                for command_id, sequence in batch.owed
            ],
        )

    def _settle(
        self,
        batch: _Batch,
        responses: list[bytes],
        results: Sequence[Receipt | Unavailable] | None = None,
    ) -> None:
        batch.is_answered = True
        self._unanswered -= len(batch.owed)
        self._unanswered_octets -= batch.octets
        while self._batches and self._batches[0].is_answered:
            self._batches.popleft()
        if self._ussd is None or not batch.dialogues:
            batch.link.answer(b"".join(responses), len(responses))
            return
        closing = [
            (dialogue, results[place] if results is not None else None)
            for place, dialogue in batch.dialogues.items()
        ]
        # A refused message may end the dialogue at the gateway, so its text goes ahead of the status.
        for dialogue, result in closing:
            if not isinstance(result, Receipt):
                self._ussd.close(batch.link, dialogue, result)
        batch.link.answer(b"".join(responses), len(responses))
        for dialogue, result in closing:
            if isinstance(result, Receipt):
                self._ussd.close(batch.link, dialogue, result)

    def _refuse(self, link: Link, requests: list[Pdu]) -> None:
        """Push back: reading on keeps enquire_link alive, and the SMSC keeps what we cannot hold."""
        self.tally.retried += len(requests)
        self._alarm("more presses unanswered than one link may have")
        responses = [
            encode_deliver_sm_resp(pdu.command_id, self._retry_status, pdu.sequence) for pdu in requests
        ]
        link.answer(b"".join(responses), len(responses))

    def _stop_waiting(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        while self._batches and self._batches[0].due <= now:
            batch = self._batches.popleft()
            if not batch.is_answered:
                self.tally.late += len(batch.owed)
                self._alarm("presses not durable within 3 s")
                self._retry(batch)
        if self._batches and self._timer is None:
            self._timer = self._clock.callLater(self._batches[0].due - now, self._stop_waiting)

    def _response(self, command_id: int, status: int, sequence: int) -> bytes:
        if command_id == SUBMIT_SM and status == ESME_ROK:
            return encode_deliver_sm_resp(command_id, status, sequence, self._new_message_id())
        return encode_deliver_sm_resp(command_id, status, sequence)

    def _remark(self, message: Message) -> None:
        """Count messages that break the specification; say so now and then."""
        self.tally.faulty += 1
        if self._says("faulty message"):
            self._observer.noted(self._name, "; ".join(message.faults), self.tally.faulty)

    def _alarm(self, what: str) -> None:
        if self._says(what):
            self._observer.alarm(self._name, what)

    def _says(self, what: str) -> bool:
        """Claim that this has not been said for a while: a flood of messages is no flood of log lines."""
        now = self._clock.seconds()
        if now - self._said_at.get(what, -SAY_AGAIN_S) < SAY_AGAIN_S:
            return False
        self._said_at[what] = now
        return True


async def _awaited(
    results: Awaitable[list[Receipt | Unavailable]],
) -> list[Receipt | Unavailable]:
    return await results
