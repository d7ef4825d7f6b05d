"""Framing and bodies: every octet stream gives the same PDUs however it is cut, every body a message."""

from __future__ import annotations

import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.domain.errors import Malformed
from telephony.smpp.wire import codec, constants
from telephony.smpp.wire.codec import (
    PduStream,
    decode_alert_notification,
    decode_bind,
    decode_bind_resp,
    decode_message,
    decode_outbind,
    decode_submit_resp,
    encode_c_string,
    encode_deliver_sm_resp,
    encode_header,
    encode_tlv,
)
from telephony.smpp.wire.constants import (
    BIND_TRANSCEIVER,
    DATA_SM,
    DELIVER_SM,
    ENQUIRE_LINK,
    MAX_COMMAND_LENGTH,
    MAX_PDU,
    RESPONSE,
    SUBMIT_SM,
    TAG_CONGESTION_STATE,
    TAG_ITS_SESSION_INFO,
    TAG_MESSAGE_PAYLOAD,
    TAG_SAR_MSG_REF_NUM,
    TAG_SAR_SEGMENT_SEQNUM,
    TAG_SAR_TOTAL_SEGMENTS,
    TAG_USSD_SERVICE_OP,
)
from telephony.smpp.wire.pdus import Message, Pdu, Tlv, command_name
from tests.smpp.strategies import c_strings, data_sms, message_bodies, messages, pdus, split_streams, tlvs

ENQUIRE = encode_header(ENQUIRE_LINK, 0, 1)
MO = (
    b"\0"  # service_type
    b"\1\1821012345678\0"  # source: international, E.164
    b"\0\x011122\0"  # destination
    b"\0\0\0\0\0\0\0\x0e\0"  # esm_class … sm_default_msg_id; data_coding KS C 5601
    b"\x0a\xbb\xec\xb7\xc1\xc1\xd6\xbc\xbc\xbf\xe4"  # sm_length, short_message
)


def pdu_of_length(length):
    return struct.pack(">IIII", length, DELIVER_SM, 0, 7) + b"\xaa" * (length - 16)


class CountingHeader:
    """Reads headers as the codec does, and counts how often."""

    def __init__(self):
        self.reads = 0

    def unpack_from(self, octets, position):
        self.reads += 1
        return struct.unpack_from(">IIII", octets, position)


class TestFraming:
    @given(split_streams())
    def test_any_split_of_the_stream_gives_the_same_pdus(self, case):
        sent, pieces = case
        stream = PduStream()

        received = [pdu for piece in pieces for pdu in stream.feed(piece)]

        assert received == sent
        assert stream.broken is None

    @given(st.lists(pdus, max_size=3))
    def test_octet_by_octet_gives_the_same_pdus(self, sent):
        stream = PduStream()
        octets = b"".join(encode_header(*pdu[:3], pdu.body) for pdu in sent)

        received = [pdu for octet in octets for pdu in stream.feed(bytes((octet,)))]

        assert received == sent

    @given(pdus, st.binary(max_size=15))
    def test_trailing_octets_wait_for_the_rest_of_their_pdu(self, sent, body):
        stream = PduStream()
        following = encode_header(ENQUIRE_LINK, 0, 2, body)

        first = stream.feed(encode_header(*sent[:3], sent.body) + following[:-1])
        second = stream.feed(following[-1:])

        assert (first, second) == ([sent], [Pdu(ENQUIRE_LINK, 0, 2, body)])

    def test_a_pdu_is_given_as_soon_as_its_last_octet_is_there(self):
        stream = PduStream()

        assert stream.feed(ENQUIRE[:-1]) == []
        assert stream.feed(ENQUIRE[-1:]) == [Pdu(ENQUIRE_LINK, 0, 1, b"")]

    @pytest.mark.parametrize("length", [16, 17, 4096, MAX_PDU - 1, MAX_PDU])
    def test_every_length_from_16_to_128_kib_is_taken_whole(self, length):
        stream = PduStream()

        (pdu,) = stream.feed(pdu_of_length(length))

        assert len(pdu.body) == length - 16
        assert (pdu.skipped, stream.broken) == (0, None)

    @pytest.mark.parametrize("length", [MAX_PDU + 1, 300_000, MAX_COMMAND_LENGTH])
    @pytest.mark.parametrize("size", [997, 65_536, 2 * MAX_COMMAND_LENGTH])
    def test_of_a_longer_pdu_the_head_is_kept_and_the_excess_skipped(self, length, size):
        """A PDU may hold several parameters of 65,535 octets: the SMSC that keeps one at the head of its queue goes on."""
        stream = PduStream()
        octets = ENQUIRE + pdu_of_length(length) + ENQUIRE + pdu_of_length(length) + ENQUIRE

        received = []
        for start in range(0, len(octets), size):
            received += stream.feed(octets[start : start + size])
            assert len(stream._held) <= MAX_PDU

        long = Pdu(DELIVER_SM, 0, 7, b"\xaa" * (MAX_PDU - 16), length - MAX_PDU)
        enquire = Pdu(ENQUIRE_LINK, 0, 1, b"")
        assert received == [enquire, long, enquire, long, enquire]
        assert stream.broken is None

    @given(st.lists(st.integers(0, 2 * MAX_PDU + 64), max_size=8))
    def test_a_longer_pdu_is_the_same_however_it_is_cut(self, cuts):
        octets = pdu_of_length(MAX_PDU + 40) + ENQUIRE + pdu_of_length(MAX_PDU + 1) + ENQUIRE
        places = sorted(min(place, len(octets)) for place in cuts)
        stream = PduStream()

        received = []
        for start, end in zip([0, *places], [*places, len(octets)], strict=True):
            received += stream.feed(octets[start:end])

        assert [(pdu.name, len(pdu.body), pdu.skipped) for pdu in received] == [
            ("deliver_sm", MAX_PDU - 16, 40),
            ("enquire_link", 0, 0),
            ("deliver_sm", MAX_PDU - 16, 1),
            ("enquire_link", 0, 0),
        ]

    def test_what_is_skipped_takes_no_memory(self):
        stream = PduStream()
        stream.feed(pdu_of_length(MAX_COMMAND_LENGTH)[:MAX_PDU])
        rest = b"\0" * (MAX_COMMAND_LENGTH - MAX_PDU - 1)
        tracemalloc.start()
        try:
            assert stream.feed(rest) == []
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert peak < 1024

    @pytest.mark.parametrize(
        "length", [0, 1, 4, 15, MAX_COMMAND_LENGTH + 1, 0x7FFFFFFF, 0x80000010, 0xFFFFFFFF]
    )
    @pytest.mark.parametrize("size", [1, 3, 16, 1000])
    def test_a_length_that_cannot_be_loses_the_stream_after_the_good_pdus(self, length, size):
        stream = PduStream()
        octets = ENQUIRE + pdu_of_length(40) + struct.pack(">I", length) + b"\0" * 12 + ENQUIRE

        received = []
        for start in range(0, len(octets), size):
            received += stream.feed(octets[start : start + size])

        assert [pdu.command_id for pdu in received] == [ENQUIRE_LINK, DELIVER_SM]
        assert stream.broken is not None
        assert str(length) in stream.broken
        assert stream.feed(ENQUIRE) == []

    @pytest.mark.parametrize("length", [0, 15, MAX_COMMAND_LENGTH + 1, 0xFFFFFFFF])
    def test_a_wrong_length_is_seen_at_its_fourth_octet(self, length):
        stream = PduStream()
        octets = struct.pack(">I", length)

        stream.feed(octets[:3])
        assert stream.broken is None
        stream.feed(octets[3:])

        assert stream.broken is not None

    @given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
    def test_rubbish_gives_the_same_pdus_and_the_same_end_however_it_is_cut(self, octets, cuts):
        whole, cut = PduStream(), PduStream()
        places = sorted(min(place, len(octets)) for place in cuts)

        expected = whole.feed(octets)
        received = []
        for start, end in zip([0, *places], [*places, len(octets)], strict=True):
            received += cut.feed(octets[start:end])

        assert received == expected
        assert cut.broken == whole.broken

    def test_no_memory_is_taken_for_what_a_length_only_promises(self):
        streams = [PduStream() for _ in range(100)]
        tracemalloc.start()
        try:
            for stream in streams:
                stream.feed(struct.pack(">I", MAX_PDU) + b"\0" * 12)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert peak < 100 * 1024

    def test_one_octet_reads_of_the_longest_pdu_look_at_it_only_when_it_is_whole(self, monkeypatch):
        """Looking again at every read would copy what is held each time: quadratic."""
        octets = pdu_of_length(MAX_PDU)
        header = CountingHeader()
        monkeypatch.setattr(codec, "_HEADER", header)
        stream = PduStream()

        received = [pdu for octet in octets for pdu in stream.feed(bytes((octet,)))]

        assert [len(pdu.body) for pdu in received] == [MAX_PDU - 16]
        assert header.reads == 1


class TestMessage:
    def test_a_korean_press_is_read(self):
        assert decode_message(DELIVER_SM, MO) == Message(
            DELIVER_SM,
            source_ton=1,
            source_npi=1,
            source="821012345678",
            dest_npi=1,
            destination="1122",
            data_coding=0x0E,
            short_message="살려주세요".encode("cp949"),
        )

    @given(messages)
    def test_every_field_is_read_where_the_clause_puts_it(self, fields):
        message = decode_message(fields.command_id, fields.body())

        payload = next((tlv.value for tlv in fields.tlvs if tlv.tag == TAG_MESSAGE_PAYLOAD), b"")
        assert message == Message(
            fields.command_id,
            fields.service_type,
            fields.source_ton,
            fields.source_npi,
            fields.source,
            fields.dest_ton,
            fields.dest_npi,
            fields.destination,
            fields.esm_class,
            fields.protocol_id,
            fields.priority_flag,
            fields.registered_delivery,
            fields.data_coding,
            payload or fields.short_message,
            tuple(fields.tlvs),
            (),
            fields.short_message if payload else b"",
        )

    @given(message_bodies, st.data())
    def test_the_quick_way_and_the_field_by_field_way_agree_on_every_body_cut_anywhere(self, case, data):
        command_id, body = case
        body = body[: data.draw(st.integers(0, len(body)))]

        assert decode_message(command_id, body) == codec._decode_field_by_field(command_id, body)

    @given(st.binary(max_size=120))
    def test_both_ways_agree_on_rubbish(self, body):
        assert decode_message(DELIVER_SM, body) == codec._decode_field_by_field(DELIVER_SM, body)

    @given(st.sampled_from((DELIVER_SM, SUBMIT_SM, DATA_SM, 0x12345678)), st.binary(max_size=400))
    def test_no_body_raises(self, command_id, body):
        message = decode_message(command_id, body)

        assert message.command_id == command_id

    @given(messages, st.data())
    def test_a_body_cut_within_its_fields_names_a_fault(self, fields, data):
        body = fields._replace(tlvs=[]).body()

        message = decode_message(fields.command_id, body[: data.draw(st.integers(0, len(body) - 1))])

        assert message.faults
        assert fields.short_message.startswith(message.short_message)

    @pytest.mark.parametrize("cut", range(len(MO)))
    def test_a_press_cut_anywhere_is_still_a_message_with_its_fault_named(self, cut):
        message = decode_message(DELIVER_SM, MO[:cut])

        assert message.faults
        assert "821012345678".startswith(message.source)

    def test_an_empty_body_names_everything_that_is_missing(self):
        message = decode_message(DELIVER_SM, b"")

        assert message == Message(DELIVER_SM, faults=message.faults)
        assert "source_addr is missing" in message.faults

    def test_faults_tell_no_content(self):
        message = decode_message(DELIVER_SM, b"\0\1\x01821012345678")

        assert message.source == "821012345678"
        assert message.faults[0] == "source_addr has no NUL"
        assert not any("8210" in fault for fault in message.faults)

    @pytest.mark.parametrize("source", ["8" * 21, "8" * 60, "8" * 5000])
    def test_an_address_longer_than_allowed_is_kept_whole(self, source):
        body = MO.replace(b"821012345678", source.encode())

        message = decode_message(DELIVER_SM, body)

        assert message.source == source
        assert message.short_message == "살려주세요".encode("cp949")
        assert message.faults == ("source_addr is longer than 20",)

    def test_an_address_that_is_no_number_is_kept(self):
        body = MO.replace(b"821012345678", b"caf\xe9 112")

        assert decode_message(DELIVER_SM, body).source == "café 112"

    def test_a_withheld_source_and_an_empty_destination_are_read(self):
        message = decode_message(DELIVER_SM, b"\0\0\0\0\0\0\0" + b"\0" * 9 + b"\3SOS")

        assert (message.source, message.destination, message.short_message) == ("", "", b"SOS")
        assert message.faults == ()

    def test_times_are_read_over_where_a_carrier_fills_them(self):
        body = b"\0\0\0001\0\0\0002\0\4\5\6991231235959000+\0000000003000000R\0\7\0\x08\0\2\xac\0"

        message = decode_message(DELIVER_SM, body)

        assert (message.esm_class, message.protocol_id, message.priority_flag) == (4, 5, 6)
        assert (message.registered_delivery, message.data_coding, message.short_message) == (7, 8, b"\xac\0")
        assert message.faults == ()

    @pytest.mark.parametrize("times", [(b"", b"000000003000000R"), (b"991231235959000+", b"")])
    def test_one_time_without_the_other_is_read_over_too(self, times):
        """The text is long enough for every wrong octet to pass for its length."""
        body = MO[:23] + b"\1\2\3" + times[0] + b"\0" + times[1] + b"\0\4\5\6\7" + b"\xc8" + b"x" * 200

        message = decode_message(DELIVER_SM, body)

        assert (message.registered_delivery, message.data_coding) == (4, 6)
        assert message.short_message == b"x" * 200
        assert (message.tlvs, message.faults) == ((), ())

    @pytest.mark.parametrize("declared", [11, 160, 255])
    def test_a_text_shorter_than_sm_length_is_taken_as_it_is(self, declared):
        body = MO.replace(b"\x0a\xbb", bytes((declared, 0xBB)))

        message = decode_message(DELIVER_SM, body)

        assert message.short_message == "살려주세요".encode("cp949")
        assert message.faults == (f"short_message has 10 of {declared} octets",)

    def test_octets_behind_a_too_small_sm_length_are_text(self):
        body = MO.replace(b"\x0a\xbb", b"\x08\xbb")

        message = decode_message(DELIVER_SM, body)

        assert message.short_message == "살려주세요".encode("cp949")
        assert message.faults == ("TLVs are not where sm_length says: short_message has 10 octets and not 8",)


class TestTlvs:
    def test_unknown_and_vendor_parameters_are_kept(self):
        extra = [Tlv(0x1400, b"vendor"), Tlv(0x3FFF, b""), Tlv(TAG_CONGESTION_STATE, b"\x32")]

        message = decode_message(DELIVER_SM, MO + b"".join(map(encode_tlv, extra)))

        assert message.tlvs == tuple(extra)
        assert message.faults == ()
        assert message.tlv(0x1400) == b"vendor"
        assert message.tlv(0x3FFF) == b""
        assert message.tlv(0x1401) is None

    @given(st.lists(tlvs, max_size=5), st.data())
    def test_a_broken_tlv_stream_keeps_what_came_before_it(self, sent, data):
        octets = b"".join(map(encode_tlv, sent))
        cut = data.draw(st.integers(0, len(octets)))

        message = decode_message(DELIVER_SM, MO + octets[:cut])

        assert message.tlvs == tuple(sent[: len(message.tlvs)])
        assert bool(message.faults) == (b"".join(map(encode_tlv, message.tlvs)) != octets[:cut])
        assert all(fault.startswith("TLV") for fault in message.faults)

    def test_a_tlv_longer_than_the_pdu_costs_only_itself(self):
        body = MO + encode_tlv(Tlv(TAG_USSD_SERVICE_OP, b"\1")) + b"\x14\x00\xff\xffabc"

        message = decode_message(DELIVER_SM, body)

        assert message.uint_tlv(TAG_USSD_SERVICE_OP) == 1
        assert message.short_message == "살려주세요".encode("cp949")
        assert message.faults == ("TLV 0x1400 has 3 of 65535 octets",)

    @pytest.mark.parametrize(
        ("tag", "value", "expected"),
        [
            (TAG_USSD_SERVICE_OP, b"\x12", 0x12),
            (TAG_USSD_SERVICE_OP, b"", None),
            (TAG_USSD_SERVICE_OP, b"\0\x12", None),
            (TAG_ITS_SESSION_INFO, b"\x01\x02", 0x0102),
            (TAG_ITS_SESSION_INFO, b"\x01", None),
            (0x1400, b"\x01\x02\x03\x04", 0x01020304),
            (0x1400, b"\x01\x02\x03", None),
        ],
    )
    def test_an_integer_is_believed_only_at_the_length_of_its_type(self, tag, value, expected):
        message = decode_message(DELIVER_SM, MO + encode_tlv(Tlv(tag, value)))

        assert message.uint_tlv(tag) == expected
        assert message.tlv(tag) == value

    def test_of_a_repeated_parameter_the_first_counts(self):
        repeated = encode_tlv(Tlv(TAG_USSD_SERVICE_OP, b"\1")) + encode_tlv(Tlv(TAG_USSD_SERVICE_OP, b"\2"))

        assert decode_message(DELIVER_SM, MO + repeated).uint_tlv(TAG_USSD_SERVICE_OP) == 1

    def test_message_payload_is_the_text_and_the_short_message_is_kept_beside_it(self):
        message = decode_message(DELIVER_SM, MO + encode_tlv(Tlv(TAG_MESSAGE_PAYLOAD, b"the long text")))

        assert message.short_message == b"the long text"
        assert message.unused_short_message == "살려주세요".encode("cp949")
        assert message.tlv(TAG_MESSAGE_PAYLOAD) == b"the long text"

    def test_an_empty_message_payload_is_no_text(self):
        message = decode_message(DELIVER_SM, MO + encode_tlv(Tlv(TAG_MESSAGE_PAYLOAD, b"")))

        assert message.short_message == "살려주세요".encode("cp949")

    @pytest.mark.parametrize("nothing", [b"\0", b"\0\0", b" ", b"\0 "])
    def test_one_that_says_nothing_displaces_no_words(self, nothing):
        message = decode_message(DELIVER_SM, MO + encode_tlv(Tlv(TAG_MESSAGE_PAYLOAD, nothing)))

        assert message.short_message == "살려주세요".encode("cp949")

    def test_a_message_payload_is_used_whole_wherever_it_is_repeated(self):
        def said(*values):
            tlvs = b"".join(encode_tlv(Tlv(TAG_MESSAGE_PAYLOAD, value)) for value in values)
            return decode_message(DELIVER_SM, MO + tlvs).short_message

        assert said(b"", b"words") == b"words"
        assert said(b"words", b"words") == b"words"
        assert said(b"words ", b"go on") == b"words go on"

    @pytest.mark.parametrize("behind", [b"", encode_tlv(Tlv(TAG_SAR_TOTAL_SEGMENTS, b"\3"))])
    def test_a_message_payload_whose_length_counts_its_own_header_gives_its_words(self, behind):
        body = MO + TAG_MESSAGE_PAYLOAD.to_bytes(2) + (4 + len(b"help me")).to_bytes(2) + b"help me" + behind

        message = decode_message(DELIVER_SM, body)

        assert message.short_message == b"help me"
        assert message.faults
        assert len(message.tlvs) == (2 if behind else 1)

    def test_all_parameters_may_count_their_headers(self):
        body = MO + b"\x02\x0c\0\6\x12\x34\x02\x0e\0\5\3\x02\x0f\0\5\2"

        assert decode_message(DELIVER_SM, body).sar == (0x1234, 3, 2)

    def test_a_message_payload_that_is_cut_off_gives_the_words_that_are_there(self):
        body = MO + b"\x04\x24\x01\x00" + b"help me he is"

        assert decode_message(DELIVER_SM, body).short_message == b"help me he is"

    @pytest.mark.parametrize("nuls", [1, 2, 3, 4, 7])
    def test_nuls_before_and_between_the_parameters_are_read_over(self, nuls):
        stray = bytes(nuls)
        sar = (
            Tlv(TAG_SAR_MSG_REF_NUM, b"\1\x2c"),
            Tlv(TAG_SAR_TOTAL_SEGMENTS, b"\2"),
            Tlv(TAG_SAR_SEGMENT_SEQNUM, b"\1"),
        )
        body = MO + stray + stray.join(map(encode_tlv, sar)) + stray

        message = decode_message(DELIVER_SM, body)

        assert message.sar == (0x012C, 2, 1)
        assert message.short_message == "살려주세요".encode("cp949")
        assert message.faults

    @pytest.mark.parametrize("nuls", [1, 2, 3])
    def test_nuls_before_a_message_payload_are_read_over(self, nuls):
        body = MO + bytes(nuls) + encode_tlv(Tlv(TAG_MESSAGE_PAYLOAD, b"help me"))

        assert decode_message(DELIVER_SM, body).short_message == b"help me"

    @pytest.mark.parametrize("behind", [b"", encode_tlv(Tlv(TAG_SAR_MSG_REF_NUM, b"\1\2")), b"\0"])
    @pytest.mark.parametrize("declared", [0, 1, 3, 9, 11, 14, 200])
    def test_an_sm_length_that_is_wrong_costs_neither_words_nor_parameters(self, declared, behind):
        words = "살려주세요".encode("utf-16-be")
        body = MO[: MO.index(b"\x0a\xbb")] + bytes((declared,)) + words + behind

        message = decode_message(DELIVER_SM, body)

        assert message.short_message.rstrip(b"\0") == words
        assert message.tlv(TAG_SAR_MSG_REF_NUM) == (b"\1\2" if len(behind) > 1 else None)
        assert message.faults or behind == b"\0"

    def test_a_damaged_parameter_is_no_text(self):
        message = decode_message(DELIVER_SM, MO + b"\x02\x04\0\2\1")

        assert message.short_message == "살려주세요".encode("cp949")

    @pytest.mark.parametrize("esm_class", [0x40, 0x00])
    def test_a_header_in_short_message_goes_before_the_words_in_message_payload(self, esm_class):
        header = b"\5\0\3\x0c\2\1"
        body = (
            b"\0\1\x01821012345678\0\0\x011122\0"
            + bytes((esm_class, 0, 0, 0, 0, 0, 0, 8, 0, len(header)))
            + header
            + encode_tlv(Tlv(TAG_MESSAGE_PAYLOAD, b"\0H\0I"))
        )

        message = decode_message(DELIVER_SM, body)

        assert (message.short_message, message.unused_short_message) == (header + b"\0H\0I", b"")

    def test_sar_needs_all_three_parameters(self):
        sar = [
            Tlv(TAG_SAR_MSG_REF_NUM, b"\x12\x34"),
            Tlv(TAG_SAR_TOTAL_SEGMENTS, b"\3"),
            Tlv(TAG_SAR_SEGMENT_SEQNUM, b"\2"),
        ]

        assert Message(DELIVER_SM, tlvs=tuple(sar)).sar == (0x1234, 3, 2)
        assert Message(DELIVER_SM, tlvs=tuple(sar[:2])).sar is None
        assert Message(DELIVER_SM, tlvs=(Tlv(TAG_SAR_MSG_REF_NUM, b"\x12"), *sar[1:])).sar is None
        assert Message(DELIVER_SM).sar is None


class TestDataSm:
    @given(data_sms())
    def test_the_text_of_a_data_sm_is_its_message_payload(self, case):
        body, text = case

        message = decode_message(DATA_SM, body)

        assert message.short_message == text
        assert message.faults == ()

    def test_every_field_of_a_data_sm_is_read(self):
        body = (
            b"USSD\0\1\1"
            + b"8" * 64
            + b"\0\2\3*112#\0\x40\1\x08"
            + encode_tlv(Tlv(TAG_MESSAGE_PAYLOAD, b"x"))
        )

        assert decode_message(DATA_SM, body) == Message(
            DATA_SM,
            "USSD",
            1,
            1,
            "8" * 64,
            2,
            3,
            "*112#",
            esm_class=0x40,
            registered_delivery=1,
            data_coding=8,
            short_message=b"x",
            tlvs=(Tlv(TAG_MESSAGE_PAYLOAD, b"x"),),
        )


class TestBind:
    BODY = b"skt\0secret\0\0\x34\1\1^112\0"

    def test_a_bind_is_read(self):
        bind = decode_bind(BIND_TRANSCEIVER, self.BODY)

        assert bind == (BIND_TRANSCEIVER, "skt", "secret", "", 0x34, 1, 1, "^112")

    @pytest.mark.parametrize("cut", range(len(b"skt\0secret\0")))
    def test_a_bind_cut_within_its_credentials_is_refused(self, cut):
        """Half a password may be the whole of another: what is compared has its NUL."""
        with pytest.raises(Malformed):
            decode_bind(BIND_TRANSCEIVER, self.BODY[:cut])

    @pytest.mark.parametrize(
        ("tail", "expected"),
        [
            (b"", ("", 0, 0, 0, "")),
            (b"VMA", ("VMA", 0, 0, 0, "")),
            (b"\0", ("", 0, 0, 0, "")),
            (b"\0\x34", ("", 0x34, 0, 0, "")),
            (b"\0\x34\1", ("", 0x34, 1, 0, "")),
            (b"\0\x34\1\1", ("", 0x34, 1, 1, "")),
            (b"\0\x34\1\1^112", ("", 0x34, 1, 1, "^112")),
            (b"system-type-14\0\x34\1\1" + b"1" * 50 + b"\0", ("system-type-14", 0x34, 1, 1, "1" * 50)),
        ],
    )
    def test_behind_its_credentials_a_bind_may_lack_its_end(self, tail, expected):
        assert decode_bind(BIND_TRANSCEIVER, b"skt\0secret\0" + tail)[1:] == ("skt", "secret", *expected)

    def test_a_password_longer_than_the_specification_is_taken_and_one_without_bound_is_not(self):
        assert decode_bind(BIND_TRANSCEIVER, self.BODY.replace(b"secret", b"s" * 64)).password == "s" * 64
        with pytest.raises(Malformed, match="password is longer"):
            decode_bind(BIND_TRANSCEIVER, self.BODY.replace(b"secret", b"s" * 65))

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            (b"", ("", None)),
            (b"MC\0", ("MC", None)),
            (b"MC", ("MC", None)),
            (b"MC\0\x02\x10\0\1\x34", ("MC", 0x34)),
            (b"MC\0\x02\x10\0\2\0\x34", ("MC", None)),
            (b"MC\0\x02\x10\0\xff\x34", ("MC", None)),
        ],
    )
    def test_the_answer_to_a_bind_may_lack_anything(self, body, expected):
        assert decode_bind_resp(body) == expected

    def test_an_outbind_is_read_whole_or_not_at_all(self):
        assert decode_outbind(b"MC\0pw\0") == ("MC", "pw")
        with pytest.raises(Malformed, match="password has no NUL"):
            decode_outbind(b"MC\0pw")


class TestOthers:
    @pytest.mark.parametrize(
        ("body", "message_id"),
        [(b"", ""), (b"\0", ""), (b"4F2a\0", "4F2a"), (b"4F2a", "4F2a"), (b"x" * 200 + b"\0", "x" * 200)],
    )
    def test_the_id_of_a_submit_resp_is_read_with_or_without_nul(self, body, message_id):
        assert decode_submit_resp(body).message_id == message_id

    def test_congestion_state_is_read_from_a_response(self):
        response = decode_submit_resp(b"id\0\x04\x28\0\1\x5a")

        assert response.uint_tlv(TAG_CONGESTION_STATE) == 90

    def test_an_alert_notification_is_read(self):
        alert = decode_alert_notification(b"\1\x01821012345678\0\0\x011122\0\x04\x22\0\1\0")

        assert alert == (1, 1, "821012345678", 0, 1, "1122", 0)

    def test_an_alert_notification_without_status_is_read_and_one_without_addresses_is_not(self):
        assert decode_alert_notification(b"\1\x01821012345678\0\0\x011122\0").ms_availability_status is None
        with pytest.raises(Malformed):
            decode_alert_notification(b"\1\x01821012345678\0\0")

    @given(st.binary(max_size=120))
    def test_responses_never_raise(self, body):
        decode_bind_resp(body)
        decode_submit_resp(body)


class TestEncoding:
    @pytest.mark.parametrize("command_id", [DELIVER_SM, DATA_SM, SUBMIT_SM])
    @pytest.mark.parametrize("sequence", [0, 1, 0xFFFFFFFF])
    def test_the_answer_to_a_message_is_17_octets_with_a_single_nul(self, command_id, sequence):
        response = encode_deliver_sm_resp(command_id, 0x14, sequence)

        assert PduStream().feed(response) == [Pdu(command_id | RESPONSE, 0x14, sequence, b"\0")]
        assert len(response) == 17

    def test_an_id_of_ours_goes_into_the_answer(self):
        (pdu,) = PduStream().feed(encode_deliver_sm_resp(SUBMIT_SM, 0, 9, "A1"))

        assert decode_submit_resp(pdu.body).message_id == "A1"

    @given(c_strings(64))
    def test_a_c_string_is_read_back(self, text):
        assert decode_submit_resp(encode_c_string(text, 65)) == (text, ())

    @pytest.mark.parametrize("text", ["x" * 65, "a\0b", "살"])
    def test_what_no_c_string_can_hold_is_refused(self, text):
        with pytest.raises(Malformed):
            encode_c_string(text, 65)

    def test_nothing_longer_than_a_pdu_is_made(self):
        assert len(encode_header(DATA_SM, 0, 1, b"\0" * (MAX_PDU - 16))) == MAX_PDU
        with pytest.raises(Malformed):
            encode_header(DATA_SM, 0, 1, b"\0" * (MAX_PDU - 15))
        with pytest.raises(Malformed):
            encode_tlv(Tlv(0x10000, b""))
        with pytest.raises(Malformed):
            encode_tlv(Tlv(1, b"\0" * 65_536))


class TestSilence:
    """Tracebacks and logs show values by ``repr``: it never holds a number, a text or a password."""

    @pytest.mark.parametrize(
        "value",
        [
            Pdu(DELIVER_SM, 0, 1, MO),
            decode_message(DELIVER_SM, MO + encode_tlv(Tlv(TAG_MESSAGE_PAYLOAD, b"secret"))),
            decode_bind(BIND_TRANSCEIVER, TestBind.BODY),
            decode_outbind(b"MC\0secret\0"),
            decode_alert_notification(b"\1\x01821012345678\0\0\x011122\0"),
        ],
    )
    def test_a_value_shows_nothing_personal(self, value):
        shown = repr(value)

        assert type(value).__name__ in shown
        assert not any(word in shown for word in ("8210", "secret", "\\xbb", "살려"))


def test_names_of_commands_and_statuses_lead_there_and_back():
    assert constants.COMMAND_NAMES[0x80000005] == "deliver_sm_resp"
    assert constants.COMMAND_NAMES[0x80000000] == "generic_nack"
    assert command_name(0x00000ABC) == "command 0x00000abc"
    assert constants.STATUS_BY_NAME["ESME_RMSGQFUL"] == 0x14
    assert constants.STATUS_NAMES[0x64] == "ESME_RX_T_APPN"
    assert len(constants.STATUS_NAMES) == len(constants.STATUS_BY_NAME)
    assert len(constants.COMMAND_IDS) == len(constants.COMMAND_NAMES)
