"""One SOS call through the whole house: its story with milliseconds, and what could be heard at both ends."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from twisted.internet.defer import TimeoutError as GaveUp

from telephony.clock import Clock, pause, within
from telephony.domain.errors import OnetouchError
from telephony.http1 import HttpClient, HttpFailed
from telephony.lab.handset import CENTRE_HZ, PHONE_HZ
from telephony.lab.one_press import (
    LONGEST_S,
    Moment,
    PressReport,
    centre_moments,
    daemon_moments,
    has_located_update,
    location_moments,
    not_acknowledged,
    since_ms,
    story_when_settled,
)
from telephony.lab.psap import LabPsap
from telephony.lab.voice_house import VoiceHouse

SOS_CALL_NUMBER = "112"
KNOCKS = "11"
TALK_S = 1.0
ENDING_WITHIN_S = 5.0
HELD_REQUEST = b'<locationRequest xmlns="urn:ietf:params:xml:ns:geopriv:held"/>'


@dataclass(frozen=True, slots=True)
class Heard:
    """RTP at both ends of the call, counted and decoded."""

    phone_packets: int
    phone_audible_packets: int
    phone_ringing_responses: int
    centre_packets: int
    centre_hears_the_phone: bool
    recording_octets: int


async def one_call(house: VoiceHouse, clock: Clock) -> PressReport:
    """Hold the key: dial 112, tap twice, ask where she is as the centre would, hang up; follow it to the end."""
    assert house.handset is not None
    sent_at = clock.seconds()
    result = PressReport()
    moments: list[Moment] = [Moment(0.0, "phone", f"the key is held: a call to {SOS_CALL_NUMBER}")]
    phone = house.handset.call(SOS_CALL_NUMBER)
    operator = house.operators[0]
    try:
        await within(phone.answered(), LONGEST_S, clock)
        await within(operator.wait_for(lambda one: any(call.is_up for call in one.calls)), LONGEST_S, clock)
        await within(house.psap.wait_for(has_located_update), LONGEST_S, clock)
        location = await _where_is_she(house, operator.invites[0].headers.get("geolocation"))
        moments.append(Moment(since_ms(clock.seconds(), sent_at), "112", location))
        await within(phone.press(KNOCKS), LONGEST_S, clock)
        await pause(clock, TALK_S)
        await within(phone.hang_up(), LONGEST_S, clock)
        moments.append(Moment(since_ms(clock.seconds(), sent_at), "phone", "hangs up"))
        await within(house.psap.wait_for(_has_ended), ENDING_WITHIN_S, clock)
    except (GaveUp, OnetouchError) as error:
        result.missing.append(f"the call did not come to its end: {error or 'no answer in time'}")
    told = await story_when_settled(house, clock)
    if told is None:
        result.missing.append("the store knows no incident")
        return result
    result.incident = told.incident.id
    result.reports = house.psap.of_incident(told.incident.id)
    result.missing += not_acknowledged(told)
    heard = _heard(house, told.incident.id)
    result.audio = asdict(heard)
    result.missing += _not_silent(heard)
    if operator.invites:
        invite = operator.invites[0]
        named = invite.headers.get("x-incident-id")
        moments.append(
            Moment(since_ms(invite.at, sent_at), "112", f"INVITE received on route 1, incident {named}")
        )
        if named != result.incident:
            result.missing.append(f"the INVITE names incident {named}")
    if phone.answered_at is not None:
        moments.append(
            Moment(
                since_ms(phone.answered_at, sent_at), "phone", "200 OK: answered in silence, no 180 before it"
            )
        )
    result.timeline = sorted(
        [
            *moments,
            *daemon_moments(told, sent_at),
            *location_moments(house, sent_at),
            *centre_moments(result.reports, sent_at),
        ],
        key=lambda moment: moment.ms,
    )
    result.is_ok = not result.missing
    return result


def _has_ended(centre: LabPsap) -> bool:
    return any(report.parameters.get("call-ended-by") == ("caller",) for report in centre.reports)


async def _where_is_she(house: VoiceHouse, header: str) -> str:
    """Follow the INVITE's Geolocation as a centre does; say what came."""
    client = HttpClient(house.reactor, tls=None, connections=1)
    try:
        answer = await client.post(
            header.strip("<>"), HELD_REQUEST, [("Content-Type", "application/held+xml")], ENDING_WITHIN_S
        )
    except HttpFailed as failed:
        return f"the Geolocation URL of the INVITE gave nothing: {failed.reason}"
    finally:
        await client.close()
    has_circle = b"Circle" in answer.body
    return (
        f"asked the INVITE's Geolocation URL: {answer.status}, {'a circle' if has_circle else 'no position'}"
    )


def _heard(house: VoiceHouse, incident_id: str) -> Heard:
    assert house.handset is not None
    assert house.instance is not None
    phone, centre = house.handset.newest, house.operators[0]
    recording = house.instance.recordings / f"{incident_id}.wav"
    return Heard(
        phone.ears.packets,
        phone.ears.packets - phone.ears.all_zero,
        sum(1 for each in phone.provisionals if each.status == 180),  # noqa: PLR2004 - 180 Ringing
        centre.ears.packets if centre.calls else 0,
        centre.ears.heard(PHONE_HZ) if centre.calls else False,
        recording.stat().st_size if recording.exists() else 0,
    )


def _not_silent(heard: Heard) -> list[str]:
    faults = []
    if heard.phone_audible_packets or heard.phone_ringing_responses:
        faults.append("the phone made a sound")
    if not heard.centre_hears_the_phone:
        faults.append(f"the centre did not hear the phone's {PHONE_HZ} Hz")
    return faults


def audio_in_words(audio: dict[str, Any]) -> str:
    """Give what was heard, for a person."""
    heard = Heard(**audio)
    hears = "hears" if heard.centre_hears_the_phone else "DOES NOT HEAR"
    rang = f"{heard.phone_ringing_responses} ringing responses"
    return (
        "\n--- what could be heard (RTP decoded; the centre talked at "
        f"{CENTRE_HZ} Hz all the time, the phone at {PHONE_HZ} Hz) ---\n"
        f"phone:     {heard.phone_packets} packets, {heard.phone_audible_packets} audible, {rang}\n"
        f"centre:    {heard.centre_packets} packets, {hears} the phone\n"
        f"recording: {heard.recording_octets} octets"
    )
