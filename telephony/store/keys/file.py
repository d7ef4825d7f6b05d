"""The key file: read again when it has changed, proven, kept from loss, changed by commands."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog

from telephony.sparingly import Sparingly
from telephony.store.keys.envelope import WRAPPED_FORMAT, Wrapped
from telephony.store.keys.hsm import Hsm, Opener
from telephony.store.keys.ring import KEY_OCTETS, LARGEST_ID, SMALLEST_ID, Key, KeyRing, KeysUnavailable
from telephony.store.noticed import Noticed
from telephony.store.private_file import Look, alone_in, overwrite, wipe, write_whole

log = structlog.get_logger()

FORMAT = 1
LARGEST_FILE = 1 << 20
COMPLAIN_EVERY_S = 60.0
PROVE_AGAIN_S = 5.0
"""How long a file that was refused is not looked into again: every transaction asks for the keys."""

FIRST_WAIT_S: Final = 5.0
"""How long a start waits for an HSM: the links are opened then, with the store or without."""
_LATE_S: Final = 1.0
"""Of an HSM whose own bound has passed."""
TAKEN_UP_LATE_S: Final = 5.0
"""More than that: it may have failed once, and is then asked again."""

Prove = Callable[[KeyRing], None]
"""Raises `KeysUnavailable` for keys that cannot open what the store was first sealed with."""


class _Found(NamedTuple):
    """The keys in a file, and its octets, from which a lost file is written again."""

    ring: KeyRing
    octets: bytes
    wrapped: Wrapped | None


class KeyFile:
    """The key file, read again when it has changed: a rotation needs no restart of those that read.

    JSON, mode 0600, written beside and renamed into place. The file alone opens everything, unless an HSM wraps it: it is
    backed up apart from the database.

    ``hsm`` is asked when a wrapped file is read for the first time and when it has changed. With ``waits`` every use of the
    keys waits for its answer; without, only `first_ring` does, and a changed file is used once the HSM has opened it.
    """

    def __init__(
        self,
        path: Path,
        *,
        hsm: Hsm | None = None,
        waits: bool = True,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self.noticed = Noticed()
        """What was noticed under any ring of this file."""
        self._hsm = hsm
        self._opener = None if hsm is None else Opener(hsm, monotonic=monotonic)
        self._wait_s = hsm.timeout_s + _LATE_S if hsm is not None and waits else 0.0
        self._octets = b""
        self._wrapped: Wrapped | None = None
        self._monotonic = monotonic
        self._sparingly = Sparingly(monotonic, COMPLAIN_EVERY_S)
        self._seen: Look | None = None
        self._ring: KeyRing | None = None
        self._is_read_only = False
        self._prove: Prove | None = None
        self._keep_in = path.parent
        self._refused: tuple[Look, float, KeysUnavailable] | None = None
        self._kept: KeyRing | None = None
        self._changed: tuple[Look, float] | None = None
        """A newer file that is not taken yet, and since when it was seen."""
        self.trouble: str | None = None
        """The fault of the file while its keys are in memory, in a sentence."""

    def is_proven_by(self, prove: Prove, keep_in: Path) -> None:
        """Take the keys that were read for the store's own. From now on other keys must be proven before they are used.

        And what is then in memory alone is kept on disk, in the file itself or in this folder: see `ring`.
        """
        self._prove, self._keep_in = prove, keep_in
        if self.trouble is None:
            self._drop_kept()

    @property
    def is_proven(self) -> bool:
        """Whether the keys in memory have opened the store in this process."""
        return self._prove is not None

    def ring(self) -> KeyRing:
        """Return the keys as the file has them now; where it has become unreadable, as it had them. Raises `KeysUnavailable`.

        So too where it has become another store's. Once the keys are proven, a file that is gone is then written again, and
        beside another that stands in its place the proven keys are kept: a restart must find what was sealed under
        them. Where they cannot be, nothing may be sealed any more. A file of an earlier version, which has no audit key,
        gets one.
        """
        return self._ring_within(self._wait_s)

    def first_ring(self) -> KeyRing:
        """Do so, but wait a few seconds for an HSM that has not opened the file yet. Raises `KeysUnavailable`."""
        return self._ring_within(max(self._wait_s, FIRST_WAIT_S) if self._ring is None else self._wait_s)

    @property
    def wrapped(self) -> Wrapped | None:
        """How the file that was read last is wrapped; None for one in plain."""
        return self._wrapped

    def _ring_within(self, wait_s: float) -> KeyRing:
        try:
            ring, is_opening = self._seen_now(wait_s)
        except KeysUnavailable as error:
            if self._ring is None or self._may_be_forgotten():
                raise
            # A press must not be lost for a file that is in memory; but a restart would not find it.
            self._complain(error)
            self._keep(self._ring, error)
            return self._ring
        if is_opening:
            return ring
        if self.trouble is not None:
            self._drop_kept()
        if ring.has_audit_key or self._is_read_only:
            return ring
        try:
            with self._alone():
                ring = self._ring_now(wait_s)
                if not ring.has_audit_key:
                    self._write(ring.keys, ring.current.id, os.urandom(KEY_OCTETS))
                return self._ring_now(wait_s)
        except OSError:
            # A process that may only read does so; the ring itself says what is missing when it is asked for.
            self._is_read_only = True
            return ring

    def _ring_now(self, wait_s: float) -> KeyRing:
        return self._seen_now(wait_s)[0]

    def _seen_now(self, wait_s: float) -> tuple[KeyRing, bool]:
        """Return the ring, and whether the HSM is opening a newer file just now."""
        try:
            seen = Look.at(self.path)
        except FileNotFoundError:
            raise KeysUnavailable(
                f"there is no key file {self.path}: bring it back from its backup, "
                "or make one with `onetouch keys init` if the store is still empty"
            ) from None
        except OSError as error:
            raise KeysUnavailable(f"the key file {self.path} cannot be read: {error.strerror}") from error
        if self._ring is None or seen != self._seen:
            if (fault := seen.fault("the key file", self.path)) is not None:
                raise KeysUnavailable(fault)
            if self._changed is None or self._changed[0] != seen:
                self._changed = (seen, self._monotonic())
            found = self._read(wait_s)
            if found is None:
                if self._ring is None or self._may_be_forgotten():
                    raise KeysUnavailable(f"the HSM has not opened {self.path} yet: it is being asked")
                return self._ring, True
            self._require_proof(found.ring, seen)
            self._ring, self._octets, self._wrapped = found
            self._seen = seen
        self._changed = None
        return self._ring, False

    def _may_be_forgotten(self) -> bool:
        """Whether keys in memory may have been taken out of the file: it has changed, and the HSM has not opened it for too long.

        `keys rotate --forget-old` gives daemons `taken_up_within_s` to take up a new key. What is sealed under the old one after
        that might never be read again: a press is told to 112 directly then, and asked for again.
        """
        if self._hsm is None or self._changed is None:
            return False
        return self._monotonic() - self._changed[1] > self.taken_up_within_s

    @property
    def taken_up_within_s(self) -> float:
        """How long a daemon may go on with the keys that it has after the file was changed: as long as the HSM may take."""
        return 0.0 if self._hsm is None else self._hsm.timeout_s + TAKEN_UP_LATE_S

    def _require_proof(self, found: KeyRing, seen: Look) -> None:
        """Raise `KeysUnavailable` for keys that cannot open the store that those in memory were proven on."""
        proven = self._ring
        if self._prove is None or proven is None:
            return
        if proven.has_audit_key and (not found.has_audit_key or found.audit_key != proven.audit_key):
            raise KeysUnavailable(
                f"{self.path} has another audit key than this store's: bring back the one of before"
            )
        for key_id in proven.keys.keys() & found.keys.keys():
            if not found.keys[key_id].is_same_as(proven.keys[key_id]):
                raise KeysUnavailable(
                    f"{self.path} has another key under the id {key_id} than this store's: bring back the one of before"
                )
        if proven.current.id in found.keys:
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
        if not self.path.exists() and self._is_restored():
            return
        beside = self._beside
        self.trouble = f"{error}; the keys in use are kept in {beside}"
        if self._kept is ring and beside.exists():
            return
        try:
            with self._alone():
                write_whole(beside, self._octets)
        except OSError as failure:
            raise KeysUnavailable(
                f"{error}; and the keys in memory cannot be kept on disk: {failure.strerror}"
            ) from failure
        self._kept = ring

    @property
    def _beside(self) -> Path:
        return self._keep_in / f"{self.path.name}.kept"

    def _drop_kept(self) -> None:
        """Remove the kept copy once the file is right: keys that are forgotten later must not lie about."""
        self.trouble = self._kept = None
        try:
            wipe(self._beside)
        except OSError as error:
            log.warning("kept keys not taken away", path=str(self._beside), error=str(error))

    def _is_restored(self) -> bool:
        try:
            with self._alone():
                if not self.path.exists():
                    write_whole(self.path, self._octets)
                    log.warning("key file written anew from memory", path=str(self.path))
        except OSError:
            return False  # its folder may be another account's: then beside the store
        return True

    def make(self, now: datetime | None = None, *, wrapping_key: str | None = None) -> bool:
        """Make the file with one key; False where it is there already, which is left as it is.

        ``wrapping_key`` is the id of the key in the HSM that wraps it. Where there is an HSM and no such id nothing is made: it
        is a person who makes keys in an HSM. Raises `KeysUnavailable` then.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._hsm is not None and wrapping_key is None and not self.path.exists():
            raise KeysUnavailable(
                f"there is no key file {self.path}, and store.key_hsm is set: bring it back from its backup, "
                "or make one with `onetouch keys init --hsm` if the store is still empty"
            )
        with self._alone():
            if self.path.exists():
                return False
            key = Key.make(now or datetime.now(UTC))
            text = _text_of({key.id: key}, key.id, os.urandom(KEY_OCTETS))
            write_whole(self.path, text if wrapping_key is None else self._wrapped_by(wrapping_key, text))
        return True

    def move_into_hsm(self, wrapping_key: str, keep_in: Path) -> None:
        """Have the HSM wrap the file under this key, prove it by reading it back, and leave no other copy behind.

        Not in the file's place, nor as it was before, nor in ``keep_in``. May be repeated. Raises `KeysUnavailable` or `OSError`;
        then the file is as it was.
        """
        ring = self.ring()
        self._replace(ring, self._wrapped_by(wrapping_key, _text_of_ring(ring)))
        self.wipe_earlier(keep_in)

    def move_out_of_hsm(self) -> None:
        """Write the file in plain. Raises `KeysUnavailable` or `OSError`."""
        ring = self.ring()
        self._replace(ring, _text_of_ring(ring))

    def wipe_earlier(self, keep_in: Path) -> None:
        """Take away every copy of the keys that we ever made beside the file or in this folder. Raises `OSError`."""
        path = self.path.resolve()
        wipe(self._earlier_of(path))
        wipe(keep_in / f"{self.path.name}.kept")
        for killed in path.parent.glob(f"{path.name}.*.new"):
            wipe(killed)

    def _replace(self, ring: KeyRing, octets: bytes) -> None:
        path = self.path.resolve()
        with self._alone():
            if self._ring_now(self._wait_s) is not ring:
                raise KeysUnavailable(f"{self.path} has changed meanwhile: repeat the command")
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                write_whole(path, octets)
                overwrite(descriptor)
            finally:
                os.close(descriptor)
            found = self._ring_now(self._wait_s)
        if _text_of_ring(found) != _text_of_ring(ring):
            raise KeysUnavailable(
                f"{self.path} does not hold what was written: bring it back from its backup"
            )

    def _wrapped_by(self, wrapping_key: str, text: bytes) -> bytes:
        if self._hsm is None:
            raise KeysUnavailable("store.key_hsm is not set: without it there is no HSM to ask")
        return Wrapped.of(text, self._hsm, wrapping_key, self._hsm.token).octets

    def add(self, now: datetime | None = None) -> Key:
        """Add a key and make it the current one."""
        audit_key = self.ring().audit_key  # outside of the lock, which it may need itself
        with self._alone():
            keys = self._ring_now(self._wait_s).keys
            key = Key.make(now or datetime.now(UTC))
            while key.id in keys:
                key = Key.make(now or datetime.now(UTC))
            self._write({**keys, key.id: key}, key.id, audit_key)
        return key

    def forget(self, key_id: int) -> None:
        """Take out a key that is not the current one: what is encrypted under it can never be read again."""
        audit_key = self.ring().audit_key
        with self._alone():
            ring = self._ring_now(self._wait_s)
            if key_id == ring.current.id:
                raise ValueError("the current key cannot be forgotten")
            keys = {each: key for each, key in ring.keys.items() if each != key_id}
            self._write(keys, ring.current.id, audit_key)
            wipe(self._earlier_of(self.path.resolve()))

    def _complain(self, error: KeysUnavailable) -> None:
        if self._sparingly.take_turn():
            log.critical("key file gone, going on from memory", error=str(error))

    def _read(self, wait_s: float) -> _Found | None:
        """Read the file; None where it is wrapped and the HSM has not opened it yet."""
        try:
            with self.path.open("rb") as file:
                octets = file.read(LARGEST_FILE)
        except OSError as error:
            raise KeysUnavailable(f"the key file {self.path} cannot be read: {error.strerror}") from error
        try:
            plain = json.loads(octets)
            wrapped = Wrapped.read(plain) if plain["format"] == WRAPPED_FORMAT else None
            if wrapped is not None:
                text = self._opened(wrapped, wait_s)
                if text is None:
                    return None
                plain = json.loads(text)
            return _Found(_ring(plain, f"the key file {self.path}", self.noticed), octets, wrapped)
        except (ValueError, KeyError, TypeError, RecursionError):
            # The error is not repeated: it might quote a key.
            raise KeysUnavailable(
                f"{self.path} is not a key file, or is damaged: bring it back from its backup, "
                f"or from {self._earlier_of(self.path.resolve())} if that is there"
            ) from None

    def _opened(self, wrapped: Wrapped, wait_s: float) -> bytes | None:
        if self._opener is None:
            raise KeysUnavailable(
                f'{self.path} is wrapped by the HSM token "{wrapped.token}": say in store.key_hsm how to reach it'
            )
        return self._opener.text_of(wrapped, wait_s)

    def _write(self, keys: Mapping[int, Key], current: int, audit_key: bytes) -> None:
        """Write the file whole or leave it as it is, wrapped where it was; raises `OSError` or `KeysUnavailable`.

        What was written is read again before it takes the place of the earlier file, which stays beside it.
        """
        text = _text_of(keys, current, audit_key)
        octets = text if self._wrapped is None else self._wrapped_by(self._wrapped.key_id, text)
        write_whole(self.path, octets, before=self._keep_earlier)

    def _keep_earlier(self, path: Path) -> None:
        earlier = self._earlier_of(path)
        with suppress(OSError):  # a file system without links: the new one was proven all the same
            earlier.unlink(missing_ok=True)
            os.link(path, earlier)

    @staticmethod
    def _earlier_of(path: Path) -> Path:
        return path.with_name(f"{path.name}.earlier")

    def _alone(self) -> AbstractContextManager[None]:
        """Let changes of the file take turns."""
        return alone_in(self.path.parent)


def _text_of_ring(ring: KeyRing) -> bytes:
    return _text_of(ring.keys, ring.current.id, ring.audit_key)


def _text_of(keys: Mapping[int, Key], current: int, audit_key: bytes) -> bytes:
    plain = {
        "format": FORMAT,
        "current": current,
        "audit": base64.b64encode(audit_key).decode(),
        "keys": [_plain(key) for key in keys.values()],
    }
    return json.dumps(plain).encode() + b"\n"


def _plain(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "made_at": key.made_at,
        "encryption": base64.b64encode(key.encryption).decode(),
        "look_up": base64.b64encode(key.look_up).decode(),
    }


def _ring(plain: Any, source: str, noticed: Noticed) -> KeyRing:
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
    return KeyRing(keys, plain["current"], source, audit_key, noticed)
