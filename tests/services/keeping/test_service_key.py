"""The key that incidents are named under: sealed under the store's keys, and of no harm to a press when it is not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from telephony.services.keeping.service_key import KEY_OCTETS, SEALED_OCTETS, ServiceKey, reseal
from telephony.store.crypto import KeyFile, KeysUnavailable
from telephony.store.sealing import key_id_of

PLAIN = bytes(range(KEY_OCTETS))


@pytest.fixture
def key_file(tmp_path: Path) -> KeyFile:
    made = KeyFile(tmp_path / "keys" / "data.keys")
    made.make()
    return made


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def taken(state: Path, key_file: KeyFile, *, is_proven: bool = True) -> ServiceKey:
    """The key as a start has it."""
    key = ServiceKey(state, key_file.ring)
    key.look(is_proven=is_proven)
    return key


def in_plain(state: Path, octets: bytes = PLAIN) -> Path:
    """As an earlier release wrote it."""
    path = state / "service.key"
    path.write_bytes(octets)
    path.chmod(0o600)
    return path


def test_it_is_made_once_sealed_and_read_again(tmp_path: Path, key_file: KeyFile):
    made = taken(tmp_path / "new", key_file)

    assert (len(made.octets), made.trouble) == (KEY_OCTETS, None)
    assert made.octets not in made.path.read_bytes()
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert taken(tmp_path / "new", key_file).octets == made.octets


# -- the file of an earlier release ---------------------------------------------------------------------------------


def test_a_plain_key_is_sealed_in_its_place_and_nothing_of_it_is_left(state: Path, key_file: KeyFile):
    path = in_plain(state)
    (state / "service.new").write_bytes(PLAIN)  # of a kill in the earlier release

    with path.open("rb") as held:
        key = taken(state, key_file)

        assert held.read() == bytes(KEY_OCTETS)
    assert (key.octets, key.trouble) == (PLAIN, None)
    assert [each.name for each in state.iterdir()] == ["service.key"]
    assert len(path.read_bytes()) == SEALED_OCTETS
    assert taken(state, key_file).octets == PLAIN


def test_a_plain_key_is_used_and_left_alone_until_the_keys_are_proven(state: Path, key_file: KeyFile):
    path = in_plain(state)

    key = taken(state, key_file, is_proven=False)

    assert key.octets == PLAIN
    assert "is not sealed yet" in key.trouble
    assert path.read_bytes() == PLAIN
    key.look(is_proven=True)
    assert key.trouble is None
    assert PLAIN not in path.read_bytes()


KILLED = """
import os, signal, sys
from pathlib import Path
from telephony.services.keeping.service_key import ServiceKey
from telephony.store.crypto import KeyFile
name, state, keys = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
key = ServiceKey(state, KeyFile(keys).ring)
key.look(is_proven=False)
real = getattr(os, name)
def killed(*given, **named):
    if sys.argv[4] == "after":
        real(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(os, name, killed)
key.look(is_proven=True)
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "step", ["open", "fchmod", "write", "fsync", "pread", "replace", "pwrite", "unlink", "close"]
)
def test_a_kill_while_it_is_sealed_leaves_a_key_that_the_next_start_seals(
    state: Path, key_file: KeyFile, step: str, when: str
):
    path = in_plain(state)

    program = [sys.executable, "-c", KILLED, step, state, key_file.path, when]
    done = subprocess.run(program, check=False, timeout=60, capture_output=True)

    assert done.returncode in (-signal.SIGKILL, 0), done.stderr
    key = taken(state, key_file)
    assert (key.octets, key.trouble) == (PLAIN, None)
    assert PLAIN not in path.read_bytes()


# -- keys that change -----------------------------------------------------------------------------------------------


def test_after_a_rotation_the_daemon_seals_it_under_the_current_key(state: Path, key_file: KeyFile):
    key = taken(state, key_file)
    old, new = key_file.ring().current.id, key_file.add().id
    assert key_id_of(key.path.read_bytes()) == old

    key.look(is_proven=True)

    assert key_id_of(key.path.read_bytes()) == new
    key_file.forget(old)
    assert taken(state, key_file).octets == key.octets


def test_after_resealing_the_old_key_can_be_forgotten(state: Path, key_file: KeyFile):
    octets = taken(state, key_file).octets
    old = key_file.ring().current.id
    key_file.add()

    assert reseal(state / "service.key", key_file.ring())

    key_file.forget(old)
    assert taken(state, key_file).octets == octets
    assert not reseal(state / "none.key", key_file.ring())


def test_one_whose_key_was_forgotten_elsewhere_is_sealed_again_from_memory(state: Path, key_file: KeyFile):
    """The key file of a machine that shares the store was copied here after keys were forgotten there."""
    key = taken(state, key_file)
    old = key_file.ring().current.id
    key_file.add()
    key_file.forget(old)

    key.look(is_proven=True)

    assert key.trouble is None
    assert taken(state, key_file).octets == key.octets


def test_under_the_keys_of_another_store_it_is_not_opened_and_not_written(
    state: Path, key_file: KeyFile, tmp_path: Path
):
    octets = taken(state, key_file).octets
    before = (state / "service.key").read_bytes()
    other = KeyFile(tmp_path / "other.keys")
    other.make()

    key = taken(state, other)

    assert key.octets != octets
    assert "which the key file" in key.trouble
    assert (state / "service.key").read_bytes() == before
    with pytest.raises(KeysUnavailable):
        reseal(state / "service.key", other.ring())


def test_one_that_the_start_could_not_open_is_taken_as_soon_as_the_keys_are_there(
    state: Path, key_file: KeyFile
):
    octets = taken(state, key_file).octets
    aside = key_file.path.rename(key_file.path.with_name("aside"))
    key = ServiceKey(state, KeyFile(key_file.path).ring)
    heard: list[bytes] = []
    key.on_found = heard.append
    key.look(is_proven=False)
    key.hand_over()
    assert key.octets != octets
    assert "there is no key file" in key.trouble

    aside.rename(key_file.path)
    key.look(is_proven=True)
    key.hand_over()
    key.hand_over()

    assert (key.octets, key.trouble) == (octets, None)
    assert heard == [octets]


def test_none_is_made_while_the_keys_are_away_and_the_one_in_use_is_kept_afterwards(
    state: Path, key_file: KeyFile
):
    key = taken(state, key_file, is_proven=False)
    assert "none can be made" in key.trouble
    assert list(state.iterdir()) == []
    in_use = key.octets

    key.look(is_proven=True)

    assert key.trouble is None
    assert taken(state, key_file).octets == in_use


# -- its file -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("octets", [0, 31, 33, 63, 64, 65, 200])
def test_a_file_of_another_shape_is_left_alone_and_said(state: Path, key_file: KeyFile, octets: int):
    in_plain(state, bytes(octets))

    key = taken(state, key_file)
    key.look(is_proven=True)

    assert len(key.octets) == KEY_OCTETS
    assert str(key.path) in key.trouble
    assert key.path.read_bytes() == bytes(octets)


def test_a_file_that_is_gone_is_put_back(state: Path, key_file: KeyFile):
    key = taken(state, key_file)
    before = key.path.read_bytes()
    key.path.unlink()

    key.look(is_proven=True)

    assert key.path.read_bytes() == before
    assert key.trouble is None


def test_a_file_that_has_changed_is_said_until_it_is_right_again(state: Path, key_file: KeyFile):
    key = taken(state, key_file)
    right = key.path.read_bytes()
    in_plain(state, bytes(KEY_OCTETS))

    key.look(is_proven=True)
    assert "not the key in use any more" in key.trouble
    assert key.path.read_bytes() == bytes(KEY_OCTETS)

    key.path.write_bytes(right)
    key.look(is_proven=True)
    assert key.trouble is None


def test_the_same_key_brought_back_in_plain_is_sealed(state: Path, key_file: KeyFile):
    key = taken(state, key_file)
    in_plain(state, key.octets)

    key.look(is_proven=True)

    assert key.trouble is None
    assert key.octets not in key.path.read_bytes()


def by_others(path: Path) -> None:
    path.chmod(0o644)


def of_another_account(path: Path) -> None:
    os.chown(path, 12345, -1)


def behind_a_link_of_another_account(path: Path) -> None:
    path.rename(path.with_name("aside"))
    path.symlink_to(path.with_name("aside"))
    os.chown(path, 12345, -1, follow_symlinks=False)


@pytest.mark.parametrize(
    ("harm", "said"),
    [(by_others, "others may read"), (of_another_account, "another account's"), (behind_a_link_of_another_account, "another account's")],
)  # fmt: skip
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_whose_it_is_and_who_may_read_it_is_watched_while_it_is_in_use(
    state: Path, key_file: KeyFile, harm, said
):
    key = taken(state, key_file)
    octets = key.octets
    harm(key.path)

    key.look(is_proven=True)

    assert key.octets == octets
    assert (
        f"{said} the service key {key.path}" in key.trouble
        or f"the service key {key.path}, or the link" in key.trouble
    )


def test_a_link_to_a_folder_elsewhere_stays_and_nothing_plain_is_left_behind_it(
    state: Path, key_file: KeyFile, tmp_path: Path
):
    there = in_plain(tmp_path / "keys")
    (state / "service.key").symlink_to(there)

    key = taken(state, key_file)

    assert (key.octets, key.trouble) == (PLAIN, None)
    assert key.path.is_symlink()
    assert PLAIN not in there.read_bytes()


def test_a_folder_that_cannot_be_written_costs_no_press(tmp_path: Path, key_file: KeyFile):
    (tmp_path / "state").write_text("a file where the folder should be")

    key = taken(tmp_path / "state", key_file)
    key.look(is_proven=True)

    assert len(key.octets) == KEY_OCTETS
    assert key.trouble is not None
