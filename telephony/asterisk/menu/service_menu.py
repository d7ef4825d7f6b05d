"""The spoken menu of the service number, by which a person tries out her SOS key, in Korean or English.

The only place where we speak to a caller unasked. The service number is printed on a leaflet and dialled in calm, by
hand; a held SOS key never leads here: its contexts in the dialplan are others (``20-sos.conf``), and they are silent.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import structlog

from telephony.asterisk.menu.agi import DIGITS, Request
from telephony.asterisk.menu.agi_server import Agi
from telephony.asterisk.settings import ServiceMenu
from telephony.clock import Clock, utc_now
from telephony.domain.errors import Malformed, Unavailable
from telephony.domain.incident import Receipt
from telephony.domain.trigger import Trigger
from telephony.domain.values import Msisdn

log = structlog.get_logger()

Language = Literal["ko", "en"]
Accept = Callable[[Trigger], Awaitable[Receipt | Unavailable]]
"""Accepts one press: a receipt once it is on disk, `Unavailable` when it is not."""

SOURCE: Final = "call"
KOREAN: Final = "1"
ENGLISH: Final = "2"
"""Digits of the first question."""
TEST: Final = "1"
AGAIN: Final = "2"
OTHER_LANGUAGE: Final = "9"
"""Digits of the menu."""

MOST_PLAYED_IN_VAIN: Final = 3
"""The menu is played once, and repeated twice to a caller who presses no digit of it."""
MOST_TURNS: Final = 20
"""Prompts in one call, whatever the caller presses: each call holds one of few connections."""

BOUND: Final = "TIMEOUT(absolute)"
"""Asterisk's bound on the rest of the call, in seconds from now (func_timeout)."""
OUTCOME: Final = "SERVICE_MENU"
DONE: Final = "done"
"""The variable that ``50-service.conf`` checks: without it the caller is told that the menu has failed."""

_FOLDER: Final = re.compile(r"/[^\x00-\x1f\x7f]{1,1000}")
_TRUNK: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)


class Menu:
    """Serves one call after the other, or many at once: `run` is what `AgiServer` wants.

    ``carriers`` gives the carrier of a trunk. A service number may also come in on a line that is no carrier's:
    then ``default_carrier`` is asked first where the phone is, and the others after it.
    ``language`` is for callers who do not choose.
    """

    def __init__(
        self,
        settings: ServiceMenu,
        accept: Accept,
        *,
        carriers: Mapping[str, str],
        default_carrier: str,
        clock: Clock,
        language: Language = "ko",
        country_code: str = "82",
        trunk_prefix: str = "0",
    ) -> None:
        self._settings = settings
        self._accept = accept
        self._carriers = carriers
        self._default_carrier = default_carrier
        self._clock = clock
        self._language = language
        self._country_code = country_code
        self._trunk_prefix = trunk_prefix

    async def run(self, agi: Agi) -> None:
        """Serve a call to its end. Raises what `Agi` raises."""
        # Before anything else: the dialplan grants two seconds for our first command.
        await self._grant_a_step(agi)
        call = _ServiceCall.of(agi.request)
        voice = _Voice(agi, call.sounds, self._language)
        await self._ask_language(voice)
        await self._serve(voice, call)
        await self._grant_a_step(agi)
        await voice.say("service-goodbye")
        await agi.set_variable(OUTCOME, DONE)

    async def _ask_language(self, voice: _Voice) -> None:
        digit = (
            await voice.say("service-language", "ko")
            or await voice.say("service-language", "en")
            or await voice.agi.wait_for_digit(self._settings.digit_s)
        )
        if digit == KOREAN:
            voice.language = "ko"
        elif digit == ENGLISH:
            voice.language = "en"

    async def _serve(self, voice: _Voice, call: _ServiceCall) -> None:
        in_vain = 0
        for _ in range(MOST_TURNS):
            await self._grant_a_step(voice.agi)
            digit = await voice.say("service-menu") or await voice.agi.wait_for_digit(self._settings.digit_s)
            in_vain = 0 if digit in (TEST, AGAIN, OTHER_LANGUAGE) else in_vain + 1
            if digit == TEST:
                await self._test(voice, call)
            elif digit == OTHER_LANGUAGE:
                voice.language = "en" if voice.language == "ko" else "ko"
            elif in_vain == MOST_PLAYED_IN_VAIN:
                return

    async def _test(self, voice: _Voice, call: _ServiceCall) -> None:
        answer = await self._accept(self._drill(call))
        await self._grant_a_step(voice.agi)
        if isinstance(answer, Receipt):
            log.info("SOS key tested", reference=call.reference, incident_id=answer.incident_id)
            await voice.say("service-recorded")
        else:
            log.warning("SOS key test not recorded", reference=call.reference, reason=str(answer))
            await voice.say("service-not-recorded")

    def _drill(self, call: _ServiceCall) -> Trigger:
        return Trigger(
            SOURCE,
            call.trunk,
            self._carriers.get(call.trunk, self._default_carrier),
            Msisdn.parse(call.caller, country_code=self._country_code, trunk_prefix=self._trunk_prefix),
            call.reference,
            utc_now(self._clock),
            call.dialled,
            test=True,
        )

    async def _grant_a_step(self, agi: Agi) -> None:
        """Let Asterisk end the call, with an apology, if we are not heard of again in time."""
        await agi.set_variable(BOUND, f"{self._settings.idle_s:g}")


@dataclass(frozen=True, slots=True)
class _ServiceCall:
    """A call as the dialplan hands it over: ``AGI(…/menu,<folder of the sounds>,<trunk>)``."""

    reference: str
    caller: str
    dialled: str
    sounds: str
    trunk: str

    @classmethod
    def of(cls, request: Request) -> _ServiceCall:
        """Read a request. Raises `Malformed` for arguments that are others."""
        match request.arguments:
            case (sounds, trunk) if _FOLDER.fullmatch(sounds) and _TRUNK.fullmatch(trunk):
                return cls(request.reference, request.caller, request.dialled, sounds, trunk)
        raise Malformed(
            "the menu needs two arguments of AGI(): the folder of the sounds, and the trunk's name"
        )


class _Voice:
    """Speaks the prompts of one call."""

    def __init__(self, agi: Agi, sounds: str, language: Language) -> None:
        self.agi = agi
        self.language: Language = language
        self._sounds = sounds

    async def say(self, prompt: str, language: Language | None = None) -> str:
        """Play a prompt; give the digit that interrupted it, or none."""
        spoken = language or self.language
        played = await self.agi.stream_file(f"{self._sounds}/{spoken}/{prompt}", DIGITS)
        if not played.was_there:
            log.error("prompt not played", prompt=prompt, language=spoken)
        return played.digit
