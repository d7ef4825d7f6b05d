"""A store with incidents of two days, three states and two carriers, for the commands that look for one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import update

from telephony.domain.trigger import Trigger
from telephony.domain.values import Msisdn
from telephony.settings import load
from telephony.store.crypto import KeyFile
from telephony.store.engines import open_engines
from telephony.store.presses import NewPress, PressRecorder, Rules
from telephony.store.schema import delivery, incident
from telephony.store.upgrade import upgrade

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FIRST, SECOND, THIRD = "sos-20260301-7k3qwz2m9t", "sos-20260301-7m4rxa3n0v", "sos-20260302-voice-1-104503-12"
"""By time; the second is KT's, and 112 has acknowledged its report; the third is a drill by call."""


def press(number: str, at: datetime) -> Trigger:
    return Trigger(
        source="sms", connector="skt-1", carrier="skt", msisdn=Msisdn(number), reference=number,
        received_at=at, destination="112", text="help me", encoding="gsm0338",
    )  # fmt: skip


def keep_incidents(config: Path) -> None:
    """Write them into the store of these settings."""
    settings = load(config)
    keys = KeyFile(settings.key_file)
    keys.make()
    writing, reading = open_engines(settings.database_url, keys.ring)
    upgrade(writing)
    record = PressRecorder(Rules(settings.plan, "onetouch", {}))
    second = replace(press("821087654321", START + timedelta(minutes=5)), carrier="kt", connector="kt-1")
    third = replace(press("821055556666", START + timedelta(days=1)), source="call", test=True)
    with writing.begin() as connection:
        record(connection, [NewPress(press("821012345678", START), FIRST)])
        record(connection, [NewPress(second, SECOND)])
        record(connection, [NewPress(third, THIRD)])
        [key] = connection.execute(incident.select().where(incident.c.id == SECOND)).scalars()
        told_at = int((START + timedelta(minutes=5, seconds=90)).timestamp() * 1_000_000)
        connection.execute(
            update(delivery)
            .where(delivery.c.incident_key == key, delivery.c.sequence == 1)
            .values(state="delivered", attempts=1, settled_at=told_at)
        )
    writing.dispose()
    reading.dispose()
