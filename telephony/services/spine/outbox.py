"""The outbox from the services' side: a transaction that may write deliveries, and the bell of exactly their lanes after it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from telephony.domain.delivery import Delivery
from telephony.domain.plan import Plan
from telephony.store.database import Batch, Database
from telephony.store.outbox.handing_over import NOTHING, Places, Written, handing_over

T = TypeVar("T")

Ring = Callable[[str, Collection[str]], None]
"""Takes an incident, and the channels on which it has something new that is due."""


class Hands(Protocol):
    """Who delivers in this process, and may take at once what it writes itself: `telephony.services.spine.relay.Relay`."""

    def places(self) -> Places:
        """Keep places for what a transaction may write; `take` is called once for each answer."""
        ...

    def take(self, places: Places, deliveries: Sequence[Delivery]) -> None:
        """Take what was written for such places, under its lease, in exchange for them."""
        ...


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
        self._hands: Hands | None = None
        self._collecting: dict[Batch, Batch] = {}
        """By batch function, of which there are few: only the same function shares a call (`Database.batch`)."""

    def hand_over_to(self, hands: Hands) -> None:
        """Let these have what is written at once, as far as they have places; the rest is rung for."""
        self._hands = hands

    def transact(self, function: Callable[..., T], *arguments: Any) -> Deferred[T]:
        """Run ``function(connection, *arguments)`` in the next commit; ring the lanes it wrote for; give its result."""
        places = self._places()
        return self._when_written(
            self.database.transact(handing_over, _listed(places), function, *arguments), places
        )

    def transact_at_leisure(self, batch: Batch, item: Any) -> Deferred[Any]:
        """Do so for one item of a batch function, in company: a press does not find the writer busy with it."""
        collecting = self._collecting.setdefault(batch, _collecting(batch))
        places = self._places()
        return self._when_written(
            self.database.batch(collecting, [(item, places)], is_urgent=False).addCallback(_only), places
        )

    def _places(self) -> Places | None:
        return None if self._hands is None else self._hands.places()

    def _when_written(self, writing: Deferred[tuple[T, Written]], places: Places | None) -> Deferred[T]:
        """Fire with the result once what was written is handed over, or rung for.

        That is done whether or not anybody waits for the result: who gives up waiting does not undo what is committed.
        """
        result: Deferred[T] = Deferred()

        def take(deliveries: Sequence[Delivery]) -> None:
            if self._hands is not None and places is not None:
                self._hands.take(places, deliveries)

        def written(answer: tuple[T, Written]) -> T:
            found, (rung, taken) = answer
            take(taken)
            for each in rung:
                self._ring(each.incident_id, each.channels)
            return found

        def failed(failure: Failure) -> Failure:
            take(())
            return failure

        writing.addCallbacks(written, failed).addBoth(result.callback)
        return result


def _collecting(batch: Batch) -> Batch:
    """Return the batch function that gives beside its first result what was written for all."""

    def collecting(
        connection: Connection, items: Sequence[tuple[Any, Places | None]]
    ) -> Sequence[tuple[Any, Written]]:
        places = [place for _, place in items if place is not None]
        results, written = handing_over(connection, places, batch, [item for item, _ in items])
        return [(result, NOTHING if number else written) for number, result in enumerate(results)]

    return collecting


def _listed(places: Places | None) -> Sequence[Places]:
    return () if places is None else (places,)


def _only(results: Sequence[tuple[Any, Written]]) -> tuple[Any, Written]:
    (only,) = results
    return only
