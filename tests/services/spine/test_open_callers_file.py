"""Whose incidents are open is known to the next process too, also where it finds the store away."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from twisted.internet import task

from telephony.domain.own_lines import hash_of
from telephony.services.spine import open_callers_file as callers_keeping
from telephony.services.spine.open_callers import KEPT_S, KnownCallers
from telephony.services.spine.open_callers_file import AGAIN_S, EVERY_S, CallersKeeping
from telephony.store.line_file import LineFile
from tests.doubles import NOON, Inline

KIM, LEE = "821012345678", "821022222222"
KEY = b"k" * 32


class House:
    """One process after another over the same file."""

    def __init__(self, folder: Path) -> None:
        self.clock = task.Clock()
        self.clock.advance(NOON.timestamp())
        self.file = folder / "callers"
        self.start()

    def start(self) -> KnownCallers:
        """Begin another process; that before it was killed."""
        for call in self.clock.getDelayedCalls():
            call.cancel()
        self.runner = Inline()
        self.known = KnownCallers(self.clock, partial(hash_of, key=KEY))
        self.keeping = CallersKeeping(
            self.known, LineFile(self.file), key=KEY, runner=self.runner, clock=self.clock
        )
        self.keeping.load()
        return self.known

    @property
    def octets(self) -> bytes:
        return self.file.read_bytes().rstrip(b"\0")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_stopping_during_a_write_is_the_end_of_it(house: House):
    house.known.pressed(KIM, "sos-1", NOON)
    house.runner.hold()
    house.clock.advance(EVERY_S)

    house.keeping.stop()
    house.runner.release()

    assert house.clock.getDelayedCalls() == []


def test_the_next_process_knows_whose_incident_is_open(house: House):
    for after_s in (0, 1):
        house.known.pressed(KIM, "sos-1", NOON + timedelta(seconds=after_s))
    house.known.pressed(LEE, "sos-2", NOON, is_told_directly=True)
    house.clock.advance(EVERY_S)

    known = house.start()

    kim, lee = known.get(KIM), known.get(LEE)
    assert kim is not None
    assert lee is not None
    assert (kim.incident_id, kim.opened_at, kim.presses, kim.is_told_directly) == ("sos-1", NOON, 2, False)
    assert (lee.incident_id, lee.is_told_directly) == ("sos-2", True)
    assert known.pressed(KIM, "sos-1", NOON).presses == 3


def test_the_newest_incident_of_a_caller_counts(house: House):
    for incident in ("sos-1", "sos-2"):
        house.known.pressed(KIM, incident, NOON)
        house.clock.advance(EVERY_S)

    known = house.start().get(KIM)

    assert known is not None
    assert known.incident_id == "sos-2"


def test_once_the_store_has_said_whose_incidents_are_open_it_is_believed(house: House):
    house.known.pressed(KIM, "sos-closed-since", NOON)
    house.clock.advance(EVERY_S)
    house.start()

    house.known.forget_the_earlier_life()

    assert house.known.get(KIM) is None


def test_an_incident_that_nobody_pressed_for_an_hour_is_not_remembered(house: House):
    house.known.pressed(KIM, "sos-1", NOON)
    house.clock.advance(EVERY_S)
    house.clock.advance(KEPT_S + 1)

    assert house.start().get(KIM) is None
    assert house.octets == b""


def test_no_number_lies_on_disk_and_nothing_is_written_that_is_not_news(house: House):
    house.known.pressed(KIM, "sos-1", NOON)
    house.clock.advance(EVERY_S)
    before = house.octets
    house.clock.pump([EVERY_S] * 10)

    assert b"sos-1" in before
    assert KIM[4:].encode() not in before
    assert house.octets == before


def test_a_press_a_moment_before_a_stop_is_written(house: House):
    house.known.pressed(KIM, "sos-1", NOON)
    house.keeping.stop()

    assert house.start().get(KIM) is not None


def test_a_file_that_grows_is_rewritten(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(callers_keeping, "WASTE", 2_000)
    for number in range(200):
        house.known.pressed(KIM, f"sos-{number}", NOON)
        house.clock.advance(EVERY_S)

    assert len(house.octets) < 4_000
    known = house.start().get(KIM)
    assert known is not None
    assert known.incident_id == "sos-199"


def test_a_file_that_is_removed_comes_back_whole(house: House):
    house.known.pressed(KIM, "sos-1", NOON)
    house.clock.advance(EVERY_S)
    house.file.unlink()
    house.known.pressed(LEE, "sos-2", NOON)

    with capture_logs() as said:
        house.clock.advance(EVERY_S)
    house.clock.advance(AGAIN_S)

    assert [line["event"] for line in said] == ["open incidents not kept"]
    assert house.start().get(KIM) is not None
    assert house.known.get(LEE) is not None


def test_a_folder_that_takes_nothing_is_said_once_and_tried_again(house: House):
    house.file.unlink()
    house.file.mkdir()
    house.known.pressed(KIM, "sos-1", NOON)

    with capture_logs() as said:
        house.clock.advance(EVERY_S)
        house.clock.pump([AGAIN_S] * 3)
    house.file.rmdir()
    house.clock.advance(AGAIN_S)

    assert [line["event"] for line in said] == ["open incidents not kept"]
    assert house.start().get(KIM) is not None


@pytest.mark.parametrize("octets", [b"rubbish\n", b"\xff" * 100, b'0123456789abcdef {"caller":"zz"}\n'])
def test_whatever_the_file_holds_the_process_starts(house: House, octets: bytes):
    house.known.pressed(KIM, "sos-1", NOON)
    house.clock.advance(EVERY_S)
    house.file.write_bytes(octets + b"\n" + house.octets)

    with capture_logs() as said:
        known = house.start()

    assert known.get(KIM) is not None
    assert [line["event"] for line in said] == ["open incidents partly unreadable"]
