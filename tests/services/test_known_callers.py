"""During an outage of the store a caller's presses still belong together: 112 must not get a second emergency of one."""

from __future__ import annotations

import pytest

from telephony.domain.delivery import ALERT, UPDATE
from telephony.domain.errors import Unavailable
from telephony.services.spine import open_callers as callers
from telephony.services.spine.open_callers import KEPT_S, KnownCallers
from telephony.store.incidents import close_incident, open_incidents
from telephony.store.response import acknowledge, dispatch
from tests.doubles import NOON, ONE_CENTRE, press
from tests.services.spine.test_intake import House, house, receipt_of  # noqa: F401 - the fixture

LEE = "821022222222"


def outage(house: House) -> None:  # noqa: F811
    house.recorder.failure = Unavailable("store: disk full")


def test_a_second_press_in_an_outage_is_an_update_of_what_112_was_told_directly(house: House):  # noqa: F811
    outage(house)
    house.accept(press(reference="a"))
    house.accept(press(reference="b", text="hurry"))

    first, second = house.direct.reports
    assert (first.kind, second.kind) == (ALERT, UPDATE)
    assert second.incident_id == first.incident_id
    assert second.report_id != first.report_id
    assert [one.report_id for one in second.earlier] == [first.report_id]
    assert (second.press_count, second.opened_at, second.texts) == (2, first.opened_at, ("hurry",))


def test_whichever_redelivery_comes_first_opens_that_incident(house: House):  # noqa: F811
    outage(house)
    house.accept(press(reference="a"))
    house.accept(press(reference="b"))
    house.recorder.failure = None

    (second,) = house.accept(press(reference="b"))
    (first,) = house.accept(press(reference="a"))

    told = house.direct.reports[0].incident_id
    assert [receipt_of(answer).incident_id for answer in (second, first)] == [told, told]


def test_a_caller_whose_incident_was_open_before_is_told_under_it_as_an_alert(house: House):  # noqa: F811
    (before,) = house.accept(press(reference="a"))
    outage(house)
    house.accept(press(reference="b"))

    (told,) = house.direct.reports
    assert told.kind == ALERT
    assert told.incident_id == receipt_of(before).incident_id
    assert told.report_id not in [report.report_id for report in house.centre.reports]


def test_what_an_earlier_process_had_open_is_learnt_from_the_store(house: House):  # noqa: F811
    (before,) = house.accept(press(reference="a"))
    house.intake = house.new_intake()
    with house.database._reading.connect() as connection:
        house.intake.remember(open_incidents(connection, NOON))
    outage(house)

    house.accept(press(reference="b"))

    assert house.direct.reports[0].incident_id == receipt_of(before).incident_id
    assert house.direct.reports[0].press_count == 2


@pytest.mark.parametrize("unit", ["", "unit 12"], ids=["acknowledged", "dispatched"])
def test_an_incident_that_112_has_taken_is_learnt_as_any_open_one(house: House, unit: str):  # noqa: F811
    (before,) = house.accept(press(reference="a"))
    name = receipt_of(before).incident_id
    house.intake = house.new_intake()
    with house.database._writing.begin() as connection:
        assert acknowledge(connection, ONE_CENTRE, name, "desk 7", NOON) is None
        if unit:
            assert dispatch(connection, ONE_CENTRE, name, unit, "desk 7", NOON) is None
        house.intake.remember(open_incidents(connection, NOON))
    outage(house)

    house.accept(press(reference="b"))

    assert house.direct.reports[0].incident_id == name
    assert house.direct.reports[0].press_count == 2


def test_closed_incidents_are_not_learnt(house: House):  # noqa: F811
    (before,) = house.accept(press(reference="a"))
    with house.database._writing.begin() as connection:
        close_incident(connection, ONE_CENTRE, receipt_of(before).incident_id, "over", NOON)
        assert open_incidents(connection, NOON) == []


def test_of_whom_112_was_told_past_the_store_is_known_until_the_press_is_on_disk(house: House):  # noqa: F811
    """Asked before anything is sent to her phone: the store does not know of her yet."""
    hers = press().msisdn
    assert not house.callers.is_ahead_of_the_store(hers)
    outage(house)
    house.accept(press(reference="a"))
    assert house.callers.is_ahead_of_the_store(hers)
    assert not house.callers.is_ahead_of_the_store(press(LEE).msisdn)

    house.recorder.failure = None
    house.accept(press(reference="a"))

    assert not house.callers.is_ahead_of_the_store(hers)


def test_another_caller_and_a_later_hour_are_emergencies_of_their_own(house: House):  # noqa: F811
    outage(house)
    house.accept(press(reference="a"))
    house.accept(press(LEE, reference="b"))
    house.clock.advance(KEPT_S + 1)
    house.accept(house.now(press(reference="c")))

    assert [report.kind for report in house.direct.reports] == [ALERT] * 3
    assert len({report.incident_id for report in house.direct.reports}) == 3


def test_a_press_told_again_after_its_promise_is_gone_never_repeats_an_id_with_other_words(house: House):  # noqa: F811
    outage(house)
    house.accept(press(reference="a"))
    house.accept(press(reference="b"))
    house.recorder.failure = None
    house.accept(press(reference="b"))
    outage(house)
    house.clock.advance(30)
    house.accept(house.now(press(reference="b")))

    ids = [report.report_id for report in house.direct.reports]
    assert len(ids) == len(set(ids)) == 3


def test_the_memory_of_callers_has_a_bound(monkeypatch: pytest.MonkeyPatch, house: House):  # noqa: F811
    monkeypatch.setattr(callers, "MOST", 2)
    known = KnownCallers(house.clock, str.encode)
    for number in ("1", "2", "3"):
        known.pressed(number, f"sos-{number}", NOON)

    assert known.get("1") is None
    assert known.get("3") is not None
