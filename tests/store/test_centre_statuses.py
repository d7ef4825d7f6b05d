"""What a centre's system tells us: each once, in whatever order, as an order through the one door; on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from telephony.domain.audit import WAS_REFUSED
from telephony.domain.centre_status import CentreSaid, Outcome
from telephony.domain.delivery import CALL_CONTROL, CLOSING, Delivered
from telephony.domain.facts import (
    ArrivedFact,
    Became,
    CentreStatus,
    CentreStatusFact,
    DispatchedFact,
    FactKind,
    NoteFact,
    SilenceFact,
    SilenceState,
)
from telephony.domain.incident import ACKNOWLEDGED, CLOSED, DISPATCHED, OPEN
from telephony.domain.report import UpdateReason
from telephony.store.audit import entries
from telephony.store.centre_statuses import NotTaken, Taken, take_status
from telephony.store.fact_rows import NEWEST_FACTS
from telephony.store.facts import facts_of_kind
from telephony.store.orders import set_silence
from tests.doubles import KST, NOON, ONE_CENTRE, press
from tests.store.ledger import Ledger

ID = "sos-821012345678"


@pytest.fixture
def ledger(engines: tuple[Engine, Engine]) -> Ledger:
    """One open incident whose alert the centre ``seoul`` has."""
    ledger = Ledger(engines[0])
    ledger.record(press())
    (alert,) = ledger.claim()
    ledger.settle(alert, Delivered())
    return ledger


def at(seconds: float) -> datetime:
    return (NOON + timedelta(seconds=seconds)).astimezone(KST)


def status(kind: CentreStatus, *, own_id: str = "", after_s: float = 10, **more: object) -> CentreSaid:
    """A status that happened so many seconds after noon."""
    return CentreSaid("seoul", own_id or f"{kind}-{after_s:g}", ID, at(after_s), kind, **more)  # type: ignore[arg-type]


def sent(ledger: Ledger, said: CentreSaid, *, now_s: float = 60, channels: tuple[str, ...] = ("seoul",)):
    taken: Taken | NotTaken = ledger.transact(take_status, ONE_CENTRE, channels, said, at(now_s))
    return taken


def became(ledger: Ledger, said: CentreSaid, **how: float) -> Became:
    taken = sent(ledger, said, **how)  # type: ignore[arg-type]
    assert isinstance(taken, Taken)
    return taken.became


def facts(ledger: Ledger, kind: FactKind):
    return ledger.transact(facts_of_kind, ledger.key_of("821012345678"), kind)


def ordered(ledger: Ledger) -> list[str]:
    return [row["kind"] for row in ledger.rows("delivery") if row["channel"] == CALL_CONTROL]


# -- each is an order ----------------------------------------------------------------------------------------------


def test_accepted_acknowledges_the_incident_in_the_centre_s_name(ledger: Ledger):
    taken = sent(ledger, status(CentreStatus.ACCEPTED, by="desk 7"))

    assert taken == Taken(ID, Became.APPLIED, ACKNOWLEDGED, is_silence_lifted=False)
    (told,) = ledger.claim(after_s=60)
    assert told.content.reasons == (UpdateReason.ACKNOWLEDGED,)
    assert told.content.facts[0].by == "seoul, desk 7"


def test_a_unit_is_on_its_way_with_the_time_at_which_it_will_be_there_and_then_it_is_there(ledger: Ledger):
    sent(ledger, status(CentreStatus.DISPATCHED, unit="unit 12", eta=at(600)))
    taken = sent(ledger, status(CentreStatus.ARRIVED, unit="unit 12", after_s=500))

    assert (taken.became, taken.state) == (Became.APPLIED, DISPATCHED)
    (way,), (there,) = facts(ledger, FactKind.DISPATCHED), facts(ledger, FactKind.ARRIVED)
    assert way == DispatchedFact(1, NOON + timedelta(seconds=60), "unit 12", "seoul", at(60), at(600))
    assert there == ArrivedFact(1, NOON + timedelta(seconds=60), "unit 12", "seoul", at(60))
    (told,) = ledger.claim(after_s=60)
    assert told.content.reasons == (
        UpdateReason.ACKNOWLEDGED, UpdateReason.DISPATCHED, UpdateReason.ARRIVED
    )  # fmt: skip


def test_another_time_of_arrival_is_told_anew_for_the_same_unit(ledger: Ledger):
    sent(ledger, status(CentreStatus.DISPATCHED, unit="unit 12", eta=at(600)))
    sent(ledger, status(CentreStatus.DISPATCHED, unit="ambulance 3", after_s=11))

    assert (
        became(ledger, status(CentreStatus.DISPATCHED, unit="unit 12", eta=at(900), after_s=20))
        is Became.APPLIED
    )

    newest = {fact.number: (fact.unit, fact.eta) for fact in facts(ledger, FactKind.DISPATCHED)}
    assert newest == {1: ("unit 12", at(900)), 2: ("ambulance 3", None)}


def test_each_note_stands_beside_the_others(ledger: Ledger):
    sent(ledger, status(CentreStatus.NOTE, words="back door is open"))
    sent(ledger, status(CentreStatus.NOTE, words="two offenders", after_s=20))

    assert [(note.number, note.words) for note in facts(ledger, FactKind.NOTE)] == [
        (1, "back door is open"), (2, "two offenders")
    ]  # fmt: skip
    assert isinstance(facts(ledger, FactKind.NOTE)[0], NoteFact)


def test_silence_is_lifted_and_the_caller_called_back(ledger: Ledger):
    lifted = sent(ledger, status(CentreStatus.LIFT_SILENCE))
    called = sent(ledger, status(CentreStatus.CALL_BACK, after_s=20))

    assert (lifted.is_silence_lifted, called.became) == (True, Became.APPLIED)
    assert ordered(ledger) == ["lift-silence", "call-back"]


def test_a_false_alarm_closes_the_incident_and_takes_the_reports_back(ledger: Ledger):
    taken = sent(
        ledger, status(CentreStatus.CLOSED, outcome=Outcome.FALSE_ALARM, words="met her, key was stuck")
    )

    assert (taken.became, taken.state) == (Became.APPLIED, CLOSED)
    assert len(facts(ledger, FactKind.FALSE_ALARM)) == 1
    (label,) = ledger.claim(after_s=60)
    ledger.settle(label, Delivered())
    (closing,) = ledger.claim(after_s=60)
    assert closing.kind == CLOSING
    assert closing.content.close_reason == "false alarm: met her, key was stuck"


@pytest.mark.parametrize(
    ("outcome", "words", "reason"),
    [
        (Outcome.HELPED, "", "helped"),
        (Outcome.NOT_FOUND, "searched for 2 h", "not-found: searched for 2 h"),
        (Outcome.OTHER, "handed to Busan", "handed to Busan"),
        (Outcome.OTHER, "", "other"),
    ],
)
def test_the_reason_of_a_closing_is_the_outcome_and_the_words(outcome, words, reason):
    assert status(CentreStatus.CLOSED, outcome=outcome, words=words).reason == reason


# -- once ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        status(CentreStatus.ACCEPTED),
        status(CentreStatus.DISPATCHED, unit="unit 12"),
        status(CentreStatus.NOTE, words="back door"),
        status(CentreStatus.LIFT_SILENCE),
        status(CentreStatus.HANG_UP),
        status(CentreStatus.CLOSED),
    ],
    ids=lambda said: said.status,
)
def test_a_repeat_is_answered_as_the_first_and_does_nothing(ledger: Ledger, said: CentreSaid):
    first = sent(ledger, said)
    rows = {table: len(ledger.bare_rows(table)) for table in ("fact", "delivery", "audit")}

    again = sent(ledger, said, now_s=90)

    assert again == replace(first, is_repeat=True)
    assert {table: len(ledger.bare_rows(table)) for table in rows} == rows


def test_a_repeat_of_lifting_does_not_undo_a_later_hold(ledger: Ledger):
    lift = status(CentreStatus.LIFT_SILENCE)
    sent(ledger, lift)
    sent(ledger, status(CentreStatus.HOLD_SILENCE, after_s=20))

    again = sent(ledger, lift)

    assert (again.became, again.is_silence_lifted) == (Became.APPLIED, False)


def test_a_refusal_is_repeated_too_though_it_would_be_granted_now(ledger: Ledger):
    call = status(CentreStatus.CALL_BACK)
    refused = sent(ledger, call)
    sent(ledger, status(CentreStatus.LIFT_SILENCE, after_s=20))

    again = sent(ledger, call)

    assert (refused.became, again.became) == (Became.REFUSED, Became.REFUSED)
    assert refused.refused == again.refused != ""
    assert ordered(ledger) == ["lift-silence"]


def test_an_id_stands_for_one_status(ledger: Ledger):
    sent(ledger, status(CentreStatus.NOTE, own_id="7", words="back door"))
    assert sent(ledger, status(CentreStatus.CLOSED, own_id="7")) is NotTaken.ID_REUSED
    assert ledger.rows("incident")[0]["state"] == OPEN


def test_two_centres_may_use_the_same_id(ledger: Ledger):
    sent(ledger, status(CentreStatus.ACCEPTED, own_id="7"))
    other = replace(status(CentreStatus.NOTE, own_id="7", words="ours"), centre="busan")
    assert became(ledger, other) is Became.APPLIED


# -- in whatever order ---------------------------------------------------------------------------------------------


def test_an_accepted_that_comes_after_dispatched_undoes_nothing(ledger: Ledger):
    sent(ledger, status(CentreStatus.DISPATCHED, unit="unit 12", after_s=20))

    late = sent(ledger, status(CentreStatus.ACCEPTED, after_s=10))

    assert (late.became, late.state) == (Became.STOOD_ALREADY, DISPATCHED)


@pytest.mark.parametrize(
    ("first", "late"),
    [
        (status(CentreStatus.HOLD_SILENCE, after_s=20), status(CentreStatus.LIFT_SILENCE, after_s=10)),
        (status(CentreStatus.LIFT_SILENCE, after_s=20), status(CentreStatus.HOLD_SILENCE, after_s=10)),
        (
            status(CentreStatus.ARRIVED, unit="unit 12", after_s=20),
            status(CentreStatus.DISPATCHED, unit="unit 12", eta=at(900), after_s=10),
        ),
        (
            status(CentreStatus.DISPATCHED, unit="unit 12", eta=at(900), after_s=20),
            status(CentreStatus.DISPATCHED, unit="unit 12", eta=at(600), after_s=10),
        ),
    ],
    ids=["lift after hold", "hold after lift", "dispatched after arrived", "an older time of arrival"],
)
def test_a_status_that_was_long_on_its_way_is_overtaken(ledger: Ledger, first: CentreSaid, late: CentreSaid):
    before = sent(ledger, first)

    assert became(ledger, late) is Became.OVERTAKEN
    after = sent(ledger, first)
    assert (after.state, after.is_silence_lifted) == (before.state, before.is_silence_lifted)


def test_a_lifting_is_overtaken_by_an_operator_s_later_hold(ledger: Ledger):
    sent(ledger, status(CentreStatus.LIFT_SILENCE, own_id="1", after_s=5))
    ledger.transact(set_silence, ONE_CENTRE, ID, False, "Kim", NOON + timedelta(seconds=30))

    assert became(ledger, status(CentreStatus.LIFT_SILENCE, own_id="2", after_s=20)) is Became.OVERTAKEN
    assert became(ledger, status(CentreStatus.LIFT_SILENCE, own_id="3", after_s=40)) is Became.APPLIED


def test_a_centre_whose_clock_is_behind_ours_may_lift_after_its_own_hold(ledger: Ledger):
    sent(ledger, status(CentreStatus.LIFT_SILENCE, own_id="1", after_s=-100), now_s=10)
    sent(ledger, status(CentreStatus.HOLD_SILENCE, own_id="2", after_s=-90), now_s=20)
    assert (
        became(ledger, status(CentreStatus.LIFT_SILENCE, own_id="3", after_s=-80), now_s=30) is Became.APPLIED
    )


def test_two_units_do_not_overtake_each_other(ledger: Ledger):
    sent(ledger, status(CentreStatus.ARRIVED, unit="unit 12", after_s=20))
    assert became(ledger, status(CentreStatus.DISPATCHED, unit="unit 3", after_s=10)) is Became.APPLIED


# -- who may, and of what ------------------------------------------------------------------------------------------


def refusals(ledger: Ledger) -> list[tuple[str, str]]:
    found = ledger.transact(lambda connection: [each.looked for each in entries(connection)])
    return [(each.who, each.why) for each in found if each.what == WAS_REFUSED]


def test_each_is_audited_in_the_account_of_the_centre(ledger: Ledger):
    sent(ledger, status(CentreStatus.DISPATCHED, unit="unit 12", by="desk 7", eta=at(600)))

    (entry,) = ledger.transact(lambda connection: [each.looked for each in entries(connection)])
    assert (entry.who, entry.subject) == ("centre:seoul", ID)
    assert entry.why == "by seoul, desk 7: unit 12, there at 2026-11-23T12:10:00+09:00"


@pytest.mark.parametrize("other", [{"channels": ("busan",)}, {"channels": ()}])
def test_a_centre_says_nothing_of_an_incident_that_it_was_not_told_of(ledger: Ledger, other):
    assert sent(ledger, status(CentreStatus.CLOSED), **other) is NotTaken.UNKNOWN
    assert ledger.rows("incident")[0]["state"] == OPEN
    assert refusals(ledger) == [("centre:seoul", "closed, asked by seoul; refused: told of no such incident")]


def test_an_incident_that_is_none_is_refused_and_audited(ledger: Ledger):
    assert (
        sent(ledger, replace(status(CentreStatus.NOTE, words="x"), incident="sos-none")) is NotTaken.UNKNOWN
    )
    assert len(refusals(ledger)) == 1


def test_of_a_closed_incident_nothing_is_ordered_but_that_its_calls_end(ledger: Ledger):
    ledger.close()

    assert sent(ledger, status(CentreStatus.LIFT_SILENCE)) is NotTaken.CLOSED
    assert sent(ledger, status(CentreStatus.DISPATCHED, unit="unit 12")) is NotTaken.CLOSED
    assert became(ledger, status(CentreStatus.CLOSED)) is Became.STOOD_ALREADY
    assert became(ledger, status(CentreStatus.HANG_UP)) is Became.APPLIED
    assert len(refusals(ledger)) == 2


def test_what_was_sent_stands_in_the_incident_and_is_not_told_to_112(ledger: Ledger):
    sent(ledger, status(CentreStatus.CALL_BACK))

    (kept,) = facts(ledger, FactKind.CENTRE_STATUS)
    assert isinstance(kept, CentreStatusFact)
    assert (kept.status, kept.became, kept.said_at) == (CentreStatus.CALL_BACK, Became.REFUSED, at(10))
    assert ledger.claim(after_s=60) == []


def test_within_one_second_too_the_later_one_holds(ledger: Ledger):
    sent(ledger, status(CentreStatus.HOLD_SILENCE, after_s=10.9))
    assert became(ledger, status(CentreStatus.LIFT_SILENCE, after_s=10.2)) is Became.OVERTAKEN


def test_many_statuses_drive_nothing_out_of_the_reports(ledger: Ledger):
    ledger.tell(SilenceFact(NOON, SilenceState.HELD, "Kim"))
    for n in range(NEWEST_FACTS + 1):
        sent(ledger, status(CentreStatus.CALL_BACK, own_id=str(n)))

    (told,) = ledger.claim(after_s=60)
    assert told.content.facts == (SilenceFact(NOON, SilenceState.HELD, "Kim"),)
    sent(ledger, status(CentreStatus.NOTE, words="two offenders", after_s=20))
    ledger.settle(told, Delivered())
    (told,) = ledger.claim(after_s=60)
    assert [type(fact) for fact in told.content.facts] == [SilenceFact, NoteFact]
