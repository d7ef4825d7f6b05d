"""Compares two readings of the settings: what changed, and what of it needs no restart. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from telephony.settings import Carrier, Settings
from telephony.settings.keys import Path, dotted


def apply_live(running: Settings, fresh: Settings, *, by_daemon: bool) -> Settings:
    """Return the running settings with that part of the fresh ones which can change under a bound link.

    That is ``log.level`` and, where the daemon can take them, the centres and the general tables of recognition, of each
    carrier that is still there by its name its own tables, its SMPP links and its location service, and a new carrier but for what
    others bind or dial by: its peers and trunks. A carrier that is gone stays until a restart.
    """
    applied = running.model_copy(
        update={"log": running.log.model_copy(update={"level": fresh.log.level})},
    )
    if not by_daemon:
        return applied
    carriers = tuple(_live_carriers(running.carrier, fresh.carrier))
    return applied.model_copy(
        update={"recognition": fresh.recognition, "carrier": carriers, "psap": fresh.psap}
    )


def _live_carriers(running: Sequence[Carrier], fresh: Sequence[Carrier]) -> Iterator[Carrier]:
    """Return the carriers in the order of the fresh settings, behind them those that are gone.

    A new carrier with a link of the name of one that stays for a carrier that is gone waits for the restart: of one name there
    is one link.
    """
    before, after = ({carrier.name: carrier for carrier in each} for each in (running, fresh))
    gone = [carrier for carrier in running if carrier.name not in after]
    taken = {link.name for carrier in gone for link in carrier.smpp}
    taken |= {peer.name for carrier in gone for peer in carrier.peer}
    for carrier in fresh:
        if carrier.name in before:
            yield _live_of(before[carrier.name], carrier)
        elif taken.isdisjoint(link.name for link in carrier.smpp):
            yield carrier.model_copy(update={"peer": (), "trunk": ()})
    yield from gone


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
