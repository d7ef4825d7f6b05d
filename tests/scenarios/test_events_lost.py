"""Single events of Asterisk are lost while the link is up: the calls are told all the same, in the right story."""

from __future__ import annotations

import pytest
import pytest_twisted

from tests.scenarios.ami_proxy import AmiProxy
from tests.scenarios.voice import KT, SKT

pytestmark = pytest.mark.xdist_group("events-lost")


@pytest_twisted.ensureDeferred
async def test_calls_whose_events_are_lost_are_told_by_the_next_comparison(voice):
    """Every minute as shipped; here every two seconds."""
    proxy = AmiProxy(voice.reactor, voice.exchange.ami)
    proxy.listen()
    await voice.start("compare-every-two-seconds", ami=proxy.port)
    stands, comes_and_goes, no_user, no_call, no_hangup = callers = [voice.caller() for _ in range(5)]

    proxy.drops = lambda packet: b"\r\nPrivilege: " in packet
    phone, centre = await voice.connected_call(stands, KT)
    other, _ = await voice.connected_call(comes_and_goes)
    await other.hang_up()
    told = await voice.until_told(stands, call_state="connected", call_route="112-1")
    assert (told.msg_type, told.incident) == ("Alert", centre.invite.headers.get("x-incident-id"))
    assert told.parameters["call-trunk"] == (KT,)
    await voice.until_told(comes_and_goes, call_state="ended")
    await phone.hang_up()
    await voice.until_told(stands, call_state="ended")

    proxy.drops = lambda packet: b"\r\nPrivilege: user," in packet
    phone, _ = await voice.connected_call(no_user)
    await voice.until_told(no_user, call_state="connected")
    await phone.hang_up()
    await voice.until_told(no_user, call_state="ended", call_ended_by="caller")

    proxy.drops = lambda packet: b"\r\nPrivilege: call," in packet
    phone, _ = await voice.connected_call(no_call)
    await voice.until_told(no_call, call_state="connected")
    await phone.hang_up()
    await voice.until_told(no_call, call_state="ended")

    proxy.drops = lambda packet: packet.startswith(b"Event: Hangup\r\n") or b"\r\nStage: end\r\n" in packet
    phone, _ = await voice.connected_call(no_hangup)
    await voice.until_told(no_hangup, call_state="connected")
    await phone.hang_up()
    ended = await voice.until_told(no_hangup, call_state="ended", call_ended_by="caller")

    assert ended.parameters["call-trunk"] == (SKT,)
    assert [len(voice.alerts(caller)) for caller in callers] == [1] * len(callers)
    assert voice.daemon.rows("SELECT count(*), sum(press_count) FROM incident") == [(5, 5)]
    assert voice.logged("events of calls were missed")
    assert len(voice.logged("caught up with Asterisk")) == 1
    await proxy.close()
