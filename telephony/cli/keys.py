"""``onetouch keys``: the keys that people's data are encrypted under."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from telephony.cli.audited import write_entry
from telephony.cli.db import engines, has_store
from telephony.cli.echo import echo, echo_json
from telephony.cli.keys_hsm import make_wrapped, move_into_hsm, move_out_of_hsm, rotate_wrapping_key
from telephony.cli.keys_journal import keys_of_presses, require_taken_up, tell_kept
from telephony.cli.options import EXIT_FAILED, config_option, load_or_exit
from telephony.cli.readable_store import reading_engine
from telephony.cli.registry import OpenRegistry, open_registry
from telephony.cli.second_person import Act
from telephony.cli.times import clock_time, utc_option, zone_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from telephony.settings import Settings
    from telephony.store.resealing import After, Walk

ROWS_READ_AT_ONCE = 1_000
ROWS_AT_ONCE = 100
"""Rows written in one transaction: a few milliseconds."""
FOLD_EVERY = 100
MARGIN_S = 1.0
"""By how much a daemon may be late in looking for a changed key file."""


@click.group(short_help="Make, show and change the keys of people's data.")
def keys() -> None:
    """Look after the key file. It alone opens the data of people: back it up, and never beside the store.

    \b
    Examples:
      onetouch keys init
      onetouch keys show
      onetouch keys rotate
    """


keys.add_command(move_into_hsm)
keys.add_command(move_out_of_hsm)


@keys.command()
@config_option
@click.option(
    "--hsm",
    "in_hsm",
    is_flag=True,
    help="Have the HSM of [store.key_hsm] make a key and wrap the file with it.",
)
def init(config: Path, *, in_hsm: bool) -> None:
    """Make the key file with one key, mode 0600. One that is there is left as it is.

    \b
    Examples:
      onetouch keys init --config /etc/onetouch/onetouch.toml
      onetouch keys init --hsm

    Exit codes: 0 made, 1 it is there already or cannot be made.
    """
    settings = load_or_exit(config)
    from telephony.domain.errors import OnetouchError  # noqa: PLC0415 - not needed for --help
    from telephony.settings.key_files import key_file_of  # noqa: PLC0415

    if not settings.key_file.exists():
        _refuse_over_a_sealed_store(settings)
    try:
        is_made = make_wrapped(settings) if in_hsm else key_file_of(settings).make()
    except OnetouchError as error:
        raise click.ClickException(str(error)) from error
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
@utc_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
def show(config: Path, *, is_utc: bool, as_json: bool) -> None:
    """Show the ids of the keys, when each was made, and how much is encrypted under it; never a key.

    \b
    Example:
      onetouch keys show --config /etc/onetouch/onetouch.toml

    Exit codes: 0 shown, 1 something is under a key that is missing, or the keys cannot be used, 2 wrong settings.
    """
    settings = load_or_exit(config)
    from telephony.settings.key_files import key_file_of  # noqa: PLC0415 - not needed for --help
    from telephony.store.people import Registry  # noqa: PLC0415
    from telephony.store.resealing import walks  # noqa: PLC0415

    with reading_engine(settings, with_wrong_look_up=True) as reading, reading.connect() as connection:
        key_file = key_file_of(settings)
        counted = _counted(connection, walks(Registry(key_file.ring)))
        ring = key_file.ring()
    rows = [
        _plain(key_id, "current" if key_id == ring.current.id else "reads", key.made_at, counted.get(key_id))
        for key_id, key in ring.keys.items()
    ]
    missing = {key_id: under for key_id, under in counted.items() if key_id not in ring.keys}
    rows += [_plain(key_id, "missing", None, under) for key_id, under in missing.items()]
    zone = zone_of(settings, is_utc=is_utc)
    for row in rows:
        if as_json:
            echo_json(row)
        else:
            echo(_key_in_words(row, zone))
    if key_file.wrapped is not None and not as_json:
        label = "" if settings.store.key_hsm is None else settings.store.key_hsm.key
        where = f'"{label}" in the HSM token "{key_file.wrapped.token}"'
        echo(f"{key_file.wrapped.key_id:<21} wraps the file: {where}")
    if missing:
        raise SystemExit(EXIT_FAILED)


@keys.command()
@config_option
@click.option(
    "--forget-old", is_flag=True, help="Afterwards remove keys under which nothing is encrypted any more."
)
@click.option(
    "--hsm",
    "in_hsm",
    is_flag=True,
    help="Change the wrapping key in the HSM instead; the keys stay as they are.",
)
def rotate(config: Path, *, forget_old: bool, in_hsm: bool) -> None:
    """Make a new key and encrypt everything again under it, look-up hashes too, while the daemons go on.

    People, incidents, presses, positions, facts, calls, orders, the audit chain, awaited replies and the history of
    presses. A run that was broken off, even by kill -9, is repeated: it goes on with the key that it had made. Where
    several machines share a store, each needs the new file at once: copy it as soon as the command says so.

    With [audit] second_person each run needs the approval of a second account, see onetouch audit approve --help.

    With --forget-old, what was written before can never be read again: backups made until now, and whatever is left
    on the disk. A key is forgotten only when nothing is under it; while presses stand in the journal of this machine
    that the store does not have yet, the command waits for the daemon a moment, and then refuses.

    \b
    Examples:
      onetouch keys rotate
      onetouch keys rotate --forget-old
      onetouch keys rotate --hsm

    Exit codes: 0 everything is under the new key; 1 something is not, or nothing was done, as is said; 2 wrong settings.
    """
    settings = load_or_exit(config)
    if in_hsm:
        rotate_wrapping_key(settings)
        return
    from telephony.store.resealing import walks  # noqa: PLC0415 - not needed for --help

    with open_registry(settings) as opened:
        if forget_old:
            require_taken_up(opened)
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
            _let_daemons_take_it_up(opened)
        _reseal_all(opened, ways, old)
        left = _left(opened, ways, current)
        if left:
            echo(
                f"{left:,} values are under an older key still, which is needed: the log above says which and why;",
                "restore them from a backup, or close the incident that a caller has twice, and repeat this command",
                err=True,
            )
        opened.write(partial(_renew_proof, opened))
        is_all_taken_up = not forget_old or _forget_unused(opened, ways)
        if left or not is_all_taken_up:
            raise SystemExit(EXIT_FAILED)


def _let_daemons_take_it_up(opened: OpenRegistry) -> None:
    """Wait until no daemon seals under the key of before: each has the HSM open the file, which may take its time."""
    seconds = opened.key_file.taken_up_within_s
    if seconds:
        echo(
            f"waiting {seconds + MARGIN_S:g} s, in which every daemon has the HSM open the new file", err=True
        )
        time.sleep(seconds + MARGIN_S)


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


def _plain(key_id: int, role: str, made_at: str | None, under: Under | None) -> dict[str, Any]:
    counted = under or Under()
    return {
        "key": key_id,
        "role": role,
        "made_at": made_at,
        "people": counted.people,
        "others": counted.others,
    }


def _key_in_words(row: dict[str, Any], zone: tzinfo) -> str:
    try:
        made = clock_time(datetime.fromisoformat(row["made_at"]), zone) if row["made_at"] else ""
    except ValueError:
        made = row["made_at"]  # a person has edited the file
    role = row["role"].upper() if row["role"] == "missing" else row["role"]
    return f"{row['key']:<12} {role:<8} {made:<23} {_in_words(Under(row['people'], row['others']))}"


def _in_words(under: Under) -> str:
    return f"{under.people:>12,} people {under.others:>12,} other values"


def _left(opened: OpenRegistry, ways: Sequence[Walk], current: int | None) -> int:
    """Count the values under another key than the given one."""
    with opened.reading.connect() as connection:
        counted = _counted(connection, ways)
    return sum(under.people + under.others for key_id, under in counted.items() if key_id != current)


def _reseal_all(opened: OpenRegistry, ways: Sequence[Walk], total: int) -> None:
    from rich.console import Console  # noqa: PLC0415 - not needed for --help
    from rich.progress import Progress  # noqa: PLC0415

    console = Console(stderr=True)
    done = Under()
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("encrypting again", total=max(total, 1))
        for way in ways:
            progress.update(task, description=f"encrypting again: {way.table}")
            # Once more from the beginning until nothing is done: a daemon may have written under the old key meanwhile.
            while rows := _through(opened, way, partial(progress.advance, task)):
                if way.table == "person":
                    done.people += rows
                else:
                    done.others += rows
    opened.fold_back()
    echo(f"encrypted again: {done.people:,} people, {done.others:,} other rows")


def _through(opened: OpenRegistry, way: Walk, advance: Callable[[float], None]) -> int:
    """Go once through a table; gives how many rows were written."""
    after: After = ()
    done = batches = 0
    while True:
        # Looked for beside the writer: only rows that have to be rewritten hold up a press, and that for milliseconds.
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


def _renew_proof(opened: OpenRegistry, connection: Connection) -> None:
    from telephony.store.keys.proof import prove_and_renew  # noqa: PLC0415 - not needed for --help

    prove_and_renew(connection, opened.settings.key_file, opened.key_file.ring())


def _is_service_key_resealed(opened: OpenRegistry, key_id: int) -> bool:
    """Whether the key of incidents' names needs this key no more; says why not."""
    from telephony.domain.errors import OnetouchError  # noqa: PLC0415 - not needed for --help
    from telephony.services.keeping.service_key import FILE, reseal  # noqa: PLC0415

    path = opened.settings.service.state_dir / FILE
    try:
        reseal(path, opened.key_file.ring())
    except (OSError, OnetouchError) as error:
        echo(f"kept key {key_id}: {path} cannot be sealed under the current one: {error}", err=True)
        return False
    return True


def _forget_unused(opened: OpenRegistry, ways: Sequence[Walk]) -> bool:
    """Remove the keys that nothing needs; whether none was kept for presses that are in the journal alone."""
    with opened.reading.connect() as connection:
        counted = _counted(connection, ways)
    ring = opened.key_file.ring()
    in_journal = keys_of_presses(opened, ring.current.id)
    for key_id in ring.keys:
        if key_id == ring.current.id:
            continue
        if key_id in counted:
            echo(f"kept key {key_id}: {_in_words(counted[key_id]).strip()} are under it", err=True)
            continue
        if key_id in in_journal:
            tell_kept(opened, key_id, in_journal[key_id])
            continue
        if not _is_service_key_resealed(opened, key_id):
            continue
        opened.key_file.forget(key_id)
        echo(f"forgot key {key_id}: backups under it cannot be read any more")
    return not in_journal.keys() & ring.keys.keys()
