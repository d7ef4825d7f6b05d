"""What 112 may ask about an incident's calls. The console, the API and the command line all come through here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from telephony.clock import Clock, utc_now
from telephony.domain.fact import Fact
from telephony.domain.plan import Plan
from telephony.domain.position import Position
from telephony.domain.silence import Refused
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
from telephony.store.database import Database
from telephony.store.facts import record_facts
from telephony.store.orders import order_call_back, order_hang_up, set_silence, silence_lifted
from telephony.store.outbox import is_told
from telephony.store.positions import best_position, record_position_of

log = structlog.get_logger()


class CallDirection:
    """Takes the orders of the 112 side: each is durable before it is carried out, and answered at once.

    ``by`` is who asks, as the incident's story will tell it. An answer other than ``None`` says why not; raises
    `Unavailable` when the store cannot be used.
    """

    def __init__(self, database: Database, *, plan: Plan, clock: Clock, wake: Callable[[str], None]) -> None:
        self._database = database
        self._plan = plan
        self._clock = clock
        self._wake = wake

    async def lift_silence(self, incident_id: str, by: str) -> Refused | None:
        """Let the centre's voice reach the caller's phone, in the calls that stand now; allow call-back."""
        return await self._silence(incident_id, by, lifted=True)

    async def hold_silence(self, incident_id: str, by: str) -> Refused | None:
        """Keep everything from the caller's phone again."""
        return await self._silence(incident_id, by, lifted=False)

    async def hang_up(self, incident_id: str, by: str) -> Refused | None:
        """End the incident's calls."""
        refused = await self._database.transact(order_hang_up, incident_id, by, self._now)
        return self._answer("hang up", incident_id, by, refused)

    async def call_back(self, incident_id: str, by: str) -> Refused | None:
        """Call the caller's phone and connect it to 112. Refused while silence holds."""
        refused = await self._database.transact(order_call_back, incident_id, by, self._now)
        return self._answer("call back", incident_id, by, refused)

    async def _silence(self, incident_id: str, by: str, *, lifted: bool) -> Refused | None:
        refused = await self._database.transact(set_silence, self._plan, incident_id, lifted, by, self._now)
        return self._answer("lift silence" if lifted else "hold silence", incident_id, by, refused)

    def _answer(self, order: str, incident_id: str, by: str, refused: Refused | None) -> Refused | None:
        if refused is not None:
            log.warning("order refused", order=order, incident=incident_id, by=by, reason=refused.reason)
            return refused
        log.info("order taken", order=order, incident=incident_id, by=by)
        self._wake(incident_id)
        return None

    @property
    def _now(self) -> datetime:
        return utc_now(self._clock)


class CallLedger:
    """What the store keeps of calls, as the voice rooms ask for it. Everything here raises `Unavailable` in an outage."""

    def __init__(self, database: Database, *, plan: Plan, wake: Callable[[str], None]) -> None:
        self._database = database
        self._plan = plan
        self._wake = wake

    async def record(self, incident_id: str, record: CallRecord, facts: Sequence[Fact]) -> None:
        """Keep a call and its facts, and wake the relay where 112 is to hear of them."""
        if await self._database.transact(record_call, self._plan, incident_id, record, facts):
            self._wake(incident_id)

    async def facts(self, incident_id: str, facts: Sequence[Fact]) -> None:
        """Keep facts of an incident, and wake the relay where 112 is to hear of them."""
        if await self._database.transact(record_facts, self._plan, incident_id, facts):
            self._wake(incident_id)

    async def located(self, incident_id: str, position: Position) -> None:
        """Keep where the caller of an incident is, and wake the relay where 112 is to hear of it."""
        located = await self._database.transact(record_position_of, self._plan, incident_id, position)
        if located is not None:
            log.info("located", incident=incident_id, source=position.source, method=position.method,
                     uncertainty_m=position.uncertainty_m, became_best=located.became_best, is_told=located.is_told)  # fmt: skip
            if located.is_told:
                self._wake(incident_id)

    async def known(self, references: Sequence[str]) -> dict[str, str]:
        """Give the incidents of those calls that are known, by reference."""
        return await self._database.read(known_calls, references)

    async def live(self, server: str) -> list[KnownCall]:
        """Give the calls of a server of which no end is known."""
        return await self._database.read(live_calls, server)

    async def of_incident(self, incident_id: str) -> Sequence[KnownCall]:
        """Give the incident's calls of which no end is known."""
        return await self._database.read(calls_of, incident_id)

    async def silence_lifted(self, incident_id: str) -> bool:
        """Claim that something may reach the caller's phone."""
        return await self._database.read(silence_lifted, incident_id)

    async def holder(self, digest: bytes) -> TokenHolder | None:
        """Give what the location token with this SHA-256 opens."""
        return await self._database.read(by_token, digest)

    async def is_told(self, incident_id: str, sequence: int) -> bool:
        """Claim that 112 has acknowledged this report on some channel, or that its incident is closed."""
        return await self._database.read(is_told, incident_id, sequence)

    async def newest_position(self, incident_id: str) -> Position | None:
        """Give the best that is known of where the caller is."""
        return await self._database.read(best_position, incident_id)
