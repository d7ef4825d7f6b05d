"""A guardian is called by the guardians' line, in the guardian's language."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from telephony.asterisk.spoken.guardian_calls import SpokenGuardianCalls
from telephony.domain.errors import Malformed, Unavailable
from telephony.domain.guardians.guardian import Guardian
from telephony.domain.guardians.spoken_call import CallOutcome, End, Standing
from telephony.domain.silence import Output, Silenced
from telephony.domain.values import Msisdn
from tests.asterisk.telephone import Telephone
from tests.awaiting import failure_of, result_of

CHILD = Msisdn("821012345678")
UNCLE = Guardian(Msisdn("821033334444"), "en")
CONFIRMS = CallOutcome(End.ANSWERED, "1", "pressed 1")


async def nobody_pressed(phone, output):
    return None


async def it_is_known():
    return Standing.KNOWN


def test_a_guardian_is_called_by_the_guardians_line_in_their_language():
    telephone = Telephone(CONFIRMS)
    calls = SpokenGuardianCalls(
        telephone, nobody_pressed, endpoint="guardian", ring_s=25.0, confirm_digit="7"
    )

    assert result_of(calls.call(UNCLE, CHILD, it_is_known)) is CONFIRMS
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

    assert isinstance(
        failure_of(calls.call(Guardian(Msisdn("mum", is_e164=False)), CHILD, it_is_known)), Malformed
    )


def test_a_guardian_for_whose_phone_silence_holds_is_not_called():
    """They may have pressed too, or the caller's own number stands in the list."""
    telephone, asked = Telephone(CONFIRMS), []

    async def silence_holds(phone, output):
        asked.append((phone, output))
        return Silenced("silence holds")

    calls = SpokenGuardianCalls(telephone, silence_holds, endpoint="guardian", ring_s=25.0, confirm_digit="1")

    outcome = result_of(calls.call(UNCLE, CHILD, it_is_known))
    assert (outcome.end, outcome.detail) == (End.FAILED, "silence holds")
    assert asked == [(UNCLE.phone, Output.CALL_BACK)]
    assert telephone.called == []


def test_nobody_is_called_while_nobody_can_say_for_whom_silence_holds():
    telephone = Telephone(CONFIRMS)

    async def no_store(phone, output):
        raise Unavailable("store: locked")

    calls = SpokenGuardianCalls(telephone, no_store, endpoint="guardian", ring_s=25.0, confirm_digit="1")

    with pytest.raises(Unavailable):
        result_of(calls.call(UNCLE, CHILD, it_is_known))
    assert telephone.called == []


class Look:
    """How it stands with 112, as the test says."""

    def __init__(self, stands: Standing | Exception) -> None:
        self.stands = stands

    async def __call__(self) -> Standing:
        if isinstance(self.stands, Exception):
            raise self.stands
        return self.stands


@pytest.mark.parametrize("stands", [Standing.ASKED, Unavailable("store: locked")])
def test_what_112_has_not_acknowledged_as_far_as_is_known_is_not_said_to_be_known(stands):
    telephone = Telephone(CONFIRMS)
    calls = SpokenGuardianCalls(
        telephone, nobody_pressed, endpoint="guardian", ring_s=25.0, confirm_digit="1"
    )

    result_of(calls.call(UNCLE, CHILD, Look(stands)))

    assert "en/police-asked" in telephone.said
    assert "en/police" not in telephone.said


def test_once_112_has_acknowledged_the_next_time_of_the_message_says_so():
    telephone, look = Telephone(None), Look(Standing.ASKED)
    calls = SpokenGuardianCalls(
        telephone, nobody_pressed, endpoint="guardian", ring_s=25.0, confirm_digit="1"
    )
    calling = Deferred.fromCoroutine(calls.call(UNCLE, CHILD, look))
    news = telephone.called[0]["news"]

    assert result_of(news()) == {}
    look.stands = Unavailable("store: locked")
    assert isinstance(failure_of(news()), Unavailable)
    look.stands = Standing.KNOWN
    (changed,) = result_of(news()).items()

    assert changed == (
        "SPOKEN_1",
        telephone.called[0]["variables"]["SPOKEN_1"].replace("police-asked", "police"),
    )
    assert result_of(news()) == {}
    calling.addErrback(lambda _: None).cancel()


def test_nobody_is_called_about_what_112_has_closed():
    telephone = Telephone(CONFIRMS)
    calls = SpokenGuardianCalls(
        telephone, nobody_pressed, endpoint="guardian", ring_s=25.0, confirm_digit="1"
    )

    outcome = result_of(calls.call(UNCLE, CHILD, Look(Standing.OVER)))

    assert (outcome.end, telephone.called) == (End.NOT_PLACED, [])


def test_a_call_is_over_when_112_has_closed_and_says_so_in_the_guardians_language():
    telephone, look = Telephone(None), Look(Standing.KNOWN)
    calls = SpokenGuardianCalls(
        telephone, nobody_pressed, endpoint="guardian", ring_s=25.0, confirm_digit="1"
    )
    calling = Deferred.fromCoroutine(calls.call(UNCLE, CHILD, look))
    look.stands = Standing.OVER

    assert result_of(telephone.called[0]["news"]()) is None
    assert telephone.called[0]["variables"]["SPOKEN_OVER"] == "en/closed"
    calling.addErrback(lambda _: None).cancel()
