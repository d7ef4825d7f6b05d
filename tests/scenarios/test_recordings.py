"""What is recorded of a call, who may read it while it is written, and what becomes of it: sealed, played, deleted in its time."""

from __future__ import annotations

import json
import os
import stat
import wave
from array import array

import pytest
import pytest_twisted

from telephony.lab.phones.handset import PHONE_HZ
from tests.scenarios.voice import KT, SKT

ON_BOTH_TRUNKS = pytest.mark.parametrize("trunk", [SKT, KT], ids=["no-rtp", "zeros"])
SECONDS = 1 / 86_400


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def samples(octets):
    return array("h", octets[44:])


async def heard_call(voice, trunk=SKT):
    """A call that 112 has answered and in which she is heard."""
    caller = voice.caller()
    phone, centre = await voice.connected_call(caller, trunk)
    await voice.hears(lambda: centre.ears.heard(PHONE_HZ))
    incident = (await voice.until_told(caller, call_state="connected")).incident
    return caller, phone, incident


def folder_of(voice):
    return voice.exchange.instance.recordings


@ON_BOTH_TRUNKS
@pytest_twisted.ensureDeferred
async def test_a_recording_is_private_while_it_is_written_sealed_within_seconds_and_played_after_an_entry(
    voice, tmp_path, trunk
):
    await voice.start()
    _, phone, incident = await heard_call(voice, trunk)
    plain = folder_of(voice) / f"{incident}.wav"
    await voice.until(lambda: plain.exists() and plain.stat().st_size > 8_000)
    assert (mode(plain), mode(plain.parent)) == (0o600, 0o700)
    kept = tmp_path / "kept.wav"
    os.link(plain, kept)  # a second name for what Asterisk writes, to compare with afterwards

    await phone.hang_up()
    ended = voice.reactor.seconds()
    await voice.until(lambda: voice.logged("recording sealed", incident=incident))

    file = folder_of(voice) / "sealed" / f"{incident}.wav.sealed"
    assert voice.reactor.seconds() - ended < 10
    assert not plain.exists()
    await voice.until(lambda: [each.name for each in folder_of(voice).iterdir()] == ["sealed"])
    assert (mode(file), mode(file.parent)) == (0o600, 0o700)
    written = kept.read_bytes()
    assert written[44 + 16_000 :][:64] not in file.read_bytes()
    played = await voice.recording(incident)
    assert played.read_bytes() == written
    assert mode(played) == 0o600
    with wave.open(str(played)) as opened:
        assert opened.getframerate() == 8_000
    listed = json.loads(await voice.onetouch("audit", "list", "--what", "played", "--json"))
    assert (listed["subject"], listed["why"]) == (incident, f"drill: listen to it ({incident}.wav)")
    anchored = (voice.folder / "state" / "audit.anchors").read_text()
    assert f'"audit_entry": {listed["number"]},' in anchored
    assert voice.logged("alarm", alarm="recording-unsealed") == []
    assert voice.logged("alarm", alarm="recording-exposed") == []


@ON_BOTH_TRUNKS
@pytest_twisted.ensureDeferred
async def test_where_nothing_is_to_be_recorded_no_file_is_made_and_no_alarm_raised(voice, trunk):
    await voice.start()
    voice.exchange.note("SOS_RECORD", "off")
    try:
        caller, phone, _ = await heard_call(voice, trunk)
        await voice.listen_on(1.5)
        await phone.hang_up()
        ended = await voice.until_told(caller, call_state="ended")
    finally:
        voice.exchange.note("SOS_RECORD", "on")

    assert list(folder_of(voice).glob("*.wav")) == []
    assert "call-recording" not in ended.parameters
    assert voice.logged("alarm") == []


@ON_BOTH_TRUNKS
@pytest_twisted.ensureDeferred
async def test_from_the_answer_on_means_that_what_she_says_before_is_in_no_recording(voice, trunk):
    await voice.start()
    voice.exchange.note("SOS_RECORD", "from-answer")
    voice.operators[0].answer_after(3.0)
    try:
        caller = voice.caller()
        phone = voice.call(caller, trunk)
        await voice.until(lambda: phone.is_up)
        began = voice.reactor.seconds()
        centre = await voice.answered(caller)
        answered = voice.reactor.seconds()
        await voice.hears(lambda: centre.ears.heard(PHONE_HZ))
        await voice.listen_on(1.0)
        await phone.hang_up()
        length = voice.reactor.seconds() - answered
        ended = await voice.until_told(caller, call_state="ended")
    finally:
        voice.exchange.note("SOS_RECORD", "on")
    assert ended.parameters["call-recording"] == (f"{ended.incident}.wav",)
    played = await voice.recording(ended.incident)
    recorded = len(samples(played.read_bytes())) / 8_000
    assert answered - began > 2.5
    assert 0.5 < recorded < length + 1.0
    assert voice.logged("alarm") == []


@pytest_twisted.ensureDeferred
async def test_a_recording_whose_call_ended_while_the_daemon_was_dead_is_sealed_by_its_next_start(voice):
    await voice.start()
    _, phone, incident = await heard_call(voice)
    plain = folder_of(voice) / f"{incident}.wav"
    await voice.until(lambda: plain.exists() and plain.stat().st_size > 16_000)
    await voice.kill9()
    await phone.hang_up()
    await voice.listen_on(2.5)
    assert plain.exists()

    await voice.start()

    played = await voice.recording(incident)
    await voice.until(lambda: not plain.exists())
    assert len(samples(played.read_bytes())) > 4_000


@pytest_twisted.ensureDeferred
async def test_a_folder_that_others_may_read_is_an_alarm(voice):
    folder_of(voice).chmod(0o755)
    try:
        await voice.start()
        await voice.until(lambda: voice.logged("alarm", alarm="recording-exposed"))
    finally:
        folder_of(voice).chmod(0o700)

    (alarm,) = voice.logged("alarm", alarm="recording-exposed")
    assert "mode 0755; chmod 0700" in alarm["readable"]


@pytest_twisted.ensureDeferred
async def test_in_its_time_a_recording_goes_with_every_octet_of_it_announced_and_proven(voice):
    voice.retention = f"[retention]\nrecording_days = {8 * SECONDS}\nevery_h = {1 / 3600}\n"
    await voice.start()
    _, phone, incident = await heard_call(voice)
    await phone.hang_up()
    await voice.recording(incident)
    file = folder_of(voice) / "sealed" / f"{incident}.wav.sealed"
    held = os.open(file, os.O_RDONLY)  # what a disk would keep of the blocks
    await voice.listen_on(10.0)
    assert file.exists(), "its incident is open"

    await voice.onetouch("incidents", "close", incident, "--reason", "found safe")
    await voice.until(lambda: voice.logged("recordings destroyed"))

    assert not file.exists()
    assert os.pread(held, 4096, 0) == bytes(4096), "its key is gone"
    os.close(held)
    assert voice.daemon.rows("SELECT * FROM recording") == []
    proof = [json.loads(line) for line in (await voice.onetouch("audit", "retention", "--json")).splitlines()]
    (kind,) = [row for row in proof if row["kind"] == "recordings"]
    assert (kind["kept"], kind["late"]) == (0, 0)
    listed = await voice.onetouch("audit", "list", "--what", "deleted", "--json")
    assert "recordings" in {json.loads(line)["subject"] for line in listed.splitlines()}
    said = await voice.refused_onetouch("recordings", "play", incident, "-o", "-", "--reason", "drill")
    assert "there is no recording" in said


@ON_BOTH_TRUNKS
@pytest_twisted.ensureDeferred
async def test_from_the_answer_on_a_route_that_breaks_off_and_the_next_are_in_one_recording(voice, trunk):
    await voice.start()
    voice.exchange.note("SOS_RECORD", "from-answer")
    try:
        caller, first = voice.caller(), voice.ears(None)
        await voice.sipp_centre("centre_breaks_off", options=("-m", 1, "-d", 1500), rtp=first.port)
        phone = voice.call(caller, trunk)
        second = await voice.answered(caller, route=2)
        await voice.hears(lambda: second.ears.heard(PHONE_HZ))
        await voice.listen_on(1.0)
        await phone.hang_up()
        ended = await voice.until_told(caller, call_state="ended")
    finally:
        voice.exchange.note("SOS_RECORD", "on")
    played = await voice.recording(ended.incident)

    assert len(samples(played.read_bytes())) / 8_000 > 2.0
    assert len(voice.logged("recording sealed", incident=ended.incident)) == 1
