"""The journal of presses: an answer means that a press is on the disk, and what is on the disk is read back once."""

from __future__ import annotations

import base64
import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from telephony.alarms import HOLD_S, Alarms
from telephony.domain.errors import Unavailable
from telephony.domain.trigger import Trigger
from telephony.domain.values import Msisdn
from telephony.journal.bounds import Bounds
from telephony.journal.contents import octets_of
from telephony.journal.files import KEPT_S
from telephony.journal.journal import (
    ABOUT,
    DAMAGED_ALARM,
    FAILING_ALARM,
    MOST_IN_ONE_WRITE,
    TIDIED_EVERY_S,
    Entry,
    Journal,
    entries_in,
)
from telephony.journal.records import HEADER_OCTETS, LARGEST_SEALED, record_octets, records_in
from telephony.store.crypto import Key, KeyRing, KeysUnavailable
from tests.doubles import NOON, Inline, keys, press
from tests.journal.strategies import TEXTS, TRIGGERS

BOUNDS = Bounds(largest_octets=1 << 20, budget_s=0.5, segment_octets=64 << 10)
OTHER_KEY = Key.make(NOON)


class Desk:
    """A journal in a folder, life after life, with the keys and the disk in the test's hands."""

    def __init__(self, folder: Path, bounds: Bounds = BOUNDS) -> None:
        self.folder = folder
        self.bounds = bounds
        self.clock = task.Clock()
        self.alarms = Alarms(self.clock)
        self.disk, self.maker = Inline(), Inline()
        self.ring: KeyRing | None = keys()
        self.are_proven = True
        """Whether the keys have opened the store."""
        self.left: list[Entry] = []
        self.journal = self.begin()

    def keys(self) -> KeyRing:
        if self.ring is None:
            raise KeysUnavailable("the key file is not there")
        return self.ring

    def begin(self) -> Journal:
        """Begin a life, as after a kill of the one before."""
        self.disk, self.maker = Inline(), Inline()
        self.journal = Journal(
            self.folder,
            keys=self.keys,
            are_proven=lambda: self.are_proven,
            runner=self.disk,
            maker=self.maker,
            clock=self.clock,
            alarms=self.alarms,
            bounds=self.bounds,
        )
        self.left = self.journal.load()
        return self.journal

    def append(self, *triggers: Trigger) -> list[Any]:
        """Append presses; the list gets the answer when it comes."""
        answers: list[Any] = []
        presses = [(trigger, f"sos-{trigger.reference}") for trigger in triggers]
        self.journal.append(presses).addBoth(answers.append)
        return answers

    def put(self, *references: str) -> list[int]:
        """Append presses and have their numbers."""
        (numbers,) = self.append(*[press(reference=reference) for reference in references])
        return numbers

    def stands(self, alarm: str) -> bool:
        return alarm in {each.name for each in self.alarms.standing()}

    def octets(self) -> bytes:
        return b"".join(path.read_bytes() for path in sorted(self.folder.iterdir()))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "journal")
    yield desk
    desk.journal.stop()


def references(entries: list[Entry]) -> list[str]:
    return [entry.trigger.reference for entry in entries]


def why(answers: list[Any]) -> str:
    (failure,) = answers
    assert isinstance(failure, Failure)
    assert failure.check(Unavailable)
    return str(failure.value)


def result(deferred: Deferred[list[Entry]]) -> list[Entry]:
    results: list[Any] = []
    deferred.addBoth(results.append)
    (found,) = results
    if isinstance(found, Failure):
        found.raiseException()
    return found


# -- an answer --------------------------------------------------------------------------------------------------------


def test_a_press_is_answered_with_its_number_when_it_is_on_the_disk_and_not_before(desk: Desk):
    desk.disk.hold()

    answers = desk.append(press(reference="a"))

    assert answers == []
    desk.disk.release()
    assert answers == [[1]]
    desk.begin()
    assert desk.left == [Entry(1, press(reference="a"), "sos-a")]


def test_it_is_synced_before_it_is_answered(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    seen: list[object] = []
    real = os.fdatasync
    answers: list[Any] = []
    monkeypatch.setattr(os, "fdatasync", lambda file: (seen.append(list(answers)), real(file)))

    desk.journal.append([(press(), "sos-1")]).addBoth(answers.append)

    assert seen == [[]]
    assert answers == [[1]]


def test_all_that_wait_share_one_write_in_their_order(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    syncs: list[int] = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda file: (syncs.append(file), real(file)))
    desk.disk.hold()
    first = desk.append(press(reference="a"))
    others = [desk.append(press(reference=name), press(reference=name * 2)) for name in "bcd"]

    desk.disk.release_one()

    assert first == [[1]]
    assert others == [[], [], []]
    desk.disk.release_one()
    assert others == [[[2, 3]], [[4, 5]], [[6, 7]]]
    assert len(syncs) == 2
    desk.begin()
    assert references(desk.left) == ["a", "b", "bb", "c", "cc", "d", "dd"]


def test_one_write_is_bounded_so_that_nobody_waits_behind_a_flood(desk: Desk):
    desk.disk.hold()
    first = desk.append(press(reference="a"))
    flood = [desk.append(*[press(reference=f"{n}")] * (MOST_IN_ONE_WRITE // 4)) for n in range(6)]

    desk.disk.release_one()
    desk.disk.release_one()

    assert [bool(each) for each in (first, *flood)] == [True] * 5 + [False] * 2
    desk.disk.release()
    assert flood[-1] == [list(range(6 * MOST_IN_ONE_WRITE // 4 - 248, 6 * MOST_IN_ONE_WRITE // 4 + 2))]


def test_a_press_that_is_too_large_or_cannot_be_written_costs_itself_the_journal_alone(desk: Desk):
    large = press(reference="large", raw=bytes(LARGEST_SEALED))
    unwritable = replace(press(reference="unwritable"), received_at="never")  # type: ignore[arg-type]

    answers = desk.append(press(reference="a"), large, press(reference="b"), unwritable)

    assert answers == [[1, None, 3, None]]
    assert not desk.stands(FAILING_ALARM)
    desk.begin()
    assert [(entry.number, entry.trigger.reference) for entry in desk.left] == [(1, "a"), (3, "b")]


def test_presses_of_which_none_can_be_written_are_answered_too(desk: Desk):
    assert desk.append(press(raw=bytes(LARGEST_SEALED))) == [[None]]
    assert desk.put("next") == [2]


# -- a disk that is late or fails -------------------------------------------------------------------------------------


def test_a_disk_that_is_late_costs_those_that_wait_their_budget_and_the_next_nothing(desk: Desk):
    desk.disk.hold()
    waiting = [desk.append(press(reference="a")), desk.append(press(reference="b"))]
    desk.clock.advance(0.49)
    assert waiting == [[], []]
    assert not desk.stands(FAILING_ALARM)

    desk.clock.advance(0.01)

    assert [why(each) for each in waiting] == ["journal: nothing on the disk within 0.5 s"] * 2
    assert desk.stands(FAILING_ALARM)
    assert why(desk.append(press(reference="c"))) == "journal: the disk has not answered in time before"


def test_a_disk_that_answers_again_is_used_again(desk: Desk):
    desk.disk.hold()
    desk.append(press(reference="late"))
    desk.clock.advance(0.5)

    desk.disk.release()

    assert desk.put("next") == [2]
    desk.clock.advance(HOLD_S)
    assert not desk.stands(FAILING_ALARM)
    desk.begin()
    assert references(desk.left) == ["late", "next"]  # the late one stands in it all the same


def test_the_budget_is_each_writes_own(desk: Desk):
    desk.disk.hold()
    first = desk.append(press(reference="a"))
    desk.clock.advance(0.4)
    second = desk.append(press(reference="b"))
    desk.disk.release_one()

    desk.clock.advance(0.4)

    assert first == [[1]]
    assert second == []
    desk.disk.release()
    assert second == [[2]]
    assert desk.clock.getDelayedCalls() == []


def test_a_disk_that_fails_is_said_and_the_next_press_goes_elsewhere(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    desk.put("a")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
        assert why(desk.append(press(reference="b"))) == "journal: broken"
    (alarm,) = desk.alarms.standing()
    assert (alarm.name, alarm.about, alarm.facts) == (FAILING_ALARM, ABOUT, {"reason": "broken"})

    assert desk.put("c") == [3]

    desk.clock.advance(HOLD_S)
    assert desk.alarms.standing() == []
    desk.begin()
    assert [each for each in references(desk.left) if each != "b"] == ["a", "c"]


def test_a_journal_that_is_full_says_which_setting_bounds_it_and_takes_presses_when_there_is_room(
    tmp_path: Path,
):
    desk = Desk(tmp_path / "journal", Bounds(largest_octets=3 * 8192, segment_octets=8192))
    numbers: list[int] = []
    while True:
        answers = desk.append(press(reference=f"{len(numbers)}"))
        if isinstance(answers[0], Failure):
            break
        numbers += answers[0]
    assert "journal.largest_mib" in why(answers)
    assert desk.stands(FAILING_ALARM)

    desk.journal.has_taken_up(numbers[-1])

    assert desk.put("later") == [len(numbers) + 2]
    desk.clock.advance(HOLD_S)
    assert not desk.stands(FAILING_ALARM)


def test_a_folder_that_cannot_be_made_leaves_a_journal_that_fails_with_an_alarm(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")

    desk = Desk(tmp_path / "file" / "journal")

    assert desk.left == []
    assert desk.stands(FAILING_ALARM)
    assert why(desk.append(press())).startswith("journal: ")


def test_without_keys_nothing_is_written_and_the_store_is_tried(desk: Desk):
    desk.ring = None

    assert why(desk.append(press())) == "journal: the key file is not there"

    assert desk.stands(FAILING_ALARM)
    desk.ring = keys()
    assert desk.put("next") == [2]


# -- what is read back ------------------------------------------------------------------------------------------------


def test_what_the_store_may_lack_is_read_back_in_order_and_once(desk: Desk):
    desk.put(*"abcdef")
    desk.journal.has_taken_up(2)
    desk.put("g")

    desk.begin()

    assert desk.journal.taken_up == 2
    assert [(entry.number, entry.trigger.reference) for entry in desk.left] == list(enumerate("cdefg", 3))
    assert desk.put("h") == [8]


def test_a_press_that_stands_there_twice_is_read_once(desk: Desk):
    desk.put(*"abc")
    (path,) = desk.folder.glob("*.segment")
    octets = path.read_bytes()
    (desk.folder / "0000000002.segment").write_bytes(octets)

    desk.begin()

    assert [entry.number for entry in desk.left] == [1, 2, 3]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(st.tuples(TRIGGERS, TEXTS), min_size=1, max_size=4))
def test_any_press_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, presses):
    desk = Desk(tmp_path_factory.mktemp("any") / "journal")
    answers: list[Any] = []
    desk.journal.append(presses).addBoth(answers.append)

    desk.begin()

    assert answers == [list(range(1, len(presses) + 1))]
    assert desk.left == [Entry(number, *each) for number, each in enumerate(presses, 1)]
    desk.journal.stop()


def test_what_the_store_has_lost_again_is_read_again(desk: Desk):
    desk.put(*"abcdef")
    desk.journal.has_taken_up(6)
    desk.put("g")
    desk.begin()
    assert references(desk.left) == ["g"]

    lost = result(desk.journal.read_after(2, 6))
    desk.journal.goes_back_to(2)

    assert references(lost) == list("cdef")
    assert desk.journal.taken_up == 2
    assert desk.put("h") == [8]


def test_all_presses_of_the_files_can_be_looked_at_from_outside(desk: Desk):
    desk.put(*"abc")
    desk.journal.has_taken_up(2)
    desk.begin()
    desk.ring = KeyRing({OTHER_KEY.id: OTHER_KEY}, OTHER_KEY.id)
    desk.put("under-another")

    assert references(entries_in(desk.folder, keys())) == ["a", "b", "c"]


def test_a_disk_that_gives_nothing_back_makes_it_unavailable(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    desk.put("a")
    monkeypatch.setattr(Path, "glob", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))

    with pytest.raises(Unavailable, match="broken"):
        result(desk.journal.read_after(0, 1))


def test_a_number_that_the_store_has_beyond_ours_is_not_given_again(desk: Desk):
    desk.put("a")

    desk.journal.has_taken_up(50)

    assert desk.put("b") == [51]


def test_presses_that_wait_for_the_keys_are_read_when_those_are_there(desk: Desk):
    desk.put(*"abc")
    desk.journal.has_taken_up(1)
    desk.put("d")
    desk.ring = None

    desk.begin()

    assert desk.left == []
    assert (desk.journal.taken_up, desk.journal.unread_until) == (1, 4)
    assert not desk.stands(DAMAGED_ALARM)
    with pytest.raises(KeysUnavailable):
        result(desk.journal.read_after(1, 4))
    desk.ring = keys()
    assert desk.put("e") == [5]
    left = result(desk.journal.read_after(desk.journal.taken_up, desk.journal.unread_until))
    assert references(left) == list("bcd")


def test_under_keys_that_have_not_opened_the_store_nothing_is_promised_until_they_have(tmp_path: Path):
    desk = Desk(tmp_path / "journal")
    desk.are_proven = False

    assert "have not opened the store yet" in why(desk.append(press()))

    desk.are_proven = True
    assert len(desk.put("a")) == 1


def test_keys_that_once_opened_the_store_are_known_by_the_journal_while_it_is_away(desk: Desk):
    desk.put("a")
    desk.are_proven = False
    desk.begin()

    assert references(desk.left) == ["a"]
    assert len(desk.put("b")) == 1


def test_a_start_with_the_keys_of_another_store_passes_no_press_over(desk: Desk):
    """Their presses wait for the right ones; they are not damaged."""
    desk.put(*"ab")
    right, desk.ring = desk.ring, KeyRing({OTHER_KEY.id: OTHER_KEY}, OTHER_KEY.id)
    desk.are_proven = False

    desk.begin()

    assert (desk.left, desk.journal.unread_until) == ([], 2)
    assert not desk.stands(DAMAGED_ALARM)
    assert "have not opened the store yet" in why(desk.append(press()))
    desk.ring, desk.are_proven = right, True
    assert references(result(desk.journal.read_after(0, desk.journal.unread_until))) == list("ab")


def test_a_full_disk_that_has_no_room_for_the_proof_of_the_keys_costs_no_press(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("telephony.journal.files.write_whole", full)
    desk = Desk(tmp_path / "journal")

    assert len(desk.put("a")) == 1


def test_without_keys_and_without_presses_nothing_waits(desk: Desk):
    desk.ring = None

    desk.begin()

    assert (desk.left, desk.journal.unread_until) == ([], 0)


def test_presses_under_a_key_that_was_current_before_are_read(desk: Desk):
    desk.put("a")
    old = keys()
    desk.ring = KeyRing({**old.keys, OTHER_KEY.id: OTHER_KEY}, OTHER_KEY.id)
    desk.begin()
    desk.put("b")

    desk.begin()

    assert references(desk.left) == ["a", "b"]
    assert not desk.stands(DAMAGED_ALARM)


def test_presses_under_a_key_that_is_gone_are_kept_for_people_and_cost_no_other(desk: Desk):
    desk.ring = KeyRing({OTHER_KEY.id: OTHER_KEY}, OTHER_KEY.id)
    desk.put("under-another")
    desk.ring = keys()
    desk.put("a")

    desk.begin()

    assert references(desk.left) == ["a"]
    assert desk.stands(DAMAGED_ALARM)
    (alarm,) = desk.alarms.standing()
    assert alarm.facts == {"damaged_count": 1, "kept_in": str(desk.folder / "0000000001.segment")}
    desk.journal.has_taken_up(2)
    desk.clock.advance(KEPT_S)
    desk.journal.start()
    assert (desk.folder / "0000000001.damaged").exists()


def change(path: Path, octets: bytes) -> None:
    path.write_bytes(path.read_bytes()[:HEADER_OCTETS] + octets)


def test_presses_with_swapped_numbers_are_refused(desk: Desk):
    """Somebody who can write into the folder cannot let one press pass for another, nor bring an old one back."""
    desk.put(*"abc")
    (path,) = desk.folder.glob("*.segment")
    a, b, c = records_in(path.read_bytes()).records
    change(path, record_octets(a.number, b.sealed) + record_octets(b.number, a.sealed) + record_octets(*c))

    desk.begin()

    assert references(desk.left) == ["c"]
    assert desk.stands(DAMAGED_ALARM)


def test_presses_of_another_journal_are_refused(desk: Desk, tmp_path: Path):
    other = Desk(tmp_path / "other")
    other.put(*"xyz")
    (theirs,) = other.folder.glob("*.segment")
    desk.put(*"abc")
    (path,) = desk.folder.glob("*.segment")
    (a, _, _), (_, y, _) = (records_in(each.read_bytes()).records for each in (path, theirs))
    change(path, record_octets(*a) + record_octets(*y))

    desk.begin()

    assert references(desk.left) == ["a"]
    assert desk.stands(DAMAGED_ALARM)


def test_an_octet_changed_by_hand_with_its_checks_is_refused(desk: Desk):
    desk.put(*"ab")
    (path,) = desk.folder.glob("*.segment")
    a, b = records_in(path.read_bytes()).records
    change(path, record_octets(1, a.sealed[:-1] + bytes([a.sealed[-1] ^ 1])) + record_octets(*b))

    desk.begin()

    assert references(desk.left) == ["b"]


# -- what others may see ----------------------------------------------------------------------------------------------


def clear_forms(text: str) -> Iterator[bytes]:
    for encoding in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "unicode_escape"):
        octets = text.encode(encoding)
        yield octets
        yield octets.hex().encode()
        yield octets.hex().upper().encode()
        for shift in range(3):
            yield base64.b64encode(bytes(shift) + octets)[4:-4]
    swapped = "".join(b + a for a, b in zip(text[::2], text[1::2], strict=False))
    if text.isdecimal():
        yield bytes.fromhex(swapped)


def test_nothing_personal_stands_in_any_file_in_the_clear(desk: Desk):
    caller, said, door, raw = "821098765432", "help me 도와주세요", "0215771366", b"raw octets of it"
    for number in range(30):
        desk.append(
            press(
                reference=f"reference-of-it-{number}",
                msisdn=Msisdn(caller),
                text=said,
                destination=door,
                raw=raw,
            )
        )
    desk.begin()
    assert len(desk.left) == 30

    octets = desk.octets()

    for text in (
        caller,
        caller[2:],
        said,
        "도와주세요",
        door,
        raw.decode(),
        "reference-of-it",
        "sos-reference",
    ):
        for form in clear_forms(text):
            assert form not in octets, (text, form)


def test_the_length_of_what_is_sealed_says_little_of_what_was_written(desk: Desk):
    texts = ["", "SOS", "x" * 60]
    desk.append(*[press(text=text) for text in texts])
    plain = {len(octets_of(press(text=text), "sos")) for text in texts}
    (path,) = desk.folder.glob("*.segment")

    lengths = {len(record.sealed) for record in records_in(path.read_bytes()).records}

    assert len(plain) == 3
    assert len({length % 256 for length in lengths}) == 1
    assert len(lengths) < 3


# -- its life ---------------------------------------------------------------------------------------------------------


def test_the_next_file_is_made_beside_the_writing(desk: Desk):
    desk.maker.hold()
    for number in range(150):
        desk.put(f"{number}")
    assert desk.maker.held
    made = len(list(desk.folder.iterdir()))

    desk.maker.release()

    assert len(list(desk.folder.iterdir())) == made + 1


def test_what_the_store_has_is_removed_in_its_time(desk: Desk):
    desk.journal.start()
    numbers = [desk.put(f"{number}")[0] for number in range(200)]
    desk.journal.has_taken_up(numbers[-1])
    before = len(desk.octets())
    rounds = int(2 * KEPT_S / TIDIED_EVERY_S) + 2
    desk.clock.pump([TIDIED_EVERY_S] * rounds)

    assert len(desk.octets()) < before
    assert result(desk.journal.read_after(0, 1000)) == []
    desk.begin()
    assert desk.left == []
    assert desk.put("next") == [201]


def test_a_stop_notes_how_far_the_store_is(desk: Desk):
    desk.put(*"abc")
    desk.journal.has_taken_up(2)

    desk.journal.stop()

    desk.begin()
    assert references(desk.left) == ["c"]


def test_a_stop_does_not_wait_for_a_disk_that_hangs(desk: Desk):
    desk.disk.hold()
    desk.append(press())
    desk.clock.advance(0.5)
    ended: list[object] = []

    desk.journal.stop().addBoth(ended.append)

    assert ended == [None]
