"""A report as octets and back, with all that its words at 112 are made of: what is told again must be the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter

from telephony.domain.facts import Fact
from telephony.domain.report import Report
from telephony.store.fact_rows import from_data, to_data


@dataclass(frozen=True, slots=True)
class _Row:
    """A fact as its row has it: files outlive the release that wrote them."""

    kind: str
    subject: str
    at: datetime
    data: Mapping[str, str] = field(repr=False)


_REPORTS: Final = TypeAdapter(Report)
_FACTS: Final = TypeAdapter(tuple[_Row, ...])


def octets_of(report: Report) -> bytes:
    """Return the report as JSON."""
    known: Any = _REPORTS.dump_python(replace(report, facts=()), mode="json")
    known["facts"] = _FACTS.dump_python(tuple(map(_row, report.facts)), mode="json")
    return json.dumps(known, separators=(",", ":")).encode()


def report_in(octets: bytes) -> Report:
    """Return the report that octets hold. Raises `ValueError` or `Malformed` where they hold none."""
    known = json.loads(octets)
    facts = _FACTS.validate_python(known.pop("facts", ()) if isinstance(known, dict) else ())
    report = _REPORTS.validate_python(known)
    return replace(report, facts=tuple(from_data(row.kind, row.subject, row.at, row.data) for row in facts))


def _row(known: Fact) -> _Row:
    return _Row(known.kind, known.subject, known.at, to_data(known))
