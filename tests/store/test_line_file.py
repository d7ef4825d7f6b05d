"""A file of lines beside the store: appended to, synced, rewritten, and never half of either."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from telephony.store import line_file
from telephony.store.line_file import ROOM, LineFile


@pytest.fixture
def file(tmp_path: Path) -> LineFile:
    file = LineFile(tmp_path / "told")
    file.rewrite(b"one\n")
    return file


def in_use(file: LineFile) -> bytes:
    return file.read().rstrip(b"\0")


def test_there_may_be_none(tmp_path: Path):
    assert LineFile(tmp_path / "told").read() == b""


def test_what_is_appended_follows_what_is_there_and_others_cannot_read_it(file: LineFile):
    assert file.append(b"two\n")
    assert file.append(b"three\n")

    assert in_use(file) == b"one\ntwo\nthree\n"
    assert file.size == len(b"one\ntwo\nthree\n")
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_room_is_kept_for_the_day_on_which_the_disk_is_full(file: LineFile):
    before = file.path.stat()

    assert file.append(b"x" * (ROOM - 4))

    assert before.st_size == ROOM
    assert file.path.stat().st_blocks == before.st_blocks >= ROOM // 512


@pytest.mark.parametrize("how", ["removed", "replaced", "cut"])
def test_a_file_that_is_not_the_one_of_before_is_not_appended_to(file: LineFile, how: str):
    if how == "cut":
        os.truncate(file.path, 2)
    else:
        file.path.rename(file.path.with_name("aside"))
    if how == "replaced":
        file.path.write_bytes(b"somebody else's, and longer than ours\n")

    assert not file.append(b"two\n")
    file.rewrite(b"one\ntwo\n")

    assert in_use(file) == b"one\ntwo\n"
    assert file.append(b"three\n")


def test_what_failed_half_way_is_written_to_the_same_place_again(
    file: LineFile, monkeypatch: pytest.MonkeyPatch
):
    real = os.pwrite

    def half(descriptor: int, octets: memoryview, at: int) -> int:
        real(descriptor, octets[:2], at)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(line_file.os, "pwrite", half)
        with pytest.raises(OSError, match="No space"):
            file.append(b"two\n")

    assert file.append(b"two\nthree\n")
    assert in_use(file) == b"one\ntwo\nthree\n"


def test_a_file_that_cannot_be_rewritten_stays_as_it_is(file: LineFile, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(line_file.os, "pwrite", full)
        with pytest.raises(OSError, match="No space"):
            file.rewrite(b"other\n")

    assert in_use(file) == b"one\n"
    assert [each.name for each in file.path.parent.iterdir()] == ["told"]
    assert file.append(b"two\n")


def test_without_room_to_keep_what_is_there_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(line_file.os, "posix_fallocate", full)
    file = LineFile(tmp_path / "told")

    file.rewrite(b"one\n")

    assert file.path.read_bytes() == b"one\n"
    assert file.append(b"two\n")


def test_of_a_file_that_is_too_large_the_end_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(line_file, "LARGEST", 6)
    (tmp_path / "told").write_bytes(b"0123456789")

    assert LineFile(tmp_path / "told").read() == b"456789"


def test_a_link_is_not_followed(file: LineFile):
    other = file.path.with_name("other")
    other.write_bytes(b"")
    file.path.unlink()
    file.path.symlink_to(other)

    with pytest.raises(OSError, match="symbolic links"):
        file.append(b"two\n")

    assert other.read_bytes() == b""


def test_what_is_set_aside_keeps_its_octets(file: LineFile):
    aside = file.set_aside()

    assert aside.read_bytes().rstrip(b"\0") == b"one\n"
    assert not file.append(b"two\n")
