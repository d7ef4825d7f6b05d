"""Checks that rows read from a damaged store open under its keys: octets that changed within a row show in no other way."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from telephony.domain.errors import Malformed
from telephony.store.bound import BOUND, is_sound_quietly
from telephony.store.crypto import KeyRing, KeysUnavailable, Place
from telephony.store.people import Registry, opens
from telephony.store.resealing import SealedTable, walks
from telephony.store.salvage.shapes import Row, Shape
from telephony.store.sealing import unseal


class Proof:
    """Counts rows that do not open, or whose code is not theirs, table by table."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        ways = walks(Registry(lambda: ring))
        self._ways = {way.table: way for way in ways if isinstance(way, SealedTable)}

    def closed(self, shape: Shape, rows: Sequence[Row]) -> int:
        """Return how many of these rows hold something that does not open; 0 for tables of which nothing is sealed."""
        return sum(not self._opens(shape, row) for row in rows)

    def _opens(self, shape: Shape, row: Row) -> bool:
        values = dict(zip(shape.names, row, strict=True))
        if shape.table == "person":
            return opens(self._ring, values["key"], values["key_id"], values["sealed"])
        if shape.table in BOUND and not is_sound_quietly(self._ring, shape.table, SimpleNamespace(**values)):
            return False
        way = self._ways.get(shape.table)
        if way is None:
            return True
        try:
            for column in way.sealed:
                if values[column] is not None:
                    place: Any = [values[each] for each in way.place]
                    unseal(self._ring, Place(shape.table, column, *place), cast("bytes", values[column]))
        except (Malformed, KeysUnavailable):
            return False
        return True
