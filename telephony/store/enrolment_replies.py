"""Replies to what enrolment has asked: the code is compared, and the step that waited for it is carried out."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from telephony.domain.consent_items import ALL_ITEMS, ConsentItem
from telephony.store.awaited import Awaited, awaited_from, failed, settle_all_of
from telephony.store.enrolling import Enrolling, is_locked
from telephony.store.enrolment_orders import KINDS, MOST_FAILURES, OWN, USSD, Order, Outcome


@dataclass(frozen=True, slots=True)
class Reply:
    """What a phone has answered: the code, empty where it wrote none, and whether it agrees."""

    code: str = field(repr=False)
    agrees: bool
    items: tuple[ConsentItem, ...] = ALL_ITEMS
    """To what, where it is a consent."""


def take_reply(connection: Connection, enrolling: Enrolling, order: Order, reply: Reply) -> Outcome | None:
    """Carry out, or refuse, what waits for this reply; ``None`` where the phone owes us none.

    ``order`` tells whose reply it is and how it came; its step is not looked at. Wrong codes count against the phone, not
    against the question: who asks again has no more of them. Of a phone that had too many no reply counts by SMS.
    """
    waiting = [each for kind in KINDS for each in awaited_from(connection, order.phone, kind, now=order.now)]
    if not waiting:
        return None
    if is_locked(connection, order):
        return Outcome("", is_done=False)
    if not reply.code:
        # The network vouches for a phone that dialled the menu; there a yes is enough, where it is clear to what.
        meant = [each for each in waiting if each.kind != OWN] if order.means == USSD else []
        if len(meant) != 1:
            return _in_language_of(waiting, Outcome("code needed", is_done=False))
    else:
        # Every code is compared, and each in constant time: how long it takes tells nothing.
        meant = [each for each in waiting if _is_same(each.payload["code"], reply.code)]
        if not meant:
            return _in_language_of(waiting, _count_failure(connection, order))
    found = meant[0]
    known = replace(
        order,
        step=found.payload["step"],
        language=found.payload["language"],
        awaited=found.key,
        items=reply.items,
    )
    outcome = enrolling.carry_out(connection, known) if reply.agrees else enrolling.refuse(connection, known)
    return _in_language_of(meant, outcome)


def _is_same(code: str, written: str) -> bool:
    return hmac.compare_digest(code.encode(), written.encode())


def _count_failure(connection: Connection, order: Order) -> Outcome:
    left = MOST_FAILURES - failed(connection, order.phone, order.now)
    if left <= 0:
        settle_all_of(connection, order.phone, OWN)
        return Outcome("code ended", is_done=False)
    return Outcome("wrong code", {"left": str(left)}, is_done=False)


def _in_language_of(waiting: Sequence[Awaited], outcome: Outcome) -> Outcome:
    return replace(outcome, language=waiting[0].payload["language"])
