"""INVITEs as carriers write them: those that settings can cure reach 112, and those that Asterisk refuses are told by data."""

from __future__ import annotations

import re

import pytest
import pytest_twisted
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from telephony.lab.phones.handset import PHONE_HZ
from telephony.lab.phones.rtp import SAMPLES, tone
from tests.scenarios.house import PATIENCE_S
from tests.scenarios.raw_phone import SDP, SDP_TYPE, Form, multipart, offer
from tests.scenarios.srtp import Sender
from tests.scenarios.voice import national

pytestmark = pytest.mark.xdist_group("calls refused")

SRTP_KEY = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
PIDF = ("application/pidf+xml", "<presence/>")
CURED = {
    "a session timer of less than 90 s": Form(headers=("Supported: timer", "Session-Expires: 60")),
    "a session timer that is required": Form(headers=("Require: timer", "Session-Expires: 60")),
    "options in the user part": Form(uri="sip:112;phone-context=+82@{server};user=phone"),
    "a name instead of a number": Form(uri="sip:sos.police@{server}"),
    "a name in capitals": Form(uri="sip:SOS-112@{server}"),
    "reliable provisional responses": Form(headers=("Require: 100rel",)),
    "G.722 alone": Form(body=(SDP_TYPE, offer("m=audio {port} RTP/AVP 9", "a=rtpmap:9 G722/8000"))),
    "GSM alone": Form(body=(SDP_TYPE, offer("m=audio {port} RTP/AVP 3", "a=rtpmap:3 GSM/8000"))),
    "A-law alone": Form(body=(SDP_TYPE, offer("m=audio {port} RTP/AVP 8", "a=rtpmap:8 PCMA/8000"))),
    "AMR first, then u-law": Form(
        body=(SDP_TYPE, offer("m=audio {port} RTP/AVP 96 0", "a=rtpmap:96 AMR-WB/16000"))
    ),
    "RTP/AVPF": Form(body=(SDP_TYPE, offer("m=audio {port} RTP/AVPF 0", "a=rtpmap:0 PCMU/8000"))),
    "RTP/SAVP": Form(
        body=(
            SDP_TYPE,
            offer(
                "m=audio {port} RTP/SAVP 0",
                "a=rtpmap:0 PCMU/8000",
                f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{SRTP_KEY}",
            ),
        )
    ),
    "multipart/mixed": Form(body=multipart((SDP_TYPE, SDP), PIDF)),
    "multipart/alternative": Form(body=multipart(PIDF, (SDP_TYPE, SDP), kind="alternative")),
    "multipart without its last boundary": Form(body=multipart((SDP_TYPE, SDP), PIDF, is_ended=False)),
}
REFUSED = {
    "a service URN in To": (Form(to="<urn:service:sos>"), "416 Unsupported URI Scheme", "112"),
    "a required extension": (
        Form(headers=("Require: precondition",)), "420 Bad Extension (precondition)", "112",
    ),
    "AMR alone": (
        Form(body=(SDP_TYPE, offer("m=audio {port} RTP/AVP 96", "a=rtpmap:96 AMR-WB/16000"))),
        "488 Not Acceptable Here", "112",
    ),
    "EVS alone": (
        Form(body=(SDP_TYPE, offer("m=audio {port} RTP/AVP 97", "a=rtpmap:97 EVS/16000"))),
        "488 Not Acceptable Here", "112",
    ),
    "multipart/related": (
        Form(body=multipart((SDP_TYPE, SDP), PIDF, kind="related")), "415 Unsupported Media Type", "112",
    ),
}  # fmt: skip

REFUSED_BY_16 = {
    "a tel URI": (Form(uri="tel:112;phone-context=+82"), "416 Unsupported URI Scheme", "112"),
    "no user": (Form(uri="sip:{server}"), "484 Address Incomplete", "sip:"),
}
"""Asterisk 22 takes these."""


@pytest_twisted.ensureDeferred
async def test_what_the_settings_cure_reaches_112_as_a_call(voice):
    voice.hears_mirror = True
    await voice.start()
    phone = voice.raw_phone()
    callers, calls = await voice.answered_and_hung_up(phone, CURED)
    for name, caller in callers.items():
        await voice.until_told(caller, call_state="ended")
        assert len(voice.alerts(caller)) == 1, name

    (alert,) = voice.alerts(callers["options in the user part"])
    assert alert.parameters["destination"] == ("112",)
    assert "RTP/SAVP 0" in calls["RTP/SAVP"].answer
    assert "a=crypto:" in calls["RTP/SAVP"].answer
    assert "RTP/AVPF 0" in calls["RTP/AVPF"].answer
    assert "PCMU" in calls["AMR first, then u-law"].answer
    assert voice.logged("call refused before it had a channel") == []
    assert voice.logged("alarm", alarm="call-refused") == []


@pytest_twisted.ensureDeferred
async def test_a_call_that_asterisk_refuses_before_it_has_a_channel_is_told_to_112_once_and_raises_an_alarm(
    voice,
):
    voice.hears_mirror = True
    voice.expected_errors = (
        "req.method.id != PJSIP_ACK_METHOD",
    )  # of PJSIP in Asterisk 22, about urn: in To
    await voice.start()
    phone = voice.raw_phone()
    is_16 = voice.exchange.cli("core show version").startswith("Asterisk 16")
    refused = REFUSED | (REFUSED_BY_16 if is_16 else {})
    callers = {name: voice.caller() for name in refused}

    calls = {name: phone.call(national(callers[name]), form) for name, (form, _, _) in refused.items()}
    for name, (_, said, destination) in refused.items():
        caller = callers[name]
        await voice.until(lambda caller=caller: voice.alerts(caller))
        (alert,) = voice.alerts(caller)
        assert alert.parameters["call-state"] == ("refused",), name
        assert alert.parameters["call-refused"][0].startswith(said), name
        assert alert.parameters["call-trunk"] == ("kt-voice",)
        assert alert.parameters["carrier"] == ("kt",)
        assert alert.parameters["destination"][0].startswith(destination), name
        assert "call refused by our exchange" in alert.parameters["label"]
        assert voice.invites(caller) == []
        assert str(calls[name].status) == said[:3]

    # A caller who comes by no trunk, or hangs up herself, is not told of; nor is a call in two tries that is taken at last.
    stranger, retried = voice.caller(), voice.caller()
    voice.raw_phone("127.0.0.3").call(national(stranger), REFUSED["AMR alone"][0])
    call_id = "tried-twice.and-answered@kt"
    first = phone.call(national(retried), REFUSED["AMR alone"][0], call_id)
    await voice.until(lambda: first.status)
    second = phone.call(national(retried), Form(), call_id, cseq=2)
    await voice.answered(retried)
    await voice.until_told(retried, call_state="connected")
    last = voice.caller()
    phone.call(national(last), REFUSED["AMR alone"][0])
    await voice.until(lambda: voice.alerts(last))
    phone.hang_up(second)
    ended = await voice.until_told(retried, call_state="ended")
    assert ended.parameters["call-sip-id"] == (call_id,)
    assert voice.reports(stranger) == []
    assert [report.parameters["call-state"][0] for report in voice.alerts(retried)] == ["arrived"]
    assert voice.told(retried, call_state="refused") == []
    (alarm,) = voice.logged("alarm", alarm="call-refused")
    assert alarm["about"] == "kt-voice"
    assert len(voice.logged("call refused before it had a channel")) == len(refused) + 1


@pytest_twisted.ensureDeferred
async def test_a_call_while_asterisk_waits_to_be_stopped_is_told(voice):
    """`core stop gracefully` waits for the last call to end, and refuses every new one meanwhile."""
    voice.expected_errors = ("Failed to allocate new PJSIP channel",)
    voice.hears_mirror = True
    await voice.start()
    standing = voice.caller()
    phone = voice.raw_phone()

    first = phone.call(national(standing), Form())
    await voice.answered(standing)
    await voice.until_told(standing, call_state="connected")
    stopping = deferToThread(voice.exchange.cli, "core stop gracefully")
    late, refused = phone.call(national(caller := voice.caller()), Form()), caller
    await voice.until(lambda: late.status)
    while late.status == 200:  # the order to stop was still on its way
        phone.hang_up(late)
        late, refused = phone.call(national(caller := voice.caller()), Form()), caller
        await voice.until(lambda late=late: late.status)
    await voice.until(lambda: voice.alerts(refused))
    assert late.status == 503
    (alert,) = voice.alerts(refused)
    assert alert.parameters["call-refused"] == ("503 Service Unavailable",)
    assert voice.rung(standing)[0].is_up

    phone.hang_up(first)
    await stopping
    await voice.until(lambda: not voice.exchange.is_running)
    await voice.restart_asterisk()
    await voice.until_told(standing, call_state="ended")


@pytest_twisted.ensureDeferred
async def test_112_hears_a_caller_whose_carrier_encrypts(voice):
    """RTP/SAVP alone: what the phone says arrives, and nothing at all goes back to it in the clear."""
    await voice.start()
    caller = voice.caller()
    phone = voice.raw_phone()

    call = phone.call(national(caller), CURED["RTP/SAVP"])
    await voice.until(lambda: call.status)
    centre = await voice.answered(caller)
    await voice.until_told(caller, call_state="connected")
    sender, said = Sender(SRTP_KEY), tone(PHONE_HZ)
    host, port = re.search(r"c=IN IP4 (\S+)\r\n(?s:.*)m=audio ([0-9]+) RTP/SAVP", call.answer).groups()
    period = len(said) - SAMPLES
    number, end = 0, voice.reactor.seconds() + PATIENCE_S
    while not centre.ears.heard(PHONE_HZ):
        assert voice.reactor.seconds() < end, "112 does not hear her"
        start = number * SAMPLES % period
        phone.transport.write(sender.packet(said[start : start + SAMPLES]), (host, int(port)))
        number += 1
        await deferLater(voice.reactor, 0.02)
    phone.hang_up(call)
    ended = await voice.until_told(caller, call_state="ended")

    assert ended.parameters["call-ended-by"] == ("caller",)
