"""Profiles of known USSD gateways: where the code is, what names the session, how a dialogue is ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from types import MappingProxyType
from typing import Final, Literal, get_args

from telephony.domain.ussd import UssdMessage
from telephony.ussd.service_op import (
    END_OF_SESSION,
    PSSR_RESPONSE,
    SESSION_INFO_OCTETS,
    UNIT,
    USSR_REQUEST,
    VENDOR_RELEASE,
)

ProfileName = Literal["generic", "korits", "tata", "sixdee", "mica", "service-op", "huawei", "nowsms"]

SERVICE_TYPE: Final = "USSD"

_LONGEST_NAME_OCTETS: Final = 16
"""A longer name of a dialogue is remembered by its digest: a parameter may have 65,535 octets."""


class Place(Enum):
    """Where a gateway writes the dialled string."""

    TEXT = "short_message or message_payload"
    DESTINATION = "destination_addr"


class SessionId(Enum):
    """The field that tells one dialogue of a phone from its next."""

    ITS_15_BITS = "its_session_info without its lowest bit"
    ITS_NUMBER = "first octet of its_session_info"
    REFERENCE = "user_message_reference"
    NONE = "nothing"


@dataclass(frozen=True, slots=True)
class Profile:
    """The behaviour of one kind of gateway. Where a named parameter does not come, the dialogue has no session id."""

    name: ProfileName
    places: tuple[Place, ...] = (Place.TEXT, Place.DESTINATION)
    """In this order the dialled string is looked for; of two strings the first that is a code of ours counts."""
    session_ids: tuple[SessionId, ...] = ()
    end: int = PSSR_RESPONSE
    """Operation of the text that ends the dialogue."""
    ask: int = USSR_REQUEST
    """Operation of a page that is to be answered."""
    releases: frozenset[int] = frozenset({VENDOR_RELEASE})
    service_types: frozenset[str] = frozenset({SERVICE_TYPE})
    """By one of these a message is USSD also without ussd_service_op."""
    session_info_is_enough: bool = False
    """its_session_info alone makes a message one of a dialogue."""
    counts_units: bool = False
    """The second octet of its_session_info counts the units of a dialogue, in steps of 2 (SMPP 3.4 clause 5.3.2.43)."""
    uses_cbs_codings: bool | None = None
    """How the alphabet of our text is named; ``None``: as the gateway named that of its message."""

    def is_sure(self, message: UssdMessage) -> bool:
        """Whether an answer will end a dialogue: sent to a gateway that sees a message, it would arrive as one."""
        return (
            message.operation is not None
            or message.service_type.upper() in self.service_types
            or (self.session_info_is_enough and message.session_info is not None)
        )

    def info_of_page(self, session_info: bytes) -> bytes:
        """Return its_session_info of a page that is to be answered: the end bit clear, and the next unit if counted."""
        if not self._has_end_bit(session_info):
            return session_info
        number, unit = session_info
        if self.counts_units:
            unit = (unit + UNIT) & 0xFF
        return bytes((number, unit & ~END_OF_SESSION))

    def info_of_end(self, session_info: bytes) -> bytes:
        """Return its_session_info of the text that ends the dialogue: the end bit set."""
        if not self._has_end_bit(session_info):
            return session_info
        number, unit = session_info
        return bytes((number, unit | END_OF_SESSION))

    def _has_end_bit(self, session_info: bytes) -> bool:
        """Whether the gateway means its_session_info as the specification does; otherwise it goes back as it came."""
        return len(session_info) == SESSION_INFO_OCTETS and not {
            SessionId.ITS_15_BITS,
            SessionId.ITS_NUMBER,
        }.isdisjoint(self.session_ids)

    def is_later_unit(self, message: UssdMessage) -> bool:
        """Whether the count of units says: no first message. Such a gateway may send no operation."""
        info = message.session_info
        return self.counts_units and info is not None and len(info) == SESSION_INFO_OCTETS and info[1] >= UNIT

    def session_of(self, message: UssdMessage) -> str:
        """Return the name of the dialogue, empty where the gateway gives none."""
        info, reference = message.session_info, message.message_reference
        is_usual = info is not None and len(info) == SESSION_INFO_OCTETS
        for kind in self.session_ids:
            if kind is SessionId.REFERENCE and reference:
                return "r" + _name(reference)
            if kind is SessionId.ITS_15_BITS and info:
                return "s" + _name(bytes((info[0], info[1] & ~END_OF_SESSION)) if is_usual else info)
            if kind is SessionId.ITS_NUMBER and info:
                return "n" + _name(info[:1] if is_usual else info)
        return ""


def _name(octets: bytes) -> str:
    if len(octets) > _LONGEST_NAME_OCTETS:
        return blake2b(octets, digest_size=_LONGEST_NAME_OCTETS).hexdigest()
    return octets.hex()


_LISTED: Final = (
    Profile("generic", session_ids=(SessionId.ITS_15_BITS, SessionId.REFERENCE)),
    # its_session_info was made for the Korean interactive teleservice: session number, then a count of the units.
    Profile("korits", session_ids=(SessionId.ITS_NUMBER,), session_info_is_enough=True, counts_units=True),
    # Ends with USSR request and the end bit; says PSSR response itself when the dialogue is over.
    Profile(
        "tata",
        places=(Place.DESTINATION, Place.TEXT),
        session_ids=(SessionId.ITS_15_BITS,),
        end=USSR_REQUEST,
        releases=frozenset({PSSR_RESPONSE, VENDOR_RELEASE}),
    ),
    Profile("sixdee", session_ids=(SessionId.ITS_15_BITS,)),
    Profile("mica", places=(Place.TEXT,), session_ids=(SessionId.REFERENCE,)),
    # ussd_service_op and nothing more, with codings of cell broadcast: 0x0F, 0x48.
    Profile("service-op", service_types=frozenset({SERVICE_TYPE, "P2"}), uses_cbs_codings=True),
    Profile("huawei", uses_cbs_codings=True),
    # Known by its service_type; the operation may be missing.
    Profile("nowsms", places=(Place.DESTINATION, Place.TEXT)),
)

PROFILES: Final[Mapping[str, Profile]] = MappingProxyType({profile.name: profile for profile in _LISTED})
assert tuple(PROFILES) == get_args(ProfileName)
