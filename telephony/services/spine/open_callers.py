"""Remembers, for an outage of the store, which callers have an open incident."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from telephony.clock import Clock
from telephony.domain.values import Msisdn

MOST: Final = 100_000
"""Callers remembered; the one heard of longest ago is forgotten first."""
KEPT_S: Final = 3_600.0
"""After an hour without a press the incident may well be closed: what comes then is a new alarm."""


@dataclass(slots=True)
class KnownCaller:
    """The open incident of a caller.

    ``is_told_directly`` says that its alert went to 112 past the store, so it cannot have been closed since.
    """

    incident_id: str
    opened_at: datetime
    presses: int
    is_told_directly: bool
    heard_at: float


class KnownCallers:
    """Remembers the newest incident of each caller, by the store's key of a caller."""

    def __init__(self, clock: Clock, hash_of: Callable[[str], bytes]) -> None:
        self._clock = clock
        self._hash = hash_of
        self.changed: dict[str, KnownCaller] = {}
        """Of whom more is known than is written down: see `CallersKeeping`."""
        self._of_an_earlier_life: dict[bytes, KnownCaller] = {}
        """By hashes of callers: what an earlier process knew, until the store says better."""
        self._known: OrderedDict[str, KnownCaller] = OrderedDict()
        self._on_the_way: dict[str, int] = {}
        """By caller: presses of the journal that the store does not have yet."""

    def get(self, caller: str) -> KnownCaller | None:
        """Return the caller's incident, ``None`` for a caller not heard of lately."""
        known = self._known.get(caller)
        if known is None and self._of_an_earlier_life:
            known = self._of_an_earlier_life.pop(self._hash(caller), None)
            if known is not None:
                self._known[caller] = known
        if known is None or self._clock.seconds() - known.heard_at > KEPT_S:
            return None
        return known

    def is_ahead_of_the_store(self, number: Msisdn) -> bool:
        """Whether there is an emergency of this phone of which the store does not know yet: in the journal alone, or told past it."""
        caller = number.number if number.is_e164 else f"raw:{number.number}"
        if caller in self._on_the_way:
            return True
        known = self.get(caller)
        return known is not None and known.is_told_directly

    def sets_out(self, caller: str) -> None:
        """See a press on its way from the journal to the store."""
        self._on_the_way[caller] = self._on_the_way.get(caller, 0) + 1

    def has_arrived(self, caller: str) -> None:
        """See it there, or nowhere."""
        left = self._on_the_way.get(caller, 0) - 1
        if left > 0:
            self._on_the_way[caller] = left
        else:
            self._on_the_way.pop(caller, None)

    def learn_by_hash(self, known: dict[bytes, KnownCaller]) -> None:
        """Take what an earlier process knew, by hashes of callers."""
        self._of_an_earlier_life = known

    def forget_the_earlier_life(self) -> None:
        """Go by the store, which says whose incidents are open."""
        self._of_an_earlier_life = {}

    def standing(self) -> dict[str, KnownCaller]:
        """Return all that is known, the one heard of longest ago first."""
        return dict(self._known)

    def learn(
        self,
        caller: str,
        incident_id: str,
        opened_at: datetime,
        presses: int,
        *,
        is_told_directly: bool = False,
        heard_at: float | None = None,
    ) -> None:
        """Take what the store, or an earlier process, knows of a caller of whom we do not know better."""
        if caller not in self._known:
            at = self._clock.seconds() if heard_at is None else heard_at
            self._known[caller] = KnownCaller(incident_id, opened_at, presses, is_told_directly, at)

    def pressed(
        self,
        caller: str,
        incident_id: str,
        at: datetime,
        *,
        is_told_directly: bool = False,
        is_duplicate: bool = False,
    ) -> KnownCaller:
        """Take a press of an incident, or one that is counted already; gives what is known now."""
        now = self._clock.seconds()
        known = self._known.pop(caller, None)
        if known is None or known.incident_id != incident_id:
            known = KnownCaller(incident_id, at, 0, is_told_directly, now)
        known.presses += not (is_duplicate and known.presses)
        known.heard_at = now
        if not is_told_directly:
            known.is_told_directly = False
        self._known[caller] = self.changed[caller] = known
        if len(self._known) > MOST:
            self._known.popitem(last=False)
        return known
