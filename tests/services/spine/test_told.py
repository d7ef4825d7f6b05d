"""What 112 was told past the store outlives the process: under the same names, in the same words, and never waited for."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from twisted.internet import task

from telephony.alarms import Alarms
from telephony.domain.report import Report, report_id
from telephony.domain.told import Step
from telephony.domain.trigger import Repetition, Trigger
from telephony.services.spine import told_file as told_keeping
from telephony.services.spine.reporting import first_report
from telephony.services.spine.told import KEPT_S, WRITTEN_AGAIN_S, ToldReports
from telephony.services.spine.told_file import AGAIN_S, DAMAGED_ALARM, NOT_KEPT_ALARM, ToldKeeping
from telephony.store.crypto import Key, KeyRing, KeysUnavailable
from telephony.store.line_file import LineFile
from tests.doubles import NOON, Inline, keys, press

KEY = b"k" * 32
NUMBER = "821012345678"
ALERT = first_report(press(), "sos-1")
FIRST, OTHER = press(reference="words"), press(reference="words@17.4")


class House:
    """One process after another over the same file."""

    def __init__(self, folder: Path) -> None:
        self.clock = task.Clock()
        self.clock.advance(NOON.timestamp())
        self.file = folder / "told"
        self.keys: Any = keys
        self.key = KEY
        self.alarms = Alarms(self.clock)
        self.runner = Inline()
        self.told = self.start()

    def start(self) -> ToldReports:
        """Begin another process; that before it was killed."""
        self.runner = Inline()
        self.told = ToldReports(self.key, clock=self.clock)
        self.keeping = ToldKeeping(
            self.told,
            LineFile(self.file),
            key=self.key,
            keys=self.keys,
            runner=self.runner,
            clock=self.clock,
            alarms=self.alarms,
        )
        self.keeping.load()
        return self.told

    @property
    def octets(self) -> bytes:
        return self.file.read_bytes().rstrip(b"\0")

    def alarm(self, name: str) -> dict[str, Any] | None:
        return next((dict(each.facts) for each in self.alarms.standing() if each.name == name), None)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    return House(tmp_path)


def tell(house: House, trigger: Trigger = FIRST, report: Report = ALERT) -> None:
    house.told.enter(report, trigger, NUMBER)


def again(trigger: Trigger = FIRST, repetition: Repetition = Repetition.UNKNOWN) -> Trigger:
    """As the next process hears of it: nothing of its way in is remembered."""
    return press(reference=trigger.reference.partition("@")[0], repetition=repetition)


# -- after a restart -----------------------------------------------------------------------------------------------


def test_the_next_process_knows_the_press_its_name_its_time_and_its_words(house: House):
    tell(house)
    house.clock.advance(3600)

    told = house.start().of_press(again())

    assert told is not None
    assert (told.report, told.incident_id, told.received_at, told.caller) == (ALERT, "sos-1", NOON, NUMBER)
    assert house.told.unacknowledged() == [told]


def test_what_112_has_acknowledged_is_known_as_such_by_each_channel(house: House):
    tell(house)
    house.told.acknowledged(ALERT.report_id, "seoul")
    house.told.acknowledged(ALERT.report_id, "busan")

    told = house.start().get(ALERT.report_id)

    assert told is not None
    assert told.channels == ("seoul", "busan")
    assert house.told.unacknowledged() == []


def test_a_press_whose_own_reference_died_with_the_process_is_known_by_its_words(house: House):
    tell(house, OTHER)

    told = house.start().of_press(again(OTHER))

    assert told is not None
    assert told.report == ALERT
    # And at each of its redeliveries in this process.
    assert house.told.of_press(again(OTHER, Repetition.REDELIVERY)) is told
    assert house.told.taken_up(again(OTHER), "sos-1")
    assert house.told.of_press(again(OTHER, Repetition.REDELIVERY)) is None


def test_of_two_presses_with_the_same_words_each_redelivery_is_one(house: House):
    tell(house)
    tell(house, OTHER, first_report(OTHER, "sos-2"))
    house.start()

    one = house.told.of_press(again())
    house.told.taken_up(again(), "sos-1")
    other = house.told.of_press(again())

    assert [one and one.incident_id, other and other.incident_id] == ["sos-1", "sos-2"]


def test_a_press_that_is_certainly_another_one_is_not_taken_for_that_of_before(house: House):
    tell(house, OTHER)

    assert house.start().of_press(press(reference="words@99.1", repetition=Repetition.NONE)) is None


def test_what_the_store_has_taken_up_is_no_press_of_the_next_process(house: House):
    tell(house)
    assert house.told.taken_up(FIRST, "sos-1")

    told = house.start()

    assert told.of_press(again()) is None
    assert [each.report for each in told.unacknowledged()] == [ALERT]


def test_once_store_and_112_have_everything_the_file_is_empty(house: House):
    tell(house)
    tell(house, OTHER, first_report(OTHER, "sos-2"))
    house.told.acknowledged(ALERT.report_id, "seoul")
    house.told.taken_up(FIRST, "sos-1")
    assert house.octets

    house.told.settled(ALERT.report_id, "seoul")
    house.told.acknowledged(report_id("sos-2", 1), "seoul")
    house.told.taken_up(OTHER, "sos-of-before")

    assert house.octets == b""
    assert house.told.standing() == []
    # Within this process it is still known that 112 has it.
    assert house.told.is_acknowledged(ALERT.report_id)


def test_a_late_commit_and_the_redelivery_after_it_leave_nothing_behind(house: House):
    tell(house)
    house.told.settled(ALERT.report_id, "seoul")

    house.told.taken_up(FIRST, "sos-1")

    assert house.octets == b""


def test_after_its_time_the_same_words_are_a_new_press(house: House):
    tell(house)
    house.told.acknowledged(ALERT.report_id, "seoul")
    house.clock.advance(KEPT_S + 1)

    assert house.told.of_press(FIRST) is None
    assert house.start().of_press(again()) is None
    assert house.octets == b""


def test_a_press_that_is_offered_again_and_again_is_known_for_so_long_after_the_last_time(house: House):
    tell(house)
    for _ in range(20):
        house.clock.advance(WRITTEN_AGAIN_S)
        told = house.told.of_press(FIRST)
        assert told is not None
        house.told.again(told)

    told = house.start().of_press(again())

    assert told is not None
    assert told.received_at == NOON


def test_what_112_has_not_acknowledged_is_not_forgotten_with_time(house: House):
    tell(house)
    house.clock.advance(10 * KEPT_S)
    tell(house, OTHER, first_report(OTHER, "sos-2"))

    assert [told.incident_id for told in house.start().unacknowledged()] == ["sos-1", "sos-2"]


def test_a_clock_that_was_set_back_over_the_restart_makes_nothing_younger_than_it_is_old(house: House):
    tell(house)
    house.clock = task.Clock()
    house.clock.advance(NOON.timestamp() - 3600)

    told = house.start().of_press(again())

    assert told is not None
    assert told.told_at == house.clock.seconds()


# -- what is on disk -----------------------------------------------------------------------------------------------


def test_no_number_and_no_text_lies_on_disk(house: House):
    tell(house, press(text="he is in the kitchen"), first_report(press(text="he is in the kitchen"), "sos-1"))

    assert b"sos-1-1" in house.octets
    for secret in (NUMBER, NUMBER[4:], "kitchen"):
        assert secret.encode() not in house.octets


def gone() -> KeyRing:
    raise KeysUnavailable("there is no key file")


def test_without_a_key_to_seal_with_name_and_time_are_kept(house: House):
    house.keys = gone
    house.start()
    with capture_logs() as said:
        tell(house)
    house.keys = keys

    told = house.start().of_press(again())

    assert told is not None
    assert (told.report, told.incident_id, told.received_at) == (None, "sos-1", NOON)
    assert NUMBER.encode() not in house.octets
    assert [line["event"] for line in said] == ["told past the store, kept by name alone"]


@pytest.mark.parametrize("how", ["gone", "another store's"])
def test_what_cannot_be_opened_is_known_by_name_and_opened_once_its_key_is_back(house: House, how: str):
    other = Key.make(NOON)
    tell(house)
    house.keys = gone if how == "gone" else lambda: KeyRing({other.id: other}, other.id)

    with capture_logs() as said:
        told = house.start().of_press(again())
    assert told is not None
    assert (told.report, told.incident_id) == (None, "sos-1")
    assert "told past the store and unreadable" in [line["event"] for line in said]
    house.keys = keys

    opened = house.start().get(ALERT.report_id)

    assert opened is not None
    assert opened.report == ALERT


def test_a_file_that_grows_is_rewritten_without_what_is_over(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(told_keeping, "WASTE", 20_000)
    tell(house)
    for number in range(100):
        trigger = press(reference=f"other-{number}")
        tell(house, trigger, first_report(trigger, f"sos-{number:03d}"))
        house.told.acknowledged(f"sos-{number:03d}-1", "seoul")
        house.told.taken_up(trigger, "sos-of-before")

    assert len(house.octets) < 30_000
    assert [told.incident_id for told in house.start().standing()] == ["sos-1"]


def test_a_file_that_is_full_is_an_alarm_and_memory_goes_on(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(told_keeping, "MOST_WRITTEN", 1_000)
    for number in range(10):
        trigger = press(reference=f"other-{number}")
        tell(house, trigger, first_report(trigger, f"sos-{number}"))

    assert len(house.octets) < 4_000
    assert house.alarm(NOT_KEPT_ALARM) == {"reason": "it is full"}
    assert house.told.of_press(press(reference="other-9")) is not None


def test_a_file_that_was_full_takes_reports_again_once_the_store_has_most_of_them(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(told_keeping, "WASTE", 2_000)
    monkeypatch.setattr(told_keeping, "MOST_WRITTEN", 6_000)
    triggers = [press(reference=f"other-{number}") for number in range(20)]
    for number, trigger in enumerate(triggers):
        tell(house, trigger, first_report(trigger, f"sos-{number}"))
    assert house.alarm(NOT_KEPT_ALARM) is not None

    for number, trigger in enumerate(triggers[1:], 1):
        house.told.acknowledged(f"sos-{number}-1", "seoul")
        house.told.taken_up(trigger, "sos-of-before")
    tell(house)
    house.clock.advance(20)

    assert house.alarm(NOT_KEPT_ALARM) is None
    assert [told.report_id for told in house.start().standing()] == ["sos-0-1", ALERT.report_id]


# -- a disk in trouble ---------------------------------------------------------------------------------------------


def test_nobody_waits_for_a_disk_that_hangs_and_all_is_written_when_it_goes_on(house: House):
    house.runner.hold()
    tell(house)
    tell(house, OTHER, first_report(OTHER, "sos-2"))
    house.told.acknowledged(ALERT.report_id, "seoul")
    assert house.octets == b""

    house.runner.release()

    assert [(told.incident_id, told.channels) for told in house.start().standing()] == [
        ("sos-1", ("seoul",)),
        ("sos-2", ()),
    ]


def test_a_file_that_cannot_be_written_is_an_alarm_and_tried_again(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object) -> bool:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(LineFile, "append", full)
        tell(house)
        house.clock.advance(AGAIN_S)
        assert house.alarm(NOT_KEPT_ALARM) == {"reason": "OSError: [Errno 28] No space left on device"}
        assert house.told.of_press(FIRST) is not None
    house.clock.advance(AGAIN_S)
    house.clock.advance(20)

    assert house.alarm(NOT_KEPT_ALARM) is None
    assert house.start().of_press(again()) is not None


def test_a_file_that_is_removed_comes_back_whole_with_the_next_step(house: House):
    tell(house)
    house.file.unlink()

    house.told.acknowledged(ALERT.report_id, "seoul")

    told = house.start().of_press(again())
    assert told is not None
    assert told.channels == ("seoul",)


def test_a_torn_tail_is_an_alarm_and_the_rest_is_read(house: House):
    tell(house)
    tell(house, OTHER, first_report(OTHER, "sos-2"))
    house.file.write_bytes(house.octets[:-20])

    house.start()

    assert [told.incident_id for told in house.told.standing()] == ["sos-1"]
    assert house.alarm(DAMAGED_ALARM) == {"damaged_count": 1, "kept_in": None}
    assert [file.name for file in house.file.parent.iterdir()] == ["told"]


def test_a_file_that_is_none_of_ours_is_set_aside(house: House):
    house.file.write_bytes(b"the shopping list\nof somebody else\n")

    house.start()
    tell(house)

    aside = house.file.with_name("told.damaged")
    assert house.alarm(DAMAGED_ALARM) == {"damaged_count": 2, "kept_in": str(aside)}
    assert aside.read_bytes() == b"the shopping list\nof somebody else\n"
    assert house.start().of_press(again()) is not None


def test_what_cannot_even_be_read_keeps_nobody_from_starting(house: House):
    house.file.unlink()
    house.file.mkdir()

    house.start()
    tell(house)

    assert house.alarm(DAMAGED_ALARM) is not None
    assert house.start().of_press(again()) is not None


def test_a_report_that_an_earlier_version_wrote_otherwise_is_known_by_name(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as earlier:
        earlier.setattr(told_keeping.report_octets, "octets_of", lambda _: b'{"report_id": 5}')
        tell(house)

    told = house.start().of_press(again())

    assert told is not None
    assert told.report is None


def test_what_waits_at_a_stop_is_written(house: House):
    house.runner.hold()
    tell(house)
    house.told.acknowledged(ALERT.report_id, "seoul")
    house.keeping.stop()

    house.runner.release()

    told = house.start().get(ALERT.report_id)
    assert told is not None
    assert told.channels == ("seoul",)


def test_of_each_step_one_line_is_written(house: House):
    steps: list[Step] = []
    house.told.on_step = lambda _, step: steps.append(step)
    tell(house)
    for _ in range(3):
        house.told.acknowledged(ALERT.report_id, "seoul")
    house.told.taken_up(FIRST, "sos-1")
    house.told.settled(ALERT.report_id, "seoul")
    house.told.settled(ALERT.report_id, "seoul-2")

    assert steps == [Step.TRIED, Step.ACKNOWLEDGED, Step.TAKEN_UP, Step.OVER]


def test_the_time_of_the_press_is_kept_to_the_microsecond(house: House):
    trigger = press(reference="words", received_at=NOON + timedelta(microseconds=123457))
    tell(house, trigger, first_report(trigger, "sos-1"))

    told = house.start().of_press(again())

    assert told is not None
    assert told.received_at == trigger.received_at
