"""Texts of ours, received by a message centre on node-smpp: alphabets, parts, and the receipts it sends back."""

from __future__ import annotations

import random

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from telephony.domain.text_message import TextMessage, TextState
from telephony.domain.values import Msisdn
from telephony.smpp.settings import Dialect, Sms
from telephony.smpp.texting import BindTexter, TextWay
from telephony.smpp.wire.text_request import numbering_of
from tests.smpp.people import House

MOTHER = Msisdn("821012345678")
SHORT = "[112신고됨] SOS 누름. 전화하지 마세요."
LONG = "열쇠가 눌렸습니다. 지금은 전화하지 마세요. 112가 알고 있습니다. " * 3


class NobodyPressed:
    async def may_reach(self, numbers, output, text=None):
        return None


class Sender:
    """A bind of ours to a message centre on node-smpp."""

    def __init__(self, process, **dialect):
        self.process = process
        self.dialect = Dialect(**dialect)

    async def bind(self):
        await until(self.process.events)
        house = House(reactor, dialect=self.dialect, port=self.process.events()[0]["listening"])
        self.esme = house.esme
        self.esme.startService()
        await until(lambda: self.esme.is_bound)
        self.texter = BindTexter(
            [TextWay("skt", self.dialect, [self.esme])],
            NobodyPressed(),
            sms=Sms(sender="1366"),
            numbering=lambda: numbering_of("82", "0", ["1366"]),
            clock=reactor,
            rng=random.Random(1),
        )

    @property
    def received(self):
        return [event for event in self.process.events() if "submitted" in event]

    async def send(self, text, on_state=None):
        sending = Deferred.fromCoroutine(self.texter.send(TextMessage(MOTHER, text, valid_s=1800), on_state))
        assert await sending.addTimeout(10, reactor) == "skt-1"

    async def receipt(self, message_id, state):
        text = f"id:{message_id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:{state} err:000 text:"
        fields = {
            "source_addr": MOTHER.number,
            "destination_addr": "1366",
            "esm_class": 4,
            "short_message": text,
        }
        self.process.tell(
            "send", session=0, command="deliver_sm", label=f"receipt {message_id}", **{"with": fields}
        )
        await until(lambda: self.process.events(answer=f"receipt {message_id}"))
        assert self.process.events(answer=f"receipt {message_id}")[0]["status"] == 0


async def until(claim, within_s=120.0):
    end = reactor.seconds() + within_s
    while not claim():
        assert reactor.seconds() < end
        await deferLater(reactor, 0.005)


@pytest.fixture
def sender(node):
    """Make senders; their binds end with the test."""
    made = []

    def make(**dialect):
        made.append(Sender(node("smsc_server.js"), **dialect))
        return made[-1]

    yield make
    for each in made:
        pytest_twisted.blockon(each.esme.stopService())


def words(event):
    """Return the text as node-smpp read it; it knows no KS X 1001 and hands over the octets."""
    return event["text"] if event["octets"] is None else bytes.fromhex(event["octets"]).decode("euc_kr")


@pytest.mark.parametrize(
    ("alphabet", "data_coding", "text"),
    [
        ("ucs2", 8, SHORT),
        ("ks-x-1001", 14, SHORT),
        ("ks-x-1001", 8, "뷁 is not in KS X 1001"),
        ("ucs2", 0, "Do NOT call {me}"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_text_is_read_as_it_was_written(sender, alphabet, data_coding, text):
    carrier = sender(text_alphabet=alphabet)
    await carrier.bind()

    await carrier.send(text)

    await until(lambda: carrier.received)
    (event,) = carrier.received
    assert (event["data_coding"], words(event), event["udh"]) == (data_coding, text, None)
    assert (event["to"], event["from"], event["registered_delivery"]) == (MOTHER.number, "1366", 1)
    assert event["validity_period"] is not None


@pytest.mark.parametrize(("alphabet", "parts"), [("ucs2", 2), ("ks-x-1001", 3)])
@pytest_twisted.ensureDeferred
async def test_a_long_text_is_put_together_from_parts_that_bear_one_reference(sender, alphabet, parts):
    carrier = sender(text_alphabet=alphabet)
    await carrier.bind()

    await carrier.send(LONG)
    await until(lambda: len(carrier.received) == parts)

    headers = [bytes.fromhex(event["udh"][0]) for event in carrier.received]
    assert "".join(words(event) for event in carrier.received) == LONG
    assert [(header[:2], header[3], header[4]) for header in headers] == [
        (b"\x00\x03", parts, number) for number in range(1, parts + 1)
    ]
    assert len({header[2] for header in headers}) == 1


@pytest_twisted.ensureDeferred
async def test_its_receipts_are_understood(sender):
    carrier = sender()
    await carrier.bind()
    delivered, failed = [], []
    await carrier.send(LONG, delivered.append)
    await carrier.send(SHORT, failed.append)

    await carrier.receipt("1", "DELIVRD")
    assert delivered == []
    await carrier.receipt("2", "DELIVRD")
    await carrier.receipt("3", "UNDELIV")

    assert (delivered, failed) == ([TextState.DELIVERED], [TextState.FAILED])
