"""Shortens a report for a centre that refuses it as it is."""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum

from telephony.domain.report import SHORTENED, Report


class Size(IntEnum):
    """How much of a report is told."""

    WHOLE = 0
    SHORT = 1
    """The newest texts and facts, cut; the first and the last earlier report."""
    BARE = 2
    """Who, when, where, how often, and the alert that it updates."""


TEXTS, TEXT_LENGTH = 3, 160
FACTS, LABELS = 10, 5


def shortened(report: Report, size: Size) -> Report:
    """Return a report of this size under the same id: a centre that refused it has kept nothing of it.

    The caller's number, the times, the position and the reason of a closing are never left out.
    """
    if size is Size.WHOLE:
        return report
    labels = (*report.labels[:LABELS], SHORTENED)
    reason = None if report.close_reason is None else report.close_reason[:TEXT_LENGTH]
    if size is Size.BARE:
        return replace(
            report, texts=(), facts=(), labels=(SHORTENED,), earlier=report.earlier[:1], close_reason=reason
        )
    return replace(
        report,
        texts=tuple(text[:TEXT_LENGTH] for text in report.texts[-TEXTS:]),
        facts=report.facts[-FACTS:],
        labels=labels,
        earlier=(*report.earlier[:1], *report.earlier[1:][-1:]),
        close_reason=reason,
    )
