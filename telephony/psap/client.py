"""Sends reports to a 112 centre as CAP 1.2 by HTTP POST."""

from __future__ import annotations

from datetime import tzinfo

from telephony.domain.delivery import ALERT, Delivered, Outcome, Rejected, Retry
from telephony.domain.report import Report
from telephony.http1 import HttpClient, HttpFailed, HttpResponse
from telephony.http1_wire import is_header_value
from telephony.psap.cap import CONTENT_TYPE, KST, encode
from telephony.psap.cap_answer import Error, read_answer
from telephony.psap.settings import CapHttpChannel, Psap

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
        zone: tzinfo = KST,
    ) -> None:
        if authorization is not None and not (authorization and is_header_value(authorization)):
            raise ValueError(
                f"the authorization of channel {channel.name} must be printable ASCII on one line"
            )
        self._psap = psap
        self._http = http
        self._zone = zone
        self._url = str(channel.url)
        self._timeout_s = channel.timeout_s
        self._headers = [("Content-Type", CONTENT_TYPE), ("User-Agent", "onetouch")]
        if authorization is not None:
            self._headers.append(("Authorization", authorization))

    async def send(self, report: Report) -> Outcome:
        """Post one report once. 2xx is the centre's acknowledgement; nothing the centre does raises.

        Every failure but one is `Retry`, a refused password too: people repair it, and the report must then still
        be here. The one is CAP's own Error to an Update or a closing: it would hold up the next report, which says
        everything again; so it is `Rejected`, and the operator hears of it. An Alert stays `Retry` even then:
        nothing else may take the place of the first word that someone is in danger.
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
            return Retry(failed.reason)
        return outcome_of(response, report)


def outcome_of(response: HttpResponse, report: Report) -> Outcome:
    """Read what a centre's answer means for a report."""
    if not response.is_success:
        return Retry(f"the centre answered {response.status}", retry_after_s(response))
    answer = read_answer(response.body)
    if not isinstance(answer, Error):
        return Delivered(
            str(response.status) if answer is None else f"{response.status} Ack {answer.note}".rstrip()
        )
    reason = f"the centre answered with a CAP Error: {answer.note or 'no reason given'}"
    return Retry(reason) if report.kind == ALERT else Rejected(reason)


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
