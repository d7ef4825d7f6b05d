"""AMI on the wire: packets as Asterisk 16 sends them, and actions that cannot be turned into two."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.asterisk.ami.packets import (
    MAX_ACTION_LINE,
    MAX_ACTION_LINES,
    MAX_HEADERS,
    MAX_LINE,
    MAX_PACKET,
    AmiStream,
    Packet,
    encode_action,
    encode_packet,
)
from telephony.domain.errors import Malformed

BANNER = b"Asterisk Call Manager/5.0.4\r\n"

# As captured from Asterisk 16.28; numbers changed.
CAPTURED = {
    "a response": (
        b"Response: Success\r\nActionID: 3f-1\r\nPing: Pong\r\nTimestamp: 1795465253.150749\r\n\r\n",
        [
            ("Response", "Success"),
            ("ActionID", "3f-1"),
            ("Ping", "Pong"),
            ("Timestamp", "1795465253.150749"),
        ],
    ),
    "an event with an empty value": (
        b"Event: Newchannel\r\nPrivilege: call,all\r\nCallerIDName: \r\nExten: 9112\r\n\r\n",
        [("Event", "Newchannel"), ("Privilege", "call,all"), ("CallerIDName", ""), ("Exten", "9112")],
    ),
    "colons in a value": (
        b"Event: NewCallerid\r\nContacts: centre/sip:127.0.0.1:37112,\r\n\r\n",
        [("Event", "NewCallerid"), ("Contacts", "centre/sip:127.0.0.1:37112,")],
    ),
    "output whose lines are indented": (
        b"Response: Success\r\nOutput: System uptime\r\nOutput:   4 seconds\r\nOutput: \r\n\r\n",
        [("Response", "Success"), ("Output", "System uptime"), ("Output", "  4 seconds"), ("Output", "")],
    ),
    "a Korean name": (
        "Event: Newstate\r\nCallerIDName: 김\u2028철수\r\n\r\n".encode(),
        [("Event", "Newstate"), ("CallerIDName", "김\u2028철수")],
    ),
    "a name in cp949, cut where its last octet would begin another character": (
        b"Event: Newstate\r\nCallerIDName: \xb1\xe8\xed\r\nExten: 1\r\n\r\n",
        [("Event", "Newstate"), ("CallerIDName", "\\xb1\\xe8\\xed"), ("Exten", "1")],
    ),
    "a line without a colon": (
        b"Event: UserEvent\r\nrubbish\r\n\r\n",
        [("Event", "UserEvent"), ("rubbish", "")],
    ),
    "no space after the colon": (b"Event:Hangup\r\nCause:16\r\n\r\n", [("Event", "Hangup"), ("Cause", "16")]),
    "bare line feeds are part of a value": (
        b"Event: Newchannel\r\nCallerIDNum: 010\n\nEvent: Hangup\nUniqueid: x\n\n\r\nExten: 112\r\n\r\n",
        [
            ("Event", "Newchannel"),
            ("CallerIDNum", "010\\x0a\\x0aEvent: Hangup\\x0aUniqueid: x\\x0a\\x0a"),
            ("Exten", "112"),
        ],
    ),
    "carriage returns within a value": (b"Event: X\rY\r\r\n\r\n", [("Event", "X\\x0dY\\x0d")]),
    "other control characters": (
        b"Event: X\0\x1b[2J\x7f\tY\r\n\r\n",
        [("Event", "X\\x00\\x1b[2J\\x7f\\x09Y")],
    ),
}

CONTROLS = "".join(map(chr, range(32))) + "\x7f"
text = st.text(st.characters(exclude_characters=CONTROLS, exclude_categories=["Cs"]), max_size=30)
keys = st.text(
    st.characters(exclude_characters=f"{CONTROLS}:", exclude_categories=["Cs"]), min_size=1, max_size=12
)
fields = st.lists(st.tuples(keys, text), min_size=1, max_size=8)


def safe(text_):
    return re.sub(r"[\0-\x1f\x7f]", lambda found: f"\\x{ord(found[0]):02x}", text_)


def stream_after_banner():
    stream = AmiStream()
    assert stream.feed(BANNER) == []
    return stream


def feed_cut(stream, octets, places):
    packets, begin = [], 0
    for end in [*sorted(min(place, len(octets)) for place in places), len(octets)]:
        packets += stream.feed(octets[begin:end])
        begin = end
    return packets


class TestReading:
    @pytest.mark.parametrize(("octets", "headers"), CAPTURED.values(), ids=CAPTURED.keys())
    def test_a_packet_is_read_whole_and_octet_by_octet_and_before_the_next(self, octets, headers):
        expected = [Packet(tuple(headers))]

        assert stream_after_banner().feed(octets) == expected
        assert feed_cut(stream_after_banner(), octets, range(len(octets))) == expected
        assert stream_after_banner().feed(octets + b"Event: Next\r\n") == expected

    def test_the_first_line_is_the_banner_and_no_packet(self):
        stream = AmiStream()

        assert stream.feed(b"Asterisk Call Man") == []
        assert stream.banner is None
        packets = stream.feed(b"ager/5.0.4\r\nEvent: X\r\n\r\n")

        assert stream.banner == "Asterisk Call Manager/5.0.4"
        assert packets == [Packet((("Event", "X"),))]

    def test_a_server_reads_actions_without_a_banner(self):
        stream = AmiStream(expects_banner=False)

        assert stream.feed(encode_action("Ping", "1")) == [Packet((("Action", "Ping"), ("ActionID", "1")))]
        assert stream.banner is None

    def test_several_packets_in_one_read_keep_their_order(self):
        octets = b"".join(octets for octets, _ in CAPTURED.values())

        packets = stream_after_banner().feed(octets)

        assert packets == [Packet(tuple(headers)) for _, headers in CAPTURED.values()]

    def test_empty_lines_between_packets_are_nothing(self):
        assert stream_after_banner().feed(b"\r\n\r\nEvent: X\r\n\r\n\r\n") == [Packet((("Event", "X"),))]

    @given(st.lists(fields, max_size=4), st.lists(st.integers(0, 800), max_size=8))
    def test_what_was_written_is_read_however_it_was_cut(self, packets, places):
        octets = b"".join(encode_packet(one) for one in packets)

        assert feed_cut(stream_after_banner(), octets, places) == [Packet(tuple(one)) for one in packets]

    @given(
        st.lists(
            st.binary(max_size=12) | st.sampled_from([b"\r\n", b"\n", b": ", "김".encode()]), max_size=40
        ),
        st.lists(st.integers(0, 300), max_size=8),
    )
    def test_rubbish_gives_the_same_packets_however_it_was_cut(self, pieces, places):
        octets = b"".join(pieces)
        whole, cut = AmiStream(), AmiStream()

        assert whole.feed(octets) == feed_cut(cut, octets, places)
        assert whole.banner == cut.banner


class TestBounds:
    def line(self, octets):
        return b"K: " + b"v" * (octets - 3)

    @pytest.mark.parametrize("read", [1 << 20, 1000], ids=["in one read", "in many"])
    def test_the_longest_line_is_taken_and_one_octet_more_is_not(self, read):
        good = b"Event: X\r\n\r\n"
        for line, packets, is_broken in (
            (self.line(MAX_LINE - 1) + b"\r\n\r\n", 3, False),
            (self.line(MAX_LINE) + b"\r\n\r\n", 3, False),
            (self.line(MAX_LINE + 1) + b"\r\n\r\n", 1, True),
            (self.line(MAX_LINE + 1) + b"\n\n\r\n\r\n", 1, True),
        ):
            octets = good + line + good
            stream = stream_after_banner()

            received = feed_cut(stream, octets, range(0, len(octets), read))

            assert len(received) == packets
            assert isinstance(stream.broken, Malformed) == is_broken

    def test_a_line_that_never_ends_is_given_up_and_forgotten(self):
        stream = stream_after_banner()

        for _ in range(70):
            assert stream.feed(b"x" * 1000) == []

        assert str(stream.broken) == f"a line is longer than {MAX_LINE} octets"
        assert len(stream._held) == 0
        assert stream.feed(b"\r\nEvent: X\r\n\r\n") == []

    def test_a_packet_of_too_many_lines_is_given_up(self):
        stream = stream_after_banner()

        assert len(stream.feed(b"Output: x\r\n" * MAX_HEADERS + b"\r\n")) == 1
        assert stream.broken is None
        octets = b"Event: Before\r\n\r\n" + b"Output: x\r\n" * (MAX_HEADERS + 1) + b"\r\nEvent: After\r\n\r\n"
        assert stream.feed(octets) == [Packet((("Event", "Before"),))]
        assert str(stream.broken) == f"a packet has more than {MAX_HEADERS} lines"

    def test_a_packet_that_is_too_long_is_given_up(self):
        stream = stream_after_banner()
        line = self.line(1 << 15)

        for _ in range(MAX_PACKET >> 15):
            stream.feed(line + b"\r\n")
        assert stream.broken is None
        stream.feed(b"\r\n")
        for _ in range(MAX_PACKET >> 15):
            stream.feed(line + b"\r\n")
        assert stream.broken is None
        stream.feed(b"x\r\n")

        assert str(stream.broken) == f"a packet is longer than {MAX_PACKET} characters"
        assert stream._headers == []

    def test_a_stream_octet_by_octet_takes_no_quadratic_time(self):
        """A line of 64 KiB, one octet a read: what is held is never copied whole."""
        stream = stream_after_banner()

        for _ in range(MAX_LINE):
            stream.feed(b"x")

        assert stream.feed(b"\r\n\r\n") == [Packet((("x" * MAX_LINE, ""),))]


class TestPacket:
    PACKET = Packet(
        (
            ("Event", "Newchannel"),
            ("Uniqueid", "voice-1-17.1"),
            ("ChanVariable", "A=1"),
            ("chanvariable", "B=2"),
            ("Stage", "begin"),
            ("Stage", "forged"),
        )
    )

    def test_the_first_of_a_key_counts_whatever_its_case(self):
        assert self.PACKET.get("uniqueID") == "voice-1-17.1"
        assert self.PACKET.get("Stage") == "begin"
        assert self.PACKET.get("Absent") == ""
        assert self.PACKET.get("Absent", "x") == "x"

    def test_a_key_that_repeats_gives_all_its_values(self):
        assert self.PACKET.all("ChanVariable") == ["A=1", "B=2"]
        assert self.PACKET.all("Absent") == []

    def test_what_a_packet_is_its_first_key_says(self):
        """Whatever a caller has made Asterisk write behind it."""
        half = Packet((("CallerIDName", "x"), ("Event", "Hangup"), ("Response", "Success")))
        event = Packet((("Event", "Newchannel"), ("Event", "Hangup"), ("Response", "Error")))

        assert half.event == ""
        assert not half.is_response
        assert event.event == "Newchannel"
        assert not event.is_response

    def test_originate_response_is_an_event_though_it_has_a_response(self):
        packet = Packet((("Event", "OriginateResponse"), ("Response", "Failure"), ("ActionID", "7")))

        assert packet.event == "OriginateResponse"
        assert not packet.is_response
        assert not packet.is_success
        assert packet.action_id == "7"

    def test_a_response_says_whether_it_is_a_success(self):
        success, error = (Packet((("Response", word),)) for word in ("Success", "Error"))

        assert success.is_response
        assert success.is_success
        assert error.is_response
        assert not error.is_success
        assert success.event == success.action_id == ""


class TestWriting:
    def test_an_action_is_its_lines_in_order(self):
        octets = encode_action("Originate", "a-1", [("Variable", "A=1"), ("Variable", "B=김"), ("Async", "")])

        assert octets == (
            "Action: Originate\r\nActionID: a-1\r\nVariable: A=1\r\nVariable: B=김\r\nAsync: \r\n\r\n".encode()
        )

    @pytest.mark.parametrize("bad", ["\r", "\n", "\0", "x\r\n\r\nAction: Originate"])
    def test_no_value_and_no_key_can_become_another_line(self, bad):
        for fields_ in ([("Value", bad)], [("Good", "x"), (f"Value{bad}", "x")]):
            with pytest.raises(Malformed, match="Value"):
                encode_action("Setvar", "1", fields_)
        with pytest.raises(Malformed, match="'Action'"):
            encode_action(f"Ping{bad}", "1")
        with pytest.raises(Malformed, match="'ActionID'"):
            encode_action("Ping", bad)

    @pytest.mark.parametrize("key", ["", "Value:", "Channel: x"])
    def test_a_key_is_not_empty_and_holds_no_colon(self, key):
        with pytest.raises(Malformed, match=f"field '{key}'"):
            encode_action("Setvar", "1", [(key, "x")])

    def test_what_utf_8_cannot_write_is_malformed(self):
        with pytest.raises(Malformed, match="'Value'"):
            encode_action("Setvar", "1", [("Value", "\udc80")])

    def test_a_refused_value_is_not_repeated(self):
        """It may be a number or a name."""
        with pytest.raises(Malformed) as caught:
            encode_action("Setvar", "1", [("Value", "821012345678\n")])

        assert "8210" not in str(caught.value)

    def test_what_asterisk_would_throw_away_is_not_sent(self):
        longest = "v" * (MAX_ACTION_LINE - len("Value: "))
        encode_action("Setvar", "1", [("Value", longest)])
        encode_action("Setvar", "1", [("V", "x")] * (MAX_ACTION_LINES - 2))

        with pytest.raises(Malformed, match="'Value' is longer"):
            encode_action("Setvar", "1", [("Value", longest + "v")])
        with pytest.raises(Malformed, match="129 lines"):
            encode_action("Setvar", "1", [("V", "x")] * (MAX_ACTION_LINES - 1))

    @given(
        st.text(max_size=20),
        st.text(max_size=20),
        st.lists(st.tuples(st.text(max_size=20), st.text(max_size=60))),
    )
    def test_whatever_is_given_is_one_action_or_malformed(self, name, action_id, given_fields):
        try:
            octets = encode_action(name, action_id, given_fields)
        except Malformed:
            return

        stream = AmiStream(expects_banner=False)
        sent = [("Action", name), ("ActionID", action_id), *given_fields]
        assert stream.feed(octets) == [Packet(tuple((safe(key), safe(value)) for key, value in sent))]
