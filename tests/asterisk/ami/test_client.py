"""Our connection to an Asterisk, against the simulated manager interface; time and wires are simulated."""

from __future__ import annotations

import random
from collections import deque
from itertools import pairwise

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import ValidationError
from structlog.testing import capture_logs
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorPluggableNameResolver
from twisted.internet.ssl import CertificateOptions
from twisted.protocols import tls
from zope.interface import directlyProvides

from telephony.asterisk.ami import actions
from telephony.asterisk.ami import client as module
from telephony.asterisk.ami.client import AmiClient
from telephony.asterisk.ami.packets import MAX_LINE, Packet
from telephony.asterisk.settings import AsteriskServer
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.lab.phones.ami import LabAmi
from telephony.net.lifecycle import CLOSE_S
from telephony.net.pauses import SETTLED_S
from tests.awaiting import failure_of, is_waiting, result_of
from tests.scenarios.certificates import make_certificates
from tests.smpp.people import Witness
from tests.smpp.wires import Wire, Wires

SECRET = "correct horse 말"
PORT = 5038


class House:
    """One client with everything around it, and the server that it is to find."""

    def __init__(self, wires, *, rng=7, **settings):
        self.wires = wires
        self.witness = Witness()
        self.events = []
        self.changes = []
        self.lab = LabAmi(reactor=wires, rng=random.Random(3), secret=SECRET, port=PORT)
        settings = {"name": "voice-1", "secret": {"env": "AMI_SECRET"}, **settings}
        self.client = AmiClient(
            AsteriskServer(**settings),
            reactor=wires,
            rng=random.Random(rng),
            observer=self.witness,
            on_event=self.hear,
            on_ready=lambda: self.changes.append("ready"),
            on_lost=lambda: self.changes.append("lost"),
        )

    def hear(self, packet):
        self.events.append(packet)

    def start(self):
        self.lab.startService()
        self.client.startService()
        self.wires.settle()

    def start_ready(self):
        self.start()
        assert self.client.is_ready
        self.events.clear()

    def say(self, event, *fields):
        self.lab.say(event, *fields)
        self.wires.settle()

    def names(self):
        return [packet.event for packet in self.events]


@pytest.fixture
def wires(monkeypatch):
    monkeypatch.setenv("AMI_SECRET", SECRET)
    return Wires()


@pytest.fixture
def house(wires):
    return House(wires)


class TestLoggingIn:
    def test_it_logs_in_with_a_challenge_and_is_ready_when_asterisk_has_booted(self, house, wires):
        began = wires.seconds()

        house.start()

        assert wires.dials == [began]
        assert house.lab.names_heard() == ["Challenge", "Login"]
        assert house.client.is_ready
        assert house.changes == ["ready"]
        assert house.witness.said == [("up", "voice-1", "ami")]

    def test_the_secret_does_not_cross_the_wire(self, house):
        house.start()

        assert SECRET not in str([packet.headers for packet in house.lab.heard])

    def test_it_is_not_ready_while_asterisk_boots_but_hears_of_calls(self, house, wires):
        house.lab.boot_slowly()
        house.start()

        house.say("Newchannel")

        assert not house.client.is_ready
        assert isinstance(failure_of(house.client.action("Ping")), Unavailable)
        assert (house.names(), house.changes) == (["Newchannel"], [])
        house.lab.finish_boot()
        wires.settle()
        assert (house.client.is_ready, house.changes) == (True, ["ready"])

    def test_an_account_that_is_never_told_fullybooted_is_used_with_an_alarm(self, house, wires):
        """A right that is missing in manager.conf must not keep the calls from us."""
        house.lab.boot_slowly()
        house.start()

        wires.pass_time(module.BOOT_S + 0.2)

        assert house.client.is_ready
        assert "read = system" in house.witness.of("alarm")[0][2]
        assert wires.dials == wires.dials[:1]

    def test_a_refused_login_is_said_and_waited_out(self, house, wires):
        house.lab.refuse_login()
        house.start()

        wires.pass_time(module.REFUSED_RETRY_S - 1, step=1.0)

        assert house.witness.said == [("unreachable", "voice-1", "login refused: Authentication failed")]
        assert len(wires.dials) == 1
        house.lab.accept_logins()
        wires.pass_time(2.0)
        assert house.client.is_ready

    def test_a_wrong_secret_is_refused(self, wires, monkeypatch):
        monkeypatch.setenv("AMI_SECRET", "wrong")
        house = House(wires)

        house.start()

        assert house.witness.said == [("unreachable", "voice-1", "login refused: Authentication failed")]

    def test_a_refused_challenge_is_a_refused_login_and_long_words_are_cut(self, house, wires):
        house.lab.refuse("Challenge", "x" * 5000)

        house.start()

        assert house.witness.said == [("unreachable", "voice-1", "login refused: " + "x" * 200)]

    def test_after_a_refusal_a_port_that_is_closed_is_tried_quickly_again(self, house, wires):
        """The long pause belongs to the refusal, not to what comes after it."""
        house.lab.refuse_login()
        house.start()
        house.lab.stopService()

        wires.pass_time(module.REFUSED_RETRY_S + 20, step=0.5)

        assert len(wires.dials) > 4

    @pytest.mark.parametrize(
        ("trouble", "reason", "after_s"),
        [
            (lambda lab: lab.hang(), "no banner in time", 5.0),
            (lambda lab: lab.ignore("Challenge"), "no challenge in time", 5.0),
            (lambda lab: lab.ignore("Login"), "login not answered in time", 5.0),
            (lambda lab: setattr(lab, "banner", "SSH-2.0-OpenSSH_9.2"), "no banner of Asterisk", 0.0),
        ],
    )
    def test_a_server_that_does_not_go_on_is_left(self, house, wires, trouble, reason, after_s):
        trouble(house.lab)
        house.start()

        wires.pass_time(after_s + 0.05)

        assert house.witness.of("unreachable")[0] == ("unreachable", "voice-1", reason)
        assert not house.client.is_ready

    def test_nothing_is_believed_of_a_server_that_is_not_asterisk(self, house, wires):
        house.lab.banner = "220 mail.example ESMTP\r\nEvent: Hangup\r\n"

        house.start()
        wires.pass_time(1)

        assert house.events == []
        assert house.lab.heard == deque()

    def test_the_banner_is_not_waited_for_longer_than_set(self, wires):
        house = House(wires, connect_timeout_s=1.0)
        house.lab.hang()
        house.start()

        wires.pass_time(1.05)

        assert house.witness.of("unreachable")[0][2] == "no banner in time"

    def test_a_secret_that_cannot_be_read_is_said_at_once(self, wires):
        with pytest.raises(LookupError, match="NO_SUCH"):
            House(wires, secret={"env": "NO_SUCH"})


class TestTls:
    @pytest.fixture
    def certificates(self, tmp_path):
        return make_certificates(tmp_path / "tls")

    @pytest.fixture(autouse=True)
    def no_delay(self, monkeypatch):
        """Under TLS a connection says that it is TCP, so it is asked not to hold small writes back."""
        asked = []
        monkeypatch.setattr(Wire, "setTcpNoDelay", lambda _, yes: asked.append(yes), raising=False)
        return asked

    @pytest.fixture(autouse=True)
    def simulated_time(self, monkeypatch, wires):
        """Twisted's TLS gathers small writes for a moment of the global reactor, unless told otherwise."""
        monkeypatch.setattr(tls, "_get_default_clock", lambda: wires)

    def listen(self, house, certificates):
        own = x509.load_pem_x509_certificate(certificates.certificate.read_bytes())
        key = load_pem_private_key(certificates.key.read_bytes(), password=None)
        options = CertificateOptions(certificate=own, privateKey=key)
        house.wires.listenTCP(PORT, tls.TLSMemoryBIOFactory(options, False, house.lab.factory()))

    def test_it_logs_in_over_tls_and_leaves(self, wires, certificates, no_delay):
        house = House(wires, tls={"ca_file": certificates.authority})
        self.listen(house, certificates)
        house.client.startService()
        wires.settle()

        ping = house.client.action("Ping")
        wires.settle()

        assert result_of(ping).is_success
        assert no_delay == [True]
        stopped = house.client.stopService()
        wires.pass_time(3)
        assert result_of(stopped) is None

    def test_a_certificate_of_another_authority_is_not_spoken_to(self, wires, certificates, tmp_path):
        others = make_certificates(tmp_path / "others")
        house = House(wires, tls={"ca_file": others.authority})
        self.listen(house, certificates)

        house.client.startService()
        wires.settle()

        assert house.lab.names_heard() == []
        assert "TLS verification failed" in house.witness.of("unreachable")[0][2]


class TestSettings:
    @pytest.mark.parametrize("username", ["", "a\r\nAction: x", "x" * 81, "a\0"])
    def test_a_name_that_no_login_can_carry_is_a_fault(self, username):
        with pytest.raises(ValidationError):
            AsteriskServer(name="voice-1", secret={"env": "AMI_SECRET"}, username=username)

    def test_only_a_name_is_looked_up(self, wires):
        class Names:
            asked = ()

            def resolveHostName(self, _receiver, host, *_, **__):
                self.asked += (host,)

        wires.nameResolver = Names()
        directlyProvides(wires, IReactorPluggableNameResolver)

        for host in ("127.0.0.1", "voice-1.example"):
            House(wires, host=host).client.startService()

        assert wires.nameResolver.asked == ("voice-1.example",)
        assert len(wires.dials) == 1


class TestReconnecting:
    def test_a_lost_connection_is_told_and_replaced_within_a_quarter_of_a_second(self, house, wires):
        house.start_ready()
        wires.pass_time(20)

        house.lab.drop()
        wires.pass_time(0.3)

        assert house.changes == ["ready", "lost", "ready"]
        assert [what for what, *_ in house.witness.said] == ["up", "down", "up"]

    def test_an_attempt_after_a_good_connection_is_judged_by_itself(self, house, wires):
        house.start_ready()
        house.lab.ignore("Login")
        house.lab.drop()

        wires.pass_time(6)

        assert house.witness.of("unreachable") == [("unreachable", "voice-1", "login not answered in time")]

    def test_it_never_gives_up_and_never_waits_longer_than_five_seconds(self, house, wires):
        house.client.startService()

        wires.pass_time(300, step=0.5)

        gaps = [later - earlier for earlier, later in pairwise(wires.dials)]
        assert max(gaps) <= 5.6
        assert max(gaps[20:]) > 3.0
        assert len(house.witness.of("unreachable")) == len(wires.dials)
        house.lab.startService()
        wires.pass_time(6)
        assert house.client.is_ready

    def test_pauses_are_jittered_so_that_daemons_do_not_come_together(self, wires):
        def dials(rng):
            wires.dials = []
            house = House(wires, rng=rng)
            house.client.startService()
            began = wires.seconds()
            wires.pass_time(5)
            house.client.stopService()
            return [round(at - began, 6) for at in wires.dials]

        assert dials(1) != dials(2)

    def test_a_server_that_takes_us_and_drops_us_is_not_hammered(self, house, wires):
        house.start_ready()
        for _ in range(200):
            wires.pass_time(0.5)
            house.lab.drop()

        assert len(wires.dials) < 80

    def test_a_good_connection_lets_the_count_begin_again(self, house, wires):
        house.client.startService()
        wires.pass_time(60, step=0.5)
        house.lab.startService()
        wires.pass_time(6 + SETTLED_S)
        assert house.client.is_ready

        house.lab.drop()
        wires.pass_time(0.3)

        assert house.client.is_ready

    def test_half_a_packet_before_the_end_is_no_event(self, house, wires):
        house.start_ready()

        house.lab.cut("Newchannel", ("Uniqueid", "voice-1-1.1"), ("Exten", "112"))
        wires.pass_time(0.3)
        house.say("Hangup")

        assert house.names() == ["FullyBooted", "Hangup"]

    def test_a_shutdown_is_noted_and_heard(self, house, wires):
        house.start_ready()

        house.lab.shut_down()
        wires.settle()

        assert house.names() == ["Shutdown"]
        assert house.witness.said[1:3] == [
            ("noted", "voice-1", "Asterisk is shutting down"),
            ("down", "voice-1", "Asterisk shut down"),
        ]

    def test_a_stream_beyond_its_bounds_costs_the_connection_not_what_came_before(self, house, wires):
        house.start_ready()

        house.lab.write(b"Event: Hangup\r\n\r\nEvent: " + b"x" * (MAX_LINE + 1) + b"\r\n\r\n")
        wires.pass_time(0.3)

        assert house.names() == ["Hangup", "FullyBooted"]
        assert house.witness.of("down") == [("down", "voice-1", f"a line is longer than {MAX_LINE} octets")]


class TestKeepAlive:
    def test_silence_is_broken_by_a_ping(self, house, wires):
        house.start_ready()

        wires.pass_time(35)

        assert house.lab.names_heard()[2:] == ["Ping"] * 3
        assert house.changes == ["ready"]

    def test_events_make_pings_unnecessary(self, house, wires):
        house.start_ready()

        for _ in range(30):
            wires.pass_time(3)
            house.say("VarSet")

        assert house.lab.names_heard()[2:] == []

    def test_a_link_without_a_word_for_fifteen_seconds_is_dead(self, house, wires):
        house.start_ready()
        house.lab.hang()

        wires.pass_time(14.8)
        assert house.client.is_ready
        wires.pass_time(0.4)

        assert not house.client.is_ready
        assert house.witness.of("down") == [("down", "voice-1", "dead")]
        house.lab.wake()
        wires.pass_time(7)
        assert house.changes == ["ready", "lost", "ready"]

    def test_any_packet_after_the_ping_is_a_sign_of_life(self, house, wires):
        house.start_ready()
        house.lab.ignore("Ping")

        wires.pass_time(12)
        house.say("VarSet")
        wires.pass_time(12)

        assert house.client.is_ready
        wires.pass_time(4)
        assert house.witness.of("down") == [("down", "voice-1", "dead")]


class TestActions:
    def test_the_response_comes_back_to_the_one_who_asked(self, house, wires):
        house.start_ready()
        house.lab.answer("Getvar", [("Value", "42")])

        ping, getvar = house.client.action("Ping"), house.client.action("Getvar", [("Variable", "A")])
        wires.settle()

        assert result_of(ping).get("Ping") == "Pong"
        assert result_of(getvar).get("Value") == "42"
        assert house.lab.heard[-1].get("Variable") == "A"
        assert house.events == []

    def test_an_action_is_one_write(self, house, wires):
        house.start_ready()
        writes = []
        house.client._connection._wire = type(
            "Wire", (), {"write": lambda _, octets: writes.append(octets)}
        )()

        house.client.action("Setvar", [("Variable", "A"), ("Value", "김")])

        assert len(writes) == 1
        assert writes[0].endswith("Variable: A\r\nValue: 김\r\n\r\n".encode())

    def test_an_error_is_refused_with_the_words_of_asterisk(self, house, wires):
        house.start_ready()
        house.lab.refuse("Hangup", "No such channel")

        hangup = house.client.action("Hangup", [("Channel", "PJSIP/skt-1")])
        wires.settle()

        error = failure_of(hangup)
        assert isinstance(error, Refused)
        assert str(error) == "No such channel"

    def test_without_a_connection_it_is_unavailable(self, house, wires):
        assert isinstance(failure_of(house.client.action("Ping")), Unavailable)
        assert isinstance(failure_of(house.client.listing("CoreShowChannels")), Unavailable)

    def test_a_field_that_would_forge_an_action_fails_and_nothing_is_written(self, house, wires):
        house.start_ready()

        bad = [("Variable", "A"), ("Value", "1\r\n\r\nAction: Originate")]
        failures = [failure_of(ask("Setvar", bad)) for ask in (house.client.action, house.client.listing)]
        wires.pass_time(6)

        assert [type(error) for error in failures] == [Malformed, Malformed]
        assert "'Value'" in str(failures[0])
        assert house.lab.names_heard() == ["Challenge", "Login"]

    def test_no_answer_in_time_is_unavailable_and_a_late_one_is_ignored(self, house, wires):
        house.start_ready()
        house.lab.ignore("Setvar")
        setvar = house.client.action("Setvar")
        wires.pass_time(4.8)
        assert is_waiting(setvar)

        wires.pass_time(0.4)
        late = house.lab.heard[-1].action_id
        house.lab.write(f"Response: Success\r\nActionID: {late}\r\n\r\n".encode())
        wires.settle()

        assert str(failure_of(setvar)) == "no answer to Setvar in 5 s"
        assert (house.events, house.changes) == ([], ["ready"])

    def test_a_lost_connection_fails_what_waits_before_it_is_told(self, house, wires):
        house.start_ready()
        house.lab.ignore("Originate")
        seen = []
        waiting = [house.client.action("Originate"), house.client.listing("Originate")]
        for one in waiting:
            one.addErrback(
                lambda failure: seen.append((type(failure.value), house.client.is_ready, list(house.changes)))
            )
        wires.settle()

        house.lab.drop()
        wires.settle()

        assert seen == [(Unavailable, False, ["ready"])] * 2
        assert house.changes == ["ready", "lost"]

    def test_an_answer_to_a_loss_cannot_be_another_action_on_the_same_connection(self, house, wires):
        house.start_ready()
        house.lab.ignore("Setvar")
        again = []
        setvar = house.client.action("Setvar")
        setvar.addErrback(lambda _: again.append(house.client.action("Setvar")))
        wires.settle()

        house.lab.drop()
        wires.settle()

        assert isinstance(failure_of(again[0]), Unavailable)

    def test_ids_of_one_connection_mean_nothing_on_the_next(self, house, wires):
        house.start_ready()
        house.lab.ignore("Setvar")
        house.client.action("Setvar").addErrback(lambda _: None)
        wires.settle()
        first = house.lab.heard[-1].action_id
        house.lab.drop()
        wires.pass_time(0.3)

        setvar = house.client.action("Setvar")
        wires.settle()
        house.lab.write(f"Response: Success\r\nActionID: {first}\r\n\r\n".encode())
        wires.settle()

        assert house.lab.heard[-1].action_id.partition("-")[0] != first.partition("-")[0]
        assert is_waiting(setvar)
        ids = [packet.action_id for packet in house.lab.heard]
        assert len(set(ids)) == len(ids)
        wires.pass_time(6)
        failure_of(setvar)

    def test_a_caller_who_cancels_waits_no_longer(self, house, wires):
        house.start_ready()
        setvar = house.client.action("Setvar")

        setvar.cancel()
        wires.pass_time(6)

        assert isinstance(failure_of(setvar), CancelledError)
        assert house.client.is_ready

    def test_an_originate_response_is_an_event_though_it_carries_our_id(self, house, wires):
        house.start_ready()
        originate = house.client.action("Originate", [("Async", "true")])
        wires.settle()
        assert result_of(originate).is_success

        house.say("OriginateResponse", ("ActionID", house.lab.heard[-1].action_id), ("Response", "Failure"))

        assert house.names() == ["OriginateResponse"]

    def test_an_originate_response_before_the_response_does_not_stand_for_it(self, house, wires):
        house.start_ready()
        house.lab.ignore("Originate")
        originate = house.client.action("Originate", [("Async", "true")])
        wires.settle()

        house.say("OriginateResponse", ("ActionID", house.lab.heard[-1].action_id), ("Response", "Success"))

        assert house.names() == ["OriginateResponse"]
        assert is_waiting(originate)

    def test_an_originate_response_after_the_time_out_is_heard_all_the_same(self, house, wires):
        """The call to a guardian may have been made, whether or not we learnt that it was queued."""
        house.start_ready()
        house.lab.ignore("Originate")
        originate = house.client.action("Originate", [("Async", "true")])
        wires.pass_time(6)
        assert isinstance(failure_of(originate), Unavailable)

        house.say("OriginateResponse", ("ActionID", house.lab.heard[-1].action_id), ("Response", "Success"))

        assert house.names() == ["OriginateResponse"]


CHANNELS = [("CoreShowChannel", [("Uniqueid", f"voice-1-1.{number}")]) for number in range(3)]


class TestListings:
    def test_a_list_is_its_events_without_the_one_that_closes_it(self, house, wires):
        house.start_ready()
        house.lab.answer_list("CoreShowChannels", CHANNELS)

        channels = house.client.listing("CoreShowChannels")
        wires.settle()

        assert [packet.get("Uniqueid") for packet in result_of(channels)] == [
            "voice-1-1.0",
            "voice-1-1.1",
            "voice-1-1.2",
        ]
        assert house.events == []
        assert not house.client._connection.actions._given_up

    def test_events_of_calls_between_those_of_a_list_go_where_they_belong(self, house, wires):
        house.start_ready()
        house.lab.answer_list("CoreShowChannels", CHANNELS[:1], ending=None)
        channels = house.client.listing("CoreShowChannels")
        wires.settle()

        house.say("Newchannel", ("Uniqueid", "voice-1-9.9"))
        house.say("UserEvent", ("ActionID", "somebody's own"), ("EventList", "Complete"))
        house.say(
            "CoreShowChannelsComplete", ("ActionID", house.lab.heard[-1].action_id), ("EventList", "Complete")
        )

        assert len(result_of(channels)) == 1
        assert house.names() == ["Newchannel", "UserEvent"]

    def test_an_empty_list_is_empty(self, house, wires):
        house.start_ready()
        house.lab.answer_list("CoreShowChannels", [])
        house.lab.answer(
            "VoicemailUsersList", [("Message", "There are no voicemail users currently defined.")]
        )

        channels = house.client.listing("CoreShowChannels")
        users = house.client.listing("VoicemailUsersList")
        wires.settle()

        assert (result_of(channels), result_of(users)) == ([], [])

    def test_an_error_is_refused(self, house, wires):
        house.start_ready()
        house.lab.refuse("CoreShowChannels", "Permission denied")

        channels = house.client.listing("CoreShowChannels")
        wires.settle()

        assert isinstance(failure_of(channels), Refused)

    def test_a_list_that_asterisk_breaks_off_is_unavailable(self, house, wires):
        house.start_ready()
        house.lab.answer_list("CoreShowChannels", CHANNELS, ending="Cancelled")

        channels = house.client.listing("CoreShowChannels")
        wires.settle()

        assert isinstance(failure_of(channels), Unavailable)
        assert not house.client._connection.actions._given_up

    def test_the_time_out_counts_from_the_last_event_of_the_list(self, house, wires):
        house.start_ready()
        house.lab.ignore("CoreShowChannels")
        channels = house.client.listing("CoreShowChannels")
        wires.pass_time(4)
        action_id = house.lab.heard[-1].action_id
        house.lab.write(f"Response: Success\r\nActionID: {action_id}\r\nEventList: start\r\n\r\n".encode())
        for _ in range(4):
            wires.pass_time(4)
            house.say("CoreShowChannel", ("ActionID", action_id))
        assert is_waiting(channels)

        wires.pass_time(4.8)
        assert is_waiting(channels)
        house.say("Newchannel")
        wires.pass_time(0.4)

        assert isinstance(failure_of(channels), Unavailable)

    def test_what_comes_of_a_list_that_was_given_up_is_no_news(self, house, wires):
        house.start_ready()
        house.lab.answer_list("CoreShowChannels", CHANNELS, ending=None)
        channels = house.client.listing("CoreShowChannels")
        wires.settle()
        late = ("ActionID", house.lab.heard[-1].action_id)
        wires.pass_time(5.2)
        assert isinstance(failure_of(channels), Unavailable)

        house.say("CoreShowChannel", late)
        house.say("CoreShowChannelsComplete", late, ("EventList", "Complete"))
        house.say("Hangup")

        assert house.names() == ["Hangup"]
        assert not house.client._connection.actions._given_up

    def test_a_caller_who_cancels_a_list_hears_nothing_of_it(self, house, wires):
        house.start_ready()
        house.lab.answer_list("CoreShowChannels", CHANNELS)

        channels = house.client.listing("CoreShowChannels")
        channels.cancel()
        wires.settle()

        assert isinstance(failure_of(channels), CancelledError)
        assert house.events == []

    def test_a_list_without_end_is_given_up_at_its_bound(self, house, wires, monkeypatch):
        monkeypatch.setattr(actions, "LONGEST_LIST", 5)
        house.start_ready()
        house.lab.answer_list("CoreShowChannels", CHANNELS * 2)
        house.lab.answer_list("Status", CHANNELS + CHANNELS[:2])

        channels, status = house.client.listing("CoreShowChannels"), house.client.listing("Status")
        wires.settle()

        assert str(failure_of(channels)) == "CoreShowChannels lists more than 5"
        assert len(result_of(status)) == 5
        assert house.events == []

    def test_lists_given_up_are_forgotten_in_the_end(self, house, wires, monkeypatch):
        monkeypatch.setattr(actions, "LISTS_GIVEN_UP", 3)
        house.start_ready()
        house.lab.ignore("Status")

        for _ in range(10):
            house.client.listing("Status").addErrback(lambda _: None).cancel()

        assert len(house.client._connection.actions._given_up) == 3


class TestHandlers:
    def test_an_event_that_is_not_handled_costs_no_other(self, house, wires):
        def stumble(packet):
            house.events.append(packet)
            if packet.event == "Newchannel":
                raise ValueError("cannot be read")

        house.client._on_event = stumble
        house.start_ready()

        with capture_logs() as logs:
            house.lab.write(b"Event: Newchannel\r\n\r\nEvent: Hangup\r\n\r\n")
            wires.settle()

        assert house.names() == ["Newchannel", "Hangup"]
        (line,) = logs
        assert (line["event"], line["ami_event"], line["link"]) == (
            "AMI event not handled",
            "Newchannel",
            "voice-1",
        )
        assert line["exc_info"]
        assert house.client.is_ready

    def test_a_change_that_is_not_handled_costs_no_connection(self, house, wires):
        def stumble():
            raise ValueError("not today")

        house.client._on_ready = house.client._on_lost = stumble

        with capture_logs() as logs:
            house.start_ready()
            house.lab.drop()
            wires.pass_time(0.3)

        assert house.client.is_ready
        assert [line["what"] for line in logs] == ["ready", "lost", "ready"]

    def test_a_caller_who_is_told_ready_can_ask_at_once(self, house, wires):
        asked = []
        house.client._on_ready = lambda: asked.append(house.client.listing("CoreShowChannels"))
        house.lab.answer_list("CoreShowChannels", CHANNELS)

        house.start_ready()

        assert len(result_of(asked[0])) == 3

    def test_every_event_is_handed_over_in_order_as_it_came(self, house, wires):
        house.start_ready()

        house.say("UserEvent", ("UserEvent", "SOSCall"), ("ChanVariable", "A=1"), ("ChanVariable", "B=2"))

        assert house.events == [
            Packet(
                (
                    ("Event", "UserEvent"),
                    ("UserEvent", "SOSCall"),
                    ("ChanVariable", "A=1"),
                    ("ChanVariable", "B=2"),
                )
            )
        ]


class TestStopping:
    def test_it_closes_and_stays_away(self, house, wires):
        house.start_ready()

        stopped = house.client.stopService()
        assert is_waiting(stopped)
        wires.pass_time(20)

        assert result_of(stopped) is None
        assert house.changes == ["ready", "lost"]
        assert house.lab.connections == []
        assert len(wires.dials) == 1
        assert house.witness.of("unreachable") == []

    def test_who_stops_it_twice_hears_twice(self, house, wires):
        house.start_ready()

        both = [house.client.stopService(), house.client.stopService()]
        wires.settle()

        assert [result_of(one) for one in both] == [None, None]

    def test_what_waits_is_told(self, house, wires):
        house.start_ready()
        house.lab.ignore("Originate")
        originate = house.client.action("Originate")
        wires.settle()

        house.client.stopService()

        assert isinstance(failure_of(originate), Unavailable)

    def test_an_asterisk_that_does_not_close_is_not_waited_for(self, house, wires):
        house.start_ready()
        house.client._connection._wire.stuck = True

        stopped = house.client.stopService()
        wires.pass_time(CLOSE_S - 0.2)
        assert is_waiting(stopped)
        wires.pass_time(0.4)

        assert result_of(stopped) is None

    def test_nothing_is_heard_after_the_stop(self, house, wires):
        house.start_ready()
        house.client._on_event = lambda packet: (house.events.append(packet), house.client.stopService())

        house.lab.write(b"Event: First\r\n\r\nEvent: Second\r\n\r\n")
        wires.settle()

        assert house.names() == ["First"]

    @pytest.mark.parametrize("until", ["connecting", "login", "pause"])
    def test_it_can_be_stopped_at_any_time(self, house, wires, until):
        if until == "login":
            house.lab.ignore("Login")
        if until != "pause":
            house.lab.startService()
        house.client.startService()
        if until != "connecting":
            wires.settle()

        stopped = house.client.stopService()
        wires.settle()

        assert result_of(stopped) is None
        assert house.client._connection is None
        assert len(wires.dials) == 1
        assert wires.getDelayedCalls() == []
