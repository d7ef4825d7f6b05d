"""What is over its time goes, announced and without a trace; what is not, and what is open, stays. Both databases."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from telephony.domain.audit import FORGOTTEN, SAW_PERSON, Looked
from telephony.domain.delivery import PENDING
from telephony.domain.incident import ACKNOWLEDGED, CLOSED, DISPATCHED, OPEN
from telephony.domain.locating import AnswerKind, Locating, Purpose
from telephony.domain.ports import FAST
from telephony.domain.score import PRESS
from telephony.domain.values import Msisdn
from telephony.store.audit import append, entries
from telephony.store.audit_verifying import verify
from telephony.store.bound import rebind
from telephony.store.engines import open_engines
from telephony.store.history import history, remember, unregistered
from telephony.store.incidents import story
from telephony.store.locatings import keep_locatings, locatings_of_incident, locatings_of_numbers
from telephony.store.people import Registry
from telephony.store.people_erasing import fold_back
from telephony.store.retention.at_closing import PositionsAtClosing
from telephony.store.retention.incidents import TEXT_DELETED, ClosedIncidents, Positions, Texts
from telephony.store.retention.others import AuditEntries, AwaitedReplies, ConsentOver, History, Locatings
from telephony.store.retention.runs import SLICE, Read, WentThrough, Write, forget
from telephony.store.schema import (
    awaited_reply,
    call,
    delivery,
    fact,
    incident,
    last_position,
    metadata,
    position,
    press,
    press_history,
)
from telephony.store.times import from_us, to_us
from tests.doubles import NOON, as_most_builds_of_sqlite, keys, without_fsync
from tests.doubles import press as pressed
from tests.store.ledger import Ledger, fix
from tests.store.people_drafts import pupil

DAY = timedelta(days=1)
PERIOD = 30 * DAY
KIM = "821012345678"
NUMBER = Msisdn(KIM)


class Store:
    """A store with incidents of some ages, and the retention over it."""

    def __init__(self, engines):
        self.writing, self.reading = engines
        self.ledger = Ledger(self.writing)
        self._presses = 0

    def incident(
        self, closed_ago: timedelta | None, *, owes: bool = False, opened_ago: timedelta | None = None
    ) -> int:
        """An incident with a press, a position, a call and reports; open without ``closed_ago``."""
        self._presses += 1
        at = NOON - (opened_ago or closed_ago or timedelta()) - timedelta(seconds=600 - self._presses)
        caller = f"8210{40000000 + self._presses}"
        self.ledger.record(pressed(caller, reference=f"r{self._presses}", received_at=at))
        self.ledger.locate(fix(after_s=1), caller=caller)
        key = self.ledger.key_of(caller)

        def rest(connection):
            connection.execute(
                call.insert().values(
                    reference=f"voice/{key}", incident_key=key, server="voice", sealed=b"x" * 40, trunk="skt",
                    started_at=to_us(at),
                )
            )  # fmt: skip
            if not owes:
                connection.execute(
                    update(delivery).where(delivery.c.incident_key == key).values(state="delivered")
                )
            if closed_ago is not None:
                row = connection.execute(select(incident).where(incident.c.key == key)).one()
                rebind(connection, keys(), row, state=CLOSED, closed_at=to_us(NOON - closed_ago))

        self.ledger.transact(rest)
        return key

    def enter(self, key, state):
        """Let 112 do something about an incident."""

        def enter(connection):
            row = connection.execute(select(incident).where(incident.c.key == key)).one()
            rebind(connection, keys(), row, state=state)

        self.ledger.transact(enter)

    def crowd(self, keys_of_incidents: list[int]) -> None:
        """Put more presses and positions between those that are there, so that pages split and leave copies behind."""
        drawn = random.Random(1)
        for number in range(2, 8):
            for key in drawn.sample(keys_of_incidents, len(keys_of_incidents)):
                of_this = {
                    "incident_key": key,
                    "number": number,
                    "sealed": drawn.randbytes(150),
                    "source": "sms",
                }
                came = {"connector": "skt-1", "carrier": "skt", "joined": "x", "seen": 1}
                found = {"method": "cell", "fixed_at": 0, "became_best": False}
                at, reference = to_us(NOON), drawn.randbytes(16)
                self.ledger.transact(
                    lambda connection, a=of_this, b=came, c=found, ref=reference, at=at: (
                        connection.execute(
                            press.insert().values(**a, **b, reference=ref, received_at=at, last_seen_at=at)
                        ),
                        connection.execute(position.insert().values(**a, **c, received_at=at)),
                    )
                )

    def forget(self, kind, now=NOON, begin=0):
        """Take all steps of a run, each in a transaction of its own; gives its end and the writes."""
        run, writes = forget(kind, now, begin), 0
        result = None
        try:
            while True:
                step = run.send(result)
                result = None
                if isinstance(step, Write):
                    writes += 1
                    result = self.ledger.transact(step.work)
                elif isinstance(step, Read):
                    with self.reading.connect() as connection:
                        result = step.work(connection)
        except StopIteration as end:
            return end.value, writes

    def keys_in(self, table):
        with self.reading.connect() as connection:
            return set(
                connection.execute(
                    select(table.c.incident_key if table is not incident else table.c.key)
                ).scalars()
            )

    def survey(self, kind, grace=DAY, now=NOON):
        with self.reading.connect() as connection:
            return kind.survey(connection, now, grace)

    def forgotten(self):
        with self.reading.connect() as connection:
            return [
                (each.looked.subject, each.looked.why)
                for each in entries(connection)
                if each.looked.what == FORGOTTEN
            ]


@pytest.fixture
def store(engines):
    return Store(engines)


@pytest.fixture
def store_in_a_file(tmp_path):
    """On SQLite, whose file is searched."""
    engines = open_engines(f"sqlite:///{tmp_path}/store.sqlite", keys)
    without_fsync(engines[0])
    as_most_builds_of_sqlite(engines[0])
    metadata.create_all(engines[0])
    yield Store(engines)
    for engine in engines:
        engine.dispose()


SPINE = (incident, press, position, fact, call, delivery, last_position)


def test_an_incident_goes_whole_when_its_time_is_over_and_no_other_does(store):
    old = [store.incident(PERIOD + DAY) for _ in range(25)]
    young, still_open = store.incident(PERIOD - DAY), store.incident(None)

    done, writes = store.forget(ClosedIncidents(PERIOD))

    assert (done.deleted, writes) == (25, 3)
    for table in SPINE:
        assert not store.keys_in(table) & set(old), table.name
    for table in (incident, press, position, call, delivery):
        assert store.keys_in(table) == {young, still_open}, table.name
    assert store.forgotten() == [("incidents", "deleted 25, up to 2026-10-24T03:00:00+00:00")]


@pytest.mark.parametrize("state", [OPEN, ACKNOWLEDGED, DISPATCHED])
def test_an_open_incident_is_never_touched_however_old(store, state):
    key = store.incident(None)
    store.enter(key, state)
    later = NOON + 10_000 * DAY

    for kind in (ClosedIncidents(PERIOD), Positions(PERIOD), Texts(PERIOD), PositionsAtClosing()):
        assert store.forget(kind, later)[0].deleted == 0
    assert all(key in store.keys_in(table) for table in (incident, press, position, call, delivery))


def test_an_incident_that_owes_112_a_report_is_kept_and_counted(store):
    key = store.incident(PERIOD + DAY, owes=True)

    assert store.forget(ClosedIncidents(PERIOD))[0].deleted == 0
    assert store.forgotten() == [], "nothing is announced that does not happen"
    survey = store.survey(ClosedIncidents(PERIOD))
    assert (survey.overdue, survey.held) == (0, 1)

    store.ledger.transact(
        lambda connection: connection.execute(
            update(delivery)
            .where(delivery.c.incident_key == key, delivery.c.state == PENDING)
            .values(state="delivered")
        )
    )
    assert store.forget(ClosedIncidents(PERIOD))[0].deleted == 1


def test_what_changed_since_it_was_found_is_looked_at_again(store):
    key = store.incident(PERIOD + DAY)
    kind = ClosedIncidents(PERIOD)
    with store.reading.connect() as connection:
        found = kind.find(connection, NOON, 0)
    store.ledger.transact(
        lambda connection: connection.execute(
            update(incident).where(incident.c.key == key).values(closed_at=to_us(NOON))
        )
    )

    assert found.items == [key]
    assert store.ledger.transact(kind.delete, [key], NOON) == 0
    assert store.keys_in(incident) == {key}


def test_positions_go_first_and_their_incident_stays_and_can_be_told(store):
    old, young = store.incident(PERIOD + DAY), store.incident(PERIOD - DAY)

    assert store.forget(Positions(PERIOD))[0].deleted == 1

    assert store.keys_in(position) == {young}
    assert old not in store.keys_in(last_position)
    assert store.keys_in(incident) == {old, young}
    with store.reading.connect() as connection:
        row = connection.execute(select(incident).where(incident.c.key == old)).one()
        assert row.best_position is None
        assert [line.kind for line in story(connection, row.id).lines if line.kind == "position"] == []


def test_texts_go_and_the_press_stays(store):
    old, young = store.incident(PERIOD + DAY), store.incident(PERIOD - DAY)

    assert store.forget(Texts(PERIOD))[0].deleted == 1
    assert store.forget(Texts(PERIOD))[0].deleted == 0

    with store.reading.connect() as connection:
        told = {}
        for key in (old, young):
            row = connection.execute(select(incident).where(incident.c.key == key)).one()
            (line,) = (line for line in story(connection, row.id).lines if line.kind == "press")
            told[key] = line.facts
    assert (told[old]["text"], told[old]["encoding"]) == (None, TEXT_DELETED)
    assert told[old]["destination"] == "1122"
    assert told[young]["text"] == "SOS"


def test_the_next_run_begins_where_everything_before_is_over_or_gone(store):
    kind = Positions(PERIOD)
    for _ in range(3):
        store.incident(PERIOD + DAY)
    young = store.incident(PERIOD - DAY)
    store.incident(PERIOD - 2 * DAY)

    first, _ = store.forget(kind, NOON)
    assert 0 < first.begin < young
    second, _ = store.forget(kind, NOON + 2 * DAY, first.begin)

    assert (first.deleted, second.deleted) == (3, 1)
    third, _ = store.forget(kind, NOON + 5 * DAY, second.begin)
    assert third.deleted == 1


def test_a_run_that_was_broken_off_is_gone_on_with(store):
    for _ in range(25):
        store.incident(PERIOD + DAY)
    run = forget(ClosedIncidents(PERIOD), NOON)
    with store.reading.connect() as connection:
        found = next(run).work(connection)
    step = run.send(found)
    assert store.ledger.transact(step.work) == 10
    run.close()

    assert store.forget(ClosedIncidents(PERIOD))[0].deleted == 15
    assert [why.split(",")[0] for _, why in store.forgotten()] == ["deleted 25", "deleted 15"]


def test_without_an_entry_nothing_is_deleted(store, monkeypatch):
    key = store.incident(PERIOD + DAY)
    monkeypatch.setattr("telephony.store.retention.runs.append", refuse)

    with pytest.raises(RuntimeError):
        store.forget(ClosedIncidents(PERIOD))

    assert key in store.keys_in(press)


def refuse(*_):
    raise RuntimeError("the chain cannot be written")


def test_a_survey_counts_what_is_kept_overdue_and_late(store):
    for closed_ago in (PERIOD + 3 * DAY, PERIOD + timedelta(hours=1), PERIOD - DAY, None):
        store.incident(closed_ago)

    for kind in (Texts(PERIOD), Positions(PERIOD), ClosedIncidents(PERIOD)):
        survey = store.survey(kind)
        assert (survey.kept, survey.overdue, survey.late, survey.held) == (3, 2, 1, 0), kind.name
        assert survey.since == NOON - PERIOD - 3 * DAY
        store.forget(kind)
        assert store.survey(kind).overdue == 0


def test_history_goes_by_its_time(store):
    for days in (10, 29, 31, 40):
        at = NOON - days * DAY
        store.ledger.transact(remember, unregistered(NUMBER), at, PRESS, fix(after_s=0))
    assert store.survey(History(PERIOD)).overdue == 2

    assert store.forget(History(PERIOD))[0].deleted == 2

    with store.reading.connect() as connection:
        assert sorted(connection.execute(select(press_history.c.at)).scalars()) == [
            to_us(NOON - 29 * DAY),
            to_us(NOON - 10 * DAY),
        ]


def test_more_than_one_entry_announces_are_deleted_in_slices(store):
    rows = [
        {"key": key, "hash": b"h" * 16, "kind": "guardian", "sealed": b"s" * 40, "made_at": 0,
         "expires_at": to_us(NOON) + (0 if key <= SLICE + 7 else 1), "failures": 0}
        for key in range(1, SLICE + 10)
    ]  # fmt: skip
    store.ledger.transact(lambda connection: connection.execute(awaited_reply.insert(), rows))

    done, _ = store.forget(AwaitedReplies(), NOON + timedelta(microseconds=1))

    assert done.deleted == SLICE + 7
    assert [why.split(",")[0] for _, why in store.forgotten()] == [f"deleted {SLICE}", "deleted 7"]
    assert store.survey(AwaitedReplies()).kept == 2


def test_the_chain_is_cut_at_the_front_and_stays_intact(store):
    for days in range(40, 0, -1):
        look = Looked("kim", SAW_PERSON, "+821012345678", "letter", NOON - days * DAY)
        store.ledger.transact(append, look)

    done, _ = store.forget(AuditEntries(PERIOD))

    with store.reading.connect() as connection:
        verdict = verify(connection)
    assert done.deleted == 10
    assert verdict.is_intact
    assert (verdict.first, verdict.last, verdict.cut.number) == (11, 41, 10)
    assert store.survey(AuditEntries(PERIOD)).overdue == 0
    again, _ = store.forget(AuditEntries(PERIOD), NOON + 2 * DAY)
    with store.reading.connect() as connection:
        assert verify(connection).is_intact
    assert again.deleted == 2


def test_a_cut_that_was_broken_off_leaves_an_intact_chain(store):
    for index in range(450):
        look = Looked("kim", SAW_PERSON, "x", "y", NOON - 40 * DAY + timedelta(seconds=index))
        store.ledger.transact(append, look)
    run = forget(AuditEntries(PERIOD), NOON)
    with store.reading.connect() as connection:
        found = next(run).work(connection)
    store.ledger.transact(run.send(found).work)
    run.close()

    with store.reading.connect() as connection:
        verdict = verify(connection)
        assert verdict.is_intact
        assert (verdict.first, verdict.cut.number) == (201, 450)
    assert store.forget(AuditEntries(PERIOD))[0].deleted == 250
    with store.reading.connect() as connection:
        assert verify(connection).is_intact


def test_a_person_who_has_outgrown_a_consent_goes_after_the_period_and_one_who_agreed_again_stays(store):
    registry = Registry(keys)
    born = [date(2007, 10, 1), date(2007, 11, 20), date(2015, 3, 2)]
    drafts = [pupil(index, birth_date=day) for index, day in enumerate(born)]
    store.ledger.transact(registry.enrol, drafts, datetime(2024, 1, 1, tzinfo=UTC))
    kind = ConsentOver(registry, PERIOD)
    assert (store.survey(kind).kept, store.survey(kind).overdue) == (3, 1)
    with store.reading.connect() as connection:
        found = kind.find(connection, NOON, 0)
    assert len(found.items) == 1

    assert store.forget(kind)[0].deleted == 1
    later = NOON + PERIOD
    with store.reading.connect() as connection:
        found = kind.find(connection, later, 0)
    store.ledger.transact(registry.enrol, [pupil(1, birth_date=born[1], guardians=())], later)

    assert store.ledger.transact(kind.delete, found.items, later) == 0
    assert store.survey(kind, now=later).kept == 2
    assert store.forgotten()[0][0] == "people"


def test_a_long_walk_says_how_far_it_has_come(store):
    registry = Registry(keys)
    store.ledger.transact(registry.enrol, [pupil(index) for index in range(1_200)], NOON)
    run = forget(ConsentOver(registry, PERIOD), NOON)
    steps, result = [], None
    with store.reading.connect() as connection:
        try:
            while True:
                step = run.send(result)
                steps.append(step)
                result = step.work(connection) if isinstance(step, Read) else None
        except StopIteration:
            pass

    through = [step.after for step in steps if isinstance(step, WentThrough)]
    assert len(through) == 3
    assert through == sorted(through)


def test_nothing_of_what_was_deleted_is_left_in_the_file(store_in_a_file, tmp_path):
    store = store_in_a_file
    keys_of_incidents = [
        store.incident(PERIOD + DAY if index % 3 else PERIOD - DAY, opened_ago=2 * PERIOD)
        for index in range(120)
    ]
    gone = {key for index, key in enumerate(keys_of_incidents) if index % 3}
    store.crowd(keys_of_incidents)
    marks, kept = set(), set()
    with store.reading.connect() as connection:
        for table in (press, position):
            for row in connection.execute(select(table.c.incident_key, table.c.sealed)).all():
                (marks if row.incident_key in gone else kept).add(bytes(row.sealed))
        for row in connection.execute(select(incident.c.key, incident.c.sealed)).all():
            (marks if row.key in gone else kept).add(bytes(row.sealed))

    for kind in (Texts(PERIOD), Positions(PERIOD), ClosedIncidents(PERIOD)):
        assert store.forget(kind)[0].deleted == 80
    with store.writing.connect() as connection:
        assert fold_back(connection)

    octets = b"".join(path.read_bytes() for path in Path(tmp_path).glob("store.sqlite*"))
    assert [mark for mark in marks if mark in octets] == []
    assert all(mark in octets for mark in kept), "the search finds what is there"


def test_the_record_of_locatings_has_a_period_of_its_own_and_outlives_the_incident(store):
    key = store.incident(PERIOD + DAY)
    old, young = (
        Locating(
            "sos-1", NUMBER, "skt", "onetouch#1", Purpose.AT_THE_PRESS, FAST, NOON - ago, AnswerKind.FOUND, "cell", NOON
        )
        for ago in (200 * DAY, 180 * DAY)
    )  # fmt: skip
    other = replace(young, incident_id="sos-2", msisdn=Msisdn("821099999999"))
    store.ledger.transact(keep_locatings, [(1, old), (2, young), (3, other)])
    store.ledger.transact(keep_locatings, [(2, replace(young, method="gnss"))])
    kind = Locatings(184 * DAY)
    assert (store.survey(kind).kept, store.survey(kind).overdue) == (3, 1)

    store.forget(ClosedIncidents(PERIOD))
    assert store.forget(kind)[0].deleted == 1

    assert key not in store.keys_in(incident)
    with store.reading.connect() as connection:
        assert locatings_of_numbers(connection, [NUMBER]) == [replace(young, method="gnss")]
        assert locatings_of_incident(connection, "sos-2") == [other]
    assert store.forgotten()[-1] == ("locatings", f"deleted 1, up to {(NOON - 184 * DAY).isoformat()}")


def test_at_closing_positions_go_once_112_has_heard_so_and_open_incidents_keep_theirs(store):
    over, owing, still_open = (
        store.incident(timedelta(0)),
        store.incident(timedelta(0), owes=True),
        store.incident(None),
    )
    kind = PositionsAtClosing()

    assert store.forget(kind)[0].deleted == 1

    assert store.keys_in(position) == store.keys_in(last_position) == {owing, still_open}
    assert store.keys_in(incident) == {over, owing, still_open}
    assert (store.survey(kind, now=NOON + DAY).held, store.survey(kind, now=NOON + DAY).overdue) == (1, 0)
    with store.reading.connect() as connection:
        told = story(connection, store.ledger.rows("incident")[0]["id"])
    assert told.incident.state == CLOSED

    store.ledger.transact(
        lambda connection: connection.execute(
            update(delivery).where(delivery.c.incident_key == owing).values(state="delivered")
        )
    )
    assert store.forget(kind)[0].deleted == 1
    assert store.keys_in(position) == {still_open}
    assert store.forgotten()[0] == (
        "positions",
        f"deleted 1, up to {NOON.isoformat()}: positions of so many closed incidents",
    )


def test_at_closing_the_history_forgets_the_place_and_keeps_the_press(store):
    over, still_open = store.incident(timedelta(0)), store.incident(None)
    opened = {row["key"]: from_us(row["opened_at"]) for row in store.ledger.bare_rows("incident")}
    for at in opened.values():
        store.ledger.transact(remember, KIM, at, PRESS, fix())

    store.forget(PositionsAtClosing())

    known = {each.at: each for each in store.ledger.transact(lambda c: history(c, KIM, since=NOON - DAY))}
    assert known[opened[over]].place is None
    assert known[opened[over]].kind == PRESS
    assert known[opened[still_open]].place is not None
