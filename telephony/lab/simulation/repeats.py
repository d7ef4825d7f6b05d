"""Finds presses that cannot be taken for a redelivery: sent again long after the first was acknowledged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from telephony.lab.simulation.ledger import StoredIncident
from telephony.lab.simulation.people import Press

PROMPT_S: Final = 2.0
"""An answer within this time is that of the first attempt: an SMSC repeats later."""
APART_S: Final = 0.5
"""Between an acknowledgement and the next press: sooner, on another link, it may not have arrived."""
AROUND_S: Final = 5.0
"""No link of the carrier may have changed so shortly before the first press either."""


def least_count(
    presses: Iterable[Press], changes: Mapping[str, Sequence[float]], incident: StoredIncident
) -> int:
    """Return how many presses of an incident 112 must know of at least; ``changes`` are the links' by carrier.

    Those that were certainly pressed again, and the one that opened the incident where that is none of them.
    """
    hers = [press for press in presses if _is_of(press, incident)]
    if not hers:
        return 0
    first = min(hers, key=lambda press: press.answered_at or 0.0)
    certain = sum(1 for press in hers if is_repeat(press, changes[press.smsc]))
    return certain if is_repeat(first, changes[first.smsc]) else certain + 1


def is_repeat(press: Press, changes: Sequence[float]) -> bool:
    """Whether this is no redelivery of the press before it that said the same."""
    before = press.before
    if before is None or press.smsc != before.smsc or not _is_prompt(press) or not _is_prompt(before):
        return False
    assert press.answered_at is not None
    assert before.answered_at is not None
    is_apart = press.at - before.answered_at >= APART_S
    return is_apart and not any(before.at - AROUND_S <= moment <= press.answered_at for moment in changes)


def _is_prompt(press: Press) -> bool:
    return (
        press.first_answer == 0 and press.answered_at is not None and press.answered_at - press.at < PROMPT_S
    )


def _is_of(press: Press, incident: StoredIncident) -> bool:
    """Whether it was acknowledged, and while the incident was open: then it is one of its presses."""
    at = press.answered_at
    is_hers = press.caller.number == incident.number and press.first_answer == 0
    if at is None or not is_hers or at < incident.opened_at:
        return False
    return incident.closed_at is None or at < incident.closed_at
