"""Incidents as operators see them: listed, told as a story, closed; on both databases."""

from __future__ import annotations

from datetime import UTC, timedelta

import pytest
from sqlalchemy import Connection, Engine, select

from telephony.cli.story import as_story
from telephony.domain.delivery import CALL_CONTROL, TRACK, Again, Delivered, Retry
from telephony.domain.incident import CLOSED, OPEN
from telephony.domain.trigger import Part
from telephony.store.bound import rebind
from telephony.store.incidents import Story, list_incidents, quiet_incidents, story
from telephony.store.orders import order_hang_up, set_silence
from telephony.store.schema import incident
from tests.doubles import NOON, WITH_FALLBACK, keys, press
from tests.store.ledger import Ledger, call_fact, fix

ID = "sos-821012345678"
LEE = "821022222222"
PARK = "821033333333"


@pytest.fixture
def ledger(engines: tuple[Engine, Engine]) -> Ledger:
    return Ledger(engines[0])


def later(seconds: float):
    return NOON + timedelta(seconds=seconds)


def told(ledger: Ledger) -> Story:
    found = ledger.transact(story, ID)
    assert isinstance(found, Story)
    return found


# -- the list --------------------------------------------------------------------------------------------------


def test_the_list_begins_with_the_newest_and_ends_at_its_limit(ledger: Ledger):
    ledger.record(press(), press(LEE, received_at=later(2)), press(PARK, received_at=later(1)))

    rows = ledger.transact(lambda connection: list_incidents(connection, limit=2))

    assert [row.msisdn.number for row in rows] == [LEE, PARK]


def test_the_list_can_leave_out_what_is_closed(ledger: Ledger):
    ledger.record(press(), press(LEE))
    ledger.close()

    rows = ledger.transact(lambda connection: list_incidents(connection, only_open=True))

    assert [row.msisdn.number for row in rows] == [LEE]


def test_the_list_says_when_112_knew_and_when_the_phone_was_found(ledger: Ledger):
    ledger.record(press())
    (before,) = ledger.transact(list_incidents)
    (alert,) = ledger.claim()
    ledger.settle(alert, Delivered(), after_s=0.4)
    ledger.locate(fix(after_s=2))
    ledger.locate(fix(10, after_s=9))

    (row,) = ledger.transact(list_incidents)

    assert (before.told_at, before.located_at) == (None, None)
    assert (row.told_at, row.located_at) == (later(0.4), later(2))


# -- the story -------------------------------------------------------------------------------------------------


def test_there_is_no_story_of_an_incident_that_never_was(ledger: Ledger):
    assert ledger.transact(story, "sos-20261123-0000000000") is None


def test_a_story_tells_everything_in_the_order_of_time(ledger: Ledger):
    ledger.record(press())
    (alert,) = ledger.claim(after_s=0.1)
    ledger.settle(alert, Delivered("201"), after_s=0.3)
    ledger.locate(fix(after_s=2))
    (update,) = ledger.claim(after_s=2)
    ledger.settle(update, Delivered(), after_s=2.5)
    ledger.again("1", after_s=4)
    ledger.close(at=later(60))

    found = told(ledger)

    kinds = [line.kind for line in found.lines]
    assert kinds[:6] == ["press", "planned", "delivered", "position", "planned", "delivered"]
    assert kinds[6:9] == ["press", "planned", "next attempt"]
    assert sorted(kinds[9:]) == ["closed", "next attempt", "planned"]
    assert [line.at for line in found.lines] == sorted(line.at for line in found.lines)
    assert found.incident.state == CLOSED
    assert found.incident.close_reason == "found safe"


def test_a_story_says_how_many_reports_112_has_not_acknowledged(ledger: Ledger):
    ledger.record(press())
    ledger.again("1", after_s=1)
    assert told(ledger).owed == 2

    (alert,) = ledger.claim(after_s=2)
    ledger.settle(alert, Delivered(), after_s=2)
    assert told(ledger).owed == 1

    (update,) = ledger.claim(after_s=3)
    ledger.settle(update, Retry("down"), after_s=3)
    assert told(ledger).owed == 1


def test_a_story_knows_the_words_of_a_press_and_which_part_it_was(ledger: Ledger):
    ledger.record(press(part=Part(7, 3, 2), text="help"))

    (line,) = [line for line in told(ledger).lines if line.kind == "press"]

    assert (line.facts["text"], line.facts["part"], line.facts["joined"]) == ("help", "2/3", "first press")


def test_a_story_says_why_an_attempt_failed_and_when_the_next_is(ledger: Ledger):
    ledger.record(press())
    (alert,) = ledger.claim()
    ledger.settle(alert, Retry("the centre answered 503"))

    line = told(ledger).lines[-1]

    assert (line.kind, line.at) == ("next attempt", later(1))
    assert (line.facts["detail"], line.facts["attempts"]) == ("the centre answered 503", 1)


def test_a_story_carries_each_position(ledger: Ledger):
    ledger.record(press())
    ledger.locate(fix(50, after_s=1))
    ledger.locate(fix(500, after_s=2))

    lines = [line for line in told(ledger).lines if line.kind == "position"]

    assert [line.position for line in lines] == [fix(50, after_s=1), fix(500, after_s=2)]
    assert [line.facts["became_best"] for line in lines] == [True, False]


def test_a_story_says_why_each_update_was_written(ledger: Ledger):
    ledger.record(press())
    ledger.locate(fix(50, after_s=1))
    ledger.again("1", after_s=2)

    planned = [line for line in told(ledger).lines if line.kind == "planned"]

    assert [line.facts["why"] for line in planned] == [None, "position, pressed-again"]
    assert "update 2 to seoul written down: position, pressed-again" in " ".join(
        as_story(told(ledger), UTC, with_coordinates=False)
    )


def test_a_fallback_that_was_not_needed_is_no_event(engines: tuple[Engine, Engine]):
    ledger = Ledger(engines[0], WITH_FALLBACK)
    ledger.record(press())
    (alert,) = ledger.claim()
    ledger.settle(alert, Delivered())

    assert [line.kind for line in told(ledger).lines if line.facts.get("channel") == "seoul-2"] == ["planned"]


def test_a_story_tells_facts_as_they_became_known(ledger: Ledger):
    ledger.record(press(facts=(call_fact("arrived"),)))
    ledger.tell(call_fact("ended", after_s=9))

    lines = [line for line in told(ledger).lines if line.kind == "fact"]

    assert [line.known for line in lines] == [call_fact("arrived"), call_fact("ended", after_s=9)]
    assert [line.at for line in lines] == [NOON, later(9)]


def test_a_story_tells_orders_who_gave_them_and_what_came_of_them(ledger: Ledger):
    ledger.record(press())
    ledger.transact(set_silence, ledger.plan, ID, True, "desk 7", later(1))
    (order,) = ledger.claim(CALL_CONTROL, after_s=1)
    ledger.settle(order, Retry("AMI is down"), after_s=2)
    ledger.transact(set_silence, ledger.plan, ID, False, "desk 8", later(2.5))
    (order,) = ledger.claim(CALL_CONTROL, after_s=3)
    ledger.settle(order, Delivered("1 call"), after_s=4)

    lines = [line for line in told(ledger).lines if line.facts.get("channel") == CALL_CONTROL]

    assert [(line.at, line.kind, line.facts["kind"], line.facts["by"]) for line in lines] == [
        (later(1), "planned", "lift-silence", "desk 7"),
        (later(2.5), "superseded", "lift-silence", "desk 7"),
        (later(2.5), "planned", "hold-silence", "desk 8"),
        (later(4), "delivered", "hold-silence", "desk 8"),
    ]


def test_an_order_is_no_report_that_112_owes_an_answer_to(ledger: Ledger):
    ledger.record(press())
    (alert,) = ledger.claim()
    ledger.settle(alert, Delivered())
    ledger.transact(order_hang_up, ID, "desk 7", NOON)

    assert told(ledger).owed == 0
    assert [line.kind for line in told(ledger).lines if line.facts.get("kind") == "hang-up"] == [
        "planned",
        "next attempt",
    ]


# -- closing ---------------------------------------------------------------------------------------------------


def test_closing_owes_a_closing_report_on_every_channel(engines: tuple[Engine, Engine]):
    ledger = Ledger(engines[0], WITH_FALLBACK)
    ledger.record(press())

    assert ledger.close(at=later(60))

    assert (ledger.delivery("seoul", 2)["kind"], ledger.delivery("seoul-2", 2)["kind"]) == (
        "closing",
        "closing",
    )
    assert ledger.delivery("seoul-2", 2)["due_at"] - ledger.delivery("seoul", 2)["due_at"] == 5_000_000


def test_closing_ends_the_search_wherever_it_is(ledger: Ledger):
    ledger.record(press(), press(LEE))
    (first, second) = ledger.claim("locate:skt")
    ledger.settle(second, Again(30.0, TRACK, "track:skt"))

    ledger.close()
    ledger.close(f"sos-{LEE}")

    assert first.kind == "locate"
    assert {row["state"] for row in ledger.rows("delivery") if row["sequence"] == 0} == {"superseded"}
    assert ledger.claim("track:skt", after_s=100) == []
    assert ledger.claim("locate:skt", after_s=100) == []


def test_closing_takes_no_report_away(ledger: Ledger):
    """112 must have the whole history, also of what was over quickly."""
    ledger.record(press())
    ledger.again("1", after_s=1)
    ledger.close(at=later(2))

    kinds = []
    for second in (3, 4, 5):
        (claimed,) = ledger.claim(after_s=second)
        ledger.settle(claimed, Delivered(), after_s=second)
        kinds.append(claimed.kind)

    assert kinds == ["alert", "update", "closing"]


def test_a_closing_never_folds_into_an_update_that_waits(ledger: Ledger):
    ledger.record(press())
    ledger.again("1", after_s=1)
    ledger.close(at=later(2))

    assert [row["kind"] for row in ledger.rows("delivery") if row["sequence"]] == [
        "alert",
        "update",
        "closing",
    ]


def test_an_incident_is_closed_once(ledger: Ledger):
    ledger.record(press())

    assert ledger.close()
    assert not ledger.close()
    assert not ledger.close("sos-unknown")

    assert len([row for row in ledger.rows("delivery") if row["kind"] == "closing"]) == 1


def become(connection: Connection, state: str) -> None:
    for row in connection.execute(select(incident)).all():
        rebind(connection, keys(), row, state=state)


@pytest.mark.parametrize("state", ["acknowledged", "dispatched"])
def test_an_incident_that_112_is_at_work_on_can_be_closed(ledger: Ledger, state: str):
    ledger.record(press())
    ledger.transact(become, state)

    assert ledger.close()


@pytest.mark.parametrize("state", ["acknowledged", "dispatched"])
def test_a_press_joins_an_incident_that_112_is_at_work_on(ledger: Ledger, state: str):
    ledger.record(press())
    ledger.transact(become, state)

    ledger.again("1", after_s=60)

    assert [row["press_count"] for row in ledger.rows("incident")] == [2]


# -- quiet -----------------------------------------------------------------------------------------------------


def test_quiet_incidents_are_those_whose_last_press_is_long_ago(ledger: Ledger):
    ledger.record(press(), press(LEE), press(PARK, received_at=later(-5)))
    ledger.again("1", after_s=100)

    assert ledger.transact(quiet_incidents, later(0)) == [f"sos-{PARK}"]
    assert ledger.transact(quiet_incidents, later(50)) == [f"sos-{PARK}", f"sos-{LEE}"]
    assert ledger.transact(lambda connection: quiet_incidents(connection, later(200), limit=1)) == [
        f"sos-{PARK}"
    ]


def test_a_closed_incident_is_not_quiet(ledger: Ledger):
    ledger.record(press())
    ledger.close()

    assert ledger.transact(quiet_incidents, later(1000)) == []
    assert ledger.rows("incident")[0]["state"] != OPEN
