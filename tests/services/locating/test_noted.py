"""A location service that does not know a number, or does not reach a phone, is well itself."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from telephony.domain.facts import NotReached
from telephony.domain.ports import FAST, NoFix
from telephony.domain.values import Msisdn
from telephony.net.standing import Asked, FarEndState
from telephony.services.locating.noted import NotedLocator
from tests.awaiting import result_of

PHONE = Msisdn("821012345678")
WELL, FAILING, NOT_ASKED = FarEndState.UP, FarEndState.FAILING, FarEndState.NOT_ASKED


class Locator:
    def __init__(self, answer):
        self.answer = answer

    async def locate(self, _msisdn, _quality):
        return self.answer


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (NoFix("4 UNKNOWN SUBSCRIBER", is_unknown_subscriber=True), WELL),
        (NoFix("5 ABSENT SUBSCRIBER", not_reached=NotReached.ABSENT), WELL),
        (NoFix("no answer: connection refused", retry_after_s=5.0), FAILING),
        (NoFix("HTTP 401: the server refuses us"), FAILING),
    ],
)
def test_each_answer_says_how_the_service_stands(answer, state):
    asked = Asked(Clock().seconds)

    assert result_of(NotedLocator(Locator(answer), asked).locate(PHONE, FAST)) is answer

    assert asked.standing.state is state


def test_a_number_that_no_server_knows_says_nothing_of_the_server():
    asked = Asked(Clock().seconds)

    result_of(NotedLocator(Locator(NoFix("no number")), asked).locate(Msisdn("112", is_e164=False), FAST))

    assert asked.standing.state is NOT_ASKED
