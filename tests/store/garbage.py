"""Overwrites pages of a store's file with garbage, as a dying disk does: which pages, a seed decides."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

PAGE = 4096


def pages_of(file: Path, name: str, kind: str = "leaf") -> list[int]:
    """Return the pages of a table or index by number; ``kind`` as the `dbstat` table says it: leaf, internal, overflow."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        found = connection.execute(
            "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = ? ORDER BY pageno", (name, kind)
        )
        return [row[0] for row in found]


def root_of(file: Path, name: str) -> int:
    """Return the first page of a table or index."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
        return int(root)


def overwrite(file: Path, numbers: list[int], seed: int) -> None:
    """Fill pages with octets of chance."""
    rng = random.Random(seed)
    with file.open("r+b") as opened:
        for number in numbers:
            opened.seek((number - 1) * PAGE)
            opened.write(rng.randbytes(PAGE))
