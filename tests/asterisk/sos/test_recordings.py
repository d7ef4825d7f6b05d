"""A recording is named when it is there and holds something; one that stands still is an alarm."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from twisted.internet.defer import Deferred, fail, succeed

from telephony.alarms import Alarms
from telephony.asterisk.settings import AsteriskServer
from telephony.asterisk.sos.recordings import FOLDER_S, STANDS_STILL_S, Recordings, can_see, sizes
from telephony.domain.errors import Refused
from tests.asterisk.sos.test_follower import House as Following
from tests.asterisk.sos_events import SERVER, Held, packet


class Asterisk:
    """Says where and what it records."""

    def __init__(self, folder):
        self.folder = folder
        self.record = "on"

    def action(self, name, fields):
        if (name, fields) == ("Getvar", [("Variable", "SOS_RECORD")]):
            return succeed(packet(Response="Success", Value=self.record))
        assert (name, fields) == ("Getvar", [("Variable", "ASTSPOOLDIR")])
        if self.folder is None:
            return Deferred.fromCoroutine(self._refuse())
        return succeed(packet(Response="Success", Value=str(self.folder.parent)))

    async def _refuse(self):
        raise Refused("Permission denied")


class House(Following):
    def __init__(self, folder, *, named=None):
        super().__init__()
        self.alarms = Alarms(self.clock)
        self.asterisk = Asterisk(folder)
        self.look = lambda files: succeed(sizes(files))
        self.recordings = Recordings(SERVER, named, look=self._looked, alarms=self.alarms, clock=self.clock)
        self.recordings.start(self.asterisk, self.follower)

    def _looked(self, files):
        return self.look(files)

    def standing(self):
        return [alarm.about for alarm in self.alarms.standing() if alarm.name == "recording-failing"]


@pytest.fixture
def file(tmp_path):
    (tmp_path / "monitor").mkdir()
    return tmp_path / "monitor" / f"{Held().incident}.wav"


def write(file, octets):
    with file.open("ab") as opened:
        opened.write(bytes(octets))


def connected(house):
    held = Held()
    house.hear(held.arrives(), held.starts(), held.dials(1), held.is_answered())
    return held


def test_a_recording_is_named_once_it_holds_more_than_its_header(file):
    house = House(file.parent)
    write(file, 44)
    held = connected(house)
    house.pass_time(2)
    assert house.book.facts()[-1].recording == ""

    write(file, 8_000)
    house.pass_time(2)
    house.hear(*held.hangs_up())

    assert house.book.facts()[-1].recording == file.name
    assert len(house.book.facts()) == 2, "112 is not written to for the recording alone"
    assert house.standing() == []


@pytest.mark.parametrize("folder", ["here", "named"])
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("no file", "no such file"),
        ("no folder", "no folder"),
        ("disk full", "it does not grow"),
        ("no rights", "no right to look into"),
    ],
    ids=["no-file", "no-folder", "disk-full", "no-rights"],
)
def test_a_recording_that_is_not_there_is_an_alarm_and_not_named_until_one_grows(
    tmp_path, folder, fault, reason
):
    place = tmp_path / "monitor"
    house = House(place, named=place if folder == "named" else None)
    file = place / f"{Held().incident}.wav"
    if fault != "no folder":
        place.mkdir()
    if fault == "disk full":
        write(file, 44)
    if fault == "no rights":
        house.look = lambda files: succeed([f"no right to look into {files[0].parent}"])
    held = connected(house)

    with capture_logs() as logs:
        house.pass_time(STANDS_STILL_S + 2)

    [alarm] = [entry for entry in logs if entry["event"] == "alarm"]
    assert alarm["alarm"] == "recording-failing"
    assert alarm["reason"].startswith(reason)
    assert alarm["incident"] == held.incident
    assert house.book.facts()[-1].recording == ""
    place.mkdir(exist_ok=True)
    house.look = lambda files: succeed(sizes(files))
    for _ in range(200):
        write(file, 1_000)
        house.pass_time(1)
    assert house.standing() == []
    house.hear(*held.hangs_up())
    assert house.book.facts()[-1].recording == file.name


def test_a_recording_that_stops_growing_in_the_call_is_an_alarm(file):
    house = House(file.parent)
    write(file, 1_000)
    connected(house)
    house.pass_time(2)
    assert house.standing() == []

    house.pass_time(STANDS_STILL_S + 2)

    assert house.standing() == [SERVER]


def test_a_folder_that_does_not_answer_holds_up_nothing_but_the_look(file):
    house = House(file.parent)
    looks = []
    house.look = lambda files: looks.append(Deferred()) or looks[-1]
    held = connected(house)

    with capture_logs() as logs:
        house.pass_time(STANDS_STILL_S + 2 * FOLDER_S)
    house.hear(*held.hangs_up())

    assert [entry["reason"] for entry in logs if entry["event"] == "alarm"] == ["the folder does not answer"]
    assert house.book.states()[-1] == "ended"
    assert len(looks) == 1, "no second look before the first has come back"


def test_a_short_call_is_looked_at_once_more_before_its_end_is_told(file):
    house = House(file.parent)
    held = Held()
    house.hear(held.arrives(), held.starts())
    (call,) = house.follower.calls.live()

    looked = Deferred.fromCoroutine(house.recordings.last_look(call, house.asterisk))
    assert not looked.called
    write(file, 500)
    house.clock.advance(0.3)

    assert looked.called
    assert call.is_recorded


def test_a_dialplan_that_records_nothing_is_not_asked_for_recordings(file):
    house = House(file.parent)
    house.asterisk.record = "off"
    house.look = lambda files: pytest.fail(f"looked for {files}")
    held = connected(house)

    house.pass_time(STANDS_STILL_S + 2)
    house.hear(*held.hangs_up())

    assert house.standing() == []
    assert not house.book.facts()[-1].recording


def test_where_it_records_from_the_answer_on_nothing_is_missed_before_and_all_is_after(file):
    house = House(file.parent)
    house.asterisk.record = "from-answer"
    held = Held()
    house.hear(held.arrives(), held.starts(), held.dials(1))
    house.pass_time(STANDS_STILL_S + 2)
    assert house.standing() == []

    house.hear(held.is_answered())
    house.pass_time(STANDS_STILL_S + 2)
    assert house.standing() == [SERVER]
    write(file, 8_000)
    house.pass_time(STANDS_STILL_S)
    house.hear(*held.hangs_up())

    assert house.standing() == []
    assert house.book.facts()[-1].recording == file.name


def test_an_asterisk_that_does_not_say_where_it_records_is_an_alarm(file):
    house = House(None)
    connected(house)

    house.pass_time(STANDS_STILL_S + 2)

    assert house.standing() == [SERVER]
    assert house.book.facts()[-1].recording == ""


def test_the_disk_says_why_a_file_cannot_be_seen(tmp_path, monkeypatch):
    there = tmp_path / "there"
    write(there, 7)

    assert sizes([there, tmp_path / "x", tmp_path / "none" / "x"]) == [
        7,
        "no such file",
        f"no folder {tmp_path / 'none'}",
    ]

    def refuse(_self):
        raise fault

    monkeypatch.setattr(Path, "stat", refuse)
    fault = PermissionError(13, "x")
    assert sizes([there]) == [f"no right to look into {tmp_path}"]
    fault = OSError(5, "x")
    assert sizes([there]) == [os.strerror(5)]


@pytest.mark.parametrize(
    ("host", "folder", "expected"),
    [
        ("127.0.0.1", None, True),
        ("::1", None, True),
        ("localhost", None, True),
        ("192.0.2.1", None, False),
        ("voice.example", None, False),
        ("192.0.2.1", "/srv/monitor", True),
    ],
)
def test_recordings_are_seen_on_this_host_or_in_a_named_folder(host, folder, expected):
    server = AsteriskServer(name="voice-1", secret={"env": "X"}, host=host, recordings=folder)

    assert can_see(server) == expected


def test_a_look_that_fails_is_logged_and_the_next_one_comes(file):
    house = House(file.parent)
    held = connected(house)
    write(file, 8_000)
    house.look = lambda files: fail(LookupError("a defect"))
    with capture_logs() as said:
        house.pass_time(2)
    assert "watching recordings" in [line.get("what") for line in said]

    house.look = lambda files: succeed(sizes(files))
    house.pass_time(2)
    house.hear(*held.hangs_up())

    assert house.book.facts()[-1].recording == file.name


def test_a_watch_that_is_stopped_leaves_no_call_behind(file):
    house = House(file.parent)

    house.recordings.stop()

    assert house.clock.getDelayedCalls() == []
