"""``onetouch incidents``: what happened and is happening, as the store knows it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telephony.cli.anchors import Written, anchor
from telephony.cli.audited import add_entry, looked, stated_reason, why_option, write_entry
from telephony.cli.db import ready_engines
from telephony.cli.echo import echo, echo_json
from telephony.cli.incidents_false_alarm import false_alarm
from telephony.cli.incidents_locatings import locatings
from telephony.cli.incidents_readout import readout, told
from telephony.cli.options import EXIT_FAILED, config_option, load_or_exit
from telephony.cli.turns import in_turn

if TYPE_CHECKING:
    from sqlalchemy import Connection

LONGEST_REASON = 200
LIST_WIDTH = 124


@click.group(short_help="List incidents, show one as a story, close one.")
def incidents() -> None:
    """Look at incidents and close them, beside a running daemon or without one.

    Numbers are masked; texts, numbers and coordinates are shown only on demand and with a reason. Every look is an
    entry in the audit chain; one that cannot be written is no look, but for `readout`: a life weighs more.

    \b
    Examples:
      onetouch incidents list --open
      onetouch incidents list --owed
      onetouch incidents readout
      onetouch incidents show sos-20261123-7k3qwz2m9t
      onetouch incidents close sos-20261123-7k3qwz2m9t --reason "found safe, unit 12"
    """


for _command in (false_alarm, locatings, readout, told):
    incidents.add_command(_command)


@incidents.command("list")
@config_option
@click.option("--open", "only_open", is_flag=True, help="Only incidents that are not closed.")
@click.option(
    "--owed", "only_owed", is_flag=True, help="Only incidents with a report that 112 has not acknowledged."
)
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@why_option
def list_(
    config: Path, why: str | None, *, only_open: bool, only_owed: bool, limit: int, as_json: bool
) -> None:
    """List incidents, the newest first, with masked numbers. A reason may be given, and is not asked for."""
    reason = stated_reason(why, "the list, numbers masked")
    settings = load_or_exit(config)
    from telephony.cli.telling import as_plain_row, as_table  # noqa: PLC0415 - not needed for --help
    from telephony.domain.audit import SAW_INCIDENTS  # noqa: PLC0415
    from telephony.store.incidents import list_incidents  # noqa: PLC0415

    what = "open incidents" if only_open else "incidents"
    what += " that owe 112 a report" if only_owed else ""
    with ready_engines(settings) as (writing, reading), reading.connect() as connection:
        write_entry(settings, writing, SAW_INCIDENTS, what, reason)
        rows = list_incidents(connection, only_open=only_open, only_owed=only_owed, limit=limit)
    if as_json:
        for row in rows:
            echo_json(as_plain_row(row))
    elif rows:
        from rich.console import Console  # noqa: PLC0415 - only where a table is drawn

        console = Console()
        # An id cut to "sos-20…" is of no use: the terminal may wrap the line, but nothing is left out.
        console.width = max(console.width, LIST_WIDTH)
        console.print(as_table(rows))
    else:
        echo(f"no {what}")


@incidents.command()
@config_option
@click.argument("incident_id", metavar="ID")
@click.option("--positions", is_flag=True, help="Show coordinates; needs a reason.")
@click.option("--reveal", is_flag=True, help="Show everything: number, name, texts, place; needs a reason.")
@click.option("--json", "as_json", is_flag=True, help="The whole story as one JSON object.")
@why_option
def show(
    config: Path, incident_id: str, why: str | None, *, positions: bool, reveal: bool, as_json: bool
) -> None:
    """Tell the story of one incident: what came, what was sent, what was acknowledged.

    Times are milliseconds since the first press. What is masked needs no reason. ID may also be the name that 112 read
    in the INVITE of one of its calls. To tell 112 by telephone, `onetouch incidents readout` has the words.

    \b
    Examples:
      onetouch incidents show sos-20261123-7k3qwz2m9t
      onetouch incidents show sos-20261123-7k3qwz2m9t --positions --why "unit 12 cannot find her"
      onetouch incidents show sos-20260301-7k3qwz2m9t --reveal --why "112 cannot be reached, I telephone"
    """
    reason = stated_reason(why, None if positions or reveal else "the story, number and text masked")
    settings = load_or_exit(config)
    from telephony.cli.telling import as_plain_story, as_story  # noqa: PLC0415 - not needed for --help
    from telephony.domain.audit import REVEALED_INCIDENT, SAW_INCIDENT, SAW_POSITION  # noqa: PLC0415
    from telephony.store.call_names import incident_named  # noqa: PLC0415
    from telephony.store.incidents import story  # noqa: PLC0415

    with ready_engines(settings) as (writing, reading), reading.connect() as connection:
        incident_id = incident_named(connection, incident_id)
        seen = REVEALED_INCIDENT if reveal else SAW_POSITION if positions else SAW_INCIDENT
        write_entry(settings, writing, seen, incident_id, reason)
        found = story(connection, incident_id)
    if found is None:
        raise click.ClickException(f"there is no incident {incident_id}; see `onetouch incidents list`")
    if as_json:
        plain = as_plain_story(found, with_coordinates=positions, is_revealed=reveal)
        echo_json(plain, indent=2)
    else:
        for line in as_story(found, with_coordinates=positions, is_revealed=reveal):
            echo(line)


@incidents.command()
@config_option
@click.argument("incident_id", metavar="ID")
@click.option(
    "--reason",
    required=True,
    help="Why it is over: told to 112 and kept. One that begins with 'false alarm' cancels.",
)
def close(config: Path, incident_id: str, reason: str) -> None:
    """Close an incident; 112 is told, and its phone is not looked for any more.

    The running daemon finds the closing report in the outbox; without one it leaves at the next start.
    """
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise click.BadParameter(f"write 1 to {LONGEST_REASON} characters", param_hint="--reason")
    settings = load_or_exit(config)
    from telephony.domain.audit import CLOSED_INCIDENT  # noqa: PLC0415 - not needed for --help
    from telephony.store.incidents import close_incident  # noqa: PLC0415

    entry = looked(CLOSED_INCIDENT, incident_id, reason)

    def close_it(connection: Connection) -> list[Written]:
        is_closed = close_incident(connection, settings.plan, incident_id, reason, datetime.now(UTC))
        return [add_entry(connection, entry)] if is_closed else []

    with ready_engines(settings) as (writing, _):
        written = in_turn(writing, close_it)
    if not written:
        echo(f"there is no open incident {incident_id}", err=True)
        raise SystemExit(EXIT_FAILED)
    anchor(settings, written, must_show=True)
    echo(f"closed {incident_id}")
