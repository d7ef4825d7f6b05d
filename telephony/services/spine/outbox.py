"""The outbox from the services' side: a transaction that may write deliveries, and the bell of exactly their lanes after it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection

from telephony.domain.plan import Plan
from telephony.store.database import Batch, Database
from telephony.store.outbox.ringing import Rung, ringing

T = TypeVar("T")

Ring = Callable[[str, Collection[str]], None]
"""Takes an incident, and the channels on which it has something new that is due."""


class Outbox:
    """A store, by whose plan 112 is told, and the bell: what a service needs to write something that must leave the house.

    A caller need not know whether a function has written a delivery, nor on which channels: the verbs of `telephony.store.outbox`
    do. Everything here raises `Unavailable` in an outage; then no bell is rung.
    """

    def __init__(self, database: Database, plan: Plan, ring: Ring) -> None:
        self.database = database
        """For what only reads, or writes no deliveries."""
        self.plan = plan
        """May be changed: what is written from then on goes by it."""
        self._ring = ring
        self._collecting: dict[Batch, Batch] = {}
        """By batch function, of which there are few: only the same function shares a call (`Database.batch`)."""

    async def transact(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run ``function(connection, *arguments)`` in the next commit; ring the lanes it wrote for; give its result."""
        answer: tuple[T, Sequence[Rung]] = await self.database.transact(ringing, function, *arguments)
        self._ring_all(answer[1])
        return answer[0]

    async def transact_at_leisure(self, batch: Batch, item: Any) -> Any:
        """Do so for one item of a batch function, in company: a press does not find the writer busy with it."""
        collecting = self._collecting.setdefault(batch, _collecting(batch))
        ((result, rung),) = await self.database.batch(collecting, [item], is_urgent=False)
        self._ring_all(rung)
        return result

    def _ring_all(self, rung: Sequence[Rung]) -> None:
        for each in rung:
            self._ring(each.incident_id, each.channels)


def _collecting(batch: Batch) -> Batch:
    """Return the batch function that gives beside its first result whom to ring for all."""

    def collecting(connection: Connection, items: Sequence[Any]) -> Sequence[tuple[Any, Sequence[Rung]]]:
        results, rung = ringing(connection, batch, items)
        return [(result, () if number else rung) for number, result in enumerate(results)]

    return collecting
