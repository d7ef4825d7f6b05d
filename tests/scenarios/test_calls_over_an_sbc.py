"""A Kamailio in front of Asterisk, with the sample configuration: it writes over what Asterisk refuses, and mirrors the rest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import pytest_twisted

from tests.scenarios.kamailio_process import Kamailio
from tests.scenarios.raw_phone import SDP, SDP_TYPE, Form, multipart, offer
from tests.scenarios.test_calls_in_the_field import knocked
from tests.scenarios.voice import VoiceHouse, national

pytestmark = pytest.mark.xdist_group("calls refused")

PIDF = ("application/pidf+xml", "<presence/>")
WRITTEN_OVER = {
    "a service URN": Form(uri="urn:service:sos", to="<urn:service:sos>"),
    "a kind of service URN": Form(uri="urn:service:sos.police", to="<urn:service:sos.police>"),
    "tel URIs everywhere": Form(
        uri="tel:112;phone-context=+82", to="<tel:112;phone-context=+82>", from_="<tel:{caller}>"
    ),
    "no user": Form(uri="sip:{server}", to="<sip:{server}>"),
    "a sips URI": Form(uri="sips:112@{server}"),
    "a required extension": Form(headers=("Require: precondition",)),
    "multipart/related": Form(body=multipart((SDP_TYPE, SDP), PIDF, kind="related")),
    "a trunk that the caller names": Form(headers=("X-Trunk: skt-voice",)),
}
AMR = Form(body=(SDP_TYPE, offer("m=audio {port} RTP/AVP 96", "a=rtpmap:96 AMR-WB/16000")))


@pytest.fixture
def sbc(voice: VoiceHouse) -> Iterator[Kamailio]:
    kamailio = Kamailio(voice.exchange.sip, voice.exchange.spare.pop(), voice.exchange.mirror)
    try:
        yield kamailio
    finally:
        kamailio.close()


@pytest_twisted.ensureDeferred
async def test_what_an_sbc_writes_over_reaches_112_and_what_comes_to_nothing_behind_it_is_told(voice, sbc):
    voice.hears_mirror = True
    await voice.start()
    await voice.until(lambda: sbc.is_open)
    phone = voice.raw_phone(server=sbc.place)
    callers, calls = await voice.answered_and_hung_up(phone, WRITTEN_OVER)
    for name, caller in callers.items():
        ended = await voice.until_told(caller, call_state="ended")
        assert ended.parameters["call-ended-by"] == ("caller",), name
        assert ended.parameters["call-trunk"] == ("kt-voice",), name
        assert len(voice.alerts(caller)) == 1, name
    await voice.until(lambda: all(call.is_over for call in calls.values()))

    refused, unheard, stranger = (voice.caller() for _ in range(3))
    phone.call(national(refused), AMR)
    await voice.until(lambda: voice.alerts(refused))
    outside = voice.raw_phone("127.0.0.3", sbc.place).call(national(stranger), Form())
    await voice.until(lambda: outside.status)
    voice.exchange.kill()
    dead = phone.call(national(unheard), WRITTEN_OVER["a service URN"])
    await voice.until(lambda: voice.alerts(unheard))

    assert [each.parameters["call-refused"] for each in voice.alerts(refused)] == [
        ("488 Not Acceptable Here",)
    ]
    assert outside.status == 403
    assert voice.reports(stranger) == []
    (alert,) = voice.alerts(unheard)
    assert alert.parameters["call-state"] == ("refused",)
    assert alert.parameters["destination"] == ("urn:service:sos",)
    assert dead.status in (0, 408)


WITHIN = {
    ("INFO", "application/dtmf-relay", "Signal=4\r\nDuration=160\r\n"): 200,
    ("INFO", "application/dtmf", "7"): 200,
    ("INFO", "", ""): 200,
    ("INFO", "application/ISUP;version=itu-t92+", "x"): 200,
    ("INFO", "application/vnd.etsi.aoc+xml", "<aoc/>"): 200,
    ("INFO", "application/hook-flash", "x"): 200,
    ("INFO", "text/plain", "x"): 200,
    ("OPTIONS", "", ""): 200,
    ("MESSAGE", "text/plain", "x"): 415,
    ("NOTIFY", "", ""): 489,
    ("REFER", "", ""): 603,
    ("PHONE", "", ""): 501,
}
"""Requests within a call, and what they are answered. Asterisk alone answers the first three and OPTIONS."""


@pytest_twisted.ensureDeferred
async def test_an_sbc_answers_what_asterisk_leaves_unanswered_within_a_call_and_lets_knocks_through(
    voice, sbc
):
    await voice.start()
    await voice.until(lambda: sbc.is_open)
    caller = voice.caller()
    phone = voice.raw_phone(server=sbc.place)

    call = phone.call(national(caller), Form())
    centre = await voice.answered(caller)
    for number, request in enumerate(WITHIN, start=2):
        phone.ask(call, number, *request)
        await voice.until(lambda number=number: number in call.answers)
    await voice.until(lambda: knocked(voice, caller) == "47")

    assert dict(zip(WITHIN, call.answers.values(), strict=True)) == WITHIN
    assert centre.is_up
    call.sequence += len(WITHIN)
    phone.hang_up(call)
    await voice.until_told(caller, call_state="ended", call_ended_by="caller")
