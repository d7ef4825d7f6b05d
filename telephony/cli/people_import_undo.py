"""Undoes an import of people, row by row, and lists the imports that can be undone."""

from __future__ import annotations

import secrets
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from telephony.cli.audited import write_entry
from telephony.cli.echo import echo
from telephony.cli.people_import_words import lines
from telephony.cli.progress import bar
from telephony.cli.registry import empty_the_log
from telephony.domain.audit import TRIED_UNDO, UNDID_IMPORT
from telephony.store.import_undo import Row, Undone, undo_page, undoable

if TYPE_CHECKING:
    from telephony.cli.registry import OpenRegistry
    from telephony.domain.people.person import Language

MOST_LINES: Final = 20
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""None that looks like another."""
_WORDS: Final = {
    Undone.DELETED: ("삭제", "deleted"),
    Undone.BROUGHT_BACK: ("되돌림", "brought back"),
    Undone.GONE: ("이미 없음", "gone already"),
    Undone.KEPT: ("그 뒤에 바뀌어 그대로 둠", "kept, changed since"),
}


def new_name() -> str:
    """Return a name for an import: the day, and four letters."""
    return f"{datetime.now(UTC):%m%d}-{''.join(secrets.choice(_LETTERS) for _ in range(4))}"


def list_undoable(opened: OpenRegistry, language: Language) -> None:
    """List the imports that can be undone, the latest last."""
    with opened.reading.connect() as connection:
        found = undoable(connection, datetime.now(UTC))
    zone = opened.settings.service.zone
    for each in found:
        at = each.made_at.astimezone(zone)
        echo(f"{each.name}  {at:%Y-%m-%d %H:%M %Z}  {each.rows:,}{'행' if language == 'ko' else ' rows'}")
    if not found:
        echo("되돌릴 수 있는 가져오기가 없습니다" if language == "ko" else "there is no import to be undone")


def run_undo(opened: OpenRegistry, name: str, why: str, language: Language, *, is_dry_run: bool) -> bool:
    """Undo an import and say what came of it; False where somebody stays who was changed since."""
    is_korean = language == "ko"
    with opened.reading.connect() as connection:
        sizes = {each.name: each.rows for each in undoable(connection, datetime.now(UTC))}
        if name not in sizes:
            raise click.ClickException(
                f"{name}: 되돌릴 수 있는 가져오기가 아닙니다. `onetouch people undo`가 목록을 보입니다"
                if is_korean
                else f"{name} is no import that can be undone; `onetouch people undo` lists them"
            )
    what = TRIED_UNDO if is_dry_run else UNDID_IMPORT
    write_entry(opened.settings, opened.writing, what, name, why)
    counted: Counter[Undone] = Counter()
    kept: list[int] = []
    after = 0
    with bar("undoing", sizes[name]) as advance:
        while (page := _page(opened, name, after, is_dry_run=is_dry_run)) is not None:
            rows, after = page
            counted.update(row.outcome for row in rows)
            kept += [row.line for row in rows if row.outcome is Undone.KEPT]
            advance(counted.total())
    if not is_dry_run:
        empty_the_log(opened)
    if kept:
        echo(
            f"{_WORDS[Undone.KEPT][0 if is_korean else 1]}: {lines(kept[:MOST_LINES], len(kept), language)}",
            err=True,
        )
    said = ", ".join(f"{words[0 if is_korean else 1]} {counted[each]:,}" for each, words in _WORDS.items())
    tried = "시험 실행, 아무것도 쓰지 않음: " if is_korean else "dry run, nothing written: "
    echo(f"{tried if is_dry_run else ''}{said}")
    return not kept


def _page(opened: OpenRegistry, name: str, after: int, *, is_dry_run: bool) -> tuple[list[Row], int] | None:
    now = datetime.now(UTC)
    if is_dry_run:
        with opened.reading.connect() as connection:
            return undo_page(connection, opened.registry, name, after, now, is_dry_run=True)
    return opened.write(lambda connection: undo_page(connection, opened.registry, name, after, now))
