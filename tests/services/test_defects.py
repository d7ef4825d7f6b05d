"""A defect of ours, wherever it strikes between a PDU and the commit, costs no press: 112 is told, the sender answered."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from sqlalchemy import Engine

import telephony
from telephony.domain.recognition import Recognition
from telephony.smpp.answering import PressDesk
from telephony.smpp.batches import HARD_STOP_S
from telephony.smpp.receipt_book import ReceiptBook
from telephony.smpp.request_book import RequestBook, Standing
from telephony.smpp.settings import Dialect
from telephony.smpp.wire import inbound
from telephony.smpp.wire.building import build
from telephony.smpp.wire.codec import PduStream
from telephony.smpp.wire.pdus import Pdu
from tests.services.spine.test_intake import House
from tests.smpp.people import Witness

ROOT = Path(telephony.__file__).parent
ON_THE_WAY = (
    "smpp/answering.py", "smpp/batches.py", "smpp/reading.py", "smpp/request_book.py", "smpp/wire/codec.py",
    "smpp/wire/inbound.py", "smpp/wire/parameters.py", "smpp/wire/sorting.py", "smpp/wire/text.py",
    "smpp/wire/user_data_header.py",
    "alphabets/reading.py", "alphabets/decoding.py", "alphabets/plausibility.py", "domain/values.py",
    "domain/recognition.py", "services/spine/intake.py", "services/spine/incident_names.py",
    "services/spine/reporting.py", "services/spine/told.py", "services/spine/open_callers.py",
    "services/spine/relay.py", "store/database.py", "store/presses.py", "store/repeats.py", "store/updates.py",
    "store/outbox/writing.py", "store/bound.py", "store/sealed_rows.py", "store/bulk.py",
)  # fmt: skip
ANSWERING = ("_settle", "_answer", "_retry", "_fail", "_failed", "_stop_waiting")
"""What writes the answer comes after the press was told; the hard stop answers where these cannot."""
Place = tuple[str, int]


class DefectError(Exception):
    """What a programmer did not think of."""


class FakeLink:
    def __init__(self) -> None:
        self.standing = Standing()
        self.answers: list[bytes] = []

    def answer(self, octets: bytes, _count: int) -> None:
        self.answers.append(octets)


class Way:
    """From a PDU to 112, in one thread on a clock of its own."""

    def __init__(self, engines: tuple[Engine, Engine]) -> None:
        self.house = House(engines)
        self.link = FakeLink()
        self.number = 0
        self.desk = PressDesk(
            inbound.Way("skt-1", "skt", Dialect()),
            recognition=Recognition(frozenset({"112"})),
            accept_all=self.house.intake.accept_all,
            receipts=ReceiptBook(clock=self.house.clock),
            requests=RequestBook(600.0),
            new_message_id=lambda: "1",
            clock=self.house.clock,
            observer=Witness(),
        )

    def message(self) -> tuple[str, list[Pdu]]:
        """Return the message of another phone's key, and its number."""
        self.number += 1
        caller = f"8210{self.number:08d}"
        words = "살려주세요".encode("utf-16-be")
        octets = build(
            "deliver_sm", 7, source_addr=caller, destination_addr="112", short_message=words, data_coding=8
        )
        return caller, PduStream().feed(octets)

    def press(self, on_line: Callable[[Place], object] | None = None) -> str:
        """Press the key of another phone; gives its number."""
        caller, pdus = self.message()
        before = sys.gettrace()
        sys.settrace(before if on_line is None else tracing(on_line))
        try:
            self.desk.take(self.link, pdus)  # type: ignore[arg-type]
        finally:
            sys.settrace(before)
        return caller

    def told(self) -> set[str]:
        """Return the numbers of which 112 was told, by whatever way; of a press that cannot be read, its raw octets."""
        reports = [*self.house.centre.reports, *self.house.direct.reports]
        return {report.msisdn.number for report in reports}


def tracing(on_line: Callable[[Place], object]) -> Any:
    """Return a trace function that hears of every line on the way."""

    def local(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            on_line((frame.f_code.co_filename, frame.f_lineno))
        return local

    def start(frame: FrameType, _event: str, _: Any) -> Any:
        code = frame.f_code
        is_ours = code.co_filename.startswith(str(ROOT)) and code.co_filename.endswith(ON_THE_WAY)
        return local if is_ours and code.co_name not in ANSWERING else None

    return start


@pytest.fixture
def way(engines: tuple[Engine, Engine]) -> Way:
    return Way(engines)


def test_every_room_on_the_way_is_there():
    assert [room for room in ON_THE_WAY if not (ROOT / room).is_file()] == []


def test_whatever_line_fails_once_112_is_told_and_the_sender_answered(way: Way):
    lines: dict[Place, None] = {}
    way.press()
    way.press(lines.setdefault)
    lines = {place: None for place in lines if linecache.getline(*place).strip() != "try:"}
    assert len(lines) > 200
    untold: list[Place] = []
    unanswered: list[Place] = []

    for place in lines:
        struck = False

        def strike(here: Place, place: Place = place) -> None:
            nonlocal struck
            if here == place and not struck:
                struck = True
                raise DefectError(f"{here}")

        way.link.answers.clear()
        caller = way.press(strike)
        way.house.clock.advance(HARD_STOP_S)
        way.house.relay.wake()
        # Where not even the addresses could be read, the press is told as one of a number that was withheld.
        if struck and not way.told() & {caller, ""}:
            untold.append(place)
        if struck and not way.link.answers:
            unanswered.append(place)
        for sender in (way.house.centre, way.house.direct):
            sender.reports.clear()

    assert untold == []
    assert unanswered == []
