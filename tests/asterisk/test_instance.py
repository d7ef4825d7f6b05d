"""A private Asterisk takes what belongs to a dialplan, and nothing else that lies beside it."""

from __future__ import annotations

import os

import pytest

from telephony.asterisk.instance import LARGEST_FILE, Instance
from telephony.domain.errors import Malformed


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "d"
    (folder / "onetouch").mkdir(parents=True)
    (folder / "extensions.conf").write_text("[general]\n")
    (folder / "onetouch" / "20-sos.conf").write_text("[sos]\n")
    return folder


def made(folder, tmp_path, **files):
    return Instance(tmp_path / "i", "voice-1", folder, files)


def test_configuration_files_are_copied_and_the_callers_win(folder, tmp_path):
    (folder / "rtp.conf").write_text("[general]\nrtpstart = 1\n")
    instance = Instance(tmp_path / "i", "voice-1", folder, {"rtp.conf": "[general]\nrtpstart = 2\n"})

    assert (instance.etc / "onetouch" / "20-sos.conf").read_text() == "[sos]\n"
    assert "rtpstart = 2" in (instance.etc / "rtp.conf").read_text()


def test_a_pipe_that_never_ends_and_a_disk_beside_the_dialplan_are_left_alone(folder, tmp_path):
    os.mkfifo(folder / "onetouch" / "endless.conf")
    (folder / "sounds").mkdir()
    (folder / "sounds" / "huge.ulaw").write_bytes(b"x" * 1000)

    instance = made(folder, tmp_path)

    assert not (instance.etc / "sounds").exists()
    assert not (instance.etc / "onetouch" / "endless.conf").exists()


def test_a_folder_without_a_dialplan_is_refused_in_words(tmp_path):
    with pytest.raises(Malformed, match=r"no extensions\.conf"):
        made(tmp_path, tmp_path)


def test_a_file_too_large_for_a_configuration_is_refused(folder, tmp_path):
    with (folder / "big.conf").open("wb") as big:
        big.truncate(LARGEST_FILE + 1)

    with pytest.raises(Malformed, match=r"big\.conf"):
        made(folder, tmp_path)
