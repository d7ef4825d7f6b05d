"""Answers the messages of a link: one response each, and ESME_ROK to a press only once it is durable.

For each read: sort all messages, answer those that are not presses, and hand over the presses together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, assert_never

import structlog

from telephony.clock import Clock, utc_now
from telephony.domain.people.service_text import ServiceText
from telephony.domain.ports import AcceptAll
from telephony.domain.recognition import Recognition
from telephony.domain.trigger import Repetition, Trigger
from telephony.domain.ussd import UssdOver, UssdRules
from telephony.net.links import LinkObserver
from telephony.smpp.answers import Answers
from telephony.smpp.batches import HARD_STOP_S, Batches, Press
from telephony.smpp.link import Link
from telephony.smpp.press_tally import Tally
from telephony.smpp.reading import Reader
from telephony.smpp.receipt_book import ReceiptBook
from telephony.smpp.request_book import RequestBook
from telephony.smpp.service_desk import ServiceDesk, TakeText
from telephony.smpp.ussd_desk import UssdDesk
from telephony.smpp.wire.constants import STATUS_BY_NAME
from telephony.smpp.wire.inbound import Way
from telephony.smpp.wire.pdus import Message, Pdu
from telephony.smpp.wire.receipts import DeliveryReceipt
from telephony.smpp.wire.sorting import Dialogue, MachineText, MenuMessage, ProvenReceipt, Sorter
from telephony.sparingly import Sparingly

log = structlog.get_logger()

SAY_AGAIN_S: Final = 10.0


@dataclass(slots=True)
class _Read:
    """The messages of one read, by kind."""

    received_at: datetime
    presses: list[Press] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)
    """Answers to messages that are not presses and need nothing further."""
    menus: list[MenuMessage] = field(default_factory=list)
    texts: list[tuple[Pdu, ServiceText]] = field(default_factory=list)


class PressDesk:
    """Takes the messages of one configured link or peer, on however many connections."""

    def __init__(
        self,
        way: Way,
        *,
        recognition: Recognition,
        accept_all: AcceptAll,
        receipts: ReceiptBook,
        requests: RequestBook,
        new_message_id: Callable[[], str],
        clock: Clock,
        observer: LinkObserver,
        ussd: UssdRules | None = None,
        service: TakeText | None = None,
    ) -> None:
        self.tally = Tally()
        self.recognition = recognition
        """May be replaced at any time: the next message is read with the new tables."""
        self._name = way.name
        self._receipts = receipts
        self._requests = requests
        self._clock = clock
        self._observer = observer
        self._answers = Answers(STATUS_BY_NAME[way.dialect.retry_status], new_message_id)
        self._ussd = None if ussd is None else UssdDesk(ussd, way, accept_all=accept_all, clock=clock)
        self._service = None
        if service is not None:
            self._service = ServiceDesk(
                service, self._answers, link_name=way.name, clock=clock, hard_stop_s=HARD_STOP_S
            )
        hear = None if self._ussd is None else self._ussd.hear
        self._reader = Reader(
            Sorter(way, receipts, hear, takes_service_texts=service is not None), self._remark
        )
        self._batches = Batches(
            way.name,
            self._answers,
            accept_all=accept_all,
            ussd=self._ussd,
            tally=self.tally,
            alarm=self._alarm,
            clock=clock,
        )
        self._sparingly = Sparingly(clock.seconds, SAY_AGAIN_S)

    def take(self, link: Link, requests: list[Pdu]) -> None:
        """Take the messages of one read. Whatever defect of ours strikes, 112 is told and the sender asked again."""
        try:
            self._take(link, requests)
        except Exception:
            log.exception("messages could not be taken", link=self._name, count=len(requests))
            received_at = utc_now(self._clock)
            self._batches.tell_again([self._reader.unread(pdu, received_at) for pdu in requests])
            self._refuse(link, requests)

    def _take(self, link: Link, requests: list[Pdu]) -> None:
        now = self._clock.seconds()
        octets = sum([len(pdu.body) for pdu in requests])
        if not self._batches.has_room(len(requests), octets):
            self._refuse(link, requests)
            return
        read = _Read(utc_now(self._clock))
        for pdu in requests:
            try:
                self._sort(pdu, read, now)
            except Exception:
                # Whatever is wrong with us, the message may be a call for help.
                log.exception("message could not be taken", link=self._name)
                read.presses.append(Press(pdu, self._reader.unread(pdu, read.received_at)))
        if read.taken:
            link.answer(b"".join(read.taken), len(read.taken))
        if read.menus and self._ussd is not None:
            self._ussd.converse(link, read.menus)
        if read.presses:
            self.tally.presses += len(read.presses)
            self.tally.last_press_at = now
            for press in read.presses:
                self._enter(press, link, now)
            self._batches.hand_over(link, read.presses, octets, now)
        if self._service is not None:
            self.tally.service_texts += len(read.texts)
            for pdu, text in read.texts:
                entered = self._requests.take_text(text, link.standing, pdu.sequence, now)
                self._service.take(link, pdu, replace(text, reference=entered.reference), entered)

    def _sort(self, pdu: Pdu, read: _Read, now: float) -> None:
        """Put a message with those of its kind. Nothing may fail once it is there."""
        match self._reader.read(pdu, self.recognition, read.received_at, now):
            case Trigger() as trigger:
                read.presses.append(Press(pdu, trigger))
            case Dialogue() as dialogue:
                read.presses.append(Press(pdu, dialogue.trigger, dialogue))
            case MenuMessage() as asked:
                self.tally.menu_messages += 1
                read.taken.append(self._answers.done(pdu))
                read.menus.append(asked)
            case UssdOver():
                self.tally.dialogues_over += 1
                read.taken.append(self._answers.done(pdu))
            case ServiceText() as text:
                read.texts.append((pdu, text))
            case ProvenReceipt(receipt) | MachineText(receipt):
                read.taken.append(self._take_receipt(pdu, receipt))
            case never:
                assert_never(never)

    def _take_receipt(self, pdu: Pdu, receipt: DeliveryReceipt | None) -> bytes:
        self.tally.receipts += 1
        try:
            if receipt is not None:
                self._receipts.receive(receipt)
        except Exception:
            log.exception("delivery receipt could not be taken", link=self._name)
            return self._answers.again(pdu)
        return self._answers.done(pdu)

    def _enter(self, press: Press, link: Link, now: float) -> None:
        """Enter a press into the carrier's request book; a redelivery goes on under the reference of its press."""
        dialogue, dialogue_s = press.dialogue, 0.0
        if dialogue is not None and self._ussd is not None:
            dialogue_s = self._ussd.life_s(dialogue)
        try:
            entered = self._requests.take(
                press.trigger, link.standing, press.pdu.sequence, now, dialogue_s=dialogue_s
            )
        except Exception:
            log.exception("press could not be entered", link=self._name)
            return
        press.entered = entered
        if entered.repetition is not Repetition.UNKNOWN:
            press.trigger = replace(press.trigger, reference=entered.reference, repetition=entered.repetition)
            if dialogue is not None:
                press.dialogue = dialogue._replace(trigger=press.trigger)

    def _refuse(self, link: Link, requests: list[Pdu]) -> None:
        """Push back: reading goes on, so enquire_link is answered, and the SMSC keeps the messages."""
        self.tally.retried += len(requests)
        self._alarm("more presses unanswered than one link may have")
        responses = [self._answers.again(pdu) for pdu in requests]
        link.answer(b"".join(responses), len(responses))

    def _remark(self, message: Message) -> None:
        """Count messages that break the specification; log it now and then."""
        self.tally.faulty += 1
        if self._sparingly.take_turn("faulty message"):
            self._observer.noted(self._name, "; ".join(message.faults), self.tally.faulty)

    def _alarm(self, what: str) -> None:
        if self._sparingly.take_turn(what):
            self._observer.alarm(self._name, what)
