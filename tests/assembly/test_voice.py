"""The voice part assembled: from the settings to links, presses, knocks and orders. Two simulated Asterisk servers."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs
from twisted.internet.defer import Deferred

from telephony.assembly.part import Ground
from telephony.assembly.surroundings import Outside
from telephony.assembly.voice import AsteriskPart, Telephones
from telephony.asterisk.sos.follower import WORD_S
from telephony.domain.delivery import CALL_CONTROL, Delivered, Rejected
from telephony.domain.facts import FactKind
from telephony.domain.orders import CallBack, HangUp, HoldSilence, LiftSilence, Ordered, Orderer
from telephony.lab.phones.ami import LabAmi
from telephony.services.calls import CallLedger
from telephony.settings import load
from telephony.store.direction import give
from telephony.store.engines import open_engines
from telephony.store.presses import NewPress
from telephony.store.schema import metadata
from tests.asterisk.sos_events import Held
from tests.doubles import ONE_CENTRE, Inline, database, keys, outbox, without_fsync
from tests.smpp.people import Witness
from tests.smpp.wires import Wires
from tests.store.ledger import Ledger

SECRET = "lab-only"
BEGAN_S = 1_795_464_999.0
NO_VOICE = """
[service]
state_dir = "{state}"
[recognition]
sos_numbers = ["112"]
service_numbers = ["1588112"]
[[carrier]]
name = "lgu"
[[carrier.smpp]]
name = "lgu-1"
host = "127.0.0.1"
system_id = "onetouch"
[[psap]]
name = "seoul"
addresses = "seoul"
[[psap.channel]]
name = "seoul"
url = "http://127.0.0.1:8112/"
"""
VOICE = """
[[carrier]]
name = "skt"
[[carrier.trunk]]
name = "skt-voice"
[[carrier.trunk]]
name = "skt-voice-2"
[[carrier]]
name = "kt"
[carrier.recognition]
sos_numbers = ["1366"]
[[carrier.trunk]]
name = "kt-voice"
[[asterisk]]
name = "voice-1"
port = 5038
secret = {env = "AMI_SECRET"}
[[asterisk]]
name = "voice-2"
port = 5039
secret = {env = "AMI_SECRET"}
[voice]
knock_gap_s = 1.0
[[voice.knock]]
meaning = "cannot-speak"
taps = 2
ko = "말을 할 수 없음"
en = "cannot speak"
[[voice.knock]]
meaning = "armed"
digits = "911"
ko = "흉기"
en = "armed"
"""


class House:
    """Telephones and links between two servers and a store."""

    def __init__(self, folder, engines, text=NO_VOICE + VOICE):
        self.folder = folder
        self.wires = Wires()
        self.wires.rightNow = BEGAN_S
        self.labs = {
            name: LabAmi(reactor=self.wires, rng=random.Random(3), secret=SECRET, port=port)
            for name, port in (("voice-1", 5038), ("voice-2", 5039))
        }
        self.store = Ledger(engines[0])
        self.woken, self.offered, self.witness = [], [], Witness()
        self.database = database(*engines)
        ledger = CallLedger(outbox(self.database, ONE_CENTRE, self.woken), clock=self.wires)
        outside = Outside(self.wires, random.Random(7), lambda name, threads: Inline())
        self.ground = replace(Ground.under(self.settings(text), outside), observer=self.witness)
        self.telephones = Telephones(self.ground, ledger)
        self.lanes = {lane.name: lane for lane in self.telephones.lanes()}
        self.asterisk = AsteriskPart(self.ground, self.telephones, ledger, self.accept_all)

    def settings(self, text):
        path = self.folder / "onetouch.toml"
        path.write_text(text.replace("{state}", str(self.folder / "state")))
        return load(path)

    async def accept_all(self, triggers):
        self.offered += triggers
        presses = [NewPress(trigger, trigger.incident_id or "") for trigger in triggers]
        return [recorded.receipt for recorded in self.store.transact(self.store._recorder, presses)]

    def start(self):
        for lab in self.labs.values():
            lab.startService()
        self.asterisk.startService()
        self.wires.settle()

    def say(self, server, *packets):
        for each in packets:
            self.labs[server].say(each.event, *each.headers[1:])
        self.wires.settle()
        self.wires.pass_time(WORD_S, step=WORD_S)

    def order(self, *kinds):
        """Let 112 give these orders; give the last as its lane gets it, with those before it done."""
        held = self.store.rows("incident")[-1]["id"]
        for kind in kinds:
            ordered = Ordered(held, kind, Orderer("desk 7", "kim"), datetime.fromtimestamp(BEGAN_S, UTC))
            assert self.store.transact(give, ONE_CENTRE, ordered).refused is None
        for _ in kinds:
            [order] = self.store.claim(CALL_CONTROL, after_s=BEGAN_S)
            self.store.settle(order, Delivered())
        return order

    def carry_out(self, order):
        """Give an order to its lane; give what comes of it, now or later."""
        came = []
        Deferred.fromCoroutine(self.lanes[CALL_CONTROL].channel.deliver(order)).addBoth(came.append)
        self.wires.settle()
        return came

    def facts(self, kind):
        return [row["data"] for row in self.store.rows("fact") if row["kind"] == kind]


@pytest.fixture
def engines(tmp_path):
    writing, reading = open_engines(f"sqlite:///{tmp_path}/store.sqlite", keys)
    without_fsync(writing)
    metadata.create_all(writing)
    yield writing, reading
    writing.dispose()
    reading.dispose()


@pytest.fixture
def house(tmp_path, engines, monkeypatch):
    monkeypatch.setenv("AMI_SECRET", SECRET)
    return House(tmp_path, engines)


def test_every_asterisk_of_the_settings_is_connected_to(house):
    house.start()

    assert sorted(house.witness.of("up")) == [("up", "voice-1", "ami"), ("up", "voice-2", "ami")]
    assert set(house.telephones.clients) == {"voice-1", "voice-2"}
    assert all(client.is_ready for client in house.telephones.clients.values())
    house.asterisk.stopService()
    house.wires.pass_time(5.0, step=1.0)
    assert not any(lab.connections for lab in house.labs.values())


def test_a_held_key_on_any_trunk_of_any_server_is_a_press_of_its_carrier(house):
    house.start()

    house.say("voice-1", Held(1).arrives(), Held(2, trunk="skt-voice-2", caller="01022222222").arrives())
    house.say("voice-2", Held(3, trunk="kt-voice", caller="01033333333", server="voice-2").arrives())

    assert [(trigger.connector, trigger.carrier, trigger.reference) for trigger in house.offered] == [
        ("skt-voice", "skt", Held(1).reference),
        ("skt-voice-2", "skt", Held(2).reference),
        ("kt-voice", "kt", Held(3, server="voice-2").reference),
    ]
    assert len(house.store.rows("incident")) == 3


def test_each_carrier_has_its_own_table_of_numbers(house):
    house.start()

    house.say("voice-1", Held(1).arrives(), Held(2, trunk="kt-voice").arrives())

    assert [trigger.labels for trigger in house.offered] == [(), ("unlisted destination",)]


def test_the_service_number_is_no_press_and_a_reload_changes_that_and_the_tables(house):
    house.start()
    house.say("voice-1", Held(1, dialled="1588112").arrives())
    assert house.offered == []

    text = (NO_VOICE + VOICE).replace('"1588112"', '"1588113"').replace('["1366"]', '["112", "1588112"]')
    house.ground.recognitions.take(house.settings(text))
    house.asterisk.recognise()
    house.say("voice-1", Held(2, trunk="kt-voice", dialled="1588112").arrives())

    [trigger] = house.offered
    assert trigger.labels == ()
    house.say("voice-1", Held(3, dialled="1588113").arrives())
    assert len(house.offered) == 1


def test_taps_are_read_by_the_table_and_the_gap_of_the_settings(house):
    held = Held()
    house.start()
    house.say("voice-1", held.arrives(), held.starts())

    for digits in ("15", "911"):
        house.say("voice-1", *(held.taps(digit) for digit in digits))
        house.wires.pass_time(1.1)

    two, three = house.facts(FactKind.KNOCK)
    assert '"meaning": "cannot-speak"' in two
    assert '"ko": "흉기"' in three


def test_an_order_of_112_reaches_the_server_of_the_call(house):
    held = Held(server="voice-2", trunk="kt-voice")
    house.start()
    house.labs["voice-2"].answer_list("CoreShowChannels", [("CoreShowChannel", held.row())])
    house.say("voice-2", held.arrives(), held.starts())

    came = house.carry_out(house.order(HangUp()))

    assert came == [Delivered("hang-up: 1 of 1 calls")]
    assert "Hangup" in house.labs["voice-2"].names_heard()
    assert "Hangup" not in house.labs["voice-1"].names_heard()


def test_the_caller_is_rung_back_by_the_first_trunk_of_her_carrier_once_silence_is_lifted(house):
    held = Held(trunk="skt-voice-2")
    house.start()
    house.say("voice-1", held.arrives(), held.starts())

    came = house.carry_out(house.order(LiftSilence(), CallBack()))

    [originate] = [action for action in house.labs["voice-1"].heard if action.get("Action") == "Originate"]
    assert originate.get("Channel") == "PJSIP/+821012345678@skt-voice"
    assert came == [Delivered("her phone is being called")]
    with capture_logs() as logs:
        house.labs["voice-1"].say(
            "OriginateResponse", ("Response", "Success"), ("Uniqueid", originate.get("ChannelId"))
        )
        house.wires.settle()
    assert [entry["outcome"] for entry in logs if entry["event"] == "call-back over"] == ["answered"]
    assert len(house.offered) == 1, "and ringing her is no press"


def test_silence_that_was_held_again_meanwhile_is_kept(house):
    held = Held()
    house.start()
    house.say("voice-1", held.arrives(), held.starts())
    order = house.order(LiftSilence(), CallBack())
    house.order(HoldSilence())

    [rejected] = house.carry_out(order)

    assert isinstance(rejected, Rejected)
    assert "Originate" not in house.labs["voice-1"].names_heard()


def test_the_orders_have_a_lane_of_their_own_behind_the_reports(house):
    lane = house.lanes[CALL_CONTROL]

    assert lane.rank == 1
    assert lane.attempt_timeout_s > 35 + 5, "a call-back rings for 30 s"


def test_without_an_asterisk_there_is_no_lane_and_no_line(tmp_path, engines):
    house = House(tmp_path, engines, NO_VOICE)

    assert house.lanes == {}
    house.asterisk.startService()
    house.wires.settle()
    assert (house.wires.dials, dict(house.telephones.clients)) == ([], {})
