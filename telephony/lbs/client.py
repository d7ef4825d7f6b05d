"""Asks carriers' location servers where a number is: the carrier of the press, then the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

import structlog
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from telephony.alarms import Alarms
from telephony.background import Runner
from telephony.clock import utc_now
from telephony.domain.errors import Malformed
from telephony.domain.facts import NotReached
from telephony.domain.ports import FAST, Asking, Locator, NoFix
from telephony.domain.position import Position, best_of
from telephony.domain.values import Msisdn
from telephony.lbs.clock_watch import ClockWatch
from telephony.lbs.mlp import (
    Answer,
    Question,
    Service,
    decode_answer,
    encode_request,
)
from telephony.lbs.mlp_results import SLOGANS, UNSPECIFIED, Result
from telephony.lbs.settings import MlpSettings
from telephony.net.http.client import HttpClient, HttpFailed, HttpResponse

log = structlog.get_logger()

OK = 0
UNAUTHORIZED_APPLICATION = 3
ABSENT_SUBSCRIBER = 5
UNSUPPORTED_VERSION = 103
SERVICE_NOT_SUPPORTED = 108
ASKED_TOO_MUCH = frozenset({107, 109, 112, 113})
"""An element, an attribute or a value of one is not supported: asked again without the optional ones."""
ASKED_TOO_FINELY = frozenset({6, 201})
"""POSITION METHOD FAILURE and QOP NOT ATTAINABLE: asked again for whatever there is."""
NOT_REACHED = MappingProxyType(
    {ABSENT_SUBSCRIBER: NotReached.ABSENT, 6: NotReached.NOT_LOCATED, 201: NotReached.NOT_LOCATED}
)
"""Results of a service that is well, about a phone that is not to be found now."""
RLP_ONLY = 208
"""Belongs to another protocol; treated as SYSTEM FAILURE."""

LARGE_ANSWER = 8_192
"""Octets from which an answer is parsed on a thread: one of 256 KiB takes 60 ms, during which nothing else would be
served."""

GRACE_S = 1.0
"""How long a first position waits for a better one of another carrier; a number is at home at one only."""

_SHORTEST_TRY_S = 1.0
"""With less than this left of the budget nothing more is asked: no server answers faster than a second."""

_HTTP_OK = 200
_HTTP_REFUSED = (401, 403, 407)


class MlpLocator:
    """A `Locator` for one carrier by MLP over HTTP.

    ``alarms`` hear of a server whose clock is off. Between calls it keeps nothing but that, and which service the
    server took, once it has refused the configured one with 108.
    """

    def __init__(
        self,
        carrier: str,
        settings: MlpSettings,
        password: str | None,
        http: HttpClient,
        clock: Any,
        *,
        reader: Runner,
        alarms: Alarms | None = None,
    ) -> None:
        self._source = f"lbs:{carrier}"
        self._server_clock = ClockWatch(self._source, alarms or Alarms(clock))
        self._settings = settings
        self._password = password
        self._http = http
        self._reader = reader
        self._clock = clock
        self._service: Service = settings.service

    def take_password(self, password: str) -> bool:
        """Ask with this from the next question on; returns whether it is another one."""
        is_changed, self._password = password != self._password, password
        return is_changed

    async def locate(self, msisdn: Msisdn, quality: str) -> Position | NoFix:
        """Ask once, and again within the same budget where the answer says how to ask better."""
        if not msisdn.is_e164:
            return NoFix("the caller has no number that a location server knows")
        wanted = self._settings.fast if quality == FAST else self._settings.accurate
        deadline = self._clock.seconds() + wanted.budget_s
        question = self._first_question(quality)
        asked: set[Question] = set()
        not_reached: NotReached | None = None
        while True:
            asked.add(question)
            outcome = await self._ask(msisdn, question, deadline)
            if not isinstance(outcome, Result):
                return outcome
            not_reached = NOT_REACHED.get(outcome.resid, not_reached)
            question = self._better_question(question, outcome)
            if question in asked or self._seconds_left(deadline) < _SHORTEST_TRY_S:
                return replace(self._no_fix(outcome), not_reached=not_reached)

    def _first_question(self, quality: str) -> Question:
        if quality == FAST:
            wanted = self._settings.fast
            return Question(
                self._service, "LOW_DELAY", wanted.resp_timer_s, wanted.hor_acc_m, "CURRENT_OR_LAST"
            )
        wanted = self._settings.accurate
        return Question(self._service, "DELAY_TOL", wanted.resp_timer_s, wanted.hor_acc_m, "CURRENT")

    def _better_question(self, question: Question, result: Result) -> Question:
        """Return the question that may be answered where this one was not; the same one where there is none."""
        if result.resid == SERVICE_NOT_SUPPORTED and question.service == "eme_lir":
            self._service = "slir"
            return replace(question, service="slir")
        if question.is_bare:
            return question
        if result.resid in ASKED_TOO_MUCH:
            return replace(question, is_bare=True)
        if result.resid in ASKED_TOO_FINELY and question.loc_type != "LAST":
            return replace(question, hor_acc_m=None, loc_type="CURRENT_OR_LAST")
        if result.resid == ABSENT_SUBSCRIBER:
            return replace(question, hor_acc_m=None, loc_type="LAST")
        return question

    async def _ask(self, msisdn: Msisdn, question: Question, deadline: float) -> Position | NoFix | Result:
        seconds_left = self._seconds_left(deadline)
        # The server must not use up a budget of which a first try has already taken its part.
        timely = replace(question, resp_timer_s=max(1, min(question.resp_timer_s, int(seconds_left))))
        try:
            body = encode_request(msisdn, timely, settings=self._settings, password=self._password)
            response = await self._http.post(
                str(self._settings.url), body, [("Content-Type", self._settings.content_type)], seconds_left
            )
        except Malformed as error:
            return NoFix(f"cannot ask: {error}")
        except HttpFailed as error:
            answer = None if error.partial is None else await self._read(error.partial, msisdn)
            if answer is None or (isinstance(answer, NoFix) and answer.retry_after_s is not None):
                return self._retry(f"no answer: {error.reason}")
            return answer
        return await self._read(response, msisdn)

    async def _read(self, response: HttpResponse, msisdn: Msisdn) -> Position | NoFix | Result:
        now = utc_now(self._clock)
        try:
            answer = await self._decoded(response.body, msisdn, now)
        except Malformed as error:
            if response.status in _HTTP_REFUSED:
                return NoFix(f"HTTP {response.status}: the server refuses us; check its credentials and tls")
            if response.status != _HTTP_OK:
                return self._retry(f"HTTP {response.status}")
            return self._retry(f"unreadable answer: {error}")
        self._server_clock.observe(answer.clock_ahead_s)
        if answer.positions:
            return best_of(answer.positions, now)
        return self._why_none(answer)

    def _decoded(self, body: bytes, msisdn: Msisdn, now: datetime) -> Deferred[Answer]:
        """Read the body of an answer, here or on the reader's thread. Fails with `Malformed`."""

        def decode() -> Answer | Failure:
            try:
                return decode_answer(
                    body,
                    msisdn=msisdn,
                    source=self._source,
                    assumed_confidence=self._settings.assumed_confidence,
                    received_at=now,
                )
            except Exception:  # noqa: BLE001 - raised to the caller that waits: it must not end the thread
                return Failure()

        decoded: Deferred[Answer] = Deferred()
        if len(body) < LARGE_ANSWER:
            decoded.callback(decode())
        else:
            self._reader.run(decode, decoded.callback)
        return decoded

    def _why_none(self, answer: Answer) -> NoFix | Result:
        refusal = next((result for result in answer.results if result.resid != OK), None)
        if refusal is not None:
            return refusal
        if answer.faults:
            return self._retry(f"no position in the answer: {answer.faults[0]}")
        if answer.is_deferred:
            return NoFix("the server wants to answer later by a push; it must answer in the HTTP response")
        return self._retry("no position in the answer")

    def _no_fix(self, result: Result) -> NoFix:
        """Say what a result means for the asker (the profile's lists of ids decide)."""
        settings, treated_as = self._settings, _treated_as(result.resid)
        if result.resid in settings.unknown_subscriber_results:
            return NoFix(str(result), is_unknown_subscriber=True)
        if result.resid in settings.retryable_results or treated_as in settings.retryable_results:
            return self._retry(str(result))
        if result.resid == UNSUPPORTED_VERSION:
            return NoFix(f"{result}: set `version` of [carrier.lbs] to another than {settings.version}")
        if result.resid == UNAUTHORIZED_APPLICATION:
            return NoFix(f"{result}: check `client_id`, `password` and `serviceid` of [carrier.lbs]")
        return NoFix(str(result))

    def _retry(self, reason: str) -> NoFix:
        return NoFix(reason, retry_after_s=self._settings.retry_after_s)

    def _seconds_left(self, deadline: float) -> float:
        left: float = deadline - self._clock.seconds()
        return left


class CarrierLocators:
    """Asks the carrier a press came by, and all others where that one does not know the number.

    Holds a `Locator` for each carrier that has a location service; remembers nothing between calls.
    """

    def __init__(self, locators: Mapping[str, Locator], clock: Any) -> None:
        self._locators = dict(locators)
        self._clock = clock

    def use(self, carrier: str, locator: Locator | None) -> None:
        """Ask a carrier so from now on, or not at all."""
        if locator is None:
            self._locators.pop(carrier, None)
        else:
            self._locators[carrier] = locator

    async def locate(
        self, msisdn: Msisdn, quality: str, carrier: str, asking: Asking | None = None
    ) -> Position | NoFix:
        """Return a position, or the most hopeful reason for none. Takes at most two budgets of time.

        ``asking`` is told of each carrier that is asked, and of its answer.
        """
        home = self._locators.get(carrier)
        first = NoFix(
            f"{carrier} has no location service", is_unknown_subscriber=True, is_without_service=True
        )
        if home is not None:
            answer = await self._ask(carrier, home, msisdn, quality, asking)
            if isinstance(answer, Position) or not answer.is_unknown_subscriber:
                return answer
            first = answer
        others = {name: locator for name, locator in self._locators.items() if name != carrier}
        answers = await self._ask_all(others, msisdn, quality, asking) if others else []
        positions = [answer for answer in answers if isinstance(answer, Position)]
        if positions:
            return best_of(positions, utc_now(self._clock))
        return _most_hopeful([first, *(answer for answer in answers if isinstance(answer, NoFix))])

    async def _ask(
        self, name: str, locator: Locator, msisdn: Msisdn, quality: str, asking: Asking | None
    ) -> Position | NoFix:
        answered = None if asking is None else asking(name)
        try:
            answer = await locator.locate(msisdn, quality)
        except CancelledError:
            raise
        except Exception:
            # A fault in one locator must not cost the answers of the others.
            log.exception("locator failed")
            answer = NoFix("the locator failed", retry_after_s=GRACE_S)
        if answered is not None:
            answered(answer)
        return answer

    def _ask_all(
        self, locators: Mapping[str, Locator], msisdn: Msisdn, quality: str, asking: Asking | None
    ) -> Deferred[list[Position | NoFix]]:
        """Ask at the same time; done when all have answered, or `GRACE_S` after the first position."""
        round_ = _Round(self._clock, len(locators))
        for name, locator in locators.items():
            round_.add(Deferred.fromCoroutine(self._ask(name, locator, msisdn, quality, asking)))
        return round_.done


class _Round:
    """Several questions under way at once."""

    def __init__(self, clock: Any, expected: int) -> None:
        self.done: Deferred[list[Position | NoFix]] = Deferred(lambda _: self._stop())
        self._clock = clock
        self._expected = expected
        self._answers: list[Position | NoFix] = []
        self._under_way: list[Deferred[Any]] = []
        self._grace: Any = None
        self._is_over = False

    def add(self, question: Deferred[Position | NoFix]) -> None:
        self._under_way.append(question)
        question.addCallbacks(self._answered, _expect_cancelled)

    def _answered(self, answer: Position | NoFix) -> None:
        if self._is_over:
            return
        self._answers.append(answer)
        if len(self._answers) == self._expected:
            self._finish()
        elif isinstance(answer, Position) and self._grace is None:
            self._grace = self._clock.callLater(GRACE_S, self._finish)

    def _finish(self) -> None:
        self._stop()
        self.done.callback(self._answers)

    def _stop(self) -> None:
        self._is_over = True
        if self._grace is not None and self._grace.active():
            self._grace.cancel()
        for question in self._under_way:
            question.cancel()


def _expect_cancelled(failure: Failure) -> None:
    failure.trap(CancelledError)


def _most_hopeful(answers: Sequence[NoFix]) -> NoFix:
    """Return the reason after which asking again is soonest worth while, else the first."""
    retryable = [answer for answer in answers if answer.retry_after_s is not None]
    if not retryable:
        return answers[0]
    return min(retryable, key=lambda answer: answer.retry_after_s or 0.0)


def _treated_as(resid: int) -> int:
    """Return the id of clause 5.4.1 that stands for a reserved, vendor's or unknown one."""
    if resid == RLP_ONLY:
        return 1
    return resid if resid in SLOGANS else UNSPECIFIED
