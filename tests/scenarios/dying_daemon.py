"""The daemon with one function changed, so that a test meets the one moment that it is about.

python tests/scenarios/dying_daemon.py before-acknowledging serve --config FILE
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from telephony.asterisk.sos import followed_server
from telephony.asterisk.sos import follower as desk
from telephony.cli import main
from telephony.psap.client import CapHttpSender
from telephony.services.guardians.record import GuardianRecord
from telephony.services.keeping import store_look
from telephony.smpp.link import Link
from telephony.store.database import Database


def die_before_acknowledging() -> None:
    """SIGKILL itself with the answers in its hand: the presses are committed, and the SMSC does not know."""

    def answer(_link: Link, _responses: bytes, _count: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    Link.answer = answer  # type: ignore[method-assign]


def hold_reports() -> None:
    """Begin no report: the presses are committed and acknowledged, and 112 does not know."""

    async def send(_sender: CapHttpSender, _report: object) -> object:
        return await Deferred()

    CapHttpSender.send = send  # type: ignore[assignment,method-assign]


def be_late_after_a_second() -> None:
    """Take a call that came a second ago for one that is told late."""
    desk.LATE_S = 1.0


def compare_every_two_seconds() -> None:
    """Compare the calls with Asterisk's channel list and journal so often, instead of every minute."""
    followed_server.COMPARE_S = 2.0


def die_before_a_text_is_on_record() -> None:
    """SIGKILL itself when a message centre has taken a guardian's text, and nothing of it is written down."""

    async def tell(_record: GuardianRecord, *_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    GuardianRecord.tell = tell  # type: ignore[assignment,method-assign]


def hang_readers() -> None:
    """Let every look on the store's reader threads take for ever while the file ``readers-hang`` stands beside the settings."""
    read = Database.read
    flag = Path(sys.argv[sys.argv.index("--config") + 1]).with_name("readers-hang")

    def hanging(database: Database, *what: Any) -> Deferred[Any]:
        return Deferred() if flag.exists() else read(database, *what)

    Database.read = hanging  # type: ignore[method-assign]


def hang_the_look_at_the_store() -> None:
    """Keep the thread that counts for `onetouch status` while the file ``store-hangs`` stands beside the settings."""
    count = store_look.owed
    flag = Path(sys.argv[sys.argv.index("--config") + 1]).with_name("store-hangs")

    def hanging(connection: Any) -> Any:
        while flag.exists():
            time.sleep(0.01)
        return count(connection)

    store_look.owed = hanging


MOMENTS: dict[str, Callable[[], None]] = {
    "before-acknowledging": die_before_acknowledging,
    "before-reporting": hold_reports,
    "before-a-text-is-on-record": die_before_a_text_is_on_record,
    "late-after-a-second": be_late_after_a_second,
    "compare-every-two-seconds": compare_every_two_seconds,
    "readers-hang": hang_readers,
    "store-hangs": hang_the_look_at_the_store,
}

if __name__ == "__main__":
    MOMENTS[sys.argv.pop(1)]()
    main()
