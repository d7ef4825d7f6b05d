"""The call ledger: what the store keeps of calls, for the packages that handle voice."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from telephony.clock import Clock, ages
from telephony.domain.facts import Fact
from telephony.domain.position import Position
from telephony.services.spine.outbox import Outbox
from telephony.store.calls import (
    CallRecord,
    KnownCall,
    TokenHolder,
    by_token,
    calls_of,
    known_calls,
    live_calls,
    record_call,
)
from telephony.store.facts import record_facts
from telephony.store.orders import silence_lifted
from telephony.store.outbox.settling import is_told
from telephony.store.positions import best_position, record_position_of

log = structlog.get_logger()


class CallLedger:
    """Reads and writes what the store keeps of calls. Everything here raises `Unavailable` in an outage."""

    def __init__(self, outbox: Outbox, *, clock: Clock) -> None:
        self._outbox = outbox
        self._clock = clock

    async def record(self, incident_id: str, record: CallRecord, facts: Sequence[Fact]) -> None:
        """Keep a call and its facts; 112 hears of the new ones."""
        await self._outbox.transact(record_call, self._outbox.plan, incident_id, record, facts)

    async def facts(self, incident_id: str, facts: Sequence[Fact]) -> None:
        """Keep facts of an incident; 112 hears of the new ones."""
        await self._outbox.transact(record_facts, self._outbox.plan, incident_id, facts)

    async def located(self, incident_id: str, position: Position) -> None:
        """Keep a position of an incident's caller; 112 hears of it where it is news."""
        located = await self._outbox.transact(
            record_position_of, self._outbox.plan, incident_id, position, ages(self._clock)
        )
        if located is not None:
            log.info("located", incident=incident_id, source=position.source, method=position.method,
                     uncertainty_m=position.uncertainty_m, became_best=located.became_best, is_told=located.is_told)  # fmt: skip

    async def known(self, references: Sequence[str]) -> dict[str, str]:
        """Return the incidents of those calls that are known, by reference."""
        return await self._outbox.database.read(known_calls, references)

    async def live(self, server: str) -> list[KnownCall]:
        """Return the calls of a server of which no end is known."""
        return await self._outbox.database.read(live_calls, server)

    async def of_incident(self, incident_id: str) -> Sequence[KnownCall]:
        """Return the incident's calls of which no end is known."""
        return await self._outbox.database.read(calls_of, incident_id)

    async def silence_lifted(self, incident_id: str) -> bool:
        """Whether something may reach the caller's phone."""
        return await self._outbox.database.read(silence_lifted, incident_id)

    async def holder(self, digests: Sequence[bytes]) -> TokenHolder | None:
        """Return the incident and caller whose location token is kept by one of these digests."""
        return await self._outbox.database.read(by_token, digests)

    async def is_told(self, incident_id: str, sequence: int) -> bool:
        """Whether 112 has acknowledged this report on some channel, or that its incident is closed."""
        return await self._outbox.database.read(is_told, incident_id, sequence)

    async def newest_position(self, incident_id: str) -> Position | None:
        """Return the best known position of the caller."""
        return await self._outbox.database.read(best_position, incident_id)
