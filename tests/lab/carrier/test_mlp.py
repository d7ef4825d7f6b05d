"""The simulated location server over real sockets, asked by the real locator."""

from __future__ import annotations

import re

import pytest
import pytest_twisted
from lxml import etree
from twisted.internet import reactor

from telephony.domain.ports import ACCURATE, FAST, NoFix
from telephony.domain.position import Position
from telephony.domain.values import Msisdn
from telephony.lab.carrier.mlp import LabMlp
from telephony.lab.centre.http_server import LabRequest
from telephony.lbs.client import MlpLocator
from telephony.lbs.mlp import Question, encode_request
from telephony.lbs.settings import MlpSettings, Quality
from telephony.net.http.client import HttpClient
from tests.doubles import Inline
from tests.lbs.mlp_dtd import mlp_dtd

CALLER = Msisdn("821000000001")
HOME = (37.5665, 126.9778)


class Pair:
    """A server and a locator that asks it."""

    def __init__(self):
        self.server = LabMlp(reactor)
        self.http = HttpClient(reactor)

    async def open(self):
        await self.server.listen()
        self.server.place(CALLER.number, *HOME)
        settings = MlpSettings(
            url=self.server.url, client_id="sosrelay", fast=Quality(resp_timer_s=1, budget_s=1.0)
        )
        self.locator = MlpLocator("skt", settings, "secret", self.http, reactor, reader=Inline())

    async def close(self):
        await self.http.close()
        await self.server.close()

    async def fast(self):
        return await self.locator.locate(CALLER, FAST)


@pytest.fixture(scope="module")
def dtd():
    return mlp_dtd()


@pytest_twisted.async_yield_fixture
async def pair():
    pair = Pair()
    await pair.open()
    yield pair
    await pair.close()


@pytest_twisted.ensureDeferred
async def test_a_phone_is_found_moves_and_is_found_elsewhere(pair):
    first = await pair.fast()
    pair.server.move(CALLER.number, 35.1796, 129.0756)
    second = await pair.locator.locate(CALLER, ACCURATE)

    assert (first.latitude, first.longitude, first.uncertainty_m, first.method) == (
        pytest.approx(HOME[0]),
        pytest.approx(HOME[1]),
        350,
        "cell",
    )
    assert (second.latitude, second.uncertainty_m, second.method) == (pytest.approx(35.1796), 20, "gnss")
    asked = pair.server.requests[0]
    assert (asked.service, asked.msid, asked.client_id, asked.password, asked.hor_acc) == (
        ("eme_lir", CALLER.number, "sosrelay", "secret", "")
    )
    assert asked.at == pytest.approx(reactor.seconds(), abs=5)
    assert "secret" not in repr(asked)


@pytest_twisted.ensureDeferred
async def test_a_phone_that_is_not_placed_or_was_removed_is_unknown(pair):
    stranger = await pair.locator.locate(Msisdn("821000000002"), FAST)
    pair.server.remove(CALLER.number)
    removed = await pair.fast()
    assert stranger.is_unknown_subscriber
    assert removed.is_unknown_subscriber


@pytest_twisted.ensureDeferred
async def test_a_phone_switched_off_has_a_last_position_only_and_can_be_switched_on(pair):
    pair.server.switch_off(CALLER.number)
    off = await pair.locator.locate(CALLER, ACCURATE)
    pair.server.switch_on(CALLER.number)
    on = await pair.locator.locate(CALLER, ACCURATE)
    assert [request.loc_type for request in pair.server.requests] == ["CURRENT", "LAST", "CURRENT"]
    assert (off.method, on.method) == ("cell", "gnss")


TRANSPORT = {
    "never": (lambda lab: lab.never(), "time budget"),
    "late": (lambda lab: lab.late(5), "time budget"),
    "hang up": (lambda lab: lab.hang_up(), "closed before any answer"),
    "truncated": (lambda lab: lab.truncated(), "closed in the middle"),
    "not http": (lambda lab: lab.not_http(), "not HTTP"),
    "rubbish": (lambda lab: lab.rubbish(), "unreadable answer"),
    "cut xml": (lambda lab: lab.cut_xml(), "unreadable answer"),
    "entity bomb": (lambda lab: lab.entity_bomb(), "a DTD of its own"),
    "500": (lambda lab: lab.http_status(500), "HTTP 500"),
}


@pytest.mark.parametrize("trouble", TRANSPORT)
@pytest_twisted.ensureDeferred
async def test_no_trouble_of_the_wire_outlasts_the_budget_and_good_behaviour_ends_it(pair, trouble):
    make, reason = TRANSPORT[trouble]
    make(pair.server)
    started = reactor.seconds()
    answer = await pair.fast()
    took_s = reactor.seconds() - started
    pair.server.behave()

    assert isinstance(answer, NoFix)
    assert reason in answer.reason
    assert answer.retry_after_s == 5.0
    assert took_s < 1.5
    assert isinstance(await pair.fast(), Position)


@pytest_twisted.ensureDeferred
async def test_a_server_that_is_down_refuses_and_comes_back_on_the_same_port(pair):
    port = pair.server.port
    await pair.fast()
    await pair.server.refuse_tcp()
    down = await pair.fast()
    await pair.server.accept_tcp()
    up = await pair.fast()

    assert down == NoFix("no answer: connection refused", retry_after_s=5.0)
    assert isinstance(up, Position)
    assert pair.server.port == port


@pytest_twisted.ensureDeferred
async def test_a_trouble_lasts_for_as_many_questions_as_asked(pair):
    pair.server.result(1, times=2)
    answers = [await pair.fast() for _ in range(3)]
    assert [type(answer) for answer in answers] == [NoFix, NoFix, Position]


TOLERATED = {
    "default namespace": (lambda lab: lab.default_namespace(), 350),
    "mixed versions": (lambda lab: lab.mixed_versions(), 350),
    "doctype": (lambda lab: lab.doctype(), 350),
    "sure and without a time": (lambda lab: lab.out_of_time(777), 777),
    "sure and of a time to come": (lambda lab: lab.out_of_time(778, ahead_s=3600), 778),
    "misplaced": (lambda lab: lab.misplaced(), 350),
    "decimal": (lambda lab: lab.decimal(), 350),
    "no lev_conf": (lambda lab: lab.no_lev_conf(), 350),
    "ellipse": (lambda lab: lab.ellipse(), 350),
    "polygon": (lambda lab: lab.polygon(), pytest.approx(350, abs=1)),
    "arc": (lambda lab: lab.arc(), pytest.approx(909.3, abs=1)),
    "point": (lambda lab: lab.point(), None),
    "late": (lambda lab: lab.late(0.2), 350),
    "no time": (lambda lab: lab.no_time(), 350),
    "clock off": (lambda lab: lab.clock_off(3600), 350),
    "another encoding": (lambda lab: lab.encoding("MS949"), 350),
    "wide": (lambda lab: lab.encoding("UTF-16", "utf-16-le"), 350),
    "unescaped": (lambda lab: lab.unescaped(), 350),
    "cut after the position": (lambda lab: lab.cut_after_position(), 350),
    "compressed": (lambda lab: lab.compressed(), 350),
    "length too large": (lambda lab: lab.length_too_large(), 350),
}


@pytest.mark.parametrize("quirk", TOLERATED)
@pytest_twisted.ensureDeferred
async def test_what_live_servers_do_is_read(pair, quirk):
    make, radius = TOLERATED[quirk]
    make(pair.server)

    answer = await pair.fast()

    assert isinstance(answer, Position)
    assert answer.uncertainty_m == radius
    place = Position(*HOME, 1, 67, "", "", answer.fixed_at, answer.received_at)
    assert answer.distance_m(place) <= (answer.uncertainty_m if quirk == "arc" else 1.0)
    assert pair.server.fetches == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda lab: lab.zero_zero(),
        lambda lab: lab.nowhere(),
        lambda lab: lab.nan(),
        lambda lab: lab.other_target(),
        lambda lab: lab.no_position(),
        lambda lab: lab.deferred(),
        lambda lab: lab.gem(2),
        lambda lab: lab.result(2, "position"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_is_no_position_is_none(pair, make):
    make(pair.server)
    assert isinstance(await pair.fast(), NoFix)


@pytest.mark.parametrize("service", ["eme_lir", "slir"])
@pytest.mark.parametrize(
    "make",
    [
        lambda lab: lab.behave(),
        lambda lab: lab.switch_off(CALLER.number),
        lambda lab: lab.remove(CALLER.number),
        lambda lab: lab.arc(),
        lambda lab: lab.ellipse(),
        lambda lab: lab.polygon(),
        lambda lab: lab.point(),
        lambda lab: lab.decimal(),
        lambda lab: lab.no_lev_conf(),
        lambda lab: lab.zero_zero(),
        lambda lab: lab.other_target(),
        lambda lab: lab.result(101),
        lambda lab: lab.result(5, "position"),
        lambda lab: lab.gem(),
        lambda lab: lab.deferred(),
    ],
)
def test_what_is_not_meant_to_be_wrong_fits_the_dtd(dtd, service, make):
    server = LabMlp(reactor)
    server.place(CALLER.number, *HOME)
    make(server)
    settings = MlpSettings(url="http://127.0.0.1/", client_id="x")
    for resp_req in ("LOW_DELAY", "DELAY_TOL"):
        question = Question(service, resp_req, 4, None, "CURRENT")
        body = encode_request(CALLER, question, settings=settings, password=None)
        answer = server._handle(LabRequest("POST", "/", (), body))
        assert dtd.validate(etree.fromstring(answer.body)), dtd.error_log.filter_from_errors()


def test_a_question_that_is_no_xml_is_a_syntax_error():
    answer = LabMlp(reactor)._handle(LabRequest("POST", "/", (), b"rubbish"))
    assert re.search(rb'<gem ver="3.2.0"><result resid="106">SYNTAX ERROR', answer.body)
