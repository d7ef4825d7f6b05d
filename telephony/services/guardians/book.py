"""The guardians of a caller: those of the registry, and after them those that stand in the settings."""

from __future__ import annotations

import structlog

from telephony.domain.guardians.guardian import Guardian, ListedGuardians, Ward, is_same_phone
from telephony.domain.people.consent_items import ConsentItem
from telephony.domain.people.person import GuardianEntry, Person
from telephony.domain.values import Msisdn
from telephony.store.crypto import Damaged, KeysUnavailable
from telephony.store.database import Database
from telephony.store.people import Registry

log = structlog.get_logger()


class RegistryGuardians:
    """Knows the guardians of a caller (`telephony.domain.guardians.guardian.GuardianBook`).

    A consent that was withdrawn or outgrown changes nothing here: as long as the person is kept, the guardians are
    told. A person who withdraws is deleted, and is not found any more.
    """

    def __init__(self, database: Database, registry: Registry, listed: ListedGuardians) -> None:
        self._database = database
        self._registry = registry
        self._listed = listed

    async def ward_of(self, msisdn: Msisdn) -> Ward:
        """Return who this caller is to their guardians. Raises `Unavailable` while the store cannot be read."""
        person = await self._person(msisdn)
        if person is None:
            return await self._listed.ward_of(msisdn)
        numbers = (msisdn, *(each.number for each in person.devices if each.number != msisdn))
        guardians = [each.guardian for each in _in_order(person)] if _may_be_told(person) else []
        for number in numbers:
            guardians += _new_among((await self._listed.ward_of(number)).guardians, guardians)
        return Ward(person.name, numbers, tuple(guardians))

    async def _person(self, msisdn: Msisdn) -> Person | None:
        if msisdn.is_withheld:
            return None
        try:
            return await self._database.read(self._registry.find, msisdn)
        except (KeysUnavailable, Damaged) as error:
            log.warning("guardians of the registry not known", caller=msisdn.masked, error=str(error))
            return None


def _may_be_told(person: Person) -> bool:
    """Whether guardians may hear of a press. Those of a minor have agreed for the minor themselves: no third parties."""
    return person.consent.is_by_guardian or person.consent.allows(ConsentItem.THIRD_PARTIES)


def _in_order(person: Person) -> list[GuardianEntry]:
    """Return those who have agreed, then those who were asked and have not answered. Those who refused are left out.

    Many take our question for a fraud and answer no text of a number that they do not know. In an emergency that must not
    leave her alone: she has named them, and for life and body data may be used without the consent that could not be had
    (Personal Information Protection Act article 15 (1) 5). A wrong number is told a name and a time and no place.
    """
    return sorted(person.guardians, key=lambda each: not each.is_confirmed)


def _new_among(listed: tuple[Guardian, ...], known: list[Guardian]) -> list[Guardian]:
    return [each for each in listed if not any(is_same_phone(each.phone, one.phone) for one in known)]
