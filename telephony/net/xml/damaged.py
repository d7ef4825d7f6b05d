"""Reads XML that a strict parser refuses, as far as it has only one meaning: a second pass, never the first.

A location server that writes ``AT&T``, a control character, a terminating NUL or no last tag still says where a
person is. Nothing is guessed: what cannot be read is `UNREADABLE` in its text, what has no end of its own is not
``is_whole``, and the caller takes no value from either. One pass from left to right, in time linear in the octets;
entities are those of XML and HTML (single characters), never those of a document.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from html.entities import html5
from types import MappingProxyType

from telephony.domain.errors import Malformed
from telephony.net.xml.hardened import (
    MAX_DEPTH,
    MAX_ELEMENTS,
    UNREADABLE,
    Element,
    harmless_text,
    joined,
    unwrapped,
)

_FIRST = r"[A-Za-z_\u00a1-\U0010ffff]"
_NAME = rf"{_FIRST}[\w.:-]*+"
_MARKUP = re.compile(rf"<(?={_FIRST}|[/!?])")
# No part of these can match in two ways, and none goes on past the next "<": a text costs no more than its length.
_START = re.compile(
    rf"""<(?P<name>{_NAME})(?P<attributes>(?:\s(?:[^<>"'/]|"[^"<]*"|'[^'<]*'|/(?!>))*)?)(?P<empty>/?)>"""
)
_END = re.compile(rf"</\s*+({_NAME})\s*+>")
_ATTRIBUTE = re.compile(rf"""(?<![\w.:-])({_NAME})\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'=/]++))""")
_PASSED_OVER = MappingProxyType(
    {
        "<!--": re.compile(r"(.*?)-->", re.DOTALL),
        "<![CDATA[": re.compile(r"(.*?)\]\]>", re.DOTALL),
        "<?": re.compile(r"(.*?)\?>", re.DOTALL),
        "<!DOCTYPE": re.compile(r"([^\[<>]*+(?:\[[^\]]*+\]\s*+)?)>"),
    }
)
"""Markup that is no element, by its beginning: its content and its end."""
_OPENING = re.compile("|".join(map(re.escape, _PASSED_OVER)))
_REFERENCE = re.compile(r"&(?:#([0-9]{1,7}+)|#[xX]([0-9A-Fa-f]{1,6}+)|([A-Za-z][A-Za-z0-9]{0,31}+));")
_CONTROLS = "".join(map(chr, (*range(9), 11, 12, *range(14, 32), 127)))
_UNREADABLE_CONTROLS = str.maketrans(dict.fromkeys(_CONTROLS, UNREADABLE))
_AROUND = _CONTROLS + " \t\r\n"
_LAST_CHARACTER = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


def parse_damaged(body: bytes, *, documents: Collection[str] = ()) -> Element:
    """Read a document up to where it breaks. Parameters and bounds are those of `parse`.

    Raises `Malformed` where there is no element, where a second document follows the first (which of them is
    meant?), beyond the bounds, and for a DTD.
    """
    return unwrapped(_Reader(harmless_text(body)).root(), documents)


@dataclass(slots=True)
class _Open:
    """An element under way: the texts between its children in pieces, and the namespaces that it declares."""

    qname: str
    attributes: dict[str, str]
    declared: dict[str, str]
    texts: list[list[str]] = field(default_factory=lambda: [[]])
    children: list[Element] = field(default_factory=list)

    def closed(self, namespace: str | None, *, is_whole: bool) -> Element:
        prefix, _, name = self.qname.rpartition(":")
        # A NUL that C ended its string with belongs to no text; within one it hides what was meant.
        pieces = ["".join(text).strip(_AROUND).translate(_UNREADABLE_CONTROLS) for text in self.texts]
        text = joined(pieces)
        return Element(
            name,
            self.attributes,
            text if is_whole or (self.children and not text) else text + UNREADABLE,
            self.children,
            is_whole,
            prefix,
            namespace,
        )


class _Reader:
    """One pass over a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._open: list[_Open] = []
        self._root: Element | None = None
        self._count = 0

    def root(self) -> Element:
        """Read to the end and give the outermost element."""
        while self._at < len(self._text):
            markup = _MARKUP.search(self._text, self._at)
            end = len(self._text) if markup is None else markup.start()
            self._add_text(_resolved(self._text[self._at : end]))
            self._at = end
            if markup is not None:
                self._read_markup()
        self._close(len(self._open))
        if self._root is None:
            raise Malformed("not well-formed XML")
        return self._root

    def _read_markup(self) -> None:
        text, at = self._text, self._at
        if opening := _OPENING.match(text, at):
            self._skip(opening[0])
        elif start := _START.match(text, at):
            self._at = start.end()
            self._start(start["name"], start["attributes"], is_empty=bool(start["empty"]))
        elif end_tag := _END.match(text, at):
            self._at = end_tag.end()
            self._end(end_tag[1])
        else:
            self._at = at + 1
            self._add_text("<")

    def _skip(self, opening: str) -> None:
        """Skip markup that is no element. Nothing is read behind one that is never closed: it may hold anything."""
        is_misplaced = opening == "<!DOCTYPE" and self._open
        whole = None if is_misplaced else _PASSED_OVER[opening].match(self._text, self._at + len(opening))
        if whole is not None and opening == "<![CDATA[":
            self._add_text(whole[1])
        self._at = len(self._text) if whole is None else whole.end()

    def _add_text(self, text: str) -> None:
        if self._open:
            self._open[-1].texts[-1].append(text)

    def _start(self, qname: str, raw: str, *, is_empty: bool) -> None:
        if self._root is not None:
            raise Malformed("XML of two documents")
        self._count += 1
        if self._count > MAX_ELEMENTS:
            raise Malformed("XML of more than 5,000 elements")
        if len(self._open) >= MAX_DEPTH:
            raise Malformed("XML nested deeper than 40 elements")
        attributes: dict[str, str] = {}
        declared: dict[str, str] = {}
        for name, *values in _ATTRIBUTE.findall(raw):
            value = _resolved("".join(values)).translate(_UNREADABLE_CONTROLS)
            if name == "xmlns" or name.startswith("xmlns:"):
                declared[name.removeprefix("xmlns").removeprefix(":")] = value
                continue
            local = name.rpartition(":")[2]
            attributes[local] = value if attributes.get(local, value) == value else UNREADABLE
        self._open.append(_Open(qname, attributes, declared))
        if is_empty:
            self._close(1, is_whole=True)

    def _end(self, qname: str) -> None:
        """Close the nearest open element of this name; those inside it had no end.

        An end of nothing is unreadable in the text of the element that it stands in.
        """
        for depth, element in enumerate(reversed(self._open)):
            if element.qname == qname:
                self._close(depth)
                self._close(1, is_whole=True)
                return
        self._add_text(UNREADABLE)

    def _close(self, number: int, *, is_whole: bool = False) -> None:
        for _ in range(number):
            namespace = self._namespace(self._open[-1].qname.rpartition(":")[0])
            element = self._open.pop().closed(namespace, is_whole=is_whole)
            if self._open:
                self._open[-1].children.append(element)
                self._open[-1].texts.append([])
            else:
                self._root = element

    def _namespace(self, prefix: str) -> str | None:
        return next((each.declared[prefix] for each in reversed(self._open) if prefix in each.declared), None)


def _resolved(text: str) -> str:
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _character(reference: re.Match[str]) -> str:
    decimal, hexadecimal, name = reference.groups()
    if name is not None:
        return html5.get(f"{name};", UNREADABLE)
    number = int(decimal) if decimal else int(hexadecimal, 16)
    is_character = 0 < number <= _LAST_CHARACTER and number not in _SURROGATES
    return chr(number) if is_character else UNREADABLE
