"""The dialogues of one carrier: which message is a press, and when the phone gets its one neutral text.

An SOS code is a press on its first message and the dialogue is over with one text. Pure: times are passed in.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final

from telephony.domain.recognition import Recognition
from telephony.domain.silence import Output, may_reach
from telephony.domain.trigger import UNKNOWN_USSD_STRING, UNLISTED_DESTINATION
from telephony.domain.ussd import UssdMessage, UssdOver, UssdPress, UssdReply
from telephony.ussd.codes import Dialled, code_in
from telephony.ussd.profiles import Profile
from telephony.ussd.service_op import END_OF_SESSION, Step, step_of

REMEMBERED: Final = 100_000
"""Dialogues of a carrier; the oldest make room."""


@dataclass(frozen=True, slots=True)
class _Told:
    """When a dialogue began whose phone was answered, and whether the text was not taken."""

    begun_at: float
    has_failed: bool = False


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
    ) -> None:
        self.session_s = session_s
        self._profile = profile
        self._closing_text = closing_text
        self._neutral_texts = neutral_texts
        self._code_tlv = code_tlv
        self._begun: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()
        """Caller and session to the code that was dialled and when: an answer often comes without its code."""
        self._told: OrderedDict[str, _Told] = OrderedDict()
        """By the reference of the press."""

    def read(self, message: UssdMessage, recognition: Recognition, now: float) -> UssdPress | UssdOver | None:
        """Say what a message is: `UssdRules.read`."""
        is_sure = self._profile.is_sure(message)
        if not is_sure and not _is_code(message.destination):
            return None
        dialled = code_in(message, self._profile.places, self._code_tlv, recognition)
        session = self._profile.session_of(message)
        step = step_of(message, self._profile.releases)
        if step is Step.OVER and recognition.ussd_code((message.text or "").strip()) is None:
            return UssdOver("the dialogue was ended by the phone or the network")
        if step is Step.ANSWER:
            if not (message.text or "").strip():
                return UssdOver("an answer without words")
            dialled = self._of_dialogue(message, session, dialled, now)
        else:
            self._remember(message.source, session, dialled.code, now)
        return UssdPress(
            dialled.code, dialled.text, session, _labels(dialled), self._reply(message) if is_sure else None
        )

    def reply_to(
        self, press: UssdPress, reference: str, begun_at: float, now: float, *, is_known: bool
    ) -> UssdReply | None:
        """Give the text that is to be sent now: `UssdRules.reply_to`."""
        told = self._told.get(reference)
        if told is None and is_known and press.session:
            # It was heard before our memory began: by another daemon, or by us before a restart.
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
        """Let a repeat within the dialogue have the text."""
        if reference in self._told:
            self._told[reference] = replace(self._told[reference], has_failed=True)

    def _reply(self, message: UssdMessage) -> UssdReply | None:
        """Give the text that ends the dialogue, with every name of it that came."""
        text = self._closing_text
        if may_reach(
            Output.USSD_CLOSING_TEXT, silence_lifted=False, text=text, neutral_texts=self._neutral_texts
        ):
            return None
        session_info = message.session_info
        return UssdReply(
            text,
            # A gateway that sent no operation knows its dialogue by service_type or session alone.
            None if message.operation is None else self._profile.end,
            None if session_info is None else session_info | END_OF_SESSION,
            message.message_reference,
            message.service_type,
            self._profile.uses_cbs_codings,
        )

    def _remember(self, caller: str, session: str, code: str, now: float) -> None:
        self._begun[caller, session] = code, now
        self._begun.move_to_end((caller, session))
        while len(self._begun) > REMEMBERED:
            self._begun.popitem(last=False)

    def _of_dialogue(self, message: UssdMessage, session: str, dialled: Dialled, now: float) -> Dialled:
        """Give the words of an answer the code that their dialogue began with."""
        code, begun_at = self._begun.get((message.source, session), ("", now))
        if dialled.is_listed or not code or now - begun_at > self.session_s:
            return dialled
        return Dialled(code, is_listed=True, text=(message.text or "").strip())


def _is_code(destination: str) -> bool:
    """Claim that an address can only have been dialled as a code: no number begins so."""
    return destination[:1] in ("*", "#") and destination.endswith("#")


def _labels(dialled: Dialled) -> tuple[str, ...]:
    if not dialled.is_listed:
        return (UNLISTED_DESTINATION,)
    return () if dialled.text is None else (UNKNOWN_USSD_STRING,)
