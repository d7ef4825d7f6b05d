"""Who the guardians of a caller are: those of the registry in their order, then those of the settings."""

from __future__ import annotations

from datetime import date

import pytest
from structlog.testing import capture_logs

from telephony.domain.errors import Unavailable
from telephony.domain.guardians.guardian import Guardian, ListedGuardians, Ward
from telephony.domain.people.consent_items import ConsentItem
from telephony.domain.people.person import Device, GuardianEntry
from telephony.domain.values import Msisdn
from telephony.services.guardians.book import RegistryGuardians
from telephony.store.crypto import Damaged, KeysUnavailable
from telephony.store.engines import one_transaction
from telephony.store.people import Registry
from tests.awaiting import failure_of, result_of
from tests.doubles import database, keys
from tests.store.people_drafts import NOW, number, pupil

TERMINAL = Msisdn("821200001111")
MOTHER = Msisdn("821011112222")
FATHER = Msisdn("821033334444")
UNCLE = Guardian(Msisdn("821055556666"), "en", "uncle")


class House:
    """A registry with one pupil, and settings that list guardians."""

    def __init__(self, engines, **changes) -> None:
        self.registry = Registry(keys)
        changes = {
            "guardians": (
                GuardianEntry(MOTHER, "mother", "ko", 2),
                GuardianEntry(FATHER, "father", is_confirmed=False),
            ),
            "devices": (Device(number(1), "skt", "phone"), Device(TERMINAL, "kt", "u-relief")),
        } | changes
        with engines[0].connect() as connection, one_transaction(connection):
            self.registry.enrol(connection, [pupil(1, **changes)], NOW)
        self.database = database(*engines)

    def book(self, **listed):
        by_number = {name.removeprefix("of_"): guardians for name, guardians in listed.items()}
        return RegistryGuardians(self.database, self.registry, ListedGuardians(by_number))


@pytest.fixture
def house(engines):
    return House(engines)


def test_a_registered_person_has_a_name_all_their_numbers_and_those_who_have_agreed_before_those_who_have_not(
    house,
):
    ward = result_of(house.book().ward_of(number(1)))

    assert ward == Ward(
        "김하늘1",
        (number(1), TERMINAL),
        (Guardian(MOTHER, "ko", "mother", 2), Guardian(FATHER, "ko", "father")),
    )


def test_by_whatever_device_they_press(house):
    ward = result_of(house.book().ward_of(TERMINAL))

    assert ward.numbers == (TERMINAL, number(1))
    assert [each.phone for each in ward.guardians] == [MOTHER, FATHER]


def test_those_of_the_settings_come_after_them_and_nobody_twice(house):
    listed = {f"of_{number(1).number}": [Guardian(MOTHER, "en"), UNCLE], f"of_{TERMINAL.number}": [UNCLE]}

    ward = result_of(house.book(**listed).ward_of(number(1)))
    assert ward.guardians == (Guardian(MOTHER, "ko", "mother", 2), Guardian(FATHER, "ko", "father"), UNCLE)


def test_the_guardians_of_somebody_unregistered_are_those_of_the_settings(house):
    caller = Msisdn("821099998888")

    assert result_of(house.book(of_821099998888=[UNCLE]).ward_of(caller)) == Ward("", (caller,), (UNCLE,))
    assert result_of(house.book().ward_of(caller)).guardians == ()


def test_a_withheld_number_has_no_guardians(house):
    assert result_of(house.book(of_=[UNCLE]).ward_of(Msisdn(""))).guardians == ()


def test_a_consent_that_was_outgrown_takes_no_guardians_away(engines):
    house = House(engines, birth_date=date(2007, 11, 24))  # of age on the day after NOW

    assert [each.phone for each in result_of(house.book().ward_of(number(1))).guardians] == [MOTHER, FATHER]


@pytest.mark.parametrize("error", [KeysUnavailable("no key file"), Damaged("person 1")])
def test_a_registry_that_cannot_be_read_leaves_those_of_the_settings(house, error):
    def find(_connection, _number):
        raise error

    house.registry.find = find
    with capture_logs() as logs:
        ward = result_of(house.book(**{f"of_{number(1).number}": [UNCLE]}).ward_of(number(1)))

    assert ward == Ward("", (number(1),), (UNCLE,))
    assert logs[0]["event"] == "guardians of the registry not known"
    assert number(1).number not in str(logs)


def test_a_store_that_cannot_be_read_is_said_so(house):
    def find(_connection, _number):
        raise Unavailable("store: locked")

    house.registry.find = find
    assert isinstance(failure_of(house.book().ward_of(number(1))), Unavailable)


@pytest.mark.parametrize(
    ("changes", "is_told"),
    [
        ({"consent_items": (ConsentItem.PERSONAL,), "birth_date": date(1990, 3, 2)}, False),
        ({"consent_items": tuple(ConsentItem), "birth_date": date(1990, 3, 2)}, True),
        ({"consent_items": (ConsentItem.PERSONAL,)}, True),
    ],
    ids=["adult refuses", "adult agrees", "minor"],
)
def test_guardians_of_an_adult_who_did_not_agree_to_third_parties_are_not_told(engines, changes, is_told):
    """Those of a minor have agreed for the minor: they are no third parties."""
    house = House(engines, consent_text="sms-1/ko", **changes)

    assert bool(result_of(house.book().ward_of(number(1))).guardians) == is_told
