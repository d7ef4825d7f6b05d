"""Which delivery receipt belongs to which message of ours, across all binds of one carrier.

A receipt may come on another bind than the submit_sm left by, before its submit_sm_resp, and with the id in another
form. One book for each carrier; what it holds is bounded in number and in time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from telephony.clock import Clock
from telephony.smpp.receipts import DeliveryReceipt, ReceiptIdBase, normal_id

OnReceipt = Callable[[DeliveryReceipt], None]

PARK_S: Final = 60.0
"""How long a receipt may be ahead of its submit_sm_resp."""
EXPECT_S: Final = 3 * 86_400.0
"""How long a receipt may be behind it: the longest validity_period that message centres commonly grant."""
CAPACITY: Final = 100_000
"""Messages, and parked receipts, that one book holds; the oldest make room."""


class _Expected(NamedTuple):
    since: float
    tell: OnReceipt


class _Parked(NamedTuple):
    since: float
    receipts: tuple[DeliveryReceipt, ...]


class ReceiptBook:
    """Brings receipts and messages together, whichever comes first."""

    def __init__(self, *, clock: Clock, id_base: ReceiptIdBase = "raw", capacity: int = CAPACITY) -> None:
        self.unmatched = 0
        """Receipts nobody was waiting for, after they had been parked."""
        self._clock = clock
        self._id_base = id_base
        self._capacity = capacity
        self._expected: OrderedDict[str, _Expected] = OrderedDict()
        self._parked: OrderedDict[str, _Parked] = OrderedDict()

    def expect(self, message_id: str, tell: OnReceipt) -> None:
        """Wait for the receipts of a message, by the id of its submit_sm_resp.

        ``tell`` hears of each: intermediate ones and the final one, also of those that are here already.
        """
        self._forget()
        key = normal_id(message_id, "raw")
        self._expected[key] = _Expected(self._clock.seconds(), tell)
        while len(self._expected) > self._capacity:
            self._expected.popitem(last=False)
        parked = self._parked.pop(key, None)
        for receipt in parked.receipts if parked is not None else ():
            self._tell(key, receipt)

    def receive(self, receipt: DeliveryReceipt) -> None:
        """Take a receipt from any bind of the carrier."""
        self._forget()
        key = normal_id(receipt.message_id, self._id_base)
        if key in self._expected:
            self._tell(key, receipt)
            return
        parked = self._parked.pop(key, None)
        earlier = parked.receipts if parked is not None else ()
        # The last of each: a carrier that repeats itself does not fill the book.
        kept = tuple(one for one in earlier if one.state != receipt.state)
        self._parked[key] = _Parked(self._clock.seconds(), (*kept, receipt))
        while len(self._parked) > self._capacity:
            self._parked.popitem(last=False)
            self.unmatched += 1

    def _tell(self, key: str, receipt: DeliveryReceipt) -> None:
        expected = self._expected.get(key)
        if expected is None:
            self.unmatched += 1
            return
        if receipt.is_final:
            del self._expected[key]
        expected.tell(receipt)

    def _forget(self) -> None:
        """Drop what is too old; both books are in the order of time."""
        now = self._clock.seconds()
        while self._parked and now - next(iter(self._parked.values())).since >= PARK_S:
            self._parked.popitem(last=False)
            self.unmatched += 1
        while self._expected and now - next(iter(self._expected.values())).since >= EXPECT_S:
            self._expected.popitem(last=False)
