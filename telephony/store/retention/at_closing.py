"""Deletes positions as soon as 112 has acknowledged that their incident is closed: with the rescue their purpose is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import Connection, select

from telephony.domain.incident import CLOSED
from telephony.store.history import forget_places
from telephony.store.retention.incidents import Positions
from telephony.store.retention.runs import Found, Survey, announced
from telephony.store.schema import incident, position
from telephony.store.withdrawn import OWED

PAGE = 500


@dataclass(frozen=True, slots=True)
class PositionsAtClosing:
    """The positions of closed incidents, also those that the score remembers for the next press.

    Found by way of the positions, of which there are few: those of open incidents. One that is kept after the closing, of a
    request that was under way, is found by the next run.
    """

    period: timedelta = timedelta(0)
    name: ClassVar[str] = Positions.name
    at_once: ClassVar[int] = Positions.at_once

    def find(self, connection: Connection, now: datetime, after: int) -> Found:
        """Return keys of closed incidents that owe 112 nothing and have a position."""
        del now
        wanted = (
            select(position.c.incident_key)
            .distinct()
            .join(incident, incident.c.key == position.c.incident_key)
            .where(position.c.incident_key > after, incident.c.state == CLOSED, ~OWED)
            .order_by(position.c.incident_key)
            .limit(PAGE)
        )
        keys = [int(key) for key in connection.execute(wanted).scalars()]
        return Found(keys, keys[-1] if len(keys) == PAGE else None, 1)

    def announce(self, connection: Connection, items: Sequence[Any], now: datetime) -> str:
        """Say of how many incidents."""
        del connection
        return f"{announced(len(items), now)}: positions of so many closed incidents"

    def delete(self, connection: Connection, items: Sequence[Any], now: datetime) -> int:
        """Delete the positions of these incidents, and where the history has them."""
        # Closed just now, by a clock that stood a little behind: closed all the same.
        deleted = Positions(timedelta(days=-1)).delete(connection, items, now)
        opened = select(incident.c.opened_at).where(
            incident.c.key.in_(items), incident.c.best_position.is_(None)
        )
        forget_places(connection, connection.execute(opened).scalars())
        return deleted

    def survey(self, connection: Connection, now: datetime, grace: timedelta) -> Survey:
        """Count positions of closed incidents."""
        return Positions(self.period).survey(connection, now, grace)
