"""``onetouch db``: the store's schema, and whether the store keeps what it promises."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from telephony.cli.db_salvage import salvage
from telephony.cli.echo import echo, echo_json
from telephony.cli.options import EXIT_FAILED, config_option, load_or_exit

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from telephony.settings import Settings


DAMAGED_ADVICE = """The file is damaged: replace the disk (`dmesg`).
A daemon that runs notices it when it next reads there, at the latest within the hour, and puts a fresh store in its place by
itself, with all that is owed to 112; restart it to have that done at once. Then `onetouch db salvage` brings over what
else can be read of {file}.damaged-TIME. Without a daemon: `onetouch db salvage --from {file} --to NEW-FILE`."""


@click.group(short_help="Upgrade, check or salvage the store.")
def db() -> None:
    """Look after the store. The daemon may be running, except during an upgrade.

    \b
    Examples:
      onetouch db check
      onetouch db salvage
      systemctl stop onetouch && onetouch db upgrade && systemctl start onetouch
    """


db.add_command(salvage)


@contextmanager
def engines(settings: Settings) -> Iterator[tuple[Engine, Engine]]:
    """Return (writing, reading) engines; what the store refuses becomes one line and exit code 1."""
    import structlog  # noqa: PLC0415 - not needed for --help
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    from telephony.domain.errors import OnetouchError  # noqa: PLC0415
    from telephony.net.names import addresses_within  # noqa: PLC0415
    from telephony.settings.key_files import key_file_of  # noqa: PLC0415
    from telephony.store.bounds import Access  # noqa: PLC0415
    from telephony.store.engines import open_engines  # noqa: PLC0415

    if not structlog.is_configured():
        # Warnings about damaged rows go beside the answer, which a program may read.
        structlog.configure(logger_factory=_on_standard_error)
    try:
        access = Access(addresses_of=addresses_within)
        writing, reading = open_engines(settings.database_url, key_file_of(settings).ring, access=access)
        try:
            yield writing, reading
        except writing.dialect.loaded_dbapi.Error as error:
            raise click.ClickException(
                f"the store: {error}"
            ) from error  # of a statement on the driver's own cursor
        finally:
            writing.dispose()
            reading.dispose()
    except SQLAlchemyError as error:
        # `orig` is the driver's own sentence; SQLAlchemy's would add the statement and its parameters.
        told = getattr(error, "orig", None) or type(error).__name__
        raise click.ClickException(f"the store: {told}{_where_it_cannot_write(settings)}") from error
    except OnetouchError as error:
        raise click.ClickException(str(error)) from error  # a key file that is missing, a row that is damaged
    except (OSError, LookupError) as error:
        raise click.ClickException(f"the store: {error}") from error


def _on_standard_error(*_: object) -> Any:
    import structlog  # noqa: PLC0415 - not needed for --help

    return structlog.PrintLogger(sys.stderr)


def _where_it_cannot_write(settings: Settings) -> str:
    """Return what to do where this account cannot write SQLite's files; empty where it can."""
    file = file_of(settings)
    place = None if file is None else unwritable(file)
    if place is None:
        return ""
    return f"; this account cannot write in {place}: use the daemon's account (sudo -u onetouch), or see whether the disk is read-only"


def unwritable(file: Path) -> Path | None:
    """Return the folder of SQLite's file, or the file, that this account cannot write; None where it can."""
    places = (each for each in (file.parent, file) if each.exists())
    return next((each for each in places if not os.access(each, os.W_OK)), None)


def has_store(settings: Settings) -> bool:
    """Whether there is a store to look at: SQLite would make the file even for a reader."""
    file = file_of(settings)
    return file is None or file.exists()


def file_of(settings: Settings) -> Path | None:
    """Return SQLite's file; ``None`` for a database of another kind."""
    from sqlalchemy import make_url  # noqa: PLC0415 - not needed for --help

    url = make_url(settings.database_url)
    return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None


@contextmanager
def ready_engines(settings: Settings, *, with_wrong_look_up: bool = False) -> Iterator[tuple[Engine, Engine]]:
    """Return the engines of a store that is there and speaks our schema; say what to do about any other.

    With a look-up key that is not the store's everybody would be said to be unknown: refused, unless ``with_wrong_look_up``.
    """
    from telephony.store.upgrade import HEAD, refuse_later, version_of  # noqa: PLC0415 - not needed for --help

    if not has_store(settings):
        raise click.ClickException(
            f"there is no store {file_of(settings)} yet; `onetouch db upgrade` makes it"
        )
    with engines(settings) as (writing, reading):
        version = version_of(reading)
        refuse_later(version)
        if version != HEAD:
            found = "is empty" if version is None else f"has schema {version}"
            raise click.ClickException(f"the store {found}; `onetouch db upgrade` brings it to {HEAD}")
        if not with_wrong_look_up and (wrong := wrong_look_up(reading, settings)) is not None:
            raise click.ClickException(wrong)
        yield writing, reading


def wrong_look_up(reading: Engine, settings: Settings) -> str | None:
    """Return the error of a look-up key that is not this store's; None where all are, or where that cannot be known."""
    from telephony.domain.errors import Unavailable  # noqa: PLC0415 - not needed for --help
    from telephony.store.crypto import LookUpKeyWrong  # noqa: PLC0415
    from telephony.store.keys.proof import prove  # noqa: PLC0415
    from telephony.store.sealing import keys_of  # noqa: PLC0415

    try:
        with reading.connect() as connection:
            prove(connection, settings.key_file, keys_of(connection))
    except LookUpKeyWrong as error:
        return str(error)
    except Unavailable:
        return None  # said by the command that needs the keys
    return None


@db.command()
@config_option
def upgrade(config: Path) -> None:
    """Bring the schema to what this version speaks; creates an empty store. Stop the daemon first.

    Personal data is sealed under the key file, which is made where nothing was sealed before. On SQLite the file is
    then rewritten, which takes as much free space as it has now, so that nothing is left of what was plain.

    \b
    Example:
      systemctl stop onetouch && onetouch db upgrade && systemctl start onetouch

    Exit codes: 0 the store is at this version, now or before; 1 not, as is said; 2 wrong settings.
    """
    settings = load_or_exit(config)
    from telephony.settings.key_files import key_file_of  # noqa: PLC0415 - not needed for --help
    from telephony.store.upgrade import HEAD, take_up, version_of  # noqa: PLC0415

    with engines(settings) as (writing, _):
        before = version_of(writing) or "empty"
        had_keys = settings.key_file.exists()
        has_changed = take_up(writing, key_file_of(settings))
    if not had_keys:
        echo(f"made the key file {settings.key_file}: back it up apart from the store", err=True)
    echo(f"store upgraded from {before} to {HEAD}" if has_changed else f"store is at {HEAD} already")


@db.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
def check(config: Path, *, as_json: bool) -> None:
    """Check the schema's version, that the key file is this store's, the file's integrity and what durability needs.

    Of a damaged file it says which tables are damaged and what to do; then also which damaged stores are kept beside it.

    \b
    Example:
      onetouch db check --json

    Exit codes: 0 all is well, 1 something is not, 2 the settings have faults.
    """
    settings = load_or_exit(config)
    _tell_of_damage(settings, is_quiet=as_json)
    from telephony.store.upgrade import HEAD  # noqa: PLC0415 - not needed for --help

    with (
        ready_engines(settings, with_wrong_look_up=True) as (_, reading),
        reading.connect() as connection,
    ):
        look = _sqlite if reading.dialect.name == "sqlite" else _postgresql
        wrong_keys = _wrong_keys(connection, settings)
        results = [("schema", HEAD, True), ("key_proof", "opens", wrong_keys is None), *look(connection)]
    if (file := file_of(settings)) is not None:
        results.append(_names(file))
    for what, found, is_fine in results:
        if as_json:
            echo_json({"what": what, "found": found, "is_fine": is_fine})
            continue
        verdict = "ok" if is_fine else click.style("WRONG", fg="red", bold=True)
        echo(f"{what:<20} {found:<12} ", mark=verdict)
    if wrong_keys is not None:
        echo(wrong_keys, err=True)
    if not all(is_fine for _, _, is_fine in results):
        raise SystemExit(EXIT_FAILED)


def _tell_of_damage(settings: Settings, *, is_quiet: bool) -> None:
    """Say what is damaged, and end; without damage say which damaged stores are kept. Quietly, where a program reads the rest."""
    import sqlite3  # noqa: PLC0415 - not needed for --help

    from telephony.store.salvage.reading import damages  # noqa: PLC0415
    from telephony.store.salvage.setting_aside import damaged_ones  # noqa: PLC0415
    from telephony.store.unfinished import UnfinishedNote  # noqa: PLC0415

    file = file_of(settings)
    if file is None or not file.exists():
        return
    try:
        found = list(damages(file))
    except sqlite3.Error as error:
        raise click.ClickException(f"the store: {error}{_where_it_cannot_write(settings)}") from error
    for table, words in found:
        where = table or "the whole file"
        if is_quiet:
            echo_json({"what": where, "found": words, "is_fine": False})
        else:
            echo(f"{where:<20} DAMAGED {words}")
    if found:
        echo(*DAMAGED_ADVICE.format(file=file).splitlines(), err=True)
        raise SystemExit(EXIT_FAILED)
    left = {each.name: each.left for each in UnfinishedNote(file).read()}
    for kept in damaged_ones(file):
        tables = left.get(kept.name)
        said = (
            f"still to be brought over: {', '.join(tables)}"
            if tables
            else "nothing is left that follows by itself"
        )
        echo(f"a damaged store is kept as {kept}: {said}", err=is_quiet)


def _wrong_keys(connection: Connection, settings: Settings) -> str | None:
    """Say why the key file does not open what this store was first sealed with; None where it does."""
    from telephony.domain.errors import Unavailable  # noqa: PLC0415 - not needed for --help
    from telephony.store.keys.proof import prove  # noqa: PLC0415
    from telephony.store.sealing import keys_of  # noqa: PLC0415

    try:
        is_proven = prove(connection, settings.key_file, keys_of(connection))
    except Unavailable as error:
        return str(error)
    return (
        None
        if is_proven
        else "the store was never taken up: `onetouch db upgrade` does it, and so does a start"
    )


def _names(file: Path) -> tuple[str, str, bool]:
    """Tell how many names the file has: under a second one SQLite would keep another log, and damage it."""
    links = file.stat().st_nlink
    return "names of the file", str(links), links == 1


def _sqlite(connection: Connection) -> Iterator[tuple[str, str, bool]]:
    wanted = {"quick_check": ("ok",), "journal_mode": ("wal",), "synchronous": ("2", "3")}
    for pragma, good in wanted.items():
        found = str(connection.exec_driver_sql(f"PRAGMA {pragma}").scalar())
        yield pragma, found, found in good


def _postgresql(connection: Connection) -> Iterator[tuple[str, str, bool]]:
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        found = str(connection.exec_driver_sql(f"SHOW {setting}").scalar())
        yield setting, found, found not in ("off", "local")
