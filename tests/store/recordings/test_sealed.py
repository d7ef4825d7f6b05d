"""A sealed recording gives back what was written, or says that it is damaged: never anything else."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.store.crypto import TAG_OCTETS, Damaged, Key, KeyRing, KeysUnavailable
from telephony.store.recordings.sealed import (
    CHUNK,
    HEAD,
    Chunks,
    DamagedChunk,
    Header,
    destroy,
    new_head,
    new_key,
    opened,
    reseal,
)
from tests.doubles import NOON

_KEY = Key.make(NOON)
RING = KeyRing({_KEY.id: _KEY}, _KEY.id)
SIZES = (0, 1, 44, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7)
STRIDE = CHUNK + TAG_OCTETS


def header(octets, name="sos-20261123-voice-1-104503-12.wav"):
    return Header(name, "voice-1", "voice-1/1", NOON, NOON + timedelta(seconds=60), octets, new_key())


def sealed(plain, ring=RING):
    head_of = header(len(plain))
    head = new_head(ring, head_of)
    chunks = Chunks(head, head_of)
    pieces = [plain[at : at + CHUNK] for at in range(0, max(1, len(plain)), CHUNK)]
    return head + b"".join(chunks.seal(number, piece) for number, piece in enumerate(pieces))


def read(path: Path, octets: bytes, ring=RING) -> bytes:
    path.write_bytes(octets)
    with opened(path, ring) as recording:
        return b"".join(recording.chunks())


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("sealed") / "recording.sealed"


@pytest.mark.parametrize("size", SIZES)
def test_what_was_sealed_is_given_back_with_what_is_known_of_it(path, size):
    plain = os.urandom(size)

    octets = sealed(plain)

    assert read(path, octets) == plain
    with opened(path, RING) as recording:
        assert (recording.header.call, recording.header.begun_at) == ("voice-1/1", NOON)
        assert recording.header.sealed_octets == len(octets)
        assert recording.key_id == RING.current.id
    assert size <= TAG_OCTETS or plain[:64] not in octets


PLAIN = os.urandom(3 * CHUNK + 7)
SEALED = sealed(PLAIN)
OTHER = sealed(os.urandom(3 * CHUNK + 7))


def is_refused(path, octets):
    with pytest.raises((Damaged, KeysUnavailable)):
        read(path, octets)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(SEALED) * 8 - 1))
def test_one_bit_that_is_flipped_is_seen_wherever_it_is(path, bit):
    octets = bytearray(SEALED)
    octets[bit // 8] ^= 1 << bit % 8

    is_refused(path, bytes(octets))


@given(st.integers(0, HEAD * 8 - 1))
@settings(max_examples=100, deadline=None)
def test_one_bit_that_is_flipped_in_the_header_is_seen(path, bit):
    octets = bytearray(SEALED)
    octets[bit // 8] ^= 1 << bit % 8

    is_refused(path, bytes(octets))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(SEALED) - 1) | st.sampled_from([HEAD + n * STRIDE for n in range(4)]))
def test_a_file_that_is_cut_anywhere_is_seen(path, size):
    is_refused(path, SEALED[:size])


@given(st.binary(min_size=1, max_size=STRIDE * 2))
@settings(max_examples=30, deadline=None)
def test_what_is_put_behind_the_last_chunk_is_seen(path, more):
    is_refused(path, SEALED + more)


@given(st.permutations(range(3)).filter(lambda order: order != [0, 1, 2]))
def test_chunks_in_another_order_are_seen(path, order):
    chunks = [SEALED[HEAD + n * STRIDE : HEAD + (n + 1) * STRIDE] for n in range(4)]

    is_refused(path, SEALED[:HEAD] + b"".join(chunks[n] for n in order) + chunks[3])


@pytest.mark.parametrize("number", range(4))
def test_a_chunk_of_another_recording_is_seen_and_those_before_it_are_given(path, number):
    begins, ends = HEAD + number * STRIDE, min(HEAD + (number + 1) * STRIDE, len(SEALED))
    path.write_bytes(SEALED[:begins] + OTHER[begins:ends] + SEALED[ends:])

    given_back = []
    with opened(path, RING) as recording, pytest.raises(DamagedChunk) as fault:
        given_back.extend(recording.chunks())

    assert fault.value.number == number
    assert b"".join(given_back) == PLAIN[: number * CHUNK]


def test_the_head_of_another_recording_opens_nothing(path):
    is_refused(path, OTHER[:HEAD] + SEALED[HEAD:])


def test_nobody_reads_it_without_the_key(path):
    key = Key.make(NOON)

    with pytest.raises(KeysUnavailable, match="bring back the file"):
        read(path, SEALED, KeyRing({key.id: key}, key.id))


def rings():
    old, new = Key.make(NOON), Key.make(NOON)
    both = {old.id: old, new.id: new}
    return KeyRing(both, old.id), KeyRing(both, new.id), KeyRing({new.id: new}, new.id)


def test_a_change_of_keys_rewrites_the_header_and_leaves_the_chunks(tmp_path):
    before, both, after = rings()
    path = tmp_path / "recording.sealed"
    path.write_bytes(octets := sealed(PLAIN, before))

    assert reseal(path, both) == both.current.id

    assert path.read_bytes()[HEAD:] == octets[HEAD:]
    assert path.read_bytes()[:HEAD] != octets[:HEAD]
    with opened(path, after) as recording:
        assert b"".join(recording.chunks()) == PLAIN
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert reseal(path, both) == both.current.id, "once more changes nothing"


class Killed(BaseException):
    pass


@pytest.mark.parametrize("system_call", ["pwrite", "fsync"])
@pytest.mark.parametrize("at", range(1, 5))
@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
def test_a_change_of_keys_that_is_killed_anywhere_leaves_a_header_that_opens(
    tmp_path, monkeypatch, system_call, at, part
):
    before, both, after = rings()
    path = tmp_path / "recording.sealed"
    path.write_bytes(sealed(PLAIN, before))
    real, calls = getattr(os, system_call), []

    def deadly(*arguments):
        calls.append(1)
        if len(calls) == at:
            if system_call == "pwrite":
                descriptor, octets, offset = arguments
                real(descriptor, octets[: int(len(octets) * part)], offset)
            raise Killed
        return real(*arguments)

    monkeypatch.setattr(os, system_call, deadly)
    with suppress(Killed):
        reseal(path, both)
    monkeypatch.undo()

    with opened(path, both) as recording:
        assert b"".join(recording.chunks()) == PLAIN
    reseal(path, both)
    with opened(path, after) as recording:
        assert b"".join(recording.chunks()) == PLAIN
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_what_is_destroyed_loses_its_key_before_its_name(tmp_path, monkeypatch):
    path = tmp_path / "recording.sealed"
    path.write_bytes(SEALED)
    os.link(path, tmp_path / "copy of the blocks")

    destroy(path)

    assert not path.exists()
    left = (tmp_path / "copy of the blocks").read_bytes()
    assert left[:HEAD] == bytes(HEAD)
    destroy(path)  # once more changes nothing


@pytest.mark.parametrize("name", ["passwd", "passwd.sealed"])
def test_what_is_no_sealed_recording_is_never_destroyed(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"root:x:0:0")

    with pytest.raises(OSError, match="no sealed recording"):
        destroy(path)

    assert path.read_bytes() == b"root:x:0:0"


def test_what_is_on_a_disk_that_is_not_mounted_is_not_taken_for_destroyed(tmp_path):
    with pytest.raises(FileNotFoundError):
        destroy(tmp_path / "not mounted" / "recording.sealed")
