"""Logs refused connections in few lines: the first of a cause at once, the others of a minute as one.

A log with ten thousand of them would hide other lines and fill its disk; a log without any would hide a carrier whose
gateway has the wrong password.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import structlog

from telephony.alarms import Alarms
from telephony.clock import Clock, as_logged, wall_s
from telephony.summed import Summed

log = structlog.get_logger()

MINUTE_S: Final = 60.0
ADDRESSES_COUNTED: Final = 1_000
"""Addresses of one cause and minute that are told apart; beyond, the count stays there."""
ALARM = "listener-crowded"


class Cause(StrEnum):
    """Why a connection was refused or ended early."""

    NOT_LISTED = "address of no list"
    MADE_ROOM = "made room for another"
    LEFT = "ended without a word of use"
    NO_SUCH_SYSTEM_ID = "unknown system_id"
    WRONG_PASSWORD = "wrong password"  # noqa: S105 - a cause, no password
    WRONG_ADDRESS = "address of another gateway"
    TOO_MANY_BINDS = "too many binds"
    UNREADABLE = "cannot be read"
    TOO_MANY_CALLS = "too many calls"
    NO_TOKEN = "no token"  # noqa: S105 - a cause, no password
    WRONG_TOKEN = "unknown token"  # noqa: S105 - likewise


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

    A connection closed to make room for others is an alarm as well, for as long as that goes on and a minute longer:
    our listener is being crowded.
    """

    def __init__(self, clock: Clock, server: str, alarms: Alarms) -> None:
        self._clock = clock
        self._server = server
        self._alarms = alarms
        self._sums: Summed[tuple[Cause, str], _Sum] = Summed(clock, MINUTE_S, _Sum, self._say_sum)

    def count(self, cause: Cause, address: str, *, peer: str = "", reason: str = "") -> None:
        """Count one. ``peer`` is the gateway of the settings that it seems to be, ``reason`` says more in words."""
        if cause is Cause.MADE_ROOM:
            self._alarms.note(ALARM, self._server, MINUTE_S, address=address)
        key = (cause, peer)
        summed = self._sums.sum_of(key)
        if summed is None:
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
        """Log the counts that are left; nothing follows."""
        self._sums.stop()

    def _say_sum(self, key: tuple[Cause, str], summed: _Sum) -> None:
        facts: dict[str, Any] = {"address": summed.address, "addresses": len(summed.addresses)}
        if summed.reason:
            facts["reason"] = summed.reason
        self._say(
            key,
            count=summed.count,
            first_at=as_logged(summed.first_at),
            last_at=as_logged(summed.last_at),
            **facts,
        )

    def _say(self, key: tuple[Cause, str], **facts: Any) -> None:
        cause, peer = key
        if peer:
            facts["peer"] = peer
        log.warning("connections refused", server=self._server, cause=cause.value, **facts)
