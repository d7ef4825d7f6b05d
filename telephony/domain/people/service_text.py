"""A text sent in calm to a service number: enrolment, keywords, replies. Not a press."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from telephony.domain.trigger import Part
from telephony.domain.values import Msisdn


@dataclass(frozen=True, slots=True)
class ServiceText:
    """One text for us, as a link brought it.

    ``carrier`` is the carrier behind the link, ``reference`` the same again whenever the same message is delivered
    again, and another where the person is known to have sent the same words once more. ``text`` is ``None`` where its octets could not be read. ``received_at`` is aware, UTC. ``part`` tells which
    piece of a long message it is; listeners behind the service desk get long messages whole.
    """

    sender: Msisdn
    carrier: str
    connector: str
    destination: str
    text: str | None = field(repr=False)
    reference: str
    received_at: datetime
    part: Part | None = None
    is_marked: bool = False
    """Whether the carrier marked it as an acknowledgement. It may be a person's all the same, but help never answers it."""


class ServiceListener(Protocol):
    """A part of the service that may take a text."""

    async def take(self, text: ServiceText) -> bool:
        """Take the text; False where it is for somebody else, and nothing has been done.

        Raises `Unavailable` where it is ours and cannot be handled now: the carrier is asked to send it again.
        """
        ...
