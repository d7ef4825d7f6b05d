"""Collects the channels on which a transaction has written something that is due, so that these are rung after the commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import Connection

from telephony.store.bulk import select_in

T = TypeVar("T")

_COLLECTED: Final = "onetouch_rung"
_IDS: Final = "SELECT id, key FROM incident WHERE key {}"


class Rung(NamedTuple):
    """An incident, and the channels on which it has something new that is due."""

    incident_id: str
    channels: frozenset[str]


def touch(connection: Connection, places: Iterable[tuple[int, str]]) -> None:
    """Say for which incidents, by their keys, something is due now on which channels: for the verbs of the outbox.

    Nothing comes of it outside of `ringing`, as in the transactions of presses and of the command line.
    """
    collected: dict[int, set[str]] | None = connection.info.get(_COLLECTED)
    if collected is not None:
        for incident_key, channel in places:
            collected.setdefault(incident_key, set()).add(channel)


def ringing(connection: Connection, function: Callable[..., T], *arguments: Any) -> tuple[T, Sequence[Rung]]:
    """Run a function of a transaction, and return its result and whom to ring once the transaction is committed."""
    with _collecting(connection) as collected:
        result = function(connection, *arguments)
    if not collected:
        return result, ()
    named = select_in(connection, _IDS, collected)
    return result, [Rung(incident_id, frozenset(collected[key])) for incident_id, key in named]


@contextmanager
def _collecting(connection: Connection) -> Iterator[dict[int, set[str]]]:
    """Collect afresh: a transaction that is rolled back and run again begins with nothing."""
    info, collected = connection.info, dict[int, set[str]]()
    info[_COLLECTED] = collected
    try:
        yield collected
    finally:
        info.pop(_COLLECTED, None)
