"""An HSM that keeps the key under which the key file is wrapped, reached over PKCS#11 (OASIS PKCS #11 2.40).

Asked when the key file is read for the first time and when it has changed, never for a press. Each question is a process of its
own with a bound of time (`hsm_child`): a module that hangs or crashes takes nothing of ours with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from telephony.store.keys.envelope import Wrapped
from telephony.store.keys.ring import KeysUnavailable

AGAIN_S: Final = 5.0
"""Pause before an HSM that has failed is asked again."""
_CHILD: Final = Path(__file__).with_name("hsm_child.py")


class HsmTrouble(StrEnum):
    """The kinds of trouble with an HSM, as the child says it or as we see it."""

    LIBRARY = "library"
    MODULE = "module"
    TOKEN = "token"  # noqa: S105 - one of the HSM
    PIN = "pin"
    KEY = "key"
    MECHANISM = "mechanism"
    CHANGED = "changed"
    DEVICE = "device"
    LATE = "late"

    @property
    def setting(self) -> str:
        """The key of ``[store.key_hsm]`` that it is about; empty for none in particular."""
        return _SETTINGS.get(self, "")


_SETTINGS: Final = {
    HsmTrouble.MODULE: "module",
    HsmTrouble.TOKEN: "token",
    HsmTrouble.PIN: "pin",
    HsmTrouble.KEY: "key",
    HsmTrouble.LATE: "timeout_s",
}
_REMEDIES: Final = {
    HsmTrouble.LIBRARY: "install the extra hsm (python-pkcs11)",
    HsmTrouble.MODULE: "name the vendor's PKCS#11 module, a shared library that this account can load",
    HsmTrouble.TOKEN: "name the label of one token that is there",
    HsmTrouble.PIN: "give the user PIN of the token; many HSMs lock it after a few wrong ones",
    HsmTrouble.KEY: "bring the wrapping key back into the HSM, or name the label that it has",
    HsmTrouble.MECHANISM: "the HSM has to offer AES-GCM (CKM_AES_GCM) with a nonce of ours",
    HsmTrouble.CHANGED: "bring the key file back from its backup",
    HsmTrouble.DEVICE: "look at the HSM and its own log; a damaged key file looks the same",
    HsmTrouble.LATE: "look at the HSM and the way to it",
}


class HsmFault(KeysUnavailable):
    """The HSM does not do what was asked; the sentence says what to do."""

    def __init__(self, trouble: HsmTrouble, detail: str) -> None:
        self.trouble = trouble
        self.problem = f"the HSM ({trouble}): {detail}" if detail else f"the HSM ({trouble})"
        self.remedy = _REMEDIES[trouble]
        super().__init__(f"{self.problem}: {self.remedy}")


@dataclass(frozen=True, slots=True)
class WrappingKey:
    """A key in the HSM under the label of the settings. ``can_leave`` says that the HSM would give it out."""

    id: str
    can_leave: bool


@dataclass(frozen=True, slots=True)
class Hsm:
    """The HSM with the wrapping key. ``pin`` reads the PIN each time; raises `LookupError` where it is not there."""

    module: Path
    token: str
    label: str
    pin: Callable[[], str] = field(repr=False)
    timeout_s: float

    def wrapping_keys(self) -> list[WrappingKey]:
        """Return the keys under the label, having logged in. Raises `HsmFault`."""
        return [WrappingKey(key["id"], key["leaves"]) for key in self._ask("look")["keys"]]

    def make_key(self) -> str:
        """Generate an AES-256 key in the HSM, which never gives it out; return its id. Raises `HsmFault`."""
        return str(self._ask("make")["id"])

    def wrap(self, key_id: str, octets: bytes, place: bytes) -> bytes:
        """Encrypt a few octets for a place. Raises `HsmFault`."""
        return bytes.fromhex(self._ask("wrap", id=key_id, octets=octets.hex(), place=place.hex())["octets"])

    def unwrap(self, key_id: str, octets: bytes, place: bytes) -> bytes:
        """Decrypt what `wrap` gave. Raises `HsmFault`."""
        return bytes.fromhex(self._ask("unwrap", id=key_id, octets=octets.hex(), place=place.hex())["octets"])

    def pin_now(self) -> str:
        """Return the PIN. Raises `HsmFault`."""
        try:
            return self.pin()
        except (LookupError, UnicodeDecodeError) as error:
            raise HsmFault(HsmTrouble.PIN, str(error.args[0])) from error

    def _ask(self, do: str, **more: str) -> dict[str, Any]:
        asked = {
            "do": do,
            "module": str(self.module),
            "token": self.token,
            "label": self.label,
            "pin": self.pin_now(),
            "ends_within_s": self.timeout_s + 2.0,
            **more,
        }
        command = [sys.executable, "-I", str(_CHILD)]
        try:
            done = subprocess.run(  # noqa: S603 - our own program
                command, input=json.dumps(asked).encode(), capture_output=True, timeout=self.timeout_s, check=False
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise HsmFault(HsmTrouble.LATE, f"no answer within {self.timeout_s:g} s") from None
        except OSError as error:
            raise HsmFault(HsmTrouble.DEVICE, f"it cannot be asked: {error.strerror}") from error
        try:
            answer: dict[str, Any] = json.loads(done.stdout)
        except ValueError:
            raise HsmFault(
                HsmTrouble.MODULE, f"{self.module} ended its process with {done.returncode}"
            ) from None
        if "fault" in answer:
            raise HsmFault(HsmTrouble(answer["fault"]), str(answer["detail"]))
        return answer


class Opener:
    """Has the HSM open key files on a thread of its own, one at a time, so that a press never waits for it."""

    def __init__(self, hsm: Hsm, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._hsm = hsm
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._asked: Wrapped | None = None
        self._is_done = threading.Event()
        self._done_at = 0.0
        self._outcome: bytes | KeysUnavailable = b""
        self._failure: KeysUnavailable | None = None
        self._wrong_pin: str | None = None

    def text_of(self, wrapped: Wrapped, wait_s: float) -> bytes | None:
        """Return what the file holds; None where the HSM is still being asked after so many seconds. Raises `KeysUnavailable`."""
        with self._lock:
            if self._asked is None or (self._is_done.is_set() and self._has_to_ask(wrapped)):
                self._failure = self._failed if self._asked == wrapped else None
                self._asked = wrapped
                self._is_done.clear()
                name = "key-file-opener"
                threading.Thread(target=self._open, args=(wrapped,), name=name, daemon=True).start()
        if wait_s:
            self._is_done.wait(wait_s)
        with self._lock:
            if self._asked != wrapped and self._wrong_pin is not None and self._failed is not None:
                raise self._failed
            if self._asked != wrapped:
                return None
            # While it is asked once more, its last answer stands.
            outcome = self._outcome if self._is_done.is_set() else self._failure
        if outcome is None:
            return None
        if isinstance(outcome, KeysUnavailable):
            raise outcome
        return outcome

    @property
    def _failed(self) -> KeysUnavailable | None:
        return self._outcome if isinstance(self._outcome, KeysUnavailable) else None

    def _has_to_ask(self, wrapped: Wrapped) -> bool:
        if self._failed is None:
            return self._asked != wrapped
        if self._wrong_pin is not None and self._pin() == self._wrong_pin:
            return False  # the next wrong one may lock the token
        return self._asked != wrapped or self._monotonic() - self._done_at >= AGAIN_S

    def _open(self, wrapped: Wrapped) -> None:
        outcome: bytes | KeysUnavailable
        wrong_pin, pin = None, self._pin()
        try:
            outcome = wrapped.opened(self._hsm)
        except HsmFault as error:
            outcome = error
            wrong_pin = pin if error.trouble is HsmTrouble.PIN else None
        except KeysUnavailable as error:
            outcome = error
        with self._lock:
            self._outcome, self._wrong_pin, self._done_at = outcome, wrong_pin, self._monotonic()
            self._is_done.set()

    def _pin(self) -> str | None:
        try:
            return self._hsm.pin_now()
        except HsmFault:
            return None
