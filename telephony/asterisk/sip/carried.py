"""Reads the phone's position, a reference to it, and its cell from an INVITE (RFC 6442, 3GPP TS 24.229). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from telephony.asterisk.sip import pidf_lo_reading
from telephony.asterisk.sip.message import SipMessage, parts
from telephony.domain.facts import NOTHING_SAID, SaidByInvite
from telephony.domain.position import Position

SOURCE: Final = "invite"
"""Source of a position that came with the call."""

LONGEST: Final = 512
"""Characters that are kept of each of these; a fact is short."""

_CELL = re.compile(
    r";[ \t]*(?:utran-cell-id-3gpp|cgi-3gpp|utran-sai-3gpp)[ \t]*=[ \t]*\"?(?P<cell>[0-9A-Fa-f]{1,32})",
    re.IGNORECASE,
)
"""3GPP TS 24.229 clause 7.2A.4.2. NR writes its cells under the name of UTRAN's."""
_URI = re.compile(r"<(?P<uri>[^<>\s]{1,2000})>")
_FETCHABLE = ("https:", "http:", "held:", "helds:", "sip:", "sips:", "pres:")
"""Schemes of a location by reference (RFC 6442 clause 4.1); ``cid:`` is the one of a position in the body."""
_SPLITS: Final = (
    (("3GPP-NR",), 6, 9),
    (("3GPP-GERAN",), 4, 4),
    (("3GPP-E-UTRAN", "3GPP-UTRAN"), 4, 7),
)
"""By access: digits of the area (LAC, TAC) and of the cell behind MCC and MNC."""
_SHORTEST_MNC, _MCC = 2, 3


@dataclass(frozen=True, slots=True)
class Carried:
    """The location that came with one call."""

    said: SaidByInvite = NOTHING_SAID
    position: Position | None = field(default=None, repr=False)

    def __bool__(self) -> bool:
        return bool(self.said) or self.position is not None


def of_headers(access: Sequence[str], geolocation: Sequence[str], call_info: Sequence[str]) -> SaidByInvite:
    """Return what the values of P-Access-Network-Info, Geolocation and Call-Info say.

    Several references may stand in one value: the dialplan gives them without commas between them.
    """
    best = next((each for each in access if _CELL.search(each)), access[0] if access else "")
    references = [found["uri"] for each in geolocation for found in _URI.finditer(each)]
    fetchable = " ".join(uri for uri in references if uri.lower().startswith(_FETCHABLE))
    return SaidByInvite(
        cell(best)[:LONGEST],
        best.partition(";")[0].strip()[:LONGEST],
        fetchable[:LONGEST],
        ", ".join(call_info)[:LONGEST],
    )


def of_invite(invite: SipMessage, now: datetime) -> Carried:
    """Return what an INVITE carries; total, and nothing that it refers to is ever fetched."""
    said = of_headers(
        invite.values("p-access-network-info"), invite.values("geolocation"), invite.values("call-info")
    )
    bodies = [each.body for each in parts(invite) if each.kind == pidf_lo_reading.MEDIA_TYPE]
    places = (pidf_lo_reading.read(body, source=SOURCE, now=now) for body in bodies)
    return Carried(said, next((place for place in places if place is not None), None))


def cell(access: str) -> str:
    """Return the cell of a P-Access-Network-Info as ``MCC-MNC-area-cell``; as it came where it has another length."""
    found = _CELL.search(access)
    if found is None:
        return ""
    digits = found["cell"].upper()
    kind = access.strip().upper()
    for accesses, area, own in _SPLITS:
        mnc = len(digits) - _MCC - area - own
        if kind.startswith(accesses) and mnc in (_SHORTEST_MNC, _SHORTEST_MNC + 1):
            network, rest = digits[: _MCC + mnc], digits[_MCC + mnc :]
            return f"{network[:_MCC]}-{network[_MCC:]}-{rest[:area]}-{rest[area:]}"
    return digits
