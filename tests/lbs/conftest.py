"""The MLP DTD, and a carrier's location server behind a simulated HTTP client."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from telephony.alarms import Alarms
from telephony.domain.values import Msisdn
from telephony.lab.carrier.mlp import LabMlp
from telephony.lab.centre.http_server import LabRequest
from telephony.lbs.client import MlpLocator
from telephony.lbs.settings import MlpSettings
from telephony.net.http.client import HttpFailed, HttpResponse
from tests.doubles import Inline
from tests.lbs.mlp_dtd import mlp_dtd

NOW = 1_795_413_600.0  # 2026-11-23T06:00:00Z


@pytest.fixture(scope="session")
def dtd():
    return mlp_dtd()


class SimulatedHttp:
    """An `HttpClient` whose far ends are simulated servers and functions, by URL, on a simulated clock."""

    def __init__(self, clock):
        self.clock = clock
        self.ends = {}
        self.posts = []
        self.cancelled = 0

    def post(self, url, body, headers, timeout_s):
        self.posts.append((url, body, dict(headers), timeout_s))
        answer = Deferred(lambda _: self._cancelled())
        reply = self.ends[url](LabRequest("POST", url, (), body))
        if isinstance(reply, HttpFailed):
            self.clock.callLater(0, answer.errback, reply)
        elif reply.never or reply.delay_s >= timeout_s:
            self.clock.callLater(timeout_s, self._time_over, answer)
        elif reply.raw is not None or reply.truncate_at is not None:
            head, _, body = reply.octets()[: reply.truncate_at].partition(b"\r\n\r\n")
            partial = HttpResponse(int(head[9:12]), (), body)
            self.clock.callLater(0, answer.errback, HttpFailed("closed", sent=True, partial=partial))
        elif reply.close_instead:
            self.clock.callLater(reply.delay_s, answer.errback, HttpFailed("closed", sent=True))
        else:
            response = HttpResponse(reply.status, (), reply.body)
            self.clock.callLater(reply.delay_s, self._answered, answer, response)
        return answer

    def _cancelled(self):
        self.cancelled += 1

    def _time_over(self, answer):
        if not answer.called:
            answer.errback(HttpFailed("time budget over", sent=True))

    def _answered(self, answer, response):
        if not answer.called:
            answer.callback(response)


@pytest.fixture
def clock():
    clock = Clock()
    clock.rightNow = NOW
    return clock


@pytest.fixture
def http(clock):
    return SimulatedHttp(clock)


@pytest.fixture
def carrier(clock, http):
    """Build a carrier: its simulated server, and the locator that asks it."""

    def build(name="skt", *, password="secret", lab=None, **settings):
        url = f"http://{name}.example/mlp"
        server = LabMlp(clock, **(lab or {}))
        http.ends[url] = server._handle
        table = MlpSettings(url=url, client_id="sosrelay", **settings)
        alarms = Alarms(clock)
        reader = Inline()
        locator = MlpLocator(name, table, password, http, clock, reader=reader, alarms=alarms)
        return SimpleNamespace(
            server=server, locator=locator, settings=table, url=url, alarms=alarms, reader=reader, clock=clock
        )

    return build


@pytest.fixture
def seconds(clock):
    """Let a coroutine run on the simulated clock; give what it returns and how long it took."""

    def run(coroutine, limit_s=120.0):
        outcome = []
        deferred = Deferred.fromCoroutine(coroutine)
        deferred.addBoth(outcome.append)
        started = clock.seconds()
        while not outcome and clock.seconds() - started < limit_s:
            clock.advance(0.05)
        assert outcome, "still waiting"
        return outcome[0], clock.seconds() - started

    return run


@pytest.fixture
def caller():
    return Msisdn("821000000001")
