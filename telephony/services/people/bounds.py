"""How often something may happen: for one phone in any day, for one sender within minutes."""

from __future__ import annotations

from collections import OrderedDict, deque
from enum import StrEnum, unique
from typing import Final

from telephony.clock import Clock
from telephony.domain.values import Msisdn
from telephony.remembered import Remembered

DAY_S: Final = 86_400.0
MOST_PHONES: Final = 50_000
"""Phones that are counted. Where it is full of phones of today, it happens to nobody else: rather no answer than a way
to forget how often a phone was texted."""
MOST_SENDERS: Final = 20_000
"""Senders that are counted; of more, the one that was heard of longest ago is forgotten."""


@unique
class Turn(StrEnum):
    """Whether something may happen once more."""

    WITHIN = "within"
    """It may."""
    FIRST_BEYOND = "first beyond"
    """It may not, for the first time in the period: there it is said, once."""
    BEYOND = "beyond"
    """It may not, and that has been said."""


class PerPhone:
    """Lets something happen to a phone at most so many times in any 24 hours, or in any other period."""

    def __init__(self, most: int, clock: Clock, *, period_s: float = DAY_S) -> None:
        self._most = most
        self._period_s = period_s
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()
        """The phone whose last time is the oldest first."""

    def is_left(self, phone: Msisdn) -> bool:
        """Whether it may happen once more."""
        now = self._clock.seconds()
        times = self._times.get(phone.number)
        if times is None:
            return len(self._times) < MOST_PHONES or self._forget_oldest(now)
        return len(times) < self._most or times[0] <= now - self._period_s

    def count(self, phone: Msisdn) -> bool:
        """Count that it happens, and return whether it may; what may not is not counted."""
        if not self.is_left(phone):
            return False
        times = self._times.pop(phone.number, None)
        if times is None:
            times = deque(maxlen=self._most)
        times.append(self._clock.seconds())
        self._times[phone.number] = times
        return True

    def _forget_oldest(self, now: float) -> bool:
        oldest, times = next(iter(self._times.items()))
        if times[-1] > now - self._period_s:
            return False
        del self._times[oldest]
        return True


class PerSender:
    """Lets a sender do something so many times within a period that begins with the first, and then again."""

    def __init__(self, most: int, clock: Clock, *, period_s: float) -> None:
        self._most = most
        self._period_s = period_s
        self._clock = clock
        self._senders: Remembered[str, tuple[float, int]] = Remembered(MOST_SENDERS)
        """Since when, and how often."""

    def turn(self, sender: str) -> Turn:
        """Count that it happens, and return whether it may."""
        now = self._clock.seconds()
        since, count = self._senders.get(sender, (now, 0))
        if now - since >= self._period_s:
            since, count = now, 0
        self._senders[sender] = (since, count + 1)
        if count < self._most:
            return Turn.WITHIN
        return Turn.FIRST_BEYOND if count == self._most else Turn.BEYOND


class ToldPerPhone:
    """Lets something happen to a phone at most so many times in any 24 hours, and has it told once a day that it may not."""

    def __init__(self, most: int, clock: Clock) -> None:
        self._within = PerPhone(most, clock)
        self._told = PerPhone(1, clock)

    def is_left(self, phone: Msisdn) -> bool:
        """Whether it may happen once more."""
        return self._within.is_left(phone)

    def turn(self, phone: Msisdn) -> Turn:
        """Count that it happens, and return whether it may; what may not is not counted."""
        if self._within.count(phone):
            return Turn.WITHIN
        return Turn.FIRST_BEYOND if self._told.count(phone) else Turn.BEYOND
