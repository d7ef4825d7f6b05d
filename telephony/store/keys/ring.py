"""Encrypts personal data, and makes the hashes to look it up by. The keys live in a file beside the database.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce for every value. The standard allows 2**32 values under one
key with random nonces; a nation of 50 million leaves room for eighty changes of everybody before `onetouch keys
rotate` is due. What a value belongs to (table, column, row) is authenticated with it, so that a value that is
copied to another place is refused there.

Look-up is by BLAKE2b in its keyed mode (RFC 7693), 16 octets, under a key of its own: without the key it is not possible
to try out the hundred million numbers there are. A third of the time of an HMAC, and every press needs two.

What stands plain and decides something is bound to its row by BLAKE2b too, under a key that is derived from the one that
encrypts (its ``person`` parameter, RFC 7693 section 2.8, as libsodium's key derivation does): the key file stays as it is.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from telephony.domain.errors import Malformed, Unavailable
from telephony.store.noticed import Noticed

KEY_OCTETS = 32
NONCE_OCTETS = 12
TAG_OCTETS = 16
HASH_OCTETS = 16
KEY_ID_OCTETS = 4
BINDING_OCTETS = KEY_ID_OCTETS + HASH_OCTETS
BINDING = b"onetouch binding"
"""Of the key that binds: 16 octets, the ``person`` of its derivation."""
SMALLEST_ID, LARGEST_ID = 10_000_000, 99_999_999
"""Eight digits: one less than a subscriber's number has, so that logs do not mask it."""


class KeysUnavailable(Unavailable):
    """The key file is missing, unreadable, or lacks the key of a value; the sentence says what to do."""


class LookUpKeyWrong(KeysUnavailable):
    """The keys open everything, and a look-up key among them is not this store's: no one would be found."""


class Damaged(Malformed):
    """A value is not what was written at its place: changed, cut, or copied from elsewhere."""


class Place(NamedTuple):
    """The place of a value: table, column and row."""

    table: str
    column: str
    row: int | str
    part: int | None = None
    """Where the table's key has two columns, the second."""

    @property
    def octets(self) -> bytes:
        """The place as associated data."""
        row = self.row if self.part is None else f"{self.row}.{self.part}"
        return f"{self.table}.{self.column}:{row}".encode()


@dataclass(frozen=True, slots=True)
class Key:
    """A pair of keys under one id: one encrypts, one makes look-up hashes. A third, that binds, comes of the first."""

    id: int
    made_at: str
    encryption: bytes = field(repr=False)
    look_up: bytes = field(repr=False)
    cipher: AESGCM = field(init=False, repr=False, compare=False)
    id_octets: bytes = field(init=False, repr=False, compare=False)
    binding: blake2b = field(init=False, repr=False, compare=False)
    """Keyed, and nothing hashed yet: to be copied."""

    def __post_init__(self) -> None:
        derived = blake2b(key=self.encryption, person=BINDING, digest_size=KEY_OCTETS).digest()
        object.__setattr__(self, "binding", blake2b(key=derived, digest_size=HASH_OCTETS))
        object.__setattr__(self, "id_octets", self.id.to_bytes(KEY_ID_OCTETS, "big"))
        object.__setattr__(self, "cipher", AESGCM(self.encryption))

    def is_same_as(self, other: Key) -> bool:
        """Whether both halves are the same: one that differs in its look-up key alone opens, and finds no one."""
        return self.encryption == other.encryption and self.look_up == other.look_up

    @classmethod
    def make(cls, now: datetime) -> Key:
        """Draw new keys. The id is random too, so that a file of other keys is told from a damaged value."""
        made_at = now.isoformat(timespec="seconds")
        return cls(
            SMALLEST_ID + secrets.randbelow(LARGEST_ID - SMALLEST_ID + 1),
            made_at,
            os.urandom(KEY_OCTETS),
            os.urandom(KEY_OCTETS),
        )


class KeyRing:
    """All keys of a file: the current one, which writes, and those that can still read.

    ``audit_key`` signs the audit chain. It has nothing to do with the others and outlives them: a change of keys leaves
    the chain as it is. None for a file that could not be given one: then nothing can be written into the chain.
    """

    def __init__(
        self,
        keys: Mapping[int, Key],
        current: int,
        source: str = "the key file",
        audit_key: bytes | None = None,
        noticed: Noticed | None = None,
    ) -> None:
        self.noticed = noticed or Noticed()
        """Where it is noted that a row is not as it was written."""
        self.current = keys[current]
        self.keys = dict(keys)
        self._source = source
        self._audit_key = audit_key
        self._newest_first = (self.current, *(key for key in keys.values() if key.id != current))

    @property
    def has_audit_key(self) -> bool:
        """Whether the audit chain can be written and checked."""
        return self._audit_key is not None

    @property
    def audit_key(self) -> bytes:
        """The key of the audit chain. Raises `KeysUnavailable` where there is none."""
        if self._audit_key is None:
            raise KeysUnavailable(
                f"{self._source} holds no audit key and could not be given one: let this account write to it once"
            )
        return self._audit_key

    def seal(self, place: Place, plain: bytes) -> tuple[int, bytes]:
        """Encrypt for a place under the current key; gives (key id, nonce + ciphertext + tag)."""
        nonce = os.urandom(NONCE_OCTETS)
        return self.current.id, nonce + self.current.cipher.encrypt(nonce, plain, place.octets)

    def open(self, place: Place, key_id: int, sealed: bytes) -> bytes:
        """Decrypt what stands at a place. Raises `KeysUnavailable` for a key that is not here, or `Damaged`."""
        key = self.keys.get(key_id)
        if key is None:
            raise KeysUnavailable(
                f"this was encrypted under key {key_id}, which {self._source} does not hold: "
                "bring back the file that does; `onetouch keys show` lists ids"
            )
        if len(sealed) < NONCE_OCTETS + TAG_OCTETS:
            raise Damaged(f"{place.table} {place.row}: {place.column} is cut short; restore it from a backup")
        try:
            return key.cipher.decrypt(sealed[:NONCE_OCTETS], sealed[NONCE_OCTETS:], place.octets)
        except InvalidTag:
            raise Damaged(
                f"{place.table} {place.row}: {place.column} was changed or comes from elsewhere; "
                "restore it from a backup"
            ) from None

    def hash(self, kind: str, value: str) -> bytes:
        """Return the look-up hash of a value under the current key; kinds never share a hash."""
        return _hash(self.current, kind, value)

    def hashes(self, kind: str, value: str) -> tuple[bytes, ...]:
        """Return the hashes under every key, the current one first: during a rotation a row may have either."""
        return tuple([_hash(key, kind, value) for key in self._newest_first])

    def bind(self, said: bytes) -> bytes:
        """Return the key's id and the code that proves, under the current key, that we wrote this."""
        return self.current.id_octets + _bound(self.current, said)

    def can_judge(self, code: object) -> bool:
        """Whether a code is under a key that is here; one that is missing or cut is under none, and judged."""
        if not isinstance(code, bytes | memoryview):
            return True
        key_id = int.from_bytes(bytes(code)[:KEY_ID_OCTETS], "big")
        return key_id in self.keys or not SMALLEST_ID <= key_id <= LARGEST_ID

    def is_bound(self, said: bytes, code: object) -> bool:
        """Whether this is the code of these values, under any key that is here. A missing one proves nothing."""
        code = bytes(code) if isinstance(code, bytes | memoryview) else b""
        key = self.keys.get(int.from_bytes(code[:KEY_ID_OCTETS], "big"))
        return key is not None and hmac.compare_digest(code[KEY_ID_OCTETS:], _bound(key, said))


def _hash(key: Key, kind: str, value: str) -> bytes:
    named = f"{kind}:{value}".encode("utf-8", "surrogatepass")
    return blake2b(named, key=key.look_up, digest_size=HASH_OCTETS).digest()


def _bound(key: Key, said: bytes) -> bytes:
    code = key.binding.copy()
    code.update(said)
    return code.digest()
