"""Turns a flood of the same warning into a few lines and a count, so that the log tells of a disaster and does not become one.

What is news of an incident is told whatever the flood: the first line of each kind about each report of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import structlog

from telephony.remembered import Remembered

WINDOW_S = 10.0
MOST_A_WINDOW = 20
"""Lines of one cause that are told whole in a window; further ones are counted."""
MOST_STORIES = 20_000
"""Kinds of line about reports that are remembered as told."""
MOST_CAUSES = 1_000
"""Causes that are counted apart; beyond, they are counted as one, by their event."""

MORE = "more_count"
"""Marks the line that stands for others, and says for how many."""
LIMITED = frozenset({"warning", "error", "critical"})
ALWAYS_TOLD = frozenset({"alarm", "alarm over", "alarm stands"})
_ABOUT = ("channel", "connector", "link", "about", "carrier", "server")
"""Keys that say what a line is about, where it is not about an incident."""

Cause = tuple[str, str, Any]
"""Level, event, what it is about."""


@dataclass(slots=True)
class _Window:
    ends_at: float
    told: int = 0
    more: int = 0


class Floods:
    """A structlog processor, before the masking; `sum_up` is to be called now and then from any thread."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._windows: dict[Cause, _Window] = {}
        self._stories: Remembered[tuple[Any, ...], None] = Remembered(MOST_STORIES)

    def __call__(
        self, _: object, method_name: str, event_dict: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Let a line pass, or count it and raise `structlog.DropEvent`."""
        if method_name not in LIMITED or MORE in event_dict or event_dict.get("event") in ALWAYS_TOLD:
            return event_dict
        with self._lock:
            if self._note_news(event_dict) or self._let_pass(method_name, event_dict):
                return event_dict
        raise structlog.DropEvent

    def sum_up(self) -> None:
        """Say of each flood whose window is over how many lines were left out, as a line of its event."""
        now = self._now()
        with self._lock:
            over = [(cause, window) for cause, window in self._windows.items() if window.ends_at <= now]
            for cause, _ in over:
                del self._windows[cause]
        for (level, event, about), window in over:
            if window.more:
                facts = {MORE: window.more, "in_s": WINDOW_S}
                if about is not None:
                    facts["about"] = about
                getattr(structlog.get_logger(), level)(event, **facts)

    def _note_news(self, line: MutableMapping[str, Any]) -> bool:
        incident = line.get("incident")
        if incident is None:
            return False
        story = (line.get("event"), incident, line.get("sequence"), line.get("channel"))
        try:
            is_news = story not in self._stories
            self._stories[story] = None
        except TypeError:  # a fact that is no plain value
            return False
        return is_news

    def _let_pass(self, level: str, line: MutableMapping[str, Any]) -> bool:
        about = next((line[key] for key in _ABOUT if isinstance(line.get(key), str)), None)
        cause: Cause = (level, str(line.get("event")), about)
        if cause not in self._windows and len(self._windows) >= MOST_CAUSES:
            cause = (level, str(line.get("event")), None)
        now = self._now()
        window = self._windows.get(cause)
        if window is None or (window.ends_at <= now and not window.more):
            window = self._windows[cause] = _Window(now + WINDOW_S)
        if window.told < MOST_A_WINDOW:
            window.told += 1
            return True
        window.more += 1
        return False
