"""Runs a piece of work periodically: a round, a pause after it has ended, the next round.

Twisted's TimerService keeps to a schedule and ends for ever with the first round that fails. Here a slow store is not
met by one round behind another, and a round that fails is logged and the next one comes.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred, succeed

from telephony.background import run_in_background
from telephony.clock import Call, Clock
from telephony.service import Service


class Periodic(Service):
    """Runs ``round_`` when it is started (``first_s`` later), and again ``every_s`` after each round has ended.

    A round that returns seconds has the next one come after these instead.
    """

    def __init__(
        self,
        round_: Callable[[], Coroutine[Deferred[Any], Any, float | None]],
        what: str,
        *,
        every_s: float,
        clock: Clock,
        first_s: float = 0.0,
    ) -> None:
        self._round_of = round_
        self._what = what
        self._every_s = self._pause_s = every_s
        self._first_s = first_s
        self._clock = clock
        self._next: Call | None = None
        self._under_way: Deferred[None] | None = None
        self._waiting: list[Deferred[None]] = []

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Begin; a round that is still under way is the first."""
        super().startService()
        if self._under_way is None:
            self._run_in(self._first_s)

    def stopService(self) -> Deferred[None]:  # noqa: N802 - Twisted's name
        """Begin no further round; fires when the one under way has ended."""
        super().stopService()
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._under_way is None:
            return succeed(None)
        ended: Deferred[None] = Deferred()
        self._waiting.append(ended)
        return ended

    def give_up(self) -> None:
        """Cancel the round that is under way."""
        if self._under_way is not None:
            self._under_way.cancel()

    def _run_in(self, seconds: float) -> None:
        if seconds > 0:
            self._next = self._clock.callLater(seconds, self._run)
        else:
            self._run()

    def _run(self) -> None:
        self._next = None
        self._pause_s = self._every_s
        self._under_way = run_in_background(self._one_round(), self._what)
        self._under_way.addCallback(self._round_ended)

    async def _one_round(self) -> None:
        pause_s = await self._round_of()
        if pause_s is not None:
            self._pause_s = pause_s

    def _round_ended(self, _: object) -> None:
        self._under_way = None
        if self.running:
            self._run_in(self._pause_s)
        waiting, self._waiting = self._waiting, []
        for ended in waiting:
            ended.callback(None)
