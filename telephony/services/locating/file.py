"""Keeps on disk, beside the store, the record of locatings that the store has not taken: a stop in an outage loses none.

Written on a thread of its own, when the store has refused them, and emptied when it has them. Each is sealed under the
store's keys; where there are none, none can be written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import structlog
from twisted.internet.defer import Deferred

from telephony.background import Runner
from telephony.domain.errors import Malformed, Unavailable
from telephony.domain.locating import AnswerKind, Locating, Purpose
from telephony.domain.own_lines import line_of, lines_in
from telephony.domain.values import Msisdn
from telephony.store.crypto import KeyRing, Place
from telephony.store.line_file import LineFile
from telephony.store.sealing import seal, unseal
from telephony.store.times import from_us, to_us

log = structlog.get_logger()

LOCATINGS_FILE: Final = "unrecorded-locatings"
"""In the state directory."""


class LocatingFile:
    """The file at a path. Nothing here raises: an outcome is the fault in words, or nothing."""

    def __init__(self, file: LineFile, *, key: bytes, keys: Callable[[], KeyRing], runner: Runner) -> None:
        self._file = file
        self._key = key
        self._keys = keys
        self._runner = runner
        self._written: dict[int, Locating] = {}
        """What is in the file, or on its way there."""
        self._is_read = False
        self._is_whole = True
        """Every line of it is under the key in use."""

    def go_by(self, key: bytes) -> None:
        """Write under another key from now on: the file is rewritten."""
        self._key = key
        self._written = {}
        self._is_whole = False

    def read(self, found: Callable[[Mapping[int, Locating] | None], None]) -> None:
        """Give what an earlier process has left, by the keys of its rows; None while it cannot be opened."""

        def have_read(left: Mapping[int, Locating] | None) -> None:
            if left is not None:
                self._is_read = True
                self._written = dict(left)
            found(left)

        self._runner.run(self._read, have_read)

    def keep(self, waiting: Mapping[int, Locating]) -> Deferred[str | None]:
        """Write down the requests that wait for the store; fires with the fault, or None."""
        done: Deferred[str | None] = Deferred(lambda _: None)
        fresh = {key: asked for key, asked in waiting.items() if self._written.get(key) is not asked}
        self._written.update(fresh)

        def have_written(failure: str | None) -> None:
            if failure is not None:
                self._written = {}
            if not done.called:
                done.callback(failure)

        self._runner.run(partial(self._append, fresh, dict(waiting)), have_written)
        return done

    def empty(self) -> None:
        """Leave nothing in the file: the store has it."""
        if self._is_read and self._written:
            self._written = {}
            self._runner.run(partial(self._rewrite, {}), lambda _: None)

    # -- on the thread ----------------------------------------------------------------------------------------

    def _read(self) -> Mapping[int, Locating] | None:
        try:
            octets = self._file.read()
            ring = self._keys() if octets.rstrip(b"\0") else None
        except (OSError, Unavailable) as error:
            log.warning("unrecorded locatings not read", error=str(error))
            return None
        found = lines_in(octets, self._key, lambda line: _opened(ring, line))
        if found.damaged:
            log.warning("unrecorded locatings partly unreadable", damaged_count=found.damaged)
        left = dict(found.lines)
        # Room is kept from now on: the trouble to come may be a full disk.
        self._rewrite(left)
        return left

    def _append(self, fresh: Mapping[int, Locating], waiting: Mapping[int, Locating]) -> str | None:
        if not self._is_read:
            return "what an earlier process has left in it is not read yet"
        try:
            if self._is_whole and self._file.append(self._lines_of(fresh)):
                return None
        except (OSError, Unavailable) as error:
            return str(error)
        return self._rewrite(waiting)

    def _rewrite(self, waiting: Mapping[int, Locating]) -> str | None:
        try:
            self._file.rewrite(self._lines_of(waiting))
        except (OSError, Unavailable) as error:
            return str(error)
        self._is_whole = True
        return None

    def _lines_of(self, some: Mapping[int, Locating]) -> bytes:
        if not some:
            return b""
        ring = self._keys()
        return b"".join([line_of(_sealed(ring, *each), self._key) for each in some.items()])


def _sealed(ring: KeyRing, key: int, asked: Locating) -> Mapping[str, Any]:
    said = {
        "incident": asked.incident_id,
        "number": asked.msisdn.number,
        "e164": asked.msisdn.is_e164,
        "carrier": asked.carrier,
        "by": asked.asked_by,
        "purpose": asked.purpose.value,
        "quality": asked.quality,
        "at": to_us(asked.asked_at),
        "answer": asked.answer.value,
        "method": asked.method,
        "answered": None if asked.answered_at is None else to_us(asked.answered_at),
    }
    return {"key": key, "sealed": seal(ring, _place(key), json.dumps(said).encode()).hex()}


def _opened(ring: KeyRing | None, line: Mapping[str, Any]) -> tuple[int, Locating]:
    """Return the locating of a line. Raises `ValueError`, `KeyError` or `TypeError` for one that cannot be opened."""
    key = int(line["key"])
    if ring is None:
        raise ValueError("no key to open it with")
    try:
        said = json.loads(unseal(ring, _place(key), bytes.fromhex(line["sealed"])))
    except (Malformed, Unavailable) as error:
        raise ValueError(str(error)) from error
    answered = said["answered"]
    return key, Locating(
        said["incident"],
        Msisdn(said["number"], is_e164=said["e164"]),
        said["carrier"],
        said["by"],
        Purpose(said["purpose"]),
        said["quality"],
        from_us(said["at"]),
        AnswerKind(said["answer"]),
        said["method"],
        None if answered is None else from_us(answered),
    )


def _place(key: int) -> Place:
    return Place(LOCATINGS_FILE, "locating", key)
