"""People as tests enrol them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from telephony.domain.people.person import Device, Draft, GuardianEntry
from telephony.domain.people.problems import Fault
from telephony.domain.values import Msisdn
from telephony.store.crypto import KeyFile
from telephony.store.engines import one_transaction
from telephony.store.people import Outcome, Registry

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


def pupil(index: int = 0, **changes: Any) -> Draft:
    """A minor with a guardian."""
    said: dict[str, Any] = {
        "name": f"김하늘{index}",
        "birth_date": date(2015, 3, 2),
        "devices": (Device(Msisdn(f"8210{12340000 + index}"), "skt", "phone"),),
        "guardians": (GuardianEntry(Msisdn(f"8210{98760000 + index}"), "어머니"),),
        "texts": {"address": f"서울 종로구 사직로 {index}", "medical": "천식"},
        "consent_by": "박보호",
        "consent_means": "서면",
    }
    return Draft(**{**said, **changes})


def number(index: int = 0) -> Msisdn:
    return pupil(index).devices[0].number


class Office:
    """Enrols and deletes in transactions of its own."""

    def __init__(self, writing: Engine, folder: Path) -> None:
        self.writing = writing
        self.key_file = KeyFile(folder / "data.keys")
        self.key_file.make()
        self.registry = Registry(self.key_file.ring)

    def enrol(self, drafts: Sequence[Draft], now: datetime = NOW) -> list[Outcome | Fault]:
        return self.run(self.registry.enrol, drafts, now)

    def find(self, wanted: Msisdn) -> Any:
        return self.run(self.registry.find, wanted)

    def run(self, work: Any, *arguments: Any) -> Any:
        with self.writing.connect() as connection, one_transaction(connection):
            return work(connection, *arguments)
