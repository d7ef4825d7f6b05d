"""No entry, no look; for 112 the answer first, and an entry as soon as it can be written."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs
from twisted.internet import task
from twisted.internet.defer import Deferred

from telephony.alarms import HOLD_S, Alarms
from telephony.domain.audit import SAW_PERSON, SAW_POSITION, Looked
from telephony.domain.errors import Unavailable
from telephony.services.audit import AT_ONCE, AUDIT_ALARM, EVERY_S, MOST_WAITING, STOP_WITHIN_S, Audit
from telephony.services.position_reads import TOGETHER_S, PositionReads
from telephony.store.audit import append, entries, short_form
from telephony.store.crypto import Key, KeyRing
from telephony.store.engines import one_transaction
from telephony.store.sealing import with_keys
from tests.awaiting import result_of
from tests.doubles import NOON, Inline, database, keys


class Office:
    """The daemon's side of the chain over a store that can go away."""

    def __init__(self, engines):
        self.engines = engines
        self.ring = keys()
        for engine in engines:
            with_keys(engine, lambda: self.ring)
        self.runner = Inline()
        self.database = database(*engines, self.runner)
        self.clock = task.Clock()
        self.clock.rightNow = NOON.timestamp()
        self.alarms = Alarms(self.clock)
        self.audit = Audit(self.database, clock=self.clock, alarms=self.alarms)

    def lose_keys(self):
        """What a read-only key file of an earlier version is."""
        key = Key.make(NOON)
        self.ring = KeyRing({**keys().keys, key.id: key}, key.id)

    def told(self):
        with self.engines[1].connect() as connection:
            return [each.looked for each in entries(connection)]

    def standing(self):
        return [alarm.name for alarm in self.alarms.standing()]


@pytest.fixture
def office(engines):
    return Office(engines)


def now(waiting):
    """The result of what is done already."""
    found = []
    waiting = Deferred.fromCoroutine(waiting)
    waiting.addBoth(found.append)
    assert found
    if isinstance(found[0], BaseException) or hasattr(found[0], "value"):
        found[0].raiseException()
    return found[0]


def test_a_look_is_on_disk_when_it_may_happen(office):
    entry = now(office.audit.looked("kim", SAW_PERSON, "+821012345678", "letter"))

    assert entry.number == 1
    assert office.told() == [Looked("kim", SAW_PERSON, "+821012345678", "letter", NOON)]


def test_without_an_entry_there_is_no_look(office):
    office.lose_keys()

    with pytest.raises(Unavailable, match="audit key"):
        now(office.audit.looked("kim", SAW_PERSON, "+821012345678", "letter"))


def test_missing_keys_are_no_failure_of_the_presses_in_the_same_commit(office):
    office.runner.hold()
    first = office.database.transact(lambda _: "first")
    failing = Deferred.fromCoroutine(office.audit.looked("kim", SAW_PERSON, "x", "y"))
    press = office.database.transact(lambda _: "press")
    office.lose_keys()
    refused = []
    failing.addErrback(refused.append)

    while office.runner.held:
        held, office.runner.held = office.runner.held, []
        for work, done in held:
            done(work())

    assert (first.result, press.result) == ("first", "press")
    assert refused[0].check(Unavailable)


def test_a_note_is_written_beside_the_answer(office):
    office.runner.hold()

    office.audit.note("112 by token", SAW_POSITION, "sos-1", "asked")
    assert office.told() == []
    office.runner.release()

    assert [each.subject for each in office.told()] == ["sos-1"]
    assert office.standing() == []


def test_a_note_that_cannot_be_written_is_said_and_written_when_the_store_is_back(office):
    office.audit.startService()
    office.lose_keys()
    with capture_logs() as said:
        office.audit.note("112 by token", SAW_POSITION, "sos-1", "asked")
        office.audit.note("112 by token", SAW_POSITION, "sos-2", "asked")
    assert [line["waiting_count"] for line in said if line["event"] == "look not audited"] == [1, 2]
    assert office.standing() == [AUDIT_ALARM]
    assert "sos-" not in str(said)

    office.ring = keys()
    office.clock.advance(EVERY_S)

    assert [each.subject for each in office.told()] == ["sos-1", "sos-2"]
    assert office.told()[0].at == NOON, "the time of the look, not of the entry"
    office.clock.advance(HOLD_S)
    assert office.standing() == []


def test_notes_take_a_bounded_memory_and_the_lost_are_counted(office):
    office.runner.hold()
    with capture_logs() as said:
        for index in range(MOST_WAITING + 3):
            office.audit.note("112 by token", SAW_POSITION, f"sos-{index}", "asked")

    assert [line["lost_count"] for line in said if line["event"] == "look not audited"] == [1, 2, 3]


def test_the_log_names_the_head_at_start_and_then_every_entry_of_any_writer(office):
    def write(index):
        with office.engines[0].connect() as connection, one_transaction(connection):
            return append(connection, Looked("kim", SAW_PERSON, "+821012345678", f"letter {index}", NOON))

    earlier = [write(index) for index in range(3)]
    with capture_logs() as said:
        office.audit.startService()
        later = [write(index) for index in range(AT_ONCE + 20)]
        office.clock.advance(EVERY_S)

    named = [line for line in said if line["event"] == "audited"]
    assert [(line["audit_entry"], line["digest"]) for line in named] == [
        (each.number, short_form(each.digest)) for each in [earlier[-1], *later]
    ]
    assert {line["what"] for line in named} == {SAW_PERSON}
    assert "letter" not in str(said)
    assert "12345678" not in str(said)


def test_the_log_names_all_entries_of_a_chain_that_was_empty_at_start(office):
    with capture_logs() as said:
        office.audit.startService()
        for index in range(3):
            now(office.audit.looked("kim", SAW_PERSON, "+821012345678", f"letter {index}"))
        office.clock.advance(EVERY_S)

    assert [line["audit_entry"] for line in said if line["event"] == "audited"] == [1, 2, 3]


def test_stopping_writes_what_waits_and_names_it(office):
    office.audit.startService()
    with capture_logs() as said:
        office.runner.hold()
        office.audit.note("112 by token", SAW_POSITION, "sos-1", "asked")
        office.runner.release()
        result_of(office.audit.stopService())

    assert [line["event"] for line in said] == ["audited"]
    assert not office.clock.getDelayedCalls()


def test_stopping_during_a_round_names_nothing_twice(office):
    now(office.audit.looked("lee", "incident shown", "sos-1", "on duty"))
    with capture_logs() as said:
        office.database._reader.hold()
        office.audit.startService()
        stopped = office.audit.stopService()
        office.database._reader.release()

    assert result_of(stopped) is None
    assert [line["event"] for line in said] == ["audited"]


def test_stopping_waits_a_moment_and_not_longer_and_says_what_stays_unwritten(office):
    office.audit.startService()
    office.audit.note("112 by token", SAW_POSITION, "sos-0", "asked")
    office.runner.hold()
    office.audit.note("112 by token", SAW_POSITION, "sos-1", "asked")
    office.audit.note("112 by token", SAW_POSITION, "sos-2", "asked")
    with capture_logs() as said:
        stopped = office.audit.stopService()
        office.clock.advance(STOP_WITHIN_S)

    assert stopped.called
    assert [line["lost_count"] for line in said if line["log_level"] == "critical"] == [2]


def test_the_first_read_of_a_position_is_an_entry_and_those_of_a_minute_are_one(office):
    reads = PositionReads(office.audit, office.clock)

    for _ in range(5):
        reads.saw("sos-1")
    reads.saw("sos-2")
    assert [each.subject for each in office.told()] == ["sos-1", "sos-2"]
    office.clock.advance(TOGETHER_S)
    assert office.told()[2].why == "asked by the location URL, 4 times since the entry before"
    assert len(office.told()) == 3

    office.clock.advance(TOGETHER_S)
    reads.saw("sos-1")
    reads.saw("sos-1")
    assert len(office.told()) == 4
    reads.stop()

    assert [each.subject for each in office.told()] == ["sos-1", "sos-2", "sos-1", "sos-1", "sos-1"]
    assert not office.clock.getDelayedCalls()
