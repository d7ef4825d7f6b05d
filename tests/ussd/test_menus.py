"""The menus that are open on phones: who may see a page, what the desk is asked, and what comes twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from telephony.domain.errors import Unavailable
from telephony.domain.recognition import Recognition
from telephony.domain.silence import Output, Silenced
from telephony.domain.trigger import Trigger
from telephony.domain.ussd import DIALLED_IN_INCIDENT, UssdMenu, UssdMessage, UssdOver, UssdPress
from telephony.domain.values import Msisdn
from telephony.services.people.desk import EnrolmentDesk
from telephony.ussd import menus
from telephony.ussd.dialogues import Dialogues
from telephony.ussd.menus import IDLE_S, REPEAT_S, MenuRules, OpenMenus
from telephony.ussd.profiles import PROFILES

CALLER, CODE, CLOSING = "821012345678", "*1120#", "Request completed."
RECOGNITION = Recognition(
    frozenset({"112"}),
    ussd_codes=frozenset({"*112#"}),
    service_numbers=frozenset({CODE, "1366"}),
    sos_words=frozenset({"살려주", "sos"}),
)
NAMELESS = ("service-op", "huawei", "nowsms")
"""Profiles of gateways that give a dialogue no name."""


class Desk(EnrolmentDesk):
    """Writes down what it is asked."""

    def __init__(self):
        self.asked = []
        self.answer = "done"

    async def _said(self, name, asking, *more, **named):
        self.asked.append((name, *more, *named.values()))
        self.asking = asking
        if isinstance(self.answer, Deferred):
            return await self.answer
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


for name in ("register", "guardians", "add_guardian", "remove_guardian", "my_data", "test", "cancel"):

    def _method(self, asking, *more, name=name, **named):
        return self._said(name, asking, *more, **named)

    setattr(Desk, name, _method)


class Guard:
    """Refuses, or does not know, as it is told."""

    def __init__(self):
        self.answer = None
        self.asked = []

    async def may_reach(self, number, output):
        self.asked.append((number.number, output))
        if isinstance(self.answer, Deferred):
            return await self.answer
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class House:
    """One carrier's dialogues with a menu, and a phone."""

    def __init__(self, profile="generic", language=None, **rules):
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.desk, self.guard = Desk(), Guard()
        self.language = language
        rules = MenuRules(**rules)
        self.menus = OpenMenus(self.desk, self.guard, self.language_of, rules, clock=self.clock)
        self.dialogues = Dialogues(
            PROFILES[profile],
            closing_text=CLOSING,
            neutral_texts=frozenset({CLOSING}),
            session_s=30.0,
            menus=self.menus,
        )
        self.heard = None

    async def language_of(self, number):
        if isinstance(self.language, Exception):
            raise self.language
        return self.language

    def send(self, **fields):
        """Let a message arrive; give what it comes to."""
        fields = {"destination": "8112", "operation": 0x12, "session_info": b"\x00\x04", **fields}
        message = UssdMessage(fields.pop("source", CALLER), **fields)
        self.heard = self.dialogues.read(message, RECOGNITION, self.clock.seconds())
        return self.heard

    def turn(self, heard=None):
        heard = heard or self.heard
        assert isinstance(heard, UssdMenu)
        trigger = Trigger(
            "ussd",
            "skt-1",
            "skt",
            Msisdn(heard.message.source),
            "r",
            datetime.fromtimestamp(self.clock.seconds(), UTC),
            heard.press.code,
        )
        return Deferred.fromCoroutine(self.dialogues.turn(heard, trigger))

    def now(self, waiting):
        found = []
        waiting.addCallback(found.append)
        assert found, "not done yet"
        return found[0]

    def dial(self, **fields):
        self.send(**{"text": CODE, "operation": 1, **fields})
        return self.take()

    def answer(self, *answers, **fields):
        found = None
        for words in answers:
            self.clock.advance(REPEAT_S + 0.1)
            self.send(text=words, **fields)
            found = self.take()
        return found

    def take(self):
        """Take the turn; the gateway takes its page."""
        found = self.now(self.turn())
        if found.reply is not None and not found.is_press:
            self.dialogues.page_shown(self.heard, self.clock.seconds())
        return found

    def text(self, found):
        return None if found.reply is None else found.reply.text


@pytest.fixture
def house():
    return House()


class TestPages:
    def test_the_service_code_opens_the_menu(self, house):
        found = house.dial()

        assert found.reply.text.startswith("1 등록\n2 보호자")
        assert (found.reply.operation, found.reply.session_info, found.is_press) == (0x02, b"\x00\x04", False)

    def test_in_the_language_of_the_registration(self):
        assert "1 Register" in House(language="en").dial().reply.text

    def test_or_in_that_of_the_settings_where_nobody_can_say(self):
        house = House()
        house.language = Unavailable("store down")

        assert "1 등록" in house.dial().reply.text

    def test_what_is_typed_reaches_the_desk(self, house):
        house.dial()

        found = house.answer("1", "홍길동", "19900102", "1")

        assert house.desk.asked == [("register", "홍길동", "1990-01-02", "")]
        assert (house.desk.asking.by, house.desk.asking.phone.number) == ("ussd", CALLER)
        assert (house.desk.asking.language, house.desk.asking.connector) == ("ko", "skt-1")
        assert house.text(found) == "done\n0 뒤로"

    @pytest.mark.parametrize(
        ("typed", "asked"),
        [
            (
                ("1", "민지", "20200302", "01099998888", "1"),
                ("register", "민지", "2020-03-02", "+821099998888"),
            ),
            (("2", "1"), ("guardians",)),
            (("2", "2", "01099998888", "1", "1"), ("add_guardian", "+821099998888", "어머니")),
            (("2", "3", "2", "1"), ("remove_guardian", "2")),
            (("3",), ("my_data",)),
            (("4", "1"), ("test",)),
            (("5", "1"), ("cancel", True)),
        ],
    )
    def test_every_choice_asks_the_desk_for_what_it_says(self, house, typed, asked):
        house.dial()

        house.answer(*typed)

        assert house.desk.asked[-1] == asked

    def test_two_questions_of_one_dialogue_have_two_references(self, house):
        house.dial()
        house.answer("3")
        first = house.desk.asking.reference
        house.answer("0", "3")

        assert house.desk.asking.reference != first

    def test_the_last_page_ends_the_session(self, house):
        house.dial()

        found = house.answer("5", "1")

        assert (found.reply.text, found.reply.operation, found.reply.session_info) == (
            "done",
            0x11,
            b"\x00\x05",
        )
        assert not house.menus.is_open(CALLER, "")


class TestTrouble:
    def test_a_slow_store_is_told_before_the_gateway_gives_up(self, house):
        house.desk.answer = Deferred()
        house.dial()
        house.clock.advance(1)
        house.send(text="3")
        waiting = house.turn()
        house.clock.advance(10)

        assert house.now(waiting).reply.text.startswith("지금 처리하지 못했습니다. 다시 눌러 주세요.\n1 등록")

    @pytest.mark.parametrize("error", [Unavailable("disk full"), RuntimeError("a defect")])
    def test_what_could_not_be_done_can_be_tried_again(self, house, error):
        house.desk.answer = error
        house.dial()
        assert "지금 처리하지 못했습니다." in house.answer("4", "1").reply.text

        house.desk.answer = "begun"

        assert house.answer("1").reply.text == "begun"

    def test_a_defect_in_a_page_ends_in_the_neutral_text(self, house, monkeypatch):
        monkeypatch.setattr("telephony.ussd.conversation.text_of", None)

        found = house.dial()

        assert (found.reply.text, found.is_press) == (CLOSING, False)

    def test_an_answer_with_which_the_gateway_ends_the_menu_is_no_press(self, house):
        house.dial()
        house.answer("1")

        assert isinstance(house.send(text="Kim Hana", session_info=b"\x00\x05"), UssdOver)
        assert not house.menus.is_open(CALLER, "")
        assert isinstance(house.send(text=CODE, session_info=b"\x00\x05"), UssdOver)

    @pytest.mark.parametrize(
        ("fields", "code", "text"),
        [
            ({"text": "살려주세요"}, CODE, "살려주세요"),
            ({"is_unreadable": True}, CODE, None),
            ({"text": "*112#"}, "*112#", None),
        ],
    )
    @pytest.mark.parametrize("end", [b"\x00\x04", b"\x00\x05"], ids=["going on", "ended"])
    def test_a_call_for_help_and_what_cannot_be_read_is_a_press_in_a_menu_too(
        self, house, fields, code, text, end
    ):
        """No text is waited for where the gateway has ended the dialogue with it."""
        house.dial()

        press = house.send(session_info=end, **fields)

        assert isinstance(press, UssdPress)
        assert (press.code, press.text) == (code, text)
        assert (press.reply is None) is (end == b"\x00\x05")
        assert not house.menus.is_open(CALLER, "")

    @pytest.mark.parametrize("operation", [0x01, 0x12])
    def test_what_cannot_be_read_does_not_open_the_menu(self, house, operation):
        press = house.send(destination=CODE, is_unreadable=True, operation=operation)

        assert (press.code, press.text, press.labels) == (CODE, None, ("unlisted destination",))

    def test_a_session_of_one_octet_goes_through_the_menu_as_it_came(self, house):
        pages = [house.dial(session_info=b"\x05"), house.answer("0", session_info=b"\x05")]

        assert [page.reply.session_info for page in pages] == [b"\x05", b"\x05"]
        assert [page.reply.operation for page in pages] == [0x02, 0x11]

    def test_every_page_carries_what_is_the_vendors_own(self, house):
        vendor = ((0x1501, b"\x00\x00\x30\x39"),)

        pages = [house.dial(tlvs=vendor), house.answer("1", tlvs=vendor), house.answer("0", "0", tlvs=vendor)]

        assert [page.reply.vendor_tlvs for page in pages] == [vendor] * 3

    def test_an_abort_while_the_desk_is_at_work_is_the_end(self, house):
        house.dial()
        house.clock.advance(1)
        house.desk.answer = Deferred()
        house.send(text="3")
        waiting = house.turn()

        assert isinstance(house.send(text="", operation=0x81), UssdOver)
        house.desk.answer.callback("kept")

        assert house.now(waiting).reply is None
        assert not house.menus.is_open(CALLER, "")

    def test_memory_is_bounded_in_number_and_in_time(self, house, monkeypatch):
        monkeypatch.setattr(menus, "MOST_OPEN", 3)
        for number in range(9):
            house.dial(source=f"82101234567{number}")
        assert len(house.menus._open) == 3

        house.clock.advance(IDLE_S + 1)
        house.dial()

        assert len(house.menus._open) == 1


class TestSilence:
    """No page without a yes of the guard."""

    def test_the_guard_is_asked_before_every_page_and_again_after_the_desk(self, house):
        house.dial()
        house.answer("3")

        assert house.guard.asked == [(CALLER, Output.USSD_TEXT)] * 3

    def test_a_phone_in_danger_gets_the_neutral_text_and_its_message_is_a_press(self, house):
        house.guard.answer = Silenced("silence holds")

        found = house.dial()

        assert (found.reply.text, found.reply.operation, found.reply.session_info) == (
            CLOSING,
            0x11,
            b"\x00\x05",
        )
        assert found.is_press
        assert house.heard.press.labels == (DIALLED_IN_INCIDENT,)
        assert (house.heard.press.code, house.heard.press.text) == (CODE, None)

    def test_so_does_one_that_came_into_danger_in_the_middle(self, house):
        house.dial()
        house.guard.answer = Silenced("silence holds")

        found = house.answer("3")

        assert (house.desk.asked, found.reply.text, found.is_press) == ([], CLOSING, True)
        assert house.heard.press.text == "3"
        assert not house.menus.is_open(CALLER, "")

    def test_or_while_the_desk_was_at_work(self, house):
        house.dial()
        house.clock.advance(1)
        house.desk.answer = Deferred()
        house.send(text="3")
        waiting = house.turn()
        house.guard.answer = Silenced("silence holds")
        house.desk.answer.callback("kept")

        assert house.now(waiting).is_press

    def test_where_nobody_can_say_the_neutral_text_is_shown_and_it_is_no_press(self, house):
        house.guard.answer = Unavailable("store down")

        found = house.dial()

        assert (found.reply.text, found.is_press) == (CLOSING, False)

    def test_a_guard_that_hangs_is_one_that_cannot_say(self, house):
        house.guard.answer = Deferred()
        house.send(text=CODE, operation=1)
        waiting = house.turn()
        house.clock.advance(2)

        assert house.now(waiting).reply.text == CLOSING


class TestCallsForHelp:
    @pytest.mark.parametrize(
        ("typed", "code", "text"),
        [
            ("*112#", "*112#", None),
            ("112", "*112#", None),
            ("살려주세요 집이에요", CODE, "살려주세요 집이에요"),
            ("SOS!", CODE, "SOS!"),
        ],
    )
    def test_an_answer_may_be_a_press_at_once_and_the_menu_is_over(self, house, typed, code, text):
        house.dial()

        press = house.send(text=typed)

        assert isinstance(press, UssdPress)
        assert (press.code, press.text, press.reply.text) == (code, text, CLOSING)
        assert not house.menus.is_open(CALLER, "")

    @pytest.mark.parametrize("typed", ["Sossamon", "1", "11", "20150302", "01012345678"])
    def test_a_name_or_a_number_is_none(self, house, typed):
        house.dial()

        assert isinstance(house.send(text=typed), UssdMenu)

    def test_a_short_sos_code_is_none_when_it_is_chosen_as_a_digit(self):
        house = House()
        recognition = replace(RECOGNITION, ussd_codes=frozenset({"*1#"}))
        house.dial()
        message = UssdMessage(CALLER, "8112", text="1", operation=0x12, session_info=b"\x00\x04")

        assert isinstance(house.dialogues.read(message, recognition, house.clock.seconds()), UssdMenu)

    @pytest.mark.parametrize(
        "fields",
        [
            {"text": "*112#"},
            {"text": "*999#"},
            {"text": CODE, "destination": "112"},
            {"text": "살려주세요", "destination": CODE},
            {"text": "", "destination": "1366"},
            {"text": "*999#", "destination": "1120"},
        ],
    )
    def test_everything_but_the_service_code_is_the_press_that_it_was(self, house, fields):
        assert isinstance(house.send(**{"operation": 1, **fields}), UssdPress)

    def test_words_within_the_dialogue_of_a_press_are_a_press(self, house):
        house.send(text="*112#", operation=1)

        press = house.send(text="he has a knife")

        assert (press.code, press.text) == ("*112#", "he has a knife")

    def test_without_a_service_code_nobody_has_a_menu(self, house):
        recognition = replace(RECOGNITION, service_numbers=frozenset({"1366"}))
        message = UssdMessage(CALLER, "8112", text="1", operation=0x12, session_info=b"\x00\x04")

        press = house.dialogues.read(message, recognition, house.clock.seconds())

        assert (press.code, press.text, press.labels) == ("8112", "1", ("unlisted destination",))


class TestRepeats:
    def test_the_same_message_before_its_page_was_taken_does_not_go_on(self, house):
        house.dial()
        house.clock.advance(1)
        house.send(text="1")
        assert house.text(house.now(house.turn())) == "이름을 입력하세요.\n0 뒤로"

        house.send(text="1")

        assert house.text(house.now(house.turn())) is None
        house.dialogues.page_shown(house.heard, house.clock.seconds())
        assert house.text(house.answer("홍길동")).startswith("생년월일")

    def test_nor_right_after(self, house):
        house.dial()
        house.answer("1")

        house.send(text="1")

        assert house.text(house.now(house.turn())) is None

    def test_a_page_that_was_not_taken_comes_with_the_repeat(self, house):
        house.dial()
        house.clock.advance(1)
        house.send(text="1")
        page = house.now(house.turn()).reply
        house.dialogues.page_shown(house.heard, None)

        house.send(text="1")

        assert house.now(house.turn()).reply == page

    def test_not_to_a_phone_that_is_in_danger_by_now(self, house):
        house.dial()
        house.clock.advance(1)
        house.send(text="1")
        house.now(house.turn())
        house.dialogues.page_shown(house.heard, None)
        house.guard.answer = Silenced("silence holds")

        house.send(text="1")

        assert house.now(house.turn()).is_press

    def test_while_the_desk_is_at_work_it_is_not_asked_again(self, house):
        house.dial()
        house.clock.advance(1)
        house.desk.answer = Deferred()
        house.send(text="3")
        waiting = house.turn()

        house.send(text="3")
        assert house.text(house.now(house.turn())) is None
        house.desk.answer.callback("kept")

        assert house.now(waiting).reply.text == "kept\n0 뒤로"
        assert len(house.desk.asked) == 1

    def test_nor_is_anything_else_taken_before_the_phone_was_shown_a_page(self, house):
        house.dial()
        house.clock.advance(1)
        house.desk.answer = Deferred()
        house.send(text="3")
        waiting = house.turn()

        house.send(text="1")
        assert house.text(house.now(house.turn())) is None
        house.desk.answer.callback("kept")

        assert house.now(waiting).reply.text == "kept\n0 뒤로"

    def test_the_last_answer_once_more_opens_nothing(self, house):
        house.dial()
        house.answer("5", "1")
        house.clock.advance(5)

        house.send(text="1")

        assert house.text(house.now(house.turn())) is None
        assert house.desk.asked == [("cancel", True)]

    def test_the_same_digit_to_the_next_page_is_an_answer(self, house):
        house.dial()

        assert house.text(house.answer("2", "2")).startswith("추가할 보호자의 전화번호")

    def test_dialling_again_starts_over(self, house):
        house.dial()
        house.answer("1")
        house.clock.advance(1)

        assert house.text(house.dial(session_info=b"\x00\x06")).startswith("1 등록")
        assert house.text(house.answer("1", session_info=b"\x00\x06")).startswith("이름")


class TestSessions:
    def test_a_restart_in_the_middle_begins_at_the_first_page_with_a_sentence(self, house):
        found = house.answer("홍길동")

        assert found.reply.text.startswith("시간이 지나 처음부터 시작합니다.\n1 등록")
        assert house.text(house.answer("1")).startswith("이름")

    def test_so_does_an_answer_that_comes_too_late(self, house):
        house.dial()
        house.clock.advance(IDLE_S + 1)

        assert "처음부터" in house.answer("1").reply.text

    def test_an_answer_of_an_earlier_session_is_none_of_this_one(self, house):
        house.dial(session_info=b"\x00\x06")

        assert "처음부터" in house.answer("1", session_info=b"\x00\x04").reply.text

    def test_an_answer_without_its_session_belongs_to_the_phone(self, house):
        house.dial()

        assert house.text(house.answer("1", session_info=None)).startswith("이름")

    def test_phones_do_not_get_in_each_others_way(self, house):
        house.dial(source="821000000001", session_info=b"\x00\x04")
        house.dial(source="821000000002", session_info=b"\x00\x04")

        assert house.text(house.answer("1", source="821000000001")).startswith("이름")
        assert house.text(house.answer("4", source="821000000002")).startswith("112까지")
        assert house.text(house.answer("홍길동", source="821000000001")).startswith("생년월일")

    def test_an_empty_answer_gets_the_page_again_and_after_a_restart_nothing(self, house):
        assert isinstance(house.send(text=""), UssdOver)
        house.dial()

        assert house.text(house.answer("")).startswith("1~5, 9, 0 중에서")

    def test_the_code_within_a_dialogue_starts_over(self, house):
        house.dial()
        house.answer("1")

        assert house.text(house.answer(CODE)).startswith("1 등록")

    def test_a_code_to_which_no_text_may_go_is_acknowledged_and_no_press(self, house):
        heard = house.send(operation=None, session_info=None, destination=CODE, text="")

        assert isinstance(heard, UssdOver)


FIRST = {
    "generic": {"text": CODE, "operation": 1, "session_info": b"\x02\x04", "service_type": "USSD"},
    "korits": {"text": CODE, "operation": None, "session_info": b"\x07\x00"},
    "tata": {"destination": CODE, "operation": 1, "session_info": b"\x12\x34"},
    "sixdee": {"text": CODE, "operation": 1, "session_info": b"\xff\xfe"},
    "mica": {
        "text": CODE,
        "destination": "",
        "operation": 1,
        "session_info": None,
        "message_reference": b"\x00\x09",
    },
    "service-op": {"text": CODE, "operation": 1, "session_info": None, "service_type": "P2"},
    "huawei": {"text": CODE, "operation": 1, "session_info": None, "service_type": "USSD"},
    "nowsms": {
        "destination": CODE,
        "text": "",
        "operation": None,
        "session_info": None,
        "service_type": "USSD",
    },
}
ANSWERS = {
    "korits": {"operation": None, "session_info": b"\x07\x02"},
    "nowsms": {"operation": None},
}
ASKS = {
    "generic": (0x02, b"\x02\x04", None),
    "korits": (None, b"\x07\x02", None),
    "tata": (0x02, b"\x12\x34", None),
    "sixdee": (0x02, b"\xff\xfe", None),
    "mica": (0x02, None, b"\x00\x09"),
    "service-op": (0x02, None, None),
    "huawei": (0x02, None, None),
    "nowsms": (0x02, None, None),
}


class TestProfiles:
    @pytest.mark.parametrize("profile", PROFILES)
    def test_a_page_asks_as_this_gateway_wants_to_be_asked(self, profile):
        found = House(profile).dial(**FIRST[profile])

        reply = found.reply
        assert (reply.operation, reply.session_info, reply.message_reference) == ASKS[profile]
        assert reply.service_type == FIRST[profile].get("service_type", "")

    @pytest.mark.parametrize("profile", PROFILES)
    def test_an_answer_is_known_as_one(self, profile):
        house = House(profile)
        first = FIRST[profile]
        house.dial(**first)
        answer = {**first, "operation": 0x12, **ANSWERS.get(profile, {})}

        assert house.text(house.answer("1", **{k: v for k, v in answer.items() if k != "text"})).startswith(
            "이름"
        )

    @pytest.mark.parametrize("profile", PROFILES)
    def test_an_answer_after_a_restart_is_no_press(self, profile):
        house = House(profile)
        answer = {**FIRST[profile], "operation": 0x12, **ANSWERS.get(profile, {})}

        found = house.answer("1", **{k: v for k, v in answer.items() if k != "text"})

        assert "1 등록" in found.reply.text

    @pytest.mark.parametrize("profile", PROFILES)
    def test_without_any_parameter_there_is_still_a_menu(self, profile):
        house = House(profile)
        bare = {"operation": None, "session_info": None, "service_type": "USSD", "destination": CODE}
        if profile == "mica":
            bare["text"] = CODE
        house.dial(**{"text": "", **bare})

        found = house.answer("1", **{k: v for k, v in bare.items() if k != "text"})

        assert house.text(found).startswith("이름")
        assert found.reply.operation == 0x02

    def test_korits_counts_its_units_round(self):
        profile = PROFILES["korits"]

        assert [profile.info_of_page(bytes((7, unit))) for unit in (0x00, 0x02, 0xFE, 0xFF)] == [
            b"\x07\x02",
            b"\x07\x04",
            b"\x07\x00",
            b"\x07\x00",
        ]
