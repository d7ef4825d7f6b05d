"""Measures the cost of decoding one deliver_sm: our codec against smpplib's parser.

python bench/codec.py [--json FILE]
"""

from __future__ import annotations

import argparse
import timeit
from datetime import UTC, datetime
from typing import Any

import smpplib.smpp
from surroundings import deliver_sm, print_table, save
from twisted.internet.task import Clock

from telephony.domain.recognition import Recognition
from telephony.smpp.receipt_book import ReceiptBook
from telephony.smpp.settings import Dialect
from telephony.smpp.wire.codec import PduStream, decode_message, encode_deliver_sm_resp
from telephony.smpp.wire.constants import DELIVER_SM
from telephony.smpp.wire.inbound import Way
from telephony.smpp.wire.sorting import Sorter

ROUNDS = 20_000


class Sequence:
    """The part of a client that smpplib's parser needs."""

    def next_sequence(self) -> int:
        """Return any number."""
        return 1


def microseconds(work: Any) -> float:
    """Return the best of five, per call."""
    return round(min(timeit.repeat(work, number=ROUNDS, repeat=5)) / ROUNDS * 1e6, 2)


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--json")
    pdu = deliver_sm(7, "821012345678")
    body, stream = pdu[16:], PduStream()
    message = decode_message(DELIVER_SM, body)
    recognition, now = Recognition(frozenset({"112"})), datetime.now(UTC)
    sorter = Sorter(Way("skt-1", "skt", Dialect()), ReceiptBook(clock=Clock()))

    def to_trigger() -> object:
        return sorter.sort(message, body, recognition, now, 0.0)

    def ours() -> object:
        return decode_message(DELIVER_SM, stream.feed(pdu)[0].body)

    def smpplibs() -> object:
        return smpplib.smpp.parse_pdu(pdu, client=Sequence(), allow_unknown_opt_params=True)

    mine = microseconds(ours)
    theirs = microseconds(smpplibs)
    rows = [
        {"what": "framing and decode_message", "us": mine, "ratio": 1.0},
        {"what": "smpplib.parse_pdu", "us": theirs, "ratio": round(theirs / mine, 1)},
        {"what": "message to Trigger", "us": (us := microseconds(to_trigger)), "ratio": round(us / mine, 1)},
        {
            "what": "deliver_sm_resp",
            "us": (us := microseconds(lambda: encode_deliver_sm_resp(DELIVER_SM, 0, 7))),
            "ratio": round(us / mine, 1),
        },
    ]
    print_table("microseconds per PDU, best of five", rows)
    save(rows, arguments.parse_args().json)


if __name__ == "__main__":
    main()
