"""``onetouch serve`` as a real process: signals, exit codes, logs, memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Self

import pytest

from telephony.assembly.alone import stay_alone
from tests.pem_files import write_pair

ROOT = Path(__file__).parent.parent.parent


TWISTD = ("-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile=")
LONGEST_S = 30
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


class Process:
    """The daemon in a process of its own; its log lines are read as they come."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, *map(str, arguments)]
        self._process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT
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


def served(config: Path) -> subprocess.CompletedProcess[str]:
    """Run a daemon that is expected to end by itself."""
    command = [sys.executable, "-m", "telephony", "serve", "--config", config]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=LONGEST_S, check=False, env=ENVIRONMENT
    )


def with_tls(config: Path, table: str) -> None:
    """Give the link a TLS table, on line 9."""
    config.write_text(config.read_text().replace("[[carrier.smpp]]", f"[[carrier.smpp]]\ntls = {table}"))


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
    """At the second start, when there is no schema to upgrade: at most 105 MiB."""
    with serving(config) as first:
        first.expect("started")
        first.signal(signal.SIGINT)
        assert first.wait()[0] == 0

    with serving(config) as second:
        second.expect("started")
        status = Path(f"/proc/{second.pid}/status").read_text()

    [resident_kib] = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")]
    assert resident_kib <= 105 * 1024


def test_a_daemon_that_cannot_have_its_port_says_why_and_runs(config):
    config.write_text(config.read_text() + '[smpp_server]\ninterface = "192.0.2.1"\n')

    with serving(config) as daemon:
        alarm = daemon.expect("alarm")
        daemon.expect("started")
        daemon.signal(signal.SIGTERM)

        assert (alarm["alarm"], alarm["about"]) == ("not-listening", "smpp-server")
        assert "192.0.2.1" in alarm["reason"]
        assert daemon.wait()[0] == 0


def test_a_tls_file_that_no_handshake_could_use_is_told_with_its_line_and_link(config):
    authority = config.with_name("ca.pem")
    authority.write_text("no certificate")
    with_tls(config, f'{{ca_file = "{authority}"}}')

    done = served(config)

    assert done.returncode == 2
    assert done.stderr.startswith(
        f'{config}:9: (link skt-1) tls.ca_file: "{authority}" holds no certificate in PEM form; '
    )


def test_a_certificate_that_has_expired_keeps_no_daemon_from_starting_and_is_said(config):
    """It closes one way; the others go on."""
    pair = config.with_name("old.pem"), config.with_name("old.key")
    write_pair(*pair, ends_in=timedelta(days=-3))
    with_tls(config, f'{{client_certificate = "{pair[0]}", client_key = "{pair[1]}"}}')

    with serving(config) as daemon:
        said = daemon.expect("settings fault")
        daemon.expect("started")
        daemon.signal(signal.SIGTERM)
        daemon.wait()

    assert said["level"] == "error"
    assert said["fault"].startswith(f"{config}:9: (link skt-1) tls.client_certificate: ")
    assert "expired on" in said["fault"]


@pytest.fixture
def taken(config):
    """The daemon's folder, which this process has."""
    held = stay_alone(config.parent)
    yield config
    os.close(held)


def test_a_second_daemon_on_one_folder_is_refused_in_a_sentence(taken):
    second = served(taken)

    assert second.returncode == 1
    assert second.stderr == (
        f"{taken}:3: service.state_dir: onetouch runs already as process {os.getpid()}; "
        "stop it first (systemctl stop onetouch), or give this one a state_dir of its own\n"
    )


def test_twistd_is_refused_likewise(taken):
    command = [sys.executable, *TWISTD, "-l", taken.with_name("log"), "onetouch", "--config", taken]

    second = subprocess.run(
        command, capture_output=True, text=True, timeout=LONGEST_S, check=False, env=ENVIRONMENT
    )

    assert second.returncode == 1
    assert f"onetouch runs already as process {os.getpid()} on {taken.parent}" in second.stderr


def test_a_daemon_that_was_killed_leaves_its_folder_to_the_next(config):
    with serving(config) as first:
        first.expect("started")
        first.signal(signal.SIGKILL)
        first.wait()

    with serving(config) as second:
        second.expect("started")
        second.signal(signal.SIGTERM)

        assert second.wait()[0] == 0


def test_twistd_runs_the_same_daemon(config, tmp_path):
    with Process(*TWISTD, "-l", tmp_path / "twistd.log", "onetouch", "--config", config) as daemon:
        assert daemon.expect("link unreachable")["link"] == "skt-1"
        daemon.signal(signal.SIGTERM)
        daemon.wait()

    assert "Server Shut Down" in (tmp_path / "twistd.log").read_text()


def test_a_log_file_that_cannot_be_opened_is_told_in_a_line(config):
    config.write_text(config.read_text() + f'[log]\nfile = "{config}/x"\n')

    done = served(config)

    assert done.returncode == 1
    line = len(config.read_text().splitlines())
    assert (
        done.stderr
        == f'{config}:{line}: log.file: "{config}/x" cannot be opened (Not a directory); name a writable file\n'
    )
