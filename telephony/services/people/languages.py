"""Looks up the language that a person chose when they signed up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from telephony.domain.people.person import Language
from telephony.domain.values import Msisdn
from telephony.store.crypto import Damaged
from telephony.store.database import Database
from telephony.store.people import Registry

LanguageOf = Callable[[Msisdn], Awaitable[Language | None]]
"""Returns the language that the person with this number chose; none for a stranger, or where it cannot be read."""


class Languages:
    """The languages of those who are registered."""

    def __init__(self, database: Database, registry: Registry) -> None:
        self._database = database
        self._registry = registry

    async def of(self, phone: Msisdn) -> Language | None:
        """Return the language of the person with this number: see `LanguageOf`. Raises `Unavailable`."""
        try:
            known = await self._database.read(self._registry.find, phone)
        except Damaged:
            return None
        return None if known is None else known.language
