"""Opens the registry with its keys for the commands of people and keys, which write in turn with a running daemon."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import click

from telephony.cli.busy_store import driver_error, in_turn, told
from telephony.cli.db import ready_engines
from telephony.cli.echo import echo

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from telephony.domain.people.draft import EnrolmentRules
    from telephony.domain.values import Msisdn
    from telephony.settings import Settings
    from telephony.store.crypto import KeyFile, KeyRing
    from telephony.store.people import Registry

T = TypeVar("T")


FOLD_TRIES = 20


@dataclass(frozen=True)
class OpenRegistry:
    """The registry, ready to be used."""

    settings: Settings
    registry: Registry
    key_file: KeyFile
    writing: Engine
    reading: Engine

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run work in one short transaction, in turn with a daemon."""
        return in_turn(self.writing, work)

    def fold_back(self) -> None:
        """Fold SQLite's log back into the file without making a daemon wait; where no daemon runs, nothing else does it."""
        if self.writing.dialect.name != "sqlite":
            return
        from telephony.store.engines import sqlite_checkpoint_engine  # noqa: PLC0415 - not needed for --help

        with sqlite_checkpoint_engine(self.settings.database_url).connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")


@contextmanager
def open_registry(
    settings: Settings, *, makes_keys: bool = False, is_dry_run: bool = False
) -> Iterator[OpenRegistry]:
    """Return the registry; what is wrong with keys or records becomes one line and exit code 1.

    With ``makes_keys`` a first use makes the key file. It is never made where anything is sealed already: then
    it was lost, and must be brought back.
    """
    from telephony.domain.errors import OnetouchError  # noqa: PLC0415 - not needed for --help
    from telephony.settings.key_files import key_file_of  # noqa: PLC0415
    from telephony.store.crypto import Key, KeyRing  # noqa: PLC0415
    from telephony.store.people import Registry  # noqa: PLC0415
    from telephony.store.upgrade import holds_sealed  # noqa: PLC0415

    key_file = key_file_of(settings)
    keys: Callable[[], KeyRing] = key_file.ring
    with ready_engines(settings) as (writing, reading):
        try:
            if makes_keys and not settings.key_file.exists():
                is_first_use = not holds_sealed(reading)
                if is_first_use and is_dry_run:
                    key = Key.make(datetime.now(UTC))
                    ring = KeyRing({key.id: key}, key.id)
                    keys = partial(_same, ring)  # of this run only: nothing is written under it
                elif is_first_use and key_file.make():
                    echo(f"made the key file {settings.key_file}: back it up apart from the store", err=True)
            keys()
            registry = Registry(keys, adult_age=settings.people.adult_age)
            yield OpenRegistry(settings, registry, key_file, writing, reading)
        except OnetouchError as error:
            raise click.ClickException(str(error)) from error
        except driver_error(writing) as error:
            raise told(error) from error


def empty_the_log(opened: OpenRegistry) -> None:
    """Let nothing of what was deleted stay in SQLite's log, or say that it may."""
    from telephony.store.people_erasing import fold_back  # noqa: PLC0415 - not needed for --help

    with opened.writing.connect() as connection:
        if any(fold_back(connection) for _ in range(FOLD_TRIES)):
            return
    echo("the store was busy: the encrypted row may stand in its -wal file until that is restarted", err=True)


def _same(ring: KeyRing) -> KeyRing:
    return ring


def enrolment_rules(settings: Settings) -> EnrolmentRules:
    """Return what the settings say about enrolment."""
    from telephony.domain.people.draft import EnrolmentRules  # noqa: PLC0415 - not needed for --help

    return EnrolmentRules(
        country_code=settings.service.country_code,
        trunk_prefix=settings.service.trunk_prefix,
        language=settings.service.language,
        carriers=frozenset(carrier.name for carrier in settings.carrier),
        adult_age=settings.people.adult_age,
    )


def number_argument(settings: Settings, raw: str) -> Msisdn:
    """Read the number of a command line; ``-`` takes it from standard input, where no list of processes shows it."""
    from telephony.domain.values import Msisdn  # noqa: PLC0415 - not needed for --help

    if raw == "-":
        raw = sys.stdin.readline(100).strip()
    service = settings.service
    number = Msisdn.parse(raw, country_code=service.country_code, trunk_prefix=service.trunk_prefix)
    if not number.is_e164:
        raise click.BadParameter("write a telephone number, e.g. 010-1234-5678", param_hint="NUMBER")
    return number
