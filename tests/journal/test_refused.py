"""Presses that the store refuses for what they are: kept until it takes them, whatever becomes of the file."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import task
from twisted.python.failure import Failure

from telephony.domain.errors import Unavailable
from telephony.domain.trigger import Trigger
from telephony.journal import refused
from telephony.journal.journal import Entry
from telephony.journal.records import HEADER_OCTETS, records_in
from telephony.journal.refused import REFUSED_FILE, RefusedPresses
from telephony.store.crypto import Key, KeyRing, KeysUnavailable
from telephony.store.line_file import LineFile
from telephony.store.sealing import key_id_of
from tests.doubles import NOON, Inline, keys, press

OTHER_KEY = Key.make(NOON)


class Drawer:
    """The file of refused presses, life after life."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / REFUSED_FILE
        self.disk = Inline()
        self.ring: KeyRing | None = keys()
        self.presses = self.begin()

    def keys(self) -> KeyRing:
        if self.ring is None:
            raise KeysUnavailable("the key file is not there")
        return self.ring

    def begin(self) -> RefusedPresses:
        self.clock = task.Clock()
        self.presses = RefusedPresses(LineFile(self.path), keys=self.keys, runner=self.disk, clock=self.clock)
        self.presses.load()
        return self.presses

    def keep(self, number: int, trigger: Trigger | None = None) -> list[Any]:
        answers: list[Any] = []
        known = trigger or press(reference=f"{number}")
        self.presses.keep(number, known, f"sos-{known.reference}").addBoth(answers.append)
        return answers

    def taken(self, number: int) -> list[Any]:
        answers: list[Any] = []
        self.presses.has_taken(number).addBoth(answers.append)
        return answers

    def standing(self) -> list[str]:
        return [entry.trigger.reference for entry in self.presses.standing()]

    def damaged(self) -> list[bytes]:
        return [path.read_bytes() for path in self.path.parent.glob("*.damaged")]


@pytest.fixture
def drawer(tmp_path: Path) -> Drawer:
    return Drawer(tmp_path)


def why(answers: list[Any]) -> str:
    (failure,) = answers
    assert isinstance(failure, Failure)
    assert failure.check(Unavailable)
    return str(failure.value)


def test_without_a_file_nothing_stands(drawer: Drawer):
    assert drawer.presses.standing() == []


def test_a_press_stands_once_it_is_on_the_disk_and_after_a_restart(drawer: Drawer):
    drawer.disk.hold()
    answers = drawer.keep(7)
    assert (answers, drawer.standing()) == ([], [])

    drawer.disk.release()

    assert answers == [None]
    drawer.begin()
    assert drawer.presses.standing() == [Entry(7, press(reference="7"), "sos-7")]
    assert stat.S_IMODE(drawer.path.stat().st_mode) == 0o600


def test_presses_stand_oldest_first_and_one_that_is_refused_again_once(drawer: Drawer):
    for number in (9, 3, 7, 3):
        assert drawer.keep(number) == [None]

    assert drawer.standing() == ["3", "7", "9"]
    drawer.begin()
    assert drawer.standing() == ["3", "7", "9"]


def test_a_press_that_the_store_takes_after_all_goes(drawer: Drawer):
    drawer.keep(1)
    drawer.keep(2)

    assert drawer.taken(1) == [None]
    assert drawer.taken(99) == [None]

    assert drawer.standing() == ["2"]
    drawer.begin()
    assert drawer.standing() == ["2"]


def test_what_is_kept_and_taken_at_once_costs_neither(drawer: Drawer):
    drawer.keep(1)
    drawer.disk.hold()
    answers = [drawer.keep(2), drawer.taken(1), drawer.keep(3)]

    drawer.disk.release()

    assert answers == [[None], [None], [None]]
    assert drawer.standing() == ["2", "3"]
    drawer.begin()
    assert drawer.standing() == ["2", "3"]


def test_what_a_thread_wrote_before_the_reactor_heard_of_it_is_built_upon(drawer: Drawer):
    drawer.disk.hold()
    answers = [drawer.keep(1), drawer.keep(2)]
    held = drawer.disk.held or []

    outcomes = [work() for work, _ in held]
    for (_, done), outcome in zip(held, outcomes, strict=True):
        done(outcome)

    assert answers == [[None], [None]]
    assert drawer.standing() == ["1", "2"]
    drawer.begin()
    assert drawer.standing() == ["1", "2"]


def test_a_disk_that_fails_makes_it_unavailable_and_what_stood_stands(
    drawer: Drawer, monkeypatch: pytest.MonkeyPatch
):
    drawer.keep(1)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
        assert "broken" in why(drawer.keep(2))
        assert "broken" in why(drawer.taken(1))

    assert drawer.standing() == ["1"]
    drawer.begin()
    assert drawer.standing() == ["1"]
    assert drawer.keep(3) == [None]
    drawer.begin()
    assert drawer.standing() == ["1", "3"]


def test_no_more_are_kept_than_somebody_can_look_through(drawer: Drawer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(refused, "MOST", 3)
    for number in (1, 2, 3):
        drawer.keep(number)

    assert "3 presses" in why(drawer.keep(4))

    assert drawer.keep(2) == [None]  # it is kept already
    drawer.taken(1)
    assert drawer.keep(4) == [None]


def test_what_would_not_be_read_again_is_not_kept(drawer: Drawer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(refused, "LARGEST", 4096)
    numbers = 0
    while drawer.keep(numbers + 1) == [None]:
        numbers += 1

    assert 1 < numbers < 20
    drawer.begin()
    assert len(drawer.standing()) == numbers


def test_presses_under_a_key_that_is_not_here_stay_in_the_file(drawer: Drawer):
    drawer.ring = KeyRing({OTHER_KEY.id: OTHER_KEY}, OTHER_KEY.id)
    drawer.keep(1)
    drawer.ring = keys()
    drawer.begin()
    drawer.keep(2)
    drawer.keep(3)
    drawer.taken(2)
    assert drawer.standing() == ["3"]

    drawer.ring = KeyRing({**keys().keys, OTHER_KEY.id: OTHER_KEY}, OTHER_KEY.id)
    drawer.begin()

    assert drawer.standing() == ["1", "3"]


def test_presses_stay_in_the_file_where_there_were_no_keys_at_the_start(drawer: Drawer):
    drawer.keep(1)
    drawer.ring = None
    drawer.begin()
    assert drawer.standing() == []
    assert "key file" in why(drawer.keep(2))

    drawer.ring = keys()
    assert drawer.keep(3) == [None]

    drawer.begin()
    assert drawer.standing() == ["1", "3"]


def test_a_file_that_could_not_be_read_is_kept_beside_the_new_one(
    drawer: Drawer, monkeypatch: pytest.MonkeyPatch
):
    drawer.keep(1)
    octets = drawer.path.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(LineFile, "read", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
        drawer.begin()
    drawer.keep(2)

    assert drawer.damaged() == [octets]
    assert drawer.standing() == ["2"]


@pytest.mark.parametrize("at", ["first", "last"])
def test_damage_costs_the_press_that_it_is_in_and_is_kept_for_people(drawer: Drawer, at: str):
    for number in (1, 2, 3):
        drawer.keep(number)
    octets = bytearray(drawer.path.read_bytes())
    ends = HEADER_OCTETS + 60 if at == "first" else len(octets.rstrip(b"\0")) - 30
    octets[ends] ^= 0xFF
    drawer.path.write_bytes(octets)

    drawer.begin()
    drawer.keep(4)

    left = ["2", "3", "4"] if at == "first" else ["1", "2", "4"]
    assert drawer.standing() == left
    drawer.begin()
    assert drawer.standing() == left
    assert drawer.damaged() == [octets]


def test_a_press_of_a_journal_that_began_anew_does_not_take_the_place_of_an_older_one(drawer: Drawer):
    """Numbers begin again with another journal."""
    drawer.keep(5, press(reference="older"))

    drawer.keep(5, press(reference="newer"))
    drawer.keep(5, press(reference="newer"))

    assert drawer.standing() == ["older", "newer"]
    drawer.begin()
    assert drawer.standing() == ["older", "newer"]
    drawer.taken(drawer.presses.standing()[1].number)
    assert drawer.standing() == ["older"]


def test_nor_of_one_that_cannot_be_read_just_now(drawer: Drawer):
    drawer.keep(5, press(reference="older"))
    drawer.ring = None
    drawer.begin()
    drawer.ring = keys()
    drawer.keep(5, press(reference="newer"))

    drawer.begin()

    assert sorted(drawer.standing()) == ["newer", "older"]


def test_nothing_personal_stands_in_the_file_and_lengths_say_little(drawer: Drawer):
    for number, text in enumerate(["", "SOS", "도와주세요 제발"], 1):
        drawer.keep(number, press(number="821098765432", text=text, reference=f"reference-{number}"))

    octets = drawer.path.read_bytes()

    for clear in (b"821098765432", "도와주세요".encode(), b"reference-", b"1122", b"\\ub3c4"):
        assert clear not in octets
    assert len({len(record.sealed) % 256 for record in records_in(octets).records}) == 1


def key_ids(drawer: Drawer) -> set[int]:
    return {key_id_of(record.sealed) for record in records_in(drawer.path.read_bytes()).records}


def test_after_a_change_of_keys_presses_are_soon_under_the_new_one_alone(drawer: Drawer):
    drawer.keep(1)
    drawer.keep(2)
    drawer.ring = KeyRing({OTHER_KEY.id: OTHER_KEY, **keys().keys}, OTHER_KEY.id)

    drawer.clock.advance(refused.SEALED_AGAIN_S)

    assert key_ids(drawer) == {OTHER_KEY.id}
    drawer.ring = KeyRing({OTHER_KEY.id: OTHER_KEY}, OTHER_KEY.id)
    drawer.begin()
    assert drawer.standing() == ["1", "2"]


def test_so_they_are_when_the_keys_changed_between_two_lives(drawer: Drawer):
    drawer.keep(1)
    drawer.ring = KeyRing({OTHER_KEY.id: OTHER_KEY, **keys().keys}, OTHER_KEY.id)
    drawer.begin()

    drawer.clock.advance(refused.SEALED_AGAIN_S)

    assert key_ids(drawer) == {OTHER_KEY.id}


def test_they_wait_for_a_disk_that_fails_and_for_keys_that_are_gone(
    drawer: Drawer, monkeypatch: pytest.MonkeyPatch
):
    drawer.keep(1)
    octets = drawer.path.read_bytes()
    ring = KeyRing({OTHER_KEY.id: OTHER_KEY, **keys().keys}, OTHER_KEY.id)
    drawer.ring = None
    drawer.clock.advance(refused.SEALED_AGAIN_S)
    drawer.ring = ring
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
        drawer.clock.advance(refused.SEALED_AGAIN_S)
    assert drawer.path.read_bytes() == octets

    drawer.clock.advance(refused.SEALED_AGAIN_S)

    assert key_ids(drawer) == {OTHER_KEY.id}


def test_nothing_is_written_while_the_keys_stay(drawer: Drawer):
    drawer.keep(1)
    inode = drawer.path.stat().st_ino

    drawer.clock.pump([refused.SEALED_AGAIN_S] * 3)

    assert drawer.path.stat().st_ino == inode


def test_a_stop_lets_the_write_end(drawer: Drawer):
    ended: list[object] = []

    drawer.presses.stop().addBoth(ended.append)

    assert ended == [None]
