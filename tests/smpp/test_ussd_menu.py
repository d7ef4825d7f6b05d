"""The USSD menu on the wire: acknowledged at once, its page on the bind that brought the message."""

from __future__ import annotations

from dataclasses import replace

import pytest
from twisted.internet.defer import Deferred, succeed

from telephony.domain.errors import Unavailable
from telephony.domain.silence import Silenced
from telephony.domain.ussd import DIALLED_IN_INCIDENT
from telephony.lab.carrier.ussd_gateway import KINDS, UssdGateway, UssdPhone
from telephony.smpp.wire.codec import decode_message
from telephony.smpp.wire.constants import ESME_ROK, ESME_RSYSERR
from telephony.ussd.dialogues import Dialogues
from telephony.ussd.menus import MenuRules, OpenMenus
from telephony.ussd.profiles import PROFILES
from tests.smpp.people import RECOGNITION, House, deliver_sm
from tests.smpp.wire.test_ussd import dialled, texts
from tests.smpp.wires import Wires

CODE, CLOSING, CALLER = "*1120#", "Request completed.", "821012345678"
WITH_MENU = replace(RECOGNITION, ussd_codes=frozenset({"*112#"}), service_numbers=frozenset({CODE}))


class Desk:
    """Answers what it is asked, as soon as the test says."""

    def __init__(self):
        self.answer = succeed("kept")

    async def my_data(self, _asking):
        return await self.answer


class Guard:
    def __init__(self):
        self.refused = None

    async def may_reach(self, _numbers, _output):
        return self.refused


async def in_english(_number):
    return "en"


@pytest.fixture
def wires():
    return Wires()


class MenuHouse:
    """A bound link with a menu."""

    def __init__(self, wires, profile="generic", **link):
        self.wires = wires
        self.desk, self.guard = Desk(), Guard()
        menus = OpenMenus(self.desk, self.guard, in_english, MenuRules(), clock=wires)
        rules = Dialogues(
            PROFILES[profile],
            closing_text=CLOSING,
            neutral_texts=frozenset({CLOSING}),
            session_s=30.0,
            menus=menus,
        )
        self.house = House(wires, ussd=rules, **link)
        self.peer = self.house.start_bound()
        self.house.esme.desk.recognition = WITH_MENU
        self.gateway = UssdGateway()
        self.phone = UssdPhone(self.gateway, self.send, CALLER, profile)

    def send(self, pdus):
        """Put them on the wire; the gateway takes whatever page comes."""
        self.peer.send(*pdus)
        self.wires.settle()
        for pdu in self.peer.heard:
            if pdu.name == "submit_sm":
                self.gateway.take(decode_message(pdu.command_id, pdu.body))
                self.peer.answer(pdu, ESME_ROK, b"id\0")
        self.names = [(pdu.name, pdu.status) for pdu in self.peer.take()]
        self.wires.pass_time(1)
        return succeed(ESME_ROK)


@pytest.mark.parametrize("kind", KINDS)
def test_a_phone_goes_through_the_menu_of_each_gateway(wires, kind):
    house = MenuHouse(wires, kind)
    phone = house.phone

    phone.dial(CODE)
    assert house.names == [("deliver_sm_resp", ESME_ROK), ("submit_sm", ESME_ROK)]
    assert phone.screen.text.startswith("1 Register")
    phone.answer("3")
    assert phone.screen.text == "kept\n0 Back"
    phone.answer("0")
    phone.answer("9")
    phone.answer("1")
    assert phone.screen.text == "이름을 입력하세요.\n0 뒤로"
    phone.answer("홍길동")
    assert phone.screen.text.startswith("생년월일")
    assert phone.screen.may_be_answered
    for _ in range(3):
        phone.answer("0")

    assert (phone.screen.text, phone.screen.ends_session) == ("이용해 주셔서 감사합니다.", True)
    assert not house.gateway.has_session(CALLER)
    assert (house.gateway.strays, house.house.intake.presses) == ([], [])
    assert max(shown.octets for shown in house.gateway.shown) <= 160
    assert house.house.esme.desk.tally.menu_messages == 9


BYTES = {
    # profile: service_type, what asks, what ends: optional parameters as they are on the wire
    "generic": ("USSD", "0501000102 138300020002", "0501000111 138300020003"),
    "korits": ("", "138300020102", "138300020103"),
    "tata": ("USSD", "0501000102 138300020002", "0501000102 138300020003"),
    "sixdee": ("USSD", "0501000102 138300020002", "0501000111 138300020003"),
    "mica": ("", "0501000102 020400020001", "0501000111 020400020001"),
    "service-op": ("P2", "0501000102", "0501000111"),
    "huawei": ("USSD", "0501000102", "0501000111"),
    "nowsms": ("USSD", "0501000102", "0501000111"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_of_a_page_and_of_the_last_text(wires, kind):
    house = MenuHouse(wires, kind)
    service_type, asks, ends = BYTES[kind]
    house.peer.send(house.gateway.dial(CALLER, CODE, kind))
    wires.settle()
    page = next(pdu for pdu in house.peer.take() if pdu.name == "submit_sm")
    house.peer.answer(page, ESME_ROK, b"id\0")
    house.gateway.take(decode_message(page.command_id, page.body))
    wires.pass_time(1)
    house.peer.send(house.gateway.type(CALLER, "0"))
    wires.settle()
    last = next(pdu for pdu in house.peer.take() if pdu.name == "submit_sm")

    assert page.body.startswith(service_type.encode() + b"\0")
    assert page.body.endswith(bytes.fromhex(asks))
    if kind == "nowsms":
        # Its answers bear the operation that its first message lacks, or none: then service_type alone ends it.
        ends = ""
    assert last.body.endswith(bytes.fromhex(ends) if ends else b"Thank you.")


class TestOrder:
    def test_the_acknowledgement_does_not_wait_for_the_page(self, wires):
        house = MenuHouse(wires)
        house.desk.answer = Deferred()
        house.phone.dial(CODE)

        house.phone.answer("3")

        assert house.names == [("deliver_sm_resp", ESME_ROK)]
        house.desk.answer.callback("kept")
        wires.settle()
        assert [text.short_message for text in texts(house.peer)] == [b"kept\n0 Back"]

    def test_nor_does_a_press_in_the_same_read(self, wires):
        house = MenuHouse(wires)
        house.house.intake.hold()

        house.peer.send(dialled(1, text=CODE.encode()), deliver_sm(2))
        wires.settle()

        assert [pdu.name for pdu in house.peer.heard] == ["deliver_sm_resp", "submit_sm"]
        assert len(house.house.intake.presses) == 1
        house.house.intake.release()
        wires.settle()
        assert [pdu.name for pdu in house.peer.heard].count("deliver_sm_resp") == 2

    def test_a_page_that_comes_after_the_gateway_has_given_up_is_not_sent(self, wires):
        house = MenuHouse(wires, window=1, response_timeout_s=100.0)
        held = house.house.esme.submit(destination_addr="1", short_message=b"x")
        wires.settle()
        (other,) = house.peer.take()

        house.peer.send(dialled(1, text=CODE.encode()))
        wires.settle()
        house.peer.take()
        for second in range(31):
            house.peer.send(deliver_sm(100 + second, b"%d" % second))
            wires.pass_time(1)
        house.peer.answer(other, body=b"id\0")
        wires.settle()

        assert held.called
        assert texts(house.peer) == []

    def test_a_page_that_was_refused_goes_with_the_repeat_and_the_dialogue_stays_where_it_is(self, wires):
        house = MenuHouse(wires)
        house.phone.dial(CODE)
        house.peer.send(house.gateway.type(CALLER, "1"))
        wires.settle()
        refused = next(pdu for pdu in house.peer.take() if pdu.name == "submit_sm")
        house.peer.answer(refused, ESME_RSYSERR)
        wires.settle()

        house.peer.send(house.gateway.type(CALLER, "1"))
        wires.settle()

        assert [text.short_message for text in texts(house.peer)] == [b"Type your name.\n0 Back"]

    def test_the_same_digit_is_an_answer_also_where_it_is_read_together_with_the_word_that_the_page_was_taken(
        self, wires
    ):
        house = MenuHouse(wires)
        house.phone.dial(CODE)
        house.peer.send(house.gateway.type(CALLER, "2"))
        wires.settle()
        page = next(pdu for pdu in house.peer.take() if pdu.name == "submit_sm")
        wires.pass_time(1)

        house.peer.answer(page, ESME_ROK, b"id\0")
        house.peer.send(house.gateway.type(CALLER, "2"))
        wires.settle()

        (next_page,) = texts(house.peer)
        assert next_page.short_message.startswith(b"Type the telephone number of the new guardian")

    def test_a_receiver_cannot_carry_a_page_and_says_so(self, wires):
        house = MenuHouse(wires, bind="receiver")

        house.phone.dial(CODE)

        assert house.names == [("deliver_sm_resp", ESME_ROK)]
        assert house.house.esme.desk._ussd.not_taken == 1


class TestDanger:
    def test_a_phone_with_an_open_incident_gets_the_neutral_text_and_its_dialling_is_a_press(self, wires):
        house = MenuHouse(wires)
        house.guard.refused = Silenced("silence holds")

        house.phone.dial(CODE)

        (press,) = house.house.intake.presses
        assert (press.source, press.destination, press.labels) == ("ussd", CODE, (DIALLED_IN_INCIDENT,))
        assert (press.msisdn.number, press.raw != b"") == (CALLER, True)
        assert (house.phone.screen.text, house.phone.screen.ends_session) == (CLOSING, True)

    def test_the_text_goes_also_when_that_press_could_not_be_kept(self, wires):
        house = MenuHouse(wires)
        house.guard.refused = Silenced("silence holds")
        house.house.intake.answer = Unavailable("disk full")

        house.phone.dial(CODE)

        assert house.phone.pages == [CLOSING]

    def test_an_sos_code_typed_in_the_menu_is_a_press_before_its_acknowledgement(self, wires):
        house = MenuHouse(wires)
        house.phone.dial(CODE)
        house.house.intake.hold()

        house.phone.answer("*112#")
        assert house.names == []
        house.house.intake.release()
        wires.settle()

        (press,) = house.house.intake.presses
        assert (press.destination, press.text) == ("*112#", None)
        assert [text.short_message for text in texts(house.peer)] == [CLOSING.encode()]


class TestGateway:
    """The simulated gateway shows only what a real one would."""

    def test_a_session_that_it_gave_up_makes_a_stray_of_the_page(self, wires):
        house = MenuHouse(wires)
        house.peer.send(house.gateway.dial(CALLER, CODE))
        house.phone.lose_session()
        wires.settle()

        house.gateway.take(texts(house.peer)[0])

        assert (house.gateway.shown, len(house.gateway.strays)) == ([], 1)

    def test_without_parameters_the_menu_works_as_long_as_the_service_type_is_there(self, wires):
        house = MenuHouse(wires)

        house.peer.send(house.gateway.dial(CALLER, CODE, bare=True))
        wires.settle()
        (page,) = texts(house.peer)

        assert page.short_message.decode("utf-16-be").startswith("1 Register")
        assert (page.data_coding, page.uint_tlv(0x0501), page.uint_tlv(0x1383)) == (8, 0x02, None)
