"""Our bind to a carrier's SMSC, against a peer that does exactly what the test says; time and wires are simulated."""

from __future__ import annotations

import random
from itertools import pairwise, permutations

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed

from telephony.alarms import HOLD_S
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.domain.incident import Receipt
from telephony.domain.trigger import Repetition
from telephony.net.listening import AGAIN_S
from telephony.net.pauses import Failed, WasUp
from telephony.net.standing import FarEndState, Retried
from telephony.smpp.reconnect import Reconnect
from telephony.smpp.settings import Dialect
from telephony.smpp.submitting import SubmitRefused
from telephony.smpp.wire.building import build
from telephony.smpp.wire.codec import decode_bind, decode_message, encode_header
from telephony.smpp.wire.constants import (
    DELIVER_SM,
    ENQUIRE_LINK,
    ESME_RALYBND,
    ESME_RBINDFAIL,
    ESME_RINVBNDSTS,
    ESME_RINVCMDID,
    ESME_RINVCMDLEN,
    ESME_RINVDSTADR,
    ESME_RINVPASWD,
    ESME_RMSGQFUL,
    ESME_ROK,
    ESME_RTHROTTLED,
    ESME_RX_T_APPN,
    GENERIC_NACK,
    MAX_COMMAND_LENGTH,
    MAX_PDU,
    RESPONSE,
    TAG_MESSAGE_PAYLOAD,
)
from telephony.smpp.wire.pdus import Tlv
from tests.smpp.people import SENDER, House, Peers, deliver_sm
from tests.smpp.wires import Wires

DELIVER_SM_RESP = DELIVER_SM | RESPONSE


@pytest.fixture
def wires():
    return Wires()


@pytest.fixture
def house(wires):
    return House(wires)


def submit(house, text=b"hello", **fields):
    return house.esme.submit(
        source_addr=SENDER, destination_addr="821012345678", short_message=text, **fields
    )


def outcome(deferred: Deferred):
    """What a Deferred has become: its result, its exception, or None while it waits."""
    seen = []

    def see(result):
        seen.append(getattr(result, "value", result))
        return seen[0]

    deferred.addBoth(see)
    return seen[0] if seen else None


def password_of(peer):
    bind = peer.heard[0]
    return decode_bind(bind.command_id, bind.body).password


class TestBinding:
    @pytest.mark.parametrize(
        ("kind", "version", "number"),
        [("transceiver", "3.4", 0x34), ("receiver", "3.3", 0x33), ("transmitter", "5.0", 0x50)],
    )
    def test_it_binds_as_configured(self, wires, kind, version, number):
        house = House(
            wires, bind=kind, version=version, system_type="SOS", address_range="112", address_ton=6
        )

        peer = house.start()

        (pdu,) = peer.heard
        assert pdu.name == f"bind_{kind}"
        bind = decode_bind(pdu.command_id, pdu.body)
        assert bind[1:] == ("sos", "", "SOS", number, 6, 0, "112")

    def test_it_dials_at_once(self, house, wires):
        began = wires.seconds()

        house.start()

        assert wires.dials == [began]

    def test_a_password_that_no_bind_can_carry_is_said_at_once(self, wires, monkeypatch):
        monkeypatch.setenv("SKT_PASSWORD", "longer than eight")

        with pytest.raises(Malformed):
            House(wires, password={"env": "SKT_PASSWORD"})

    def test_the_bind_response_is_known_by_its_sequence_number(self, house, wires):
        peer = house.start()

        peer.send(encode_header(0x80000009, 0, 77), build("enquire_link", 5))
        wires.settle()

        assert not house.esme.is_bound
        assert peer.names == ["bind_transceiver", "enquire_link_resp"]

    def test_a_bind_response_without_a_body_is_one(self, house, wires):
        peer = house.start()

        peer.answer(peer.heard[0])
        wires.settle()

        assert house.esme.is_bound
        assert house.witness.said == [("up", "skt-1", "transceiver")]

    def test_a_press_that_comes_before_the_bind_response_is_taken(self, house, wires):
        """Some SMSCs deliver the moment they have decided to answer."""
        peer = house.start()

        peer.send(deliver_sm(1))
        wires.settle()

        assert len(house.intake.presses) == 1
        assert peer.names == ["bind_transceiver", "deliver_sm_resp"]

    @pytest.mark.parametrize("order", list(permutations(["press", "unbind", "bind_resp"])), ids=" ".join)
    @pytest.mark.parametrize("reads", ["one read", "a read each"])
    def test_a_press_beside_an_unbind_and_the_answer_to_our_bind_is_answered_in_every_order(
        self, house, wires, order, reads
    ):
        """An unbind is answered last; what comes in a read behind it finds the link closed, and is delivered again."""
        peer = house.start()
        (bind,) = peer.take()
        bind_resp = encode_header(bind.command_id | RESPONSE, ESME_ROK, bind.sequence, b"mc\0")
        pdus = {"press": deliver_sm(1), "unbind": build("unbind", 2), "bind_resp": bind_resp}
        house.intake.hold()

        for group in [order] if reads == "one read" else [(name,) for name in order]:
            peer.send(*(pdus[name] for name in group))
            wires.settle()
        house.intake.release()
        wires.settle()

        is_too_late = reads == "a read each" and order.index("unbind") < order.index("press")
        assert peer.names == (["unbind_resp"] if is_too_late else ["deliver_sm_resp", "unbind_resp"])
        assert len(house.intake.presses) == (0 if is_too_late else 1)
        assert peer.is_lost
        assert not house.esme.is_bound

    @pytest.mark.parametrize("ending", ["a refusal", "a lost framing"])
    def test_a_press_ahead_of_a_bind_that_comes_to_nothing_is_answered(self, house, wires, ending):
        peer = house.start()
        (bind,) = peer.take()
        house.intake.hold()

        peer.send(deliver_sm(1))
        if ending == "a refusal":
            peer.answer(bind, ESME_RBINDFAIL)
        else:
            peer.send(b"HTTP/1.1 400 Bad Request")
        wires.settle()
        assert not peer.is_lost
        house.intake.release()
        wires.settle()

        assert peer.names[:1] == ["deliver_sm_resp"]
        assert peer.is_lost

    def test_an_unbind_before_the_bind_response_does_not_wait_for_ever(self, house, wires):
        peer = house.start()
        peer.take()
        house.intake.hold()

        peer.send(deliver_sm(1), build("unbind", 2))
        wires.pass_time(5.1)

        assert peer.names == ["deliver_sm_resp", "unbind_resp"]
        assert [pdu.status for pdu in peer.heard] == [ESME_RMSGQFUL, ESME_ROK]

    def test_an_smsc_that_does_not_answer_the_bind_is_left(self, house, wires):
        peer = house.start()

        wires.pass_time(10.2)

        assert peer.is_lost
        assert house.witness.of("unreachable") == [("unreachable", "skt-1", "no bind_resp in time")]
        wires.pass_time(1.0)
        assert len(house.peers.all) == 2

    def test_a_generic_nack_to_the_bind_is_a_refusal(self, house, wires):
        peer = house.start()

        peer.send(encode_header(GENERIC_NACK, ESME_RINVCMDID, peer.heard[0].sequence))
        wires.settle()

        assert house.witness.of("refused") == [("refused", "skt-1", ESME_RINVCMDID)]


class TestReconnecting:
    def test_the_first_attempt_after_a_loss_comes_within_a_second(self, house, wires):
        peer = house.start_bound()
        wires.pass_time(30)
        peer.transport.abortConnection()

        wires.pass_time(1.0)

        assert len(house.peers.all) == 2

    def test_attempts_never_lie_more_than_thirty_seconds_apart(self, house, wires):
        house.esme.startService()

        wires.pass_time(600, step=1.0)

        gaps = [later - earlier for earlier, later in pairwise(wires.dials)]
        assert max(gaps) <= 31.0
        assert len(gaps) > 20
        assert [what for _, _, what in house.witness.of("alarm")] == ["not bound after 3 attempts"]

    def test_refused_credentials_are_not_hammered(self, house, wires):
        peer = house.start()
        peer.answer(peer.heard[0], ESME_RINVPASWD)

        wires.pass_time(299, step=1.0)

        assert len(wires.dials) == 1
        assert "credentials" in house.witness.of("alarm")[0][2]
        wires.pass_time(2)
        assert len(wires.dials) == 2

    def test_a_corrected_password_is_used_at_once_when_a_person_asks_for_it(self, wires, tmp_path):
        secret = tmp_path / "secret"
        secret.write_text("wrong")
        house = House(wires, password={"file": secret})
        peer = house.start()
        peer.answer(peer.heard[0], ESME_RINVPASWD)
        wires.pass_time(2)
        refused = house.esme.standing

        secret.write_text("right")
        is_changed, retried = house.esme.read_again(), house.esme.retry()
        wires.settle()

        assert (refused.state, refused.reason) == (FarEndState.REFUSED, "bind refused: ESME_RINVPASWD")
        assert (is_changed, retried) == (True, Retried.DIALLED)
        assert password_of(house.peers.last) == "right"
        house.accept_bind(house.peers.last)
        assert house.esme.standing.state is FarEndState.UP
        assert (house.esme.read_again(), house.esme.retry()) == (False, Retried.IS_UP)

    @pytest.mark.parametrize("written", [None, "longer than eight"])
    def test_a_password_that_cannot_be_used_leaves_the_old_one(self, wires, tmp_path, written):
        secret = tmp_path / "secret"
        secret.write_text("right")
        house = House(wires, password={"file": secret})
        secret.unlink() if written is None else secret.write_text(written)

        with pytest.raises((LookupError, Malformed)):
            house.esme.read_again()

        assert password_of(house.start()) == "right"

    def test_already_bound_is_waited_out_and_the_third_time_is_an_alarm(self, house, wires):
        house.listen()
        house.esme.startService()
        for _ in range(3):
            wires.settle()
            peer = house.peers.last
            peer.answer(peer.heard[0], ESME_RALYBND)
            wires.settle()
            refused_at, dials = wires.seconds(), len(wires.dials)
            while len(wires.dials) == dials:
                wires.pass_time(0.5)
            assert 30 <= wires.seconds() - refused_at <= 61

        assert len(house.witness.of("alarm")) == 1

    def test_other_refusals_back_off_like_failures(self, house, wires):
        peer = house.start()
        peer.answer(peer.heard[0], ESME_RBINDFAIL)

        wires.pass_time(1.0)

        assert len(wires.dials) == 2

    def test_pauses_are_full_jitter_up_to_a_doubling_bound(self):
        longest = [
            max(pause.seconds for pause in column)
            for column in zip(
                *(
                    [policy.after(Failed("refused")) for _ in range(8)]
                    for policy in map(_reconnect, range(300))
                ),
                strict=True,
            )
        ]

        for seen, bound in zip(longest, [1, 2, 4, 8, 16, 30, 30, 30], strict=True):
            assert 0.8 * bound < seen <= bound

    def test_a_link_that_held_starts_the_count_again(self):
        policy = _reconnect(1)
        for _ in range(6):
            policy.after(Failed("refused"))

        assert policy.after(WasUp(10.0)).seconds <= 1.0
        assert max(_worn(seed).after(WasUp(9.9)).seconds for seed in range(50)) > 10.0


def _reconnect(seed):
    return Reconnect(random.Random(seed))


def _worn(seed):
    policy = _reconnect(seed)
    for _ in range(6):
        policy.after(Failed("refused"))
    return policy


class TestLiveness:
    def test_silence_is_probed_and_a_dead_link_found_within_twenty_seconds(self, house, wires):
        peer = house.start_bound()
        wires.pass_time(4.9)
        peer.send(build("enquire_link", 1))
        wires.settle()
        peer.take()

        wires.pass_time(9.9)
        assert peer.names == []
        wires.pass_time(0.2)
        assert peer.names == ["enquire_link"]
        wires.pass_time(5)
        assert peer.names == ["enquire_link", "enquire_link"]
        wires.pass_time(4.8)
        assert house.esme.is_bound
        wires.pass_time(0.2)
        assert ("down", "skt-1", "dead") in house.witness.said
        assert peer.is_lost

    def test_a_peer_that_answers_lives_for_ever(self, house, wires):
        peer = house.start_bound()

        for _ in range(100):
            wires.pass_time(1.0, step=0.5)
            for pdu in peer.take():
                peer.answer(pdu)

        assert house.witness.of("down") == []

    def test_presses_alone_keep_a_link_alive(self, house, wires):
        peer = house.start_bound()

        for sequence in range(10):
            wires.pass_time(6.0, step=0.5)
            peer.send(deliver_sm(sequence))

        wires.settle()
        assert set(peer.names) == {"deliver_sm_resp"}

    def test_enquire_link_is_answered_even_when_presses_wait(self, house, wires):
        peer = house.start_bound()
        house.intake.hold()

        peer.send(deliver_sm(1), build("enquire_link", 2))
        wires.settle()

        assert peer.names == ["enquire_link_resp"]


class TestPresses:
    def test_one_read_is_one_call_and_one_write(self, house, wires):
        peer = house.start_bound()
        link = house.esme._dialled
        writes = []
        link.transport.write, write = lambda data: (writes.append(data), write(data)), link.transport.write

        peer.send(*(deliver_sm(sequence, b"help %d" % sequence) for sequence in range(1, 51)))
        wires.settle()

        assert [len(call) for call in house.intake.calls] == [50]
        assert len(writes) == 1
        assert [(pdu.command_id, pdu.status, pdu.sequence) for pdu in peer.heard] == [
            (DELIVER_SM_RESP, ESME_ROK, sequence) for sequence in range(1, 51)
        ]

    def test_each_press_has_its_own_answer(self, wires):
        house = House(wires, dialect=Dialect(retry_status="ESME_RX_T_APPN"))
        house.intake.answer = lambda triggers: _now(
            [Receipt("i", "first press"), Unavailable("disk full"), Receipt("i", "repeat press")]
        )
        peer = house.start_bound()

        peer.send(deliver_sm(7), deliver_sm(8), deliver_sm(9))
        wires.settle()

        assert [(pdu.sequence, pdu.status) for pdu in peer.heard] == [
            (7, ESME_ROK),
            (8, ESME_RX_T_APPN),
            (9, ESME_ROK),
        ]

    @pytest.mark.parametrize(
        "answer",
        [
            lambda _triggers: fail(RuntimeError("broken")),
            lambda _triggers: 1 / 0,
            lambda _triggers: _now([]),
            lambda _triggers: _now(None),
            lambda triggers: _now(["yes"] * len(triggers)),
        ],
    )
    def test_nothing_but_a_receipt_is_ever_acknowledged(self, house, wires, answer):
        house.intake.answer = answer
        peer = house.start_bound()

        peer.send(deliver_sm(1), deliver_sm(2))
        wires.settle()

        assert [(pdu.sequence, pdu.status) for pdu in peer.heard] == [(1, ESME_RMSGQFUL), (2, ESME_RMSGQFUL)]

    def test_a_coroutine_will_do_for_an_answer(self, house, wires):
        async def accept(triggers):
            return [Receipt("i", "first press")] * len(triggers)

        house.intake.answer = accept
        peer = house.start_bound()

        peer.send(deliver_sm(1))
        wires.settle()

        assert peer.heard[0].status == ESME_ROK

    def test_what_is_not_durable_in_three_seconds_is_to_be_sent_again_and_answered_once(self, house, wires):
        peer = house.start_bound()
        house.intake.hold()
        peer.send(deliver_sm(1))
        wires.pass_time(1)
        peer.send(deliver_sm(2))

        wires.pass_time(1.9)
        assert peer.heard == []
        wires.pass_time(0.2)
        assert [(pdu.sequence, pdu.status) for pdu in peer.heard] == [(1, ESME_RMSGQFUL)]
        wires.pass_time(1)
        assert [pdu.sequence for pdu in peer.heard] == [1, 2]
        house.intake.release()
        wires.settle()
        assert len(peer.heard) == 2
        assert house.esme.desk.tally.late == 2

    def test_two_requests_of_one_number_are_both_answered(self, house, wires):
        peer = house.start_bound()
        house.intake.hold()

        peer.send(deliver_sm(5, b"one"), deliver_sm(5, b"two"))
        wires.settle()
        house.intake.release()
        wires.settle()

        assert [pdu.sequence for pdu in peer.heard] == [5, 5]

    @pytest.mark.parametrize("sequence", [0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
    def test_any_sequence_number_is_echoed(self, house, wires, sequence):
        peer = house.start_bound()

        peer.send(deliver_sm(sequence))
        wires.settle()

        assert peer.heard[0].sequence == sequence

    def test_nothing_is_refused_for_its_content(self, house, wires):
        peer = house.start_bound()
        bodies = [
            b"",
            b"\0",
            b"\xff" * 40,
            b"\0\1\1" + b"9" * 300 + b"\0",
            b"\0\1\x0182\0\0\x01112\0" + b"\x40" * 9,
        ]

        peer.send(*(encode_header(DELIVER_SM, 0, number, body) for number, body in enumerate(bodies)))
        wires.settle()

        assert [press.raw for press in house.intake.presses] == bodies
        assert [pdu.status for pdu in peer.heard] == [ESME_ROK] * len(bodies)
        assert house.esme.is_bound
        assert len(house.witness.of("noted")) == 1

    def test_a_fault_of_ours_in_reading_does_not_cost_the_press(self, house, wires, monkeypatch):
        for room in ("wire.sorting", "reading"):
            monkeypatch.setattr(f"telephony.smpp.{room}.trigger_of", lambda *_, **__: 1 / 0)
        peer = house.start_bound()

        peer.send(deliver_sm(1))
        wires.settle()

        (press,) = house.intake.presses
        assert (press.text, press.msisdn.number, press.destination) == (None, "821012345678", "112")
        assert press.raw
        assert peer.heard[0].status == ESME_ROK

    def test_data_sm_is_a_press(self, house, wires):
        peer = house.start_bound()

        peer.send(
            build(
                "data_sm",
                3,
                source_addr="82101",
                destination_addr="112",
                tlvs=[Tlv(TAG_MESSAGE_PAYLOAD, b"help")],
            )
        )
        wires.settle()

        assert house.intake.presses[0].text == "help"
        assert peer.names == ["data_sm_resp"]

    def test_submit_sm_from_an_smsc_is_a_press_too(self, house, wires):
        peer = house.start_bound()

        peer.send(build("submit_sm", 3, source_addr="82101", destination_addr="112", short_message=b"help"))
        wires.settle()

        assert house.intake.presses[0].text == "help"
        assert peer.heard[0].name == "submit_sm_resp"
        assert len(peer.heard[0].body) == 17

    def test_a_flood_beyond_all_bounds_is_to_be_sent_again(self, house, wires, monkeypatch):
        monkeypatch.setattr("telephony.smpp.batches.MOST_UNANSWERED", 3)
        peer = house.start_bound()
        house.intake.hold()

        peer.send(deliver_sm(1), deliver_sm(2), deliver_sm(3))
        wires.settle()
        peer.send(deliver_sm(4))
        wires.settle()

        assert [(pdu.sequence, pdu.status) for pdu in peer.heard] == [(4, ESME_RMSGQFUL)]
        house.intake.release()
        wires.settle()
        assert [pdu.sequence for pdu in peer.heard] == [4, 1, 2, 3]


class TestRepetition:
    """The same words again: what goes on to Intake with them."""

    def brought(self, house):
        return [(trigger.repetition, trigger.reference) for trigger in house.intake.presses]

    def test_the_same_words_on_a_healthy_link_are_another_press(self, house, wires):
        peer = house.start_bound()

        for sequence in (301, 302, 303):
            peer.send(deliver_sm(sequence))
            wires.settle()

        (first, words), *others = self.brought(house)
        assert first is Repetition.UNKNOWN
        assert [repetition for repetition, _ in others] == [Repetition.NONE] * 2
        assert len({words, *(reference for _, reference in others)}) == 3

    def test_what_was_answered_with_the_retry_status_is_redelivered_as_itself(self, house, wires):
        peer = house.start_bound()
        house.intake.answer = lambda triggers: succeed([Unavailable("down")] * len(triggers))
        peer.send(deliver_sm(1))
        wires.settle()

        peer.send(deliver_sm(2))
        wires.settle()

        (_, words), again = self.brought(house)
        assert again == (Repetition.REDELIVERY, words)

    def test_what_was_not_durable_in_time_is_redelivered_as_itself(self, house, wires):
        peer = house.start_bound()
        house.intake.hold()
        peer.send(deliver_sm(1))
        wires.pass_time(3.1)
        house.intake.release()

        peer.send(deliver_sm(2))
        wires.settle()

        assert self.brought(house)[1][0] is Repetition.REDELIVERY

    def test_what_comes_again_after_the_link_fell_around_our_answer_is_doubtful(self, house, wires):
        peer = house.start_bound()
        peer.send(deliver_sm(1))
        wires.settle()
        peer.transport.abortConnection()
        wires.pass_time(1.5)
        peer = house.peers.last
        house.accept_bind(peer)

        peer.send(deliver_sm(1))
        wires.settle()

        (_, words), again = self.brought(house)
        assert again == (Repetition.DOUBTFUL, words)

    def test_what_was_never_answered_before_the_link_fell_is_a_redelivery(self, house, wires):
        peer = house.start_bound()
        house.intake.hold()
        peer.send(deliver_sm(1))
        wires.settle()
        peer.transport.abortConnection()
        wires.pass_time(1.5)
        house.intake.release()
        peer = house.peers.last
        house.accept_bind(peer)

        peer.send(deliver_sm(1))
        wires.settle()

        assert self.brought(house)[1][0] is Repetition.REDELIVERY

    def test_a_link_that_spoke_after_our_answer_had_it(self, house, wires):
        peer = house.start_bound()
        peer.send(deliver_sm(1))
        wires.pass_time(1)
        peer.send(encode_header(ENQUIRE_LINK, 0, 2))
        wires.settle()
        peer.transport.abortConnection()
        wires.pass_time(1.5)
        peer = house.peers.last
        house.accept_bind(peer)

        peer.send(deliver_sm(1))
        wires.settle()

        assert self.brought(house)[1][0] is Repetition.NONE

    def test_the_same_words_twice_in_one_read_are_doubtful(self, house, wires):
        peer = house.start_bound()

        peer.send(deliver_sm(1), deliver_sm(2))
        wires.settle()

        (_, words), again = self.brought(house)
        assert again == (Repetition.DOUBTFUL, words)


def _now(result):
    done = Deferred()
    done.callback(result)
    return done


class TestReceipts:
    TEXT = b"id:%s sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD err:000 text:"

    def test_a_receipt_is_no_press_and_is_acknowledged(self, house, wires):
        peer = house.start_bound()

        peer.send(deliver_sm(1, self.TEXT % b"4f", esm_class=0x04, destination_addr=SENDER), deliver_sm(2))
        wires.settle()

        assert [press.text for press in house.intake.presses] == ["help"]
        assert sorted((pdu.sequence, pdu.status) for pdu in peer.heard) == [(1, ESME_ROK), (2, ESME_ROK)]

    def test_what_is_marked_as_receipt_but_is_none_is_a_press(self, house, wires):
        peer = house.start_bound()

        peer.send(deliver_sm(1, b"help me", esm_class=0x04))
        wires.settle()

        assert [press.text for press in house.intake.presses] == ["help me"]

    def test_a_korean_conversation_abort_is_never_a_receipt(self, house, wires):
        peer = house.start_bound()

        peer.send(deliver_sm(1, self.TEXT % b"4f", esm_class=0x18))
        wires.settle()

        assert len(house.intake.presses) == 1

    def test_a_receipt_finds_its_message(self, wires):
        house = House(wires)
        peer = house.start_bound()
        told = []
        sent = submit(house, on_receipt=told.append)
        wires.settle()
        (request,) = peer.take()
        assert decode_message(request.command_id, request.body).registered_delivery == 1

        peer.answer(request, body=b"0004F\0")
        peer.send(deliver_sm(1, self.TEXT % b"4f", esm_class=0x04, destination_addr=SENDER))
        wires.settle()

        assert outcome(sent).message_id == "0004F"
        assert [receipt.state for receipt in told] == ["DELIVRD"]

    def test_a_receipt_may_come_before_the_response(self, house, wires):
        peer = house.start_bound()
        told = []
        submit(house, on_receipt=told.append)
        wires.settle()
        (request,) = peer.take()

        peer.send(deliver_sm(1, self.TEXT % b"77", esm_class=0x04, destination_addr=SENDER))
        wires.pass_time(5)
        assert told == []
        peer.answer(request, body=b"77\0")
        wires.settle()

        assert [receipt.message_id for receipt in told] == ["77"]


class TestTheRestOfTheProtocol:
    def test_an_unknown_command_is_nacked(self, house, wires):
        peer = house.start_bound()

        peer.send(encode_header(0x00000111, 0, 9, b"cell broadcast"), encode_header(0x1234, 0, 10))
        wires.settle()

        assert [(pdu.command_id, pdu.status, pdu.sequence) for pdu in peer.heard] == [
            (GENERIC_NACK, ESME_RINVCMDID, 9),
            (GENERIC_NACK, ESME_RINVCMDID, 10),
        ]

    def test_responses_to_nothing_are_ignored(self, house, wires):
        peer = house.start_bound()

        peer.send(
            *(encode_header(RESPONSE | command, 8, 99) for command in (0, 4, 5, 6, 9, 0x15, 0x103, 0x7777))
        )
        wires.settle()

        assert peer.heard == []
        assert house.esme.is_bound

    def test_alert_notification_has_no_answer(self, house, wires):
        peer = house.start_bound()

        peer.send(encode_header(0x102, 0, 4, b"\1\1" + b"82101\0" + b"\0\0112\0"))
        wires.settle()

        assert peer.heard == []
        assert house.witness.of("noted") == [("noted", "skt-1", "alert_notification")]

    def test_a_bind_from_the_smsc_is_refused_without_harm(self, house, wires):
        peer = house.start_bound()

        peer.send(build("bind_receiver", 4, system_id="x"))
        wires.settle()

        assert [(pdu.name, pdu.status) for pdu in peer.heard] == [("bind_receiver_resp", ESME_RINVBNDSTS)]

    @pytest.mark.parametrize("length", [0, 15, MAX_COMMAND_LENGTH + 1, 0xFFFFFFFF])
    def test_lost_framing_closes_the_link_after_what_came_whole_is_answered(self, house, wires, length):
        peer = house.start_bound()
        house.intake.hold()

        peer.send(deliver_sm(1) + length.to_bytes(4) + b"\0" * 12)
        wires.settle()
        house.intake.release()
        wires.pass_time(0.1)

        assert [(pdu.command_id, pdu.status, pdu.sequence) for pdu in peer.heard] == [
            (DELIVER_SM_RESP, ESME_ROK, 1),
            (GENERIC_NACK, ESME_RINVCMDLEN, 0),
        ]
        assert peer.is_lost

    @pytest.mark.parametrize("length", [65_535 + 80, MAX_PDU + 1, 400_000, MAX_COMMAND_LENGTH])
    def test_a_lawful_pdu_of_any_length_is_a_press_and_keeps_the_link(self, house, wires, length):
        """The SMSC keeps it at the head of its queue until it is answered."""
        peer = house.start_bound()
        long = deliver_sm(1)
        while len(long) < length:
            more = min(65_535, max(0, length - len(long) - 4))
            long += (0x1400).to_bytes(2) + more.to_bytes(2) + b"\0" * more

        peer.send(length.to_bytes(4) + long[4:length] + deliver_sm(2, b"next"))
        wires.settle()

        assert [press.text for press in house.intake.presses] == ["help", "next"]
        assert [(pdu.name, pdu.status, pdu.sequence) for pdu in peer.heard] == [
            ("deliver_sm_resp", ESME_ROK, 1),
            ("deliver_sm_resp", ESME_ROK, 2),
        ]
        assert len(house.intake.presses[0].raw) == min(length, MAX_PDU) - 16
        skipped = f"the last {length - MAX_PDU} octets of a deliver_sm were not read"
        assert (("noted", "skt-1", skipped) in house.witness.said) is (length > MAX_PDU)

    def test_a_long_pdu_on_a_slow_line_is_a_sign_of_life_and_drops_are_none(self, house, wires):
        peer = house.start_bound()
        length = 400_000
        long = length.to_bytes(4) + deliver_sm(1)[4:]
        long += b"\0" * (length - len(long))

        for second in range(50):
            peer.send(long[second * 8_000 : (second + 1) * 8_000])
            wires.pass_time(1)
        assert len(house.intake.presses) == 1
        peer.take()
        for second in range(40):
            peer.send(long[second : second + 1])
            wires.pass_time(1)

        assert ("down", "skt-1", "dead") in house.witness.said

    def test_the_peers_unbind_waits_for_our_answers(self, house, wires):
        peer = house.start_bound()
        house.intake.hold()

        peer.send(deliver_sm(1), build("unbind", 2))
        wires.settle()
        assert peer.heard == []
        assert not house.esme.is_bound
        house.intake.release()
        wires.settle()

        assert peer.names == ["deliver_sm_resp", "unbind_resp"]
        assert peer.is_lost
        wires.pass_time(1)
        assert len(house.peers.all) == 2

    def test_a_peer_that_never_reads_is_dropped(self, house, wires):
        house.start_bound()
        link = house.esme._dialled
        link.pauseProducing()

        wires.pass_time(31)

        assert ("down", "skt-1", "dead") in house.witness.said


class TestLeaving:
    def test_our_stop_unbinds_and_waits_for_what_is_in_flight(self, house, wires):
        peer = house.start_bound()
        house.intake.hold()
        peer.send(deliver_sm(1))
        wires.settle()

        stopped = house.esme.stopService()
        wires.settle()
        assert peer.names == ["unbind"]
        peer.answer(peer.heard[0])
        wires.settle()
        assert not peer.is_lost
        house.intake.release()
        wires.settle()

        assert peer.names == ["unbind", "deliver_sm_resp"]
        assert stopped.called
        assert peer.is_lost
        wires.pass_time(60, step=1)
        assert len(wires.dials) == 1
        assert wires.getDelayedCalls() == []

    def test_a_press_that_crosses_our_unbind_is_taken(self, house, wires):
        peer = house.start_bound()
        house.esme.stopService()

        peer.send(deliver_sm(1))
        wires.settle()

        assert len(house.intake.presses) == 1
        assert peer.names == ["unbind", "deliver_sm_resp"]

    def test_our_stop_is_bounded(self, house, wires):
        house.start_bound()

        stopped = house.esme.stopService()
        wires.pass_time(4.9)
        assert not stopped.called
        wires.pass_time(0.2)

        assert stopped.called

    def test_a_close_that_the_peer_never_finishes_is_cut_short(self, house, wires):
        peer = house.start_bound()
        wire = house.esme._dialled.transport
        stopped = house.esme.stopService()
        wires.settle()
        peer.answer(peer.heard[0])
        wire.stuck = True

        wires.pass_time(1.9)
        assert not stopped.called
        wires.pass_time(0.2)

        assert stopped.called

    def test_stopping_between_attempts_stops_the_attempts(self, house, wires):
        house.esme.startService()
        wires.settle()

        stopped = house.esme.stopService()
        wires.pass_time(120, step=1)

        assert stopped.called
        assert len(wires.dials) == 1

    def test_stopping_while_dialling_leaves_nothing_behind(self, house, wires):
        house.listen()
        house.esme.startService()

        stopped = house.esme.stopService()
        wires.settle()

        assert stopped.called
        assert house.peers.all == [] or house.peers.last.is_lost
        assert wires.getDelayedCalls() == []


class TestSubmitting:
    def test_the_window_is_kept(self, wires):
        house = House(wires, window=3)
        peer = house.start_bound()
        sent = [submit(house, b"%d" % number) for number in range(5)]
        wires.settle()
        requests = peer.take()
        assert len(requests) == 3

        peer.answer(requests[1], body=b"b\0")
        wires.settle()

        assert [outcome(one) and outcome(one).message_id for one in sent] == [None, "b", None, None, None]
        assert len(peer.take()) == 1

    def test_tlvs_go_only_to_peers_that_know_them(self, wires):
        for version, our_version, expected in (
            (0x34, "3.4", 1),
            (None, "3.4", 0),
            (0x33, "3.4", 0),
            (0x34, "3.3", 0),
        ):
            house = House(wires, version=our_version)
            peer = house.start_bound(version)
            submit(house, tlvs=[Tlv(0x0204, b"\0\1")])
            wires.settle()
            assert len(decode_message(4, peer.heard[-1].body).tlvs) == expected
            house.wires.ports.clear()

    def test_a_text_in_a_tlv_is_not_sent_without_its_text(self, house):
        house.start_bound(None)

        assert isinstance(outcome(submit(house, b"", tlvs=[Tlv(TAG_MESSAGE_PAYLOAD, b"long")])), Refused)

    def test_an_unbound_link_sends_nothing(self, house):
        assert isinstance(outcome(submit(house)), Unavailable)

    def test_a_receiver_sends_nothing(self, wires):
        house = House(wires, bind="receiver")
        house.start_bound()

        assert isinstance(outcome(submit(house)), Refused)

    def test_what_does_not_fit_is_malformed(self, house):
        house.start_bound()

        assert isinstance(outcome(submit(house, b"x" * 300)), Malformed)

    def test_throttling_slows_the_bind_and_keeps_the_order(self, wires):
        house = House(wires, window=3)
        peer = house.start_bound()
        sent = [submit(house, b"%d" % number) for number in range(4)]
        wires.settle()
        for request in peer.take():
            peer.answer(request, ESME_RTHROTTLED)

        order = []
        for _ in range(100):
            wires.pass_time(0.1)
            for request in peer.take():
                if request.command_id == 4:
                    order.append((wires.seconds(), decode_message(4, request.body).short_message))
                peer.answer(request, body=b"id\0")
        wires.settle()

        assert [text for _, text in order] == [b"0", b"1", b"2", b"3"]
        assert all(later[0] - earlier[0] > 0.4 for earlier, later in pairwise(order))
        assert all(outcome(one).message_id == "id" for one in sent)

    def test_enquire_link_passes_a_throttled_queue(self, wires):
        house = House(wires, window=1)
        peer = house.start_bound()
        for number in range(5):
            submit(house, b"%d" % number)
        wires.settle()

        peer.send(build("enquire_link", 4))
        wires.pass_time(10.1)

        assert peer.names[:2] == ["submit_sm", "enquire_link_resp"]
        assert "enquire_link" in peer.names

    def test_a_refusal_is_for_good(self, house, wires):
        peer = house.start_bound()
        sent = submit(house)
        wires.settle()

        peer.answer(peer.heard[0], ESME_RINVDSTADR)
        wires.settle()

        error = outcome(sent)
        assert isinstance(error, SubmitRefused)
        assert error.status == ESME_RINVDSTADR

    def test_no_response_in_time_frees_the_window(self, wires):
        house = House(wires, window=1)
        peer = house.start_bound()
        sent = [submit(house), submit(house)]
        wires.settle()

        for _ in range(11):
            peer.send(build("enquire_link", 4))
            wires.pass_time(1)

        assert isinstance(outcome(sent[0]), Unavailable)
        assert peer.names.count("submit_sm") == 2

    def test_a_lost_link_fails_what_it_had(self, wires):
        house = House(wires, window=1)
        peer = house.start_bound()
        sent = [submit(house), submit(house)]
        wires.settle()

        peer.transport.abortConnection()
        wires.settle()

        assert all(isinstance(outcome(one), Unavailable) for one in sent)


class TestOutbind:
    def start(self, wires, host="127.0.0.1", monkeypatch=None):
        monkeypatch.setenv("SKT_PASSWORD", "secret")
        house = House(wires, host=host, outbind_port=3000, password={"env": "SKT_PASSWORD"})
        house.esme.startService()
        callers = Peers()
        wires.connectTCP("127.0.0.1", 3000, callers)
        wires.settle()
        return house, callers.last

    def test_an_outbind_is_answered_with_a_bind_as_receiver(self, wires, monkeypatch):
        house, peer = self.start(wires, monkeypatch=monkeypatch)

        peer.send(build("outbind", 1, system_id="sos", password="secret"))
        wires.settle()
        (bind,) = peer.take()
        assert bind.name == "bind_receiver"
        peer.answer(bind)
        peer.send(deliver_sm(1))
        wires.settle()

        assert house.esme.is_bound
        assert peer.names == ["deliver_sm_resp"]

    def test_silent_callers_keep_no_message_centre_out(self, wires, monkeypatch):
        """A host that is a name is known by its outbind only, so anybody may be connected before."""

        class Resolver:
            def resolveHostName(self, receiver, host):
                receiver.addressResolved(IPv4Address("TCP", "127.0.0.1", 0))
                receiver.resolutionComplete()

        class Unreachable:
            def connect(self, factory):
                return Deferred()

        wires.nameResolver = Resolver()
        monkeypatch.setattr("telephony.smpp.client.client_endpoint", lambda *_, **__: Unreachable())
        house, silent = self.start(wires, host="smsc.carrier.example", monkeypatch=monkeypatch)
        strangers, centre = Peers(), Peers()
        for number in range(50):
            wires.connectTCP("127.0.0.1", 3000, strangers, bindAddress=(f"192.0.2.{number % 7}", 0))
        wires.connectTCP("127.0.0.1", 3000, centre)
        wires.settle()

        centre.last.send(build("outbind", 1, system_id="sos", password="secret"))
        wires.settle()
        centre.last.answer(*centre.last.take())
        wires.settle()
        stopped = house.esme.stopService()
        wires.pass_time(8)

        assert not silent.heard
        assert sum(not peer.is_lost for peer in strangers.all) == 0
        assert house.witness.of("up") == [("up", "skt-1", "receiver")]
        assert stopped.called
        assert wires.getDelayedCalls() == []

    def test_a_port_that_is_taken_keeps_the_link_itself_from_nothing(self, wires, monkeypatch):
        wires.taken.add(3000)
        house = House(wires, outbind_port=3000)
        house.start_bound()
        assert house.esme.is_bound
        assert [(alarm.name, alarm.about) for alarm in house.alarms.standing()] == [
            ("not-listening", "skt-1")
        ]

        wires.taken.clear()
        wires.pass_time(AGAIN_S + HOLD_S)

        assert house.alarms.standing() == []
        assert 3000 in wires.ports

    def test_wrong_credentials_are_not_answered(self, wires, monkeypatch):
        house, peer = self.start(wires, monkeypatch=monkeypatch)

        peer.send(build("outbind", 1, system_id="sos", password="guess"), deliver_sm(2))
        wires.settle()

        assert peer.heard == []
        assert peer.is_lost
        assert house.intake.presses == []
        assert house.witness.of("alarm")

    def test_a_message_before_the_outbind_is_refused(self, wires, monkeypatch):
        house, peer = self.start(wires, monkeypatch=monkeypatch)

        peer.send(deliver_sm(2))
        wires.settle()

        assert [(pdu.name, pdu.status) for pdu in peer.heard] == [("deliver_sm_resp", ESME_RINVBNDSTS)]
        assert house.intake.presses == []

    @pytest.mark.parametrize(
        ("addresses", "binds"), [({"127.0.0.1", "192.0.2.1"}, 1), ({"192.0.2.1"}, 0), (set(), 0)]
    )
    def test_a_host_that_is_a_name_is_looked_up(self, wires, monkeypatch, addresses, binds):
        class Resolver:
            def resolveHostName(self, receiver, host):
                assert host == "smsc.carrier.example"
                for address in addresses:
                    receiver.addressResolved(IPv4Address("TCP", address, 0))
                receiver.resolutionComplete()

        class Unreachable:
            def connect(self, factory):
                return Deferred()

        wires.nameResolver = Resolver()
        monkeypatch.setattr("telephony.smpp.client.client_endpoint", lambda *_, **__: Unreachable())
        _, peer = self.start(wires, host="smsc.carrier.example", monkeypatch=monkeypatch)

        peer.send(build("outbind", 1, system_id="sos", password="secret"))
        wires.settle()

        assert len(peer.heard) == binds
        assert peer.is_lost is (binds == 0)

    def test_a_call_from_another_address_is_not_even_heard(self, wires, monkeypatch):
        house, peer = self.start(wires, host="127.0.0.9", monkeypatch=monkeypatch)

        assert peer.is_lost
        assert house.witness.of("alarm") == [("alarm", "skt-1", "outbind from a stranger")]
