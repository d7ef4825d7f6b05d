"""Parses untrusted XML within bounds on depth, size and number: no entities, no network.

Location servers send XML that a namespace-aware parser dislikes (prefixes that are declared nowhere, a DOCTYPE
whose DTD is long gone, Korean text in an undeclared encoding). All that is tolerated here; attacks are not.
Documents that are damaged beyond that are read by `telephony.net.xml.damaged`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from lxml import etree

from telephony.domain.errors import Malformed
from telephony.net.xml.text import decode

MAX_OCTETS = 262_144
MAX_ELEMENTS = 5_000
MAX_DEPTH = 40
MAX_ATTRIBUTES = 100
"""Of one element. libxml2 compares each with each, so that many thousands would hold the process for seconds."""

UNREADABLE = "\ufffd"
"""Stands in a text for whatever could not be read of it, so that no value is ever taken from half a text."""

_DECLARATION = re.compile(r"\A\s*<\?xml\s[^>]{0,200}?\?>")
"""At the beginning alone: searched for everywhere, it would count a long run of blanks again from each of them."""
_DTD_DECLARATION = re.compile(r"<!(?:ENTITY|ATTLIST|ELEMENT|NOTATION)")
_TAG = re.compile(r"""(?:[^>"']|"[^"]*"|'[^']*')*(?P<open>["'])?""")
"""A tag up to its end, which is no ``>`` inside quotes; ``open`` is a quote that nothing closes."""


@dataclass(frozen=True, slots=True)
class Element:
    """An element by its local name, with its own text and child elements, in document order.

    `UNREADABLE` stands in ``text`` where a child or something unreadable interrupts it. ``is_whole`` says that the
    element has its own end; only `damaged_xml` gives others.
    """

    name: str
    attributes: Mapping[str, str]
    text: str
    children: list[Element] = field(default_factory=list)
    is_whole: bool = True
    prefix: str = ""
    namespace: str | None = None

    def walk(self) -> Iterator[Element]:
        """Return this element and all below it, parents first."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting.extend(reversed(element.children))

    def first(self, name: str) -> Element | None:
        """Return the first element of this name, wherever it stands."""
        return next((element for element in self.walk() if element.name == name), None)

    def text_of(self, name: str) -> str | None:
        """Return the text of the first element of this name, without outer blanks."""
        element = self.first(name)
        return None if element is None else element.text.strip()

    def outermost(self, names: Collection[str], *, without: Collection[str] = ()) -> list[Element]:
        """Return the elements of these names that stand inside no other of them, nor inside one of ``without``."""
        found, waiting = [], [self]
        while waiting:
            element = waiting.pop()
            if element.name in names:
                found.append(element)
            elif element.name not in without:
                waiting.extend(reversed(element.children))
        return found


def parse(body: bytes, *, documents: Collection[str] = ()) -> Element:
    """Read a document. Raises `Malformed` for what is no XML, beyond the bounds above, or brings a DTD.

    A DOCTYPE that only names a DTD is passed over; nothing is ever fetched. ``documents`` are the names of
    elements that are documents of their own where another one (a SOAP envelope) wraps them.

    Names are local names. An element whose prefix is not that of the document, and not bound to the same
    namespace, is a vendor's own: it and what is in it are left out.
    """
    return unwrapped(parse_whole(body), documents)


def parse_whole(body: bytes) -> Element:
    """Read a document with all its elements, of whatever namespace: for formats that are made of several. Raises as `parse`."""
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
        root = etree.fromstring(harmless_text(body).encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Malformed("not well-formed XML") from error
    if root is None or any(_is_fault(entry) for entry in parser.error_log):
        raise Malformed("not well-formed XML")
    return _convert(root)


def harmless_text(body: bytes) -> str:
    """Return the text of a document without its XML declaration.

    Raises `Malformed` where it is too long, declares entities or the like, or has an element of too many
    attributes.
    """
    if len(body) > MAX_OCTETS:
        raise Malformed("XML of more than 256 KiB")
    text = _DECLARATION.sub("", decode(body), count=1)
    if _DTD_DECLARATION.search(text):
        # An entity multiplies text; so does a default attribute, once for every element.
        raise Malformed("XML that brings a DTD of its own")
    if any(_may_have_too_many_attributes(piece) for piece in text.split("<")):
        raise Malformed("XML with more than 100 attributes in one element")
    return text


def unwrapped(root: Element, documents: Collection[str]) -> Element:
    """Return the one element of these names, or else the root, without the elements of other vendors."""
    wrapped = root.outermost(documents)
    return _own(wrapped[0] if len(wrapped) == 1 else root)


def _may_have_too_many_attributes(piece: str) -> bool:
    """Whether what follows a ``<`` may be such a tag: no text behind a tag counts, however many signs it has."""
    if piece.count("=") <= MAX_ATTRIBUTES:
        return False
    tag = _TAG.match(piece)
    return tag is None or tag["open"] is not None or tag[0].count("=") > MAX_ATTRIBUTES


def _is_fault(entry: etree._LogEntry) -> bool:
    is_error: bool = entry.level >= etree.ErrorLevels.ERROR
    return is_error and entry.domain != etree.ErrorDomains.NAMESPACE


def _convert(root: etree._Element) -> Element:
    converted = _element(root)
    waiting = [(root, converted, 1)]
    count = 1
    while waiting:
        source, target, depth = waiting.pop()
        for child in source:
            if not isinstance(child.tag, str):
                raise Malformed("XML with an entity that nothing declares")
            count += 1
            if count > MAX_ELEMENTS:
                raise Malformed("XML of more than 5,000 elements")
            if depth >= MAX_DEPTH:
                raise Malformed("XML nested deeper than 40 elements")
            element = _element(child)
            target.children.append(element)
            waiting.append((child, element, depth + 1))
    return converted


def _element(source: etree._Element) -> Element:
    attributes = {str(name).rpartition("}")[2]: str(value) for name, value in source.attrib.items()}
    prefix, name = _prefix_and_name(source)
    text = joined([source.text or "", *(child.tail or "" for child in source)])
    namespace = str(source.tag).rpartition("}")[0].removeprefix("{") or None
    return Element(name, attributes, text, prefix=prefix, namespace=namespace)


def joined(pieces: list[str]) -> str:
    """Return the text of an element from the pieces between its children."""
    return UNREADABLE.join(pieces) if any(piece.strip() for piece in pieces) else ""


def _prefix_and_name(element: etree._Element) -> tuple[str, str]:
    """Tell prefix and local name, also where the prefix is declared nowhere and stayed in the name."""
    name = str(element.tag).rpartition("}")[2]
    undeclared, colon, local = name.partition(":")
    return (undeclared, local) if colon else (element.prefix or "", name)


def _own(document: Element) -> Element:
    """Leave out the elements of vendors: at most `MAX_DEPTH` calls deep."""

    def is_own(element: Element) -> bool:
        is_same = element.namespace is not None and element.namespace == document.namespace
        return element.prefix in (document.prefix, "") or is_same

    if all(map(is_own, document.walk())):
        return document

    def kept(element: Element) -> Element:
        return replace(element, children=[kept(child) for child in element.children if is_own(child)])

    return kept(document)
