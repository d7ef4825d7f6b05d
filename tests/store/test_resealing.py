"""Everything comes under a new key while daemons go on, and is found and read under it alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine, delete, insert, update

from telephony.domain.audit import Looked
from telephony.domain.delivery import Retry
from telephony.domain.incident import Join
from telephony.domain.locating import Locating, Purpose
from telephony.domain.people.person import Person
from telephony.domain.ports import FAST
from telephony.domain.values import Msisdn
from telephony.store import schema
from telephony.store.audit import append, entries
from telephony.store.awaited import awaited_from, expect
from telephony.store.bound import BOUND, UNDER_A_MISSING_KEY, is_sound_quietly
from telephony.store.crypto import Key, KeyRing, Place
from telephony.store.history import history, remember
from telephony.store.incidents import story
from telephony.store.journal_position import JournalPosition, position_of, put
from telephony.store.locatings import keep_locatings, locatings_of_numbers
from telephony.store.mending import Mending
from telephony.store.orders import set_silence
from telephony.store.people import Registry
from telephony.store.positions import record_position, whereabouts
from telephony.store.recordings.register import register
from telephony.store.recordings.sealed import CHUNK, opened
from telephony.store.resealing import SealedTable, Walk, count_by_key, walks
from telephony.store.sealing import key_id_of, seal, with_keys
from tests.doubles import NOON, ONE_CENTRE, age_by, press
from tests.store.ledger import Ledger, call_fact, call_record, fix
from tests.store.people_drafts import number, pupil
from tests.store.recording_drafts import recording, sealed_file

KIM, LEE = "821012345678", "821022222222"
OLD, NEW = Key.make(NOON), Key.make(NOON)
AUDIT_KEY = bytes(32)
JOURNAL = b"j" * 16
RECORDED = b"what she says" * CHUNK
ASKED = Locating(f"sos-{KIM}", Msisdn(KIM), "skt", "onetouch#1", Purpose.FOLLOWING, FAST, NOON)


class Ring:
    """The key file of a daemon, as it changes."""

    def __init__(self) -> None:
        self.now = self.only(OLD)

    def __call__(self) -> KeyRing:
        return self.now

    @staticmethod
    def only(*keys: Key) -> KeyRing:
        """A ring whose first key writes."""
        return KeyRing({key.id: key for key in keys}, keys[0].id, audit_key=AUDIT_KEY)


@pytest.fixture
def ring() -> Ring:
    return Ring()


@pytest.fixture
def ledger(engines: tuple[Engine, Engine], ring: Ring, tmp_path: Path) -> Ledger:
    """Something of everything, under the old key."""
    for engine in engines:
        with_keys(engine, ring)
    ledger = Ledger(engines[0])
    ledger.record(press(KIM), press(LEE))
    ledger.again("2")
    (key,) = _keys_of(ledger, f"sos-{KIM}")
    ledger.transact(_located, key)
    ledger.tell(call_fact())
    ledger.call(call_record())
    ledger.transact(set_silence, ONE_CENTRE, f"sos-{KIM}", True, "Officer Kim", NOON)
    (alert, *_) = ledger.claim()
    ledger.settle(alert, Retry("503 busy"))
    ledger.close(f"sos-{LEE}")
    ledger.transact(append, Looked("kim", "saw an incident", f"sos-{KIM}", "why", NOON))
    ledger.transact(expect, Msisdn(KIM), "join", {"a": 1}, NOON, NOON + timedelta(days=1))
    ledger.transact(remember, KIM, NOON, "press", fix())
    ledger.transact(keep_locatings, [(1, ASKED)])
    file = sealed_file(tmp_path / "recording.sealed", ring(), RECORDED)
    ledger.transact(register, [recording(path=str(file), key_id=OLD.id)])
    ledger.transact(Registry(ring).enrol, [pupil()], NOON)
    ledger.transact(put, JOURNAL, 7)
    proof = seal(ring(), Place("key_proof", "sealed", 1), b"")
    ledger.transact(
        lambda connection: connection.execute(insert(schema.key_proof).values(key=1, sealed=proof))
    )
    return ledger


def _keys_of(ledger: Ledger, incident_id: str) -> list[int]:
    return [row["key"] for row in ledger.bare_rows("incident") if row["id"] == incident_id]


def _located(connection, key: int) -> None:
    assert record_position(connection, ONE_CENTRE, key, fix(), age_by(NOON))


def all_ways(ring: Ring) -> tuple[Walk, ...]:
    return walks(Registry(ring))


def walk(ledger: Ledger, way: Walk, at_once: int = 2) -> int:
    """Go through a table once, a transaction for each page."""
    done, after = 0, ()
    while True:
        with ledger.engine.connect() as connection:
            page = way.find(connection, after, at_once)
        if page is None:
            return done
        after = page.after
        if page.rows:
            done += ledger.transact(way.reseal, page.rows)


def rotate(ledger: Ledger, ring: Ring, ways: Sequence[Walk] | None = None) -> None:
    ring.now = ring.only(NEW, OLD)
    for way in all_ways(ring) if ways is None else ways:
        while walk(ledger, way):
            pass


def counted(ledger: Ledger, ring: Ring) -> dict[int, int]:
    with ledger.engine.connect() as connection:
        return count_by_key(connection, all_ways(ring))


def test_every_sealed_column_is_walked():
    """A column that is added and not walked would keep its old key alive for ever, or lose it."""
    sealed = {
        (table.name, column.name)
        for table in schema.metadata.sorted_tables
        for column in table.columns
        if column.name in ("sealed", "last_error", "close_reason")
    }
    walked = {
        (way.table, column)
        for way in walks(Registry(Ring()))
        for column in (way.sealed if isinstance(way, SealedTable) else ("sealed",))
    }

    assert sealed <= walked
    assert {"last_position", "person"} <= {way.table for way in walks(Registry(Ring()))}


def test_everything_comes_under_the_new_key(ledger: Ledger, ring: Ring):
    before = counted(ledger, ring)
    tables = {way.table for way in all_ways(ring)}
    assert all(ledger.bare_rows(table) for table in tables)

    rotate(ledger, ring)

    assert counted(ledger, ring) == {NEW.id: before[OLD.id]}


def test_what_was_kept_reads_the_same_without_the_old_key(ledger: Ledger, ring: Ring):
    told = ledger.transact(story, f"sos-{KIM}")
    closed = ledger.transact(story, f"sos-{LEE}")
    looks = ledger.transact(lambda connection: list(entries(connection)))

    rotate(ledger, ring)
    ring.now = ring.only(NEW)

    assert ledger.transact(story, f"sos-{KIM}") == told
    assert ledger.transact(story, f"sos-{LEE}") == closed
    assert closed.incident.close_reason == "found safe"
    assert ledger.transact(lambda connection: list(entries(connection))) == looks
    assert ledger.transact(lambda c: awaited_from(c, Msisdn(KIM), now=NOON))[0].payload == {"a": 1}
    assert ledger.transact(lambda c: history(c, KIM, since=NOON))[0].place is not None
    assert isinstance(ledger.transact(Registry(ring).find, number()), Person)
    assert ledger.transact(locatings_of_numbers, [Msisdn(KIM)]) == [ASKED]
    ((path, key_id),) = [(row["path"], row["key_id"]) for row in ledger.bare_rows("recording")]
    with opened(Path(path), ring()) as played:
        assert b"".join(played.chunks()) == RECORDED
    assert key_id == NEW.id


def test_a_recording_of_another_machine_keeps_its_key_from_being_forgotten(ledger: Ledger, ring: Ring):
    ledger.transact(lambda c: c.execute(update(schema.recording).values(path="/elsewhere/x.sealed")))

    rotate(ledger, ring)

    assert counted(ledger, ring)[OLD.id] == 1


def test_what_is_plain_is_bound_under_the_new_key_alone(ledger: Ledger, ring: Ring):
    rotate(ledger, ring)
    ring.now = ring.only(NEW)

    assert all(ledger.bare_rows(table) for table in BOUND)
    assert unsound(ledger, ring) == [
        ("delivery", row["channel"]) for row in ledger.bare_rows("delivery") if row["bound"] is None
    ]


def test_a_row_that_another_hand_changed_is_not_made_ours_by_the_rotation(ledger: Ledger, ring: Ring):
    plant = update(schema.incident).where(schema.incident.c.id == f"sos-{LEE}").values(silence_lifted_at=1)
    ledger.transact(lambda connection: connection.execute(plant))
    ledger.transact(lambda c: c.execute(update(schema.call).values(token=b"t" * 32)))

    rotate(ledger, ring)
    ring.now = ring.only(NEW)

    assert [table for table, _ in unsound(ledger, ring) if table != "delivery"] == ["incident", "call"]
    assert set(counted(ledger, ring)) == {NEW.id}


def test_what_is_bound_under_a_newer_key_than_the_file_holds_is_left_alone(ledger: Ledger, ring: Ring):
    """Else a machine that lacks the newest key file would open again what another has closed."""
    rotate(ledger, ring)
    ring.now = ring.only(OLD)
    mending = Mending(ONE_CENTRE, ("seoul", "locate:skt", "track:skt"))
    before = [(row["state"], row["bound"]) for row in ledger.bare_rows("incident")]

    assert ledger.transact(mending.mend, NOON.timestamp(), NOON.timestamp() - 3_600).changed == 0

    assert [(row["state"], row["bound"]) for row in ledger.bare_rows("incident")] == before
    assert {row.column for row in ring.now.noticed.take()} == {UNDER_A_MISSING_KEY}


def test_how_far_a_journal_is_taken_up_is_as_it_was_written_under_the_new_key_alone(
    ledger: Ledger, ring: Ring
):
    rotate(ledger, ring)
    ring.now = ring.only(NEW)

    assert ledger.transact(position_of, JOURNAL) == JournalPosition(7, is_ours=True)


def test_a_position_that_another_hand_set_ahead_is_not_made_ours_and_keeps_no_key(ledger: Ledger, ring: Ring):
    ledger.transact(lambda c: c.execute(update(schema.journal_position).values(number=9)))

    rotate(ledger, ring)

    assert ledger.transact(position_of, JOURNAL) == JournalPosition(0, is_ours=False)
    assert set(counted(ledger, ring)) == {NEW.id}


def test_a_position_that_a_daemon_moved_meanwhile_stands(ledger: Ledger, ring: Ring):
    ring.now = ring.only(NEW, OLD)
    (way,) = [each for each in all_ways(ring) if each.table == "journal_position"]
    with ledger.engine.connect() as connection:
        page = way.find(connection, (), 100)
    assert page is not None
    ledger.transact(put, JOURNAL, 8)

    assert ledger.transact(way.reseal, page.rows) == 0

    assert ledger.transact(position_of, JOURNAL) == JournalPosition(8, is_ours=True)


def unsound(ledger: Ledger, ring: Ring) -> list[tuple[str, object]]:
    return [
        (table, row.get("channel"))
        for table in BOUND
        for row in ledger.bare_rows(table)
        if not is_sound_quietly(ring(), table, SimpleNamespace(**row))
    ]


@pytest.mark.parametrize("when", ["between", "after"])
def test_a_redelivery_and_a_repeat_are_known_under_either_key(ledger: Ledger, ring: Ring, when: str):
    if when == "between":
        ring.now = ring.only(NEW, OLD)
    else:
        rotate(ledger, ring)
        ring.now = ring.only(NEW)

    (again,) = ledger.record(press(KIM))
    ledger.again("another")

    assert again.receipt.joined == Join.REDELIVERED
    assert len(_keys_of(ledger, f"sos-{KIM}")) == 1
    assert [row["press_count"] for row in ledger.bare_rows("incident") if row["id"] == f"sos-{KIM}"] == [3]


@pytest.mark.parametrize("when", ["between", "after"])
def test_the_last_position_is_found_under_either_key(ledger: Ledger, ring: Ring, when: str):
    ring.now = ring.only(NEW, OLD)
    if when == "after":
        rotate(ledger, ring)
        ring.now = ring.only(NEW)
    ledger.close(f"sos-{KIM}")
    ledger.record(press(KIM, reference="the next day"))
    key = max(row["key"] for row in ledger.bare_rows("incident"))

    assert ledger.transact(whereabouts, key).last_known is not None

    ledger.transact(_located, key)
    (row,) = ledger.bare_rows("last_position")
    assert row["incident_key"] == key


def test_a_run_that_was_broken_off_goes_on(ledger: Ledger, ring: Ring):
    rotate(ledger, ring, [])
    ways = all_ways(ring)
    with ledger.engine.connect() as connection:
        page = ways[3].find(connection, (), 1)
    assert page is not None
    assert ledger.transact(ways[3].reseal, page.rows) == 1

    rotate(ledger, ring)

    assert set(counted(ledger, ring)) == {NEW.id}


def test_what_a_daemon_writes_meanwhile_is_not_overwritten(ledger: Ledger, ring: Ring):
    """The row was read, then changed by the daemon, then written by us: the daemon's word stands."""
    ring.now = ring.only(NEW, OLD)
    (way,) = [each for each in all_ways(ring) if each.table == "delivery"]
    with ledger.engine.connect() as connection:
        page = way.find(connection, (), 100)
    assert page is not None
    (alert,) = [item for item in ledger.claim(after_s=99) if item.incident_id == f"sos-{KIM}"]
    ledger.settle(alert, Retry("504 slow"), after_s=99)

    ledger.transact(way.reseal, page.rows)

    told = ledger.transact(story, f"sos-{KIM}")
    assert "504 slow" in [line.facts.get("detail") for line in told.lines]


def test_a_last_position_of_a_daemon_that_was_quicker_stands(ledger: Ledger, ring: Ring):
    ring.now = ring.only(NEW, OLD)
    (way,) = [each for each in all_ways(ring) if each.table == "last_position"]
    with ledger.engine.connect() as connection:
        page = way.find(connection, (), 100)
    assert page is not None
    ((_, new),) = page.rows
    row = insert(schema.last_position).values(caller=new, incident_key=1, number=9)
    ledger.transact(lambda connection: connection.execute(row))

    assert ledger.transact(way.reseal, page.rows) == 1

    assert [row["number"] for row in ledger.bare_rows("last_position")] == [9]


def test_a_damaged_row_keeps_its_key_and_costs_no_other(ledger: Ledger, ring: Ring):
    (key,) = _keys_of(ledger, f"sos-{LEE}")
    (row,) = [each for each in ledger.bare_rows("press") if each["incident_key"] == key]
    damage = update(schema.press).where(schema.press.c.incident_key == key)
    damaged = row["sealed"][:-1] + bytes([row["sealed"][-1] ^ 1])
    ledger.transact(lambda connection: connection.execute(damage.values(sealed=damaged)))
    before = counted(ledger, ring)[OLD.id]

    rotate(ledger, ring)

    # What stands sealed, and the code beside it.
    assert counted(ledger, ring) == {NEW.id: before - 2, OLD.id: 2}


def test_two_open_incidents_of_one_caller_do_not_end_the_rotation(ledger: Ledger, ring: Ring):
    """Two daemons may open one each in the instant in which the keys change."""
    ring.now = ring.only(NEW)
    ledger.record(press(KIM, reference="elsewhere"))
    assert len({row["caller"] for row in ledger.bare_rows("incident") if row["state"] == "open"}) == 2

    rotate(ledger, ring)
    (left,) = [row for row in ledger.bare_rows("incident") if key_id_of(row["sealed"]) == OLD.id]
    ledger.close(left["id"])
    rotate(ledger, ring)

    assert set(counted(ledger, ring)) == {NEW.id}


def test_an_empty_store_is_walked_in_no_time(ledger: Ledger, ring: Ring):
    for table in reversed(schema.metadata.sorted_tables):
        ledger.transact(lambda connection, table=table: connection.execute(delete(table)))

    rotate(ledger, ring)

    assert counted(ledger, ring) == {}
