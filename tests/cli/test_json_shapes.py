"""docs/json.md tells the shape of every ``--json``: it names the keys that are printed, and no others."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from telephony.asterisk.dialplan.configuration_files import Finding
from telephony.asterisk.operator.diagnosis import Told
from telephony.cli import onetouch
from telephony.cli.calls import plain_call
from telephony.cli.cap import plain_attempt, plain_parameter
from telephony.cli.dialplan import plain_check
from telephony.cli.doctor import plain_told
from telephony.cli.incidents_locatings import plain_locatings
from telephony.cli.recordings import plain_recording
from telephony.domain.locating import Locating, Purpose
from telephony.domain.people.person import Refusal
from telephony.domain.values import Msisdn
from telephony.lab.trial.check import Checked
from telephony.psap.parameters import Parameter
from telephony.psap.sample_sending import Attempt, Made
from telephony.psap.samples import DOCUMENTED, samples
from telephony.settings import load
from telephony.store.crypto import KeyFile
from telephony.store.engines import one_transaction, open_engines
from telephony.store.people import Registry
from telephony.store.standing_calls import StandingCall
from tests.cli.incidents_kept import FIRST, keep_incidents
from tests.store.recording_drafts import recording

DOCUMENT = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
SECTIONS = {
    heading: re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    for heading, text in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
}
PERSON = (
    "이름,생년월일,휴대폰번호,통신사,보호자 관계,보호자 전화번호\n"
    "김하늘,2015-03-02,010-1234-5678,SKT,어머니,010-9876-0001\n"
)
WHY = ("--why", "letter of 3 May")


def walked(command, path=()):
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from walked(command.get_command(context, name), (*path, name))
    else:
        yield " ".join(path), command


def test_every_command_with_json_is_in_the_document_and_no_other():
    with_json = {
        name for name, each in walked(onetouch) if any("--json" in option.opts for option in each.params)
    }

    assert set(SECTIONS) == with_json


def keys_of(plain, path=""):
    """The keys of an object, and of those in it and in its lists."""
    for key, value in plain.items():
        yield f"{path}{key}"
        if isinstance(value, dict):
            yield from keys_of(value, f"{path}{key}.")
        for each in value if isinstance(value, list) else ():
            if isinstance(each, dict):
                yield from keys_of(each, f"{path}{key}[].")


def assert_documented(heading, plain, *, beside=()):
    named = set(SECTIONS[heading]) | set(beside)
    printed = set(keys_of(plain))
    assert {each for each in printed if "." not in each} == {each for each in named if "." not in each}
    assert named <= printed


@pytest.fixture
def onetouch_with(run, config, tmp_path):
    """The command over a store with incidents, a person, a refusal and a chain."""
    run("db", "upgrade", "--config", config)
    keep_incidents(config)
    file = tmp_path / "class.csv"
    file.write_text(PERSON)
    run("people", "import", file, "--config", config, "--by", "school", "--means", "paper")
    settings = load(config)
    ring = KeyFile(settings.key_file).ring
    writing, reading = open_engines(settings.database_url, ring)
    at = datetime(2026, 11, 23, tzinfo=UTC)

    def refuse(person):
        return type(person)(
            person.name, person.birth_date, person.devices, person.consent, person.guardians, person.texts,
            (Refusal("0009", "SMS", at),),
        )  # fmt: skip

    with writing.connect() as connection, one_transaction(connection):
        Registry(ring).change(connection, Msisdn("821012345678"), refuse, at)
    writing.dispose()
    reading.dispose()
    return lambda *arguments: run(*arguments[:2], "--config", config, *arguments[2:])


@pytest.mark.parametrize(
    ("command", "beside"),
    [
        (("incidents", "list"), ()),
        (("incidents", "show", FIRST), SECTIONS["incidents list"]),
        (("incidents", "readout", FIRST), ()),
        (("people", "show", "010-1234-5678"), ()),
        (("people", "refused", *WHY), ()),
        (("people", "own", "010-1234-5678", *WHY), ()),
        (("keys", "show"), ()),
        (("audit", "list", *WHY), ()),
        (("audit", "verify"), ()),
        (("audit", "retention"), ()),
        (("db", "check"), ()),
        (("db", "salvage"), ()),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) and value else None,
)
def test_what_a_command_prints_is_what_the_document_tells(onetouch_with, command, beside):
    done = onetouch_with(*command, "--json")

    # The incidents of the fixture were settled by hand, and a salvage says so.
    assert done.exit_code == (3 if "salvage" in command else 0), done.output
    is_one = done.stdout.startswith("{\n")
    first = json.loads(done.stdout if is_one else done.stdout.splitlines()[0])
    assert_documented(" ".join(command[:2]), first, beside=beside)


AT = datetime(2026, 11, 23, tzinfo=UTC)
SAMPLE = samples(AT, DOCUMENTED)[0]
ASKED = Locating(FIRST, Msisdn("821012345678"), "skt", "onetouch", Purpose.FOLLOWING, "fast", AT)
CALL = StandingCall(FIRST, "voice-1/voice-1-1.1", "skt-voice", AT, "connected", "no-rtp", is_lifted=False)


@pytest.mark.parametrize(
    ("heading", "plain"),
    [
        ("incidents locatings", *plain_locatings([ASKED])),
        ("calls list", plain_call(CALL)),
        ("recordings list", plain_recording(recording())),
        ("cap parameters", plain_parameter(Parameter.CALLBACK)),
        ("cap send-sample", plain_attempt("seoul-a", Attempt(SAMPLE, Made.DELIVERED, 200, 12.3, "200"))),
        (
            "dialplan check",
            plain_check(Checked((Finding("a.conf", 1, "is wrong", "b"),), ("rang",), 1, 2, 0.123), None),
        ),
        ("doctor asterisk", plain_told(Told("voice-1", "112", "answers"))),
    ],
)
def test_what_needs_an_asterisk_is_told_alike(heading, plain):
    assert_documented(heading, plain)
