"""Notes how each carrier's location service stands."""

from __future__ import annotations

from telephony.domain.ports import Locator, NoFix
from telephony.domain.position import Position
from telephony.domain.values import Msisdn
from telephony.net.standing import Asked


class NotedLocator:
    """A locator whose answers are noted; several of one carrier share what they note. It never changes one."""

    def __init__(self, locator: Locator, asked: Asked) -> None:
        self._locator = locator
        self._asked = asked

    async def locate(self, msisdn: Msisdn, quality: str) -> Position | NoFix:
        """Ask once."""
        answer = await self._locator.locate(msisdn, quality)
        if not msisdn.is_e164:
            return answer  # no server knows such a number: none was asked
        if isinstance(answer, Position) or answer.is_unknown_subscriber or answer.not_reached is not None:
            # A service that does not know the number, or does not reach the phone, is well itself.
            self._asked.answered()
        else:
            self._asked.failed(answer.reason)
        return answer
