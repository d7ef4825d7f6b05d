"""Serves the location URL: the holder of an incident's token learns where the phone is while the incident is open.

``GET /v1/location/<token>`` gives PIDF-LO, or JSON to who asks for it, ``POST`` of a HELD locationRequest HELD's answer (RFC 6753). The
INVITE to 112 carries this URL in its Geolocation header (RFC 6442).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import structlog
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.defer import TimeoutError as GaveUp
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from telephony.background import run_in_background
from telephony.clock import Clock, utc_now, within
from telephony.domain.errors import Unavailable
from telephony.domain.location_token import sought_digests
from telephony.domain.position import REPORT_CONFIDENCE, Position
from telephony.doors.answers import JSON_TYPE, PROBLEM_TYPE, Code, Done, Problem
from telephony.doors.json_door import header
from telephony.psap.pidf_lo import (
    HELD_TYPE,
    LOCATION_UNKNOWN,
    PIDF_TYPE,
    HeldError,
    held_error,
    location_response,
    presence,
    read_request,
)
from telephony.store.calls import TokenHolder

log = structlog.get_logger()

FIND_WITHIN_S: Final = 2.0
"""Time-out of the store, which answers in a millisecond when it is well."""

FINDING_AT_ONCE: Final = 4
"""Questions with the store. Its readers serve the relay too: a flood of askers has to wait here, not before them."""

RETRY_STORE_S: Final = 2
RETRY_UNKNOWN_S: Final = 2
"""The INVITE with the URL leaves before its call is in the store: a quick asker may be ahead of it."""
RETRY_POSITION_S: Final = 5
"""About the time in which a carrier's first position comes."""

STRANGERS_TOLD: Final = 10
"""Log lines in a second about requests with an unknown token."""

METHODS: Final = (b"GET", b"HEAD", b"POST")

_TOKEN = re.compile(rb"[A-Za-z0-9_-]{20,128}")
_QUALITY = re.compile(r"q=([01](?:\.\d{0,3})?)")


Digests = tuple[bytes, ...]
Find = Callable[[Digests], Awaitable[TokenHolder | None]]
"""Gives the incident of a token, asked by the digests that it may be kept by. May raise `Unavailable`."""
Saw = Callable[[str], None]
"""Is told the incident whose position is given out, for the audit chain. Never waits, never raises: safety goes first."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer. ``holder`` is the incident it is about, ``None`` for an unknown token."""

    status: int
    body: bytes = b""
    content_type: str | None = None
    retry_after_s: int | None = None
    holder: TokenHolder | None = None
    has_position: bool = False


NO_POSITION: Final = Problem(
    HTTPStatus.NOT_FOUND, Code.NO_POSITION, "no position is known yet: ask again in a few seconds"
)
NOT_FOUND: Final = Answer(404)
UNKNOWN: Final = Answer(404, retry_after_s=RETRY_UNKNOWN_S)
UNAVAILABLE: Final = Answer(503, retry_after_s=RETRY_STORE_S)
METHOD_NOT_ALLOWED: Final = Answer(405)


class LocationResource(Resource):
    """Serves the location URL.

    ``host`` says who we are in PIDF-LO's ``entity``, domain-like.
    """

    isLeaf = True  # noqa: N815 - Twisted's name

    def __init__(self, find: Find, *, host: str, clock: Clock, saw: Saw) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._saw = saw
        self._host = host
        self._clock = clock
        self._question = _Question(find, clock)
        self._strangers = _Strangers(clock)

    def render(self, request: Any) -> Any:
        """Answer, at once or when the store has."""
        token = request.postpath[0] if len(request.postpath) == 1 else b""
        if request.method not in METHODS:
            self._send(request, METHOD_NOT_ALLOWED)
        elif not _TOKEN.fullmatch(token):
            self._send(request, NOT_FOUND)
        else:
            answering = run_in_background(self._answer(request, sought_digests(token)), "location URL")
            request.notifyFinish().addErrback(lambda _: answering.cancel())
        return NOT_DONE_YET

    async def _answer(self, request: Any, digests: Digests) -> None:
        try:
            holder = await self._question.ask(digests)
        except CancelledError:
            raise  # the asker has gone
        except (Unavailable, GaveUp):
            answer = UNAVAILABLE
        except Exception:
            # After any defect of ours the asker must hear that asking again may help.
            log.exception("location not looked up")
            answer = UNAVAILABLE
        else:
            answer = self._for_holder(request, holder)
        if answer.has_position and answer.holder is not None:
            self._saw(answer.holder.incident_id)
        self._send(request, answer)

    def _for_holder(self, request: Any, holder: TokenHolder | None) -> Answer:
        if holder is None:
            return UNKNOWN
        if not holder.is_open:
            return Answer(410, holder=holder)
        if request.method == b"POST":
            asked = read_request(request.content.read())
            if isinstance(asked, HeldError):
                return Answer(200, held_error(asked), HELD_TYPE, holder=holder)
            return self._held(holder)
        accept = header(request, b"accept") or ""
        if prefers_json(accept):
            return self._json(holder)
        return self._held(holder) if prefers_held(accept) else self._plain(holder)

    def _held(self, holder: TokenHolder) -> Answer:
        if holder.best is None:
            # HELD tells its errors in the document; the status is about HTTP (RFC 5985, examples of clause 10).
            return Answer(200, held_error(LOCATION_UNKNOWN), HELD_TYPE, holder=holder)
        body = self._write(location_response, holder)
        return Answer(200, body, HELD_TYPE, holder=holder, has_position=True)

    def _plain(self, holder: TokenHolder) -> Answer:
        if holder.best is None:
            # A client that expects PIDF-LO goes by the status alone.
            return Answer(404, held_error(LOCATION_UNKNOWN), HELD_TYPE, RETRY_POSITION_S, holder)
        return Answer(200, self._write(presence, holder), PIDF_TYPE, holder=holder, has_position=True)

    def _json(self, holder: TokenHolder) -> Answer:
        if holder.best is None:
            return Answer(404, NO_POSITION.octets, PROBLEM_TYPE, RETRY_POSITION_S, holder)
        body = Done(
            HTTPStatus.OK, {"incident": holder.incident_id, "position": position_as_json(holder.best)}
        )
        return Answer(200, body.octets, JSON_TYPE, holder=holder, has_position=True)

    def _write(self, write: Callable[..., bytes], holder: TokenHolder) -> bytes:
        return write(
            holder.best,
            incident_id=holder.incident_id,
            host=self._host,
            msisdn=holder.msisdn,
            now=utc_now(self._clock),
        )

    def _send(self, request: Any, answer: Answer) -> None:
        self._tell(answer)
        request.setResponseCode(answer.status)
        request.setHeader("Cache-Control", "no-store")
        request.setHeader("Content-Length", str(len(answer.body)))
        if answer.content_type is not None:
            request.setHeader("Content-Type", answer.content_type)
        if answer.retry_after_s is not None:
            request.setHeader("Retry-After", str(answer.retry_after_s))
        if answer is METHOD_NOT_ALLOWED:
            request.setHeader("Allow", b", ".join(METHODS))
        if answer.holder is not None and answer.holder.is_open:
            request.setHeader("Connection", "keep-alive")
        request.write(answer.body)
        request.finish()

    def _tell(self, answer: Answer) -> None:
        if answer.holder is None:
            self._strangers.tell(answer.status)
        else:
            log.info(
                "location asked",
                incident=answer.holder.incident_id,
                status=answer.status,
                has_position=answer.has_position,
            )


class _Question:
    """The store, asked a bounded number of questions at once.

    An asker gives up after a time; the question itself stays with the store and keeps its place until it is answered.
    So a store that hangs collects no more than these.
    """

    def __init__(self, find: Find, clock: Clock) -> None:
        self._find = find
        self._clock = clock
        self._places = DeferredSemaphore(FINDING_AT_ONCE)

    def ask(self, digests: Digests) -> Deferred[TokenHolder | None]:
        """Fails as ``find`` does, and with Twisted's `TimeoutError`."""
        return within(Deferred.fromCoroutine(self._ask(digests)), FIND_WITHIN_S, self._clock)

    async def _ask(self, digests: Digests) -> TokenHolder | None:
        await self._places.acquire()
        answer: Deferred[TokenHolder | None] = Deferred()
        asked = Deferred.fromCoroutine(self._asked(digests))
        # A request that was given up has cancelled the answer; Twisted drops one that comes afterwards.
        asked.addBoth(self._leave_place).addBoth(answer.callback)
        return await answer

    async def _asked(self, digests: Digests) -> TokenHolder | None:
        return await self._find(digests)

    def _leave_place(self, result: Any) -> Any:
        self._places.release()
        return result


class _Strangers:
    """Logs requests with an unknown token: a few in a second, so that a flood of them costs no other lines."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = -1
        self._told = 0
        self._untold = 0

    def tell(self, status: int) -> None:
        """Log an answer, or count it: ``untold_total`` of the next line says how many went without."""
        second = int(self._clock.seconds())
        if second != self._second:
            self._second, self._told = second, 0
        if self._told == STRANGERS_TOLD:
            self._untold += 1
            return
        self._told += 1
        log.info("location asked", status=status, has_position=False, untold_total=self._untold)
        self._untold = 0


def position_as_json(position: Position) -> Mapping[str, Any]:
    """Return a position with its circle at the confidence at which 112 reads every circle; what is not known is ``None``."""
    fixed_at = position.fixed_at
    return {
        "latitude": position.latitude,
        "longitude": position.longitude,
        "uncertainty_m": position.radius_at(),
        "confidence_percent": None if position.uncertainty_m is None else REPORT_CONFIDENCE,
        "altitude_m": position.altitude_m,
        "method": position.method,
        "source": position.source,
        "measured_at": None if fixed_at is None else fixed_at.isoformat(timespec="seconds"),
        "received_at": position.received_at.isoformat(timespec="seconds"),
    }


def prefers_held(accept: str) -> bool:
    """Whether an Accept header (RFC 9110 section 12.5.1) wants HELD's document rather than PIDF-LO alone."""
    quality = _qualities(accept)
    return quality(HELD_TYPE) > quality(PIDF_TYPE)


def prefers_json(accept: str) -> bool:
    """Whether it wants JSON rather than either."""
    quality = _qualities(accept)
    return quality(JSON_TYPE) > max(quality(HELD_TYPE), quality(PIDF_TYPE))


def _qualities(accept: str) -> Callable[[str], float]:
    """Return how much an Accept header wants a media type of ``application``."""
    qualities = {"*/*": 0.0}
    for item in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in item.split(";"))
        stated = next((found for part in parameters if (found := _QUALITY.fullmatch(part))), None)
        qualities[kind] = 1.0 if stated is None else float(stated[1])
    anything = qualities.get("application/*", qualities["*/*"])
    return lambda kind: qualities.get(kind, anything)
