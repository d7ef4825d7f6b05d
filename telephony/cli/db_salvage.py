"""``onetouch db salvage``: brings the readable rows of a damaged store into another one."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from telephony.cli.echo import echo, echo_json
from telephony.cli.options import config_option, load_or_exit
from telephony.cli.times import clock_time, utc_option, zone_of

if TYPE_CHECKING:
    from telephony.settings import Settings
    from telephony.store.salvage.runs import Outcome, TableReport

EXITS = {"whole": 0, "partial": 3, "nothing": 4}
PIECE, LARGE_PIECE = 500, 20_000
"""Rows in one transaction: of a store in use, and of a file that is not in use yet."""
PATIENCE_S = 10.0
"""How long a piece waits for the daemon's own transactions."""
MOST_TOLD = 3
"""Places at which the audit chain is broken; `onetouch audit verify` tells more."""
NO_WAY = (
    "the store is on PostgreSQL, which has tools of its own: pg_amcheck says what is damaged; stop the daemons, keep a copy"
    " of the data directory, and restore the last base backup with its archived WAL, or pg_dump what can be read"
    " table by table (zero_damaged_pages on a copy alone)"
)


@dataclass(frozen=True)
class Salvaged:
    """The outcome of a salvage, table by table and as a whole."""

    outcome: Outcome
    reports: list[TableReport]
    closed: dict[str, int]
    unplaced: int
    chain: str
    is_chain_whole: bool


@click.command()
@config_option
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The damaged file; its -wal is read with it. Default: the newest onetouch.sqlite.damaged-*, else the store.",
)
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A new file, or a store that is there. Default: the store, or for the store itself a new file beside it.",
)
@utc_option
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON object, for programs.")
def salvage(config: Path, source: Path | None, target: Path | None, *, is_utc: bool, as_json: bool) -> None:
    """Bring every row that can be read of a damaged store into another one, and say what is lost.

    The daemon may run: it has set the damaged store aside by itself and works on a fresh one (its alarm is
    store-damaged). The damaged file is only read. Each table is read by SQLite where it finds nothing wrong with it, and
    from the bare pages of the file otherwise, also where the header or the root of a table is gone.

    Into a store that is there only what it lacks is written, in pieces between which presses are committed, and nothing
    that is open or owed: that was brought over when the fresh store was made, and may have been settled since. A second run
    does no harm. Do not run it after people have been deleted on request: the damaged file holds them still.

    What is sealed is opened once, as a proof; the audit chain is verified in the target. Nothing personal is shown.

    \b
    Examples:
      onetouch db salvage
      onetouch db salvage --from /var/lib/onetouch/onetouch.sqlite.damaged-20261130T025027Z --json
      onetouch db salvage --from disk.img.sqlite --to recovered.sqlite

    Exit codes: 0 everything was read, 3 a part is lost, 4 nothing could be read, 1 it could not be done, 2 wrong settings.
    """
    settings = load_or_exit(config)
    from telephony.cli.db import file_of  # noqa: PLC0415 - not needed for --help
    from telephony.domain.errors import OnetouchError  # noqa: PLC0415
    from telephony.store.salvage.setting_aside import damaged_ones  # noqa: PLC0415

    store = file_of(settings)
    if store is None and (source is None or target is None):
        raise click.ClickException(NO_WAY)
    if store is not None:
        source = source or next(iter(damaged_ones(store)), store)
        if target is None:
            is_store = source.exists() and store.exists() and source.samefile(store)
            target = Path(f"{store}.salvaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}") if is_store else store
    assert source is not None
    assert target is not None
    if not source.exists():
        raise click.ClickException(f"there is no {source}")
    if target.exists() and target.samefile(source):
        raise click.UsageError("--from and --to are the same file")
    try:
        done = _salvage(settings, source, target)
    except (sqlite3.Error, OSError) as error:
        raise click.ClickException(f"{target}: {error}") from error
    except OnetouchError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        echo_json(_plain(done, source, target))
    else:
        _tell(done, source, target, zone_of(settings, is_utc=is_utc))
    raise SystemExit(EXITS[done.outcome.value])


def _salvage(settings: Settings, source: Path, target: Path) -> Salvaged:
    from telephony.cli.progress import bar  # noqa: PLC0415 - not needed for --help
    from telephony.settings.key_files import key_file_of  # noqa: PLC0415
    from telephony.store.salvage.proof import Proof  # noqa: PLC0415
    from telephony.store.salvage.reading import DamagedStore  # noqa: PLC0415
    from telephony.store.salvage.runs import ALL, ORDER, PEOPLE, TableSalvage, outcome_of  # noqa: PLC0415

    is_merged = target.exists()
    keys = key_file_of(settings).ring if settings.key_file.exists() else None
    proof = None if keys is None else Proof(keys())
    reports: list[TableReport] = []
    closed: dict[str, int] = {}
    with ExitStack() as stack:
        damaged = DamagedStore(source)
        stack.callback(damaged.close)
        into = stack.enter_context(_opened(target, is_merged=is_merged))
        tables = ORDER if is_merged else ALL
        advance = stack.enter_context(bar("salvaging", damaged.rows_about(tables)))
        gone = 0
        for table in tables:
            work = TableSalvage(damaged, table, is_merged=is_merged, keys=keys)
            for rows in work.slices(PIECE if is_merged else LARGE_PIECE):
                closed[table] = closed.get(table, 0) + (proof.closed(work.shape, rows) if proof else 0)
                work.wrote(_put(into, work.shape, rows))
                gone += len(rows)
                advance(gone)
            reports.append(work.report)
        has_lost_hashes = damaged.losses(PEOPLE)
        unplaced = damaged.unplaced
    if proof is not None and has_lost_hashes:
        _index_people(settings, target)
    chain, is_whole = _chain(settings, target)
    unopened = {table: count for table, count in closed.items() if count}
    outcome = outcome_of(reports, unplaced, unopened.values())
    return Salvaged(outcome, reports, unopened, unplaced, chain, is_whole)


@contextmanager
def _opened(target: Path, *, is_merged: bool) -> Iterator[sqlite3.Connection]:
    from sqlalchemy import create_engine  # noqa: PLC0415 - not needed for --help

    from telephony.store.upgrade import HEAD, make_anew, version_of  # noqa: PLC0415

    if not is_merged:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    engine = create_engine(f"sqlite:///{target}")
    try:
        if not is_merged:
            with engine.begin() as connection:
                make_anew(connection)
        version = version_of(engine)
    finally:
        engine.dispose()
    if version != HEAD:
        raise click.ClickException(f"{target} is no store of this version: it has schema {version}")
    with closing(sqlite3.connect(target, timeout=PATIENCE_S, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        yield connection


def _put(into: sqlite3.Connection, shape: Any, rows: Any) -> int:
    from telephony.store.salvage.runs import put  # noqa: PLC0415 - not needed for --help

    into.execute("BEGIN IMMEDIATE")
    written = put(into, shape, rows)
    into.execute("COMMIT")
    return written


def _index_people(settings: Settings, target: Path) -> None:
    """Make the look-up tables of people again, out of what stands sealed in their own rows."""
    from telephony.settings.key_files import key_file_of  # noqa: PLC0415 - not needed for --help
    from telephony.store.engines import one_transaction, open_engines  # noqa: PLC0415
    from telephony.store.people import Registry  # noqa: PLC0415

    ring = key_file_of(settings).ring
    writing, reading = open_engines(f"sqlite:///{target}", ring)
    registry, found = Registry(ring), (0, 0)
    try:
        with writing.connect() as connection:
            while found is not None:
                with one_transaction(connection):
                    found = registry.index_again(connection, found[0])  # type: ignore[assignment]
    finally:
        writing.dispose()
        reading.dispose()


def _chain(settings: Settings, target: Path) -> tuple[str, bool]:
    """Verify the audit chain as it stands in the target."""
    from telephony.domain.errors import Unavailable  # noqa: PLC0415 - not needed for --help
    from telephony.settings.key_files import key_file_of  # noqa: PLC0415
    from telephony.store.audit_verifying import verify  # noqa: PLC0415
    from telephony.store.engines import open_engines  # noqa: PLC0415

    writing, reading = open_engines(f"sqlite:///{target}", key_file_of(settings).ring)
    try:
        with reading.connect() as connection:
            verdict = verify(connection)
    except Unavailable as error:
        return f"not verified: {error}", False
    finally:
        writing.dispose()
        reading.dispose()
    if verdict.is_intact:
        return f"whole, {verdict.entries:,} entries", True
    told = "; ".join(map(str, verdict.breaks[:MOST_TOLD]))
    more = len(verdict.breaks) - MOST_TOLD + verdict.untold
    return f"BROKEN: {told}{f'; and {more:,} places more' if more > 0 else ''}", False


def _tell(done: Salvaged, source: Path, target: Path, zone: tzinfo) -> None:
    echo(f"from {source}")
    echo(f"to   {target}")
    echo(f"{'table':<16} {'read':>10} {'written':>10} {'there':>10} {'lost':>8} {'not opened':>10}")
    for report in done.reports:
        about = "~" if report.pages_lost else ""
        echo(
            f"{report.table:<16} {report.read:>10,} {report.written:>10,} {report.there:>10,}"
            f" {about + format(report.lost, ','):>8} {done.closed.get(report.table, 0):>10,}"
        )
        for each in report.ranges:
            bounds = (_in_words(_key(report.table, bound), zone) for bound in (each.after, each.upto))
            echo(f"    lost between {' and '.join(bounds)}")
    if done.unplaced:
        echo(f"{done.unplaced} pages with rows whose table cannot be told")
    echo(f"audit chain: {done.chain}")
    echo(
        {"whole": "everything was read", "partial": "A PART IS LOST", "nothing": "NOTHING could be read"}[
            done.outcome.value
        ]
    )


def _plain(done: Salvaged, source: Path, target: Path) -> dict[str, Any]:
    return {
        "from": str(source),
        "to": str(target),
        "outcome": done.outcome.value,
        "unplaced_pages": done.unplaced,
        "audit_chain": {"whole": done.is_chain_whole, "said": done.chain},
        "tables": [
            {
                "table": report.table,
                "by_sqlite": report.by_sqlite,
                "read": report.read,
                "written": report.written,
                "there": report.there,
                "lost": report.lost,
                "lost_pages": report.pages_lost,
                "not_opened": done.closed.get(report.table, 0),
                "lost_between": [
                    [_in_json(_key(report.table, bound)) for bound in (each.after, each.upto)]
                    for each in report.ranges
                ],
            }
            for report in done.reports
        ],
    }


def _in_words(key: str | datetime, zone: tzinfo) -> str:
    return clock_time(key, zone) if isinstance(key, datetime) else key


def _in_json(key: str | datetime) -> str:
    return key.isoformat(timespec="microseconds") if isinstance(key, datetime) else key


def _key(table: str, value: object) -> str | datetime:
    """Return what a key tells: most tell when the row was made."""
    from telephony.store.presses import NODE_BITS  # noqa: PLC0415 - not needed for --help
    from telephony.store.times import from_us  # noqa: PLC0415

    if value is None:
        return "the end"
    if not isinstance(value, int):
        return "a hash" if isinstance(value, bytes) else str(value)
    if table == "audit":
        return f"entry {value}"
    try:
        return from_us(value if table in ("person", "awaited_reply") else value >> NODE_BITS)
    except (OverflowError, ValueError):
        return str(value)
