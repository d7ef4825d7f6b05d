"""What every JSON door does alike: it takes a request apart, lets in who is known, and answers, whatever happens."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import structlog
from twisted.internet.defer import CancelledError
from twisted.internet.defer import TimeoutError as GaveUp
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from telephony.background import run_in_background
from telephony.domain.errors import Unavailable
from telephony.doors.answers import Answer, Code, Problem

log = structlog.get_logger()

RETRY_S: Final = 2
"""What an asker is told to wait: about the time in which a store that was away is tried again."""
NO_SUCH_PATH: Final = Problem(
    HTTPStatus.NOT_FOUND,
    Code.NO_SUCH_PATH,
    "there is nothing at this path: see the documents for those that there are",
)


def unavailable(detail: str, code: Code = Code.UNAVAILABLE) -> Problem:
    """Return the problem of a request that may succeed later."""
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, code, detail, retry_after_s=RETRY_S)


NOT_NOW: Final = unavailable("the store does not answer now: send the same request again")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, taken apart. ``path`` are the segments behind the door's own, ``host`` is the address at the other end."""

    method: str
    path: Sequence[str]
    host: str
    authorization: str | None = field(repr=False)
    idempotency_key: str | None
    body: bytes = field(repr=False)


class JsonDoor(Resource):
    """A resource that answers what `respond` says. What is under way goes on when the asker hangs up: it is no one's loss but theirs."""

    isLeaf = True  # noqa: N815 - Twisted's name

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def render(self, request: Any) -> Any:
        """Answer, at once or when all is done."""
        asker = _Asker(request)
        run_in_background(self._answer(asker, _taken_apart(request)), "door")
        return NOT_DONE_YET

    @abstractmethod
    async def respond(self, asked: Asked) -> Answer:
        """Return the answer. `Unavailable` and a time-out are answered 503, and so is a defect of ours."""

    async def _answer(self, asker: _Asker, asked: Asked) -> None:
        try:
            answer = await self.respond(asked)
        except CancelledError:
            raise
        except (Unavailable, GaveUp):
            answer = NOT_NOW
        except Exception:
            # After any defect of ours the asker must hear that asking again may help.
            log.exception("request not answered by a defect")
            answer = NOT_NOW
        asker.send(answer)


class _Asker:
    """Who waits for the answer, unless they have hung up."""

    def __init__(self, request: Any) -> None:
        self._request = request
        self._is_there = True
        request.notifyFinish().addBoth(self._left)

    def _left(self, _: object) -> None:
        self._is_there = False

    def send(self, answer: Answer) -> None:
        """Send the answer, and let a known machine keep its connection."""
        if not self._is_there:
            return
        request, octets = self._request, answer.octets
        request.setResponseCode(int(answer.status))
        request.setHeader("Cache-Control", "no-store")
        request.setHeader("Content-Length", str(len(octets)))
        if answer.content_type is not None:
            request.setHeader("Content-Type", answer.content_type)
        is_known = True
        if isinstance(answer, Problem):
            is_known = answer.challenge is None and answer is not NO_SUCH_PATH and answer.allow is None
            _send_headers(request, answer)
        if is_known:
            request.setHeader("Connection", "keep-alive")
        request.write(octets)
        request.finish()


def _send_headers(request: Any, problem: Problem) -> None:
    if problem.retry_after_s is not None:
        request.setHeader("Retry-After", str(problem.retry_after_s))
    if problem.allow is not None:
        request.setHeader("Allow", problem.allow)
    if problem.challenge is not None:
        request.setHeader("WWW-Authenticate", problem.challenge)


def not_allowed(method: str) -> Problem:
    """Return the problem of a request with another method than the one that there is."""
    return Problem(
        HTTPStatus.METHOD_NOT_ALLOWED, Code.METHOD_NOT_ALLOWED, f"send {method} to this path", allow=method
    )


def header(request: Any, name: bytes) -> str | None:
    """Return a header's value, whatever octets are in it: Twisted raises for what is no UTF-8."""
    value: bytes | None = request.getHeader(name)
    return None if value is None else value.decode("latin-1")


def _taken_apart(request: Any) -> Asked:
    return Asked(
        request.method.decode("latin-1"),
        [segment.decode("latin-1") for segment in request.postpath],
        str(getattr(request.getClientAddress(), "host", "")),
        header(request, b"authorization"),
        header(request, b"idempotency-key"),
        request.content.read(),
    )
