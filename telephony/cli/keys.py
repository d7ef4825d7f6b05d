"""``onetouch keys``: the keys that people's data are encrypted under."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from telephony.cli.audited import write_entry
from telephony.cli.db import engines, has_store, ready_engines
from telephony.cli.echo import echo
from telephony.cli.options import EXIT_FAILED, config_option, load_or_exit
from telephony.cli.registry import OpenRegistry, open_registry
from telephony.cli.second_person import Act

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from telephony.settings import Settings
    from telephony.store.resealing import After, Walk

ROWS_READ_AT_ONCE = 1_000
ROWS_AT_ONCE = 100
"""Rows written in one transaction: a few milliseconds."""
FOLD_EVERY = 100


@click.group(short_help="Make, show and change the keys of people's data.")
def keys() -> None:
    """Look after the key file. It alone opens what is known of people: back it up, and never beside the store.

    \b
    Examples:
      onetouch keys init
      onetouch keys show
      onetouch keys rotate
    """


@keys.command()
@config_option
def init(config: Path) -> None:
    """Make the key file with one key, mode 0600. One that is there is left as it is.

    \b
    Example:
      onetouch keys init --config /etc/onetouch/onetouch.toml

    Exit codes: 0 made, 1 it is there already or cannot be made.
    """
    settings = load_or_exit(config)
    from telephony.store.crypto import KeyFile  # noqa: PLC0415 - not needed for --help

    if not settings.key_file.exists():
        _refuse_over_a_sealed_store(settings)
    try:
        is_made = KeyFile(settings.key_file).make()
    except OSError as error:
        raise click.ClickException(f"{settings.key_file}: {error.strerror}") from error
    if not is_made:
        echo(f"{settings.key_file} is there already", err=True)
        raise SystemExit(EXIT_FAILED)
    echo(f"made {settings.key_file}: back it up apart from the store")


def _refuse_over_a_sealed_store(settings: Settings) -> None:
    """Refuse to make a key over what another has sealed: the store would be half readable for good."""
    from telephony.store.upgrade import holds_sealed  # noqa: PLC0415 - not needed for --help

    if not has_store(settings):
        return
    with engines(settings) as (_, reading):
        is_sealed = holds_sealed(reading)
    if is_sealed:
        raise click.ClickException(
            f"the store holds what was sealed under a key file: bring {settings.key_file} back from its backup"
        )


@keys.command()
@config_option
def show(config: Path) -> None:
    """Show the ids of the keys, when each was made, and how much is encrypted under it; never a key.

    \b
    Example:
      onetouch keys show --config /etc/onetouch/onetouch.toml
    """
    settings = load_or_exit(config)
    from telephony.store.crypto import KeyFile  # noqa: PLC0415 - not needed for --help
    from telephony.store.people import Registry  # noqa: PLC0415
    from telephony.store.resealing import walks  # noqa: PLC0415

    with ready_engines(settings) as (_, reading), reading.connect() as connection:
        key_file = KeyFile(settings.key_file)
        counted = _counted(connection, walks(Registry(key_file.ring)))
        ring = key_file.ring()
    for key_id, key in ring.keys.items():
        role = "current" if key_id == ring.current.id else "reads"
        echo(f"{key_id:<12} {role:<8} {key.made_at:<26} {_in_words(counted.pop(key_id, Under()))}")
    for key_id, under in counted.items():
        echo(f"{key_id:<12} {'MISSING':<8} {'':<26} {_in_words(under)}")
    if counted:
        raise SystemExit(EXIT_FAILED)


@keys.command()
@config_option
@click.option(
    "--forget-old", is_flag=True, help="Afterwards take out keys that nothing is encrypted under any more."
)
def rotate(config: Path, *, forget_old: bool) -> None:
    """Make a new key and encrypt everything anew under it, look-up hashes too, while the daemons go on.

    People, incidents, presses, positions, facts, calls, orders, the audit chain, awaited replies and the history of
    presses. A run that was broken off, even by kill -9, is repeated: it goes on with the key that it had made. Where
    several machines share a store, each needs the new file at once: copy it as soon as the command says so.

    With [audit] second_person each run needs the approval of a second account, see onetouch audit approve --help.

    With --forget-old, what was written before can never be read again: backups made until now, and whatever is left
    on the disk. A key is forgotten only when nothing is under it.

    \b
    Examples:
      onetouch keys rotate
      onetouch keys rotate --forget-old
    """
    settings = load_or_exit(config)
    from telephony.store.resealing import walks  # noqa: PLC0415 - not needed for --help

    with open_registry(settings) as opened:
        ways = walks(opened.registry)
        current = opened.key_file.ring().current.id
        old = _left(opened, ways, current)
        if old:
            _audit(opened, f"onetouch keys rotate, going on with key {current}")
            echo(f"going on with key {current}: {old:,} values are under an older one", err=True)
        else:
            _audit(opened, f"onetouch keys rotate, from key {current}")
            # Everything is under the current key, and will be under an older one.
            old = _left(opened, ways, None)
            current = opened.key_file.add().id
            echo(f"made key {current}: back up {settings.key_file}", err=True)
        _encrypt_anew(opened, ways, old)
        left = _left(opened, ways, current)
        if left:
            echo(
                f"{left:,} values are under an older key still, which is needed: the log above says which and why;",
                "restore them from a backup, or close the incident that a caller has twice, and repeat this command",
                err=True,
            )
        if forget_old:
            _forget_unused(opened, ways)
        if left:
            raise SystemExit(EXIT_FAILED)


def _audit(opened: OpenRegistry, why: str) -> None:
    """Have the entry before a key is made: where it is refused, the key file is as it was."""
    from telephony.domain.audit import KEYS_ROTATED  # noqa: PLC0415 - not needed for --help

    write_entry(opened.settings, opened.writing, KEYS_ROTATED, "", why, act=Act.ROTATION)


@dataclass
class Under:
    """How much is encrypted under one key."""

    people: int = 0
    others: int = 0


def _counted(connection: Connection, ways: Sequence[Walk]) -> dict[int, Under]:
    counted: dict[int, Under] = {}
    for way in ways:
        for key_id, number in way.count(connection).items():
            under = counted.setdefault(key_id, Under())
            if way.table == "person":
                under.people += number
            else:
                under.others += number
    return counted


def _in_words(under: Under) -> str:
    return f"{under.people:>12,} people {under.others:>12,} other values"


def _left(opened: OpenRegistry, ways: Sequence[Walk], current: int | None) -> int:
    """Count what is under another key than the given one."""
    with opened.reading.connect() as connection:
        counted = _counted(connection, ways)
    return sum(under.people + under.others for key_id, under in counted.items() if key_id != current)


def _encrypt_anew(opened: OpenRegistry, ways: Sequence[Walk], total: int) -> None:
    from rich.console import Console  # noqa: PLC0415 - not needed for --help
    from rich.progress import Progress  # noqa: PLC0415

    console = Console(stderr=True)
    done = Under()
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("encrypting anew", total=max(total, 1))
        for way in ways:
            progress.update(task, description=f"encrypting anew: {way.table}")
            # Once more from the beginning until nothing is done: a daemon may have written under the old key meanwhile.
            while rows := _through(opened, way, partial(progress.advance, task)):
                if way.table == "person":
                    done.people += rows
                else:
                    done.others += rows
    opened.fold_back()
    echo(f"encrypted anew: {done.people:,} people, {done.others:,} other rows")


def _through(opened: OpenRegistry, way: Walk, advance: Callable[[float], None]) -> int:
    """Go once through a table; gives how many rows were written."""
    after: After = ()
    done = batches = 0
    while True:
        # Looked for beside the writer: only what is to be written anew holds up a press, and that for milliseconds.
        with opened.reading.connect() as connection:
            page = way.find(connection, after, ROWS_READ_AT_ONCE)
        if page is None:
            return done
        after = page.after
        for start in range(0, len(page.rows), ROWS_AT_ONCE):
            rows = opened.write(partial(_reseal, way, page.rows[start : start + ROWS_AT_ONCE]))
            done += rows
            advance(rows)
            batches += 1
            if batches % FOLD_EVERY == 0:
                opened.fold_back()


def _reseal(way: Walk, rows: Sequence[Any], connection: Connection) -> int:
    return way.reseal(connection, rows)


def _forget_unused(opened: OpenRegistry, ways: Sequence[Walk]) -> None:
    with opened.reading.connect() as connection:
        counted = _counted(connection, ways)
    ring = opened.key_file.ring()
    for key_id in ring.keys:
        if key_id == ring.current.id:
            continue
        if key_id in counted:
            echo(f"kept key {key_id}: {_in_words(counted[key_id]).strip()} are under it", err=True)
            continue
        opened.key_file.forget(key_id)
        echo(f"forgot key {key_id}: backups under it cannot be read any more")
