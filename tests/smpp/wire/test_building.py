"""Building PDUs: what is asked for is on the wire, and what does not fit is refused."""

from __future__ import annotations

import pytest
from hypothesis import given

from telephony.domain.errors import Malformed
from telephony.smpp.wire.building import build
from telephony.smpp.wire.codec import (
    PduStream,
    decode_bind,
    decode_bind_resp,
    decode_message,
    decode_outbind,
    decode_submit_resp,
)
from telephony.smpp.wire.constants import (
    BIND_TRANSCEIVER,
    DATA_SM,
    ENQUIRE_LINK,
    GENERIC_NACK,
    TAG_MESSAGE_PAYLOAD,
    TAG_SC_INTERFACE_VERSION,
    TAG_USSD_SERVICE_OP,
)
from telephony.smpp.wire.pdus import Pdu, Tlv
from tests.smpp.strategies import messages


def read(octets) -> Pdu:
    """Read back the one PDU that was built; its length must be true."""
    stream = PduStream()
    (pdu,) = stream.feed(octets)
    assert not stream._held
    return pdu


@given(messages)
def test_every_field_of_a_message_is_on_the_wire(fields):
    command = {4: "submit_sm", 5: "deliver_sm"}[fields.command_id]
    values = {
        "service_type": fields.service_type,
        "source_addr_ton": fields.source_ton,
        "source_addr_npi": fields.source_npi,
        "source_addr": fields.source,
        "dest_addr_ton": fields.dest_ton,
        "dest_addr_npi": fields.dest_npi,
        "destination_addr": fields.destination,
        "schedule_delivery_time": fields.schedule_delivery_time,
        "validity_period": fields.validity_period,
        **{
            name: getattr(fields, name)
            for name in (
                "esm_class",
                "protocol_id",
                "priority_flag",
                "registered_delivery",
                "replace_if_present_flag",
                "data_coding",
                "sm_default_msg_id",
                "short_message",
            )
        },
    }

    pdu = read(build(command, 77, tlvs=fields.tlvs, **values))

    assert pdu == Pdu(fields.command_id, 0, 77, fields.body())


def test_strings_may_be_bytes():
    text = build("submit_sm", 1, source_addr="1122", destination_addr="caf\xe9", short_message=b"x")

    assert build("submit_sm", 1, source_addr=b"1122", destination_addr=b"caf\xe9", short_message=b"x") == text


def test_fields_that_are_not_given_are_nul():
    assert read(build("deliver_sm", 1)).body == b"\0" * 17


@pytest.mark.parametrize("sequence", [0, 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_the_sequence_number_is_the_one_asked_for(sequence):
    assert read(build("enquire_link", sequence)) == Pdu(ENQUIRE_LINK, 0, sequence, b"")
    assert read(build("submit_sm", sequence)).sequence == sequence


@pytest.mark.parametrize("command", ["bind_transceiver", "bind_receiver", "bind_transmitter"])
@pytest.mark.parametrize("version", [0x33, 0x34, 0x50])
def test_a_bind_says_the_version_it_is_told(command, version):
    pdu = read(
        build(
            command,
            1,
            system_id="onetouch",
            password="secret12",
            system_type="SOS",
            interface_version=version,
            addr_ton=1,
            addr_npi=1,
            address_range="^112",
        )
    )

    bind = decode_bind(BIND_TRANSCEIVER, pdu.body)
    assert bind[1:] == ("onetouch", "secret12", "SOS", version, 1, 1, "^112")


def test_a_bind_without_a_version_is_3_4():
    assert decode_bind(BIND_TRANSCEIVER, read(build("bind_receiver", 1)).body).interface_version == 0x34


def test_responses_carry_their_status_and_parameters():
    version = Tlv(TAG_SC_INTERFACE_VERSION, b"\x34")

    pdu = read(build("bind_transceiver_resp", 9, status=0x0E, tlvs=(version,), system_id="MC"))

    assert (pdu.name, pdu.status, pdu.sequence) == ("bind_transceiver_resp", 0x0E, 9)
    assert decode_bind_resp(pdu.body) == ("MC", 0x34)
    assert decode_submit_resp(read(build("submit_sm_resp", 2, message_id="4F2A")).body).message_id == "4F2A"
    assert read(build("generic_nack", 0, status=2)) == Pdu(GENERIC_NACK, 2, 0, b"")


def test_any_optional_parameter_goes_out_even_those_smpplib_does_not_know():
    tlvs = (
        Tlv(TAG_USSD_SERVICE_OP, b"\x11"),
        Tlv(0x1400, b"vendor"),
        Tlv(TAG_MESSAGE_PAYLOAD, b"x" * 60_000),
    )

    pdu = read(build("data_sm", 1, tlvs=tlvs, destination_addr="1122"))

    assert decode_message(DATA_SM, pdu.body).tlvs == tlvs


def test_an_outbind_which_smpplib_cannot_build_is_built():
    pdu = read(build("outbind", 3, system_id="MC", password=b"pw"))

    assert pdu.name == "outbind"
    assert decode_outbind(pdu.body) == ("MC", "pw")


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        ("submit_sm", {"source_addr": "8" * 21}),
        ("submit_sm", {"source_addr": "12\x003"}),
        ("submit_sm", {"source_addr": "살"}),
        ("submit_sm", {"short_message": b"x" * 255}),
        ("submit_sm", {"data_coding": 256}),
        ("submit_sm", {"data_coding": -1}),
        ("submit_sm", {"service_type": "TOOLONG"}),
        ("bind_receiver", {"password": "123456789"}),
        ("bind_receiver", {"system_id": "x" * 16}),
        ("outbind", {"password": "123456789"}),
        ("query_sm", {}),
        ("submit_multi", {}),
        ("no_such_command", {}),
    ],
)
def test_what_does_not_fit_is_refused_and_never_cut(command, fields):
    with pytest.raises(Malformed):
        build(command, 1, **fields)


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        ("submit_sm", {"sourceaddr": "1122"}),
        ("submit_sm", {"sm_length": 3}),
        ("submit_sm", {"message_payload": b"x"}),
        ("enquire_link", {"system_id": "x"}),
        ("outbind", {"system_type": "x"}),
        ("submit_sm", {"source_addr": 112}),
        ("submit_sm", {"data_coding": "8"}),
        ("submit_sm", {"short_message": "text"}),
    ],
)
def test_a_misspelt_field_or_a_wrong_type_is_an_error_of_ours(command, fields):
    with pytest.raises(TypeError):
        build(command, 1, **fields)


@pytest.mark.parametrize(("sequence", "status"), [(-1, 0), (0x100000000, 0), (1, -1), (1, 0x100000000)])
def test_a_header_that_does_not_fit_is_refused(sequence, status):
    with pytest.raises(Malformed):
        build("enquire_link", sequence, status=status)
