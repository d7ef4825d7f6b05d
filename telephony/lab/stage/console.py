"""The commands of the lab's prompt: presses, texts, calls, and troubles that hold for every phone."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred

from telephony.background import run_in_background
from telephony.clock import pause
from telephony.domain.errors import OnetouchError, Unavailable
from telephony.lab.carrier.mlp import UNKNOWN_SUBSCRIBER
from telephony.lab.carrier.ussd_gateway import KINDS, UssdPhone
from telephony.lab.phones.handset import PhoneCall
from telephony.lab.stage.console_words import WORDS, help_lines
from telephony.lab.stage.echo import Echo
from telephony.lab.stage.house import (
    CITY_HALL,
    MENU_CODE,
    MOTHER,
    SERVICE_NUMBER,
    SOS_CODE,
    SOS_NUMBER,
    VICTIM,
    House,
)
from telephony.lab.stage.lines import Who
from telephony.lab.stage.one_press import TEXT, text_shown
from telephony.lab.stage.voice_house import VoiceHouse
from telephony.smpp.wire.constants import ESME_RALYBND, STATUS_NAMES
from telephony.store.incidents import IncidentRow

Say = Callable[[str], None]
Act = Callable[[list[str]], Awaitable[None] | None]

REASON = "found safe"
SHORTEST_NUMBER = 8
LONGEST_WAIT_S = 3600.0
TEST_WORD = {"en": "TEST", "ko": "시험"}


class Console:
    """Obeys one line at a time: a word or two, then what the word needs. What follows is told by the echo."""

    def __init__(self, house: House, echo: Echo, say: Say, quit_: Callable[[], None]) -> None:
        self._house, self._echo = house, echo
        self._say, self._quit = say, quit_
        self._words = WORDS[house.language]
        self._ussd_phone: UssdPhone | None = None
        smsc, mlp, psap = house.smsc, house.mlp, house.psap
        self.verbs: dict[str, Act] = {
            "press": self._press,
            "call": self._call,
            "tap": self._tap,
            "hang": self._hang,
            "ussd": self._ussd,
            "sms": self._sms,
            "test": self._test,
            "guardian": self._guardian,
            "list": self._list,
            "close": self._close,
            "psap down": self._trouble("psap down", psap.go_down),
            "psap hang": self._trouble("psap hang", psap.hang),
            "psap slow": self._valued("psap slow", psap.slow, 3.0),
            "psap refuse": self._valued("psap refuse", lambda status: psap.refuse(int(status)), 503),
            "psap ok": self._trouble("psap ok", psap.come_back),
            "lbs late": self._valued("lbs late", mlp.late, 5.0),
            "lbs never": self._trouble("lbs never", mlp.never),
            "lbs rubbish": self._trouble("lbs rubbish", mlp.rubbish),
            "lbs zero": self._trouble("lbs zero", mlp.zero_zero),
            "lbs arc": self._trouble("lbs arc", mlp.arc),
            "lbs unknown": self._trouble("lbs unknown", lambda: mlp.result(UNKNOWN_SUBSCRIBER, "position")),
            "lbs ok": self._trouble("lbs ok", mlp.behave),
            "smsc drop": self._trouble("smsc drop", smsc.drop_link),
            "smsc unbind": self._trouble("smsc unbind", smsc.unbind),
            "smsc silent": self._trouble("smsc silent", smsc.stop_answering),
            "smsc redeliver": self._trouble("smsc redeliver", self._redeliver),
            "smsc refuse": self._trouble("smsc refuse", lambda: smsc.refuse_bind(ESME_RALYBND)),
            "smsc ok": self._trouble("smsc ok", smsc.accept_binds),
            "disk full": self._trouble("disk full", lambda: self._fill_disk(True)),
            "disk ok": self._trouble("disk ok", lambda: self._fill_disk(False)),
            "kill": self._kill,
            "wait": self._wait,
            "help": self._help,
            "quit": lambda _: self._quit(),
        }

    async def obey(self, line: str) -> None:
        """Do what a line says; an empty one is a press. What cannot be done is said in one line."""
        try:
            done = self._act(shlex.split(line) or ["press"])
            if done is not None:
                await done
        except (ValueError, OnetouchError) as error:
            self._echo.tell_in_full(Who.LAB, f"? {error}")

    def _act(self, words: list[str]) -> Awaitable[None] | None:
        for length in (2, 1):
            act = self.verbs.get(" ".join(words[:length]).lower())
            if act is not None and len(words) >= length:
                return act(words[length:])
        raise ValueError(self._words.unknown.format(word=words[0]))

    def _help(self, _: list[str]) -> None:
        for line in help_lines(self._words):
            self._say(line)

    # Troubles.

    def _trouble(self, name: str, make: Callable[[], Any]) -> Act:
        async def act(_: list[str]) -> None:
            self._echo.tell(Who.LAB, self._words.troubles[name])
            made = make()
            if made is not None:
                await made

        return act

    def _valued(self, name: str, make: Callable[[float], None], default: float) -> Act:
        def act(arguments: list[str]) -> None:
            value = self._number(arguments, default)
            make(value)
            said = self._words.troubles[name].format(value=int(value) if value == int(value) else value)
            self._echo.tell(Who.LAB, said)

        return act

    def _number(self, arguments: list[str], default: float) -> float:
        if not arguments:
            return default
        try:
            number = float(arguments[0])
        except ValueError:
            number = -1.0
        if not 0 <= number <= LONGEST_WAIT_S:
            raise ValueError(self._words.not_a_number.format(word=arguments[0]))
        return number

    def _redeliver(self) -> None:
        self._tell_answer(VICTIM, self._house.smsc.redeliver())

    def _fill_disk(self, is_full: bool) -> None:  # noqa: FBT001 - the two commands differ in nothing else
        self._house.daemon.is_disk_full = is_full

    async def _kill(self, _: list[str]) -> None:
        daemon, reactor = self._house.daemon, self._house.reactor
        pid, killed_at = daemon.pid, reactor.seconds()
        if pid is not None:
            await daemon.kill()
            self._echo.tell(Who.LAB, self._words.killed.format(pid=pid))
        try:
            await self._house.start()
        except Unavailable as error:
            raise Unavailable(self._words.not_started.format(error=error)) from error
        took_s = reactor.seconds() - killed_at
        self._echo.tell(Who.LAB, self._words.started.format(pid=daemon.pid, seconds=took_s))

    async def _wait(self, arguments: list[str]) -> None:
        await pause(self._house.reactor, self._number(arguments, 1.0))

    # Her phone.

    def _press(self, arguments: list[str]) -> None:
        number = arguments[0] if arguments else VICTIM
        text = " ".join(arguments[1:]) or TEXT[self._house.language]
        if not number.isascii() or not number.isdigit():
            raise ValueError(self._words.not_a_number.format(word=number))
        if not self._house.mlp.knows(number):
            self._house.mlp.place(number, *CITY_HALL)
        self._echo.stopwatch.press(number, self._house.reactor.seconds())
        said = self._words.pressed.format(number=number, to=SOS_NUMBER, text=text)
        self._echo.tell(Who.PHONE, said)
        self._tell_answer(number, self._house.smsc.send_mo(number, SOS_NUMBER, text=text))

    def _sms(self, arguments: list[str]) -> None:
        words = list(arguments)
        is_from = len(words) > 1 and words[0].isdigit() and len(words[0]) >= SHORTEST_NUMBER
        self._text(words.pop(0) if is_from else VICTIM, " ".join(words), Who.PHONE)

    def _test(self, _: list[str]) -> None:
        self._echo.stopwatch.press(VICTIM, self._house.reactor.seconds())
        self._text(VICTIM, TEST_WORD[self._house.language], Who.PHONE)

    def _text(self, number: str, text: str, who: Who) -> None:
        if not text:
            raise ValueError(self._words.what_text)
        self._echo.tell(who, self._words.texts.format(number=number, to=SERVICE_NUMBER, text=text))
        self._tell_answer(number, self._house.smsc.send_mo(number, SERVICE_NUMBER, text=text))

    async def _guardian(self, arguments: list[str]) -> None:
        words = " ".join(arguments) or "1"
        house = self._house
        calls = house.guardian.calls if isinstance(house, VoiceHouse) else []
        standing = [call for call in calls if call.is_up]
        if standing and len(words) == 1:
            self._echo.tell(Who.GUARDIAN, self._words.presses_digit.format(digit=words))
            with suppress(Unavailable):  # who has heard the digit may hang up before its last packet
                await standing[-1].press(words)
        else:
            self._text(MOTHER, words, Who.GUARDIAN)

    async def _ussd(self, arguments: list[str]) -> None:
        gateway, words = self._house.smsc.ussd, " ".join(arguments)
        before = len(gateway.shown)
        if words and words not in ("menu", *KINDS):
            if self._ussd_phone is None or not gateway.has_session(VICTIM):
                raise ValueError(self._words.no_kind.format(word=words, kinds=", ".join(KINDS)))
            self._echo.tell(Who.PHONE, self._words.types.format(text=words))
            sending = self._ussd_phone.answer(words)
        else:
            code = MENU_CODE if words == "menu" else SOS_CODE
            kind = words if words in KINDS else "generic"
            self._ussd_phone = UssdPhone(gateway, self._house.smsc.send_pdus, VICTIM, kind)
            if code == SOS_CODE:
                self._echo.stopwatch.press(VICTIM, self._house.reactor.seconds())
            self._echo.tell(Who.PHONE, self._words.dials.format(code=code))
            sending = self._ussd_phone.dial(code)
        self._tell_answer(VICTIM, sending)
        shown = await text_shown(gateway, self._house.reactor, before)
        if shown is None:
            self._echo.tell(Who.PHONE, self._words.shows_nothing)
        else:
            for line in shown.text.splitlines():
                self._echo.tell(Who.PHONE, f"| {line}")

    def _tell_answer(self, number: str, sending: Deferred[int]) -> None:
        """Tell the answer when it comes; the prompt does not wait for it."""

        async def tell() -> None:
            status = await sending
            name = STATUS_NAMES.get(status, hex(status))
            self._echo.tell(Who.SMSC, self._words.answered.format(number=number, status=name))

        run_in_background(tell(), "the answer to a message")

    # Her call.

    async def _call(self, _: list[str]) -> None:
        house = self._voice()
        if self._standing_call() is not None:
            raise ValueError(self._words.is_calling)
        assert house.handset is not None
        self._echo.stopwatch.press(VICTIM, house.reactor.seconds())
        self._echo.tell(Who.PHONE, self._words.calls.format(number=SOS_NUMBER))
        call = house.handset.call(SOS_NUMBER)
        run_in_background(self._tell_end(call), "the call")

    async def _tell_end(self, call: PhoneCall) -> None:
        await call.ended()
        ears = call.ears
        audible = ears.packets - ears.all_zero
        template = self._words.silent_call if call.is_silent else self._words.loud_call
        self._echo.tell(Who.PHONE, template.format(packets=ears.packets, audible=audible))

    async def _tap(self, arguments: list[str]) -> None:
        call = self._standing_call()
        if call is None:
            raise ValueError(self._words.no_call)
        digits = "".join(arguments)
        if not digits.isascii() or not digits.isdigit():
            raise ValueError(self._words.not_a_number.format(word=digits))
        self._echo.tell(Who.PHONE, self._words.taps.format(digits=digits))
        await call.press(digits)

    async def _hang(self, _: list[str]) -> None:
        call = self._standing_call()
        if call is None:
            raise ValueError(self._words.no_call)
        self._echo.tell(Who.PHONE, self._words.hangs_up)
        await call.hang_up()

    def _voice(self) -> VoiceHouse:
        if isinstance(self._house, VoiceHouse):
            return self._house
        raise ValueError(self._words.no_voice)

    def _standing_call(self) -> PhoneCall | None:
        handset = self._voice().handset
        calls = [] if handset is None else [call for call in handset.calls if not call.is_over]
        return calls[-1] if calls else None

    # The desk.

    async def _list(self, _: list[str]) -> None:
        rows = await self._house.books.incidents()
        if not rows:
            self._echo.tell(Who.LAB, self._words.empty)
        for row in rows:
            self._say(f"  {self._row(row)}")

    def _row(self, row: IncidentRow) -> str:
        words = self._words

        def since(moment: Any, instead: str) -> str:
            if moment is None:
                return instead
            return f"+{(moment - row.opened_at).total_seconds() * 1000:.0f} ms"

        state = words.over if row.closed_at is not None else words.open
        return words.row.format(
            id=row.id,
            state=words.drill.format(state=state) if row.test else state,
            presses=row.press_count,
            told=since(row.told_at, words.not_told),
            located=since(row.located_at, words.not_located),
        )

    async def _close(self, arguments: list[str]) -> None:
        if not arguments:
            raise ValueError(self._words.which)
        incident = await self._house.books.named(arguments[0])
        answer = await self._house.books.close(incident, " ".join(arguments[1:]) or REASON)
        if answer.refused is not None:
            raise ValueError(self._words.refused.format(reason=answer.refused.reason))
        self._echo.tell(Who.CENTRE, self._words.closed.format(incident=incident))
