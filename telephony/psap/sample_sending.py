"""Sends samples to a centre as the daemon sends its reports, and keeps what the centre answered to each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from telephony.clock import Clock
from telephony.domain.delivery import Delivered, Outcome, Rejected, Retry
from telephony.domain.heartbeat import Heartbeat
from telephony.net.http.client import HttpClient, HttpFailed, HttpResponse
from telephony.psap.client import CapHttpSender
from telephony.psap.samples import Sample


class Made(StrEnum):
    """What the daemon would make of an answer."""

    DELIVERED = "delivered"
    RETRY = "retry"
    """It would send the report again."""
    REJECTED = "rejected"
    """It would give the report up: the next one says everything again."""
    NOT_SENT = "not-sent"
    """The centre had answered nothing to the sample before."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sample and what came of it. ``status`` is the HTTP status, ``None`` where there was none."""

    sample: Sample
    made: Made
    status: int | None = None
    took_ms: float | None = None
    reason: str = ""
    """What the centre said, or why there is no answer."""


class ObservedClient(HttpClient):
    """A client that keeps the status of the last answer."""

    status: int | None = None

    def post(self, *request: Any, **more: Any) -> Deferred[HttpResponse]:
        """Send one request, as `HttpClient.post`."""
        return super().post(*request, **more).addBoth(self._see)

    def _see(self, result: HttpResponse | Failure) -> HttpResponse | Failure:
        seen = result.value if isinstance(result, Failure) else result
        response = seen.partial if isinstance(seen, HttpFailed) else seen
        self.status = response.status if isinstance(response, HttpResponse) else None
        return result


async def attempts(
    samples: Sequence[Sample], sender: CapHttpSender, http: ObservedClient, clock: Clock
) -> AsyncIterator[Attempt]:
    """Send each sample once, one after the other, and yield what came of it; never raises for what the centre does.

    ``http`` is the sender's. Once a sample got no answer at all the rest are not sent: each would wait out the time-out.
    """
    is_answering = True
    for sample in samples:
        if not is_answering:
            yield Attempt(sample, Made.NOT_SENT)
            continue
        began_s = clock.seconds()
        outcome = await _sent(sample, sender)
        took_ms = (clock.seconds() - began_s) * 1000
        is_answering = http.status is not None
        yield Attempt(sample, _made(outcome), http.status, took_ms, _reason(outcome))


async def _sent(sample: Sample, sender: CapHttpSender) -> Outcome:
    if isinstance(sample.content, Heartbeat):
        return await sender.send_heartbeat(sample.content)
    return await sender.send(sample.content)


def _made(outcome: Outcome) -> Made:
    match outcome:
        case Retry():
            return Made.RETRY
        case Rejected():
            return Made.REJECTED
        case _:
            return Made.DELIVERED


def _reason(outcome: Outcome) -> str:
    match outcome:
        case Retry(reason) | Rejected(reason):
            return reason
        case Delivered(detail):
            return detail
        case _:
            return ""
