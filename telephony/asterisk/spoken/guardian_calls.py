"""Calls guardians by telephone and asks them to confirm with a digit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from telephony.asterisk.spoken.outgoing import OutgoingCalls, dial_string, spoken_variables
from telephony.asterisk.spoken.speech import guardian_speech
from telephony.domain.guardians.guardian import Guardian
from telephony.domain.guardians.spoken_call import CallOutcome, End
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

    async def call(self, guardian: Guardian, caller: Msisdn) -> CallOutcome:
        """Say whose key was pressed, and wait for a digit.

        Raises `Malformed` for a number that cannot be dialled, and `Unavailable` where it cannot be known whether
        silence holds for it: a guardian may have pressed too, and theirs may be the caller's own phone. Where it holds,
        no call is placed.
        """
        refused = await self._may_reach(guardian.phone, Output.CALL_BACK)
        if refused is not None:
            return CallOutcome(End.FAILED, detail=refused.reason)
        prompts = guardian_speech(caller, language=guardian.language, confirm_digit=self._confirm_digit)
        return await self._calls.call(
            dial_string(guardian.phone.international, self._endpoint),
            CONTEXT,
            spoken_variables(prompts, confirm_digit=self._confirm_digit),
            ring_s=self._ring_s,
            talk_s=TALK_S,
            caller_id=self._caller_id,
        )
