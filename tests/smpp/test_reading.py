"""Whatever defect of ours keeps a message from being sorted, it is a press, with as much of it as can be read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from twisted.internet.task import Clock

from telephony.domain.recognition import Recognition
from telephony.domain.trigger import UNREADABLE_TEXT, Trigger
from telephony.smpp.reading import Reader
from telephony.smpp.receipt_book import ReceiptBook
from telephony.smpp.settings import Dialect
from telephony.smpp.wire.building import build
from telephony.smpp.wire.codec import PduStream
from telephony.smpp.wire.inbound import Way
from telephony.smpp.wire.pdus import Message, Pdu
from telephony.smpp.wire.sorting import Sorter

NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
RECOGNITION = Recognition(frozenset({"112"}))


class DefectError(Exception):
    """What a programmer did not think of."""


def defect(*_: Any) -> Any:
    raise DefectError


def deliver_sm(**fields: Any) -> Pdu:
    told = {"source_addr": "821012345678", "destination_addr": "112", "short_message": b"help", **fields}
    (pdu,) = PduStream().feed(build("deliver_sm", 7, **told))
    return pdu


def read(pdu: Pdu, *, dialect: Any = None, hear: Any = None, remark: Any = None) -> Any:
    sorter = Sorter(Way("skt-1", "skt", dialect or Dialect()), ReceiptBook(clock=Clock()), hear)
    return Reader(sorter, remark or defect).read(pdu, RECOGNITION, NOW, 0.0)


def test_what_breaks_the_specification_is_remarked_and_read_all_the_same():
    remarked: list[Message] = []

    found = read(Pdu(deliver_sm().command_id, 0, 7, b"\xff" * 40), remark=remarked.append)

    assert isinstance(found, Trigger)
    assert len(remarked) == 1


@pytest.mark.parametrize("fault", ["hear", "remark"])
def test_a_message_that_cannot_be_sorted_is_read_as_a_press(fault: str):
    pdu = deliver_sm(service_type="USSD")
    if fault == "remark":
        pdu = pdu._replace(body=pdu.body + b"\x05")

    found = read(pdu, hear=defect if fault == "hear" else None)

    assert (found.source, found.text, found.labels) == ("sms", "help", ())
    assert (found.msisdn.number, found.raw) == ("821012345678", pdu.body)


def test_a_press_that_cannot_be_read_goes_on_with_its_octets_and_addresses():
    found = read(deliver_sm(), dialect=object())

    assert (found.text, found.labels, found.raw) == (None, (UNREADABLE_TEXT,), deliver_sm().body)
    assert (found.msisdn.number, found.destination) == ("821012345678", "112")
