"""What earlier releases have kept is read, written and told as it always was.

``kept_facts.json`` holds rows that a release wrote whose facts were texts under names, and what that release said of each:
CAP's parameters, the lines of a report, what is read aloud, the story of the command line.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from telephony.cli.readout_wording import sentences
from telephony.cli.spoken import Numbering
from telephony.cli.story_facts import fact_in_words, shown
from telephony.domain.delivery import UPDATE
from telephony.domain.facts import Fact, FactKind, GuardianState, LegState, ReasonCode, UnknownFact
from telephony.domain.report import Report
from telephony.domain.values import Msisdn
from telephony.psap.cap import NAMESPACE, encode
from telephony.psap.wording import WORDINGS, description, instruction
from telephony.services.spine.report_octets import octets_of, report_in
from telephony.store.fact_rows import from_data, storable_fact, to_data
from telephony.store.readout import ReadOut
from tests.doubles import KST

PRESSED = datetime(2026, 11, 23, 6, 5, 2, 123456, tzinfo=UTC)
KEPT: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("kept_facts.json").read_text(encoding="utf-8")
)
NOTHING = UnknownFact("nothing", "", PRESSED, {})

every_row = pytest.mark.parametrize(
    "row", KEPT, ids=[f"{number}-{row['kind']}" for number, row in enumerate(KEPT)]
)


def fact_in(row: dict[str, Any]) -> Fact:
    return from_data(row["kind"], row["subject"], datetime.fromisoformat(row["at"]), row["data"])


def report(known: Fact) -> Report:
    return Report(
        "sos-1-2", UPDATE, "sos-1", 2, (), PRESSED + timedelta(seconds=90), False, Msisdn("821012345678"), "skt", "sms", "112",
        PRESSED, 1, PRESSED, facts=(known,),
    )  # fmt: skip


def added(told: list[Any], without: list[Any]) -> list[Any]:
    return [each for each in told if each not in without]


def parameters(told: Report) -> list[list[str | None]]:
    root = etree.fromstring(encode(told, sender="a", addresses="b", language="en", zone=KST))
    return [
        [one.findtext(f"{{{NAMESPACE}}}valueName"), one.findtext(f"{{{NAMESPACE}}}value")]
        for one in root.iter(f"{{{NAMESPACE}}}parameter")
    ]


@every_row
def test_a_row_is_read_and_written_again_as_it_was(row):
    known = fact_in(row)

    assert to_data(known) == row["data"]
    assert storable_fact(known) == known


@every_row
def test_a_row_is_told_to_machines_as_it_was(row):
    assert added(parameters(report(fact_in(row))), parameters(report(NOTHING))) == row["parameters"]


@every_row
@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_row_is_told_to_people_as_it_was(row, language):
    told, without, words = report(fact_in(row)), report(NOTHING), WORDINGS[language]

    lines = [description(each, words, KST).split("\n") for each in (told, without)]
    assert added(*lines) == row[f"report {language}"]
    assert (instruction(told, words) != instruction(without, words)) is row["lifts"]


@every_row
@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_row_is_read_aloud_as_it_was(row, language):
    def aloud(told: Report) -> list[str]:
        readout = ReadOut(told, is_closed=False, is_reported=False, is_owed=True, is_damaged=False)
        return list(sentences(readout, Numbering("82", "0"), told.sent_at.astimezone(KST), language))

    assert added(aloud(report(fact_in(row))), aloud(report(NOTHING))) == row[f"aloud {language}"]


@every_row
def test_a_row_is_told_on_the_command_line_as_it_was(row):
    assert (fact_in_words(fact_in(row)), shown(fact_in(row))) == (row["cli"], row["shown"])


@every_row
def test_a_report_that_was_told_past_the_store_is_read_with_the_fact(row):
    told = report(fact_in(row))
    fact = {name: row[name] for name in ("kind", "subject")} | {
        "at": row["at"].replace("+00:00", "Z"),
        "data": to_data(fact_in(row)),
    }

    assert json.loads(octets_of(told))["facts"] == [fact]
    assert report_in(octets_of(told)) == told


def test_the_rows_are_of_every_kind_and_state():
    assert {row["kind"] for row in KEPT} >= set(FactKind)
    assert {row["data"].get("state") for row in KEPT if row["kind"] == "guardian"} >= set(GuardianState)
    reasons = " ".join(row["data"].get("reasons", "") for row in KEPT)
    assert all(reason in reasons for reason in ReasonCode)
    legs = " ".join(row["data"].get("legs", "") for row in KEPT)
    assert all(state in legs for state in LegState)
