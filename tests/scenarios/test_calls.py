"""What becomes of a held key that places a call, when all is well: from her phone's INVITE to 112's telephone and screen."""

from __future__ import annotations

from functools import partial
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

from telephony.lab.phones.handset import PHONE_HZ, Caller
from telephony.lab.phones.sip import address_of
from telephony.lab.phones.sip_agent import EndedBy
from tests.scenarios.house import SEOUL
from tests.scenarios.voice import BOTH_ENDS_AT_ONCE, KT, SKT, national

pytestmark = pytest.mark.xdist_group("calls")

ON_BOTH_TRUNKS = pytest.mark.parametrize("trunk", [SKT, KT], ids=["no-rtp", "zeros"])
BUSAN = (35.1796, 129.0756)


async def asked(voice, url):
    """Follow a location URL as a centre does; give status and document."""

    def get():
        try:
            with urlopen(url, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode()

    return await voice.soon(deferToThread(get))


@pytest_twisted.ensureDeferred
async def test_112_hears_her_at_once_and_reads_of_the_call_in_a_report_and_its_end_in_an_update(voice):
    await voice.start()
    caller = voice.caller(SEOUL)

    phone, centre = await voice.connected_call(caller)
    await voice.hears(lambda: centre.ears.heard(PHONE_HZ))
    await voice.until_told(caller, call_state="connected", call_route="112-1")
    await phone.hang_up()
    ended = await voice.until_told(caller, call_state="ended")

    (alert,) = voice.alerts(caller)
    assert alert.parameters["trigger-source"] == ("call",)
    assert alert.parameters["destination"] == ("112",)
    assert alert.incident == alert.parameters["call-id"][0] == ended.incident
    assert ended.parameters["call-ended-by"] == ("caller",)
    assert ended.parameters["call-legs"][0].startswith("112-1 connected ")
    assert alert.identifier in ended.references[0]
    assert voice.located(caller)
    assert phone.is_silent
    assert [each.status for each in phone.provisionals] == [100]
    assert centre.ended_by is EndedBy.THEM


@pytest_twisted.ensureDeferred
async def test_the_invite_names_the_incident_and_the_caller_and_where_to_ask_for_the_newest_position(voice):
    voice.choose(interval_s=5.0)
    await voice.start()
    caller = voice.caller(SEOUL)
    voice.see(*BUSAN)

    phone, centre = await voice.connected_call(caller)
    await voice.until(lambda: voice.located(caller))
    headers = centre.invite.headers
    url = headers.get("geolocation").strip("<>")
    first = await asked(voice, url)
    voice.lbs["skt"].move(caller, *BUSAN)
    await voice.until(lambda: any("35.17" in report.circle for report in voice.located(caller)))
    second = await asked(voice, url)
    incident = voice.alerts(caller)[0].incident
    await voice.onetouch("incidents", "close", incident, "--reason", "found safe")
    third = await asked(voice, url)
    unknown = await asked(voice, url[:-1] + str((int(url[-1]) + 1) % 10))

    assert headers.get("x-incident-id") == incident
    asserted = address_of(headers.get("p-asserted-identity"))
    assert asserted.uri.startswith(f"sip:{national(caller)}@")
    assert centre.invite.caller.display == asserted.display == "SOS"
    assert headers.get("geolocation-routing") == "no"
    assert [info.split(":")[3:5] for info in headers.all("call-info")] == [
        ["callid", incident],
        ["incidentid", incident],
    ]
    assert first[0] == second[0] == 200
    assert "37.566" in first[1]
    assert "35.179" in second[1]
    assert third == (410, "")
    assert unknown[0] == 404
    token = url.rpartition("/")[2]
    assert len(token) >= 43
    files = [file for file in voice.daemon.store.parent.iterdir() if file.is_file()]
    assert all(token.encode() not in file.read_bytes() for file in files)
    assert phone.is_up


@pytest.mark.parametrize(
    ("scenario", "after_ms"),
    [("phone_takes_back", 0), ("phone_calls", 2), ("phone_calls", 300)],
    ids=["CANCEL-on-100", "after-5-ms", "after-300-ms"],
)
@pytest_twisted.ensureDeferred
async def test_a_caller_who_gives_up_before_112_answers_is_an_emergency_all_the_same(
    voice, scenario, after_ms
):
    """Asterisk answers 3 ms after the INVITE: who gives up sooner says CANCEL, who gives up later says BYE."""
    await voice.start()
    caller = voice.caller(SEOUL)
    voice.operators[0].answer_after(5.0)

    phone = voice.sipp_phone(scenario, options=("-m", 1, "-d", after_ms), caller=national(caller), rtp=9)
    await voice.until(lambda: phone.is_over)
    told = await voice.until_told(caller, call_state="given-up", call_ended_by="caller")

    assert phone.has_followed, phone.errors
    assert 180 not in phone.statuses()
    assert len(voice.alerts(caller)) == 1
    assert told.parameters["incident-state"] == ("open",)
    await voice.until(lambda: voice.located(caller))
    await voice.until(lambda: all(call.is_over for call in voice.rung(caller)))
    assert voice.invites(caller, route=2) == []
    last = phone.seen()[-1].at - phone.requests("INVITE")[0].at
    assert last < 0.5 + after_ms / 1000


@ON_BOTH_TRUNKS
@pytest_twisted.ensureDeferred
async def test_a_caller_who_hangs_up_in_the_very_moment_in_which_112_answers_leaves_nobody_behind(
    voice, trunk
):
    await voice.start()
    phones = {caller: voice.call(caller, trunk) for caller in (voice.caller() for _ in range(20))}

    for number, (caller, phone) in enumerate(phones.items()):
        await voice.until(lambda: voice.rung(caller))  # noqa: B023 - awaited here
        give_up = partial(phone.give_up, number * 0.001)
        voice.rung(caller)[0].answered().addCallback(lambda _, give_up=give_up: give_up())

    for caller in phones:
        await voice.until(lambda: voice.told(caller, call_ended_by="caller"))  # noqa: B023 - awaited here
        await voice.until(lambda: all(call.is_over for call in voice.rung(caller)))  # noqa: B023
        assert len(voice.alerts(caller)) == 1
        assert len(voice.invites(caller)) == 1
        assert voice.invites(caller, route=2) == []
    await voice.until(lambda: not voice.exchange.channels())


@ON_BOTH_TRUNKS
@pytest_twisted.ensureDeferred
async def test_when_both_ends_hang_up_in_the_same_moment_the_call_is_over_and_no_other_route_is_called(
    voice, trunk
):
    voice.expected_errors = (BOTH_ENDS_AT_ONCE,)
    await voice.start()
    phones = {caller: voice.call(caller, trunk) for caller in (voice.caller() for _ in range(20))}
    centres = {caller: await voice.answered(caller) for caller in phones}
    await voice.hears(lambda: all(centre.ears.heard(PHONE_HZ) for centre in centres.values()))

    for number, caller in enumerate(phones):
        phones[caller].give_up(0.1 + number * 0.001)
        voice.reactor.callLater(0.11, centres[caller].hang_up)

    for caller, phone in phones.items():
        await voice.until_told(caller, call_state="ended")
        assert phone.is_over
        assert voice.invites(caller, route=2) == []
        assert len(voice.alerts(caller)) == 1
        assert phone.is_silent


@pytest_twisted.ensureDeferred
async def test_a_call_and_then_an_sms_of_one_caller_are_one_incident(voice):
    await voice.start()
    caller = voice.caller()

    _, centre = await voice.connected_call(caller)
    await voice.until(lambda: voice.alerts(caller))
    await voice.accepted_press(caller)
    told = await voice.until_told(caller, press_count="2")

    (alert,) = voice.alerts(caller)
    named = centre.invite.headers.get("x-incident-id")
    assert alert.incident == told.incident == told.parameters["call-id"][0] == named
    assert voice.daemon.rows("SELECT id FROM incident") == [(named,)]


@pytest_twisted.ensureDeferred
async def test_an_sms_and_then_a_call_of_one_caller_are_one_incident_and_the_report_tells_the_calls_own_name(
    voice,
):
    await voice.start()
    caller = voice.caller()

    await voice.accepted_press(caller)
    await voice.until(lambda: voice.alerts(caller))
    phone, centre = await voice.connected_call(caller)
    told = await voice.until_told(caller, call_state="connected")
    await phone.hang_up()
    await voice.until_told(caller, call_state="ended")

    (alert,) = voice.alerts(caller)
    assert alert.incident == told.incident
    assert told.parameters["press-count"] == ("2",)
    assert told.parameters["call-id"] == (centre.invite.headers.get("x-incident-id"),)
    assert told.parameters["call-id"] != (told.incident,)
    assert voice.daemon.rows("SELECT id FROM incident") == [(alert.incident,)]


@ON_BOTH_TRUNKS
@pytest_twisted.ensureDeferred
async def test_two_taps_in_the_silent_call_tell_112_that_she_cannot_speak(voice, trunk):
    await voice.start()
    caller = voice.caller()

    phone, centre = await voice.connected_call(caller, trunk)
    await voice.soon(phone.press("11"))
    told = await voice.until_told(caller, knock_meaning="cannot-speak")

    assert told.parameters["knock"] == ("11",)
    assert told.parameters["knock-taps"] == ("2",)
    assert "말을 할 수 없음" in told.raw.decode()
    assert phone.is_silent
    if trunk == SKT:
        assert centre.info_digits == "11"


@pytest_twisted.ensureDeferred
async def test_taps_of_a_phone_on_sipp_are_knocks_too_and_three_have_no_meaning_in_the_table(voice):
    await voice.start()
    caller = voice.caller()
    her = voice.ears(0)

    phone = voice.sipp_phone(
        "phone_calls", options=("-m", 1, "-d", 2500), caller=national(caller), rtp=her.port
    )
    await voice.until(phone.peer)
    her.talk_to(phone.peer())
    await voice.soon(her.press("505"))
    told = await voice.until_told(caller, knock="505")
    await voice.until(lambda: phone.is_over)

    assert told.parameters["knock-taps"] == ("3",)
    assert "knock-meaning" not in told.parameters
    assert phone.has_followed, phone.errors
    assert her.ears.packets == 0
    await voice.until_told(caller, call_state="ended")


@ON_BOTH_TRUNKS
@pytest_twisted.ensureDeferred
async def test_the_centre_hangs_up_and_her_call_is_over(voice, trunk):
    await voice.start()
    caller = voice.caller()
    phone, centre = await voice.connected_call(caller, trunk)
    await voice.until_told(caller, call_state="connected")

    await voice.soon(centre.hang_up())

    assert await voice.soon(phone.ended()) is EndedBy.THEM
    told = await voice.until_told(caller, call_state="ended", call_ended_by="112")
    assert told.parameters["incident-state"] == ("open",)
    assert voice.invites(caller, route=2) == []
    assert phone.is_silent


@pytest_twisted.ensureDeferred
async def test_another_number_than_the_listed_one_is_taken_for_the_held_key_and_labelled(voice):
    await voice.start()
    caller = voice.caller()

    voice.call(caller, dialled="119")
    await voice.answered(caller)
    told = await voice.until_told(caller, call_state="connected")

    assert told.parameters["destination"] == ("119",)
    assert told.parameters["label"] == ("unlisted destination",)


NAMES = [
    "x,Stage: end,SOSID: sos-forged",
    "${SHELL(id)}${GLOBAL(SOS_ROUTE_1)}",
    'he said "help" \\" \\\\ \'; drop',
    "a" * 300,
    "\N{POLICE CARS REVOLVING LIGHT}\N{WHITE HEAVY CHECK MARK} forged",
    "%0d%0aX-Incident-ID: forged",
    "</value><value>forged</value>&forged;",
    "forged|1|2|3\N{NO-BREAK SPACE}",
]
RAW = [
    '"forged,Stage: end"\r\n\t<sip:{0}@127.0.0.1>',
    '"\x01\x7f\udcff\udcfeforged" <sip:{0}@127.0.0.1>',
    '"forged" <sip:{0}@127.0.0.1;x=forged>',
]
"""A header that is folded (RFC 3261 section 7.3.1), octets that are no UTF-8, parameters; {0} is the number."""


@pytest_twisted.ensureDeferred
async def test_whatever_name_a_caller_has_it_forges_nothing_and_goes_nowhere(voice):
    await voice.start()
    callers = {voice.caller(): name for name in [*NAMES, *RAW]}
    phones = {}

    for caller, name in callers.items():
        number = national(caller)
        who = {"display": name}
        if name in RAW:
            raw = name.format(number)
            who = {"raw_from": f"{raw};tag={number}", "raw_asserted": raw}
        phones[caller] = voice.call(caller, **who)
    for caller in callers:
        await voice.answered(caller)
        await voice.until_told(caller, call_state="connected")

    for caller, phone in phones.items():
        (invite,) = voice.invites(caller)
        (alert,) = voice.alerts(caller)
        assert invite.headers.get("x-incident-id") == alert.incident
        assert invite.caller.display == "SOS"
        assert not forged(invite.request.octets())
        assert not any(forged(report.raw) for report in voice.reports(caller))
        assert voice.told(caller, call_state="ended") == []
        assert phone.is_up
        phone.hang_up()
        await voice.until_told(caller, call_state="ended", call_ended_by="caller")
    assert len([report for report in voice.centre.reports if report.msg_type == "Alert"]) == len(callers)
    assert not forged(voice.daemon.log.read_bytes())
    assert not forged("\n".join(voice.exchange.new_log_lines()).encode())


NUMBERS = {
    "0105550001,Stage: end": "0105550001",
    "${SHELL(id)}0105550002": "0105550002",
    "0105550003\r\nAction: Hangup": "0105550003",
    "0105550004|x|y": "0105550004",
    '0105550005"><sip:forged@nowhere>': "0105550005",
    "\N{POLICE CARS REVOLVING LIGHT}0105550006": "0105550006",
    "0105550007&PJSIP/forged": "0105550007",
}


@pytest_twisted.ensureDeferred
async def test_whatever_number_a_caller_has_112_is_called_with_its_digits_and_gets_one_alert(voice):
    """The alert tells the number as it came, so that a person can read what a machine cannot."""
    await voice.start()
    for number in NUMBERS:
        voice.phones[SKT].call("112", caller=Caller(number))
    digits = "9" * 300
    voice.phones[SKT].call("112", caller=Caller(digits))
    voice.phones[SKT].call("112", caller=Caller("anonymous", is_asserted=False))
    raw = "<sip:0105550008%00,Stage:%20end@127.0.0.1>"
    voice.phones[SKT].call("112", caller=Caller("", raw_from=f"{raw};tag=8", raw_asserted=raw))

    calls = len(NUMBERS) + 3
    await voice.until(lambda: len([call for call in voice.operators[0].calls if call.is_up]) == calls)
    await voice.until(lambda: len({report.incident for report in voice.centre.reports}) == calls)

    uris = [address_of(each.headers.get("p-asserted-identity")).uri for each in voice.operators[0].invites]
    asserted = {uri.removeprefix("sip:").partition("@")[0] for uri in uris if "@" in uri}
    assert set(NUMBERS.values()) < asserted
    assert len(asserted) == calls - 1
    assert all(number.isdecimal() for number in asserted)
    assert not any(forged(invite.request.octets()) for invite in voice.operators[0].invites)
    told = {report.parameters["call-state"] for report in voice.centre.reports}
    assert told <= {("arrived",), ("dialling",), ("connected",)}
    assert len([report for report in voice.centre.reports if report.msg_type == "Alert"]) == calls
    assert all(phone.is_up for phone in voice.phones[SKT].calls)
    assert not forged(voice.daemon.log.read_bytes())
    assert not forged("\n".join(voice.exchange.new_log_lines()).encode())


def forged(octets):
    """Whether something of what the callers wrote is in there."""
    marks = (
        b"forged",
        b"SHELL",
        b"uid=",
        b"\xf0\x9f\x9a\xa8",
        b"aaaaaaaa",
        b"he said",
        b"Stage: end",
        b"Action:",
    )
    return any(mark in octets for mark in marks)
