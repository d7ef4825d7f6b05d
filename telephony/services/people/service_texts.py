"""Handles texts to a service number: each is answered once, and never in the way of a press.

A text is tried in turn as a guardian's reply, as a reply to a question of enrolment, and as a keyword; the rest get help.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import structlog
from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from telephony.background import run_in_background
from telephony.clock import Clock
from telephony.domain.errors import Unavailable
from telephony.domain.incident import Receipt
from telephony.domain.people.keywords import (
    Said,
    Word,
    as_heard,
    field_and_value,
    is_hangul,
    phone_and_words,
    read,
    registration,
    removal,
)
from telephony.domain.people.person import Language
from telephony.domain.people.service_text import ServiceListener, ServiceText
from telephony.domain.people.texts import Text, say
from telephony.domain.ports import AcceptAll
from telephony.domain.recognition import Recognition
from telephony.domain.trigger import UNLISTED_DESTINATION, Repetition, Trigger
from telephony.remembered import Remembered
from telephony.services.people.bounds import PerPhone, PerSender, ToldPerPhone, Turn
from telephony.services.people.desk import Asking, EnrolmentDesk
from telephony.services.people.languages import LanguageOf
from telephony.services.people.long_texts import LongTexts
from telephony.services.people.replies import Answers
from telephony.sparingly import Sparingly

log = structlog.get_logger()

MOST_AT_ONCE: Final = 200
"""Texts being handled. More are sent again by their message centre: the store belongs to presses first."""
ANSWERED_ONCE_S: Final = 120.0
"""The same message again within this time was delivered again: its answer was on the way, or was lost with a link."""
MOST_REMEMBERED: Final = 20_000
TEXTS_PER_SENDER: Final = 10
PER_SENDER_S: Final = 600.0
"""Of a sender's texts beyond so many in this time the first is answered, once, with a word that it is too many, and the
rest are dropped: no person signs up that fast."""
HELPS_PER_DAY: Final = 3
HELP_AGAIN_S: Final = 60.0
"""A text that asks nothing is answered with help so often to one phone, the first beyond it with a word that it is too
many. What writes by itself (an assistant, a receipt that was not recognised) gets no answer to that, and there it ends."""
SAY_AGAIN_S: Final = 60.0

Key = tuple[str, str]


class ServiceTexts:
    """The service desk behind every link: `take` is what a link calls.

    ``recognition_for`` gives the words of a carrier as they are now. ``language`` is that of the country, for those
    who send digits alone and chose none.
    """

    def __init__(
        self,
        desk: EnrolmentDesk,
        answers: Answers,
        *,
        listeners: Sequence[ServiceListener],
        accept_all: AcceptAll,
        recognition_for: Callable[[str], Recognition],
        language_of: LanguageOf,
        language: Language,
        clock: Clock,
    ) -> None:
        self._desk = desk
        self._answers = answers
        self._listeners = listeners
        self._accept_all = accept_all
        self._recognition_for = recognition_for
        self._language_of = language_of
        self._written_here = language
        self._clock = clock
        self._helps = ToldPerPhone(HELPS_PER_DAY, clock)
        self._helps_now = PerPhone(1, clock, period_s=HELP_AGAIN_S)
        self._long = LongTexts(clock, self._take_alone)
        self._at_work: dict[Key, list[Deferred[None]]] = {}
        """Those who wait for a message that is being handled: a redelivery waits for the first."""
        self._done: Remembered[Key, float] = Remembered(MOST_REMEMBERED)
        self._senders = PerSender(TEXTS_PER_SENDER, clock, period_s=PER_SENDER_S)
        self._answer_to: Mapping[Word, Callable[[Asking, str], Awaitable[str]]] = {
            Word.REGISTER: self._register,
            Word.GUARDIAN: self._about_guardians,
            Word.CHANGE: lambda asking, rest: desk.change(asking, *field_and_value(rest)),
            Word.CANCEL: lambda asking, rest: desk.cancel(asking, ward=phone_and_words(rest)[0]),
            Word.TEST: lambda asking, _: desk.test(asking),
            Word.MY_DATA: lambda asking, _: desk.my_data(asking),
        }
        self._dropped = 0
        self._sparingly = Sparingly(clock.seconds, SAY_AGAIN_S)

    def take(self, text: ServiceText) -> Deferred[None]:
        """Take a text; fires when it has been handled, fails with `Unavailable` where it is to be sent again."""
        now = self._clock.seconds()
        key = (text.carrier, text.reference)
        waiting: Deferred[None] = Deferred()
        if key in self._at_work:
            self._at_work[key].append(waiting)
            return waiting
        if self._is_known(key, now):
            return succeed(None)
        if len(self._at_work) >= MOST_AT_ONCE:
            return fail(Unavailable("too many texts to the service number at once"))
        if not self._is_within(text):
            return succeed(None)
        whole = self._long.add(text)
        if whole is None:
            self._done[key] = now
            return succeed(None)
        self._at_work[key] = [waiting]
        handled = Deferred.fromCoroutine(self._handle(whole))
        handled.addCallbacks(
            self._handled, self._not_handled, callbackArgs=(key, text), errbackArgs=(key, text)
        )
        return waiting

    def _handled(self, _: None, key: Key, text: ServiceText) -> None:
        self._long.done(text)
        self._done[key] = self._clock.seconds()
        for waiting in self._at_work.pop(key):
            waiting.callback(None)

    def _not_handled(self, failure: Failure, key: Key, text: ServiceText) -> None:
        if not isinstance(failure.value, Unavailable):
            # A defect of ours: sent again it would fail again.
            log.error("service text failed", connector=text.connector, exc_info=failure.value)
            self._handled(None, key, text)
            return
        self._long.not_done(text)
        for waiting in self._at_work.pop(key):
            waiting.errback(failure)

    def _take_alone(self, text: ServiceText) -> None:
        run_in_background(self._handle(text), "a part of a long text to the service number")

    # -- what it is about --------------------------------------------------------------------------------------

    async def _handle(self, text: ServiceText) -> None:
        said = read(text.text)
        if said.word is Word.CRY or self._is_distress(text):
            await self._press(text)
            return
        for listener in self._listeners:
            if await listener.take(text):
                return
        if not text.sender.is_e164:
            # A short code, a name, nothing: there is no phone to answer, and no person to sign up.
            return
        asking = await self._asking(text)
        answer = await self._desk.reply(asking, text.text or "")
        if answer is None:
            answer = await self._answer(asking, said, is_marked=text.is_marked)
        if answer:
            self._post(asking, answer)

    async def _asking(self, text: ServiceText) -> Asking:
        language = await self._language(text)
        return Asking(
            text.sender,
            text.carrier,
            language,
            "sms",
            text.connector,
            text.reference,
            text.received_at,
        )

    async def _answer(self, asking: Asking, said: Said, *, is_marked: bool) -> str | None:
        """Return the answer to a keyword, help for anything else; ``None`` where two machines might answer each other for ever."""
        if said.word in self._answer_to:
            return await self._answer_to[said.word](asking, said.rest)
        if said.word is Word.HELP:
            return await self._desk.help(asking)
        if is_marked or not self._helps_now.count(asking.phone):
            return None
        match self._helps.turn(asking.phone):
            case Turn.WITHIN:
                return await self._desk.not_understood(asking)
            case Turn.FIRST_BEYOND:
                return say(Text.LATER, asking.language)
            case Turn.BEYOND:
                return None

    def _post(self, asking: Asking, answer: str) -> None:
        later = say(Text.LATER, asking.language)
        self._answers.post(asking.phone, answer, asking.carrier, later=later)

    def _register(self, asking: Asking, rest: str) -> Awaitable[str]:
        wanted = registration(rest)
        return self._desk.register(asking, wanted.name, wanted.birth, wanted.guardian)

    def _about_guardians(self, asking: Asking, rest: str) -> Awaitable[str]:
        if not rest:
            return self._desk.guardians(asking)
        place = removal(rest)
        if place is not None:
            return self._desk.remove_guardian(asking, place)
        return self._desk.add_guardian(asking, *phone_and_words(rest))

    async def _language(self, text: ServiceText) -> Language:
        if is_hangul(text.text or ""):
            return "ko"
        has_letters = any(each.isalpha() for each in text.text or "")
        return await self._language_of(text.sender) or ("en" if has_letters else self._written_here)

    # -- a press after all -------------------------------------------------------------------------------------

    def _is_distress(self, text: ServiceText) -> bool:
        """Whether the words, put together, call for help: no single part did, or it would not have come here."""
        recognition = self._recognition_for(text.carrier)
        return not recognition.is_for_service(text.destination, as_heard(text.text or ""))

    async def _press(self, text: ServiceText) -> None:
        press = Trigger(
            "sms",
            text.connector,
            text.carrier,
            text.sender,
            text.reference,
            text.received_at,
            text.destination,
            text.text,
            labels=(UNLISTED_DESTINATION,),
            repetition=Repetition.UNKNOWN,
        )
        (answer,) = await self._accept_all([press])
        if not isinstance(answer, Receipt):
            raise answer

    # -- bounds ------------------------------------------------------------------------------------------------

    def _is_known(self, key: Key, now: float) -> bool:
        at = self._done.get(key)
        return at is not None and now - at < ANSWERED_ONCE_S

    def _is_within(self, text: ServiceText) -> bool:
        """Count a text of its sender, and return whether it is taken; a cry for help always is."""
        turn = self._senders.turn(text.sender.number)
        if turn is Turn.WITHIN or read(text.text).word is Word.CRY:
            return True
        self._dropped += 1
        if self._sparingly.take_turn():
            log.warning("service texts dropped", reason="too many of one sender", count=self._dropped)
        if turn is Turn.FIRST_BEYOND and text.sender.is_e164 and not text.is_marked:
            run_in_background(self._say_later(text), "the answer to a text too many")
        return False

    async def _say_later(self, text: ServiceText) -> None:
        try:
            asking = await self._asking(text)
        except Unavailable as error:
            log.info("answer not sent", reason=str(error))
            return
        self._post(asking, say(Text.LATER, asking.language))
