"""Writes CSV files: exports of people, and reports of rows that could not be taken, with the reason.

UTF-8 with a byte-order mark, which Excel in Korea needs; nothing in them makes a spreadsheet calculate, parts a cell or
hides in one (`telephony.safe_text`). Only their owner may read them.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from telephony.domain.guardians.standing import PAPERS
from telephony.domain.people.draft import FIELDS, GUARDIAN_PLACES
from telephony.domain.people.person import Language, Person
from telephony.domain.people.problems import Fault
from telephony.domain.people.row_faults import reason, remedy
from telephony.domain.values import Msisdn
from telephony.people_files.cells import harmless_cell
from telephony.people_files.headers import Heading, heading
from telephony.safe_text import one_line

FAULT_HEADINGS = {"ko": ("행", "열", "이유", "쓸 것"), "en": ("line", "column", "reason", "what to write")}


@contextmanager
def table_file(path: Path) -> Iterator[Any]:
    """Open a new CSV file, mode 0600, and give its ``csv.writer``. Raises `FileExistsError` rather than overwrite."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="") as file:
        yield csv.writer(file)


def bad_row_headings(found: Heading, language: Language) -> list[str]:
    """Return the headings of a report of bad rows: those of the file, so that it can be corrected and imported."""
    return [*map(_cell, found.cells), *FAULT_HEADINGS[language]]


def bad_row(
    found: Heading, cells: Sequence[str], line: int, faults: Sequence[Fault], language: Language
) -> list[str]:
    """Return a bad row: as it stood, but safe to open, and behind it the faults."""
    row = [_cell(cell) for cell in cells[: len(found.cells)]]
    row += [""] * (len(found.cells) - len(row))
    columns = _cell("; ".join(found.column_of(fault.field, language) for fault in faults))
    problems = _cell("; ".join(reason(fault, language) for fault in faults))
    remedies = _cell("; ".join(remedy(fault, language) for fault in faults))
    return [*row, str(line), columns, problems, remedies]


def export_headings(language: str) -> list[str]:
    """Return the headings of an export."""
    return [heading(name, language) for name in FIELDS]


def exported(person: Person, country_code: str, trunk_prefix: str) -> list[str]:
    """Return a person as a row that can be imported again. Of more devices or guardians than it has columns, the first."""
    texts: dict[str, str] = {
        **person.texts,
        "name": person.name,
        "birth_date": person.birth_date.isoformat(),
        "consent_by": person.consent.by,
        "consent_means": person.consent.means,
        "consent_date": person.consent.at.date().isoformat(),
    }
    for place, device in zip(("", "2"), person.devices, strict=False):
        texts[f"number{place}"] = national(device.number, country_code, trunk_prefix)
        texts[f"carrier{place}"] = device.carrier
        texts[f"device{place}"] = device.kind
    for number, guardian in zip(GUARDIAN_PLACES, person.guardians, strict=False):
        name = f"guardian{number}"
        texts[f"{name}_relation"] = guardian.relation
        texts[f"{name}_phone"] = national(guardian.phone, country_code, trunk_prefix)
        texts[f"{name}_language"] = guardian.language
        if guardian.standing is not None and guardian.standing.means == PAPERS:
            # Answers that guardians gave by phone are kept; a file cannot state them again.
            texts[f"{name}_age"] = guardian.standing.age
        texts[f"{name}_rounds"] = str(guardian.rounds) if guardian.rounds else ""
    return [_cell(texts.get(name, "")) for name in FIELDS]


def _cell(text: str) -> str:
    return harmless_cell(one_line(text))


def national(number: Msisdn, country_code: str, trunk_prefix: str) -> str:
    """Write a number as people do, 010-1234-5678, with hyphens so that Excel leaves it alone."""
    if not number.is_e164 or not number.number.startswith(country_code):
        return number.international
    digits = trunk_prefix + number.number[len(country_code) :]
    return f"{digits[:-8]}-{digits[-8:-4]}-{digits[-4:]}"
