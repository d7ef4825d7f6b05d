"""What the commands of people and keys share: the registry with its keys, and turns with a running daemon."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from telephony.cli.db import ready_engines

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from telephony.domain.enrolment import EnrolmentRules
    from telephony.domain.values import Msisdn
    from telephony.settings import Settings
    from telephony.store.crypto import KeyFile, KeyRing
    from telephony.store.people import Registry

T = TypeVar("T")

TRIES = 20
"""Each waits half a second for the store."""
BREATH_S = 0.002
"""Between two transactions of ours a press of the daemon finds the store free."""


@dataclass(frozen=True)
class OpenRegistry:
    """The registry, ready to be used."""

    settings: Settings
    registry: Registry
    key_file: KeyFile
    writing: Engine
    reading: Engine

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run work in one short transaction, and again when a daemon was busy writing; presses go first."""
        from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - not needed for --help

        from telephony.store.engines import one_transaction  # noqa: PLC0415

        for is_last in [False] * (TRIES - 1) + [True]:
            try:
                with self.writing.connect() as connection, one_transaction(connection):
                    result = work(connection)
            except (DBAPIError, self.driver_error) as error:
                if is_last or not _is_busy(error):
                    raise _told(error) from error
            else:
                time.sleep(BREATH_S)
                return result
        raise AssertionError

    def fold_back(self) -> None:
        """Fold SQLite's log back into the file without making anybody wait; without a daemon nobody else does."""
        if self.writing.dialect.name != "sqlite":
            return
        from telephony.store.engines import sqlite_checkpoint_engine  # noqa: PLC0415 - not needed for --help

        with sqlite_checkpoint_engine(self.settings.database_url).connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")

    @property
    def driver_error(self) -> type[Exception]:
        """The base of the driver's errors (PEP 249): statements on its own cursor raise them unwrapped."""
        return _driver_error(self.writing)


def _driver_error(engine: Engine) -> type[Exception]:
    driver: Any = engine.dialect.loaded_dbapi
    error: type[Exception] = driver.Error
    return error


def _is_busy(error: Exception) -> bool:
    original = getattr(error, "orig", None) or error
    return type(original).__name__ == "OperationalError" and "locked" in str(original)


def _told(error: Exception) -> click.ClickException:
    original = getattr(error, "orig", None) or error
    return click.ClickException(f"the store: {original}; the same command again goes on where this one ended")


@contextmanager
def open_registry(
    settings: Settings, *, makes_keys: bool = False, is_dry_run: bool = False
) -> Iterator[OpenRegistry]:
    """Give the registry; what is wrong with keys or records becomes one line and exit code 1.

    With ``makes_keys`` a first use makes the key file. It is never made where people are registered already: then
    it was lost, and must be brought back.
    """
    from telephony.domain.errors import OnetouchError  # noqa: PLC0415 - not needed for --help
    from telephony.store.crypto import Key, KeyFile, KeyRing  # noqa: PLC0415
    from telephony.store.people import Registry, count  # noqa: PLC0415

    key_file = KeyFile(settings.key_file)
    keys: Callable[[], KeyRing] = key_file.ring
    with ready_engines(settings) as (writing, reading):
        try:
            if makes_keys and not settings.key_file.exists():
                with reading.connect() as connection:
                    is_first_use = count(connection) == 0
                if is_first_use and is_dry_run:
                    key = Key.make(datetime.now(UTC))
                    ring = KeyRing({key.id: key}, key.id)
                    keys = partial(_same, ring)  # of this run only: nothing is written under it
                elif is_first_use and key_file.make():
                    click.echo(
                        f"made the key file {settings.key_file}: back it up apart from the store", err=True
                    )
            keys()
            registry = Registry(keys, adult_age=settings.people.adult_age)
            yield OpenRegistry(settings, registry, key_file, writing, reading)
        except OnetouchError as error:
            raise click.ClickException(str(error)) from error
        except _driver_error(writing) as error:
            raise _told(error) from error


def _same(ring: KeyRing) -> KeyRing:
    return ring


def enrolment_rules(settings: Settings) -> EnrolmentRules:
    """Give what the settings say about enrolment."""
    from telephony.domain.enrolment import EnrolmentRules  # noqa: PLC0415 - not needed for --help

    return EnrolmentRules(
        country_code=settings.service.country_code,
        trunk_prefix=settings.service.trunk_prefix,
        language=settings.service.language,
        carriers=frozenset(carrier.name for carrier in settings.carrier),
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
