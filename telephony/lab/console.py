"""The lab's console: presses and troubles as words that a person types."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from telephony.lab.house import CITY_HALL, SOS_CODE, SOS_NUMBER, VICTIM, House
from telephony.lab.one_press import text_shown
from telephony.lab.ussd_gateway import KINDS
from telephony.smpp.constants import ESME_RALYBND, STATUS_NAMES
from telephony.store.incidents import close_incident

Say = Callable[[str], None]
Act = Callable[[list[str]], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class Verb:
    """A word of the console: what follows it, what it does, and the doing."""

    arguments: str
    meaning: str
    act: Act


class Console:
    """Obeys one line at a time; says what it did, or what it would understand."""

    def __init__(self, house: House, say: Say, quit_: Callable[[], None]) -> None:
        self._house = house
        self._say = say
        self._quit = quit_
        smsc, mlp, psap = house.smsc, house.mlp, house.psap
        self.verbs: dict[str, Verb] = {
            "press": Verb("[NUMBER] [TEXT]", "hold the key (also: just Enter)", self._press),
            "ussd": Verb("[KIND]", f"dial {SOS_CODE} (KIND of gateway: {', '.join(KINDS)})", self._ussd),
            "close": Verb("ID [REASON]", "close an incident, as the centre would", self._close),
            "psap down": Verb("", "112 refuses connections", lambda _: psap.go_down()),
            "psap hang": Verb("", "112 takes nothing and never answers", lambda _: psap.hang()),
            "psap slow": Verb("[SECONDS]", "112 acknowledges late", lambda a: psap.slow(_seconds(a, 3.0))),
            "psap refuse": Verb(
                "[STATUS]", "112 answers an error", lambda a: psap.refuse(int(_seconds(a, 503)))
            ),
            "psap ok": Verb("", "112 is well again", lambda _: psap.come_back()),
            "lbs late": Verb(
                "[SECONDS]", "the location server answers late", lambda a: mlp.late(_seconds(a, 5.0))
            ),
            "lbs never": Verb("", "the location server never answers", lambda _: mlp.never()),
            "lbs rubbish": Verb("", "the location server answers what is no XML", lambda _: mlp.rubbish()),
            "lbs zero": Verb("", "the location server answers 0,0", lambda _: mlp.zero_zero()),
            "lbs arc": Verb("", "the location server answers with an arc", lambda _: mlp.arc()),
            "lbs unknown": Verb("", "the number is not this carrier's", lambda _: mlp.remove(VICTIM)),
            "lbs ok": Verb("", "the location server is well again", self._lbs_ok),
            "smsc drop": Verb("", "the link breaks", lambda _: smsc.drop_link()),
            "smsc unbind": Verb("", "the SMSC unbinds", lambda _: smsc.unbind()),
            "smsc silent": Verb(
                "", "the SMSC stays connected and answers nothing", lambda _: smsc.stop_answering()
            ),
            "smsc redeliver": Verb("", "the last press comes again", self._redeliver),
            "smsc refuse": Verb(
                "", "binds are refused with ESME_RALYBND", lambda _: smsc.refuse_bind(ESME_RALYBND)
            ),
            "smsc ok": Verb("", "binds are let in again", lambda _: smsc.accept_binds()),
            "help": Verb("", "say this", self._help),
            "quit": Verb("", "end (also: Ctrl-D)", lambda _: self._quit()),
        }

    async def obey(self, line: str) -> None:
        """Do what a line says; an empty one is a press."""
        try:
            words = shlex.split(line) or ["press"]
        except ValueError as error:
            self._say(f"  ? {error}")
            return
        for length in (2, 1):
            verb = self.verbs.get(" ".join(words[:length]))
            if verb is not None and len(words) >= length:
                try:
                    done = verb.act(words[length:])
                    if done is not None:
                        await done
                except ValueError as error:
                    self._say(f"  ? {error}")
                return
        self._say(f"  ? {words[0]!r} is no word of this console; type help")

    def _help(self, _: list[str]) -> None:
        for word, verb in self.verbs.items():
            self._say(f"  {f'{word} {verb.arguments}':<24} {verb.meaning}")

    async def _press(self, arguments: list[str]) -> None:
        number = arguments[0] if arguments else VICTIM
        text = " ".join(arguments[1:]) or "살려주세요"
        if number != VICTIM:
            self._house.mlp.place(number, *CITY_HALL)
        status = await self._house.smsc.send_mo(number, SOS_NUMBER, text=text)
        self._say(f"  SMSC      deliver_sm of {number} answered {STATUS_NAMES.get(status, hex(status))}")

    async def _ussd(self, arguments: list[str]) -> None:
        kind = arguments[0] if arguments else "generic"
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is no kind of gateway: {', '.join(KINDS)}")
        gateway = self._house.smsc.ussd
        before = len(gateway.shown)
        status = await self._house.smsc.send_ussd(VICTIM, SOS_CODE, kind)
        self._say(f"  SMSC      deliver_sm of {VICTIM} answered {STATUS_NAMES.get(status, hex(status))}")
        shown = await text_shown(gateway, self._house.reactor, before)
        self._say("  phone     shows nothing" if shown is None else f"  phone     shows “{shown.text}”")

    async def _close(self, arguments: list[str]) -> None:
        if not arguments:
            raise ValueError("which incident? close ID [REASON]")
        daemon: Any = self._house.daemon
        plan = self._house.settings(30.0).plan
        reason = " ".join(arguments[1:]) or "found safe"
        now = datetime.now(UTC)
        closed = await daemon.database.transact(close_incident, plan, arguments[0], reason, now)
        daemon.relay.wake()
        self._say(f"  {arguments[0]} " + ("closed" if closed else "is not an open incident"))

    async def _redeliver(self, _: list[str]) -> None:
        status = await self._house.smsc.redeliver()
        self._say(f"  SMSC      redelivery answered {STATUS_NAMES.get(status, hex(status))}")

    def _lbs_ok(self, _: list[str]) -> None:
        self._house.mlp.behave()
        self._house.mlp.place(VICTIM, *CITY_HALL)


def _seconds(arguments: list[str], default: float) -> float:
    if not arguments:
        return default
    try:
        return float(arguments[0])
    except ValueError:
        raise ValueError(f"{arguments[0]!r} is not a number") from None
