"""XML of a stranger, read within bounds: no entity, no network, no depth, no flood.

Location servers send XML that a namespace-aware parser dislikes (prefixes that are declared nowhere, a DOCTYPE
whose DTD is long gone, Korean text in an undeclared encoding). All that is tolerated here; what attacks is not.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree

from telephony.domain.errors import Malformed

MAX_OCTETS = 262_144
MAX_ELEMENTS = 5_000
MAX_DEPTH = 40
MAX_ATTRIBUTES = 100
"""Of one element. libxml2 compares each with each, so that many thousands would hold the process for seconds."""

_ENCODINGS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "iso-8859-1": "latin-1",
    "iso-8859-15": "iso-8859-15",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "cp949": "cp949",
    "utf-16": "utf-16",
}
"""Declared encodings that are read. Python decodes them, so that libxml2 never sees any but UTF-8."""

_DECLARATION = re.compile(r"\A\s*<\?xml\s[^>]{0,200}?\?>")
"""At the beginning alone: looked for everywhere, it would count a long run of blanks anew from each of them."""
_DTD_DECLARATION = re.compile(r"<!(?:ENTITY|ATTLIST|ELEMENT|NOTATION)")
_DECLARED = re.compile(rb"\s*<\?xml\s[^>]{0,150}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")


@dataclass(frozen=True, slots=True)
class Element:
    """An element by its local name, with its own text and child elements, in document order."""

    name: str
    attributes: Mapping[str, str]
    text: str
    children: list[Element] = field(default_factory=list)

    def walk(self) -> Iterator[Element]:
        """Give this element and all below it, parents first."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting.extend(reversed(element.children))

    def first(self, name: str) -> Element | None:
        """Give the first element of this name, wherever it stands."""
        return next((element for element in self.walk() if element.name == name), None)

    def text_of(self, name: str) -> str | None:
        """Give the text of the first element of this name, without outer blanks."""
        element = self.first(name)
        return None if element is None else element.text.strip()

    def outermost(self, names: Collection[str], *, without: Collection[str] = ()) -> list[Element]:
        """Give the elements of these names that stand inside no other of them, nor inside one of ``without``."""
        found, waiting = [], [self]
        while waiting:
            element = waiting.pop()
            if element.name in names:
                found.append(element)
            elif element.name not in without:
                waiting.extend(reversed(element.children))
        return found


def parse(body: bytes) -> Element:
    """Read a document. Raises `Malformed` for what is no XML, beyond the bounds above, or brings a DTD.

    A DOCTYPE that only names a DTD is passed over; nothing is ever fetched.

    Names are local names. An element whose prefix is not that of the root is a vendor's own: it and what is in it
    are left out.
    """
    if len(body) > MAX_OCTETS:
        raise Malformed("XML of more than 256 KiB")
    text = _DECLARATION.sub("", _decode(body), count=1)
    if _DTD_DECLARATION.search(text):
        # An entity multiplies text; so does a default attribute, once for every element.
        raise Malformed("XML that brings a DTD of its own")
    if any(piece.count("=") > MAX_ATTRIBUTES for piece in text.split("<")):
        raise Malformed("XML with more than 100 attributes in one element")
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=True,  # for undeclared prefixes only: every other fault is looked for in the log
    )
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Malformed("not well-formed XML") from error
    if root is None or any(_is_fault(entry) for entry in parser.error_log):
        raise Malformed("not well-formed XML")
    return _convert(root)


def _decode(body: bytes) -> str:
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", "replace")
    body = body.removeprefix(b"\xef\xbb\xbf")
    declared = _DECLARED.match(body)
    encoding = _ENCODINGS.get(declared[1].decode("ascii").lower()) if declared else "utf-8"
    if encoding is None or encoding == "utf-16":
        raise Malformed("XML in an encoding that is not read here")
    # A stray octet in a text that nobody reads must not cost a position.
    return body.decode(encoding, "replace")


def _is_fault(entry: etree._LogEntry) -> bool:
    is_error: bool = entry.level >= etree.ErrorLevels.ERROR
    return is_error and entry.domain != etree.ErrorDomains.NAMESPACE


def _convert(root: etree._Element) -> Element:
    own_prefix = _prefix_and_name(root)[0]
    converted = _element(root)
    waiting = [(root, converted, 1)]
    count = 1
    while waiting:
        source, target, depth = waiting.pop()
        for child in source:
            count += 1
            if count > MAX_ELEMENTS:
                raise Malformed("XML of more than 5,000 elements")
            if depth >= MAX_DEPTH:
                raise Malformed("XML nested deeper than 40 elements")
            if isinstance(child.tag, str) and _prefix_and_name(child)[0] in (own_prefix, ""):
                element = _element(child)
                target.children.append(element)
                waiting.append((child, element, depth + 1))
    return converted


def _element(source: etree._Element) -> Element:
    attributes = {str(name).rpartition("}")[2]: str(value) for name, value in source.attrib.items()}
    return Element(_prefix_and_name(source)[1], attributes, source.text or "")


def _prefix_and_name(element: etree._Element) -> tuple[str, str]:
    """Tell prefix and local name, also where the prefix is declared nowhere and stayed in the name."""
    name = str(element.tag).rpartition("}")[2]
    undeclared, colon, local = name.partition(":")
    return (undeclared, local) if colon else (element.prefix or "", name)
