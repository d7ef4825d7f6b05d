"""Signing up by phone: what a person asks by SMS or USSD, done at once or asked back.

A sender of an SMS can be forged, so by SMS nothing is changed, and no other phone is texted, before the very phone has
sent back a code. A phone in a USSD dialogue is vouched for by the network. Others who are concerned (a guardian, the new
number) reply from their own phone.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Literal

import structlog
from sqlalchemy import Connection

from telephony.background import run_in_background
from telephony.clock import Clock, utc_now
from telephony.domain.audit import OWN_DATA, Looked
from telephony.domain.errors import Unavailable
from telephony.domain.guardians.standing import claim
from telephony.domain.incident import Receipt
from telephony.domain.people.consent_items import agreed_items
from telephony.domain.people.decisions import Letter
from telephony.domain.people.draft import LONGEST, EnrolmentRules, draft_of, read_number
from telephony.domain.people.faults import sentences
from telephony.domain.people.keywords import Word, phone_and_words, read
from telephony.domain.people.person import Draft, Language, Person
from telephony.domain.people.problems import Fault
from telephony.domain.people.steps import (
    SMS,
    USSD,
    AddGuardian,
    Asker,
    Cancel,
    Change,
    ChangeNumber,
    OwnStep,
    Register,
    RemoveGuardian,
)
from telephony.domain.people.texts import Text, guardian_list, last_digits, own_data, say
from telephony.domain.ports import AcceptAll
from telephony.domain.trigger import Repetition, Trigger
from telephony.domain.values import Msisdn
from telephony.services.people.bounds import ToldPerPhone, Turn
from telephony.services.people.replies import Answers
from telephony.store.audit import append
from telephony.store.awaited import text_left
from telephony.store.crypto import Damaged
from telephony.store.database import Database
from telephony.store.enrolment_orders import Outcome, OwnOrder, Terms
from telephony.store.enrolment_replies import Reply, take_reply
from telephony.store.enrolment_steps import Enrolling
from telephony.store.enrolment_waits import guardian_awaited
from telephony.store.silence import is_silenced

log = structlog.get_logger()

By = Literal["sms", "ussd"]

CODES: Final = 1_000_000
"""Six digits: at five tries a day it takes more than a lifetime to guess one."""
TESTS_PER_DAY: Final = 10
DRILL: Final = "TEST"
"""Where a drill that was asked for in words was sent, as 112 reads it."""

_FIELDS: Final = {
    "이름": "name", "성명": "name", "name": "name",
    "주소": "address", "address": "address",
    "언어": "language", "language": "language",
    "번호": "number", "전화번호": "number", "number": "number", "phone": "number",
    "통신사": "carrier", "carrier": "carrier",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asking:
    """The person who asks, with phone and way. The network vouches for the number of a USSD dialogue, not of an SMS.

    ``reference`` is the sender's id of the message, ``received_at`` is aware, UTC.
    """

    phone: Msisdn
    carrier: str
    language: Language
    by: By
    connector: str
    reference: str
    received_at: datetime


class EnrolmentDesk:
    """Everything that a person can do about their enrolment from a phone.

    Every method gives the text that the person reads, in their language; texts to others go out beside it, and so does a
    question by SMS, for nothing counts as its reply before it has left: then the text is empty. All raise
    `Unavailable` when the store is in trouble: nothing has been done then. ``rng`` makes the codes, so it must not be
    predictable.
    """

    def __init__(
        self,
        database: Database,
        enrolling: Enrolling,
        answers: Answers,
        *,
        rules: EnrolmentRules,
        reply_s: float,
        accept_all: AcceptAll,
        rng: random.Random,
        clock: Clock,
    ) -> None:
        self._database = database
        self._enrolling = enrolling
        self._answers = answers
        self._rules = rules
        self._reply_s = reply_s
        self._accept_all = accept_all
        self._rng = rng
        self._clock = clock
        self._tests = ToldPerPhone(TESTS_PER_DAY, clock)

    # -- what is read ------------------------------------------------------------------------------------------

    async def help(self, asking: Asking) -> str:
        """Say what can be asked."""
        return say(Text.HELP, asking.language)

    async def not_understood(self, asking: Asking) -> str:
        """Say what can be asked, or, to a child whose guardian has not answered yet, that."""
        return await self._awaiting(asking) or say(Text.HELP, asking.language)

    async def guardians(self, asking: Asking) -> str:
        """Tell the guardians in their order: last digits, and whether each has agreed yet."""
        try:
            known = await self._find(asking.phone)
        except Damaged:
            return _unreadable(asking)
        if known is None:
            return await self._not_registered(asking)
        return guardian_list(known.guardians, asking.language)

    async def my_data(self, asking: Asking) -> str:
        """Tell what is kept about the person who asks."""
        try:
            known = await self._database.transact(self._given, asking.phone, _means(asking), self._now)
        except Damaged:
            return _unreadable(asking)
        return await self._not_registered(asking) if known is None else own_data(known, asking.language)

    def _given(self, connection: Connection, phone: Msisdn, means: str, now: datetime) -> Person | None:
        known = self._enrolling.find(connection, phone)
        if known is not None:
            append(connection, Looked(f"by {means} of the person", OWN_DATA, phone.number, "asked", now))
        return known

    def know(self, carriers: frozenset[str]) -> None:
        """Keep of a person who signs up by which of these carriers it was."""
        self._rules = replace(self._rules, carriers=carriers)

    # -- what is changed ---------------------------------------------------------------------------------------

    async def register(self, asking: Asking, name: str, birth: str, guardian: str = "") -> str:
        """Sign up; a minor names a guardian's phone. By SMS it takes a code, of a minor the guardian's reply too."""
        fields = {
            "name": name,
            "birth_date": birth,
            "number": asking.phone.international,
            "language": asking.language,
        }
        if asking.carrier in self._rules.carriers:
            fields["carrier"] = asking.carrier
        if guardian.strip():
            phone, relation = phone_and_words(guardian)
            fields |= {
                "guardian1_phone": phone or guardian,
                "guardian1_relation": relation[: LONGEST["relation"]] if phone else "",
                "guardian1_language": asking.language,
            }
        draft = draft_of(fields, self._rules_now)
        if not isinstance(draft, Draft):
            # A child that asks what has become of it writes no birth date.
            return (None if birth else await self._awaiting(asking)) or sentences(draft, asking.language)
        if any(not self._answers.may_text(each.phone) for each in draft.guardians):
            return say(Text.TOO_MANY_QUESTIONS, asking.language)
        return await self._asked(Register(fields), asking, name=draft.name)

    async def add_guardian(self, asking: Asking, phone: str, relation: str) -> str:
        """Name one more guardian, who counts once they have agreed from their own phone."""
        number = read_number("guardian_phone", phone, self._rules_now)
        if isinstance(number, Fault):
            return sentences([number], asking.language)
        if not self._answers.may_text(number):
            return say(Text.TOO_MANY_QUESTIONS, asking.language)
        return await self._asked(AddGuardian(number, relation[: LONGEST["relation"]]), asking)

    async def remove_guardian(self, asking: Asking, place: str) -> str:
        """Take out a guardian, by the place in the order (1, 2, …) or by number."""
        try:
            known = await self._find(asking.phone)
        except Damaged:
            return _unreadable(asking)
        if known is None:
            return await self._not_registered(asking)
        phones = {str(number): each.phone for number, each in enumerate(known.guardians, start=1)}
        number = phones.get(place.strip()) or read_number("guardian_phone", place, self._rules_now)
        if isinstance(number, Fault):
            return say(Text.NO_SUCH_GUARDIAN, asking.language)
        return await self._asked(RemoveGuardian(number), asking)

    async def change(self, asking: Asking, field: str, value: str) -> str:
        """Change ``field``: name, address, language, number or carrier, in Korean or English."""
        name = _FIELDS.get(field.strip().casefold())
        if name is None:
            return say(Text.UNKNOWN_FIELD, asking.language)
        if name != "number":
            return await self._asked(Change(name, value.strip()), asking)
        number = read_number("number", value, self._rules_now)
        if isinstance(number, Fault):
            return sentences([number], asking.language)
        if not self._answers.may_text(number):
            return say(Text.TOO_MANY_QUESTIONS, asking.language)
        return await self._asked(ChangeNumber(number), asking)

    async def cancel(self, asking: Asking, *, is_sure: bool = False, ward: str = "") -> str:
        """Delete the person who asks, or a ward where a guardian asks, by number where there are several.

        ``is_sure``: the USSD menu has asked already. By SMS it takes a code in any case.
        """
        try:
            number = await self._to_cancel(asking, ward)
        except Damaged:
            return _unreadable(asking)
        if number is Text.NOT_REGISTERED:
            return await self._not_registered(asking)
        if isinstance(number, Text):
            return say(number, asking.language)
        if asking.by == "ussd" and not is_sure:
            return say(Text.SURE_TO_CANCEL, asking.language)
        return await self._asked(Cancel(number), asking)

    async def _to_cancel(self, asking: Asking, ward: str) -> Msisdn | Text:
        """Return the number whose registration is to be cancelled, or the text that says why not."""
        if ward:
            number = read_number("number", ward, self._rules_now)
            return Text.WHICH_WARD if isinstance(number, Fault) else number
        if await self._find(asking.phone) is not None:
            return asking.phone
        wards = await self._database.read(
            self._enrolling.wards_of, asking.phone, self._rules.adult_age, self._now
        )
        if len(wards) > 1:
            return Text.WHICH_WARD
        return wards[0].devices[0].number if wards else Text.NOT_REGISTERED

    async def reply(self, asking: Asking, words: str) -> str | None:
        """Take a code, or a yes or no, that something awaits; ``None`` where nothing does."""
        said = read(words)
        if said.word not in (Word.CODE, Word.AGREE, Word.REFUSE):
            return None
        about_self = claim(said.rest.replace(said.code, " ", 1), self._rules.adult_age)
        items = agreed_items(about_self.others, "")
        asker = replace(self._asker(asking), items=items, claim=about_self)
        answer = Reply(said.code, agrees=said.word is not Word.REFUSE)
        try:
            outcome = await self._database.transact(take_reply, self._enrolling, asker, self._terms(), answer)
        except Damaged:
            return _unreadable(asking)
        return None if outcome is None else self._told(outcome, asking)

    # -- drills ------------------------------------------------------------------------------------------------

    async def test(self, asking: Asking) -> str:
        """Prove the whole way to 112 with a drill; its result comes as a text. Never while a call for help is open."""
        try:
            known = await self._find(asking.phone)
        except Damaged:
            return _unreadable(asking)
        if known is None:
            return await self._not_registered(asking)
        is_held = await self._database.read(is_silenced, [asking.phone])
        if not is_held:
            turn = self._tests.turn(asking.phone)
            if turn is not Turn.WITHIN:
                is_told = turn is Turn.FIRST_BEYOND or asking.by == "ussd"
                return say(Text.LATER, asking.language) if is_told else ""
            drill = Trigger(
                asking.by,
                asking.connector,
                asking.carrier,
                asking.phone,
                asking.reference,
                asking.received_at,
                DRILL,
                test=True,
                repetition=Repetition.UNKNOWN,
            )
            (answer,) = await self._accept_all([drill])
            if not isinstance(answer, Receipt):
                raise answer
        return say(Text.TEST_BEGUN, asking.language)

    # -- parts -------------------------------------------------------------------------------------------------

    async def _asked(self, step: OwnStep, asking: Asking, **facts: str) -> str:
        """Do the step at once for a phone that is vouched for; ask any other phone for a code first."""
        if asking.by != "ussd" and not self._answers.may_text(asking.phone):
            # Nothing may wait for a code that was not sent. Whoever posts it knows that it is too many, too.
            return say(Text.LATER, asking.language)
        carry_out = self._enrolling.carry_out if asking.by == "ussd" else self._enrolling.ask_back
        try:
            outcome = await self._database.transact(
                carry_out, OwnOrder(step, self._asker(asking), self._terms())
            )
        except Damaged:
            return _unreadable(asking)
        if outcome.text is Text.NOT_REGISTERED:
            return await self._not_registered(asking)
        return self._told(outcome, asking, **facts)

    def _told(self, outcome: Outcome, asking: Asking, **facts: str) -> str:
        """Text those whom it concerns, and give the text for the person who asked."""
        for letter in outcome.letters:
            self._send(letter)
        if outcome.asked is not None:
            self._send(outcome.asked.letter, outcome.asked.key)
        log.info("enrolment", step=_what_came(outcome), by=asking.by, connector=asking.connector)
        language = outcome.language or asking.language
        if outcome.faults:
            return sentences(outcome.faults, language)
        if outcome.text is None:
            return ""
        words = say(outcome.text, language, **{**facts, **outcome.facts})
        if outcome.question is None:
            return words
        self._answers.post(asking.phone, words, asking.carrier, self._once_sent(outcome.question))
        return ""

    def _send(self, letter: Letter, question: int | None = None) -> None:
        words = say(letter.text, letter.language, **letter.facts)
        self._answers.post(letter.to, words, letter.carrier, self._once_sent(question))

    def _once_sent(self, question: int | None) -> Callable[[], None] | None:
        return None if question is None else partial(self._sent, question)

    def _sent(self, question: int) -> None:
        run_in_background(self._may_be_replied_to(question), "a question that has left")

    async def _may_be_replied_to(self, question: int) -> None:
        try:
            await self._database.transact(text_left, question, self._now)
        except Unavailable as error:
            # They ask again: a code of ours that is refused costs a text.
            log.warning("question not awaited", reason=str(error))

    def _asker(self, asking: Asking) -> Asker:
        return Asker(asking.phone, _means(asking), asking.language, asking.carrier, self._now)

    def _terms(self) -> Terms:
        code = f"{self._rng.randrange(CODES):06d}"
        return Terms(code, self._now + timedelta(seconds=self._reply_s), self._rules_now)

    async def _not_registered(self, asking: Asking) -> str:
        """Return the text for a phone that is not registered, or whose guardian has not answered yet."""
        return await self._awaiting(asking) or say(Text.NOT_REGISTERED, asking.language)

    async def _awaiting(self, asking: Asking) -> str | None:
        """Return the text for a child whose guardian has not answered yet."""
        guardian = await self._database.read(guardian_awaited, asking.phone, self._now)
        if guardian is None:
            return None
        return say(Text.GUARDIAN_AWAITED, asking.language, digits=last_digits(guardian))

    async def _find(self, phone: Msisdn) -> Person | None:
        return await self._database.read(self._enrolling.find, phone)

    @property
    def _rules_now(self) -> EnrolmentRules:
        return replace(self._rules, today=self._now.date())

    @property
    def _now(self) -> datetime:
        return utc_now(self._clock)


def _what_came(outcome: Outcome) -> str:
    if outcome.text is not None:
        return outcome.text.name.lower().replace("_", " ")
    return "faults" if outcome.faults else "too many wrong codes"


def _means(asking: Asking) -> str:
    return USSD if asking.by == "ussd" else SMS


def _unreadable(asking: Asking) -> str:
    """Return the text for a person whose record is damaged; an operator has to look at it."""
    log.error("person's record damaged", connector=asking.connector)
    return say(Text.UNREADABLE, asking.language)
