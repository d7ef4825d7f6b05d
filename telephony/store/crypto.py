"""Encryption of what is personal, and look-up without knowing it. The keys live in a file beside the database.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce for every value. The standard allows 2**32 values under one
key with random nonces; a nation of 50 million leaves room for eighty changes of everybody before `onetouch keys
rotate` is due. What a value belongs to (table, column, row) is authenticated with it, so that a value that is
copied to another place is refused there.

Look-up is by BLAKE2b in its keyed mode (RFC 7693), 16 octets, under a key of its own: without the key nobody can try
out the hundred million numbers there are. A third of the time of an HMAC, and every press needs two.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import json
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from telephony.domain.errors import Malformed, Unavailable

log = structlog.get_logger()

KEY_OCTETS = 32
NONCE_OCTETS = 12
TAG_OCTETS = 16
HASH_OCTETS = 16
KEY_ID_OCTETS = 4
FORMAT = 1
LARGEST_FILE = 1 << 20
COMPLAIN_EVERY_S = 60.0
PROVE_AGAIN_S = 5.0
"""How long a file that was refused is not looked into again: every transaction asks for the keys."""
SMALLEST_ID, LARGEST_ID = 10_000_000, 99_999_999
"""Eight digits: one less than a subscriber's number has, so that logs do not mask it."""


class KeysUnavailable(Unavailable):
    """The key file is missing, unreadable, or lacks the key of a value; the sentence says what to do."""


class Damaged(Malformed):
    """A value is not what was written at its place: changed, cut, or copied from elsewhere."""


class Place(NamedTuple):
    """Where a value stands."""

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
    """A pair of keys under one id: one encrypts, one makes look-up hashes."""

    id: int
    made_at: str
    encryption: bytes = field(repr=False)
    look_up: bytes = field(repr=False)
    cipher: AESGCM = field(init=False, repr=False, compare=False)
    id_octets: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id_octets", self.id.to_bytes(KEY_ID_OCTETS, "big"))
        object.__setattr__(self, "cipher", AESGCM(self.encryption))

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
    ) -> None:
        self.current = keys[current]
        self.keys = dict(keys)
        self._source = source
        self._audit_key = audit_key
        self._newest_first = (self.current, *(key for key in keys.values() if key.id != current))

    @property
    def has_audit_key(self) -> bool:
        """Claim that the audit chain can be written and checked."""
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
        """Give the look-up hash of a value under the current key; kinds never share a hash."""
        return _hash(self.current, kind, value)

    def hashes(self, kind: str, value: str) -> tuple[bytes, ...]:
        """Give the hashes under every key, the current one first: during a rotation a row may have either."""
        return tuple([_hash(key, kind, value) for key in self._newest_first])


_Seen = tuple[int, int, int, int]
"""Of the key file: times of change (content, everything), inode, size."""
Prove = Callable[[KeyRing], None]
"""Raises `KeysUnavailable` for keys that cannot open what the store was first sealed with."""


def _hash(key: Key, kind: str, value: str) -> bytes:
    named = f"{kind}:{value}".encode("utf-8", "surrogatepass")
    return blake2b(named, key=key.look_up, digest_size=HASH_OCTETS).digest()


class KeyFile:
    """The key file, read again when it has changed: a rotation needs no restart of those that read.

    JSON, mode 0600, written beside and renamed into place. The file alone opens everything: it is backed up apart
    from the database.
    """

    def __init__(self, path: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._monotonic = monotonic
        self._complained_at: float | None = None
        self._seen: _Seen | None = None
        self._ring: KeyRing | None = None
        self._is_read_only = False
        self._prove: Prove | None = None
        self._keep_in = path.parent
        self._refused: tuple[_Seen, float, KeysUnavailable] | None = None
        self._kept: KeyRing | None = None
        self.trouble: str | None = None
        """What is wrong with the file while its keys are in memory, in a sentence."""

    def is_proven_by(self, prove: Prove, keep_in: Path) -> None:
        """Take the keys that were read for the store's own. From now on other keys must be proven before they are used.

        And what is then in memory alone is kept on disk, in the file itself or in this folder: see `ring`.
        """
        self._prove, self._keep_in = prove, keep_in
        if self.trouble is None:
            self._drop_kept()

    def ring(self) -> KeyRing:
        """Give the keys as the file has them now; where it has become unreadable, as it had them. Raises `KeysUnavailable`.

        So where it has become another store's. Once the keys are proven, a file that is gone is then written anew, and
        beside another that stands in its place the proven keys are kept: a restart must find what was sealed under
        them. Where they cannot be, nothing may be sealed any more. A file of an earlier version, which has no audit key,
        gets one.
        """
        try:
            ring = self._ring_now()
        except KeysUnavailable as error:
            if self._ring is None:
                raise
            # A press must not be lost for a file that is in memory; but a restart would not find it.
            self._complain(error)
            self._keep(self._ring, error)
            return self._ring
        if self.trouble is not None:
            self._drop_kept()
        if ring.has_audit_key or self._is_read_only:
            return ring
        try:
            with self._alone():
                ring = self._ring_now()
                if not ring.has_audit_key:
                    self._write(ring.keys, ring.current.id, os.urandom(KEY_OCTETS))
                return self._ring_now()
        except OSError:
            # Whoever may only read does so; the ring itself says what is missing when it is asked for.
            self._is_read_only = True
            return ring

    def _ring_now(self) -> KeyRing:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            raise KeysUnavailable(
                f"there is no key file {self.path}: bring it back from its backup, "
                "or make one with `onetouch keys init` if the store is still empty"
            ) from None
        except OSError as error:
            raise KeysUnavailable(f"the key file {self.path} cannot be read: {error.strerror}") from error
        seen = (status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size)
        if self._ring is None or seen != self._seen:
            self._require_privacy(status)
            found = self._read()
            self._require_proof(found, seen)
            self._ring, self._seen = found, seen
        return self._ring

    def _require_privacy(self, status: os.stat_result) -> None:
        """Raise `KeysUnavailable` for a file, or a link to it, that is not ours alone. A change of either changes its ctime."""
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise KeysUnavailable(f"others may read the key file {self.path}: chmod 600 {self.path}")
        ours = (0, os.geteuid())
        if status.st_uid not in ours or self.path.lstat().st_uid not in ours:
            raise KeysUnavailable(
                f"the key file {self.path}, or the link in its place, is another account's: chown it to this one"
            )

    def _require_proof(self, found: KeyRing, seen: _Seen) -> None:
        """Raise `KeysUnavailable` for keys that cannot open the store that those in memory were proven on."""
        proven = self._ring
        if self._prove is None or proven is None:
            return
        if proven.has_audit_key and (not found.has_audit_key or found.audit_key != proven.audit_key):
            raise KeysUnavailable(
                f"{self.path} has another audit key than this store's: bring back the one of before"
            )
        if found.keys.get(proven.current.id) == proven.current:
            return
        now = self._monotonic()
        if self._refused is not None and self._refused[0] == seen and now - self._refused[1] < PROVE_AGAIN_S:
            raise self._refused[2]
        try:
            self._prove(found)
        except KeysUnavailable as error:
            self._refused = (seen, now, error)
            raise
        self._refused = None

    def _keep(self, ring: KeyRing, error: KeysUnavailable) -> None:
        """Have proven keys on disk that may be nowhere else; raises `KeysUnavailable` where that cannot be done."""
        self.trouble = str(error)
        if self._prove is None or not ring.has_audit_key:
            return
        if not self.path.exists() and self._is_written_anew(ring):
            return
        beside = self._beside
        self.trouble = f"{error}; the keys in use are kept in {beside}"
        if self._kept is ring and beside.exists():
            return
        try:
            with self._alone():
                self._write(ring.keys, ring.current.id, ring.audit_key, beside)
        except OSError as failure:
            raise KeysUnavailable(
                f"{error}; and the keys in memory cannot be kept on disk: {failure.strerror}"
            ) from failure
        self._kept = ring

    @property
    def _beside(self) -> Path:
        return self._keep_in / f"{self.path.name}.kept"

    def _drop_kept(self) -> None:
        """Take away what was kept once the file is right: keys that are forgotten later must not lie about."""
        self.trouble = self._kept = None
        try:
            self._beside.unlink(missing_ok=True)
        except OSError as error:
            log.warning("kept keys not taken away", path=str(self._beside), error=str(error))

    def _is_written_anew(self, ring: KeyRing) -> bool:
        try:
            with self._alone():
                if not self.path.exists():
                    self._write(ring.keys, ring.current.id, ring.audit_key)
                    log.warning("key file written anew from memory", path=str(self.path))
        except OSError:
            return False  # its folder may be another account's: then beside the store
        return True

    def make(self, now: datetime | None = None) -> bool:
        """Make the file with one key; False where it is there already, which is left as it is."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._alone():
            if self.path.exists():
                return False
            key = Key.make(now or datetime.now(UTC))
            self._write({key.id: key}, key.id, os.urandom(KEY_OCTETS))
        return True

    def add(self, now: datetime | None = None) -> Key:
        """Add a key and make it the current one."""
        audit_key = self.ring().audit_key  # outside of the lock, which it may need itself
        with self._alone():
            keys = self._ring_now().keys
            key = Key.make(now or datetime.now(UTC))
            while key.id in keys:
                key = Key.make(now or datetime.now(UTC))
            self._write({**keys, key.id: key}, key.id, audit_key)
        return key

    def forget(self, key_id: int) -> None:
        """Take out a key that is not the current one: what is encrypted under it can never be read again."""
        audit_key = self.ring().audit_key
        with self._alone():
            ring = self._ring_now()
            if key_id == ring.current.id:
                raise ValueError("the current key cannot be forgotten")
            keys = {each: key for each, key in ring.keys.items() if each != key_id}
            self._write(keys, ring.current.id, audit_key)
            self._earlier_of(self.path).unlink(missing_ok=True)

    def _complain(self, error: KeysUnavailable) -> None:
        now = self._monotonic()
        if self._complained_at is None or now - self._complained_at >= COMPLAIN_EVERY_S:
            self._complained_at = now
            log.critical("key file gone, going on from memory", error=str(error))

    def _read(self) -> KeyRing:
        try:
            with self.path.open("rb") as file:
                octets = file.read(LARGEST_FILE)
        except OSError as error:
            raise KeysUnavailable(f"the key file {self.path} cannot be read: {error.strerror}") from error
        try:
            return _ring(json.loads(octets), f"the key file {self.path}")
        except (ValueError, KeyError, TypeError, RecursionError):
            # What went wrong is not repeated: it might quote a key.
            raise KeysUnavailable(
                f"{self.path} is not a key file, or is damaged: bring it back from its backup, "
                f"or from {self._earlier_of(self.path)} if that is there"
            ) from None

    def _write(
        self, keys: Mapping[int, Key], current: int, audit_key: bytes, path: Path | None = None
    ) -> None:
        """Write a file whole or leave it as it is; raises `OSError`.

        What was written is read again before it takes the place of the earlier file, which stays beside it.
        """
        path = path or self.path
        text = json.dumps(
            {
                "format": FORMAT,
                "current": current,
                "audit": base64.b64encode(audit_key).decode(),
                "keys": [_plain(key) for key in keys.values()],
            }
        )
        beside = path.with_name(f"{path.name}.{os.getpid()}.new")
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
            _write_whole(descriptor, text.encode() + b"\n")
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        if path.exists():
            earlier = self._earlier_of(path)
            with suppress(OSError):  # a file system without links: the new one was proven all the same
                earlier.unlink(missing_ok=True)
                os.link(path, earlier)
        beside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @staticmethod
    def _earlier_of(path: Path) -> Path:
        return path.with_name(f"{path.name}.earlier")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let changes of the file take turns; the directory is locked, as the file itself is replaced."""
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def _write_whole(descriptor: int, octets: bytes) -> None:
    """Write everything and have the disk give it back; raises `OSError`. A full disk takes a part and says nothing."""
    left = memoryview(octets)
    while left:
        written = os.write(descriptor, left)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left = left[written:]
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    if os.pread(descriptor, len(octets) + 1, 0) != octets:
        raise OSError(errno.EIO, "what was written is not what can be read")


def _plain(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "made_at": key.made_at,
        "encryption": base64.b64encode(key.encryption).decode(),
        "look_up": base64.b64encode(key.look_up).decode(),
    }


def _ring(plain: Any, source: str) -> KeyRing:
    """Read the file's object; any other shape is a ValueError, KeyError or TypeError."""
    if plain["format"] != FORMAT:
        raise ValueError("format")
    keys = {}
    for each in plain["keys"]:
        key_id, made_at = each["id"], each["made_at"]
        if type(key_id) is not int or not SMALLEST_ID <= key_id <= LARGEST_ID or key_id in keys:
            raise ValueError("id")
        if not isinstance(made_at, str):
            raise TypeError("made_at")
        pair = [base64.b64decode(each[name], validate=True) for name in ("encryption", "look_up")]
        if [len(octets) for octets in pair] != [KEY_OCTETS, KEY_OCTETS]:
            raise ValueError("key")
        keys[key_id] = Key(key_id, made_at, *pair)
    audit_key = None
    if "audit" in plain:
        audit_key = base64.b64decode(plain["audit"], validate=True)
        if len(audit_key) != KEY_OCTETS:
            raise ValueError("audit")
    return KeyRing(keys, plain["current"], source, audit_key)
