"""Runs the lab's daemon: `onetouch serve` as a process of its own, which can be killed and started again."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from telephony.lab.stage.apart import apart
from telephony.lab.stage.daemon_log import DaemonLog

ROOT = Path(__file__).parents[3]
STOP_WITHIN_S = 20.0
"""More than the daemon's own bound."""
LAST_WORDS = 4096
_SERVE = (sys.executable, "-m", "telephony", "serve", "--config")


class _Life(ProcessProtocol):
    """One process, from its start to its end; the end of what it wrote is kept, to tell why it ended."""

    def __init__(self, log: DaemonLog) -> None:
        self._log = log
        self.ended: Deferred[None] = Deferred()
        self.is_over = False
        self.said = b""

    def outReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        self.said = (self.said + data)[-LAST_WORDS:]

    def errReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        self.outReceived(data)
        self._log.take(data)

    def processEnded(self, reason: Failure) -> None:  # noqa: N802, ARG002 - Twisted's name and signature
        self.is_over = True
        self._log.break_off()
        self.ended.callback(None)


class DaemonProcess:
    """At most one daemon at a time, which works under these settings and logs to standard error: a pipe to us."""

    def __init__(self, reactor: Any, config: Path, log: DaemonLog) -> None:
        self._reactor = reactor
        self._config = config
        self._log = log
        self._is_disk_full = False
        self._life: _Life | None = None

    @property
    def pid(self) -> int | None:
        """The number of the process; ``None`` while there is none."""
        return None if self._life is None or self._life.is_over else self._transport.pid

    @property
    def is_running(self) -> bool:
        """Whether there is a process."""
        return self._life is not None and not self._life.is_over

    @property
    def said(self) -> str:
        """The end of what the newest process wrote past its log."""
        return "" if self._life is None else self._life.said.decode("utf-8", "replace").strip()

    def start(self) -> None:
        """Start it; it is not bound when this returns."""
        assert not self.is_running
        self._life = _Life(self._log)
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self._reactor.spawnProcess(
            self._life,
            sys.executable,
            apart([*_SERVE, str(self._config)]),
            env=os.environ | {"PYTHONPATH": path},
        )
        if self._is_disk_full:
            self.is_disk_full = True

    async def kill(self) -> None:
        """SIGKILL: nothing of it runs any more when this returns."""
        await self._end("KILL")

    async def stop(self) -> None:
        """Stop it in good order; cut it off when that takes too long."""
        if self.is_running:
            late = self._reactor.callLater(STOP_WITHIN_S, self._signal, "KILL")
            await self._end("TERM")
            if late.active():
                late.cancel()

    @property
    def is_disk_full(self) -> bool:
        """Whether the disk is full for it."""
        return self._is_disk_full

    @is_disk_full.setter
    def is_disk_full(self, is_full: bool) -> None:
        """Have the kernel refuse each write of its to a file, or let them again; a later process is treated alike.

        Harder than a full volume, which takes what fits into a file as it is: RLIMIT_FSIZE refuses that too, with EFBIG.
        """
        self._is_disk_full = is_full
        pid = self.pid
        if pid is not None:
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0 if is_full else hard, hard))

    @property
    def _transport(self) -> Any:
        assert self._life is not None
        return self._life.transport

    async def _end(self, signal: str) -> None:
        life = self._life
        if life is None or life.is_over:
            return
        self._signal(signal)
        ended: Deferred[None] = Deferred()
        life.ended.chainDeferred(ended)
        life.ended = ended
        await ended

    def _signal(self, name: str) -> None:
        if self.is_running:
            self._transport.signalProcess(name)
