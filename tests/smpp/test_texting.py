"""Texts over the binds of two carriers: which bind, in what order, past which policy, and never in a press's way."""

from __future__ import annotations

import random

import pytest
from structlog.testing import capture_logs
from twisted.internet.defer import Deferred

from telephony.domain import silence
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.domain.text_message import TextMessage, TextState
from telephony.domain.values import Msisdn
from telephony.smpp.settings import Dialect, Sms
from telephony.smpp.texting import BindTexter, TextWay
from telephony.smpp.wire.building import build
from telephony.smpp.wire.codec import decode_message
from telephony.smpp.wire.constants import (
    DELIVER_SM,
    ESME_RINVDSTADR,
    ESME_RINVPRTFLG,
    ESME_RINVSRCADR,
    ESME_RMSGQFUL,
    ESME_RSYSERR,
    ESME_RTHROTTLED,
    RESPONSE,
    SUBMIT_SM,
)
from telephony.smpp.wire.text import read_text
from telephony.smpp.wire.text_request import numbering_of
from tests.awaiting import failure_of, is_waiting, result_of
from tests.smpp.people import House, deliver_sm
from tests.smpp.wires import Wires

MOTHER = Msisdn("821012345678")
LONG = "열쇠가 눌렸습니다. 지금 전화하지 마세요. " * 4
HELD = silence.Silenced("silence holds")


class Guard:
    """Answers as told; `hold` makes it wait."""

    def __init__(self):
        self.answers = {}
        self.asked = []
        self.waiting = None
        self.error = None

    async def may_reach(self, numbers, output, text=None):
        self.asked.append((numbers, output, text))
        if self.waiting is not None:
            await self.waiting
        if self.error is not None:
            raise self.error
        return self.answers.get(len(self.asked), self.answers.get("always"))


class Carriers:
    """skt with two binds and kt with one, all bound to peers that answer nothing by themselves."""

    def __init__(self, *, per_s=1000.0, window=30, dialect=None):
        self.wires = Wires()
        self.guard = Guard()
        self.houses = {}
        self.peers = {}
        for name in ("skt-1", "skt-2", "kt-1"):
            self.houses[name] = house = House(
                self.wires, name=name, port=3000 + len(self.houses), window=window, enquire_link_s=3600
            )
            self.wires.listenTCP(house.esme._settings.port, house.peers)
            house.esme.startService()
            self.wires.settle()
            house.accept_bind(house.peers.last)
            self.peers[name] = house.peers.last
        dialect = dialect or Dialect()
        self.ways = [
            TextWay("skt", dialect, [self.houses["skt-1"].esme, self.houses["skt-2"].esme]),
            TextWay("kt", dialect, [self.houses["kt-1"].esme]),
        ]
        self.texter = BindTexter(
            self.ways,
            self.guard,
            sms=Sms(sender="1366", per_s=per_s),
            numbering=lambda: numbering_of("82", "0", ["112", "1366"]),
            clock=self.wires,
            rng=random.Random(1),
        )

    def send(self, text="hello", carrier="skt", on_state=None, **more):
        message = TextMessage(MOTHER, text, carrier, **more)
        sending = Deferred.fromCoroutine(self.texter.send(message, on_state))
        sending.addErrback(lambda failure: failure.value)
        self.wires.settle()
        return sending

    def heard(self, name):
        """Return the submit_sm that a bind's peer has got and not been asked about."""
        self.wires.settle()
        return [pdu for pdu in self.peers[name].take() if pdu.command_id == SUBMIT_SM]

    def take(self, name, *message_ids):
        """Have the peer take so many messages under these ids; give them."""
        pdus = self.heard(name)
        assert len(pdus) == len(message_ids)
        for pdu, message_id in zip(pdus, message_ids, strict=True):
            self.peers[name].answer(pdu, body=message_id.encode() + b"\0")
        self.wires.settle()
        return [decode_message(pdu.command_id, pdu.body) for pdu in pdus]

    def refuse(self, name, status):
        (pdu,) = self.heard(name)
        self.peers[name].answer(pdu, status)
        self.wires.settle()
        return decode_message(pdu.command_id, pdu.body)

    def lose(self, name):
        self.houses[name].esme._dialled.drop("cut")
        self.wires.settle()

    def receipt(self, name, message_id, state="DELIVRD"):
        text = f"id:{message_id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:{state} err:000 text:"
        self.peers[name].send(deliver_sm(9, text.encode(), esm_class=4, destination_addr="1366"))
        self.wires.settle()


@pytest.fixture
def carriers():
    return Carriers()


def text_of(*messages):
    return "".join(
        read_text(each.data_coding, each.esm_class, each.short_message, default_alphabet="gsm0338", sar=None).text
        for each in messages
    )  # fmt: skip


def _pdu(text):
    return build("submit_sm", 0, source_addr="1366", destination_addr="821000000000", short_message=text)


class TestOneText:
    def test_it_leaves_by_the_phones_own_carrier_and_the_bind_is_told(self, carriers):
        sending = carriers.send("안녕하세요", carrier="kt", valid_s=1800)
        assert is_waiting(sending)

        (message,) = carriers.take("kt-1", "17")

        assert result_of(sending) == "kt-1"
        assert (message.source, message.destination, text_of(message)) == (
            "1366",
            MOTHER.number,
            "안녕하세요",
        )
        assert (message.dest_ton, message.dest_npi, message.registered_delivery) == (1, 1, 1)
        assert (message.data_coding, message.priority_flag) == (0x08, 0)

    def test_it_is_written_as_the_carrier_takes_it(self):
        carriers = Carriers(dialect=Dialect(text_alphabet="ks-x-1001"))
        carriers.send("안녕하세요")

        (message,) = carriers.take("skt-1", "17")

        assert (message.data_coding, message.short_message) == (0x0E, "안녕하세요".encode("euc_kr"))

    def test_a_long_one_leaves_whole_by_one_bind_part_after_part_under_one_reference(self, carriers):
        sending = carriers.send(LONG)

        parts = []
        for number in ("1", "2"):
            carriers.wires.pass_time(0.1)
            parts += carriers.take("skt-1", number)

        assert result_of(sending) == "skt-1"
        assert text_of(*parts) == LONG
        assert [part.esm_class for part in parts] == [0x40, 0x40]
        assert [part.registered_delivery for part in parts] == [1, 1]
        assert carriers.heard("skt-2") == []

    def test_the_log_tells_that_it_was_sent_but_neither_to_whom_nor_what(self, carriers):
        with capture_logs() as lines:
            carriers.send("a secret")
            carriers.take("skt-1", "17")

        assert lines == [
            {"event": "text sent", "log_level": "info", "to": "8210******78", "link": "skt-1", "parts": 1}
        ]

    @pytest.mark.parametrize("number", ["112", "1366", "82112", ""])
    def test_no_text_goes_to_a_number_that_is_no_phone(self, carriers, number):
        message = TextMessage(Msisdn(number), "hello")

        assert isinstance(failure_of(carriers.texter.send(message)), Malformed)
        assert carriers.guard.asked == []


class TestChoosing:
    def test_the_binds_of_a_carrier_take_turns(self, carriers):
        for _ in range(4):
            carriers.send()
            carriers.wires.pass_time(0.1)

        assert (len(carriers.heard("skt-1")), len(carriers.heard("skt-2"))) == (2, 2)
        assert carriers.heard("kt-1") == []

    def test_a_phone_of_no_known_carrier_is_reached_by_the_first(self, carriers):
        carriers.send(carrier="")

        assert len(carriers.heard("skt-1")) == 1

    def test_a_bind_that_is_down_is_passed_over(self, carriers):
        carriers.lose("skt-1")

        sending = [carriers.send(), carriers.send()]
        carriers.take("skt-2", "1")
        carriers.wires.pass_time(0.1)
        carriers.take("skt-2", "2")

        assert [result_of(each) for each in sending] == ["skt-2", "skt-2"]

    def test_a_link_that_breaks_before_the_answer_hands_it_to_the_next(self, carriers):
        """The phone may then show it twice."""
        sending = carriers.send()
        carriers.lose("skt-1")
        assert is_waiting(sending)

        carriers.lose("skt-2")
        carriers.take("kt-1", "3")

        assert result_of(sending) == "kt-1"

    def test_no_answer_in_time_hands_it_to_the_next(self, carriers):
        sending = carriers.send()

        carriers.wires.pass_time(10.2)
        carriers.take("skt-2", "3")

        assert result_of(sending) == "skt-2"

    def test_a_system_error_hands_it_to_the_next_bind(self, carriers):
        sending = carriers.send()

        carriers.refuse("skt-1", ESME_RSYSERR)
        carriers.take("skt-2", "3")

        assert result_of(sending) == "skt-2"

    def test_a_refusal_hands_it_to_the_next_carrier_not_to_another_bind_of_the_same(self, carriers):
        sending = carriers.send()

        carriers.refuse("skt-1", ESME_RINVDSTADR)
        assert carriers.heard("skt-2") == []
        carriers.take("kt-1", "3")

        assert result_of(sending) == "kt-1"

    def test_refused_by_every_carrier_it_is_refused(self, carriers):
        sending = carriers.send()
        with capture_logs() as lines:
            carriers.refuse("skt-1", ESME_RINVDSTADR)
            carriers.refuse("kt-1", ESME_RINVSRCADR)

        assert isinstance(result_of(sending), Refused)
        assert lines[-1]["event"] == "text not sent"
        assert lines[-1]["reason"] == "submit answered ESME_RINVSRCADR"

    @pytest.mark.parametrize("down", [("skt-1", "skt-2"), ("kt-1",)])
    def test_a_carrier_that_cannot_be_asked_has_not_refused(self, carriers, down):
        """Her own carrier may know the number that another one does not."""
        for name in down:
            carriers.lose(name)
        sending = carriers.send()

        carriers.refuse("kt-1" if "skt-1" in down else "skt-1", ESME_RINVDSTADR)

        assert isinstance(result_of(sending), Unavailable)

    def test_without_a_bind_it_is_unavailable_and_the_texter_not_ready(self, carriers):
        assert carriers.texter.is_ready
        for name in carriers.peers:
            carriers.lose(name)

        assert not carriers.texter.is_ready
        assert isinstance(result_of(carriers.send()), Unavailable)

    def test_without_carriers_it_is_unavailable(self, carriers):
        carriers.ways.clear()

        assert not carriers.texter.is_ready
        assert isinstance(result_of(carriers.send()), Unavailable)

    def test_throttled_it_is_tried_again_on_the_same_bind_and_then_by_the_next(self, carriers):
        sending = carriers.send()

        waited = 0
        while (pdus := carriers.heard("skt-1")) and waited < 20:
            for pdu in pdus:
                carriers.peers["skt-1"].answer(pdu, ESME_RTHROTTLED if waited % 2 else ESME_RMSGQFUL)
            waited += 1
            carriers.wires.pass_time(1.1)

        assert waited >= 5
        carriers.take("skt-2", "3")
        assert result_of(sending) == "skt-2"

    def test_throttled_once_it_is_taken_a_little_later(self, carriers):
        sending = carriers.send()
        carriers.refuse("skt-1", ESME_RTHROTTLED)

        carriers.wires.pass_time(1.1)
        carriers.take("skt-1", "3")

        assert result_of(sending) == "skt-1"


class TestParts:
    def test_when_a_later_part_is_not_taken_the_whole_goes_again_by_the_next_bind(self, carriers):
        sending = carriers.send(LONG)
        carriers.take("skt-1", "1")
        carriers.wires.pass_time(0.1)

        carriers.refuse("skt-1", ESME_RSYSERR)
        again = carriers.take("skt-2", "1")
        carriers.wires.pass_time(0.1)
        again += carriers.take("skt-2", "2")

        assert result_of(sending) == "skt-2"
        assert text_of(*again) == LONG

    def test_cancelled_it_sends_no_further_part(self, carriers):
        sending = carriers.send(LONG)

        sending.cancel()
        carriers.take("skt-1", "1")
        carriers.wires.pass_time(1)

        assert carriers.heard("skt-1") == carriers.heard("skt-2") == []


class TestPriority:
    def test_an_urgent_text_says_so(self, carriers):
        carriers.send(is_urgent=True)

        (message,) = carriers.take("skt-1", "1")

        assert message.priority_flag == 1

    def test_a_carrier_that_takes_no_priority_gets_it_without_from_then_on(self, carriers):
        sending = carriers.send(is_urgent=True)

        assert carriers.refuse("skt-1", ESME_RINVPRTFLG).priority_flag == 1
        carriers.wires.pass_time(0.1)
        (first,) = carriers.take("skt-1", "1")
        carriers.send(is_urgent=True)
        (second,) = carriers.take("skt-2", "2")

        assert result_of(sending) == "skt-1"
        assert (first.priority_flag, second.priority_flag) == (0, 0)


class TestReceipts:
    def test_a_delivered_text_is_told(self, carriers):
        states = []
        carriers.send(on_state=states.append)
        carriers.take("skt-1", "77")

        carriers.receipt("skt-1", "77", "ENROUTE")
        carriers.receipt("skt-1", "77", "ACCEPTD")
        carriers.receipt("skt-1", "77")
        carriers.receipt("skt-1", "77")

        assert states == [TextState.ON_ITS_WAY, TextState.DELIVERED]

    def long(self, carriers):
        states = []
        carriers.send(LONG, on_state=states.append)
        carriers.take("skt-1", "1")
        carriers.wires.pass_time(0.1)
        return states

    def test_a_long_text_is_delivered_when_all_its_parts_are(self, carriers):
        states = self.long(carriers)
        carriers.receipt("skt-1", "1")
        carriers.take("skt-1", "2")
        assert states == []

        carriers.receipt("skt-1", "2")

        assert states == [TextState.DELIVERED]

    @pytest.mark.parametrize("state", ["UNDELIV", "EXPIRED", "REJECTD", "DELETED"])
    def test_it_has_failed_when_one_part_has_and_nothing_more_is_told(self, carriers, state):
        states = self.long(carriers)
        carriers.take("skt-1", "2")

        carriers.receipt("skt-1", "2", state)
        carriers.receipt("skt-1", "1")

        assert states == [TextState.FAILED]

    def test_receipts_of_an_attempt_that_was_given_up_tell_nothing(self, carriers):
        states = self.long(carriers)
        carriers.refuse("skt-1", ESME_RSYSERR)
        carriers.take("skt-2", "11")

        carriers.receipt("skt-1", "1", "UNDELIV")

        assert states == []

    def test_a_receipt_before_the_answer_counts(self, carriers):
        states = []
        carriers.send(on_state=states.append)
        carriers.receipt("skt-1", "5")
        assert states == []

        carriers.take("skt-1", "5")

        assert states == [TextState.DELIVERED]

    def test_a_defect_of_who_listens_costs_neither_the_text_nor_the_receipt(self, carriers):
        def broken(_):
            raise ZeroDivisionError

        sending = carriers.send(on_state=broken)
        carriers.receipt("skt-1", "5")
        with capture_logs() as lines:
            carriers.take("skt-1", "5")

        assert result_of(sending) == "skt-1"
        assert [line["event"] for line in lines] == ["state of a text not taken", "text sent"]


class TestSilence:
    def test_the_policy_is_asked_with_the_number_and_the_words_before_the_wait_and_before_each_part(
        self, carriers
    ):
        carriers.send(LONG)
        carriers.take("skt-1", "1")
        carriers.wires.pass_time(0.1)
        carriers.take("skt-1", "2")

        assert carriers.guard.asked == [(MOTHER, silence.Output.MESSAGE, LONG)] * 3

    def test_while_silence_holds_nothing_leaves_by_any_bind(self, carriers):
        carriers.guard.answers["always"] = HELD

        with capture_logs() as lines:
            refused = result_of(carriers.send())

        assert isinstance(refused, Refused)
        assert str(refused) == "silence holds"
        assert [line["event"] for line in lines] == ["text not sent"]
        assert all(carriers.heard(name) == [] for name in carriers.peers)

    def test_she_may_press_while_the_text_waits_for_its_turn(self, carriers):
        carriers.guard.answers[2] = HELD

        assert isinstance(result_of(carriers.send()), Refused)
        assert all(carriers.heard(name) == [] for name in carriers.peers)

    def test_she_may_press_between_two_parts(self, carriers):
        carriers.guard.answers[3] = HELD
        sending = carriers.send(LONG)

        carriers.take("skt-1", "1")
        carriers.wires.pass_time(1)

        assert isinstance(result_of(sending), Refused)
        assert all(carriers.heard(name) == [] for name in carriers.peers)

    def test_a_policy_that_cannot_be_asked_lets_nothing_through(self, carriers):
        carriers.guard.error = Unavailable("store: locked")

        unavailable = result_of(carriers.send())

        assert isinstance(unavailable, Unavailable)
        assert str(unavailable) == "store: locked"
        assert len(carriers.guard.asked) == 1

    def test_nothing_leaves_while_the_policy_thinks(self, carriers):
        carriers.guard.waiting = Deferred()
        sending = carriers.send()
        carriers.wires.pass_time(5)
        assert is_waiting(sending)
        assert carriers.heard("skt-1") == []

        waiting, carriers.guard.waiting = carriers.guard.waiting, None
        waiting.callback(None)
        carriers.wires.settle()

        assert len(carriers.heard("skt-1")) == 1


class TestEmergencyFirst:
    def flood(self, carriers, count=1_000):
        for _ in range(count):
            carriers.send()

    def test_a_flood_of_texts_delays_no_answer_to_a_press(self):
        carriers = Carriers(per_s=20.0, window=10)
        self.flood(carriers)
        peer = carriers.peers["skt-1"]
        carriers.wires.pass_time(0.3)
        peer.take()

        peer.send(*(deliver_sm(number, b"help %d" % number) for number in range(1, 21)))
        carriers.wires.settle()

        assert [pdu.sequence for pdu in peer.take() if pdu.command_id == DELIVER_SM | RESPONSE] == list(
            range(1, 21)
        )

    def test_a_flood_leaves_at_the_pace_of_the_settings_on_each_bind(self):
        carriers = Carriers(per_s=20.0, window=100)
        self.flood(carriers, 300)
        left = {"skt-1": 0, "skt-2": 0, "kt-1": 0}

        for _ in range(200):
            carriers.wires.pass_time(0.01, 0.01)
            for name in left:
                pdus = carriers.heard(name)
                left[name] += len(pdus)
                for pdu in pdus:
                    carriers.peers[name].answer(pdu, body=b"1\0")

        assert 38 <= left["skt-1"] <= 41
        assert 38 <= left["skt-2"] <= 41
        assert left["kt-1"] == 0

    def test_texts_hold_a_third_of_the_window_however_many_wait(self):
        carriers = Carriers(window=9)
        self.flood(carriers, 100)
        carriers.wires.pass_time(1)

        assert len(carriers.heard("skt-1")) == 3
        assert carriers.houses["skt-1"].esme._dialled.submitter.queued == 0

    def test_while_a_press_is_not_answered_texts_wait_but_not_for_ever(self, carriers):
        house, peer = carriers.houses["skt-1"], carriers.peers["skt-1"]
        carriers.lose("skt-2")
        house.intake.hold()
        peer.send(deliver_sm(1))
        carriers.wires.settle()

        carriers.send()
        carriers.wires.pass_time(1.8)
        assert carriers.heard("skt-1") == []
        carriers.wires.pass_time(0.4)

        assert len(carriers.heard("skt-1")) == 1

    def test_texts_go_on_as_soon_as_the_press_is_answered(self, carriers):
        house, peer = carriers.houses["skt-1"], carriers.peers["skt-1"]
        house.intake.hold()
        peer.send(deliver_sm(1))
        carriers.wires.settle()
        carriers.send()
        carriers.wires.pass_time(0.5)

        house.intake.release()
        carriers.wires.pass_time(0.1)

        assert len(carriers.heard("skt-1")) == 1

    def test_a_ussd_text_goes_ahead_of_texts_that_an_smsc_has_throttled(self):
        """The link's queue lets texts stand behind whatever else there is to send."""
        carriers = Carriers(window=3)
        self.flood(carriers, 10)
        carriers.refuse("skt-1", ESME_RTHROTTLED)
        link = carriers.houses["skt-1"].esme._dialled
        plain = link.submitter.submit(_pdu(b"text"), gives_way=True)
        closing = link.submitter.submit(_pdu(b"closing"))
        carriers.wires.pass_time(3.5)

        left = [decode_message(pdu.command_id, pdu.body).short_message for pdu in carriers.heard("skt-1")]
        assert left[:2] == [b"closing", b"text"]
        for each in (plain, closing):
            each.addErrback(lambda _: None)
            each.cancel()

    def test_the_urgent_go_ahead_of_the_others(self):
        carriers = Carriers(per_s=2.0)
        carriers.lose("skt-2")
        for number in range(4):
            carriers.send(f"calm {number}")
        carriers.send("urgent", is_urgent=True)
        carriers.wires.pass_time(2.9)

        assert [text_of(decode_message(p.command_id, p.body)) for p in carriers.heard("skt-1")] == [
            "calm 0", "urgent", "calm 1", "calm 2", "calm 3",
        ]  # fmt: skip

    def test_a_text_whose_turn_does_not_come_goes_by_another_carrier(self):
        carriers = Carriers(window=1)
        carriers.lose("skt-2")
        stuck = carriers.houses["skt-1"].esme.submit(
            source_addr="1366", destination_addr="821000000000", short_message=b"x"
        )
        stuck.addErrback(lambda _: None)
        carriers.houses["skt-1"].esme._dialled.window._response_timeout_s = 1e9
        carriers.houses["skt-1"].esme._dialled.window._timer.cancel()
        carriers.houses["skt-1"].esme._dialled.window._timer = None

        sending = carriers.send()
        carriers.wires.pass_time(60.2)
        carriers.take("kt-1", "1")

        assert result_of(sending) == "kt-1"
