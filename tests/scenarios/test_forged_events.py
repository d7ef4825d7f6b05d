"""A caller writes events into the manager interface. No other call ends by it, and his own press is seen."""

from __future__ import annotations

import pytest
import pytest_twisted

from telephony.lab.phones.handset import Caller
from tests.scenarios.voice import SKT, national

pytestmark = pytest.mark.xdist_group("forged-events")

LINE_FEEDS = "010\n\nEvent: Hangup\nUniqueid: {}\n\n"
AN_EVENT = "1\r\n\r\nEvent: Hangup\r\nUniqueid: {}\r\n\r\n"
AN_EVENT_OF_THE_REST = "1\r\n\r\nEvent: Hangup\r\nPrivilege: call,all\r\nUniqueid: {}"
ANOTHER_ID = "1\r\nUniqueid: {0}\r\nLinkedid: {0}"
SOON_S = 30.0
"""Less than the minute after which the journal would tell of every call."""
OTHER_OCTETS = "1\0\r\x1b[2J{}"


def escaped(text):
    """Write every octet as a user part may have it (RFC 3261 section 25.1)."""
    return "".join(f"%{octet:02x}" for octet in text.encode())


@pytest_twisted.ensureDeferred
async def test_a_call_whose_number_holds_forged_events_ends_nobody_elses_call_and_is_a_press_itself(voice):
    await voice.start()
    caller = voice.caller()
    phone, centre = await voice.connected_call(caller)
    await voice.until_told(caller, call_state="connected")
    (followed,) = voice.logged("call followed")
    uniqueid = followed["call"].partition("/")[2]

    forged = [
        text.format(uniqueid)
        for text in (LINE_FEEDS, AN_EVENT, AN_EVENT_OF_THE_REST, ANOTHER_ID, OTHER_OCTETS)
    ]
    for number, text in enumerate(forged):
        user = f"<sip:{escaped(text)}@127.0.0.1>"
        in_from = Caller("", raw_from=f"{user};tag=forged-{number}", is_asserted=False)
        in_asserted = Caller("01099990000", raw_asserted=user)
        for who in (in_from, in_asserted):
            before = len(voice.operators[0].invites)
            call = voice.phones[SKT].call("112", caller=who)
            await voice.until(lambda: len(voice.operators[0].invites) > before)  # noqa: B023 - awaited here
            await call.hang_up()
    dialling = {}
    for text in (AN_EVENT, ANOTHER_ID):
        other = voice.caller()
        dialling[other] = voice.call(other, dialled="112" + text.format(uniqueid))
        await voice.answered(other)

    presses = 1 + 2 * len(forged) + len(dialling)
    await voice.until(lambda: len(voice.logged("call followed")) == presses, SOON_S)
    incidents = {logged["incident"] for logged in voice.logged("call followed")}
    await voice.until(lambda: {report.incident for report in voice.centre.reports} == incidents, SOON_S)
    for other, call in dialling.items():
        await voice.until_told(other, call_state="connected")
        await call.hang_up()
        await voice.until_told(other, call_state="ended")
    await voice.until(lambda: voice.logged("events of a channel are not as Asterisk writes them"))
    assert phone.is_up
    assert centre.is_up
    assert voice.told(caller, call_state="ended") == []
    await phone.hang_up()
    ended = await voice.until_told(caller, call_state="ended")
    assert ended.parameters["call-ended-by"] == ("caller",)
    assert len(voice.alerts(caller)) == 1
    reports = [report for report in voice.centre.reports if report.msg_type == "Alert"]
    assert len(reports) == len({report.incident for report in reports})
    assert not any(national(caller) in line for line in voice.daemon.log.read_text().splitlines())
