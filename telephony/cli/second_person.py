"""Acts that take two people: one asks, and another approves it beforehand with a login of their own.

An approval is an entry of the audit chain, signed like all others. It is used up by the act, whose entry stands after it.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import click

from telephony.domain.audit import APPROVED

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from telephony.domain.audit import Looked

VALID: Final = timedelta(minutes=15)


class Act(StrEnum):
    """An act that a second person approves."""

    EXPORT = "export"
    ROTATION = "rotation"
    KEYS_OUT = "keys-out"
    RECORDINGS = "recordings"

    def request_of(self, uid: int) -> str:
        """Return the subject of the approval of this act for a person."""
        return f"{self} by uid {uid}"


class NotApproved(click.ClickException):
    """No second person has approved it, or the approval was used already."""


def approved(connection: Connection, act: Act, entry: Looked) -> Looked:
    """Return the entry of an act with the one who approved it, in the transaction that adds it. Raises `NotApproved`."""
    from dataclasses import replace  # noqa: PLC0415 - not needed for --help

    from telephony.store.audit import alone, newest  # noqa: PLC0415

    assert entry.seat is not None
    person = entry.seat.person_uid
    alone(connection)
    for kept in newest(connection, entry.at - VALID):
        seat = kept.looked.seat
        if seat is None:
            continue
        if kept.looked.what == entry.what and seat.person_uid == person:
            break  # an approval before the last such act was used by it
        is_asked = kept.looked.what == APPROVED and kept.looked.subject == act.request_of(person)
        if is_asked and seat.person_uid != person and kept.looked.at <= entry.at + VALID:
            why = f"approved by {kept.looked.who} in entry {kept.number}; {entry.why}"
            return replace(entry, why=why)
    raise NotApproved(
        "a second person has to approve this first, from an account of their own: "
        f"onetouch audit approve {act} --for {person}, at most {VALID.seconds // 60} minutes before"
    )
