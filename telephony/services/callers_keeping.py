"""Keeps on disk, beside the store, whose incidents are open: a start that finds the store away must not open another one.

Written a moment after each change, on a thread of its own and without a sync: nobody waits for it, and what a power cut takes
is an incident too many at 112. There are keyed hashes of callers in it, names of incidents and times, nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import structlog

from telephony.clock import Call, Clock, wall_s
from telephony.domain.own_lines import hash_of, line_of, lines_in
from telephony.services.callers import KEPT_S, KnownCaller, KnownCallers
from telephony.store.database import Runner
from telephony.store.line_file import LineFile
from telephony.store.times import from_us, to_us

log = structlog.get_logger()

CALLERS_FILE: Final = "open-incidents"
"""In the state directory."""
EVERY_S: Final = 1.0
AGAIN_S: Final = 5.0
WASTE: Final = 4 << 20
"""A file of so many octets, and of twice as many as it had, is written anew without what is known better since."""


class CallersKeeping:
    """Writes down what `KnownCallers` learns; `load` brings back what an earlier process knew."""

    def __init__(
        self, known: KnownCallers, file: LineFile, *, key: bytes, runner: Runner, clock: Clock
    ) -> None:
        self._known = known
        self._file = file
        self._key = key
        self._runner = runner
        self._clock = clock
        self._call: Call | None = None
        self._fresh_size = 0
        self._is_whole = True

    def load(self) -> None:
        """Read the file, in this thread. What cannot be read is passed over: the store knows better in a moment."""
        try:
            octets = self._file.read()
        except OSError as error:
            log.warning("open incidents not read", error=str(error))
            octets = b""
        found = lines_in(octets, self._key, self._read)
        if found.damaged:
            log.warning("open incidents partly unreadable", damaged_count=found.damaged)
        now = self._clock.seconds()
        newest = dict(found.lines)
        newest = {caller: known for caller, known in newest.items() if now - known.heard_at <= KEPT_S}
        self._known.learn_by_hash(newest)
        self._runner.run(partial(self._rewrite, newest), self._written)

    def stop(self) -> None:
        """Write what is left; the thread ends with the process."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._runner.run(partial(self._append, self._known.changed), lambda _: None)

    def _write(self) -> None:
        changed, self._known.changed = self._known.changed, {}
        if not self._is_whole or self._file.size > max(WASTE, 2 * self._fresh_size):
            standing = self._known.standing()
            self._runner.run(lambda: self._rewrite(self._hashed(standing)), self._written)
        elif changed:
            self._runner.run(partial(self._append, changed), self._written)
        else:
            self._written(None)

    def _written(self, failure: str | None) -> None:
        if failure is not None and self._is_whole:
            log.warning("open incidents not kept", error=failure)
        self._is_whole = failure is None
        self._call = self._clock.callLater(EVERY_S if self._is_whole else AGAIN_S, self._write)

    # -- on the thread ----------------------------------------------------------------------------------------

    def _append(self, changed: Mapping[str, KnownCaller]) -> str | None:
        try:
            octets = b"".join([self._line_of(*each) for each in self._hashed(changed).items()])
            return None if self._file.append(octets, is_synced=False) else "it was removed or replaced"
        except OSError as error:
            return str(error)

    def _rewrite(self, standing: Mapping[bytes, KnownCaller]) -> str | None:
        octets = b"".join([self._line_of(*each) for each in standing.items()])
        try:
            self._file.rewrite(octets)
        except OSError as error:
            return str(error)
        self._fresh_size = len(octets)
        return None

    def _hashed(self, known: Mapping[str, KnownCaller]) -> dict[bytes, KnownCaller]:
        return {hash_of(caller, self._key): each for caller, each in known.items()}

    def _line_of(self, caller: bytes, known: KnownCaller) -> bytes:
        line = {
            "caller": caller.hex(),
            "incident": known.incident_id,
            "opened": to_us(known.opened_at),
            "presses": known.presses,
            "directly": known.is_told_directly,
            "at": wall_s(self._clock) - (self._clock.seconds() - known.heard_at),
        }
        return line_of(line, self._key)

    def _read(self, line: Mapping[str, Any]) -> tuple[bytes, KnownCaller]:
        age_s = max(0.0, wall_s(self._clock) - float(line["at"]))
        known = KnownCaller(
            line["incident"],
            from_us(int(line["opened"])),
            int(line["presses"]),
            bool(line["directly"]),
            self._clock.seconds() - age_s,
        )
        return bytes.fromhex(line["caller"]), known
