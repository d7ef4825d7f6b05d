"""Simulates a 112 centre: takes CAP reports by HTTP, keeps them as received, fails on demand."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from lxml import etree
from twisted.internet.defer import Deferred, maybeDeferred

from telephony.domain.heartbeat import MISSES
from telephony.lab.centre.http_server import LabHttpServer, LabRequest, LabResponse

CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
HEARTBEATS_KEPT: Final = 1_000
"""Heartbeats that are kept; a lab may stand for weeks."""


@dataclass(frozen=True)
class ReceivedReport:
    """One report as the centre got it: the very bytes, and what a reader of CAP sees in them.

    ``at`` is the reactor's time of arrival, ``key`` the Idempotency-Key. It is read and validated only when a test
    looks, so that a centre under load only has to keep it. The views of an unreadable document are empty.
    """

    at: float
    key: str
    raw: bytes = field(repr=False)

    @cached_property
    def fault(self) -> str | None:
        """The fault of the document: no XML, or what the schema finds; ``None`` for a valid one."""
        if self._root is None:
            return "no XML"
        schema = _schema()
        if schema.validate(self._root):
            return None
        return str(schema.error_log)

    @property
    def is_valid(self) -> bool:
        """Whether it fits the schema."""
        return self.fault is None

    @property
    def identifier(self) -> str:
        """CAP identifier."""
        return self._text("identifier")

    @property
    def msg_type(self) -> str:
        """CAP msgType."""
        return self._text("msgType")

    @property
    def status(self) -> str:
        """CAP status."""
        return self._text("status")

    @property
    def incident(self) -> str:
        """CAP incidents: one of ours always names one."""
        return self._text("incidents")

    @property
    def is_heartbeat(self) -> bool:
        """Whether it is a sign of life and no report: our CAP code, and the status of a message of the network or of a sample."""
        return self._text("code") == "heartbeat" and self.status in ("System", "Test")

    @property
    def heartbeat_interval_s(self) -> float | None:
        """When the next heartbeat is to come; ``None`` where it does not say so in seconds."""
        (said,) = self.parameters.get("heartbeat-interval-s", ("",))[:1]
        return float(said) if said.replace(".", "", 1).isdigit() else None

    @property
    def references(self) -> tuple[str, ...]:
        """CAP references: ``sender,identifier,sent`` each."""
        return tuple(self._text("references").split())

    @property
    def headline(self) -> str:
        """CAP headline of the first info."""
        return self._text("info", "headline")

    @property
    def circle(self) -> str | None:
        """CAP circle as written, ``latitude,longitude radius_km``; ``None`` without one."""
        return self._text("info", "area", "circle") or None

    @property
    def circles(self) -> tuple[str, ...]:
        """Every CAP circle in it, as written."""
        found = () if self._root is None else self._root.iter(f"{CAP}circle")
        return tuple(circle.text or "" for circle in found)

    @cached_property
    def parameters(self) -> Mapping[str, tuple[str, ...]]:
        """Every parameter's values in order, by name."""
        found: dict[str, tuple[str, ...]] = {}
        for parameter in () if self._root is None else self._root.iter(f"{CAP}parameter"):
            name = parameter.findtext(f"{CAP}valueName", "")
            found[name] = (*found.get(name, ()), parameter.findtext(f"{CAP}value", ""))
        return MappingProxyType(found)

    @cached_property
    def _root(self) -> etree._Element | None:
        try:
            return etree.fromstring(self.raw, etree.XMLParser(resolve_entities=False, no_network=True))
        except (etree.XMLSyntaxError, ValueError):
            return None

    def _text(self, *path: str) -> str:
        if self._root is None:
            return ""
        return self._root.findtext("/".join(CAP + name for name in path), "")


class LabPsap:
    """The centre. ``reports`` are first arrivals in order; ``repeats`` counts what the key showed to be known.

    ``violations`` lists, in words, every breach of the contract: a repeat with other content, a missing key.
    ``heartbeats`` are kept apart: the last `HEARTBEATS_KEPT`. ``warnings`` lists, in words, each time that neither one of them nor
    a report came for three intervals.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._server = LabHttpServer(reactor, self._take)
        self._port: Any = None
        self._address = ("127.0.0.1", 0)
        self._trouble: LabResponse | None = None
        self._takes_first = False
        self._waiting: list[tuple[Callable[[LabPsap], bool], Deferred[None]]] = []
        self._by_key: dict[str, ReceivedReport] = {}
        self.reports: list[ReceivedReport] = []
        self.heartbeats: deque[ReceivedReport] = deque(maxlen=HEARTBEATS_KEPT)
        self.warnings: list[str] = []
        self.warn: Callable[[str], None] | None = None
        """Told of each warning."""
        self._silences: dict[str, _Silence] = {}
        """By service: the call that comes when it has been silent for too long."""
        self.repeats = 0
        self.requests = 0
        self._refusal: tuple[int, Callable[[bytes], bool]] | None = None
        self.violations: list[str] = []
        self.watch: Callable[[ReceivedReport, LabResponse], None] | None = None
        """Told of every request and of its answer, whether it was taken or not."""

    @property
    def port(self) -> int:
        """The TCP port it listens on, also while it is down."""
        return self._address[1]

    @property
    def url(self) -> str:
        """Where reports go."""
        return f"http://{self._address[0]}:{self.port}/cap"

    @property
    def connections_made(self) -> int:
        """How many connections came so far."""
        return self._server.connections_made

    async def listen(self, interface: str = "127.0.0.1", port: int = 0) -> None:
        """Open the centre; port 0 takes a free one, which is then kept."""
        self._port = await self._server.listen(interface, port)
        self._address = (interface, self._port.getHost().port)

    async def close(self) -> None:
        """Close the centre and every connection to it; nobody watches for heartbeats any more."""
        for silence in self._silences.values():
            silence.end()
        self._silences.clear()
        await self._shut()

    async def _shut(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            await maybeDeferred(port.stopListening)
        self._server.drop_connections()

    # Verbs of trouble; each stays until the next verb.

    async def go_down(self) -> None:
        """Refuse connections, as a host whose server is not running. Its people still wait for a heartbeat."""
        await self._shut()

    def refuse(self, status: int = 503, *, retry_after: str | None = None) -> None:
        """Answer this status and take nothing."""
        headers = () if retry_after is None else (("Retry-After", retry_after),)
        self._be_in_trouble(LabResponse(status, headers=headers))

    def refuse_if(self, status: int, is_refused: Callable[[bytes], bool]) -> None:
        """Answer this status, and take nothing, to each report whose octets are such; take all others."""
        self._refusal = (status, is_refused)

    def hang(self) -> None:
        """Take nothing and never answer."""
        self._be_in_trouble(LabResponse(never=True))

    def drop_before_receiving(self) -> None:
        """Take nothing and close instead of answering."""
        self._be_in_trouble(LabResponse(close_instead=True))

    def drop_after_receiving(self) -> None:
        """Take the report, then close instead of answering."""
        self._be_in_trouble(LabResponse(close_instead=True), takes_first=True)

    def slow(self, seconds: float) -> None:
        """Take the report at once, acknowledge it that much later."""
        self._be_in_trouble(LabResponse(delay_s=seconds), takes_first=True)

    def answer(self, status: int = 200, body: bytes = b"", *, truncate_at: int | None = None) -> None:
        """Take the report and answer this, cut short where asked."""
        self._be_in_trouble(LabResponse(status, body, truncate_at=truncate_at), takes_first=True)

    def answer_rubbish(self) -> None:
        """Take the report and answer what is no HTTP."""
        self._be_in_trouble(LabResponse(raw=b"\x00\xff this is no HTTP \r\n\r\n"), takes_first=True)

    async def come_back(self) -> None:
        """End all trouble."""
        self._trouble = self._refusal = None
        if self._port is None:
            await self.listen(*self._address)

    def wait_for(self, predicate: Callable[[LabPsap], bool]) -> Deferred[None]:
        """Fire as soon as the condition on this centre holds; checked again after every request.

        There is no time-out here: the asker puts one, on its clock, and cancels.
        """
        done: Deferred[None] = Deferred()
        if predicate(self):
            done.callback(None)
        else:
            self._waiting.append((predicate, done))
        return done

    def of_incident(self, incident: str) -> list[ReceivedReport]:
        """Return the reports of one incident in order of arrival."""
        return [report for report in self.reports if report.incident == incident]

    def _be_in_trouble(self, response: LabResponse, *, takes_first: bool = False) -> None:
        self._trouble = response
        self._takes_first = takes_first

    def _take(self, request: LabRequest) -> LabResponse:
        self.requests += 1
        trouble = self._trouble
        if trouble is None and self._refusal is not None and self._refusal[1](request.body):
            trouble = LabResponse(self._refusal[0])
        if trouble is None or self._takes_first:
            self._keep(request)
        if self.watch is not None:
            self.watch(self._read(request), trouble or LabResponse())
        self._tell_waiting()
        return trouble or LabResponse()

    def _read(self, request: LabRequest) -> ReceivedReport:
        key = (request.header(b"idempotency-key") or b"").decode("latin-1")
        return ReceivedReport(self._reactor.seconds(), key, request.body)

    def _keep(self, request: LabRequest) -> None:
        report = self._read(request)
        key = report.key
        if not key:
            self.violations.append("a report without Idempotency-Key")
        if report.is_heartbeat:
            self._beat(report)
            return
        for silence in self._silences.values():
            silence.begin_again()
        known = self._by_key.get(key)
        if known is not None and key:
            self.repeats += 1
            if known.raw != request.body:
                self.violations.append(f"a repeat of {key} with other content")
            return
        self._by_key[key] = report
        self.reports.append(report)

    def _beat(self, heartbeat: ReceivedReport) -> None:
        self.heartbeats.append(heartbeat)
        interval_s = heartbeat.heartbeat_interval_s
        if interval_s is None:
            self.violations.append("a heartbeat without heartbeat-interval-s")
        elif heartbeat.status == "System":
            (service,) = heartbeat.parameters.get("service", ("",))
            former = self._silences.pop(service, None)
            if former is not None:
                former.end()
            self._silences[service] = _Silence(self._reactor, service, MISSES * interval_s, self._is_silent)

    def _is_silent(self, told: str) -> None:
        self.warnings.append(told)
        if self.warn is not None:
            self.warn(told)

    def _tell_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for predicate, done in waiting:
            if done.called:
                continue
            if predicate(self):
                done.callback(None)
            else:
                self._waiting.append((predicate, done))


class _Silence:
    """The time in which nothing comes from a service that sends heartbeats; told once when it has lasted too long."""

    def __init__(self, reactor: Any, service: str, longest_s: float, tell: Callable[[str], None]) -> None:
        self._reactor = reactor
        self._longest_s = longest_s
        self._told = (
            f"neither a heartbeat nor a report of {service} for {longest_s:g} s: telephone its operators"
        )
        self._tell = tell
        self._call = reactor.callLater(longest_s, tell, self._told)

    def begin_again(self) -> None:
        """Count from now."""
        self.end()
        self._call = self._reactor.callLater(self._longest_s, self._tell, self._told)

    def end(self) -> None:
        """Count no more."""
        if self._call.active():
            self._call.cancel()


@cache
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(
        etree.fromstring(files("telephony.psap").joinpath("schemas/CAP-v1.2.xsd").read_bytes())
    )
