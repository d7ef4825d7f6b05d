"""Silence as a phone hears it: every RTP packet that reaches her is decoded and counted, while 112 talks all the time."""

from __future__ import annotations

import wave
from array import array
from dataclasses import replace

import pytest
import pytest_twisted

from telephony.lab.phones.answerer import LabOperator
from telephony.lab.phones.handset import CENTRE_HZ, PHONE_HZ
from telephony.lab.phones.rtp import RATE, goertzel
from telephony.lab.phones.sip_agent import EndedBy
from tests.scenarios.voice import KT, SKT, national

pytestmark = pytest.mark.xdist_group("silence")

ON_BOTH_TRUNKS = pytest.mark.parametrize("trunk", [SKT, KT], ids=["no-rtp", "zeros"])
ADDRESS = {SKT: "127.0.0.1", KT: "127.0.0.2"}


def loudest(recording, hz):
    """Return how loud one pitch ever is in a recording, as an amplitude over a quarter of a second."""
    with wave.open(str(recording)) as opened:
        assert (opened.getframerate(), opened.getsampwidth()) == (RATE, 2)
        samples = array("h", opened.readframes(opened.getnframes()))
    assert len(samples) > RATE
    quarter = RATE // 4
    return max(goertzel(samples[at : at + quarter], hz) for at in range(0, len(samples) - quarter, quarter))


@ON_BOTH_TRUNKS
@pytest_twisted.ensureDeferred
async def test_nothing_can_be_heard_at_her_phone_while_112_talks_and_presses_keys_and_hears_her(voice, trunk):
    await voice.start()
    caller = voice.caller()
    her, centre = voice.ears(PHONE_HZ, ADDRESS[trunk]), voice.ears(CENTRE_HZ)
    answers = await voice.sipp_centre("centre_answers", options=("-m", 1, "-d", 300), rtp=centre.port)

    phone = voice.sipp_phone(
        "phone_calls", trunk, options=("-m", 1, "-d", 2000), caller=national(caller), rtp=her.port
    )
    await voice.until(answers.peer)
    # Also keys as RTP events, which neither side has agreed to.
    centre.talk_to(replace(answers.peer(), digits=101))
    await voice.until(phone.peer)
    her.talk_to(phone.peer())
    await voice.until(lambda: answers.requests("ACK"))
    await voice.soon(centre.press("159"))
    await voice.until(lambda: phone.is_over and answers.is_over)

    assert phone.has_followed, phone.errors
    assert answers.has_followed, answers.errors
    assert 180 not in phone.statuses()
    assert 183 not in phone.statuses()
    assert her.ears.is_silent
    assert her.ears.dtmf_packets == her.ears.foreign == her.ears.rubbish == 0
    if trunk == SKT:
        assert her.ears.packets == 0
    else:
        assert her.ears.packets == her.ears.all_zero > 50
    assert centre.packets_sent > 50
    assert centre.ears.heard(PHONE_HZ)
    incident = answers.requests("INVITE")[0].message.headers.get("x-incident-id")
    told = await voice.until_told(caller, call_state="ended", call_ended_by="caller")
    assert told.incident == incident
    assert told.parameters["call-silence"] == ("no-rtp" if trunk == SKT else "zeros",)
    assert told.parameters["call-recording"] == (f"{incident}.wav",)
    recording = await voice.recording(incident)
    assert loudest(recording, PHONE_HZ) > 1_000
    assert loudest(recording, CENTRE_HZ) < loudest(recording, PHONE_HZ) / 50


@ON_BOTH_TRUNKS
@pytest_twisted.ensureDeferred
async def test_a_centre_that_talks_before_it_answers_is_not_heard_either(voice, trunk):
    await voice.start()
    caller = voice.caller()
    voice.operators[0]._has_early_media = True
    voice.operators[0].answer_after(0.8)

    phone, centre = await voice.connected_call(caller, trunk)
    await voice.hears(lambda: centre.ears.heard(PHONE_HZ))
    await phone.hang_up()

    assert centre.rtp_sent > 40
    assert phone.is_silent
    assert [each.status for each in phone.provisionals] == [100]


@ON_BOTH_TRUNKS
@pytest_twisted.ensureDeferred
async def test_112_is_heard_when_it_lifts_silence_not_before_and_not_after_it_holds_silence_again(
    voice, trunk
):
    await voice.start()
    caller = voice.caller()
    phone, centre = await voice.connected_call(caller, trunk)
    await voice.hears(lambda: centre.ears.heard(PHONE_HZ))
    incident = (await voice.until_told(caller, call_state="connected")).incident
    assert phone.is_silent

    await voice.onetouch("calls", "lift", incident, "--by", "seoul, desk 4")
    await voice.until(lambda: phone.ears.heard(CENTRE_HZ))
    await voice.until_told(caller, silence="lifted", silence_by="seoul, desk 4")
    await voice.onetouch("calls", "hold", incident, "--by", "seoul, desk 5")
    await voice.until_told(caller, silence="held", silence_by="seoul, desk 5")
    await voice.until(lambda: voice.reactor.seconds() - phone.ears.last_loud_at > 0.2)
    loud, sent = phone.ears.loud, centre.rtp_sent
    await voice.listen_on(0.5)

    assert phone.ears.loud == loud
    assert centre.rtp_sent > sent + 15
    assert phone.ears.sounding[CENTRE_HZ] == loud
    assert not phone.has_rung
    assert phone.is_up


@ON_BOTH_TRUNKS
@pytest_twisted.ensureDeferred
async def test_lifted_silence_stays_lifted_when_the_line_to_112_breaks_and_the_next_route_answers(
    voice, trunk
):
    await voice.start()
    caller = voice.caller()
    centre = voice.ears(CENTRE_HZ)
    await voice.sipp_centre("centre_breaks_off", options=("-m", 1, "-d", 2500), rtp=centre.port)
    phone = voice.call(caller, trunk)
    incident = (await voice.until_told(caller, call_state="connected")).incident
    await voice.onetouch("calls", "lift", incident, "--by", "seoul, desk 4")

    second = await voice.answered(caller, route=2)
    await voice.hears(lambda: second.ears.heard(PHONE_HZ))
    await voice.hears(lambda: phone.ears.heard(CENTRE_HZ))

    told = await voice.until_told(caller, call_route="112-2", call_state="connected")
    assert told.parameters["call-legs"][0].startswith("112-1 lost ")


@ON_BOTH_TRUNKS
@pytest_twisted.ensureDeferred
async def test_a_line_to_112_that_breaks_while_silence_holds_is_followed_by_the_next_route_in_silence(
    voice, trunk
):
    await voice.start()
    caller = voice.caller()
    await voice.sipp_centre("centre_breaks_off", options=("-m", 1, "-d", 300), rtp=voice.ears(None).port)

    phone = voice.call(caller, trunk)
    second = await voice.answered(caller, route=2)
    await voice.hears(lambda: second.ears.heard(PHONE_HZ) and second.rtp_sent > 20)

    told = await voice.until_told(caller, call_route="112-2", call_state="connected")
    assert told.parameters["call-legs"][0].startswith("112-1 lost ")
    assert phone.is_silent
    assert phone.is_up


@ON_BOTH_TRUNKS
@pytest_twisted.ensureDeferred
async def test_112_orders_the_end_of_a_call(voice, trunk):
    await voice.start()
    caller = voice.caller()
    phone, centre = await voice.connected_call(caller, trunk)
    incident = (await voice.until_told(caller, call_state="connected")).incident

    await voice.onetouch("calls", "hangup", incident, "--by", "seoul, desk 4")

    assert await voice.soon(phone.ended()) is EndedBy.THEM
    assert await voice.soon(centre.ended()) is EndedBy.THEM
    await voice.until_told(caller, call_state="ended", call_ended_by="112")
    assert phone.is_silent


@ON_BOTH_TRUNKS
@pytest_twisted.ensureDeferred
async def test_her_phone_is_called_back_only_after_112_has_lifted_silence(voice, trunk):
    await voice.start()
    caller = voice.caller()
    phone, _ = await voice.connected_call(caller, trunk)
    await voice.until_told(caller, call_state="connected")
    await phone.hang_up()
    incident = (await voice.until_told(caller, call_state="ended")).incident
    her = LabOperator(voice.reactor, voice._rng, name="phone", ring_s=0.2, tone_hz=PHONE_HZ)
    her.listen(ADDRESS[trunk], voice.exchange.callable[trunk])

    said = await voice.refused_onetouch("calls", "callback", incident, "--by", "seoul, desk 4")
    await voice.onetouch("calls", "lift", incident, "--by", "seoul, desk 4")
    await voice.until_told(caller, silence="lifted")
    assert "silence holds" in said
    assert her.invites == []
    await voice.onetouch("calls", "callback", incident, "--by", "seoul, desk 4")
    await voice.until(lambda: her.calls and voice.operators[0].calls[1:])
    centre = voice.operators[0].calls[1]
    await voice.hears(lambda: centre.ears.heard(PHONE_HZ) and her.ears.heard(CENTRE_HZ))
    await her.hang_up()

    assert len(her.invites) == 1
    assert her.invites[0].caller.uri.startswith("sip:112@")
    assert centre.invite.headers.get("x-incident-id") == incident
    assert centre.invite.headers.get("geolocation") == ""
    await voice.soon(centre.ended())
    assert voice.daemon.rows("SELECT id, press_count FROM incident") == [(incident, 1)]
    assert len(voice.alerts(caller)) == 1
    await voice.onetouch("calls", "hold", incident, "--by", "seoul, desk 4")
    assert "silence holds" in await voice.refused_onetouch("calls", "callback", incident, "--by", "seoul")
    await her.close()
