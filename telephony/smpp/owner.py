"""Who stands around a link: the desk that takes its messages, and the owner that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from telephony.smpp.pdus import Pdu

if TYPE_CHECKING:
    from telephony.smpp.link import Link


class Desk(Protocol):
    """Where the peer's messages go."""

    def take(self, link: Link, requests: list[Pdu]) -> None:
        """Take what one read brought, and answer all of it through `Link.answer`, now or later."""
        ...


class Owner(Protocol):
    """Whoever made the link, and wants to know how it fares."""

    def link_up(self, link: Link) -> None:
        """Learn that it is bound."""
        ...

    def link_down(self, link: Link, reason: str) -> None:
        """Learn that it is no longer bound; the connection may last a little longer."""
        ...

    def link_refused(self, link: Link, status: int) -> None:
        """Learn that the bind was refused."""
        ...

    def link_gone(self, link: Link, reason: str) -> None:
        """Learn that the connection has ended. Nothing follows."""
        ...

    def link_noted(self, link: Link, what: str) -> None:
        """Learn of something unusual that the peer sent."""
        ...
