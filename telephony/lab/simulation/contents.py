"""What every report must say, whatever it is about: a promise and a function that finds it broken in one report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from telephony.lab.psap import ReceivedReport


def _not_valid(report: ReceivedReport) -> str | None:
    return report.fault


OF_EVERY_REPORT: Final[Mapping[str, Callable[[ReceivedReport], str | None]]] = MappingProxyType(
    {"reports are valid CAP": _not_valid}
)
"""By promise: says how a report breaks it, or None."""
