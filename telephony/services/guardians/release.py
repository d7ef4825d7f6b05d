"""Tells the guardians who were told of an emergency that it is over."""

from __future__ import annotations

from datetime import tzinfo
from typing import Final

import structlog
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as GaveUp

from telephony.clock import Clock, age_s, within
from telephony.domain.delivery import Delivered, Delivery, Errand, Outcome, Rejected, Retry
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.domain.facts import GuardianState, GuardianWay
from telephony.domain.guardians.guardian import GuardianBook, Ward
from telephony.domain.guardians.texts import released_text
from telephony.domain.guardians.turns import Turn, those_to_tell, to_release
from telephony.domain.silence import Output
from telephony.domain.text_message import Texter, TextMessage
from telephony.services.guardians.record import GuardianRecord
from telephony.services.guardians.ways import TEXT_S, MayReach

log = structlog.get_logger()

VALID_S: Final = 86_400.0
"""How long it is worth delivering: a phone that is switched on in the morning."""
GIVE_UP_S: Final = 86_400.0
"""So long after the closing a text that no carrier takes is tried."""


class GuardianReleaseChannel:
    """The channel `GUARDIANS_RELEASED`: one delivery per closed incident, one text per guardian who was told of it.

    The facts say who has had that text, so no one gets it twice when some of them have to be tried again.
    """

    def __init__(
        self,
        book: GuardianBook,
        texter: Texter | None,
        record: GuardianRecord,
        *,
        may_reach: MayReach,
        zone: tzinfo,
        clock: Clock,
    ) -> None:
        self._book = book
        self._texter = texter
        self._record = record
        self._may_reach = may_reach
        self._zone = zone
        self._clock = clock

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Text each guardian who was told and was not texted yet; `Retry` where one could not be."""
        errand = delivery.content
        if not isinstance(errand, Errand):
            return Rejected(f"a delivery of kind {delivery.kind} carries no errand")
        if self._texter is None:
            return Delivered("there is no way to text")
        try:
            return await self._release_all(self._texter, delivery, errand)
        except Unavailable as error:
            return Retry(str(error))

    async def _release_all(self, texter: Texter, delivery: Delivery, errand: Errand) -> Outcome:
        ward = await self._book.ward_of(errand.msisdn)
        facts = await self._record.facts(delivery.incident_id)
        turns = to_release(those_to_tell(ward, errand.msisdn), facts)
        if not turns:
            return Delivered("no guardian was told")
        if await self._pressed_again(errand):
            # "It is over" would be read as an answer to the new emergency.
            return Delivered("the key was pressed again; the guardians are told of that")
        missed = [turn for turn in turns if not await self._release(texter, turn, delivery, errand, ward)]
        if not missed:
            return Delivered(f"{len(turns)} told")
        if age_s(self._clock, delivery.created_at) > GIVE_UP_S:
            return Rejected(f"{len(missed)} of {len(turns)} could not be told that it is over")
        return Retry(f"{len(missed)} of {len(turns)} could not be told yet")

    async def _pressed_again(self, errand: Errand) -> bool:
        """Whether silence holds for the caller's phone: she is in another open incident."""
        return await self._may_reach(errand.msisdn, Output.MESSAGE) is not None

    async def _release(
        self, texter: Texter, turn: Turn, delivery: Delivery, errand: Errand, ward: Ward
    ) -> bool:
        """Return whether this guardian is done with."""
        incident_id, guardian = delivery.incident_id, turn.guardian
        words = released_text(ward.name, errand.msisdn, errand.opened_at, self._zone, guardian.language)
        message = TextMessage(guardian.phone, words, valid_s=VALID_S)
        try:
            await within(Deferred.fromCoroutine(texter.send(message)), TEXT_S, self._clock)
        except (Unavailable, GaveUp) as error:
            log.warning("guardian not released", incident=incident_id, guardian=turn.place, error=str(error))
            return False
        except (Refused, Malformed) as error:
            log.warning(
                "guardian cannot be released", incident=incident_id, guardian=turn.place, error=str(error)
            )
            return True
        await self._record.tell(incident_id, turn, GuardianState.RELEASED, GuardianWay.SMS)
        return True
