"""What a message of a carrier is: a press, a text used in calm, or what a message centre tells of a text of ours. Pure.

The destination decides first: nothing that is sent to an SOS or test number is ever anything but a press. Next is what
we know: a receipt is what an id that is waited for proves, at the number that our texts leave from. What was marked as
a receipt (esm_class) and what looks like one counts only there and at service numbers, and only to keep a machine from
being taken for a person.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from telephony.domain.guardian_words import read_reply
from telephony.domain.keywords import as_heard
from telephony.domain.recognition import Recognition
from telephony.smpp.pdus import Message
from telephony.smpp.receipts import DeliveryReceipt, Signs, Wording, read_signs
from telephony.smpp.text import Text, read_text


class Awaited(Protocol):
    """The receipts that are waited for: `telephony.smpp.receipt_book.ReceiptBook`."""

    sender: str

    def known(self, message_ids: Iterable[str]) -> str | None:
        """Return which of these ids is waited for, or was until its final receipt came."""
        ...


class OfCentre(NamedTuple):
    """Written by a message centre, about a text of ours: nobody's words.

    ``is_proven`` where its id is one that we know. Otherwise it may be ahead of its submit_sm_resp, or from before a
    restart. ``receipt`` is ``None`` where no id or no state can be read.
    """

    receipt: DeliveryReceipt | None
    is_proven: bool


class InCalm(NamedTuple):
    """A text to a service number, ``number`` in the form in which it is listed.

    ``is_marked`` where the carrier marked it as an acknowledgement, which phones and message centres do to replies.
    """

    number: str
    text: Text
    is_marked: bool


def sort(
    message: Message, recognition: Recognition, awaited: Awaited, *, default_alphabet: str
) -> OfCentre | InCalm | None:
    """Return what a message is; ``None`` for a press, which is whatever is nothing else."""
    destination = message.destination
    if recognition.is_listed(destination):
        return None
    number = recognition.service_number(destination)
    is_at_sender = recognition.is_own(destination, awaited.sender)
    if number is None and not is_at_sender:
        return None
    text = read_text(
        message.data_coding,
        message.esm_class,
        message.short_message,
        default_alphabet=default_alphabet,
        sar=message.sar,
    )
    signs = read_signs(message, text)
    known = awaited.known(signs.ids) if is_at_sender else None
    if _is_of_centre(signs, text, is_known=known is not None):
        first = next(iter(signs.ids), None)
        return OfCentre(signs.receipt(known or first) if is_at_sender else None, known is not None)
    if number is None or (text.text is None and message.short_message):
        return None
    if not recognition.is_for_service(number, as_heard(text.text or "")):
        return None
    return InCalm(number, text, signs.is_marked or signs.has_state_parameter)


def _is_of_centre(signs: Signs, text: Text, *, is_known: bool) -> bool:
    """Whether no person wrote this, whatever it was marked as."""
    if signs.wording is Wording.NONE:
        # Without a word, a parameter of receipts is enough: no phone sends one.
        return (
            signs.is_marked or signs.has_state_parameter or bool(signs.ids) or signs.network_error is not None
        )
    if signs.wording is Wording.PHRASE:
        return signs.is_told_by_centre or signs.has_state_parameter
    if signs.wording is Wording.FORM and (signs.begins or signs.is_told_by_centre or is_known):
        return True
    # Some centres set both parameters on replies too, and some quote our text without a word of their own.
    is_told = signs.is_told_by_centre or (is_known and not signs.is_marked)
    return signs.has_parameters and is_told and not read_reply(text.text or "").confirms
