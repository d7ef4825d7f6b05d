"""The journal of presses, and its way into the store."""

from __future__ import annotations

from telephony.assembly.part import Ground
from telephony.assembly.store import StorePart
from telephony.journal.journal import JOURNAL_FOLDER, Journal
from telephony.journal.refused import REFUSED_FILE, RefusedPresses
from telephony.services.spine.recording import Recording
from telephony.services.spine.taking_up import TakingUp
from telephony.services.spine.telling import Telling
from telephony.store.line_file import LineFile


class JournalPart:
    """What `SpinePart` has beside the store where presses go into a journal first."""

    def __init__(self, ground: Ground, store: StorePart, recording: Recording, telling: Telling) -> None:
        settings, outside = ground.settings, ground.outside
        folder = settings.service.state_dir / JOURNAL_FOLDER
        self._journal = Journal(
            folder,
            keys=store.key_file.ring,
            are_proven=lambda: store.key_file.is_proven,
            runner=outside.thread("journal"),
            maker=outside.thread("journal-files"),
            clock=ground.clock,
            alarms=ground.alarms,
            bounds=settings.journal.bounds,
        )
        self._refused = RefusedPresses(
            LineFile(folder / REFUSED_FILE),
            keys=store.key_file.ring,
            runner=outside.thread("refused-file"),
            clock=ground.clock,
        )
        self.taking_up = TakingUp(
            self._journal,
            self._refused,
            store.database,
            recording,
            telling,
            told=store.told,
            clock=ground.clock,
            budget_s=settings.store.commit_budget_s,
        )

    def load(self) -> None:
        """Read what earlier lives have left, before anybody can press."""
        self._refused.load()
        self.taking_up.resume(self._journal.load())

    def start(self) -> None:
        """Begin to take it up."""
        self._journal.start()
        self.taking_up.start()

    async def stop(self) -> None:
        """Write what waits; `taking_up` has been stopped."""
        await self._journal.stop()
        await self._refused.stop()
