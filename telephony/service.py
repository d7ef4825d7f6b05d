"""Twisted's services with types: parts that are started, and are stopped once the work that they have begun has ended."""

# ruff: noqa: N802 - Twisted's names
from __future__ import annotations

from typing import Any

from twisted.application import service
from twisted.internet.defer import Deferred


class Service(service.Service):
    """A part with a life of its own; ``running`` says whether it has begun and was not stopped."""

    def setServiceParent(self, parent: service.MultiService) -> None:
        """Have it started and stopped with its parent."""
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Begin."""
        super().startService()  # type: ignore[no-untyped-call]

    def stopService(self) -> Deferred[Any] | None:
        """End; a Deferred fires when nothing of it is under way any more."""
        super().stopService()  # type: ignore[no-untyped-call]
        return None


class MultiService(service.MultiService):
    """Parts that are started and stopped together."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def setServiceParent(self, parent: service.MultiService) -> None:
        """Have them started and stopped with the parent."""
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]

    def privilegedStartService(self) -> None:
        """Begin what needs the rights of root."""
        super().privilegedStartService()  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Begin all, in the order in which they were added."""
        super().startService()  # type: ignore[no-untyped-call]

    def stopService(self) -> Deferred[Any]:
        """End all, the last one first; fires when the last has ended."""
        ended: Deferred[Any] = super().stopService()  # type: ignore[no-untyped-call]
        return ended
