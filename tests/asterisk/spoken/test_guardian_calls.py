"""A guardian is called by the guardians' line, in the guardian's language."""

from __future__ import annotations

import pytest

from telephony.asterisk.spoken.guardian_calls import SpokenGuardianCalls
from telephony.domain.errors import Malformed, Unavailable
from telephony.domain.guardians.guardian import Guardian
from telephony.domain.guardians.spoken_call import CallOutcome, End
from telephony.domain.silence import Output, Silenced
from telephony.domain.values import Msisdn
from tests.asterisk.telephone import Telephone
from tests.awaiting import failure_of, result_of

CHILD = Msisdn("821012345678")
UNCLE = Guardian(Msisdn("821033334444"), "en")
CONFIRMS = CallOutcome(End.ANSWERED, "1", "pressed 1")


async def nobody_pressed(phone, output):
    return None


def test_a_guardian_is_called_by_the_guardians_line_in_their_language():
    telephone = Telephone(CONFIRMS)
    calls = SpokenGuardianCalls(
        telephone, nobody_pressed, endpoint="guardian", ring_s=25.0, confirm_digit="7"
    )

    assert result_of(calls.call(UNCLE, CHILD)) is CONFIRMS
    (call,) = telephone.called
    assert (call["dial"], call["context"], call["ring_s"]) == (
        "PJSIP/+821033334444@guardian",
        "guardian",
        25.0,
    )
    assert call["variables"]["SPOKEN_CONFIRM"] == "7"
    assert telephone.said[0] == "en/guardian"
    assert "en/5 en/6 en/7 en/8" in " ".join(telephone.said)


def test_a_guardian_whose_number_is_no_number_is_malformed():
    calls = SpokenGuardianCalls(
        Telephone(CONFIRMS), nobody_pressed, endpoint="guardian", ring_s=25.0, confirm_digit="1"
    )

    assert isinstance(failure_of(calls.call(Guardian(Msisdn("mum", is_e164=False)), CHILD)), Malformed)


def test_a_guardian_for_whose_phone_silence_holds_is_not_called():
    """They may have pressed too, or the caller's own number stands in the list."""
    telephone, asked = Telephone(CONFIRMS), []

    async def silence_holds(phone, output):
        asked.append((phone, output))
        return Silenced("silence holds")

    calls = SpokenGuardianCalls(telephone, silence_holds, endpoint="guardian", ring_s=25.0, confirm_digit="1")

    outcome = result_of(calls.call(UNCLE, CHILD))
    assert (outcome.end, outcome.detail) == (End.FAILED, "silence holds")
    assert asked == [(UNCLE.phone, Output.CALL_BACK)]
    assert telephone.called == []


def test_nobody_is_called_while_nobody_can_say_for_whom_silence_holds():
    telephone = Telephone(CONFIRMS)

    async def no_store(phone, output):
        raise Unavailable("store: locked")

    calls = SpokenGuardianCalls(telephone, no_store, endpoint="guardian", ring_s=25.0, confirm_digit="1")

    with pytest.raises(Unavailable):
        result_of(calls.call(UNCLE, CHILD))
    assert telephone.called == []
