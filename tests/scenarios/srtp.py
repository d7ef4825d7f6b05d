"""SRTP of one sender (RFC 3711): AES_CM_128_HMAC_SHA1_80, as SDES names it; enough to speak it, for a few minutes."""

from __future__ import annotations

import base64
import hmac
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_ENCRYPTION, _AUTHENTICATION, _SALTING = 0, 1, 2
"""Labels of the session keys (clause 4.3.2)."""
_KEY, _SALT = 16, 14


class Sender:
    """Turns audio into SRTP packets; ``inline`` is the key of an ``a=crypto`` line."""

    def __init__(self, inline: str, ssrc: int = 0x5EED) -> None:
        master = base64.b64decode(inline)
        self._master, self._master_salt = master[:_KEY], int.from_bytes(master[_KEY : _KEY + _SALT])
        self._encryption = self._derived(_ENCRYPTION, _KEY)
        self._authentication = self._derived(_AUTHENTICATION, 20)
        self._salt = int.from_bytes(self._derived(_SALTING, _SALT))
        self._ssrc = ssrc
        self._number = 0

    def packet(self, audio: bytes, payload_type: int = 0) -> bytes:
        """Return the next packet of 20 ms at 8 kHz."""
        number = self._number
        self._number += 1
        header = struct.pack(">BBHII", 0x80, payload_type, number, 160 * number, self._ssrc)
        counter = (self._salt << 16) ^ (self._ssrc << 64) ^ (number << 16)
        sealed = _aes_cm(self._encryption, counter, audio)
        # The roll-over counter is 0 for the first 65,536 packets.
        tag = hmac.digest(self._authentication, header + sealed + bytes(4), "sha1")[:10]
        return header + sealed + tag

    def _derived(self, label: int, length: int) -> bytes:
        return _aes_cm(self._master, ((label << 48) ^ self._master_salt) << 16, bytes(length))


def _aes_cm(key: bytes, counter: int, octets: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.CTR(counter.to_bytes(16))).encryptor().update(octets)
