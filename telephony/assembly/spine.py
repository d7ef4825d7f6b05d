"""From the press to 112: intake, relay, and the direct way past a store that is away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from telephony.assembly.far_ends import moment
from telephony.assembly.journal import JournalPart
from telephony.assembly.part import Ground, Part
from telephony.assembly.store import StorePart
from telephony.clock import ages, due_s, utc_now
from telephony.control.messages import InJournal
from telephony.domain.plan import Plan
from telephony.domain.ports import ReportSender
from telephony.services.locating.following import HOPELESS_PAUSE_S
from telephony.services.spine.direct import DirectRelay, PastTheStore
from telephony.services.spine.intake import Intake
from telephony.services.spine.open_callers import KEPT_S
from telephony.services.spine.recording import Recording
from telephony.services.spine.relay import Relay
from telephony.services.spine.telling import Telling
from telephony.services.spine.traffic import Lane
from telephony.settings import Carrier
from telephony.settings.model import AckAfter
from telephony.store.incidents import open_incidents
from telephony.store.outbox.starting import bring_forward, release_leases
from telephony.store.presses import PressRecorder, Rules

log = structlog.get_logger()

STOP_RELAY_WITHIN_S: Final = 5.0


class SpinePart(Part):
    """Takes presses in and sends reports out; it takes up its own work whenever the store is there again."""

    def __init__(
        self,
        ground: Ground,
        store: StorePart,
        lanes: Iterable[Lane],
        senders: Mapping[str, ReportSender],
    ) -> None:
        super().__init__()
        self._ground = ground
        self._store = store
        settings, clock = ground.settings, ground.clock
        self._has_begun = False
        plan = settings.plan
        direct = DirectRelay(senders, clock=clock, told=store.told)
        self._past_the_store = PastTheStore(direct, plan)
        self.relay = Relay(
            lanes,
            store.database,
            clock=clock,
            owner=ground.owner,
            alarms=ground.alarms,
            poll_s=settings.relay.poll_s,
            traffic=ground.traffic,
            past_the_store=self._past_the_store.tell,
            reader=store.relay_reader,
        )
        ground.bell.is_heard_by(self.relay.wake)
        store.outbox.hand_over_to(self.relay)
        rules = Rules(
            plan,
            ground.owner,
            _repeat_windows(settings.carrier),
            ground.outside.rng.getrandbits(8),
            partial(ages, clock),
        )
        names = store.incident_names()
        self._recorder = PressRecorder(rules)
        self._recording = recording = Recording(
            store.database,
            self._recorder,
            self.relay,
            told=store.told,
            callers=store.callers,
            names=names,
            plan=plan,
            clock=clock,
            alarms=ground.alarms,
        )
        self._telling = Telling(
            direct, told=store.told, callers=store.callers, names=names, plan=plan, alarms=ground.alarms
        )
        self._journal = (
            JournalPart(ground, store, recording, self._telling)
            if settings.journal.ack_after is AckAfter.JOURNAL
            else None
        )
        self.intake = Intake(
            store.database,
            recording,
            self._telling,
            callers=store.callers,
            clock=clock,
            budget_s=settings.store.commit_budget_s,
            taking_up=None if self._journal is None else self._journal.taking_up,
        )
        store.is_taken_up.means(self._take_up)

    def in_journal(self) -> InJournal | None:
        """Return what the journal has and the store not yet; ``None`` where presses go into the store first."""
        if self._journal is None:
            return None
        since = self._journal.taking_up.owed_since
        return InJournal(
            presses=self._journal.taking_up.owed_count,
            oldest_at=None if since is None else moment(self._ground.clock, since),
        )

    def go_by(self, plan: Plan, lanes: Iterable[Lane]) -> None:
        """Tell 112 by another plan from now on; its channels, and those before them, have a lane each."""
        for lane in lanes:
            self.relay.run(lane)
        self._store.outbox.plan = plan
        for each in (self._past_the_store, self._recorder, self._recording, self._telling):
            each.go_by(plan)

    def know(self, carriers: Sequence[Carrier]) -> None:
        """Tell redeliveries of these carriers from new presses, each by its own window."""
        self._recorder.repeat_within(_repeat_windows(carriers))

    def start(self) -> None:
        """Go on with what was told past the store and with what is in the journal, and look for work."""
        if self._journal is not None:
            self._journal.load()
        self._telling.resume()
        self.relay.start()
        if self._journal is not None:
            self._journal.start()

    async def stop(self) -> None:
        """Let deliveries in flight end; what is in the journal alone stays there."""
        if self._journal is not None:
            self._journal.taking_up.stop()
        await self.relay.stop(STOP_RELAY_WITHIN_S)
        if self._journal is not None:
            await self._journal.stop()

    async def _take_up(self) -> None:
        """Learn whose incidents are open and take back our leases, in a store that has just been taken up."""
        database = self._store.database
        # First, and by a read: the writer may have much to take up from the journal, and who presses meanwhile has to be known.
        since = utc_now(self._ground.clock) - timedelta(seconds=KEPT_S)
        self.intake.remember(await database.read(open_incidents, since))
        await database.transact(release_leases, self._ground.settings.service.name, self._ground.owner)
        if not self._has_begun:
            longest_s = max(HOPELESS_PAUSE_S, self._ground.settings.locating.interval_s)
            moved = await database.transact(bring_forward, due_s(self._ground.clock), longest_s)
            if moved:
                log.warning("clock was set back while we were away", brought_forward=moved)
            self._has_begun = True
        if self._journal is not None:
            self._journal.taking_up.store_is_back()
        self.relay.wake()


def _repeat_windows(carriers: Iterable[Carrier]) -> dict[str, float]:
    return {carrier.name: carrier.dialect.repeat_window_s for carrier in carriers}
