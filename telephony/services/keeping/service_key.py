"""The key that incidents are named under: 32 octets in a file of their own, sealed under the store's keys.

With it one could try out the hundred million numbers there are against the names of incidents. So the file is of no use without
the key file. A press needs a name whatever became of either: then it gets one under a key of this process.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from telephony.domain.errors import Malformed, Unavailable
from telephony.store.crypto import KeyRing, Place
from telephony.store.private_file import Look, alone_in, overwrite, wipe, write_whole
from telephony.store.sealing import key_id_of, seal, unseal

log = structlog.get_logger()

KEY_OCTETS: Final = 32
FILE: Final = "service.key"
SEALED_OCTETS: Final = 64
"""Key id, nonce, key and tag (`telephony.store.sealing`). A file of `KEY_OCTETS` is one of an earlier release, in plain."""

_PLACE: Final = Place("service.key", "octets", 1)
_LARGEST: Final = SEALED_OCTETS + 1


class ServiceKey:
    """The key, and the fault of its file. `look` is called once at the start, and again and again.

    With a key of this process alone everything goes on; but a press that was told directly gets another name when it
    comes again after a restart, or by another daemon. The true key is taken as soon as it can be read: holders of the
    other hear of it through ``on_found``.
    """

    def __init__(self, state_dir: Path, keys: Callable[[], KeyRing]) -> None:
        self.path = state_dir / FILE
        self.trouble: str | None = None
        """Why names do not outlive this process, or what else is wrong with the file, in a sentence."""
        self.octets = secrets.token_bytes(KEY_OCTETS)
        self.on_found: Callable[[bytes], None] = _not_heard
        self._keys = keys
        self._is_of_this_process = True
        self._is_found_late = False
        self._has_looked = False
        self._in_file: bytes | None = None
        """The file as it was when it held the key in use."""

    def look(self, *, is_proven: bool) -> None:
        """Take the key of the file, and see that it still holds it: sealed, under the current key, and no other service's.

        ``is_proven`` says that the keys are those of our store. Under no others may the file be written.
        """
        try:
            self.trouble = self._looked(is_proven=is_proven)
        except OSError as error:
            self.trouble = f"{self.path}: {error.strerror}"
        except (Unavailable, Malformed) as error:
            self.trouble = f"{self.path}: {error}"
        if not self._has_looked and self.trouble is not None:
            log.critical("service key not kept", error=self.trouble)
        self._has_looked = True

    def hand_over(self) -> None:
        """Tell of a key that was found only after the first look, in the thread that names presses by it."""
        if self._is_found_late:
            self._is_found_late = False
            log.warning("service key read at last", path=str(self.path))
            self.on_found(self.octets)

    def _looked(self, *, is_proven: bool) -> str | None:
        found = _read(self.path)
        if found is None:
            return self._put_back(is_proven=is_proven)
        seen, octets = found
        if octets != self._in_file:
            key = _key_in(octets, self._keys)
            if key is None:
                return f"{self.path} holds no key: bring it back from its backup"
            if not self._is_of_this_process and key != self.octets:
                return (
                    f"{self.path} is not the key in use any more: bring that back, or restart to use this one"
                )
            self._is_found_late = self._has_looked and self._is_of_this_process
            self.octets, self._in_file, self._is_of_this_process = key, octets, False
        if not is_proven:
            return f"{self.path} is not sealed yet: that waits for the store" if _is_plain(octets) else None
        if key_id_of(octets) != self._keys().current.id or _is_plain(octets):
            self._write()
            return None
        return seen.fault("the service key", self.path)

    def _put_back(self, *, is_proven: bool) -> str | None:
        if not is_proven:
            return f"there is no {self.path}, and none can be made before the store is there"
        is_gone = not self._is_of_this_process
        try:
            self._write()
        except OSError as error:
            return f"{self.path} is gone and cannot be put back: {error.strerror}"
        self._is_of_this_process = False
        if is_gone:
            log.warning("service key put back from memory", path=str(self.path))
        return None

    def _write(self) -> None:
        ring, sealed = self._keys(), self._in_file
        if sealed is None or _is_plain(sealed) or key_id_of(sealed) != ring.current.id:
            sealed = seal(ring, _PLACE, self.octets)
        _replace(self.path, sealed)
        self._in_file = sealed


def reseal(path: Path, ring: KeyRing) -> bool:
    """Seal the key of a file under the current key, where it is not; False where there is no file.

    Raises `OSError`, `Unavailable` or `Malformed` where it cannot be done: then no key may be forgotten.
    """
    found = _read(path)
    if found is None:
        return False
    octets = found[1]
    key = _key_in(octets, lambda: ring)
    if key is None:
        raise Malformed(f"{path} holds no key: bring it back from its backup, or remove it")
    if _is_plain(octets) or key_id_of(octets) != ring.current.id:
        _replace(path, seal(ring, _PLACE, key))
    return True


def _read(path: Path) -> tuple[Look, bytes] | None:
    try:
        seen = Look.at(path)
        with path.open("rb") as file:
            return seen, file.read(_LARGEST)
    except FileNotFoundError:
        return None


def _is_plain(octets: bytes) -> bool:
    return len(octets) == KEY_OCTETS


def _key_in(octets: bytes, keys: Callable[[], KeyRing]) -> bytes | None:
    """Return the key; None for a file that never held one. Raises `KeysUnavailable` or `Damaged`."""
    if _is_plain(octets):
        return octets
    if len(octets) != SEALED_OCTETS:
        return None
    return unseal(keys(), _PLACE, octets)


def _replace(path: Path, octets: bytes) -> None:
    """Write the file, and zeros over what it held in plain; raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with alone_in(path.parent):
        try:
            before = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            before = None
        try:
            write_whole(path, octets)
            if before is not None:
                overwrite(before)
        finally:
            if before is not None:
                os.close(before)
        with suppress(OSError):
            wipe(path.with_suffix(".new"))  # in plain, of an earlier release that was killed as it wrote


def _not_heard(_key: bytes) -> None:
    """Until presses are named by it."""
