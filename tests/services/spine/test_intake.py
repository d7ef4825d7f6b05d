"""The one door for presses: a receipt means that the press is on disk, anything else that 112 was told directly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import psycopg.errors
import pytest
from sqlalchemy import Connection, Engine
from structlog.testing import capture_logs
from twisted.internet import task

from telephony.alarms import HOLD_S, Alarms
from telephony.domain.delivery import Delivered, Errand, Retry
from telephony.domain.errors import Unavailable
from telephony.domain.incident import Join, Receipt
from telephony.domain.own_lines import hash_of
from telephony.domain.report import Report
from telephony.domain.trigger import Repetition, Trigger
from telephony.domain.values import Msisdn
from telephony.services.spine.direct import DirectRelay, PastTheStore
from telephony.services.spine.incident_names import IncidentNames
from telephony.services.spine.intake import Intake
from telephony.services.spine.open_callers import KnownCallers
from telephony.services.spine.recording import TOLD_ONE_BY_ONE, Recording
from telephony.services.spine.relay import Relay
from telephony.services.spine.reporting import ReportChannel, first_report
from telephony.services.spine.telling import CONTENDED_ALARM, CONTENDED_ALARM_S, STORE_ALARM, Telling
from telephony.services.spine.told import KEPT_S, ToldReports
from telephony.services.spine.told_file import ToldKeeping
from telephony.services.spine.traffic import Lane, Traffic
from telephony.store.line_file import LineFile
from telephony.store.presses import NewPress, PressRecorder, Recorded, Rules
from tests.awaiting import failure_of, is_waiting, result_of
from tests.doubles import NOON, ONE_CENTRE, Inline, Sender, database, keys, press
from tests.store.ledger import NOON_S, Ledger, call_fact

BUDGET_S = 2.0
LEE = "821022222222"
POISON = "821066666666"


class Recorder:
    """The real recorder, before which a test may put an obstacle."""

    def __init__(self) -> None:
        self._inner = PressRecorder(Rules(ONE_CENTRE, "me", {}))
        self.failure: Exception | None = None
        self.refuses_from_connector = ""
        self.takes_poison = False

    def __call__(self, connection: Connection, items: Sequence[NewPress]) -> list[Recorded]:
        if self.failure is not None:
            raise self.failure
        if any(item.trigger.connector == self.refuses_from_connector for item in items):
            raise Unavailable("store: disk full")
        if not self.takes_poison and any(item.trigger.msisdn.number == POISON for item in items):
            raise ValueError("poison")
        return self._inner(connection, items)


class Errands:
    """A location service that hangs, as it may: 112 never waits for it."""

    def __init__(self) -> None:
        self.deliveries: list[Any] = []

    async def deliver(self, delivery: Any) -> Retry:
        self.deliveries.append(delivery)
        return Retry("no position", 3600.0)


class House:
    def __init__(self, engines: tuple[Engine, Engine]) -> None:
        self.engines = engines
        self.clock = task.Clock()
        self.clock.advance(NOON_S)
        self.alarms = Alarms(self.clock)
        self.ledger = Ledger(engines[0])
        self.centre, self.direct = Sender(), Sender()
        self.errands = Errands()
        self.recorder = Recorder()
        self.told = ToldReports(b"key", clock=self.clock)
        self.open()
        self.intake = self.new_intake()

    def open(self) -> None:
        """Open the store, and make what sends from it."""
        self.writer = Inline()
        self.database = database(*self.engines, self.writer, self.clock)
        self.channel = ReportChannel(self.centre, self.told)
        lanes = [
            Lane("seoul", self.channel, 4, 15.0, rank=0),
            Lane("locate:skt", self.errands, 4, 15.0, rank=1),
        ]
        self.relay = Relay(
            lanes,
            self.database,
            clock=self.clock,
            owner="me",
            alarms=self.alarms,
            poll_s=1000.0,
            traffic=Traffic(self.clock),
            past_the_store=lambda report, channel: None,
        )

    def new_intake(self) -> Intake:
        """As after a restart that has lost its files: nothing is remembered but the store and the key."""
        self.told = self.channel._told = ToldReports(b"key", clock=self.clock)
        self.callers = KnownCallers(self.clock, partial(hash_of, key=b"key"))
        self.direct_relay = DirectRelay({"seoul": self.direct}, clock=self.clock, told=self.told)
        names = IncidentNames(b"key", timezone(timedelta(hours=9)))
        self.recording = Recording(
            self.database,
            self.recorder,  # type: ignore[arg-type]
            self.relay,
            told=self.told,
            callers=self.callers,
            names=names,
            plan=ONE_CENTRE,
            clock=self.clock,
            alarms=self.alarms,
        )
        self.telling = Telling(
            self.direct_relay,
            told=self.told,
            callers=self.callers,
            names=names,
            plan=ONE_CENTRE,
            alarms=self.alarms,
        )
        return Intake(
            self.database,
            self.recording,
            self.telling,
            callers=self.callers,
            clock=self.clock,
            budget_s=BUDGET_S,
        )

    def new_intake_that_remembers_what_was_told(self) -> Intake:
        """As after a restart after which it is long unknown whose incidents are open."""
        told = self.told
        intake = self.new_intake()
        self.recording._told = self.telling._told = self.direct_relay._told = told
        self.told = self.channel._told = told
        return intake

    def accept(self, *triggers: Trigger) -> list[Receipt | Unavailable]:
        answers: list[Receipt | Unavailable] = result_of(self.intake.accept_all(triggers))
        return answers

    def now(self, trigger: Trigger) -> Trigger:
        return replace(trigger, received_at=NOON + timedelta(seconds=self.clock.seconds() - NOON_S))

    @property
    def store_alarm(self) -> bool:
        return STORE_ALARM in [alarm.name for alarm in self.alarms.standing()]


@pytest.fixture
def house(engines: tuple[Engine, Engine]) -> Iterator[House]:
    house = House(engines)
    yield house
    # Whatever a press came to, the counts that hold other work back are even again.
    if not house.writer.held:
        assert house.relay._traffic._presses_waiting == 0
        assert {loop._reserved for loop in house.relay._loops.values()} == {0}


def receipt_of(answer: Receipt | Unavailable) -> Receipt:
    assert isinstance(answer, Receipt)
    return answer


# -- accepted ------------------------------------------------------------------------------------------------------


def test_a_receipt_comes_only_after_the_commit(house: House):
    house.writer.hold()
    answered = house.intake.accept_all([press()])
    assert is_waiting(answered)
    assert house.centre.reports == []

    house.writer.release()

    (receipt,) = result_of(answered)
    assert receipt.joined == Join.FIRST
    assert [row["id"] for row in house.ledger.rows("incident")] == [receipt.incident_id]


def test_112_is_told_at_once_and_without_another_look_into_the_store(house: House):
    (receipt,) = house.accept(press())

    (report,) = house.centre.reports
    assert report.incident_id == receipt_of(receipt).incident_id
    assert report.texts == ("SOS",)
    assert house.direct.reports == []


def test_the_phone_is_looked_for_at_once(house: House):
    house.accept(press())

    (errand,) = house.errands.deliveries
    assert errand.content == Errand(press().msisdn, "skt", NOON)


def test_one_press_alone_is_accepted_or_raises(house: House):
    assert isinstance(result_of(house.intake.accept(press())), Receipt)
    house.recorder.failure = Unavailable("store: disk full")

    assert isinstance(failure_of(house.intake.accept(press(LEE))), Unavailable)


def test_presses_of_one_read_are_answered_each_and_in_order(house: House):
    callers = [f"8210{number:08d}" for number in range(20)]

    answers = house.accept(*[press(caller) for caller in callers])

    by_id = {row["id"]: row["msisdn"] for row in house.ledger.rows("incident")}
    assert [by_id[receipt_of(answer).incident_id] for answer in answers] == callers


def test_no_press_at_all_is_no_trouble(house: House):
    assert house.accept() == []


def test_a_redelivery_gets_the_same_receipt_and_tells_nobody_anything(house: House):
    (first,) = house.accept(press())
    house.clock.advance(30)

    (again,) = house.accept(house.now(press(connector="skt-2")))

    assert receipt_of(again) == Receipt(receipt_of(first).incident_id, Join.REDELIVERED)
    assert len(house.centre.reports) == 1


def test_another_press_of_the_caller_is_told_as_an_update_at_once(house: House):
    house.accept(press())

    (second,) = house.accept(press(reference="other", text="help"))

    assert receipt_of(second).joined == Join.REPEAT
    assert [report.kind for report in house.centre.reports] == ["alert", "update"]
    assert house.centre.reports[1].texts == ("SOS", "help")


def test_what_may_be_a_redelivery_is_told_as_seen_again(house: House):
    (first,) = house.accept(press(repetition=Repetition.UNKNOWN))
    house.clock.advance(30)

    (again,) = house.accept(house.now(press(repetition=Repetition.DOUBTFUL)))

    assert receipt_of(again) == Receipt(receipt_of(first).incident_id, Join.SEEN_AGAIN)
    assert [report.kind for report in house.centre.reports] == ["alert", "update"]
    assert house.centre.reports[1].press_count == 1
    assert house.centre.reports[1].seen_again_at == house.now(press()).received_at


def test_two_withheld_callers_with_the_same_words_are_two(house: House):
    one, other = (
        press("", reference=reference, msisdn=Msisdn("", is_e164=False)) for reference in ("w", "w@1.2")
    )

    answers = house.accept(one, other)

    assert len({receipt_of(answer).incident_id for answer in answers}) == 2
    assert [report.kind for report in house.centre.reports] == ["alert", "alert"]


@pytest.mark.parametrize("shown", ["1366", "alice", "02"])
def test_two_calls_with_the_same_word_or_short_number_in_the_place_of_a_number_are_two_callers(
    house: House, shown: str
):
    one, other, again = (
        press("", source="call", reference=reference, msisdn=Msisdn(shown, is_e164=False))
        for reference in ("1", "2", "1")
    )

    answers = [receipt_of(answer) for answer in house.accept(one, other, again)]

    assert answers[0].incident_id != answers[1].incident_id
    assert answers[0].incident_id == answers[2].incident_id


def test_another_press_while_the_alert_is_on_its_way_follows_it_at_once(house: House):
    """Not at the next poll: nothing else would wake for it."""
    house.centre.answer = None
    house.accept(press())
    house.accept(press(reference="other", text="help"))
    assert [report.kind for report in house.centre.reports] == ["alert"]

    house.centre.answer = Delivered()
    house.centre.waiting[0].callback(Delivered())

    assert [report.kind for report in house.centre.reports] == ["alert", "update"]


def test_a_repeat_in_the_very_read_that_opened_the_incident_is_told_too(house: House):
    house.accept(press(), press(reference="other", text="help"))

    assert [report.kind for report in house.centre.reports] == ["alert", "update"]


def test_more_presses_than_there_is_room_for_are_all_told(house: House):
    house.accept(*[press(f"8210{number:08d}") for number in range(50)])
    house.clock.pump([0.005] * 100)  # at the pace that a flood leaves to it

    assert len({report.incident_id for report in house.centre.reports}) == 50


def test_a_way_in_that_has_named_the_incident_already_is_taken_at_its_word(house: House):
    """The INVITE to 112 carries the id: what 112 hears by the data link must bear the same."""
    (receipt,) = house.accept(press(source="call", incident_id="sos-20261123-call000001"))

    assert receipt_of(receipt).incident_id == "sos-20261123-call000001"
    assert [row["id"] for row in house.ledger.rows("incident")] == ["sos-20261123-call000001"]
    assert house.centre.reports[0].report_id == "sos-20261123-call000001-1"


def test_a_named_press_of_a_caller_with_an_open_incident_joins_that(house: House):
    (sms,) = house.accept(press())

    (call,) = house.accept(press(source="call", reference="voice-1/1", incident_id="sos-20261123-call000001"))

    assert receipt_of(call).joined == Join.OTHER_WAY
    assert receipt_of(call).incident_id == receipt_of(sms).incident_id


def test_the_alert_tells_what_a_press_brought_with_it_at_once_and_as_the_store_would(house: House):
    house.accept(press(source="call", text=None, facts=(call_fact("arrived"), call_fact("dialling"))))

    (report,) = house.centre.reports
    assert report.facts == (call_fact("dialling"),)
    assert report.texts == ()


# -- the store fails -----------------------------------------------------------------------------------------------


def test_a_store_that_fails_means_unavailable_a_direct_alert_and_one_alarm(house: House):
    house.recorder.failure = Unavailable("store: database is locked")

    with capture_logs() as said:
        answers = house.accept(press(), press(LEE))

    assert [type(answer) for answer in answers] == [Unavailable, Unavailable]
    assert [report.msisdn.number for report in house.direct.reports] == [press().msisdn.number, LEE]
    assert house.store_alarm
    assert [line["event"] for line in said].count("alarm") == 1


def test_a_press_that_other_writers_keep_from_the_store_is_told_directly_and_is_no_alarm_of_the_store(
    house: House,
):
    house.recorder.failure = psycopg.errors.DeadlockDetected("another writer, each time")

    (answer,) = house.accept(press())

    assert isinstance(answer, Unavailable)
    assert [report.msisdn.number for report in house.direct.reports] == [press().msisdn.number]
    assert [alarm.name for alarm in house.alarms.standing()] == [CONTENDED_ALARM]
    house.clock.advance(CONTENDED_ALARM_S)
    assert house.alarms.standing() == []


def test_the_alarm_is_over_with_the_first_commit(house: House):
    house.recorder.failure = Unavailable("store: database is locked")
    house.accept(press())
    house.recorder.failure = None

    house.accept(press(LEE))
    house.clock.advance(HOLD_S)

    assert not house.store_alarm


def test_the_redelivery_opens_the_very_incident_that_112_has_heard_of(house: House):
    house.recorder.failure = Unavailable("store: disk full")
    house.accept(press())
    house.recorder.failure = None
    house.clock.advance(90)

    (receipt,) = house.accept(house.now(press(connector="skt-2")))

    (told,) = house.direct.reports
    assert receipt_of(receipt).incident_id == told.incident_id
    assert house.centre.reports == []
    rows = house.ledger.rows("delivery")
    assert {row["channel"]: row["state"] for row in rows} == {"seoul": "delivered", "locate:skt": "pending"}


def test_what_112_has_not_acknowledged_the_redelivery_tells_in_the_same_words(house: House):
    house.direct.answer = Retry("connection lost")
    house.recorder.failure = Unavailable("store: disk full")
    house.accept(press())
    house.recorder.failure = None
    house.clock.advance(0.5)

    house.accept(house.now(press(connector="skt-2")))
    house.clock.advance(60)

    (told,), (again,) = house.direct.reports, house.centre.reports
    assert again == told


def test_a_second_press_that_only_the_direct_relay_can_tell_is_told_as_one_more_of_the_incident(house: House):
    (first,) = house.accept(press(reference="words", repetition=Repetition.UNKNOWN))
    house.accept(press(reference="words", repetition=Repetition.REDELIVERY))
    house.recorder.failure = Unavailable("store: disk full")
    house.clock.advance(30)
    second = house.now(press(reference="words@1.2"))

    house.accept(second)

    (told,) = house.direct.reports
    assert (told.incident_id, told.press_count) == (receipt_of(first).incident_id, 2)
    house.recorder.failure = None
    (receipt,) = house.accept(replace(second, repetition=Repetition.REDELIVERY))
    assert receipt_of(receipt) == Receipt(receipt_of(first).incident_id, Join.REPEAT)
    assert house.centre.reports[-1].press_count == 2


def test_the_redelivery_after_a_restart_opens_the_same_incident(house: House):
    house.recorder.failure = Unavailable("store: disk full")
    house.accept(press())
    house.recorder.failure = None
    house.clock.advance(90)
    house.intake = house.new_intake()

    (receipt,) = house.accept(house.now(press()))

    assert receipt_of(receipt).incident_id == house.direct.reports[0].incident_id


def test_the_alert_has_the_words_it_had_whichever_press_the_store_hears_of_first(house: House):
    house.direct.answer = Retry("connection lost")
    house.recorder.failure = Unavailable("store: disk full")
    house.accept(press(reference="a"))
    house.accept(press(reference="b", text="hurry"))
    house.recorder.failure = None

    house.accept(press(reference="b", text="hurry", repetition=Repetition.REDELIVERY))

    assert house.centre.reports[0] == house.direct.reports[0]
    assert house.centre.reports[0].texts == ("SOS",)


def test_past_the_store_an_update_goes_by_its_own_channel_and_an_alert_by_all(house: House):
    alert = first_report(press(), "sos-1")
    update = replace(alert, report_id="sos-1-2", kind="update", sequence=2)

    past_the_store = PastTheStore(house.direct_relay, ONE_CENTRE)

    past_the_store.tell(update, "seoul-2")
    assert house.direct.reports == []
    past_the_store.tell(update, "seoul")
    past_the_store.tell(alert, "seoul-2")

    assert house.direct.reports == [update, alert]


class Restarted:
    """Processes one after the other whose file is kept."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house = house
        self.file = folder / "told"
        self.again()

    def again(self) -> None:
        """Kill the process and start another."""
        house = self.house
        for sender in (house.direct, house.centre):
            sender.waiting.clear()
        house.intake = house.new_intake()
        ToldKeeping(
            house.told,
            LineFile(self.file),
            key=b"key",
            keys=keys,
            runner=Inline(),
            clock=house.clock,
            alarms=house.alarms,
        ).load()
        house.telling.resume()


@pytest.fixture
def restarted(house: House, tmp_path: Path) -> Restarted:
    return Restarted(house, tmp_path)


@pytest.mark.parametrize("hours", [0, 1, 5])
def test_after_a_restart_in_whatever_hour_the_redelivery_opens_the_incident_and_tells_nobody_again(
    house: House, restarted: Restarted, hours: int
):
    house.recorder.failure = Unavailable("store: disk full")
    house.accept(press(reference="words@17.4", repetition=Repetition.NONE))
    house.clock.advance(3600 * hours)
    restarted.again()
    again = house.now(press(reference="words", repetition=Repetition.UNKNOWN))
    house.accept(again)
    house.recorder.failure = None

    (receipt,) = house.accept(replace(again, repetition=Repetition.REDELIVERY))

    (told,) = house.direct.reports
    assert receipt_of(receipt) == Receipt(told.incident_id, Join.FIRST)
    assert house.centre.reports == []
    assert house.ledger.rows("incident")[0]["opened_at"] == round(NOON_S * 1e6)
    assert restarted.file.read_bytes().rstrip(b"\0") == b""


def test_what_112_had_not_acknowledged_is_told_again_at_the_start_whatever_store_and_sender_do(
    house: House, restarted: Restarted
):
    house.direct.answer = None
    house.recorder.failure = Unavailable("store: disk full")
    house.accept(press())
    house.accept(press(reference="other", text="help"))
    alert, update = house.direct.reports
    house.clock.advance(3600)

    house.direct.answer = Delivered()
    restarted.again()
    restarted.again()

    assert house.direct.reports == [alert, update, alert, update]


def test_a_further_press_after_a_restart_is_told_under_the_incident_that_112_knows(
    house: House, restarted: Restarted
):
    house.recorder.failure = Unavailable("store: disk full")
    house.accept(press())
    house.accept(press(reference="other", text="help"))
    house.clock.advance(60)
    restarted.again()

    house.accept(house.now(press(reference="third", text="hurry")))

    alert, _, third = house.direct.reports
    assert (third.incident_id, third.kind, third.press_count) == (alert.incident_id, "update", 3)
    assert house.callers.is_ahead_of_the_store(press().msisdn)


def test_where_only_the_name_could_be_kept_the_redelivery_says_the_same_under_it(
    house: House, restarted: Restarted, monkeypatch: pytest.MonkeyPatch
):
    def gone(*_: object) -> bytes:
        raise Unavailable("there is no key file")

    house.recorder.failure = Unavailable("store: disk full")
    house.direct.answer = Retry("connection refused")
    with monkeypatch.context() as no_keys:
        no_keys.setattr("telephony.services.spine.told_file.seal", gone)
        house.accept(press())
    house.clock.advance(3600)
    house.direct.answer = Delivered()
    restarted.again()

    house.accept(house.now(press(repetition=Repetition.UNKNOWN)))
    house.recorder.failure = None
    (receipt,) = house.accept(house.now(press(repetition=Repetition.REDELIVERY)))

    first, again = house.direct.reports[0], house.direct.reports[-1]
    assert again == first
    assert receipt_of(receipt).incident_id == first.incident_id


def test_a_press_of_the_same_words_after_the_end_of_what_was_told_directly_is_told_as_another(
    house: House, restarted: Restarted
):
    """In the same hour it has the same name, and 112 would discard it as a repeat."""
    house.recorder.failure = Unavailable("store: disk full")
    house.accept(press())
    house.recorder.failure = None
    house.accept(house.now(press(repetition=Repetition.REDELIVERY)))
    house.ledger.close(house.direct.reports[0].incident_id)
    house.intake = house.new_intake_that_remembers_what_was_told()
    house.recorder.failure = Unavailable("store: disk full")
    house.clock.advance(900)

    house.accept(house.now(press(repetition=Repetition.UNKNOWN)))

    first, second = house.direct.reports
    assert second.kind == "alert"
    assert second.incident_id != first.incident_id


def test_the_redelivery_in_the_next_hour_opens_the_same_incident(house: House):
    house.recorder.failure = Unavailable("store: disk full")
    house.accept(press())
    for _ in range(10):
        house.clock.advance(3000)
        house.accept(house.now(press()))
    house.recorder.failure = None
    house.clock.advance(3000)

    (receipt,) = house.accept(house.now(press()))

    ids = {report.incident_id for report in [*house.direct.reports, *house.centre.reports]}
    assert ids == {receipt_of(receipt).incident_id}
    assert {report.opened_at for report in house.direct.reports} == {NOON}
    assert house.ledger.rows("incident")[0]["opened_at"] == round(NOON_S * 1e6)


def test_a_named_press_told_directly_keeps_its_name_and_the_time_at_which_it_came(house: House):
    call = press(source="call", incident_id="sos-20261123-call000001", facts=(call_fact("arrived"),))
    house.recorder.failure = Unavailable("store: disk full")
    house.accept(call)
    house.recorder.failure = None
    house.clock.advance(90)

    (receipt,) = house.accept(house.now(call))

    (told,) = house.direct.reports
    assert receipt_of(receipt).incident_id == told.incident_id == "sos-20261123-call000001"
    assert (told.opened_at, told.facts) == (NOON, (call_fact("arrived"),))
    assert house.ledger.rows("incident")[0]["opened_at"] == round(NOON_S * 1e6)


def test_a_name_brought_later_wins_but_not_the_time(house: House):
    house.recorder.failure = Unavailable("store: disk full")
    house.accept(press(source="call"))
    house.recorder.failure = None
    house.clock.advance(90)

    house.accept(house.now(press(source="call", incident_id="sos-20261123-call000001")))

    (row,) = house.ledger.rows("incident")
    assert (row["id"], row["opened_at"]) == ("sos-20261123-call000001", round(NOON_S * 1e6))


def test_two_redeliveries_at_once_are_one_incident(house: House):
    house.recorder.failure = Unavailable("store: disk full")
    house.accept(press())
    house.recorder.failure = None
    house.clock.advance(3600)
    house.writer.hold()
    first = house.intake.accept_all([house.now(press())])
    second = house.intake.accept_all([house.now(press(connector="skt-2"))])

    house.writer.release()

    (one,), (other,) = result_of(first), result_of(second)
    assert one.incident_id == other.incident_id == house.direct.reports[0].incident_id
    assert [one.is_duplicate, other.is_duplicate] == [False, True]


def test_a_redelivery_that_the_store_takes_by_one_bind_and_refuses_by_the_other_is_told_in_the_same_words(
    house: House,
):
    house.accept(press(reference="first"))
    house.recorder.failure = Unavailable("store: disk full")
    house.accept(press(reference="again"))
    house.accept(press(reference="once more"))
    house.recorder.failure = None
    house.clock.advance(15)
    house.writer.hold()
    taken = house.intake.accept_all([house.now(press(reference="again", connector="skt-2"))])
    # Named while the store had it not yet, and refused when it had.
    house.recorder.refuses_from_connector = "skt-1"
    refused = house.intake.accept_all([house.now(press(reference="again"))])
    house.writer.release_one()
    house.writer.release()

    assert receipt_of(result_of(taken)[0])
    assert isinstance(result_of(refused)[0], Unavailable)
    by_name: dict[str, set[Report]] = {}
    for report in house.direct.reports:
        by_name.setdefault(report.report_id, set()).add(report)
    assert [len(wordings) for wordings in by_name.values()] == [1, 1]


def test_the_same_key_pressed_days_after_an_outage_is_a_new_emergency(house: House):
    """Taken for the redelivery, it would be dated days back, followed no more and closed as long quiet."""
    house.recorder.failure = Unavailable("store: disk full")
    house.accept(press())
    house.recorder.failure = None
    house.clock.advance(KEPT_S + 1)
    pressed = house.now(press())

    (receipt,) = house.accept(pressed)

    assert receipt_of(receipt).incident_id != house.direct.reports[0].incident_id
    assert house.centre.reports[0].opened_at == pressed.received_at


def test_a_repeat_after_the_redelivery_has_a_time_of_its_own(house: House):
    house.recorder.failure = Unavailable("store: disk full")
    house.accept(press())
    house.recorder.failure = None
    house.accept(house.now(press()))
    house.clock.advance(1000)

    (receipt,) = house.accept(house.now(press(repetition=Repetition.UNKNOWN)))

    assert receipt_of(receipt).joined == Join.REPEAT


def test_only_so_many_promises_are_kept(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("telephony.services.spine.told.MOST", 10)
    house.recorder.failure = Unavailable("store: disk full")

    house.accept(*[press(f"8210{number:08d}") for number in range(50)])

    assert len(house.told) == len(house.told._by_press) == 10


# -- one bad press -------------------------------------------------------------------------------------------------


def test_one_poisonous_press_of_a_read_costs_the_others_nothing(house: House):
    kim, poisoned, lee = house.accept(press(), press(POISON), press(LEE))

    assert isinstance(kim, Receipt)
    assert isinstance(poisoned, Unavailable)
    assert isinstance(lee, Receipt)
    assert [report.msisdn.number for report in house.direct.reports] == [POISON]
    assert len(house.centre.reports) == 2


def test_a_poisonous_press_alone_is_told_directly(house: House):
    (answer,) = house.accept(press(POISON))

    assert isinstance(answer, Unavailable)
    assert [report.msisdn.number for report in house.direct.reports] == [POISON]


def test_a_read_of_which_nothing_could_be_kept_does_not_end_the_alarm(house: House):
    house.recorder.failure = Unavailable("store: disk full")
    house.accept(press(LEE))
    house.recorder.failure = None

    with capture_logs() as said:
        house.accept(press(POISON), press(POISON, reference="other"))

    assert house.store_alarm
    assert "alarm over" not in [line["event"] for line in said]


def test_an_alarm_about_a_bad_press_is_not_over_in_the_same_breath(house: House):
    with capture_logs() as said:
        house.accept(press(), press(POISON))

    assert [line["event"] for line in said if "alarm" in line["event"]] == ["alarm"]
    assert house.store_alarm


# -- the store hangs -----------------------------------------------------------------------------------------------


def test_a_store_that_hangs_is_unavailable_within_the_budget(house: House):
    house.writer.hold()
    answered = house.intake.accept_all([press()])
    house.clock.advance(BUDGET_S - 0.001)
    assert is_waiting(answered)

    house.clock.advance(0.001)

    (answer,) = result_of(answered)
    assert isinstance(answer, Unavailable)
    assert len(house.direct.reports) == 1
    assert house.store_alarm


def test_a_commit_after_the_budget_is_the_same_incident_as_the_redelivery(house: House):
    house.writer.hold()
    house.intake.accept_all([press()])
    house.clock.advance(BUDGET_S)
    house.writer.release()
    house.clock.advance(30)

    (receipt,) = house.accept(house.now(press()))

    assert receipt_of(receipt).is_duplicate
    assert receipt_of(receipt).incident_id == house.direct.reports[0].incident_id
    assert len(house.direct.reports) == 1
    assert house.centre.reports == []


def test_of_a_store_that_hangs_only_the_first_press_waits(house: House):
    house.writer.hold()
    house.intake.accept_all([press()])
    house.clock.advance(BUDGET_S)

    house.intake.accept_all([press(LEE)])

    assert [report.msisdn.number for report in house.direct.reports] == ["821012345678", LEE]


def test_a_store_that_stalls_is_put_away_by_the_first_press_and_refuses_the_next_at_once(house: House):
    """Until it has proven that it commits: then the next press is not told past it any more."""

    def stall(_: Connection, __: Sequence[NewPress]) -> list[Recorded]:
        house.clock.advance(BUDGET_S)
        raise Unavailable("store: given up")

    recorder, house.recorder = house.recorder, stall  # type: ignore[assignment]
    house.intake = house.new_intake()
    house.writer.hold()
    answered = house.intake.accept_all([press()])
    house.writer.release()
    (refused,) = house.accept(press(LEE))

    assert str(result_of(answered)[0]) == "no commit within 2.0 s"
    assert "no answer for 2.0 s" in str(refused)
    assert [report.msisdn.number for report in house.direct.reports] == ["821012345678", LEE]

    house.recording._recorder = recorder  # type: ignore[assignment]
    house.database.bring_back()
    (receipt,) = house.accept(press("821033333333"))
    assert receipt_of(receipt).joined == Join.FIRST
    assert len(house.direct.reports) == 2


def test_a_press_that_was_told_because_the_store_is_late_is_told_logged_and_counted_once(house: House):
    house.writer.hold()
    house.intake.accept_all([press()])
    house.clock.advance(BUDGET_S)
    with capture_logs() as said:
        answered = house.intake.accept_all([press(LEE)])
        house.clock.advance(BUDGET_S)

    assert isinstance(result_of(answered)[0], Unavailable)
    assert [line["event"] for line in said].count("press not durable, relayed directly") == 1
    assert len(house.direct.reports) == 2
    house.writer.release()
    house.accept(press(LEE), press(reference="second"))
    assert {known.presses for known in house.intake._callers._known.values()} == {1, 2}
    house.recorder.failure = Unavailable("store: disk full")
    house.accept(press(LEE, reference="another"), press(reference="third"))
    assert [report.press_count for report in house.direct.reports[-2:]] == [2, 3]


def test_a_press_that_fails_in_a_store_that_was_late_is_told_once(house: House):
    house.writer.hold()
    house.intake.accept_all([press()])
    house.clock.advance(BUDGET_S)
    with capture_logs() as said:
        answered = house.intake.accept_all([press(LEE), press(POISON)])
        house.writer.release()

    assert [type(answer) for answer in result_of(answered)] == [Receipt, Unavailable]
    assert [line["event"] for line in said].count("press not durable, relayed directly") == 2
    assert len(house.direct.reports) == 3


def test_a_store_that_answers_again_is_waited_for_again_and_what_it_keeps_is_accepted(house: House):
    house.writer.hold()
    house.intake.accept_all([press()])
    house.clock.advance(BUDGET_S)
    house.writer.release()

    with capture_logs() as said:
        (told_and_kept,) = house.accept(press(LEE))
    assert isinstance(told_and_kept, Receipt)
    assert house.direct.reports[-1].incident_id == told_and_kept.incident_id
    assert [line["event"] for line in said].count("press not durable, relayed directly") == 1
    before = len(house.direct.reports)
    assert isinstance(house.accept(press("821033333333"))[0], Receipt)
    assert len(house.direct.reports) == before


def test_a_failure_after_the_budget_changes_nothing_more(house: House):
    house.writer.hold()
    answered = house.intake.accept_all([press()])
    house.clock.advance(BUDGET_S)
    house.recorder.failure = Unavailable("store: disk full")

    house.writer.release()

    assert isinstance(result_of(answered)[0], Unavailable)
    assert len(house.direct.reports) == 1


def test_a_commit_in_time_leaves_no_timer_behind(house: House):
    house.centre.answer = Delivered()
    house.accept(press())

    assert [call for call in house.clock.getDelayedCalls() if call.getTime() - NOON_S <= BUDGET_S] == []


# -- the log -------------------------------------------------------------------------------------------------------


def test_no_line_betrays_a_number_or_a_text(house: House):
    with capture_logs() as said:
        house.accept(press(text="he is in the kitchen", reference="a"))
        house.recorder.failure = Unavailable("store: disk full")
        house.accept(press(LEE, text="he is in the kitchen", reference="b"), press(POISON, reference="c"))

    lines = json.dumps(said, default=str)
    assert "press accepted" in lines
    for secret in ("821012345678", LEE, POISON, "kitchen"):
        assert secret not in lines
    assert "8210******78" in lines


def test_a_few_presses_are_logged_a_line_each(house: House):
    with capture_logs() as said:
        house.accept(*[press(f"8210{number:08d}") for number in range(TOLD_ONE_BY_ONE)])

    assert [line["event"] for line in said].count("press accepted") == TOLD_ONE_BY_ONE


def test_a_flood_is_logged_in_one_line_that_names_every_incident(house: House):
    with capture_logs() as said:
        answers = house.accept(*[press(f"8210{number:08d}") for number in range(50)])

    (line,) = [line for line in said if line["event"] == "presses accepted"]
    assert line["count"] == 50
    assert line["incidents"].split() == [receipt_of(answer).incident_id for answer in answers]
