"""`onetouch serve` as a process of its own: started, killed, stopped, and read afterwards."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
DYING_DAEMON = Path(__file__).with_name("dying_daemon.py")


class DaemonProcess:
    """One folder with settings, store and logs, and at most one process that works in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "onetouch.toml"
        self.log = folder / "log"
        self.stderr = folder / "stderr"
        self.store = folder / "state" / "onetouch.sqlite"
        self.environment: dict[str, str] = {}
        """Further variables of the daemon and of the commands beside it."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def start(self, moment: str | None = None) -> None:
        """Start it, as it is or as one that `dying_daemon.py` has changed at that moment."""
        assert not self.is_running
        how = ["-m", "telephony"] if moment is None else [str(DYING_DAEMON), moment]
        self._process = self._onetouch(how, "serve")

    def command(self, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        """Run another subcommand beside it, its output to be read from its pipe."""
        return self._onetouch(["-m", "telephony"], *arguments, stdout=subprocess.PIPE, **options)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL: nothing of it runs any more when this returns."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _onetouch(self, how: list[str], *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        # The options of a subcommand come after its name, and some have subcommands of their own.
        at = (
            2
            if arguments[0] in ("incidents", "calls", "people", "audit", "keys", "db", "recordings", "links")
            else 1
        )
        command = [sys.executable, *how, *arguments[:at], "--config", str(self.config), *arguments[at:]]
        environment = os.environ | {"PYTHONPATH": str(ROOT)} | self.environment
        with self.stderr.open("ab") as stderr:
            return subprocess.Popen(command, cwd=ROOT, env=environment, **{"stderr": stderr, **options})

    def log_lines(self) -> list[dict[str, Any]]:
        """Every line logged so far; the last may still be on its way to the file."""
        if not self.log.exists():
            return []
        return [
            json.loads(line) for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")
        ]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask a copy of the store, so that the store itself stays as the daemon left it."""
        with tempfile.TemporaryDirectory() as copy:
            for name in ("onetouch.sqlite", "onetouch.sqlite-wal"):
                original = self.store.with_name(name)
                if original.exists():
                    (Path(copy) / name).write_bytes(original.read_bytes())
            connection = sqlite3.connect(Path(copy) / "onetouch.sqlite")
            try:
                return connection.execute(query).fetchall()
            finally:
                connection.close()
