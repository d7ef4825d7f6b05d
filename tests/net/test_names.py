"""Names of far ends: known ahead, kept when name servers fail, never one behind another."""

from __future__ import annotations

import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.defer import succeed
from twisted.internet.task import Clock

from telephony.alarms import HOLD_S, Alarms
from telephony.net.names import (
    ALARM,
    ALARM_AFTER_S,
    FRESH_S,
    LARGEST_FILE,
    MOST_ADDRESSES,
    REFRESH_S,
    WAIT_S,
    Names,
    addresses_by_system,
    addresses_within,
    read_addresses,
)

CENTRE = "112.seoul.example"
LBS = "lbs.skt.example"


class Thread:
    """A thread that the test lets work, one piece after another."""

    def __init__(self):
        self.work = []
        self.is_stopped = False

    def run(self, work, done):
        self.work.append((work, done))

    def stop(self):
        self.is_stopped = True
        return succeed(None)

    def go(self):
        work, done = self.work.pop(0)
        done(work())


class Receiver:
    """Who dials."""

    def __init__(self):
        self.addresses = []
        self.is_complete = False

    def resolutionBegan(self, resolution):
        self.resolution = resolution

    def addressResolved(self, address):
        self.addresses.append((type(address).__name__, address.host, address.port))

    def resolutionComplete(self):
        assert not self.is_complete
        self.is_complete = True


class Place:
    """Names on a fake clock; `zone` is what the name servers say, an exception for what they refuse."""

    def __init__(self, folder, ahead=()):
        self.clock = Clock()
        self.clock.advance(1_000)
        self.alarms = Alarms(self.clock)
        self.file = folder / "names.json"
        self.threads = {}
        self.zone = {}
        self.asked = []
        self.names = Names(
            ahead, self.file, clock=self.clock, thread=self.thread, alarms=self.alarms, look_up=self.look_up
        )

    def thread(self, name):
        assert name not in self.threads
        self.threads[name] = Thread()
        return self.threads[name]

    def look_up(self, name):
        self.asked.append(name)
        answer = self.zone.get(name, OSError("not found"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def answer(self, name):
        """Let the name servers of a name answer everything that they were asked."""
        thread = self.threads[f"name-{name}"]
        while thread.work:
            thread.go()

    def dial(self, name, port=443, **how):
        receiver = Receiver()
        self.names.resolveHostName(receiver, name, port, **how)
        return receiver


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path, ahead=[CENTRE, "192.0.2.7"])


def hosts(receiver):
    return [host for _, host, _ in receiver.addresses]


def test_a_name_that_was_looked_up_ahead_is_known_at_once(place):
    place.zone[CENTRE] = ("2001:db8::1", "192.0.2.1")
    place.names.start()
    place.answer(CENTRE)

    receiver = place.dial(CENTRE)

    assert receiver.is_complete
    assert receiver.addresses == [("IPv6Address", "2001:db8::1", 443), ("IPv4Address", "192.0.2.1", 443)]
    assert receiver.resolution.name == CENTRE


def test_an_address_is_never_looked_up(place):
    place.names.start()

    assert [hosts(place.dial(literal)) for literal in ("192.0.2.9", "::1")] == [["192.0.2.9"], ["::1"]]
    assert set(place.threads) == {"names-file", f"name-{CENTRE}"}


def test_a_name_whose_server_hangs_keeps_no_other_name_waiting(place):
    """Twenty hang, more than any pool has threads; 112 is found while they do."""
    place.zone[CENTRE] = ("192.0.2.1",)
    hanging = [place.dial(f"{number}.{LBS}") for number in range(20)]

    receiver = place.dial(CENTRE)
    place.answer(CENTRE)

    assert hosts(receiver) == ["192.0.2.1"]
    assert not any(each.is_complete for each in hanging)


def test_each_name_has_at_most_one_look_up_under_way(place):
    for _ in range(50):
        place.dial(LBS)
        place.clock.advance(1)

    assert len(place.threads[f"name-{LBS}"].work) == 1


def test_who_waits_for_a_name_that_was_never_found_waits_five_seconds(place):
    receiver = place.dial(LBS)
    place.clock.advance(WAIT_S - 0.1)
    assert not receiver.is_complete

    place.clock.advance(0.1)
    assert receiver.is_complete
    assert receiver.addresses == []

    place.zone[LBS] = ("192.0.2.2",)
    place.answer(LBS)
    assert hosts(place.dial(LBS)) == ["192.0.2.2"]
    assert place.clock.getDelayedCalls() == []


@pytest.mark.parametrize("failure", [OSError("no such name"), UnicodeError("label too long"), ()])
def test_a_name_that_is_not_found_is_told_so_at_once_and_looked_for_again(place, failure):
    place.zone[LBS] = failure
    receiver = place.dial(LBS)
    place.answer(LBS)
    assert receiver.is_complete
    assert receiver.addresses == []

    place.zone[LBS] = ("192.0.2.2",)
    again = place.dial(LBS)
    place.answer(LBS)
    assert hosts(again) == ["192.0.2.2"]


@pytest.mark.parametrize("is_answered", [True, False])
def test_addresses_are_used_for_ever_when_the_name_servers_fail_or_hang(place, is_answered):
    place.zone[CENTRE] = ("192.0.2.1",)
    place.names.start()
    place.answer(CENTRE)
    del place.zone[CENTRE]

    for _ in range(1_000):
        place.clock.advance(REFRESH_S)
        if is_answered:
            place.answer(CENTRE)

    assert hosts(place.dial(CENTRE)) == ["192.0.2.1"]
    (alarm,) = place.alarms.standing()
    assert (alarm.name, alarm.about, alarm.facts) == (ALARM, CENTRE, {"kept": True})


def test_a_name_that_is_found_again_ends_its_alarm(place):
    place.names.start()
    for _ in range(5):
        place.clock.advance(REFRESH_S)
    assert [alarm.about for alarm in place.alarms.standing()] == [CENTRE]

    place.zone[CENTRE] = ("192.0.2.1",)
    place.answer(CENTRE)
    place.clock.advance(HOLD_S)

    assert place.alarms.standing() == []


def test_a_single_failure_is_no_alarm(place):
    place.zone[CENTRE] = ("192.0.2.1",)
    place.names.start()
    for _ in range(10):
        place.clock.advance(REFRESH_S)
        place.answer(CENTRE)
        found = place.zone.pop(CENTRE, None)
        if found is None:
            place.zone[CENTRE] = ("192.0.2.1",)

    assert ALARM_AFTER_S > 2 * REFRESH_S
    assert place.alarms.standing() == []


def test_a_name_that_moved_is_noticed_by_the_one_who_dials_it_and_used_by_the_next(place):
    place.zone[CENTRE] = ("192.0.2.1",)
    place.names.start()
    place.answer(CENTRE)
    place.zone[CENTRE] = ("192.0.2.2",)
    place.clock.advance(FRESH_S)

    assert hosts(place.dial(CENTRE)) == ["192.0.2.1"]
    place.answer(CENTRE)

    assert hosts(place.dial(CENTRE)) == ["192.0.2.2"]


def test_a_name_that_was_just_found_is_not_looked_up_again_for_every_connection(place):
    place.zone[CENTRE] = ("192.0.2.1",)
    place.names.start()
    place.answer(CENTRE)

    for _ in range(100):
        place.dial(CENTRE)

    assert place.threads[f"name-{CENTRE}"].work == []


def test_an_endpoint_that_wants_one_kind_of_address_gets_that(place):
    place.zone[LBS] = ("2001:db8::1", "192.0.2.1")

    receiver = place.dial(LBS, addressTypes=[IPv4Address])
    place.answer(LBS)

    assert hosts(receiver) == ["192.0.2.1"]


class TestAcrossRestarts:
    def test_what_was_found_is_known_after_a_restart_before_any_name_server_answers(self, place, tmp_path):
        place.zone[CENTRE] = ("2001:db8::1", "192.0.2.1")
        place.names.start()
        place.answer(CENTRE)
        place.threads["names-file"].go()

        after = Place(tmp_path, ahead=[CENTRE])

        assert hosts(after.dial(CENTRE)) == ["2001:db8::1", "192.0.2.1"]
        assert len(after.threads[f"name-{CENTRE}"].work) == 1

    def test_the_file_is_written_only_when_something_has_changed(self, place):
        place.zone[CENTRE] = ("192.0.2.1",)
        place.names.start()
        for _ in range(10):
            place.answer(CENTRE)
            place.clock.advance(REFRESH_S)

        assert len(place.threads["names-file"].work) == 1

    def test_a_disk_that_refuses_costs_nothing_but_a_line(self, place, tmp_path):
        place.names = Names(
            [CENTRE],
            tmp_path / "gone" / "names.json",
            clock=place.clock,
            thread=lambda name: place.threads.setdefault(name, Thread()),
            alarms=place.alarms,
            look_up=place.look_up,
        )
        place.zone[CENTRE] = ("192.0.2.1",)
        place.names.start()
        place.answer(CENTRE)

        place.threads["names-file"].go()

        assert hosts(place.dial(CENTRE)) == ["192.0.2.1"]

    @pytest.mark.parametrize(
        "octets",
        [
            b"",
            b"{",
            b"[]",
            b"7",
            b'{"a": 7}',
            b'{"a": ["not an address"]}',
            b'{"a": ["192.0.2.1"',
            b"\xff",
            b"[" * 60_000,
            b'{"a": ["192.0.2.1"], "b": "' + b"x" * LARGEST_FILE + b'"}',
        ],
    )
    def test_a_file_that_cannot_be_believed_is_not_used(self, tmp_path, octets):
        (tmp_path / "names.json").write_bytes(octets)

        assert read_addresses(tmp_path / "names.json") == {}

    def test_of_a_name_so_many_addresses_are_read_as_are_kept(self, tmp_path):
        many = [f"192.0.2.{number}" for number in range(100)]
        (tmp_path / "names.json").write_text(json.dumps({"a": many}))

        assert read_addresses(tmp_path / "names.json") == {"a": tuple(many[:MOST_ADDRESSES])}

    @given(st.binary(max_size=200))
    def test_no_octets_of_the_file_keep_us_from_starting(self, tmp_path_factory, octets):
        file = tmp_path_factory.mktemp("names") / "names.json"
        file.write_bytes(octets)

        assert isinstance(read_addresses(file), dict)


def test_after_a_stop_nothing_is_looked_up_and_no_thread_is_waited_for(place):
    place.names.start()

    place.names.stop()

    assert place.clock.getDelayedCalls() == []
    assert all(thread.is_stopped for thread in place.threads.values())


def test_the_system_knows_localhost():
    assert "127.0.0.1" in addresses_by_system("localhost")


# -- for threads that must not wait ------------------------------------------------------------------------------


def test_what_is_known_of_a_name_is_told_at_once_and_nothing_is_asked(place):
    place.zone[CENTRE] = ("192.0.2.1",)
    place.names.start()
    assert place.names.known(CENTRE) == ()

    place.answer(CENTRE)

    assert place.names.known(CENTRE) == ("192.0.2.1",)
    assert place.names.known("192.0.2.7") == ("192.0.2.7",)
    assert place.names.known(LBS) == ()
    assert place.asked == [CENTRE]


def test_before_the_start_a_name_leads_where_an_earlier_run_found_it(place, tmp_path):
    place.zone[CENTRE] = ("192.0.2.1",)
    place.names.start()
    place.answer(CENTRE)
    place.threads["names-file"].go()

    later = Place(tmp_path)

    assert later.names.known(CENTRE) == ("192.0.2.1",)


def test_a_command_gives_up_a_name_server_that_hangs(monkeypatch):
    answered = threading.Event()
    monkeypatch.setattr(
        "telephony.net.names.addresses_by_system", lambda _: ("192.0.2.1",) * answered.wait(60)
    )

    assert addresses_within(CENTRE, 0.01) == ()
    answered.set()
    assert addresses_within(CENTRE, 60) == ("192.0.2.1",)
    assert addresses_within("192.0.2.7") == ("192.0.2.7",)
