"""Matches responses and lists of events to the actions that asked for them, on one AMI connection, by ActionID."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from twisted.internet.defer import Deferred, fail

from telephony.asterisk.ami.packets import Packet, encode_action
from telephony.clock import Call, Clock
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.remembered import Remembered

log = structlog.get_logger()

LONGEST_LIST: Final = 100_000
"""Events of one list: more calls than a server carries."""
LISTS_GIVEN_UP: Final = 1_000
"""Abandoned lists that are remembered, so that their late events are not taken for news."""


@dataclass(slots=True)
class _Waiting:
    """An action that is not answered yet."""

    name: str
    answer: Deferred[Any]
    timer: Call
    heard_at: float
    events: list[Packet] | None
    """The events of a list so far; ``None`` where a single response is expected."""


class Actions:
    """The actions of one connection, and what waits for their answers. ActionIDs are ``prefix`` and a number."""

    def __init__(
        self, *, prefix: str, timeout_s: float, clock: Clock, write: Callable[[bytes], None]
    ) -> None:
        self._prefix = prefix
        self._timeout_s = timeout_s
        self._clock = clock
        self._write = write
        self._sent = 0
        self._waiting: dict[str, _Waiting] = {}
        self._given_up: Remembered[str, None] = Remembered(LISTS_GIVEN_UP)
        """Abandoned lists that Asterisk is still sending."""

    def send(self, name: str, fields: Sequence[tuple[str, str]]) -> Deferred[Packet]:
        """Send an action; fires with its response."""
        return self._send(name, fields, None)

    def send_for_list(self, name: str, fields: Sequence[tuple[str, str]]) -> Deferred[list[Packet]]:
        """Send an action; fires with the events that answer it."""
        return self._send(name, fields, [])

    def send_unawaited(self, name: str) -> None:
        """Send an action without waiting for its response."""
        self._write(encode_action(name, self._next_id()))

    def take(self, packet: Packet) -> bool:
        """Whether the packet belongs to an action, a late response included; it is then consumed."""
        if not packet.is_response:
            return bool(packet.event and (self._waiting or self._given_up)) and self._take_event(packet)
        waiting = self._waiting.get(packet.action_id)
        if waiting is not None:
            self._take_response(packet, waiting)
        return True

    def abandon(self, reason: str) -> None:
        """Fail every action that still waits."""
        while self._waiting:
            self._finish(next(iter(self._waiting)), Unavailable(reason))

    def _send(
        self, name: str, fields: Sequence[tuple[str, str]], events: list[Packet] | None
    ) -> Deferred[Any]:
        action_id = self._next_id()
        try:
            octets = encode_action(name, action_id, fields)
        except Malformed as error:
            return fail(error)
        answer: Deferred[Any] = Deferred(lambda _: self._forget(action_id))
        timer = self._clock.callLater(self._timeout_s, self._timed_out, action_id)
        self._waiting[action_id] = _Waiting(name, answer, timer, self._clock.seconds(), events)
        self._write(octets)
        return answer

    def _next_id(self) -> str:
        self._sent += 1
        return f"{self._prefix}-{self._sent}"

    def _take_response(self, packet: Packet, waiting: _Waiting) -> None:
        action_id = packet.action_id
        if packet.get("Response").lower() == "error":
            self._finish(action_id, Refused(packet.get("Message") or "Asterisk gives no reason"))
        elif waiting.events is None:
            self._finish(action_id, packet)
        elif not packet.get("EventList"):
            # "There are no voicemail users": a success without a list is an empty one.
            self._finish(action_id, [])
        else:
            waiting.heard_at = self._clock.seconds()

    def _take_event(self, packet: Packet) -> bool:
        action_id = packet.action_id
        is_last = packet.get("EventList").lower() in {"complete", "cancelled"}
        if action_id in self._given_up:
            if is_last:
                del self._given_up[action_id]
            return True
        waiting = self._waiting.get(action_id)
        if waiting is None or waiting.events is None:
            return False
        waiting.heard_at = self._clock.seconds()
        if not is_last:
            waiting.events.append(packet)
            if len(waiting.events) > LONGEST_LIST:
                self._finish(action_id, Unavailable(f"{waiting.name} lists more than {LONGEST_LIST}"))
        elif packet.get("EventList").lower() == "complete":
            self._finish(action_id, waiting.events)
        else:
            self._finish(action_id, Unavailable(f"Asterisk broke {waiting.name} off"))
            self._given_up.pop(action_id, None)
        return True

    def _timed_out(self, action_id: str) -> None:
        waiting = self._waiting[action_id]
        silent_s = self._clock.seconds() - waiting.heard_at
        if silent_s < self._timeout_s:
            waiting.timer = self._clock.callLater(self._timeout_s - silent_s, self._timed_out, action_id)
            return
        self._finish(action_id, Unavailable(f"no answer to {waiting.name} in {self._timeout_s:g} s"))

    def _finish(self, action_id: str, outcome: Packet | list[Packet] | Exception) -> None:
        waiting = self._waiting[action_id]
        self._forget(action_id, is_complete=not isinstance(outcome, Unavailable))
        if isinstance(outcome, Exception):
            waiting.answer.errback(outcome)
        else:
            waiting.answer.callback(outcome)

    def _forget(self, action_id: str, *, is_complete: bool = False) -> None:
        waiting = self._waiting.pop(action_id)
        if waiting.timer.active():
            waiting.timer.cancel()
        if waiting.events is not None and not is_complete:
            self._given_up[action_id] = None
