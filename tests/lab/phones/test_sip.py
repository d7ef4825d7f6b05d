"""Octets become SIP or `Malformed`, and SIP becomes the octets that were meant."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.domain.errors import Malformed
from telephony.lab.phones.sip import (
    Address,
    Headers,
    Media,
    Request,
    Response,
    address_of,
    answer,
    branch_of,
    facing,
    media_of,
    name_addr,
    parse,
    session_description,
    sip_uri,
)

# As Asterisk 16.28 sent it, with a location by value; token, identifiers and document shortened.
INVITE = (
    b"INVITE sip:112@127.0.0.1:35112 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 127.0.0.1:35060;rport;branch=z9hG4bKPj532923a8\r\n"
    b'From: "Test" <sip:01000000001@127.0.0.1>;tag=f1d3440b\r\n'
    b"To: <sip:112@127.0.0.1>\r\n"
    b"Contact: <sip:asterisk@127.0.0.1:35060>\r\n"
    b"Call-ID: 8b046867\r\n"
    b"CSeq: 28825 INVITE\r\n"
    b"Supported: 100rel, timer\r\n"
    b"X-Incident-ID: sostest-1795466530.43\r\n"
    b"Content-Type: multipart/mixed;boundary=e48e1f70\r\n"
    b"Content-Length:  352\r\n"
    b"\r\n"
    b"\r\n--e48e1f70\r\n"
    b"Content-Type: application/sdp\r\nContent-Length:   172\r\n\r\n"
    b"v=0\r\no=- 1306945644 1306945644 IN IP4 127.0.0.1\r\ns=Asterisk\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 30350 RTP/AVP 0 96\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:96 telephone-event/8000\r\n"
    b"\r\n--e48e1f70\r\n"
    b"Content-ID: <mcouj@127.0.0.1>\r\nContent-Type: application/pidf+xml\r\n\r\n<presence/>\r\n--e48e1f70--\r\n"
)
TRYING = (
    b"SIP/2.0 100 Trying\r\nVia: SIP/2.0/UDP 127.0.0.1:35061;rport=35061;received=127.0.0.1;branch=z9hG4bK1\r\n"
    b'Call-ID: 128b\r\nFrom: "Test" <sip:1@127.0.0.1>;tag=a6\r\nTo: <sip:9113@127.0.0.1>\r\nCSeq: 1 INVITE\r\n'
    b"Content-Length:  0\r\n\r\n"
)
NEEDED = "Via: SIP/2.0/UDP h;branch=b\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n"


def options(more="", body=b"", start="OPTIONS sip:c@d SIP/2.0"):
    return f"{start}\r\n{NEEDED}{more}\r\n".encode() + body


def sdp_of(*lines):
    headers = Headers([("Content-Type", "application/sdp")])
    return media_of(Request("INVITE", "sip:x@y", headers, "\r\n".join(lines).encode()))


def test_an_invite_of_asterisk_is_read_whole():
    invite = parse(INVITE)
    assert isinstance(invite, Request)
    assert (invite.method, invite.uri, invite.cseq) == ("INVITE", "sip:112@127.0.0.1:35112", 28825)
    assert branch_of(invite.headers) == "z9hG4bKPj532923a8"
    assert invite.headers.get("x-incident-id") == "sostest-1795466530.43"
    assert address_of(invite.headers.get("FROM")) == Address(
        "Test", "sip:01000000001@127.0.0.1", {"tag": "f1d3440b"}
    )
    assert media_of(invite) == Media("127.0.0.1", 30350, (0, 96), 96)
    assert invite.body.endswith(b"<presence/>\r\n--e48e1f70--\r\n")


def test_a_response_is_read_whole():
    response = parse(TRYING)
    assert isinstance(response, Response)
    assert (response.status, response.reason, response.is_final) == (100, "Trying", False)
    assert media_of(response) is None


def test_what_is_written_is_read_back():
    for message in (
        Request("OPTIONS", "sip:c@d", Headers(parse(options()).headers.pairs), b"a\r\n\r\nb"),
        Response(486, "Busy Here", Headers(parse(options()).headers.pairs), b""),
    ):
        again = parse(message.octets())
        assert (type(again), again.body) == (type(message), message.body)
        assert again.headers.pairs == (*message.headers.pairs, ("Content-Length", str(len(message.body))))


def test_octets_that_are_no_utf_8_survive():
    odd = options().replace(b"<sip:a@b>", b'"\xff\xfe" <sip:a@b>')
    assert b'"\xff\xfe" <sip:a@b>' in parse(odd).octets()


def test_short_names_and_folded_lines_are_understood():
    short = b"OPTIONS sip:c@d SIP/2.0\r\nv:SIP/2.0/UDP h;branch=b\r\nf: <sip:a@b>\r\n ;tag=1\r\nt: sip:c@d;tag=2\r\n"
    message = parse(short + b"i:x\r\nCSeq:1 OPTIONS\r\nl: 2\r\n\r\nhi, and what the length leaves out")
    assert address_of(message.headers.get("From")).tag == "1"
    assert address_of(message.headers.get("To")) == Address("", "sip:c@d", {"tag": "2"})
    assert message.body == b"hi"


def test_the_topmost_via_names_the_transaction():
    one_line = Headers([("Via", "SIP/2.0/UDP a, SIP/2.0/UDP b;branch=of-b")])
    assert branch_of(one_line) == ""
    assert branch_of(Headers([("Via", "SIP/2.0/UDP a; branch = z9 ;rport"), ("Via", "x;branch=y")])) == "z9"


@pytest.mark.parametrize(
    ("value", "display", "uri", "tag"),
    [
        ("sip:a@b;tag=1", "", "sip:a@b", "1"),
        ("<sip:a@b;user=phone>;TAG = 1 ;x", "", "sip:a@b;user=phone", "1"),
        ("Mr Kim <sip:a@b>", "Mr Kim", "sip:a@b", ""),
        (r'"a\"b\\<sip:x@y>;tag=9" <sip:a@b>;tag=1', r'a"b\<sip:x@y>;tag=9', "sip:a@b", "1"),
        ('"살려" <tel:112>', "살려", "tel:112", ""),
        ('"" <sip:a@b>', "", "sip:a@b", ""),
    ],
)
def test_addresses(value, display, uri, tag):
    address = address_of(value)
    assert (address.display, address.uri, address.tag) == (display, uri, tag)


@pytest.mark.parametrize("value", ['"a" sip:a@b', '"a <sip:a@b>', "<sip:a@b", '"a\\" <sip:a@b>'])
def test_addresses_that_are_none(value):
    with pytest.raises(Malformed):
        address_of(value)


@given(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])))
def test_any_name_can_be_quoted(display):
    value = name_addr(display, "sip:a@b") + ";tag=1"
    assert address_of(value) == Address(display, "sip:a@b", {"tag": "1"})


@pytest.mark.parametrize("display", ["a\rb", "a\nVia: b", "\r\n"])
def test_a_line_break_cannot_be_quoted(display):
    with pytest.raises(ValueError, match="no line break"):
        name_addr(display, "sip:a@b")


def test_a_number_in_a_uri_is_escaped_where_it_must_be():
    assert sip_uri("+82*1#", "127.0.0.1", 5060) == "sip:+82*1%23@127.0.0.1:5060"
    assert sip_uri('a@b>"', "h") == "sip:a%40b%3E%22@h"


def test_an_answer_repeats_what_it_must():
    request = parse(
        options("Via: SIP/2.0/UDP second;branch=c\r\nRecord-Route: <sip:r>\r\n").replace(
            b";branch=b", b";rport;branch=b"
        )
    )
    response = parse(
        answer(request, 200, tag="t", source=("10.0.0.1", 99), headers=[("Allow", "X")]).octets()
    )
    assert response.headers.all("Via") == (
        "SIP/2.0/UDP h;rport=99;received=10.0.0.1;branch=b",
        "SIP/2.0/UDP second;branch=c",
    )
    assert response.headers.get("To") == "<sip:c@d>;tag=t"
    assert [response.headers.get(name) for name in ("From", "Call-ID", "CSeq", "Record-Route", "Allow")] == [
        "<sip:a@b>;tag=1", "x", "1 OPTIONS", "<sip:r>", "X"
    ]  # fmt: skip


def test_a_tag_is_put_on_once_and_not_on_trying():
    request = parse(options())
    assert answer(request, 100, tag="t", source=("h", 1)).headers.get("To") == "<sip:c@d>"
    tagged = parse(options().replace(b"<sip:c@d>\r\n", b"<sip:c@d>;tag=u\r\n"))
    assert answer(tagged, 200, tag="t", source=("h", 1)).headers.get("To") == "<sip:c@d>;tag=u"


def test_our_own_session_description_is_understood():
    body = session_description("127.0.0.2", 4000, 7)
    assert sdp_of(body.decode()) == Media("127.0.0.2", 4000, (0, 101), 101)
    body = session_description("127.0.0.2", 4000, 7, digits=None, direction="inactive")
    assert sdp_of(body.decode()) == Media("127.0.0.2", 4000, (0,), None, "inactive")


def test_lines_of_the_audio_win_and_other_media_do_not_count():
    media = sdp_of(
        "c=IN IP4 10.0.0.1", "a=sendonly", "m=video 6 RTP/AVP 9", "c=IN IP4 10.0.0.9", "a=inactive",
        "m=audio 8 RTP/AVP 0", "c=IN IP4 10.0.0.2", "a=recvonly", "m=audio 10 RTP/AVP 8", "a=inactive",
    )  # fmt: skip
    assert media == Media("10.0.0.2", 8, (0,), None, "recvonly")


def test_lines_of_the_session_hold_where_the_audio_has_none():
    media = sdp_of(
        "c=IN IP4 10.0.0.1", "a=sendonly", "m=video 6 RTP/AVP 9", "c=IN IP4 10.0.0.9", "a=inactive", "m=audio 8 RTP/AVP 0"
    )  # fmt: skip
    assert media == Media("10.0.0.1", 8, (0,), None, "sendonly")


@pytest.mark.parametrize(
    ("direction", "port", "host", "is_open"),
    [
        ("sendrecv", 4, "10.0.0.1", True),
        ("recvonly", 4, "10.0.0.1", True),
        ("sendonly", 4, "10.0.0.1", False),
        ("inactive", 4, "10.0.0.1", False),
        ("sendrecv", 0, "10.0.0.1", False),
        ("sendrecv", 4, "0.0.0.0", False),
    ],
)
def test_a_peer_on_hold_wants_no_audio(direction, port, host, is_open):
    assert Media(host, port, (0,), None, direction).is_open is is_open


def test_a_direction_is_answered_by_its_other_side():
    assert [facing(each) for each in ("sendrecv", "sendonly", "recvonly", "inactive")] == [
        "sendrecv", "recvonly", "sendonly", "inactive"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("c=IN IP4 10.0.0.1",),
        ("m=audio 4 RTP/AVP 0",),
        ("c=IN IP6 ::1", "m=audio 4 RTP/AVP 0"),
        ("c=IN IP4 host.example", "m=audio 4 RTP/AVP 0"),
        ("c=IN IP4 10.0.0.1", "m=audio 65536 RTP/AVP 0"),
        ("c=IN IP4 10.0.0.1", "m=audio x RTP/AVP 0"),
        ("c=IN IP4 10.0.0.1", "m=audio 4 RTP/AVP"),
    ],
)
def test_a_session_description_without_audio_is_malformed(lines):
    with pytest.raises(Malformed):
        sdp_of(*lines)


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\r\n\r\n",
        b"\x00\x00\r\n\r\n",
        options()[:-2],
        options().replace(b"\r\n", b"\n"),
        *(options().replace(line.encode() + b"\r\n", b"") for line in NEEDED.split("\r\n")[:-1]),
        options(start="OPTIONS sip:c@d SIP/3.0"),
        options(start="OPTIONS sip:c d SIP/2.0"),
        options(start="SIP/2.0 700 No"),
        options(start="SIP/2.0 20 No"),
        options(start="BYE sip:c@d SIP/2.0"),
        options("no header\r\n"),
        options("Content-Length: 3\r\n", b"ab"),
        options("Content-Length: -1\r\n"),
        options("Content-Length: 9999999999\r\n"),
        options().replace(b"CSeq: 1", b"CSeq: one"),
        options().replace(b"From: <sip:a@b>", b'From: "<sip:a@b>'),
        options().replace(b"To: <sip:c@d>", b"To: <sip:c@d"),
    ],
)
def test_what_is_no_message_is_malformed(datagram):
    with pytest.raises(Malformed):
        parse(datagram)


def test_a_response_may_repeat_a_from_that_we_broke_on_purpose():
    broken = options(start="SIP/2.0 400 Bad").replace(b"From: <sip:a@b>", b'From: "<sip:a@b>')
    assert parse(broken).status == 400


def read_all_of(datagram):
    """Everything that is done with a datagram before anybody believes it."""
    with suppress(Malformed):
        message = parse(datagram)
        branch_of(message.headers)
        if isinstance(message, Request):
            answer(message, 200, tag="t", source=("127.0.0.1", 5060)).octets()
        message.octets()
        media_of(message)
        address_of(message.headers.get("contact"))


@pytest.mark.parametrize("whole", [INVITE, TRYING, options()])
def test_a_message_cut_anywhere_is_read_or_malformed(whole):
    for end in range(len(whole)):
        read_all_of(whole[:end])


@given(st.binary(max_size=300))
@settings(max_examples=60)
def test_rubbish_is_malformed(datagram):
    read_all_of(datagram)
    read_all_of(options(body=datagram))


@pytest.mark.parametrize("seed", range(4))
def test_mutations_are_read_or_malformed(seed):
    rng = random.Random(seed)
    pieces = [
        b"\r\n",
        b";tag=",
        b'"',
        b"<",
        b">",
        b"\\",
        b"\x00",
        b"\xff",
        b"m=audio ",
        b"c=IN IP4 ",
        b"a=rtpmap:",
    ]
    pieces += [
        b"Content-Length: 5",
        b"multipart/mixed;boundary=",
        b"--e48e1f70",
        b";branch=",
        b"9" * 30,
        "٣".encode(),
    ]
    for _ in range(400):
        octets = bytearray(rng.choice((INVITE, TRYING, options())))
        for _ in range(rng.choice((1, 2, 5))):
            at = rng.randrange(len(octets))
            octets[at : at + rng.choice((0, 1, 9))] = rng.choice(pieces)
        read_all_of(bytes(octets))
