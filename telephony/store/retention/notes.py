"""The retention's notes between two runs: when each kind ran, what it deleted, how far a long walk has come.

A small JSON file in the state directory, written beside and renamed into place. It holds nothing personal, and when it
is lost a walk begins again: what was deleted stands in the audit chain.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

NOTES_FILE: Final = "retention.json"
LARGEST: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class LastRun:
    """When a kind was gone through to its end last (UTC), and how many went then."""

    at: datetime
    deleted: int


class RetentionNotes:
    """The file. Several processes may write it: the last one is right, or as good as."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self, kind: str) -> int:
        """Return where a walk that was broken off goes on; 0 at the beginning."""
        after = self._of(kind).get("after")
        return after if isinstance(after, int) and after > 0 else 0

    def last_run(self, kind: str) -> LastRun | None:
        """Return the last run that came to its end; None when none is known."""
        noted = self._of(kind)
        try:
            return LastRun(datetime.fromisoformat(noted["at"]), int(noted["deleted"]))
        except (KeyError, TypeError, ValueError):
            return None

    def went_through(self, kind: str, after: int) -> None:
        """Note how far a walk has come. Raises `OSError`."""
        self._note(kind, {**self._of(kind), "after": after})

    def ran(self, kind: str, at: datetime, deleted: int) -> None:
        """Note that a run came to its end. Raises `OSError`."""
        self._note(kind, {"at": at.isoformat(), "deleted": deleted})

    def _of(self, kind: str) -> dict[str, Any]:
        noted = self._all().get(kind)
        return noted if isinstance(noted, dict) else {}

    def _all(self) -> dict[str, Any]:
        try:
            with self._path.open("rb") as file:
                noted = json.loads(file.read(LARGEST))
        except (OSError, ValueError, RecursionError):
            return {}
        return noted if isinstance(noted, dict) else {}

    def _note(self, kind: str, noted: dict[str, Any]) -> None:
        everything = {**self._all(), kind: noted}
        beside = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        beside.write_text(json.dumps(everything) + "\n")
        beside.replace(self._path)
