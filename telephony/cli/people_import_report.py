"""Gathers what an import tells of its rows: faults that are alike as one, and who would change in which field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from telephony.cli.people_import_words import field_name, lines
from telephony.domain.people.changes import FieldChange, Kind, changes
from telephony.domain.people.person import Language, Person
from telephony.domain.people.problems import Fault, Problem
from telephony.domain.people.row_faults import IN_AN_EARLIER_LINE, reason, remedy

if TYPE_CHECKING:
    from telephony.people_files.headers import Heading

MOST_LINES: Final = 5
"""Lines that are named of one fault."""
MOST_FAULTS: Final = 20
MOST_CHANGES: Final = 20
"""Faults, and people who change, on the terminal."""
_KINDS: Final = {Kind.FILLED: "새로", Kind.CHANGED: "바뀜", Kind.EMPTIED: "지움"}


@dataclass
class _Alike:
    """Faults that are alike: the first of them, and in which lines they are."""

    fault: Fault
    first: list[str] = field(default_factory=list)
    count: int = 0


@dataclass
class Faults:
    """The faults of all rows, those that are alike counted as one with their first lines."""

    heading: Heading
    language: Language
    _alike: dict[Fault, _Alike] = field(default_factory=dict)

    def add(self, line: int, faults: tuple[Fault, ...]) -> None:
        """Count the faults of a row."""
        for fault in faults:
            # That a number stands in an earlier line is one kind, whichever line it is.
            is_earlier = fault.problem is Problem.IN_THE_FILE_ALREADY
            kind = Fault(fault.field, fault.problem) if is_earlier else fault
            alike = self._alike.setdefault(kind, _Alike(fault))
            alike.count += 1
            if len(alike.first) < MOST_LINES:
                alike.first.append(f"{line} (={fault.figure})" if is_earlier else str(line))

    def told(self) -> Iterator[str]:
        """Return the lines that tell them, the most frequent first."""
        alike = sorted(self._alike.values(), key=lambda each: -each.count)
        for each in alike[:MOST_FAULTS]:
            yield from self._told(each)
        if len(alike) > MOST_FAULTS:
            more = len(alike) - MOST_FAULTS
            yield (
                f"그 밖에 {more:,}가지. --report 파일에 모두 적습니다"
                if self.language == "ko"
                else f"and {more:,} more kinds; --report FILE writes all of them"
            )

    def _told(self, alike: _Alike) -> Iterator[str]:
        fault, language, count = alike.fault, self.language, alike.count
        column, what = self.heading.column_of(fault.field, language), reason(fault, language)
        first = alike.first
        if fault.problem is Problem.IN_THE_FILE_ALREADY:
            what = what if count == 1 else IN_AN_EARLIER_LINE[language]
            first = [each.partition(" ")[0] for each in first] if count == 1 else first
        where = lines(first, count, language)
        counted = "" if count == 1 else f" ({count:,}행)" if language == "ko" else f" ({count:,} rows)"
        yield f"{where}, {column}: {what}{counted}"
        yield f"    → {remedy(fault, language)}"


@dataclass
class Changed:
    """Who would change, and in which fields: of a person the line and a masked name, of a field its name alone."""

    language: Language
    _people: list[str] = field(default_factory=list)
    _fields: Counter[FieldChange] = field(default_factory=Counter)
    _count: int = 0

    def add(self, line: int, before: Person, after: Person) -> None:
        """Count a person who would change."""
        found = changes(before, after)
        self._fields.update(found)
        self._count += 1
        if len(self._people) < MOST_CHANGES:
            name = before.name[:1] + "○" * (len(before.name) - 1)
            where = lines([line], 1, self.language)
            self._people.append(f"  {where} {name}: {', '.join(self._named(each) for each in found)}")

    def told(self) -> Iterator[str]:
        """Return the lines that tell them: each person, and each field with how many."""
        if not self._count:
            return
        is_korean = self.language == "ko"
        yield f"바뀔 사람 {self._count:,}명:" if is_korean else f"{self._count:,} would change:"
        yield from self._people
        if self._count > len(self._people):
            more = self._count - len(self._people)
            yield f"  외 {more:,}명" if is_korean else f"  and {more:,} more"
        counted = [
            f"{self._named(each)} {count:,}{'명' if is_korean else ''}"
            for each, count in self._fields.most_common()
        ]
        yield ("항목별: " if is_korean else "by field: ") + ", ".join(counted)

    def _named(self, change: FieldChange) -> str:
        kind = _KINDS[change.kind] if self.language == "ko" else change.kind
        return f"{field_name(change.field, self.language)}({kind})"
