"""Connections of others that come to nothing, told in few lines: the first of a cause at once, a minute's others as one.

A log that said each of ten thousand would hide what matters and fill its disk; one that said none would hide a carrier
whose gateway has the wrong password.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import structlog

from telephony.clock import Call, Clock, wall_s
from telephony.services.alarms import Alarms

log = structlog.get_logger()

MINUTE_S: Final = 60.0
ADDRESSES_COUNTED: Final = 1_000
"""Addresses of one cause and minute that are told apart; beyond, the count stays there."""
ALARM = "listener-crowded"


class Cause(StrEnum):
    """Why a connection came to nothing."""

    NOT_LISTED = "address of no list"
    MADE_ROOM = "made room for another"
    LEFT = "ended without a word of use"
    NO_SUCH_SYSTEM_ID = "unknown system_id"
    WRONG_PASSWORD = "wrong password"  # noqa: S105 - a cause, no password
    WRONG_ADDRESS = "address of another gateway"
    TOO_MANY_BINDS = "too many binds"
    UNREADABLE = "cannot be read"
    TOO_MANY_CALLS = "too many calls"


@dataclass(slots=True)
class _Sum:
    first_at: float = 0.0
    last_at: float = 0.0
    count: int = 0
    address: str = ""
    reason: str = ""
    addresses: set[str] = field(default_factory=set)


class Refusals:
    """Counts what a listener turned away, and tells of it. ``server`` names the listener.

    What makes room for others is an alarm as well, as long as it goes on and a minute longer: somebody crowds us.
    """

    def __init__(self, clock: Clock, server: str, alarms: Alarms) -> None:
        self._clock = clock
        self._server = server
        self._alarms = alarms
        self._sums: dict[tuple[Cause, str], _Sum] = {}
        self._endings: dict[tuple[Cause, str], Call] = {}

    def count(self, cause: Cause, address: str, *, peer: str = "", reason: str = "") -> None:
        """Count one. ``peer`` is the gateway of the settings that it seems to be, ``reason`` says more in words."""
        if cause is Cause.MADE_ROOM:
            self._alarms.note(ALARM, self._server, MINUTE_S, address=address)
        key = (cause, peer)
        summed = self._sums.get(key)
        if summed is None:
            self._open(key)
            self._say(key, count=1, address=address, **({"reason": reason} if reason else {}))
            return
        now = wall_s(self._clock)
        summed.first_at = summed.first_at or now
        summed.last_at = now
        summed.count += 1
        summed.address, summed.reason = address, reason
        if len(summed.addresses) < ADDRESSES_COUNTED:
            summed.addresses.add(address)

    def stop(self) -> None:
        """Say what is left to be said; nothing follows."""
        for ending in self._endings.values():
            ending.cancel()
        self._endings.clear()
        sums, self._sums = self._sums, {}
        for key, summed in sums.items():
            self._say_sum(key, summed)

    def _open(self, key: tuple[Cause, str]) -> None:
        self._sums[key] = _Sum()
        self._endings[key] = self._clock.callLater(MINUTE_S, self._close, key)

    def _close(self, key: tuple[Cause, str]) -> None:
        """Say the sum of a minute; where there was none, the next one is news again."""
        summed = self._sums.pop(key)
        del self._endings[key]
        if summed.count:
            self._say_sum(key, summed)
            self._open(key)

    def _say_sum(self, key: tuple[Cause, str], summed: _Sum) -> None:
        if not summed.count:
            return
        first, last = (
            datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
            for at in (summed.first_at, summed.last_at)
        )
        facts: dict[str, Any] = {"address": summed.address, "addresses": len(summed.addresses)}
        if summed.reason:
            facts["reason"] = summed.reason
        self._say(key, count=summed.count, first_at=first, last_at=last, **facts)

    def _say(self, key: tuple[Cause, str], **facts: Any) -> None:
        cause, peer = key
        if peer:
            facts["peer"] = peer
        log.warning("connections refused", server=self._server, cause=cause.value, **facts)
