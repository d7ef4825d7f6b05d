"""What of a status needs a person, and what a monitor hears."""

from __future__ import annotations

from datetime import timedelta

import pytest

from telephony.control.messages import FarEndKind, InJournal, StoreLook
from telephony.control.verdict import Cause, Finding, Level, findings, level_of
from telephony.net.standing import FarEndState
from tests.control.statuses import NOW, USUAL, alarm, certificate, status, with_state

DOWN, FAILING, CONNECTING = FarEndState.DOWN, FarEndState.FAILING, FarEndState.CONNECTING


def found(*changed, **changes):
    return findings(status(*changed, **changes))


def owed(seconds):
    return StoreLook(is_answering=True, owed=1, oldest_owed_at=NOW - timedelta(seconds=seconds))


def test_a_house_in_which_all_is_well_gives_nothing_to_do():
    assert (found(), level_of(found())) == ([], Level.OK)


CASES = {
    "one of two links is down": (with_state("skt-1", DOWN), {}, Level.WARNING, Cause.FAR_END, "skt-1"),
    "a carrier has none": (
        [each for each in with_state("skt-1", DOWN) if each.name != "skt-2"],
        {},
        Level.CRITICAL,
        Cause.CARRIER_CUT_OFF,
        "skt",
    ),
    "a centre takes nothing by what was tried": (
        with_state("seoul-a", FAILING),
        {},
        Level.CRITICAL,
        Cause.CENTRE_UNREACHED,
        "seoul",
    ),
    "an Asterisk is down": (with_state("voice-1", DOWN), {}, Level.WARNING, Cause.FAR_END, "voice-1"),
    "a report is owed for too long": (USUAL, {"store": owed(11)}, Level.CRITICAL, Cause.NOT_TOLD, ""),
    "the store hangs": (
        USUAL,
        {"store": StoreLook(is_answering=False, reason="locked")},
        Level.CRITICAL,
        Cause.STORE_SILENT,
        "locked",
    ),
    "presses wait in the journal": (
        USUAL,
        {"journal": InJournal(presses=3, oldest_at=NOW - timedelta(seconds=11))},
        Level.WARNING,
        Cause.JOURNAL_WAITS,
        "",
    ),
    "an alarm": (USUAL, {"alarms": (alarm("clock-set", "machine"),)}, Level.WARNING, Cause.ALARM, "clock-set machine"),
    "a report was refused": (
        USUAL,
        {"alarms": (alarm("report-rejected", "seoul-a"),)},
        Level.CRITICAL,
        Cause.ALARM,
        "report-rejected seoul-a",
    ),
    "a certificate ends soon": (
        USUAL,
        {"certificates": (certificate(29),)},
        Level.WARNING,
        Cause.CERTIFICATE,
        "link skt-1, ca_file",
    ),
    "a certificate has ended": (
        USUAL,
        {"certificates": (certificate(0),)},
        Level.CRITICAL,
        Cause.CERTIFICATE,
        "link skt-1, ca_file",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("far_ends", "changes", "level", "cause", "about"), CASES.values(), ids=CASES)
def test_each_trouble_has_its_level(far_ends, changes, level, cause, about):
    seen = found(far_ends, **changes)

    assert Finding(level, cause, about) in seen
    assert level_of(seen) == level
    assert [each.level for each in seen] == sorted((each.level for each in seen), reverse=True)


def test_what_is_as_it_should_be_is_no_finding():
    """A report just written, a long certificate, a centre whose second way delivers."""
    assert found(store=owed(9), certificates=(certificate(31),)) == []
    second = [
        each.model_copy(update={"state": FarEndState.UP}) if each.name == "seoul-b" else each
        for each in with_state("seoul-a", FAILING)
    ]
    assert level_of(found(second)) == Level.WARNING


@pytest.mark.parametrize(("seconds", "level"), [(29, Level.OK), (31, Level.CRITICAL)])
def test_links_have_half_a_minute_after_the_start(seconds, level):
    young = status().release.model_copy(update={"started_at": NOW - timedelta(seconds=seconds)})
    links = [
        each.model_copy(
            update={"state": CONNECTING if each.kind is FarEndKind.SMPP else DOWN, "heard_at": None}
        )
        if each.kind in (FarEndKind.SMPP, FarEndKind.PEER)
        else each
        for each in USUAL
    ]

    assert level_of(found(links, release=young)) == level
