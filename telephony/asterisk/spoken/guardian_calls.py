"""Calls guardians by telephone and asks them to confirm with a digit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final

from telephony.asterisk.spoken.outgoing import OutgoingCalls, dial_string, spoken_variables
from telephony.asterisk.spoken.speech import guardian_speech, over_speech
from telephony.domain.errors import Unavailable
from telephony.domain.guardians.guardian import Guardian
from telephony.domain.guardians.spoken_call import CallOutcome, End, Look, Standing
from telephony.domain.silence import Output, Silenced
from telephony.domain.values import Msisdn

CONTEXT: Final = "guardian"
TALK_S: Final = 120.0
"""Bound on the call once it is answered: twenty seconds of message, three times, with the wait for a digit."""


MayReach = Callable[[Msisdn, Output], Awaitable[Silenced | None]]
"""Asks the silence policy; raises `Unavailable` where that cannot be known now."""


class SpokenGuardianCalls:
    """The calls to guardians (`telephony.domain.guardians.guardian.GuardianCalls`), all by one endpoint of pjsip.conf."""

    def __init__(
        self,
        calls: OutgoingCalls,
        may_reach: MayReach,
        *,
        endpoint: str,
        ring_s: float,
        confirm_digit: str,
        caller_id: str = "",
    ) -> None:
        self._calls = calls
        self._may_reach = may_reach
        self._endpoint = endpoint
        self._ring_s = ring_s
        self._confirm_digit = confirm_digit
        self._caller_id = caller_id

    @property
    def is_ready(self) -> bool:
        """Whether an Asterisk can be asked now."""
        return self._calls.is_ready

    async def call(self, guardian: Guardian, caller: Msisdn, look: Look) -> CallOutcome:
        """Say whose key was pressed and how it stands with 112, and wait for a digit.

        What is said follows ``look``: 112 may acknowledge while the phone rings, or between two times of the message. Where it closes
        the incident the call ends, with a sentence if it was answered.
        Raises `Malformed` for a number that cannot be dialled, and `Unavailable` where it cannot be known whether
        silence holds for it: a guardian may have pressed too, and theirs may be the caller's own phone. Where it holds,
        no call is placed.
        """
        refused = await self._may_reach(guardian.phone, Output.CALL_BACK)
        if refused is not None:
            return CallOutcome(End.FAILED, detail=refused.reason)
        words = _Words(self._words_of(guardian, caller), look)
        first = await words.first()
        if first is None:
            return CallOutcome(End.NOT_PLACED, detail="112 has closed the incident")
        return await self._calls.call(
            dial_string(guardian.phone.international, self._endpoint),
            CONTEXT,
            first,
            ring_s=self._ring_s,
            talk_s=TALK_S,
            caller_id=self._caller_id,
            news=words.news,
        )

    def _words_of(self, guardian: Guardian, caller: Msisdn) -> Callable[[Standing], Mapping[str, str]]:
        def say(standing: Standing) -> Mapping[str, str]:
            prompts = guardian_speech(
                caller,
                does_112_know=standing is Standing.KNOWN,
                language=guardian.language,
                confirm_digit=self._confirm_digit,
            )
            over = over_speech(guardian.language)
            return spoken_variables(prompts, confirm_digit=self._confirm_digit, over=over)

        return say


class _Words:
    """What one call says, as long as it stands."""

    def __init__(self, say: Callable[[Standing], Mapping[str, str]], look: Look) -> None:
        self._say = say
        self._look = look
        self._said = say(Standing.ASKED)

    async def first(self) -> Mapping[str, str] | None:
        """Return the variables of what is said first, None where it is over: where nobody can say that 112 knows, it is not said."""
        with suppress(Unavailable):
            if await self.news() is None:
                return None
        return self._said

    async def news(self) -> Mapping[str, str] | None:
        """Return the variables that have changed since, None once it is over. Raises `Unavailable`."""
        standing = await self._look()
        if standing is Standing.OVER:
            return None
        before, self._said = self._said, self._say(standing)
        return dict(self._said.items() - before.items())
