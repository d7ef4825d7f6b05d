"""A second kind of adapter is a table of settings, its code, and one line."""

from __future__ import annotations

import random
from typing import get_args

from pydantic import BaseModel
from twisted.internet import task

from telephony import plugins
from telephony.assembly import adapters
from telephony.assembly.adapters import Adapter, ChannelAdapter
from telephony.assembly.centre import CentrePart
from telephony.assembly.locating import LocatingPart
from telephony.assembly.part import Ground
from telephony.assembly.surroundings import Outside
from telephony.assembly.voice import SPOKEN_GRACE_S, Telephones
from telephony.asterisk.spoken.voice_sender import TALK_S, VoiceSender
from telephony.domain.delivery import Delivered
from telephony.domain.ports import NoFix
from telephony.lbs.settings import MlpSettings
from telephony.psap.settings import VoiceChannel
from telephony.services.calls import CallLedger
from telephony.services.spine.told import ToldReports
from telephony.settings import load
from tests.awaiting import result_of
from tests.doubles import Inline
from tests.services.spine.test_intake import press

SETTINGS = """
[service]
state_dir = "{state}"
[recognition]
sos_numbers = ["112"]
[[carrier]]
name = "skt"
[[carrier.smpp]]
name = "skt-1"
host = "127.0.0.1"
system_id = "onetouch"
[carrier.lbs]
url = "http://127.0.0.1:9210/"
client_id = "onetouch"
[[psap]]
name = "seoul"
addresses = "seoul"
[[psap.channel]]
name = "seoul-a"
url = "http://127.0.0.1:8112/"
"""


class Fax(BaseModel):
    """A second kind of ``[[psap.channel]]``."""

    name: str = "seoul-fax"
    concurrency: int = 2


class Oracle(BaseModel):
    """A second kind of ``[carrier.lbs]``."""

    connections: int = 3
    fast: object = MlpSettings(url="http://127.0.0.1/", client_id="x").fast
    accurate: object = MlpSettings(url="http://127.0.0.1/", client_id="x").accurate


class Speaker:
    """Sends, or asks; and says so."""

    def __init__(self, said):
        self.said = said

    async def send(self, report):
        self.said.append(report.report_id)
        return Delivered()

    async def locate(self, msisdn, quality):
        self.said.append(quality)
        return NoFix("an oracle")

    async def close(self):
        self.said.append("closed")


class Nowhere:
    """A store that is never asked."""

    database = None
    outbox = None

    def locating_file(self):
        return None


def ground(folder, **changes) -> Ground:
    """Return the ground of settings in which the kinds are others."""
    path = folder / "onetouch.toml"
    path.write_text(SETTINGS.format(state=folder / "state"))
    clock = task.Clock()
    return Ground.under(
        load(path).model_copy(update=changes),
        Outside(clock, random.Random(1), lambda name, threads: Inline()),
    )


def test_a_second_kind_of_channel_is_one_line(tmp_path, monkeypatch):
    said = []
    monkeypatch.setitem(
        adapters.CHANNELS,
        Fax,
        lambda settings, psap, ground, telephones: ChannelAdapter(Speaker(said), Speaker(said).close, 60.0),
    )
    plain = ground(tmp_path)
    psap = plain.settings.psap[0].model_copy(update={"channel": (*plain.settings.psap[0].channel, Fax())})
    on = ground(tmp_path, psap=(psap,))

    centre = centre_of(on)

    lane = centre.lanes()[-1]
    assert (lane.name, lane.concurrency, lane.attempt_timeout_s) == ("seoul-fax", 2, 60.0)
    assert set(centre.senders) == {"seoul-a", "seoul-fax"}
    result_of(centre.stopService())
    assert said == ["closed"]


def centre_of(on: Ground) -> CentrePart:
    ledger = CallLedger(None, clock=on.clock)
    return CentrePart(on, ToldReports(b"key", clock=on.clock), Telephones(on, ledger))


def test_a_telephone_of_a_centre_is_a_channel_among_the_others(tmp_path):
    phone = VoiceChannel(kind="voice", name="seoul-phone", ring_s=15)
    plain = ground(tmp_path)
    psap = plain.settings.psap[0].model_copy(update={"channel": (phone, *plain.settings.psap[0].channel)})

    centre = centre_of(ground(tmp_path, psap=(psap,)))

    assert [(lane.name, lane.concurrency) for lane in centre.lanes()] == [
        ("seoul-phone", 2),
        ("seoul-a", 32),
    ]
    assert isinstance(centre.senders["seoul-phone"].sender, VoiceSender)
    assert centre.lanes()[0].attempt_timeout_s == 15 + TALK_S + SPOKEN_GRACE_S
    result_of(centre.stopService())


def test_a_second_kind_of_locator_is_one_line(tmp_path, monkeypatch):
    said = []
    monkeypatch.setitem(
        adapters.LOCATORS,
        Oracle,
        lambda settings, carrier, ground: Adapter(Speaker(said), Speaker(said).close),
    )
    plain = ground(tmp_path)
    carrier = plain.settings.carrier[0].model_copy(update={"lbs": Oracle()})
    on = ground(tmp_path, carrier=(carrier,))

    locating = LocatingPart(on, Nowhere())
    fast, accurate = locating.lanes()

    assert fast.concurrency == accurate.concurrency == 3
    assert result_of(locating._fast.locate(press().msisdn, "fast", "skt")) is not None
    assert said == ["fast"]


def test_every_kind_that_the_settings_may_name_has_its_adapter():
    def kinds(alias):
        return set(get_args(alias)) or {alias}

    assert kinds(plugins.ChannelSettings) == set(adapters.CHANNELS)
    assert kinds(plugins.LocatorSettings) == set(adapters.LOCATORS)
