"""The daemon with one function changed, so that a test meets the one moment that it is about.

python tests/scenarios/dying_daemon.py before-acknowledging serve --config FILE
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from twisted.internet.defer import Deferred

from telephony.asterisk import desk
from telephony.cli import main
from telephony.psap.client import CapHttpSender
from telephony.services.guardian_record import GuardianRecord
from telephony.smpp.link import Link


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


def die_before_a_text_is_on_record() -> None:
    """SIGKILL itself when a message centre has taken a guardian's text, and nothing of it is written down."""

    async def tell(_record: GuardianRecord, *_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    GuardianRecord.tell = tell  # type: ignore[assignment,method-assign]


MOMENTS: dict[str, Callable[[], None]] = {
    "before-acknowledging": die_before_acknowledging,
    "before-reporting": hold_reports,
    "before-a-text-is-on-record": die_before_a_text_is_on_record,
    "late-after-a-second": be_late_after_a_second,
}

if __name__ == "__main__":
    MOMENTS[sys.argv.pop(1)]()
    main()
