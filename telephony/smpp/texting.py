"""Sends our texts over a healthy bind, the recipient's carrier first, once the silence policy allows each.

All parts of a message leave by one bind. When a part is not taken, the whole message goes again by the next bind: a
repeat is better than half a message. Where a link breaks after a part was sent and before it was answered, it is
unknown whether it was taken; the phone may then show the message twice, but never not at all.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import structlog

from telephony.clock import Clock
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.domain.ports import Guard
from telephony.domain.silence import Output
from telephony.domain.text_message import OnState, TextMessage
from telephony.smpp.client import Esme
from telephony.smpp.settings import Dialect, Sms
from telephony.smpp.submitting import SLOW_DOWN, SubmitRefused, SubmitUnavailable
from telephony.smpp.text_tally import PartsTally
from telephony.smpp.text_turns import Turns
from telephony.smpp.wire.constants import ESME_RINVPRTFLG
from telephony.smpp.wire.text_parts import Segments, text_parts
from telephony.smpp.wire.text_request import Numbering, check_message, request_fields

log = structlog.get_logger()

THROTTLED_S: Final = 10.0
"""A part that an SMSC wants later (ESME_RTHROTTLED, ESME_RMSGQFUL) for so long goes by the next bind."""


@dataclass(frozen=True, slots=True)
class TextWay:
    """A carrier, how it writes, and those of its binds that are for sending, whether they are up or not."""

    carrier: str
    dialect: Dialect
    binds: Sequence[Esme]


class _Held(Exception):  # noqa: N818 - no failure: the policy's answer, on its way out of the attempts
    """Nothing may be sent by any bind: silence holds, or it is unknown whether it does."""

    def __init__(self, error: Refused | Unavailable) -> None:
        super().__init__(str(error))
        self.error = error


class BindTexter:
    """Sends texts (`telephony.domain.text_message.Texter`).

    ``ways`` and ``numbering`` are looked at for each message: binds may join them, and the numbers change with a reload. The phone's own carrier is tried first, its binds in turn, then the others in their order.
    """

    def __init__(
        self,
        ways: Sequence[TextWay],
        guard: Guard,
        *,
        sms: Sms,
        numbering: Callable[[], Numbering],
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._ways = ways
        self._guard = guard
        self._sms = sms
        self._numbering = numbering
        self._clock = clock
        self._references = count(rng.randrange(256))
        self._rounds: dict[str, int] = {}
        """Messages offered to each carrier so far: by it the carrier's binds take turns."""
        self._turns: dict[str, Turns] = {}
        """By the name of the bind."""
        self._knows_no_priority: set[str] = set()
        """Carriers that refused a message for its priority_flag."""

    @property
    def is_ready(self) -> bool:
        """Whether there is a bind that takes messages now."""
        return any(bind.may_send for way in self._ways for bind in way.binds)

    async def send(self, message: TextMessage, on_state: OnState | None = None) -> str:
        """Send it: `Texter.send`. Unbounded in time while every bind is busy; cancelled, it sends no further part.

        `Refused` by the binds means that every carrier said so: where one could not be asked, it is `Unavailable`.
        """
        to = message.to.masked
        try:
            check_message(message, self._numbering())
            # Asked again when its turn has come; asking here saves a wait that would be in vain.
            await self._ask(message)
            bind, parts = await self._offer(message, on_state)
        except _Held as held:
            log.warning("text not sent", to=to, reason=str(held))
            raise held.error from None
        except (Malformed, Refused, Unavailable) as error:
            log.warning("text not sent", to=to, reason=str(error))
            raise
        log.info("text sent", to=to, link=bind, parts=parts)
        return bind

    async def _offer(self, message: TextMessage, on_state: OnState | None) -> tuple[str, int]:
        """Offer it to one bind after the other; give the name of the one that took it, and how many parts."""
        reference = next(self._references)
        refused: Refused | None = None
        unavailable: Unavailable | None = None
        for way in self._in_order(message.carrier):
            outcome: Refused | Unavailable | None = Unavailable(f"no bind of {way.carrier} is up")
            for bind in self._round(way):
                written = text_parts(
                    message.text,
                    reference,
                    alphabet=way.dialect.text_alphabet,
                    default_alphabet=way.dialect.default_alphabet,
                )
                outcome = await self._send_by(bind, way.carrier, message, written, on_state)
                if outcome is None:
                    return str(bind.name), len(written.parts)
                log.info("text not taken", to=message.to.masked, link=bind.name, reason=str(outcome))
                if isinstance(outcome, Refused):
                    # The other binds of this carrier lead to the same message centre.
                    break
            if isinstance(outcome, Refused):
                refused = outcome
            else:
                unavailable = outcome
        raise unavailable or refused or Unavailable("no carrier has a bind for texts")

    def _in_order(self, carrier: str) -> list[TextWay]:
        return sorted((way for way in self._ways if way.binds), key=lambda way: way.carrier != carrier)

    def _round(self, way: TextWay) -> Iterable[Esme]:
        healthy = [bind for bind in way.binds if bind.may_send]
        offered = self._rounds.get(way.carrier, 0)
        self._rounds[way.carrier] = offered + 1
        first = offered % len(healthy) if healthy else 0
        return healthy[first:] + healthy[:first]

    async def _send_by(
        self,
        bind: Esme,
        carrier: str,
        message: TextMessage,
        written: Segments,
        on_state: OnState | None,
    ) -> Refused | Unavailable | None:
        """Send every part by one bind; give why it did not take one."""
        tally = PartsTally(len(written.parts), on_state)
        is_taken = False
        try:
            for part in written.parts:
                outcome = await self._send_part(bind, carrier, message, written, part, tally)
                if outcome is not None:
                    return outcome
            is_taken = True
        finally:
            if not is_taken:
                tally.drop()
        return None

    async def _send_part(  # noqa: PLR0917 - one step of `_send_by`, which has all of them
        self,
        bind: Esme,
        carrier: str,
        message: TextMessage,
        written: Segments,
        part: bytes,
        tally: PartsTally,
    ) -> Refused | Unavailable | None:
        give_up_at = self._clock.seconds() + THROTTLED_S
        while True:
            fields = {
                **request_fields(message, self._sms, with_priority=carrier not in self._knows_no_priority),
                "esm_class": written.esm_class,
                "data_coding": written.data_coding,
                "short_message": part,
            }
            try:
                async with self._turns_of(bind).turn(is_urgent=message.is_urgent):
                    await self._submit(bind, message, fields, tally)
            except SubmitUnavailable as error:
                if error.status not in SLOW_DOWN or self._clock.seconds() >= give_up_at:
                    return error
            except SubmitRefused as error:
                if error.status != ESME_RINVPRTFLG or "priority_flag" not in fields:
                    return error
                self._knows_no_priority.add(carrier)
            except (Refused, Unavailable) as error:
                return error
            else:
                return None

    async def _submit(
        self, bind: Esme, message: TextMessage, fields: Mapping[str, Any], tally: PartsTally
    ) -> None:
        """Ask the policy, then send: she may have pressed while the text waited for its turn."""
        await self._ask(message)
        await bind.submit(on_receipt=tally.heard, gives_way=True, **fields)

    async def _ask(self, message: TextMessage) -> None:
        """Return where the policy lets the message through; raises `_Held` otherwise."""
        try:
            refused = await self._guard.may_reach(message.to, Output.MESSAGE, message.text)
        except Unavailable as error:
            raise _Held(error) from error
        if refused is not None:
            raise _Held(Refused(refused.reason))

    def _turns_of(self, bind: Esme) -> Turns:
        name = str(bind.name)
        if name not in self._turns:
            self._turns[name] = Turns(bind, per_s=self._sms.per_s, clock=self._clock)
        return self._turns[name]
