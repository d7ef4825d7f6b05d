"""On well-formed PDUs our decoder and smpplib's agree, no matter which side built them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from smpplib import consts, smpp

from telephony.smpp.wire.building import build
from telephony.smpp.wire.codec import (
    PduStream,
    decode_alert_notification,
    decode_bind,
    decode_bind_resp,
    decode_message,
    decode_submit_resp,
)
from telephony.smpp.wire.constants import TAG_MS_AVAILABILITY_STATUS, TAG_SC_INTERFACE_VERSION
from telephony.smpp.wire.pdus import Tlv
from tests.smpp.strategies import c_strings, octet

MESSAGE_FIELDS = {
    "service_type": c_strings(5),
    "source_addr_ton": octet,
    "source_addr_npi": octet,
    "source_addr": c_strings(20),
    "dest_addr_ton": octet,
    "dest_addr_npi": octet,
    "destination_addr": c_strings(20),
    "esm_class": octet,
    "registered_delivery": octet,
    "data_coding": octet,
}
SHORT_MESSAGE_FIELDS = {
    **MESSAGE_FIELDS,
    "protocol_id": octet,
    "priority_flag": octet,
    "schedule_delivery_time": c_strings(16),
    "validity_period": c_strings(16),
    "replace_if_present_flag": octet,
    "sm_default_msg_id": octet,
    "short_message": st.binary(max_size=254),
}
BIND_FIELDS = {
    "system_id": c_strings(15),
    "password": c_strings(8),
    "system_type": c_strings(12),
    "interface_version": octet,
    "addr_ton": octet,
    "addr_npi": octet,
    "address_range": c_strings(40),
}
# Optional parameters that smpplib knows in deliver_sm and reads at their true length.
UINTS = {
    "user_message_reference": 2,
    "source_port": 2,
    "destination_port": 2,
    "sar_msg_ref_num": 2,
    "sar_total_segments": 1,
    "sar_segment_seqnum": 1,
    "user_response_code": 1,
    "privacy_indicator": 1,
    "payload_type": 1,
    "language_indicator": 1,
    "its_session_info": 2,
    "message_state": 1,
    "more_messages_to_send": 1,
}
uint_tlvs = st.lists(st.sampled_from(sorted(UINTS)), unique=True, max_size=5).flatmap(
    lambda names: st.fixed_dictionaries({name: st.integers(0, 256 ** UINTS[name] - 1) for name in names})
)
NAMES = {
    "source_addr_ton": "source_ton",
    "source_addr_npi": "source_npi",
    "source_addr": "source",
    "dest_addr_ton": "dest_ton",
    "dest_addr_npi": "dest_npi",
    "destination_addr": "destination",
    "addr_ton": "address_ton",
    "addr_npi": "address_npi",
}
UNKEPT = {"schedule_delivery_time", "validity_period", "replace_if_present_flag", "sm_default_msg_id"}


class Sequence:
    sequence = 0

    def next_sequence(self):
        return 0


def frame(octets):
    (pdu,) = PduStream().feed(octets)
    return pdu


def assert_agree(ours, octets, names):
    """Our value and smpplib's parse of the same octets hold the same in these fields of the specification."""
    theirs = smpp.parse_pdu(octets, client=Sequence())
    for name in names:
        value = getattr(theirs, name)
        mine = getattr(ours, NAMES.get(name, name))
        if isinstance(mine, str):
            value = (value or b"").decode("latin-1")
        elif isinstance(mine, bytes):
            value = value or b""
        assert mine == value, name


def built_by_smpplib(command, fields):
    pdu = smpp.make_pdu(command, client=Sequence())
    for name, value in fields.items():
        setattr(pdu, name, value)
    pdu.sequence = 7
    return pdu.generate()


@given(st.sampled_from(("deliver_sm", "submit_sm")), st.fixed_dictionaries(SHORT_MESSAGE_FIELDS))
def test_messages_we_build(command, fields):
    octets = build(command, 7, **fields)
    pdu = frame(octets)

    message = decode_message(pdu.command_id, pdu.body)

    assert message.faults == ()
    assert_agree(message, octets, fields.keys() - UNKEPT)


@given(st.fixed_dictionaries(SHORT_MESSAGE_FIELDS), uint_tlvs)
def test_messages_smpplib_builds_with_their_optional_parameters(fields, uints):
    octets = built_by_smpplib("deliver_sm", fields | uints)
    pdu = frame(octets)

    message = decode_message(pdu.command_id, pdu.body)

    assert message.faults == ()
    assert_agree(message, octets, fields.keys() - UNKEPT)
    theirs = smpp.parse_pdu(octets, client=Sequence())
    assert {name: message.uint_tlv(consts.OPTIONAL_PARAMS[name]) for name in uints} == uints
    assert {name: getattr(theirs, name) for name in uints} == uints


@given(st.fixed_dictionaries(MESSAGE_FIELDS), st.binary(min_size=1, max_size=300))
def test_data_sm_with_its_payload(fields, payload):
    octets = built_by_smpplib("data_sm", fields | {"message_payload": payload})
    pdu = frame(octets)

    message = decode_message(pdu.command_id, pdu.body)

    assert message.short_message == payload
    assert_agree(message, octets, fields)


@given(
    st.sampled_from(("bind_receiver", "bind_transmitter", "bind_transceiver")),
    st.fixed_dictionaries(BIND_FIELDS),
    st.booleans(),
)
def test_binds(command, fields, by_us):
    octets = build(command, 7, **fields) if by_us else built_by_smpplib(command, fields)
    pdu = frame(octets)

    assert_agree(decode_bind(pdu.command_id, pdu.body), octets, fields)


@given(c_strings(15), st.none() | octet)
def test_answers_to_binds(system_id, version):
    tlvs = () if version is None else (Tlv(TAG_SC_INTERFACE_VERSION, bytes((version,))),)
    octets = build("bind_transceiver_resp", 7, tlvs=tlvs, system_id=system_id)

    assert_agree(decode_bind_resp(frame(octets).body), octets, ("system_id", "sc_interface_version"))


@given(st.sampled_from(("submit_sm_resp", "deliver_sm_resp", "data_sm_resp")), c_strings(64))
def test_answers_to_messages(command, message_id):
    octets = built_by_smpplib(command, {"message_id": message_id})

    assert_agree(decode_submit_resp(frame(octets).body), octets, ("message_id",))


@given(c_strings(20), c_strings(20), st.none() | octet)
def test_alert_notifications(source, esme, status):
    tlvs = () if status is None else (Tlv(TAG_MS_AVAILABILITY_STATUS, bytes((status,))),)
    octets = build("alert_notification", 7, tlvs=tlvs, source_addr=source, esme_addr=esme)

    alert = decode_alert_notification(frame(octets).body)

    theirs = smpp.parse_pdu(octets, client=Sequence())
    assert (alert.source, alert.esme) == (source, esme)
    assert (theirs.source_addr.decode("latin-1"), theirs.esme_addr.decode("latin-1")) == (source, esme)
    assert alert.ms_availability_status == theirs.ms_availability_status == status


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
def test_headers(status, sequence):
    octets = build("submit_sm_resp", sequence, status=status)
    theirs = smpp.parse_pdu(octets, client=Sequence())

    assert (frame(octets).status, frame(octets).sequence) == (theirs.status, theirs.sequence)
