"""Matches delivery receipts to the messages that we sent, across all binds of one carrier.

A receipt may come on another bind than the submit_sm went out on, before its submit_sm_resp, more than once, and with
the id in another form. One book for each carrier; what it holds is bounded in number and in time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from telephony.clock import Clock
from telephony.remembered import Remembered
from telephony.smpp.wire.receipts import DeliveryReceipt, ReceiptIdBase, id_forms, normal_id

OnReceipt = Callable[[DeliveryReceipt], None]

PARK_S: Final = 60.0
"""How long a receipt may be ahead of its submit_sm_resp."""
EXPECT_S: Final = 3 * 86_400.0
"""How long a receipt may be behind it: the longest validity_period that message centres commonly grant."""
KNOWN_S: Final = 86_400.0
"""How long a message is known after its final receipt: message centres tell it again when our answer was lost."""
CAPACITY: Final = 100_000
"""Bound on each of the tables (messages, finished messages, parked receipts); the oldest make room."""


class _Expected(NamedTuple):
    since: float
    tell: OnReceipt


class _Parked(NamedTuple):
    since: float
    receipts: tuple[DeliveryReceipt, ...]


class ReceiptBook:
    """Brings receipts and messages together, whichever comes first.

    ``sender`` is the number that our messages leave from, and receipts come to; empty where none ever leaves.
    """

    def __init__(
        self, *, clock: Clock, id_base: ReceiptIdBase = "raw", sender: str = "", capacity: int = CAPACITY
    ) -> None:
        self.sender = sender
        self.unmatched = 0
        """Receipts that matched no message even after they had been parked."""
        self._clock = clock
        self._id_base = id_base
        self._capacity = capacity
        self._expected: Remembered[str, _Expected] = Remembered(capacity)
        self._over: Remembered[str, float] = Remembered(capacity)
        """Messages whose final receipt has come, and when."""
        self._parked: OrderedDict[str, _Parked] = OrderedDict()

    def expect(self, message_id: str, tell: OnReceipt) -> None:
        """Wait for the receipts of a message, by the id of its submit_sm_resp.

        ``tell`` hears of each: intermediate ones and the final one, also of those that are here already.
        """
        self._forget()
        key = normal_id(message_id, "raw")
        if not key:
            return
        # An id may be given out a second time.
        self._over.pop(key, None)
        self._expected[key] = _Expected(self._clock.seconds(), tell)
        parked = [self._parked.pop(form) for form in id_forms(message_id, "raw") if form in self._parked]
        for receipt in (each for one in parked for each in one.receipts):
            self._tell(key, receipt)

    def known(self, message_ids: Iterable[str]) -> str | None:
        """Return which of these ids belongs to a message that is waited for, or was until its final receipt came."""
        self._forget()
        return next((each for each in message_ids if self._key_of(each) is not None), None)

    def receive(self, receipt: DeliveryReceipt) -> None:
        """Take a receipt from any bind of the carrier."""
        self._forget()
        key = self._key_of(receipt.message_id)
        if key is not None:
            self._tell(key, receipt)
            return
        key = normal_id(receipt.message_id, self._id_base)
        parked = self._parked.pop(key, None)
        earlier = parked.receipts if parked is not None else ()
        # The last of each: a carrier that repeats itself does not fill the book.
        kept = tuple(one for one in earlier if one.state != receipt.state)
        self._parked[key] = _Parked(self._clock.seconds(), (*kept, receipt))
        if len(self._parked) > self._capacity:
            self._parked.popitem(last=False)
            self.unmatched += 1

    def _key_of(self, message_id: str) -> str | None:
        forms = id_forms(message_id, self._id_base)
        return next((form for form in forms if form in self._expected or form in self._over), None)

    def _tell(self, key: str, receipt: DeliveryReceipt) -> None:
        expected = self._expected.get(key)
        if expected is None:
            # Told again after the final one.
            return
        if receipt.is_final:
            del self._expected[key]
            self._over[key] = self._clock.seconds()
        expected.tell(receipt)

    def _forget(self) -> None:
        """Drop what is too old; all three are in the order of time."""
        now = self._clock.seconds()
        while self._parked and now - next(iter(self._parked.values())).since >= PARK_S:
            self._parked.popitem(last=False)
            self.unmatched += 1
        while self._expected and now - next(iter(self._expected.values())).since >= EXPECT_S:
            self._expected.popitem(last=False)
        while self._over and now - next(iter(self._over.values())) >= KNOWN_S:
            self._over.popitem(last=False)
