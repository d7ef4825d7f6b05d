"""How far a journal is taken up: moved with the presses or not at all, and believed of nobody but us."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from telephony.domain.errors import Unavailable
from telephony.domain.trigger import Trigger
from telephony.store.crypto import Key, KeyRing, KeysUnavailable
from telephony.store.database import Database
from telephony.store.engines import one_transaction
from telephony.store.journal_position import (
    JournalPlace,
    JournalPosition,
    PositionMoved,
    move,
    position_of,
    put,
)
from telephony.store.presses import NewPress, PressRecorder, Recorded, Rules
from telephony.store.sealing import with_keys
from tests.awaiting import failure_of, result_of
from tests.doubles import NOON, ONE_CENTRE, Inline, database, keys, press
from tests.store.ledger import Ledger

OURS, THEIRS = b"o" * 16, b"t" * 16
HIGHEST = 2**63 - 1


class Shelf:
    """A store with the positions of journals, one transaction a verb."""

    def __init__(self, writing: Engine) -> None:
        self.writing = writing

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with self.writing.connect() as connection, one_transaction(connection):
            yield connection

    def move(self, *steps: tuple[int, int], journal: bytes = OURS) -> None:
        places = [JournalPlace(journal, *step) for step in steps]
        with self.transaction() as connection:
            move(connection, keys(), places)

    def put(self, number: int, journal: bytes = OURS) -> None:
        with self.transaction() as connection:
            put(connection, journal, number)

    def at(self, journal: bytes = OURS) -> JournalPosition | None:
        with self.transaction() as connection:
            return position_of(connection, journal)

    def rows(self) -> list[dict[str, Any]]:
        return Ledger(self.writing).rows("journal_position")

    def meddle(self, statement: str, **values: Any) -> None:
        with self.writing.begin() as connection:
            connection.execute(text(statement), values)


@pytest.fixture
def shelf(engines: tuple[Engine, Engine]) -> Shelf:
    return Shelf(engines[0])


def ours(number: int) -> JournalPosition:
    return JournalPosition(number, is_ours=True)


NOT_OURS = JournalPosition(0, is_ours=False)


# -- one row ------------------------------------------------------------------------------------------------------------


def test_a_store_that_has_none_of_a_journal_knows_no_position(shelf: Shelf):
    assert shelf.at() is None


def test_the_first_presses_of_a_journal_begin_its_row(shelf: Shelf):
    shelf.move((0, 3), (3, 4))

    assert shelf.at() == ours(4)


def test_a_position_moves_on_from_where_it_is_over_all_that_is_recorded(shelf: Shelf):
    shelf.move((0, 1))

    shelf.move((1, 2), (2, 5), (5, 2**40))
    shelf.move((2**40, HIGHEST))

    assert shelf.at() == ours(HIGHEST)
    assert len(shelf.rows()) == 1


@pytest.mark.parametrize("after", [0, 2, 4, 6, HIGHEST])
def test_a_position_moves_from_nowhere_else_and_nothing_is_changed(shelf: Shelf, after: int):
    shelf.move((0, 5))
    before = shelf.rows()

    with pytest.raises(PositionMoved):
        shelf.move((after, after + 1 if after < HIGHEST else HIGHEST))

    assert shelf.rows() == before


def test_a_journal_of_which_the_store_has_nothing_cannot_move_from_a_number(shelf: Shelf):
    """A fresh store: what was taken up before is not in it."""
    with pytest.raises(PositionMoved, match="number 7"):
        shelf.move((7, 8))

    assert shelf.rows() == []


def test_two_journals_do_not_disturb_each_other(shelf: Shelf):
    shelf.move((0, 3))
    shelf.move((0, 10), journal=THEIRS)
    shelf.move((3, 4))

    with pytest.raises(PositionMoved):
        shelf.move((4, 11), journal=THEIRS)

    assert (shelf.at(), shelf.at(THEIRS)) == (ours(4), ours(10))


def test_a_position_is_put_whatever_stood_there(shelf: Shelf):
    for number in (4, 9, 2, 0):
        shelf.put(number)

        assert shelf.at() == ours(number)
    shelf.move((0, 1))
    assert shelf.at() == ours(1)


# -- another hand -------------------------------------------------------------------------------------------------------


def test_a_number_that_another_hand_has_changed_is_not_ours(shelf: Shelf):
    shelf.move((0, 5))

    shelf.meddle("UPDATE journal_position SET number = 500")

    assert shelf.at() == NOT_OURS


def test_a_row_that_another_hand_has_written_is_not_ours(shelf: Shelf):
    shelf.meddle("INSERT INTO journal_position (journal, number) VALUES (:journal, 5)", journal=OURS)
    assert shelf.at() == NOT_OURS

    shelf.meddle("UPDATE journal_position SET bound = :code", code=keys().bind(b"journal_position 5"))
    assert shelf.at() == NOT_OURS


def test_a_row_moved_from_another_journal_is_not_ours(shelf: Shelf):
    shelf.move((0, 500), journal=THEIRS)

    shelf.meddle("UPDATE journal_position SET journal = :ours", ours=OURS)

    assert shelf.at() == NOT_OURS
    assert shelf.at(THEIRS) is None


def test_a_code_from_another_of_our_numbers_is_not_this_ones(shelf: Shelf):
    shelf.move((0, 5))
    (five,) = shelf.rows()
    shelf.move((5, 6))

    shelf.meddle("UPDATE journal_position SET bound = :code", code=five["bound"])

    assert shelf.at() == NOT_OURS


def test_what_is_no_number_is_not_ours(engines: tuple[Engine, Engine]):
    shelf = Shelf(engines[0])
    if engines[0].dialect.name != "sqlite":
        pytest.skip("PostgreSQL keeps to the type of a column")
    shelf.move((0, 5))
    for value in ("x", b"5", 5.5):
        shelf.meddle("UPDATE journal_position SET number = :value", value=value)
        assert shelf.at() == NOT_OURS


def test_what_was_not_ours_is_after_it_was_put_right(shelf: Shelf):
    shelf.meddle("INSERT INTO journal_position (journal, number) VALUES (:journal, 500)", journal=OURS)

    shelf.put(3)

    assert shelf.at() == ours(3)


def test_a_position_under_the_key_before_is_ours_and_moves_under_the_new_one(shelf: Shelf):
    shelf.move((0, 5))
    new = Key.make(NOON)
    ring = KeyRing({**keys().keys, new.id: new}, new.id)
    with_keys(shelf.writing, lambda: ring)
    assert shelf.at() == ours(5)

    with shelf.transaction() as connection:
        move(connection, ring, [JournalPlace(OURS, 5, 6)])

    with_keys(shelf.writing, lambda: KeyRing({new.id: new}, new.id))
    assert shelf.at() == ours(6)


def test_without_keys_nothing_is_said_of_it(shelf: Shelf):
    shelf.move((0, 5))

    def none() -> KeyRing:
        raise KeysUnavailable("gone")

    with_keys(shelf.writing, none)
    with pytest.raises(KeysUnavailable):
        shelf.at()


# -- with the presses ---------------------------------------------------------------------------------------------------


class Book:
    """Presses of a journal, recorded as the daemon records them."""

    def __init__(self, engines: tuple[Engine, Engine]) -> None:
        self.shelf = Shelf(engines[0])
        self.ledger = Ledger(engines[0])
        self.runner = Inline()
        self.database: Database = database(*engines, runner=self.runner)
        self.recorder = PressRecorder(Rules(ONE_CENTRE, "me", {}))

    def record(self, *presses: NewPress) -> Any:
        return self.database.batch(self.recorder, presses)


@pytest.fixture
def book(engines: tuple[Engine, Engine]) -> Iterator[Book]:
    book = Book(engines)
    yield book
    book.database.stop()


def new(number: int, after: int, trigger: Trigger | None = None, journal: bytes = OURS) -> NewPress:
    """The n-th press of a journal, by a caller of its own."""
    known = trigger or press(number=f"8210{number:08d}")
    return NewPress(known, f"sos-{number}", place=JournalPlace(journal, after, number))


def spoiled(number: int, after: int) -> NewPress:
    """A press that no store can record: a defect of ours made it so."""
    trigger = replace(press(number=f"8210{number:08d}"), received_at="never")  # type: ignore[arg-type]
    return new(number, after, trigger)


def incidents(book: Book) -> list[str]:
    return sorted(row["id"] for row in book.ledger.rows("incident"))


def test_presses_and_position_are_one_transaction(book: Book):
    recorded: Sequence[Recorded] = result_of(book.record(new(1, 0), new(2, 1), new(5, 2)))

    assert [each.receipt.incident_id for each in recorded] == ["sos-1", "sos-2", "sos-5"]
    assert book.shelf.at() == ours(5)


def test_presses_from_a_place_where_the_store_is_not_are_not_recorded(book: Book):
    result_of(book.record(new(1, 0), new(2, 1)))

    failure = failure_of(book.record(new(2, 1)))

    assert isinstance(failure, PositionMoved)
    assert isinstance(failure, Unavailable)
    assert (book.shelf.at(), incidents(book)) == (ours(2), ["sos-1", "sos-2"])
    result_of(book.record(new(3, 2)))
    assert book.shelf.at() == ours(3)


def test_what_is_rolled_back_takes_the_position_with_it(book: Book):
    result_of(book.record(new(1, 0)))

    def records_and_fails(connection: Connection, items: Sequence[NewPress]) -> list[Recorded]:
        book.recorder(connection, items)
        assert position_of(connection, OURS) == ours(2)
        raise ValueError("a defect behind it")

    assert isinstance(failure_of(book.database.batch(records_and_fails, [new(2, 1)])), ValueError)

    assert (book.shelf.at(), incidents(book)) == (ours(1), ["sos-1"])


def test_a_commit_that_fails_takes_both_with_it(book: Book):
    def records_and_breaks_it() -> None:
        with book.shelf.transaction() as connection:
            book.recorder(connection, [new(1, 0)])
            connection.execute(text("SELECT * FROM no_such_table"))

    with pytest.raises(SQLAlchemyError):
        records_and_breaks_it()

    assert (book.shelf.at(), incidents(book)) == (None, [])


@pytest.mark.parametrize("poison", [1, 2, 3])
def test_a_press_that_cannot_be_recorded_leaves_those_behind_it_for_later(book: Book, poison: int):
    presses = [new(number, number - 1) for number in (1, 2, 3)]
    presses[poison - 1] = spoiled(poison, poison - 1)

    results = result_of(book.record(*presses))

    kinds = [type(each) for each in results]
    culprit = kinds[poison - 1]
    assert kinds[: poison - 1] == [Recorded] * (poison - 1)
    assert not issubclass(culprit, Recorded | Unavailable)
    assert kinds[poison:] == [PositionMoved] * (3 - poison)
    assert incidents(book) == [f"sos-{number}" for number in range(1, poison)]
    assert book.shelf.at() == (ours(poison - 1) if poison > 1 else None)


def test_those_behind_it_are_recorded_once_it_was_passed_over(book: Book):
    result_of(book.record(new(1, 0), spoiled(2, 1), new(3, 2)))

    result_of(book.database.transact(put, OURS, 2))
    result_of(book.record(new(3, 2)))

    assert (book.shelf.at(), incidents(book)) == (ours(3), ["sos-1", "sos-3"])


def test_presses_past_the_journal_and_of_it_share_a_transaction(book: Book):
    book.runner.hold()
    first = book.record(new(1, 0))
    beside = book.record(NewPress(press(number="821011112222"), "sos-beside"))
    behind = book.record(new(2, 1))

    while book.runner.held:
        book.runner.release_one()

    for each in (first, beside, behind):
        assert isinstance(result_of(each)[0], Recorded)
    assert (book.shelf.at(), incidents(book)) == (ours(2), ["sos-1", "sos-2", "sos-beside"])


def test_a_press_past_the_journal_moves_nothing(book: Book):
    result_of(book.record(NewPress(press(), "sos-1")))

    assert book.shelf.rows() == []


def test_a_journal_taken_up_again_after_a_commit_that_nobody_heard_of_records_nothing_twice(book: Book):
    """The daemon asks for the position and goes on behind it; had it not asked, the store would refuse."""
    result_of(book.record(new(1, 0), new(2, 1)))

    assert isinstance(failure_of(book.record(new(1, 0), new(2, 1), new(3, 2))), PositionMoved)

    position = book.shelf.at()
    assert position is not None
    result_of(book.record(new(3, position.number)))
    assert [row["press_count"] for row in book.ledger.rows("incident")] == [1, 1, 1]
