"""A file of secrets: one account's, whole after a kill at any step, and gone when it is taken away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from telephony.store.private_file import Look, wipe, write_whole

OLD, NEW = b"old" * 20, b"new" * 30

KILLED = """
import os, signal, sys
from pathlib import Path
from telephony.store import private_file
name, path = sys.argv[1], Path(sys.argv[2])
real = getattr(os, name)
def killed(*given, **named):
    if sys.argv[3] == "after":
        real(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(os, name, killed)
private_file.write_whole(path, b"new" * 30)
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["open", "fchmod", "write", "fsync", "pread", "rename", "replace"])
def test_a_kill_at_any_step_leaves_the_old_file_or_the_new_one(tmp_path: Path, step: str, when: str):
    path = tmp_path / "a.key"
    write_whole(path, OLD)

    done = subprocess.run([sys.executable, "-c", KILLED, step, path, when], check=False, timeout=60)

    assert done.returncode in (-signal.SIGKILL, 0)  # pathlib takes one of the two ways to rename
    assert path.read_bytes() in (OLD, NEW)
    write_whole(path, NEW)
    assert path.read_bytes() == NEW


def test_a_link_is_followed_and_stays_and_another_link_to_the_same_file_is_noticed(tmp_path: Path):
    there, here = tmp_path / "there.key", tmp_path / "here.key"
    write_whole(there, OLD)
    here.symlink_to(there)

    write_whole(here, NEW)

    assert here.is_symlink()
    assert there.read_bytes() == NEW
    before = Look.at(here)
    assert Look.at(here) == before
    here.unlink()
    here.symlink_to(there)
    assert Look.at(here) != before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_writes_stays_the_account_s_whose_it_was(tmp_path: Path):
    path = tmp_path / "a.key"
    write_whole(path, OLD)
    os.chown(path, 12345, 12345)

    write_whole(path, NEW)

    assert (path.stat().st_uid, path.stat().st_mode & 0o777) == (12345, 0o600)


def test_of_a_file_that_is_wiped_nothing_is_left_where_it_stood(tmp_path: Path):
    path = tmp_path / "a.key"
    write_whole(path, OLD)
    with path.open("rb") as held:
        wipe(path)

        assert not path.exists()
        assert held.read() == bytes(len(OLD))


def test_a_file_with_another_name_loses_only_this_one(tmp_path: Path):
    path = tmp_path / "a.key"
    write_whole(path, OLD)
    os.link(path, tmp_path / "other")

    wipe(path)

    assert not path.exists()
    assert (tmp_path / "other").read_bytes() == OLD
    wipe(path)  # gone already
