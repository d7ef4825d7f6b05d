"""The door for 112 centres: who may tell us what, and what is answered."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from telephony.alarms import Alarms
from telephony.domain.centre_status import CentreSaid, Outcome
from telephony.domain.errors import Unavailable
from telephony.domain.facts import Became, CentreStatus
from telephony.domain.incident import IncidentState
from telephony.domain.orders import LONGEST_NOTE
from telephony.doors.centres import CentreDoor
from telephony.doors.machines import Machine, Machines
from telephony.doors.status_reading import read_status
from telephony.fields import Secret
from telephony.net.refusals import Refusals
from telephony.store.centre_statuses import NotTaken, Taken
from tests.doors.asking import Served, request, some_reactor
from tests.doors.test_presses import problem
from tests.doubles import NOON

SEOUL, BUSAN = "a-token-of-seoul-" + "0" * 32, "a-token-of-busan-" + "1" * 32
INCIDENT = "sos-20261123-7k3qwz2m9t"
ACCEPTED = {"id": "s-1", "incident": INCIDENT, "at": "2026-11-23T12:00:05+09:00", "status": "accepted"}
AT = datetime(2026, 11, 23, 3, 0, 5, tzinfo=UTC)


class House(Served):
    """The door before a store that does as it is told."""

    def __init__(self, monkeypatch):
        monkeypatch.setenv("SEOUL_TOKEN", SEOUL)
        monkeypatch.setenv("BUSAN_TOKEN", BUSAN)
        reactor = some_reactor()
        self.said = []
        self.taken = Taken(INCIDENT, Became.APPLIED, IncidentState.ACKNOWLEDGED, is_silence_lifted=False)
        centres = [
            Machine("seoul", Secret(env="SEOUL_TOKEN")), Machine("busan", Secret(env="BUSAN_TOKEN"))
        ]  # fmt: skip
        machines = Machines(centres, Refusals(reactor, "web", Alarms(reactor)))
        super().__init__({"v1/centre": CentreDoor(machines, self.take, reactor)}, reactor)

    async def take(self, said):
        self.said.append(said)
        if isinstance(self.taken, Exception):
            raise self.taken
        return self.taken

    def send(self, body=ACCEPTED, *, path="/v1/centre/seoul/status", token=SEOUL, method="POST"):
        octets = body if isinstance(body, bytes) else json.dumps(body).encode()
        wire = self.connect()
        wire.send(request(method, path, body=octets, Authorization=f"Bearer {token}"))
        (answer,) = wire.heard()
        return answer


@pytest.fixture
def house(monkeypatch):
    return House(monkeypatch)


def test_a_status_is_answered_with_where_the_incident_stands(house):
    answer = house.send()

    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert json.loads(answer.body) == {
        "incident": INCIDENT, "state": "acknowledged", "silence": "held", "became": "applied"
    }  # fmt: skip
    assert house.said == [CentreSaid("seoul", "s-1", INCIDENT, AT, CentreStatus.ACCEPTED)]


def test_a_status_is_read_with_all_that_it_says(house):
    house.send(
        ACCEPTED
        | {
            "status": "dispatched",
            "unit": " unit\n12 ",
            "eta": "2026-11-23T03:10:00Z",
            "by": "desk 7",
            "words": "two\tcars",
        }
    )
    house.send(ACCEPTED | {"status": "closed", "outcome": "false-alarm", "words": "met her"})

    first, second = house.said
    assert (first.unit, first.by, first.words, first.eta) == (
        "unit 12", "desk 7", "two cars", AT + timedelta(seconds=595)
    )  # fmt: skip
    assert (second.outcome, second.words) == (Outcome.FALSE_ALARM, "met her")


def test_a_member_that_is_not_known_here_is_passed_over(house):
    assert house.send(ACCEPTED | {"priority": "code 0"}).status == 200


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"id": None}, ["#/id"]),
        ({"id": "x" * 129}, ["#/id"]),
        ({"incident": 7}, ["#/incident"]),
        ({"status": "arrived"}, ["#/unit"]),
        ({"status": "dispatched", "unit": "x" * 61}, ["#/unit"]),
        ({"status": "note"}, ["#/words"]),
        ({"status": "note", "words": " \n"}, ["#/words"]),
        ({"status": "dispatched", "unit": " \u200b "}, ["#/unit"]),
        ({"id": " ", "incident": "\u202e"}, ["#/id", "#/incident"]),
        ({"status": "note", "words": "x" * (LONGEST_NOTE + 1)}, ["#/words"]),
        ({"status": "en route"}, ["#/status"]),
        ({"at": "12:00"}, ["#/at"]),
        ({"at": "2026-11-23T12:30:00+09:00"}, ["#/at"]),
        ({"eta": 5}, ["#/eta"]),
        ({"outcome": "won"}, ["#/outcome"]),
        ({"id": None, "status": None, "at": None, "incident": None}, ["#/id", "#/incident", "#/status", "#/at"]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_status_is_told_and_nothing_is_done(house, changes, pointers):
    answer = house.send(ACCEPTED | changes)

    known = problem(answer)
    assert (answer.status, known["code"]) == (422, "fields-unreadable")
    assert [each["pointer"] for each in known["errors"]] == pointers
    assert house.said == []


@pytest.mark.parametrize("changes", [{"outcome": "won"}, {"by": "x" * 61}])
def test_of_a_status_that_was_refused_nothing_is_said_to_have_been_taken_or_cut(house, changes):
    (error,) = problem(house.send(ACCEPTED | changes))["errors"]
    assert "; it was" not in error["detail"]


@pytest.mark.parametrize("body", [b"", b"accepted", b"[]", b'{"id": "\xff"}'])
def test_a_body_that_is_no_object_is_a_problem(house, body):
    answer = house.send(body)
    assert (answer.status, problem(answer)["code"]) == (400, "body-unreadable")


@pytest.mark.parametrize(
    ("taken", "status", "code"),
    [
        (NotTaken.UNKNOWN, 404, "unknown-incident"),
        (NotTaken.CLOSED, 410, "incident-closed"),
        (NotTaken.ID_REUSED, 422, "id-reused"),
        (Unavailable("the store is away"), 503, "unavailable"),
    ],
)
def test_a_status_that_is_not_taken_says_why(house, taken, status, code):
    house.taken = taken
    answer = house.send()
    assert (answer.status, problem(answer)["code"]) == (status, code)


def test_an_order_that_is_refused_says_what_would_have_to_be_true_first(house):
    house.taken = Taken(
        INCIDENT, Became.REFUSED, IncidentState.OPEN, is_silence_lifted=False, refused="silence holds"
    )
    answer = house.send(ACCEPTED | {"status": "call-back"})
    known = problem(answer)
    assert (answer.status, known["code"], known["detail"]) == (409, "order-refused", "silence holds")


def test_a_stranger_is_not_let_in_and_a_centre_speaks_for_itself_alone(house):
    with capture_logs():
        assert house.send(token="guess" * 10).status == 401
    answer = house.send(token=BUSAN)
    assert (answer.status, problem(answer)["code"]) == (403, "other-centre")
    assert house.said == []
    assert house.send(path="/v1/centre/busan/status", token=BUSAN).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/centre/seoul/status", 405),
        ("POST", "/v1/centre/seoul", 404),
        ("POST", "/v1/centre", 404),
        ("POST", "/v1/centre/seoul/status/", 404),
    ],
)
def test_other_ways_lead_nowhere(house, method, path, status):
    assert house.send(path=path, method=method).status == status


def test_a_line_of_a_status_forges_no_other_line():
    said = read_status(
        json.dumps(ACCEPTED | {"status": "note", "words": "calm\r\n112: closed \x1b[2J"}).encode(),
        "seoul",
        NOON,
    )
    assert said.words == "calm 112: closed [2J"


@given(
    st.dictionaries(
        st.sampled_from(["id", "incident", "at", "status", "unit", "eta", "words", "outcome", "by", "x"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=9)
        | st.sampled_from([ACCEPTED["at"], "note", "dispatched", "closed", "false-alarm"])
        | st.lists(st.integers(), max_size=2),
    )
)
def test_any_object_is_a_status_or_says_what_is_wrong_with_it(body):
    said = read_status(json.dumps(body).encode(), "seoul", NOON)
    assert isinstance(said, CentreSaid) or said
