"""Requests and responses as far as they are looked at, damaged ones too."""

from __future__ import annotations

import pytest

from telephony.asterisk.sip.message import DEEPEST, MOST_HEADERS, MOST_PARTS, parts, read, split
from tests.asterisk.hep_datagrams import sip

MIXED = (
    b"--b1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n"
    b"--b1\r\nContent-Type: application/PIDF+xml\r\nContent-ID: <a@b>\r\n\r\n<presence/>\r\n"
)


def body(octets, kind='multipart/mixed;boundary="b1"'):
    return [(part.kind, part.body) for part in parts(read(_typed(octets, kind)))]


def _typed(octets, kind):
    return sip("INVITE sip:112@x SIP/2.0", f"c: {kind}", body=octets)


def test_a_request_tells_its_uri_and_its_headers_in_whatever_form_they_are_written():
    message = read(
        sip(
            "INVITE urn:service:sos.police SIP/2.0",
            "x: 60",
            "P-Asserted-Identity: <sip:+82212345678@x;user=phone>,\r\n <tel:+82212345678>",
        )
    )

    assert (message.method, message.uri, message.status) == ("INVITE", "urn:service:sos.police", 0)
    assert message.get("session-expires") == "60"
    assert message.values("p-asserted-identity") == ["<sip:+82212345678@x;user=phone>", "<tel:+82212345678>"]
    assert (message.call_id, message.sequence) == ("a84b4c76e66710@192.0.2.10", 1)
    assert not message.is_within_dialog


def test_a_response_tells_its_status_and_the_method_that_it_answers():
    message = read(sip("SIP/2.0 488 Not Acceptable Here", to="<sip:112@x>;tag=1", cseq="7 INVITE"))

    assert (message.method, message.status, message.reason) == ("INVITE", 488, "Not Acceptable Here")
    assert message.sequence == 7
    assert message.is_within_dialog


@pytest.mark.parametrize(
    "octets", [b"", b"\0\0\0\0", b"\r\n\r\n", b"INVITE\r\n\r\n", b"INVITE sip:a@b HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_sip_is_nothing(octets):
    assert read(octets) is None


def test_a_message_whose_headers_are_damaged_is_read_as_far_as_it_can_be():
    message = read(b"INVITE sip:112@x SIP/2.0\r\nno colon\r\n: no name\r\nCall-ID: \xff\xfe\r\nCSeq: x")

    assert message.call_id == r"\xff\xfe"
    assert message.sequence == -1


def test_a_flood_of_headers_is_cut():
    many = sip("INVITE sip:112@x SIP/2.0", *(f"X-{number}: 1" for number in range(5 * MOST_HEADERS)))

    assert len(read(many).headers) <= MOST_HEADERS + 1


def test_a_comma_within_quotes_or_brackets_parts_no_values():
    assert list(split('"Kim, \\"A" <sip:1@x>, <sip:2,3@x> ,,tel:4')) == [
        '"Kim, \\"A" <sip:1@x>',
        "<sip:2,3@x>",
        "tel:4",
    ]


@pytest.mark.parametrize(
    "end",
    [b"--b1--\r\n", b"--b1--", b"", b"--b1--\r\n--b1\r\nContent-Type: a/b\r\n\r\nx"],
    ids=["ended", "ended-short", "without-its-end", "with-more-behind-it"],
)
def test_a_multipart_body_is_taken_apart_whether_it_is_ended_or_not(end):
    assert [kind for kind, _ in body(MIXED + end)] == ["application/sdp", "application/pidf+xml"]
    assert body(MIXED + end)[0][1] == b"v=0"


def test_a_body_of_one_part_and_of_parts_within_parts_are_read_alike():
    inner = b"--o\r\nContent-Type: multipart/related;boundary=b1\r\n\r\n" + MIXED + b"--b1--\r\n\r\n--o--\r\n"

    assert body(b"v=0", "application/sdp;charset=utf-8") == [("application/sdp", b"v=0")]
    assert [kind for kind, _ in body(inner, "multipart/mixed;boundary=o")] == [
        "application/sdp",
        "application/pidf+xml",
    ]
    assert body(b"", "application/sdp") == []


def test_parts_within_parts_and_a_flood_of_parts_have_an_end():
    nested = b"v=0"
    for depth in range(DEEPEST + 2):
        boundary = f"n{depth}".encode()
        kind = b"application/sdp" if depth == 0 else b"multipart/mixed;boundary=n%d" % (depth - 1)
        nested = (
            b"--"
            + boundary
            + b"\r\nContent-Type: "
            + kind
            + b"\r\n\r\n"
            + nested
            + b"\r\n--"
            + boundary
            + b"--"
        )

    assert body(nested, f"multipart/mixed;boundary=n{DEEPEST + 1}") == []
    assert len(body(b"--b1\r\nContent-Type: a/b\r\n\r\nx\r\n" * 500)) == MOST_PARTS
