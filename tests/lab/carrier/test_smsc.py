"""The simulated SMSC keeps what it must keep, and makes the trouble it is asked for."""

from __future__ import annotations

import random

import pytest
from twisted.internet.defer import Deferred

from telephony.domain.errors import Unavailable
from telephony.domain.incident import Receipt
from telephony.lab.carrier.smsc import LabSmsc
from telephony.lab.carrier.text_phones import MOST_UNFINISHED, TextPhones
from telephony.lab.carrier.ussd_gateway import KINDS, UssdGateway
from telephony.smpp.submitting import SubmitRefused
from telephony.smpp.wire.codec import decode_message
from telephony.smpp.wire.constants import DELIVER_SM, ESME_RBINDFAIL, ESME_RINVDSTADR, ESME_RMSGQFUL, ESME_ROK
from telephony.smpp.wire.pdus import Message, Tlv
from telephony.smpp.wire.text_parts import segments
from tests.smpp.people import SENDER, House, Witness
from tests.smpp.wires import Wires

CALLER = "821012345678"


class Town:
    """An SMSC and an ESME of ours on simulated wires."""

    def __init__(self, *, links=1, seed=1, bind="transceiver", **smsc):
        self.wires = Wires()
        self.smsc = LabSmsc(
            reactor=self.wires,
            rng=random.Random(seed),
            observer=Witness(),
            port=2775,
            **{"window": 10, **smsc},
        )
        self.smsc.startService()
        self.houses = [House(self.wires, bind=bind, name=f"skt-{number}") for number in range(links)]
        for house in self.houses:
            house.esme.startService()
        self.wires.settle()
        assert len(self.smsc.links) == links

    @property
    def intake(self):
        return self.houses[0].intake

    @property
    def texts(self):
        return [press.text for press in self.intake.presses]

    def send(self, text="help", **more):
        seen = []
        self.smsc.send_mo(CALLER, "112", text=text, **more).addCallback(seen.append)
        self.wires.settle()
        return seen


def test_a_message_is_kept_until_it_is_acknowledged():
    town = Town(redelivery_s=5)
    town.intake.answer = Unavailable("disk full")

    assert town.send() == [ESME_RMSGQFUL]
    assert (town.smsc.queued, town.smsc.counts.acked) == (1, 0)
    town.wires.pass_time(4.9)
    assert len(town.intake.presses) == 1
    town.intake.answer = None
    town.wires.pass_time(0.2)

    assert (town.smsc.queued, town.smsc.counts.acked, town.smsc.counts.refused) == (0, 1, 1)
    assert len({press.reference for press in town.intake.presses}) == 1


def test_a_lost_link_puts_what_was_not_answered_back_in_its_order():
    town = Town(window=3)
    town.intake.hold()
    for number in range(5):
        town.send(str(number))

    town.smsc.drop_link()
    town.intake.held = None
    town.wires.pass_time(2)

    assert town.texts == ["0", "1", "2", "0", "1", "2", "3", "4"]
    assert town.smsc.queued == 0


def test_a_late_answer_to_an_old_link_acknowledges_nothing():
    town = Town()
    town.intake.hold()
    town.send()

    town.smsc.drop_link()
    town.intake.release()
    town.wires.settle()

    assert (town.smsc.queued, town.smsc.counts.acked) == (1, 0)


def test_what_was_refused_goes_again_as_soon_as_a_bind_comes_up():
    town = Town(redelivery_s=3600)
    town.intake.answer = Unavailable("disk full")
    town.send()
    town.intake.answer = None

    town.smsc.drop_link()
    town.wires.pass_time(2)

    assert town.smsc.queued == 0


def test_messages_wait_for_a_bind():
    wires = Wires()
    smsc = LabSmsc(reactor=wires, rng=random.Random(1), port=2775, observer=Witness())
    smsc.startService()
    for number in range(100):
        smsc.send_mo(CALLER, "112", text=str(number))
    house = House(wires)

    house.esme.startService()
    wires.settle()

    assert [press.text for press in house.intake.presses] == [str(number) for number in range(100)]


def test_the_binds_take_turns_and_each_keeps_its_window():
    town = Town(links=3, window=2)
    for house in town.houses:
        house.intake.hold()

    for number in range(10):
        town.send(str(number))

    assert [[press.text for press in house.intake.presses] for house in town.houses] == [
        ["0", "3"],
        ["1", "4"],
        ["2", "5"],
    ]


def test_a_transmitter_gets_no_messages():
    town = Town(bind="transmitter")

    assert town.send() == []
    assert town.smsc.queued == 1


def test_the_store_is_bounded(monkeypatch):
    monkeypatch.setattr("telephony.lab.carrier.smsc.QUEUE_LIMIT", 2)
    town = Town()
    town.intake.hold()
    town.send()
    town.send()
    failed = []

    town.smsc.send_mo(CALLER, "112", text="x").addErrback(lambda failure: failed.append(failure.type))

    assert failed == [Unavailable]


@pytest.mark.parametrize(("split", "presses", "parts"), [("udh", 3, 3), ("sar", 3, 3), ("payload", 1, 0)])
def test_a_long_text_comes_as_asked(split, presses, parts):
    town = Town()

    assert town.send("살려주세요 " * 25, split=split) == [ESME_ROK]

    assert len(town.intake.presses) == presses
    assert "".join(town.texts) == "살려주세요 " * 25
    assert sum(press.part is not None for press in town.intake.presses) == parts


def test_redelivery_is_the_very_same_message():
    town = Town()
    town.send("one")
    town.send("two")
    seen = []

    town.smsc.redeliver(2).addCallback(seen.append)
    town.wires.settle()

    assert town.texts == ["one", "two", "one", "two"]
    octets = [press.raw for press in town.intake.presses]
    assert octets[:2] == octets[2:]
    assert seen == [ESME_ROK]


def test_reordered_messages_come_all_and_not_in_their_order():
    town = Town()
    town.smsc.reorder(5)

    for number in range(4):
        town.send(str(number))
    assert town.texts == []
    town.send("4")

    assert town.texts != sorted(town.texts) == ["0", "1", "2", "3", "4"]


def test_a_truncated_message_takes_its_end_from_what_follows_and_then_the_framing_is_lost():
    town = Town()
    town.smsc.truncate_next(3)
    town.send("cut short")
    assert town.intake.presses == []

    town.smsc.send_raw(b"\xff" * 40)
    town.wires.pass_time(2)

    (press,) = town.intake.presses
    assert press.raw.endswith(b"cut sh\xff\xff\xff")
    assert ("down", "skt-0", "framing lost") in town.houses[0].witness.said
    assert town.smsc.counts.binds == 2


def test_binds_are_refused_and_ignored_as_asked():
    town = Town()
    for trouble in (lambda: town.smsc.refuse_bind(ESME_RBINDFAIL), town.smsc.ignore_binds):
        trouble()
        town.smsc.drop_link()
        town.wires.pass_time(5)
        assert town.smsc.links == []

        town.smsc.accept_binds()
        town.wires.pass_time(40, step=0.5)
        assert len(town.smsc.links) == 1


def test_wrong_credentials_are_refused():
    wires = Wires()
    smsc = LabSmsc(
        reactor=wires, rng=random.Random(1), port=2775, accounts={"sos": "secret"}, observer=Witness()
    )
    smsc.startService()
    house = House(wires)

    house.esme.startService()
    wires.settle()

    assert not house.esme.is_bound
    assert house.witness.of("alarm")


def test_a_silent_smsc_is_found_dead_and_loses_nothing():
    town = Town()
    town.smsc.stop_answering()
    assert town.send() == []

    town.wires.pass_time(22)

    assert ("down", "skt-0", "dead") in town.houses[0].witness.said
    assert town.texts == ["help"]
    assert town.smsc.queued == 0


def test_an_unbind_of_the_smsc_is_followed_by_a_new_bind():
    town = Town()

    town.smsc.unbind()
    town.wires.pass_time(2)

    assert town.smsc.counts.binds == 2


def test_submits_are_throttled_and_then_taken():
    town = Town()
    town.smsc.throttle(2)
    seen = []

    town.houses[0].esme.submit(
        source_addr="112", destination_addr=CALLER, short_message=b"on our way"
    ).addCallback(seen.append)
    town.wires.pass_time(5)

    message = town.smsc.expect_submit_sm().result
    assert (message.short_message, seen[0].message_id) == (b"on our way", "1")


def test_an_outbind_brings_a_receiver(monkeypatch):
    monkeypatch.setenv("SKT_PASSWORD", "secret")
    wires = Wires()
    smsc = LabSmsc(reactor=wires, rng=random.Random(1), port=4000, observer=Witness())
    smsc.startService()
    house = House(wires, outbind_port=3000, password={"env": "SKT_PASSWORD"})
    house.esme.startService()
    wires.settle()
    smsc.send_mo(CALLER, "112", text="help")

    smsc.outbind("127.0.0.1", 3000, system_id="sos", password="secret")
    wires.settle()

    assert [press.text for press in house.intake.presses] == ["help"]
    assert smsc.queued == 0


def test_a_receipt_is_sent_in_the_text_form():
    town = Town()
    told = []
    town.houses[0].esme.submit(
        source_addr=SENDER, destination_addr=CALLER, short_message=b"hi", on_receipt=told.append
    )
    town.wires.settle()

    town.smsc.send_receipt("1", CALLER, SENDER, state="UNDELIV")
    town.wires.settle()

    assert [receipt.state for receipt in told] == ["UNDELIV"]


def test_waiting_for_binds_and_for_the_end_of_the_queue():
    town = Town()
    town.intake.hold()
    town.send()
    happened = []
    town.smsc.when_bound(1).addCallback(lambda _: happened.append("bound"))
    town.smsc.when_empty().addCallback(lambda _: happened.append("empty"))
    assert happened == ["bound"]

    town.intake.release()
    town.wires.settle()

    assert happened == ["bound", "empty"]


class Moody:
    """An intake that sometimes cannot, and sometimes takes too long."""

    def __init__(self, wires, rng):
        self.taken = set()
        self._wires, self._rng = wires, rng

    def accept(self, triggers):
        results = [self._accept(trigger) for trigger in triggers]
        waiting = Deferred()
        self._wires.callLater(self._rng.choice([0, 0.001, 0.5, 4]), waiting.callback, results)
        return waiting

    def _accept(self, trigger):
        if self._rng.random() < 0.2:
            return Unavailable("chance")
        self.taken.add(trigger.text)
        return Receipt("i", "first press")


def make_trouble(smsc, rng):
    chance = rng.random()
    if chance < 0.1:
        smsc.drop_link()
    elif chance < 0.2 and smsc.links:
        smsc.drop_link(0)
    elif chance < 0.25:
        smsc.unbind()
    elif chance < 0.28:
        smsc.stop_answering()


@pytest.mark.parametrize("seed", range(8))
def test_through_any_trouble_every_message_is_acknowledged_once_and_none_before_it_was_taken(seed):
    """Random drops, refusals, failures of the store and silence; two binds; a few minutes of service."""
    rng = random.Random(seed)
    town = Town(links=2, seed=seed, redelivery_s=2, window=rng.choice([1, 5, 50]))
    moody = Moody(town.wires, rng)
    for house in town.houses:
        house.intake.answer = moody.accept
    sent = 0

    while sent < 200:
        for _ in range(rng.randrange(10)):
            sent += 1
            town.smsc.send_mo(CALLER, "112", text=f"press {sent}")
        town.wires.pass_time(rng.random())
        make_trouble(town.smsc, rng)
        assert town.smsc.counts.acked <= len(moody.taken)
        assert town.smsc.counts.acked + town.smsc.queued == sent
    town.wires.pass_time(240, step=0.5)

    assert town.smsc.queued == 0
    assert town.smsc.counts.acked == sent
    assert moody.taken == {f"press {number}" for number in range(1, sent + 1)}


class TestUssd:
    """Its gateway shows a phone only what ends or continues the session that the phone has open."""

    def test_a_text_for_another_session_is_a_stray(self):
        town = Town()
        town.smsc.send_pdus([town.smsc.ussd.dial(CALLER, "*112#", "sixdee")])
        town.wires.settle()
        (first,) = town.smsc.links

        for session in (b"\0\4", b"\0\3"):
            town.houses[0].esme.submit(
                source_addr="8112",
                destination_addr=CALLER,
                service_type="USSD",
                short_message=b"Done.",
                tlvs=[Tlv(0x0501, b"\x11"), Tlv(0x1383, session)],
            )
        town.wires.settle()

        assert first.is_bound
        assert len(town.smsc.ussd.strays) == 1
        assert [(shown.text, shown.ends_session) for shown in town.smsc.ussd.shown] == [("Done.", True)]

    @pytest.mark.parametrize("kind", KINDS)
    def test_each_kind_of_gateway_has_its_own_message(self, kind):
        gateway = UssdGateway()
        pdus = [gateway.dial(CALLER, "*112#", kind), gateway.type(CALLER, "1"), gateway.abort(CALLER)]

        messages = [decode_message(DELIVER_SM, pdu[16:]) for pdu in pdus]

        assert [message.faults for message in messages] == [(), (), ()]
        assert {message.service_type for message in messages} == {KINDS[kind].service_type}
        operations = [message.uint_tlv(0x0501) for message in messages]
        assert operations == ([0x01, 0x12, 0x81] if KINDS[kind].has_operation else [None] * 3)


class TestTexts:
    def submit(self, town, text=b"hello", to=CALLER, **fields):
        waiting = town.houses[0].esme.submit(
            source_addr="1366", destination_addr=to, short_message=text, **fields
        )
        outcome = []
        waiting.addBoth(outcome.append)
        town.wires.settle()
        return getattr(outcome[0], "value", outcome[0])

    def test_a_phone_shows_a_text_once_all_parts_are_there_in_whatever_order(self):
        town = Town()
        cut = segments("가" * 100, 9)

        for part in reversed(cut.parts):
            assert town.smsc.texts == []
            self.submit(town, part, data_coding=cut.data_coding, esm_class=cut.esm_class)

        (text,) = town.smsc.texts
        assert (text.to, text.sender, text.text, text.alphabet) == (CALLER, "1366", "가" * 100, "utf-16-be")
        assert text.message_ids == ("2", "1")

    def test_a_text_of_a_ussd_dialogue_is_none_of_its_texts(self):
        town = Town()

        self.submit(town, service_type="USSD")

        assert town.smsc.texts == []

    def test_texts_for_one_phone_or_for_all_can_be_refused(self):
        town = Town()
        town.smsc.refuse_texts(ESME_RINVDSTADR, to=CALLER)

        assert isinstance(self.submit(town), SubmitRefused)
        self.submit(town, to="821099999999")
        town.smsc.refuse_texts(ESME_RINVDSTADR)
        assert isinstance(self.submit(town, to="821099999999"), SubmitRefused)
        town.smsc.accept_texts()
        self.submit(town)

        assert [text.to for text in town.smsc.texts] == ["821099999999", CALLER]

    def test_receipts_are_sent_for_texts_that_ask_for_them(self):
        town = Town()
        town.smsc.tell_receipts("UNDELIV")
        receipts = []

        self.submit(town)
        self.submit(town, on_receipt=receipts.append)

        assert [(receipt.message_id, receipt.state) for receipt in receipts] == [("2", "UNDELIV")]
        assert town.intake.presses == []

    def test_a_phone_forgets_the_oldest_of_too_many_unfinished_texts(self):
        phones = TextPhones()
        cut = segments("가" * 100, 9)
        first = [Message(4, "", 0, 0, "1366", 1, 1, CALLER, 0x40, 0, 0, 0, 8, part) for part in cut.parts]
        phones.take(first[0], "1")
        for number in range(MOST_UNFINISHED):
            phones.take(first[0]._replace(destination=f"8210{number:08d}"), "2")

        phones.take(first[1], "3")

        assert phones.shown == []
