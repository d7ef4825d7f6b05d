"""Simulates a carrier's location server: MLP over HTTP, with every kind of trouble that live ones make."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from twisted.internet.defer import maybeDeferred

from telephony.domain.errors import Malformed
from telephony.domain.values import Msisdn
from telephony.lab.carrier import mlp_answers as xml
from telephony.lab.carrier.mlp_answers import ANSWERS, MlpRequest, read_request
from telephony.lab.centre.http_server import LabHttpServer, LabRequest, LabResponse
from telephony.lbs.geodesy import Coord, coord

CELL_CONFIDENCE = 67
GNSS_CONFIDENCE = 90
REPORTED_CONFIDENCE = 95
"""At which 112 gets every circle: one that has it arrives there in the size that it was answered in."""

UNAUTHORIZED = 3
UNKNOWN_SUBSCRIBER = 4
ABSENT_SUBSCRIBER = 5
UNSUPPORTED_VERSION = 103
SYNTAX_ERROR = 106
SERVICE_NOT_SUPPORTED = 108

_BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
_SOMEONE_ELSE = "821099999999"


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone in the network. ``radius_m`` is the size of its cell, ``fine_m`` that of an accurate fix."""

    place: Coord
    radius_m: float
    fine_m: float
    method: str
    seen_at: float | None = None
    """When it was switched off; ``None`` while it is on."""
    is_remembered: bool = True
    """Whether the server has its last place while it is off."""


class LabMlp:
    """The server. A fast question is answered by the phone's cell, an accurate one by an ellipse around it.

    ``requests`` are all questions in order; ``fetches`` counts attempts to get a DTD, which must not occur. Every
    trouble lasts for the next ``times`` questions, or until `behave`; a new one replaces the one before. ``password``,
    ``services`` and ``versions`` are what this server takes: others are answered by the result ids of the standard.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        password: str | None = None,
        services: tuple[str, ...] = ("eme_lir", "slir"),
        versions: tuple[str, ...] | None = None,
        fast_after_s: float = 0.0,
        accurate_after_s: float = 0.0,
    ) -> None:
        self._reactor = reactor
        self._server = LabHttpServer(reactor, self._handle)
        self._password = password
        self._services = services
        self._versions = versions
        self._fast_after_s = fast_after_s
        self._accurate_after_s = accurate_after_s
        self._port: Any = None
        self._address = ("127.0.0.1", 0)
        self._phones: dict[str, Phone] = {}
        self._trouble: Callable[[MlpRequest], LabResponse] | None = None
        self._times: int | None = None
        self.requests: list[MlpRequest] = []
        self.fetches = 0
        self.watch: Callable[[MlpRequest, LabResponse], None] | None = None
        """Told of every question that could be read, and of its answer."""

    @property
    def port(self) -> int:
        """The TCP port it listens on, also while it refuses."""
        return self._address[1]

    @property
    def url(self) -> str:
        """Where questions go."""
        return f"http://{self._address[0]}:{self.port}/LocationQueryService/"

    async def listen(self, interface: str = "127.0.0.1", port: int = 0) -> None:
        """Open the server; port 0 takes a free one, which is then kept."""
        self._port = await self._server.listen(interface, port)
        self._address = (interface, self._port.getHost().port)

    async def close(self) -> None:
        """Close the server and every connection to it."""
        port, self._port = self._port, None
        if port is not None:
            await maybeDeferred(port.stopListening)
        self._server.drop_connections()

    async def refuse_tcp(self) -> None:
        """Be down: connections are dropped and refused until `accept_tcp`."""
        await self.close()

    async def accept_tcp(self) -> None:
        """Be up again on the same port."""
        if self._port is None:
            await self.listen(*self._address)

    # The network

    def place(
        self,
        msisdn: str,
        latitude: float,
        longitude: float,
        radius_m: float = 350.0,
        *,
        fine_m: float = 20.0,
        method: str = "A-GNSS",
    ) -> None:
        """Put a phone somewhere, switched on."""
        self._phones[_key(msisdn)] = Phone(coord(latitude, longitude), radius_m, fine_m, method)

    def knows(self, msisdn: str) -> bool:
        """Whether a phone is somewhere, switched on or not."""
        return _key(msisdn) in self._phones

    def move(self, msisdn: str, latitude: float, longitude: float) -> None:
        """Take a phone elsewhere."""
        phone = self._phones[_key(msisdn)]
        self._phones[_key(msisdn)] = replace(phone, place=coord(latitude, longitude))

    def switch_off(self, msisdn: str, *, is_remembered: bool = True) -> None:
        """Make a phone absent: only its last position is known from now on, or not even that."""
        phone = self._phones[_key(msisdn)]
        self._phones[_key(msisdn)] = replace(
            phone, seen_at=self._reactor.seconds(), is_remembered=is_remembered
        )

    def switch_on(self, msisdn: str) -> None:
        """Make a phone reachable again."""
        self._phones[_key(msisdn)] = replace(self._phones[_key(msisdn)], seen_at=None)

    def remove(self, msisdn: str) -> None:
        """Make a number unknown to this carrier."""
        self._phones.pop(_key(msisdn), None)

    # Troubles of the transport

    def behave(self) -> None:
        """End any trouble."""
        self._trouble = None

    def late(self, seconds: float, times: int | None = None) -> None:
        """Answer properly, but that much later."""
        self._make(lambda asked: replace(self._behaved(asked), delay_s=seconds), times)

    def never(self, times: int | None = None) -> None:
        """Keep the connection open and say nothing."""
        self._make(lambda _: LabResponse(never=True), times)

    def hang_up(self, times: int | None = None) -> None:
        """Close the connection instead of answering."""
        self._make(lambda _: LabResponse(close_instead=True), times)

    def rubbish(self, times: int | None = None) -> None:
        """Answer 200 with what is no XML."""
        self._make(lambda _: _ok("\x00\x01<<svc_result & \ufffd"), times)

    def rubbish_of(self, octets: int, times: int | None = None) -> None:
        """Answer 200 with so many octets of what is no XML."""
        self._make(lambda _: _ok("<" * octets), times)

    def padded(self, octets: int, times: int | None = None) -> None:
        """Answer properly, with so many blanks behind it."""
        self._rewrite(lambda text: text + " " * octets, times)

    def not_http(self, times: int | None = None) -> None:
        """Answer with what is no HTTP."""
        self._make(lambda _: LabResponse(raw=b"\x16\x03\x01\x00\x2a no HTTP at all\r\n\r\n"), times)

    def talk_for_ever(self, beginning: bytes, then: bytes, times: int | None = None) -> None:
        """Answer with these octets and then with those again and again, as fast as they are taken."""
        self._make(lambda _: LabResponse(raw=beginning, for_ever=then), times)

    def truncated(self, octets: int = 300, times: int | None = None) -> None:
        """Close in the middle of an answer."""
        self._make(lambda asked: replace(self._behaved(asked), truncate_at=octets), times)

    def length_too_large(self, octets: int = 2, times: int | None = None) -> None:
        """Count octets that are not sent in Content-Length, then close."""

        def answer(asked: MlpRequest) -> LabResponse:
            proper = self._behaved(asked)
            whole = replace(proper, body=proper.body + bytes(octets)).octets()
            return replace(proper, raw=whole[:-octets])

        self._make(answer, times)

    def compressed(self, times: int | None = None) -> None:
        """Answer in gzip, unasked."""

        def answer(asked: MlpRequest) -> LabResponse:
            proper = self._behaved(asked)
            return replace(
                proper,
                body=gzip.compress(proper.body),
                headers=(*proper.headers, ("Content-Encoding", "gzip")),
            )

        self._make(answer, times)

    def cut_xml(self, times: int | None = None) -> None:
        """Answer with a whole HTTP answer that holds half a document."""
        self._rewrite(lambda text: text[: len(text) // 2], times)

    def http_status(self, status: int, times: int | None = None) -> None:
        """Answer with this status and a page for people."""
        self._make(
            lambda _: replace(_ok(f"<html><body>{status}</body></html>"), status=status),
            times,
        )

    # Troubles of the protocol

    def result(
        self, resid: int, level: Literal["message", "position"] = "message", times: int | None = None
    ) -> None:
        """Answer with a result id, for the whole message or for the position in it."""

        def answer(asked: MlpRequest) -> LabResponse:
            if level == "message":
                return _ok(xml.svc_result(asked, xml.result(resid)))
            return _ok(xml.svc_result(asked, xml.position_error(asked, resid, self._reactor.seconds())))

        self._make(answer, times)

    def gem(self, resid: int = SERVICE_NOT_SUPPORTED, status: int = 404, times: int | None = None) -> None:
        """Answer with a general error message, as for an unknown service."""
        body = f'<gem ver="3.2.0">{xml.result(resid)}</gem>'
        self._make(lambda _: replace(_ok(body), status=status), times)

    def deferred(self, times: int | None = None) -> None:
        """Promise to answer later by a push."""
        self._make(lambda asked: _ok(xml.svc_result(asked, "<req_id>25293</req_id>")), times)

    def no_position(self, times: int | None = None) -> None:
        """Answer with a position that is neither found nor failed: lawful for eme_pos."""
        self._make(lambda asked: _ok(xml.svc_result(asked, xml.position(asked, "CELL", ""))), times)

    def other_target(self, times: int | None = None) -> None:
        """Answer with the position of another number."""
        self._shape(lambda phone: xml.circle(phone.place, phone.radius_m), times, msid=_SOMEONE_ELSE)

    # Troubles of the content

    def zero_zero(self, times: int | None = None) -> None:
        """Answer 0,0: how live networks say that they do not know."""
        self._shape(lambda phone: xml.circle(Coord(0.0, 0.0), phone.radius_m), times)

    def nan(self, times: int | None = None) -> None:
        """Answer with NaN for numbers."""
        self._shape(
            lambda _: "<CircularArea><coord><X>NaN</X><Y>NaN</Y></coord><radius>NaN</radius></CircularArea>",
            times,
        )

    def arc(self, times: int | None = None) -> None:
        """Answer with an arc: the coordinate is the mast's."""
        self._shape(lambda phone: xml.arc(phone.place, phone.radius_m), times)

    def ellipse(self, times: int | None = None) -> None:
        """Answer with an ellipse of the cell's size."""
        self._shape(lambda phone: xml.ellipse(phone.place, phone.radius_m, phone.radius_m / 2), times)

    def polygon(self, times: int | None = None) -> None:
        """Answer with a polygon of the cell's size."""
        self._shape(lambda phone: xml.polygon(phone.place, phone.radius_m), times)

    def out_of_time(
        self,
        radius_m: float,
        *,
        lev_conf: int = REPORTED_CONFIDENCE,
        ahead_s: float | None = None,
        times: int | None = None,
    ) -> None:
        """Answer with a circle of this size and without the time of the fix, or with a time so far ahead."""

        def answer(asked: MlpRequest) -> LabResponse:
            phone = self._phones.get(_key(asked.msid))
            if phone is None:
                return self._behaved(asked)
            at = self._reactor.seconds() + (ahead_s or 0.0)
            content = xml.pd(xml.circle(phone.place, radius_m), at, lev_conf)
            if ahead_s is None:
                content = content.replace(xml.time(at), "")
            return _ok(xml.svc_result(asked, xml.position(asked, "CELL", content)))

        self._make(answer, times)

    def point(self, times: int | None = None) -> None:
        """Answer with a point of unknown size."""
        self._shape(lambda phone: xml.point(phone.place), times)

    def decimal(self, times: int | None = None) -> None:
        """Answer in decimal degrees, with a Z that is no number."""
        self._shape(
            lambda phone: xml.circle(phone.place, phone.radius_m).replace(
                xml.coord(phone.place),
                xml.decimal_coord(phone.place).replace("</coord>", "<Z>NaN</Z></coord>"),
            ),
            times,
        )

    def nowhere(self, times: int | None = None) -> None:
        """Answer a little beside 0,0: the same ignorance, coded and decoded."""
        self._shape(
            lambda phone: xml.circle(Coord(0.0, 0.0), phone.radius_m).replace(
                xml.coord(Coord(0.0, 0.0)), xml.decimal_coord(Coord(0.00001, 0.00002))
            ),
            times,
        )

    def no_time(self, times: int | None = None) -> None:
        """Answer without the time of the fix."""
        self._rewrite(lambda text: re.sub(r"<time.*?</time>", "", text), times)

    def clock_off(self, seconds: float, times: int | None = None) -> None:
        """Answer with times of a clock that is that many seconds ahead."""
        self._rewrite(
            lambda text: text.replace(
                xml.time(self._reactor.seconds()), xml.time(self._reactor.seconds() + seconds)
            ),
            times,
        )

    def no_lev_conf(self, times: int | None = None) -> None:
        """Answer with a circle without its confidence."""
        self._shape(lambda phone: xml.circle(phone.place, phone.radius_m), times, lev_conf=None)

    # Troubles of the XML

    def default_namespace(self, times: int | None = None) -> None:
        """Answer in a private default namespace."""
        self._rewrite(
            lambda text: text.replace("<svc_result ", '<svc_result xmlns="urn:example:mlp" '), times
        )

    def mixed_versions(self, times: int | None = None) -> None:
        """Answer in two versions at once."""
        self._rewrite(lambda text: re.sub(r'(lia ver=)"[^"]*"', r'\1"3.0.0"', text), times)

    def encoding(self, name: str, codec: str = "cp949", times: int | None = None) -> None:
        """Answer in another encoding, by whatever name, with a Korean word in it."""

        def answer(asked: MlpRequest) -> LabResponse:
            proper = self._behaved(asked)
            text = proper.body.decode().replace('encoding="UTF-8"', f'encoding="{name}"')
            word = "<add_info>위치</add_info></svc_result>"
            return replace(proper, body=text.replace("</svc_result>", word).encode(codec))

        self._make(answer, times)

    def unescaped(self, times: int | None = None) -> None:
        """Answer with signs in a text that XML wants escaped, and a terminating NUL."""
        self._rewrite(
            lambda text: text.replace("</svc_result>", "<add_info>AT&T <5 m</add_info></svc_result>\0"), times
        )

    def cut_after_position(self, times: int | None = None) -> None:
        """Answer with a whole HTTP answer that lacks the last tags."""
        self._rewrite(lambda text: text[: text.index("</shape>")], times)

    def doctype(self, times: int | None = None) -> None:
        """Answer with a DOCTYPE whose DTD leads to this server, which would notice the request."""
        self._rewrite(lambda text: self._with_doctype(text, ""), times)

    def entity_bomb(self, times: int | None = None) -> None:
        """Answer with entities that grow to a gigabyte."""
        subset = f'[<!ENTITY e0 "bombbomb">{_BOMB}]'
        self._rewrite(
            lambda text: self._with_doctype(text, subset).replace("<msid>", "<msid>&e9;"),
            times,
        )

    def misplaced(self, times: int | None = None) -> None:
        """Answer with the shape in geo_info, beside the position data instead of in it."""
        self._rewrite(
            lambda text: text.replace("<shape>", "<geo_info><shape>").replace(
                "</shape>", "</shape></geo_info>"
            ),
            times,
        )

    # How it answers

    def _handle(self, request: LabRequest) -> LabResponse:
        if request.method != "POST":
            self.fetches += 1
            return LabResponse(405)
        try:
            asked = read_request(request.body, self._reactor.seconds())
        except Malformed:
            return _ok(f'<gem ver="3.2.0">{xml.result(SYNTAX_ERROR)}</gem>')
        self.requests.append(asked)
        answer = self._answer(asked)
        if self.watch is not None:
            self.watch(asked, answer)
        return answer

    def _answer(self, asked: MlpRequest) -> LabResponse:
        if self._trouble is None or self._times == 0:
            return self._behaved(asked)
        if self._times is not None:
            self._times -= 1
        return self._trouble(asked)

    def _make(self, trouble: Callable[[MlpRequest], LabResponse], times: int | None) -> None:
        self._trouble, self._times = trouble, times

    def _rewrite(self, change: Callable[[str], str], times: int | None) -> None:
        def answer(asked: MlpRequest) -> LabResponse:
            proper = self._behaved(asked)
            return replace(proper, body=change(proper.body.decode()).encode())

        self._make(answer, times)

    def _shape(
        self,
        shape: Callable[[Phone], str],
        times: int | None,
        *,
        lev_conf: int | None = CELL_CONFIDENCE,
        msid: str = "",
    ) -> None:
        def answer(asked: MlpRequest) -> LabResponse:
            phone = self._phones.get(_key(asked.msid))
            if phone is None:
                return self._behaved(asked)
            content = xml.pd(shape(phone), self._reactor.seconds(), lev_conf)
            return _ok(xml.svc_result(asked, xml.position(asked, "CELL", content, msid=msid)))

        self._make(answer, times)

    def _behaved(self, asked: MlpRequest) -> LabResponse:
        return replace(
            _ok(xml.svc_result(asked, self._refusal(asked) or self._found(asked))),
            delay_s=self._fast_after_s if asked.is_fast else self._accurate_after_s,
        )

    def _refusal(self, asked: MlpRequest) -> str:
        if asked.service not in ANSWERS or asked.service not in self._services:
            return xml.result(SERVICE_NOT_SUPPORTED)
        if self._versions is not None and asked.version not in self._versions:
            return xml.result(UNSUPPORTED_VERSION)
        if self._password is not None and asked.password != self._password:
            return xml.result(UNAUTHORIZED)
        return ""

    def _found(self, asked: MlpRequest) -> str:
        phone = self._phones.get(_key(asked.msid))
        if phone is None:
            return xml.position_error(asked, UNKNOWN_SUBSCRIBER, self._reactor.seconds())
        is_asked_for_last = "LAST" in asked.loc_type and phone.is_remembered
        if phone.seen_at is not None and not is_asked_for_last:
            return xml.position_error(asked, ABSENT_SUBSCRIBER, self._reactor.seconds())
        at = self._reactor.seconds() if phone.seen_at is None else phone.seen_at
        if asked.is_fast or phone.seen_at is not None or phone.method == "CELL":
            cell = xml.circle(phone.place, phone.radius_m)
            return xml.position(asked, "CELL", xml.pd(cell, at, CELL_CONFIDENCE))
        fine = xml.ellipse(phone.place, phone.fine_m, phone.fine_m / 2)
        return xml.position(asked, phone.method, xml.pd(fine, at, GNSS_CONFIDENCE))

    def _with_doctype(self, text: str, subset: str) -> str:
        return text.replace(
            "<svc_result", f'<!DOCTYPE svc_result SYSTEM "{self.url}dtd" {subset}><svc_result'
        )


def _key(msisdn: str) -> str:
    return Msisdn.parse(msisdn).number


def _ok(body: str) -> LabResponse:
    return LabResponse(200, body.encode(), (("Content-Type", "application/xml"),))
