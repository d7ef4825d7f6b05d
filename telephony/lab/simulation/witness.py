"""Watches during a simulation for breaches of promises that must hold at every moment."""

from __future__ import annotations

import re
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

from telephony.lab.centre.psap import ReceivedReport
from telephony.lab.simulation.clock import SimulatedClock
from telephony.lab.simulation.configuration import PSAP
from telephony.lab.simulation.contents import OF_EVERY_REPORT
from telephony.lab.simulation.disk import Disk
from telephony.lab.simulation.ledger import Ledger
from telephony.lab.simulation.machine_time import MachineTime
from telephony.lab.simulation.people import Press
from telephony.lab.simulation.timeline import Timeline

TOLD_DIRECTLY: Final = ("press not durable, relayed directly", "press in the journal alone, relayed directly")
"""Of presses that the store does not have; the second kind was answered ESME_ROK."""

EXPECTED_ERRORS: Final = frozenset(
    {
        "alarm",
        "alarm stands",
        "link alarm",
        *TOLD_DIRECTLY,
        "leases not released",
    }
)
"""Log lines about trouble outside. Any other line of this level is a defect of ours."""

EXPECTED_OF_A_STUCK_DISK: Final = frozenset({"locatings stay unrecorded"})
"""Losses that a stop may have while its disk hangs or is slow, and at no other time."""

MOST_OWED: Final = 3
"""Reports of one incident that no channel has delivered: one that is being sent, one update that gathers, the closing."""

REPEAT_WINDOW_S: Final = 600.0
"""The carriers' default: the same octets within this time are taken for a redelivery."""

_NUMBER: Final = re.compile(r"8210\d{8}|010\d{8}")


@dataclass(frozen=True)
class Broken:
    """A broken promise: which, about what (words to look for in the timeline), and how."""

    promise: str
    about: tuple[str, ...]
    how: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.promise}: {self.how} ({', '.join(self.about)})"


class Witness:
    """Collects breaches. It knows the callers' numbers, and looks for them where they must not be."""

    def __init__(
        self,
        clock: SimulatedClock,
        machine: MachineTime,
        timeline: Timeline,
        ledger: Ledger,
        numbers: set[str],
        *,
        disk: Disk,
    ) -> None:
        self.broken: list[Broken] = []
        self.reports: dict[str, list[tuple[float, ReceivedReport]]] = {}
        """By the key of the report: each URL's first arrival, with its time."""
        self.newest: dict[str, ReceivedReport] = {}
        """By incident: the report with the highest number so far, by whichever URL."""
        self.relayed_directly: set[str] = set()
        """Incidents of which 112 was told without the store.

        The daemon could then not know that the press was in the store already, or what an earlier process had said of
        it: the first report of such an incident may come again, late, with another time in it. Its id is the same, so
        112 discards it.
        """
        self.owed_directly: set[str] = set()
        """Reports of them that 112 has not got yet; they are in one daemon's memory alone."""
        self._clock = clock
        self._machine = machine
        self._timeline = timeline
        self._ledger = ledger
        self._disk = disk
        self._numbers = numbers | {f"0{number[2:]}" for number in numbers}
        self._numbers_seen: dict[tuple[str, str], int] = {}
        """By URL and incident: the highest number so far."""

    def breach(self, promise: str, how: str, *about: str) -> None:
        """Keep a broken promise, and write it into the timeline."""
        found = Broken(promise, about, how)
        if found not in self.broken:
            self.broken.append(found)
            self._timeline.note(f"BROKEN {found}", is_turning_point=True)

    def answered(self, press: Press, status: int) -> None:
        """See the SMSC get its answer: ESME_ROK means that the press is on disk now."""
        since = press.at if press.is_new else press.at - REPEAT_WINDOW_S
        number = press.caller.number
        if status == 0 and not (
            self._came_since(since, self._ledger.seen(number))
            or self._came_since(since, self._ledger.in_journal(number))
        ):
            self.breach(
                "acknowledged means durable", f"{press} is not on disk", str(press), str(press.caller)
            )

    def _came_since(self, since: float, seen: Iterable[float]) -> bool:
        return max((self._machine.last(moment) for moment in seen), default=0.0) >= since

    def reported(self, channel: str, report: ReceivedReport) -> None:
        """See a report arrive at one URL of 112 for the first time."""
        incident, _, sequence = report.key.rpartition("-")
        self.owed_directly.discard(report.key)
        newest = self._numbers_seen.get((channel, incident), 0)
        if not sequence.isdigit():
            self._timeline.note(f"told outside the sequence: {report.key}")
        elif int(sequence) > newest:
            if int(sequence) > max(self._numbers_seen.get((url, incident), 0) for url in PSAP):
                self.newest[incident] = report
            self._numbers_seen[channel, incident] = int(sequence)
        elif not self._may_come_again(report.key):
            self.breach("reports come in order", f"{sequence} came to {channel} after {newest}", incident)
        self.reports.setdefault(report.key, []).append((self._clock.seconds(), report))
        for promise, fault_of in OF_EVERY_REPORT.items():
            how = fault_of(report)
            if how is not None:
                self.breach(promise, how, incident)

    def violation(self, channel: str, what: str) -> None:
        """See a breach of the contract with 112."""
        keys = re.findall(r"sos-[0-9a-z-]+", what)
        if not any(self._may_come_again(key) for key in keys):
            self.breach("the contract with 112 is kept", f"{channel}: {what}", *keys)

    def log_line(self, level: str, facts: MutableMapping[str, Any], line: str) -> None:
        """See a log line, as it would be written."""
        event = str(facts.get("event"))
        is_expected = event in EXPECTED_ERRORS or (event in EXPECTED_OF_A_STUCK_DISK and self._disk.is_stuck)
        if level in ("error", "critical") and not is_expected:
            exception = str(facts.get("exception", ""))
            how = exception.strip().splitlines()[-1] if exception else str(dict(facts))
            self._timeline.note(exception)
            self.breach("no defect shows in the log", f"{event}, {facts.get('what', '')}: {how}", event)
        if event in TOLD_DIRECTLY:
            self.relayed_directly.add(str(facts["incident"]))
            if str(facts["report"]) not in self.reports:
                self.owed_directly.add(str(facts["report"]))
        if any(found in self._numbers for found in _NUMBER.findall(line)):
            self.breach("no number in the log", event, event)

    def look_at_outbox(self) -> None:
        """See whether the news of an incident gather in one update, however long 112 is away."""
        owed: dict[tuple[str, str], int] = {}
        for one in self._ledger.owed():
            if one.sequence > 0 and not one.is_told:
                owed[one.incident, one.channel] = owed.get((one.incident, one.channel), 0) + 1
        for (incident, channel), count in owed.items():
            if count > MOST_OWED:
                self.breach(
                    "news gather in one update",
                    f"more than {MOST_OWED} reports are owed to {channel}",
                    incident,
                )

    def _may_come_again(self, key: str) -> bool:
        incident, _, sequence = key.rpartition("-")
        return sequence == "1" and incident in self.relayed_directly
