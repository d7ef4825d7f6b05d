"""The key that incidents are named under: made once, proven by its length, put back when its file is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from telephony.services.service_key import KEY_OCTETS, ServiceKey


def test_it_is_made_once_and_read_again(tmp_path: Path):
    made = ServiceKey(tmp_path / "state")

    assert len(made.octets) == KEY_OCTETS
    assert ServiceKey(tmp_path / "state").octets == made.octets
    assert made.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("octets", [0, 31, 33, 200])
def test_a_file_of_another_length_is_left_alone_and_said(tmp_path: Path, octets: int):
    (tmp_path / "service.key").write_bytes(bytes(octets))

    key = ServiceKey(tmp_path)
    key.look()

    assert len(key.octets) == KEY_OCTETS
    assert key.trouble is not None
    assert "is not 32 octets long" in key.trouble
    assert key.path.read_bytes() == bytes(octets)


def test_a_file_that_is_gone_is_put_back(tmp_path: Path):
    key = ServiceKey(tmp_path)
    key.path.unlink()

    key.look()

    assert key.path.read_bytes() == key.octets
    assert key.trouble is None


def test_a_file_that_has_changed_is_said_until_it_is_right_again(tmp_path: Path):
    key = ServiceKey(tmp_path)
    key.path.write_bytes(bytes(KEY_OCTETS))

    key.look()
    assert key.trouble is not None
    assert "not the key in use any more" in key.trouble
    assert key.path.read_bytes() == bytes(KEY_OCTETS)

    key.path.write_bytes(key.octets)
    key.look()
    assert key.trouble is None


def test_a_folder_that_cannot_be_written_costs_no_press(tmp_path: Path):
    (tmp_path / "state").write_text("a file where the folder should be")

    key = ServiceKey(tmp_path / "state")
    key.look()

    assert len(key.octets) == KEY_OCTETS
    assert key.trouble is not None
