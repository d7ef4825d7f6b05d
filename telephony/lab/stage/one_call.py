"""Runs one SOS call through the whole lab, and tells its story in milliseconds and what could be heard at both ends."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from twisted.internet.defer import TimeoutError as GaveUp

from telephony.clock import Clock, pause, within
from telephony.domain.errors import OnetouchError
from telephony.lab.centre.psap import LabPsap
from telephony.lab.phones.handset import PHONE_HZ
from telephony.lab.stage.lines import Who
from telephony.lab.stage.missing_words import WORDS as MISSING
from telephony.lab.stage.missing_words import MissingWords
from telephony.lab.stage.one_press import (
    BETTER_WITHIN_S,
    LONGEST_S,
    HerPhones,
    PressReport,
    has_better_position,
    has_located_update,
    no_longer_than,
    tell_the_rest,
)
from telephony.lab.stage.timeline import WORDS, Moment, since_ms
from telephony.lab.stage.voice_house import VoiceHouse
from telephony.net.http.client import HttpClient, HttpFailed

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
    words, lacks = WORDS[house.language], MISSING[house.language]
    sent_at = clock.seconds()
    result = PressReport(pressed_at=sent_at)
    HerPhones(house, result)
    moments = [Moment(0.0, Who.PHONE, words.calls.format(number=SOS_CALL_NUMBER))]
    phone = house.handset.call(SOS_CALL_NUMBER)
    operator = house.operators[0]
    try:
        await within(phone.answered(), LONGEST_S, clock)
        await within(operator.wait_for(lambda one: any(call.is_up for call in one.calls)), LONGEST_S, clock)
        await within(house.psap.wait_for(has_located_update), LONGEST_S, clock)
        answer = await _where_is_she(house, operator.invites[0].headers.get("geolocation"))
        asked = words.asked_where.format(answer=answer)
        moments.append(Moment(since_ms(clock.seconds(), sent_at), Who.CENTRE, asked))
        await no_longer_than(BETTER_WITHIN_S, house, clock, has_better_position)
        await within(phone.press(KNOCKS), LONGEST_S, clock)
        await pause(clock, TALK_S)
        await within(phone.hang_up(), LONGEST_S, clock)
        moments.append(Moment(since_ms(clock.seconds(), sent_at), Who.PHONE, words.hangs_up))
        await within(house.psap.wait_for(_has_ended), ENDING_WITHIN_S, clock)
    except (GaveUp, OnetouchError) as error:
        result.missing.append(lacks.end_of_call.format(error=error or type(error).__name__))
    if operator.invites:
        moments.append(Moment(since_ms(operator.invites[0].at, sent_at), Who.CENTRE, words.invited))
    if phone.answered_at is not None:
        moments.append(Moment(since_ms(phone.answered_at, sent_at), Who.PHONE, words.answered_silently))
    told = await tell_the_rest(house, clock, result, moments)
    if told is None:
        return result
    heard = _heard(house, told.incident.id)
    result.audio = asdict(heard)
    result.missing += _not_silent(heard, lacks)
    if operator.invites and (named := operator.invites[0].headers.get("x-incident-id")) != result.incident:
        result.missing.append(lacks.name_in_invite.format(name=named))
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
        return str(failed.reason)
    finally:
        await client.close()
    place = WORDS[house.language].with_place if b"Circle" in answer.body else ""
    return f"{answer.status}{place}"


def _heard(house: VoiceHouse, incident_id: str) -> Heard:
    assert house.handset is not None
    assert house.instance is not None
    phone, centre = house.handset.newest, house.operators[0]
    folder, name = house.instance.recordings, f"{incident_id}.wav"
    recording = next(
        (each for each in (folder / name, folder / "sealed" / f"{name}.sealed") if each.exists()), None
    )
    return Heard(
        phone.ears.packets,
        phone.ears.packets - phone.ears.all_zero,
        sum(1 for each in phone.provisionals if each.status == 180),  # noqa: PLR2004 - 180 Ringing
        centre.ears.packets if centre.calls else 0,
        centre.ears.heard(PHONE_HZ) if centre.calls else False,
        0 if recording is None else recording.stat().st_size,
    )


def _not_silent(heard: Heard, lacks: MissingWords) -> list[str]:
    faults = []
    if heard.phone_audible_packets or heard.phone_ringing_responses:
        faults.append(lacks.silence)
    if not heard.centre_hears_the_phone:
        faults.append(lacks.hearing.format(hz=PHONE_HZ))
    return faults
