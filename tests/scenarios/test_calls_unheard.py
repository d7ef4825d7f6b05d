"""Half a minute in which the daemon hears nothing of Asterisk, with the times as shipped: no call is forgotten.

The test sleeps for these thirty seconds. It costs a core nothing and runs beside the others (a group of its own).
"""

from __future__ import annotations

import pytest
import pytest_twisted

from tests.scenarios.ami_proxy import AmiProxy
from tests.scenarios.voice import KT, SKT

pytestmark = pytest.mark.xdist_group("calls-unheard")

SILENCE_S = 30.0
NOTICED_WITHIN_S = 15.0 + 2.0
"""``ping_s`` and ``ping_timeout_s`` of `[[asterisk]]`, 10 and 5 s as shipped, and a moment."""


@pytest_twisted.ensureDeferred
async def test_what_came_stood_and_went_in_thirty_seconds_without_the_manager_interface_is_told(voice):
    """The connection stays, and not an octet comes through it: a firewall that has forgotten it."""
    proxy = AmiProxy(voice.reactor, voice.exchange.ami)
    proxy.listen()
    voice.ping_timeout_s = 5.0
    await voice.start(ami=proxy.port)
    stands, ends, comes_and_goes, comes = (voice.caller() for _ in range(4))
    phones = {caller: (await voice.connected_call(caller))[0] for caller in (stands, ends)}
    for caller in (stands, ends):
        await voice.until_told(caller, call_state="connected")

    proxy.lose_everything()
    began = voice.reactor.seconds()
    phones[comes_and_goes], _ = await voice.connected_call(comes_and_goes)
    phones[comes], _ = await voice.connected_call(comes, KT)
    for caller in (ends, comes_and_goes):
        await phones[caller].hang_up()
    await voice.until(lambda: voice.logged("alarm", alarm="link-down", about="voice-1"), NOTICED_WITHIN_S)
    await voice.listen_on(SILENCE_S - (voice.reactor.seconds() - began))
    assert voice.reports(comes) == voice.reports(comes_and_goes) == []
    assert all(phones[caller].is_up for caller in (stands, comes))
    proxy.mend()

    await voice.until_told(ends, call_state="ended")
    await voice.until_told(comes_and_goes, call_state="ended")
    told = await voice.until_told(comes, call_state="connected", call_route="112-1")
    assert told.parameters["call-trunk"] == (KT,)
    for caller, trunk in ((stands, SKT), (comes, KT)):
        await phones[caller].hang_up()
        ended = await voice.until_told(caller, call_state="ended", call_ended_by="caller")
        assert ended.parameters["call-trunk"] == (trunk,)
    assert [len(voice.alerts(caller)) for caller in phones] == [1] * 4
    assert all(phone.is_silent for phone in phones.values())
    await proxy.close()
