"""Asterisk's configuration files: lines with their includes resolved and their comments taken off.

The source of the syntax is Asterisk's ``main/config.c`` (16 to 22). Reads; raises nothing for what a file holds.
"""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MAX_FILE: Final = 4 * 1024 * 1024
"""Octets of a file that we read."""
MAX_DEPTH: Final = 10
"""Includes inside each other (``MAX_INCLUDE_LEVEL`` of config.c)."""
MAX_LINES: Final = 200_000
"""Lines in all: an include of itself multiplies."""

_INCLUDE = re.compile(r'#(include|tryinclude|exec)\s+(?:"([^"]*)"|<([^>]*)>|(\S+))')


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something wrong. ``file`` is relative to the dialplans' folder, ``line`` is 0 where it is the whole file."""

    file: str
    line: int
    what: str
    write: str
    """The remedy: what to write or do instead."""

    @property
    def where(self) -> str:
        """File and line, as an editor opens them."""
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a configuration file, its comment taken off."""

    file: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Setting:
    """``name = value`` of a section."""

    file: str
    line: int
    section: str
    name: str
    value: str


class ConfigurationFiles:
    """Reads one configuration file with everything it includes, as Asterisk does from its folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.lines: list[Line] = []
        self.findings: list[Finding] = []
        self.counted_before: dict[str, int] = {}
        self.patterns: list[str] = []
        """The names in includes, as they are written."""

    def read(self, name: str) -> None:
        """Add the lines of a file. Raises nothing: what cannot be read is a finding."""
        self._read(self._folder / name, depth=0, counted=0)

    def _read(self, path: Path, depth: int, counted: int) -> int:
        """Return how many lines the file has."""
        name = self._shown(path)
        try:
            with path.open("rb") as opened:
                octets = opened.read(MAX_FILE + 1)
        except OSError as error:
            self.findings.append(
                Finding(
                    name, 0, f"cannot be read: {error.strerror}", "let it be readable, or do not include it"
                )
            )
            return 0
        if len(octets) > MAX_FILE:
            self.findings.append(Finding(name, 0, f"is longer than {MAX_FILE} octets", "divide it"))
            return 0
        self.counted_before[name] = counted
        texts = octets.decode("utf-8", "backslashreplace").split("\n")
        in_comment = False
        for number, whole in enumerate(texts, 1):
            text, in_comment = _without_comment(whole.rstrip("\r"), in_comment=in_comment)
            if text.startswith("#"):
                self._include(Line(name, number, text), depth)
            elif text and len(self.lines) < MAX_LINES:
                self.lines.append(Line(name, number, text))
        return len(texts)

    def _include(self, line: Line, depth: int) -> None:
        match = _INCLUDE.match(line.text)
        if match is None:
            self._find(
                line, f"{line.text.split()[0]} is no directive", '#include "file" or #tryinclude "file"'
            )
            return
        kind, pattern = match[1], match[2] or match[3] or match[4] or ""
        if kind == "exec":
            self._find(
                line, "#exec runs a program when the dialplan is loaded", "the program's result in a file"
            )
            return
        if depth == MAX_DEPTH:
            self._find(
                line, f"{MAX_DEPTH} includes inside each other", "one file fewer that includes another"
            )
            return
        self.patterns.append(pattern)
        paths = sorted(glob.glob(str(self._folder / pattern)))  # noqa: PTH207 - a pattern may be absolute, which Path.glob refuses
        if not paths and kind == "include":
            self._find(line, f"there is no file {pattern}", f'the file, or #tryinclude "{pattern}"')
        counted = 0
        for path in paths:
            counted += self._read(Path(path), depth + 1, counted)

    def _find(self, line: Line, what: str, write: str) -> None:
        self.findings.append(Finding(line.file, line.number, what, write))

    def _shown(self, path: Path) -> str:
        return str(path.relative_to(self._folder) if path.is_relative_to(self._folder) else path)


def _without_comment(text: str, *, in_comment: bool) -> tuple[str, bool]:
    """Take comments off a line; ``in_comment`` goes in and out: a block ``;-- … --;`` may go over lines."""
    kept, position = "", 0
    while position < len(text):
        if in_comment:
            end = text.find("--;", position)
            if end < 0:
                return kept.strip(), True
            in_comment, position = False, end + len("--;")
        elif text.startswith(";--", position) and not text.startswith(";---", position):
            in_comment, position = True, position + len(";--")
        elif text.startswith("\\;", position):
            kept, position = kept + ";", position + 2
        elif text[position] == ";":
            break
        else:
            kept, position = kept + text[position], position + 1
    return kept.strip(), in_comment


def read_settings(folder: Path, name: str) -> list[Setting]:
    """Read the ``name = value`` lines of a file that is no dialplan; empty where there is no such file."""
    if not (folder / name).is_file():
        return []
    files = ConfigurationFiles(folder)
    files.read(name)
    settings, section = [], ""
    for line in files.lines:
        if line.text.startswith("["):
            section = line.text[1:].partition("]")[0].strip()
        elif "=" in line.text:
            key, value = pair_of(line.text)
            settings.append(Setting(line.file, line.number, section, key, value))
        else:
            settings.append(Setting(line.file, line.number, section, "", line.text))
    return settings


def pair_of(text: str) -> tuple[str, str]:
    """Take ``key = value`` or ``key => value`` apart."""
    key, _, value = text.partition("=")
    return key.strip(), value.removeprefix(">").strip()
