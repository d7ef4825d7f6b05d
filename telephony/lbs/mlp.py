"""OMA Mobile Location Protocol 3.0 to 3.5: one question and its answer, bytes <-> values.

Clauses are those of OMA-TS-MLP-V3_5. We write what the DTDs allow and read what servers send: by name, not by
place, whatever version an answer claims.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Literal

from lxml import etree

from telephony.domain.errors import Malformed
from telephony.domain.position import Position
from telephony.domain.values import Msisdn
from telephony.hardened_xml import Element, parse
from telephony.lbs.geometry import covering_circle
from telephony.lbs.mlp_shapes import SHAPES, read_number, read_shape
from telephony.lbs.settings import MlpSettings

Service = Literal["eme_lir", "slir"]
RespReq = Literal["LOW_DELAY", "DELAY_TOL"]
LocType = Literal["CURRENT", "LAST", "CURRENT_OR_LAST"]

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
"""What an id that is reserved, a vendor's or unreadable is treated as."""

METHODS = MappingProxyType(
    dict.fromkeys(("CELL", "E-CID", "OTDOA", "E-OTD", "U-TDOA", "AFLT", "EFLT"), "cell")
    | dict.fromkeys(("GPS", "A-GPS", "GNSS", "A-GNSS"), "gnss")
    | {"WLAN": "wifi", "BT": "bluetooth"}
)
"""``pos_method`` to the words of `Position.method`."""

_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_QOS_CLASS_VERSIONS = ("3.2.0", "3.3.0", "3.4.0", "3.5.0")
_MOST_POSITIONS = 64
_LONGEST_COUNTRY_CODE = 3
_SHORTEST_NUMBER = 7
_NUMBER_TYPES = ("MSISDN", "MIN", "MDN", "TEL_URL", "")
_RESID = re.compile(r"\d{1,4}", re.ASCII)
_TIME = re.compile(r"\d{14}", re.ASCII)
_UTC_OFF = re.compile(r"([+-]?)(\d\d):?(\d\d)", re.ASCII)
_LARGEST_UTC_OFF = timedelta(hours=14, minutes=59)
_LONGEST_NOTE = 80

_POSITIONS = frozenset({"pos", "eme_pos"})


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a location server about one number.

    ``resp_timer_s`` is the time the server may take; it wins over ``resp_req`` (clause 5.3.107). ``is_bare``
    leaves out every element and attribute that a request can do without except ``resp_req``.
    """

    service: Service
    resp_req: RespReq
    resp_timer_s: int
    hor_acc_m: int | None
    loc_type: LocType
    is_bare: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """A ``result`` of the answer. ``note`` is the server's own words with every digit hidden."""

    resid: int
    note: str = ""

    def __str__(self) -> str:
        slogan = SLOGANS.get(self.resid, "")
        return " ".join(filter(None, (str(self.resid), slogan, f"({self.note})" if self.note else "")))


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer holds about the number that was asked for.

    ``faults`` say why something that looked like a position is none. ``is_deferred`` claims that the server will
    answer later, by a push that we did not ask for.
    """

    positions: tuple[Position, ...] = ()
    results: tuple[Result, ...] = ()
    faults: tuple[str, ...] = ()
    is_deferred: bool = False


def encode_request(
    msisdn: Msisdn,
    question: Question,
    *,
    settings: MlpSettings,
    password: str | None,
    country_code: str = "82",
    trunk_prefix: str = "0",
) -> bytes:
    """Write ``svc_init`` with one ``eme_lir`` or ``slir`` with its elements in the DTD's order.

    Country code and trunk prefix serve ``msisdn_form = "national"``. Raises `Malformed` where the client id,
    service id, password or number holds what XML cannot carry.
    """
    number = msisdn.number
    if settings.msisdn_form == "national" and number.startswith(country_code):
        number = trunk_prefix + number.removeprefix(country_code)
    try:
        root = _svc_init(number, question, settings, password)
    except ValueError as error:
        raise Malformed("an id, password or number holds a character that XML cannot carry") from error
    etree.indent(root)
    return _DECLARATION + etree.tostring(root, encoding="UTF-8", xml_declaration=False)


def _svc_init(number: str, question: Question, settings: MlpSettings, password: str | None) -> etree._Element:
    root = etree.Element("svc_init", ver=settings.version)
    client = _add(_add(root, "hdr", ver=settings.version), "client")
    _add(client, "id", settings.client_id)
    if password is not None:
        _add(client, "pwd", password)
    if settings.serviceid is not None:
        _add(client, "serviceid", settings.serviceid)
    if settings.requestmode is not None and not question.is_bare:
        _add(client, "requestmode", type=settings.requestmode)

    request = _add(root, question.service, ver=settings.version)
    _add(_add(request, "msids"), "msid", number, type="MSISDN")
    eqop = _add(request, "eqop")
    _add(eqop, "resp_req", type=question.resp_req)
    if not question.is_bare:
        _add_quality(eqop, question, settings.version)
        crs = _add(_add(_add(request, "geo_info"), "CoordinateReferenceSystem"), "Identifier")
        _add(crs, "code", "4326")
        _add(crs, "codeSpace", "EPSG")
        _add(crs, "edition", "6.1")
        _add(request, "loc_type", type=question.loc_type)
        if question.service == "slir":  # eme_lir has no prio in any version
            _add(request, "prio", type="HIGH")
    return root


def _add_quality(eqop: etree._Element, question: Question, version: str) -> None:
    _add(eqop, "resp_timer", str(question.resp_timer_s))
    if question.hor_acc_m is not None:
        accuracy = _add(eqop, "hor_acc", str(question.hor_acc_m))
        if version in _QOS_CLASS_VERSIONS:
            # ASSURED would turn a coarse position, which is better than none, into error 201.
            accuracy.set("qos_class", "BEST_EFFORT")


def _add(parent: etree._Element, name: str, text: str | None = None, **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, name, attributes)
    element.text = text
    return element


def decode_answer(
    body: bytes, *, msisdn: Msisdn, source: str, assumed_confidence: float, received_at: datetime
) -> Answer:
    """Read the body of a location server's HTTP answer: ``svc_result``, or ``gem``.

    ``source`` goes into every `Position`; ``assumed_confidence`` is taken where ``lev_conf`` is absent or 0.
    A position of another number is never given. Raises `Malformed` for what is no location answer at all.
    """
    root = parse(body)
    entries = root.outermost(_POSITIONS)
    if len(entries) > _MOST_POSITIONS:
        raise Malformed("an answer with more than 64 positions")
    if not entries and root.name == "svc_result" and root.outermost(SHAPES):
        entries = [root]  # a shape without the pos that should hold it
    results = [_result(result, root) for result in root.outermost({"result"}, without=_POSITIONS)]
    if root.name not in ("svc_result", "gem") and not entries and not results:
        raise Malformed("neither svc_result nor gem")
    positions, faults = [], []
    for entry in entries:
        if not _is_about(entry, msisdn, is_alone=len(entries) == 1):
            faults.append("a position of another number")
            continue
        if entry is not root:
            results += [_result(result, entry) for result in entry.outermost({"result"})]
        try:
            shapes = entry.outermost(SHAPES) or _misplaced_shapes(entry, root, is_alone=len(entries) == 1)
            position = (
                _position(entry, shapes[0], source, assumed_confidence, received_at) if shapes else None
            )
        except Malformed as error:
            faults.append(str(error))
        else:
            # Without a shape there is nothing to read: lawful for eme_pos, and usual beside poserr.
            positions += [position] if position else []
    return Answer(tuple(positions), tuple(results), tuple(faults), root.first("req_id") is not None)


def _result(result: Element, around: Element) -> Result:
    resid = _RESID.fullmatch(result.attributes.get("resid", "").strip())
    number = int(resid[0]) if resid else UNSPECIFIED
    said = around.text_of("add_info") or ("" if number in SLOGANS else result.text)
    return Result(number, _without_numbers(said))


def _without_numbers(text: str) -> str:
    """Make a server's words fit for a log: no number of a person, no coordinate."""
    shown = "".join("#" if char.isdigit() else char if char.isprintable() else " " for char in text[:400])
    return " ".join(shown.split())[:_LONGEST_NOTE]


def _is_about(entry: Element, msisdn: Msisdn, *, is_alone: bool) -> bool:
    """Claim that an entry is about the number asked for.

    A telephone number in any form decides. Identities that say nothing about it (IMSI, encrypted, none at all)
    are taken for ours only where the answer has but one entry: one number was asked for.
    """
    msids = entry.outermost({"msid"}, without={"reference_object"})
    numbers = [
        msid.text
        for msid in msids
        if msid.attributes.get("type", "").strip().upper() in _NUMBER_TYPES
        and msid.attributes.get("enc", "ASC").strip().upper() == "ASC"
        and msid.text.strip()
    ]
    if not numbers:
        return is_alone
    return any(_is_same_number(number, msisdn) for number in numbers)


def _is_same_number(text: str, msisdn: Msisdn) -> bool:
    """Compare a number in whatever form with ours: with plus or zeros before it, national, with blanks."""
    if len(text) > _LONGEST_NOTE:
        return False
    if Msisdn.parse(text.strip().removeprefix("tel:"), ton=1) == msisdn:
        return True
    theirs, ours = (re.sub(r"\D", "", number).lstrip("0") for number in (text, msisdn.number))
    without_country_code = ours.endswith(theirs) and len(ours) - len(theirs) <= _LONGEST_COUNTRY_CODE
    return len(theirs) >= _SHORTEST_NUMBER and without_country_code


def _misplaced_shapes(entry: Element, root: Element, *, is_alone: bool) -> list[Element]:
    """Find what a server put beside the only entry (into geo_info, say) instead of into its pd."""
    if not is_alone or entry.first("poserr") is not None:
        return []
    return root.outermost(SHAPES, without=_POSITIONS)


def _position(
    entry: Element, shape: Element, source: str, assumed_confidence: float, received_at: datetime
) -> Position:
    circle = covering_circle(read_shape(shape))
    confidence = _confidence(entry.text_of("lev_conf")) or assumed_confidence
    fixed_at = _time(entry.first("time"))
    return Position(
        latitude=circle.latitude,
        longitude=circle.longitude,
        uncertainty_m=circle.radius_m,
        confidence=None if circle.radius_m is None else confidence,
        method=METHODS.get(entry.attributes.get("pos_method", "").strip().upper(), "unknown"),
        source=source,
        # A server whose clock or utc_off is wrong must not make a fix that never grows old.
        fixed_at=received_at if fixed_at is None else min(fixed_at, received_at),
        received_at=received_at,
    )


def _confidence(text: str | None) -> float | None:
    """Read lev_conf (clause 5.3.52); 0 and what is no percentage say nothing."""
    percent = read_number(text)
    return percent if percent is not None and 0 < percent <= 100 else None  # noqa: PLR2004 - percent


def _time(element: Element | None) -> datetime | None:
    """Read ``time``: local time of the offset in ``utc_off``, default 0000."""
    if element is None:
        return None
    digits = element.text.strip()
    offset = _UTC_OFF.fullmatch(element.attributes.get("utc_off", "0000").strip())
    if not _TIME.fullmatch(digits) or offset is None:
        return None
    behind = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
    if behind > _LARGEST_UTC_OFF:
        return None
    try:
        local = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        return local + behind if offset[1] == "-" else local - behind
    except (ValueError, OverflowError):
        return None
