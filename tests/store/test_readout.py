"""What is read out to 112 on the telephone, and that somebody did; on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, update

from telephony.domain.delivery import Delivered, Retry
from telephony.domain.facts import CENTRE, FactKind
from telephony.store import schema
from telephony.store.fact_rows import to_data
from telephony.store.incidents import list_incidents
from telephony.store.readout import UNREADABLE_NUMBER, read_out, record_told_by_voice, unreported
from tests.doubles import NOON, ONE_CENTRE, press
from tests.store.ledger import Ledger, call_fact, fix

KIM, LEE, PARK = "821012345678", "821022222222", "821033333333"
LATER = NOON + timedelta(minutes=4)


def name(number: str) -> str:
    return f"sos-{number}"


@pytest.fixture
def ledger(engines: tuple[Engine, Engine]) -> Ledger:
    """Kim, whom 112 knows; then Lee, whom it does not, found and in a call; between them a drill of Park."""
    ledger = Ledger(engines[0])
    ledger.record(press(KIM))
    (alert,) = ledger.claim()
    ledger.settle(alert, Delivered())
    ledger.record(press(LEE, received_at=NOON + timedelta(seconds=2), text="help"))
    ledger.record(press(PARK, received_at=NOON + timedelta(seconds=1), test=True))
    ledger.locate(fix(after_s=3), LEE)
    ledger.tell(call_fact(), incident_id=name(LEE))
    return ledger


def ids(ledger: Ledger, **options: bool) -> list[str]:
    return ledger.transact(lambda connection: unreported(connection, **options))


def known(ledger: Ledger, number: str = LEE):
    with ledger.engine.connect() as connection:
        return read_out(connection, name(number), LATER)


def test_what_112_has_acknowledged_no_report_of_is_unreported_emergencies_first(ledger: Ledger):
    assert ids(ledger) == [name(LEE), name(PARK)]
    assert ids(ledger, and_all_open=True) == [name(KIM), name(LEE), name(PARK)]


def test_an_incident_that_was_closed_stays_unreported_until_its_reports_are_acknowledged(ledger: Ledger):
    ledger.close(name(LEE))
    ledger.close(name(KIM))
    assert ids(ledger) == [name(LEE), name(PARK)]
    assert ids(ledger, and_all_open=True) == [name(KIM), name(LEE), name(PARK)]
    while due := ledger.claim(after_s=400):
        for delivery in due:
            ledger.settle(delivery, Delivered(), after_s=400)
    assert ids(ledger) == []


def test_a_report_that_is_being_tried_is_owed_and_one_that_was_acknowledged_is_not(ledger: Ledger):
    for delivery in ledger.claim(after_s=400):
        ledger.settle(delivery, Retry("down"))
    owed = ledger.transact(lambda connection: list_incidents(connection, only_owed=True))
    assert [row.msisdn.number for row in owed] == [LEE, PARK]


def test_an_incident_is_told_as_its_next_report_would_tell_it(ledger: Ledger):
    lee = known(ledger)
    assert (lee.report.msisdn.number, lee.report.texts) == (LEE, ("help",))
    assert lee.report.position == fix(after_s=3)
    assert [fact.kind for fact in lee.report.facts] == [FactKind.CALL]
    assert (lee.is_reported, lee.is_owed, lee.is_closed, lee.is_damaged) == (False, True, False, False)
    assert known(ledger, "821099999999") is None


@pytest.mark.parametrize("table", ["fact", "position", "press"])
def test_a_damaged_row_costs_itself_alone(ledger: Ledger, table: str):
    broken = schema.metadata.tables[table]
    ledger.transact(lambda connection: connection.execute(update(broken).values(sealed=b"damaged")))
    lee = known(ledger)
    assert lee.is_damaged
    assert lee.report.msisdn.number == LEE
    assert (lee.report.position is None) == (table == "position")
    assert (lee.report.facts == ()) == (table == "fact")
    assert (lee.report.texts == ()) == (table == "press")


def test_where_the_database_gives_nothing_else_the_incident_s_own_row_is_told(ledger: Ledger):
    ledger.transact(lambda connection: connection.exec_driver_sql("ALTER TABLE fact RENAME TO lost"))
    with ledger.engine.connect() as connection:
        lee, park = (read_out(connection, name(number), LATER) for number in (LEE, PARK))
    assert (lee.is_damaged, lee.report.msisdn.number, lee.report.facts) == (True, LEE, ())
    assert (park.is_damaged, park.report.msisdn.number) == (False, PARK)
    ledger.transact(lambda connection: connection.execute(update(schema.incident).values(sealed=b"damaged")))
    assert known(ledger).report.msisdn == UNREADABLE_NUMBER


def test_the_person_who_told_112_is_kept_and_told_and_nothing_is_taken_back(ledger: Ledger):
    owed = len(ledger.rows("delivery"))
    assert ledger.transact(record_told_by_voice, ONE_CENTRE, name(LEE), "Kim", "desk 4", LATER)
    lee = known(ledger)
    assert (lee.by_voice.kind, lee.by_voice.subject, to_data(lee.by_voice)["by"]) == (
        FactKind.TOLD_BY_VOICE,
        CENTRE,
        "Kim",
    )
    assert not lee.has_news
    assert ids(ledger) == [name(LEE), name(PARK)]
    assert len(ledger.rows("delivery")) >= owed
    assert not ledger.transact(record_told_by_voice, ONE_CENTRE, "sos-none", "Kim", "desk 4", LATER)


def test_another_press_or_another_place_is_news(ledger: Ledger):
    assert known(ledger).has_news
    ledger.transact(record_told_by_voice, ONE_CENTRE, name(LEE), "Kim", "desk 4", LATER)
    ledger.locate(fix(50.0, after_s=300), LEE)
    assert known(ledger).has_news
    ledger.transact(
        record_told_by_voice, ONE_CENTRE, name(LEE), "Kim", "desk 4 again", LATER + timedelta(minutes=9)
    )
    assert not known(ledger).has_news
    ledger.record(press(LEE, reference="again", received_at=LATER + timedelta(minutes=10)))
    assert known(ledger).has_news
