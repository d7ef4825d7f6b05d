"""New settings taken in by a part: what is new is made before anything old is let go, and nothing else is touched."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from telephony.assembly.carriers import CarriersPart
from telephony.assembly.locating import LocatingPart
from telephony.domain.ports import FAST
from telephony.fields import Secret
from telephony.net.standing import FarEndState
from tests.assembly.test_adapters import Nowhere, centre_of, ground
from tests.awaiting import result_of
from tests.services.spine.test_intake import press


@pytest.fixture
def on(tmp_path):
    return ground(tmp_path)


def changed(psap, **channel):
    (first, *others) = psap.channel
    return psap.model_copy(update={"channel": (first.model_copy(update=channel), *others)})


def test_a_changed_channel_gets_another_sender_under_the_same_name(on):
    centre = centre_of(on)
    noted, sender = centre.senders["seoul-a"], centre.senders["seoul-a"].sender

    taken = centre.take([changed(on.settings.psap[0], timeout_s=3.0)])

    assert (taken.secrets, taken.refused) == ([], {})
    assert centre.senders["seoul-a"] is noted, "whoever holds it sends by the new one"
    assert noted.sender is not sender
    assert centre.lanes()[0].attempt_timeout_s == 8.0
    result_of(centre.stopService())


def test_a_channel_whose_centre_has_other_carriers_now_is_left_alone(on):
    centre = centre_of(on)
    sender = centre.senders["seoul-a"].sender

    centre.take([on.settings.psap[0].model_copy(update={"carriers": ("skt",)})])

    assert centre.senders["seoul-a"].sender is sender
    result_of(centre.stopService())


def test_centres_are_taken_all_or_none(on):
    """The plan must never name a channel that could not be made."""
    centre = centre_of(on)
    (seoul,) = on.settings.psap
    busan = changed(seoul.model_copy(update={"name": "busan"}), name="busan-a")
    without_secret = changed(seoul, name="seoul-b", authorization=Secret(env="ONETOUCH_NOT_SET"))

    taken = centre.take([busan, without_secret])

    assert taken.refused == {"seoul-b": "set the environment variable ONETOUCH_NOT_SET"}
    assert set(centre.senders) == {"seoul-a"}
    assert centre.psaps == on.settings.psap
    assert [lane.name for lane in centre.lanes()] == ["seoul-a"]
    result_of(centre.stopService())


def test_a_channel_that_left_the_settings_still_delivers_what_it_owes(on):
    centre = centre_of(on)
    (seoul,) = on.settings.psap

    centre.take([changed(seoul, name="seoul-b")])

    assert set(centre.senders) == {"seoul-a", "seoul-b"}
    assert [end.name for end in centre.far_ends()] == ["seoul-b"]
    result_of(centre.stopService())


def test_the_secret_of_a_channel_is_read_again(on, monkeypatch):
    monkeypatch.setenv("ONETOUCH_CENTRE", "Bearer one")
    psap = changed(on.settings.psap[0], authorization=Secret(env="ONETOUCH_CENTRE"))
    centre = centre_of(on)
    centre.take([psap])

    monkeypatch.setenv("ONETOUCH_CENTRE", "Bearer two")
    assert centre.take([psap]).secrets == ["seoul-a"]
    assert centre.take([psap]).secrets == []
    monkeypatch.setenv("ONETOUCH_CENTRE", "not\na header")
    refused = centre.take([psap]).refused

    assert "printable ASCII on one line" in refused["seoul-a"]
    assert "not\na" not in refused["seoul-a"], "a secret is never shown"
    result_of(centre.stopService())


def with_lbs(settings, **changes):
    (carrier,) = settings.carrier
    lbs = None if changes.pop("gone", False) else carrier.lbs.model_copy(update=changes)
    return settings.model_copy(update={"carrier": (carrier.model_copy(update={"lbs": lbs}),)})


def test_a_changed_location_service_is_asked_with_lanes_of_its_new_size(on, monkeypatch):
    monkeypatch.setattr("telephony.assembly.locating.LocatingRecord", lambda *_, **__: None)
    locating = LocatingPart(on, Nowhere())
    before = locating._fast

    taken = locating.take(with_lbs(on.settings, connections=3))

    assert taken.refused == {}
    assert {lane.concurrency for lane in locating.lanes()} == {3}
    assert locating._fast is before, "what asks holds on to it"
    assert [end.state for end in locating.far_ends()] == [FarEndState.NOT_ASKED]


def test_a_location_service_that_is_gone_is_asked_no_more(on, monkeypatch):
    monkeypatch.setattr("telephony.assembly.locating.LocatingRecord", lambda *_, **__: None)
    locating = LocatingPart(on, Nowhere())

    locating.take(with_lbs(on.settings, gone=True))

    answer = result_of(locating._fast.locate(press().msisdn, FAST, "skt"))
    assert answer.reason == "skt has no location service"
    assert list(locating.far_ends()) == []


def carriers_of(on) -> CarriersPart:
    people = SimpleNamespace(languages=SimpleNamespace(of=None))
    desks = SimpleNamespace(texts=None, enrolment=None)
    return CarriersPart(on, people, desks, silence=None, accept_all=None)


def with_kt(settings, **link):
    (skt,) = settings.carrier
    first = skt.smpp[0].model_copy(update={"name": "kt-1", **link})
    kt = skt.model_copy(update={"name": "kt", "smpp": (first,)})
    return settings.model_copy(update={"carrier": (skt, kt)})


def test_a_new_carrier_has_its_links_and_leaves_those_of_the_others_alone(on):
    carriers = carriers_of(on)
    before = list(carriers)
    settings = with_kt(on.settings)
    on.recognitions.take(settings)

    taken = carriers.take(settings)

    assert taken.refused == {}
    assert [end.name for end in carriers.far_ends()] == ["skt-1", "kt-1"]
    assert [way.carrier for way in on.text_ways] == ["skt", "kt"]
    assert before == [each for each in carriers if each in before]
    carriers.take(settings)
    assert [end.name for end in carriers.far_ends()] == ["skt-1", "kt-1"], "it is new once"
    assert len(on.text_ways) == 2


def test_a_link_of_a_new_carrier_that_cannot_be_made_is_tried_again_at_the_next_reload(on, monkeypatch):
    carriers = carriers_of(on)
    settings = with_kt(on.settings, password=Secret(env="ONETOUCH_NOT_SET"))

    assert carriers.take(settings).refused == {"kt-1": "set the environment variable ONETOUCH_NOT_SET"}
    monkeypatch.setenv("ONETOUCH_NOT_SET", "right")

    assert carriers.take(settings).refused == {}
    assert [end.name for end in carriers.far_ends()] == ["skt-1", "kt-1"]


def test_a_new_carrier_is_located_by_its_own_service_in_lanes_of_its_own(on, monkeypatch):
    monkeypatch.setattr("telephony.assembly.locating.LocatingRecord", lambda *_, **__: None)
    locating = LocatingPart(on, Nowhere())

    locating.take(with_kt(on.settings))

    assert {lane.name for lane in locating.lanes()} == {"locate:skt", "track:skt", "locate:kt", "track:kt"}
    assert [end.name for end in locating.far_ends()] == ["lbs-skt", "lbs-kt"]
