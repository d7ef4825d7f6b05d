"""The numbers of SMPP 3.3, 3.4 and 5.0, under the names the specification gives them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# Framing. The header is four 32-bit words (SMPP 3.4 clause 3.2).
MIN_PDU: Final = 16
MAX_PDU: Final = 131_072
"""Octets of a PDU that are read, header included, and the longest PDU we send.

The specification sets no limit. A message_payload of 65,535 octets (clause 5.3.2.32) and as much again of others fit.
"""
MAX_COMMAND_LENGTH: Final = 4 * 1024 * 1024
"""A longer PDU is no PDU: the place in the stream is lost. What is longer than `MAX_PDU` is read in part."""
MAX_SEQUENCE: Final = 0x7FFFFFFF
"""SMPP 3.4 clause 5.1.4; peers are known to send 0 and more than this, which is accepted from them."""

# Command ids (SMPP 3.4 clause 5.1.2.1, SMPP 5.0 clause 4.7.5). A response has the top bit set.
RESPONSE: Final = 0x80000000
GENERIC_NACK: Final = 0x80000000
BIND_RECEIVER: Final = 0x00000001
BIND_TRANSMITTER: Final = 0x00000002
QUERY_SM: Final = 0x00000003
SUBMIT_SM: Final = 0x00000004
DELIVER_SM: Final = 0x00000005
UNBIND: Final = 0x00000006
REPLACE_SM: Final = 0x00000007
CANCEL_SM: Final = 0x00000008
BIND_TRANSCEIVER: Final = 0x00000009
OUTBIND: Final = 0x0000000B
ENQUIRE_LINK: Final = 0x00000015
SUBMIT_MULTI: Final = 0x00000021
ALERT_NOTIFICATION: Final = 0x00000102
DATA_SM: Final = 0x00000103
BROADCAST_SM: Final = 0x00000111
QUERY_BROADCAST_SM: Final = 0x00000112
CANCEL_BROADCAST_SM: Final = 0x00000113

WITHOUT_RESPONSE: Final = frozenset({OUTBIND, ALERT_NOTIFICATION})
"""Requests that are never answered (SMPP 3.4 clauses 4.1.7 and 4.12)."""

_REQUEST_NAMES: Final = {
    BIND_RECEIVER: "bind_receiver",
    BIND_TRANSMITTER: "bind_transmitter",
    QUERY_SM: "query_sm",
    SUBMIT_SM: "submit_sm",
    DELIVER_SM: "deliver_sm",
    UNBIND: "unbind",
    REPLACE_SM: "replace_sm",
    CANCEL_SM: "cancel_sm",
    BIND_TRANSCEIVER: "bind_transceiver",
    OUTBIND: "outbind",
    ENQUIRE_LINK: "enquire_link",
    SUBMIT_MULTI: "submit_multi",
    ALERT_NOTIFICATION: "alert_notification",
    DATA_SM: "data_sm",
    BROADCAST_SM: "broadcast_sm",
    QUERY_BROADCAST_SM: "query_broadcast_sm",
    CANCEL_BROADCAST_SM: "cancel_broadcast_sm",
}

COMMAND_NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        **_REQUEST_NAMES,
        **{
            command_id | RESPONSE: f"{name}_resp"
            for command_id, name in _REQUEST_NAMES.items()
            if command_id not in WITHOUT_RESPONSE
        },
        GENERIC_NACK: "generic_nack",
    }
)
"""Command ids, requests and responses, to the names of the specification."""

COMMAND_IDS: Final[Mapping[str, int]] = MappingProxyType(
    {name: command_id for command_id, name in COMMAND_NAMES.items()}
)

# interface_version of a bind (SMPP 3.4 clause 5.2.4).
VERSION_3_3: Final = 0x33
VERSION_3_4: Final = 0x34
VERSION_5_0: Final = 0x50

# command_status (SMPP 3.4 clause 5.1.3; those from 0x0100 on: SMPP 5.0 clause 4.7.6).
ESME_ROK: Final = 0x00000000
ESME_RINVMSGLEN: Final = 0x00000001
ESME_RINVCMDLEN: Final = 0x00000002
ESME_RINVCMDID: Final = 0x00000003
ESME_RINVBNDSTS: Final = 0x00000004
ESME_RALYBND: Final = 0x00000005
ESME_RINVPRTFLG: Final = 0x00000006
ESME_RINVREGDLVFLG: Final = 0x00000007
ESME_RSYSERR: Final = 0x00000008
ESME_RINVSRCADR: Final = 0x0000000A
ESME_RINVDSTADR: Final = 0x0000000B
ESME_RINVMSGID: Final = 0x0000000C
ESME_RBINDFAIL: Final = 0x0000000D
ESME_RINVPASWD: Final = 0x0000000E
ESME_RINVSYSID: Final = 0x0000000F
ESME_RCANCELFAIL: Final = 0x00000011
ESME_RREPLACEFAIL: Final = 0x00000013
ESME_RMSGQFUL: Final = 0x00000014
ESME_RINVSERTYP: Final = 0x00000015
ESME_RINVNUMDESTS: Final = 0x00000033
ESME_RINVDLNAME: Final = 0x00000034
ESME_RINVDESTFLAG: Final = 0x00000040
ESME_RINVSUBREP: Final = 0x00000042
ESME_RINVESMCLASS: Final = 0x00000043
ESME_RCNTSUBDL: Final = 0x00000044
ESME_RSUBMITFAIL: Final = 0x00000045
ESME_RINVSRCTON: Final = 0x00000048
ESME_RINVSRCNPI: Final = 0x00000049
ESME_RINVDSTTON: Final = 0x00000050
ESME_RINVDSTNPI: Final = 0x00000051
ESME_RINVSYSTYP: Final = 0x00000053
ESME_RINVREPFLAG: Final = 0x00000054
ESME_RINVNUMMSGS: Final = 0x00000055
ESME_RTHROTTLED: Final = 0x00000058
ESME_RINVSCHED: Final = 0x00000061
ESME_RINVEXPIRY: Final = 0x00000062
ESME_RINVDFTMSGID: Final = 0x00000063
ESME_RX_T_APPN: Final = 0x00000064
ESME_RX_P_APPN: Final = 0x00000065
ESME_RX_R_APPN: Final = 0x00000066
ESME_RQUERYFAIL: Final = 0x00000067
ESME_RINVOPTPARSTREAM: Final = 0x000000C0
ESME_ROPTPARNOTALLWD: Final = 0x000000C1
ESME_RINVPARLEN: Final = 0x000000C2
ESME_RMISSINGOPTPARAM: Final = 0x000000C3
ESME_RINVOPTPARAMVAL: Final = 0x000000C4
ESME_RDELIVERYFAILURE: Final = 0x000000FE
ESME_RUNKNOWNERR: Final = 0x000000FF
ESME_RSERTYPUNAUTH: Final = 0x00000100
ESME_RPROHIBITED: Final = 0x00000101
ESME_RSERTYPUNAVAIL: Final = 0x00000102
ESME_RSERTYPDENIED: Final = 0x00000103
ESME_RINVDCS: Final = 0x00000104
ESME_RINVSRCADDRSUBUNIT: Final = 0x00000105
ESME_RINVDSTADDRSUBUNIT: Final = 0x00000106
ESME_RINVBCASTFREQINT: Final = 0x00000107
ESME_RINVBCASTALIAS_NAME: Final = 0x00000108
ESME_RINVBCASTAREAFMT: Final = 0x00000109
ESME_RINVNUMBCAST_AREAS: Final = 0x0000010A
ESME_RINVBCASTCNTTYPE: Final = 0x0000010B
ESME_RINVBCASTMSGCLASS: Final = 0x0000010C
ESME_RBCASTFAIL: Final = 0x0000010D
ESME_RBCASTQUERYFAIL: Final = 0x0000010E
ESME_RBCASTCANCELFAIL: Final = 0x0000010F
ESME_RINVBCAST_REP: Final = 0x00000110
ESME_RINVBCASTSRVGRP: Final = 0x00000111
ESME_RINVBCASTCHANIND: Final = 0x00000112

STATUS_BY_NAME: Final[Mapping[str, int]] = MappingProxyType(
    {name: value for name, value in list(globals().items()) if name.startswith("ESME_")}
)
STATUS_NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {value: name for name, value in STATUS_BY_NAME.items()}
)
"""Statuses to their names; a status that is not in it is the carrier's own (0x0400 to 0x04FF are for that)."""

# Tags of optional parameters (SMPP 3.4 clause 5.3.2, SMPP 5.0 clause 4.8.4).
TAG_DEST_ADDR_SUBUNIT: Final = 0x0005
TAG_DEST_NETWORK_TYPE: Final = 0x0006
TAG_DEST_BEARER_TYPE: Final = 0x0007
TAG_DEST_TELEMATICS_ID: Final = 0x0008
TAG_SOURCE_ADDR_SUBUNIT: Final = 0x000D
TAG_SOURCE_NETWORK_TYPE: Final = 0x000E
TAG_SOURCE_BEARER_TYPE: Final = 0x000F
TAG_SOURCE_TELEMATICS_ID: Final = 0x0010
TAG_QOS_TIME_TO_LIVE: Final = 0x0017
TAG_PAYLOAD_TYPE: Final = 0x0019
TAG_ADDITIONAL_STATUS_INFO_TEXT: Final = 0x001D
TAG_RECEIPTED_MESSAGE_ID: Final = 0x001E
TAG_MS_MSG_WAIT_FACILITIES: Final = 0x0030
TAG_PRIVACY_INDICATOR: Final = 0x0201
TAG_SOURCE_SUBADDRESS: Final = 0x0202
TAG_DEST_SUBADDRESS: Final = 0x0203
TAG_USER_MESSAGE_REFERENCE: Final = 0x0204
TAG_USER_RESPONSE_CODE: Final = 0x0205
TAG_SOURCE_PORT: Final = 0x020A
TAG_DESTINATION_PORT: Final = 0x020B
TAG_SAR_MSG_REF_NUM: Final = 0x020C
TAG_LANGUAGE_INDICATOR: Final = 0x020D
TAG_SAR_TOTAL_SEGMENTS: Final = 0x020E
TAG_SAR_SEGMENT_SEQNUM: Final = 0x020F
TAG_SC_INTERFACE_VERSION: Final = 0x0210
TAG_CALLBACK_NUM_PRES_IND: Final = 0x0302
TAG_CALLBACK_NUM_ATAG: Final = 0x0303
TAG_NUMBER_OF_MESSAGES: Final = 0x0304
TAG_CALLBACK_NUM: Final = 0x0381
TAG_DPF_RESULT: Final = 0x0420
TAG_SET_DPF: Final = 0x0421
TAG_MS_AVAILABILITY_STATUS: Final = 0x0422
TAG_NETWORK_ERROR_CODE: Final = 0x0423
TAG_MESSAGE_PAYLOAD: Final = 0x0424
TAG_DELIVERY_FAILURE_REASON: Final = 0x0425
TAG_MORE_MESSAGES_TO_SEND: Final = 0x0426
TAG_MESSAGE_STATE: Final = 0x0427
TAG_CONGESTION_STATE: Final = 0x0428
TAG_USSD_SERVICE_OP: Final = 0x0501
TAG_DISPLAY_TIME: Final = 0x1201
TAG_SMS_SIGNAL: Final = 0x1203
TAG_MS_VALIDITY: Final = 0x1204
TAG_ALERT_ON_MESSAGE_DELIVERY: Final = 0x130C
TAG_ITS_REPLY_TYPE: Final = 0x1380
TAG_ITS_SESSION_INFO: Final = 0x1383
FIRST_VENDOR_TAG: Final = 0x1400
LAST_VENDOR_TAG: Final = 0x3FFF

TAGS: Final = frozenset(value for name, value in list(globals().items()) if name.startswith("TAG_"))
"""The tags of the specification."""

UINT_TLV_OCTETS: Final[Mapping[int, int]] = MappingProxyType(
    {
        TAG_DEST_ADDR_SUBUNIT: 1,
        TAG_DEST_NETWORK_TYPE: 1,
        TAG_DEST_BEARER_TYPE: 1,
        TAG_DEST_TELEMATICS_ID: 2,
        TAG_SOURCE_ADDR_SUBUNIT: 1,
        TAG_SOURCE_NETWORK_TYPE: 1,
        TAG_SOURCE_BEARER_TYPE: 1,
        TAG_SOURCE_TELEMATICS_ID: 1,
        TAG_QOS_TIME_TO_LIVE: 4,
        TAG_PAYLOAD_TYPE: 1,
        TAG_MS_MSG_WAIT_FACILITIES: 1,
        TAG_PRIVACY_INDICATOR: 1,
        TAG_USER_MESSAGE_REFERENCE: 2,
        TAG_USER_RESPONSE_CODE: 1,
        TAG_SOURCE_PORT: 2,
        TAG_DESTINATION_PORT: 2,
        TAG_SAR_MSG_REF_NUM: 2,
        TAG_LANGUAGE_INDICATOR: 1,
        TAG_SAR_TOTAL_SEGMENTS: 1,
        TAG_SAR_SEGMENT_SEQNUM: 1,
        TAG_SC_INTERFACE_VERSION: 1,
        TAG_CALLBACK_NUM_PRES_IND: 1,
        TAG_NUMBER_OF_MESSAGES: 1,
        TAG_DPF_RESULT: 1,
        TAG_SET_DPF: 1,
        TAG_MS_AVAILABILITY_STATUS: 1,
        TAG_DELIVERY_FAILURE_REASON: 1,
        TAG_MORE_MESSAGES_TO_SEND: 1,
        TAG_MESSAGE_STATE: 1,
        TAG_CONGESTION_STATE: 1,
        TAG_USSD_SERVICE_OP: 1,
        TAG_DISPLAY_TIME: 1,
        TAG_SMS_SIGNAL: 2,
        TAG_MS_VALIDITY: 1,
        TAG_ITS_REPLY_TYPE: 1,
        TAG_ITS_SESSION_INFO: 2,
    }
)
"""Octets of the value of each integer parameter: a value of another length is not believed."""

# esm_class (SMPP 3.4 clause 5.2.12). In deliver_sm bits 1-0 mean nothing; bits 5-2 are one value, not flags.
ESM_TYPE_MASK: Final = 0x3C
ESM_TYPE_DEFAULT: Final = 0x00
ESM_TYPE_MC_RECEIPT: Final = 0x04
ESM_TYPE_SME_DELIVERY_ACK: Final = 0x08
ESM_TYPE_SME_USER_ACK: Final = 0x10
ESM_TYPE_CONVERSATION_ABORT: Final = 0x18
"""Korean CDMA: ends an interactive session. Testing single bits would read it as a receipt."""
ESM_TYPE_INTERMEDIATE: Final = 0x20
ESM_UDHI: Final = 0x40
ESM_REPLY_PATH: Final = 0x80

# Type of number and numbering plan (SMPP 3.4 clauses 5.2.5 and 5.2.6).
TON_UNKNOWN: Final = 0
TON_INTERNATIONAL: Final = 1
TON_NATIONAL: Final = 2
TON_NETWORK_SPECIFIC: Final = 3
TON_SUBSCRIBER: Final = 4
TON_ALPHANUMERIC: Final = 5
TON_ABBREVIATED: Final = 6
NPI_UNKNOWN: Final = 0
NPI_E164: Final = 1
NPI_NATIONAL: Final = 8
NPI_PRIVATE: Final = 9

# data_coding that we send (SMPP 3.4 clause 5.2.19); what others send is read in text.py.
DATA_CODING_DEFAULT: Final = 0x00
DATA_CODING_UCS2: Final = 0x08
DATA_CODING_KS_C_5601: Final = 0x0E

# registered_delivery (SMPP 3.4 clause 5.2.17).
RECEIPT_FINAL: Final = 0x01
"""A receipt on final success or failure."""

# Sizes of C-strings, their NUL included (SMPP 3.4 clauses 4.1, 4.4 and 4.7).
SYSTEM_ID_OCTETS: Final = 16
PASSWORD_OCTETS: Final = 9
SYSTEM_TYPE_OCTETS: Final = 13
ADDRESS_RANGE_OCTETS: Final = 41
SERVICE_TYPE_OCTETS: Final = 6
ADDRESS_OCTETS: Final = 21
TIME_OCTETS: Final = 17
DATA_SM_ADDRESS_OCTETS: Final = 65
MESSAGE_ID_OCTETS: Final = 65
SHORT_MESSAGE_OCTETS: Final = 254
"""Longest short_message; longer text travels in message_payload."""
