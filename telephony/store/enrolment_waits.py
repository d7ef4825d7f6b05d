"""What is kept beside a question to a guardian: for whose sake it was asked, and that the guardian is to be reminded once.

Both are rows of `telephony.store.awaited` that end with the question.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from telephony.domain.people.decisions import Letter, Question
from telephony.domain.people.letters import reminder
from telephony.domain.people.steps import BeGuardian, Consent, Step
from telephony.domain.values import Msisdn
from telephony.store.awaited import (
    CONCERNED,
    REMINDER,
    awaited_by,
    awaited_from,
    ending_until,
    expect,
    settle,
    settle_all_of,
)
from telephony.store.crypto import Damaged
from telephony.store.enrolment_payloads import code_of, language_of, step_of
from telephony.store.people import Registry
from telephony.store.silence import is_silenced


def note_question(
    connection: Connection, question: Question, key: int, now: datetime, expires_at: datetime
) -> None:
    """Note whom a question concerns who is not registered yet, and that a guardian is to be reminded of it."""
    if isinstance(question.step, Consent):
        said = {"question": key, "guardian": question.letter.to.number}
        expect(connection, question.step.number, CONCERNED, said, now, expires_at)
    if isinstance(question.step, Consent | BeGuardian):
        expect(connection, question.letter.to, REMINDER, {"question": key}, now, expires_at)


def settle_question(connection: Connection, phone: Msisdn, key: int, step: Step, now: datetime) -> bool:
    """Wait for no reply of this phone any more, and forget what was noted beside; False where somebody else has settled it."""
    if isinstance(step, Consent):
        settle_all_of(connection, step.number, CONCERNED)
    for each in awaited_from(connection, phone, REMINDER, now=now):
        if each.payload["question"] == key:
            settle(connection, each.key)
    return settle(connection, key)


def guardian_awaited(connection: Connection, phone: Msisdn, now: datetime) -> Msisdn | None:
    """Return the guardian whose consent to this phone's signing up is awaited. Raises `KeysUnavailable`."""
    for each in awaited_from(connection, phone, CONCERNED, now=now):
        if awaited_by(connection, int(each.payload["question"]), now) is not None:
            return Msisdn(str(each.payload["guardian"]))
    return None


def reminders_due(connection: Connection, until: datetime, now: datetime) -> Sequence[tuple[Msisdn, int]]:
    """Return the phones to be reminded of questions that end until then, each with the key of the reminder.

    Raises `KeysUnavailable`.
    """
    return [(phone, each.key) for phone, each in ending_until(connection, REMINDER, until, now)]


def take_reminder(connection: Connection, registry: Registry, key: int, now: datetime) -> Letter | None:
    """Take a reminder, which nobody else can then; return its letter, or none where there is nothing to remind of.

    A phone for which silence holds is reminded when its incident is over: then nothing is taken. Of a person who cannot be
    read nobody is reminded. Raises `KeysUnavailable`.
    """
    noted = awaited_by(connection, key, now)
    if noted is None or is_silenced(connection, [noted[0]]) or not settle(connection, key):
        return None
    asked = awaited_by(connection, int(noted[1].payload["question"]), now)
    if asked is None:
        return None
    phone, question = asked
    try:
        step = step_of(question.payload)
        known = registry.find(connection, step.number) if isinstance(step, BeGuardian) else None
    except Damaged:
        return None
    return reminder(step, phone, known, language_of(question.payload), code_of(question.payload))
