"""A store with the verbs of the trade, one transaction each, on whichever database the test was given."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, delete, select

from telephony.domain.delivery import Delivery, Outcome
from telephony.domain.facts import Fact, FactKind
from telephony.domain.plan import Plan
from telephony.domain.position import Position
from telephony.domain.trigger import Trigger
from telephony.store import schema, sealed_rows
from telephony.store.calls import CallRecord, record_call
from telephony.store.engines import one_transaction
from telephony.store.fact_rows import from_data
from telephony.store.facts import record_facts
from telephony.store.incidents import close_incident
from telephony.store.outbox.claiming import Claim, claim
from telephony.store.outbox.settling import Settlement, settle_all
from telephony.store.positions import Located, record_position
from telephony.store.presses import NewPress, PressRecorder, Recorded, Rules
from tests.doubles import NOON, ONE_CENTRE, age_by, keys, press

NOON_S = NOON.timestamp()
LEASE_S = 35.0


def fix(radius_m: float = 500.0, *, after_s: float = 0.0, age_s: float = 0.0, **changes: Any) -> Position:
    """A fix of the carrier's that came so many seconds after noon."""
    received_at = NOON + timedelta(seconds=after_s)
    facts: dict[str, Any] = {
        "latitude": 37.5665,
        "longitude": 126.978,
        "uncertainty_m": radius_m,
        "confidence": 95.0,
        "method": "cell",
        "source": "lbs:skt",
        "fixed_at": received_at - timedelta(seconds=age_s),
        "received_at": received_at,
    }
    return Position(**(facts | changes))


def call_fact(state: str = "connected", *, after_s: float = 0.0, n: int = 1, **data: str) -> Fact:
    """What became known of the n-th call, so many seconds after noon."""
    return from_data(
        FactKind.CALL, f"voice-1/{n}", NOON + timedelta(seconds=after_s), {"state": state, **data}
    )


def call_record(n: int = 1, **changes: Any) -> CallRecord:
    """The n-th call on the server ``voice-1``."""
    facts: dict[str, Any] = {
        "reference": f"voice-1/{n}",
        "server": "voice-1",
        "channel": f"PJSIP/skt-{n:08x}",
        "trunk": "skt",
        "started_at": NOON + timedelta(seconds=n),
    }
    return CallRecord(**(facts | changes))


def _incident(row: dict[str, Any]) -> dict[str, Any]:
    who = sealed_rows.unseal_incident(keys(), row["key"], row["sealed"])
    return {
        "caller": who.caller,
        "msisdn": who.msisdn.number,
        "is_e164": who.msisdn.is_e164,
        "destination": who.destination,
        "close_reason": sealed_rows.unseal_close_reason(keys(), row["key"], row["close_reason"]),
    }


def _press(row: dict[str, Any]) -> dict[str, Any]:
    came = sealed_rows.unseal_press(keys(), row["incident_key"], row["number"], row["sealed"])
    return {
        "reference": came.reference, "destination": came.destination, "text": came.text, "raw": came.raw
    }  # fmt: skip


def _position(row: dict[str, Any]) -> dict[str, Any]:
    at = sealed_rows.unseal_coordinates(keys(), row["incident_key"], row["number"], row["sealed"])
    return {"latitude": at[0], "longitude": at[1], "altitude_m": at[2]}


def _fact(row: dict[str, Any]) -> dict[str, Any]:
    return {"data": sealed_rows.unseal_fact(keys(), row["incident_key"], row["number"], row["sealed"])}


def _call(row: dict[str, Any]) -> dict[str, Any]:
    return {"channel": sealed_rows.unseal_channel(keys(), row["reference"], row["sealed"])}


def _delivery(row: dict[str, Any]) -> dict[str, Any]:
    at = (row["incident_key"], row["sequence"])
    said = {} if row["sealed"] is None else sealed_rows.unseal_order(keys(), *at, row["sealed"])
    return {"last_error": sealed_rows.unseal_error(keys(), *at, row["last_error"]), "said": said}


OPENED: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "incident": _incident, "press": _press, "position": _position, "fact": _fact, "call": _call,
    "delivery": _delivery,
}  # fmt: skip


class Ledger:
    def __init__(self, writing: Engine, plan: Plan = ONE_CENTRE, owner: str = "me") -> None:
        self.engine = writing
        self.plan = plan
        self.owner = owner
        self._recorder = PressRecorder(Rules(plan, owner, {"skt": 600.0}, node=1))

    def transact(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with self.engine.connect() as connection, one_transaction(connection):
            return function(connection, *arguments)

    def record(self, *triggers: Trigger, leases: dict[str, float] | None = None) -> list[Recorded]:
        items = [NewPress(one, f"sos-{one.msisdn.number}", leases or {}) for one in triggers]
        recorded: list[Recorded] = self.transact(self._recorder, items)
        return recorded

    def again(
        self, number: str, *, after_s: float = 0.0, caller: str = "821012345678", **changes: Any
    ) -> None:
        """Another press of the caller, under a reference of its own."""
        moment = NOON + timedelta(seconds=after_s)
        self.record(press(caller, reference=f"again-{number}", received_at=moment, **changes))

    def claim(
        self, channel: str = "seoul", *, after_s: float = 0.0, limit: int = 10, owner: str | None = None
    ) -> list[Delivery]:
        now = NOON_S + after_s
        wanted = Claim(channel, owner or self.owner, limit, now, now + LEASE_S)
        claimed: list[Delivery] = self.transact(claim, wanted)
        return claimed

    def settle(self, delivery: Delivery, outcome: Outcome, *, after_s: float = 0.0) -> None:
        self.transact(settle_all, [Settlement(delivery, outcome, NOON_S + after_s, NOON_S + after_s)])

    def locate(self, found: Position, caller: str = "821012345678") -> bool:
        """Keep a position; gives whether it became the best."""
        return self.locate_and_tell(found, caller).became_best

    def locate_and_tell(self, found: Position, caller: str = "821012345678") -> Located:
        """Keep a position; gives what became of it."""
        located: Located = self.transact(
            record_position, self.plan, self.key_of(caller), found, age_by(found.received_at)
        )
        return located

    def tell(self, *facts: Fact, incident_id: str = "sos-821012345678") -> bool:
        is_news: bool = self.transact(record_facts, self.plan, incident_id, facts)
        return is_news

    def call(self, record: CallRecord, *facts: Fact, incident_id: str = "sos-821012345678") -> bool:
        is_news: bool = self.transact(record_call, self.plan, incident_id, record, facts)
        return is_news

    def close(self, incident_id: str = "sos-821012345678", *, at: datetime = NOON) -> bool:
        closed: bool = self.transact(close_incident, self.plan, incident_id, "found safe", at)
        return closed

    def key_of(self, caller: str) -> int:
        """The key of the caller's newest incident."""
        keys: list[int] = [row["key"] for row in self.rows("incident") if row["msisdn"] == caller]
        return keys[-1]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of a table as they are read with the keys."""
        opened = OPENED.get(table, dict)
        return [row | opened(row) for row in self.bare_rows(table)]

    def lose(self, *tables: str) -> None:
        """Lose all rows of tables, as a primary may that is gone before its standby had them."""
        for table in tables:
            self.transact(Connection.execute, delete(schema.metadata.tables[table]))

    def bare_rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of a table as they stand."""
        found = schema.metadata.tables[table]
        with self.engine.connect() as connection:
            rows = connection.execute(select(found).order_by(*found.primary_key)).all()
            return [dict(row._mapping) for row in rows]

    def delivery(self, channel: str, sequence: int = 0) -> dict[str, Any]:
        (row,) = [
            row for row in self.rows("delivery") if (row["channel"], row["sequence"]) == (channel, sequence)
        ]
        return row
