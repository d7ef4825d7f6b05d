"""The daemon as the operating system sees it: started, reloaded, stopped within a bound."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from telephony.assembly.part import Taken
from telephony.asterisk.settings import CarrierTrunk
from telephony.cli.reloading import apply_live, changed_keys
from telephony.cli.running import STOP_WITHIN_S, Running
from telephony.settings import Fault, Weight, load


class Reactor(Clock):
    """A clock that can be stopped."""

    running = True

    def stop(self) -> None:
        assert self.running
        self.running = False


class Daemon(MultiService):
    """A service that takes as long to stop as a test wants, and remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.reloaded = []
        self.stopping = Deferred()
        self.taken = Taken()

    def stopService(self):
        super().stopService()
        return self.stopping

    def reload(self, settings) -> Taken:
        self.reloaded.append(settings)
        return self.taken


class Life:
    """A running daemon and all that a test looks at."""

    def __init__(self, config) -> None:
        self.config = config
        self.reactor = Reactor()
        self.daemon = Daemon()
        self.running = Running(config, load(config), lambda settings, reactor: self.daemon, self.reactor)

    def rewrite(self, old: str, new: str) -> None:
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))

    def reload(self) -> list[dict]:
        with capture_logs() as told:
            self.running.reload()
        return told


@pytest.fixture
def life(config):
    life = Life(config)
    life.running.start()
    assert life.daemon.running
    return life


def test_a_stop_lets_the_daemon_finish_and_then_ends_with_zero(life):
    life.running.stop("SIGTERM")
    assert life.reactor.running

    life.daemon.stopping.callback(None)

    assert not life.reactor.running
    assert life.running.exit_code == 0
    assert life.reactor.getDelayedCalls() == []


def test_a_daemon_that_does_not_end_is_cut_off_within_the_bound(life):
    life.running.stop("SIGTERM")

    life.reactor.advance(STOP_WITHIN_S)

    assert not life.reactor.running
    assert life.running.exit_code == 1
    life.daemon.stopping.callback(None)


def test_a_second_signal_cuts_off_at_once(life):
    life.running.stop("SIGTERM")
    life.running.stop("SIGTERM")

    assert not life.reactor.running
    assert life.running.exit_code == 1


def test_a_stop_that_fails_still_ends_and_says_so(life):
    life.running.stop("SIGTERM")

    life.daemon.stopping.errback(ValueError("no"))

    assert not life.reactor.running
    assert life.running.exit_code == 1


def test_a_daemon_that_cannot_start_ends_with_one_and_says_why(config):
    def fail(settings, reactor):
        raise OSError("address in use")

    reactor = Reactor()
    running = Running(config, load(config), fail, reactor)

    with capture_logs() as told:
        running.start()

    assert not reactor.running
    assert running.exit_code == 1
    assert ("cannot start", "address in use") in [(line["event"], line.get("reason")) for line in told]


def test_what_is_hardly_meant_and_what_closes_one_way_is_logged_at_the_start(config):
    said = [
        Fault("f", "k", "hardly meant", "change it", weight=Weight.REMARK),
        Fault("f", "k", "expired", "renew it", line=3),
    ]
    running = Running(config, load(config), lambda settings, reactor: Daemon(), Reactor(), said)

    with capture_logs() as told:
        running.start()

    assert [(line["log_level"], line["event"]) for line in told] == [
        ("warning", "settings remark"),
        ("error", "settings fault"),
        ("info", "started"),
    ]
    assert told[0]["remark"] == "f: remark: k: hardly meant; change it"
    assert told[1]["fault"] == "f:3: k: expired; renew it"


def test_a_reload_takes_to_the_daemon_what_it_can_and_says_what_needs_a_restart(life):
    life.rewrite('["112"]', '["112", "1366"]')
    life.rewrite('name = "skt-1"', 'name = "skt-1"\nwindow = 20')
    life.rewrite("[recognition]", "[relay]\npoll_s = 2.0\n[recognition]")
    life.daemon.taken = Taken(secrets=["kt-1"], refused={"skt-1": "provide the file /secret"})

    [refused, told] = life.reload()

    assert (refused["event"], refused["about"], refused["reason"]) == (
        "settings not taken",
        "skt-1",
        "provide the file /secret",
    )
    assert (told["event"], told["changed"], told["needs_restart"]) == (
        "settings reloaded",
        ["recognition.sos_numbers", "carrier[0].smpp[0].window"],
        ["relay.poll_s"],
    )
    assert (told["secrets"], told["not_taken"]) == (["kt-1"], ["skt-1"])
    [given] = life.daemon.reloaded
    assert given.recognition.sos_numbers == ("112", "1366")
    assert given.carrier[0].smpp[0].window == 20
    assert given.relay.poll_s == 1.0, "what needs a restart is kept from the running daemon"


KT = '[[carrier]]\nname = "kt"\n[[carrier.smpp]]\nname = "{link}"\nhost = "h"\nsystem_id = "s"\n'


def test_a_reload_takes_a_carriers_own_recognition_and_a_new_carrier_too(life):
    life.rewrite("[carrier.lbs]", '[carrier.recognition]\nsos_numbers = ["1366"]\n[carrier.lbs]')
    life.reload()

    life.rewrite("[[psap]]", KT.format(link="kt-1") + "[[psap]]")
    [told] = life.reload()

    given = life.daemon.reloaded[-1]
    assert given.recognition_for("skt").sos_numbers == {"1366"}
    assert [(carrier.name, [link.name for link in carrier.smpp]) for carrier in given.carrier] == [
        ("skt", ["skt-1"]),
        ("kt", ["kt-1"]),
    ]
    assert (told["changed"], told["needs_restart"]) == (["carrier"], [])


def test_what_others_dial_a_new_carrier_by_waits_for_a_restart(config):
    running = load(config)
    (skt,) = running.carrier
    kt = skt.model_copy(update={"name": "kt", "smpp": (), "trunk": (CarrierTrunk(name="kt-voice"),)})
    fresh = running.model_copy(update={"carrier": (kt, skt)})

    applied = apply_live(running, fresh, by_daemon=True)

    assert [(carrier.name, carrier.trunk) for carrier in applied.carrier] == [("kt", ()), ("skt", ())]
    assert changed_keys(applied, fresh) == ["carrier[0].trunk"]


def test_a_carrier_that_is_gone_stays_until_a_restart_and_keeps_the_names_of_its_links(life):
    life.rewrite('name = "skt"\n', 'name = "skt-anew"\n')

    [told] = life.reload()

    assert [carrier.name for carrier in life.daemon.reloaded[-1].carrier] == ["skt"]
    assert (told["changed"], told["needs_restart"]) == ([], ["carrier[0].name"])


def test_what_needs_a_restart_is_said_again_at_every_reload(life):
    life.rewrite("[recognition]", "[relay]\npoll_s = 2.0\n[recognition]")
    life.reload()

    [told] = life.reload()

    assert (told["changed"], told["needs_restart"]) == ([], ["relay.poll_s"])
    assert len(life.daemon.reloaded) == 2, "a secret may have changed where no key has"


def test_a_reload_with_faults_changes_nothing_and_names_each(life):
    life.rewrite('["112"]', "[]")
    life.rewrite("[[psap]]", "x = 1\n[[psap]]")

    told = life.reload()

    assert [(line["event"], line["line"], line["table"], line["key"]) for line in told] == [
        ("settings not reloaded", 5, "", "recognition.sos_numbers"),
        ("settings not reloaded", 16, "carrier skt", "carrier[0].lbs.x"),
    ]
    assert life.daemon.reloaded == []


def test_without_a_daemon_that_can_take_it_recognition_needs_a_restart_too(config):
    before = load(config)
    config.write_text(config.read_text().replace('["112"]', '["1366"]') + '[log]\nlevel = "debug"\n')
    after = load(config)

    applied = apply_live(before, after, by_daemon=False)

    assert changed_keys(before, applied) == ["log.level"]
    assert changed_keys(applied, after) == ["recognition.sos_numbers"]


def test_a_list_of_another_length_is_named_as_a_whole(config):
    before = load(config)
    config.write_text(config.read_text() + '[[psap.channel]]\nname = "b"\nurl = "http://127.0.0.1/"\n')

    assert changed_keys(before, load(config)) == ["psap[0].channel"]
