"""Assembles a simulation: a real daemon between simulated carriers and centre, with verbs for presses and faults."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Coroutine, MutableMapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from telephony.assembly.daemon import Daemon
from telephony.assembly.surroundings import Outside
from telephony.journal.journal import JOURNAL_FOLDER
from telephony.lab.carrier.mlp import LabMlp
from telephony.lab.carrier.smsc import LabSmsc
from telephony.lab.centre.psap import LabPsap
from telephony.lab.simulation.clock import SimulatedClock
from telephony.lab.simulation.configuration import DAEMON_HOST, MLP, PSAP, SMSC, Rhythm, settings_in
from telephony.lab.simulation.disk import Disk, DiskTrouble
from telephony.lab.simulation.following import look_at_drives
from telephony.lab.simulation.ledger import Ledger
from telephony.lab.simulation.log_lines import LogLines
from telephony.lab.simulation.machine_time import MachineTime
from telephony.lab.simulation.network import Network
from telephony.lab.simulation.people import CARRIERS, Caller, Press, draw_callers, draw_message
from telephony.lab.simulation.phones import Phones
from telephony.lab.simulation.promptness import Troubles
from telephony.lab.simulation.reactor import SimulatedReactor
from telephony.lab.simulation.reality import chance_of, collected_by_hand
from telephony.lab.simulation.runner import SimulatedRunner
from telephony.lab.simulation.timeline import Timeline
from telephony.lab.simulation.witness import Witness
from telephony.services.keeping.service_key import KEY_OCTETS
from telephony.settings.key_files import key_file_of
from telephony.smpp.settings import Server

STOP_WITHIN_S: Final = 15.0
"""As `telephony.cli.running` allows: a daemon that has not stopped by then is killed."""
LOOK_EVERY_S: Final = 30.0
CLEAR_EVERY_S: Final = 300.0
"""How often garbage is collected, which takes a tenth of a second."""


class World:
    """One simulation. Everything in it follows from the seed; use it in a ``with`` statement.

    ``smsc``, ``mlp`` and ``psap`` are the simulators by carrier and by channel, with all their verbs.
    """

    def __init__(self, seed: int, folder: Path, *, callers: int = 20, rhythm: Rhythm | None = None) -> None:
        self.seed = seed
        self.rhythm = rhythm = rhythm or Rhythm()
        self.clock = SimulatedClock(self._defect)
        self.machine = MachineTime(self.clock)
        """The clock of the daemon's machine."""
        self.timeline = Timeline(self.clock)
        self.network = Network(self.clock, seed, self._defect)
        self.disk = Disk(self.rng("disk"))
        self.settings = settings_in(folder, rhythm)
        (folder / "service.key").write_bytes(self.rng("service key").randbytes(KEY_OCTETS))
        key_file = key_file_of(self.settings, monotonic=self.clock.seconds)
        with chance_of(self.rng("key file")):
            key_file.make(self._moment())
        self.callers = draw_callers(self.rng("callers"), callers)
        self.presses: list[Press] = []
        journal = self.settings.service.state_dir / JOURNAL_FOLDER
        self.ledger = Ledger(self.settings.database_url, key_file.ring, journal)
        self.witness = Witness(
            self.clock, self.machine, self.timeline, self.ledger,
            {caller.number for caller in self.callers}, disk=self.disk,
        )  # fmt: skip
        self.outside = SimulatedReactor(self.network, "10.9.0.1")
        """The reactor of all simulators, not of the daemon."""
        self.link_changes: dict[str, list[float]] = {name: [] for name in CARRIERS}
        """By carrier: when a bind came up or went down, in order."""
        self.troubles = Troubles()
        """When each target of faults suffered from one."""
        self.ends: list[tuple[float, bool]] = []
        """When a daemon ended, and whether its disk was stuck then."""
        self.stuck: list[float] = []
        """When the disk began to be stuck."""
        self.peace_since: float | None = None
        """Since when the schedule has no more faults; None while it has, or without a schedule."""
        self.smsc = {name: self._smsc(name, rhythm) for name in CARRIERS}
        self.mlp = {name: LabMlp(self.outside, fast_after_s=0.4, accurate_after_s=2.0) for name in CARRIERS}
        self.phones = Phones(self.outside, self.mlp, self.callers)
        self.psap = {name: LabPsap(self.outside) for name in PSAP}
        self.reactor = SimulatedReactor(self.network, DAEMON_HOST, self.machine.wall)
        """The daemon's, a new one after every crash."""
        self.daemon: Daemon | None = None
        self.incarnation = 0
        """Which daemon runs: the first, the second …"""
        self.on_report: Callable[[], None] | None = None
        """Called once, right after 112 has got the next report, before its answer leaves."""
        self._phones = self.rng("phones")
        self._sent: dict[tuple[object, ...], Press] = {}
        """By caller and octets: the newest press of these."""
        self._log_lines = LogLines(self._log_line)
        self._around = ExitStack()
        self._heard = dict.fromkeys(PSAP, 0)
        self._is_starting = False

    def rng(self, purpose: str) -> random.Random:
        """Return chance of its own for a purpose: what one part draws does not shift what another draws."""
        return random.Random(f"{self.seed}:{purpose}")

    def __enter__(self) -> Self:
        self._around.enter_context(chance_of(self.rng("operating system")))
        self._around.enter_context(collected_by_hand())
        self._around.enter_context(self.disk.holding_the_journal())
        self._around.enter_context(self._log_lines)
        for name, smsc in self.smsc.items():
            smsc.startService()
            self.now(self.mlp[name].listen(*MLP[name]))
        for channel, psap in self.psap.items():
            self.now(psap.listen(*PSAP[channel]))
            psap.wait_for(partial(self._hear, channel))
        self.phones.switch_all_on()
        self.start_daemon()
        self.outside.callLater(LOOK_EVERY_S, self._look)
        self.outside.callLater(CLEAR_EVERY_S, self._clear_away)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._die()
        self.outside.kill()
        self.ledger.shut()
        self._around.close()

    # Verbs: people and time.

    def press(self, caller: Caller, carrier: str | None = None, **message: Any) -> Press:
        """Have a person press her key; the message is drawn, or given as arguments of `LabSmsc.send_mo`."""
        number = len(self.presses) + 1
        arguments = draw_message(self._phones, caller, number) | message
        sent = (
            caller.index,
            arguments.get("text"),
            arguments.get("octets", b""),
            arguments.get("data_coding", 0),
        )
        press = Press(caller, number, self.clock.seconds(), carrier or caller.carrier, self._sent.get(sent))
        self._sent[sent] = press
        self.presses.append(press)
        self.timeline.note(str(press), by=caller, smsc=press.smsc)

        def answered(status: int) -> None:
            press.first_answer, press.answered_at = status, self.clock.seconds()
            self.timeline.note("answered", press=press, status=f"0x{status:02x}")
            self.witness.answered(press, status)

        self.smsc[press.smsc].send_mo(**arguments).addCallback(answered)
        return press

    def run_for(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.run_for(seconds)

    def close(self, caller: Caller, reason: str = "help has come") -> None:
        """Have the centre close a caller's incident, if there is one and the disk is well."""
        incident = self.ledger.open_incident(caller.number)
        if incident is not None and self.disk.trouble is None:
            self.ledger.close_incident(self.settings.plan, incident, reason, self._moment())
            self.timeline.note("closed by the centre", incident=incident, of=caller)

    # Verbs: the daemon and its disk.

    def start_daemon(self) -> None:
        """Start a daemon on the store there is; on a hanging disk it starts when that goes on."""
        if self.daemon is None and not self._is_starting:
            self._is_starting = True
            self.disk.when_it_moves(self._start)

    def crash_and_restart(self, after_s: float = 1.0) -> None:
        """Kill the daemon as SIGKILL does, and start it again after so many seconds."""
        if self.daemon is not None:
            self.timeline.note("the daemon is killed", is_turning_point=True)
            self._die()
            self.outside.callLater(after_s, self.start_daemon)

    def stop_and_restart(self) -> None:
        """Stop the daemon in good order, and start it again."""
        daemon, reactor = self.daemon, self.reactor
        if daemon is None:
            return
        self.timeline.note("the daemon is told to stop", is_turning_point=True)
        self.troubles.begin("daemon", self.clock.seconds())
        bound = self.outside.callLater(STOP_WITHIN_S, self.crash_and_restart)

        def stopped(result: object) -> None:
            if isinstance(result, Failure):
                self._defect(result)
            if bound.active() and self.reactor is reactor:
                bound.cancel()
                self.timeline.note("the daemon has stopped", open_connections=self.network.open_ends(reactor))
                self._die()
                self.outside.callLater(1.0, self.start_daemon)

        daemon.stopService().addBoth(stopped)

    def set_clock(self, ahead_s: float) -> None:
        """Set the clock of the daemon's machine to so many seconds ahead of the true time."""
        self.machine.set_by(ahead_s)

    def store_down(self, trouble: DiskTrouble) -> None:
        """Make trouble with the disk, until `store_up`."""
        self.disk.begin(trouble)
        if self.disk.is_stuck:
            self.stuck.append(self.clock.seconds())

    def store_up(self) -> None:
        """End the trouble with the disk."""
        self.disk.heal()

    def now(self, work: Coroutine[Deferred[Any], Any, Any]) -> None:
        """Run a simulator's coroutine; in the simulation it never waits."""
        done = Deferred.fromCoroutine(work)
        done.addErrback(self._defect)
        assert done.called

    # Inside.

    def _moment(self) -> datetime:
        """Return what the daemon's machine takes the time to be."""
        return datetime.fromtimestamp(self.machine.wall(), UTC)

    def _smsc(self, name: str, rhythm: Rhythm) -> LabSmsc:
        host, port = SMSC[name]
        settings = Server.model_construct(
            port=port, interface=host, window=10, system_id="lab", enquire_link_s=rhythm.enquire_link_s
        )
        return LabSmsc(
            reactor=self.outside,
            rng=self.rng(f"smsc {name}"),
            settings=settings,
            observer=_LinkChanges(self.clock, self.link_changes[name]),
        )

    def _start(self) -> None:
        self._is_starting = False
        self.incarnation = number = self.incarnation + 1
        self.timeline.note("the daemon starts", is_turning_point=True, number=number)
        self.troubles.end("daemon", self.clock.seconds())
        reactor = SimulatedReactor(self.network, DAEMON_HOST, self.machine.wall)
        # As by its file: the machine has not been started again.
        reactor.machine_clock.take_up(self.reactor.machine_clock.steps)
        self.reactor = reactor
        rng = self.rng(f"daemon {number}")

        def runner(name: str, threads: int) -> SimulatedRunner:
            chance = self.rng(f"{name} {number}")
            return SimulatedRunner(reactor, self.disk, chance, threads, is_writer=name == "store-writer")

        self.daemon = Daemon(self.settings, Outside(reactor, rng, runner))
        for engine in self._engines(self.daemon):
            self.disk.attach(engine)
        self.daemon.privilegedStartService()
        self.daemon.startService()

    def _die(self) -> None:
        daemon, self.daemon = self.daemon, None
        self.ends.append((self.clock.seconds(), self.disk.is_stuck))
        self.troubles.begin("daemon", self.clock.seconds())
        self.reactor.kill()
        self.witness.owed_directly.clear()
        if daemon is not None:
            # What the kernel does with the files of a dead process.
            daemon.store.database._drop_connection()  # noqa: SLF001
            for engine in self._engines(daemon):
                engine.dispose()
            daemon.store.keeper.let_go()
        del daemon
        # Collected now: at a time of Python's choosing its remains would act during another daemon's life.
        self._log_lines.is_deaf = True
        gc.collect()
        self._log_lines.is_deaf = False

    def _engines(self, daemon: Daemon) -> tuple[Any, Any]:
        return daemon.store.database._writing, daemon.store.database._reading  # noqa: SLF001 - the disk under them is ours

    def _hear(self, channel: str, psap: LabPsap) -> bool:
        """See what has come to a URL of 112; it is asked after every request."""
        for report in psap.reports[self._heard[channel] :]:
            self._heard[channel] += 1
            self.timeline.note("112 has", report=report.key, by=channel, located=report.circle is not None)
            self.witness.reported(channel, report)
            told, self.on_report = self.on_report, None
            if told is not None:
                told()
        for violation in psap.violations:
            self.witness.violation(channel, violation)
        return False

    def _look(self) -> None:
        self.witness.look_at_outbox()
        look_at_drives(self)
        self.outside.callLater(LOOK_EVERY_S, self._look)

    def _clear_away(self) -> None:
        gc.collect()
        self.outside.callLater(CLEAR_EVERY_S, self._clear_away)

    def _log_line(self, level: str, facts: MutableMapping[str, Any], line: str) -> None:
        told = {name: value for name, value in facts.items() if name not in ("event", "exception")}
        self.timeline.note(f"log {level}: {facts.get('event')}", **told)
        self.witness.log_line(level, facts, line)

    def _defect(self, failure: Failure) -> None:
        self.timeline.note(failure.getTraceback())
        self.witness.breach(
            "nothing raises into the reactor", str(failure.value), type(failure.value).__name__
        )


class _LinkChanges:
    """An observer of a simulated SMSC that keeps when its links changed; of the rest the daemon tells itself."""

    def __init__(self, clock: SimulatedClock, moments: list[float]) -> None:
        self._clock = clock
        self._moments = moments

    def link_up(self, name: str, kind: str) -> None:  # noqa: ARG002 - whichever
        """Keep the moment."""
        self._moments.append(self._clock.seconds())

    def link_down(self, name: str, reason: str) -> None:  # noqa: ARG002 - whichever
        """Keep the moment."""
        self._moments.append(self._clock.seconds())

    def unreachable(self, name: str, reason: str) -> None:
        """Hear nothing."""

    def bind_refused(self, name: str, status: int) -> None:
        """Hear nothing."""

    def alarm(self, name: str, what: str) -> None:
        """Hear nothing."""

    def noted(self, name: str, what: str, count: int = 1) -> None:
        """Hear nothing."""
