"""What becomes of the carriers' links, as alarms beside the log lines."""

from __future__ import annotations

from collections.abc import Container
from typing import Protocol

from telephony.services.alarms import Alarms


class LinkObserver(Protocol):
    """Hears of every change of a link, by its configured name."""

    def link_up(self, name: str, kind: str) -> None: ...  # noqa: D102 - see telephony.smpp.observer
    def link_down(self, name: str, reason: str) -> None: ...  # noqa: D102
    def unreachable(self, name: str, reason: str) -> None: ...  # noqa: D102
    def bind_refused(self, name: str, status: int) -> None: ...  # noqa: D102
    def alarm(self, name: str, what: str) -> None: ...  # noqa: D102
    def noted(self, name: str, what: str, count: int = 1) -> None: ...  # noqa: D102


class LinkAlarms:
    """Passes everything on to another observer, and keeps an alarm for as long as a link cannot bring presses.

    ``links`` are the names of the settings. Nothing would ever clear an alarm about anything else.
    """

    def __init__(self, inner: LinkObserver, alarms: Alarms, links: Container[str]) -> None:
        self._inner = inner
        self._alarms = alarms
        self._links = links
        self.is_leaving = False
        """Set when we stop: links that we end ourselves are no alarm."""

    def link_up(self, name: str, kind: str) -> None:
        """Clear the link's alarm."""
        self._inner.link_up(name, kind)
        self._alarms.clear("link-down", name)

    def link_down(self, name: str, reason: str) -> None:
        """Raise the link's alarm."""
        self._inner.link_down(name, reason)
        self._raise(name, reason)

    def unreachable(self, name: str, reason: str) -> None:
        """Raise the link's alarm."""
        self._inner.unreachable(name, reason)
        self._raise(name, reason)

    def bind_refused(self, name: str, status: int) -> None:
        """Raise the link's alarm."""
        self._inner.bind_refused(name, status)
        self._raise(name, f"bind refused with 0x{status:08x}")

    def alarm(self, name: str, what: str) -> None:
        """Pass on."""
        self._inner.alarm(name, what)

    def noted(self, name: str, what: str, count: int = 1) -> None:
        """Pass on."""
        self._inner.noted(name, what, count)

    def _raise(self, name: str, reason: str) -> None:
        if name in self._links and not self.is_leaving:
            self._alarms.raise_("link-down", name, reason=reason)
