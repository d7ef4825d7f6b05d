"""docs/api.md names the members, the words and the codes that there are, and no others."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from telephony.domain.centre_status import Outcome
from telephony.domain.facts import Became, CentreStatus
from telephony.domain.incident import IncidentState
from telephony.doors import press_reading, status_reading
from telephony.doors.answers import Code
from telephony.doors.press_reading import Method, Source

DOCS = Path(__file__).parents[2] / "docs"
API = (DOCS / "api.md").read_text(encoding="utf-8")
LOCATION = (DOCS / "location-url.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """Return the rows of the table under a heading row, each as its cells."""
    _, found, after = API.partition(f"| {heading} |")
    assert found, heading
    rows = after.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def names(heading: str) -> set[str]:
    return {name for row in table(heading) for name in re.findall(r"`([^`]+)`", row[0])}


def read_by(*functions: object) -> set[str]:
    """Return the members that functions ask for."""
    source = "".join(map(inspect.getsource, functions))  # type: ignore[arg-type]
    return set(re.findall(r'members\.(?:text|line|number|flag|time|word|table|raw)\(\s*"([a-z_]+)"', source))


def words_of(heading: str, member: str) -> set[str]:
    (row,) = [row for row in table(heading) if row[0] == f"`{member}`"]
    return set(re.findall(r"`([^`]+)`", row[1]))


def test_every_code_of_a_problem_is_told_and_no_other():
    rows = re.findall(r"^\| `[45]\d\d`[^|]*\| `([a-z-]+)` \|", API, re.MULTILINE)
    shared = {row[0].strip("`") for row in table("`code` | status | what to do")}
    elsewhere = re.findall(r"`code` `([a-z-]+)`", LOCATION)

    assert {*rows, *shared, *elsewhere} == set(Code)


def test_the_members_of_a_press_are_those_that_are_read():
    of_a_press = read_by(press_reading.read_press, press_reading._caller)
    assert names("member | type | default |") == of_a_press


def test_the_members_of_a_position_are_those_that_are_read():
    assert names("member of `position` | type | default |") == read_by(press_reading._position)


def test_the_members_of_a_status_are_those_that_are_read():
    _, _, after = API.partition("## What a centre does")
    rows = [
        line.split("|")[1]
        for line in after.partition("| `status` | what follows |")[0].splitlines()
        if line.startswith("| `")
    ]
    assert {name for row in rows for name in re.findall(r"`([^`]+)`", row)} == read_by(
        status_reading.read_status
    )


@pytest.mark.parametrize(
    ("told", "known"),
    [
        (lambda: names("`status` | what follows"), CentreStatus),
        (lambda: words_of("member | type | default |", "source"), Source),
        (lambda: words_of("member of `position` | type | default |", "method"), Method),
    ],
)
def test_the_words_are_those_that_there_are(told, known):
    assert told() == set(known)


def test_the_words_of_an_answer_and_of_an_outcome_are_those_that_there_are():
    _, _, after = API.partition("## What a centre does")
    lines = {line.split("|")[1].strip(): line for line in after.splitlines() if line.startswith("| `")}
    assert set(re.findall(r"`([^`]+)`", lines["`outcome`"].split("|")[2])) == set(Outcome)
    assert set(re.findall(r"`([^`]+)`", lines["`state`"].split("|")[2])) == set(IncidentState)
    assert set(re.findall(r"`([^`]+)`", lines["`became`"].split("|")[2])) == set(Became) - {Became.REFUSED}
