"""Finds the line of every key, table and item of a TOML text, which `tomllib` does not tell. Pure, and total for any text.

A text that is no TOML gives lines for what could be made out; nothing is raised.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from telephony.settings.keys import Path

_PIECE: Final = re.compile(
    r'''
      (?P<blank>[ \t\r]+|\#[^\n]*)
    | (?P<newline>\n)
    | (?P<text>"""(?:\\.|[^\\])*?"""{1,3}|\'\'\'.*?\'\'\'{1,3}|"(?:\\.|[^"\\\n])*"|'[^'\n]*')
    | (?P<sign>[\[\]{},=.])
    | (?P<word>[^\s\#\[\]{},=."']+|.)
    ''',
    re.VERBOSE | re.DOTALL,
)


def lines_of(text: str) -> dict[Path, int]:
    """Return the line, from 1, on which each key, table and item of a list begins; a table begins at its header."""
    finder = _Finder()
    for kind, piece, line in _pieces(text):
        finder.take(kind, piece, line)
    return finder.lines


def _pieces(text: str) -> Iterator[tuple[str, str, int]]:
    line = 1
    for found in _PIECE.finditer(text):
        kind = found.lastgroup or ""
        if kind != "blank":
            yield kind, found.group(), line
        line += found.group().count("\n")


@dataclass(slots=True)
class _Open:
    """A list or inline table that has begun: ``next_item`` counts the items of a list."""

    path: Path
    is_list: bool
    next_item: int = 0
    awaits_item: bool = True


@dataclass(slots=True)
class _Finder:
    """Follows the pieces: what is open, which key is being read, and the last table of every list of tables."""

    lines: dict[Path, int] = field(default_factory=dict)
    _table: Path = ()
    _lengths: dict[Path, int] = field(default_factory=dict)
    _open: list[_Open] = field(default_factory=list)
    _key: list[str] = field(default_factory=list)
    _began: int = 0
    _brackets: int = 0
    """Of the header that is being read; 0 where none is."""
    _value_of: Path | None = None
    """The key whose value comes next, or is being passed over."""

    def take(self, kind: str, piece: str, line: int) -> None:
        """Take the next piece."""
        if self._open:
            self._within(self._open[-1], kind, piece, line)
        elif kind == "newline":
            self._key, self._value_of, self._brackets = [], None, 0
        elif self._value_of is not None:
            self._begin(self._value_of, piece)
        elif piece == "[" and not self._key and kind == "sign":
            self._brackets += 1
        elif piece == "]" and self._brackets and kind == "sign":
            self._header(line)
        else:
            self._read_key(kind, piece, line, self._table)

    def _read_key(self, kind: str, piece: str, line: int, table: Path) -> None:
        if kind != "sign":
            self._began = self._began if self._key else line
            self._key.append(_named(kind, piece))
        elif piece == "=":
            self._value_of = self._record(table, self._began or line)
            self._key = []

    def _record(self, table: Path, line: int) -> Path:
        """Have the key that was read, and the tables that it implies, at their line; gives its path."""
        path = table
        for step in self._key:
            path += (step,)
            self.lines.setdefault(path, line)
        return path

    def _header(self, line: int) -> None:
        """Begin a table; a step that is a list of tables means the last of them."""
        steps, is_item = self._key, self._brackets > 1
        path: Path = ()
        for number, step in enumerate(steps, 1):
            path += (step,)
            self.lines.setdefault(path, line)
            if is_item and number == len(steps):
                self._lengths[path] = self._lengths.get(path, 0) + 1
            if path in self._lengths:
                path += (self._lengths[path] - 1,)
        if steps:
            self._table = path
            self.lines[path] = line
        self._key, self._brackets = [], 0

    def _begin(self, path: Path, piece: str) -> None:
        """Open a list or an inline table where the value is one."""
        if piece in ("[", "{"):
            self._open.append(_Open(path, is_list=piece == "["))
        self._value_of = None if self._open else path

    def _within(self, inside: _Open, kind: str, piece: str, line: int) -> None:
        if kind == "newline":
            return
        if kind == "sign" and piece == ("]" if inside.is_list else "}"):
            self._open.pop()
            self._key, self._value_of = [], None if self._open else inside.path
        elif kind == "sign" and piece == ",":
            inside.awaits_item = True
            self._key, self._value_of = [], None
        elif not inside.is_list and self._value_of is None and inside.awaits_item:
            self._read_key(kind, piece, line, inside.path)
            inside.awaits_item = self._value_of is None
        elif self._value_of is not None:
            self._begin(self._value_of, piece)
        elif inside.is_list and inside.awaits_item:
            path = (*inside.path, inside.next_item)
            self.lines[path] = line
            inside.next_item, inside.awaits_item = inside.next_item + 1, False
            self._begin(path, piece)
            self._value_of = None


def _named(kind: str, piece: str) -> str:
    """Return a key without its quotes."""
    if kind != "text":
        return piece
    try:
        return str(tomllib.loads(f"key = {piece}")["key"])
    except tomllib.TOMLDecodeError:
        return piece
