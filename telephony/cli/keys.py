"""``onetouch keys``: the keys that people's data are encrypted under."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telephony.cli.audit_line import write_audit_line
from telephony.cli.db import ready_engines
from telephony.cli.options import EXIT_FAILED, config_option, load_or_exit
from telephony.cli.registry import OpenRegistry, open_registry

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from telephony.store.crypto import KeyFile
    from telephony.store.people import Registry

ROWS_AT_ONCE = 100
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

    try:
        is_made = KeyFile(settings.key_file).make()
    except OSError as error:
        raise click.ClickException(f"{settings.key_file}: {error.strerror}") from error
    if not is_made:
        click.echo(f"{settings.key_file} is there already", err=True)
        raise SystemExit(EXIT_FAILED)
    click.echo(f"made {settings.key_file}: back it up apart from the store")


@keys.command()
@config_option
def show(config: Path) -> None:
    """Show the ids of the keys, when each was made, and how many people are encrypted under it; never a key.

    \b
    Example:
      onetouch keys show --config /etc/onetouch/onetouch.toml
    """
    settings = load_or_exit(config)
    from telephony.domain.errors import OnetouchError  # noqa: PLC0415 - not needed for --help
    from telephony.store.crypto import KeyFile  # noqa: PLC0415
    from telephony.store.people import count_by_key  # noqa: PLC0415

    with ready_engines(settings) as (_, reading), reading.connect() as connection:
        counted = count_by_key(connection)
    try:
        ring = KeyFile(settings.key_file).ring()
    except OnetouchError as error:
        raise click.ClickException(str(error)) from error
    for key_id, key in ring.keys.items():
        role = "current" if key_id == ring.current.id else "reads"
        click.echo(f"{key_id:<12} {role:<8} {key.made_at:<26} {counted.pop(key_id, 0):>12,} people")
    for key_id, number in counted.items():
        click.echo(f"{key_id:<12} {'MISSING':<8} {'':<26} {number:>12,} people")
    if counted:
        raise SystemExit(EXIT_FAILED)


@keys.command()
@config_option
@click.option(
    "--forget-old", is_flag=True, help="Afterwards take out keys that nothing is encrypted under any more."
)
def rotate(config: Path, *, forget_old: bool) -> None:
    """Make a new key and encrypt everybody anew under it, look-up hashes too, while the daemons go on.

    A run that was broken off, even by kill -9, is repeated: it goes on with the key that it had made. With
    --forget-old, what was written before can never be read again: backups made until now, and whatever is left on
    the disk.

    \b
    Examples:
      onetouch keys rotate
      onetouch keys rotate --forget-old
    """
    settings = load_or_exit(config)
    from telephony.store.people import count_by_key  # noqa: PLC0415 - not needed for --help

    with open_registry(settings) as opened:
        with opened.reading.connect() as connection:
            counted = count_by_key(connection)
        current = opened.key_file.ring().current.id
        old = sum(number for key_id, number in counted.items() if key_id != current)
        if old:
            click.echo(f"going on with key {current}: {old:,} people are under an older one", err=True)
        else:
            current = opened.key_file.add().id
            old = sum(counted.values())
            click.echo(f"made key {current}: back up {settings.key_file}", err=True)
        write_audit_line(settings.service.state_dir, "keys rotated", "onetouch keys rotate", key_id=current)
        _encrypt_anew(opened, old)
        if forget_old:
            _forget_unused(opened, opened.key_file)


def _encrypt_anew(opened: OpenRegistry, total: int) -> None:
    from rich.console import Console  # noqa: PLC0415 - not needed for --help
    from rich.progress import Progress  # noqa: PLC0415

    console = Console(stderr=True)
    done = batches = 0
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("encrypting anew", total=max(total, 1))
        # Once more from the beginning until nothing is found: somebody may have written under the old key meanwhile.
        after, is_clean = 0, False
        while not is_clean:
            start = after
            step = opened.write(partial(_step, opened.registry, start))
            if step is not None:
                after, rows = step
                done += rows
                progress.update(task, completed=done)
            else:
                is_clean, after = start == 0, 0
            batches += 1
            if batches % FOLD_EVERY == 0:
                opened.fold_back()
    opened.fold_back()
    click.echo(f"encrypted anew: {done:,} people")


def _step(registry: Registry, after: int, connection: Connection) -> tuple[int, int] | None:
    return registry.reseal(connection, after, ROWS_AT_ONCE)


def _forget_unused(opened: OpenRegistry, key_file: KeyFile) -> None:
    from telephony.store.people import count_by_key  # noqa: PLC0415 - not needed for --help

    with opened.reading.connect() as connection:
        counted = count_by_key(connection)
    ring = key_file.ring()
    for key_id in ring.keys:
        if key_id != ring.current.id and not counted.get(key_id):
            key_file.forget(key_id)
            click.echo(f"forgot key {key_id}: backups under it cannot be read any more")
