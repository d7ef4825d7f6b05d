"""What 112 does about an incident: kept, told once, and nothing of ours ends by it; on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, update

from telephony.cli.story import as_story
from telephony.domain.delivery import LOCATE, PENDING, TRACK, Delivered
from telephony.domain.facts import AcknowledgedFact, DispatchedFact, FactKind
from telephony.domain.incident import ACKNOWLEDGED, CLOSED, DISPATCHED, OPEN, Join
from telephony.domain.orders import OrderRefused, StoodAlready
from telephony.domain.report import UpdateReason
from telephony.domain.trigger import Part
from telephony.store import schema
from telephony.store.bound import BOUND, is_sound
from telephony.store.incidents import close_incident, list_incidents, open_incidents, quiet_incidents, story
from telephony.store.orders import set_silence
from telephony.store.readout import unreported
from telephony.store.response import acknowledge, arrive, dispatch, note
from telephony.store.silence import is_silenced
from tests.doubles import KST, NOON, ONE_CENTRE, keys, press
from tests.store.ledger import Ledger, call_fact, fix

KIM, ID = "821012345678", "sos-821012345678"
LATER = (NOON + timedelta(minutes=1)).astimezone(KST)


@pytest.fixture
def ledger(engines: tuple[Engine, Engine]) -> Ledger:
    """One open incident whose alert 112 has."""
    ledger = Ledger(engines[0])
    ledger.record(press())
    (alert,) = ledger.claim()
    ledger.settle(alert, Delivered())
    return ledger


def taken(ledger: Ledger, by: str = "Lee, desk 7", of: str = ID) -> Any:
    return ledger.transact(acknowledge, ONE_CENTRE, of, by, LATER)


def sent(ledger: Ledger, unit: str = "unit 12", by: str = "Lee, desk 7", of: str = ID) -> Any:
    return ledger.transact(dispatch, ONE_CENTRE, of, unit, by, LATER)


def state(ledger: Ledger) -> str:
    (row,) = ledger.rows("incident")
    found: str = row["state"]
    return found


def facts(ledger: Ledger) -> list[tuple[str, str]]:
    return [(row["kind"], row["subject"]) for row in ledger.bare_rows("fact")]


# -- entered -------------------------------------------------------------------------------------------------------


def test_112_hears_who_has_taken_it_in_its_own_time(ledger: Ledger):
    assert taken(ledger) is None

    assert state(ledger) == ACKNOWLEDGED
    (told,) = ledger.claim(after_s=60)
    assert told.content.reasons == (UpdateReason.ACKNOWLEDGED,)
    assert told.content.facts == (AcknowledgedFact(NOON + timedelta(minutes=1), "Lee, desk 7", LATER),)
    assert told.content.facts[0].acknowledged_at.utcoffset() == timedelta(hours=9)


def test_112_hears_which_units_are_on_their_way_each_beside_the_others(ledger: Ledger):
    taken(ledger)
    sent(ledger)
    assert sent(ledger, "ambulance 3", "Park") is None

    assert state(ledger) == DISPATCHED
    (told,) = ledger.claim(after_s=60)
    assert told.content.reasons == (UpdateReason.ACKNOWLEDGED, UpdateReason.DISPATCHED)
    units = [each for each in told.content.facts if isinstance(each, DispatchedFact)]
    assert [(each.number, each.unit, each.by) for each in units] == [
        (1, "unit 12", "Lee, desk 7"),
        (2, "ambulance 3", "Park"),
    ]


def test_who_sends_a_unit_has_taken_the_incident(ledger: Ledger):
    assert sent(ledger) is None

    assert state(ledger) == DISPATCHED
    assert facts(ledger) == [(FactKind.ACKNOWLEDGED, "112"), (FactKind.DISPATCHED, "unit 1")]
    assert taken(ledger) == StoodAlready()


def test_the_first_who_has_taken_it_stands(ledger: Ledger):
    taken(ledger)

    assert taken(ledger, "Park") == StoodAlready()

    (told,) = ledger.claim(after_s=60)
    assert [each.by for each in told.content.facts] == ["Lee, desk 7"]


def test_a_unit_is_told_of_once_whoever_says_so(ledger: Ledger):
    sent(ledger, "순찰 12호\0")
    sent(ledger, "순찰 13호")
    told = facts(ledger)

    assert sent(ledger, "순찰 12호\0", "Park") == StoodAlready()
    assert facts(ledger) == told


@pytest.mark.parametrize("act", [taken, sent])
def test_a_closed_incident_and_none_refuse_and_nothing_is_written(ledger: Ledger, act: Callable[..., Any]):
    assert act(ledger, of="sos-none") == OrderRefused("there is no incident sos-none")
    ledger.close()
    before = (ledger.rows("delivery"), ledger.rows("incident"))

    assert act(ledger) == OrderRefused(f"incident {ID} is closed")
    assert (ledger.rows("delivery"), ledger.rows("incident"), facts(ledger)) == (*before, [])


def test_the_name_of_a_unit_stands_nowhere_in_plain(ledger: Ledger):
    sent(ledger, "patrol Haneul")

    assert "Haneul" not in repr([ledger.bare_rows(table) for table in ("fact", "incident", "delivery")])


def test_the_row_is_ours_still(ledger: Ledger):
    for act in (taken, sent):
        act(ledger)
        assert "state" in BOUND["incident"]
        (row,) = ledger.transact(lambda connection: connection.execute(schema.incident.select()).all())
        assert is_sound(keys(), "incident", row)


def test_a_state_that_another_hand_took_back_is_entered_again_and_no_unit_is_told_of_twice(ledger: Ledger):
    sent(ledger)
    changed = update(schema.incident).values(state=OPEN)
    ledger.transact(lambda connection: connection.execute(changed))

    assert sent(ledger) is None

    assert state(ledger) == DISPATCHED
    assert facts(ledger).count((FactKind.DISPATCHED, "unit 1")) == len(set(facts(ledger))) - 1
    assert sent(ledger) == StoodAlready()


def test_a_unit_whose_row_is_damaged_is_told_of_again_beside_it(ledger: Ledger):
    sent(ledger)
    damaged = update(schema.fact).where(schema.fact.c.kind == "dispatched").values(sealed=b"damaged")
    ledger.transact(lambda connection: connection.execute(damaged))

    assert sent(ledger) is None

    assert facts(ledger)[-1] == (FactKind.DISPATCHED, "unit 2")


def test_the_story_and_the_list_tell_of_it(ledger: Ledger):
    taken(ledger)
    sent(ledger)

    lines = list(as_story(ledger.transact(story, ID), UTC, with_coordinates=False))
    (row,) = ledger.transact(lambda connection: list_incidents(connection, only_open=True))

    assert row.state == DISPATCHED
    assert lines[0].startswith(f"{ID}: dispatched; ")
    assert any(line.endswith("  acknowledged by Lee, desk 7") for line in lines)
    assert any(line.endswith("  dispatched unit 12 by Lee, desk 7") for line in lines)


# -- nothing of ours ends by it ------------------------------------------------------------------------------------

ACTS = pytest.mark.parametrize("act", [taken, sent])


@ACTS
def test_a_press_joins_it_exactly_as_an_open_one(ledger: Ledger, act: Callable[..., Any]):
    act(ledger)

    (again,) = ledger.record(press(reference="b", received_at=NOON + timedelta(minutes=5)))
    (part,) = ledger.record(press(reference="c", part=Part(7, 2, 1), received_at=NOON + timedelta(minutes=6)))
    (other,) = ledger.record(press(reference="d", source="ussd", received_at=NOON + timedelta(minutes=7)))

    joined = [each.receipt for each in (again, part, other)]
    assert {each.incident_id for each in joined} == {ID}
    assert [each.joined for each in joined] == [Join.REPEAT, Join.PART, Join.OTHER_WAY]
    (row,) = ledger.rows("incident")
    assert row["press_count"] == 4
    assert state(ledger) in {ACKNOWLEDGED, DISPATCHED}
    (told,) = ledger.claim(after_s=600)
    assert UpdateReason.PRESSED_AGAIN in told.content.reasons


@ACTS
def test_its_phone_is_looked_for_and_112_hears_of_every_place(ledger: Ledger, act: Callable[..., Any]):
    before = errands(ledger)
    act(ledger)

    assert errands(ledger) == before
    assert before
    located = ledger.locate_and_tell(fix(50, after_s=90))
    assert located.became_best
    (told,) = ledger.claim(after_s=100)
    assert told.content.position == fix(50, after_s=90)
    ledger.settle(told, Delivered(), after_s=100)
    assert ledger.tell(call_fact(after_s=101))
    (told,) = ledger.claim(after_s=102)
    assert told.content.reasons == (UpdateReason.CALL,)


def errands(ledger: Ledger) -> list[tuple[str, str]]:
    return [
        (row["channel"], row["state"])
        for row in ledger.rows("delivery")
        if row["kind"] in {LOCATE, TRACK} and row["state"] == PENDING
    ]


@ACTS
def test_it_is_closed_by_112_with_the_same_closing_and_the_next_press_opens_another(
    ledger: Ledger, act: Callable[..., Any]
):
    act(ledger)

    assert ledger.close(at=NOON + timedelta(minutes=9))

    assert state(ledger) == CLOSED
    assert errands(ledger) == []
    assert [row["kind"] for row in ledger.rows("delivery") if row["channel"] == "seoul"][-1] == "closing"
    ledger.record(press(reference="b", received_at=NOON + timedelta(minutes=10)))
    assert [row["state"] for row in ledger.rows("incident")] == [CLOSED, OPEN]


@ACTS
def test_it_is_found_quiet_when_it_is_and_closed_as_such(ledger: Ledger, act: Callable[..., Any]):
    act(ledger)
    since = NOON + timedelta(hours=24)

    assert ledger.transact(quiet_incidents, since) == [ID]

    closed = ledger.transact(
        lambda connection: close_incident(connection, ONE_CENTRE, ID, "quiet", since, quiet_since=since)
    )
    assert closed


@ACTS
def test_it_is_open_to_whoever_remembers_callers_reads_out_or_lists(ledger: Ledger, act: Callable[..., Any]):
    act(ledger)

    assert [each.id for each in ledger.transact(open_incidents, NOON)] == [ID]
    assert ledger.transact(lambda connection: unreported(connection, and_all_open=True)) == [ID]
    (row,) = ledger.transact(lambda connection: list_incidents(connection, only_open=True))
    assert row.id == ID


@ACTS
def test_silence_holds_until_it_is_lifted(ledger: Ledger, act: Callable[..., Any]):
    act(ledger)
    number = press().msisdn

    assert ledger.transact(is_silenced, [number])
    assert ledger.transact(set_silence, ONE_CENTRE, ID, True, "desk 7", LATER) is None
    assert not ledger.transact(is_silenced, [number])
    assert state(ledger) in {ACKNOWLEDGED, DISPATCHED}


# -- there, and notes ----------------------------------------------------------------------------------------------


def there(ledger: Ledger, unit: str = "unit 12", by: str = "Lee, desk 7") -> Any:
    return ledger.transact(arrive, ONE_CENTRE, ID, unit, by, LATER)


def noted(ledger: Ledger, words: str = "back door is open", by: str = "Lee, desk 7") -> Any:
    return ledger.transact(note, ONE_CENTRE, ID, words, by, LATER)


def test_a_unit_that_is_there_was_on_its_way(ledger: Ledger):
    assert there(ledger) is None
    assert sent(ledger, "unit 3") is None
    assert there(ledger, "unit 3") is None

    assert state(ledger) == DISPATCHED
    (told,) = ledger.claim(after_s=60)
    units = [(type(fact).__name__, fact.unit) for fact in told.content.facts if hasattr(fact, "unit")]
    assert units == [
        ("DispatchedFact", "unit 12"), ("ArrivedFact", "unit 12"),
        ("DispatchedFact", "unit 3"), ("ArrivedFact", "unit 3"),
    ]  # fmt: skip


def test_a_unit_arrives_once(ledger: Ledger):
    there(ledger)
    before = facts(ledger)
    assert isinstance(there(ledger, by="Park"), StoodAlready)
    assert isinstance(sent(ledger), StoodAlready)
    assert facts(ledger) == before


def test_the_same_note_of_the_same_desk_is_noted_once(ledger: Ledger):
    assert noted(ledger) is None
    assert isinstance(noted(ledger), StoodAlready)
    assert noted(ledger, by="Park") is None
    assert facts(ledger) == [(FactKind.NOTE, "note 1"), (FactKind.NOTE, "note 2")]


@pytest.mark.parametrize("act", [there, noted])
def test_of_a_closed_incident_nobody_arrives_and_nothing_is_noted(
    ledger: Ledger, act: Callable[[Ledger], Any]
):
    ledger.close()
    assert isinstance(act(ledger), OrderRefused)
    assert facts(ledger) == []
