"""Carries out steps of enrolment: reads, has `telephony.domain.people.deciding` decide, and writes.

Each step is one transaction with its audit entry. It may wait for a code first, in `telephony.store.awaited`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from telephony.domain.audit import Looked
from telephony.domain.people.deciding import confirmed_by_code, decide, decide_refusal, target
from telephony.domain.people.decisions import (
    Ask,
    Changes,
    Decision,
    Delete,
    Enrol,
    Letter,
    Question,
    Renumber,
    Replace,
    Stop,
)
from telephony.domain.people.named_guardians import has_agreed
from telephony.domain.people.person import Person
from telephony.domain.people.problems import Fault
from telephony.domain.people.steps import USSD, Asker, number_of
from telephony.domain.people.texts import Text
from telephony.domain.values import Msisdn
from telephony.store.audit import append
from telephony.store.awaited import (
    CONCERNED,
    MOST_OF_A_KIND,
    Awaited,
    awaited_from,
    expect,
    failures_of,
    settle_all_of,
)
from telephony.store.enrolment_orders import (
    KINDS,
    MOST_FAILURES,
    OWN,
    Asked,
    Order,
    Outcome,
    OwnOrder,
    RepliedOrder,
    kind_of,
)
from telephony.store.enrolment_payloads import is_about, payload_of
from telephony.store.enrolment_waits import note_question, settle_question
from telephony.store.people import Registry


class Enrolling:
    """Reads the facts by which a step is decided, and writes the decision.

    Everything raises `KeysUnavailable`, and `Damaged` for a record that cannot be read.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def find(self, connection: Connection, phone: Msisdn) -> Person | None:
        """Return the person who has this number."""
        return self._registry.find(connection, phone)

    def wards_of(self, connection: Connection, phone: Msisdn, adult_age: int, now: datetime) -> list[Person]:
        """Return the minors for whom this phone is a guardian who agreed."""
        return [
            person
            for person in self._registry.guarded_by(connection, phone)
            if person.is_minor_on(now.date(), adult_age) and has_agreed(person, phone)
        ]

    def carry_out(self, connection: Connection, order: Order) -> Outcome:
        """Do a step, whole or not at all; the reply that was awaited for it is settled with it."""
        decision = self._decision(connection, order)
        if isinstance(decision, Stop):
            return _stopped(decision)
        if isinstance(order, RepliedOrder) and not _settled(connection, order):
            return Outcome(Text.NOTHING_AWAITED)
        return self._do(connection, order, decision)

    def ask_back(self, connection: Connection, order: OwnOrder) -> Outcome:
        """Wait for the code from the very phone that asks; gives the question, or why the step could not be done.

        Whatever that phone has asked before and not confirmed is forgotten. A phone from which too many wrong codes
        came is asked nothing.
        """
        asker, terms = order.asker, order.terms
        if is_locked(connection, asker):
            return Outcome(None)
        decision = self._decision(connection, order)
        if isinstance(decision, Stop):
            return _stopped(decision)
        settle_all_of(connection, asker.phone, OWN)
        step, text = confirmed_by_code(order.step, decision, asker.language)
        if (
            text is Text.CODE_TO_REGISTER
            and decision.question
            and _owed(connection, decision.question, asker)[1]
        ):
            text = Text.CODE_TO_ASK_AGAIN
        payload = payload_of(terms.code, step, asker.language)
        key = expect(connection, asker.phone, OWN, payload, asker.now, terms.expires_at, is_sent=False)
        return Outcome(text, {**decision.facts, "code": terms.code}, question=key)

    def refuse(self, connection: Connection, order: RepliedOrder) -> Outcome:
        """Note that the person who was asked does not agree."""
        if not _settled(connection, order):
            return Outcome(Text.NOTHING_AWAITED)
        known = self._registry.find(connection, number_of(order.step, order.asker.phone))
        return self._do(connection, order, decide_refusal(order.step, known, order.asker))

    def _decision(self, connection: Connection, order: Order) -> Decision:
        """Return the decision about a step, unless a phone that is to be asked owes us too many replies already."""
        step, asker = order.step, order.asker
        known = self._registry.find(connection, number_of(step, asker.phone))
        to = target(step, asker)
        is_taken = known is not None and to is not None and self._registry.find(connection, to) is not None
        decision = decide(step, known, asker, order.terms.rules, is_taken=is_taken)
        if isinstance(decision, Stop) or decision.question is None:
            return decision
        standing, same = _owed(connection, decision.question, asker)
        return Stop(Text.TOO_MANY_QUESTIONS) if standing - len(same) >= MOST_OF_A_KIND else decision

    def _do(self, connection: Connection, order: Order, decision: Changes | Ask) -> Outcome:
        letters: tuple[Letter, ...] = ()
        if isinstance(decision, Changes):
            number, asker, note = number_of(order.step, order.asker.phone), order.asker, decision.note
            if (stop := self._write(connection, decision, number, asker.now)) is not None:
                return _stopped(stop)
            if note is not None:
                who = f"by {asker.means} of {note.who}"
                append(connection, Looked(who, note.what, number.number, note.why, asker.now))
            letters = decision.letters
        asked = None if decision.question is None else _asked(connection, decision.question, order)
        return Outcome(decision.text, decision.facts, letters=letters, asked=asked)

    def _write(self, connection: Connection, decision: Changes, number: Msisdn, now: datetime) -> Stop | None:
        """Write the decision; where another writer came between, nothing is written and the reason is returned."""
        match decision.write:
            case Enrol(draft):
                (result,) = self._registry.enrol(connection, [draft], now)
                if isinstance(result, Fault):
                    return Stop(faults=(result,))
            case Replace(person):
                self._registry.change(connection, number, lambda _: person, now)
            case Renumber() as renumber:
                return self._renumber(connection, renumber, number, now)
            case Delete(numbers):
                self._registry.delete(connection, number)
                for each in numbers:
                    for kind in (*KINDS, CONCERNED):
                        settle_all_of(connection, each, kind)
            case None:
                pass
        return None

    def _renumber(
        self, connection: Connection, renumber: Renumber, old: Msisdn, now: datetime
    ) -> Stop | None:
        try:
            self._registry.change_number(connection, old, renumber.new, now)
        except ValueError:
            return Stop(Text.NUMBER_TAKEN)
        if renumber.carrier:
            self._registry.change_carrier(connection, renumber.new, renumber.carrier, now)
        return None


def is_locked(connection: Connection, asker: Asker) -> bool:
    """Whether so many wrong codes came from this phone today that nothing of it counts by SMS: its number may be forged."""
    return asker.means != USSD and failures_of(connection, asker.phone, asker.now) >= MOST_FAILURES


def _settled(connection: Connection, order: RepliedOrder) -> bool:
    return settle_question(connection, order.asker.phone, order.awaited, order.step, order.asker.now)


def _stopped(stop: Stop) -> Outcome:
    return Outcome(stop.text, stop.facts, stop.faults)


def _owed(connection: Connection, question: Question, asker: Asker) -> tuple[int, list[Awaited]]:
    """Return how many such replies the phone owes that is to be asked, and those to the same question."""
    to, kind = question.letter.to, kind_of(question.step)
    standing = awaited_from(connection, to, kind, now=asker.now, is_unsent_too=True)
    return len(standing), [each for each in standing if is_about(each.payload, question.step.number)]


def _asked(connection: Connection, question: Question, order: Order) -> Asked:
    """Wait for another phone's reply. The same question replaces the earlier one."""
    asker, terms, letter = order.asker, order.terms, question.letter
    for each in _owed(connection, question, asker)[1]:
        settle_question(connection, letter.to, each.key, question.step, asker.now)
    payload, kind = payload_of(terms.code, question.step, asker.language), kind_of(question.step)
    key = expect(connection, letter.to, kind, payload, asker.now, terms.expires_at, is_sent=False)
    note_question(connection, question, key, asker.now, terms.expires_at)
    return Asked(_with_code(letter, terms.code), key)


def _with_code(letter: Letter, code: str) -> Letter:
    return replace(letter, facts={**letter.facts, "code": code})
