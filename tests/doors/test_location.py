"""The location URL: what an asker with a token is told, and what one without is not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from lxml import etree
from structlog.testing import capture_logs

from telephony.domain.errors import Unavailable
from telephony.doors.location import FIND_WITHIN_S, FINDING_AT_ONCE, STRANGERS_TOLD, prefers_held
from telephony.psap.pidf_lo import HELD_NAMESPACE, LOCATION_UNKNOWN, held_error
from tests.doors.asking import CELL, INCIDENT, TOKEN, Listening, Store, digest_of, holder, request

LOCATION_REQUEST = f'<locationRequest xmlns="{HELD_NAMESPACE}"/>'.encode()
HELD, PIDF = "application/held+xml", "application/pidf+xml"
OTHER = "x" * 32


def root_of(answer):
    return etree.QName(etree.fromstring(answer.body)).localname


def code_of(answer):
    return etree.fromstring(answer.body).get("code")


# -- with a token -----------------------------------------------------------------------------------------------


def test_get_gives_the_newest_position_as_pidf_lo():
    listening = Listening()
    answer = listening.ask()
    assert (answer.status, answer.headers["content-type"]) == (200, PIDF)
    assert b"<gml:pos>37.566500 126.977800</gml:pos>" in answer.body
    assert f'entity="pres:{INCIDENT}@onetouch.example"'.encode() in answer.body
    assert listening.store.asked == [digest_of(TOKEN)]


def test_each_position_that_is_given_out_is_noted_for_the_audit_chain_and_nothing_else_is():
    listening = Listening()
    for method in ("GET", "HEAD"):
        listening.ask(method)
    listening.ask("POST", body=LOCATION_REQUEST, Content_Type=HELD)
    assert listening.seen == [INCIDENT] * 3
    listening.ask("POST", body=b"nonsense")
    listening.ask(path=f"/v1/location/{OTHER}")
    listening.store.holders[digest_of(TOKEN)] = holder(best=None)
    listening.ask()
    listening.store.holders[digest_of(TOKEN)] = holder(is_open=False)
    listening.ask()
    assert listening.seen == [INCIDENT] * 3


def test_every_question_is_asked_again():
    listening = Listening()
    wire = listening.connect()
    wire.send(request())
    listening.store.holders[digest_of(TOKEN)] = holder(best=CELL.as_last_known())
    wire.send(request())
    first, second = wire.heard()
    assert b"<dm:note" not in first.body
    assert b"<dm:note" in second.body


def test_head_tells_what_get_would_without_the_body():
    listening = Listening()
    get = listening.ask()
    head = listening.ask("HEAD")
    assert head.status == 200
    assert head.headers == get.headers


def test_a_held_request_is_answered_in_held():
    answer = Listening().ask("POST", body=LOCATION_REQUEST, Content_Type=HELD)
    assert (answer.status, answer.headers["content-type"]) == (200, HELD)
    assert root_of(answer) == "locationResponse"


def test_a_get_that_prefers_held_is_answered_in_held():
    answer = Listening().ask(Accept=f"{HELD}, {PIDF};q=0.5")
    assert (answer.headers["content-type"], root_of(answer)) == (HELD, "locationResponse")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "xmlError"),
        (b"where is she?", "xmlError"),
        (b"<other/>", "unsupportedMessage"),
        (
            b'<locationRequest><locationType exact="true">civic</locationType></locationRequest>',
            "cannotProvideLiType",
        ),
    ],
)
def test_a_held_request_that_cannot_be_answered_gets_held_s_error(body, code):
    with capture_logs() as said:
        answer = Listening().ask("POST", body=body)
    assert (answer.status, answer.headers["content-type"], code_of(answer)) == (200, HELD, code)
    assert [line["has_position"] for line in said] == [False]


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "multipart/form-data"]
)
def test_a_form_is_no_held_request_and_is_not_taken_apart(kind):
    """twisted.web would answer 400 to a broken one by itself, after 80 ms of work on a nested one."""
    answer = Listening().ask("POST", body=b"--a\r\nnonsense", Content_Type=kind)
    assert (answer.status, code_of(answer)) == (200, "xmlError")


@pytest.mark.parametrize("accept", ["application/json", "application/json, */*;q=0.5"])
def test_a_get_that_prefers_json_is_answered_in_json(accept):
    found = replace(CELL, altitude_m=61.5)
    answer = Listening(Store(**{TOKEN: holder(best=found)})).ask(Accept=accept)

    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert json.loads(answer.body) == {
        "incident": INCIDENT,
        "position": {
            "latitude": 37.5665,
            "longitude": 126.9778,
            "uncertainty_m": pytest.approx(575.3, abs=0.1),
            "confidence_percent": 95,
            "altitude_m": 61.5,
            "method": "cell",
            "source": "lbs:skt",
            "measured_at": "2026-11-23T03:00:00+00:00",
            "received_at": "2026-11-23T03:00:00+00:00",
        },
    }


@pytest.mark.parametrize(
    "accept", ["*/*", f"{PIDF}, application/json;q=0.9", f"{HELD}, application/json", "text/html"]
)
def test_json_is_for_who_prefers_it(accept):
    assert Listening().ask(Accept=accept).headers["content-type"] != "application/json"


def test_a_json_client_is_told_that_there_is_no_position_in_a_problem_document():
    listening = Listening(Store(**{TOKEN: holder(best=None)}))
    answer = listening.ask(Accept="application/json")
    assert (answer.status, answer.headers["retry-after"]) == (404, "5")
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.body)["code"] == "no-position"
    assert listening.seen == []


def test_an_accept_header_of_octets_that_are_no_text_is_one_like_any_other():
    listening = Listening()
    wire = listening.connect()
    wire.send(request().replace(b"\r\n\r\n", b"\r\nAccept: \xff\r\n\r\n"))
    (answer,) = wire.heard()
    assert (answer.status, answer.headers["content-type"]) == (200, PIDF)


def test_without_a_position_a_get_is_told_when_to_ask_again():
    listening = Listening(Store(**{TOKEN: holder(best=None)}))
    answer = listening.ask()
    assert (answer.status, answer.headers["retry-after"]) == (404, "5")
    assert (answer.headers["content-type"], answer.body) == (HELD, held_error(LOCATION_UNKNOWN))


def test_without_a_position_a_held_client_gets_held_s_error():
    listening = Listening(Store(**{TOKEN: holder(best=None)}))
    for answer in (listening.ask(Accept=HELD), listening.ask("POST", body=LOCATION_REQUEST)):
        assert (answer.status, code_of(answer)) == (200, "locationUnknown")


def test_the_url_dies_with_the_incident():
    listening = Listening()
    assert listening.ask().status == 200
    listening.store.holders[digest_of(TOKEN)] = holder(is_open=False)
    for answer in (listening.ask(), listening.ask("POST", body=LOCATION_REQUEST)):
        assert (answer.status, answer.headers["connection"], answer.body) == (410, "close", b"")


def test_a_caller_without_a_number_can_be_found_too():
    store = Store(**{TOKEN: holder(msisdn="")})
    assert b"<dm:person" in Listening(store).ask().body


# -- without one ------------------------------------------------------------------------------------------------


def test_an_unknown_token_opens_nothing_and_may_be_early():
    """The INVITE with the URL leaves before its call is in the store."""
    answer = Listening().ask(path=f"/v1/location/{OTHER}")
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (404, b"", "2")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/location",
        "/v1/location/",
        f"/v1/location/{TOKEN}/",
        f"/v1/location/{TOKEN}/more",
        f"/v1/location//{TOKEN}",
        f"//v1/location/{TOKEN}",
        f"/x/v1/location/{TOKEN}",
        f"/V1/location/{TOKEN}",
        f"/{TOKEN}",
        "/v1/location/" + "a" * 19,
        "/v1/location/" + "a" * 129,
        "/v1/location/" + "a" * 30 + "%00",
        "/v1/location/" + "a" * 30 + "%0A",
        "/v1/location/" + "a" * 30 + ".",
        "/v1/location/" + "%C3%A4" * 20,
        "/v1/location/../location/" + "%2e%2e/" * 10,
        "/",
        "*",
    ],
)
def test_what_cannot_be_a_token_is_not_even_looked_up(path):
    listening = Listening()
    answer = listening.ask(path=path)
    assert (answer.status, answer.body) == (404, b"")
    assert listening.store.asked == []


@pytest.mark.parametrize("length", [20, 128])
def test_the_longest_and_the_shortest_token_are_looked_up(length):
    store = Store(**{"b" * length: holder()})
    assert Listening(store).ask(path="/v1/location/" + "b" * length).status == 200


def test_an_escaped_token_and_a_query_are_the_same_url():
    assert Listening().ask(path=f"/v1/location/%5A{TOKEN[1:]}?a=b").status == 200


@pytest.mark.parametrize(
    "method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "X" * 100]
)
def test_other_methods_are_refused_unheard(method):
    listening = Listening()
    answer = listening.ask(method)
    assert (answer.status, answer.headers["allow"], answer.body) == (405, "GET, HEAD, POST", b"")
    assert listening.store.asked == []


def test_no_answer_may_be_kept_by_a_cache():
    listening = Listening()
    for answer in (listening.ask(), listening.ask("PUT"), listening.ask(path=f"/v1/location/{OTHER}")):
        assert answer.headers["cache-control"] == "no-store"


# -- a store in trouble -----------------------------------------------------------------------------------------


def test_a_store_that_is_away_is_worth_another_try():
    listening = Listening()
    listening.store.error = Unavailable("store: disk full")
    answer = listening.ask()
    assert (answer.status, answer.headers["retry-after"], answer.body) == (503, "2", b"")


def test_a_fault_of_ours_is_logged_and_worth_another_try():
    listening = Listening()
    listening.store.error = ValueError("two rows")
    with capture_logs() as said:
        answer = listening.ask()
    assert answer.status == 503
    assert [line["event"] for line in said] == ["location not looked up", "location asked"]


def test_a_store_that_hangs_is_not_waited_for():
    listening = Listening()
    listening.store.hold()
    wire = listening.connect()
    wire.send(request())
    listening.reactor.advance(FIND_WITHIN_S - 0.01)
    assert wire.heard() == []
    with capture_logs() as said:
        listening.reactor.advance(0.02)
    assert [answer.status for answer in wire.heard()] == [503]
    assert [line["event"] for line in said] == ["location asked"]
    listening.store.release()
    assert wire.heard() == []


def test_a_store_that_hangs_collects_only_a_few_questions():
    listening = Listening()
    listening.store.hold()
    for _ in range(3):
        wires = [listening.connect() for _ in range(20)]
        for wire in wires:
            wire.send(request())
        listening.reactor.advance(FIND_WITHIN_S)
        assert [[answer.status for answer in wire.heard()] for wire in wires] == [[503]] * 20
    assert len(listening.store.asked) == FINDING_AT_ONCE
    listening.store.release()
    assert listening.ask().status == 200


def test_an_asker_waits_its_turn_while_the_store_is_busy():
    listening = Listening()
    listening.store.hold()
    wires = [listening.connect() for _ in range(FINDING_AT_ONCE + 1)]
    for wire in wires:
        wire.send(request())
    assert len(listening.store.asked) == FINDING_AT_ONCE
    listening.store.release()
    assert [answer.status for wire in wires for answer in wire.heard()] == [200] * len(wires)


def test_an_asker_who_leaves_gives_up_its_turn():
    listening = Listening()
    listening.store.hold()
    wires = [listening.connect() for _ in range(FINDING_AT_ONCE + 1)]
    for wire in wires:
        wire.send(request())
    with capture_logs() as said:
        for wire in wires:
            wire.lose()
        listening.store.release()
        listening.reactor.advance(60)
    assert len(listening.store.asked) == FINDING_AT_ONCE
    assert said == []
    assert listening.ask().status == 200


# -- the log ----------------------------------------------------------------------------------------------------


def test_each_answer_is_one_line_with_the_incident_and_never_the_token_or_the_place():
    listening = Listening()
    with capture_logs() as said:
        listening.ask()
        listening.ask("POST", body=LOCATION_REQUEST)
        listening.store.holders[digest_of(TOKEN)] = holder(best=None)
        listening.ask()
        listening.store.holders[digest_of(TOKEN)] = holder(is_open=False)
        listening.ask()
        listening.ask(path=f"/v1/location/{OTHER}")
        listening.ask("PUT")
    event = {"event": "location asked", "log_level": "info"}
    assert said == [
        event | {"incident": INCIDENT, "status": 200, "has_position": True},
        event | {"incident": INCIDENT, "status": 200, "has_position": True},
        event | {"incident": INCIDENT, "status": 404, "has_position": False},
        event | {"incident": INCIDENT, "status": 410, "has_position": False},
        event | {"status": 404, "has_position": False, "untold_total": 0},
        event | {"status": 405, "has_position": False, "untold_total": 0},
    ]


def test_a_flood_of_strangers_is_counted_instead_of_told():
    listening = Listening()
    with capture_logs() as said:
        for _ in range(100):
            listening.ask(path=f"/v1/location/{OTHER}")
        listening.ask()
        listening.reactor.advance(1)
        listening.ask(path=f"/v1/location/{OTHER}")
        listening.ask(path=f"/v1/location/{OTHER}")
    assert len(said) == STRANGERS_TOLD + 3
    assert said[-3]["incident"] == INCIDENT
    assert [line["untold_total"] for line in said[-2:]] == [100 - STRANGERS_TOLD, 0]


# -- Accept -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "held"),
    [
        ("", False),
        ("*/*", False),
        ("text/html,*/*;q=0.8", False),
        (PIDF, False),
        (HELD, True),
        (HELD.upper(), True),
        (f"{PIDF}, {HELD}", False),
        (f"{PIDF};q=0.5, {HELD}", True),
        (f"{PIDF};q=0.5, {HELD};q=0.500", False),
        (f"{HELD};q=0.4, */*;q=0.5", False),
        (f"{PIDF};q=0, */*", True),
        (f"{PIDF};q=0, application/*;q=0.1", True),
        (f"{HELD} ; charset=utf-8 ; q=0.9", True),
        (f"{HELD};q=0", False),
        (f"{HELD};q=nonsense", True),
        (",;,=;q=", False),
    ],
)
def test_held_is_given_on_get_only_to_who_wants_it_more(accept, held):
    assert prefers_held(accept) is held
