"""Compares two readings of the settings: what changed, and what of it needs no restart. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from telephony.settings import Carrier, Settings
from telephony.settings.keys import Path, dotted


def apply_live(running: Settings, fresh: Settings, *, by_daemon: bool) -> Settings:
    """Return the running settings with that part of the fresh ones which can change under a bound link.

    That is ``log.level`` and, where the daemon can take them, the centres and the general tables of recognition, and of each
    carrier that is still there by its name its own tables, its SMPP links and its location service.
    """
    applied = running.model_copy(
        update={"log": running.log.model_copy(update={"level": fresh.log.level})},
    )
    if not by_daemon:
        return applied
    own = {carrier.name: carrier for carrier in fresh.carrier}
    carriers = tuple(_live_of(carrier, own.get(carrier.name, carrier)) for carrier in running.carrier)
    return applied.model_copy(
        update={"recognition": fresh.recognition, "carrier": carriers, "psap": fresh.psap}
    )


def _live_of(running: Carrier, fresh: Carrier) -> Carrier:
    return running.model_copy(update={"recognition": fresh.recognition, "smpp": fresh.smpp, "lbs": fresh.lbs})


def changed_keys(before: Settings, after: Settings) -> list[str]:
    """Name the keys whose values differ; a list of another length by its own name alone. Never values."""
    return [dotted(path) for path in _differences(before.model_dump(), after.model_dump(), ())]


def _differences(before: Any, after: Any, at: Path) -> Iterator[Path]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before | after:
            yield from _differences(before.get(key), after.get(key), (*at, key))
    elif _are_tables(before) and _are_tables(after) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(one, other, (*at, index))
    elif before != after:
        yield at


def _are_tables(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and isinstance(value[0], dict)
