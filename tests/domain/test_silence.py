"""The one policy before everything that could make the caller's phone ring, sound or light up."""

from __future__ import annotations

import pytest

from telephony.domain.silence import Output, Refused, may_reach


@pytest.mark.parametrize("output", list(Output))
def test_nothing_reaches_the_phone_while_silence_holds_and_the_reason_says_what_to_do(output):
    refused = may_reach(output, silence_lifted=False)

    assert isinstance(refused, Refused)
    assert output.value in refused.reason
    assert refused.reason.endswith("Lift silence for this incident first.")


@pytest.mark.parametrize("output", list(Output))
def test_everything_may_reach_it_once_silence_is_lifted(output):
    assert may_reach(output, silence_lifted=True) is None
