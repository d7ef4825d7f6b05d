"""Where is she: fast and accurate beside each other, then again and again until the incident is closed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs
from twisted.internet.defer import Deferred

from telephony.alarms import HOLD_S, Alarms
from telephony.clock import utc_now
from telephony.domain.delivery import (
    LOCATE,
    TRACK,
    Again,
    Delivered,
    Delivery,
    Errand,
    Outcome,
    Rejected,
    Retry,
)
from telephony.domain.errors import Unavailable
from telephony.domain.facts import NotReached
from telephony.domain.locating import AnswerKind, Locating, Purpose
from telephony.domain.ports import ACCURATE, FAST, Asking, NoFix
from telephony.domain.position import LAST_KNOWN, Position
from telephony.domain.values import Msisdn
from telephony.services.locating.file import LOCATINGS_FILE, LocatingFile
from telephony.services.locating.following import (
    FAILURES_BEFORE_ALARM,
    HOPELESS_PAUSE_S,
    TRIES_AT_ONCE,
    Following,
    LocateChannel,
)
from telephony.services.locating.record import AGAIN_S, GATHER_S, LOCATING_ALARM, LocatingRecord
from telephony.store.crypto import KeyRing, KeysUnavailable
from telephony.store.line_file import LineFile
from telephony.store.locatings import locatings_of_incident
from telephony.store.positions import whereabouts
from telephony.store.response import acknowledge, dispatch
from telephony.store.schema import locating
from tests.awaiting import failure_of, is_waiting, result_of
from tests.doubles import NOON, ONE_CENTRE, Inline, SetClock, database, keys, outbox, press
from tests.store.ledger import NOON_S, Ledger, fix

KIM = "821012345678"
NOTHING_YET = NoFix("absent subscriber", retry_after_s=5.0)
HOPELESS = NoFix("unauthorised application")
FOLLOWING = Following(interval_s=30.0, at_most_s=3600.0, last_known_max_age_s=7200.0)


class Service:
    """A location service that answers as told, or hangs."""

    def __init__(self, answer: Position | NoFix | Exception | None) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str, str]] = []
        self.hanging: list[Deferred[Any]] = []

    async def __call__(self, msisdn: Msisdn, quality: str, carrier: str, asking: Asking) -> Position | NoFix:
        answered = asking(carrier)
        self.asked.append((msisdn.number, quality, carrier))
        found = await self._found()
        answered(found)
        return found

    async def _found(self) -> Position | NoFix:
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is None:
            self.hanging.append(Deferred())
            found: Position | NoFix = await self.hanging[-1]
            return found
        return self.answer


OPEN = f"sos-{KIM}"
"""Her incident, as the store calls it: what it rings the bell for."""


class House:
    def __init__(self, engines: tuple[Engine, Engine], folder: Path) -> None:
        self.folder = folder
        self.engines = engines
        self.keys: Callable[[], KeyRing] = keys
        self.clock = SetClock()
        self.clock.advance(NOON_S)
        self.alarms = Alarms(self.clock)
        self.ledger = Ledger(engines[0])
        self.fast, self.accurate = Service(fix(500)), Service(None)
        self.woken: list[str] = []
        self.caller = Msisdn(KIM)
        self.record = self.new_record()
        self.channel = LocateChannel(
            "skt",
            self.fast,
            self.accurate,
            outbox(database(*engines), ONE_CENTRE, self.woken),
            following=FOLLOWING,
            clock=self.clock,
            alarms=self.alarms,
            at_once=1,
            record=self.record,
        )
        self.ledger.record(press())

    def new_record(self) -> LocatingRecord:
        """The record of a process that starts now."""
        store = database(*self.engines)
        file = LocatingFile(
            LineFile(self.folder / LOCATINGS_FILE), key=bytes(16), keys=self.ring, runner=Inline()
        )
        record = LocatingRecord(store, "onetouch#1", file=file, clock=self.clock, alarms=self.alarms)
        record.start()
        return record

    def ring(self) -> KeyRing:
        return self.keys()

    def errand(self, kind: str = LOCATE, attempts: int = 1) -> Delivery:
        errand = Errand(self.caller, "skt", NOON)
        return Delivery(
            self.ledger.key_of(KIM), "sos-1", f"{kind}:skt", 0, kind, {}, NOON, attempts, 0.0, errand
        )  # fmt: skip

    def deliver(self, kind: str = LOCATE, attempts: int = 1) -> Outcome:
        outcome: Outcome = result_of(self.channel.deliver(self.errand(kind, attempts)))
        return outcome

    @property
    def best(self) -> Position | None:
        found: Position | None = self.ledger.transact(whereabouts, self.ledger.key_of(KIM)).best
        return found

    def remember(self, age_s: float) -> None:
        """An earlier incident of the same caller had a position."""
        self.ledger.locate(fix(80, age_s=age_s, method="gnss"))
        self.ledger.close()
        self.ledger.record(press(reference="second"))


@pytest.fixture
def house(engines: tuple[Engine, Engine], tmp_path: Path) -> House:
    return House(engines, tmp_path)


def recorded(house: House) -> list[Locating]:
    """The record after it was written."""
    house.clock.advance(GATHER_S)
    found: list[Locating] = house.ledger.transact(locatings_of_incident, "sos-1")
    return found


# -- the record ----------------------------------------------------------------------------------------------------


def test_each_request_is_recorded_with_the_kind_of_its_answer_and_without_the_place(house: House):
    house.accurate.answer = fix(20, after_s=2, method="gnss")
    house.deliver()
    house.accurate.answer = NoFix("absent", retry_after_s=5.0, not_reached=NotReached.ABSENT)
    house.deliver(TRACK)
    house.accurate.answer = NoFix("unknown subscriber", is_unknown_subscriber=True)
    house.deliver(TRACK)
    house.accurate.answer = HOPELESS
    house.deliver(TRACK)

    found = recorded(house)

    assert sorted((each.purpose, each.quality, each.answer, each.method) for each in found) == [
        (Purpose.AT_THE_PRESS, ACCURATE, AnswerKind.FOUND, "gnss"),
        (Purpose.AT_THE_PRESS, FAST, AnswerKind.FOUND, "cell"),
        (Purpose.FOLLOWING, ACCURATE, AnswerKind.FAILED, ""),
        (Purpose.FOLLOWING, ACCURATE, AnswerKind.NOT_REACHED, ""),
        (Purpose.FOLLOWING, ACCURATE, AnswerKind.UNKNOWN, ""),
    ]
    assert {(each.carrier, each.asked_by, each.msisdn.number, each.asked_at) for each in found} == {
        ("skt", "onetouch#1", KIM, NOON)
    }
    assert not {"latitude", "longitude"} & set(locating.columns.keys())


def test_a_request_that_hangs_is_recorded_as_asked_and_its_answer_when_it_comes(house: House):
    house.deliver()
    assert [each.answer for each in recorded(house)] == [AnswerKind.NONE, AnswerKind.FOUND]

    house.accurate.hanging[0].callback(fix(20, after_s=8, method="gnss"))

    assert {(each.quality, each.answer, each.method) for each in recorded(house)} == {
        (FAST, AnswerKind.FOUND, "cell"),
        (ACCURATE, AnswerKind.FOUND, "gnss"),
    }


def test_a_record_that_cannot_be_written_costs_no_position_and_is_written_later(house: House):
    hide(house, "locating")

    assert isinstance(house.deliver(), Again)
    house.clock.advance(GATHER_S)

    assert house.best == fix(500)
    assert [alarm.name for alarm in house.alarms.standing()] == [LOCATING_ALARM]
    hide(house, "locating", back=True)
    house.clock.advance(AGAIN_S)
    assert len(recorded(house)) == 2
    house.clock.advance(HOLD_S)
    assert house.alarms.standing() == []


def test_what_is_not_yet_written_is_written_at_the_stop(house: House):
    house.deliver()

    result_of(house.record.stop())

    assert len(house.ledger.transact(locatings_of_incident, "sos-1")) == 2


def in_an_outage(house: House) -> None:
    """A phone is asked for twice while the store takes no record."""
    hide(house, "locating")
    house.accurate.answer = fix(20, after_s=2, method="gnss")
    house.deliver()
    house.clock.advance(GATHER_S)


def test_what_the_store_does_not_take_until_the_stop_is_recorded_by_the_next_start(house: House):
    in_an_outage(house)
    with capture_logs() as logs:
        result_of(house.record.stop())
    assert {"locatings wait for the next start": 2}.items() <= {
        each["event"]: each.get("waiting_count") for each in logs
    }.items()
    assert not [each for each in logs if each["log_level"] == "critical"]
    hide(house, "locating", back=True)

    house.new_record()

    found = recorded(house)
    assert sorted((each.msisdn.number, each.quality, each.method) for each in found) == [
        (KIM, ACCURATE, "gnss"),
        (KIM, FAST, "cell"),
    ]
    assert {each.asked_by for each in found} == {"onetouch#1"}
    assert (house.folder / LOCATINGS_FILE).read_bytes().strip(b"\0") == b""


def test_a_kill_in_an_outage_costs_no_record_that_the_store_has_refused(house: House):
    in_an_outage(house)
    hide(house, "locating", back=True)

    house.new_record()

    assert len(recorded(house)) == 2


def test_what_waits_beside_the_store_is_sealed(house: House):
    in_an_outage(house)

    octets = (house.folder / LOCATINGS_FILE).read_bytes()

    assert octets.count(b"\n") == 2
    assert KIM.encode() not in octets
    assert b"sos-1" not in octets


def test_what_waits_beside_the_store_waits_for_the_keys_too(house: House):
    in_an_outage(house)
    hide(house, "locating", back=True)

    def no_keys() -> KeyRing:
        raise KeysUnavailable("the key file is gone")

    house.keys = no_keys
    house.new_record()
    assert recorded(house) == []

    house.keys = keys
    house.clock.advance(AGAIN_S)

    assert len(recorded(house)) == 2


def test_a_torn_line_costs_itself_alone(house: House):
    in_an_outage(house)
    hide(house, "locating", back=True)
    file = house.folder / LOCATINGS_FILE
    file.write_bytes(file.read_bytes().rstrip(b"\0")[:-20])

    with capture_logs() as logs:
        house.new_record()

    assert [each["damaged_count"] for each in logs if "damaged_count" in each] == [1]
    assert len(recorded(house)) == 1


def test_what_neither_the_store_nor_the_disk_takes_is_said_to_be_lost(house: House):
    (house.folder / LOCATINGS_FILE).unlink()
    house.folder.joinpath(f"{LOCATINGS_FILE}.new").mkdir()
    in_an_outage(house)

    with capture_logs() as logs:
        result_of(house.record.stop())

    assert [each["lost_count"] for each in logs if each["event"] == "locatings stay unrecorded"] == [2]


def hide(house: House, table: str, *, back: bool = False) -> None:
    names = ("hidden", table) if back else (table, "hidden")
    house.ledger.transact(
        lambda connection: connection.exec_driver_sql("ALTER TABLE {} RENAME TO {}".format(*names))
    )


# -- at once -------------------------------------------------------------------------------------------------------


def test_fast_and_accurate_are_asked_beside_each_other(house: House):
    house.fast.answer = None

    waiting = Deferred.fromCoroutine(house.channel.deliver(house.errand()))

    assert is_waiting(waiting)
    assert house.fast.asked == [(KIM, FAST, "skt")]
    assert house.accurate.asked == [(KIM, ACCURATE, "skt")]


def test_where_the_service_has_its_hands_full_the_accurate_request_follows_the_fast_one_at_once(house: House):
    house.deliver()

    outcome = house.deliver()

    assert len(house.accurate.asked) == 1
    assert isinstance(outcome, Again)
    assert (outcome.kind, outcome.after_s) == (TRACK, 0.0)


def test_the_fast_position_is_kept_told_and_then_followed(house: House):
    outcome = house.deliver()

    assert outcome == Again(30.0, TRACK, "track:skt", "cell, 500 m at 95 %")
    assert house.best == fix(500)
    assert house.woken == [OPEN]


@pytest.mark.parametrize("units", [(), ("unit 12",)], ids=["acknowledged", "dispatched"])
def test_a_phone_whose_incident_112_has_taken_is_followed_as_before(house: House, units: tuple[str, ...]):
    house.deliver()
    assert house.ledger.transact(acknowledge, ONE_CENTRE, OPEN, "desk 7", NOON) is None
    for unit in units:
        assert house.ledger.transact(dispatch, ONE_CENTRE, OPEN, unit, "desk 7", NOON) is None

    house.accurate.hanging[0].callback(fix(20, after_s=8))
    house.accurate.answer = fix(10, after_s=60)
    outcome = house.deliver(TRACK)

    assert isinstance(outcome, Again)
    assert house.best == fix(10, after_s=60)
    assert house.woken == [OPEN] * 3


def test_an_accurate_position_that_hangs_delays_nothing(house: House):
    assert isinstance(house.deliver(), Again)
    assert len(house.accurate.hanging) == 1


def test_the_accurate_position_is_told_when_it_comes(house: House):
    house.deliver()

    house.accurate.hanging[0].callback(fix(20, after_s=8))

    assert house.best == fix(20, after_s=8)
    assert house.woken == [OPEN, OPEN]


def test_an_accurate_position_that_is_no_better_rings_no_bell(house: House):
    house.deliver()

    house.accurate.hanging[0].callback(fix(5_000, after_s=8))

    assert house.woken == [OPEN]
    assert len(house.ledger.rows("position")) == 2


def test_a_first_delivery_that_was_handed_over_asks_for_both_too(house: House):
    house.deliver(attempts=0)

    assert len(house.accurate.asked) == 1


def test_no_position_yet_is_tried_again_when_the_carrier_says(house: House):
    house.fast.answer = NOTHING_YET

    assert house.deliver() == Retry("absent subscriber", 5.0)


def test_the_accurate_request_is_not_repeated_with_every_try(house: House):
    house.fast.answer = NOTHING_YET
    house.deliver(attempts=1)

    house.deliver(attempts=2)

    assert (len(house.fast.asked), len(house.accurate.asked)) == (2, 1)


def test_a_phone_located_meanwhile_is_not_asked_for_again_but_followed(house: House):
    house.fast.answer = NOTHING_YET
    house.deliver(attempts=1)
    house.accurate.hanging[0].callback(fix(20, after_s=3))

    outcome = house.deliver(attempts=2)

    assert outcome == Again(30.0, TRACK, "track:skt", "located meanwhile")
    assert len(house.fast.asked) == 1


def test_what_asking_again_cannot_change_is_left_to_following(house: House):
    house.fast.answer = HOPELESS

    assert house.deliver() == Again(30.0, TRACK, "track:skt", "unauthorised application")


def test_a_bare_point_says_so_in_words(house: House):
    house.fast.answer = replace(fix(), uncertainty_m=None, confidence=None)

    outcome = house.deliver()

    assert isinstance(outcome, Again)
    assert outcome.detail == "cell, no radius"


def test_a_delivery_that_is_no_errand_is_rejected(house: House):
    assert isinstance(result_of(house.channel.deliver(replace(house.errand(), content=None))), Rejected)


def test_a_phone_that_does_not_answer_at_once_is_followed_after_a_few_tries(house: House):
    house.fast.answer = NOTHING_YET

    assert house.deliver(attempts=TRIES_AT_ONCE - 1) == Retry("absent subscriber", NOTHING_YET.retry_after_s)
    assert house.deliver(attempts=TRIES_AT_ONCE) == Again(30.0, TRACK, "track:skt", "absent subscriber")


# -- following -----------------------------------------------------------------------------------------------------


def test_a_phone_is_followed_at_an_interval_with_accurate_requests(house: House):
    house.accurate.answer = fix(20, after_s=30)

    outcome = house.deliver(TRACK)

    assert outcome == Again(30.0, TRACK, "track:skt", "cell, 20 m at 95 %")
    assert house.fast.asked == []
    assert house.best == fix(20, after_s=30)


def test_a_miss_while_following_is_no_reason_to_hurry_or_to_stop(house: House):
    house.accurate.answer = NOTHING_YET

    assert house.deliver(TRACK) == Again(30.0, TRACK, "track:skt", "absent subscriber")


def test_a_hopeless_service_is_asked_seldom_until_somebody_has_repaired_it(house: House):
    house.accurate.answer = HOPELESS

    assert house.deliver(TRACK) == Again(HOPELESS_PAUSE_S, TRACK, "track:skt", "unauthorised application")


def test_a_phone_that_was_found_is_asked_for_at_the_usual_interval_whatever_the_service_says_of_it_later(
    house: House,
):
    house.accurate.answer = fix(80)
    house.deliver(TRACK)
    house.accurate.answer = HOPELESS

    assert house.deliver(TRACK) == Again(30.0, TRACK, "track:skt", "unauthorised application")


def test_following_has_an_end(house: House):
    house.accurate.answer = fix(20)
    house.clock.advance(FOLLOWING.at_most_s)
    assert isinstance(house.deliver(TRACK), Again)

    house.clock.advance(1.0)

    assert isinstance(house.deliver(TRACK), Delivered)
    assert len(house.accurate.asked) == 1


def test_a_clock_that_is_set_forward_does_not_end_following(house: House):
    house.accurate.answer = fix(20)
    house.clock.advance(60.0)
    house.clock.set_by_s = 2 * FOLLOWING.at_most_s

    assert isinstance(house.deliver(TRACK), Again)


def test_a_position_of_a_closed_incident_is_not_told(house: House):
    house.accurate.answer = fix(20, after_s=1)
    house.ledger.close()

    house.deliver(TRACK)

    assert house.woken == []
    assert house.ledger.rows("position") == []


# -- last known ----------------------------------------------------------------------------------------------------


def test_the_last_known_position_is_told_while_nothing_better_is_known(house: House):
    house.remember(age_s=600)
    house.fast.answer = NOTHING_YET

    house.deliver()

    best = house.best
    assert best is not None
    assert (best.source, best.method, best.uncertainty_m) == (LAST_KNOWN, "gnss", 80)
    assert best.age_s(datetime.fromtimestamp(house.clock.seconds(), NOON.tzinfo)) == 600
    assert house.woken == [f"{OPEN}a"]


def test_the_last_known_position_is_told_once(house: House):
    house.remember(age_s=600)
    house.fast.answer = NOTHING_YET

    for attempt in range(1, 5):
        house.deliver(attempts=attempt)

    assert house.woken == [f"{OPEN}a"]
    assert [row["source"] for row in house.ledger.rows("position")].count(LAST_KNOWN) == 1


def test_a_memory_does_not_end_the_search(house: House):
    house.remember(age_s=600)
    house.fast.answer = NOTHING_YET
    house.deliver(attempts=1)
    house.fast.answer = fix(500, after_s=5)

    house.deliver(attempts=2)

    assert house.best == fix(500, after_s=5)


def test_a_memory_that_is_too_old_is_not_told(house: House):
    house.remember(age_s=FOLLOWING.last_known_max_age_s + 1)
    house.fast.answer = NOTHING_YET

    house.deliver()

    assert house.best is None


def test_a_memory_of_unknown_age_is_told_by_when_it_came(house: House):
    house.ledger.locate(fix(80, fixed_at=None))
    house.ledger.close()
    house.ledger.record(press(reference="second"))
    house.fast.answer = NOTHING_YET

    house.deliver()

    assert house.best is not None
    assert (house.best.source, house.best.fixed_at) == (LAST_KNOWN, None)


def test_a_memory_never_replaces_what_is_known(house: House):
    house.remember(age_s=600)
    house.fast.answer = NOTHING_YET
    house.accurate.answer = fix(5_000)

    house.deliver()

    assert house.best == fix(5_000)


def test_where_the_service_answers_no_memory_is_needed(house: House):
    house.remember(age_s=600)

    house.deliver()

    assert [row["source"] for row in house.ledger.rows("position")][1:] == ["lbs:skt"]


# -- a machine's clock that is set ---------------------------------------------------------------------------------


@pytest.mark.parametrize("step_s", [-3_600.0, -600.0, 600.0, 3_600.0])
def test_a_phone_is_followed_although_the_clock_was_set(house: House, step_s: float):
    house.ledger.locate(fix(20))
    house.clock.advance(60)
    house.clock.set_by_s = step_s
    house.fast.answer = fix(600, after_s=60 + step_s, latitude=37.65)

    house.deliver()

    assert house.best == house.fast.answer


@pytest.mark.parametrize("step_s", [-3_600.0, 3_600.0])
def test_a_phone_is_silent_for_as_long_as_it_is_although_the_clock_was_set(house: House, step_s: float):
    house.ledger.locate(fix(20))
    house.accurate.answer = NoFix("absent", retry_after_s=5.0, not_reached=NotReached.ABSENT)
    house.clock.advance(30)
    house.deliver(TRACK)
    house.clock.set_by_s = step_s
    utc_now(house.clock)

    told = []
    for _ in range(3):
        house.clock.advance(30)
        house.deliver(TRACK)
        told.append(len(house.woken))

    assert told == [0, 1, 1]


@pytest.mark.parametrize("step_s", [-3_600.0, 3_600.0])
def test_a_memory_is_as_old_as_it_is_although_the_clock_was_set(house: House, step_s: float):
    house.remember(age_s=600)
    house.clock.advance(60)
    house.clock.set_by_s = step_s
    house.fast.answer = NOTHING_YET
    house.deliver()
    memory = house.best
    house.fast.answer = fix(500, after_s=60 + step_s, age_s=60)

    house.deliver(attempts=2)

    assert memory is not None
    assert memory.age_s(utc_now(house.clock)) == pytest.approx(660, abs=1)
    assert house.best == house.fast.answer


# -- a phone that does not answer ----------------------------------------------------------------------------------

ABSENT = NoFix("5 ABSENT SUBSCRIBER", retry_after_s=5.0, not_reached=NotReached.ABSENT)


def tracked(house: House, *answers: Position | NoFix) -> list[str]:
    """Follow the phone, an answer an interval; gives what 112 is told of reaching it."""
    for answer in answers:
        house.clock.advance(FOLLOWING.interval_s)
        house.accurate.answer = answer
        house.deliver(TRACK)
    return [json.loads(row["data"])["state"] for row in house.ledger.rows("fact")]


def test_112_is_told_when_a_phone_answers_no_more_and_when_it_does_again(house: House):
    assert tracked(house, fix(20, after_s=30), ABSENT, ABSENT) == []
    assert tracked(house, ABSENT, ABSENT) == ["not-answering"]
    assert house.woken == [OPEN] * 2

    assert tracked(house, fix(20, after_s=180)) == ["not-answering", "answering"]
    assert house.woken == [OPEN] * 3


def test_a_position_that_the_server_only_remembers_is_no_answer(house: House):
    remembered = [fix(20, after_s=at_s, age_s=at_s - 30) for at_s in (60, 90, 120)]

    assert tracked(house, fix(20, after_s=30), *remembered) == ["not-answering"]


def test_a_number_that_nobody_knows_any_more_is_a_phone_that_does_not_answer(house: House):
    gone = NoFix("4 UNKNOWN SUBSCRIBER", is_unknown_subscriber=True)

    assert tracked(house, gone, gone, gone) == []
    assert tracked(house, fix(20, after_s=120), gone, gone, gone) == ["not-answering"]


def test_that_there_is_no_service_says_nothing_of_the_phone(house: House):
    none = NoFix("skt has no location service", is_unknown_subscriber=True, is_without_service=True)

    assert tracked(house, fix(20, after_s=30), *[none] * 20) == []
    assert house.alarms.standing() == []


def test_that_the_service_is_down_says_nothing_of_the_phone(house: House):
    down = NoFix("no answer: timed out", retry_after_s=5.0)

    assert tracked(house, fix(20, after_s=30), *[down] * 20) == []
    assert [alarm.name for alarm in house.alarms.standing()] == ["location-failing"]


def test_a_phone_that_is_switched_off_is_no_failure_of_the_service(house: House):
    tracked(house, *[ABSENT] * 10)

    assert house.alarms.standing() == []


@pytest.mark.parametrize("number", ["", "1366"])
def test_a_caller_without_a_number_is_no_failure_of_the_service(house: House, number: str):
    house.caller = Msisdn(number, is_e164=False)
    house.fast.answer = house.accurate.answer = NoFix("the caller has no number that a location server knows")

    for _ in range(2 * FAILURES_BEFORE_ALARM):
        house.deliver()
        house.deliver(TRACK)

    assert house.alarms.standing() == []


# -- trouble -------------------------------------------------------------------------------------------------------


def test_a_service_that_fails_again_and_again_is_an_alarm_until_it_answers(house: House):
    house.accurate.answer = NOTHING_YET
    for _ in range(FAILURES_BEFORE_ALARM - 1):
        house.deliver(TRACK)
    assert house.alarms.standing() == []

    house.deliver(TRACK)
    assert [(alarm.name, alarm.about) for alarm in house.alarms.standing()] == [("location-failing", "skt")]

    house.accurate.answer = fix(20, after_s=90)
    house.deliver(TRACK)
    house.clock.advance(HOLD_S)
    assert house.alarms.standing() == []


def lines(logs: list[dict[str, Any]], event: str) -> list[str]:
    return [line["log_level"] for line in logs if line["event"] == event]


def test_a_carrier_without_a_location_service_is_said_once_and_not_for_each_incident(house: House):
    house.accurate.answer = NoFix(
        "skt has no location service", is_unknown_subscriber=True, is_without_service=True
    )
    with capture_logs() as logs:
        for _ in range(3):
            house.deliver(TRACK)
        for other in (NOTHING_YET, fix(20, after_s=1, source="lbs:kt")):
            house.accurate.answer = other
            house.deliver(TRACK)
        assert lines(logs, "location service again") == []
        house.accurate.answer = fix(20, after_s=2)
        house.deliver(TRACK)

    assert lines(logs, "no location service") == ["warning"]
    assert lines(logs, "no position") == ["debug", "debug", "debug", "warning"]
    assert lines(logs, "location service again") == ["info"]


def test_of_an_incident_each_reason_for_no_position_is_a_warning_once(house: House):
    with capture_logs() as logs:
        for answer in (NOTHING_YET, NOTHING_YET, ABSENT, NOTHING_YET):
            house.accurate.answer = answer
            house.deliver(TRACK)

    assert lines(logs, "no position") == ["warning", "debug", "warning", "debug"]


def test_failures_are_counted_in_a_row(house: House):
    for answer in (NOTHING_YET, NOTHING_YET, fix(20, after_s=1), NOTHING_YET, NOTHING_YET):
        house.accurate.answer = answer
        house.deliver(TRACK)

    assert house.alarms.standing() == []


def test_a_position_that_cannot_be_kept_is_asked_for_again(house: House):
    house.ledger.transact(
        lambda connection: connection.exec_driver_sql("ALTER TABLE position RENAME TO hidden")
    )

    assert isinstance(failure_of(house.channel.deliver(house.errand())), Unavailable)
    assert house.woken == []


def test_an_accurate_position_that_cannot_be_kept_is_no_crash(house: House):
    house.deliver()
    house.ledger.transact(
        lambda connection: connection.exec_driver_sql("ALTER TABLE position RENAME TO hidden")
    )

    with capture_logs() as said:
        house.accurate.hanging[0].callback(fix(20, after_s=8))

    assert [line["event"] for line in said] == ["position not kept"]


def test_a_defect_in_the_accurate_request_does_not_cost_the_fast_one(house: House):
    house.accurate.answer = ZeroDivisionError("a defect")

    assert isinstance(house.deliver(), Again)
    assert house.best == fix(500)


def test_no_line_betrays_a_place_or_a_number(house: House):
    with capture_logs() as said:
        house.deliver()
        house.accurate.answer = NOTHING_YET
        house.deliver(TRACK)

    lines = json.dumps(said, default=str)
    assert "located" in lines
    for secret in ("37.5", "126.9", KIM):
        assert secret not in lines
