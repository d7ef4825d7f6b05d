"""Notes the tables that are still to be brought over from damaged stores, beside the store, so that a restart goes on with it.

A small JSON file, written beside and renamed into place. It holds names of files and tables.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telephony.store.salvage.runs import ORDER, PEOPLE
from telephony.store.salvage.setting_aside import real

ENDING: Final = ".salvage"
LARGEST: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A damaged store beside ours, by its name there, and the tables that are through."""

    name: str
    done: tuple[str, ...] = ()

    @property
    def left(self) -> tuple[str, ...]:
        """The tables that are to be brought over, in order."""
        return tuple(table for table in ORDER if table not in self.done)


class UnfinishedNote:
    """The file. One process writes it: the daemon whose store it is."""

    def __init__(self, store: Path) -> None:
        self._folder = real(store).parent
        self._path = Path(f"{real(store)}{ENDING}")

    def read(self) -> list[Unfinished]:
        """Return the stores and tables that are left; none of stores that are not there any more."""
        try:
            with self._path.open("rb") as file:
                noted = json.loads(file.read(LARGEST))
            found = [Unfinished(str(each["from"]), tuple(map(str, each["done"]))) for each in noted]
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return []
        return [each for each in found if each.left and self.place(each).is_file()]

    def place(self, unfinished: Unfinished) -> Path:
        """Return where a damaged store lies."""
        return self._folder / Path(unfinished.name).name

    def add(self, kept: Path) -> None:
        """Note a store before it is set aside. Raises `OSError`."""
        self._write([*self.read(), Unfinished(kept.name)])

    def finished(self, name: str, table: str) -> None:
        """Note that a table is through. Raises `OSError`."""
        self._write(
            [
                Unfinished(each.name, (*each.done, table)) if each.name == name else each
                for each in self.read()
            ]
        )

    def lacks_people(self) -> bool:
        """Whether who presses may stand in a store that is not through yet."""
        return any(table not in each.done for each in self.read() for table in PEOPLE)

    def _write(self, noted: Sequence[Unfinished]) -> None:
        left = [{"from": each.name, "done": list(each.done)} for each in noted if each.left]
        if not left:
            self._path.unlink(missing_ok=True)
            return
        beside = Path(f"{self._path}.{os.getpid()}.new")
        beside.write_text(json.dumps(left) + "\n")
        beside.replace(self._path)
