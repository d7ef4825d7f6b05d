"""What is sealed opens at its place, under its key, unchanged; and nowhere else."""

from __future__ import annotations

import errno
import json
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from telephony.domain.errors import Malformed
from telephony.store.crypto import Damaged, KeyFile, KeysUnavailable, Place
from telephony.store.person_record import from_octets

PLACE = Place("person", "sealed", 7)


@pytest.fixture
def key_file(tmp_path) -> KeyFile:
    made = KeyFile(tmp_path / "keys" / "data.keys")
    assert made.make()
    return made


@given(st.binary(max_size=300))
def test_what_is_sealed_is_opened(tmp_path_factory, plain):
    ring = a_ring(tmp_path_factory)

    key_id, sealed = ring.seal(PLACE, plain)

    assert ring.open(PLACE, key_id, sealed) == plain
    assert ring.seal(PLACE, plain)[1] != sealed


@given(st.binary(min_size=1, max_size=80), st.integers(0, 10_000), st.integers(1, 255))
def test_any_changed_octet_is_noticed(tmp_path_factory, plain, at, flip):
    ring = a_ring(tmp_path_factory)
    key_id, sealed = ring.seal(PLACE, plain)
    changed = bytearray(sealed)
    changed[at % len(sealed)] ^= flip

    with pytest.raises(Damaged):
        ring.open(PLACE, key_id, bytes(changed))


@given(st.integers(0, 200))
def test_a_value_that_is_cut_is_noticed(tmp_path_factory, length):
    ring = a_ring(tmp_path_factory)
    key_id, sealed = ring.seal(PLACE, b"x" * 180)

    with pytest.raises(Damaged):
        ring.open(PLACE, key_id, sealed[:length])


@given(st.binary(max_size=200))
def test_rubbish_is_never_opened(tmp_path_factory, rubbish):
    ring = a_ring(tmp_path_factory)

    with pytest.raises(Damaged):
        ring.open(PLACE, ring.current.id, rubbish)


@pytest.mark.parametrize(
    "elsewhere", [Place("person", "sealed", 8), Place("person", "other", 7), Place("other", "sealed", 7)]
)
def test_a_value_opens_at_its_own_place_only(key_file, elsewhere):
    ring = key_file.ring()
    key_id, sealed = ring.seal(PLACE, b"secret")

    with pytest.raises(Damaged):
        ring.open(elsewhere, key_id, sealed)


def test_hashes_differ_by_kind_and_by_key_and_have_sixteen_octets(key_file):
    before = key_file.ring().hash("number", "821012345678")
    assert len(before) == 16
    assert key_file.ring().hash("guardian", "821012345678") != before

    key_file.add()

    assert key_file.ring().hash("number", "821012345678") != before
    assert key_file.ring().hashes("number", "821012345678")[1] == before


def test_the_file_is_its_owners_alone_and_is_never_made_over(key_file):
    assert stat.S_IMODE(key_file.path.stat().st_mode) == 0o600
    before = key_file.path.read_bytes()

    assert not key_file.make()

    assert key_file.path.read_bytes() == before


def test_a_key_that_was_added_is_seen_by_those_who_read(key_file):
    reader = KeyFile(key_file.path)
    old = reader.ring().current

    added = key_file.add()

    assert reader.ring().current == added
    assert old.id in reader.ring().keys


def full_after(octets, monkeypatch):
    """A disk that takes so many octets more: the last write is short, as the kernel's is, and the next one fails."""
    left = [octets]
    real = os.write

    def write(descriptor, data):
        if left[0] <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = real(descriptor, bytes(data)[: left[0]])
        left[0] -= taken
        return taken

    monkeypatch.setattr(os, "write", write)


@pytest.mark.parametrize("room", [0, 1, 100, 400])
def test_a_full_disk_leaves_the_keys_as_they_are(key_file, monkeypatch, room):
    before = key_file.path.read_bytes()
    full_after(room, monkeypatch)

    with pytest.raises(OSError, match="No space left"):
        key_file.add()

    assert key_file.path.read_bytes() == before
    assert KeyFile(key_file.path).ring().current == key_file.ring().current
    assert [each.name for each in key_file.path.parent.iterdir()] == [key_file.path.name]


def test_a_disk_that_takes_a_file_piece_by_piece_gets_all_of_it(key_file, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:7]))

    added = key_file.add()

    assert KeyFile(key_file.path).ring().current == added


def test_what_is_not_read_back_as_it_was_written_takes_no_file_s_place(key_file, monkeypatch):
    before = key_file.path.read_bytes()
    monkeypatch.setattr(os, "pread", lambda descriptor, length, at: b"\0" * length)

    with pytest.raises(OSError, match="what was written"):
        key_file.add()

    assert key_file.path.read_bytes() == before


def test_the_earlier_file_stays_until_a_key_is_forgotten(key_file):
    earlier = key_file.path.with_name(f"{key_file.path.name}.earlier")
    first, before = key_file.ring().current, key_file.path.read_bytes()
    key_file.add()
    assert earlier.read_bytes() == before
    assert stat.S_IMODE(earlier.stat().st_mode) == 0o600

    key_file.forget(first.id)

    assert not earlier.exists()


def test_the_current_key_cannot_be_forgotten(key_file):
    with pytest.raises(ValueError, match="current"):
        key_file.forget(key_file.ring().current.id)


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(KeysUnavailable, match="onetouch keys init"):
        KeyFile(tmp_path / "none").ring()


def test_a_file_that_others_may_read_is_not_used(key_file):
    key_file.path.chmod(0o640)

    with pytest.raises(KeysUnavailable, match="chmod 600"):
        key_file.ring()


# -- a file that goes away while a daemon runs ----------------------------------------------------------------------


class Watch:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def in_use(key_file, watch) -> KeyFile:
    used = KeyFile(key_file.path, monotonic=watch)
    used.ring()
    return used


def hidden(path):
    path.unlink()


def damaged(path):
    path.write_text("{")


def readable_by_all(path):
    path.chmod(0o644)
    os.utime(path, ns=(1, 1))


def cut_to_nothing(path):
    path.write_bytes(b"")


def test_a_file_that_others_may_read_since_is_told(key_file):
    used = KeyFile(key_file.path)
    used.ring()
    key_file.path.chmod(0o644)

    assert used.ring().current
    assert "others may read" in used.trouble

    key_file.path.chmod(0o600)
    used.ring()
    assert used.trouble is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_another_account_is_not_used(key_file):
    os.chown(key_file.path, 12345, -1)

    with pytest.raises(KeysUnavailable, match="another account's"):
        KeyFile(key_file.path).ring()


@pytest.mark.parametrize("harm", [hidden, damaged, readable_by_all, cut_to_nothing])
def test_a_daemon_with_the_keys_in_memory_goes_on_and_says_so_once_a_minute(in_use, watch, harm):
    before = in_use.ring()
    harm(in_use.path)

    with capture_logs() as lines:
        for watch.now in (0.0, 1.0, 59.9, 60.0, 61.0, 125.0):
            assert in_use.ring() is before

    assert [line["event"] for line in lines] == ["key file gone, going on from memory"] * 3
    assert all(line["log_level"] == "critical" and str(in_use.path) in line["error"] for line in lines)


def test_a_file_that_comes_back_is_read_again(key_file, in_use):
    octets = key_file.path.read_bytes()
    key_file.path.unlink()
    in_use.ring()

    key_file.path.write_bytes(octets)
    key_file.path.chmod(0o600)
    added = KeyFile(key_file.path).add()

    assert in_use.ring().current.id == added.id


# -- keys that were proven ------------------------------------------------------------------------------------------


@pytest.fixture
def proven(in_use, tmp_path) -> KeyFile:
    """One whose keys have opened a store: no other keys will."""

    def refuse(_):
        raise KeysUnavailable("not of this store")

    in_use.is_proven_by(refuse, tmp_path / "state")
    (tmp_path / "state").mkdir()
    return in_use


def another_file(path):
    path.unlink()
    KeyFile(path).make()


def other_audit_key(path):
    plain = json.loads(path.read_text())
    path.write_text(json.dumps({**plain, "audit": plain["keys"][0]["look_up"]}))


@pytest.mark.parametrize("harm", [another_file, other_audit_key, damaged, cut_to_nothing, readable_by_all])
def test_beside_a_file_that_is_wrong_the_proven_keys_are_kept_until_it_is_right_again(proven, tmp_path, harm):
    before, octets = proven.ring(), proven.path.read_bytes()
    harm(proven.path)
    wrong = proven.path.read_bytes()

    assert proven.ring() is before

    kept = tmp_path / "state" / "data.keys.kept"
    assert f"are kept in {kept}" in proven.trouble
    assert (kept.read_bytes(), stat.S_IMODE(kept.stat().st_mode)) == (octets, 0o600)
    assert proven.path.read_bytes() == wrong
    proven.path.chmod(0o600)
    kept.replace(proven.path)
    assert proven.ring().current == before.current
    assert proven.trouble is None
    assert not kept.exists()


def test_proven_keys_whose_file_is_gone_are_written_again(proven):
    octets = proven.path.read_bytes()
    proven.path.unlink()

    proven.ring()

    assert proven.path.read_bytes() == octets
    proven.ring()
    assert proven.trouble is None


def test_proven_keys_that_cannot_be_kept_seal_nothing_more(proven, tmp_path):
    another_file(proven.path)
    (tmp_path / "state").rmdir()

    with pytest.raises(KeysUnavailable, match="cannot be kept on disk"):
        proven.ring()

    (tmp_path / "state").mkdir()
    proven.ring()


def test_a_key_that_is_added_needs_no_other_proof_than_the_one_that_is_there_still(proven):
    added = KeyFile(proven.path).add()

    assert proven.ring().current == added


def test_keys_of_which_none_is_known_are_used_when_they_open_the_store(in_use, tmp_path):
    """As after a rotation that has forgotten the old key before anybody looked."""
    asked = []
    in_use.is_proven_by(asked.append, tmp_path)
    other = KeyFile(in_use.path)
    old, added = other.ring().current, other.add()
    other.forget(old.id)

    assert in_use.ring().current == added
    assert len(asked) == 1


def test_a_file_that_was_refused_is_not_tried_again_for_a_while(in_use, watch, tmp_path):
    asked = []

    def refuse(ring):
        asked.append(ring)
        raise KeysUnavailable("not of this store")

    in_use.is_proven_by(refuse, tmp_path)
    audit = json.loads(in_use.path.read_text())["audit"]
    another_file(in_use.path)
    in_use.path.write_text(json.dumps({**json.loads(in_use.path.read_text()), "audit": audit}))

    for watch.now in (0.0, 1.0, 4.9, 5.0, 6.0):
        in_use.ring()

    assert len(asked) == 2


def test_nobody_changes_a_file_that_is_not_there(in_use):
    in_use.path.unlink()

    with pytest.raises(KeysUnavailable):
        in_use.add()
    with pytest.raises(KeysUnavailable):
        in_use.forget(1)
    assert not in_use.path.exists()


def test_a_daemon_that_never_read_the_keys_does_not_go_on(key_file):
    key_file.path.unlink()

    with pytest.raises(KeysUnavailable, match="bring it back from its backup"):
        KeyFile(key_file.path).ring()


def test_a_key_is_in_no_repr(key_file):
    key = key_file.ring().current

    assert repr(key.encryption) not in repr(key)
    assert repr(key.look_up) not in repr(key)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda each: st.lists(each) | st.dictionaries(st.sampled_from(["format", "keys", "current", "id", "v", "name", "consent"]) | st.text(), each), max_leaves=12)  # fmt: skip


@given(JSON | st.fixed_dictionaries({"format": st.just(1), "current": JSON, "keys": JSON | st.lists(st.fixed_dictionaries({"id": JSON, "made_at": JSON, "encryption": JSON, "look_up": JSON}))}))  # fmt: skip
def test_a_key_file_of_any_other_shape_is_refused_in_one_sentence(tmp_path_factory, plain):
    path = folder(tmp_path_factory) / "shape.keys"
    path.write_text(json.dumps(plain))
    path.chmod(0o600)

    with pytest.raises(KeysUnavailable, match="not a key file"):
        KeyFile(path).ring()


@given(st.binary(max_size=100) | JSON.map(lambda plain: json.dumps(plain).encode()))
def test_a_record_of_any_other_shape_is_malformed(octets):
    with pytest.raises(Malformed):
        from_octets(octets)


_made: dict[int, object] = {}


def folder(tmp_path_factory):
    """One for all examples: Hypothesis runs hundreds."""
    if os.getpid() not in _made:
        _made[os.getpid()] = tmp_path_factory.mktemp("keys")
    return _made[os.getpid()]


def a_ring(tmp_path_factory):
    made = KeyFile(folder(tmp_path_factory) / "data.keys")
    made.make()
    return made.ring()
