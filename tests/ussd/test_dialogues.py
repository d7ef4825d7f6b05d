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
        said(text="*112#", operation=1, session_info=0x0204, service_type="USSD"),
        "s0204",
        (0x11, 0x0205, None),
    ),
    "korits": (said(text="*112#", session_info=0x0700), "n07", (None, 0x0701, None)),
    "tata": (said(destination="*112#", operation=1, session_info=0x1234), "s1234", (0x02, 0x1235, None)),
    "sixdee": (said(text="*112#", operation=1, session_info=0xFFFE), "sfffe", (0x11, 0xFFFF, None)),
    "mica": (
        said(destination="", text="*112#", operation=1, message_reference=9),
        "r0009",
        (0x11, None, 9),
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
    names = {read(said(text="*112#", operation=1, session_info=value)).session for value in (0x0204, 0x0205)}

    assert names == {"s0204"}


class TestNoUssd:
    @pytest.mark.parametrize(
        "fields",
        [{}, {"text": "*112#"}, {"service_type": "CMT"}, {"session_info": 4}, {"message_reference": 4}],
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
            ("generic", said(operation=0x81, session_info=5)),
            ("mica", said(operation=0x81, message_reference=9)),
            ("tata", said(operation=0x11, session_info=5)),
            ("sixdee", said(operation=0x12, text="1", session_info=5)),
            ("korits", said(session_info=0x0701, is_conversation_abort=True)),
            ("generic", said(operation=0x12, text="", session_info=4)),
            ("generic", said(operation=0x13, text=None, session_info=4)),
        ],
    )
    def test_an_abort_or_an_empty_answer_is_no_press(self, profile, message):
        assert isinstance(read(message, profile), UssdOver)

    def test_words_typed_within_the_session_are_a_press_of_its_code(self):
        ours = rules("sixdee")
        ours.read(said(text="*112#", operation=1, session_info=4), RECOGNITION, 0.0)

        answer = ours.read(said(text="he has a knife", operation=0x12, session_info=4), RECOGNITION, 9.0)
        later = ours.read(said(text="he has a knife", operation=0x12, session_info=4), RECOGNITION, 31.0)

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
            ours.read(said(text="*112#", operation=1, session_info=2 * number), RECOGNITION, 0.0)
            ours.reply_to(self.press(), str(number), 0.0, 0.1, is_known=False)

        assert (len(ours._begun), len(ours._told)) == (3, 3)

    @pytest.mark.parametrize("text", ["112 is coming.", "Another text."])
    def test_the_silence_policy_lets_only_a_neutral_text_of_the_settings_through(self, text):
        neutral = frozenset({"112 is coming.", TEXT})

        press = read(said(text="*112#", operation=1), closing_text=text, neutral_texts=neutral)

        assert (press.code, press.reply) == ("*112#", None)


octets = st.integers(0, 0xFF) | st.none()
words = st.integers(0, 0xFFFF) | st.none()
strings = st.text(max_size=30) | st.sampled_from(["*112#", "112", "*112*3#", "#", "*"])
messages = st.builds(
    UssdMessage,
    source=strings,
    destination=strings,
    text=strings | st.none(),
    operation=octets,
    session_info=words,
    message_reference=words,
    service_type=st.sampled_from(["", "USSD", "ussd", "P2", "CMT"]),
    is_conversation_abort=st.booleans(),
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
