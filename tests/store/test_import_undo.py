"""What is kept to undo an import: of each row, on both databases, sealed, for a week, and not beyond the person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from telephony.domain.people.person import Refusal
from telephony.store.awaited import awaited_from
from telephony.store.bulk import execute
from telephony.store.import_undo import KEPT_FOR, PAGE, Row, Undone, forget, note, undo_page, undoable
from telephony.store.people import Registry, row_of
from tests.doubles import keys
from tests.store.people_drafts import NOW, Office, number, pupil

LATER = NOW + timedelta(hours=1)


class School(Office):
    """An office that keeps what its imports change."""

    def __init__(self, writing, folder) -> None:
        super().__init__(writing, folder)
        self.registry = Registry(keys)

    def imports(self, name, *drafts, now=NOW) -> None:
        def work(connection):
            enrolled = self.registry.enrolled(connection, drafts, now)
            return note(connection, name, enumerate(enrolled, 2), now)

        self.kept = self.run(work)

    def undo(self, name, now=LATER) -> list[Row]:
        rows, after = [], 0
        while (page := self.run(undo_page, self.registry, name, after, now)) is not None:
            done, after = page
            rows += done
        return rows

    def change(self, wanted, how) -> None:
        self.run(self.registry.change, wanted, how, NOW)

    def names(self, now=LATER) -> list[tuple[str, int]]:
        return [(each.name, each.rows) for each in self.run(undoable, now)]


@pytest.fixture
def school(engines, tmp_path):
    return School(engines[0], tmp_path)


def test_each_row_is_undone_by_what_it_had_done(school):
    school.imports("a", pupil(1), pupil(2))
    school.imports("b", pupil(2, texts={"address": "부산"}), pupil(3), pupil(1))
    assert (school.kept, school.names()) == (2, [("a", 2), ("b", 2)])
    before = school.find(number(1))

    assert school.undo("b") == [Row(2, Undone.BROUGHT_BACK), Row(3, Undone.DELETED)]

    assert school.names() == [("a", 2)]
    assert school.find(number(3)) is None
    assert school.find(number(1)) == before
    assert "부산" not in school.find(number(2)).texts.values()


def test_what_any_other_hand_changed_since_stays(school):
    school.imports("a", pupil(1))
    refusal = Refusal("0001", "SMS", NOW)
    school.change(number(1), lambda person: replace(person, refused=(refusal,)))

    assert school.undo("a") == [Row(2, Undone.KEPT)]
    assert school.find(number(1)).refused


def test_more_rows_than_one_transaction_has_are_undone_in_their_order(school):
    school.imports("a", *[pupil(n) for n in range(PAGE + 3)])

    undone = school.undo("a")

    assert [row.line for row in undone] == list(range(2, PAGE + 5))
    assert school.names() == []


def test_nothing_of_it_is_awaited_from_a_phone_or_outlives_the_person(school):
    school.imports("a", pupil(1), pupil(2))
    key = school.run(school.registry.found, number(1)).key
    assert school.run(lambda connection: awaited_from(connection, row_of(key), now=NOW)) == []

    school.run(school.registry.delete, number(1))

    assert school.names() == [("a", 1)]


def test_an_import_is_forgotten_alone_and_after_its_week(school):
    school.imports("a", pupil(1))
    school.imports("b", pupil(2), now=NOW + timedelta(days=1))
    assert school.names(NOW + KEPT_FOR) == [("b", 1)]
    assert school.undo("a", NOW + KEPT_FOR) == []

    school.run(forget, "b")
    assert school.names() == [("a", 1)]


def test_it_is_sealed(school):
    school.imports("a", pupil(1))
    name = school.find(number(1)).name

    def sealed(connection):
        return [bytes(row[0]) for row in execute(connection, "SELECT sealed FROM awaited_reply").fetchall()]

    (octets,) = school.run(sealed)
    assert name.encode() not in octets
