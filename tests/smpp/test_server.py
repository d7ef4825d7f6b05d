"""A carrier's gateway binds to us: who is let in, and what becomes of its messages."""

from __future__ import annotations

import random

import pytest

from telephony.domain.errors import Unavailable
from telephony.listening import AGAIN_S
from telephony.services.alarms import HOLD_S, Alarms
from telephony.smpp.building import build
from telephony.smpp.codec import decode_bind_resp, decode_submit_resp, encode_header
from telephony.smpp.constants import (
    BIND_TRANSCEIVER,
    ESME_RALYBND,
    ESME_RBINDFAIL,
    ESME_RINVBNDSTS,
    ESME_RINVPASWD,
    ESME_RMSGQFUL,
    ESME_ROK,
    TAG_MESSAGE_PAYLOAD,
)
from telephony.smpp.gatekeeper import Gatekeeper, Known
from telephony.smpp.pdus import Bind, Tlv
from telephony.smpp.receipt_book import ReceiptBook
from telephony.smpp.request_book import RequestBook
from telephony.smpp.server import PeerOfCarrier, peer_server
from telephony.smpp.settings import Dialect, Peer, Server
from tests.smpp.people import RECOGNITION, Intake, Peers, Witness, deliver_sm
from tests.smpp.wires import Wires


@pytest.fixture(autouse=True)
def _secrets(monkeypatch):
    monkeypatch.setenv("KT_PASSWORD", "kt-pass")


class Listening:
    """Our server with one carrier's gateway in its list."""

    def __init__(self, *, addresses=(), max_binds=2, ussd=None, taken=(), **settings):
        self.wires = Wires()
        self.wires.taken.update(taken)
        self.intake = Intake()
        self.witness = Witness()
        self.book = ReceiptBook(clock=self.wires)
        peer = Peer(
            name="kt-gw",
            system_id="ktgw",
            password={"env": "KT_PASSWORD"},
            addresses=addresses,
            max_binds=max_binds,
        )
        self.alarms = Alarms(self.wires)
        self.server = peer_server(
            Server(**settings),
            [PeerOfCarrier(peer, "kt", Dialect(), RECOGNITION, self.book, RequestBook(600.0), ussd)],
            accept_all=self.intake.accept_all,
            reactor=self.wires,
            rng=random.Random(3),
            observer=self.witness,
            alarms=self.alarms,
        )
        self.server.startService()
        self.callers = Peers()

    def call(self):
        self.wires.connectTCP("127.0.0.1", 2775, self.callers)
        self.wires.settle()
        return self.callers.last

    def bind(self, kind="transceiver", *, system_id="ktgw", password="kt-pass", version=0x34):
        caller = self.call()
        caller.send(
            build(f"bind_{kind}", 1, system_id=system_id, password=password, interface_version=version)
        )
        self.wires.settle()
        return caller

    def bound(self, kind="transceiver"):
        caller = self.bind(kind)
        assert [pdu.status for pdu in caller.take()] == [ESME_ROK]
        return caller


class TestListening:
    def test_a_port_that_is_taken_is_an_alarm_until_it_is_free(self):
        house = Listening(taken=[2775])
        assert [(alarm.name, alarm.about) for alarm in house.alarms.standing()] == [
            ("not-listening", "smpp-server")
        ]

        house.wires.taken.clear()
        house.wires.pass_time(AGAIN_S + HOLD_S)

        assert house.alarms.standing() == []
        assert house.server.port is not None

    def test_certificate_files_that_cannot_be_used_are_an_alarm_too(self, tmp_path):
        (tmp_path / "broken.pem").write_text("no certificate")
        broken = str(tmp_path / "broken.pem")

        house = Listening(tls_certificate=broken, tls_key=broken)

        (alarm,) = house.alarms.standing()
        assert alarm.name == "not-listening"
        assert house.wires.ports == {}


class TestBinding:
    @pytest.mark.parametrize("kind", ["transceiver", "receiver", "transmitter"])
    @pytest.mark.parametrize(
        ("version", "answered"), [(0x33, None), (0, None), (0x34, 0x34), (0x50, 0x50), (0xFF, 0x50)]
    )
    def test_every_kind_and_version_is_let_in(self, kind, version, answered):
        house = Listening()

        caller = house.bind(kind, version=version)

        (response,) = caller.heard
        assert (response.name, response.status, response.sequence) == (f"bind_{kind}_resp", ESME_ROK, 1)
        assert decode_bind_resp(response.body) == ("onetouch", answered)
        assert house.witness.said == [("up", "kt-gw", kind)]

    @pytest.mark.parametrize(
        ("system_id", "password"), [("ktgw", "guess"), ("ktgw", ""), ("nobody", "kt-pass")]
    )
    def test_wrong_credentials_all_look_the_same(self, system_id, password):
        house = Listening()

        caller = house.bind(system_id=system_id, password=password)

        assert [(pdu.status, pdu.body) for pdu in caller.heard] == [(ESME_RINVPASWD, b"")]
        assert caller.is_lost
        assert house.witness.of("refused") == [("refused", "127.0.0.1", ESME_RINVPASWD)]

    @pytest.mark.parametrize(
        ("addresses", "status"),
        [
            ((), ESME_ROK),
            (("127.0.0.1",), ESME_ROK),
            (("10.0.0.0/8", "127.0.0.0/24"), ESME_ROK),
            (("10.0.0.0/8", "2001:db8::/32"), ESME_RBINDFAIL),
        ],
    )
    def test_only_listed_addresses_are_let_in(self, addresses, status):
        assert [pdu.status for pdu in Listening(addresses=addresses).bind().heard] == [status]

    def test_an_address_that_is_none_is_a_fault_of_the_settings(self):
        with pytest.raises(ValueError, match="addresses"):
            Listening(addresses=("somewhere",))

    def test_there_are_so_many_binds_and_no_more(self):
        house = Listening(max_binds=2)
        first = house.bound()
        house.bound("receiver")

        third = house.bind()
        assert [pdu.status for pdu in third.heard] == [ESME_RALYBND]

        first.transport.abortConnection()
        house.wires.settle()
        assert [pdu.status for pdu in house.bind().heard] == [ESME_ROK]

    def test_a_bind_without_its_last_nul_is_let_in(self):
        house = Listening()
        caller = house.call()

        caller.send(encode_header(0x00000009, 0, 1, b"ktgw\0kt-pass\0\0\x34\0\0"))
        house.wires.settle()
        caller.send(deliver_sm(2))
        house.wires.settle()

        assert [(pdu.name, pdu.status) for pdu in caller.heard] == [
            ("bind_transceiver_resp", ESME_ROK),
            ("deliver_sm_resp", ESME_ROK),
        ]

    @pytest.mark.parametrize("body", [b"ktgw\0kt-pass", b"ktgw\0kt-pas\0", b"ktgw\0kt-pas", b"ktgw\0"])
    def test_credentials_are_compared_whole(self, body):
        house = Listening()
        caller = house.call()

        caller.send(encode_header(0x00000009, 0, 1, body))
        house.wires.settle()

        assert [pdu.status == ESME_ROK for pdu in caller.heard] == [False]
        assert caller.is_lost

    def test_a_bind_that_cannot_be_read_is_refused(self):
        house = Listening()
        caller = house.call()

        caller.send(encode_header(BIND_TRANSCEIVER, 0, 3, b"ktgw\0kt-pa"))
        house.wires.settle()

        assert [(pdu.status, pdu.sequence) for pdu in caller.heard] == [(ESME_RBINDFAIL, 3)]

    def test_a_second_bind_on_a_bound_link_changes_nothing(self):
        house = Listening()
        caller = house.bound()

        caller.send(build("bind_receiver", 2, system_id="ktgw", password="kt-pass"), deliver_sm(3))
        house.wires.settle()

        assert [(pdu.name, pdu.status) for pdu in caller.heard] == [
            ("bind_receiver_resp", ESME_RALYBND),
            ("deliver_sm_resp", ESME_ROK),
        ]

    def test_a_caller_that_does_not_bind_is_dropped(self):
        house = Listening()
        caller = house.call()
        caller.send(build("enquire_link", 1))

        house.wires.pass_time(10.2)

        assert caller.names == ["enquire_link_resp"]
        assert caller.is_lost

    def test_there_are_so_many_connections_and_no_more(self):
        house = Listening(max_connections=2)
        house.call()
        house.call()

        assert house.call().is_lost

    def test_messages_before_the_bind_are_refused(self):
        house = Listening()
        caller = house.call()

        caller.send(deliver_sm(4))
        house.wires.settle()

        assert [(pdu.name, pdu.status) for pdu in caller.heard] == [("deliver_sm_resp", ESME_RINVBNDSTS)]
        assert house.intake.presses == []

    def test_a_bind_and_a_press_in_one_read_are_both_taken(self):
        house = Listening()
        caller = house.call()

        caller.send(build("bind_transmitter", 1, system_id="ktgw", password="kt-pass"), deliver_sm(2))
        house.wires.settle()

        assert [pdu.status for pdu in caller.heard] == [ESME_ROK, ESME_ROK]
        assert len(house.intake.presses) == 1


class TestGuessing:
    """Failed binds of one address are refused without a look for a while."""

    def test_the_right_password_does_not_help_during_the_pause(self):
        house = Listening(failed_binds_before_pause=3, failed_bind_pause_s=60)
        for _ in range(3):
            assert [pdu.status for pdu in house.bind(password="guess").heard] == [ESME_RINVPASWD]

        assert [pdu.status for pdu in house.bind().heard] == [ESME_RBINDFAIL]
        house.wires.pass_time(61, step=1)
        assert [pdu.status for pdu in house.bind().heard] == [ESME_ROK]

    def test_a_success_forgives_and_other_addresses_are_not_concerned(self):
        clock = Wires()
        peer = Peer(name="kt-gw", system_id="ktgw", password={"env": "KT_PASSWORD"}, max_binds=100)
        keeper = Gatekeeper(
            [Known(peer, "kt-pass", Intake())], clock=clock, failures_before_pause=3, pause_s=60
        )
        right = Bind(BIND_TRANSCEIVER, "ktgw", "kt-pass", "", 0x34, 0, 0, "")
        wrong = right._replace(password="guess")

        verdicts = [keeper.admit(bind, "192.0.2.1") for bind in (wrong, wrong, right, wrong, wrong)]
        assert [verdict if isinstance(verdict, int) else verdict.name for verdict in verdicts] == [
            ESME_RINVPASWD,
            ESME_RINVPASWD,
            "kt-gw",
            ESME_RINVPASWD,
            ESME_RINVPASWD,
        ]
        keeper.admit(wrong, "192.0.2.1")
        assert keeper.admit(right, "192.0.2.1") == ESME_RBINDFAIL
        assert keeper.admit(right, "192.0.2.2").name == "kt-gw"

    def test_a_million_addresses_do_not_fill_the_memory(self, monkeypatch):
        monkeypatch.setattr("telephony.smpp.gatekeeper.ADDRESSES_REMEMBERED", 50)
        keeper = Gatekeeper([], clock=Wires(), failures_before_pause=3, pause_s=60)
        stranger = Bind(BIND_TRANSCEIVER, "x", "y", "", 0x34, 0, 0, "")

        for number in range(1000):
            keeper.admit(stranger, str(number))

        assert len(keeper._failures) == 50


class TestPresses:
    @pytest.mark.parametrize("kind", ["transceiver", "receiver", "transmitter"])
    def test_any_message_on_any_bind_is_a_press(self, kind):
        house = Listening()
        caller = house.bound(kind)

        caller.send(
            deliver_sm(2, b"one"),
            build("submit_sm", 3, source_addr="82101", destination_addr="112", short_message=b"two"),
            build(
                "data_sm",
                4,
                source_addr="82101",
                destination_addr="112",
                tlvs=[Tlv(TAG_MESSAGE_PAYLOAD, b"three")],
            ),
        )
        house.wires.settle()

        assert [press.text for press in house.intake.presses] == ["one", "two", "three"]
        assert {(press.connector, press.carrier) for press in house.intake.presses} == {("kt-gw", "kt")}
        assert [(pdu.name, pdu.status) for pdu in caller.heard] == [
            ("deliver_sm_resp", ESME_ROK),
            ("submit_sm_resp", ESME_ROK),
            ("data_sm_resp", ESME_ROK),
        ]

    def test_a_submit_is_answered_with_an_id_that_says_nothing(self):
        house = Listening()
        caller = house.bound()

        caller.send(*(build("submit_sm", n, source_addr="82101", destination_addr="112") for n in (2, 3)))
        house.wires.settle()

        ids = [decode_submit_resp(pdu.body).message_id for pdu in caller.heard]
        assert len(set(ids)) == 2
        assert all(len(one) == 16 and "i-1" not in one for one in ids)

    def test_what_could_not_be_stored_is_to_be_sent_again_without_an_id(self):
        house = Listening()
        house.intake.answer = Unavailable("disk full")
        caller = house.bound()

        caller.send(build("submit_sm", 2, source_addr="82101", destination_addr="112"))
        house.wires.settle()

        assert [(pdu.status, pdu.body) for pdu in caller.heard] == [(ESME_RMSGQFUL, b"\0")]


class TestLeaving:
    def test_stopping_unbinds_everybody_and_listens_no_longer(self):
        house = Listening()
        callers = [house.bound(), house.bound()]

        stopped = house.server.stopService()
        house.wires.settle()
        for caller in callers:
            caller.answer(caller.heard[0])
        house.wires.settle()

        assert [caller.names for caller in callers] == [["unbind"], ["unbind"]]
        assert stopped.called
        assert house.wires.ports == {}
        assert house.wires.getDelayedCalls() == []

    def test_a_dead_peer_is_found(self):
        house = Listening()
        caller = house.bound()

        house.wires.pass_time(20.2)

        assert caller.names == ["enquire_link", "enquire_link"]
        assert caller.is_lost
        assert house.server.links == []
