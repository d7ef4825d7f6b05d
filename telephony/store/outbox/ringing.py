"""Collects the channels on which a transaction has written something that is due, so that these are rung after the commit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple

from sqlalchemy import Connection

from telephony.store.bulk import select_in

_COLLECTED: Final = "onetouch_rung"
_IDS: Final = "SELECT id, key FROM incident WHERE key {}"


class Rung(NamedTuple):
    """An incident, and the channels on which it has something new that is due."""

    incident_id: str
    channels: frozenset[str]


def touch(connection: Connection, places: Iterable[tuple[int, str]]) -> None:
    """Say for which incidents, by their keys, something is due now on which channels: for the verbs of the outbox.

    Nothing comes of it outside of `collecting`, as in the transactions of presses and of the command line.
    """
    collected: dict[int, set[str]] | None = connection.info.get(_COLLECTED)
    if collected is not None:
        for incident_key, channel in places:
            collected.setdefault(incident_key, set()).add(channel)


def named(connection: Connection, collected: Mapping[int, Collection[str]]) -> list[Rung]:
    """Return whom to ring of what was collected."""
    if not collected:
        return []
    return [Rung(name, frozenset(collected[key])) for name, key in select_in(connection, _IDS, collected)]


@contextmanager
def collecting(connection: Connection) -> Iterator[dict[int, set[str]]]:
    """Collect incidents, by their keys, and the channels, as `touch` names them. Afresh: a transaction that is rolled back and run again begins with nothing."""
    info, collected = connection.info, dict[int, set[str]]()
    info[_COLLECTED] = collected
    try:
        yield collected
    finally:
        info.pop(_COLLECTED, None)
