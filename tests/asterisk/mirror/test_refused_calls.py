"""From mirrored SIP to presses: one server's mirror on a clock of its own."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs
from twisted.internet import task
from twisted.internet.defer import Deferred, succeed

from telephony.alarms import Alarms
from telephony.asterisk.mirror.refusals import WAIT_REFUSED_S, WAIT_UNANSWERED_S
from telephony.asterisk.mirror.refused_calls import LOOK_S, Mirror
from telephony.asterisk.settings import SipMirror
from telephony.asterisk.sip.carried import Carried
from telephony.asterisk.sos.follower import Trunk
from telephony.domain.delivery import RETRY_DELAYS_S
from telephony.domain.errors import Unavailable
from telephony.domain.facts import SaidByInvite
from telephony.domain.incident import Join, Receipt
from telephony.domain.recognition import Recognition
from telephony.domain.trigger import REFUSED_CALL, UNLISTED_DESTINATION
from telephony.domain.values import Msisdn
from telephony.fields import Secret
from telephony.store.fact_rows import to_data
from tests.asterisk.hep_datagrams import hep, sip
from tests.asterisk.sip.test_carried import document

BEGAN_S = 1_795_464_999.0
PIDF = "Content-Type: application/pidf+xml"


class Port:
    def stopListening(self):
        return succeed(None)


class Reactor(task.Clock):
    def listenUDP(self, port, protocol, **_):
        self.heard = protocol
        return Port()


class House:
    """A mirror between a server and an intake that does as it is told."""

    def __init__(self, password=""):
        self.reactor = Reactor()
        self.reactor.advance(BEGAN_S)
        self.reactor.rightNow = BEGAN_S
        self.alarms = Alarms(self.reactor)
        self.offered, self.carried = [], []
        self.answers = []
        recognition = Recognition(
            frozenset({"112"}), frozenset({"1129"}), service_numbers=frozenset({"1588112"})
        )
        settings = SipMirror(port=9060, password=Secret(env="MIRROR_PASSWORD") if password else None)
        self.mirror = Mirror(
            "voice-1",
            settings,
            [Trunk("skt-voice", "skt", "from-skt-voice", recognition)],
            lambda address: "skt-voice" if str(address) == "192.0.2.10" else None,
            accept_all=self.accept_all,
            alarms=self.alarms,
            reactor=self.reactor,
        )
        self.mirror.on_invite = lambda call_id, carried: self.carried.append((call_id, carried))
        self.mirror.startService()

    def accept_all(self, triggers):
        self.offered += triggers
        answer = self.answers.pop(0) if self.answers else Receipt("sos-1", Join.FIRST)
        if isinstance(answer, Deferred):
            return answer
        return succeed([answer])

    def hears(self, octets, **how):
        self.reactor.heard.datagramReceived(hep(octets, **how), ("127.0.0.1", 5))

    def refuses(self, uri="sip:112@x", *headers, status="488 Not Acceptable Here", body=b""):
        self.hears(sip(f"INVITE {uri} SIP/2.0", *headers, body=body))
        self.hears(sip(f"SIP/2.0 {status}"), source="198.51.100.7")
        self.pass_time(WAIT_REFUSED_S)

    def pass_time(self, seconds):
        for _ in range(int(seconds / LOOK_S) + 1):
            self.reactor.advance(LOOK_S)

    @property
    def alarm_names(self):
        return [(alarm.name, alarm.about) for alarm in self.alarms.standing()]


@pytest.fixture
def house():
    return House()


def test_a_refused_call_is_a_press_of_its_trunk_with_why_it_was_refused_and_an_alarm(house):
    with capture_logs() as logs:
        house.refuses()

    (press,) = house.offered
    (fact,) = press.facts
    assert (press.source, press.connector, press.carrier, press.destination) == (
        "call",
        "skt-voice",
        "skt",
        "112",
    )
    assert press.msisdn == Msisdn("821012345678")
    assert press.received_at.timestamp() == BEGAN_S
    assert press.labels == (REFUSED_CALL,)
    assert not press.test
    assert to_data(fact) == {
        "state": "refused",
        "refused": "488 Not Acceptable Here",
        "trunk": "skt-voice",
        "dialled": "112",
        "sip-call-id": "a84b4c76e66710@192.0.2.10",
    }
    assert house.alarm_names == [("call-refused", "skt-voice")]
    assert "1012345678" not in repr(logs)
    assert [line["status"] for line in logs if line["event"] == "call refused before it had a channel"] == [
        "488 Not Acceptable Here"
    ]


@pytest.mark.parametrize(
    ("uri", "labels", "is_test"),
    [
        ("urn:service:sos.police", (REFUSED_CALL,), False),
        ("tel:+821588999", (REFUSED_CALL, UNLISTED_DESTINATION), False),
        ("sip:1129@x", (REFUSED_CALL,), True),
        ("tel:+821129", (REFUSED_CALL,), True),
        ("sip:+821129;npdi@x;user=phone", (REFUSED_CALL,), True),
        ("sip:00821129@x", (REFUSED_CALL,), True),
        ("tel:+82112", (REFUSED_CALL,), False),
    ],
    ids=[
        "urn",
        "unlisted",
        "drill",
        "drill-from-abroad",
        "drill-with-parameters",
        "drill-00",
        "sos-from-abroad",
    ],
)
def test_whatever_was_dialled_is_told_and_labelled(house, uri, labels, is_test):
    house.refuses(uri)

    (press,) = house.offered
    assert (press.labels, press.test) == (labels, is_test)


@pytest.mark.parametrize("uri", ["sip:1588112@x", "tel:+821588112"], ids=["sip", "tel"])
def test_a_refused_call_to_the_menu_is_an_alarm_and_no_press(house, uri):
    house.refuses(uri)

    assert house.offered == []
    assert house.alarm_names == [("call-refused", "skt-voice")]


def test_a_call_that_nobody_answers_is_told_as_such(house):
    house.hears(sip())
    house.pass_time(WAIT_UNANSWERED_S)

    assert [press.facts[0].refused for press in house.offered] == ["not answered"]


def test_a_call_that_the_manager_interface_tells_of_is_not_told_again(house):
    house.hears(sip("INVITE sip:112@x SIP/2.0", "Geolocation: <https://ls.example/1>"))
    assert house.carried == [
        ("a84b4c76e66710@192.0.2.10", Carried(SaidByInvite(geolocation="https://ls.example/1")))
    ]

    assert house.mirror.has_channel("a84b4c76e66710@192.0.2.10").said == SaidByInvite(
        geolocation="https://ls.example/1"
    )
    house.hears(sip("SIP/2.0 503 Service Unavailable"))
    house.pass_time(60)

    assert house.offered == []


def test_a_press_is_offered_with_its_place_until_it_is_durable(house):
    house.answers = [Unavailable("no commit"), Receipt("sos-7", Join.FIRST)]

    with capture_logs():
        house.refuses("sip:112@x", PIDF, body=document())
        house.pass_time(2 * RETRY_DELAYS_S[0] + 1)

    first, second = house.offered
    assert first.reference == second.reference
    assert second.position == first.position
    assert second.position.uncertainty_m == 150.0


def test_two_calls_with_one_call_id_at_different_times_are_two_presses(house):
    house.refuses()
    house.pass_time(300)
    house.refuses()

    first, second = house.offered
    assert first.reference != second.reference


def test_what_is_not_read_and_who_has_another_password_make_no_press_and_an_alarm(monkeypatch):
    monkeypatch.setenv("MIRROR_PASSWORD", "right")
    house = House("right")

    house.hears(sip(), password="wrong")
    house.reactor.heard.datagramReceived(b"rubbish", ("127.0.0.1", 5))
    house.pass_time(60)
    assert house.offered == []
    assert house.alarm_names == [("mirror-unreadable", "voice-1")]

    house.hears(sip(), password="right")
    house.pass_time(60)
    assert len(house.offered) == 1


def test_a_refusal_is_told_at_once_when_the_daemon_stops(house):
    house.hears(sip())
    house.hears(sip("SIP/2.0 488 Not Acceptable Here"))

    house.mirror.stopService()

    assert len(house.offered) == 1
    house.pass_time(60)
    assert len(house.offered) == 1
