"""What a person has asked by phone, carried out: each step within one transaction, with its audit entry.

A step is what somebody asked, as JSON, so that it can wait for a code in `telephony.store.awaited`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from telephony.domain.audit import CHANGED_PERSON, CONSENT_WITHDRAWN, DELETED_PERSON, Looked
from telephony.domain.consent_items import consent_text
from telephony.domain.enrolment import draft_of
from telephony.domain.enrolment_texts import last_digits
from telephony.domain.guardian import is_same_phone
from telephony.domain.people import MOST_GUARDIANS, Draft, Fault, GuardianEntry, Person
from telephony.domain.values import Msisdn
from telephony.store.audit import append
from telephony.store.awaited import (
    MOST_OF_A_KIND,
    awaited_from,
    expect,
    failures_of,
    settle,
    settle_all_of,
)
from telephony.store.bulk import execute
from telephony.store.enrolment_orders import (
    CONSENT,
    GUARDIAN,
    KINDS,
    MOST_FAILURES,
    NUMBER,
    OWN,
    USSD,
    Letter,
    Order,
    Outcome,
    Stopped,
)
from telephony.store.people import Registry

OWN_NUMBER = Fault(
    "guardian_phone",
    "a guardian has the person's own number, and that phone must not ring",
    "write the guardian's own number",
)


_SIGNED_UP = frozenset({"registered", "registered, guardian asked"})
"""What is told when somebody has signed up on their own consent."""


class Enrolling:
    """Carries out steps. ``opens_to`` are the cohorts or carriers that may sign up by themselves; empty: all.

    Everything raises `KeysUnavailable`, and `Damaged` for a record that cannot be read.
    """

    def __init__(self, registry: Registry, *, adult_age: int, opens_to: frozenset[str] = frozenset()) -> None:
        self._registry = registry
        self._adult_age = adult_age
        self._opens_to = opens_to
        self._steps: Mapping[str, Callable[[Connection, Order], Outcome]] = {
            "register": self._register,
            "consent": self._consent,
            "add guardian": self._add_guardian,
            "guardian agreed": self._guardian_agreed,
            "remove guardian": self._remove_guardian,
            "change": self._change,
            "change number": self._change_number,
            "move": self._move,
            "cancel": self._cancel,
        }

    def find(self, connection: Connection, phone: Msisdn) -> Person | None:
        """Give who has this number."""
        return self._registry.find(connection, phone)

    def wards_of(self, connection: Connection, phone: Msisdn, now: datetime) -> list[Person]:
        """Give the minors for whom this phone is a guardian who agreed."""
        return [
            person
            for person in self._registry.guarded_by(connection, phone)
            if person.is_minor_on(now.date(), self._adult_age) and _has_agreed(person, phone)
        ]

    def carry_out(self, connection: Connection, order: Order) -> Outcome:
        """Do a step, whole or not at all; the reply that was awaited for it is settled with it."""
        execute(connection, "SAVEPOINT step")
        try:
            outcome = self._done(connection, order)
        except Stopped as stopped:
            execute(connection, "ROLLBACK TO SAVEPOINT step")
            outcome = stopped.outcome
        execute(connection, "RELEASE SAVEPOINT step")
        return outcome

    def _done(self, connection: Connection, order: Order) -> Outcome:
        if order.awaited is not None and not settle(connection, order.awaited):
            raise Stopped("nothing awaited")
        return self._steps[order.step["do"]](connection, order)

    def ask_back(self, connection: Connection, order: Order) -> Outcome:
        """Wait for the code from the very phone that asks; gives the question, or why the step could not be done.

        Whatever that phone has asked before and not confirmed is forgotten. A phone from which too many wrong codes
        came is asked nothing.
        """
        if is_locked(connection, order):
            return Outcome("", is_done=False)
        execute(connection, "SAVEPOINT rehearsal")
        outcome = self.carry_out(connection, order)
        execute(connection, "ROLLBACK TO SAVEPOINT rehearsal")
        execute(connection, "RELEASE SAVEPOINT rehearsal")
        if not outcome.is_done:
            return outcome
        settle_all_of(connection, order.phone, OWN)
        step, text = dict(order.step), f"code: {order.step['do']}"
        if outcome.text in _SIGNED_UP:
            # The code is the consent: of a minor the guardian's reply is.
            step["text"], text = consent_text(order.language), "consent: own"
        payload = {"code": order.code, "step": step, "language": order.language}
        key = expect(connection, order.phone, OWN, payload, order.now, order.expires_at, is_sent=False)
        return Outcome(text, {**outcome.facts, "code": order.code}, question=key)

    def refuse(self, connection: Connection, order: Order) -> Outcome:
        """Note that whoever was asked does not agree."""
        if order.awaited is None or not settle(connection, order.awaited):
            return Outcome("nothing awaited", is_done=False)
        if order.step["do"] not in ("guardian agreed", "consent"):
            return Outcome("declined")
        known = self._registry.find(connection, order.number)
        if (
            order.step["do"] == "guardian agreed"
            and known is not None
            and not _has_agreed(known, order.phone)
        ):
            self._registry.change(
                connection, order.number, lambda person: _without(person, order.phone), order.now
            )
            self._note(connection, order, CHANGED_PERSON, "the guardian refused", "the guardian")
        told = _letter(order.number, "told: declined", known, order, digits=last_digits(order.phone))
        return Outcome("declined", letters=(told,))

    # -- signing up --------------------------------------------------------------------------------------------

    def _register(self, connection: Connection, order: Order) -> Outcome:
        draft = _draft(order, order.step["fields"])
        known = self._registry.find(connection, order.phone)
        if not self._is_open_to(known, order.carrier):
            raise Stopped("not open")
        guardian = replace(draft.guardians[0], is_confirmed=False) if draft.guardians else None
        if draft.is_minor_on(order.now.date(), self._adult_age):
            return self._ask_consent(connection, order, draft, guardian)
        guardians = _with_guardian(known, guardian)
        self._enrol(
            connection,
            order,
            replace(
                draft,
                guardians=guardians,
                consent_by=draft.name,
                consent_means=order.means,
                **_what_was_agreed(order),
            ),
        )
        self._note(connection, order, CHANGED_PERSON, "signed up", "the person")
        facts = {"name": draft.name}
        if guardian is None or any(each.phone == guardian.phone and each.is_confirmed for each in guardians):
            return Outcome("registered", facts)
        asked = self._ask_guardian(connection, order, draft.name, guardian)
        facts["digits"] = last_digits(guardian.phone)
        return Outcome("registered, guardian asked", facts, letters=(asked,))

    def _ask_consent(
        self, connection: Connection, order: Order, draft: Draft, guardian: GuardianEntry | None
    ) -> Outcome:
        # Whatever would keep the guardian's consent from counting is told now, to whoever can correct it.
        named = () if guardian is None else (guardian,)
        rehearsed = replace(draft, guardians=named, consent_by="guardian", consent_means=order.means)
        (result,) = self._registry.enrol(connection, [rehearsed], order.now, is_dry_run=True)
        if isinstance(result, Fault):
            raise Stopped("", result)
        if guardian is None:
            # They may have guardians already: the one who agrees now has to be named all the same.
            raise Stopped("", Fault("guardian1_phone", "is empty", "write the guardian's telephone number"))
        step = {
            "do": "consent",
            "number": order.phone.number,
            "fields": dict(order.step["fields"]),
            "means": order.means,
            "carrier": order.carrier,
            "text": consent_text(order.language),
        }
        question = self._expect(connection, order, guardian.phone, CONSENT, step)
        facts = {"name": draft.name, "digits": last_digits(order.phone), "code": order.code}
        asked = Letter(guardian.phone, "ask consent", order.language, facts, question=question)
        told = {"name": draft.name, "digits": last_digits(guardian.phone)}
        return Outcome("consent asked", told, letters=(asked,))

    def _consent(self, connection: Connection, order: Order) -> Outcome:
        draft = _draft(order, order.step["fields"])
        known = self._registry.find(connection, order.number)
        guardian = replace(draft.guardians[0], phone=order.phone, is_confirmed=True)
        asked_by = order.step["means"]
        self._enrol(
            connection,
            order,
            replace(
                draft,
                guardians=_with_guardian(known, guardian),
                consent_by=f"{guardian.relation or 'guardian'} {order.phone.international}",
                consent_means=order.means if asked_by == order.means else f"{asked_by} + {order.means}",
                **_what_was_agreed(order),
            ),
        )
        self._note(connection, order, CHANGED_PERSON, "signed up with a guardian's consent", "the guardian")
        facts = {"name": draft.name}
        told = Letter(order.number, "told: registered", order.language, facts, order.step["carrier"])
        return Outcome("consented", facts, letters=(told,))

    # -- guardians ---------------------------------------------------------------------------------------------

    def _add_guardian(self, connection: Connection, order: Order) -> Outcome:
        known = self._known(connection, order.phone)
        phone, relation = Msisdn(order.step["phone"]), order.step["relation"]
        if any(is_same_phone(phone, device.number) for device in known.devices):
            raise Stopped("", OWN_NUMBER)
        if _has_agreed(known, phone):
            raise Stopped("guardian known")
        guardian = GuardianEntry(phone, relation, order.language, is_confirmed=False)
        wanted = replace(known, guardians=_with_guardian(known, guardian))
        self._registry.change(connection, order.phone, lambda _: wanted, order.now)
        self._note(connection, order, CHANGED_PERSON, "named a guardian, who is asked", "the person")
        asked = self._ask_guardian(connection, order, known.name, guardian)
        return Outcome("guardian asked", {"digits": last_digits(phone)}, letters=(asked,))

    def _ask_guardian(
        self, connection: Connection, order: Order, name: str, guardian: GuardianEntry
    ) -> Letter:
        step = {"do": "guardian agreed", "number": order.phone.number}
        question = self._expect(connection, order, guardian.phone, GUARDIAN, step)
        facts = {"name": name, "digits": last_digits(order.phone), "code": order.code}
        return Letter(guardian.phone, "ask guardian", order.language, facts, question=question)

    def _guardian_agreed(self, connection: Connection, order: Order) -> Outcome:
        known = self._registry.find(connection, order.number)
        if known is None or _guardian_of(known, order.phone) is None:
            # Cancelled, or taken out again, since they were asked.
            return Outcome("nothing awaited", is_done=False)
        guardians = tuple(
            replace(each, is_confirmed=True) if each.phone == order.phone else each
            for each in known.guardians
        )
        self._registry.change(
            connection, order.number, lambda person: replace(person, guardians=guardians), order.now
        )
        self._note(connection, order, CHANGED_PERSON, "a guardian agreed", "the guardian")
        told = _letter(order.number, "told: guardian agreed", known, order, digits=last_digits(order.phone))
        return Outcome("guardian agreed", {"name": known.name}, letters=(told,))

    def _remove_guardian(self, connection: Connection, order: Order) -> Outcome:
        known = self._known(connection, order.phone)
        phone = Msisdn(order.step["phone"])
        if _guardian_of(known, phone) is None:
            raise Stopped("no such guardian")
        left = _without(known, phone)
        is_minor = known.is_minor_on(order.now.date(), self._adult_age)
        if is_minor and not any(each.is_confirmed for each in left.guardians):
            raise Stopped("last guardian")
        self._registry.change(connection, order.phone, lambda _: left, order.now)
        self._note(connection, order, CHANGED_PERSON, "removed a guardian", "the person")
        return Outcome("guardian removed", {"digits": last_digits(phone)})

    # -- changes -----------------------------------------------------------------------------------------------

    def _change(self, connection: Connection, order: Order) -> Outcome:
        known = self._known(connection, order.phone)
        name, value = order.step["field"], order.step["value"]
        if not value:
            raise Stopped("", Fault(name, "is empty", "write it"))
        texts = {
            "name": known.name,
            "birth_date": known.birth_date.isoformat(),
            "number": order.phone.international,
        }
        self._enrol(connection, order, _draft(order, {**texts, name: value}))
        self._note(connection, order, CHANGED_PERSON, f"changed the {name}", "the person")
        return Outcome("changed")

    def _change_number(self, connection: Connection, order: Order) -> Outcome:
        known = self._known(connection, order.phone)
        new = Msisdn(order.step["new"])
        if self._registry.find(connection, new) is not None:
            raise Stopped("number taken")
        if _guardian_of(known, new) is not None:
            raise Stopped("", OWN_NUMBER)
        step = {"do": "move", "number": order.phone.number}
        question = self._expect(connection, order, new, NUMBER, step)
        facts = {"name": known.name, "code": order.code}
        asked = Letter(new, "ask number", order.language, facts, question=question)
        return Outcome("number asked", {"digits": last_digits(new)}, letters=(asked,))

    def _move(self, connection: Connection, order: Order) -> Outcome:
        known = self._known(connection, order.number)
        try:
            self._registry.change_number(connection, order.number, order.phone, order.now)
        except ValueError:
            raise Stopped("number taken") from None
        if order.carrier in order.rules.carriers:
            self._registry.change_carrier(connection, order.phone, order.carrier, order.now)
        self._note(connection, order, CHANGED_PERSON, "moved to another number", "the new number")
        told = _letter(order.number, "told: moved", known, order, digits=last_digits(order.phone))
        return Outcome("moved", {"name": known.name}, letters=(told,))

    def _cancel(self, connection: Connection, order: Order) -> Outcome:
        known = self._known(connection, order.number)
        is_own = order.number == order.phone
        is_minor = known.is_minor_on(order.now.date(), self._adult_age)
        if not is_own and not (is_minor and _has_agreed(known, order.phone)):
            raise Stopped("not registered")
        self._registry.delete(connection, order.number)
        for device in known.devices:
            for kind in KINDS:
                settle_all_of(connection, device.number, kind)
        if is_own:
            self._note(connection, order, DELETED_PERSON, "cancelled", "the person")
        else:
            self._note(connection, order, CONSENT_WITHDRAWN, "deleted with the consent", "the guardian")
        concerned = [] if is_own else [known.devices[0].number]
        if is_minor:
            agreed = [each.phone for each in known.guardians if each.is_confirmed]
            concerned += [phone for phone in agreed if phone != order.phone]
        letters = tuple(_letter(to, "told: cancelled", known, order) for to in concerned)
        return Outcome("cancelled", {"name": known.name}, letters=letters)

    # -- parts -------------------------------------------------------------------------------------------------

    def _known(self, connection: Connection, number: Msisdn) -> Person:
        found = self._registry.find(connection, number)
        if found is None:
            raise Stopped("not registered")
        return found

    def _enrol(self, connection: Connection, order: Order, draft: Draft) -> None:
        (result,) = self._registry.enrol(connection, [draft], order.now)
        if isinstance(result, Fault):
            raise Stopped("", result)

    def _expect(
        self, connection: Connection, order: Order, phone: Msisdn, kind: str, step: Mapping[str, Any]
    ) -> int:
        """Wait for another phone's reply, unless it owes too many already. The same question replaces the earlier one."""
        standing = awaited_from(connection, phone, kind, now=order.now, is_unsent_too=True)
        same = [each for each in standing if each.payload["step"]["number"] == step["number"]]
        if len(standing) - len(same) >= MOST_OF_A_KIND:
            raise Stopped("too many questions")
        for each in same:
            settle(connection, each.key)
        payload = {"code": order.code, "step": dict(step), "language": order.language}
        return expect(connection, phone, kind, payload, order.now, order.expires_at, is_sent=False)

    def _note(self, connection: Connection, order: Order, what: str, why: str, who: str) -> None:
        append(connection, Looked(f"by {order.means} of {who}", what, order.number.number, why, order.now))

    def _is_open_to(self, known: Person | None, carrier: str) -> bool:
        if not self._opens_to or carrier in self._opens_to:
            return True
        return known is not None and known.texts.get("cohort", "") in self._opens_to


def is_locked(connection: Connection, order: Order) -> bool:
    """Whether so many wrong codes came from this phone today that nothing of it counts by SMS: its number may be forged."""
    return order.means != USSD and failures_of(connection, order.phone, order.now) >= MOST_FAILURES


def _what_was_agreed(order: Order) -> dict[str, Any]:
    """Return what a consent was given to; nothing where the question was put by a menu, or by an earlier release."""
    text = order.step.get("text", "")
    return {"consent_text": text, "consent_items": order.items} if text else {}


def _draft(order: Order, texts: Mapping[str, str]) -> Draft:
    draft = draft_of(texts, order.rules)
    if not isinstance(draft, Draft):
        raise Stopped("", *draft)
    return draft


def _letter(to: Msisdn, text: str, known: Person | None, order: Order, **facts: str) -> Letter:
    """Write to somebody in the language that they chose."""
    if known is None:
        return Letter(to, text, order.language, facts)
    guardian = _guardian_of(known, to)
    language = known.language or order.language if guardian is None else guardian.language
    carrier = next((device.carrier for device in known.devices if device.number == to), "")
    return Letter(to, text, language, {"name": known.name, **facts}, carrier)


def _guardian_of(person: Person, phone: Msisdn) -> GuardianEntry | None:
    return next((each for each in person.guardians if each.phone == phone), None)


def _has_agreed(person: Person, phone: Msisdn) -> bool:
    guardian = _guardian_of(person, phone)
    return guardian is not None and guardian.is_confirmed


def _with_guardian(known: Person | None, guardian: GuardianEntry | None) -> tuple[GuardianEntry, ...]:
    """Give the guardians with one more at the end; one who is there keeps the place, and an agreement once given.

    Raises `Stopped` where there are too many.
    """
    guardians = () if known is None else known.guardians
    if guardian is None:
        return guardians
    if any(each.phone == guardian.phone for each in guardians):
        return tuple(
            replace(each, is_confirmed=each.is_confirmed or guardian.is_confirmed)
            if each.phone == guardian.phone
            else each
            for each in guardians
        )
    if len(guardians) >= MOST_GUARDIANS:
        raise Stopped("too many guardians")
    return (*guardians, guardian)


def _without(person: Person, phone: Msisdn) -> Person:
    return replace(person, guardians=tuple(each for each in person.guardians if each.phone != phone))
