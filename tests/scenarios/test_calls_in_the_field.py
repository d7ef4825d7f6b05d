"""What carriers' switches and 112's telephones really send: keys in every form, numbers in every form, odd INVITEs."""

from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from telephony.lab.phones.handset import PHONE_HZ, Caller
from telephony.lab.phones.rtp import DIGITS
from telephony.lab.phones.sip import Headers, Request, address_of, sip_uri
from telephony.lab.phones.sip_agent import ClientTransaction
from tests.scenarios.voice import KT, SKT, national

pytestmark = pytest.mark.xdist_group("field")

ON_BOTH_TRUNKS = pytest.mark.parametrize("trunk", [SKT, KT], ids=["no-rtp", "zeros"])
RELAY = [("Content-Type", "application/dtmf-relay")]
FLASH = b"Signal=16\r\nDuration=160\r\n"
PICTURE = [("Content-Type", "application/media_control+xml")]
IN_DIALOG = [
    ("INFO", [], b""),
    ("INFO", PICTURE, b"<media_control/>"),
    ("OPTIONS", [], b""),
    ("UPDATE", [], b""),
]
"""Requests within a call that tell nothing, and must be answered all the same."""


def knocked(voice, caller):
    """Return her keys in their order, whether a busy machine has made one knock of them or several."""
    knocks = [report.parameters["knock"] for report in voice.reports(caller) if "knock" in report.parameters]
    return "".join(knocks[-1]) if knocks else ""


@ON_BOTH_TRUNKS
@pytest_twisted.ensureDeferred
async def test_keys_that_112_presses_in_any_form_are_answered_and_never_sound_and_hers_are_knocks(
    voice, trunk
):
    """An INFO that is not answered ends its sender's call after 32 s (RFC 3261 section 12.2.1.2)."""
    await voice.start()
    caller = voice.caller()
    voice.operators[0]._has_early_media = True
    voice.operators[0].answer_after(0.5)
    phone = voice.call(caller, trunk)
    await voice.until(lambda: voice.rung(caller))
    (centre,) = voice.rung(caller)

    async def status(end, method, headers=(), body=b""):
        return (await voice.soon(end.ask(method, headers=headers, body=body))).status

    said = [await status(centre, "INFO", RELAY, b"Signal=5\r\n")]
    await voice.answered(caller)
    for kind in ("dtmf", "dtmf-relay"):
        said += [(await voice.soon(centre.inform(key, kind))).status for key in DIGITS]
    said += [await status(centre, "INFO", RELAY, FLASH)]
    said += [await status(end, *each) for end in (centre, phone) for each in IN_DIALOG]
    said += [(await voice.soon(phone.inform("4", "dtmf"))).status]
    said += [(await voice.soon(phone.inform("7", "dtmf-relay"))).status]
    await voice.listen_on(0.5)  # Asterisk makes 100 ms of each INFO; a key within them would count twice
    await voice.soon(phone.press("9"))
    await voice.until(lambda: knocked(voice, caller) == "479")

    assert set(said) == {200}
    assert centre._agent.repeats == phone._agent.repeats == 0
    assert phone.infos == []
    assert phone.is_silent
    assert phone.ears.dtmf_packets == 0
    assert (phone.ears.packets == 0) is (trunk == SKT)
    assert centre.ears.heard(PHONE_HZ)
    assert phone.is_up
    assert centre.is_up


OFFERS = {
    "another payload type": ("0 96", ["96 telephone-event/8000"]),
    "16 kHz beside 8 kHz": ("0 101 102", ["101 telephone-event/16000", "102 telephone-event/8000"]),
    "wideband audio": ("9 0 97 98", ["97 telephone-event/16000", "98 telephone-event/8000"]),
    "tones alone": ("0", []),
}
"""Payload types of an offer, and what they are (RFC 4733)."""


@pytest_twisted.ensureDeferred
async def test_knocks_are_heard_in_whatever_form_the_carriers_network_brings_them(voice):
    """Tones within the audio count on this trunk because its dtmf_mode is auto."""
    await voice.start()
    host = "127.0.0.2"
    phones = {}
    for payloads, events in OFFERS.values():
        lines = ["v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
        lines += [f"m=audio {{port}} RTP/AVP {payloads}", *(f"a=rtpmap:{event}" for event in events)]
        caller = voice.caller()
        offer = "".join(f"{line}\r\n" for line in lines).encode()
        phones[caller] = voice.phones[KT].call("112", caller=Caller(national(caller)), offer=offer)

    for caller, phone in phones.items():
        await voice.answered(caller)
        takes_events = phone.media.digits is not None
        await voice.soon(phone.press("4") if takes_events else phone.press_aloud("4"))
    for caller in phones:
        await voice.until_told(caller, knock="4")

    assert [phone.media.digits for phone in phones.values()] == [96, 102, 98, None]
    assert all(phone.is_silent for phone in phones.values())


WITHHELD = {
    "anonymous": "<sip:anonymous@anonymous.invalid>",
    "restricted": '"Restricted" <sip:Restricted@127.0.0.1>',
    "unavailable": "<sip:unavailable@unknown.invalid>",
    "zeros": "<sip:0000000000@127.0.0.1>",
    "empty": "<sip:127.0.0.1>",
    "korean": "<sip:%EB%B0%9C%EC%8B%A0%EB%B2%88%ED%98%B8%ED%91%9C%EC%8B%9C%EC%A0%9C%ED%95%9C@127.0.0.1>",
}
"""From headers without P-Asserted-Identity; the last says that the number is not to be shown."""


@pytest_twisted.ensureDeferred
async def test_callers_who_show_no_number_are_each_a_person_of_her_own_and_112_is_told_that_it_is_withheld(
    voice,
):
    """Twice each: two people who show the same are two incidents."""
    await voice.start()
    raws = [(f"{raw};tag={kind}-{number}") for kind, raw in WITHHELD.items() for number in (1, 2)]
    calls = [
        voice.phones[SKT].call("112", caller=Caller("", is_asserted=False, raw_from=raw)) for raw in raws
    ]
    short = [voice.phones[SKT].call("112", caller=Caller("1366")) for _ in range(2)]

    await voice.until(lambda: len(alerts(voice)) == len(raws) + 2)
    await voice.until(lambda: all(call.is_up for call in (*calls, *short)))
    await voice.until(lambda: sum(call.is_up for call in voice.operators[0].calls) == len(raws) + 2)

    told = [report.parameters.get("caller") for report in alerts(voice)]
    assert sorted(told) == [("1366",)] * 2 + [("withheld",)] * len(raws)
    assert len({report.incident for report in alerts(voice)}) == len(raws) + 2
    assert not any("callback" in report.parameters for report in alerts(voice))
    assert voice.logged("alarm", alarm="location-failing") == []


LEE = "<sip:01055509999@127.0.0.1>"
ASSERTED = {
    "sip and tel on one line": ["<sip:+82{n}@ims.example>, <tel:+82{n}>"],
    "tel before sip": ["<tel:+82{n}>,<sip:+82{n}@ims.example;user=phone>"],
    "tel alone": ["<tel:+82-{dashed};cpc=ordinary>"],
    "without brackets": ["sip:+82{n}@ims.example, tel:+82{n}"],
    "two headers": ["<sip:alice@ims.example>", "<TEL:+82{n}>"],
    "a number before a name": ['<tel:+82{n}>, "Alice, A." <sip:alice@ims.example>'],
    "number portability": ["<sip:+82{n};npdi;rn=+82109999999@ims.example;user=phone>"],
    "a context": ["<tel:{n};phone-context=+82>"],
    "00": ["<sip:0082{n}@ims.example>"],
    "an escaped plus": ["<sip:%2B82{n}@ims.example>"],
    "a name that looks like an address": ['"<tel:+821055509999>, x" <sip:+82{n}@ims.example>'],
    "a name that escapes a quote": ['"\\"<tel:+821055509999>, \\"" <sip:+82{n}@ims.example>'],
    "a folded line": ["<sip:+82{n}@ims.example>,\r\n\t<tel:+82{n}>"],
}
"""Values of P-Asserted-Identity, each of a person of its own; From says another in all of them."""
NAMELESS = [
    '"<tel:+821055509999>, x" <sip:alice@ims.example>',
    '"\\"<tel:+821055509999>, \\"" <sip:alice@ims.example>',
]
"""A number stands in the name alone, which the caller may have chosen."""


@pytest_twisted.ensureDeferred
async def test_the_number_that_the_carrier_asserts_is_the_callers_in_whatever_form_and_wherever_it_stands(
    voice,
):
    await voice.start()
    numbers = {name: f"105550{number:04d}" for number, name in enumerate(ASSERTED)}

    def call(values, tag):
        who = Caller("", is_asserted=False, raw_from=f"{LEE};tag={tag}")
        headers = [*(("P-Asserted-Identity", value) for value in values), ("Privacy", "id")]
        voice.phones[KT].call("112", caller=who, headers=headers)

    for name, values in ASSERTED.items():
        n = numbers[name]
        written = {"n": n, "dashed": f"{n[:2]}-{n[2:6]}-{n[6:]}"}
        call([value.format_map(written) for value in values], n)
    for number, name in enumerate(NAMELESS):
        call([name], f"nameless-{number}")
    calls = len(ASSERTED) + len(NAMELESS)

    await voice.until(lambda: sum(each.is_up for each in voice.operators[0].calls) == calls)
    await voice.until(lambda: len(alerts(voice)) == calls)

    told = [each.parameters.get("callback") or each.parameters["caller"] for each in alerts(voice)]
    assert sorted(told) == sorted(
        [*((f"tel:+82{n}",) for n in numbers.values()), *[("alice",)] * len(NAMELESS)]
    )
    invites = voice.operators[0].invites
    asserted = [each.headers.get("p-asserted-identity").partition("@")[0][-10:] for each in invites]
    assert set(numbers.values()) <= set(asserted)
    shown = [address_of(each.headers.get("from")).uri.partition("@")[0][-10:] for each in invites]
    assert set(numbers.values()) <= set(shown)
    assert not any(each.headers.get("privacy") for each in invites)


def alerts(voice):
    return [report for report in voice.centre.reports if report.msg_type == "Alert"]


DRILLS = ["1129", "1129;phone-context=+82", "+821129", "00821129", "1129;npdi", "1-1-2-9"]
SERVICE = ["1588112;phone-context=+82", "+821588112"]
SOS = ["112", "112;phone-context=+82", "+82112", "sos.police", "119", "s"]


@pytest_twisted.ensureDeferred
async def test_a_drill_in_any_form_rings_no_112_and_any_other_number_or_name_does(voice):
    """A number that somebody dials in calm must not send a car, nor may the word for an emergency reach no one."""
    voice.choose(recognition='test_numbers = ["1129"]\nservice_numbers = ["1588112"]\n')
    await voice.start()
    drills, service, emergencies = (
        {voice.caller(): dialled for dialled in table} for table in (DRILLS, SERVICE, SOS)
    )

    for caller, dialled in (drills | service | emergencies).items():
        voice.call(caller, dialled=dialled)
    for caller in drills | emergencies:
        await voice.until(lambda: voice.alerts(caller))  # noqa: B023 - awaited here
    for caller in emergencies:
        await voice.answered(caller)
    await voice.until(lambda: all(call.answered_at is not None for call in voice.phones[SKT].calls))
    await voice.listen_on(0.5)

    for caller, dialled in (drills | service).items():
        assert voice.invites(caller) == [], dialled
    assert {voice.alerts(caller)[0].status for caller in drills} == {"Test"}
    assert {voice.alerts(caller)[0].status for caller in emergencies} == {"Actual"}
    assert not any(voice.reports(caller) for caller in service)
    assert voice.alerts(next(iter(emergencies)))[0].parameters.get("label") is None


@pytest_twisted.ensureDeferred
async def test_options_with_a_name_or_number_before_the_host_are_answered_so_that_the_trunk_counts_as_alive(
    voice,
):
    agent, server = voice.phones[SKT].agent, ("127.0.0.1", voice.exchange.sip)

    def asked(user):
        headers = [
            agent.via(),
            ("From", f"<{agent.contact}>;tag={user}"),
            ("To", f"<{sip_uri(user, *server)}>"),
        ]
        headers += [("Call-ID", f"options-{user}"), ("CSeq", "1 OPTIONS"), ("Contact", f"<{agent.contact}>")]
        answered = Deferred()
        request = Request("OPTIONS", sip_uri(user, *server), Headers(headers))
        ClientTransaction(agent, request, server, answered.callback, answered.cancel)
        return voice.soon(answered)

    await voice.start()

    assert {
        user: (await asked(user)).status for user in ("ping", "sbc-1.keepalive", "112", "1129", "+82112")
    } == dict.fromkeys(("ping", "sbc-1.keepalive", "112", "1129", "+82112"), 200)
