"""The only place where objects meet: settings in, a service out."""

from __future__ import annotations

import contextlib
import random
import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Engine
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, TimeoutError, succeed  # noqa: A004 - Twisted's name
from twisted.internet.interfaces import IReactorFromThreads

from telephony.asterisk.agi_server import AgiServer
from telephony.asterisk.client import AmiClient
from telephony.asterisk.service_menu import Menu
from telephony.asterisk.settings import ServiceMenu
from telephony.background import run_in_background
from telephony.clock import due_s, keep_steady, utc_now, within
from telephony.clock_steps import keep_steps
from telephony.domain.delivery import GUARDIANS, GUARDIANS_RELEASED, PERSON, TEST_RESULT
from telephony.domain.enrolment import EnrolmentRules
from telephony.domain.errors import Unavailable
from telephony.domain.incident import Receipt
from telephony.domain.own_lines import hash_of
from telephony.domain.people import Language
from telephony.domain.plan import locating_channel, tracking_channel
from telephony.domain.ports import ACCURATE, FAST, Locator, ReportSender
from telephony.domain.recognition import Recognition
from telephony.domain.report import Report
from telephony.domain.trigger import Trigger
from telephony.domain.values import Msisdn
from telephony.http1 import HttpClient
from telephony.lbs.client import CarrierLocators, MlpLocator
from telephony.names import Names
from telephony.psap.cap import KST
from telephony.psap.client import CapHttpSender
from telephony.services import guardian_ways
from telephony.services.alarms import Alarms
from telephony.services.answers import Answers
from telephony.services.audit import Audit
from telephony.services.bringing_over import BringingOver
from telephony.services.callers import KEPT_S, KnownCallers
from telephony.services.callers_keeping import CALLERS_FILE, CallersKeeping
from telephony.services.calls import CallDirection, CallLedger
from telephony.services.damaged_store import DamagedStoreWatch
from telephony.services.direct import DirectRelay
from telephony.services.disk import DiskWatch, watched_directories
from telephony.services.drills import DrillChannel
from telephony.services.enrolment import EnrolmentDesk
from telephony.services.guardian_book import RegistryGuardians
from telephony.services.guardian_record import GuardianRecord
from telephony.services.guardian_release import GuardianReleaseChannel
from telephony.services.guardian_replies import GuardianReplies
from telephony.services.guardian_ways import GuardianWays
from telephony.services.guardians import GuardianChannel
from telephony.services.intake import Intake
from telephony.services.joining import Joining, PersonChannel
from telephony.services.keeping import StoreKeeper
from telephony.services.labels import Labels
from telephony.services.links import LinkAlarms
from telephony.services.locating import HOPELESS_PAUSE_S, Following, LocateChannel
from telephony.services.locating_record import LocatingRecord
from telephony.services.naming import IncidentNames
from telephony.services.position_reads import PositionReads
from telephony.services.relay import Relay
from telephony.services.reporting import ReportChannel
from telephony.services.retention import CLOSING_EVERY_S, PEOPLE_RUNS, Retention
from telephony.services.service_key import ServiceKey
from telephony.services.service_texts import ServiceTexts
from telephony.services.silence import SilenceGuard
from telephony.services.told import ToldReports
from telephony.services.told_keeping import TOLD_FILE, ToldKeeping
from telephony.services.traffic import Lane
from telephony.services.watch import Watch
from telephony.services.weighing import Scales, ScoringRules
from telephony.settings import Carrier, Settings
from telephony.smpp.answering import PressDesk
from telephony.smpp.client import Esme
from telephony.smpp.observer import LogObserver
from telephony.smpp.receipt_book import ReceiptBook
from telephony.smpp.request_book import RequestBook
from telephony.smpp.server import PeerOfCarrier, peer_server
from telephony.smpp.settings import Server
from telephony.smpp.text_request import Numbering, numbering_of
from telephony.smpp.texting import BindTexter, TextWay
from telephony.store.bounds import Access
from telephony.store.checkpoint import Checkpointer
from telephony.store.contention import Repeats
from telephony.store.crypto import KeyFile, KeyRing
from telephony.store.database import Database, Runner
from telephony.store.engines import open_engines, own_files_of, sqlite_checkpoint_engine
from telephony.store.enrolling import Enrolling
from telephony.store.incidents import open_incidents
from telephony.store.joined import who_has
from telephony.store.line_file import LineFile
from telephony.store.outbox import bring_forward, owner_of, release_leases
from telephony.store.people import Registry
from telephony.store.people_erasing import fold_back
from telephony.store.presses import PressRecorder, Rules
from telephony.store.retention import Kind
from telephony.store.retention_kinds import found_at_closing, found_by_index, found_by_opening
from telephony.store.retention_notes import NOTES_FILE, RetentionNotes
from telephony.store.threads import ThreadRunner
from telephony.switchboard import Switchboard
from telephony.ussd.dialogues import Dialogues
from telephony.ussd.menus import MenuRules, OpenMenus
from telephony.ussd.pages import PLAIN_PAGE, UCS2_PAGE
from telephony.ussd.profiles import PROFILES
from telephony.web.location import LocationResource
from telephony.web.server import WebServer
from telephony.web.settings import Web

log = structlog.get_logger()

READERS = 2
NAMES_FILE = "names.json"
CLOCK_FILE = "clock.json"
"""In the state directory: where the names of far ends led when they were last found."""
LOCATING_AT_ONCE = 32
"""Location errands in flight of a carrier that has no location service of its own: the others are asked."""
GUARDIANS_AT_ONCE = 20
"""Lines that guardians may take at a time; calls for help and 112's own come by other endpoints."""
RELEASING_TIMEOUT_S = 330.0
"""Of ten guardians each may take as long as every carrier together may for one text."""
DRILLS_AT_ONCE = 8
DRILL_TIMEOUT_S = 120.0
"""Of one result: it may be offered to one carrier after the other."""
JOINING_AT_ONCE = 8
JOINING_TIMEOUT_S = 15.0
"""Reading and writing of one errand; the look-up has a bound of its own."""
ATTEMPT_GRACE_S = 5.0
"""What the relay grants an attempt beyond the channel's own time-out, so that the channel speaks first."""
STOP_RELAY_WITHIN_S = 5.0
REPEATED_FOR = 0.4
"""The part of a press's commit budget in which the store's writer waits for another daemon's."""
STOP_STORE_WITHIN_S = 5.0
SWITCH_INTERVAL_S = 0.0001
"""How long the reactor may keep the interpreter from the store's thread; Python's own 5 ms would be added to every
commit under load."""


@dataclass(frozen=True)
class Outside:
    """What the daemon takes from its surroundings: a reactor, chance, and threads to work on."""

    reactor: Any
    rng: random.Random
    runner: Callable[[str, int], Runner]
    """Makes a runner of a name with so many threads."""


def on_threads(reactor: Any) -> Outside:
    """Give the surroundings of a real process."""
    assert IReactorFromThreads.providedBy(reactor)
    keep_steady(reactor)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    _take_all_descriptors()
    return Outside(reactor, random.SystemRandom(), partial(ThreadRunner, reactor))


def _take_all_descriptors() -> None:
    """Open as many files as the system lets us: strangers' connections must leave some for those to 112."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Some containers refuse even this; then it stays as it was.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def assemble(settings: Settings, reactor: Any) -> Daemon:
    """Give the daemon of these settings on a real reactor; it opens no socket before it is started.

    Raises `LookupError` for a secret that cannot be read and `OSError` or `Unavailable` for a store that cannot.
    """
    outside = on_threads(reactor)
    keep_steps(reactor.machine_clock, settings.service.state_dir / CLOCK_FILE)
    return Daemon(settings, outside)


def _links_of(settings: Settings) -> set[str]:
    """Return the names of everything that has a link to be watched."""
    links = {link.name for carrier in settings.carrier for link in carrier.smpp}
    peers = {peer.name for carrier in settings.carrier for peer in carrier.peer}
    return links | peers | {server.name for server in settings.asterisk}


class Daemon(MultiService):
    """Everything, assembled: links, intake, store, relay, channels, watch."""

    def __init__(self, settings: Settings, outside: Outside) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._settings = settings
        self._outside = outside
        clock, state_dir = outside.reactor, settings.service.state_dir
        self.alarms = Alarms(clock)
        self.key_file = KeyFile(settings.key_file)
        self._has_begun = False
        service_key = ServiceKey(state_dir)
        plan = settings.plan
        self._names = Names(
            settings.far_hosts,
            state_dir / NAMES_FILE,
            clock=clock,
            thread=lambda name: outside.runner(name, 1),
            alarms=self.alarms,
        )
        self.database, self.keeper = self._open_store(service_key)
        self._told, callers = self._told_past_the_store(service_key)
        self._other_names = clock.installNameResolver(self._names)
        self._http: list[HttpClient] = []
        self._answer_readers: list[Runner] = []
        self._people_reader = self._outside.runner("people-reader", READERS)
        self._relay_reader = self._outside.runner("relay-reader", 1)
        self._text_ways: list[TextWay] = []
        self.silence = SilenceGuard(
            self.database,
            neutral_texts=settings.ussd.neutral_texts,
            is_told_directly=self._is_told_directly,
        )
        self.texter = self._texter()
        self._observer = LinkAlarms(LogObserver(), self.alarms, _links_of(settings))
        self.ledger = CallLedger(self.database, plan=plan, wake=self._wake)
        self.calls = CallDirection(self.database, plan=plan, clock=clock, wake=self._wake)
        self.labels = Labels(self.database, plan=plan, clock=clock, wake=self._wake)
        self._switchboard = Switchboard(
            settings,
            self.ledger,
            reactor=clock,
            rng=outside.rng,
            observer=self._observer,
            alarms=self.alarms,
            runner=partial(outside.runner, "recordings", 1),
        )
        self._guardian_record = GuardianRecord(self.database, plan=plan, clock=clock, wake=self._wake)
        self._answers = Answers(self.texter, texts_per_day=settings.enrolment.texts_per_day, clock=clock)
        self.enrolment = self._enrolment_desk()
        self._service_texts = self._service_side()
        senders: dict[str, ReportSender] = {**self._senders(), **self._switchboard.senders()}
        self._owner = owner_of(settings.service.name, f"{outside.rng.getrandbits(32):08x}")
        self.relay = Relay(
            [
                *self._report_lanes(senders),
                *self._switchboard.report_lanes(senders, self._told),
                *self._locating_lanes(),
                *self._joining_lanes(),
                *self._switchboard.lanes(),
                *self._guardian_lanes(),
                *self._drill_lanes(),
            ],
            self.database,
            clock=clock,
            owner=self._owner,
            alarms=self.alarms,
            poll_s=settings.relay.poll_s,
            past_the_store=self._tell_past_the_store,
            reader=self._relay_reader,
        )
        rules = Rules(
            plan,
            self._owner,
            {carrier.name: carrier.dialect.repeat_window_s for carrier in settings.carrier},
            outside.rng.getrandbits(8),
        )
        self.intake = Intake(
            self.database,
            PressRecorder(rules),
            self.relay,
            DirectRelay(senders, clock=clock, told=self._told),
            told=self._told,
            callers=callers,
            names=IncidentNames(service_key.octets, KST),
            plan=plan,
            clock=clock,
            alarms=self.alarms,
            budget_s=settings.store.commit_budget_s,
        )
        self._watch = Watch(
            self.database,
            plan=plan,
            channels=self.relay.channels,
            quiet_close_s=settings.incident.quiet_close_h * 3600,
            clock=clock,
            alarms=self.alarms,
            wake=self.relay.wake,
        )
        self._disk_runner = outside.runner("disk", 1)
        self._disk = DiskWatch(
            watched_directories(state_dir, settings.log.file),
            settings.disk.limits,
            runner=self._disk_runner,
            clock=clock,
            alarms=self.alarms,
            make_room=self._empty_the_log,
        )
        self.audit = Audit(self.database, clock=clock, alarms=self.alarms)
        self._position_reads = PositionReads(self.audit, clock)
        self._retention = self._retention_jobs()
        self._desks: dict[str, list[PressDesk]] = {}
        peers = [peer for carrier in settings.carrier for peer in self._add_links(carrier)]
        if settings.smpp_server is not None:
            self._add_server(settings.smpp_server, peers)
        self._switchboard.open_lines(self.intake.accept_all)
        self._switchboard.setServiceParent(self)  # type: ignore[no-untyped-call]
        if settings.web is not None:
            self._add_web(settings.web)
        if settings.service_menu is not None:
            self._add_service_menu(settings.service_menu)

    # -- life -----------------------------------------------------------------------------------------------

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Take back what an earlier process had leased, then open the links."""
        self._names.start()
        self._callers_keeping.load()
        self._told_keeping.load()
        self.intake.resume()
        self.keeper.start()
        self.relay.start()
        self._watch.start()
        self._disk.start()
        self.audit.start()
        for job in self._retention:
            job.start()
        if self._checkpointer is not None:
            self._checkpointer.start()
        super().startService()  # type: ignore[no-untyped-call]

    async def _resume(self) -> None:
        """Take back our leases and learn whose incidents are open, in a store that has just been taken up."""
        await self.database.transact(release_leases, self._settings.service.name, self._owner)
        if not self._has_begun:
            longest_s = max(HOPELESS_PAUSE_S, self._settings.locating.interval_s)
            moved = await self.database.transact(bring_forward, due_s(self._outside.reactor), longest_s)
            if moved:
                log.warning("clock was set back while we were away", brought_forward=moved)
            self._has_begun = True
        since = utc_now(self._outside.reactor) - timedelta(seconds=KEPT_S)
        self.intake.remember(await self.database.read(open_incidents, since))
        self._watch.look_far_back()
        self.relay.wake()
        if self._bringing_over is not None:
            self._bringing_over.go_on()

    def stopService(self) -> Deferred[None]:  # noqa: N802 - Twisted's name
        """Unbind first, so that no press comes; finish what is in flight; close the store last."""
        self._observer.is_leaving = True
        return Deferred.fromCoroutine(self._stop(super().stopService()))  # type: ignore[no-untyped-call]

    async def _stop(self, links_gone: Deferred[Any]) -> None:
        await links_gone
        for job in self._retention:
            job.stop()
        self._watch.stop()
        self._disk.stop()
        await self.relay.stop(STOP_RELAY_WITHIN_S)
        self._callers_keeping.stop()
        await self._told_keeping.stop()
        await self._locating_record.stop()
        self._position_reads.stop()
        await self.audit.stop()
        for client in self._http:
            await client.close()
        for reader in self._answer_readers:
            await reader.stop()
        self._names.stop()
        self._outside.reactor.installNameResolver(self._other_names)
        if self._checkpointer is not None:  # files: what would be lost with this process may take its time
            await self._close_store()
            return
        try:
            await within(self._store_closed(), STOP_STORE_WITHIN_S, self._outside.reactor)
        except TimeoutError:
            # Its threads end with the process; what was acknowledged is on disk.
            log.warning("store not closed: it does not answer")

    def _store_closed(self) -> Deferred[None]:
        """Begin to close the store; fires when it is. Who gives up waiting does not disturb the closing."""
        closed: Deferred[None] = Deferred()
        closing = run_in_background(self._close_store(), "closing the store")
        closing.addCallback(lambda _: None if closed.called else closed.callback(None))
        return closed

    async def _close_store(self) -> None:
        if self._checkpointer is not None:
            await self._checkpointer.stop()
        await self._people_reader.stop()
        if self._bringing_over is not None:
            await self._bringing_over.stop()
        await self.keeper.stop()
        await self._relay_reader.stop()
        await self.database.stop()
        self.keeper.let_go()

    def reload(self, settings: Settings) -> None:
        """Take over the recognition tables of new settings; everything else needs a restart."""
        self._settings = settings
        for carrier, desks in self._desks.items():
            for desk in desks:
                desk.recognition = settings.recognition_for(carrier)
        self._switchboard.reload(settings)

    @property
    def clients(self) -> Mapping[str, AmiClient]:
        """The manager interfaces of the Asterisk servers, by name."""
        return self._switchboard.clients

    # -- parts ----------------------------------------------------------------------------------------------

    def _open_store(self, service_key: ServiceKey) -> tuple[Database, StoreKeeper]:
        url, outside = self._settings.database_url, self._outside
        budget_s = self._settings.store.commit_budget_s
        files = own_files_of(url)
        access = Access.of_daemon(budget_s, self._names.known)
        self._damaged = None if files is None else self._watch_for_damage(files.file)
        writing, reading = open_engines(url, self.key_file.ring, files, access)
        database = Database(
            writing,
            reading,
            writer=outside.runner("store-writer", 1),
            reader=outside.runner("store-reader", READERS),
            clock=outside.reactor,
            prove=None if files is None else files.require,
            repeats=Repeats(budget_s * REPEATED_FOR, now=outside.reactor.seconds, rng=outside.rng),
        )
        keeper = StoreKeeper(
            database,
            (writing, reading),
            files,
            self.key_file,
            service_key,
            access=None if writing.dialect.name == "sqlite" else access,
            budget_s=budget_s,
            runner=outside.runner("store-keeper", 1),
            clock=outside.reactor,
            alarms=self.alarms,
            resume=self._resume,
            damaged=self._damaged,
        )
        self._bringing_over = None if self._damaged is None else self._bring_over(self._damaged, database)
        keeper.take_up_at_start()
        self._checkpointer = None
        self._checkpoint_engine: Engine | None = None
        if writing.dialect.name == "sqlite":
            self._checkpoint_engine = sqlite_checkpoint_engine(url, files)
            self._checkpointer = Checkpointer(
                url,
                self._checkpoint_engine,
                database,
                runner=outside.runner("store-checkpoint", 1),
                clock=outside.reactor,
            )
        return database, keeper

    def _watch_for_damage(self, file: Path) -> DamagedStoreWatch:
        return DamagedStoreWatch(
            file,
            every_s=self._settings.store.look_every_s,
            clock=self._outside.reactor,
            is_pressed=lambda: self.relay.is_pressed,
        )

    def _bring_over(self, damaged: DamagedStoreWatch, database: Database) -> BringingOver:
        return BringingOver(
            damaged,
            database,
            Registry(self.key_file.ring),
            runner=self._outside.runner("salvage", 1),
            clock=self._outside.reactor,
            alarms=self.alarms,
            is_pressed=lambda: self.relay.is_pressed,
        )

    def _keys_of_people(self) -> KeyRing:
        """Return the key ring; raises `Unavailable` while people are being brought over from a damaged store."""
        if self._damaged is not None:
            self._damaged.require_people()
        return self.key_file.ring()

    def _told_past_the_store(self, service_key: ServiceKey) -> tuple[ToldReports, KnownCallers]:
        """Return what was told past the store, and whose incidents are open: both outlive the process beside it."""
        clock, key, state_dir = self._outside.reactor, service_key.octets, self._settings.service.state_dir
        told, callers = ToldReports(key, clock=clock), KnownCallers(clock, partial(hash_of, key=key))
        self._told_keeping = ToldKeeping(
            told,
            LineFile(state_dir / TOLD_FILE),
            key=key,
            keys=self.key_file.ring,
            runner=self._outside.runner("told-file", 1),
            clock=clock,
            alarms=self.alarms,
        )
        self._callers_keeping = CallersKeeping(
            callers,
            LineFile(state_dir / CALLERS_FILE),
            key=key,
            runner=self._outside.runner("callers-file", 1),
            clock=clock,
        )
        return told, callers

    def _tell_past_the_store(self, report: Report, channel: str) -> None:
        self.intake.tell_past_the_store(report, channel)

    def _senders(self) -> dict[str, CapHttpSender]:
        senders = {}
        for psap in self._settings.psap:
            for channel in psap.channel:
                http = self._client(channel.tls, channel.concurrency)
                authorization = None if channel.authorization is None else channel.authorization.read()
                senders[channel.name] = CapHttpSender(channel, psap, http, authorization, alarms=self.alarms)
        return senders

    def _report_lanes(self, senders: Mapping[str, ReportSender]) -> list[Lane]:
        return [
            Lane(
                channel.name,
                ReportChannel(senders[channel.name], self._told),
                channel.concurrency,
                channel.timeout_s + ATTEMPT_GRACE_S,
                rank=0,
            )
            for psap in self._settings.psap
            for channel in psap.channel
        ]

    def _locating_lanes(self) -> list[Lane]:
        """Give two lanes per carrier: for the fast request of a new incident, and for following."""
        fast, accurate = self._locators(), self._locators()
        self._locating_record = LocatingRecord(
            self.database, self._owner, clock=self._outside.reactor, alarms=self.alarms
        )
        lanes = []
        for carrier in self._settings.carrier:
            # One errand per connection: what waits for a free one must wait here, where no budget runs.
            at_once = LOCATING_AT_ONCE if carrier.lbs is None else carrier.lbs.connections
            channel = LocateChannel(
                carrier.name,
                fast.locate,
                accurate.locate,
                self.database,
                plan=self._settings.plan,
                following=self._following,
                clock=self._outside.reactor,
                alarms=self.alarms,
                wake=self._wake,
                at_once=at_once,
                record=self._locating_record,
            )
            for rank, name, quality in (
                (1, locating_channel(carrier.name), FAST),
                (2, tracking_channel(carrier.name), ACCURATE),
            ):
                lanes.append(Lane(name, channel, at_once, self._locating_timeout_s(quality), rank))
        return lanes

    def _retention_jobs(self) -> list[Retention]:
        """Give the jobs that delete what is over its time: one for what an index finds, one that walks through people."""
        settings = self._settings
        periods = settings.retention
        registry = Registry(self._keys_of_people, adult_age=settings.people.adult_age)
        notes = RetentionNotes(settings.service.state_dir / NOTES_FILE)
        every_s = periods.every_h * 3600

        def job(about: str, kinds: Sequence[Kind], every_s: float) -> Retention:
            return Retention(
                about,
                kinds,
                self.database,
                partial(self.database.read_on, self._people_reader),
                every_s=every_s,
                clock=self._outside.reactor,
                alarms=self.alarms,
                notes=notes,
                is_pressed=lambda: self.relay.is_pressed,
                fold_back=self._empty_the_log,
            )

        closing = found_at_closing(periods)
        return [
            *([job("closing", closing, min(CLOSING_EVERY_S, every_s))] if closing else []),
            job("store", found_by_index(periods), every_s),
            job("people", found_by_opening(periods, registry), every_s * PEOPLE_RUNS),
        ]

    def _empty_the_log(self) -> Deferred[bool]:
        """Fold SQLite's log back and cut it, on the writer's own thread: what was deleted stands in it still."""
        engine = self._checkpoint_engine
        if engine is None:
            return succeed(True)

        def empty() -> bool:
            with engine.connect() as connection:
                return fold_back(connection)

        return self.database.between_groups(empty)

    def _joining_lanes(self) -> list[Lane]:
        """Give the lane that finds out who presses."""
        settings, clock = self._settings, self._outside.reactor
        if not settings.plan.joins_people:
            return []
        service, scoring = settings.service, settings.scoring
        scales = None
        if scoring.on:
            rules = ScoringRules(
                scoring.tell_from,
                scoring.nearby_m,
                timedelta(minutes=scoring.nearby_min),
                timedelta(days=settings.retention.history_days),
            )
            scales = Scales(self.database, rules, zone=KST, clock=clock)
        registry = Registry(self._keys_of_people, adult_age=settings.people.adult_age)
        channel = PersonChannel(
            partial(self.database.read_on, self._people_reader, who_has, registry),
            self.database,
            Joining(tells=settings.people.join, scales=scales),
            listed=settings.guardians.book(
                country_code=service.country_code, trunk_prefix=service.trunk_prefix
            ),
            plan=settings.plan,
            clock=clock,
            alarms=self.alarms,
            wake=self._wake,
        )
        return [Lane(PERSON, channel, JOINING_AT_ONCE, JOINING_TIMEOUT_S, rank=2)]

    def _guardian_lanes(self) -> list[Lane]:
        """Give the lanes that tell guardians, and that tell them when it is over."""
        settings, clock = self._settings, self._outside.reactor
        if not settings.plan.tells_guardians:
            return []
        guardians, service = settings.guardians, settings.service
        texter = self.texter if "sms" in guardians.by else None
        listed = guardians.book(country_code=service.country_code, trunk_prefix=service.trunk_prefix)
        registry = Registry(self._keys_of_people, adult_age=settings.people.adult_age)
        book = RegistryGuardians(self.database, registry, listed)
        ways = GuardianWays(
            texter,
            self._switchboard.guardian_calls(self.silence.may_reach),
            may_reach=self.silence.may_reach,
            record=self._guardian_record,
            confirm_digit=guardians.confirm_digit,
            zone=KST,
            clock=clock,
        )
        telling = GuardianChannel(
            book,
            ways,
            self._guardian_record,
            rounds=guardians.rounds,
            pause_s=guardians.pause_s,
            reply_s=guardians.reply_s,
        )
        releasing = GuardianReleaseChannel(
            book, texter, self._guardian_record, may_reach=self.silence.may_reach, zone=KST, clock=clock
        )
        telling_s = guardian_ways.TEXT_S + self._switchboard.guardian_call_s
        return [
            Lane(GUARDIANS, telling, GUARDIANS_AT_ONCE, telling_s, rank=3),
            Lane(GUARDIANS_RELEASED, releasing, GUARDIANS_AT_ONCE, RELEASING_TIMEOUT_S, rank=3),
        ]

    def _enrolment_desk(self) -> EnrolmentDesk:
        """Give the desk at which people sign up by phone."""
        settings = self._settings
        service, people, enrolment = settings.service, settings.people, settings.enrolment
        registry = Registry(self._keys_of_people, adult_age=people.adult_age)
        rules = EnrolmentRules(
            service.country_code,
            service.trunk_prefix,
            service.language,
            frozenset(carrier.name for carrier in settings.carrier),
            utc_now(self._outside.reactor).date(),
        )
        return EnrolmentDesk(
            self.database,
            Enrolling(registry, adult_age=people.adult_age, opens_to=frozenset(enrolment.opens_to)),
            self._answers,
            rules=rules,
            reply_s=enrolment.reply_h * 3600,
            accept_all=self._accept_all,
            rng=self._outside.rng,
            clock=self._outside.reactor,
        )

    def _service_side(self) -> ServiceTexts | None:
        """Give who reads texts to the service numbers, where we can answer by text."""
        if self.texter is None:
            return None
        return ServiceTexts(
            self.enrolment,
            self._answers,
            listeners=[GuardianReplies(self._guardian_record)],
            accept_all=self._accept_all,
            recognition_for=self._recognition_for,
            language=self._settings.service.language,
            clock=self._outside.reactor,
        )

    def _recognition_for(self, carrier: str) -> Recognition:
        return self._settings.recognition_for(carrier)

    def _accept_all(self, triggers: Sequence[Trigger]) -> Deferred[list[Receipt | Unavailable]]:
        return self.intake.accept_all(triggers)

    def _drill_lanes(self) -> list[Lane]:
        """Give the lane that answers whoever tried the key in calm."""
        settings = self._settings
        if not settings.plan.answers_tests:
            return []
        channel = DrillChannel(
            self.database,
            self._answers,
            plan=settings.plan,
            language_of=self.enrolment.language_of,
            language=settings.service.language,
            clock=self._outside.reactor,
            alarms=self.alarms,
            wake=self._wake,
            remembers=settings.scoring.on,
        )
        return [Lane(TEST_RESULT, channel, DRILLS_AT_ONCE, DRILL_TIMEOUT_S, rank=3)]

    def _locating_timeout_s(self, quality: str) -> float:
        budgets = [
            (carrier.lbs.fast if quality == FAST else carrier.lbs.accurate).budget_s
            for carrier in self._settings.carrier
            if carrier.lbs is not None
        ]
        # Twice the budget: the number may turn out to be another carrier's.
        return 2 * max(budgets, default=1.0) + ATTEMPT_GRACE_S

    def _locators(self) -> CarrierLocators:
        """Give locators with connections of their own: slow accurate answers must not hold up the fast ones."""
        by_carrier: dict[str, Locator] = {}
        for carrier in self._settings.carrier:
            if carrier.lbs is not None:
                password = None if carrier.lbs.password is None else carrier.lbs.password.read()
                http = self._client(carrier.lbs.tls, carrier.lbs.connections)
                reader = self._outside.runner(f"lbs-{carrier.name}", 1)
                self._answer_readers.append(reader)
                by_carrier[carrier.name] = MlpLocator(
                    carrier.name,
                    carrier.lbs,
                    password,
                    http,
                    self._outside.reactor,
                    reader=reader,
                    alarms=self.alarms,
                )
        return CarrierLocators(by_carrier, self._outside.reactor)

    def _wake(self, incident_id: str) -> None:
        self.relay.wake(incident_id)

    @property
    def _following(self) -> Following:
        rules = self._settings.locating
        return Following(rules.interval_s, rules.max_h * 3600, rules.last_known_max_age_h * 3600)

    def _client(self, tls: Any, connections: int) -> HttpClient:
        client = HttpClient(self._outside.reactor, tls=tls, connections=connections)
        self._http.append(client)
        return client

    def _is_told_directly(self, number: Msisdn) -> bool:
        return self.intake.is_told_directly(number)

    def _texter(self) -> BindTexter | None:
        """Give what sends our texts, where the settings say from which number."""
        sms = self._settings.sms
        if sms is None:
            return None
        return BindTexter(
            lambda: self._text_ways,
            self.silence,
            sms=sms,
            numbering=self._text_numbering,
            clock=self._outside.reactor,
            rng=self._outside.rng,
        )

    def _text_numbering(self) -> Numbering:
        """Give the numbers that no text of ours may go to, as the settings have them now."""
        settings = self._settings
        dialled = set(settings.recognition.service_numbers)
        for carrier in settings.carrier:
            own = settings.recognition_for(carrier.name)
            dialled |= own.sos_numbers | own.test_numbers
        if settings.sms is not None:
            dialled.add(settings.sms.sender)
        return numbering_of(settings.service.country_code, settings.service.trunk_prefix, dialled)

    def _add_links(self, carrier: Carrier) -> list[PeerOfCarrier]:
        """Add the links that we bind to; give the peers that bind to us."""
        recognition = self._settings.recognition_for(carrier.name)
        receipts = ReceiptBook(
            clock=self._outside.reactor,
            id_base=carrier.dialect.receipt_id_base,
            sender="" if self._settings.sms is None else self._settings.sms.sender,
        )
        requests = RequestBook(carrier.dialect.repeat_window_s)
        ussd = self._dialogues(carrier)
        sending: list[Esme] = []
        for link in carrier.smpp:
            esme = Esme(
                link,
                carrier=carrier.name,
                dialect=carrier.dialect,
                recognition=recognition,
                accept_all=self.intake.accept_all,
                receipts=receipts,
                requests=requests,
                reactor=self._outside.reactor,
                rng=self._outside.rng,
                observer=self._observer,
                alarms=self.alarms,
                ussd=ussd,
                service=None if self._service_texts is None else self._service_texts.take,
            )
            esme.setServiceParent(self)  # type: ignore[no-untyped-call]
            self._desks.setdefault(carrier.name, []).append(esme.desk)
            if link.bind != "receiver":
                sending.append(esme)
        self._text_ways.append(TextWay(carrier.name, carrier.dialect, sending))
        return [
            PeerOfCarrier(peer, carrier.name, carrier.dialect, recognition, receipts, requests, ussd)
            for peer in carrier.peer
        ]

    def _dialogues(self, carrier: Carrier) -> Dialogues:
        """Give the USSD rules of a carrier: one memory for all its links, since a repeat may come by another."""
        own, texts = carrier.ussd, self._settings.ussd
        language = own.language or self._settings.service.language
        return Dialogues(
            PROFILES[own.profile],
            closing_text=texts.closing_ko if language == "ko" else texts.closing_en,
            neutral_texts=texts.neutral_texts,
            session_s=own.session_s,
            code_tlv=own.code_tlv,
            menus=self._menus(carrier, language),
        )

    def _menus(self, carrier: Carrier, language: Language) -> OpenMenus:
        """Give the menus of a carrier's phones; they open where its recognition has a service code."""
        service, packs = self._settings.service, carrier.dialect.default_alphabet == "gsm0338-packed"
        rules = MenuRules(
            language,
            carrier.ussd.session_s,
            self._settings.people.adult_age,
            service.country_code,
            service.trunk_prefix,
            UCS2_PAGE if packs else PLAIN_PAGE,
        )
        return OpenMenus(
            self.enrolment, self.silence, self.enrolment.language_of, rules, clock=self._outside.reactor
        )

    def _add_web(self, settings: Web) -> None:
        location = LocationResource(
            self.ledger.holder,
            host=self._settings.psap[0].sender,
            clock=self._outside.reactor,
            saw=self._position_reads.saw,
        )
        self.web = WebServer(
            settings, {"v1/location": location}, reactor=self._outside.reactor, alarms=self.alarms
        )
        self.web.setServiceParent(self)  # type: ignore[no-untyped-call]

    def _add_service_menu(self, settings: ServiceMenu) -> None:
        service, carriers = self._settings.service, self._settings.carrier
        menu = Menu(
            settings,
            self._accept_one,
            carriers={trunk.name: carrier.name for carrier in carriers for trunk in carrier.trunk},
            default_carrier=carriers[0].name,
            clock=self._outside.reactor,
            language=service.language,
            country_code=service.country_code,
            trunk_prefix=service.trunk_prefix,
        )
        server = AgiServer(settings, reactor=self._outside.reactor, run=menu.run, alarms=self.alarms)
        server.setServiceParent(self)  # type: ignore[no-untyped-call]

    async def _accept_one(self, trigger: Trigger) -> Receipt | Unavailable:
        (answer,) = await self.intake.accept_all([trigger])
        return answer

    def _add_server(self, settings: Server, peers: list[PeerOfCarrier]) -> None:
        server = peer_server(
            settings,
            peers,
            accept_all=self.intake.accept_all,
            reactor=self._outside.reactor,
            rng=self._outside.rng,
            observer=self._observer,
            alarms=self.alarms,
            service=None if self._service_texts is None else self._service_texts.take,
        )
        server.setServiceParent(self)  # type: ignore[no-untyped-call]
