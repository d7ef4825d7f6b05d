"""Tells which errors of SQLite mean that the store's file is damaged, and which may mean it."""

from __future__ import annotations

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError

_PRIMARY: Final = 0xFF
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_READING: Final = frozenset(
    {
        sqlite3.SQLITE_IOERR_READ,
        sqlite3.SQLITE_IOERR_SHORT_READ,
        sqlite3.SQLITE_IOERR_CORRUPTFS,
        sqlite3.SQLITE_IOERR_DATA,
    }
)
"""Errors of the disk that come from reading: what stands there cannot be had."""


def is_damage(error: BaseException) -> bool:
    """Whether this error says that the file's contents are not as they were written, or cannot be read."""
    code = _code(error)
    return code & _PRIMARY in _DAMAGED or code in _READING


def may_be_damage(error: BaseException) -> bool:
    """Whether this error is a reason to look: any trouble of the disk."""
    return is_damage(error) or _code(error) & _PRIMARY == sqlite3.SQLITE_IOERR


def _code(error: BaseException) -> int:
    original = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(original, "sqlite_errorcode", 0)
    return code if isinstance(original, sqlite3.Error) and isinstance(code, int) else 0
