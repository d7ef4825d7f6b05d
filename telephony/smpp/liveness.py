"""Watches whether one bound link is alive: each read stores a time, and one timer that reads never touch checks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from telephony.clock import Call, Clock
from telephony.smpp.heartbeat import Beat, new_heartbeat

UNREAD_FOR_S: Final = 20.0
"""A peer that reads nothing for so long counts as dead, like one that sends nothing."""


class Liveness:
    """Has enquire_link sent after silence, and says when the peer is dead (see `telephony.smpp.heartbeat`)."""

    def __init__(
        self,
        *,
        clock: Clock,
        enquire_link_s: float,
        enquire_response_s: float,
        enquire: Callable[[], None],
        found_dead: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._enquire_link_s = enquire_link_s
        self._enquire_response_s = enquire_response_s
        self._enquire = enquire
        self._found_dead = found_dead
        self._heartbeat = new_heartbeat()
        self._heard_at = 0.0
        self._was_heard = False
        self._unread_since: float | None = None
        self._timer: Call | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._heard_at = self._clock.seconds()
        self._timer = self._clock.callLater(self._enquire_link_s, self._look)

    def stop(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def heard(self) -> None:
        """Note that at least one PDU has arrived."""
        self._heard_at = self._clock.seconds()
        self._was_heard = True

    def peer_reads(self, reads: bool) -> None:  # noqa: FBT001 - the answer to the question in the name
        """Note whether the peer takes what we write."""
        if reads:
            self._unread_since = None
        elif self._unread_since is None:
            self._unread_since = self._clock.seconds()

    def _look(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        if self._unread_since is not None and now - self._unread_since >= UNREAD_FOR_S:
            self._found_dead()
            return
        was_heard, self._was_heard = self._was_heard, False
        match self._heartbeat.heard() if was_heard else self._heartbeat.silent():
            case Beat.WAIT:
                self._look_after(max(0.0, self._heard_at + self._enquire_link_s - now))
            case Beat.ENQUIRE:
                self._look_after(self._enquire_response_s)
                self._enquire()
            case Beat.DEAD:
                self._found_dead()

    def _look_after(self, seconds: float) -> None:
        self._timer = self._clock.callLater(seconds, self._look)
