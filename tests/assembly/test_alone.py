"""One folder is one daemon's: the lock goes with its process, and what is wrong with the disk never stops a daemon."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest
from structlog.testing import capture_logs

from telephony.assembly.alone import LOCK_FILE, RunsAlready, stay_alone

HOLD = """
import sys
from pathlib import Path
from telephony.assembly.alone import stay_alone
assert stay_alone(Path(sys.argv[1])) is not None
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def take(folder):
    """Take the lock as a process does; let go of it at the end."""
    held = []

    def taking():
        held.append(stay_alone(folder))
        return held[-1]

    yield taking
    for each in held:
        if each is not None:
            os.close(each)


def test_the_first_has_the_folder_and_a_second_is_told_its_process(folder, take):
    assert take() is not None

    with pytest.raises(RunsAlready, match=f"runs already as process {os.getpid()}") as refused:
        take()

    assert refused.value.process == os.getpid()
    assert (folder / LOCK_FILE).stat().st_mode & 0o777 == 0o600


def test_the_lock_of_a_process_that_was_killed_is_free(folder, take):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(RunsAlready) as refused:
            take()
        other.kill()

    assert refused.value.process == other.pid
    assert take() is not None
    assert (folder / LOCK_FILE).read_text() == f"{os.getpid()}\n"


def test_what_a_daemon_has_left_in_the_file_says_nothing(folder, take):
    folder.mkdir()
    (folder / LOCK_FILE).write_text("4711 and more\n")

    assert take() is not None
    assert (folder / LOCK_FILE).read_text() == f"{os.getpid()}\n"


def test_on_a_full_disk_the_lock_holds_without_a_process_in_it(take, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)

    assert take() is not None
    with pytest.raises(RunsAlready, match="runs already") as refused:
        take()
    assert refused.value.process is None


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.ELOOP])
def test_a_folder_that_takes_no_file_is_logged_and_keeps_no_daemon_from_starting(take, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.open", refuse)

    with capture_logs() as told:
        assert take() is None

    assert [line["event"] for line in told] == ["not locked against a second daemon"]
    assert os.strerror(number) in told[0]["reason"]


def test_a_file_system_without_locks_is_logged_too(take, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)

    with capture_logs() as told:
        assert take() is None

    assert told[0]["reason"].endswith("No locks available")
