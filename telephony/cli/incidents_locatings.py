"""``onetouch incidents locatings``: which carriers were asked where a phone is, when, why, and what kind of answer came."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from telephony.cli.audited import stated_reason, why_option, write_entry
from telephony.cli.db import ready_engines
from telephony.cli.echo import echo, echo_json
from telephony.cli.naming import meant_incident
from telephony.cli.options import config_option, load_or_exit
from telephony.cli.times import clock_time, utc_option, zone_of

if TYPE_CHECKING:
    from telephony.domain.locating import Locating


@click.command()
@config_option
@click.argument("incident_id", metavar="ID")
@utc_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@why_option
def locatings(config: Path, incident_id: str, why: str | None, *, is_utc: bool, as_json: bool) -> None:
    """Tell each request to a carrier for an incident: who asked, when, why, and what kind of answer came.

    No coordinates are in it, and numbers are masked. The record is kept for [retention] locating_days, also after the
    incident is deleted. Those of one number, of all its incidents, are in onetouch people own.

    \b
    Examples:
      onetouch incidents locatings sos-20261123-7k3qwz2m9t
      onetouch incidents locatings sos-20261123-7k3qwz2m9t --json --why "half-year report"

    Exit codes: 0 told, none too; 1 the store or the keys cannot be used; 2 wrong settings or options.
    """
    reason = stated_reason(why, "the record of locatings, number masked")
    settings = load_or_exit(config)
    from telephony.domain.audit import SAW_INCIDENT  # noqa: PLC0415 - not needed for --help
    from telephony.domain.errors import OnetouchError  # noqa: PLC0415
    from telephony.store.locatings import locatings_of_incident  # noqa: PLC0415

    with ready_engines(settings) as (writing, reading), reading.connect() as connection:
        incident_id = meant_incident(connection, incident_id)
        write_entry(settings, writing, SAW_INCIDENT, incident_id, reason)
        try:
            found = locatings_of_incident(connection, incident_id)
        except OnetouchError as error:
            raise click.ClickException(str(error)) from error
    if not found:
        echo(f"no carrier was asked for {incident_id}, or the record is over its time", err=True)
    zone = zone_of(settings, is_utc=is_utc)
    for asked, plain in zip(found, plain_locatings(found), strict=True):
        if as_json:
            echo_json(plain)
        else:
            echo(f"{clock_time(asked.asked_at, zone)}  {in_words(plain)}")


def plain_locatings(found: Iterable[Locating]) -> list[dict[str, Any]]:
    """Return requests as JSON can say them, the number masked."""
    return [
        {
            "incident": each.incident_id,
            "number": each.msisdn.masked,
            "asked_at": each.asked_at.isoformat(timespec="milliseconds"),
            "asked_by": each.asked_by,
            "carrier": each.carrier,
            "purpose": each.purpose.value,
            "quality": each.quality,
            "answer": each.answer.value,
            "method": each.method,
            "answered_at": None
            if each.answered_at is None
            else each.answered_at.isoformat(timespec="milliseconds"),
        }
        for each in found
    ]


def in_words(plain: dict[str, Any]) -> str:
    """Return one request in words, without its time."""
    method = f" by {plain['method']}" if plain["method"] else ""
    return (
        f"{plain['asked_by']} asked {plain['carrier']} for {plain['number']},"
        f" {plain['quality']}, {plain['purpose']}: {plain['answer']}{method}"
    )
