"""112's own telephones do not answer: one route after the other is called, round after round, and the report says so."""

from __future__ import annotations

import pytest
import pytest_twisted

from telephony.lab.phones.handset import PHONE_HZ
from tests.scenarios.voice import KT, SKT

pytestmark = pytest.mark.xdist_group("routes-to-112")

KNOBS = {
    "SOS_ROUTE_1_SECONDS": "2",
    "SOS_ROUTE_2_SECONDS": "1",
    "SOS_ROUTE_3_SECONDS": "1",
    "SOS_ROUND_PAUSE": "1",
}
"""As shipped 6, 10 and 20 seconds, and 1 between two rounds."""

ON_BOTH_TRUNKS = pytest.mark.parametrize("trunk", [SKT, KT], ids=["no-rtp", "zeros"])


async def close(operator):
    """Nothing listens on the port any more."""
    await operator.close()


async def die(operator):
    """Asked, and never an answer."""
    operator.die()


async def ring_for_ever(operator):
    operator.never_answer()


async def be_busy(operator):
    operator.refuse(486)


async def be_overloaded(operator):
    operator.refuse(503)


FIRST_ROUTES = [
    (close, "no answer 2 s", 2.0),
    (die, "no answer 2 s", 2.0),
    (ring_for_ever, "no answer 2 s", 2.0),
    (be_busy, "busy 0 s", 0.0),
    (be_overloaded, "congestion 0 s", 0.0),
]


@pytest.mark.parametrize(
    ("trouble", "words", "seconds", "trunk"),
    [(*route, SKT) for route in FIRST_ROUTES] + [(*route, KT) for route in FIRST_ROUTES[2:4]],
    ids=["port-closed", "silent", "rings-for-ever", "486", "503", "rings-for-ever-zeros", "486-zeros"],
)
@pytest_twisted.ensureDeferred
async def test_the_second_route_answers_when_the_first_does_not(voice, trouble, words, seconds, trunk):
    await voice.start()
    caller = voice.caller()
    await trouble(voice.operators[0])

    phone = voice.call(caller, trunk)
    centre = await voice.answered(caller, route=2)
    await voice.hears(lambda: centre.ears.heard(PHONE_HZ) and centre.rtp_sent > 10)
    told = await voice.until_told(caller, call_state="connected", call_route="112-2")

    assert seconds <= centre.invite.at - phone.began_at < seconds + 0.8
    assert told.parameters["call-legs"] == (f"112-1 {words}; 112-2 connected",)
    assert len(voice.alerts(caller)) == 1
    assert phone.is_silent


@pytest_twisted.ensureDeferred
async def test_the_third_route_answers_when_the_first_two_do_not(voice):
    await voice.start()
    caller = voice.caller()
    voice.operators[0].refuse(503)
    voice.operators[1].die()

    phone = voice.call(caller)
    await voice.answered(caller, route=3)
    told = await voice.until_told(caller, call_state="connected", call_route="112-3")
    await phone.hang_up()
    ended = await voice.until_told(caller, call_state="ended")

    legs = "112-1 congestion 0 s; 112-2 no answer 1 s; 112-3 connected"
    assert told.parameters["call-legs"] == (legs,)
    assert ended.parameters["call-legs"][0].startswith(legs)
    assert phone.is_silent


@pytest_twisted.ensureDeferred
async def test_when_no_route_answers_they_are_gone_through_again_until_one_comes_back(voice):
    await voice.start()
    caller = voice.caller()
    for operator in voice.operators:
        operator.die()

    phone = voice.call(caller)
    # The first round lasts 4 s. Repeats of its INVITEs arrive as well: it is the second round's that is answered.
    await voice.until(lambda: voice.told(caller) and len(legs(voice, caller)) >= 3)
    voice.operators[1].come_back()
    await voice.answered(caller, route=2)
    told = await voice.until_told(caller, call_state="connected", call_route="112-2")

    assert told.parameters["call-legs"][0].startswith(
        "112-1 no answer 2 s (2 times); 112-2 no answer 1 s; 112-3 no answer 1 s; 112-2 connected"
    )
    assert phone.is_silent
    assert len(voice.alerts(caller)) == 1


def legs(voice, caller):
    """Return the legs of a caller's call, as 112 was told of them last."""
    return voice.reports(caller)[-1].parameters.get("call-legs", ("",))[0].split("; ")


@ON_BOTH_TRUNKS
@pytest_twisted.ensureDeferred
async def test_112s_telephone_that_dies_in_mid_call_is_noticed_when_she_hangs_up(voice, trunk):
    """A phone in danger may be silent for long, so no media timer ends calls: what cannot be known is not told."""
    await voice.start()
    caller = voice.caller()
    phone, _ = await voice.connected_call(caller, trunk)
    await voice.until_told(caller, call_state="connected")

    voice.operators[0].die()
    await voice.listen_on(1.0)
    assert phone.is_up
    assert len(voice.reports(caller)) == 2
    await phone.hang_up()

    told = await voice.until_told(caller, call_state="ended", call_ended_by="caller")
    assert told.parameters["call-route"] == ("112-1",)
    assert phone.is_silent
