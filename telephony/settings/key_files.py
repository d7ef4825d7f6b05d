"""The key file that the settings name, and the HSM that wraps it."""

from __future__ import annotations

import time
from collections.abc import Callable

from telephony.settings.model import Settings
from telephony.store.keys.file import KeyFile
from telephony.store.keys.hsm import Hsm


def key_file_of(
    settings: Settings, *, waits: bool = True, monotonic: Callable[[], float] = time.monotonic
) -> KeyFile:
    """Return the key file; with ``waits`` the HSM's answer is waited for each time, as a command does. See `KeyFile`."""
    return KeyFile(settings.key_file, hsm=hsm_of(settings), waits=waits, monotonic=monotonic)


def hsm_of(settings: Settings) -> Hsm | None:
    """Return the HSM of the settings."""
    place = settings.store.key_hsm
    if place is None:
        return None
    return Hsm(place.module, place.token, place.key, place.pin.read, place.timeout_s)
