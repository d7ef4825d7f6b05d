"""Who is told what happens to the links: the log, and whoever else measures them."""

from __future__ import annotations

from typing import Protocol

import structlog

from telephony.smpp.constants import STATUS_NAMES

log = structlog.get_logger()


class Observer(Protocol):
    """Hears of every change of a link; ``name`` is the configured name of the link or peer.

    Nothing it is told holds a number, a text or a password. It must not raise.
    """

    def link_up(self, name: str, kind: str) -> None:
        """Hear that a link is bound; ``kind`` is ``transceiver``, ``receiver`` or ``transmitter``."""
        ...

    def link_down(self, name: str, reason: str) -> None:
        """Hear that a bound link is no longer bound."""
        ...

    def unreachable(self, name: str, reason: str) -> None:
        """Hear that a connection ended or failed before it was bound."""
        ...

    def bind_refused(self, name: str, status: int) -> None:
        """Hear that a bind was refused, by the peer or by us."""
        ...

    def alarm(self, name: str, what: str) -> None:
        """Hear of something that a person has to look at."""
        ...

    def noted(self, name: str, what: str, count: int = 1) -> None:
        """Hear of something unusual that harms nobody; never once per message."""
        ...


def status_name(status: int) -> str:
    """Name a command_status, or give the number of one that only this carrier knows."""
    return STATUS_NAMES.get(status, f"0x{status:08x}")


class LogObserver:
    """Writes what happens to the links as structured log lines."""

    def link_up(self, name: str, kind: str) -> None:
        """Log a bind."""
        log.info("link up", link=name, kind=kind)

    def link_down(self, name: str, reason: str) -> None:
        """Log the end of a bind."""
        log.warning("link down", link=name, reason=reason)

    def unreachable(self, name: str, reason: str) -> None:
        """Log a connection that came to nothing."""
        log.warning("link unreachable", link=name, reason=reason)

    def bind_refused(self, name: str, status: int) -> None:
        """Log a refused bind."""
        log.warning("bind refused", link=name, status=status_name(status))

    def alarm(self, name: str, what: str) -> None:
        """Log an alarm."""
        log.error("link alarm", link=name, what=what)

    def noted(self, name: str, what: str, count: int = 1) -> None:
        """Log a remark."""
        log.info("link remark", link=name, what=what, count=count)
