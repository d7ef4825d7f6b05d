"""The samples are what docs/cap.md shows, and nobody can take one for an emergency."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from telephony.alarms import Alarms
from telephony.domain.report import Report
from telephony.lab.centre.psap import LabPsap, ReceivedReport
from telephony.psap.client import CapHttpSender
from telephony.psap.sample_sending import Attempt, Made, ObservedClient, attempts
from telephony.psap.samples import DOCUMENTED, DOCUMENTED_AT, LASTS, Names, samples
from telephony.psap.settings import CapHttpChannel, Psap
from tests.doubles import KST

TEXT = (Path(__file__).parents[2] / "docs" / "cap.md").read_text(encoding="utf-8")
ALL = samples(DOCUMENTED_AT, DOCUMENTED)
NAMES = [each.name for each in ALL]


def written(sample, language="ko"):
    return sample.encoded(
        sender="onetouch.example", addresses="112.seoul.example", language=language, zone=KST
    )


def as_real(sample):
    """The same of a real emergency, which only this test makes."""
    if isinstance(sample.content, Report) and sample.name != "drill":
        return replace(sample, content=replace(sample.content, test=False))
    return sample


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("sample", ALL, ids=NAMES)
def test_each_fits_the_schema_and_says_that_it_is_a_test(sample, language):
    told = ReceivedReport(0.0, "", written(sample, language))

    assert told.fault is None
    assert told.status == "Test"
    assert told.headline.startswith(("[TEST", "[훈련", "[시험"))


@pytest.mark.parametrize("sample", ALL, ids=NAMES)
def test_each_stands_in_the_document_as_the_report_of_a_real_press(sample):
    assert f"```xml\n{written(as_real(sample)).decode()}```\n" in TEXT


@pytest.mark.parametrize("sample", ALL, ids=NAMES)
def test_only_the_marks_of_a_test_differ_from_the_document(sample):
    lines = zip(
        written(sample).decode().splitlines(), written(as_real(sample)).decode().splitlines(), strict=True
    )

    differ = {one.partition(">")[0] for one, other in lines if one != other}

    assert differ <= {"<status", "<headline", "<instruction"}


def test_they_are_the_kinds_of_report_that_a_centre_gets():
    told = [ReceivedReport(0.0, "", written(each)) for each in ALL]

    assert {each.msg_type for each in told} == {"Alert", "Update", "Cancel"}
    assert [each.is_heartbeat for each in told] == [False] * (len(ALL) - 1) + [True]
    assert sum(each.circle is not None for each in told) == 3
    assert any("person-name" in each.parameters for each in told)
    assert any("call-state" in each.parameters for each in told)


def test_each_has_a_name_of_its_own_and_refers_to_those_before_it():
    told = [ReceivedReport(0.0, "", written(each)) for each in ALL]
    seen = set()
    for each in told:
        assert each.identifier not in seen
        assert {triple.split(",")[1] for triple in each.references} <= seen
        seen.add(each.identifier)


class Door:
    """A centre, and the samples sent to it."""

    def __init__(self):
        self.centre = LabPsap(reactor)
        self.http = ObservedClient(reactor, connections=1)

    async def send(self):
        channel = CapHttpChannel(name="main", url=self.centre.url, timeout_s=20)
        psap = Psap(name="seoul", addresses="112.example", channel=(channel,))
        sender = CapHttpSender(channel, psap, self.http, None, alarms=Alarms(Clock()), zone=KST)
        numbered = samples(DOCUMENTED_AT, Names.numbered("sample-1"))
        return [each async for each in attempts(numbered, sender, self.http, reactor)]


@pytest.fixture
def door():
    place = Door()
    pytest_twisted.blockon(Deferred.fromCoroutine(place.centre.listen()))
    yield place
    pytest_twisted.blockon(place.http.close())
    pytest_twisted.blockon(Deferred.fromCoroutine(place.centre.close()))


def told(found):
    return [(each.sample.name, each.made, each.status, each.reason) for each in found]


@pytest_twisted.ensureDeferred
async def test_a_centre_that_takes_them_is_told_all_of_it(door):
    found = await door.send()

    assert told(found) == [(name, Made.DELIVERED, 200, "200") for name in NAMES]
    assert all(each.took_ms > 0 for each in found)
    assert door.centre.violations == []
    assert [each.identifier for each in (*door.centre.reports, *door.centre.heartbeats)] == [
        each.sample.identifier for each in found
    ]
    assert {each.status for each in door.centre.reports} == {"Test"}


@pytest_twisted.ensureDeferred
async def test_what_a_centre_refuses_is_told_with_its_status_and_the_rest_goes_on(door):
    door.centre.refuse_if(400, lambda octets: b"<msgType>Cancel" in octets)

    found = await door.send()

    assert [each.made for each in found if each.sample.name != "cancel"] == [Made.DELIVERED] * (len(ALL) - 1)
    assert told(each for each in found if each.sample.name == "cancel") == [
        ("cancel", Made.RETRY, 400, "the centre answered 400")
    ]


@pytest_twisted.ensureDeferred
async def test_a_cap_error_gives_up_an_update_and_not_an_alert(door):
    door.centre.answer(
        200,
        b'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>c</identifier><msgType>Error</msgType>'
        b"<note>no such city</note></alert>",
    )

    found = await door.send()

    reason = "the centre answered with a CAP Error: no such city"
    made = {each.sample.name: (each.made, each.status, each.reason) for each in found}
    assert made["alert"] == (Made.RETRY, 200, reason)
    assert made["update-position"] == (Made.REJECTED, 200, reason)


@pytest_twisted.ensureDeferred
async def test_a_centre_that_is_not_there_is_asked_once(door):
    await door.centre.go_down()

    found = await door.send()

    first, *rest = found
    assert (first.made, first.status, first.reason) == (Made.RETRY, None, "connection refused")
    assert rest == [Attempt(each.sample, Made.NOT_SENT) for each in rest]
    assert len(rest) == len(ALL) - 1


@pytest_twisted.ensureDeferred
async def test_an_answer_that_breaks_off_has_its_status_and_the_rest_is_sent(door):
    door.centre.answer(200, b"thank you", truncate_at=40)

    found = await door.send()

    assert {(each.made, each.status) for each in found} == {(Made.RETRY, 200)}


def test_the_times_of_all_lie_between_the_press_and_the_closing():
    for each in ALL:
        assert (
            DOCUMENTED_AT
            <= each.content.sent_at
            <= DOCUMENTED_AT + LASTS
            <= DOCUMENTED_AT + timedelta(minutes=1)
        )
