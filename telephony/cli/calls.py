"""``onetouch calls``: what the 112 side may ask about the calls of an incident, from a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telephony.cli.db import ready_engines
from telephony.cli.options import EXIT_FAILED, config_option, load_or_exit

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from telephony.domain.plan import Plan
    from telephony.domain.silence import Refused

Order = Callable[["Connection", "Plan", datetime], "Refused | None"]

LONGEST_NAME = 80

by_option = click.option("--by", required=True, help="Who asks: kept in the incident's story, told to 112.")
incident_argument = click.argument("incident_id", metavar="ID")


@click.group(short_help="List calls; lift silence, hang up, call back.")
def calls() -> None:
    """Look at the SOS calls and give the orders of the 112 side about them.

    An order is written into the store, and the running daemon carries it out within a second. Until silence is
    lifted for an incident, nothing reaches the caller's phone, and call-back is refused.

    \b
    Examples:
      onetouch calls list
      onetouch calls lift sos-20261123-voice-1-104503-12 --by "seoul, desk 4"
      onetouch calls hangup sos-20261123-voice-1-104503-12 --by "seoul, desk 4"
    """


@calls.command("list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
def list_(config: Path, *, as_json: bool) -> None:
    """List the calls that stand now, as the store knows them, the oldest first."""
    settings = load_or_exit(config)
    from telephony.store.calls import live_calls  # noqa: PLC0415 - not needed for --help

    with ready_engines(settings) as (_, reading), reading.connect() as connection:
        found = [each for server in settings.asterisk for each in live_calls(connection, server.name)]
    for each in found:
        started = each.record.started_at
        if as_json:
            row = {
                "incident": each.incident_id,
                "call": each.record.reference,
                "trunk": each.record.trunk,
                "started_at": started.isoformat(timespec="milliseconds"),
            }
            click.echo(json.dumps(row))
        else:
            click.echo(f"{each.incident_id}  {each.record.trunk}  since {started:%Y-%m-%d %H:%M:%S} UTC")
    if not found and not as_json:
        click.echo("no calls")


@calls.command()
@config_option
@incident_argument
@by_option
def lift(config: Path, incident_id: str, by: str) -> None:
    """Lift silence: the caller hears the centre from now on. Be sure that nobody else does."""
    from telephony.store.orders import set_silence  # noqa: PLC0415 - not needed for --help

    _order(config, incident_id, by, lambda c, plan, now: set_silence(c, plan, incident_id, True, by, now))


@calls.command()
@config_option
@incident_argument
@by_option
def hold(config: Path, incident_id: str, by: str) -> None:
    """Hold silence again: nothing reaches the caller's phone."""
    from telephony.store.orders import set_silence  # noqa: PLC0415 - not needed for --help

    _order(config, incident_id, by, lambda c, plan, now: set_silence(c, plan, incident_id, False, by, now))


@calls.command()
@config_option
@incident_argument
@by_option
def hangup(config: Path, incident_id: str, by: str) -> None:
    """End the incident's calls; the incident stays open."""
    from telephony.store.orders import order_hang_up  # noqa: PLC0415 - not needed for --help

    _order(config, incident_id, by, lambda c, _, now: order_hang_up(c, incident_id, by, now))


@calls.command()
@config_option
@incident_argument
@by_option
def callback(config: Path, incident_id: str, by: str) -> None:
    """Ring the caller's phone and connect it to 112. Refused while silence holds."""
    from telephony.store.orders import order_call_back  # noqa: PLC0415 - not needed for --help

    _order(config, incident_id, by, lambda c, _, now: order_call_back(c, incident_id, by, now))


def _order(config: Path, incident_id: str, by: str, order: Order) -> None:
    if not by.strip() or len(by) > LONGEST_NAME:
        raise click.BadParameter(f"write 1 to {LONGEST_NAME} characters", param_hint="--by")
    settings = load_or_exit(config)
    with ready_engines(settings) as (writing, _), writing.begin() as connection:
        refused = order(connection, settings.plan, datetime.now(UTC))
    if refused is not None:
        click.echo(f"refused: {refused.reason}", err=True)
        raise SystemExit(EXIT_FAILED)
    click.echo(f"ordered for {incident_id}; see `onetouch incidents show {incident_id}`")
