"""The files of the journal: what is acknowledged stays readable, whatever fails, and no number is given twice."""

from __future__ import annotations

import errno
import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telephony.journal import segments
from telephony.journal.bounds import Bounds
from telephony.journal.files import KEPT_S, JournalFiles
from telephony.journal.records import (
    HEADER_OCTETS,
    LARGEST_SEALED,
    RECORD_OVERHEAD,
    SLOT_AT,
    Record,
    header_octets,
    record_octets,
    slot_octets,
)
from telephony.journal.segments import DAMAGED, SUFFIX, Segment, make, path_of, read_all

SMALL = Bounds(largest_octets=8 * 4096, segment_octets=4096)
PRESS = b"x" * (500 - RECORD_OVERHEAD)
"""Seven of them fit into a small segment."""
EMPTY_SLOT = bytes(len(slot_octets(0)))


class Shelf:
    """The files of a folder, as one process after the other uses them."""

    def __init__(self, folder: Path, bounds: Bounds = SMALL) -> None:
        self.folder = folder
        self.bounds = bounds
        self.now = 0.0
        self.files = JournalFiles(folder, bounds)
        self.found: list[Record] = []

    def open(self) -> Shelf:
        """Begin a life, as after a kill of the one before."""
        self.files = JournalFiles(self.folder, self.bounds)
        self.found = self.files.open(self.now)
        self.files.begin(self.now)
        return self

    def put(self, *numbers: int, sealed: bytes = PRESS) -> None:
        octets = b"".join(record_octets(number, sealed) for number in numbers)
        self.files.append(octets, numbers[-1], self.now)

    def fill(self, count: int) -> list[int]:
        """Append so many presses, one after the other, under the numbers that come next."""
        numbers = [self.files.last + n for n in range(1, count + 1)]
        for number in numbers:
            self.put(number)
        return numbers

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def standing(self) -> list[int]:
        return [record.number for record in self.files.records_between(0, 2**63)]

    def names(self, suffix: str = SUFFIX) -> list[str]:
        return sorted(path.name for path in self.folder.glob(f"*{suffix}"))

    def newest(self) -> Path:
        return max(self.folder.glob(f"*{SUFFIX}"))

    def overwrite(self, path: Path, octets: bytes, at: int) -> None:
        with path.open("r+b") as file:
            file.seek(at)
            file.write(octets)


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "state" / "journal").open()
    yield shelf
    shelf.files.close()


def fail_once(monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> None:
    """Let the next such call to the kernel fail."""
    module: Any = segments if name == "pwrite" else os
    real, calls = getattr(module, name), itertools.count()

    def call(*arguments, **options):
        if next(calls) == 0:
            raise OSError(number, os.strerror(number))
        return real(*arguments, **options)

    monkeypatch.setattr(module, name, call)


# -- one segment ------------------------------------------------------------------------------------------------------


def test_a_segment_is_made_full_of_zeros_behind_its_header(tmp_path: Path):
    make(path_of(tmp_path, 3), bytes(16), 9, 3 << 20).close()

    octets = (tmp_path / f"0000000003{SUFFIX}").read_bytes()
    assert octets == header_octets(bytes(16), 9).ljust(3 << 20, b"\0")
    assert (tmp_path / f"0000000003{SUFFIX}").stat().st_blocks * 512 >= 3 << 20
    assert [path.name for path in tmp_path.iterdir()] == [f"0000000003{SUFFIX}"]


def test_a_segment_that_is_there_is_never_overwritten(tmp_path: Path):
    path = path_of(tmp_path, 1)
    path.write_bytes(b"presses")

    with pytest.raises(FileExistsError):
        make(path, bytes(16), 0, 4096)

    assert path.read_bytes() == b"presses"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_in_the_place_of_a_half_made_segment_is_not_followed(tmp_path: Path):
    aim = tmp_path / "aim"
    aim.write_bytes(b"another's")
    path_of(tmp_path, 1).with_suffix(".half").symlink_to(aim)

    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        make(path_of(tmp_path, 1), bytes(16), 0, 4096)

    assert aim.read_bytes() == b"another's"


def test_what_the_kernel_takes_in_pieces_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = os.pwrite
    monkeypatch.setattr(segments, "pwrite", lambda file, octets, at: real(file, octets[:7], at))
    segment = make(path_of(tmp_path, 1), bytes(16), 0, 4096)

    segment.append(record_octets(5, PRESS), 5)

    segment.close()
    (old,) = read_all(tmp_path)
    assert old.found.records == [Record(5, PRESS)]


def test_a_disk_that_takes_nothing_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    segment = make(path_of(tmp_path, 1), bytes(16), 0, 4096)
    monkeypatch.setattr(segments, "pwrite", lambda *_: 0)

    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        segment.append(record_octets(1, b""), 1)
    segment.close()


def test_each_append_is_synced_before_it_returns(shelf: Shelf, monkeypatch: pytest.MonkeyPatch):
    done: list[str] = []
    for module, name in ((segments, "pwrite"), (os, "fdatasync")):
        real = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *arguments, real=real, name=name: (done.append(name), real(*arguments))[1]
        )

    shelf.put(1, 2, 3)

    assert done == ["pwrite", "fdatasync"]


# -- one after the other ----------------------------------------------------------------------------------------------


def test_presses_are_read_by_the_next_life_in_their_order(shelf: Shelf):
    numbers = shelf.fill(20)

    shelf.open()

    assert [record.number for record in shelf.found] == numbers
    assert shelf.files.last == 20
    assert len(shelf.names()) == 4  # seven each, and the next life's


def test_a_full_segment_is_followed_by_the_spare(shelf: Shelf):
    shelf.fill(3)
    assert not shelf.files.wants_a_spare
    shelf.fill(2)
    assert shelf.files.wants_a_spare

    shelf.files.make_spare()

    assert not shelf.files.wants_a_spare
    assert len(shelf.names()) == 2
    shelf.fill(3)
    assert len(shelf.names()) == 2
    shelf.files.make_spare()
    assert shelf.standing() == list(range(1, 9))


def test_a_spare_is_not_wanted_where_there_is_no_room_for_it(tmp_path: Path):
    shelf = Shelf(tmp_path / "journal", Bounds(largest_octets=4096, segment_octets=4096)).open()
    shelf.fill(6)

    assert not shelf.files.wants_a_spare


def test_presses_that_no_segment_holds_get_one_of_their_own(shelf: Shelf):
    shelf.put(1)
    shelf.files.make_spare()

    shelf.put(2, 3, sealed=b"y" * 4000)
    shelf.put(4)

    assert shelf.open().found == [
        Record(1, PRESS), Record(2, b"y" * 4000), Record(3, b"y" * 4000), Record(4, PRESS),
    ]  # fmt: skip


def test_the_largest_press_fits_into_a_journal_of_its_shipped_size(tmp_path: Path):
    shelf = Shelf(tmp_path / "journal", Bounds()).open()

    shelf.put(1, sealed=bytes(LARGEST_SEALED))

    assert shelf.open().found == [Record(1, bytes(LARGEST_SEALED))]


def test_a_journal_that_is_full_takes_nothing_until_the_store_has_something(shelf: Shelf):
    with pytest.raises(OSError, match=r"journal\.largest_mib") as raised:
        shelf.fill(1000)
    assert raised.value.errno == errno.ENOSPC
    assert sum(path.stat().st_size for path in shelf.folder.iterdir()) <= SMALL.largest_octets
    standing = shelf.standing()
    assert standing == list(range(1, 57))

    shelf.files.note_taken_up(16)
    shelf.fill(8)

    assert shelf.standing() == list(range(15, 65))
    with pytest.raises(OSError, match=r"journal\.largest_mib"):
        shelf.fill(9)


def test_a_full_disk_is_cleared_of_what_the_store_has(shelf: Shelf, monkeypatch: pytest.MonkeyPatch):
    shelf.fill(21)
    shelf.files.note_taken_up(8)
    fail_once(monkeypatch, "pwrite", errno.ENOSPC)

    shelf.put(22)

    assert shelf.standing() == list(range(8, 23))


# -- what fails ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["fdatasync", "pwrite"])
def test_nothing_more_goes_into_a_file_that_could_not_be_written(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, call: str
):
    shelf.fill(2)
    first = shelf.newest()
    fail_once(monkeypatch, call, errno.EIO)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        shelf.put(3)
    left = first.read_bytes()

    shelf.put(4)
    shelf.files.note_taken_up(1)

    assert first.read_bytes() == left
    assert shelf.newest() != first
    assert [number for number in shelf.standing() if number != 3] == [1, 2, 4]
    assert {1, 2, 4} <= {record.number for record in shelf.open().found}


def test_a_segment_that_cannot_be_made_costs_the_press_and_not_the_next(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
):
    shelf.fill(7)
    fail_once(monkeypatch, "fsync", errno.EIO)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        shelf.put(8)

    shelf.put(9)

    assert shelf.standing() == [*range(1, 8), 9]
    assert shelf.names(".half") == []


def test_what_was_half_made_when_a_process_died_is_not_read_and_goes(shelf: Shelf):
    shelf.fill(1)
    half = shelf.folder / "0000000009.half"
    half.write_bytes(header_octets(shelf.files.id, 100) + record_octets(50, PRESS))

    shelf.open()

    assert not half.exists()
    assert [record.number for record in shelf.found] == [1]
    assert shelf.files.taken_up == 0


def test_a_second_name_of_a_segment_that_a_death_has_left_goes_and_the_segment_stays(shelf: Shelf):
    shelf.fill(3)
    os.link(shelf.newest(), shelf.newest().with_suffix(".half"))

    shelf.open()

    assert [record.number for record in shelf.found] == [1, 2, 3]
    assert shelf.names(".half") == []


def test_a_foreign_file_among_the_segments_is_kept_and_named(shelf: Shelf):
    shelf.fill(1)
    foreign = shelf.folder / f"notes{SUFFIX}"
    foreign.write_bytes(b"not ours")
    (shelf.folder / f"folder{SUFFIX}").mkdir()

    shelf.open()

    assert shelf.files.damaged == [foreign]
    assert [record.number for record in shelf.found] == [1]
    shelf.files.note_taken_up(shelf.files.last)
    shelf.wait(KEPT_S)
    shelf.files.tidy(shelf.now)
    assert foreign.with_suffix(DAMAGED).read_bytes() == b"not ours"
    assert not foreign.exists()


def test_another_journals_segment_is_kept_and_neither_read_nor_believed(shelf: Shelf):
    shelf.fill(3)
    shelf.open()
    ours = shelf.files.id
    another = shelf.folder / f"0000000099{SUFFIX}"
    another.write_bytes(header_octets(b"another" + bytes(9), 2) + record_octets(2, b"theirs"))

    shelf.open()

    assert shelf.files.id == ours
    assert [(record.number, record.sealed) for record in shelf.found] == [(n, PRESS) for n in (1, 2, 3)]
    assert shelf.files.taken_up == 0
    assert shelf.files.damaged == [another]


def test_a_bad_block_costs_the_presses_in_it_alone(shelf: Shelf, monkeypatch: pytest.MonkeyPatch):
    bounds = Bounds(largest_octets=1 << 20, segment_octets=64 << 10)
    shelf = Shelf(shelf.folder, bounds).open()
    numbers = shelf.fill(100)
    real = os.pread

    def read(file: int, size: int, at: int) -> bytes:
        if at <= 8192 < at + size and os.fstat(file).st_size == 64 << 10:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(file, size, at)

    monkeypatch.setattr(os, "pread", read)

    shelf.open()

    lost = set(numbers) - {record.number for record in shelf.found}
    assert lost == {number for number in numbers if 8192 - 512 - 500 < (number - 1) * 500 < 8192 + 4096 - 512}
    assert len(shelf.files.damaged) == 1


def test_a_journal_that_could_not_be_read_at_the_start_takes_nothing(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
):
    """It would give numbers that earlier lives have given, and the store would pass over those presses."""
    shelf.fill(2)
    files = JournalFiles(shelf.folder, SMALL)
    fail_once(monkeypatch, "pread", errno.EACCES)
    with pytest.raises(PermissionError):
        files.open(0.0)

    for use in (lambda: files.append(record_octets(1, b""), 1, 0.0), lambda: files.begin(0.0)):
        with pytest.raises(OSError, match="restart"):
            use()

    assert [record.number for record in shelf.open().found] == [1, 2]


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC])
def test_a_disk_that_takes_nothing_still_gives_back_presses(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, number: int
):
    shelf.fill(2)
    (shelf.folder / "0000000009.half").write_bytes(b"")
    real = os.open

    def refuse(path, flags, *rest, **options):
        if flags & (os.O_CREAT | os.O_RDWR):
            raise OSError(number, os.strerror(number))
        return real(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", refuse)
    fail_once(monkeypatch, "unlink", number)
    files = JournalFiles(shelf.folder, SMALL)

    assert [record.number for record in files.open(0.0)] == [1, 2]


def opens_in_another_process(folder: Path) -> bool:
    pid = os.fork()
    if pid == 0:
        try:
            JournalFiles(folder, SMALL).open(0.0)
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    assert os.WEXITSTATUS(status) in (0, errno.EBUSY)
    return os.WEXITSTATUS(status) == 0


def test_two_processes_never_write_one_journal(shelf: Shelf):
    """They would give the same numbers, and the store would pass over one's presses for the other's."""
    assert not opens_in_another_process(shelf.folder)

    shelf.files.close()

    assert opens_in_another_process(shelf.folder)


def test_a_folder_that_could_not_be_made_is_made_when_the_disk_is_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    files = JournalFiles(tmp_path / "journal", SMALL)
    fail_once(monkeypatch, "mkdir", errno.EROFS)
    with pytest.raises(OSError, match=os.strerror(errno.EROFS)):
        files.open(0.0)

    files.append(record_octets(1, PRESS), 1, 0.0)

    assert [record.number for record in files.records_between(0, 9)] == [1]
    files.close()


def test_folder_and_files_are_this_accounts_alone(shelf: Shelf):
    shelf.fill(9)
    shelf.files.make_spare()

    assert stat.S_IMODE(shelf.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in shelf.folder.iterdir()} == {0o600}


# -- what goes ------------------------------------------------------------------------------------------------------------


def test_what_the_store_has_stays_for_a_while_and_then_goes(shelf: Shelf):
    shelf.fill(20)
    shelf.files.note_taken_up(12)
    shelf.wait(KEPT_S - 1)
    shelf.files.tidy(shelf.now)
    assert len(shelf.names()) == 3

    shelf.wait(1)
    shelf.files.tidy(shelf.now)

    assert shelf.standing() == list(range(8, 21))


def test_what_the_store_has_not_stays_for_ever(shelf: Shelf):
    shelf.fill(20)
    for _ in range(5):
        shelf.wait(10 * KEPT_S)
        shelf.files.tidy(shelf.now)

    assert shelf.standing() == list(range(1, 21))


def test_the_segment_in_use_is_turned_over_when_all_in_it_is_old(shelf: Shelf):
    shelf.fill(2)
    shelf.files.note_taken_up(2)
    for _ in range(2):
        shelf.wait(KEPT_S)
        shelf.files.tidy(shelf.now)

    assert shelf.standing() == []
    assert len(shelf.names()) == 1


def test_an_empty_journal_that_nobody_presses_in_stays_as_it_is(shelf: Shelf):
    for _ in range(5):
        shelf.wait(KEPT_S)
        shelf.files.tidy(shelf.now)

    assert shelf.names() == [f"0000000001{SUFFIX}"]


@pytest.mark.parametrize("slot", ["sound", "zeroed", "torn"])
@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("has_spare", [False, True], ids=["no-spare", "spare"])
def test_no_number_is_given_twice_after_the_segments_that_had_it_are_gone(
    shelf: Shelf, slot: str, turns: int, *, has_spare: bool
):
    """Or another journal begins, of which the store has no number."""
    before = shelf.files.id
    shelf.fill(20)
    if has_spare:
        shelf.files.make_spare()
    shelf.files.note_taken_up(20)
    for _ in range(turns):
        shelf.wait(KEPT_S)
        shelf.files.tidy(shelf.now)
    if slot != "sound":
        shelf.overwrite(shelf.newest(), EMPTY_SLOT if slot == "zeroed" else b"\xff" * 5, SLOT_AT)

    shelf.open()

    assert shelf.files.last >= 20 or shelf.files.id != before
    if slot == "sound":
        assert (shelf.files.last, shelf.files.taken_up, shelf.files.id) == (20, 20, before)


@pytest.mark.parametrize("damage", ["cut", "changed", "header", "slot"])
def test_a_number_that_can_no_longer_be_read_is_not_given_again(shelf: Shelf, damage: str):
    """The store may have it: the press that got it would be passed over."""
    shelf.fill(12)
    path, end = shelf.newest(), HEADER_OCTETS + 5 * 500
    if damage == "cut":
        os.truncate(path, end - 100)
    elif damage == "changed":
        shelf.overwrite(path, b"\0", end - 100)
    elif damage == "header":
        shelf.overwrite(path, bytes(HEADER_OCTETS), 0)
    else:
        shelf.overwrite(path, EMPTY_SLOT, SLOT_AT)
    before = shelf.files.id

    shelf.open()

    assert shelf.files.id == before
    assert shelf.files.last >= 12
    numbers = [record.number for record in shelf.found]
    assert numbers == list(range(1, 12 if damage in ("cut", "changed") else 13))


def test_a_journal_of_which_nothing_says_what_it_had_begins_as_another(shelf: Shelf):
    before = shelf.files.id
    shelf.overwrite(shelf.newest(), bytes(HEADER_OCTETS), 0)

    shelf.open()

    assert shelf.files.id != before


def test_the_highest_number_is_on_the_disk_before_the_segment_that_has_it_goes(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
):
    shelf.fill(20)
    shelf.files.note_taken_up(20)
    shelf.wait(KEPT_S)
    done: list[str] = []
    for name in ("fdatasync", "unlink"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *arguments, real=real, name=name: (done.append(name), real(*arguments))[1]
        )

    shelf.files.tidy(shelf.now)

    assert done[done.index("fdatasync") :] == ["fdatasync", "unlink", "unlink"]


def died_at(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, moment: int) -> bool:
    """Let everything from the n-th unlink or rename on be as if the process were dead; return whether it got so far."""
    calls = itertools.count(1)
    with monkeypatch.context() as patched:
        for name in ("unlink", "rename", "replace", "open"):
            real = getattr(os, name)

            def call(*arguments, real=real, name=name, **options):
                is_change = name != "open" or arguments[1] & os.O_CREAT
                if is_change and next(calls) >= moment:
                    raise KeyboardInterrupt
                return real(*arguments, **options)

            patched.setattr(os, name, call)
        try:
            shelf.put(shelf.files.last + 1, sealed=b"y" * 3700)  # more than a spare holds
        except KeyboardInterrupt:
            return True
    return False


@pytest.mark.parametrize("has_damage", [False, True], ids=["well", "damaged"])
@pytest.mark.parametrize("has_spare", [False, True], ids=["no-spare", "spare"])
def test_a_death_while_room_is_made_lets_no_number_be_given_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_spare: bool, has_damage: bool
):
    for moment in range(1, 20):
        shelf = Shelf(tmp_path / str(moment)).open()
        shelf.fill(1)
        for _ in range(2):  # lives that left an empty segment, with an old number in its slot
            shelf.open()
        shelf.put(shelf.files.last + 1)
        if has_damage:
            shelf.files.set_damaged({1})
        shelf.bounds = shelf.files._bounds = Bounds(largest_octets=5 * 4096, segment_octets=4096)
        before, highest = shelf.files.id, 0
        room = (2 if has_spare else 1) * 4096
        while shelf.files.size + room <= 5 * 4096 or shelf.files._current.has_room(500):
            (highest,) = shelf.fill(1)
        if has_spare:
            shelf.files.make_spare()
        shelf.files.note_taken_up(highest)

        is_dead = died_at(shelf, monkeypatch, moment)

        shelf.open()
        assert shelf.files.id != before or shelf.files.last >= highest, moment
        if not is_dead:
            return
    pytest.fail("never came to its end")


def test_a_segment_with_presses_that_cannot_be_read_ends_under_another_name(shelf: Shelf):
    shelf.fill(20)
    damaged = shelf.folder / shelf.names()[1]

    assert shelf.files.set_damaged({10, 11}) == [damaged]

    shelf.files.note_taken_up(20)
    shelf.wait(KEPT_S)
    shelf.files.tidy(shelf.now)
    assert shelf.names(DAMAGED) == [damaged.with_suffix(DAMAGED).name]
    assert record_octets(10, PRESS) in damaged.with_suffix(DAMAGED).read_bytes()


def test_so_does_the_one_in_use(shelf: Shelf):
    shelf.fill(2)
    name = shelf.newest().with_suffix(DAMAGED).name
    shelf.files.set_damaged({2})

    shelf.files.note_taken_up(2)
    for _ in range(2):
        shelf.wait(KEPT_S)
        shelf.files.tidy(shelf.now)

    assert shelf.names(DAMAGED) == [name]


def test_so_does_one_that_must_make_room(shelf: Shelf):
    shelf.fill(56)
    name = Path(shelf.names()[0]).with_suffix(DAMAGED).name
    shelf.files.set_damaged({1})
    shelf.files.note_taken_up(7)

    shelf.fill(7)

    assert shelf.names(DAMAGED) == [name]


def test_a_damaged_segment_keeps_its_number_for_itself(shelf: Shelf):
    """So that the next damaged one does not take its name."""
    shelf.fill(1)
    shelf.newest().rename(shelf.folder / f"0000000041{DAMAGED}")

    shelf.open()

    assert shelf.names() == [f"0000000042{SUFFIX}"]


def test_a_segment_damaged_before_sound_presses_is_named(shelf: Shelf):
    shelf.fill(4)
    path = shelf.newest()
    shelf.overwrite(path, b"\xff", HEADER_OCTETS + 600)

    shelf.open()

    assert shelf.files.damaged == [path]
    assert [record.number for record in shelf.found] == [1, 3, 4]


def test_what_the_last_life_was_writing_when_it_was_cut_off_is_no_damage(shelf: Shelf):
    shelf.fill(2)
    shelf.overwrite(shelf.newest(), record_octets(3, PRESS)[:-1], HEADER_OCTETS + 1000)

    shelf.open()

    assert shelf.files.damaged == []
    assert [record.number for record in shelf.found] == [1, 2]


def test_how_far_the_store_is_comes_back_with_the_highest_number(shelf: Shelf):
    shelf.fill(12)
    shelf.files.note_taken_up(5)
    shelf.open()
    shelf.files.note_taken_up(7)

    shelf.open()

    assert (shelf.files.taken_up, shelf.files.last) == (7, 12)


def test_files_are_closed_and_stay(shelf: Shelf):
    shelf.fill(1)
    shelf.files.make_spare()
    open_ones: list[Segment] = [shelf.files._current, shelf.files._spare]

    shelf.files.close()

    assert len(shelf.names()) == 2
    for each in open_ones:
        with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
            os.fstat(each._descriptor)


# -- the folder ------------------------------------------------------------------------------------------------------


def test_many_starts_with_the_store_away_leave_room_for_presses(shelf: Shelf):
    numbers = []
    for _ in range(20):
        shelf.open()
        numbers += shelf.fill(1)

    assert [record.number for record in shelf.open().found] == numbers
    assert shelf.files.size <= SMALL.largest_octets


def test_what_is_not_where_the_next_start_looks_is_not_acknowledged(shelf: Shelf):
    shelf.open().fill(1)
    moved = shelf.folder.rename(shelf.folder.with_name("moved"))
    with pytest.raises(OSError, match="No such file"):
        shelf.fill(1)
    shelf.folder.mkdir()
    with pytest.raises(OSError, match="was moved or removed: bring it back"):
        shelf.fill(1)

    shelf.folder.rmdir()
    moved.rename(shelf.folder)
    shelf.fill(1)

    assert [record.number for record in shelf.open().found][-1] == shelf.files.last


def test_another_file_under_the_name_of_a_segment_is_not_taken_for_it(shelf: Shelf):
    shelf.open().fill(1)
    path = shelf.newest()
    octets = path.read_bytes()
    path.unlink()
    path.write_bytes(octets)

    with pytest.raises(OSError, match="is another file now"):
        shelf.fill(1)


def test_a_fresh_folder_is_gone_on_in_once_the_store_is_there_again_and_numbers_go_on(shelf: Shelf):
    shelf.open().fill(3)
    shelf.folder.rename(shelf.folder.with_name("gone"))
    shelf.files.adopt(0.0)

    numbers = shelf.fill(1)

    assert numbers == [4]
    assert [record.number for record in shelf.open().found] == numbers


def test_a_folder_with_another_journal_in_it_is_left_to_a_restart(shelf: Shelf):
    shelf.open().fill(3)
    shelf.folder.rename(shelf.folder.with_name("gone"))
    Shelf(shelf.folder).open().fill(1)

    with pytest.raises(OSError, match="restart to take it up"):
        shelf.files.adopt(0.0)
