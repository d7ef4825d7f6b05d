"""Remembers the reports told to 112 past the store: of which press, under which name, in which words, and whether 112 has them.

A redelivery of such a press is told of, and recorded, under the same name and time; what 112 has acknowledged it is not
told again, by whichever way. `ToldKeeping` has the same on disk, so that it outlives the process.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from telephony.clock import Clock, wall_s
from telephony.domain.own_lines import hash_of
from telephony.domain.report import Report, report_id
from telephony.domain.told import Step, words_of
from telephony.domain.trigger import Repetition, Trigger

MOST: Final = 100_000
"""Reports remembered; those told longest ago make room, first those that the store has."""
KEPT_S: Final = 6 * 3600.0
"""For so long after it was told the same content is its redelivery. Later it is a new press of the same key: under the old
time its incident would be followed no more and closed as long quiet."""
WRITTEN_AGAIN_S: Final = 1800.0
"""How often it is written down that a press was offered once more: the time above counts from the last time."""


@dataclass(slots=True)
class Told:
    """One report that was told past the store, or is being told.

    ``report`` is None where only its name could be kept. ``press`` and ``words`` are keyed hashes, empty where it tells of no
    press that is still to come, because the store has it. ``told_at`` is in seconds that never step, ``at`` in Unix time.
    """

    report_id: str
    incident_id: str
    received_at: datetime
    told_at: float
    at: float
    report: Report | None = field(default=None, repr=False)
    press: bytes = b""
    words: bytes = b""
    caller: str | None = field(default=None, repr=False)
    """What the caller's presses are joined by."""
    sealed: bytes = field(default=b"", repr=False)
    """The report as it was found on disk, where it could not be opened."""
    channels: tuple[str, ...] = ()
    """Those that 112 acknowledged by."""
    other_press: bytes = b""
    """Under which other hash the press came in this process."""
    is_taken_up: bool = False
    is_settled: bool = False
    """The store's own delivery of it has ended well."""
    is_over: bool = False
    """The store has its press and 112 the report: nothing of it is wanted after a restart."""
    written_at: float = 0.0

    @property
    def is_acknowledged(self) -> bool:
        """Whether 112 has it, by whichever channel."""
        return bool(self.channels)

    @property
    def is_alert_of_its_incident(self) -> bool:
        """Whether the store will want to send this very report when it opens the incident."""
        return self.report_id == report_id(self.incident_id, 1)


OnStep = Callable[[Told, Step], None]


class ToldReports:
    """Remembers them; ``on_step`` hears of every step. ``key`` is the service's own."""

    def __init__(self, key: bytes, *, clock: Clock) -> None:
        self.on_step: OnStep = _not_heard
        self._key = key
        self._clock = clock
        self.standing_count = 0
        """How many are wanted after a restart."""
        self._by_report: OrderedDict[str, Told] = OrderedDict()
        """The one that was told longest ago first."""
        self._by_press: dict[bytes, Told] = {}
        """Of presses that the store does not have, by what their redelivery will bring."""
        self._of_an_earlier_life: dict[bytes, list[Told]] = {}
        """The same by their words: who told them remembered under which reference their redelivery comes, and is gone."""

    def __len__(self) -> int:
        return len(self._by_report)

    @property
    def waits_for_presses(self) -> bool:
        """Whether there is any press that the store does not have."""
        return bool(self._by_press)

    # -- presses ----------------------------------------------------------------------------------------------

    def of_press(self, trigger: Trigger) -> Told | None:
        """Return the report that was told of this very press before, where the store does not have it."""
        hashed = hash_of(trigger.reference, self._key)
        told = self._by_press.get(hashed)
        if told is None and trigger.repetition is Repetition.UNKNOWN:
            told = self._told_in_an_earlier_life(trigger, hashed)
        if told is None or self._clock.seconds() - told.told_at > KEPT_S:
            return None
        return told

    def _told_in_an_earlier_life(self, trigger: Trigger, hashed: bytes) -> Told | None:
        """Return the oldest of the same words: its sender was refused, so it has it still."""
        waiting = self._of_an_earlier_life.get(hash_of(words_of(trigger.reference), self._key), [])
        while waiting:
            told = waiting.pop(0)
            if not told.is_taken_up:
                told.other_press = hashed
                self._by_press[hashed] = told
                return told
        return None

    def claim(self, trigger: Trigger) -> None:
        """Take the telling of a press that the journal has: its sender was answered, and will not bring it again."""
        told = self._by_press.get(hash_of(trigger.reference, self._key))
        waiting = self._of_an_earlier_life.get(hash_of(words_of(trigger.reference), self._key), [])
        if told in waiting:
            waiting.remove(told)

    def enter(self, report: Report, trigger: Trigger | None = None, caller: str | None = None) -> Told:
        """Remember a report that is about to be told: of this press, or of one that the store has."""
        now, wall = self._clock.seconds(), wall_s(self._clock)
        told = Told(report.report_id, report.incident_id, report.sent_at, now, wall, report, written_at=now)
        if trigger is not None:
            told.received_at, told.caller = trigger.received_at, caller
            told.press = hash_of(trigger.reference, self._key)
            told.words = hash_of(words_of(trigger.reference), self._key)
        self._keep(told)
        self.on_step(told, Step.TRIED)
        return told

    def again(self, told: Told) -> None:
        """See its press offered once more."""
        told.told_at, told.at = self._clock.seconds(), wall_s(self._clock)
        self._by_report.move_to_end(told.report_id)
        if told.told_at - told.written_at >= WRITTEN_AGAIN_S:
            told.written_at = told.told_at
            self.on_step(told, Step.AGAIN)

    def taken_up(self, trigger: Trigger, incident_id: str) -> bool:
        """See a press recorded in the store, under this incident; True where 112 was told of it before."""
        if not self._by_press:
            return False
        told = self._by_press.get(hash_of(trigger.reference, self._key))
        if told is None:
            return False
        self._let_go(told)
        told.is_taken_up = True
        is_wanted = told.is_alert_of_its_incident and told.incident_id == incident_id
        if told.is_settled or (told.is_acknowledged and not is_wanted):
            # Told by the store itself, joined to another incident, or told of in the store's next update.
            self._end(told)
        else:
            self.on_step(told, Step.TAKEN_UP)
        return True

    # -- reports ----------------------------------------------------------------------------------------------

    def get(self, report_id: str) -> Told | None:
        """Return a report that is remembered."""
        return self._by_report.get(report_id)

    def is_acknowledged(self, report_id: str) -> bool:
        """Whether 112 has it."""
        told = self._by_report.get(report_id)
        return told is not None and told.is_acknowledged

    def acknowledged(self, report_id: str, channel: str) -> None:
        """See 112 acknowledge a report that was told directly."""
        told = self._by_report.get(report_id)
        if told is None or channel in told.channels:
            return
        told.channels = (*told.channels, channel)
        self.on_step(told, Step.ACKNOWLEDGED)
        if told.is_taken_up and not told.is_alert_of_its_incident:
            self._end(told)

    def settled(self, report_id: str, channel: str) -> None:
        """See the store's own delivery of a report end well."""
        told = self._by_report.get(report_id)
        if told is None:
            return
        told.is_settled = True
        if told.is_taken_up or not told.press:
            told.channels = told.channels or (channel,)
            self._end(told)
        else:
            self.acknowledged(report_id, channel)

    def unacknowledged(self) -> list[Told]:
        """Return what 112 has not acknowledged, in the order of telling."""
        return [told for told in self._by_report.values() if not (told.channels or told.is_over)]

    def standing(self) -> list[Told]:
        """Return all that is wanted after a restart, in the order of telling."""
        return [told for told in self._by_report.values() if not told.is_over]

    def learn(self, found: Iterable[Told]) -> None:
        """Take what an earlier process has left, in the order of telling."""
        for told in found:
            self._keep(told)
            if told.press and not told.is_taken_up:
                self._of_an_earlier_life.setdefault(told.words, []).append(told)

    def _keep(self, told: Told) -> None:
        before = self._by_report.get(told.report_id)
        if before is not None:
            self._forget(before)
        self._by_report[told.report_id] = told
        self.standing_count += 1
        if told.press and not told.is_taken_up:
            self._by_press[told.press] = told
        self._make_room()

    def _end(self, told: Told) -> None:
        if not told.is_over:
            told.is_over = True
            self.standing_count -= 1
            self.on_step(told, Step.OVER)

    def _make_room(self) -> None:
        """Forget reports that are too old or too many; those that 112 has not acknowledged are with the direct relay all the same."""
        now = self._clock.seconds()
        while self._by_report:
            oldest = next(iter(self._by_report.values()))
            is_old = now - oldest.told_at > KEPT_S and oldest.is_acknowledged
            if not is_old and len(self._by_report) <= MOST:
                return
            self._forget(oldest)

    def _forget(self, told: Told) -> None:
        del self._by_report[told.report_id]
        self._let_go(told)
        self._end(told)

    def _let_go(self, told: Told) -> None:
        """Wait for its press no more."""
        for hashed in (told.press, told.other_press):
            if self._by_press.get(hashed) is told:
                del self._by_press[hashed]


def _not_heard(_told: Told, _step: Step) -> None:
    """Until it is kept on disk."""
