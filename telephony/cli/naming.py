"""Reads the name of an incident or a recording as people type it: a beginning that is one's alone will do, and so will ``last``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from telephony.store.beginnings import Ambiguous


def meant_incident(connection: Connection, said: str) -> str:
    """Return the id of the incident that is meant, or what was said where there is none; end the command where it is several's."""
    from telephony.store.beginnings import incident_meant  # noqa: PLC0415 - not needed for --help

    return _the_one(incident_meant(connection, said), "incident")


def meant_recording(connection: Connection, said: str) -> str:
    """Return the same of a recording's name."""
    from telephony.store.beginnings import recording_meant  # noqa: PLC0415 - not needed for --help

    return _the_one(recording_meant(connection, said), "recording")


def meant_recorded_incident(connection: Connection, said: str) -> str:
    """Return the same of an incident whose calls were recorded; it may be deleted."""
    from telephony.store.beginnings import recorded_incident_meant  # noqa: PLC0415 - not needed for --help

    return _the_one(recorded_incident_meant(connection, said), "incident with a recording")


def _the_one(found: str | Ambiguous | None, what: str) -> str:
    if found is None:
        raise click.ClickException(f"there is no {what} yet")
    if isinstance(found, str):
        return found
    named = ", ".join(found.candidates)
    more = found.count - len(found.candidates)
    others = f" and {more:,} older ones" if more else ""
    raise click.ClickException(f"{found.said} is the beginning of {named}{others}: write more of it")
