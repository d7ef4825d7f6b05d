"""``onetouch calls``: what the 112 side may ask about the calls of an incident, from a terminal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telephony.cli.anchors import Written, anchor
from telephony.cli.audited import add_entry, looked, stated_reason, why_option, write_entry
from telephony.cli.db import ready_engines
from telephony.cli.echo import echo, echo_json
from telephony.cli.options import EXIT_FAILED, config_option, load_or_exit
from telephony.cli.turns import in_turn

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from telephony.domain.plan import Plan
    from telephony.domain.silence import Refused

Order = Callable[["Connection", "Plan", str, datetime], "Refused | None"]
"""Gives an order about the incident of this id."""

LONGEST_NAME = 80

by_option = click.option("--by", required=True, help="Who asks: kept in the incident's story, told to 112.")
incident_argument = click.argument("incident_id", metavar="ID")


@click.group(short_help="List calls; lift silence, hang up, call back.")
def calls() -> None:
    """Look at the SOS calls and give the orders of the 112 side about them.

    An order is written into the store with an entry in the audit chain, and the running daemon carries it out within
    a second. Until silence is lifted for an incident, nothing reaches the caller's phone, and call-back is refused.

    ID is the incident's, or the name that 112 read in the INVITE of any of its calls.

    \b
    Examples:
      onetouch calls list
      onetouch calls lift sos-20261123-voice-1-104503-12 --by "seoul, desk 4"
      onetouch calls hangup sos-20261123-voice-1-104503-12 --by "seoul, desk 4"
    """


@calls.command("list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@why_option
def list_(config: Path, why: str | None, *, as_json: bool) -> None:
    """List the calls that stand now, as the store knows them, the oldest first; the caller's number is masked.

    The look is an entry in the audit chain; a reason may be given, and is not asked for.
    """
    reason = stated_reason(why, "the list, numbers masked")
    settings = load_or_exit(config)
    from telephony.domain.audit import SAW_CALLS  # noqa: PLC0415 - not needed for --help
    from telephony.store.standing_calls import standing_calls  # noqa: PLC0415

    with ready_engines(settings) as (writing, reading), reading.connect() as connection:
        write_entry(settings, writing, SAW_CALLS, "live calls", reason)
        found = [each for server in settings.asterisk for each in standing_calls(connection, server.name)]
    for each in found:
        caller = "(unreadable)" if each.caller is None else each.caller.masked
        if as_json:
            row = {
                "incident": each.incident_id,
                "call": each.reference,
                "caller": caller,
                "trunk": each.trunk,
                "state": each.state,
                "silence": each.silence,
                "silence_lifted": each.is_lifted,
                "started_at": each.started_at.isoformat(timespec="milliseconds"),
            }
            echo_json(row)
        else:
            silence = "silence LIFTED" if each.is_lifted else f"silent ({each.silence or 'mode not known'})"
            echo(
                f"{each.incident_id}  {caller}  {each.trunk}  {each.state or 'just arrived'}  {silence}"
                f"  since {each.started_at:%Y-%m-%d %H:%M:%S} UTC"
            )
    if not found and not as_json:
        echo("no calls")


@calls.command()
@config_option
@incident_argument
@by_option
def lift(config: Path, incident_id: str, by: str) -> None:
    """Lift silence: the caller hears the centre from now on. Be sure that nobody else does."""
    from telephony.store.orders import set_silence  # noqa: PLC0415 - not needed for --help

    _order(
        config,
        incident_id,
        by,
        "silence lifted",
        lambda c, plan, known_id, now: set_silence(c, plan, known_id, True, by, now),
    )


@calls.command()
@config_option
@incident_argument
@by_option
def hold(config: Path, incident_id: str, by: str) -> None:
    """Hold silence again: nothing reaches the caller's phone."""
    from telephony.store.orders import set_silence  # noqa: PLC0415 - not needed for --help

    _order(
        config,
        incident_id,
        by,
        "silence held",
        lambda c, plan, known_id, now: set_silence(c, plan, known_id, False, by, now),
    )


@calls.command()
@config_option
@incident_argument
@by_option
def hangup(config: Path, incident_id: str, by: str) -> None:
    """End the incident's calls; the incident stays open."""
    from telephony.store.orders import order_hang_up  # noqa: PLC0415 - not needed for --help

    _order(
        config, incident_id, by, "hang up", lambda c, _, known_id, now: order_hang_up(c, known_id, by, now)
    )


@calls.command()
@config_option
@incident_argument
@by_option
def callback(config: Path, incident_id: str, by: str) -> None:
    """Ring the caller's phone and connect it to 112. Refused while silence holds."""
    from telephony.store.orders import order_call_back  # noqa: PLC0415 - not needed for --help

    _order(
        config,
        incident_id,
        by,
        "call back",
        lambda c, _, known_id, now: order_call_back(c, known_id, by, now),
    )


def _order(config: Path, incident_id: str, by: str, what: str, order: Order) -> None:
    if not by.strip() or len(by) > LONGEST_NAME:
        raise click.BadParameter(f"write 1 to {LONGEST_NAME} characters", param_hint="--by")
    settings = load_or_exit(config)
    from telephony.domain.audit import GAVE_ORDER  # noqa: PLC0415 - not needed for --help
    from telephony.store.call_names import incident_named  # noqa: PLC0415

    def give(connection: Connection) -> tuple[str, Refused | None, Written]:
        known_id = incident_named(connection, incident_id)
        written = add_entry(connection, looked(GAVE_ORDER, known_id, f"{what}, asked by {by.strip()}"))
        return known_id, order(connection, settings.plan, known_id, datetime.now(UTC)), written

    with ready_engines(settings) as (writing, _):
        incident_id, refused, written = in_turn(writing, give)
    anchor(settings, [written], must_show=True)
    if refused is not None:
        echo(f"refused: {refused.reason}", err=True)
        raise SystemExit(EXIT_FAILED)
    echo(f"ordered for {incident_id}; see `onetouch incidents show {incident_id}`")
