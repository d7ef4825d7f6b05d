"""Hands what a transaction has written to the process that wrote it, where that has a place for it: no claim is needed then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import Connection

from telephony.domain.delivery import Delivery
from telephony.store.outbox.claiming import Wanted, claim_these
from telephony.store.outbox.ringing import Rung, collecting, named

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Places:
    """Where a process has a place for one delivery each: by channel, until when its lease would last. Unix seconds."""

    owner: str
    now: float
    leases: Mapping[str, float]


class Written(NamedTuple):
    """What a transaction has written that is due: whom to ring for it, and what was taken at once instead."""

    rung: Sequence[Rung]
    taken: Sequence[Delivery]


NOTHING: Final = Written((), ())


def handing_over(
    connection: Connection, places: Sequence[Places], function: Callable[..., T], *arguments: Any
) -> tuple[T, Written]:
    """Run a function of a transaction; return its result, and what it has written.

    What is due and has a place is taken in the same transaction, under a lease and ready to send. The rest rings.
    """
    with collecting(connection) as collected:
        result = function(connection, *arguments)
    if not collected:
        return result, NOTHING
    taken = _take(connection, collected, places)
    for delivery in taken:
        of_incident = collected[delivery.incident_key]
        of_incident.discard(delivery.channel)
        if not of_incident:
            del collected[delivery.incident_key]
    return result, Written(named(connection, collected), taken)


def _take(
    connection: Connection, collected: Mapping[int, set[str]], places: Sequence[Places]
) -> list[Delivery]:
    free = Counter(channel for place in places for channel in place.leases)
    wanted = []
    for incident_key, channels in collected.items():
        for channel in channels & free.keys():
            if free[channel]:
                free[channel] -= 1
                until = max(place.leases.get(channel, 0.0) for place in places)
                wanted.append(Wanted(incident_key, channel, until))
    if not wanted:
        return []
    return claim_these(connection, places[0].owner, max(place.now for place in places), wanted)
