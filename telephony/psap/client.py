"""Sends reports to a 112 centre as CAP 1.2 by HTTP POST."""

from __future__ import annotations

from datetime import tzinfo

from telephony.domain.delivery import ALERT, Delivered, Outcome, Rejected, Retry
from telephony.domain.report import Report
from telephony.http1 import HttpClient, HttpFailed, HttpResponse
from telephony.http1_wire import is_header_value
from telephony.psap.cap import CONTENT_TYPE, KST, encode
from telephony.psap.cap_answer import Ack, Doubtful, Error, Failure, read_answer
from telephony.psap.settings import CapHttpChannel, Psap
from telephony.services.alarms import Alarms

ALARM = "answer-doubtful"
"""A centre answers 2xx with what is not plainly an acknowledgement of the report. About its channel."""

MOST_DOUBTS = 6
"""Attempts after whose doubtful answers an update or a closing is given up: as many as the waits grow for."""
MOST_IN_DOUBT = 10_000
"""Reports whose doubtful answers are counted at once; the count of the oldest begins anew."""

SHORTEST_WAIT_S = 1.0
LONGEST_WAIT_S = 15.0
"""Bounds on a centre's Retry-After: the first and the last step of our own schedule."""


class CapHttpSender:
    """One ``cap-http`` channel of one centre.

    ``http`` is this channel's own client, with its TLS and its ``concurrency`` as the number of connections.
    ``authorization`` is the whole value of the Authorization header. Raises `ValueError` where that is nothing
    HTTP can carry, so that a wrong secret is found at the start and not by the first press.
    """

    def __init__(
        self,
        channel: CapHttpChannel,
        psap: Psap,
        http: HttpClient,
        authorization: str | None,
        *,
        alarms: Alarms,
        zone: tzinfo = KST,
    ) -> None:
        if authorization is not None and not (authorization and is_header_value(authorization)):
            raise ValueError(
                f"the authorization of channel {channel.name} must be printable ASCII on one line"
            )
        self._psap = psap
        self._http = http
        self._alarms = alarms
        self._name = channel.name
        self._doubts: dict[str, int] = {}
        self._zone = zone
        self._url = str(channel.url)
        self._timeout_s = channel.timeout_s
        self._headers = [("Content-Type", CONTENT_TYPE), ("User-Agent", "onetouch")]
        if authorization is not None:
            self._headers.append(("Authorization", authorization))

    async def send(self, report: Report) -> Outcome:
        """Post one report once. 2xx is the centre's acknowledgement; nothing the centre does raises.

        Every failure but one is `Retry`, a refused password too: people repair it, and the report must then still
        be here. The one is CAP's own Error to an Update or a closing: it would hold up the next report, which
        says everything again; so it is `Rejected`, and the operator hears of it. So is one whose answers stay doubtful.
        An Alert stays `Retry` even then: nothing else may take the place of the first word that someone is in danger.
        """
        body = encode(
            report,
            sender=self._psap.sender,
            addresses=self._psap.addresses,
            language=self._psap.language,
            zone=self._zone,
        )
        headers = [*self._headers, ("Idempotency-Key", report.report_id)]
        try:
            response = await self._http.post(self._url, body, headers, self._timeout_s)
        except HttpFailed as failed:
            outcome = outcome_of_part(failed, report)
        else:
            outcome = outcome_of(response, report)
        self._alarm(outcome)
        return self._without_end_of_doubt(outcome, report)

    def _alarm(self, outcome: Outcome) -> None:
        """Raise the alarm at the first doubtful answer, and end it with the next acknowledgement."""
        if isinstance(outcome, Retry) and outcome.is_doubtful:
            self._alarms.raise_(ALARM, self._name, reason=outcome.reason)
        elif isinstance(outcome, Delivered):
            self._alarms.clear(ALARM, self._name)

    def _without_end_of_doubt(self, outcome: Outcome, report: Report) -> Outcome:
        """Give up what has been doubted often and holds up the report after it."""
        doubts = self._doubts.pop(report.report_id, 0) + 1
        if not (isinstance(outcome, Retry) and outcome.is_doubtful) or report.kind == ALERT:
            return outcome
        if doubts >= MOST_DOUBTS:
            return Rejected(outcome.reason)
        while len(self._doubts) >= MOST_IN_DOUBT:
            del self._doubts[next(iter(self._doubts))]
        self._doubts[report.report_id] = doubts
        return outcome


def outcome_of(response: HttpResponse, report: Report) -> Outcome:
    """Read what a centre's answer means for a report."""
    if not response.is_success:
        return Retry(f"the centre answered {response.status}", retry_after_s(response))
    match read_answer(response.body, report.report_id):
        case None:
            return Delivered(str(response.status))
        case Ack(note=note):
            return Delivered(f"{response.status} Ack {note}".rstrip())
        case Doubtful(reason=reason):
            told = f"the centre answered {response.status}, but {reason}"
            return Retry(told, retry_after_s(response), is_doubtful=True)
        case Failure(words=words):
            return Retry(
                f"the centre answered {response.status} and an error: {words}", retry_after_s(response)
            )
        case Error(note=note):
            told = f"the centre answered with a CAP Error: {note or 'no reason given'}"
            return Retry(told) if report.kind == ALERT else Rejected(told)


def outcome_of_part(failed: HttpFailed, report: Report) -> Outcome:
    """Read what is there of an answer that did not end as it announced; CAP shows by itself that it is whole."""
    response = failed.partial
    if response is None or not response.is_success:
        return Retry(failed.reason)
    if isinstance(read_answer(response.body, report.report_id), Ack | Error):
        return outcome_of(response, report)
    return Retry(f"the centre answered {response.status}, but: {failed.reason}", is_doubtful=True)


def retry_after_s(response: HttpResponse) -> float | None:
    """Read Retry-After (RFC 9110 section 10.2.3) within our bounds; ``None`` where there is none to use.

    A date counts as the longest wait: its meaning hangs on two clocks.
    """
    raw = (response.header(b"retry-after") or b"").strip()
    if not raw:
        return None
    if not raw.isdigit():
        return LONGEST_WAIT_S
    seconds = float(raw[:9])
    return min(max(seconds, SHORTEST_WAIT_S), LONGEST_WAIT_S)
