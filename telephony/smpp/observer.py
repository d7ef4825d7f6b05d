"""Logs the events of the SMPP links (`telephony.net.links.LinkObserver`)."""

from __future__ import annotations

import structlog

from telephony.smpp.wire.constants import STATUS_NAMES

log = structlog.get_logger()


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
        """Log a connection that ended without a bind."""
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
