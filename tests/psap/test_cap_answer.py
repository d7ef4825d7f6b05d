"""What a centre's answer says, in every form in which centres and their gateways have been heard to answer."""

from __future__ import annotations

import gzip
import json
import random
import time
from html import escape
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.psap.answer_text import MAX_OCTETS
from telephony.psap.cap_answer import Ack, Doubtful, Error, Failure, read_answer

CAP = "urn:oasis:names:tc:emergency:cap:1.2"
REPORT = "sos-20261123-7k3qwz2m9t-1"
OURS = f"onetouch.example,{REPORT},2026-11-23T15:05:02+09:00"
NOTE = "관할 아님"


def cap(msg_type, note=NOTE, *, namespace=CAP, prefix="", references=None):
    """A CAP document of a centre, without an XML declaration."""
    at, declared = (f"{prefix}:", f":{prefix}") if prefix else ("", "")
    named = "" if references is None else f"<{at}references>{references}</{at}references>"
    return (
        f'<{at}alert xmlns{declared}="{namespace}"><{at}identifier>c-1</{at}identifier><{at}sender>112</{at}sender>'
        f"<{at}msgType>{msg_type}</{at}msgType><{at}note>{note}</{at}note>{named}</{at}alert>"
    )


def xml(document, encoding="UTF-8"):
    return f'<?xml version="1.0" encoding="{encoding}"?>\n{document}'


def soap(content):
    return (
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Header/><soap:Body>'
        f'<r:sendResponse xmlns:r="urn:x">{content}</r:sendResponse></soap:Body></soap:Envelope>'
    )


def edxl(content, kind="Report"):
    return (
        '<EDXLDistribution xmlns="urn:oasis:names:tc:emergency:EDXL:DE:1.0"><distributionID>d-1</distributionID>'
        f"<distributionType>{kind}</distributionType>{content}</EDXLDistribution>"
    )


KOREAN_NAMES = (
    "MS949", "x-windows-949", "windows-949", "KSC5601", "ks_c_5601-1987", "euckr", "EUC-KR", "cp949", "no-such",
)  # fmt: skip

FORMS = {
    "plain": lambda it: xml(it).encode(),
    "without a declaration": str.encode,
    "packed": lambda it: gzip.compress(xml(it).encode(), mtime=0),
    "after blank lines": lambda it: b"\r\n\r\n" + xml(it).encode(),
    "after a byte order mark": lambda it: b"\xef\xbb\xbf" + xml(it).encode(),
    "after a blank line and a mark": lambda it: b"\r\n\xef\xbb\xbf" + xml(it).encode(),
    "after NULs": lambda it: b"\0\0\0" + xml(it).encode(),
    "before NULs": lambda it: xml(it).encode() + b"\0" * 1000,
    "before stray octets": lambda it: xml(it).encode() + b"\x1a\xff\xfe\x00 -- EOF",
    "UTF-16": lambda it: xml(it, "UTF-16").encode("utf-16"),
    "UTF-16LE without a mark": lambda it: xml(it, "UTF-16").encode("utf-16-le"),
    "UTF-16BE without a mark": lambda it: xml(it, "UTF-16").encode("utf-16-be"),
    "UTF-16 after a blank line": lambda it: ("\r\n" + xml(it, "UTF-16")).encode("utf-16-le") + b"\0\0\0",
    "UTF-32": lambda it: xml(it, "UTF-32").encode("utf-32"),
    "a wrong declaration": lambda it: xml(it, "UTF-8").encode("cp949"),
    "another wrong declaration": lambda it: xml(it, "EUC-KR").encode(),
    "SOAP": lambda it: soap(it).encode(),
    "escaped in SOAP": lambda it: soap(escape(xml(it))).encode(),
    "escaped twice": lambda it: soap(escape(escape(xml(it)))).encode(),
    "CDATA in SOAP": lambda it: soap(f"<![CDATA[{xml(it)}]]>").encode(),
    "EDXL-DE": lambda it: edxl(
        f"<contentObject><xmlContent><embeddedXMLContent>{it}</embeddedXMLContent></xmlContent></contentObject>"
    ).encode(),
    "escaped in EDXL-DE": lambda it: edxl(
        f"<contentObject><nonXMLContent><contentData>{escape(it)}</contentData></nonXMLContent></contentObject>"
    ).encode(),
    "a DOCTYPE": lambda it: f'<!DOCTYPE alert SYSTEM "file:///etc/passwd">{it}'.encode(),
    "a bare DOCTYPE": lambda it: f'<?xml version="1.0"?><!DOCTYPE alert>{it}'.encode(),
    "another DOCTYPE in a comment": lambda it: (
        f"<!-- <alert><msgType>Update</msgType></alert> -->{it}".encode()
    ),
    "MIME": lambda it: f"--b\r\nContent-Type: application/cap+xml\r\n\r\n{xml(it)}\r\n--b--\r\n".encode(),
    "in JSON": lambda it: json.dumps({"code": 200, "body": xml(it)}).encode(),
    "a JSON string": lambda it: json.dumps(xml(it)).encode(),
} | {name: (lambda it, name=name: xml(it, name).encode("cp949")) for name in KOREAN_NAMES}


@pytest.fixture(params=FORMS)
def form(request):
    return FORMS[request.param]


def read(body):
    return read_answer(body if isinstance(body, bytes) else body.encode(), REPORT)


class TestCapInEveryForm:
    def test_an_error_is_an_error_with_its_reason(self, form):
        assert read(form(cap("Error"))) == Error("c-1", NOTE)

    def test_an_ack_is_an_ack(self, form):
        assert read(form(cap("Ack"))) == Ack("c-1", NOTE)
        assert read(form(cap("Ack", references=OURS))) == Ack("c-1", NOTE)

    def test_an_ack_of_another_report_is_none_of_this_one(self, form):
        assert isinstance(read(form(cap("Ack", references=f"onetouch.example,{REPORT}1,x"))), Doubtful)

    def test_a_report_sent_back_is_no_ack(self, form):
        assert isinstance(read(form(cap("Alert"))), Doubtful)


@pytest.mark.parametrize(
    "namespace", [CAP, CAP.replace("1.2", "1.1"), "http://www.incident.com/cap/1.0", "urn:x"]
)
@pytest.mark.parametrize("prefix", ["", "cap", "ns0", "a-b.c"])
def test_version_and_prefix_say_nothing(namespace, prefix):
    for kind, expected in (("Ack", Ack), ("Error", Error)):
        assert read(cap(kind, namespace=namespace, prefix=prefix)) == expected("c-1", NOTE)


@pytest.mark.parametrize("kind", [" Error\n", "ERROR", "error", "<!-- no -->Error"])
def test_the_letters_and_blanks_of_a_kind_say_nothing(kind):
    assert read(cap(kind)) == Error("c-1", NOTE)


def test_a_note_is_one_line_of_two_hundred_characters():
    assert read(cap("Ack", "taken\n by  desk 7")) == Ack("c-1", "taken by desk 7")
    assert len(read(cap("Error", "x" * 10_000)).note) == 200
    assert read(cap("Error", "A&amp;B &#x4E;")).note == "A&B N"
    assert read(cap("Error", "A&B")).note == "A&B"


@pytest.mark.parametrize(
    ("references", "is_ours"),
    [
        (OURS, True),
        (f"x,other-1,y\n  {OURS}", True),
        (REPORT, True),
        (REPORT.upper(), True),
        (f"'{REPORT}'", True),
        ("", True),
        (OURS.replace(REPORT, f"{REPORT}2"), False),
        (OURS.replace(REPORT, f"x-{REPORT}"), False),
        (REPORT.removesuffix("-1"), False),
        ("c-7", False),
    ],
)
def test_an_ack_says_of_which_report_or_of_none(references, is_ours):
    for kind, expected in (("Ack", Ack), ("Error", Error)):
        assert isinstance(read(cap(kind, references=references)), expected if is_ours else Doubtful)


OTHERS = "onetouch.example,sos-20261123-0000000000-1,2026-11-23T15:05:02+09:00"
IDENTIFIER = ("identifier", "c-1")


def of(*elements, namespace=CAP):
    """A CAP document of these elements, in this order."""
    inside = "".join(f"<{name}>{value}</{name}>" for name, value in elements)
    return f'<alert xmlns="{namespace}">{inside}</alert>'


@pytest.mark.parametrize("namespace", [CAP, CAP.replace("1.2", "1.1")])
@pytest.mark.parametrize(("kind", "expected"), [("Ack", Ack), ("Error", Error)])
def test_the_elements_may_come_in_any_order(kind, expected, namespace):
    """Their order is the schema's, and not that of every program that writes them."""
    elements = [IDENTIFIER, ("msgType", kind), ("note", NOTE), ("references", OURS)]

    for order in permutations(elements):
        assert read(of(*order, namespace=namespace)) == expected("c-1", NOTE)


@pytest.mark.parametrize(
    "references",
    [
        f"{OTHERS} {OURS}",
        f"{OURS} {OTHERS}",
        f"\n\t{OTHERS}\r\n\t{OURS}\n",
        f"{OTHERS},{OURS}",
        f"{OTHERS};{OURS}",
        f"{OTHERS}\u00a0{OURS}",
        f"{OTHERS}&#160;{OURS}",
        f"onetouch.example , {REPORT} , 2026-11-23T15:05:02+09:00",
        f"onetouch.example,\n{REPORT},\n2026-11-23T15:05:02+09:00",
        f"onetouch.example,\u3000{REPORT}\u3000,2026-11-23T15:05:02+09:00",
        f"<![CDATA[{OURS}]]>",
        "".join(f"&#{ord(each)};" for each in OURS),
        OURS.replace("7k3q", "7k\u200b3q"),
        OURS.replace(REPORT, f"&#xFEFF;{REPORT}"),
        f"{OTHERS}</references><references>{OURS}",
    ],
)
@pytest.mark.parametrize(("kind", "expected"), [("Ack", Ack), ("Error", Error)])
def test_ours_is_found_among_the_references_however_they_are_set(kind, expected, references):
    assert read(of(IDENTIFIER, ("msgType", kind), ("references", references))) == expected("c-1", "")


@pytest.mark.parametrize(
    "kind",
    ["Ack", "\n  Ack\t", "\u00a0Ack\u3000", "\ufeffAck", "Ack\u200b", "&#xFEFF;Ack", "<![CDATA[ Ack ]]>"],
)
@pytest.mark.parametrize("mark", ["", "\ufeff", "\ufeff\ufeff", "\ufeff\r\n", "\u0085\u2028"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_marks_and_blanks_around_the_document_and_its_words_say_nothing(kind, mark, encoding):
    body = f"{mark}{of(('references', OURS), ('msgType', kind), IDENTIFIER)}".encode(encoding)

    assert read(body) == Ack("c-1", "")


def test_tags_may_be_broken_over_lines_and_carry_attributes():
    document = (
        f'<alert\n xmlns = "{CAP}"\n xmlns:i="urn:i" i:schemaLocation="{CAP} CAP-v1.2.xsd" note="a>b"\n>'
        f'<identifier\n>c-1</identifier\n><msgType  i:type="s">\nAck\n</msgType ><references i:n="1">{OURS}</references\n>'
        "</alert\n>"
    )

    assert read(document) == Ack("c-1", "")


def test_of_several_documents_an_error_weighs_most_and_an_ack_more_than_an_echo():
    assert read(soap(cap("Alert") + cap("Ack", references=OURS))) == Ack("c-1", NOTE)
    assert read(soap(cap("Ack") + cap("Error"))) == Error("c-1", NOTE)
    assert isinstance(read(soap(cap("Ack", references="c-7") + cap("Update"))), Doubtful)
    assert read(cap("Ack").replace("</msgType>", "</msgType><msgType>Error</msgType>")) == Error("c-1", NOTE)


def test_an_envelope_without_cap_speaks_for_itself():
    assert read(edxl("", "Ack")) == Ack("", "")
    assert read(edxl("", "Error")) == Error("", "")
    assert isinstance(read(edxl("")), Doubtful)
    assert isinstance(read(edxl("<distributionReference>d,x,y</distributionReference>", "Ack")), Doubtful)


def test_cap_as_json_is_read_like_cap():
    assert read('{"alert": {"identifier": "c-1", "msgType": "Ack", "note": null}}') == Ack("c-1", "")
    assert read('[{"cap:msgType": "Error", "note": "no"}]') == Error("", "no")
    assert isinstance(read('{"msgType": "Ack", "references": ["c-7"]}'), Doubtful)
    assert isinstance(read('{"msgType": {"$": "Ack"}}'), Doubtful)


BOMB = (
    '<!DOCTYPE alert [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;">]>'
    "<alert><msgType>Ack</msgType><note>&c;</note></alert>"
)


@pytest.mark.parametrize(
    "body",
    [
        "<alert",
        "<alert/>",
        "<alert><msgType>Ack</msgType>",
        "<cap:alert><cap:msgType>Ack</cap:msgType><cap:note>cut",
        "<alert><msgType>&ack;</msgType></alert>",
        "<alert><msgType/></alert>",
        f'<Ack xmlns="{CAP}"/>',
        escape("<alert><msgType>Ack"),
        cap("Ack", "x" * MAX_OCTETS),
        BOMB,
        BOMB.encode("utf-16"),
        b"\x1f\x8b\x08 damaged",
        gzip.compress(cap("Ack").encode(), mtime=0)[:-60],
        "<response><status>OK</sta",
        "{'status': 'ok'}",
        '{"a":' * 20_000,
        bytes(range(256)),
        b"\x06",
    ],
)
def test_what_cannot_be_read_is_doubtful(body):
    assert isinstance(read(body), Doubtful)


def test_an_error_that_is_cut_short_is_an_error():
    assert read("<alert><msgType>Error</msgType><note>no su") == Error("", "")


@pytest.mark.parametrize(
    "body",
    [
        b"", b" \r\n", b"\0\0\0", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0),
        "OK", "ACK", "Thank you", "200", "접수되었습니다", "접수되었습니다".encode("cp949"), "Error: 0", "No errors",
        "<html><body>Service</body></html>", "<!DOCTYPE html><title>Thank you</title><h1>Received</h1>",
        "<html><script>alert('thank you')</script></html>", "Your alert was received",
        '{"status": "ok"}', '{"error": null, "success": true}', "[]", "[OK] taken", '"OK"', "true", "null",
        '{"errors": [], "code": 0, "errorCode": "0000", "errorMessage": ""}', '{"id": "Error-7", "received": true}',
        '{"header": {"resultCode": "00", "resultMsg": "NORMAL SERVICE."}}',
        "<response><status>OK</status></response>", '<result code="0"/>', "<ok/>", "<r><error/><errors></errors></r>",
    ],
)  # fmt: skip
def test_nothing_and_words_that_say_no_error_leave_it_to_the_status(body):
    assert read(body) is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"status": "error", "message": "no such area"}', "no such area"),
        ('{"success": false}', "false"),
        ('{"result": "FAIL", "resultMsg": "DB"}', "DB"),
        ('{"error": {"code": 7, "message": "down"}}', "down"),
        ('{"errors": ["a", "b"]}', "a b"),
        ('{"errorCode": "E-17"}', "E-17"),
        ('{"type": "about:blank", "title": "Bad Request", "status": 400}', "Bad Request"),
        ('[{"status": "FAILED"}]', "FAILED"),
        ('"ERROR"', "ERROR"),
        ("ERROR 12 no such area", "ERROR 12 no such area"),
        ("실패: 관할 아님", "실패: 관할 아님"),
        ("NAK", "NAK"),
        ("Not found", "Not found"),
        ("false", "false"),
        ("503", "503"),
        (soap("<soap:Fault><faultcode>c</faultcode><faultstring>boom</faultstring></soap:Fault>"), "boom"),
        ("<p:E xmlns:p='x'><p:Fault><p:Reason><p:Text>boom</p:Text></p:Reason></p:Fault></p:E>", "boom"),
        (soap(escape("<result><status>ERROR</status><message>busy</message></result>")), "busy"),
        ('<rsp stat="fail"><err code="1" msg="no such area"/></rsp>', "no such area"),
        ("<response><result>FAIL</result></response>", "FAIL"),
        ("<error><code>1</code></error>", "fault"),
        ("<html><head><title>500 Internal Server Error</title></head></html>", "500 Internal Server Error"),
        ("<!DOCTYPE html><h1>서비스 장애</h1>", "서비스 장애"),
    ],
)
def test_an_error_in_words_of_its_own_is_a_failure(body, words):
    assert read(body) == Failure(words)


def test_no_answer_costs_more_than_its_length():
    for each in (
        "<",
        "<!--",
        "&",
        "&amp;",
        "<alert>",
        '<a b="',
        " a='x a=\"",
        "<a:",
        "&#x",
        "{",
        "[1,",
        " a",
        "ks ",
        "< /",
    ):
        body = (each * MAX_OCTETS)[:MAX_OCTETS]
        for whole in (body, f"<x>{body}", f"{body}msgType"):
            began = time.thread_time()
            read(whole)
            assert time.thread_time() - began < 1
    assert read(gzip.compress(b"<" * 50_000_000)) is not None


def test_fifty_thousand_mutated_answers_give_a_value_or_nothing():
    source = random.Random(1122)
    seeds = [make(cap(kind)) for make in FORMS.values() for kind in ("Ack", "Error")] + [BOMB.encode()]
    for _ in range(50_000):
        body = bytearray(source.choice(seeds))
        for _ in range(source.randint(1, 5)):
            body[source.randrange(len(body))] = source.randrange(256)
        assert isinstance(read(bytes(body)), Ack | Error | Failure | Doubtful | None)


@given(st.binary(max_size=200) | st.text(alphabet="<>/!-[]&;#x0a\"'= {}:,alertmsgTypeAckError", max_size=200))
def test_any_octets_give_a_value_or_nothing(body):
    assert isinstance(read(body), Ack | Error | Failure | Doubtful | None)


@pytest.mark.parametrize(
    "said",
    [
        "시스템 오류",
        "오류가 발생했습니다",
        "처리에 실패하였습니다",
        "System error occurred",
        "500 Internal Server Error",
        "Access denied",
        "java.lang.NullPointerException: x",
        "Traceback (most recent call last):",
        "timeout",
        '{"resultCode": "9999", "resultMsg": "시스템 오류"}',
        '{"resultCode": "E001"}',
        "<r><code>9999</code><message>Database error</message></r>",
        "<error/>",
        "<br />\n<b>Fatal error</b>:  Uncaught Exception",
    ],
)
def test_a_sentence_that_tells_of_an_error_is_one(said: str):
    assert isinstance(read_answer(said.encode(), "I-1"), Failure)


@pytest.mark.parametrize(
    "said",
    [
        "no errors",
        "0 failures, 1 accepted",
        "errors: 0",
        "오류 없음",
        "OK (an error of the mail gateway was ignored)",
        "정상 처리되었습니다",
        '{"resultCode": "0000", "resultMsg": "이전 오류 복구됨"}',
        '{"id": 7, "description": "측위 실패"}',
        "<response><error/></response>",
    ],
)
def test_a_sentence_that_agrees_or_tells_of_none_is_no_error(said: str):
    assert read_answer(said.encode(), "I-1") is None
