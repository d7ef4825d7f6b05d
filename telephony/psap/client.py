"""Sends reports to a 112 centre as CAP 1.2 by HTTP POST."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

from telephony.alarms import Alarms
from telephony.domain.delivery import ALERT, Delivered, Outcome, Rejected, Retry
from telephony.domain.heartbeat import Heartbeat
from telephony.domain.report import Report
from telephony.net.http.client import HttpClient, HttpFailed, HttpResponse
from telephony.net.http.wire import is_header_value
from telephony.psap.cap import CONTENT_TYPE, encode
from telephony.psap.cap_answer import Ack, Doubtful, Error, Failure, read_answer
from telephony.psap.heartbeat import encode_heartbeat
from telephony.psap.settings import CapHttpChannel, Psap
from telephony.psap.shortening import Size, shortened
from telephony.remembered import Remembered

ALARM = "answer-doubtful"
"""Alarm about a channel: the centre answers 2xx, but not clearly with an acknowledgement of the report."""

MOST_DOUBTS = 6
"""Attempts after whose doubtful answers an update or a closing is given up: as many as the waits grow for."""
MOST_REFUSALS = 6
"""Attempts after which an update or a closing that the centre refuses is given up: the next one says everything again."""
REFUSALS_A_SIZE = 2
"""Refusals after which a report is tried with less in it; where the centre says that it is too large, one."""
MOST_IN_TROUBLE = 10_000
"""Reports whose doubtful answers and refusals are counted at once; the counts of the oldest start again."""

TOO_LARGE = frozenset({413, 431})
REFUSED = TOO_LARGE | {400, 406, 409, 410, 411, 412, 414, 415, 422, 424, 428, 451}
"""Statuses by which a server refuses the content (RFC 9110 clause 15.5, RFC 6585, RFC 4918, RFC 7725)."""
NOT_THIS_REPORT = frozenset({408, 421, 425, 429})
"""Statuses of 4xx that say nothing about the content. The others (a password, a wrong path) count as a refusal of
this report only where the centre takes other reports meanwhile: else people repair them, and the report must still be
here."""

SHORTEST_WAIT_S = 1.0
LONGEST_WAIT_S = 15.0
"""Bounds on a centre's Retry-After: the first and the last step of our own schedule."""


class CapHttpSender:
    """One ``cap-http`` channel of one centre.

    ``http`` is this channel's own client, with its TLS and its ``concurrency`` as the number of connections.
    ``heartbeats`` is another client with the same TLS, so that no heartbeat takes a connection that a report needs; without
    it they go by ``http``. ``authorization`` is the whole value of the Authorization header. Raises `ValueError` where that is nothing
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
        zone: tzinfo,
        heartbeats: HttpClient | None = None,
    ) -> None:
        self._psap = psap
        self._http = http
        self._heartbeats = http if heartbeats is None else heartbeats
        self._alarms = alarms
        self._name = channel.name
        self._troubles: Remembered[str, _Trouble] = Remembered(MOST_IN_TROUBLE)
        """By report."""
        self._delivered = 0
        self._zone = zone
        self._url = str(channel.url)
        self._timeout_s = channel.timeout_s
        self._authorization: str | None = None
        self._headers = [("Content-Type", CONTENT_TYPE), ("User-Agent", "onetouch")]
        if authorization is not None:
            self.take_authorization(authorization)

    def take_authorization(self, authorization: str) -> bool:
        """Send this from the next report on; returns whether it is another one.

        Raises `ValueError` where it is nothing HTTP can carry; then the old one stays.
        """
        if not (authorization and is_header_value(authorization)):
            raise ValueError(f"the authorization of channel {self._name} must be printable ASCII on one line")
        is_changed, self._authorization = authorization != self._authorization, authorization
        return is_changed

    async def send(self, report: Report) -> Outcome:
        """Post one report once. 2xx is the centre's acknowledgement; nothing the centre does raises.

        A failure is `Retry`, a refused password too: people repair it, and the report must then still be here. But an
        Update or a closing that is refused holds up the next report, which says everything again: CAP's own Error to
        it is `Rejected`, and so is what is refused or answered doubtfully again and again, whole and shortened. The
        operator hears of it. An Alert stays `Retry` even then: nothing else may take the place of the first word that
        someone is in danger.
        """
        trouble = self._troubles.get(report.report_id)
        body = encode(
            report if trouble is None else shortened(report, trouble.size),
            sender=self._psap.sender,
            addresses=self._psap.addresses,
            language=self._psap.language,
            zone=self._zone,
        )
        response: HttpResponse | None
        try:
            response = await self._http.post(
                self._url, body, self._headers_of(report.report_id), self._timeout_s
            )
            outcome = outcome_of(response, report)
        except HttpFailed as failed:
            response, outcome = failed.partial, outcome_of_part(failed, report)
        self._alarm(outcome)
        if isinstance(outcome, Retry):
            return outcome if response is None else self._without_end(outcome, response.status, report)
        self._delivered += isinstance(outcome, Delivered)
        self._troubles.pop(report.report_id, None)
        return outcome

    async def send_heartbeat(self, heartbeat: Heartbeat) -> Outcome:
        """Post one heartbeat once; nothing the centre does raises.

        Whatever is not `Delivered` is lost: there is no second attempt, and neither alarms nor counts about reports hear of it.
        """
        body = encode_heartbeat(
            heartbeat,
            sender=self._psap.sender,
            addresses=self._psap.addresses,
            language=self._psap.language,
            zone=self._zone,
        )
        headers = self._headers_of(heartbeat.heartbeat_id)
        try:
            response = await self._heartbeats.post(self._url, body, headers, self._timeout_s)
        except HttpFailed as failed:
            return _outcome_of_part(failed, heartbeat.heartbeat_id, is_alert=False)
        return _outcome_of(response, heartbeat.heartbeat_id, is_alert=False)

    def _headers_of(self, identifier: str) -> list[tuple[str, str]]:
        headers = [*self._headers, ("Idempotency-Key", identifier)]
        if self._authorization is not None:
            headers.append(("Authorization", self._authorization))
        return headers

    def _alarm(self, outcome: Outcome) -> None:
        """Raise the alarm at the first doubtful answer, and end it with the next acknowledgement."""
        if isinstance(outcome, Retry) and outcome.is_doubtful:
            self._alarms.raise_(ALARM, self._name, reason=outcome.reason)
        elif isinstance(outcome, Delivered):
            self._alarms.clear(ALARM, self._name)

    def _without_end(self, outcome: Retry, status: int, report: Report) -> Outcome:
        """Count doubtful answers and refusals, shorten a refused report, and give up one that holds up the next."""
        trouble = self._troubles.pop(report.report_id, None) or _Trouble(self._delivered)
        if outcome.is_doubtful:
            trouble.doubts += 1
        elif status in REFUSED or (is_of_client(status) and self._delivered > trouble.delivered_before):
            trouble.refusals += 1
            if status in TOO_LARGE or trouble.refusals % REFUSALS_A_SIZE == 0:
                trouble.size = Size(min(trouble.size + 1, Size.BARE))
        elif not is_of_client(status):
            trouble.doubts = 0
        if report.kind != ALERT and (trouble.doubts >= MOST_DOUBTS or trouble.refusals >= MOST_REFUSALS):
            return Rejected(outcome.reason)
        self._troubles[report.report_id] = trouble
        return outcome


@dataclass(slots=True)
class _Trouble:
    """The failures of a report that was not taken: how often its answer was doubtful, how often it was refused."""

    delivered_before: int
    """Reports that the channel had delivered when this one was first in trouble."""
    doubts: int = 0
    refusals: int = 0
    size: Size = Size.WHOLE


def is_of_client(status: int) -> bool:
    """Whether a status says that the fault is in this request (RFC 9110 clause 15.5)."""
    return 400 <= status < 500 and status not in NOT_THIS_REPORT  # noqa: PLR2004 - the class 4xx


def outcome_of(response: HttpResponse, report: Report) -> Outcome:
    """Read what a centre's answer means for a report."""
    return _outcome_of(response, report.report_id, is_alert=report.kind == ALERT)


def _outcome_of(response: HttpResponse, identifier: str, *, is_alert: bool) -> Outcome:
    if not response.is_success:
        return Retry(f"the centre answered {response.status}", retry_after_s(response))
    match read_answer(response.body, identifier):
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
            return Retry(told) if is_alert else Rejected(told)


def outcome_of_part(failed: HttpFailed, report: Report) -> Outcome:
    """Read an answer that did not end as it announced, as far as it came; CAP shows by itself that it is whole."""
    return _outcome_of_part(failed, report.report_id, is_alert=report.kind == ALERT)


def _outcome_of_part(failed: HttpFailed, identifier: str, *, is_alert: bool) -> Outcome:
    response = failed.partial
    if response is None or not response.is_success:
        return Retry(failed.reason)
    if isinstance(read_answer(response.body, identifier), Ack | Error):
        return _outcome_of(response, identifier, is_alert=is_alert)
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
