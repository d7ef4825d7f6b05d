"""Builds PDUs with smpplib, off the hot path, behind one wrapper that closes its traps.

smpplib ignores the sequence number it is given, drops arguments it does not know, cuts strings that are too long,
takes str but no bytes, and cannot write vendor parameters or outbind. None of that is visible outside this file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from smpplib import smpp
from smpplib.exceptions import UnknownCommandError
from smpplib.ptypes import ostr

from telephony.domain.errors import Malformed
from telephony.smpp.wire.codec import encode_c_string, encode_header, encode_tlv
from telephony.smpp.wire.constants import COMMAND_IDS, PASSWORD_OCTETS, SHORT_MESSAGE_OCTETS, SYSTEM_ID_OCTETS
from telephony.smpp.wire.pdus import Tlv

Field = str | bytes | int

_UINT32: Final = 0xFFFFFFFF
_UINT8: Final = 0xFF
_COUNTED: Final = "sm_length"
"""smpplib counts short_message itself."""
_OUTBIND: Final = "outbind"
_OUTBIND_FIELDS: Final[Mapping[str, int]] = MappingProxyType(
    {"system_id": SYSTEM_ID_OCTETS, "password": PASSWORD_OCTETS}
)


class _NoSequence:
    """The source of smpplib's sequence numbers; ours stands in the header, which smpplib does not write."""

    sequence = 0

    def next_sequence(self) -> int:
        """Return a number that is never sent."""
        return 0


def build(
    command: str, sequence: int, *, status: int = 0, tlvs: Sequence[Tlv] = (), **fields: Field
) -> bytes:
    """Make a whole PDU: its command by name, its mandatory fields as keywords, its optional ones as ``tlvs``.

    Fields that are not given are NUL, except interface_version, which is then 3.4. Strings are str or bytes without
    their NUL. Raises `TypeError` for a field that the command does not have or whose value is of a wrong type,
    `Malformed` for a command that cannot be built and for values that do not fit.
    """
    for name, number in (("sequence", sequence), ("status", status)):
        if not 0 <= number <= _UINT32:
            raise Malformed(f"{name} {number} does not fit into 32 bits")
    body = _outbind(fields) if command == _OUTBIND else _body(command, fields)
    return encode_header(COMMAND_IDS[command], status, sequence, body + b"".join(map(encode_tlv, tlvs)))


def _body(command: str, fields: Mapping[str, Field]) -> bytes:
    try:
        pdu: Any = smpp.make_pdu(command, client=_NoSequence())
    except UnknownCommandError as error:
        raise Malformed(f"{command} cannot be built") from error
    names = {name for name in pdu.params_order if not pdu.field_is_optional(name)} - {_COUNTED}
    _refuse_unknown(command, fields, names)
    for name, value in fields.items():
        setattr(pdu, name, _fitting(name, value, pdu.params[name]))
    try:
        body: bytes = pdu.generate_params()
    except ValueError as error:
        raise Malformed(f"{command}: {error}") from error
    return body


def _outbind(fields: Mapping[str, Field]) -> bytes:
    _refuse_unknown(_OUTBIND, fields, _OUTBIND_FIELDS.keys())
    return b"".join(
        encode_c_string(_text(name, fields.get(name, "")), octets) for name, octets in _OUTBIND_FIELDS.items()
    )


def _refuse_unknown(command: str, fields: Mapping[str, Field], names: Iterable[str]) -> None:
    unknown = fields.keys() - set(names)
    if unknown:
        raise TypeError(f"{command} has no field {', '.join(sorted(unknown))}")


def _fitting(name: str, value: Field, param: Any) -> Field:
    """Return the value as smpplib wants it, once it is sure to be written whole."""
    if param.type is int:
        if not isinstance(value, int):
            raise TypeError(f"{name} is a number")
        if not 0 <= value <= _UINT8:
            raise Malformed(f"{name} {value} does not fit into one octet")
        return value
    if param.type is ostr:
        if not isinstance(value, bytes):
            raise TypeError(f"{name} is bytes")
        if len(value) > SHORT_MESSAGE_OCTETS:
            raise Malformed(f"{name} of {len(value)} octets is longer than {SHORT_MESSAGE_OCTETS}")
        return value
    text = _text(name, value)
    try:
        encode_c_string(text, param.max)
    except Malformed as error:
        raise Malformed(f"{name}: {error}") from error
    return text


def _text(name: str, value: Field) -> str:
    if isinstance(value, int):
        raise TypeError(f"{name} is a string")
    return value if isinstance(value, str) else value.decode("latin-1")
