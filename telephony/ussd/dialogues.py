"""Rules for the USSD dialogues of one carrier: which message is a press, and when the phone gets the neutral text.

An SOS code is a press on its first message and the dialogue is over with one text. The service code opens the menu,
where there is one; a message in it that looks like a call for help is a press all the same. Pure: times are passed
in.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final, Protocol

from telephony.domain.recognition import Recognition
from telephony.domain.silence import Output, may_reach
from telephony.domain.trigger import UNKNOWN_USSD_STRING, UNLISTED_DESTINATION, Trigger
from telephony.domain.ussd import (
    DIALLED_IN_INCIDENT,
    UssdMenu,
    UssdMessage,
    UssdOver,
    UssdPress,
    UssdReply,
    UssdTurn,
)
from telephony.remembered import Remembered
from telephony.ussd.codes import (
    Dialled,
    code_in,
    is_call_for_help,
    is_choice,
    is_code,
    is_service_code,
    may_be_dialled,
    service_code_in,
    service_codes,
    words_of,
)
from telephony.ussd.conversation import Page
from telephony.ussd.profiles import Profile
from telephony.ussd.service_op import Step, step_of

REMEMBERED: Final = 100_000
"""Dialogues of a carrier; the oldest make room."""
VENDOR_TAGS: Final = range(0x1400, 0x4000)
"""Parameters of a vendor's own (SMPP 3.4 clause 5.3.1). One of them may be how the gateway finds the dialogue again."""


@dataclass(frozen=True, slots=True)
class _Told:
    """When a dialogue began whose phone was answered, and whether the text was not taken."""

    begun_at: float
    has_failed: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """No page may be shown. ``is_press``: because silence holds; otherwise it is unknown, or we have a defect."""

    is_press: bool = False


class Menus(Protocol):
    """The menus that are open on the phones of a carrier."""

    def is_open(self, caller: str, session: str) -> bool:
        """Whether this phone was shown a page and has not answered it yet."""
        ...

    def abort(self, caller: str, session: str) -> None:
        """End the menu of a phone."""
        ...

    async def turn(self, menu: UssdMenu, trigger: Trigger) -> Page | Held | None:
        """Take one message further; ``None``: nothing is to be shown. Does not raise."""
        ...

    async def may_reach(self, menu: UssdMenu, trigger: Trigger, output: Output) -> Held | None:
        """Ask the silence policy whether a page may be shown now; ``None``: it may. Does not raise."""
        ...

    def page_shown(self, caller: str, session: str, sent_at: float | None) -> None:
        """Learn when the page was sent, ``None`` where the gateway did not take it."""
        ...


class Dialogues:
    """The rules of one carrier's gateways, and a short memory of its dialogues.

    ``closing_text`` is what the phone shows; it must be one of ``neutral_texts``, or the silence policy refuses it
    and nothing is sent.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        closing_text: str,
        neutral_texts: frozenset[str],
        session_s: float,
        code_tlv: int | None = None,
        menus: Menus | None = None,
    ) -> None:
        self.session_s = session_s
        self._profile = profile
        self._closing_text = closing_text
        self._neutral_texts = neutral_texts
        self._code_tlv = code_tlv
        self._menus = menus
        self._begun: Remembered[tuple[str, str], tuple[str, float]] = Remembered(REMEMBERED)
        """Caller and session to the code that was dialled and when: an answer often comes without its code."""
        self._told: OrderedDict[str, _Told] = OrderedDict()
        """By the reference of the press."""

    def read(
        self, message: UssdMessage, recognition: Recognition, now: float
    ) -> UssdPress | UssdMenu | UssdOver | None:
        """Say what a message is: `UssdRules.read`."""
        if not self._profile.is_sure(message) and not is_code(message.destination):
            return None
        if self._menus is not None:
            menu = self._read_menu(self._menus, message, recognition, now)
            if menu is not None:
                return menu
        return self._read_press(message, recognition, now)

    def _read_press(self, message: UssdMessage, recognition: Recognition, now: float) -> UssdPress | UssdOver:
        is_sure = self._profile.is_sure(message)
        dialled = code_in(message, self._profile.places, self._code_tlv, recognition)
        session = self._profile.session_of(message)
        step = step_of(message, self._profile.releases)
        if step is Step.OVER and recognition.ussd_code(words_of(message)) is None:
            return UssdOver("the dialogue was ended by the phone or the network")
        if step in (Step.ANSWER, Step.LAST):
            if not self._says_something(message, session, step, now):
                return UssdOver("an answer without words")
            dialled = self._of_dialogue(message, session, dialled, now)
        else:
            self._remember(message.source, session, dialled.code, now)
        # No dialogue waits for a text once the gateway has ended it: the text would arrive as a new one.
        reply = self._reply(message) if is_sure and step is not Step.LAST else None
        return UssdPress(dialled.code, dialled.text, session, _labels(dialled), reply)

    def _says_something(self, message: UssdMessage, session: str, step: Step, now: float) -> bool:
        """Whether an answer is more than a key that leaves a menu; what cannot be read may well be."""
        if message.is_unreadable:
            return True
        words = words_of(message)
        if step is Step.LAST and is_choice(words):
            return self._is_of_press(message.source, session, now)
        return bool(words)

    def _read_menu(
        self, menus: Menus, message: UssdMessage, recognition: Recognition, now: float
    ) -> UssdMenu | UssdPress | UssdOver | None:
        """Say what a message is to the menu; ``None``: nothing, and the rules of a press go on."""
        caller, session = message.source, self._profile.session_of(message)
        is_open = menus.is_open(caller, session)
        step = step_of(message, self._profile.releases)
        heard: UssdMenu | UssdPress | UssdOver | None = None
        if step is Step.LAST:
            if is_open or is_service_code(words_of(message), recognition):
                heard = self._read_last(message, session, recognition, now)
        elif step is not Step.OVER and self._is_answer(message, step, recognition, is_open=is_open):
            heard = self._read_answer(message, session, recognition, now, is_open=is_open)
        elif step is not Step.OVER:
            heard = self._read_dialled(message, session, recognition)
        if not isinstance(heard, UssdMenu):
            menus.abort(caller, session)
        return heard

    def _is_answer(
        self, message: UssdMessage, step: Step, recognition: Recognition, *, is_open: bool
    ) -> bool:
        """Whether words answer a page. Gateways that send no operation leave it to what the words can be."""
        words = words_of(message)
        if is_service_code(words, recognition):
            return False
        if step is Step.ANSWER:
            return is_open or bool(words)
        is_later = is_open or self._profile.is_later_unit(message) or not may_be_dialled(words)
        return message.operation is None and bool(words) and is_later

    def _read_dialled(
        self, message: UssdMessage, session: str, recognition: Recognition
    ) -> UssdMenu | UssdOver | None:
        code = service_code_in(message, self._profile.places, self._code_tlv, recognition)
        if code is None or message.is_unreadable or self._is_listed(message, recognition):
            return None
        if is_call_for_help(words_of(message), recognition):
            return None
        if not self._profile.is_sure(message):
            return UssdOver("the service code, and no dialogue in which it could be answered")
        return self._menu(message, session, code, None)

    def _read_answer(
        self, message: UssdMessage, session: str, recognition: Recognition, now: float, *, is_open: bool
    ) -> UssdMenu | UssdPress | None:
        codes = service_codes(recognition)
        if not is_open and (
            not codes
            or not self._profile.is_sure(message)
            or self._is_of_press(message.source, session, now)
            or self._is_listed(message, recognition)
        ):
            return None
        words = words_of(message)
        code = service_code_in(message, self._profile.places, self._code_tlv, recognition)
        code = code or min(codes, default="")
        if message.is_unreadable:
            return UssdPress(code, None, session, (), self._reply(message))
        if is_call_for_help(words, recognition):
            sos_code = recognition.ussd_code(words)
            if sos_code is not None:
                return UssdPress(sos_code, None, session, (), self._reply(message))
            return UssdPress(code, words, session, (UNKNOWN_USSD_STRING,), self._reply(message))
        return self._menu(message, session, code, words, is_lost=not is_open)

    def _read_last(
        self, message: UssdMessage, session: str, recognition: Recognition, now: float
    ) -> UssdPress | UssdOver:
        """Say what an answer is with which the gateway has ended a menu; no page can follow it."""
        heard = self._read_answer(message, session, recognition, now, is_open=True)
        if isinstance(heard, UssdPress):
            return replace(heard, reply=None)
        return UssdOver("the menu was ended by the phone or the network")

    def _is_listed(self, message: UssdMessage, recognition: Recognition) -> bool:
        return code_in(message, self._profile.places, self._code_tlv, recognition).is_listed

    def _is_of_press(self, caller: str, session: str, now: float) -> bool:
        """Whether this dialogue began with a code that is a press."""
        begun = self._begun.get((caller, session))
        return begun is not None and now - begun[1] <= self.session_s

    def _menu(
        self, message: UssdMessage, session: str, code: str, words: str | None, *, is_lost: bool = False
    ) -> UssdMenu:
        press = UssdPress(code, words or None, session, (DIALLED_IN_INCIDENT,), self._reply(message))
        return UssdMenu(message, words, session, press, is_lost)

    async def turn(self, menu: UssdMenu, trigger: Trigger) -> UssdTurn:
        """Take one message of a menu further: `UssdRules.turn`."""
        assert self._menus is not None
        page = await self._menus.turn(menu, trigger)
        if page is None:
            return UssdTurn()
        held = page if isinstance(page, Held) else None
        if isinstance(page, Page):
            held = await self._menus.may_reach(menu, trigger, Output.USSD_TEXT)
            if held is None:
                return UssdTurn(self._page(menu.message, page))
        return UssdTurn(menu.press.reply, is_press=held is not None and held.is_press)

    def page_shown(self, menu: UssdMenu, sent_at: float | None) -> None:
        """Learn when the page was sent: `UssdRules.page_shown`."""
        if self._menus is not None:
            self._menus.page_shown(menu.message.source, menu.session, sent_at)

    def _page(self, message: UssdMessage, page: Page) -> UssdReply:
        """Return a page of the menu, with every name of the dialogue that came."""
        if page.ends:
            return self._ending(message, page.text)
        info = message.session_info
        # Where no operation comes and the session cannot say it either, only the operation can ask.
        asks_by_session = message.operation is None and info is not None
        return UssdReply(
            page.text,
            None if asks_by_session else self._profile.ask,
            None if info is None else self._profile.info_of_page(info),
            message.message_reference,
            message.service_type,
            self._profile.uses_cbs_codings,
            self._vendor_tlvs(message),
        )

    def reply_to(
        self, press: UssdPress, reference: str, begun_at: float, now: float, *, is_known: bool
    ) -> UssdReply | None:
        """Return the text that is to be sent now: `UssdRules.reply_to`."""
        told = self._told.get(reference)
        if told is None and is_known and press.session:
            # The dialogue began before our memory does: with another daemon, or with us before a restart.
            return None
        if told is not None:
            is_repeat = bool(press.session) or begun_at - told.begun_at <= self.session_s
            if is_repeat and not told.has_failed:
                return None
            begun_at = told.begun_at if is_repeat else begun_at
        if press.reply is None or now - begun_at > self.session_s:
            return None
        self._told[reference] = _Told(begun_at)
        self._told.move_to_end(reference)
        while len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        return press.reply

    def not_taken(self, reference: str) -> None:
        """Let a repeat within the dialogue be answered with the text."""
        if reference in self._told:
            self._told[reference] = replace(self._told[reference], has_failed=True)

    def _reply(self, message: UssdMessage) -> UssdReply | None:
        """Return the text that ends the dialogue, with every name of it that came."""
        text = self._closing_text
        if may_reach(
            Output.USSD_CLOSING_TEXT, silence_lifted=False, text=text, neutral_texts=self._neutral_texts
        ):
            return None
        return self._ending(message, text)

    def _ending(self, message: UssdMessage, text: str) -> UssdReply:
        session_info = message.session_info
        return UssdReply(
            text,
            # A gateway that sent no operation knows its dialogue by service_type or session alone.
            None if message.operation is None else self._profile.end,
            None if session_info is None else self._profile.info_of_end(session_info),
            message.message_reference,
            message.service_type,
            self._profile.uses_cbs_codings,
            self._vendor_tlvs(message),
        )

    def _vendor_tlvs(self, message: UssdMessage) -> tuple[tuple[int, bytes], ...]:
        """Return the gateway's own parameters, to be sent back; not the dialled string, which a phone could show."""
        return tuple(each for each in message.tlvs if each[0] in VENDOR_TAGS and each[0] != self._code_tlv)

    def _remember(self, caller: str, session: str, code: str, now: float) -> None:
        self._begun[caller, session] = code, now

    def _of_dialogue(self, message: UssdMessage, session: str, dialled: Dialled, now: float) -> Dialled:
        """Return the words of an answer the code that their dialogue began with."""
        code, begun_at = self._begun.get((message.source, session), ("", now))
        if dialled.is_listed:
            return dialled
        if not code or now - begun_at > self.session_s:
            # Typed words are her text, never a destination.
            return Dialled(message.destination, is_listed=False, text=words_of(message) or None)
        return Dialled(code, is_listed=True, text=words_of(message) or None)


def _labels(dialled: Dialled) -> tuple[str, ...]:
    if not dialled.is_listed:
        return (UNLISTED_DESTINATION,)
    return () if dialled.text is None else (UNKNOWN_USSD_STRING,)
