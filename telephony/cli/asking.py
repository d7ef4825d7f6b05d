"""Asks the running daemon for a command, and says why it could not be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from telephony.control.client import Forbidden, NotAsked, NotRunning, Silent, Unreadable, ask
from telephony.control.messages import Answer, AskRetry, AskStatus, Refusal

if TYPE_CHECKING:
    from telephony.settings import Settings

T = TypeVar("T", bound=Answer)

CAUSES: Final = {
    NotRunning: "not-running",
    Silent: "no-answer",
    Forbidden: "forbidden",
    Unreadable: "other-release",
}


class Declined(NotAsked):
    """The daemon answers that it will not, and why."""


def ask_daemon(settings: Settings, request: AskStatus | AskRetry, wanted: type[T]) -> T:
    """Return the daemon's answer of the kind that the request has. Raises `NotAsked`, with `Declined` for a refusal."""
    answer = ask(settings.service.state_dir, request)
    if isinstance(answer, Refusal):
        raise Declined(answer.refused)
    if not isinstance(answer, wanted):
        raise Unreadable("the daemon answers something else than it was asked: is it another release?")
    return answer


def told_unknown(error: NotAsked) -> dict[str, str]:
    """Return for programs that nothing is known, and why."""
    return {"level": "unknown", "cause": CAUSES.get(type(error), "refused"), "reason": str(error)}
