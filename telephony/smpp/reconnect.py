"""Decides how long to wait before the next bind. Pure: the whole policy is here."""

from __future__ import annotations

import random
from typing import Final

from telephony.net.pauses import Backoff, Ended, Pause, TurnedAway, WasUp
from telephony.smpp.observer import status_name
from telephony.smpp.wire.constants import ESME_RALYBND, ESME_RINVPASWD, ESME_RINVSYSID, ESME_RINVSYSTYP

FIRST_S: Final = 1.0
CAP_S: Final = 30.0
"""Full jitter up to 1, 2, 4 … 30 s. A press waits at the SMSC meanwhile, so the cap is low."""
CREDENTIALS: Final = frozenset({ESME_RINVPASWD, ESME_RINVSYSID, ESME_RINVSYSTYP})
CREDENTIALS_S: Final = 300.0
"""Only a person can repair this, and SMSCs lock out accounts that keep trying."""

ALREADY_BOUND_S: Final = (30.0, 60.0)
"""The SMSC still holds our old session, until its own inactivity timer ends it."""
ALARM_AT: Final = 3
"""Failures in a row, of one kind, that a person should hear of."""


class Reconnect:
    """Counts what went wrong with one link, and answers with a pause (`telephony.net.pauses.Policy`)."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._backoff = Backoff(rng, FIRST_S, CAP_S)
        self._already_bound = 0

    def after(self, ended: Ended) -> Pause:
        """Return how long to wait; the status of a refused bind decides more than how often it was refused."""
        match ended:
            case TurnedAway(status) if status in CREDENTIALS:
                return Pause(CREDENTIALS_S, f"the SMSC refuses our credentials: {status_name(status)}")
            case TurnedAway(status) if status == ESME_RALYBND:
                return self._after_already_bound()
            case WasUp():
                self._already_bound = 0
        pause_s = self._backoff.after(ended)
        is_alarm = self._backoff.failures == ALARM_AT
        return Pause(pause_s, f"not bound after {ALARM_AT} attempts" if is_alarm else None)

    def _after_already_bound(self) -> Pause:
        self._already_bound += 1
        pause_s = self._rng.uniform(*ALREADY_BOUND_S)
        if self._already_bound < ALARM_AT:
            return Pause(pause_s)
        return Pause(pause_s, f"the SMSC says ESME_RALYBND for the {self._already_bound}th time")
