"""The journal first: a receipt once a press is in it, the store behind it exactly, and 112 told at once when that takes long."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Connection, Engine, insert
from structlog.testing import capture_logs

from telephony.domain.delivery import Retry
from telephony.domain.errors import Unavailable
from telephony.domain.incident import Join, Receipt
from telephony.domain.trigger import Repetition, Trigger
from telephony.domain.values import Msisdn
from telephony.journal.bounds import Bounds
from telephony.journal.journal import Journal
from telephony.journal.refused import RefusedPresses
from telephony.services.spine.intake import Intake
from telephony.services.spine.taking_up import REFUSED_RETRIED_S, RETRIED_S, TakingUp
from telephony.services.spine.told import Told
from telephony.store.database import LARGEST_GROUP
from telephony.store.incidents import open_incidents
from telephony.store.journal_position import JournalPosition, position_of, put
from telephony.store.line_file import LineFile
from telephony.store.schema import journal_position
from telephony.store.times import to_us
from tests.awaiting import is_waiting, result_of
from tests.doubles import NOON, Inline, keys, press
from tests.services.spine.test_intake import BUDGET_S, LEE, POISON, House, receipt_of

JOURNAL_BUDGET_S = 0.5
KIM = "821033333333"
OF_PRESSES = ("delivery", "press", "incident")


class JournalHouse(House):
    """A house with a journal; `die` is a SIGKILL, after which another process starts on the same files and store."""

    def __init__(self, engines: tuple[Engine, Engine], folder: Path) -> None:
        self.folder = folder
        self.taking_up: TakingUp | None = None
        self.told_before: list[Told] = []
        super().__init__(engines)

    def new_intake(self) -> Intake:
        super().new_intake()
        self.disk, self.maker, self.refused_disk = Inline(), Inline(), Inline()
        self.journal = Journal(
            self.folder,
            keys=keys,
            runner=self.disk,
            maker=self.maker,
            clock=self.clock,
            alarms=self.alarms,
            bounds=Bounds(4 << 20, JOURNAL_BUDGET_S, 64 << 10),
        )
        self.refused = RefusedPresses(
            LineFile(self.folder / "refused"), keys=keys, runner=self.refused_disk, clock=self.clock
        )
        self.taking_up = TakingUp(
            self.journal,
            self.refused,
            self.database,
            self.recording,
            self.telling,
            told=self.told,
            clock=self.clock,
            budget_s=BUDGET_S,
        )
        self.refused.load()
        self.told.learn(self.told_before)
        self.taking_up.resume(self.journal.load())
        self.telling.resume()
        self.taking_up.start()
        return Intake(
            self.database,
            self.recording,
            self.telling,
            callers=self.callers,
            clock=self.clock,
            budget_s=BUDGET_S,
            taking_up=self.taking_up,
        )

    def die(
        self, *, keeps_what_was_told: bool = True, store_reads: bool = True, store_writes: bool = True
    ) -> None:
        """Go on as another process, which knows what the files say."""
        assert self.taking_up is not None
        self.taking_up.stop()
        self.told_before = self.told.standing() if keeps_what_was_told else []
        self.open()
        self.reader = cast("Inline", self.database._reader)
        if not store_reads:
            self.reader.hold()
        if not store_writes:
            self.writer.hold()
        self.intake = self.new_intake()

    def accept(self, *triggers: Trigger) -> list[Receipt | Unavailable]:
        answers = super().accept(*triggers)
        self.clock.advance(0)
        return answers

    def position(self) -> JournalPosition | None:
        return result_of(self.database.read(position_of, self.journal.id))

    def presses(self) -> list[str]:
        return [row["reference"] for row in self.ledger.rows("press")]

    def told_directly(self) -> list[str]:
        return [report.msisdn.number for report in self.direct.reports]


@pytest.fixture
def house(engines: tuple[Engine, Engine], tmp_path: Path) -> Iterator[JournalHouse]:
    house = JournalHouse(engines, tmp_path / "journal")
    yield house
    if not house.writer.held:
        assert house.relay._traffic._presses_waiting == 0
        assert {loop._reserved for loop in house.relay._loops.values()} == {0}


def callers(count: int) -> list[str]:
    return [f"8210{number:08d}" for number in range(count)]


# -- all is well ----------------------------------------------------------------------------------------------------


def test_a_receipt_comes_once_the_press_is_in_the_journal_and_before_the_store_has_it(house: JournalHouse):
    house.disk.hold()
    house.writer.hold()
    answered = house.intake.accept_all([press()])
    assert is_waiting(answered)

    house.disk.release()

    (receipt,) = result_of(answered)
    assert receipt_of(receipt).joined is None
    assert house.ledger.rows("incident") == []
    house.clock.advance(0)
    house.writer.release()
    assert [row["id"] for row in house.ledger.rows("incident")] == [receipt.incident_id]


def test_silence_holds_for_a_phone_from_its_receipt_on_and_not_only_once_the_store_has_its_press(
    house: JournalHouse,
):
    hers = press().msisdn
    house.writer.hold()
    house.accept(press(), press(POISON), press(reference="again"))
    assert house.callers.is_ahead_of_the_store(hers)
    house.die(store_writes=False)
    assert house.callers.is_ahead_of_the_store(hers)
    assert not house.callers.is_ahead_of_the_store(press(LEE).msisdn)

    house.writer.release()
    house.clock.advance(60)

    assert len(house.presses()) == 2
    assert house.callers._on_the_way == {}


def test_112_is_told_by_the_store_s_own_delivery_and_by_nothing_else(house: JournalHouse):
    (receipt,) = house.accept(press())

    (report,) = house.centre.reports
    assert report.incident_id == receipt_of(receipt).incident_id
    assert house.direct.reports == []
    assert house.position() == JournalPosition(1, is_ours=True)


def test_presses_reach_the_store_in_the_order_of_the_journal(house: JournalHouse):
    house.writer.hold()
    house.intake.accept_all([press(reference="first")])
    house.clock.advance(0)
    house.intake.accept_all([press(reference="second"), press(reference="third")])
    house.intake.accept_all([press(reference="fourth")])
    house.clock.advance(0)
    house.writer.release()

    rows = house.ledger.rows("press")
    assert sorted((row["number"], row["reference"]) for row in rows) == [
        (1, "first"), (2, "second"), (3, "third"), (4, "fourth"),
    ]  # fmt: skip
    assert house.position() == JournalPosition(4, is_ours=True)


def test_a_call_is_recorded_past_the_journal_and_its_receipt_names_the_incident_it_joined(
    house: JournalHouse,
):
    (sms,) = house.accept(press())

    (call,) = result_of(house.intake.record_all([press(source="call", reference="voice-1/1")]))

    assert receipt_of(call) == Receipt(receipt_of(sms).incident_id, Join.OTHER_WAY)
    assert house.position() == JournalPosition(1, is_ours=True)


# -- the store is late, or fails -------------------------------------------------------------------------------------


def test_a_store_that_fails_costs_no_receipt_and_112_is_told_directly_once(house: JournalHouse):
    house.recorder.failure = Unavailable("store: disk full")

    with capture_logs() as said:
        answers = house.accept(press(), press(LEE))
        house.clock.pump([RETRIED_S] * 10)

    assert all(isinstance(answer, Receipt) for answer in answers)
    assert house.told_directly() == [press().msisdn.number, LEE]
    assert house.store_alarm
    events = [line["event"] for line in said]
    assert events.count("press in the journal alone, relayed directly") == 2


def test_the_store_opens_the_very_incident_that_112_was_told_of_and_tells_nothing_again(house: JournalHouse):
    house.recorder.failure = Unavailable("store: disk full")
    (receipt,) = house.accept(press())
    house.clock.advance(90)

    house.recorder.failure = None
    house.clock.advance(RETRIED_S)

    (told,) = house.direct.reports
    (row,) = house.ledger.rows("incident")
    assert row["id"] == told.incident_id == receipt_of(receipt).incident_id
    assert house.centre.reports == []
    rows = house.ledger.rows("delivery")
    assert {row["channel"]: row["state"] for row in rows} == {"seoul": "delivered", "locate:skt": "pending"}


def test_what_112_has_not_acknowledged_by_then_the_store_tells_in_the_same_words(house: JournalHouse):
    house.direct.answer = Retry("connection lost")
    house.recorder.failure = Unavailable("store: disk full")
    house.accept(press())
    house.recorder.failure = None
    house.clock.advance(RETRIED_S)
    house.clock.advance(60)

    told, again = house.direct.reports[0], house.centre.reports[0]
    assert again == told


def test_a_store_that_hangs_lets_no_press_wait_for_112_longer_than_the_budget(house: JournalHouse):
    house.writer.hold()
    house.accept(press())
    house.clock.advance(BUDGET_S - 0.1)
    house.accept(press(LEE))
    assert house.told_directly() == []

    house.clock.advance(0.1)

    # The second has waited a moment only, but behind the first it would wait as long.
    assert house.told_directly() == [press().msisdn.number, LEE]
    house.accept(press(KIM))
    assert house.told_directly() == [press().msisdn.number, LEE, KIM]


def test_what_a_store_that_hung_has_committed_after_all_is_told_once(house: JournalHouse):
    house.writer.hold()
    house.accept(press())
    house.clock.advance(BUDGET_S)
    house.accept(press(LEE))

    house.writer.release()
    house.clock.advance(60)

    assert sorted(house.presses()) == [f"ref-{press().msisdn.number}", f"ref-{LEE}"]
    assert house.told_directly() == [press().msisdn.number, LEE]
    assert house.centre.reports == []
    house.accept(press(KIM))
    assert house.told_directly() == [press().msisdn.number, LEE]
    assert [report.msisdn.number for report in house.centre.reports] == [KIM]


def test_a_store_that_was_put_away_gets_all_that_is_owed_as_soon_as_it_is_back(house: JournalHouse):
    house.database.put_away("it is elsewhere")
    house.accept(*[press(caller) for caller in callers(30)])
    assert len(house.told_directly()) == 30
    house.database.bring_back()

    assert house.taking_up is not None
    house.taking_up.store_is_back()

    assert [row["msisdn"] for row in house.ledger.rows("incident")] == callers(30)
    assert house.taking_up.owed_count == 0


def test_a_further_press_of_an_outage_is_told_as_an_update_and_counted_once(house: JournalHouse):
    house.recorder.failure = Unavailable("store: disk full")
    house.accept(press(reference="first"))
    house.accept(press(reference="second"))
    house.recorder.failure = None
    house.clock.advance(RETRIED_S)

    assert [report.kind for report in house.direct.reports] == ["alert", "update"]
    (row,) = house.ledger.rows("incident")
    assert row["press_count"] == 2
    assert {report.incident_id for report in house.direct.reports} == {row["id"]}


def test_the_same_key_again_during_an_outage_brought_by_the_carrier_again_is_told_once(house: JournalHouse):
    """Its answer was lost on the way: the SMSC delivers it once more, by another bind."""
    house.recorder.failure = Unavailable("store: disk full")
    house.accept(press())
    house.accept(press(connector="skt-2"))
    house.recorder.failure = None
    house.clock.advance(RETRIED_S)

    assert house.told_directly() == [press().msisdn.number]
    (row,) = house.ledger.rows("press")
    assert (row["reference"], row["seen"]) == (f"ref-{press().msisdn.number}", 2)


def test_a_press_that_the_store_refuses_for_what_it_is_holds_up_none_behind_it(house: JournalHouse):
    house.accept(press(), press(POISON), press(LEE), press(KIM))

    numbers = {row["msisdn"] for row in house.ledger.rows("incident")}
    assert numbers == {press().msisdn.number, LEE, KIM}
    assert house.told_directly() == [POISON]
    assert house.position() == JournalPosition(4, is_ours=True)


def test_a_refused_press_is_offered_again_and_taken_when_the_store_can(house: JournalHouse):
    house.accept(press(POISON))
    assert house.ledger.rows("incident") == []
    (told,) = house.direct.reports
    house.die()
    house.recorder.takes_poison = True
    house.clock.advance(REFUSED_RETRIED_S)

    (row,) = house.ledger.rows("incident")
    assert row["id"] == told.incident_id
    assert house.refused.standing() == []
    house.die()
    assert house.refused.standing() == []


# -- the journal fails ---------------------------------------------------------------------------------------------------


def test_a_journal_that_fails_leaves_the_press_to_the_store(house: JournalHouse, monkeypatch: Any):
    def fails(*_: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fdatasync", fails)
    (receipt,) = house.accept(press())

    assert receipt_of(receipt).joined is Join.FIRST
    assert house.position() == JournalPosition(1, is_ours=True)
    assert [alarm.name for alarm in house.alarms.standing()] == ["journal-failing"]
    assert house.direct.reports == []


def test_a_journal_and_a_store_that_both_hang_tell_112_within_both_budgets(house: JournalHouse):
    house.disk.hold()
    house.writer.hold()
    answered = house.intake.accept_all([press()])
    house.clock.advance(JOURNAL_BUDGET_S)
    house.clock.advance(BUDGET_S)

    assert isinstance(result_of(answered)[0], Unavailable)
    assert house.told_directly() == [press().msisdn.number]
    house.intake.accept_all([press(LEE)])
    assert house.told_directly() == [press().msisdn.number, LEE]


def test_a_press_that_came_too_late_into_the_journal_and_was_recorded_is_not_taken_up_again_after_a_death(
    house: JournalHouse,
):
    house.disk.hold()
    answered = house.intake.accept_all([press()])
    house.clock.advance(JOURNAL_BUDGET_S)
    assert receipt_of(result_of(answered)[0]).joined is Join.FIRST
    house.disk.release()

    house.die()

    assert [row["seen"] for row in house.ledger.rows("press")] == [1]
    assert house.taking_up is not None
    assert house.taking_up.owed_count == 0


def test_a_press_that_cannot_be_written_into_the_journal_waits_for_the_store_and_no_other_does(
    house: JournalHouse,
):
    house.writer.hold()
    answers: list[Any] = []
    house.intake.accept_all([press(), press(LEE, raw=bytes(300_000))]).addCallback(answers.extend)
    house.clock.advance(0)
    assert answers == []
    house.writer.release()

    kept, recorded = answers
    assert (kept.joined, recorded.joined) == (None, Join.FIRST)


def test_what_was_refused_and_recorded_after_all_is_told_in_the_same_words_until_its_sender_is_answered(
    house: JournalHouse,
):
    house.disk.hold()
    house.writer.hold()
    house.intake.accept_all([press()])
    house.clock.advance(JOURNAL_BUDGET_S)
    house.clock.advance(BUDGET_S)
    house.writer.release_one()
    house.clock.advance(1)
    house.intake.accept_all([house.now(press())])
    house.clock.advance(BUDGET_S)

    assert len({report.report_id for report in house.direct.reports}) == 1
    house.disk.release()
    house.writer.release()
    (row,) = house.ledger.rows("press")
    assert row["seen"] == 1


def test_a_press_that_is_refused_again_and_again_is_owed_once_and_told_once(house: JournalHouse):
    house.disk.hold()
    house.database.put_away("it is elsewhere")
    for _ in range(20):
        house.intake.accept_all([house.now(press())])
        house.clock.advance(JOURNAL_BUDGET_S)

    assert house.told_directly() == [press().msisdn.number]
    house.disk.release()
    house.database.bring_back()
    assert house.taking_up is not None
    house.taking_up.store_is_back()
    assert house.taking_up.owed_count == 0
    (receipt,) = house.accept(house.now(press()))

    assert isinstance(receipt, Receipt)
    assert [row["seen"] for row in house.ledger.rows("press")] == [1]
    assert house.told_directly() == [press().msisdn.number]
    assert house.centre.reports == []


# -- deaths ---------------------------------------------------------------------------------------------------------------


def test_what_was_in_the_journal_alone_is_recorded_by_the_next_process(house: JournalHouse):
    house.writer.hold()
    (receipt,) = house.accept(press())

    house.die()

    (row,) = house.ledger.rows("incident")
    assert row["id"] == receipt_of(receipt).incident_id
    assert [report.incident_id for report in house.centre.reports] == [row["id"]]


def test_a_death_between_the_commit_and_the_news_of_it_records_nothing_twice(house: JournalHouse):
    house.writer.hold()
    house.accept(press(), press(reference="words", repetition=Repetition.UNKNOWN))
    ((work, _),) = house.writer.held or []
    work()

    house.die()

    assert [row["seen"] for row in house.ledger.rows("press")] == [1, 1]
    assert house.position() == JournalPosition(2, is_ours=True)
    assert house.taking_up is not None
    assert house.taking_up.owed_count == 0


def test_what_the_store_had_before_a_death_is_told_in_the_same_words_when_it_hangs_at_the_start(
    house: JournalHouse,
):
    """It is not known yet that the store has it: an earlier life recorded and told it, and could not write that down."""
    house.writer.hold()
    house.accept(press())
    ((work, _),) = house.writer.held or []
    work()
    house.die(store_reads=False)
    with house.engines[1].connect() as connection:
        house.intake.remember(open_incidents(connection, NOON - timedelta(hours=1)))
    house.clock.advance(BUDGET_S)
    assert house.told_directly() == [press().msisdn.number]

    house.reader.release()
    house.clock.advance(60)

    (told,) = house.direct.reports
    assert set(house.centre.reports) <= {told}
    assert told.report_id == f"{told.incident_id}-1"
    assert told.kind == "alert"
    assert len(house.ledger.rows("incident")) == 1


def test_a_store_that_is_busy_with_what_a_death_has_left_is_let_go_on_and_new_presses_are_told_in_time(
    house: JournalHouse,
):
    house.writer.hold()
    house.accept(*[press(caller) for caller in callers(2 * LARGEST_GROUP)])
    house.die(store_writes=False)
    house.clock.advance(BUDGET_S / 2)
    house.accept(press(LEE))
    house.clock.advance(BUDGET_S / 4)
    house.writer.release_one()
    house.clock.advance(BUDGET_S / 2)
    assert house.told_directly() == []

    house.clock.advance(BUDGET_S / 4)
    assert house.told_directly() == [LEE]
    house.clock.advance(BUDGET_S / 4)
    house.writer.release()

    assert house.told_directly() == [LEE]
    assert len(house.ledger.rows("incident")) == 2 * LARGEST_GROUP + 1


def test_a_caller_of_whom_a_death_has_left_a_press_is_told_under_that_incident(house: JournalHouse):
    """Its sender was not answered and brings it again, under a name of its own: the SMSC gives none."""
    house.writer.hold()
    left = [press(caller) for caller in callers(LARGEST_GROUP)]
    (*_, receipt) = house.accept(*left, press(reference="before", repetition=Repetition.UNKNOWN))
    house.die(store_writes=False)
    house.accept(press(reference="after", repetition=Repetition.UNKNOWN))
    house.clock.advance(BUDGET_S - 0.1)
    house.writer.release_one()

    house.clock.advance(0.1)
    house.writer.release()

    assert {report.incident_id for report in house.direct.reports} == {receipt_of(receipt).incident_id}
    (alert, *_) = house.direct.reports
    assert (alert.kind, alert.report_id) == ("alert", f"{alert.incident_id}-1")
    rows = [row for row in house.ledger.rows("incident") if row["msisdn"] == press().msisdn.number]
    assert [row["id"] for row in rows] == [alert.incident_id]


def test_what_112_was_told_before_a_death_is_not_told_again_after_it(house: JournalHouse):
    house.recorder.failure = Unavailable("store: disk full")
    (receipt,) = house.accept(press())
    house.recorder.failure = None

    house.die()

    (row,) = house.ledger.rows("incident")
    assert row["id"] == receipt_of(receipt).incident_id
    assert len(house.direct.reports) == 1
    assert house.centre.reports == []


def test_a_new_press_of_the_same_words_after_such_a_death_is_a_press_of_its_own(house: JournalHouse):
    """Its sender was answered before: this is no redelivery of what 112 was told of past the store."""
    house.recorder.failure = Unavailable("store: disk full")
    house.accept(press(reference="words", repetition=Repetition.UNKNOWN))
    house.die()
    house.clock.advance(30)

    second = house.now(press(reference="words@2", repetition=Repetition.UNKNOWN))
    house.accept(second)

    assert [report.kind for report in house.direct.reports] == ["alert", "update"]
    house.recorder.failure = None
    house.clock.advance(RETRIED_S)
    assert [row["press_count"] for row in house.ledger.rows("incident")] == [2]


def test_a_death_with_the_store_away_and_the_told_file_lost_still_opens_the_same_incident(
    house: JournalHouse,
):
    house.recorder.failure = Unavailable("store: disk full")
    (receipt,) = house.accept(press())
    house.die(keeps_what_was_told=False)
    house.recorder.failure = None
    house.clock.advance(RETRIED_S)

    assert [row["id"] for row in house.ledger.rows("incident")] == [receipt_of(receipt).incident_id]
    assert {report.incident_id for report in house.direct.reports} == {receipt_of(receipt).incident_id}


def test_commits_that_a_primary_took_with_it_are_made_again_from_the_journal(house: JournalHouse):
    house.accept(press(), press(LEE))
    house.accept(press(KIM))
    house.ledger.lose(*OF_PRESSES)
    result_of(house.database.transact(put, house.journal.id, 0))

    house.accept(press("821055555555"))
    house.clock.advance(RETRIED_S)

    numbers = [row["msisdn"] for row in house.ledger.rows("incident")]
    assert numbers == [press().msisdn.number, LEE, KIM, "821055555555"]


def test_a_position_that_another_hand_has_set_ahead_loses_no_press(house: JournalHouse):
    house.writer.hold()
    house.accept(press())
    forged = {"journal": house.journal.id, "number": 1_000, "bound": bytes(20)}
    house.ledger.transact(Connection.execute, insert(journal_position).values(**forged))

    house.die()

    assert [row["msisdn"] for row in house.ledger.rows("incident")] == [press().msisdn.number]
    assert house.position() == JournalPosition(1, is_ours=True)


def test_a_journal_that_is_brought_back_older_than_the_store_loses_no_new_press(house: JournalHouse):
    copy = shutil.copytree(house.folder, house.folder.with_name("copy"))
    house.accept(press(), press(LEE))
    shutil.rmtree(house.folder)
    copy.rename(house.folder)
    house.recorder.failure = Unavailable("store: away")
    house.database.put_away("it is away")
    assert house.taking_up is not None
    house.taking_up.stop()
    house.journal.stop()
    house.open()
    house.database.put_away("it is away")
    house.intake = house.new_intake()
    house.accept(press(KIM))
    house.recorder.failure = None
    house.database.bring_back()
    house.taking_up.store_is_back()

    assert [row["msisdn"] for row in house.ledger.rows("incident")] == [press().msisdn.number, LEE, KIM]
    house.die()
    assert house.taking_up.owed_count == 0
    assert house.position() == JournalPosition(3, is_ours=True)


def test_a_fresh_store_after_a_damaged_one_gets_what_was_owed_and_no_more(house: JournalHouse):
    house.accept(press())
    house.recorder.failure = Unavailable("store: database disk image is malformed")
    house.accept(press(LEE))
    house.recorder.failure = None
    house.ledger.lose(*OF_PRESSES, "journal_position")

    assert house.taking_up is not None
    house.taking_up.store_is_back()

    assert [row["msisdn"] for row in house.ledger.rows("incident")] == [LEE]
    assert house.position() == JournalPosition(2, is_ours=True)


def test_two_withheld_callers_of_an_outage_are_two(house: JournalHouse):
    house.recorder.failure = Unavailable("store: disk full")
    withheld = Msisdn("", is_e164=False)
    house.accept(*(press(msisdn=withheld, reference=each) for each in ("w", "w@1")))
    house.recorder.failure = None
    house.clock.advance(RETRIED_S)

    assert len(house.ledger.rows("incident")) == 2
    assert len({report.incident_id for report in house.direct.reports}) == 2


def test_a_press_dated_by_a_clock_that_was_set_back_keeps_its_time_through_a_death(house: JournalHouse):
    house.recorder.failure = Unavailable("store: disk full")
    pressed = replace(press(), received_at=press().received_at - timedelta(seconds=3))
    house.accept(pressed)
    house.die()
    house.recorder.failure = None
    house.clock.advance(RETRIED_S)

    (row,) = house.ledger.rows("press")
    assert row["received_at"] == to_us(pressed.received_at)
