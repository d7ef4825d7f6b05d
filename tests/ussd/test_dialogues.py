"""What a USSD message means, and when the phone gets its one text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.domain.recognition import Recognition
from telephony.domain.ussd import UssdMessage, UssdOver, UssdPress
from telephony.ussd.dialogues import Dialogues
from telephony.ussd.profiles import PROFILES

CALLER = "821012345678"
TEXT = "Request completed."
RECOGNITION = Recognition(
    frozenset({"1120"}), test_numbers=frozenset({"*1129#"}), ussd_codes=frozenset({"*112#"})
)
UNLISTED, UNKNOWN = ("unlisted destination",), ("unknown USSD string",)


def rules(profile="generic", **more):
    settings = {"closing_text": TEXT, "neutral_texts": frozenset({TEXT}), "session_s": 30.0}
    return Dialogues(PROFILES[profile], **{**settings, **more})


def read(message, profile="generic", **more):
    return rules(profile, **more).read(message, RECOGNITION, 0.0)


def said(**fields):
    return UssdMessage(CALLER, **{"destination": "8112", **fields})


FIRST_MESSAGES = {
    # profile: its first message, the session's name, and the operation, session and reference of the answer
    "generic": (
        said(text="*112#", operation=1, session_info=b"\x02\x04", service_type="USSD"),
        "s0204",
        (0x11, b"\x02\x05", None),
    ),
    "korits": (said(text="*112#", session_info=b"\x07\x00"), "n07", (None, b"\x07\x01", None)),
    "tata": (
        said(destination="*112#", operation=1, session_info=b"\x12\x34"),
        "s1234",
        (0x02, b"\x12\x35", None),
    ),
    "sixdee": (said(text="*112#", operation=1, session_info=b"\xff\xfe"), "sfffe", (0x11, b"\xff\xff", None)),
    "mica": (
        said(destination="", text="*112#", operation=1, message_reference=b"\x00\x09"),
        "r0009",
        (0x11, None, b"\x00\x09"),
    ),
    "service-op": (said(text="*112#", operation=1, service_type="P2"), "", (0x11, None, None)),
    "huawei": (said(text="*112#", operation=1, service_type="USSD"), "", (0x11, None, None)),
    "nowsms": (said(destination="*112#", service_type="USSD"), "", (None, None, None)),
}


def test_there_is_a_first_message_for_every_profile():
    assert FIRST_MESSAGES.keys() == PROFILES.keys()


class TestFirstMessages:
    @pytest.mark.parametrize("profile", PROFILES)
    def test_a_code_is_a_press_on_its_first_message_and_its_answer_ends_the_session(self, profile):
        message, session, answer = FIRST_MESSAGES[profile]

        press = read(message, profile)

        assert isinstance(press, UssdPress)
        assert (press.code, press.text, press.session, press.labels) == ("*112#", None, session, ())
        reply = press.reply
        assert (reply.operation, reply.session_info, reply.message_reference) == answer
        assert (reply.text, reply.service_type) == (TEXT, message.service_type)

    @pytest.mark.parametrize("profile", PROFILES)
    def test_missing_session_parameters_are_tolerated(self, profile):
        press = read(said(text="*112#", operation=1), profile)

        assert (press.code, press.session) == ("*112#", "")
        assert (press.reply.session_info, press.reply.message_reference) == (None, None)

    @pytest.mark.parametrize("profile", PROFILES)
    @pytest.mark.parametrize("operation", [0x00, 0x01, 0x02, 0x03, 0x10, 0x11, 0x1F, 0x20, 0x81, 0xFF])
    def test_whatever_its_operation_our_code_is_a_press(self, profile, operation):
        assert read(said(text="*112#", operation=operation), profile).code == "*112#"

    @pytest.mark.parametrize(
        ("fields", "code", "text", "labels"),
        [
            ({"text": "*112*3#"}, "*112#", "*112*3#", UNKNOWN),
            ({"destination": "*112#", "text": "help"}, "*112#", "help", UNKNOWN),
            ({"destination": "112", "text": None}, "*112#", None, ()),
            ({"destination": "112", "text": "*112#"}, "*112#", None, ()),
            ({"destination": "1120", "text": ""}, "1120", None, ()),
            ({"destination": "*1129#"}, "*1129#", None, ()),
            ({"text": "*999#"}, "*999#", None, UNLISTED),
            ({"destination": "", "text": None}, "", None, UNLISTED),
            ({"destination": "8112", "text": "살려주세요"}, "8112", "살려주세요", UNLISTED),
        ],
    )
    def test_nothing_is_refused_for_its_string(self, fields, code, text, labels):
        press = read(said(operation=1, **fields))

        assert (press.code, press.text, press.labels) == (code, text, labels)
        assert press.reply is not None

    def test_a_code_may_stand_in_a_parameter_of_the_vendor(self):
        message = said(operation=1, text="1", tlvs=((0x1400, b"*112#\0"),))

        assert read(message, code_tlv=0x1400).code == "*112#"
        assert read(message).labels == UNLISTED


def test_the_end_bit_is_no_part_of_the_name_of_a_session():
    names = {
        read(said(text="*112#", operation=1, session_info=value)).session
        for value in (b"\x02\x04", b"\x02\x05")
    }

    assert names == {"s0204"}


class TestParameters:
    """The gateway finds its dialogue by what it has sent: that goes back as it came, whatever its length."""

    @pytest.mark.parametrize("value", [b"", b"\x05", b"\x01\x02\x04", b"\x00\x00\x30\x38", b"\x04" * 300])
    @pytest.mark.parametrize("profile", PROFILES)
    def test_a_session_of_another_length_goes_back_as_it_came(self, profile, value):
        message = said(text="*112#", operation=1, session_info=value, message_reference=value)

        press = read(message, profile)

        assert (press.reply.session_info, press.reply.message_reference) == (value, value)
        assert len(press.session) < 40

    @pytest.mark.parametrize(
        ("profile", "value", "session"),
        [
            ("generic", b"\x05", "s05"),
            ("generic", b"\x00\x00\x30\x39", "s00003039"),
            ("generic", b"", ""),
            ("korits", b"\x07", "n07"),
            ("korits", b"\x07\x00\x00\x01", "n07000001"),
        ],
    )
    def test_and_names_the_dialogue_whole(self, profile, value, session):
        assert read(said(text="*112#", operation=1, session_info=value), profile).session == session

    def test_dialogues_with_long_names_are_told_apart(self):
        names = {
            read(said(text="*112#", operation=1, session_info=b"a" * 300 + end)).session
            for end in (b"1", b"2")
        }

        assert len(names) == 2

    @pytest.mark.parametrize("profile", ["mica", "service-op", "huawei", "nowsms"])
    def test_where_the_profile_knows_no_end_bit_none_is_set(self, profile):
        reply = read(said(text="*112#", operation=1, session_info=b"\x12\x34"), profile).reply

        assert reply.session_info == b"\x12\x34"

    def test_what_is_the_vendors_own_goes_back_and_nothing_else(self):
        vendor = ((0x1400, b"first"), (0x1501, b"\0\0\x30\x39"), (0x1501, b""), (0x3FFF, b"last"))
        others = ((0x0424, b"x"), (0x13FF, b"x"), (0x4000, b"x"), (0x1383, b"\x02\x04"))

        reply = read(said(text="*112#", operation=1, tlvs=(*vendor, *others))).reply

        assert reply.vendor_tlvs == vendor

    def test_the_dialled_string_in_a_vendors_parameter_does_not_go_back(self):
        message = said(operation=1, text="1", tlvs=((0x1400, b"*112#\0"), (0x1501, b"7")))

        assert read(message, code_tlv=0x1400).reply.vendor_tlvs == ((0x1501, b"7"),)


class TestNoUssd:
    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"text": "*112#"},
            {"service_type": "CMT"},
            {"session_info": b"\x00\x04"},
            {"message_reference": b"\x00\x04"},
        ],
    )
    def test_a_message_without_a_sign_is_none(self, fields):
        assert read(said(**fields)) is None

    def test_a_dialled_destination_alone_is_a_press_but_no_text_goes_back_that_could_arrive_as_a_message(
        self,
    ):
        press = read(said(destination="*112#"))

        assert (press.code, press.reply) == ("*112#", None)


class TestLater:
    @pytest.mark.parametrize(
        ("profile", "message"),
        [
            ("generic", said(operation=0x81, session_info=b"\x00\x05")),
            ("mica", said(operation=0x81, message_reference=b"\x00\x09")),
            ("tata", said(operation=0x11, session_info=b"\x00\x05")),
            ("sixdee", said(operation=0x12, text="1", session_info=b"\x00\x05")),
            ("korits", said(session_info=b"\x07\x01", is_conversation_abort=True)),
            ("generic", said(operation=0x12, text="", session_info=b"\x00\x04")),
            ("generic", said(operation=0x13, text=None, session_info=b"\x00\x04")),
        ],
    )
    def test_an_abort_or_an_empty_answer_is_no_press(self, profile, message):
        assert isinstance(read(message, profile), UssdOver)

    @pytest.mark.parametrize("end", [b"\x01\x02", b"\x01\x03"], ids=["going on", "ended"])
    def test_an_answer_that_cannot_be_read_is_a_press(self, end):
        press = read(said(operation=0x12, text=None, is_unreadable=True, session_info=end))

        assert (press.code, press.text, press.labels) == ("8112", None, UNLISTED)

    @pytest.mark.parametrize("words", ["he has a knife", "칼", "도와주세요", "112", "no"])
    def test_words_with_which_the_gateway_ends_the_dialogue_are_a_press_that_nobody_answers(self, words):
        press = read(said(operation=0x12, text=words, session_info=b"\x01\x03"), "sixdee")

        assert isinstance(press, UssdPress)
        assert words in (press.text, press.code.strip("*#"))
        assert press.reply is None

    def test_words_to_our_code_are_a_press_of_it_though_the_gateway_ends_the_dialogue(self):
        press = read(
            said(destination="*112#", operation=0x12, text="칼을 들고 있어요", session_info=b"\x01\x03")
        )

        assert (press.code, press.text, press.labels) == ("*112#", "칼을 들고 있어요", UNKNOWN)

    @pytest.mark.parametrize("key", ["1", "0", "12", "#", "*"])
    def test_a_key_that_leaves_a_menu_is_no_press_but_within_the_dialogue_of_one(self, key):
        ours = rules("sixdee")
        last = said(text=key, operation=0x12, session_info=b"\x00\x05")

        assert isinstance(ours.read(last, RECOGNITION, 0.0), UssdOver)
        ours.read(said(text="*112#", operation=1, session_info=b"\x00\x04"), RECOGNITION, 0.0)
        assert ours.read(last, RECOGNITION, 1.0).text == key

    def test_words_typed_within_the_session_are_a_press_of_its_code(self):
        ours = rules("sixdee")
        ours.read(said(text="*112#", operation=1, session_info=b"\x00\x04"), RECOGNITION, 0.0)

        answer = ours.read(
            said(text="he has a knife", operation=0x12, session_info=b"\x00\x04"), RECOGNITION, 9.0
        )
        later = ours.read(
            said(text="he has a knife", operation=0x12, session_info=b"\x00\x04"), RECOGNITION, 31.0
        )

        assert (answer.code, answer.text, answer.labels) == ("*112#", "he has a knife", UNKNOWN)
        assert later.labels == UNLISTED


class TestClosing:
    """One text for each dialogue, within its life."""

    def press(self, session="s0004"):
        return UssdPress("*112#", None, session, (), read(said(text="*112#", operation=1)).reply)

    def test_a_repeat_within_the_session_gets_no_second_text(self):
        ours, press = rules(), self.press()

        assert ours.reply_to(press, "r", 0.0, 0.1, is_known=False) is press.reply
        assert ours.reply_to(press, "r", 5.0, 5.1, is_known=True) is None
        assert ours.reply_to(press, "r", 99.0, 99.1, is_known=True) is None

    def test_a_text_that_was_not_taken_may_be_sent_again_while_the_phone_waits(self):
        ours, press = rules(), self.press()
        ours.reply_to(press, "r", 0.0, 0.1, is_known=False)
        ours.not_taken("r")

        assert ours.reply_to(press, "r", 5.0, 5.1, is_known=True) is press.reply
        ours.not_taken("r")
        assert ours.reply_to(press, "r", 30.0, 30.1, is_known=True) is None

    def test_no_text_is_sent_when_the_session_is_over(self):
        assert rules().reply_to(self.press(), "r", 0.0, 30.1, is_known=False) is None

    def test_what_was_known_before_our_memory_began_may_be_of_a_session_long_over(self):
        assert rules().reply_to(self.press(), "r", 0.0, 0.1, is_known=True) is None

    def test_without_a_session_id_the_same_code_is_a_new_session_when_the_last_must_be_over(self):
        ours, press = rules(), self.press(session="")

        assert ours.reply_to(press, "r", 0.0, 0.1, is_known=True) is press.reply
        assert ours.reply_to(press, "r", 30.0, 30.1, is_known=True) is None
        assert ours.reply_to(press, "r", 31.0, 31.1, is_known=True) is press.reply

    def test_memory_is_bounded(self, monkeypatch):
        monkeypatch.setattr("telephony.ussd.dialogues.REMEMBERED", 3)
        ours = rules()
        for number in range(9):
            ours.read(
                said(text="*112#", operation=1, session_info=(2 * number).to_bytes(2)), RECOGNITION, 0.0
            )
            ours.reply_to(self.press(), str(number), 0.0, 0.1, is_known=False)

        assert (len(ours._begun), len(ours._told)) == (3, 3)

    @pytest.mark.parametrize("text", ["112 is coming.", "Another text."])
    def test_the_silence_policy_lets_only_a_neutral_text_of_the_settings_through(self, text):
        neutral = frozenset({"112 is coming.", TEXT})

        press = read(said(text="*112#", operation=1), closing_text=text, neutral_texts=neutral)

        assert (press.code, press.reply) == ("*112#", None)


octets = st.integers(0, 0xFF) | st.none()
parameters = st.binary(min_size=2, max_size=2) | st.binary(max_size=20) | st.none()
strings = st.text(max_size=30) | st.sampled_from(["*112#", "112", "*112*3#", "#", "*"])
messages = st.builds(
    UssdMessage,
    source=strings,
    destination=strings,
    text=strings | st.none(),
    operation=octets,
    session_info=parameters,
    message_reference=parameters,
    service_type=st.sampled_from(["", "USSD", "ussd", "P2", "CMT"]),
    is_conversation_abort=st.booleans(),
    is_unreadable=st.booleans(),
    tlvs=st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=9))).map(tuple),
)


@given(st.sampled_from(sorted(PROFILES)), messages, st.integers(0, 0xFFFF) | st.none())
def test_every_message_has_a_meaning(profile, message, code_tlv):
    heard = read(message, profile, code_tlv=code_tlv)

    if isinstance(heard, UssdPress):
        assert heard.reply is None or heard.reply.text == TEXT
        assert heard.labels or heard.code in {"*112#", "1120", "*1129#"}
    else:
        assert heard is None or heard.why
    if message.text == "*112#" and message.operation is not None and message.operation not in (0x12, 0x13):
        assert isinstance(heard, UssdPress)
