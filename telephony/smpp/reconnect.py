"""How long to wait before the next bind: pure, the whole policy in one place."""

from __future__ import annotations

import random
from typing import Final, NamedTuple

from telephony.smpp.constants import ESME_RALYBND, ESME_RINVPASWD, ESME_RINVSYSID, ESME_RINVSYSTYP
from telephony.smpp.observer import status_name

FIRST_S: Final = 1.0
CAP_S: Final = 30.0
"""Full jitter up to 1, 2, 4 … 30 s. A press waits at the SMSC meanwhile, so the cap is low."""
SETTLED_S: Final = 10.0
"""A link that was bound for so long was a good one: the count starts again."""

CREDENTIALS: Final = frozenset({ESME_RINVPASWD, ESME_RINVSYSID, ESME_RINVSYSTYP})
CREDENTIALS_S: Final = 300.0
"""Only a person can mend this, and SMSCs lock accounts out that keep knocking."""

ALREADY_BOUND_S: Final = (30.0, 60.0)
"""The SMSC still holds our old session, until its own inactivity timer ends it."""
ALARM_AT: Final = 3
"""Failures in a row, of one kind, that a person should hear of."""


class Pause(NamedTuple):
    """What to do before the next attempt."""

    seconds: float
    alarm: str | None = None


class Reconnect:
    """Counts what went wrong with one link, and answers with a pause."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._failures = 0
        self._already_bound = 0

    def after_refusal(self, status: int) -> Pause:
        """Wait after a bind that was refused with this status."""
        if status in CREDENTIALS:
            return Pause(CREDENTIALS_S, f"the SMSC refuses our credentials: {status_name(status)}")
        if status == ESME_RALYBND:
            self._already_bound += 1
            pause_s = self._rng.uniform(*ALREADY_BOUND_S)
            if self._already_bound >= ALARM_AT:
                times = self._already_bound
                return Pause(pause_s, f"the SMSC says ESME_RALYBND for the {times}th time")
            return Pause(pause_s)
        return self.after_failure()

    def after_failure(self) -> Pause:
        """Wait after a connection that failed, or that ended before it was bound."""
        longest = min(CAP_S, FIRST_S * 2.0 ** min(self._failures, 10))
        self._failures += 1
        alarm = f"not bound after {ALARM_AT} attempts" if self._failures == ALARM_AT else None
        return Pause(self._rng.uniform(0.0, longest), alarm)

    def after_bound(self, for_s: float) -> Pause:
        """Wait after a link that was bound for so many seconds."""
        self._already_bound = 0
        if for_s >= SETTLED_S:
            self._failures = 0
        return self.after_failure()
