"""The words of `onetouch people import`, in Korean and in English: headings, rows passed over, faults, changes, counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from telephony.people_files.headers import heading
from telephony.people_files.not_people import NoPerson

if TYPE_CHECKING:
    from telephony.domain.people.person import Language
    from telephony.people_files.headers import Heading

_KINDS: Final[Mapping[NoPerson, tuple[str, str]]] = {
    NoPerson.SUM: ("합계", "a sum"),
    NoPerson.NOTE: ("설명", "a note"),
    NoPerson.EMPTY: ("이름·생년월일·번호가 없는 행", "no name, birth date or number"),
    NoPerson.HEADINGS: ("되풀이된 제목", "the headings again"),
    NoPerson.EXAMPLE: ("양식의 예시", "the example"),
}
_OUTCOMES: Final = {"added": "추가", "changed": "변경", "unchanged": "그대로"}


def headings_found(found: Heading, language: Language) -> str:
    """Say in which row the headings were found."""
    if language == "ko":
        both = " (두 행을 함께 읽음)" if len(found.lines) > 1 else ""
        return f"제목 행: {lines(found.lines, len(found.lines), language)}{both}"
    return f"headings: {lines(found.lines, len(found.lines), language)}"


def ignored_columns(found: Heading, language: Language) -> str:
    """Name the columns that mean nothing to us."""
    return f"{'쓰지 않는 열' if language == 'ko' else 'ignored columns'}: {', '.join(found.ignored)}"


def passed_over(kinds: Mapping[NoPerson, tuple[list[int], int]], language: Language) -> list[str]:
    """Say which rows were taken for no people, a line for each kind."""
    is_korean = language == "ko"
    return [
        f"{'사람이 아님' if is_korean else 'not people'}, {_KINDS[kind][0 if is_korean else 1]}: "
        + lines(first, count, language)
        for kind, (first, count) in kinds.items()
    ]


def lines(first: Sequence[int | str], count: int, language: Language) -> str:
    """Name the first lines of some, and how many more there are."""
    named, more = ", ".join(map(str, first)), count - len(first)
    if language == "ko":
        return f"{named}행" + (f" 외 {more:,}행" if more else "")
    return f"line{'s' if count > 1 else ''} {named}" + (f" and {more:,} more" if more else "")


def tally(outcomes: Mapping[str, int], bad: int, language: Language, *, is_dry_run: bool) -> str:
    """Say what came of the rows."""
    if language == "ko":
        counted = [f"{_OUTCOMES[name]} {number:,}" for name, number in outcomes.items()]
        said = ", ".join([*counted, f"잘못된 행 {bad:,}"])
        return f"시험 실행, 아무것도 쓰지 않음: {said}" if is_dry_run else said
    counted = [f"{name} {number:,}" for name, number in outcomes.items()]
    said = ", ".join([*counted, f"bad rows {bad:,}"])
    return f"dry run, nothing written: {said}" if is_dry_run else said


def how_to_undo(name: str, undoable: int, language: Language) -> str:
    """Say how the import is undone, or that it cannot be."""
    if not undoable:
        return "바뀐 행이 너무 많아 되돌릴 수 없습니다" if language == "ko" else "too many rows to be undone"
    if language == "ko":
        return f"되돌리기(7일 안): onetouch people undo {name}"
    return f"to undo it, within 7 days: onetouch people undo {name}"


def exists(report: object, language: Language) -> str:
    """Say that a file for the report is there already."""
    if language == "ko":
        return f"{report}: 이미 있는 파일입니다. --report에 새 파일 이름을 주세요"
    return f"{report} exists already; name a new file for --report"


def field_name(field: str, language: Language) -> str:
    """Return the name of a field that a change names, beside those of a file: the order of guardians."""
    if field == "guardians":
        return "보호자 순서" if language == "ko" else "order of guardians"
    return heading(field, language)
