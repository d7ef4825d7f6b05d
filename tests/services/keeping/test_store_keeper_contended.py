"""The keeper of the store: what it does first when the store has been taken up is done again until it is done."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine
from twisted.internet import task

from telephony.alarms import Alarms
from telephony.domain.errors import Unavailable
from telephony.services.keeping.service_key import ServiceKey
from telephony.services.keeping.store_keeper import AGAIN_S, LOOK_S, StoreKeeper
from telephony.services.spine.telling import STORE_ALARM
from telephony.store.contention import Contended
from telephony.store.crypto import KeyFile
from tests.awaiting import result_of
from tests.doubles import Inline, database


class Resume:
    """What is to be done first; it fails so many times."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.is_done = False

    async def __call__(self) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.is_done = True


@pytest.mark.parametrize(
    ("error", "again_s", "alarms"),
    [
        (Contended("store: locked 20 times"), LOOK_S, []),
        (Unavailable("store: the disk is full"), AGAIN_S, [STORE_ALARM]),
    ],
    ids=["other writers", "trouble"],
)
def test_only_trouble_of_the_store_itself_is_an_alarm(
    engines: tuple[Engine, Engine], tmp_path: Path, error: Exception, again_s: float, alarms: list[str]
):
    clock = task.Clock()
    said, resume = Alarms(clock), Resume(error)
    key_file = KeyFile(tmp_path / "data.keys")
    key_file.make()
    store = database(*engines)
    keeper = StoreKeeper(
        store, engines, None, key_file, ServiceKey(tmp_path, key_file.ring),
        budget_s=2.0, runner=Inline(), clock=clock, alarms=said, resume=resume,
    )  # fmt: skip

    keeper.start()

    assert [alarm.name for alarm in said.standing()] == alarms
    clock.advance(again_s - 0.1)
    assert not resume.is_done
    clock.advance(0.2)
    assert resume.is_done
    keeper._rounds.stopService()
    result_of(store.stop())
