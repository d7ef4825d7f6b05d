"""Outgoing calls that come to what a test tells them, and keep what they were to say."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from telephony.asterisk.spoken.outgoing import OutgoingCalls
from telephony.domain.guardians.spoken_call import CallOutcome


class Telephone(OutgoingCalls):
    """Calls that come to what they are told; to nothing while that is ``None``."""

    def __init__(self, outcome: CallOutcome | None) -> None:
        self.outcome = outcome
        self.called: list[dict[str, Any]] = []

    async def call(self, dial: str, context: str, variables: Any, **bounds: Any) -> CallOutcome:
        self.called.append({"dial": dial, "context": context, "variables": dict(variables), **bounds})
        if self.outcome is None:
            never: Deferred[CallOutcome] = Deferred()
            return await never
        return self.outcome

    @property
    def said(self) -> tuple[str, ...]:
        variables = self.called[-1]["variables"]
        parts = [variables[f"SPOKEN_{number}"] for number in range(1, 9) if f"SPOKEN_{number}" in variables]
        return tuple("&".join(parts).split("&"))
