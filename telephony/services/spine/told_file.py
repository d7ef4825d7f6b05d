"""Keeps on disk, beside the store, the reports told to 112 past it: written right after the telling, never waited for.

A press is told whether or not this can be written. What is personal is sealed under the store's keys; where there are none,
the name of the incident and the time are kept, and keyed hashes to find them by.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import structlog
from twisted.internet.defer import Deferred

from telephony.alarms import Alarms
from telephony.background import Runner
from telephony.clock import Call, Clock, wall_s, within
from telephony.domain.errors import Malformed, Unavailable
from telephony.domain.report import Report
from telephony.domain.told import Standing, Step, ToldLine, lines_in, octets_of, standing_of
from telephony.services.spine import report_octets
from telephony.services.spine.told import KEPT_S, Told, ToldReports
from telephony.store.crypto import KeyRing, Place
from telephony.store.line_file import LineFile
from telephony.store.sealing import seal, unseal
from telephony.store.times import from_us, to_us

log = structlog.get_logger()

TOLD_FILE: Final = "told-past-the-store"
"""In the state directory."""
NOT_KEPT_ALARM: Final = "told-not-kept"
"""The file cannot be written: a restart would tell 112 again. About the file."""
DAMAGED_ALARM: Final = "told-damaged"
"""Parts of the file cannot be read. About the file."""
DAMAGED_ALARM_S: Final = 3_600.0
AGAIN_S: Final = 5.0
"""Pause before a write that failed is tried again."""
MOST_WAITING: Final = 200_000
"""Steps that wait for a disk that hangs."""
MOST_WRITTEN: Final = 48 << 20
"""Octets of the file, some 40,000 reports: what comes after that is remembered in memory alone."""
WASTE: Final = 4 << 20
"""A file of so many octets, and of twice as many as it had, is rewritten without finished reports."""
STOP_WITHIN_S: Final = 2.0

_IS_ANOTHER: Final = "it was removed or replaced"
_Note = tuple[Told, ToldLine]
"""A step to be written down; what is sealed comes from the first."""


class ToldKeeping:
    """Writes the steps of `ToldReports` down, on a thread of its own; `load` brings back what an earlier process wrote."""

    def __init__(
        self,
        told: ToldReports,
        file: LineFile,
        *,
        key: bytes,
        keys: Callable[[], KeyRing],
        runner: Runner,
        clock: Clock,
        alarms: Alarms,
    ) -> None:
        self._told = told
        self._file = file
        self._key = self._key_of_file = key
        self._keys = keys
        self._runner = runner
        self._clock = clock
        self._alarms = alarms
        self._waiting: list[_Note] = []
        self._is_busy = False
        self._again: Call | None = None
        self._fresh_size = 0
        """Octets of the file when it was last rewritten."""
        self._full_count = 0
        """Most reports that were wanted since it is full."""

    def go_by(self, key: bytes) -> None:
        """Write under another key from now on: at the next step the file is rewritten."""
        self._key = key

    def load(self) -> None:
        """Read the file, in this thread, before anybody can press. What cannot be read is passed over with an alarm."""
        try:
            octets = self._file.read()
        except OSError as error:
            log.warning("told past the store and unreadable", error=_in_words(error))
            octets = b"?"
        found = lines_in(octets, self._key)
        if found.damaged:
            self._pass_over(found.damaged, is_foreign=not found.lines)
        earlier = [self._told_by(standing) for standing in standing_of(found.lines).values()]
        wanted = [
            told for told in earlier if not told.channels or self._clock.seconds() - told.told_at <= KEPT_S
        ]
        self._told.learn(wanted)
        self._told.on_step = self._note
        if wanted:
            log.warning(
                "told past the store before",
                count=len(wanted),
                unacknowledged_count=sum(1 for told in wanted if not told.channels),
                nameless_count=sum(1 for told in wanted if told.report is None),
            )
        # Rewritten at once: without finished reports, and with room kept for the next time.
        self._begin_rewriting()

    def stop(self) -> Deferred[None]:
        """Write what waits, for a moment at most."""
        if self._again is not None and self._again.active():
            self._again.cancel()
        steps, self._waiting = self._waiting, []
        if steps:
            self._runner.run(partial(self._append, steps), lambda _: None)
        return within(self._runner.stop(), STOP_WITHIN_S, self._clock).addErrback(lambda _: None)

    # -- reading ----------------------------------------------------------------------------------------------

    def _pass_over(self, damaged: int, *, is_foreign: bool) -> None:
        """Say that pieces of the file are none of ours; a file that has none of ours is kept under another name."""
        kept_in = None
        if is_foreign:
            try:
                kept_in = str(self._file.set_aside())
            except OSError as error:
                log.warning("file not set aside", path=str(self._file.path), error=str(error))
        about = str(self._file.path)
        self._alarms.note(DAMAGED_ALARM, about, DAMAGED_ALARM_S, damaged_count=damaged, kept_in=kept_in)

    def _told_by(self, standing: Standing) -> Told:
        line = standing.tried
        caller, report = self._opened(line)
        now = self._clock.seconds()
        return Told(
            line.report_id,
            line.incident_id,
            from_us(line.received_us),
            now - max(0.0, wall_s(self._clock) - standing.at),
            standing.at,
            report,
            line.press,
            line.words,
            caller,
            b"" if report is not None else line.sealed,
            channels=standing.channels,
            is_taken_up=standing.is_taken_up,
            written_at=now,
        )

    def _opened(self, line: ToldLine) -> tuple[str | None, Report | None]:
        if not line.sealed:
            return None, None
        try:
            known = json.loads(unseal(self._keys(), _place(line.report_id), line.sealed))
            return known["caller"], report_octets.report_in(known["report"].encode())
        except (Unavailable, Malformed, ValueError, KeyError, TypeError, AttributeError) as error:
            log.critical(
                "told past the store and unreadable", report=line.report_id, error=type(error).__name__
            )
            return None, None

    # -- writing ----------------------------------------------------------------------------------------------

    def _note(self, told: Told, step: Step) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self._alarms.raise_(NOT_KEPT_ALARM, str(self._file.path), reason="too much waits for its disk")
            return
        self._waiting.append((told, _line_of(told, step, wall_s(self._clock))))
        self._write()

    def _write(self) -> None:
        if self._is_busy or not self._waiting or (self._again is not None and self._again.active()):
            return
        count = self._told.standing_count
        has_waste = self._file.size > max(WASTE, 2 * self._fresh_size)
        if not count or has_waste or (self._is_full and count < self._full_count // 2):
            self._begin_rewriting()
            return
        steps, self._waiting = self._waiting, []
        if self._is_full:
            self._full_count = max(self._full_count, count)
            self._alarms.raise_(NOT_KEPT_ALARM, str(self._file.path), reason="it is full")
            return
        self._is_busy = True
        self._runner.run(partial(self._append, steps), partial(self._written, steps))

    @property
    def _is_full(self) -> bool:
        return self._file.size > MOST_WRITTEN

    def _begin_rewriting(self) -> None:
        """Rewrite the file without finished reports: steps that wait to be written are in it then, or finished."""
        self._is_busy = True
        self._full_count = 0
        steps, self._waiting = self._waiting, []
        self._runner.run(partial(self._rewrite, self._told.standing()), partial(self._written, steps))

    def _written(self, steps: list[_Note], failure: str | None) -> None:
        self._is_busy = False
        about = str(self._file.path)
        if failure is None:
            self._alarms.clear(NOT_KEPT_ALARM, about)
            self._write()
            return
        self._waiting = steps + self._waiting
        if failure is _IS_ANOTHER:
            self._begin_rewriting()
            return
        self._alarms.raise_(NOT_KEPT_ALARM, about, reason=failure)
        self._again = self._clock.callLater(AGAIN_S, self._try_again)

    def _try_again(self) -> None:
        self._again = None
        self._write()

    # -- on the thread ----------------------------------------------------------------------------------------

    def _append(self, steps: Sequence[_Note]) -> str | None:
        if self._key != self._key_of_file:
            return _IS_ANOTHER
        try:
            octets = b"".join([self._octets_of(*step) for step in steps])
            return None if self._file.append(octets) else _IS_ANOTHER
        except Exception as error:  # noqa: BLE001 - told all the same; what is wrong is an alarm
            return _in_words(error)

    def _rewrite(self, standing: Sequence[Told]) -> str | None:
        key = self._key
        try:
            octets = b"".join([self._octets_of(*step) for told in standing for step in _steps_of(told)])
            self._file.rewrite(octets)
        except Exception as error:  # noqa: BLE001 - as above
            return _in_words(error)
        self._fresh_size, self._key_of_file = len(octets), key
        return None

    def _octets_of(self, told: Told, line: ToldLine) -> bytes:
        if line.step is Step.TRIED:
            line = replace(line, sealed=self._sealed(told))
        return octets_of(line, self._key)

    def _sealed(self, told: Told) -> bytes:
        if told.report is None:
            return told.sealed
        try:
            known = {"caller": told.caller, "report": report_octets.octets_of(told.report).decode()}
            return seal(self._keys(), _place(told.report_id), json.dumps(known).encode())
        except Exception as error:  # noqa: BLE001 - without it the name is kept
            log.warning(
                "told past the store, kept by name alone", report=told.report_id, error=_in_words(error)
            )
            return b""


def _line_of(told: Told, step: Step, at: float) -> ToldLine:
    """Return the line of a step, not yet sealed; of an acknowledgement the newest."""
    if step is Step.TRIED:
        received_us = to_us(told.received_at)
        return ToldLine(step, told.report_id, at, told.incident_id, received_us, told.press, told.words)
    return ToldLine(step, told.report_id, at, channel=told.channels[-1] if step is Step.ACKNOWLEDGED else "")


def _steps_of(told: Told) -> list[_Note]:
    """Return the lines of all that a report has come to."""
    lines = [_line_of(told, Step.TRIED, told.at)]
    lines += [
        ToldLine(Step.ACKNOWLEDGED, told.report_id, told.at, channel=channel) for channel in told.channels
    ]
    if told.is_taken_up:
        lines.append(_line_of(told, Step.TAKEN_UP, told.at))
    return [(told, line) for line in lines]


def _place(report_id: str) -> Place:
    return Place(TOLD_FILE, "report", report_id)


def _in_words(error: BaseException) -> str:
    return str(error) if isinstance(error, Unavailable) else f"{type(error).__name__}: {error}"
