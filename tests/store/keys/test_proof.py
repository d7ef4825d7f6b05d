"""Keys are proven on the store before they are used: what is sealed opens, and hashes come out as they did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, update

from telephony.domain.values import Msisdn
from telephony.store import schema
from telephony.store.callers import CALLER
from telephony.store.crypto import Key, KeyFile, KeysUnavailable, LookUpKeyWrong, Place
from telephony.store.engines import open_engines
from telephony.store.keys.proof import prove, prove_and_renew
from telephony.store.sealed_rows import seal_incident
from telephony.store.sealing import seal
from telephony.store.upgrade import take_up
from tests.doubles import without_fsync

CALLER_OF_ROWS = "821012345678"


@pytest.fixture
def key_file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "data.keys")


@pytest.fixture
def store(tmp_path: Path, key_file: KeyFile) -> Iterator[Engine]:
    writing, reading = open_engines(f"sqlite:///{tmp_path}/onetouch.sqlite", key_file.ring)
    without_fsync(writing)
    take_up(writing, key_file)
    yield writing
    writing.dispose()
    reading.dispose()


def with_look_up_of_another(key_file: KeyFile, at: int = 0) -> KeyFile:
    """As a file that was merged by hand: everything opens under it."""
    plain = json.loads(key_file.path.read_text())
    other = KeyFile(key_file.path.with_name("other.keys"))
    other.make()
    plain["keys"][at]["look_up"] = json.loads(other.path.read_text())["keys"][0]["look_up"]
    merged = KeyFile(key_file.path.with_name("merged.keys"))
    merged.path.write_text(json.dumps(plain))
    merged.path.chmod(0o600)
    return merged


def is_proven(store: Engine, key_file: KeyFile) -> bool:
    with store.connect() as connection:
        return prove(connection, key_file.path, key_file.ring())


def as_an_earlier_release_left_it(store: Engine, key_file: KeyFile, *, incidents: int) -> None:
    ring = key_file.ring()
    with store.begin() as connection:
        connection.execute(
            update(schema.key_proof).values(sealed=seal(ring, Place("key_proof", "sealed", 1), b""))
        )
        for key in range(1, incidents + 1):
            connection.execute(
                insert(schema.incident).values(
                    key=key, id=f"sos-{key}", caller=ring.hash(CALLER, CALLER_OF_ROWS),
                    sealed=seal_incident(ring, key, CALLER_OF_ROWS, Msisdn(CALLER_OF_ROWS, is_e164=True), "112"),
                    carrier="skt", connector="skt-1", source="sms", state="closed", test=False,
                    opened_at=0, press_count=1, last_press_at=0, last_sequence=1,
                )
            )  # fmt: skip


def test_a_look_up_key_of_another_is_told_and_nothing_is_taken_up(store: Engine, key_file: KeyFile):
    merged = with_look_up_of_another(key_file)

    with pytest.raises(
        LookUpKeyWrong, match=r"merged\.keys the look-up key of key \d{8} is not this store's"
    ):
        take_up(store, merged)

    assert is_proven(store, key_file)


@pytest.mark.parametrize("at", [0, 1])
def test_after_a_rotation_every_key_is_proven_that_there_is(store: Engine, key_file: KeyFile, at: int):
    key_file.add()
    with store.begin() as connection:
        prove_and_renew(connection, key_file.path, key_file.ring())

    with pytest.raises(LookUpKeyWrong):
        is_proven(store, with_look_up_of_another(key_file, at))

    assert is_proven(store, key_file)


def test_a_key_that_is_new_since_the_last_proof_is_believed_and_entered(store: Engine, key_file: KeyFile):
    key_file.add()

    assert is_proven(store, key_file)
    take_up(store, key_file)

    with pytest.raises(LookUpKeyWrong):
        take_up(store, with_look_up_of_another(key_file, 1))


def test_a_store_of_an_earlier_release_is_asked_for_callers_and_proven_from_then_on(
    store: Engine, key_file: KeyFile
):
    as_an_earlier_release_left_it(store, key_file, incidents=5)
    merged = with_look_up_of_another(key_file)
    with pytest.raises(LookUpKeyWrong):
        take_up(store, merged)

    assert not take_up(store, key_file)

    with store.begin() as connection:
        connection.execute(schema.incident.delete())
    with pytest.raises(LookUpKeyWrong):
        is_proven(store, merged)


def test_a_store_of_an_earlier_release_without_incidents_believes_what_opens_it(
    store: Engine, key_file: KeyFile
):
    as_an_earlier_release_left_it(store, key_file, incidents=0)

    assert not take_up(store, key_file)

    with pytest.raises(LookUpKeyWrong):
        take_up(store, with_look_up_of_another(key_file))


@pytest.mark.parametrize("half", ["look_up", "encryption"])
def test_a_daemon_that_has_proven_a_key_takes_no_other_under_its_id(
    key_file: KeyFile, tmp_path: Path, half: str
):
    key_file.make()
    used = KeyFile(key_file.path)
    before = used.ring()
    used.is_proven_by(lambda _: None, tmp_path)
    plain = json.loads(key_file.path.read_text())
    plain["keys"][0][half] = plain["audit"]
    key_file.path.write_text(json.dumps(plain))

    assert used.ring() is before

    assert used.trouble is not None
    assert f"has another key under the id {before.current.id}" in used.trouble


def test_the_two_halves_of_a_key_are_told_apart():
    key = Key(12345678, "", b"e" * 32, b"l" * 32)

    assert key.is_same_as(Key(12345678, "later", b"e" * 32, b"l" * 32))
    assert not key.is_same_as(Key(12345678, "", b"e" * 32, b"x" * 32))
    assert issubclass(LookUpKeyWrong, KeysUnavailable)
