"""Classifies a carrier's message: a press, a USSD dialogue, a service text, or a message centre's own words. Pure.

Its text is read here, once, and a value of its kind is made.

The destination decides first: nothing that is sent to an SOS or test number is a receipt or a service text. Next is what
we know: a receipt is what an id that is waited for proves, at the number that our texts leave from. What was marked as
a receipt (esm_class) and what looks like one counts only there and at service numbers, and only to keep a machine from
being taken for a person. Only two answers come from outside, each asked for at most once: whether an id is waited for
(`Awaited`), and what a message is in its USSD dialogue (`Hear`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NamedTuple, Protocol

from telephony.domain.guardians.words import read_reply
from telephony.domain.people.keywords import as_heard
from telephony.domain.people.service_text import ServiceText
from telephony.domain.recognition import Recognition
from telephony.domain.trigger import Trigger
from telephony.domain.ussd import UssdMenu, UssdMessage, UssdOver, UssdPress
from telephony.smpp.wire.inbound import Way, service_text_of, trigger_of
from telephony.smpp.wire.pdus import Message
from telephony.smpp.wire.receipts import DeliveryReceipt, Signs, Wording, read_signs
from telephony.smpp.wire.text import Text, text_of
from telephony.smpp.wire.ussd import may_be_ussd, ussd_message_of, ussd_trigger_of


class Awaited(Protocol):
    """The receipts that are waited for: `telephony.smpp.receipt_book.ReceiptBook`."""

    sender: str

    def known(self, message_ids: Iterable[str]) -> str | None:
        """Return which of these ids is waited for, or was until its final receipt came."""
        ...


Heard = UssdPress | UssdMenu | UssdOver
Hear = Callable[[UssdMessage, Recognition, float], Heard | None]
"""Says what a message is by the rules of its carrier's dialogues, `UssdRules.read`, which remember dialogues and menus:
so no more of them is in here than the outcome. ``None``: no USSD."""


class ProvenReceipt(NamedTuple):
    """A delivery receipt whose id we know: of a text of ours. ``None`` where no state can be read."""

    receipt: DeliveryReceipt | None


class MachineText(NamedTuple):
    """Written by a message centre, not by a person.

    It may be a receipt ahead of its submit_sm_resp, or from before a restart. ``receipt`` is ``None`` where no id or no
    state can be read.
    """

    receipt: DeliveryReceipt | None


class Dialogue(NamedTuple):
    """A press by USSD: a phone that waits for an answer."""

    message: Message
    press: UssdPress
    trigger: Trigger
    begun_at: float


class MenuMessage(NamedTuple):
    """A message of the menu. ``trigger`` is the press that it comes to where its phone has an open incident."""

    message: Message
    menu: UssdMenu
    trigger: Trigger
    begun_at: float


Sorted = Trigger | Dialogue | MenuMessage | UssdOver | ServiceText | ProvenReceipt | MachineText
"""Every message is one of these; one that is nothing else is a press (`Trigger`)."""


@dataclass(frozen=True, slots=True)
class Sorter:
    """How the messages of one way in are told apart.

    ``hear`` is ``None`` where no USSD comes. Where service texts are not answered (not ``takes_service_texts``), a text
    to a service number is a press, labelled, as any other.
    """

    way: Way
    awaited: Awaited
    hear: Hear | None = None
    takes_service_texts: bool = False

    def sort(
        self, message: Message, body: bytes, recognition: Recognition, received_at: datetime, now: float
    ) -> Sorted:
        """Return what a message is. ``body`` is the whole body as it came, ``now`` the time of the dialogues' clock."""
        text = text_of(message, self.way.dialect.default_alphabet)
        found = None
        is_listed = recognition.is_listed(message.destination)
        if not is_listed:
            found = self._to_us(message, text, recognition, received_at)
            if isinstance(found, ProvenReceipt):
                return found
        if self.hear is not None and may_be_ussd(message):
            heard = self.hear(ussd_message_of(message, text), recognition, now)
            if heard is not None:
                make = partial(
                    ussd_trigger_of,
                    message,
                    text,
                    body,
                    way=self.way,
                    recognition=recognition,
                    received_at=received_at,
                )
                return _in_dialogue(message, heard, make, now)
        if found is not None:
            return found
        return trigger_of(
            message,
            text,
            body,
            way=self.way,
            recognition=recognition,
            received_at=received_at,
            is_listed=is_listed,
        )

    def _to_us(
        self, message: Message, text: Text, recognition: Recognition, received_at: datetime
    ) -> ProvenReceipt | MachineText | ServiceText | None:
        """Return what a message to a number of ours for calm is; ``None``: to none, or a press."""
        destination = message.destination
        number = recognition.service_number(destination)
        is_at_sender = recognition.is_own(destination, self.awaited.sender)
        if number is None and not is_at_sender:
            return None
        signs = read_signs(message, text)
        known = self.awaited.known(signs.ids) if is_at_sender else None
        if _is_of_centre(signs, text, is_known=known is not None):
            first = next(iter(signs.ids), None)
            receipt = signs.receipt(known or first) if is_at_sender else None
            return MachineText(receipt) if known is None else ProvenReceipt(receipt)
        if not self.takes_service_texts or number is None or (text.text is None and message.short_message):
            return None
        if not recognition.is_for_service(number, as_heard(text.text or "")):
            return None
        return service_text_of(
            message,
            number,
            text,
            way=self.way,
            recognition=recognition,
            received_at=received_at,
            is_marked=signs.is_marked or signs.has_state_parameter,
        )


def _in_dialogue(
    message: Message,
    heard: Heard,
    trigger_of_press: Callable[[UssdPress], Trigger],
    now: float,
) -> Dialogue | MenuMessage | UssdOver:
    """Return what a message is that belongs to a USSD dialogue."""
    match heard:
        case UssdOver():
            return heard
        case UssdMenu():
            return MenuMessage(message, heard, trigger_of_press(heard.press), now)
        case UssdPress():
            return Dialogue(message, heard, trigger_of_press(heard), now)


def _is_of_centre(signs: Signs, text: Text, *, is_known: bool) -> bool:
    """Whether a machine wrote this, whatever it was marked as."""
    if signs.wording is Wording.NONE:
        # Without any text, a parameter of receipts is enough: no phone sends one.
        return (
            signs.is_marked or signs.has_state_parameter or bool(signs.ids) or signs.network_error is not None
        )
    if signs.wording is Wording.PHRASE:
        return signs.is_told_by_centre or signs.has_state_parameter
    if signs.wording is Wording.FORM and (signs.begins or signs.is_told_by_centre or is_known):
        return True
    # Some centres set both parameters on replies too, and some quote our text and add nothing.
    is_told = signs.is_told_by_centre or (is_known and not signs.is_marked)
    return signs.has_parameters and is_told and not read_reply(text.text or "").confirms
