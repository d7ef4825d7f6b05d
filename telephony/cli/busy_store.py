"""Writes into the store beside a running daemon: short transactions, repeated when it was busy, presses first."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

T = TypeVar("T")

TRIES = 20
"""Each waits half a second for the store."""
BREATH_S = 0.002
"""Between two transactions of ours a press of the daemon finds the store free."""


def in_turn(writing: Engine, work: Callable[[Connection], T]) -> T:
    """Run work in one short transaction, and again when a daemon was busy writing; presses go first.

    What the store refuses for good is a sentence and exit code 1.
    """
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - not needed for --help

    from telephony.store.engines import one_transaction  # noqa: PLC0415

    for is_last in [False] * (TRIES - 1) + [True]:
        try:
            with writing.connect() as connection, one_transaction(connection):
                result = work(connection)
        except (DBAPIError, driver_error(writing)) as error:
            if is_last or not _is_busy(error):
                raise told(error) from error
        else:
            time.sleep(BREATH_S)
            return result
    raise AssertionError


def driver_error(engine: Engine) -> type[Exception]:
    """Return the base of the driver's errors (PEP 249): statements on its own cursor raise them unwrapped."""
    driver: Any = engine.dialect.loaded_dbapi
    error: type[Exception] = driver.Error
    return error


def told(error: Exception) -> click.ClickException:
    """Return the driver's own sentence; SQLAlchemy's would add the statement and its parameters."""
    original = getattr(error, "orig", None) or error
    return click.ClickException(f"the store: {original}; the same command again goes on where this one ended")


def _is_busy(error: Exception) -> bool:
    from telephony.store.contention import contention_of  # noqa: PLC0415

    original = getattr(error, "orig", None) or error
    is_locked = type(original).__name__ == "OperationalError" and "locked" in str(original)
    return is_locked or contention_of(error) is not None
