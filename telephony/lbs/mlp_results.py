"""Reads results of a location server: their ids, and the server's words made fit for a log."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType

from telephony.net.xml.hardened import Element
from telephony.safe_text import one_line

SLOGANS = MappingProxyType(
    {
        0: "OK",
        1: "SYSTEM FAILURE",
        2: "UNSPECIFIED ERROR",
        3: "UNAUTHORIZED APPLICATION",
        4: "UNKNOWN SUBSCRIBER",
        5: "ABSENT SUBSCRIBER",
        6: "POSITION METHOD FAILURE",
        7: "TIMEOUT",
        101: "CONGESTION IN LOCATION SERVER",
        103: "UNSUPPORTED VERSION",
        104: "TOO MANY POSITION ITEMS",
        105: "FORMAT ERROR",
        106: "SYNTAX ERROR",
        107: "PROTOCOL ELEMENT NOT SUPPORTED",
        108: "SERVICE NOT SUPPORTED",
        109: "PROTOCOL ELEMENT ATTRIBUTE NOT SUPPORTED",
        110: "INVALID PROTOCOL ELEMENT VALUE",
        111: "INVALID PROTOCOL ELEMENT ATTRIBUTE VALUE",
        112: "PROTOCOL ELEMENT VALUE NOT SUPPORTED",
        113: "PROTOCOL ELEMENT ATTRIBUTE VALUE NOT SUPPORTED",
        114: "CANCELLATION OF TRIGGERED LOCATION REQUEST",
        115: "INVALID MSID IN TLRSR",
        116: "TLRSR FOR INDIVIDUAL TARGET NOT SUPPORTED",
        117: "NO ANALYTIC DATA AVAILABLE",
        201: "QOP NOT ATTAINABLE",
        202: "POSITIONING NOT ALLOWED",
        203: "CONGESTION IN MOBILE NETWORK",
        204: "DISALLOWED BY LOCAL REGULATIONS",
        207: "MISCONFIGURATION OF LOCATION SERVER",
    }
)
"""Result ids of clause 5.4.1 that a location server may answer with."""

UNSPECIFIED = 2
"""The id that stands for one that is reserved, a vendor's or unreadable."""

_RESID = re.compile(r"\d{1,4}", re.ASCII)
_LONGEST_NOTE = 80


@dataclass(frozen=True, slots=True)
class Result:
    """A ``result`` of the answer. ``note`` is the server's own words with every digit hidden."""

    resid: int
    note: str = ""

    def __str__(self) -> str:
        slogan = SLOGANS.get(self.resid, "")
        return " ".join(filter(None, (str(self.resid), slogan, f"({self.note})" if self.note else "")))


def read_result(result: Element, around: Element) -> Result:
    """Read a ``result``, with the ``add_info`` of what it stands in; an id that is no number is unspecified."""
    resid = _RESID.fullmatch(result.attributes.get("resid", "").strip())
    number = int(resid[0]) if resid else UNSPECIFIED
    said = around.text_of("add_info") or ("" if number in SLOGANS else result.text)
    return Result(number, _without_numbers(said))


def _without_numbers(text: str) -> str:
    """Make a server's words fit for a log: no number of a person, no coordinate."""
    shown = "".join("#" if char.isdigit() else char for char in one_line(text[:400]))
    return " ".join(shown.split())[:_LONGEST_NOTE]
