"""Presses that stand in the journal alone: while the store lacks them, their key must not be forgotten."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import click

from telephony.cli.echo import echo

if TYPE_CHECKING:
    from pathlib import Path

    from telephony.cli.registry import OpenRegistry
    from telephony.journal.looking import Standing
    from telephony.settings import Settings

WAITED_S: Final = 12.0
"""For a daemon that runs, to take presses up and to seal refused ones again; it does the latter every few seconds."""
LOOKED_EVERY_S: Final = 0.25
_WHAT_TO_DO: Final = "start the daemon where it does not run, see in its log what keeps the store from taking them, and repeat this command"


def require_taken_up(opened: OpenRegistry) -> None:
    """Refuse to begin while the store lacks presses of the journal, whichever key they are under.

    Those that the store refuses are left out: the daemon seals them again under the new key.
    """
    left = _left(opened, lambda each: each.journal is not None)
    if left:
        raise click.ClickException(
            f"{_in_words(len(left))} in {folder_of(opened.settings)} and not in the store yet, and unreadable for good without"
            f" the key. Nothing was changed: {_WHAT_TO_DO}"
        )


def keys_of_presses(opened: OpenRegistry, current: int) -> dict[int, int]:
    """Return how many presses that the store does not have stand under each older key, once a daemon had time for them."""
    left = _left(opened, lambda each: each.key_id != current)
    return dict(Counter(each.key_id for each in left))


def tell_kept(opened: OpenRegistry, key_id: int, presses: int) -> None:
    """Say why a key is kept."""
    echo(
        f"kept key {key_id}: {_in_words(presses)} in {folder_of(opened.settings)} under it and not in the store yet:"
        f" {_WHAT_TO_DO}",
        err=True,
    )


def _in_words(presses: int) -> str:
    return "1 press is" if presses == 1 else f"{presses:,} presses are"


def folder_of(settings: Settings) -> Path:
    """Return where the journal stands."""
    from telephony.journal.journal import JOURNAL_FOLDER  # noqa: PLC0415 - not needed for --help

    return settings.service.state_dir / JOURNAL_FOLDER


def _left(opened: OpenRegistry, is_meant: Callable[[Standing], bool]) -> set[Standing]:
    """Return which of the presses that stand there now are still there after a while; those that come meanwhile do not count."""
    left = {each for each in _waiting(opened) if is_meant(each)}
    until = time.monotonic() + WAITED_S
    while left and time.monotonic() < until:
        time.sleep(LOOKED_EVERY_S)
        left &= _waiting(opened)
    return left


def _waiting(opened: OpenRegistry) -> set[Standing]:
    """Return the presses in the journal's folder that the store does not have."""
    from telephony.journal.looking import look_at  # noqa: PLC0415 - not needed for --help
    from telephony.store.journal_position import position_of  # noqa: PLC0415

    folder = folder_of(opened.settings)
    try:
        look = look_at(folder)
    except OSError as error:
        raise click.ClickException(f"{error.filename or folder}: {error.strerror}") from error
    taken_up: dict[bytes, int] = {}
    with opened.reading.connect() as connection:
        for journal, noted in look.noted.items():
            position = position_of(connection, journal)
            # Where the store says nothing that can be believed, the daemon goes by its own note too.
            taken_up[journal] = position.number if position is not None and position.is_ours else noted
    return {
        each for each in look.standing if each.journal is None or each.number > taken_up.get(each.journal, 0)
    }
