"""Schedules texts on one bind: never ahead of a press, its answer, or a USSD text."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple, Protocol

from twisted.internet.defer import Deferred

from telephony.clock import Call, Clock
from telephony.domain.errors import Unavailable

GIVE_WAY_S: Final = 2.0
"""How long a text steps aside for presses that are not answered yet. In a flood that lasts longer, the guardians of
those who pressed must hear too; the answers to presses do not queue behind texts anyway."""
LOOK_AGAIN_S: Final = 0.05
PATIENCE_S: Final = 60.0
"""A text whose turn has not come by then goes by another bind."""
MOST_WAITING: Final = 5_000
"""Texts that may wait for one bind."""
SHARE_OF_WINDOW: Final = 3
"""Texts hold one of so many places of the window, so that a USSD text finds room at once."""


class Bind(Protocol):
    """The state of a bind by which the moment is chosen."""

    @property
    def may_send(self) -> bool:
        """Whether it is bound, and for this direction."""
        ...

    @property
    def window_size(self) -> int:
        """How many requests of ours may be unanswered."""
        ...

    @property
    def sends_in_s(self) -> float | None:
        """Seconds until a request would leave at once; ``None`` while others wait or the window is full."""
        ...

    @property
    def unanswered(self) -> int:
        """How many messages of the carrier we have not answered yet."""
        ...


class _Waiting(NamedTuple):
    since: float
    turn: Deferred[None]


class Turns:
    """Gives turns on one bind, to the urgent first and else in order of arrival.

    A turn comes when the pace (``per_s``) and the SMSC's own allow it, few texts of ours are unanswered, and no press
    waits for its answer.
    """

    def __init__(self, bind: Bind, *, per_s: float, clock: Clock) -> None:
        self._bind = bind
        self._interval_s = 1.0 / per_s
        self._clock = clock
        self._urgent: deque[_Waiting] = deque()
        self._others: deque[_Waiting] = deque()
        self._at_once = max(1, bind.window_size // SHARE_OF_WINDOW)
        self._taken = 0
        self._next_at = 0.0
        self._timer: Call | None = None

    @property
    def waiting(self) -> int:
        """How many texts wait for their turn."""
        return len(self._urgent) + len(self._others)

    @asynccontextmanager
    async def turn(self, *, is_urgent: bool) -> AsyncIterator[None]:
        """Wait for a turn, and hold it until the text is answered.

        Raises `Unavailable` when the bind is lost, after `PATIENCE_S`, or when too many wait.
        """
        await self._next(self._urgent if is_urgent else self._others)
        try:
            yield
        finally:
            self._taken -= 1
            self._look()

    def _next(self, queue: deque[_Waiting]) -> Deferred[None]:
        waiting = _Waiting(self._clock.seconds(), Deferred(lambda _: queue.remove(waiting)))
        if self.waiting >= MOST_WAITING:
            waiting.turn.errback(Unavailable("too many texts wait for this bind"))
        else:
            queue.append(waiting)
            self._look()
        return waiting.turn

    def _look(self) -> None:
        """Give the turns that are due, and look again soon while some wait."""
        now = self._clock.seconds()
        self._give_up(now)
        while (queue := self._urgent or self._others) and self._may_go(queue[0], now):
            first = queue.popleft()
            self._taken += 1
            self._next_at = max(self._next_at, now) + self._interval_s
            first.turn.callback(None)
        if self.waiting and self._timer is None:
            pause_s = self._next_at - now
            again_s = min(LOOK_AGAIN_S, pause_s) if pause_s > 0.0 else LOOK_AGAIN_S
            self._timer = self._clock.callLater(again_s, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self._look()

    def _may_go(self, first: _Waiting, now: float) -> bool:
        return (
            self._taken < self._at_once
            and self._next_at <= now
            and self._bind.sends_in_s == 0.0
            and (self._bind.unanswered == 0 or now - first.since >= GIVE_WAY_S)
        )

    def _give_up(self, now: float) -> None:
        """Fail the texts that would wait in vain."""
        for queue in (self._urgent, self._others):
            while queue and not self._bind.may_send:
                queue.popleft().turn.errback(Unavailable("the bind was lost"))
            while queue and now - queue[0].since >= PATIENCE_S:
                queue.popleft().turn.errback(Unavailable("no turn in time: the bind is too busy"))
