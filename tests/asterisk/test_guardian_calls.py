"""A guardian is called by the guardians' line, in the guardian's language."""

from __future__ import annotations

from telephony.asterisk.guardian_calls import SpokenGuardianCalls
from telephony.domain.errors import Malformed
from telephony.domain.guardian import Guardian
from telephony.domain.spoken_call import CallOutcome, End
from telephony.domain.values import Msisdn
from tests.asterisk.telephone import Telephone
from tests.awaiting import failure_of, result_of

CHILD = Msisdn("821012345678")
UNCLE = Guardian(Msisdn("821033334444"), "en")
CONFIRMS = CallOutcome(End.ANSWERED, "1", "pressed 1")


def test_a_guardian_is_called_by_the_guardians_line_in_their_language():
    telephone = Telephone(CONFIRMS)
    calls = SpokenGuardianCalls(telephone, endpoint="guardian", ring_s=25.0, confirm_digit="7")

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
    calls = SpokenGuardianCalls(Telephone(CONFIRMS), endpoint="guardian", ring_s=25.0, confirm_digit="1")

    assert isinstance(failure_of(calls.call(Guardian(Msisdn("mum", is_e164=False)), CHILD)), Malformed)
