"""The guard before every text: it asks the store at each question, and the one policy answers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from telephony.domain.errors import Unavailable
from telephony.domain.silence import Output, Silenced
from telephony.domain.values import Msisdn
from telephony.services.silence import SilenceGuard
from telephony.store.orders import set_silence
from telephony.store.schema import metadata
from tests.awaiting import failure_of, result_of
from tests.doubles import NOON, ONE_CENTRE, database, press
from tests.store.ledger import Ledger

HERS, ANOTHER = Msisdn("821012345678"), Msisdn("821099999999")
ID = "sos-821012345678"


class House:
    def __init__(self, engines, **how):
        self.engines = engines
        self.store = Ledger(engines[0])
        self.guard = SilenceGuard(database(*engines), **how)

    def asked(self, *numbers, output=Output.MESSAGE, text=None):
        return result_of(self.guard.may_reach(numbers, output, text))

    def lift(self, *, lifted=True):
        assert self.store.transact(set_silence, ONE_CENTRE, ID, lifted, "desk 7", NOON) is None


@pytest.fixture
def house(engines):
    return House(engines)


def test_a_phone_that_was_not_pressed_may_be_reached(house):
    house.store.record(press())

    assert house.asked(ANOTHER) is None
    assert result_of(house.guard.may_reach(ANOTHER, Output.MESSAGE)) is None


@pytest.mark.parametrize("output", list(Output))
def test_nothing_may_reach_her_phone_from_the_press_on(house, output):
    assert house.asked(HERS, output=output) is None

    house.store.record(press())

    refused = house.asked(HERS, output=output)
    assert isinstance(refused, Silenced)
    assert output.value in refused.reason


def test_one_phone_of_a_person_that_pressed_silences_all_of_hers(house):
    house.store.record(press())

    assert isinstance(house.asked(ANOTHER, HERS), Silenced)
    assert isinstance(house.asked(HERS, ANOTHER), Silenced)
    assert house.asked() is None


def test_lifted_silence_lets_it_through_and_silence_held_again_does_not(house):
    house.store.record(press())

    house.lift()
    assert house.asked(HERS) is None
    house.lift(lifted=False)
    assert isinstance(house.asked(HERS), Silenced)


def test_silence_ends_with_the_incident_and_begins_again_with_the_next(house):
    house.store.record(press())
    house.store.close()
    assert house.asked(HERS) is None

    house.store.record(press(reference="later", received_at=NOON + timedelta(hours=1)))

    assert isinstance(house.asked(HERS), Silenced)


def test_a_drill_silences_nobody_since_it_is_answered_by_a_text(house):
    house.store.record(press(test=True))

    assert house.asked(HERS) is None


def test_a_number_that_could_not_be_brought_into_e164_is_known_as_it_came(house):
    odd = Msisdn("ALARM", is_e164=False)
    house.store.record(press(msisdn=odd))

    assert isinstance(house.asked(odd), Silenced)
    assert house.asked(Msisdn("")) is None


def test_a_withheld_number_belongs_to_no_caller(house):
    house.store.record(press(msisdn=Msisdn("", is_e164=False)))

    assert house.asked(Msisdn("", is_e164=False)) is None


def test_a_neutral_text_may_end_her_ussd_dialogue_and_no_other_text(engines):
    house = House(engines, neutral_texts=frozenset({"Request completed."}))
    house.store.record(press())

    assert house.asked(HERS, output=Output.USSD_CLOSING_TEXT, text="Request completed.") is None
    assert isinstance(house.asked(HERS, output=Output.USSD_CLOSING_TEXT, text="Help is coming"), Silenced)
    assert isinstance(house.asked(HERS, output=Output.MESSAGE, text="Request completed."), Silenced)


def test_a_press_that_went_to_112_past_the_store_silences_too(engines):
    house = House(engines, is_ahead_of_the_store=lambda number: number == HERS)

    assert isinstance(house.asked(HERS), Silenced)
    assert house.asked(ANOTHER) is None


def test_a_store_that_cannot_be_asked_lets_nothing_through(house):
    house.store.record(press())
    metadata.drop_all(house.engines[0])

    assert isinstance(failure_of(house.guard.may_reach(HERS, Output.MESSAGE)), Unavailable)
