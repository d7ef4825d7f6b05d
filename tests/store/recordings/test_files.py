"""From the plain file to the sealed one: whichever process is killed, whatever the disk says, the recording is there, and once at the end."""

from __future__ import annotations

import errno
import os
import random
import signal
import time
from pathlib import Path

import pytest

from telephony.store.crypto import KeyFile, KeyRing
from telephony.store.recordings.files import (
    SETTLED_S,
    SETTLED_UNHEARD_S,
    erasing,
    look,
    sealing,
    set_aside,
    take_hold,
    take_up,
)
from telephony.store.recordings.sealed import CHUNK, opened
from tests.store.dying_sealer import forked, keep, through

NAME = "sos-20261123-voice-1-104503-12.wav"
LONG = os.urandom(40 * CHUNK + 7)
"""Two and a half MiB: three steps."""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "monitor"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def key_file(tmp_path):
    KeyFile(tmp_path / "data.keys").make()
    return tmp_path / "data.keys"


def left_by_asterisk(folder, octets=LONG, name=NAME, ago_s=60.0):
    path = folder / name
    path.write_bytes(octets)
    path.chmod(0o600)
    os.utime(path, (time.time() - ago_s,) * 2)
    return path


def played(path: Path, ring: KeyRing) -> bytes:
    with opened(path, ring) as recording:
        return b"".join(recording.chunks())


def sealed_ones(folder):
    return sorted((folder / "sealed").glob("*.sealed")) if (folder / "sealed").exists() else []


def seal(folder, key_file, *, is_heard=True):
    take_hold(folder)
    (plain,) = look(folder).plain
    return through(sealing(plain, "voice-1", "", KeyFile(key_file).ring(), is_heard=is_heard))


def test_a_recording_is_sealed_and_the_plain_one_gone(folder, key_file):
    left_by_asterisk(folder)

    keep(folder, key_file)

    (sealed,) = sealed_ones(folder)
    assert [each.name for each in folder.iterdir()] == ["sealed"]
    assert played(sealed, KeyFile(key_file).ring()) == LONG
    assert sealed.stat().st_mode & 0o777 == 0o600


def whole_copies(folder, ring):
    """Every whole copy of the recording that is on the disk under a name that it is looked for."""
    plain = [folder / NAME] if (folder / NAME).exists() else []
    return [each for each in plain if each.read_bytes() == LONG] + [
        each for each in sealed_ones(folder) if played(each, ring) == LONG
    ]


def test_killed_at_any_instant_leaves_the_plain_file_or_the_sealed_one_and_the_next_start_finishes(
    folder, key_file
):
    ring = KeyFile(key_file).ring()
    moment, kills = 0, 0
    while True:
        moment += 1
        left_by_asterisk(folder)
        _, status = os.waitpid(forked(folder, key_file, moment), 0)

        assert whole_copies(folder, ring), (
            f"killed before what it does {moment}. to the disk: nothing is left"
        )
        keep(folder, key_file)

        (sealed,) = sealed_ones(folder)
        assert played(sealed, ring) == LONG
        assert sorted(each.name for each in folder.iterdir()) == ["sealed"]
        assert sorted(each.name for each in sealed.parent.iterdir()) == sorted([".lock", sealed.name])
        sealed.unlink()
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            break
        assert os.WTERMSIG(status) == signal.SIGKILL
        kills += 1
    assert kills > 50


def test_killed_at_random_instants_it_is_the_same(folder, key_file):
    ring = KeyFile(key_file).ring()
    drawn = random.Random(112)
    for _ in range(40):
        left_by_asterisk(folder)
        pid = forked(folder, key_file, 0)
        time.sleep(drawn.uniform(0.0, 0.03))  # the instant of the kill is what is tried
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert whole_copies(folder, ring)
        keep(folder, key_file)
        (sealed,) = sealed_ones(folder)
        assert played(sealed, ring) == LONG
        sealed.unlink()


def test_a_file_that_is_still_written_is_left_alone(folder, key_file):
    path = left_by_asterisk(folder)
    with path.open("ab"):
        assert seal(folder, key_file) is None
    assert seal(folder, key_file) is not None


def test_a_file_that_has_changed_just_now_is_left_alone(folder, key_file):
    left_by_asterisk(folder, ago_s=SETTLED_S / 2)

    assert seal(folder, key_file) is None


@pytest.mark.parametrize(("ago_s", "is_sealed"), [(60.0, False), (SETTLED_UNHEARD_S + 1, True)])
def test_where_neither_asterisk_nor_the_system_can_say_it_is_waited_for_longer(
    folder, key_file, monkeypatch, ago_s, is_sealed
):
    monkeypatch.setattr("telephony.store.recordings.files.is_open_elsewhere", lambda _: None)
    left_by_asterisk(folder, ago_s=ago_s)

    assert (seal(folder, key_file, is_heard=False) is not None) == is_sealed


def test_a_file_that_grows_while_it_is_sealed_is_sealed_later(folder, key_file):
    path = left_by_asterisk(folder)
    take_hold(folder)
    (plain,) = look(folder).plain
    steps = sealing(plain, "voice-1", "", KeyFile(key_file).ring(), is_heard=True)
    next(steps)
    with path.open("ab") as more:
        more.write(bytes(100))

    assert through(steps) is None
    assert sealed_ones(folder) == []
    assert path.exists()


@pytest.mark.parametrize("call", ["pwrite", "fsync", "rename"])
def test_a_disk_that_is_full_or_broken_leaves_the_plain_file_and_no_part(folder, key_file, monkeypatch, call):
    path = left_by_asterisk(folder)

    def full(*_arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    take_hold(folder)
    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match="No space left"):
        seal(folder, key_file)
    monkeypatch.undo()

    assert path.read_bytes() == LONG
    assert [each.name for each in (folder / "sealed").iterdir()] == [".lock"]


def test_a_disk_that_gives_back_something_else_leaves_the_plain_file(folder, key_file, monkeypatch):
    path = left_by_asterisk(folder)
    real = os.pwrite

    def lie(descriptor, octets, at):
        return real(descriptor, bytes(len(octets)) if at > CHUNK else octets, at)

    monkeypatch.setattr(os, "pwrite", lie)
    with pytest.raises(OSError, match="cannot be read"):
        seal(folder, key_file)

    assert path.read_bytes() == LONG
    assert sealed_ones(folder) == []


def test_another_recording_of_the_same_name_writes_over_nothing(folder, key_file):
    ring = KeyFile(key_file).ring()
    left_by_asterisk(folder)
    keep(folder, key_file)
    left_by_asterisk(folder, b"another")

    keep(folder, key_file)

    assert [each.name for each in sealed_ones(folder)] == [
        f"{NAME}.sealed",
        NAME.replace(".wav", "~2.wav.sealed"),
    ]
    assert [played(each, ring) for each in sealed_ones(folder)] == [LONG, b"another"]


def test_what_was_being_erased_without_a_sealed_copy_is_a_recording_again(folder, key_file):
    path = left_by_asterisk(folder)
    take_hold(folder)
    set_aside(path)

    assert take_up(folder) == []
    assert path.read_bytes() == LONG


def test_what_is_erased_is_zeros_first_but_a_second_name_keeps_what_it_has(folder):
    path = left_by_asterisk(folder)
    held = os.open(path, os.O_RDONLY)
    try:
        through(erasing(path))
        assert os.pread(held, len(LONG) + 1, 0) == bytes(len(LONG))
    finally:
        os.close(held)

    path = left_by_asterisk(folder)
    os.link(path, folder / "kept")
    through(erasing(path))
    assert (folder / "kept").read_bytes() == LONG


def test_of_two_daemons_that_see_a_folder_one_works_there(folder):
    first = take_hold(folder)

    assert take_hold(folder) is None
    os.close(first)
    assert take_hold(folder) is not None


@pytest.mark.parametrize(
    ("folder_mode", "file_mode", "words"),
    [
        (0o700, 0o600, ""),
        (0o755, 0o600, "monitor (mode 0755"),
        (0o700, 0o644, "1 recordings, sos-"),
        (0o750, 0o600, "monitor (mode 0750"),
        (0o701, 0o640, "monitor (mode 0701"),
    ],
)
def test_what_others_may_read_is_told_with_what_to_do(folder, folder_mode, file_mode, words):
    left_by_asterisk(folder).chmod(file_mode)
    folder.chmod(folder_mode)

    exposed = look(folder).exposed

    assert (words in exposed) if words else exposed == ""


def test_files_of_others_in_the_folder_are_left_alone(folder, key_file):
    for name in ("meeting.wav", "sos-notes.txt", "sos-20261123.wav.bak", "sos-2026-x.wav"):
        left_by_asterisk(folder, b"theirs", name)
    (folder / NAME).symlink_to(folder / "meeting.wav")

    keep(folder, key_file)

    assert sealed_ones(folder) == []
    assert (folder / "meeting.wav").read_bytes() == b"theirs"
