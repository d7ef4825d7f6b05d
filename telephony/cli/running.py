"""Runs the daemon as a process: starts it, has it read its settings again, stops it within a bound."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import structlog
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from telephony import logs
from telephony.assembly.part import Taken
from telephony.cli.reloading import apply_live, changed_keys
from telephony.settings import Fault, Settings, SettingsFaults, Weight, load

log = structlog.get_logger()

STOP_WITHIN_S = 15.0
"""Bound on answering messages in flight and unbinding; systemd's own bound is 90 s."""

Assemble = Callable[[Settings, Any], MultiService]


COLLECT_AFTER = 20_000
"""New objects between two collections of the youngest; Python's own 700 costs a tenth of the process under load."""


def spare_the_collector() -> None:
    """Keep the objects that were built at start out of the garbage collector's way, and give back what they were built from.

    A full collection would walk some 300,000 objects of the libraries, for 30 ms in which no press is answered.
    """
    gc.collect()
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if give_back is not None:
        give_back(0)
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


class Running:
    """The daemon as the operating system sees it. Every method is called in the reactor's thread."""

    def __init__(
        self,
        config: Path,
        settings: Settings,
        assemble: Assemble,
        reactor: Any,
        remarks: Sequence[Fault] = (),
    ) -> None:
        self._config = config
        self._remarks = remarks
        self._settings = settings
        self._assemble = assemble
        self._reactor = reactor
        self._service: MultiService | None = None
        self._is_stopping = False
        self.exit_code = 0

    def start(self) -> None:
        """Assemble and start; where that fails say why and end with exit code 1."""
        for remark in self._remarks:
            if remark.weight is Weight.FAULT:
                log.error("settings fault", fault=str(remark))
            else:
                log.warning("settings remark", remark=str(remark))
        try:
            self._service = self._assemble(self._settings, self._reactor)
            self._service.privilegedStartService()
            self._service.startService()
        except Exception as error:
            # Any failure is reported as a log line and an exit code: a half-started daemon helps no one.
            log.exception("cannot start", reason=str(error))
            self.exit_code = 1
            self.stop("failed start")
            return
        spare_the_collector()
        log.info("started", config=str(self._config), pid=os.getpid())

    def stop(self, why: str) -> None:
        """Stop gracefully within `STOP_WITHIN_S`; a second call stops at once."""
        if self._is_stopping:
            self._cut_off("asked twice")
            return
        self._is_stopping = True
        log.info("stopping", why=why)
        if self._service is None:
            self._end()
            return
        bound = self._reactor.callLater(STOP_WITHIN_S, self._cut_off, "not stopped within its time")

        def stopped(result: object) -> None:
            if bound.active():
                bound.cancel()
                if isinstance(result, Failure):
                    log.error("stopped with a failure", exc_info=result.value)
                    self.exit_code = 1
                self._end()

        stopping: Deferred[object] = maybeDeferred(self._service.stopService)
        stopping.addBoth(stopped)

    def _cut_off(self, why: str) -> None:
        if self._reactor.running:
            log.error("stopped at once", why=why)
            self.exit_code = 1
            self._reactor.stop()

    def _end(self) -> None:
        log.info("stopped")
        if self._reactor.running:
            self._reactor.stop()

    def reload(self) -> None:
        """Read the settings again; apply what can change live and say what needs a restart.

        Faults change nothing: the daemon goes on with what it has.
        """
        logs.reopen()
        try:
            fresh = load(self._config)
        except SettingsFaults as faults:
            for fault in faults.faults:
                log.error(  # noqa: TRY400 - faults are told one by one, no traceback
                    "settings not reloaded",
                    file=fault.file,
                    line=fault.line,
                    table=fault.table,
                    key=fault.key,
                    problem=fault.problem,
                    instead=fault.instead,
                )
            return
        reload_daemon = getattr(self._service, "reload", None)
        applied = apply_live(self._settings, fresh, by_daemon=reload_daemon is not None)
        changed = changed_keys(self._settings, applied)
        # Also where no key has changed: a secret may have.
        taken = Taken() if reload_daemon is None else reload_daemon(applied)
        logs.change_level(applied.log.level)
        self._settings = applied
        for name, reason in taken.refused.items():
            log.error("settings not taken", about=name, reason=reason)
        log.warning(
            "settings reloaded",
            changed=changed,
            secrets=taken.secrets,
            not_taken=list(taken.refused),
            needs_restart=changed_keys(applied, fresh),
        )
