"""Takes replies to questions of enrolment: compares the code, and carries out the step that waited for it."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from telephony.domain.people.steps import USSD, Asker
from telephony.domain.people.texts import Text
from telephony.store.awaited import Awaited, awaited_from, failed, settle_all_of
from telephony.store.enrolment_orders import KINDS, MOST_FAILURES, OWN, Outcome, RepliedOrder, Terms
from telephony.store.enrolment_payloads import code_of, language_of, step_of
from telephony.store.enrolment_steps import Enrolling, is_locked


@dataclass(frozen=True, slots=True)
class Reply:
    """A phone's answer: the code, empty where it wrote none, and whether it agrees."""

    code: str = field(repr=False)
    agrees: bool


def take_reply(
    connection: Connection, enrolling: Enrolling, asker: Asker, terms: Terms, reply: Reply
) -> Outcome | None:
    """Carry out, or refuse, the step that waits for this reply; ``None`` where the phone owes us none.

    ``asker`` tells whose reply it is, how it came, and what it says beside. Wrong codes count against the phone, not
    against the question: asking again gives no more attempts. Of a phone that had too many no reply counts by SMS.
    """
    waiting = [each for kind in KINDS for each in awaited_from(connection, asker.phone, kind, now=asker.now)]
    if not waiting:
        return None
    if is_locked(connection, asker):
        return Outcome(None)
    if not reply.code:
        # The network vouches for a phone that dialled the menu; there a yes is enough, where it is clear to what.
        meant = [each for each in waiting if each.kind != OWN] if asker.means == USSD else []
        if len(meant) != 1:
            return _in_language_of(waiting, Outcome(Text.CODE_NEEDED))
    else:
        # Every code is compared, and each in constant time: how long it takes tells nothing.
        meant = [each for each in waiting if _is_same(code_of(each.payload), reply.code)]
        if not meant:
            return _in_language_of(waiting, _count_failure(connection, asker))
    found = meant[0]
    asker = replace(asker, language=language_of(found.payload))
    order = RepliedOrder(step_of(found.payload), asker, terms, found.key)
    outcome = enrolling.carry_out(connection, order) if reply.agrees else enrolling.refuse(connection, order)
    return _in_language_of(meant, outcome)


def _is_same(code: str, written: str) -> bool:
    return hmac.compare_digest(code.encode(), written.encode())


def _count_failure(connection: Connection, asker: Asker) -> Outcome:
    left = MOST_FAILURES - failed(connection, asker.phone, asker.now)
    if left <= 0:
        settle_all_of(connection, asker.phone, OWN)
        return Outcome(Text.CODE_ENDED)
    return Outcome(Text.WRONG_CODE, {"left": str(left)})


def _in_language_of(waiting: Sequence[Awaited], outcome: Outcome) -> Outcome:
    return replace(outcome, language=language_of(waiting[0].payload))
