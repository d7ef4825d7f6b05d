"""The screen of the lab tells that heartbeats come and that they stopped, and not each of them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from twisted.internet.task import Clock

from telephony.lab.centre.http_server import LabRequest
from telephony.lab.centre.psap import LabPsap
from telephony.lab.stage.echo import Echo
from tests.psap.test_heartbeat import received


class Stage:
    """The centres of a lab on a clock, and the lines that its screen has said."""

    def __init__(self, language):
        self.clock = Clock()
        self.psap, self.fallback = LabPsap(self.clock), LabPsap(self.clock)
        house = SimpleNamespace(
            reactor=self.clock,
            language=language,
            psap=self.psap,
            fallback=self.fallback,
            mlp=SimpleNamespace(),
            smsc=SimpleNamespace(phones=SimpleNamespace()),
            log=SimpleNamespace(on_entry=lambda _: None),
        )
        self.said = []
        self.echo = Echo(house, self.said.append, lambda: 100)

    def beat(self, centre):
        heartbeat = received()
        centre._take(
            LabRequest("POST", "/cap", ((b"idempotency-key", heartbeat.key.encode()),), heartbeat.raw)
        )

    @property
    def told(self):
        return [" ".join(line.split()) for line in self.said]


@pytest.mark.parametrize(
    ("language", "come", "gone"),
    [
        (
            "en",
            "112 heartbeats come, one every 60 s",
            "112 neither a heartbeat nor a report for three intervals",
        ),
        (
            "ko",
            "112 연결 확인이 60초마다 들어옴",
            "112 연결 확인도 보고도 세 주기 동안 오지 않음",
        ),
    ],
)
def test_the_first_heartbeat_and_a_silence_are_told(language, come, gone):
    stage = Stage(language)
    for _ in range(3):
        stage.beat(stage.psap)
        stage.clock.advance(60)
    assert stage.told == [come]

    stage.clock.advance(120)
    assert stage.told == [come, gone]

    stage.beat(stage.psap)
    assert stage.told == [come, gone, come]


def test_one_that_the_centre_does_not_take_is_not_told():
    stage = Stage("en")
    for trouble in (stage.psap.hang, stage.psap.refuse, stage.psap.drop_before_receiving):
        trouble()
        stage.beat(stage.psap)

    assert stage.told == []


def test_each_url_is_told():
    stage = Stage("en")
    stage.beat(stage.psap)
    stage.beat(stage.fallback)

    assert stage.told == ["112 heartbeats come, one every 60 s", "112 URL 2 heartbeats come, one every 60 s"]
