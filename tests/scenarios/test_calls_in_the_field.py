"""What carriers' switches and 112's telephones really send: keys in every form, numbers in every form, odd INVITEs."""

from __future__ import annotations

import pytest
import pytest_twisted

from telephony.lab.handset import PHONE_HZ
from telephony.lab.rtp import DIGITS
from tests.scenarios.voice import KT, SKT

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


@ON_BOTH_TRUNKS
@pytest_twisted.ensureDeferred
async def test_keys_that_112_presses_in_any_form_are_answered_and_never_sound_and_hers_are_knocks(
    voice, trunk
):
    """An INFO that nobody answers ends the call of whoever sent it after 32 s (RFC 3261 section 12.2.1.2)."""
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
    await voice.listen_on(0.3)  # Asterisk makes 100 ms of each INFO; a key within them would count twice
    await voice.soon(phone.press("9"))
    await voice.until_told(caller, knock="479")

    assert set(said) == {200}
    assert centre._agent.repeats == phone._agent.repeats == 0
    assert phone.infos == []
    assert phone.is_silent
    assert phone.ears.dtmf_packets == 0
    assert (phone.ears.packets == 0) is (trunk == SKT)
    assert centre.ears.heard(PHONE_HZ)
    assert phone.is_up
    assert centre.is_up
