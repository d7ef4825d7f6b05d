"""Finds what is wrong around the settings file: secrets that are not there or stand in URLs, files and folders of the store.

Like the checks across tables these take any shape of input and skip what the models already refuse.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any
from urllib.parse import urlsplit

from pydantic import AnyUrl, ValidationError
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from telephony.fields import Secret
from telephony.settings.keys import Path, Shape, written
from telephony.settings.model import Service, Settings

LONGEST_SMPP_PASSWORD = 8
"""Characters, without the closing zero (SMPP 3.4 clause 5.2.2)."""

STORE_KINDS = ("sqlite", "postgresql+psycopg")


def around(raw: dict[str, Any]) -> Iterator[tuple[Path, str, str]]:
    """Return (where, what is wrong, what to write instead)."""
    for at, shape, value in written(Settings, raw):
        if shape.table is Secret:
            yield from _secret(at, value)
        elif _is_url(shape) and isinstance(value, str):
            yield from _credentials(at, value)
    yield from _bind_texts(raw)
    yield from _store(raw)
    yield from _key_hsm(raw)


def unwritable_folders(raw: dict[str, Any]) -> Iterator[tuple[Path, str, str]]:
    """Return the folders that a daemon writes to and cannot: that of its own files, that of SQLite's."""
    store, service = raw.get("store", {}), raw.get("service", {})
    url = store.get("url") if isinstance(store, dict) else None
    if url is None:
        given = service.get("state_dir") if isinstance(service, dict) else None
        state_dir = FilePath(given) if isinstance(given, str) else Service().state_dir
        yield from _directory(("service", "state_dir"), state_dir)
    elif isinstance(url, str) and (file := _sqlite_file(url)):
        yield from _directory(("store", "url"), FilePath(file).parent)


def _secret(at: Path, value: Any) -> Iterator[tuple[Path, str, str]]:
    try:
        place = Secret.model_validate(value)
        secret = place.read()
    except ValidationError:
        return  # said by the models
    except LookupError as error:
        yield at, "the secret is not there", str(error.args[0])
    except UnicodeDecodeError:
        yield at, "the secret's file is not a text", "write the secret into it as UTF-8"
    else:
        if not secret.strip():
            where = f"the file {place.file}" if place.env is None else f"the environment variable {place.env}"
            yield at, "the secret is empty", f"put it into {where}"


def _is_url(shape: Shape) -> bool:
    return isinstance(shape.kind, type) and issubclass(shape.kind, AnyUrl)


def _credentials(at: Path, url: str) -> Iterator[tuple[Path, str, str]]:
    """Find a user or password in an address: it is written for all to read, and is not sent."""
    try:
        has_user = "@" in urlsplit(url).netloc
    except ValueError:
        return  # said by the models
    if has_user:
        key = "authorization" if "channel" in at else "password"
        instead = f'take out what stands before the @, and add {key} = {{env = "NAME"}} or {{file = "/path"}}'
        yield at, "holds a user or a password, which is not sent", instead


def _bind_texts(raw: dict[str, Any]) -> Iterator[tuple[Path, str, str]]:
    """Find what no bind can carry: octets beyond Latin-1, and passwords longer than the field."""
    for at, shape, link in written(Settings, raw):
        if at[0] != "carrier" or at[-2:-1] != ("smpp",) or shape.table is None or not isinstance(link, dict):
            continue
        for key in ("system_id", "system_type", "address_range"):
            if isinstance(text := link.get(key), str) and not _fits_in_a_bind(text):
                yield (*at, key), "SMPP carries Latin-1 characters only", "write it with such characters"
        try:
            password = Secret.model_validate(link.get("password")).read()
        except (ValidationError, LookupError, UnicodeDecodeError):
            continue  # absent, or said by others
        if len(password) > LONGEST_SMPP_PASSWORD or not _fits_in_a_bind(password):
            problem = (
                f"the secret is not {LONGEST_SMPP_PASSWORD} Latin-1 characters at most, which SMPP can carry"
            )
            yield (*at, "password"), problem, "agree on a shorter one with the carrier"


def _fits_in_a_bind(text: str) -> bool:
    return all("\0" < character <= "\xff" for character in text)


def _store(raw: dict[str, Any]) -> Iterator[tuple[Path, str, str]]:
    store = raw.get("store")
    url = store.get("url") if isinstance(store, dict) else None
    if not isinstance(url, str):
        return
    at: Path = ("store", "url")
    kinds = (
        'write "sqlite:////var/lib/onetouch/onetouch.sqlite" or "postgresql+psycopg://onetouch@host/onetouch"'
    )
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        yield at, "this is not an address of a store", kinds
        return
    if parsed.drivername not in STORE_KINDS:
        yield at, f'"{parsed.drivername}" is not a store that we keep', kinds
    elif parsed.password is not None or "password" in parsed.query:
        instead = 'take it out and add password = {env = "NAME"} or {file = "/path"} to [store]'
        yield at, "holds a password", instead
    elif parsed.drivername == "sqlite" and not _sqlite_file(url):
        yield at, "a store in memory forgets every press", kinds


def _sqlite_file(url: str) -> str:
    """Return the file of an SQLite store; empty for one in memory, and for any other address."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return ""
    is_file = parsed.drivername == "sqlite" and parsed.database != ":memory:"
    return str(parsed.database or "") if is_file else ""


def _key_hsm(raw: dict[str, Any]) -> Iterator[tuple[Path, str, str]]:
    store = raw.get("store", {})
    place = store.get("key_hsm") if isinstance(store, dict) else None
    module = place.get("module") if isinstance(place, dict) else None
    if isinstance(module, str) and not os.path.exists(module):  # noqa: PTH110 - takes any text
        instead = "name the vendor's PKCS#11 module, a shared library"
        yield ("store", "key_hsm", "module"), f'there is no file "{module}"', instead


def _directory(at: Path, directory: FilePath) -> Iterator[tuple[Path, str, str]]:
    """Demand a directory that can be written to, or one that we can create."""
    try:
        nearest = next(each for each in (directory, *directory.absolute().parents) if each.exists())
        is_usable = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    except (OSError, ValueError):
        is_usable = False
    if not is_usable:
        instead = f"create it and give it to this user, e.g. install -d -m 700 -o onetouch {directory}"
        yield at, f'the directory "{directory}" cannot be written to', instead
