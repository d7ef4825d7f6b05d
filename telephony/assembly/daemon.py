"""The daemon: its parts in the order in which each needs the others, and their life."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred

from telephony.assembly.auditing import AuditPart
from telephony.assembly.carriers import CarriersPart, texter_of
from telephony.assembly.centre import CentrePart
from telephony.assembly.control import ControlPart
from telephony.assembly.heartbeats import HeartbeatsPart
from telephony.assembly.housekeeping import HousekeepingPart
from telephony.assembly.locating import LocatingPart
from telephony.assembly.names import NamesPart
from telephony.assembly.part import Ground, InTurn, Part, Taken
from telephony.assembly.people import DesksPart, PeoplePart
from telephony.assembly.recordings import RecordingsPart
from telephony.assembly.service_menu import ServiceMenuPart
from telephony.assembly.spine import SpinePart
from telephony.assembly.store import StorePart
from telephony.assembly.surroundings import Outside, make_own_folder, on_threads
from telephony.assembly.voice import AsteriskPart, Telephones
from telephony.asterisk.ami.client import AmiClient
from telephony.clock_steps import keep_steps
from telephony.services.calls import CallLedger
from telephony.services.silence import SilenceGuard
from telephony.settings import Settings

if TYPE_CHECKING:
    from telephony.assembly.doors import DoorsPart

CLOCK_FILE: Final = "clock.json"


def assemble(settings: Settings, reactor: Any) -> Daemon:
    """Return the daemon of these settings on a real reactor; it opens no socket before it is started.

    Raises `LookupError` for a secret that cannot be read and `OSError` or `Unavailable` for a store that cannot.
    """
    outside = on_threads(reactor)
    make_own_folder(settings.service.state_dir)
    keep_steps(reactor.machine_clock, settings.service.state_dir / CLOCK_FILE)
    return Daemon(settings, outside)


class Daemon(InTurn):
    """Everything, assembled. It starts from the store outwards and stops from the links inwards: the store last."""

    def __init__(self, settings: Settings, outside: Outside) -> None:
        super().__init__()
        make_own_folder(settings.service.state_dir)
        self.ground = ground = Ground.under(settings, outside)
        self._names = names = NamesPart(ground)
        self.store = store = StorePart(ground, names.names)
        auditing = AuditPart(ground, store)
        silence = SilenceGuard(
            store.database,
            neutral_texts=settings.ussd.neutral_texts,
            is_ahead_of_the_store=store.callers.is_ahead_of_the_store,
        )
        texter = texter_of(ground, silence)
        ledger = CallLedger(store.outbox, clock=ground.clock)
        self._telephones = telephones = Telephones(ground, ledger)
        self._centre = centre = CentrePart(ground, store.told, telephones)
        self._locating = locating = LocatingPart(ground, store)
        people = PeoplePart(ground, store, silence, texter, telephones)
        lanes = [
            *centre.lanes(),
            *locating.lanes(),
            *telephones.lanes(),
            *people.lanes(),
        ]
        self.spine = spine = SpinePart(ground, store, lanes, centre.senders)
        self._housekeeping = housekeeping = HousekeepingPart(ground, store, spine.relay.channels)
        accept_all = spine.intake.accept_all
        self._desks = desks = DesksPart(ground, store, people, texter, accept_all)
        links = Part()
        self._carriers = CarriersPart(ground, people, desks, silence, accept_all)
        links.add(self._carriers)
        self._asterisk = asterisk = AsteriskPart(ground, telephones, ledger, spine.intake.record_all)
        links.add(asterisk)
        self._doors: DoorsPart | None = None
        if settings.web is not None:
            from telephony.assembly.doors import DoorsPart  # noqa: PLC0415 - twisted.web is large

            self._doors = DoorsPart(ground, settings.web, ledger, auditing.audit, accept_all, store.outbox)
            links.add(self._doors)
        links.add(ServiceMenuPart(ground, accept_all))
        recordings = RecordingsPart(ground, store, asterisk.recording_places())
        # Asked from the first moment to the last: also about a start that hangs, and a stop that takes its time.
        self._control = control = ControlPart(
            ground, self, store.database, housekeeping.disk, spine.in_journal
        )
        self._heartbeats = heartbeats = HeartbeatsPart(ground, centre, self.far_ends, control.store_look)
        for part in (
            names, control, store, auditing, centre, locating, people, spine, housekeeping, desks, links, recordings, heartbeats
        ):  # fmt: skip
            self.add(part)

    def stopService(self) -> Deferred[None]:  # noqa: N802 - Twisted's name
        """Unbind first, so that no press comes; finish what is in flight; close the store last."""
        self.ground.observer.is_leaving = True
        return super().stopService()

    def reload(self, settings: Settings) -> Taken:
        """Take in what of new settings needs no restart: recognition, carriers, links, centres, location services, secrets.

        What did not change goes on untouched. Raises nothing for a part that cannot be taken: it goes on as it was.
        """
        self.ground.recognitions.take(settings)
        self.recognise()
        self._names.take(settings.far_hosts)
        all_taken = Taken()
        for taken in (
            self._centre.take(settings.psap),
            self._locating.take(settings),
            self._carriers.take(settings),
            self._asterisk.take_secrets(),
            Taken() if self._doors is None else self._doors.take(settings.psap),
        ):
            all_taken.secrets += taken.secrets
            all_taken.refused |= taken.refused
        # The centres that could not be taken are not in the plan either: a report finds every channel that it names.
        plan = settings.model_copy(update={"psap": self._centre.psaps}).plan
        self.spine.know(settings.carrier)
        self._desks.know(settings.carrier)
        self.spine.go_by(plan, [*self._centre.lanes(), *self._locating.lanes()])
        self._heartbeats.take()
        self._housekeeping.go_by(self.spine.relay.channels)
        self._control.take(settings)
        return all_taken

    @property
    def clients(self) -> Mapping[str, AmiClient]:
        """The manager interfaces of the Asterisk servers, by name."""
        return self._telephones.clients
