"""A network delivers one press twice: 112's telephone rings once for it, and no leg is lost when the other dies."""

from __future__ import annotations

import pytest
import pytest_twisted

from telephony.lab.phones.handset import CENTRE_HZ, PHONE_HZ, Caller
from telephony.lab.phones.sip import Headers, Request
from telephony.lab.phones.sip_agent import same_transaction
from tests.scenarios.voice import KT, SKT

pytestmark = pytest.mark.xdist_group("second-leg")

WAITS_S = 3
KNOBS = {"SOS_SECOND_LEG_WAITS": str(WAITS_S)}


def delivered_again(voice, phone):
    """Deliver a phone's INVITE once more as another path does: all the same but for the Via."""
    agent = voice.phones[SKT].agent
    others = [pair for pair in phone.invite.headers.pairs if pair[0] != "Via"]
    again = Request("INVITE", phone.invite.uri, Headers([agent.via(), *others]), phone.invite.body)
    agent.send(again, (agent.address[0], voice.exchange.sip))
    return again


def told_of(voice, caller, parameter):
    """Return what the newest report tells of each of the caller's calls, the oldest call first."""
    return voice.reports(caller)[-1].parameters.get(parameter) if voice.reports(caller) else None


def take_back(voice, invite):
    agent = voice.phones[SKT].agent
    cancel = same_transaction(invite, "CANCEL", invite.headers.get("to"))
    agent.send(cancel, (agent.address[0], voice.exchange.sip))


@pytest_twisted.ensureDeferred
async def test_a_press_that_is_delivered_twice_rings_once_and_the_leg_that_lives_is_the_call(voice):
    await voice.start()
    repeated, forked, first_dies = (voice.caller() for _ in range(3))

    phone = voice.call(repeated)
    await voice.listen_on(0.03)
    again = delivered_again(voice, phone)
    centre = await voice.answered(repeated)
    take_back(voice, again)
    await voice.until(lambda: told_of(voice, repeated, "call-state") == ("connected", "second-leg"))
    await voice.hears(lambda: centre.ears.heard(PHONE_HZ))

    legs = [voice.call(forked)]
    await voice.listen_on(0.03)
    legs.append(voice.call(forked, KT))
    await voice.answered(forked)
    assert legs[1].answered_at is None
    assert [each.status for each in legs[1].provisionals] == [100]
    await legs[1].hang_up()
    await voice.until(lambda: told_of(voice, forked, "call-of") == (voice.alerts(forked)[0].incident,))
    await legs[0].hang_up()
    await voice.until(lambda: told_of(voice, forked, "call-state") == ("ended", "second-leg"))

    voice.operators[0].never_answer()
    first = voice.call(first_dies)
    await voice.listen_on(0.03)
    second = voice.call(first_dies, KT)
    await voice.until(lambda: voice.rung(first_dies))
    voice.operators[0].answer_after(0.1)
    await first.hang_up()
    await voice.answered(first_dies)
    await voice.until(lambda: told_of(voice, first_dies, "call-state") == ("given-up", "connected"))
    assert second.is_up
    await second.hang_up()
    await voice.until(lambda: told_of(voice, first_dies, "call-state") == ("given-up", "ended"))

    assert [len(voice.invites(caller)) for caller in (repeated, forked, first_dies)] == [1, 1, 2]
    assert [len(voice.alerts(caller)) for caller in (repeated, forked, first_dies)] == [1, 1, 1]
    assert phone.is_up
    assert all(each.is_silent for each in (phone, *legs, first, second))


@pytest_twisted.ensureDeferred
async def test_a_caller_who_may_be_somebody_else_reaches_112_in_seconds(voice):
    """One number may be two people, and a withheld number is many: in doubt 112's telephone rings."""
    await voice.start()
    patient, later = voice.caller(), voice.caller()

    hidden = [voice.phones[SKT].call("112", caller=Caller("anonymous", is_asserted=False)) for _ in range(2)]
    await voice.until(lambda: len(voice.operators[0].invites) == len(hidden))
    both = [voice.call(patient), voice.call(patient, KT)]
    earlier = voice.call(later)
    began = voice.reactor.seconds()
    await voice.until(lambda: len([call for call in voice.rung(patient) if call.is_up]) == len(both))
    assert voice.reactor.seconds() - began > WAITS_S
    await voice.listen_on(max(4.1 - (voice.reactor.seconds() - began), 0.0))
    again = voice.call(later, KT)
    await voice.until(lambda: len(voice.rung(later)) == 2)
    assert voice.invites(later)[1].at - again.began_at < WAITS_S

    await voice.until(lambda: told_of(voice, patient, "call-state") == ("connected", "connected"))
    assert [len(voice.alerts(caller)) for caller in (patient, later)] == [1, 1]
    assert all(each.is_silent for each in (*hidden, *both, earlier, again))
    assert not any(each.ears.heard(CENTRE_HZ) for each in (*hidden, *both, earlier, again))
