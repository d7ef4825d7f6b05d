"""Makes the values of the control socket from what the parts know: far ends with times that people read."""

from __future__ import annotations

from datetime import UTC, datetime

from telephony.clock import Clock, wall_s
from telephony.control.messages import FarEnd, FarEndKind, HeartbeatLook, SecretReading
from telephony.logs.masking import masked
from telephony.net.standing import Standing


def far_end(
    clock: Clock,
    kind: FarEndKind,
    name: str,
    of: str,
    standing: Standing,
    *,
    binds: int | None = None,
    is_caught_up: bool | None = None,
    heartbeat: HeartbeatLook | None = None,
) -> FarEnd:
    """Return where a far end stands."""
    return FarEnd(
        kind=kind,
        name=name,
        of=of,
        state=standing.state,
        since=moment(clock, standing.since_s),
        heard_at=None if standing.heard_s is None else moment(clock, standing.heard_s),
        retry_at=None if standing.retry_s is None else moment(clock, standing.retry_s),
        # A far end's own words may name somebody: they are masked as in the log.
        reason=masked(standing.reason),
        binds=binds,
        is_caught_up=is_caught_up,
        heartbeat=heartbeat,
    )


def moment(clock: Clock, at_s: float) -> datetime:
    """Return the time that people read for one of the clock that never steps, as the machine's clock has it now."""
    return datetime.fromtimestamp(wall_s(clock) - (clock.seconds() - at_s), UTC)


def secret_reading(is_changed: bool | None) -> SecretReading:  # noqa: FBT001 - the answer of a reader
    """Return what reading a secret came to; ``None`` where there is none."""
    if is_changed is None:
        return SecretReading.NONE
    return SecretReading.CHANGED if is_changed else SecretReading.SAME
