"""The registry finds people by number, keeps nothing in plain, and forgets without a trace."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from telephony.domain.guardians.standing import AgeGroup, Relation, Standing
from telephony.domain.people.consent_items import ConsentItem
from telephony.domain.people.person import Device, GuardianEntry, Refusal, merged
from telephony.domain.people.problems import Fault
from telephony.domain.values import Msisdn
from telephony.store.bulk import execute_many
from telephony.store.crypto import Damaged, KeyFile, KeysUnavailable
from telephony.store.engines import open_engines
from telephony.store.people import GUARDIAN, NUMBER, Outcome, Registry, count, count_by_key
from telephony.store.people_erasing import fold_back, forget_rows
from telephony.store.person_record import from_octets, to_octets
from telephony.store.schema import metadata
from tests.doubles import as_most_builds_of_sqlite, keys, without_fsync
from tests.store.people_drafts import NOW, Office, number, pupil

INSERT = "INSERT INTO person_number (hash, person_key) VALUES (?, ?)"


@pytest.fixture
def office(engines: tuple[Engine, Engine], tmp_path: Path) -> Office:
    return Office(engines[0], tmp_path)


@pytest.fixture
def file_office(tmp_path: Path) -> Office:
    """On SQLite, whose file is searched."""
    writing, _ = open_engines(f"sqlite:///{tmp_path}/store.sqlite", keys)
    without_fsync(writing)
    metadata.create_all(writing)
    office = Office(writing, tmp_path)
    yield office
    writing.dispose()


def octets_on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("store.sqlite*"))


def test_a_person_is_found_by_every_number_and_by_no_other(office):
    terminal = Device(Msisdn("821055550000"), "kt", "u-relief")
    draft = pupil(1, devices=(*pupil(1).devices, terminal))

    assert office.enrol([draft, pupil(2)]) == [Outcome.ADDED, Outcome.ADDED]

    found = office.find(number(1))
    assert (found.name, found.devices, found.texts["medical"]) == ("김하늘1", draft.devices, "천식")
    assert office.find(terminal.number) == found
    assert office.find(number(3)) is None


def test_the_consent_of_a_minor_ends_with_coming_of_age(office):
    office.enrol([pupil()])

    found = office.find(number())

    assert found.consent.is_by_guardian
    assert found.has_consented(date(2034, 3, 1))
    assert not found.has_consented(date(2034, 3, 2))


def test_the_same_enrolment_again_changes_nothing(office):
    office.enrol([pupil()])
    before = office.run(lambda connection: connection.exec_driver_sql("SELECT sealed FROM person").all())

    assert office.enrol([pupil()], NOW + timedelta(days=1)) == [Outcome.UNCHANGED]

    assert (
        office.run(lambda connection: connection.exec_driver_sql("SELECT sealed FROM person").all()) == before
    )


def test_what_an_enrolment_is_silent_about_stays(office):
    office.enrol([pupil()])
    bare = Device(number(), "", "")

    assert office.enrol(
        [pupil(devices=(bare,), guardians=(), texts={"school": "한국초"}, consent_by="")]
    ) == [Outcome.CHANGED]

    found = office.find(number())
    assert found.texts == {"address": "서울 종로구 사직로 0", "medical": "천식", "school": "한국초"}
    assert found.devices == pupil().devices
    assert found.guardians == pupil().guardians
    assert found.consent.by == "박보호"


def test_somebody_elses_number_is_not_taken_over(office):
    office.enrol([pupil()])

    (fault,) = office.enrol([pupil(name="다른이", birth_date=date(1990, 1, 1))])

    assert isinstance(fault, Fault)
    assert fault.field == "number"
    assert office.find(number()).name == "김하늘0"


def test_nobody_is_kept_without_consent_and_no_minor_without_a_guardian(office):
    without, alone = office.enrol([pupil(1, consent_by="", consent_means=""), pupil(2, guardians=())])

    assert (without.field, alone.field) == ("consent_by", "guardian1_phone")
    assert office.run(count) == 0


def test_a_guardian_with_the_persons_own_number_is_refused(office):
    (fault,) = office.enrol([pupil(guardians=(GuardianEntry(number()),))])

    assert fault.field == "guardian_phone"


def test_two_numbers_of_two_people_do_not_become_one(office):
    office.enrol([pupil(1), pupil(2)])

    (fault,) = office.enrol([pupil(1, devices=(Device(number(1)), Device(number(2))))])

    assert fault.field == "number2"


def test_a_dry_run_tells_the_same_and_writes_nothing(office):
    office.enrol([pupil(1)])
    drafts = [pupil(1), pupil(2), pupil(3, consent_by="")]

    told = office.run(lambda connection: office.registry.enrol(connection, drafts, NOW, is_dry_run=True))

    assert office.run(count) == 1
    assert told == office.enrol(drafts)


def test_the_people_of_a_guardian_are_found_by_the_guardians_number(office):
    shared = (GuardianEntry(Msisdn("821077770000"), "아버지"),)
    office.enrol([pupil(1, guardians=shared), pupil(2), pupil(3, guardians=shared)])

    found = office.run(office.registry.guarded_by, Msisdn("821077770000"))

    assert [each.name for each in found] == ["김하늘1", "김하늘3"]


def test_a_number_changes_and_its_carrier_does(office):
    office.enrol([pupil(1), pupil(2)])
    new = Msisdn("821066660000")

    assert office.run(office.registry.change_number, number(1), new, NOW)
    assert office.run(office.registry.change_carrier, new, "kt", NOW)

    assert office.find(number(1)) is None
    assert office.find(new).devices == (Device(new, "kt", "phone"),)
    with pytest.raises(ValueError, match="registered already"):
        office.run(office.registry.change_number, new, number(2), NOW)
    assert not office.run(office.registry.change_number, number(9), Msisdn("821066660001"), NOW)


def test_deleting_takes_the_person_and_nobody_else(office):
    shared = (GuardianEntry(Msisdn("821077770000")),)
    office.enrol([pupil(index, guardians=shared) for index in range(50)])

    assert office.run(office.registry.delete, number(7))
    assert not office.run(office.registry.delete, number(7))

    assert office.find(number(7)) is None
    assert [office.find(number(index)).name for index in range(50) if index != 7]
    assert len(office.run(office.registry.guarded_by, Msisdn("821077770000"))) == 49
    rows = office.run(lambda c: c.exec_driver_sql("SELECT count(*) FROM person_number").scalar_one())
    assert rows == 49


def test_no_name_number_or_address_stands_in_the_file_or_its_log(file_office, tmp_path):
    drafts = [pupil(index) for index in range(300)]
    file_office.enrol(drafts)

    with_log = octets_on_disk(tmp_path)
    with file_office.writing.connect() as connection:
        fold_back(connection)
    octets = with_log + octets_on_disk(tmp_path)

    assert len(octets) > 300 * 500
    for draft in drafts:
        phones = [draft.devices[0].number.number, draft.guardians[0].phone.number]
        told = [
            draft.name,
            *draft.texts.values(),
            *phones,
            *(phone[2:] for phone in phones),
            "박보호",
            "어머니",
            "2015-03-02",
        ]
        for text in told:
            assert text.encode() not in octets
            assert text.encode("utf-16-le") not in octets


def test_after_a_delete_neither_row_nor_hash_is_found_in_the_file(file_office, tmp_path):
    for start in range(0, 4_000, 2_000):
        file_office.enrol([pupil(index) for index in range(start, start + 2_000)])
    ring = file_office.key_file.ring()
    gone = range(0, 4_000, 100)
    secrets = {}
    with file_office.writing.connect() as connection:
        for index in gone:
            one = ring.hash(NUMBER, number(index).number)
            row = connection.exec_driver_sql(
                "SELECT sealed FROM person JOIN person_number ON key = person_key WHERE hash = ?", (one,)
            ).scalar_one()
            secrets[index] = (one, ring.hash(GUARDIAN, pupil(index).guardians[0].phone.number), row[:40])

    for index in gone:
        assert file_office.run(file_office.registry.delete, number(index))
    with file_office.writing.connect() as connection:
        assert fold_back(connection)

    octets = octets_on_disk(tmp_path)
    assert [index for index, found in secrets.items() if any(each in octets for each in found)] == []
    assert file_office.run(count) == 3_960
    kept = ring.hash(NUMBER, number(1).number)
    assert kept in octets, "the search finds what is there"


def test_copies_that_page_splits_leave_behind_go_too(file_office, tmp_path):
    """SQLite's secure_delete alone does not reach them."""
    mark = b"MARKMARKMARK"
    drawn = random.Random(1)
    rows = [(drawn.randbytes(4) + mark, (1 << 50) + index) for index in range(60_000)]
    for start in range(0, len(rows), 200):
        file_office.run(lambda c, at=start: execute_many(c, INSERT, rows[at : at + 200]))
    with file_office.writing.connect() as connection:
        fold_back(connection)
    places = Counter(re.findall(rb".{4}" + mark, octets_on_disk(tmp_path), re.DOTALL))
    twice = {each for each, times in places.items() if times > 1}
    assert twice, "there is something to be cleared"

    for each, key in rows:
        if each in twice:
            file_office.run(forget_rows, key, [each], [])
    with file_office.writing.connect() as connection:
        fold_back(connection)

    octets = octets_on_disk(tmp_path)
    assert [each for each in twice if each in octets] == []


def test_a_number_that_was_given_up_leaves_no_hash(file_office, tmp_path):
    file_office.enrol([pupil(index) for index in range(1_000)])
    ring = file_office.key_file.ring()

    for index in range(0, 1_000, 10):
        assert file_office.run(
            file_office.registry.change_number, number(index), Msisdn(f"8210555{index:05}"), NOW
        )
    with file_office.writing.connect() as connection:
        assert fold_back(connection)

    octets = octets_on_disk(tmp_path)
    assert not any(ring.hash(NUMBER, number(index).number) in octets for index in range(0, 1_000, 10))


def test_rows_that_are_swapped_in_the_file_are_refused(file_office):
    file_office.enrol([pupil(1), pupil(2)])
    with file_office.writing.begin() as connection:
        (first, one), (second, other) = connection.exec_driver_sql("SELECT key, sealed FROM person").all()
        connection.exec_driver_sql("UPDATE person SET sealed = ? WHERE key = ?", (other, first))
        connection.exec_driver_sql("UPDATE person SET sealed = ? WHERE key = ?", (one, second))

    with pytest.raises(Damaged, match="restore it from a backup"):
        file_office.find(number(1))


def test_a_damaged_row_can_be_deleted_with_all_its_hashes(office):
    office.enrol([pupil(1), pupil(2)])
    mark = "x'00'" if office.writing.dialect.name == "sqlite" else "'\\x00'::bytea"
    office.run(
        lambda c: c.exec_driver_sql(
            f"UPDATE person SET sealed = {mark} WHERE key = (SELECT min(key) FROM person)"
        )
    )

    assert office.run(office.registry.delete, number(1))

    for table in ("person", "person_number", "guardian_number"):
        assert office.run(lambda c, t=table: c.exec_driver_sql(f"SELECT count(*) FROM {t}").scalar_one()) == 1


def test_a_rotation_reads_on_and_ends_with_every_row_under_the_new_key(office):
    office.enrol([pupil(index) for index in range(25)])
    reader = Registry(KeyFile(office.key_file.path).ring)
    old = office.key_file.ring().current.id
    new = office.key_file.add().id

    assert office.run(reader.find, number(3)).name == "김하늘3"
    _, rows = office.run(office.registry.reseal, 0, 10)
    assert rows == 10
    assert office.run(count_by_key) == {old: 15, new: 10}
    assert [office.run(reader.find, number(index)).name for index in range(25)]
    assert office.enrol([pupil(1), pupil(20), pupil(30)]) == [
        Outcome.UNCHANGED,
        Outcome.UNCHANGED,
        Outcome.ADDED,
    ]

    # Killed here; the next run begins at the beginning and finds the rest.
    assert office.run(office.registry.reseal, 0, 100) is not None
    assert office.run(office.registry.reseal, 0, 100) is None
    office.key_file.forget(old)
    assert office.run(count_by_key) == {new: 26}
    assert [office.run(reader.find, number(index)).name for index in range(25)]
    assert len(office.run(reader.guarded_by, pupil(3).guardians[0].phone)) == 1
    assert office.run(lambda c: c.exec_driver_sql("SELECT count(*) FROM person_number").scalar_one()) == 26


def test_a_file_of_other_keys_is_told_from_a_damaged_row(office, tmp_path):
    office.enrol([pupil()])
    found = list(office.run(lambda connection: list(office.registry.everybody(connection))))
    stranger = KeyFile(tmp_path / "other.keys")
    stranger.make()

    with pytest.raises(KeysUnavailable, match="does not hold"):
        office.run(lambda connection: list(Registry(stranger.ring).everybody(connection)))
    assert [each.person.name for each in found] == ["김하늘0"]


def test_the_names_of_people_are_in_no_repr(office):
    office.enrol([pupil()])

    told = repr(office.find(number())) + repr(pupil()) + repr(office.find(number()).consent)

    assert "김하늘" not in told
    assert "박보호" not in told
    assert "12340000" not in told


def test_who_was_born_on_a_leap_day_comes_of_age_on_the_first_of_march(office):
    office.enrol([pupil(birth_date=date(2012, 2, 29))])

    assert office.find(number()).consent.until == date(2031, 3, 1)


def test_a_consent_that_was_withdrawn_is_none(office):
    office.enrol([pupil()])
    consent = office.find(number()).consent

    assert not replace(consent, withdrawn_at=datetime(2026, 12, 1, tzinfo=UTC)).is_valid_on(date(2026, 12, 2))


def test_sqlite_is_told_to_overwrite_what_is_deleted(tmp_path):
    for engine in open_engines(f"sqlite:///{tmp_path}/store.sqlite", keys):
        as_most_builds_of_sqlite(engine)
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA secure_delete").scalar_one() == 1
        engine.dispose()


def test_a_consent_of_an_earlier_release_is_read_as_it_was_and_written_the_same():
    person = merged(None, pupil(), adult_age=19, now=NOW)
    asked = replace(person, consent=replace(person.consent, text="sms-1/ko", items=(ConsentItem.PERSONAL,)))

    assert len(json.loads(to_octets(person))["consent"]) == 6, "an older release reads it too"
    assert from_octets(to_octets(person)) == person
    assert from_octets(to_octets(asked)) == asked


def test_what_a_guardian_has_said_and_who_refused_is_kept_and_a_record_without_it_is_as_it_was():
    person = merged(None, pupil(), adult_age=19, now=NOW)
    mother = Standing(Relation.MOTHER, AgeGroup.ADULT, "SMS", NOW)
    said = replace(
        person,
        guardians=(replace(person.guardians[0], standing=mother),),
        refused=(Refusal("0002", "SMS", NOW),),
    )

    assert from_octets(to_octets(said)) == said
    plain = json.loads(to_octets(person))
    assert ("refused" in plain, len(plain["guardians"][0])) == (False, 5)


def test_an_enrolment_that_says_nothing_of_a_guardian_takes_nothing_away():
    mother = Standing(Relation.MOTHER, AgeGroup.ADULT, "SMS", NOW)
    draft = pupil()
    known = merged(
        None, replace(draft, guardians=(replace(draft.guardians[0], standing=mother),)), adult_age=19, now=NOW
    )
    known = replace(known, refused=(Refusal("0002", "SMS", NOW),))

    again = merged(known, draft, adult_age=19, now=NOW)

    assert (again.guardians[0].standing, again.refused) == (mother, known.refused)
