"""`onetouch cap`: samples as files, and sent to a centre as the daemon sends its reports."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
import pytest_twisted
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.ssl import CertificateOptions
from twisted.internet.utils import getProcessOutputAndValue

from telephony.lab.centre.http_server import LabHttpServer, LabResponse
from telephony.lab.centre.psap import LabPsap, ReceivedReport
from telephony.psap.parameters import Parameter
from telephony.psap.samples import DOCUMENTED, DOCUMENTED_AT, samples
from tests.scenarios.certificates import make_certificates

NAMES = [each.name for each in samples(DOCUMENTED_AT, DOCUMENTED)]
ROOT = Path(__file__).parents[2]


def test_the_samples_are_written_in_their_order(run, tmp_path):
    folder = tmp_path / "new" / "samples"

    done = run("cap", "sample", folder)

    assert done.exit_code == 0
    files = [folder / f"{number}-{name}.xml" for number, name in enumerate(NAMES, start=1)]
    assert done.output.splitlines() == [str(each) for each in files]
    assert sorted(folder.iterdir()) == sorted(files)
    for each in files:
        report = ReceivedReport(0.0, "", each.read_bytes())
        assert (report.fault, report.status) == (None, "Test")


def test_the_drill_of_the_samples_stands_in_the_document_as_it_is(run, tmp_path):
    run("cap", "sample", tmp_path)

    drill = (tmp_path / "8-drill.xml").read_text(encoding="utf-8")

    assert drill in (ROOT / "docs" / "cap.md").read_text(encoding="utf-8")


def test_a_file_that_is_there_is_never_written_over(run, tmp_path):
    (tmp_path / "1-alert.xml").write_text("mine")

    done = run("cap", "sample", tmp_path)

    assert done.exit_code == 1
    assert "1-alert.xml: File exists; name a new folder" in done.output
    assert (tmp_path / "1-alert.xml").read_text() == "mine"


@pytest.mark.parametrize(
    ("language", "row"),
    [
        ("ko", ["press-count", "지금까지 누른 횟수"]),
        ("en", ["press-count", "presses so far"]),
    ],
)
def test_the_parameters_are_listed_for_people(run, language, row):
    done = run("cap", "parameters", "--language", language)

    assert done.exit_code == 0
    lines = done.output.splitlines()
    at = [re.split("  +", line) for line in lines].index(row)
    assert lines[at + 1].strip() == "number"
    assert any(line.strip() == "word: no-rtp, zeros" for line in lines)
    assert any(line.strip() == "word: lbs:, device, invite, last-known …" for line in lines)


def test_the_parameters_are_listed_for_programs(run):
    done = run("cap", "parameters", "--json")

    told = {each["name"]: each for each in map(json.loads, done.output.splitlines())}
    assert list(told) == [each.value_name for each in Parameter]
    assert told["silence"] == {
        "name": "silence",
        "document": "report",
        "type": "word",
        "unit": None,
        "values": ["lifted", "held"],
        "is_open": False,
        "repeats": False,
        "ko": "신고자 전화기에 소리가 날 수 있는지. 없으면 무음이 해제된 적이 없다",
        "en": "whether sound can reach the caller's phone; absent: silence was never lifted",
        "since": "0.1.0",
    }
    assert (told["call-duration-s"]["unit"], told["alarm"]["document"]) == ("s", "heartbeat")


def test_a_dry_run_prints_what_would_be_sent_and_sends_nothing(run, config):
    """Port 1 answers nobody."""
    done = run("cap", "send-sample", "centre", "--dry-run", "--config", config)

    assert done.exit_code == 0
    documents = re.findall(r"<\?xml.*?</alert>\n", done.stdout, re.DOTALL)
    told = [ReceivedReport(0.0, "", each.encode()) for each in documents]
    assert "".join(documents) == done.stdout
    assert [each.fault for each in told] == [None] * len(NAMES)
    assert {each.status for each in told} == {"Test"}
    assert all(each.identifier.startswith("sample-") for each in told)
    assert "<addresses>centre</addresses>" in documents[0]


def test_a_name_that_is_none_is_told_with_those_that_are(run, config):
    done = run("cap", "send-sample", "busan", "--config", config)

    assert done.exit_code == 2
    assert "the names are: centre, centre-a" in done.output


def sent_by_a_process(config, *arguments):
    """The command as a person runs it: it has a reactor of its own."""
    command = ["-m", "telephony", "cap", "send-sample", "--config", str(config), *arguments]
    return getProcessOutputAndValue(sys.executable, command, env={**os.environ}, path=str(ROOT))


@pytest.fixture
def centre():
    place = LabPsap(reactor)
    pytest_twisted.blockon(Deferred.fromCoroutine(place.listen()))
    yield place
    pytest_twisted.blockon(Deferred.fromCoroutine(place.close()))


@pytest_twisted.ensureDeferred
async def test_the_samples_reach_a_centre_and_each_answer_is_told(make_config, centre):
    out, err, code = await sent_by_a_process(make_config(psap=centre.port), "centre")

    assert (err, code) == (b"", 0)
    head, *rows = out.decode().splitlines()
    assert head.split() == ["CHANNEL", "SAMPLE", "STATUS", "TIME", "MADE", "OF", "IT"]
    assert [row.split()[:3] for row in rows] == [["centre-a", name, "200"] for name in NAMES]
    assert all(" delivered " in row for row in rows)
    assert len(centre.reports) + len(centre.heartbeats) == len(NAMES)
    assert {each.status for each in (*centre.reports, *centre.heartbeats)} == {"Test"}
    assert centre.violations == []


@pytest_twisted.ensureDeferred
async def test_what_a_centre_does_not_take_is_the_exit_code_and_for_programs(make_config, centre):
    """What raises an alarm in the daemon is told by the table alone."""
    centre.answer(
        200, b'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><msgType>Update</msgType></alert>'
    )

    out, err, code = await sent_by_a_process(make_config(psap=centre.port), "centre-a", "--json")

    assert (err, code) == (b"", 1)
    told = [json.loads(line) for line in out.splitlines()]
    assert [each["sample"] for each in told] == NAMES
    assert {(each["status"], each["made"]) for each in told} == {(200, "retry")}
    assert "neither Ack nor Error" in told[0]["reason"]


@pytest_twisted.ensureDeferred
async def test_the_authorization_of_the_channel_goes_with_them(make_config, tmp_path):
    seen = []

    def handle(request):
        seen.append(request.header(b"authorization"))
        return LabResponse(200)

    port = await LabHttpServer(reactor, handle).listen()
    secret = tmp_path / "secret"
    secret.write_text("Bearer abc\n")
    config = make_config(psap=port.getHost().port)
    config.write_text(f'{config.read_text()}authorization = {{file = "{secret}"}}\n')

    out, _, code = await sent_by_a_process(config, "centre")

    await port.stopListening()
    assert code == 0
    assert seen == [b"Bearer abc"] * len(NAMES)
    assert b"abc" not in out


@pytest_twisted.ensureDeferred
async def test_a_secret_that_is_not_there_is_told_before_anything_is_sent(make_config, centre):
    config = make_config(psap=centre.port)
    second = """
[[psap.channel]]
name = "centre-b"
url = "http://127.0.0.1:1/"
authorization = {env = "ONETOUCH_NOT_SET"}
"""
    config.write_text(config.read_text() + second)

    out, err, code = await sent_by_a_process(config, "centre")

    assert (out, code) == (b"", 1)
    assert b"set the environment variable ONETOUCH_NOT_SET" in err
    assert centre.requests == 0


@pytest_twisted.ensureDeferred
async def test_the_certificate_of_the_centre_is_verified_as_for_reports(make_config, tmp_path):
    ours, others = make_certificates(tmp_path / "ours"), make_certificates(tmp_path / "others")
    options = CertificateOptions(
        privateKey=load_pem_private_key(ours.key.read_bytes(), None),
        certificate=load_pem_x509_certificate(ours.certificate.read_bytes()),
    )
    server = LabHttpServer(reactor, lambda _: LabResponse(200))
    port = reactor.listenSSL(0, server, options, interface="127.0.0.1")
    url = f"127.0.0.1:{port.getHost().port}/"
    config = make_config(psap=port.getHost().port)
    plain = config.read_text().replace(f'url = "http://{url}"\n', "")
    outcomes = []

    for authority in (ours.authority, others.authority):
        config.write_text(f'{plain}url = "https://{url}"\ntls = {{ca_file = "{authority}"}}\n')
        outcomes.append(await sent_by_a_process(config, "centre", "--json"))

    server.drop_connections()
    await port.stopListening()
    assert [code for _, _, code in outcomes] == [0, 1]
    first, *rest = [json.loads(line) for line in outcomes[1][0].splitlines()]
    assert (first["made"], first["status"]) == ("retry", None)
    assert "certificate" in first["reason"]
    assert {each["made"] for each in rest} == {"not-sent"}
    assert server.requests == len(NAMES)
