"""Housekeeping: watches the outbox and the disk, and runs the retention."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from telephony.assembly.part import Ground, Part
from telephony.assembly.store import StorePart
from telephony.services.keeping.disk import DiskWatch, watched_directories
from telephony.services.retention import CLOSING_EVERY_S, PEOPLE_RUNS, Retention
from telephony.services.watch import Watch
from telephony.store.retention.kinds import found_at_closing, found_by_index, found_by_opening
from telephony.store.retention.notes import NOTES_FILE, RetentionNotes
from telephony.store.retention.runs import Kind


class HousekeepingPart(Part):
    """Watches, and deletes data whose time is over."""

    def __init__(self, ground: Ground, store: StorePart, channels: Iterable[str]) -> None:
        super().__init__()
        self._ground = ground
        self._store = store
        settings = ground.settings
        self._watch = Watch(
            store.outbox,
            channels=frozenset(channels),
            quiet_close_s=settings.incident.quiet_close_h * 3600,
            clock=ground.clock,
            alarms=ground.alarms,
            noticed=store.key_file.noticed,
        )
        self.disk = DiskWatch(
            watched_directories(settings.service.state_dir, settings.log.file),
            settings.disk.limits,
            runner=ground.outside.thread("disk"),
            clock=ground.clock,
            alarms=ground.alarms,
            make_room=store.empty_the_log,
        )
        self._retention = self._retention_jobs()
        store.is_taken_up.means(self._take_up)

    def go_by(self, channels: Iterable[str]) -> None:
        """Mend by the plan of the outbox as it is now; these channels have a lane."""
        self._watch.go_by(frozenset(channels))

    def start(self) -> None:
        """Begin to look."""
        self._watch.wait_for_the_store()
        self._watch.startService()
        self.disk.start()
        for job in self._retention:
            job.startService()

    async def stop(self) -> None:
        """Look no more."""
        for job in self._retention:
            job.stopService()
        self._watch.stopService()  # its last round ends with the store, which may hang
        self.disk.stop()

    async def _take_up(self) -> None:
        self._watch.look_far_back()
        self._store.go_on_bringing_over()

    def _retention_jobs(self) -> list[Retention]:
        """Return the jobs that delete data whose time is over: one for rows that an index finds, one that walks through people."""
        periods = self._ground.settings.retention
        notes = RetentionNotes(self._ground.settings.service.state_dir / NOTES_FILE)
        every_s = periods.every_h * 3600

        def job(about: str, kinds: Sequence[Kind], every_s: float) -> Retention:
            return Retention(
                about,
                kinds,
                self._store.database,
                partial(self._store.database.read_on, self._store.people_reader),
                every_s=every_s,
                clock=self._ground.clock,
                alarms=self._ground.alarms,
                notes=notes,
                is_pressed=lambda: self._ground.traffic.is_pressed,
                fold_back=self._store.empty_the_log,
            )

        closing = found_at_closing(periods)
        return [
            *([job("closing", closing, min(CLOSING_EVERY_S, every_s))] if closing else []),
            job("store", found_by_index(periods), every_s),
            job("people", found_by_opening(periods, self._store.registry), every_s * PEOPLE_RUNS),
        ]
