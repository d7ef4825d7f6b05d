"""Finds the faults of the machines that come in over HTTP: names that clash, carriers that are none, tokens that cannot be used.

Like the checks beside it this takes any shape of input and skips what the models already refuse.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from telephony.doors.machines import what_is_wrong_with
from telephony.fields import Secret
from telephony.settings.keys import Path
from telephony.settings.wording import closest


def door_findings(raw: dict[str, Any]) -> Iterator[tuple[Path, str, str]]:
    """Return (where, what is wrong, what to write instead)."""
    carriers = [name for _, carrier in _of(raw, "carrier") if isinstance(name := carrier.get("name"), str)]
    seen, tokens = _links(raw), set[str]()
    for at, presser in _pressers(raw):
        name = presser.get("name")
        if isinstance(name, str):
            if name in seen:
                yield (
                    (*at, "name"),
                    f'"{name}" already stands for another link or presser',
                    "give each its own",
                )
            seen.add(name)
        for index, carrier in enumerate(_listed(presser)):
            if isinstance(carrier, str) and carrier not in carriers:
                yield (*at, "carriers", index), f'there is no carrier "{carrier}"', closest(carrier, carriers)
        yield from _token((*at, "token"), presser.get("token"), tokens)
    for at, centre in _of(raw, "psap"):
        if "status_token" in centre and not isinstance(raw.get("web"), dict):
            problem = "its system has no door to come in by: there is no [web]"
            yield (*at, "status_token"), problem, "add a table [web] to the main file"
        yield from _token((*at, "status_token"), centre.get("status_token"), tokens)


def _links(raw: dict[str, Any]) -> set[str]:
    """Return the names of the links: a machine may send fixes of incidents that were pressed under its name."""
    carriers = [carrier for _, carrier in _of(raw, "carrier")]
    links = [link for each in carriers for key in ("smpp", "peer", "trunk") for _, link in _of(each, key)]
    return {name for link in links if isinstance(name := link.get("name"), str)}


def carriers_of_pressers(raw: dict[str, Any]) -> set[str]:
    """Return the carriers for which a machine may press."""
    return {name for _, presser in _pressers(raw) for name in _listed(presser) if isinstance(name, str)}


def _pressers(raw: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    web = raw.get("web")
    if isinstance(web, dict):
        for at, presser in _of(web, "presser"):
            yield ("web", *at), presser


def _of(raw: dict[str, Any], key: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    tables = raw.get(key)
    for index, table in enumerate(tables if isinstance(tables, list) else []):
        if isinstance(table, dict):
            yield (key, index), table


def _listed(presser: dict[str, Any]) -> list[Any]:
    names = presser.get("carriers")
    return names if isinstance(names, list) else []


def _token(at: Path, value: Any, others: set[str]) -> Iterator[tuple[Path, str, str]]:
    """Return what is wrong with a token, and add it to the others, by which a machine would be taken for another."""
    try:
        token = Secret.model_validate(value).read().strip()
    except (ValidationError, LookupError, UnicodeDecodeError):
        return  # absent, or said by others
    if not token:
        return  # said by others
    if what_is_wrong_with(token) is not None:
        yield (
            at,
            "the secret is no token",
            "put 32 to 256 letters and digits there: `openssl rand -hex 32` makes some",
        )
    elif token in others:
        yield at, "another machine has the same token", "give each its own: `openssl rand -hex 32` makes one"
    others.add(token)
