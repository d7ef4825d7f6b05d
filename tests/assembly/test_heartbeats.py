"""The daemon gives each centre that wants it a sign of life by each of its channels by data."""

from __future__ import annotations

from datetime import timedelta

import pytest

from telephony.assembly.heartbeats import HeartbeatsPart
from telephony.control.messages import FarEndKind, HeartbeatLook
from telephony.domain.delivery import Delivered, Retry
from telephony.domain.heartbeat import HouseState, Owing
from telephony.net.standing import FarEndState
from telephony.psap.settings import CapHttpChannel, VoiceChannel
from telephony.services.keeping.heartbeats import FIRST_S
from telephony.services.keeping.store_look import NoAnswer
from telephony.store.outbox.owed import Owed
from tests.assembly.test_adapters import centre_of, ground
from tests.awaiting import result_of
from tests.control.statuses import far_end


class House:
    """Centres whose senders keep what they were to send, and a part that gives them signs of life."""

    def __init__(self, folder, **psap):
        (seoul,) = ground(folder).settings.psap
        psap = {"heartbeat_s": 60.0} | psap
        self.on = ground(folder, psap=(seoul.model_copy(update=psap),))
        self.centre = centre_of(self.on)
        self.sent = []
        self.outcome = Delivered("200")
        self.far_ends = []
        self.seen = Owed(0, None, 0, is_more=False, schema_version=None)
        self.part = HeartbeatsPart(self.on, self.centre, lambda: self.far_ends, self._look)
        self.watch()
        self.part.startService()

    async def _look(self):
        return self.seen

    def watch(self):
        for way in self.centre._ways.values():
            if way.adapter.heartbeats is not None:
                way.adapter.heartbeats.send_heartbeat = self._send

    async def _send(self, heartbeat):
        self.sent.append(heartbeat)
        return self.outcome

    @property
    def psap(self):
        return self.centre.psaps[0]

    def take(self, **changes):
        self.centre.take([self.psap.model_copy(update=changes)])
        self.part.take()
        self.watch()

    def look(self):
        return [each.heartbeat for each in self.centre.far_ends()]


@pytest.fixture
def make(tmp_path):
    houses = []

    def make(**psap):
        houses.append(House(tmp_path, **psap))
        return houses[-1]

    yield make
    for house in houses:
        result_of(house.part.stopService())
        result_of(house.centre.stopService())


def test_a_centre_that_did_not_ask_for_heartbeats_gets_none(make):
    house = make(heartbeat_s=None)
    house.on.clock.pump([FIRST_S, 60.0])

    assert house.sent == []
    assert house.look() == [None]


def test_each_channel_by_data_has_its_own_and_a_telephone_none(make):
    channels = (
        CapHttpChannel(name="seoul-a", url="http://127.0.0.1:8112/"),
        CapHttpChannel(name="seoul-b", url="http://127.0.0.1:8113/", after_s=5.0),
        VoiceChannel(kind="voice", name="seoul-phone"),
    )
    house = make(channel=channels)
    house.on.clock.pump([FIRST_S, 60.0])

    assert [(each.channel, each.number) for each in house.sent] == [
        ("seoul-a", 1),
        ("seoul-b", 1),
        ("seoul-a", 2),
        ("seoul-b", 2),
    ]
    assert len({each.heartbeat_id for each in house.sent}) == 4
    assert [look is None for look in house.look()] == [False, False, True]


def test_it_says_how_links_owed_reports_and_alarms_stand(make):
    house = make()
    house.far_ends = [
        far_end(name="skt-1"),
        far_end(name="skt-2", state=FarEndState.REFUSED),
        far_end(FarEndKind.PEER, "kt-gateway", "kt"),
        far_end(FarEndKind.ASTERISK, "voice-1", "", FarEndState.CONNECTING),
        far_end(FarEndKind.CENTRE, "seoul-a", "seoul", FarEndState.FAILING),
        far_end(FarEndKind.LBS, "lbs-skt", "skt", FarEndState.FAILING),
    ]
    house.on.alarms.raise_("link-down", "skt-2")
    house.on.alarms.raise_("link-down", "voice-1")
    house.on.alarms.raise_("disk-low", "/var")
    house.on.clock.advance(FIRST_S)
    house.seen = Owed(
        3, house.sent[0].sent_at - timedelta(seconds=FIRST_S), 1, is_more=True, schema_version=None
    )
    house.on.clock.advance(60.0)

    assert house.sent[1].state == HouseState(
        links=4, links_down=("skt-2", "voice-1"), owing=Owing(3, 65, is_more=True), alarms=("link-down", "disk-low")
    )  # fmt: skip
    assert house.sent[1].state.links_up == 2


def test_it_comes_all_the_same_where_the_store_does_not_answer(make):
    house = make()
    house.seen = NoAnswer("it has not answered for 7 s")
    house.on.clock.advance(FIRST_S)

    assert house.sent[0].state.owing is None


def test_the_status_shows_what_became_of_them(make):
    house = make()
    assert house.look() == [HeartbeatLook(every_s=60.0, misses=0)]

    house.on.clock.advance(FIRST_S)
    house.outcome = Retry("the centre answered 503")
    house.on.clock.pump([60.0, 60.0])

    (look,) = house.look()
    assert (look.misses, look.taken_at.timestamp()) == (2, FIRST_S)


def test_a_changed_interval_takes_effect_and_the_numbers_go_on(make):
    house = make()
    house.on.clock.pump([FIRST_S, 60.0])

    house.take(heartbeat_s=10.0)
    house.on.clock.pump([FIRST_S, 10.0])

    assert [(each.number, each.interval_s) for each in house.sent] == [(1, 60), (2, 60), (3, 10), (4, 10)]


def test_a_reload_that_changes_nothing_of_it_leaves_the_interval_alone(make):
    house = make()
    house.on.clock.pump([FIRST_S, 50.0])

    house.take(carriers=("skt",))
    house.on.clock.advance(FIRST_S)
    assert [each.number for each in house.sent] == [1], "none of them has begun again"
    house.on.clock.advance(10.0 - FIRST_S)

    assert [each.number for each in house.sent] == [1, 2]


def test_heartbeats_that_are_no_longer_wanted_end(make):
    house = make()
    house.on.clock.advance(FIRST_S)

    house.take(heartbeat_s=None)
    house.on.clock.pump([60.0, 60.0])

    assert [each.number for each in house.sent] == [1]
    assert house.look() == [None]
