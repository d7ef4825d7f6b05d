"""Promises about the content of every single report, each with a function that finds it broken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from telephony.lab.centre.psap import ReceivedReport
from telephony.lab.simulation.phones import AHEAD_M, UNDATED_M

_SIZES_OF_NO_AGE: Final = frozenset((f"{size_m:.0f}",) for size_m in (UNDATED_M, AHEAD_M))


def _not_valid(report: ReceivedReport) -> str | None:
    return report.fault


def _says_not_why(report: ReceivedReport) -> str | None:
    if report.msg_type == "Update" and not any(report.parameters.get("update-reason", ())):
        return f"{report.key} has no update-reason"
    return None


def _claims_an_age(report: ReceivedReport) -> str | None:
    """Check that no age is claimed for a fix that came without a time, or with one in the future."""
    told = report.parameters
    if told.get("location-uncertainty-m") not in _SIZES_OF_NO_AGE:
        return None
    claimed = [name for name in ("location-age-s", "location-time") if name in told]
    if claimed or told.get("location-age") != ("unknown",):
        return f"{report.key} says {', '.join(claimed) or 'nothing'} of a fix whose time is not known"
    return None


OF_EVERY_REPORT: Final[Mapping[str, Callable[[ReceivedReport], str | None]]] = MappingProxyType(
    {
        "reports are valid CAP": _not_valid,
        "an update says why": _says_not_why,
        "an age is honest": _claims_an_age,
    }
)
"""By promise: says how a report breaks it, or None."""
