"""Observers of the links' events: the interface, and one that keeps alarms beside another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from telephony.alarms import Alarms


class LinkObserver(Protocol):
    """Hears of every change of a link; ``name`` is the configured name of the link or peer.

    Nothing it is told holds a number, a text or a password. It must not raise.
    """

    def link_up(self, name: str, kind: str) -> None:
        """Hear that a link is up; ``kind`` is ``transceiver``, ``receiver`` or ``transmitter`` in SMPP."""
        ...

    def link_down(self, name: str, reason: str) -> None:
        """Hear that a link is no longer up."""
        ...

    def unreachable(self, name: str, reason: str) -> None:
        """Hear that a connection ended or failed before it was up."""
        ...

    def bind_refused(self, name: str, status: int) -> None:
        """Hear that a bind was refused, by the peer or by us."""
        ...

    def alarm(self, name: str, what: str) -> None:
        """Hear of something that an operator has to look at."""
        ...

    def noted(self, name: str, what: str, count: int = 1) -> None:
        """Hear of something unusual and harmless; never once per message."""
        ...


class LinkAlarms:
    """Passes everything on to another observer, and keeps an alarm for as long as a link cannot bring presses.

    ``links`` are the names of the settings. Nothing would ever clear an alarm about anything else.
    """

    def __init__(self, inner: LinkObserver, alarms: Alarms, links: Iterable[str]) -> None:
        self._inner = inner
        self._alarms = alarms
        self._links = set(links)
        self.is_leaving = False
        """Set when we stop: links that we end ourselves are no alarm."""

    def watch(self, name: str) -> None:
        """Keep an alarm about this link too."""
        self._links.add(name)

    def forget(self, name: str) -> None:
        """Keep no alarm about this link any more: it has left the settings."""
        self._links.discard(name)
        self._alarms.clear("link-down", name)

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
