"""Receipts find their messages, whichever comes first and however the ids are written."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from telephony.smpp.receipt_book import KNOWN_S, ReceiptBook
from telephony.smpp.wire.receipts import DeliveryReceipt


def receipt(message_id, state="DELIVRD"):
    return DeliveryReceipt(message_id, state, "", None)


@pytest.fixture
def clock():
    return Clock()


@pytest.mark.parametrize(
    ("base", "in_response", "in_receipt"),
    [
        ("raw", "00A1", "a1"),
        ("hex-to-decimal", "161", "A1"),
        ("decimal-to-hex", "a1", "0000000161"),
    ],
)
@pytest.mark.parametrize("receipt_first", [True, False])
def test_any_form_of_id_and_any_order(clock, base, in_response, in_receipt, receipt_first):
    book = ReceiptBook(clock=clock, id_base=base)
    told = []

    if receipt_first:
        book.receive(receipt(in_receipt))
        book.expect(in_response, told.append)
    else:
        book.expect(in_response, told.append)
        book.receive(receipt(in_receipt))

    assert told == [receipt(in_receipt)]
    assert book.unmatched == 0


def test_intermediate_states_come_before_the_final_one_and_nothing_after_it(clock):
    book = ReceiptBook(clock=clock)
    told = []
    book.expect("1", told.append)

    for state in ("ENROUTE", "ACCEPTD", "DELIVRD", "DELIVRD"):
        book.receive(receipt("1", state))

    assert [one.state for one in told] == ["ENROUTE", "ACCEPTD", "DELIVRD"]


def test_early_receipts_are_kept_for_a_minute_in_order(clock):
    book = ReceiptBook(clock=clock)
    told = []
    book.receive(receipt("1", "ENROUTE"))
    book.receive(receipt("1"))
    book.receive(receipt("2"))

    clock.advance(59)
    book.expect("1", told.append)
    clock.advance(1)
    book.expect("2", told.append)

    assert [one.state for one in told] == ["ENROUTE", "DELIVRD"]
    assert book.unmatched == 1


def test_the_book_is_bounded(clock):
    book = ReceiptBook(clock=clock, capacity=10)
    told = []

    for number in range(1, 100):
        book.receive(receipt(str(number)))
        book.expect(str(1000 + number), told.append)
    for number in range(1, 100):
        book.receive(receipt(str(1000 + number)))

    assert [one.message_id for one in told] == [str(number) for number in range(1090, 1100)]
    assert len(book._parked) == 10


def test_a_carrier_that_repeats_itself_does_not_fill_the_book(clock):
    book = ReceiptBook(clock=clock)
    told = []

    for _ in range(1000):
        book.receive(receipt("1", "ENROUTE"))
    book.expect("1", told.append)

    assert len(told) == 1


def test_a_message_is_known_until_a_day_after_its_final_receipt(clock):
    book = ReceiptBook(clock=clock)
    told = []
    assert book.known(["1"]) is None
    book.expect("1", told.append)
    assert book.known(["0", "1"]) == "1"

    book.receive(receipt("1"))
    clock.advance(KNOWN_S - 1)
    assert book.known(["1"]) == "1"
    book.receive(receipt("1"))
    assert (len(told), book.unmatched, len(book._parked)) == (1, 0, 0)

    clock.advance(1)
    assert book.known(["1"]) is None


def test_an_id_that_is_given_out_again_is_waited_for_again(clock):
    book = ReceiptBook(clock=clock)
    first, second = [], []
    book.expect("1", first.append)
    book.receive(receipt("1"))

    book.expect("1", second.append)
    book.receive(receipt("1", "EXPIRED"))

    assert [one.state for one in first + second] == ["DELIVRD", "EXPIRED"]


def test_what_was_over_later_does_not_keep_what_was_over_before(clock):
    book = ReceiptBook(clock=clock)
    for message_id in ("1", "2", "1"):
        book.expect(message_id, lambda _: None)
        book.receive(receipt(message_id))
        clock.advance(10)

    clock.advance(KNOWN_S - 20)
    assert book.known(["2"]) is None
    assert book.known(["1"]) == "1"


def test_an_answer_without_an_id_is_not_waited_for(clock):
    book = ReceiptBook(clock=clock)
    book.expect("\0", lambda _: None)

    assert book.known([""]) is None


@pytest.mark.parametrize("receipt_first", [True, False])
def test_a_long_id_in_another_base_is_found_without_being_told(clock, receipt_first):
    book = ReceiptBook(clock=clock)
    told = []
    steps = [lambda: book.expect("00ABCD0201", told.append), lambda: book.receive(receipt("2882339329"))]

    for step in reversed(steps) if receipt_first else steps:
        step()

    assert len(told) == 1


def test_what_is_over_is_bounded_too(clock):
    book = ReceiptBook(clock=clock, capacity=10)

    for number in range(100):
        book.expect(str(1000 + number), lambda _: None)
        book.receive(receipt(str(1000 + number)))

    assert (len(book._over), len(book._expected)) == (10, 0)
