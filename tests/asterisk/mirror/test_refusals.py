"""INVITEs and their responses, paired: what came to nothing is given once, and nothing else is."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from telephony.asterisk.mirror import hep, refusals
from telephony.asterisk.mirror.refusals import (
    KEPT_S,
    NOT_ANSWERED,
    WAIT_REFUSED_S,
    WAIT_UNANSWERED_S,
    Invites,
    caller_of,
    dialled,
    key_of,
)
from telephony.asterisk.sip.message import read
from tests.asterisk.hep_datagrams import hep as datagram
from tests.asterisk.hep_datagrams import sip

NOW = datetime(2026, 11, 23, 1, 45, tzinfo=UTC)
TRUNK = "192.0.2.10"
CALL_ID = "3c26-700b@192.0.2.10"
CELL = "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=450051A2B0123456"
SEED = int(os.environ.get("ONETOUCH_FUZZ_SEED", "20110419"))


class Exchange:
    """What one Asterisk mirrors, second by second."""

    def __init__(self):
        self.invites = Invites({ip_address(TRUNK): "skt-voice"}.get)
        self.now_s = 0.0

    def take(self, octets, source=TRUNK):
        return self.invites.take(hep.read(datagram(octets, source=source)), self.now_s, NOW)

    def invite(self, *headers, source=TRUNK, **how):
        return self.take(sip("INVITE sip:112@x SIP/2.0", *headers, **({"call_id": CALL_ID} | how)), source)

    def answer(self, status, *headers, **how):
        return self.take(sip(f"SIP/2.0 {status}", *headers, **({"call_id": CALL_ID} | how)), "198.51.100.7")

    def after(self, seconds):
        self.now_s += seconds
        return [(invite.call_id, invite.answer) for invite in self.invites.due(self.now_s)]


@pytest.fixture
def exchange():
    return Exchange()


def test_a_refused_invite_is_given_once_with_its_status_after_a_moment(exchange):
    exchange.invite()
    exchange.answer("100 Trying")
    exchange.answer("420 Bad Extension", "Unsupported: precondition")

    assert exchange.after(WAIT_REFUSED_S / 2) == []
    assert exchange.after(WAIT_REFUSED_S / 2) == [(CALL_ID, "420 Bad Extension (precondition)")]
    exchange.answer("420 Bad Extension")
    exchange.invite()
    assert exchange.after(60) == []


def test_an_invite_that_gets_no_answer_is_given_too(exchange):
    exchange.invite()
    exchange.invite()

    assert exchange.after(WAIT_UNANSWERED_S - 0.1) == []
    assert exchange.after(0.1) == [(CALL_ID, NOT_ANSWERED)]


@pytest.mark.parametrize(
    "status", ["200 OK", "401 Unauthorized", "407 Proxy Authentication Required", "487 Request Terminated"]
)
def test_who_is_taken_asked_again_or_has_given_up_is_not_given(exchange, status):
    exchange.invite()
    exchange.answer(status)

    assert exchange.after(60) == []


def test_credentials_come_under_the_next_number_and_their_refusal_counts(exchange):
    exchange.invite()
    exchange.answer("401 Unauthorized")
    exchange.invite(cseq="2 INVITE")
    exchange.answer("401 Unauthorized")
    exchange.answer("488 Not Acceptable Here", cseq="2 INVITE")

    assert exchange.after(2) == [(CALL_ID, "488 Not Acceptable Here")]


def test_a_second_try_of_one_call_that_is_taken_makes_good_the_first(exchange):
    exchange.invite()
    exchange.answer("422 Session Interval Too Small")
    exchange.invite(cseq="2 INVITE")
    exchange.answer("200 OK", cseq="2 INVITE")

    assert exchange.after(60) == []


def test_an_invite_that_came_by_two_ways_is_one(exchange):
    exchange.invite()
    assert exchange.invite() is None
    exchange.answer("482 Merged Request")
    assert exchange.after(2 * WAIT_REFUSED_S) == []
    exchange.answer("200 OK")

    assert exchange.after(60) == []


@pytest.mark.parametrize("is_told_first", [True, False])
def test_what_the_manager_interface_tells_of_is_not_given(exchange, is_told_first):
    if is_told_first:
        exchange.invites.has_channel(CALL_ID, exchange.now_s)
    exchange.invite()
    exchange.answer("603 Decline")
    if not is_told_first:
        exchange.invites.has_channel(CALL_ID.replace("-", ""), exchange.now_s)

    assert exchange.after(60) == []


def test_what_an_invite_carried_is_known_until_its_call_is_told_of(exchange):
    exchange.invite(CELL)
    exchange.answer("200 OK")
    exchange.now_s = 60.0

    assert exchange.invites.has_channel(CALL_ID, 60.0).said.cell == "450-05-1A2B-0123456"
    assert exchange.invites.has_channel("another", 60.0) is None
    assert exchange.invites.has_channel("", 60.0) is None
    assert exchange.invites.has_channel(CALL_ID, 60.0 + KEPT_S + 1) is None


@pytest.mark.parametrize(
    "octets",
    [
        sip("OPTIONS sip:x SIP/2.0", cseq="1 OPTIONS"),
        sip("INVITE sip:112@x SIP/2.0", to="<sip:112@x>;tag=9"),
        sip("INVITE sip:112@x SIP/2.0", call_id=""),
        b"\r\n\r\n",
    ],
    ids=["another-method", "within-a-call", "no-call-id", "keep-alive"],
)
def test_what_begins_no_call_is_passed_over(exchange, octets):
    assert exchange.take(octets) is None
    assert exchange.after(60) == []


def test_who_is_no_trunk_is_passed_over(exchange):
    exchange.invite(source="203.0.113.9")
    exchange.answer("401 Unauthorized")

    assert exchange.after(60) == []


def test_a_flood_is_given_early_rather_than_forgotten(exchange, monkeypatch):
    monkeypatch.setattr(refusals, "MOST_INVITES", 20)
    for number in range(25):
        exchange.invite(call_id=f"{number}")

    assert [call_id for call_id, _ in exchange.after(0)] == ["0", "1", "2", "3", "4"]
    assert len(exchange.invites) == 20


@pytest.mark.parametrize(
    ("headers", "from_", "number"),
    [
        (
            ["P-Asserted-Identity: <sip:+821011112222@x>, <tel:+821011112222>"],
            "<sip:anonymous@y>",
            "<sip:+821011112222@x>",
        ),
        (
            ['P-Asserted-Identity: "SOS" <sip:reception@x>, <tel:+821011112222>'],
            "<sip:1@y>",
            "<tel:+821011112222>",
        ),
        ([], "<tel:+821011112222>", "<tel:+821011112222>"),
        ([], "sip:01011112222@y", "sip:01011112222@y"),
        ([], '"Anonymous" <sip:anonymous@anonymous.invalid>', ""),
        ([], "<sip:Restricted@y>", ""),
        ([], "<sip:0000000000@y>", ""),
        ([], "<sip:number-withheld@y>", ""),
        ([], "<sip:reception@y>", "reception"),
        ([], "", ""),
    ],
)
def test_the_caller_is_the_first_asserted_number_or_whom_from_names(headers, from_, number):
    assert (
        caller_of(read(sip("INVITE sip:112@x SIP/2.0", *headers, from_=f"{from_};tag=1" if from_ else "")))
        == number
    )


@pytest.mark.parametrize(
    ("uri", "number"),
    [
        ("sip:112@x", "112"),
        ("sips:112;phone-context=+82@x;user=phone", "112"),
        ("tel:112;phone-context=+82", "112"),
        ("urn:service:sos.police", "urn:service:sos.police"),
        ("sip:x", "sip:x"),
        ("sip:x:5060;transport=udp", "sip:x:5060;transport=udp"),
    ],
)
def test_what_was_dialled_is_the_number_or_the_whole_uri(uri, number):
    assert dialled(uri) == number


def test_no_message_however_mangled_raises():
    chance = random.Random(SEED)
    exchange = Exchange()
    for number in range(1_000):
        octets = bytearray(sip("INVITE sip:112@x SIP/2.0", CELL, call_id=f"{number}", body=b"v=0"))
        for _ in range(chance.randint(0, 6)):
            where = chance.randrange(len(octets))
            octets[where : where + chance.randint(0, 4)] = chance.randbytes(chance.randint(0, 3))
        exchange.take(bytes(octets))
    exchange.after(WAIT_UNANSWERED_S)

    assert len(exchange.invites) == 0


def test_a_call_id_is_compared_by_what_every_dialplan_lets_through():
    assert key_of("3c26-700b@192.0.2.10") == key_of("3c26700b@192.0.2.10") == "3c26700b1920210"
