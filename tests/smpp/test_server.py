"""A carrier's gateway binds to us: who is let in, and what becomes of its messages."""

from __future__ import annotations

import random

import pytest
from structlog.testing import capture_logs

from telephony.alarms import HOLD_S, Alarms
from telephony.domain.errors import Unavailable
from telephony.net.listening import AGAIN_S
from telephony.net.refusals import Cause
from telephony.net.standing import FarEndState
from telephony.smpp.gatekeeper import FORGOTTEN_S, Admission, Gatekeeper, Known
from telephony.smpp.receipt_book import ReceiptBook
from telephony.smpp.request_book import RequestBook
from telephony.smpp.server import PeerOfCarrier, peer_server
from telephony.smpp.settings import Dialect, Peer, Server
from telephony.smpp.wire.building import build
from telephony.smpp.wire.codec import decode_bind_resp, decode_submit_resp, encode_header
from telephony.smpp.wire.constants import (
    BIND_TRANSCEIVER,
    ESME_RALYBND,
    ESME_RBINDFAIL,
    ESME_RINVBNDSTS,
    ESME_RMSGQFUL,
    ESME_ROK,
    TAG_MESSAGE_PAYLOAD,
)
from telephony.smpp.wire.pdus import Bind, Tlv
from tests.smpp.people import RECOGNITION, Intake, Peers, Witness, deliver_sm
from tests.smpp.wires import Wires


@pytest.fixture(autouse=True)
def _secrets(monkeypatch):
    monkeypatch.setenv("KT_PASSWORD", "kt-pass")


class Listening:
    """Our server with one carrier's gateway in its list."""

    def __init__(self, *, addresses=(), max_binds=2, ussd=None, taken=(), others=(), **settings):
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
        peers = [peer] + [
            peer.model_copy(update={"name": name, "system_id": name, "addresses": networks})
            for name, networks in others
        ]
        self.server = peer_server(
            Server(**settings),
            [
                PeerOfCarrier(each, "kt", Dialect(), RECOGNITION, self.book, RequestBook(600.0), ussd)
                for each in peers
            ],
            accept_all=self.intake.accept_all,
            reactor=self.wires,
            rng=random.Random(3),
            observer=self.witness,
            alarms=self.alarms,
        )
        self.server.startService()
        self.callers = Peers()

    def call(self, source="127.0.0.1"):
        self.wires.connectTCP("127.0.0.1", 2775, self.callers, bindAddress=(source, 0))
        self.wires.settle()
        return self.callers.last

    def bind(
        self,
        kind="transceiver",
        *,
        system_id="ktgw",
        password="kt-pass",
        version=0x34,
        source="127.0.0.1",
    ):
        caller = self.call(source)
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
        ("system_id", "password", "cause"),
        [
            ("ktgw", "guess", Cause.WRONG_PASSWORD),
            ("ktgw", "", Cause.WRONG_PASSWORD),
            ("ktgw", "kt-passX", Cause.WRONG_PASSWORD),
            ("nobody", "kt-pass", Cause.NO_SUCH_SYSTEM_ID),
            ("elsewhere", "kt-pass", Cause.WRONG_ADDRESS),
        ],
        ids=["guess", "empty", "long", "system_id", "address"],
    )
    def test_refusals_all_look_the_same_and_the_log_alone_tells_them_apart(self, system_id, password, cause):
        house = Listening(others=[("elsewhere", ("192.0.2.0/24",))])

        with capture_logs() as said:
            caller = house.bind(system_id=system_id, password=password)

        assert [(pdu.status, pdu.body) for pdu in caller.heard] == [(ESME_RBINDFAIL, b"")]
        assert caller.is_lost
        assert [line["cause"] for line in said if line["event"] == "connections refused"] == [cause]
        assert not any(secret in repr(said) for secret in ("kt-pass", "guess"))

    @pytest.mark.parametrize(
        ("addresses", "status"),
        [
            ((), ESME_ROK),
            (("127.0.0.1",), ESME_ROK),
            (("10.0.0.0/8", "127.0.0.0/24"), ESME_ROK),
        ],
        ids=["any", "address", "networks"],
    )
    def test_listed_addresses_are_let_in(self, addresses, status):
        assert [pdu.status for pdu in Listening(addresses=addresses).bind().heard] == [status]

    def test_an_address_of_no_list_is_closed_before_there_is_anything_to_hold(self):
        house = Listening(addresses=("10.0.0.0/8", "2001:db8::/32"))

        caller = house.bind()

        assert caller.heard == []
        assert caller.is_lost
        assert house.server._connections == {}

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

        house.wires.pass_time(5.2)

        assert caller.names == ["enquire_link_resp"]
        assert caller.is_lost

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


class TestPlaces:
    """Silent connections do not keep others out."""

    def test_the_oldest_stranger_makes_room_and_a_gateway_binds(self):
        house = Listening(max_connections=3)
        silent = [house.call(f"192.0.2.{number}") for number in range(5)]

        house.bound()

        assert [caller.is_lost for caller in silent] == [True, True, True, False, False]

    def test_one_address_takes_its_own_places_only(self):
        house = Listening(max_connections=20, max_connections_per_address=4)
        other = house.call("192.0.2.1")
        silent = [house.call("192.0.2.2") for _ in range(30)]

        assert not other.is_lost
        assert [caller.is_lost for caller in silent] == [True] * 26 + [False] * 4

    def test_strangers_take_no_place_of_a_gateway_that_is_listed_nor_gateways_of_each_other(self):
        house = Listening(
            addresses=("10.1.0.0/16",),
            others=[("lgugw", ("10.2.0.0/16",)), ("anywhere", ())],
            max_connections=3,
        )
        waiting = [house.call("10.1.0.1"), house.call("10.2.0.1")]

        for number in range(50):
            house.call(f"192.0.2.{number}")
            house.call(f"10.1.7.{number}")

        assert [caller.is_lost for caller in waiting] == [True, False]
        assert len(house.server._connections) == 3 + 3 + 1

    def test_an_address_that_has_bound_before_is_a_gateway_s(self):
        house = Listening(max_connections=3)
        house.bound().transport.abortConnection()
        house.wires.settle()
        waiting = house.call()

        for number in range(50):
            house.call(f"192.0.2.{number}")

        assert not waiting.is_lost

    def test_what_is_bound_needs_no_place_and_is_never_cut(self):
        house = Listening(max_connections=1, max_connections_per_address=1)
        bound = [house.bound(), house.bound("receiver")]

        for _ in range(10):
            house.call()

        assert [caller.is_lost for caller in bound] == [False, False]

    def test_a_gateway_may_want_all_its_binds_at_once(self):
        house = Listening(max_connections_per_address=1, max_binds=8)

        callers = [house.call() for _ in range(8)]

        assert [caller.is_lost for caller in callers] == [False] * 8

    def test_nothing_is_kept_of_connections_that_have_ended(self):
        house = Listening()
        for caller in [house.call() for _ in range(5)] + [house.bound()]:
            caller.transport.abortConnection()
        house.wires.settle()

        assert (house.server._connections, house.server._places) == ({}, {})

    def test_what_strangers_send_is_a_few_lines_too(self):
        house = Listening()

        with capture_logs() as said:
            for _ in range(100):
                caller = house.call()
                caller.send(b"GET / HTTP/1.1\r\n\r\n" * 10)
                house.wires.settle()
            house.wires.pass_time(60, step=1)

        assert house.witness.said == []
        assert [line["cause"] for line in said] == [Cause.LEFT] * 2
        assert said[-1]["count"] == 99

    def test_a_flood_is_a_few_lines(self):
        house = Listening(max_connections=3)

        with capture_logs() as said:
            for number in range(1_000):
                house.call(f"10.0.{number % 7}.{number % 250}")
            house.wires.pass_time(60, step=1)

        assert len([line for line in said if line["event"] == "connections refused"]) <= 4
        assert sum(line["count"] for line in said if line.get("cause") == Cause.MADE_ROOM) == 997


class TestGuessing:
    """Sources whose binds keep failing wait before they are judged."""

    def test_right_and_wrong_wait_alike(self):
        house = Listening(failed_binds_before_pause=3, failed_bind_pause_s=2)
        for _ in range(3):
            assert [pdu.status for pdu in house.bind(password="guess").heard] == [ESME_RBINDFAIL]

        callers = [house.bind(), house.bind(password="guess"), house.bind(system_id="nobody")]
        house.wires.pass_time(1.9)
        assert [caller.heard for caller in callers] == [[], [], []]

        house.wires.pass_time(0.2)
        assert [[pdu.status for pdu in caller.heard] for caller in callers] == [
            [ESME_ROK],
            [ESME_RBINDFAIL],
            [ESME_RBINDFAIL],
        ]

    def test_other_addresses_do_not_wait(self):
        house = Listening(failed_binds_before_pause=3)
        for _ in range(5):
            house.bind(password="guess", source="192.0.2.1")

        house.bound()

    def test_a_gateway_that_has_bound_before_does_not_wait_for_those_who_guess_behind_its_own_address(self):
        """Think of NAT: a guesser must not keep a carrier out."""
        house = Listening(failed_binds_before_pause=3)
        house.bound().transport.abortConnection()
        for _ in range(10):
            house.bind(password="guess")

        house.bound()

    def test_one_that_leaves_while_it_waits_is_forgotten(self):
        house = Listening(failed_binds_before_pause=1)
        house.bind(password="guess")
        caller = house.bind()
        caller.transport.abortConnection()
        house.wires.settle()

        house.server.stopService()
        house.wires.settle()

        assert house.server.links == []
        assert house.wires.getDelayedCalls() == []

    def test_failures_are_forgotten_in_time(self):
        house = Listening(failed_binds_before_pause=1)
        house.bind(password="guess")

        house.wires.pass_time(FORGOTTEN_S + 1, step=10)

        house.bound()

    def test_a_success_forgives(self):
        house = Listening(failed_binds_before_pause=2)
        house.bind(password="guess")
        house.bound()
        house.bind(password="guess")

        assert [pdu.status for pdu in house.bind(password="guess").heard] == [ESME_RBINDFAIL]

    def test_a_pause_that_outlasts_the_wait_is_a_fault_of_the_settings(self):
        with pytest.raises(ValueError, match="failed_bind_pause_s must be shorter"):
            Server(failed_bind_pause_s=5.0)

    def test_a_million_addresses_do_not_fill_the_memory(self, monkeypatch):
        monkeypatch.setattr("telephony.smpp.gatekeeper.ADDRESSES_REMEMBERED", 50)
        peer = Peer(name="kt-gw", system_id="ktgw", password={"env": "KT_PASSWORD"}, max_binds=100)
        keeper = Gatekeeper(
            [Known(peer, "kt-pass", Intake())], clock=Wires(), failures_before_pause=3, pause_s=2
        )
        right = Bind(BIND_TRANSCEIVER, "ktgw", "kt-pass", "", 0x34, 0, 0, "")

        for number in range(1000):
            keeper.admit(right._replace(password="guess"), f"10.0.{number // 250}.{number % 250}")
        for number in range(100):
            assert isinstance(keeper.admit(right, f"192.0.2.{number}"), Admission)

        assert (len(keeper._failures), len(keeper._good), len(keeper._good_sources)) == (50, 50, 50)


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


class TestStanding:
    def test_a_gateway_stands_by_its_binds(self):
        house = Listening()
        never, _ = house.server.standing("kt-gw")
        house.wires.pass_time(5)
        caller = house.bound()
        house.bound("receiver")
        house.wires.pass_time(3)
        bound, binds = house.server.standing("kt-gw")

        assert (never.state, never.reason) == (FarEndState.DOWN, "it has not bound since the start")
        assert (bound.state, binds) == (FarEndState.UP, 2)
        assert house.wires.seconds() - bound.since_s == pytest.approx(3, abs=0.5)
        assert caller is not None

    def test_a_gateway_that_left_is_down_since_then(self):
        house = Listening()
        caller = house.bound()
        house.wires.pass_time(2)
        caller.transport.loseConnection()
        house.wires.settle()

        standing, binds = house.server.standing("kt-gw")

        assert (standing.state, binds) == (FarEndState.DOWN, 0)
        assert standing.heard_s is not None
        assert standing.reason

    def test_a_corrected_password_is_judged_by_without_a_restart(self, monkeypatch):
        house = Listening()
        bound = house.bound()

        monkeypatch.setenv("KT_PASSWORD", "new-pass")
        changed = house.server.gate.read_passwords_again()

        assert changed == ["kt-gw"]
        (refused,) = house.bind().take()
        (accepted,) = house.bind(password="new-pass").take()
        assert (refused.status, accepted.status) == (ESME_RBINDFAIL, ESME_ROK)
        assert not bound.is_lost, "who is bound stays"
        monkeypatch.delenv("KT_PASSWORD")
        with pytest.raises(LookupError):
            house.server.gate.read_passwords_again()
