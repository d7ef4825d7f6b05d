"""The file format of a sealed recording: sealed in chunks under a key of its own, which is sealed under the key ring.

==========  ======================================================================================================
octets      what
==========  ======================================================================================================
0 to 7      `MAGIC`
8 to 23     the recording's id, random
24 to 4095  header: key id, nonce, ciphertext and tag as in `telephony.store.sealing`, the plain text padded to one size
4096 …      chunks: `CHUNK` octets of the WAV file and a tag of 16 each, the last one shorter
==========  ======================================================================================================

The chunks are the STREAM construction over AES-256-GCM (Hoang, Reyhanitabar, Rogaway, Vizár: *Online Authenticated-Encryption
and its Nonce-Reuse Misuse-Resistance*, CRYPTO 2015, section 7): the nonce is the chunk's number and whether it is the last, the
associated data the recording's id. So a chunk that is changed, moved, taken from another recording, left out or put behind
the last is refused. No nonce comes twice under one key, which is drawn for one file and written into it once.

A change of keys rewrites the header and leaves the chunks alone. The new header stands beside the file before the old one is
overwritten, so a kill in between leaves one of them whole.
"""

from __future__ import annotations

import base64
import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from telephony.store.crypto import (
    KEY_ID_OCTETS,
    KEY_OCTETS,
    NONCE_OCTETS,
    TAG_OCTETS,
    Damaged,
    KeyRing,
    KeysUnavailable,
    Place,
)
from telephony.store.sealing import key_id_of, padded, seal, unseal
from telephony.store.times import from_us, to_us

MAGIC: Final = b"\x89OTREC1\n"
ENDING: Final = ".sealed"
"""How the name of a sealed file ends."""
ID_OCTETS: Final = 16
HEAD: Final = 4096
"""Octets before the first chunk."""
CHUNK: Final = 64 * 1024
"""Octets of the WAV file in a chunk: four seconds."""
_BEFORE: Final = len(MAGIC) + ID_OCTETS
_PLAIN_HEADER: Final = HEAD - _BEFORE - KEY_ID_OCTETS - NONCE_OCTETS - TAG_OCTETS
_FORMAT: Final = 1


class DamagedChunk(Damaged):
    """A chunk is not what was written: ``number`` counts from 0. Those before it were whole."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number = number


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a sealed recording, opened. ``octets`` are those of the WAV file."""

    name: str
    server: str
    call: str
    begun_at: datetime
    ended_at: datetime
    octets: int
    key: bytes = field(repr=False)

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return max(1, -(-self.octets // CHUNK))

    @property
    def sealed_octets(self) -> int:
        """How long the file is."""
        return HEAD + self.octets + self.chunks * TAG_OCTETS


def new_key() -> bytes:
    """Return a key for one recording."""
    return os.urandom(KEY_OCTETS)


def new_head(ring: KeyRing, header: Header) -> bytes:
    """Return the octets before the first chunk, under an id that was drawn now."""
    return _head(ring, os.urandom(ID_OCTETS), header)


class Chunks:
    """Seals and opens the chunks of one recording."""

    def __init__(self, head: bytes, header: Header) -> None:
        self._cipher = AESGCM(header.key)
        self._id = head[len(MAGIC) : _BEFORE]
        self._last = header.chunks - 1

    def seal(self, number: int, plain: bytes) -> bytes:
        """Encrypt the chunk of this number."""
        return self._cipher.encrypt(self._nonce(number), plain, self._id)

    def open(self, number: int, sealed: bytes) -> bytes:
        """Decrypt the chunk of this number. Raises `DamagedChunk`."""
        if len(sealed) < TAG_OCTETS:
            raise DamagedChunk(number, f"chunk {number} is cut off")
        try:
            return self._cipher.decrypt(self._nonce(number), sealed, self._id)
        except InvalidTag:
            raise DamagedChunk(number, f"chunk {number} was changed, or belongs elsewhere") from None

    def _nonce(self, number: int) -> bytes:
        return number.to_bytes(NONCE_OCTETS - 1, "big") + (b"\x01" if number == self._last else b"\x00")


class SealedRecording:
    """A sealed file that was opened for reading; closed by `opened`."""

    def __init__(self, descriptor: int, path: Path, ring: KeyRing) -> None:
        self._descriptor = descriptor
        self.path = path
        head = os.pread(descriptor, HEAD, 0)
        try:
            self.header = read_head(ring, head, path.name)
        except (Damaged, KeysUnavailable):
            # Cut short in the middle of a change of keys: the new one stands beside.
            beside = _beside(path)
            if not beside.exists():
                raise
            head = beside.read_bytes()[:HEAD]
            self.header = read_head(ring, head, path.name)
        self.key_id = key_id_of(head[_BEFORE:])
        self._chunks = Chunks(head, self.header)

    def chunk(self, number: int) -> bytes:
        """Return the plain octets of one chunk. Raises `DamagedChunk`."""
        size = min(CHUNK, self.header.octets - number * CHUNK) + TAG_OCTETS
        sealed = os.pread(self._descriptor, size, HEAD + number * (CHUNK + TAG_OCTETS))
        return self._chunks.open(number, sealed)

    def chunks(self) -> Iterator[bytes]:
        """Go through the whole WAV file. Raises `DamagedChunk` at the first that is not what was written, or for more octets than there are to be."""
        for number in range(self.header.chunks):
            yield self.chunk(number)
        if os.fstat(self._descriptor).st_size != self.header.sealed_octets:
            raise DamagedChunk(self.header.chunks, "there is something behind the last chunk")


@contextmanager
def opened(path: Path, ring: KeyRing) -> Iterator[SealedRecording]:
    """Open a sealed file. Raises `OSError`, `Damaged` or `KeysUnavailable`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield SealedRecording(descriptor, path, ring)
    finally:
        os.close(descriptor)


def read_head(ring: KeyRing, head: bytes, name: str) -> Header:
    """Read the octets before the first chunk; ``name`` is for the error. Raises `Damaged` or `KeysUnavailable`."""
    if len(head) < HEAD or not head.startswith(MAGIC):
        raise Damaged(f"{name} is no sealed recording, or was cut short; restore it from a backup")
    plain = unseal(ring, _place(head[len(MAGIC) : _BEFORE]), head[_BEFORE:HEAD])
    try:
        return _header(json.loads(plain))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise Damaged(f"{name}: its header cannot be read; was it written by a newer release?") from None


def _header(said: Any) -> Header:
    """Read a header's object; any other shape is a ValueError, KeyError, TypeError or OverflowError."""
    header = Header(
        str(said["name"]),
        str(said["server"]),
        str(said["call"]),
        from_us(int(said["begun_at"])),
        from_us(int(said["ended_at"])),
        int(said["octets"]),
        base64.b64decode(said["key"], validate=True),
    )
    if said["format"] != _FORMAT or len(header.key) != KEY_OCTETS or header.octets < 0:
        raise ValueError("format")
    return header


def reseal(path: Path, ring: KeyRing) -> int:
    """Bring a file's header under the current key; return that key's id. Killed anywhere, one header is whole.

    Raises `OSError`, `Damaged` or `KeysUnavailable`.
    """
    beside = _beside(path)
    with opened(path, ring) as sealed:
        if sealed.key_id == ring.current.id and not beside.exists():
            return sealed.key_id
        header = sealed.header
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        identity = os.pread(descriptor, ID_OCTETS, len(MAGIC))
        head = _head(ring, identity, header)
        _write_beside(beside, head)
        write_whole(descriptor, head, 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    beside.unlink()
    sync_folder(path.parent)
    return ring.current.id


def destroy(path: Path) -> None:
    """Delete a sealed file, its key first: what the disk may keep of the chunks is unreadable then.

    One that is gone already is well. Raises `OSError`; what is no sealed recording is left alone, for the path comes from the
    store, which somebody may have written into.
    """
    if path.suffix != ENDING:
        raise OSError(errno.EINVAL, "is no sealed recording", str(path))
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise  # its disk is not mounted: nothing is known of the file
        return
    try:
        if os.pread(descriptor, len(MAGIC), 0) not in (MAGIC, bytes(len(MAGIC))):
            raise OSError(errno.EINVAL, "is no sealed recording", str(path))
        _beside(path).unlink(missing_ok=True)
        write_whole(descriptor, bytes(HEAD), 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_whole(descriptor: int, octets: bytes, at: int) -> None:
    """Write everything at a place; raises `OSError`. A full disk takes a part and says nothing."""
    left = memoryview(octets)
    while left:
        written = os.pwrite(descriptor, left, at)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left, at = left[written:], at + written


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _head(ring: KeyRing, identity: bytes, header: Header) -> bytes:
    said: dict[str, Any] = {
        "format": _FORMAT,
        "name": header.name,
        "server": header.server,
        "call": header.call,
        "begun_at": to_us(header.begun_at),
        "ended_at": to_us(header.ended_at),
        "octets": header.octets,
        "key": base64.b64encode(header.key).decode(),
    }
    plain = padded(json.dumps(said).encode(), _PLAIN_HEADER, b" ")
    if len(plain) != _PLAIN_HEADER:
        raise ValueError("more than a header holds")
    return MAGIC + identity + seal(ring, _place(identity), plain)


def _place(identity: bytes) -> Place:
    return Place("recording", "header", identity.hex())


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.header")


def _write_beside(beside: Path, head: bytes) -> None:
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        write_whole(descriptor, head, 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(beside.parent)
