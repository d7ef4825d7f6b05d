"""A report as octets and back, with all that its words at 112 are made of: what is told again must be the same."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

from pydantic import TypeAdapter

from telephony.domain.report import Report

_REPORTS: Final = TypeAdapter(Report)


def octets_of(report: Report) -> bytes:
    """Return the report as JSON."""
    facts = tuple([replace(fact, data=dict(fact.data)) for fact in report.facts])
    known: Any = _REPORTS.dump_python(replace(report, facts=facts), mode="json")
    return json.dumps(known, separators=(",", ":")).encode()


def report_in(octets: bytes) -> Report:
    """Return the report that octets hold. Raises `ValueError` or `Malformed` where they hold none."""
    return _REPORTS.validate_python(json.loads(octets))
