"""What an INVITE says of where the phone is: 112 reads it, with the mirror and without."""

from __future__ import annotations

import pytest
import pytest_twisted

from tests.asterisk.sip.test_carried import document
from tests.scenarios.house import SEOUL
from tests.scenarios.raw_phone import SDP, SDP_TYPE, Form, multipart
from tests.scenarios.voice import national

pytestmark = pytest.mark.xdist_group("calls refused")

HEADERS = (
    "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=450051A2B0123456",
    "Geolocation: <https://ls.kt.example/lo/8f3-1>, <cid:place@kt.example>",
    "Call-Info: <urn:emergency:uid:callid:77:kt.example>;purpose=emergency-CallId, <https://kt.example/c>;purpose=info",
)
CARRIED = {
    "call_cell": "450-05-1A2B-0123456",
    "call_access": "3GPP-E-UTRAN-FDD",
    "call_geolocation": "https://ls.kt.example/lo/8f3-1",
}


@pytest_twisted.ensureDeferred
async def test_a_place_in_the_invite_is_the_first_position_and_cell_and_reference_go_on_to_112(voice):
    voice.hears_mirror = True
    await voice.start()
    caller, refused = voice.caller(), voice.caller()
    voice.see(*SEOUL)
    phone = voice.raw_phone()
    kind, body = multipart(
        (SDP_TYPE, SDP),
        ("application/pidf+xml\r\nContent-ID: <place@kt.example>", document(time="").decode()),
    )

    call = phone.call(national(caller), Form(headers=HEADERS, body=(kind, body)))
    centre = await voice.answered(caller)
    await voice.until_told(caller, call_state="connected")
    told = await voice.until_told(caller, **CARRIED)
    await voice.until(lambda: voice.located(caller))
    form = Form(
        headers=HEADERS, body=(kind, body.replace("RTP/AVP 0", "RTP/AVP 96").replace(":0 PCMU", ":96 EVS"))
    )
    phone.call(national(refused), form)
    await voice.until_told(refused, call_state="refused", **CARRIED)
    await voice.until(lambda: voice.located(refused))
    phone.hang_up(call)
    await voice.until_told(caller, call_state="ended")

    for each in (caller, refused):
        report = voice.located(each)[0]
        assert report.circle.startswith("37.566500,126.978000 0.150")
        assert report.parameters["location-source"] == ("invite",)
        assert report.parameters["location-method"] == ("cell",)
        assert report.parameters["location-uncertainty-m"] == ("150",)
        assert "통화 연결 신호" in report.raw.decode()
    assert "기지국 450-05-1A2B-0123456 (3GPP-E-UTRAN-FDD)" in told.raw.decode()
    assert "purpose=emergency-CallId, <https://kt.example/c>;purpose=info" in told.parameters["call-info"][0]
    assert len(voice.alerts(caller)) == len(voice.alerts(refused)) == 1
    assert centre.invite.headers.all("call-info")[2:] == (HEADERS[2].removeprefix("Call-Info: "),)


@pytest_twisted.ensureDeferred
async def test_without_a_mirror_the_dialplan_tells_cell_and_reference_and_a_hostile_header_forges_nothing(
    voice,
):
    await voice.start()
    caller, hostile = voice.caller(), voice.caller()
    phone = voice.raw_phone()

    call = phone.call(national(caller), Form(headers=HEADERS))
    await voice.answered(caller)
    await voice.until_told(caller, call_state="connected")
    await voice.until_told(caller, **CARRIED)
    attack = 'Call-Info: <https://a.example/${SOS_TOKEN}>,Stage: end,By: 112,X: "$[1/0]" \\;:)'
    second = phone.call(national(hostile), Form(headers=(attack, HEADERS[0])))
    centre = await voice.answered(hostile)
    await voice.until_told(hostile, call_state="connected")
    told = await voice.until_told(hostile, call_cell=CARRIED["call_cell"])
    phone.hang_up(call)
    phone.hang_up(second)
    await voice.until_told(caller, call_state="ended")
    ended = await voice.until_told(hostile, call_state="ended")

    assert ended.parameters["call-ended-by"] == ("caller",)
    token = centre.invite.headers.get("geolocation").rpartition("/")[2].strip(">")
    assert token not in told.parameters["call-info"][0]
    assert all(token not in each for each in centre.invite.headers.all("call-info"))
