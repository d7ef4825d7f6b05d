"""Codec of the OMA Mobile Location Protocol 3.0 to 3.5: one request and its answer, bytes <-> values.

Clauses are those of OMA-TS-MLP-V3_5. We write what the DTDs allow and read what servers send: by name, not by
place, whatever version an answer claims.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lxml import etree

from telephony.domain.errors import Malformed
from telephony.domain.position import Position
from telephony.domain.values import Msisdn
from telephony.lbs.geometry import Circle, likeliest_circle
from telephony.lbs.mlp_methods import method_of
from telephony.lbs.mlp_numbers import read_number
from telephony.lbs.mlp_results import Result, read_result
from telephony.lbs.mlp_shapes import SHAPES, check_undamaged, read_shape
from telephony.lbs.mlp_times import TOLERANCE, read_time
from telephony.lbs.settings import MlpSettings
from telephony.net.xml.damaged import parse_damaged
from telephony.net.xml.hardened import Element, parse

Service = Literal["eme_lir", "slir"]
RespReq = Literal["LOW_DELAY", "DELAY_TOL"]
LocType = Literal["CURRENT", "LAST", "CURRENT_OR_LAST"]

_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_QOS_CLASS_VERSIONS = ("3.2.0", "3.3.0", "3.4.0", "3.5.0")
_MOST_POSITIONS = 64
_LONGEST_COUNTRY_CODE = 3
_SHORTEST_NUMBER = 7
_NUMBER_TYPES = ("MSISDN", "MIN", "MDN", "TEL_URL", "")
_NUMBER_WITHIN = re.compile(r"(?:msisdn-|tel:|sips?:)\+?(\d{7,15})(?:[@;:].*)?", re.IGNORECASE | re.ASCII)
"""A telephone number in an identity of another type: GPSI (TS 23.003 clause 28.8) and the URIs of IMS."""
_LONGEST_MSID = 80

_DOCUMENTS = frozenset({"svc_result", "gem"})
_POSITIONS = frozenset({"pos", "eme_pos"})
_NUMBERING_PREFIXES = ("19", "91")
"""Type of number and numbering plan (0x91, TS 29.002) that some servers leave before the digits, in either order."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request to a location server about one number.

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
class Answer:
    """The content of an answer about the number that was asked for.

    ``faults`` say why an element that looked like a position is none. ``is_deferred``: whether the server will
    answer later, by a push that we did not ask for. ``clock_ahead_s`` is how far the newest time of a fix lies
    after ours, below 0 for one in the past; ``None`` where no time was read.
    """

    positions: tuple[Position, ...] = ()
    results: tuple[Result, ...] = ()
    faults: tuple[str, ...] = ()
    is_deferred: bool = False
    clock_ahead_s: float | None = None


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
    return _decoded(body, _Asked(msisdn, source, assumed_confidence, received_at), may_be_envelope=True)


def _decoded(body: bytes, asked: _Asked, *, may_be_envelope: bool = False) -> Answer:
    try:
        root = parse(body, documents=_DOCUMENTS)
    except Malformed as strict:
        answer = _read(parse_damaged(body, documents=_DOCUMENTS), asked, is_damaged=True)
        if not (answer.positions or answer.results):
            raise strict from None  # whatever else is missing may have been in what was lost
        return answer
    inner = _document_within(root) if may_be_envelope and root.name not in _DOCUMENTS else None
    return _read(root, asked) if inner is None else _decoded(inner, asked)


def _document_within(root: Element) -> bytes | None:
    """Return the document that an envelope holds as text, escaped or in CDATA; ``None`` where there is not just one."""
    texts = [each.text for each in root.walk() if "<svc_result" in each.text or "<gem" in each.text]
    return texts[0].strip().encode("utf-8", "replace") if len(texts) == 1 else None


@dataclass(frozen=True, slots=True)
class _Asked:
    """The parameters with which an answer is read; see `decode_answer`."""

    msisdn: Msisdn
    source: str
    assumed_confidence: float
    received_at: datetime


def _read(root: Element, asked: _Asked, *, is_damaged: bool = False) -> Answer:
    entries = root.outermost(_POSITIONS)
    if len(entries) > _MOST_POSITIONS:
        raise Malformed("an answer with more than 64 positions")
    if not entries and root.name == "svc_result" and root.outermost(SHAPES):
        entries = [root]  # a shape without the pos that should hold it
    results = [read_result(result, root) for result in root.outermost({"result"}, without=_POSITIONS)]
    if root.name not in _DOCUMENTS and not entries and not results:
        raise Malformed("neither svc_result nor gem")
    positions, faults, ahead_s = [], [], []
    for entry in entries:
        if not _is_about(entry, asked.msisdn, is_alone=len(entries) == 1):
            faults.append("a position of another number")
            continue
        if entry is not root:
            results += [read_result(result, entry) for result in entry.outermost({"result"})]
        try:
            circle = _circle(entry, root, is_alone=len(entries) == 1, is_damaged=is_damaged)
            if circle is None:
                # Without a shape there is nothing to read: lawful for eme_pos, and usual beside poserr.
                continue
            stated = _time(entry, asked.received_at)
            positions.append(_position(entry, circle, stated, asked))
        except Malformed as error:
            faults.append(str(error))
        else:
            ahead_s += [] if stated is None else [(stated - asked.received_at).total_seconds()]
    return Answer(
        tuple(positions),
        tuple(results),
        tuple(faults),
        root.first("req_id") is not None,
        max(ahead_s, default=None),
    )


def _is_about(entry: Element, msisdn: Msisdn, *, is_alone: bool) -> bool:
    """Whether an entry is about the number asked for.

    A telephone number in any form decides. Identities that say nothing about it (IMSI, encrypted, none at all)
    are taken for ours only where the answer has but one entry: one number was asked for.
    """
    msids = entry.outermost({"msid"}, without={"reference_object"})
    numbers = [
        within[1] if (within := _NUMBER_WITHIN.fullmatch(msid.text.strip())) else msid.text
        for msid in msids
        if (_is_number_type(msid) or _NUMBER_WITHIN.fullmatch(msid.text.strip()))
        and msid.attributes.get("enc", "ASC").strip().upper() == "ASC"
        and msid.text.strip()
    ]
    if not numbers:
        # What was cut off may have named another number.
        return is_alone and entry.is_whole
    return any(_is_same_number(number, msisdn, is_alone=is_alone) for number in numbers)


def _is_number_type(msid: Element) -> bool:
    return msid.attributes.get("type", "").strip().upper() in _NUMBER_TYPES


def _is_same_number(text: str, msisdn: Msisdn, *, is_alone: bool) -> bool:
    """Compare a number in whatever form with ours: with plus or zeros before it, national, with blanks.

    In the only entry of an answer it may also have its type of number in front.
    """
    if len(text) > _LONGEST_MSID:
        return False
    if Msisdn.parse(text.strip().removeprefix("tel:"), ton=1) == msisdn:
        return True
    theirs, ours = (re.sub(r"\D", "", number).lstrip("0") for number in (text, msisdn.number))
    if is_alone and theirs in [prefix + ours for prefix in _NUMBERING_PREFIXES]:
        return True
    without_country_code = ours.endswith(theirs) and len(ours) - len(theirs) <= _LONGEST_COUNTRY_CODE
    return len(theirs) >= _SHORTEST_NUMBER and without_country_code


def _misplaced_shapes(entry: Element, root: Element, *, is_alone: bool) -> list[Element]:
    """Find what a server put beside the only entry (into geo_info, say) instead of into its pd."""
    if not is_alone or entry.first("poserr") is not None:
        return []
    return root.outermost(SHAPES, without=_POSITIONS)


def _circle(entry: Element, root: Element, *, is_alone: bool, is_damaged: bool) -> Circle | None:
    """Read what the shapes of an entry say together. Raises `Malformed` where there are some and none is a place."""
    if not entry.is_whole and any(other.name in _POSITIONS for other in entry.walk() if other is not entry):
        raise Malformed("a position that runs into another one")
    elements = entry.outermost(SHAPES)
    if is_damaged:
        check_undamaged(elements, entry, root if is_alone else entry)
    elif not elements:
        elements = _misplaced_shapes(entry, root, is_alone=is_alone)
    shapes, faults = [], []
    for element in elements:
        try:
            shapes.append(read_shape(element))
        except Malformed as fault:
            faults.append(fault)
    if not shapes and faults:
        raise faults[0]
    return likeliest_circle(shapes) if shapes else None


def _position(entry: Element, circle: Circle, stated: datetime | None, asked: _Asked) -> Position:
    confidence = _confidence(entry.text_of("lev_conf")) or asked.assumed_confidence
    # A server whose clock is wrong must not make a fix that never grows old, nor one that has just been made.
    is_credible = stated is not None and stated <= asked.received_at + TOLERANCE
    return Position(
        latitude=circle.latitude,
        longitude=circle.longitude,
        uncertainty_m=circle.radius_m,
        confidence=None if circle.radius_m is None else confidence,
        method=method_of(entry.attributes.get("pos_method", "")),
        source=asked.source,
        fixed_at=min(stated, asked.received_at) if stated is not None and is_credible else None,
        received_at=asked.received_at,
    )


def _confidence(text: str | None) -> float | None:
    """Read lev_conf (clause 5.3.52), a percentage, or a fraction below 1; 0 and what is neither say nothing."""
    level = read_number(text, units=("%",))
    if level is None or not 0 < level <= 100:  # noqa: PLR2004 - percent
        return None
    return level * 100 if level < 1 else level


def _time(entry: Element, received_at: datetime) -> datetime | None:
    element = entry.first("time")
    if element is None:
        return None
    return read_time(element.text, element.attributes.get("utc_off", ""), received_at)
