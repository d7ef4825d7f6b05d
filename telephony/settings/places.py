"""Tells where in which file a key of the settings stands: the line, and the table that has a name, as people say it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Final

from telephony.settings.faults import Fault, Weight
from telephony.settings.keys import Path, dotted
from telephony.settings.lines import lines_of

_WORDS: Final = {
    "carrier": "carrier",
    "carrier.smpp": "link",
    "carrier.peer": "peer",
    "carrier.trunk": "trunk",
    "asterisk": "Asterisk",
    "psap": "centre",
    "psap.channel": "channel",
}
"""What people call the tables that have a name, by their headers."""
_NAME: Final = re.compile(r"[\w.-]{1,40}")
"""A name that can be shown as it is written, also where it is wrong."""


@dataclass(slots=True)
class Places:
    """The contents of all files together, and the place where each included table really stands."""

    main: FilePath = FilePath()
    raw: dict[str, Any] = field(default_factory=dict)
    texts: dict[FilePath, str] = field(default_factory=dict)
    """What was read, by the file's name; lines are found in it when they are asked for."""
    origins: dict[str, list[tuple[FilePath, int]]] = field(default_factory=dict)
    _lines: dict[FilePath, dict[Path, int]] = field(default_factory=dict)

    def fault(self, path: Path, problem: str, instead: str, weight: Weight = Weight.FAULT) -> Fault:
        """Return a fault that names the file, the line and the position in that file."""
        file, own = self._origin(path)
        table, within = self._named(path)
        return Fault(
            str(file),
            dotted(own),
            problem,
            instead,
            line=self.line(file, own),
            table=table,
            within=within,
            weight=weight,
        )

    def line(self, file: FilePath, path: Path) -> int | None:
        """Return the line of a key in its file, or of the innermost table around it that is written there."""
        if file not in self._lines:
            self._lines[file] = lines_of(self.texts.get(file, ""))
        lines = self._lines[file]
        return next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), None)

    def _origin(self, path: Path) -> tuple[FilePath, Path]:
        match path:
            case (str(kind), int(index), *rest) if index < len(self.origins.get(kind, [])):
                file, index_there = self.origins[kind][index]
                return file, (kind, index_there, *rest)
            case _:
                return self.main, path

    def _named(self, path: Path) -> tuple[str, str]:
        """Return the innermost table with a name ("link kt-2"), and the key from there on; empty where there is none."""
        at: Any = self.raw
        found = ("", "")
        for end, step in enumerate(path, 1):
            is_there = (isinstance(at, dict) and step in at) or (
                isinstance(at, list) and isinstance(step, int) and step < len(at)
            )
            if not is_there:
                break
            at = at[step]
            word = _WORDS.get(".".join(each for each in path[:end] if isinstance(each, str)))
            name = at.get("name") if isinstance(at, dict) and isinstance(step, int) else None
            if word and isinstance(name, str) and _NAME.fullmatch(name):
                found = f"{word} {name}", dotted(path[end:])
        return found
