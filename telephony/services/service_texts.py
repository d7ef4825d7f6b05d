"""Texts to a service number: told apart, answered once, and never in the way of a press.

In turn: who waits for a reply (a guardian who confirms), what enrolment awaits, keywords, and help for the rest.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import structlog
from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from telephony.background import run_in_background
from telephony.clock import Clock
from telephony.domain.errors import Unavailable
from telephony.domain.incident import Receipt
from telephony.domain.keywords import (
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
from telephony.domain.people import Language
from telephony.domain.ports import AcceptAll
from telephony.domain.recognition import Recognition
from telephony.domain.service_text import ServiceListener, ServiceText
from telephony.domain.trigger import UNLISTED_DESTINATION, Repetition, Trigger
from telephony.domain.values import Msisdn
from telephony.services.answers import Answers, PerPhone
from telephony.services.enrolment import Asking, EnrolmentDesk
from telephony.services.long_texts import LongTexts

log = structlog.get_logger()

MOST_AT_ONCE: Final = 200
"""Texts being handled. More are sent again by their message centre: the store belongs to presses first."""
ANSWERED_ONCE_S: Final = 120.0
"""The same message again within this time was delivered again: its answer was on the way, or was lost with a link."""
MOST_REMEMBERED: Final = 20_000
TEXTS_PER_SENDER: Final = 10
PER_SENDER_S: Final = 600.0
"""A sender's texts beyond so many in this time are dropped: nobody signs up that fast."""
HELPS_PER_DAY: Final = 3
HELP_AGAIN_S: Final = 60.0
"""A text that asks nothing is answered with help so often to one phone, and then again. What writes by itself (an
assistant, a receipt that was not recognised) gets no answer to its answer, and there it ends."""
SAY_AGAIN_S: Final = 60.0

Key = tuple[str, str]


class ServiceTexts:
    """The service desk behind every link: `take` is what a link calls.

    ``recognition_for`` gives the words of a carrier as they are now. ``language`` is that of the country, for whoever
    sends digits alone and chose none.
    """

    def __init__(
        self,
        desk: EnrolmentDesk,
        answers: Answers,
        *,
        listeners: Sequence[ServiceListener],
        accept_all: AcceptAll,
        recognition_for: Callable[[str], Recognition],
        language: Language,
        clock: Clock,
    ) -> None:
        self._desk = desk
        self._answers = answers
        self._listeners = listeners
        self._accept_all = accept_all
        self._recognition_for = recognition_for
        self._written_here = language
        self._clock = clock
        self._helps = PerPhone(HELPS_PER_DAY, clock)
        self._helps_now = PerPhone(1, clock, period_s=HELP_AGAIN_S)
        self._long = LongTexts(clock, self._take_alone)
        self._at_work: dict[Key, list[Deferred[None]]] = {}
        """Those who wait for a message that is being handled: a redelivery waits for the first."""
        self._done: OrderedDict[Key, float] = OrderedDict()
        self._senders: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._answer_to: Mapping[Word, Callable[[Asking, str], Awaitable[str]]] = {
            Word.REGISTER: self._register,
            Word.GUARDIAN: self._about_guardians,
            Word.CHANGE: lambda asking, rest: desk.change(asking, *field_and_value(rest)),
            Word.CANCEL: lambda asking, rest: desk.cancel(asking, ward=phone_and_words(rest)[0]),
            Word.TEST: lambda asking, _: desk.test(asking),
            Word.MY_DATA: lambda asking, _: desk.my_data(asking),
        }
        self._dropped = 0
        self._said_at = -SAY_AGAIN_S

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
        if not self._is_bearable(text.sender.number, now):
            return succeed(None)
        whole = self._long.add(text)
        if whole is None:
            self._remember(key, now)
            return succeed(None)
        self._at_work[key] = [waiting]
        handled = Deferred.fromCoroutine(self._handle(whole))
        handled.addCallbacks(
            self._handled, self._not_handled, callbackArgs=(key, text), errbackArgs=(key, text)
        )
        return waiting

    def _handled(self, _: None, key: Key, text: ServiceText) -> None:
        self._long.done(text)
        self._remember(key, self._clock.seconds())
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
            # A short code, a name, nobody: there is no phone to answer, and no person to sign up.
            return
        asking = Asking(
            text.sender,
            text.carrier,
            await self._language(text),
            "sms",
            text.connector,
            text.reference,
            text.received_at,
        )
        answer = await self._desk.reply(asking, text.text or "")
        if answer is None:
            answer = await self._answer(asking, said, is_marked=text.is_marked)
        if answer:
            self._answers.post(asking.phone, answer, asking.carrier)

    async def _answer(self, asking: Asking, said: Said, *, is_marked: bool) -> str | None:
        """Return the answer to a keyword, help for anything else; ``None`` where that could go round and round."""
        if said.word in self._answer_to:
            return await self._answer_to[said.word](asking, said.rest)
        if said.word is not Word.HELP and (is_marked or not self._may_help(asking.phone)):
            return None
        return await self._desk.help(asking)

    def _may_help(self, phone: Msisdn) -> bool:
        return self._helps.is_left(phone) and self._helps_now.count(phone) and self._helps.count(phone)

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
        return await self._desk.language_of(text.sender) or ("en" if has_letters else self._written_here)

    # -- a press after all -------------------------------------------------------------------------------------

    def _is_distress(self, text: ServiceText) -> bool:
        """Claim that the words, put together, call for help: no single part did, or it would not have come here."""
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

    def _remember(self, key: Key, now: float) -> None:
        self._done.pop(key, None)
        self._done[key] = now
        while len(self._done) > MOST_REMEMBERED:
            self._done.popitem(last=False)

    def _is_bearable(self, sender: str, now: float) -> bool:
        """Count a text of a sender; False where there are more than anybody means."""
        since, count = self._senders.pop(sender, (now, 0))
        if now - since >= PER_SENDER_S:
            since, count = now, 0
        self._senders[sender] = (since, count + 1)
        while len(self._senders) > MOST_REMEMBERED:
            self._senders.popitem(last=False)
        if count < TEXTS_PER_SENDER:
            return True
        self._dropped += 1
        if now - self._said_at >= SAY_AGAIN_S:
            self._said_at = now
            log.warning("service texts dropped", reason="too many of one sender", count=self._dropped)
        return False
