"""Takes the replies of guardians to the service number while the incident that they were told of is open."""

from __future__ import annotations

import structlog

from telephony.domain.guardians.words import read_reply
from telephony.domain.people.service_text import ServiceText
from telephony.services.guardians.record import GuardianRecord

log = structlog.get_logger()

_CONFIRMED, _MISTAKE, _WORDS = "confirmed", "says it was a mistake", "words for 112"


class GuardianReplies:
    """Takes texts before enrolment does (`telephony.domain.people.service_text.ServiceListener`).

    A confirmation ends the rounds. That it was a mistake is a label for 112 and closes nothing: he who says so may be
    the one she fears. Anything else a guardian writes goes to 112, since a mother may know where her child is.
    """

    def __init__(self, record: GuardianRecord) -> None:
        self._record = record

    async def take(self, text: ServiceText) -> bool:
        """Take the text of a phone that was told of an open incident; False for any other.

        Raises `Unavailable` where it cannot be kept now: the carrier delivers it again, and nothing is told twice.
        """
        if text.sender.is_withheld or not text.text:
            return False
        reply = read_reply(text.text)
        if not (reply.confirms or reply.words):
            return False
        taken = await self._record.reply(text.sender, reply)
        said = _MISTAKE if reply.is_mistake else _CONFIRMED if reply.confirms else _WORDS
        for each in taken:
            log.info("guardian replied", incident=each.incident_id, guardian=each.place, said=said)
        return bool(taken)
