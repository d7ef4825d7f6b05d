"""Keeps on disk, beside the store, which callers have an open incident: a start that finds the store away must not open another.

Written a moment after each change, on a thread of its own and without a sync: nothing waits for it, and what a power cut takes
is an incident too many at 112. There are keyed hashes of callers in it, names of incidents and times, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import structlog

from telephony.background import Runner, handed_to
from telephony.clock import Clock, wall_s
from telephony.domain.own_lines import hash_of, line_of, lines_in
from telephony.periodic import Periodic
from telephony.services.spine.open_callers import KEPT_S, KnownCaller, KnownCallers
from telephony.store.line_file import LineFile
from telephony.store.times import from_us, to_us

log = structlog.get_logger()

CALLERS_FILE: Final = "open-incidents"
"""In the state directory."""
EVERY_S: Final = 1.0
AGAIN_S: Final = 5.0
WASTE: Final = 4 << 20
"""A file of so many octets, and of twice as many as it had, is rewritten without outdated entries."""


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
        self._rounds = Periodic(self._round, "keeping of open incidents", every_s=EVERY_S, clock=clock)
        self._taken_up: Mapping[bytes, KnownCaller] | None = None
        """What `load` has found, until it was written anew."""
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
        self._taken_up = newest
        self._rounds.startService()

    def go_by(self, key: bytes) -> None:
        """Write under another key from now on: the file is rewritten."""
        self._key = key
        self._is_whole = False

    def stop(self) -> None:
        """Write what is left; the thread ends with the process."""
        self._rounds.stopService()
        self._runner.run(partial(self._append, self._known.changed), lambda _: None)

    async def _round(self) -> float:
        work = self._due()
        failure = None if work is None else await handed_to(self._runner, work)
        if failure is not None and self._is_whole:
            log.warning("open incidents not kept", error=failure)
        self._is_whole = failure is None
        return EVERY_S if self._is_whole else AGAIN_S

    def _due(self) -> Callable[[], str | None] | None:
        """Return what is to be written now; ``None`` where nothing has changed."""
        if self._taken_up is not None:
            taken_up, self._taken_up = self._taken_up, None
            return partial(self._rewrite, taken_up)
        changed, self._known.changed = self._known.changed, {}
        if not self._is_whole or self._file.size > max(WASTE, 2 * self._fresh_size):
            standing = self._known.standing()
            return lambda: self._rewrite(self._hashed(standing))
        return partial(self._append, changed) if changed else None

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
