"""A heartbeat is CAP that nobody can take for an emergency, and says how the service stands."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from telephony.domain.heartbeat import Heartbeat, HouseState, Owing
from telephony.lab.centre.psap import ReceivedReport
from telephony.psap.heartbeat import encode_heartbeat
from tests.doubles import KST

AT = datetime(2026, 11, 23, 6, 5, 2, tzinfo=UTC)
WELL = HouseState(links=3, owing=Owing(0))
ILL = HouseState(
    links=3,
    links_down=("skt-2", "voice-1"),
    owing=Owing(10_000, 47, is_more=True),
    alarms=("link-down", "report-overdue"),
)
HEARTBEAT = Heartbeat(
    "heartbeat-onetouch-seoul-a-20261123T030502-17",
    "onetouch",
    "seoul-a",
    17,
    AT - timedelta(hours=3),
    AT,
    60.0,
    WELL,
)
ALL = [HEARTBEAT, replace(HEARTBEAT, state=ILL), replace(HEARTBEAT, state=replace(WELL, owing=None))]


def received(heartbeat=HEARTBEAT, language="en"):
    raw = encode_heartbeat(
        heartbeat,
        sender="onetouch.example",
        addresses="112.seoul.example",
        language=language,
        zone=KST,
    )
    return ReceivedReport(0.0, heartbeat.heartbeat_id, raw)


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("heartbeat", ALL)
def test_it_fits_the_schema_of_cap(heartbeat, language):
    assert received(heartbeat, language).fault is None


@pytest.mark.parametrize("heartbeat", ALL)
def test_it_is_no_emergency_at_sight(heartbeat):
    """By each of these alone a receiver can tell it from a report, whichever it looks at."""
    told = received(heartbeat)
    text = told.raw.decode()

    assert told.is_heartbeat
    assert (told.status, told.msg_type) == ("System", "Alert")
    assert "<code>heartbeat</code>" in text
    assert "<incidents>" not in text
    assert "<area>" not in text
    assert "<responseType>None</responseType>" in text
    assert "<severity>Minor</severity>" in text
    assert told.headline.startswith("[NO EMERGENCY]")


def test_no_report_is_taken_for_one():
    assert not ReceivedReport(0.0, "", b"<alert/>").is_heartbeat
    assert not ReceivedReport(0.0, "", received().raw.replace(b">heartbeat<", b">silent<")).is_heartbeat
    assert not ReceivedReport(0.0, "", received().raw.replace(b">System<", b">Actual<")).is_heartbeat


def test_a_sample_says_that_it_is_a_test():
    told = received(replace(HEARTBEAT, is_sample=True))

    assert told.status == "Test"
    assert told.headline.startswith("[TEST] [NO EMERGENCY]")


def test_it_is_good_for_three_intervals():
    text = received().raw.decode()

    assert re.findall("<sent>(.*)</sent>", text) == ["2026-11-23T15:05:02+09:00"]
    assert re.findall("<expires>(.*)</expires>", text) == ["2026-11-23T15:08:02+09:00"]


def test_it_says_how_the_service_stands():
    told = received(replace(HEARTBEAT, state=ILL))

    assert told.parameters == {
        "heartbeat": ("17",),
        "heartbeat-interval-s": ("60",),
        "service": ("onetouch",),
        "service-channel": ("seoul-a",),
        "service-started-time": ("2026-11-23T12:05:02+09:00",),
        "links": ("3",),
        "links-up": ("1",),
        "link-down": ("skt-2", "voice-1"),
        "reports-owed": ("10000",),
        "reports-owed-more": ("yes",),
        "reports-owed-oldest-age-s": ("47",),
        "alarm": ("link-down", "report-overdue"),
    }
    assert told.heartbeat_interval_s == 60.0


def test_it_says_so_in_words_too():
    text = received(replace(HEARTBEAT, state=ILL), "ko").raw.decode()

    (description,) = re.findall("<description>(.*)</description>", text, re.DOTALL)

    assert description.splitlines() == [
        "연결: 3개 중 1개 정상",
        "끊긴 연결: skt-2, voice-1",
        "112에 아직 전달되지 않은 보고 최소 10000건, 가장 오래된 것 47초 전",
        "경보: link-down, report-overdue",
    ]


def test_what_the_store_does_not_say_is_not_known():
    told = received(ALL[2])

    assert told.parameters["reports-owed"] == ("unknown",)
    assert "not known (the store does not answer)" in told.raw.decode()
