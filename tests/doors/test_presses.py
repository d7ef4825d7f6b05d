"""The door for presses: who may press, what is answered, and what is handed to the one intake."""

from __future__ import annotations

import json

import pytest
from structlog.testing import capture_logs
from twisted.internet.defer import Deferred, succeed

from telephony.alarms import Alarms
from telephony.domain.errors import Unavailable
from telephony.domain.facts import DeviceFact
from telephony.domain.incident import Join, Receipt
from telephony.domain.trigger import PARTLY_UNREADABLE_PRESS
from telephony.domain.values import Msisdn
from telephony.doors.machines import Machine, Machines
from telephony.doors.press_reading import Source
from telephony.doors.presses import Agreed, Numbering, PressDoor
from telephony.fields import Secret
from telephony.net.refusals import Refusals
from telephony.store.positions import FixKept
from tests.doors.asking import Served, request, some_reactor
from tests.doubles import KST

TOKEN, OTHER = "a-token-of-the-app-" + "0" * 32, "a-token-of-the-terminals-" + "1" * 32
INCIDENT = "sos-20261123-7k3qwz2m9t"
PRESS = {"caller": "+821012345678", "source": "app"}
PLACE = {"latitude": 37.5665, "longitude": 126.978, "uncertainty_m": 12}


class House(Served):
    """The door before an intake that does as it is told."""

    def __init__(self, monkeypatch):
        monkeypatch.setenv("APP_TOKEN", TOKEN)
        monkeypatch.setenv("TERMINAL_TOKEN", OTHER)
        reactor = some_reactor()
        self.offered, self.fixes = [], []
        self.receipt = Receipt(INCIDENT, Join.FIRST)
        self.kept = FixKept.KEPT
        self.refusals = Refusals(reactor, "web", Alarms(reactor))
        self.machines = Machines(
            [
                Machine("app", Secret(env="APP_TOKEN")),
                Machine("terminals", Secret(env="TERMINAL_TOKEN"), ("192.0.2.0/24",)),
            ],
            self.refusals,
        )
        door = PressDoor(
            self.machines,
            {
                "app": Agreed((Source.APP, Source.SYSTEM), ("skt", "kt")),
                "terminals": Agreed((Source.TERMINAL,), ("kt",)),
            },
            accept_all=self.accept_all,
            keep_fix=self.keep_fix,
            numbering=Numbering("82", "0", KST),
            clock=reactor,
        )
        super().__init__({"v1/presses": door}, reactor)

    def accept_all(self, triggers):
        self.offered += triggers
        if isinstance(self.receipt, Exception):
            raise self.receipt
        return self.receipt if isinstance(self.receipt, Deferred) else succeed([self.receipt])

    async def keep_fix(self, incident_id, connector, position):
        self.fixes.append((incident_id, connector, position))
        if isinstance(self.kept, Exception):
            raise self.kept
        return self.kept

    def press(self, body=PRESS, *, key="key-1", token=TOKEN, host="192.0.2.1", **headers):
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if key is not None:
            headers["Idempotency_Key"] = key
        return self.send("POST", "/v1/presses", body, host, headers)

    def fix(self, body=PLACE, *, incident=INCIDENT, token=TOKEN):
        path = f"/v1/presses/{incident}/position"
        return self.send("PUT", path, body, "192.0.2.1", {"Authorization": f"Bearer {token}"})

    def send(self, method, path, body, host, headers):
        octets = body if isinstance(body, bytes) else json.dumps(body).encode()
        wire = self.connect(host)
        wire.send(request(method, path, body=octets, **headers))
        heard = wire.heard()
        return heard[0] if heard else None


@pytest.fixture
def house(monkeypatch):
    return House(monkeypatch)


def problem(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    known = json.loads(answer.body)
    assert (known["status"], known["type"]) == (answer.status, "about:blank")
    return known


# -- a press ---------------------------------------------------------------------------------------------------------


def test_a_press_is_answered_with_its_incident_once_it_is_durable(house):
    house.receipt = Deferred()
    wire = house.connect()
    headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency_Key": "key-1"}
    wire.send(request("POST", "/v1/presses", body=json.dumps(PRESS).encode(), **headers))
    assert wire.heard() == []

    house.receipt.callback([Receipt(INCIDENT, Join.FIRST)])

    (answer,) = wire.heard()
    assert (answer.status, answer.headers["content-type"]) == (201, "application/json")
    assert json.loads(answer.body) == {
        "incident": INCIDENT, "position": f"/v1/presses/{INCIDENT}/position"
    }  # fmt: skip


def test_a_press_is_handed_over_with_all_that_was_said(house):
    house.press(
        PRESS
        | {
            "carrier": "kt",
            "text": "살려주세요",
            "position": PLACE,
            "battery_percent": 14,
            "pressed_at": "2026-11-23T02:59:50.5Z",
            "test": True,
        }
    )

    (trigger,) = house.offered
    assert (trigger.source, trigger.connector, trigger.carrier) == ("app", "app", "kt")
    assert (trigger.msisdn, trigger.destination) == (Msisdn("821012345678"), "112")
    assert (trigger.text, trigger.test, trigger.labels, trigger.raw) == ("살려주세요", True, (), None)
    assert (trigger.position.latitude, trigger.position.source) == (37.5665, "device")
    assert trigger.received_at == trigger.position.received_at
    (device,) = trigger.facts
    assert (device.battery_percent, device.pressed_at.isoformat()) == (14, "2026-11-23T11:59:50+09:00")


def test_of_a_device_that_says_nothing_of_itself_there_is_no_fact(house):
    house.press()
    house.press(PRESS | {"battery_percent": 0}, key="key-2")
    assert [trigger.facts for trigger in house.offered] == [
        (), (DeviceFact(house.offered[1].received_at, 0, None),)
    ]  # fmt: skip


def test_a_press_with_a_used_key_is_answered_with_the_same_incident(house):
    first = house.press()
    house.receipt = Receipt("sos-another", Join.FIRST)

    second = house.press()

    assert (second.status, second.body) == (first.status, first.body)
    assert len(house.offered) == 1


def test_the_name_of_a_press_that_only_the_journal_has_is_not_held_to(house):
    house.receipt = Receipt("sos-of-the-journal")
    house.press()
    house.receipt = Receipt(INCIDENT, Join.REDELIVERED)

    assert json.loads(house.press().body)["incident"] == INCIDENT


def test_a_key_is_a_machine_s_and_a_caller_s_own(house):
    house.press()
    house.press({"caller": "+821099999999"})
    house.press({"caller": "+821012345678"}, token=OTHER)

    assert len({trigger.reference for trigger in house.offered}) == 3


def test_a_press_that_is_not_durable_is_to_be_sent_again_and_is_offered_again(house):
    house.receipt = Unavailable("the disk is full")
    house.receipt = succeed([house.receipt])

    answer = house.press()

    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    assert problem(answer)["code"] == "not-durable"
    house.receipt = Receipt(INCIDENT)
    assert house.press().status == 201
    first, second = house.offered
    assert first.reference == second.reference


def test_after_a_defect_the_machine_is_told_to_send_it_again(house):
    house.receipt = RuntimeError("a defect")
    with capture_logs() as said:
        answer = house.press()
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    assert [line["event"] for line in said if line["log_level"] == "error"] == [
        "request not answered by a defect"
    ]


def test_what_cannot_be_read_of_a_press_is_remarked_on_and_kept_as_it_came(house):
    answer = house.press(PRESS | {"battery_percent": "full"})

    assert answer.status == 201
    (remark,) = json.loads(answer.body)["remarks"]
    assert remark["pointer"] == "#/battery_percent"
    (trigger,) = house.offered
    assert trigger.labels == (PARTLY_UNREADABLE_PRESS,)
    assert json.loads(trigger.raw)["battery_percent"] == "full"


def test_a_source_and_a_carrier_that_are_not_agreed_cost_no_press(house):
    answer = house.press(PRESS | {"source": "terminal", "carrier": "lgu"})

    assert answer.status == 201
    assert [each["pointer"] for each in json.loads(answer.body)["remarks"]] == ["#/source", "#/carrier"]
    (trigger,) = house.offered
    assert (trigger.source, trigger.carrier) == ("app", "skt")


def test_a_press_goes_on_when_the_machine_hangs_up(house):
    house.receipt = Deferred()
    wire = house.connect()
    headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency_Key": "key-1"}
    wire.send(request("POST", "/v1/presses", body=json.dumps(PRESS).encode(), **headers))
    wire.lose()

    with capture_logs() as said:
        house.receipt.callback([Receipt(INCIDENT, Join.FIRST)])

    assert said == []
    house.receipt = Receipt("sos-another")
    assert json.loads(house.press().body)["incident"] == INCIDENT


@pytest.mark.parametrize(
    ("body", "key", "code"),
    [
        (PRESS, None, "idempotency-key-unreadable"),
        (PRESS, "a b", "idempotency-key-unreadable"),
        (b"help", "key-1", "body-unreadable"),
        ({"source": "app"}, "key-1", "body-unreadable"),
    ],
)
def test_a_press_of_nobody_is_a_problem_in_words(house, body, key, code):
    answer = house.press(body, key=key)
    assert (answer.status, problem(answer)["code"]) == (400, code)
    assert house.offered == []


# -- who may -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Bearer {TOKEN}0"},
        {"Authorization": "Bearer \xff\xfe"},
    ],
)
def test_a_stranger_is_told_how_to_come_in_and_costs_nothing(house, headers):
    with capture_logs():
        answer = house.press(b"\xff" * 1000, token=None, **headers)
    assert (answer.status, problem(answer)["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == 'Bearer realm="onetouch"'
    assert answer.headers["connection"] == "close"
    assert house.offered == []


@pytest.mark.parametrize(
    "line", [b"Authorization: Bearer \xff\xfe", b"Authorization: \xc3", b"Idempotency-Key: \xff"]
)
def test_octets_that_are_no_text_are_answered_as_anything_else(house, line):
    wire = house.connect()
    with capture_logs() as said:
        wire.send(b"POST /v1/presses HTTP/1.1\r\nHost: x\r\n" + line + b"\r\nContent-Length: 2\r\n\r\n{}")
    (answer,) = wire.heard()
    assert answer.status == 401
    assert [each["event"] for each in said] in ([], ["connections refused"])


def test_a_machine_is_known_from_its_own_networks_only(house):
    with capture_logs() as said:
        assert house.press(token=OTHER, host="198.51.100.7").status == 401
    assert [(line["cause"], line["peer"]) for line in said] == [("address of no list", "terminals")]
    assert house.press(token=OTHER).status == 201


def test_many_strangers_are_one_line_a_minute(house):
    with capture_logs() as said:
        for _ in range(50):
            house.press(token="guess" * 10)
        house.reactor.advance(60)
    assert [line["count"] for line in said] == [1, 49]


def test_a_good_token_is_never_throttled_by_what_others_guess(house):
    with capture_logs():
        for _ in range(200):
            house.press(token="guess" * 10)
    assert house.press().status == 201


def test_a_machine_keeps_its_connection(house):
    wire = house.connect()
    headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency_Key": "key-1"}
    for _ in range(2):
        wire.send(request("POST", "/v1/presses", body=json.dumps(PRESS).encode(), **headers))
    assert [answer.status for answer in wire.heard()] == [201, 201]


def test_a_token_that_was_changed_is_read_again(house, monkeypatch):
    monkeypatch.setenv("APP_TOKEN", "z" * 40)
    read = house.machines.read_again()

    assert (read["app"](), read["terminals"]()) == (True, False)
    with capture_logs():
        assert house.press().status == 401
    assert house.press(token="z" * 40).status == 201


def test_a_token_that_nobody_could_send_leaves_the_old_one(house, monkeypatch):
    monkeypatch.setenv("APP_TOKEN", "short")
    with pytest.raises(LookupError, match="openssl rand"):
        house.machines.read_again()["app"]()
    assert house.press().status == 201


# -- a later fix -------------------------------------------------------------------------------------------------------


def test_a_later_fix_is_kept_for_the_incident_that_this_machine_has_pressed_for(house):
    answer = house.fix()

    assert (answer.status, answer.body) == (204, b"")
    ((incident, connector, position),) = house.fixes
    assert (incident, connector, position.uncertainty_m) == (INCIDENT, "app", 12.0)


def test_a_fix_of_a_name_that_is_none_says_how_to_get_the_right_one(house):
    house.kept = FixKept.UNKNOWN
    assert "repeat the press under its Idempotency-Key" in problem(house.fix())["detail"]


@pytest.mark.parametrize(
    ("kept", "status", "code"),
    [
        (FixKept.UNKNOWN, 404, "unknown-incident"),
        (FixKept.CLOSED, 410, "incident-closed"),
        (Unavailable("the store is away"), 503, "unavailable"),
    ],
)
def test_a_fix_that_is_not_kept_says_why(house, kept, status, code):
    house.kept = kept
    answer = house.fix()
    assert (answer.status, problem(answer)["code"]) == (status, code)


@pytest.mark.parametrize("incident", ["sos%00", "SOS-1", "x" * 41, "%ED%95%9C"])
def test_what_is_no_name_of_an_incident_is_not_looked_for(house, incident):
    assert house.fix(incident=incident).status == 404
    assert house.fixes == []


def test_a_fix_with_faults_is_told_each_of_them(house):
    answer = house.fix({"latitude": 95})
    known = problem(answer)
    assert (answer.status, known["code"]) == (422, "fields-unreadable")
    assert [each["pointer"] for each in known["errors"]] == ["#/latitude", "#/longitude"]


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/v1/presses", 405, "POST"),
        ("POST", f"/v1/presses/{INCIDENT}/position", 405, "PUT"),
        ("POST", "/v1/presses/", 404, None),
        ("PUT", f"/v1/presses/{INCIDENT}", 404, None),
    ],
)
def test_other_ways_lead_nowhere(house, method, path, status, allow):
    answer = house.send(method, path, PRESS, "192.0.2.1", {})
    assert (answer.status, answer.headers.get("allow")) == (status, allow)
    problem(answer)
