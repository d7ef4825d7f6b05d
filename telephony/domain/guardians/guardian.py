"""Guardians, the people who are told when an SOS key was pressed, and the ports that find and call them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from telephony.domain.guardians.spoken_call import CallOutcome, Look
from telephony.domain.values import Msisdn

_SUBSCRIBER_DIGITS = 8
"""So many last digits make a subscriber, whatever was put before them."""


@dataclass(frozen=True, slots=True)
class Guardian:
    """Somebody to be told: by this phone, in this language. ``relation`` is free text, such as "mother"."""

    phone: Msisdn
    language: Literal["ko", "en"] = "ko"
    relation: str = ""
    rounds: int = 0
    """How often they are tried; 0: as often as the settings say."""


@dataclass(frozen=True, slots=True)
class Ward:
    """The person whom the guardians look after; ``guardians`` are in the order in which they are to be told.

    ``name`` is empty where the number is not registered, ``numbers`` are all that are theirs. The name is left out of ``repr``.
    """

    name: str = field(default="", repr=False)
    numbers: tuple[Msisdn, ...] = ()
    guardians: tuple[Guardian, ...] = ()


class GuardianBook(Protocol):
    """Knows the guardians of a caller."""

    async def ward_of(self, msisdn: Msisdn) -> Ward:
        """Return who this caller is to their guardians; without guardians for a caller who has none.

        Raises `Unavailable` where it cannot be looked up now.
        """
        ...


class GuardianCalls(Protocol):
    """Calls a guardian and tells them."""

    @property
    def is_ready(self) -> bool:
        """Whether there is a way to call anybody now."""
        ...

    async def call(self, guardian: Guardian, caller: Msisdn, look: Look) -> CallOutcome:
        """Say whose key was pressed and how it stands with 112, and wait for a digit.

        ``look`` is asked again while the call stands. Raises `Malformed` for a number that cannot be dialled.
        """
        ...


class ListedGuardians:
    """The guardians that stand in the settings, by the caller's number as `Msisdn` writes it."""

    def __init__(self, listed: Mapping[str, Sequence[Guardian]]) -> None:
        self._listed = {number: tuple(guardians) for number, guardians in listed.items()}

    async def ward_of(self, msisdn: Msisdn) -> Ward:
        """Return them in the order of the settings."""
        return Ward(
            numbers=(msisdn,),
            guardians=() if msisdn.is_withheld else self._listed.get(msisdn.number, ()),
        )


def is_same_phone(one: Msisdn, other: Msisdn) -> bool:
    """Whether two numbers ring the same phone.

    Where either could not be brought into E.164, their last digits decide: one guardian too few is told rather than
    the caller's own phone made to ring.
    """
    if one.is_e164 and other.is_e164:
        return one.number == other.number
    tails = [
        "".join(character for character in each.number if character.isdigit())[-_SUBSCRIBER_DIGITS:]
        for each in (one, other)
    ]
    return tails[0] != "" and tails[0] == tails[1]
