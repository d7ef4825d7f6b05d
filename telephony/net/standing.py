"""The state of a far end, as a person on duty asks for it: what it is, since when, when it was last heard, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LONGEST_REASON: Final = 200
"""Characters of a reason that are kept: some are in a far end's own words."""


class FarEndState(StrEnum):
    """Where a far end stands."""

    UP = "up"
    """A link is up; what is only asked on occasion answered the last time."""
    CONNECTING = "connecting"
    """It has not been tried to the end since the start."""
    DOWN = "down"
    """It cannot be reached, or its link has ended; it is tried again."""
    REFUSED = "refused"
    """It was reached and does not want us: a person has to correct a password, a name or an address."""
    FAILING = "failing"
    """The last time that it was asked, it did not take the question."""
    NOT_ASKED = "not-asked"
    """It is asked only on occasion, and there was none since the start."""
    STOPPED = "stopped"
    """We want it no more."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a far end, in seconds of a clock that never steps."""

    state: FarEndState
    since_s: float
    """Since when it is up, or since when it is not."""
    heard_s: float | None = None
    """When its last PDU, packet or answer came."""
    reason: str = ""
    """Why it is not up."""
    retry_s: float | None = None
    """When it is tried again, where a pause runs."""


class Retried(StrEnum):
    """What became of the wish to try a far end at once."""

    DIALLED = "dialled"
    """The pause was dropped, and it is being dialled."""
    UNDER_WAY = "under-way"
    """An attempt is under way already; the next one uses what was read again."""
    IS_UP = "is-up"
    """The link is up and was left alone."""
    WITH_THE_NEXT = "with-the-next"
    """It is asked only on occasion: the next question uses what was read again."""


class Asked:
    """The memory about a far end that is asked on occasion: a location service, a channel to 112."""

    def __init__(self, now: Callable[[], float]) -> None:
        """``now`` gives seconds that never step."""
        self._now = now
        self._standing = Standing(FarEndState.NOT_ASKED, now())

    @property
    def standing(self) -> Standing:
        """Where it stands."""
        return self._standing

    def answered(self) -> None:
        """Learn that it answered as it should."""
        self._be(FarEndState.UP, "", self._now())

    def failed(self, reason: str, *, is_heard: bool = False) -> None:
        """Learn that it did not, and why; ``is_heard`` where it did say something."""
        self._be(FarEndState.FAILING, reason, self._now() if is_heard else self._standing.heard_s)

    def _be(self, state: FarEndState, reason: str, heard_s: float | None) -> None:
        before = self._standing
        since_s = before.since_s if before.state is state else self._now()
        self._standing = Standing(state, since_s, heard_s, reason[:LONGEST_REASON])
