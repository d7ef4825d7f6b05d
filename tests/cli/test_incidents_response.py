"""``onetouch incidents acknowledge``, ``dispatch``, ``arrived`` and ``note``: what 112 does is one command, kept, shown and audited."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from telephony.cli.story_facts import fact_in_words
from telephony.domain.facts import CENTRE, FactKind
from telephony.domain.orders import LONGEST_UNIT
from telephony.domain.trigger import Trigger
from telephony.domain.values import Msisdn
from telephony.settings import load
from telephony.store.crypto import KeyFile
from telephony.store.engines import open_engines
from telephony.store.fact_rows import from_data
from telephony.store.presses import NewPress, PressRecorder, Rules
from telephony.store.upgrade import upgrade

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ID = "sos-20260301-7k3qwz2m9t"
LEE = ("--by", "Lee, desk 7")


@pytest.fixture
def onetouch(run, config):
    """The subcommands of `incidents`, over a store with one open incident."""
    settings = load(config)
    KeyFile(settings.key_file).make()
    writing, reading = open_engines(settings.database_url, KeyFile(settings.key_file).ring)
    upgrade(writing)
    pressed = Trigger(
        source="sms", connector="skt-1", carrier="skt", msisdn=Msisdn("821012345678"), reference="a",
        received_at=START, destination="112", text="help me", encoding="gsm0338",
    )  # fmt: skip
    with writing.begin() as connection:
        PressRecorder(Rules(settings.plan, "onetouch", {}))(connection, [NewPress(pressed, ID)])
    writing.dispose()
    reading.dispose()

    def incidents(*arguments: str):
        return run("incidents", *arguments, "--config", config)

    return incidents


def entries(run, config):
    said = run("audit", "list", "--config", config, "--json", "--about", ID)
    found = [json.loads(line) for line in said.output.splitlines()]
    return [each for each in found if not each["what"].startswith("saw")]


def test_who_has_taken_an_incident_is_said_once_shown_and_listed(onetouch):
    first = onetouch("acknowledge", ID, *LEE)
    again = onetouch("acknowledge", ID, "--by", "Park")

    assert (first.exit_code, first.output) == (0, f"{ID} is acknowledged\n")
    assert (again.exit_code, again.output) == (0, f"{ID} was acknowledged already; nothing is changed\n")
    shown = onetouch("show", ID).output
    assert shown.startswith(f"{ID}: acknowledged; ")
    assert "  acknowledged by Lee, desk 7\n" in shown
    assert "Park" not in shown
    (listed,) = onetouch("list", "--open", "--json").output.splitlines()
    assert json.loads(listed)["state"] == "acknowledged"
    assert "acknowledged" in onetouch("list").output


def test_each_unit_is_said_once_shown_and_listed(onetouch):
    first = onetouch("dispatch", ID, "--unit", "  unit   12 ", *LEE)
    again = onetouch("dispatch", ID, "--unit", "unit 12")
    second = onetouch("dispatch", ID, "--unit", "구급 3호", *LEE)

    assert (first.exit_code, first.output) == (0, f"unit 12 is dispatched to {ID}\n")
    assert (again.exit_code, again.output) == (
        0,
        f"unit 12 was dispatched to {ID} already; nothing is changed\n",
    )
    assert (second.exit_code, second.output) == (0, f"구급 3호 is dispatched to {ID}\n")
    shown = onetouch("show", ID).output
    assert shown.startswith(f"{ID}: dispatched; ")
    for line in (
        "acknowledged by Lee, desk 7",
        "dispatched unit 12 by Lee, desk 7",
        "dispatched 구급 3호 by Lee, desk 7",
    ):
        assert f"  {line}\n" in shown
    (listed,) = onetouch("list", "--open", "--json").output.splitlines()
    assert json.loads(listed)["state"] == "dispatched"


def test_programs_read_the_same(onetouch):
    onetouch("dispatch", ID, "--unit", "unit 12", *LEE)

    story = json.loads(onetouch("show", ID, "--json").output)

    told = [
        (line["kind"], line["subject"], line["told"]) for line in story["story"] if line["what"] == "fact"
    ]
    at = told[0][2]["at"]
    assert datetime.fromisoformat(at).utcoffset() is not None
    assert told == [
        ("acknowledged", "112", {"by": "Lee, desk 7", "at": at}),
        ("dispatched", "unit 1", {"unit": "unit 12", "by": "Lee, desk 7", "at": at}),
    ]


def test_without_a_name_the_account_at_the_terminal_says_so(onetouch, run, config):
    onetouch("acknowledge", ID)

    (entry,) = entries(run, config)
    assert entry["what"] == "acknowledged an incident"
    assert f"  acknowledged by {entry['who']}\n" in onetouch("show", ID).output


def test_every_order_is_audited_with_who_and_from_where_also_a_refused_one(onetouch, run, config):
    onetouch("acknowledge", ID, *LEE)
    onetouch("dispatch", ID, "--unit", "unit 12", *LEE)
    onetouch("dispatch", ID, "--unit", "unit 12", *LEE)
    onetouch("close", ID, "--reason", "met by unit 12")
    refused = onetouch("dispatch", ID, "--unit", "unit 14", *LEE)

    assert refused.exit_code == 1
    assert f"refused: incident {ID} is closed; see `onetouch incidents list`" in refused.output
    found = entries(run, config)
    assert [(each["what"], each["why"]) for each in found] == [
        ("acknowledged an incident", "by Lee, desk 7"),
        ("dispatched a unit", "by Lee, desk 7: unit 12"),
        ("dispatched a unit", "by Lee, desk 7: unit 12; it stood already"),
        ("closed an incident", "met by unit 12"),
        (
            "was refused an order",
            f"dispatched a unit, by Lee, desk 7: unit 14; refused: incident {ID} is closed",
        ),
    ]
    assert len({json.dumps([each[name] for name in ("who", "from")]) for each in found}) == 1
    assert found[0]["from"]


@pytest.mark.parametrize(
    "command", [("acknowledge",), ("dispatch", "--unit", "unit 12")], ids=["acknowledge", "dispatch"]
)
def test_an_incident_that_there_is_not_is_refused_in_words(onetouch, command):
    said = onetouch(*command, "sos-none", *LEE)

    assert said.exit_code == 1
    assert "refused: there is no incident sos-none; see `onetouch incidents list`" in said.output


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        (("--unit", " "), "--unit"),
        (("--unit", "u" * (LONGEST_UNIT + 1)), "--unit"),
        (("--unit", "unit\x1b[2J12"), "--unit"),
        (("--unit", "unit 12", "--by", "d" * 61), "--by"),
        (("--unit", "unit 12", "--by", ""), "--by"),
    ],
)
def test_a_unit_and_a_name_are_one_line_of_some_length(onetouch, given, wrong):
    said = onetouch("dispatch", ID, *given)

    assert said.exit_code == 2
    assert wrong in said.output
    assert "write 1 to" in said.output
    assert onetouch("show", ID).output.startswith(f"{ID}: open; ")


def test_a_unit_must_be_named(onetouch):
    assert onetouch("dispatch", ID).exit_code == 2


@pytest.mark.parametrize(
    ("kind", "subject", "line"),
    [
        (FactKind.ACKNOWLEDGED, CENTRE, "acknowledged by ?"),
        (FactKind.DISPATCHED, "unit 3", "dispatched unit 3 by ?"),
    ],
)
def test_a_fact_that_says_nothing_is_a_line_all_the_same(kind, subject, line):
    assert fact_in_words(from_data(kind, subject, START, {})) == line


def test_when_a_unit_will_be_there_and_that_it_is_are_shown(onetouch):
    first = onetouch("dispatch", ID, "--unit", "unit 12", "--eta-min", "8", *LEE)
    there = onetouch("arrived", ID, "--unit", "unit 12", *LEE)
    again = onetouch("arrived", ID, "--unit", "unit 12")

    assert [each.exit_code for each in (first, there, again)] == [0, 0, 0]
    assert there.output == f"unit 12 is at {ID}\n"
    assert again.output == f"unit 12 was at {ID} already; nothing is changed\n"
    shown = onetouch("show", ID).output
    assert "dispatched unit 12 by Lee, desk 7, there at " in shown
    assert "arrived unit 12, says Lee, desk 7" in shown


def test_what_is_noted_is_kept_and_shown_to_who_may_see_it(onetouch, run, config):
    said = onetouch("note", ID, "--words", "  the back   door is open ", *LEE)
    again = onetouch("note", ID, "--words", "the back door is open", *LEE)

    assert (said.exit_code, said.output) == (0, f"noted in {ID}\n")
    assert again.output == f"{ID} has this note already; nothing is changed\n"
    shown = onetouch("show", ID).output
    assert "note 1 by Lee, desk 7" in shown
    assert "back door" not in shown
    assert [each["what"] for each in entries(run, config)] == ["noted something for 112"] * 2


@pytest.mark.parametrize("order", [("arrived", "--unit", "unit 12"), ("note", "--words", "x")])
def test_of_a_closed_incident_it_is_refused(onetouch, order):
    onetouch("close", ID, "--reason", "over")
    command, *options = order
    said = onetouch(command, ID, *options)
    assert (said.exit_code, f"incident {ID} is closed" in said.output) == (1, True)
