"""What a centre says about a report in CAP: Ack or Error in the body of its HTTP answer."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

MAX_OCTETS = 65_536
"""An Ack is under one kilobyte; whatever is larger is not read."""

MAX_WORDS = 200
"""Characters of a note that are kept: it ends up in an operator's line."""

_NAMESPACES = frozenset(
    {
        "urn:oasis:names:tc:emergency:cap:1.2",
        "urn:oasis:names:tc:emergency:cap:1.1",
        "http://www.incident.com/cap/1.0",
        None,
    }
)


@dataclass(frozen=True, slots=True)
class Ack:
    """The centre took the report."""

    identifier: str
    note: str


@dataclass(frozen=True, slots=True)
class Error:
    """The centre refuses the report; ``note`` has its reason (CAP 1.2 clause 3.2.1, msgType)."""

    identifier: str
    note: str


def read_answer(body: bytes) -> Ack | Error | None:
    """Read an answer's body. Total: ``None`` for everything that is not clearly a CAP Ack or Error.

    Documents with a document type are not read at all: nobody's Ack needs one, and attacks do.
    """
    if not body or len(body) > MAX_OCTETS:
        return None
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    if root.getroottree().docinfo.internalDTD is not None:
        return None
    return _read_alert(root)


def _read_alert(root: etree._Element) -> Ack | Error | None:
    name = etree.QName(root)
    if name.localname != "alert" or name.namespace not in _NAMESPACES:
        return None
    words = {
        etree.QName(child).localname: " ".join((child.text or "").split())[:MAX_WORDS]
        for child in root
        if isinstance(child.tag, str)
    }
    identifier, note = words.get("identifier", ""), words.get("note", "")
    match words.get("msgType"):
        case "Ack":
            return Ack(identifier, note)
        case "Error":
            return Error(identifier, note)
        case _:
            return None
