"""``onetouch serve`` as a real process: signals, exit codes, logs, memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parent.parent.parent


TWISTD = ("-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile=")
LONGEST_S = 30


class Process:
    """The daemon in a process of its own; its log lines are read as they come."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        self._watchdog = threading.Timer(LONGEST_S, self._process.kill)
        self._watchdog.start()
        self.pid = self._process.pid

    def expect(self, event: str) -> dict:
        """Read log lines until this event."""
        for line in self._process.stderr:
            entry = json.loads(line)
            if entry["event"] == event:
                return entry
        raise AssertionError(f"ended without {event!r}")

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self) -> tuple[int, bytes]:
        """Wait for the end; gives the exit code and what was printed on standard output."""
        printed, _ = self._process.communicate()
        self._watchdog.cancel()
        return self._process.returncode, printed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
            self.wait()


def serving(config: Path) -> Process:
    return Process("-m", "telephony", "serve", "--config", config)


def test_the_daemon_starts_reloads_and_stops_as_it_is_told(config):
    """Every line on standard error is a log line, and nothing is printed elsewhere."""
    with serving(config) as daemon:
        assert daemon.expect("started")["pid"] == daemon.pid

        config.write_text(config.read_text().replace('["112"]', '["1366"]') + '[log]\nlevel = "warning"\n')
        daemon.signal(signal.SIGHUP)
        reloaded = daemon.expect("settings reloaded")
        daemon.signal(signal.SIGTERM)

        assert set(reloaded["changed"]) == {"log.level", "recognition.sos_numbers"}
        assert reloaded["needs_restart"] == []
        assert daemon.wait() == (0, b"")


def test_an_idle_daemon_is_small(config):
    """At the second start, when there is no schema to upgrade: at most 100 MiB."""
    with serving(config) as first:
        first.expect("started")
        first.signal(signal.SIGINT)
        assert first.wait()[0] == 0

    with serving(config) as second:
        second.expect("started")
        status = Path(f"/proc/{second.pid}/status").read_text()

    [resident_kib] = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")]
    assert resident_kib <= 100 * 1024


def test_a_daemon_that_cannot_have_its_port_says_why_and_runs(config):
    config.write_text(config.read_text() + '[smpp_server]\ninterface = "192.0.2.1"\n')

    with serving(config) as daemon:
        alarm = daemon.expect("alarm")
        daemon.expect("started")
        daemon.signal(signal.SIGTERM)

        assert (alarm["alarm"], alarm["about"]) == ("not-listening", "smpp-server")
        assert "192.0.2.1" in alarm["reason"]
        assert daemon.wait()[0] == 0


def test_a_daemon_that_cannot_be_assembled_says_why_and_ends_with_one(config):
    authority = config.with_name("ca.pem")
    authority.write_text("no certificate")
    tls = f'tls = {{ca_file = "{authority}"}}'
    config.write_text(config.read_text().replace("[[carrier.smpp]]", f"[[carrier.smpp]]\n{tls}"))

    with serving(config) as daemon:
        assert "no certificate" in daemon.expect("cannot start")["reason"]
        assert daemon.wait()[0] == 1


def test_twistd_runs_the_same_daemon(config, tmp_path):
    with Process(*TWISTD, "-l", tmp_path / "twistd.log", "onetouch", "--config", config) as daemon:
        assert daemon.expect("link unreachable")["link"] == "skt-1"
        daemon.signal(signal.SIGTERM)
        daemon.wait()

    assert "Server Shut Down" in (tmp_path / "twistd.log").read_text()


def test_a_log_file_that_cannot_be_opened_is_told_in_a_line(config):
    config.write_text(config.read_text() + f'[log]\nfile = "{config}/x"\n')

    done = subprocess.run(
        [sys.executable, "-m", "telephony", "serve", "--config", config],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 1
    assert "log.file: cannot be opened" in done.stderr
