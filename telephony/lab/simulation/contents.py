"""What every report must say, whatever it is about: a promise and a function that finds it broken in one report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from telephony.lab.psap import ReceivedReport
from telephony.lab.simulation.phones import AHEAD_M, UNDATED_M

_SIZES_OF_NO_AGE: Final = frozenset((f"{size_m:.0f}",) for size_m in (UNDATED_M, AHEAD_M))


def _not_valid(report: ReceivedReport) -> str | None:
    return report.fault


def _says_not_why(report: ReceivedReport) -> str | None:
    if report.msg_type == "Update" and not any(report.parameters.get("update-reason", ())):
        return f"{report.key} has no update-reason"
    return None


def _claims_an_age(report: ReceivedReport) -> str | None:
    """Nobody can say how old a fix is that came without a time, or with one to come."""
    told = report.parameters
    if told.get("location-uncertainty-m") not in _SIZES_OF_NO_AGE:
        return None
    claimed = [name for name in ("location-age-s", "location-time") if name in told]
    if claimed or told.get("location-age") != ("unknown",):
        return f"{report.key} says {', '.join(claimed) or 'nothing'} of a fix whose time nobody knows"
    return None


OF_EVERY_REPORT: Final[Mapping[str, Callable[[ReceivedReport], str | None]]] = MappingProxyType(
    {
        "reports are valid CAP": _not_valid,
        "an update says why": _says_not_why,
        "an age is honest": _claims_an_age,
    }
)
"""By promise: says how a report breaks it, or None."""
