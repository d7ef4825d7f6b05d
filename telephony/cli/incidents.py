"""``onetouch incidents``: what happened and is happening, as the store knows it."""

from __future__ import annotations

from pathlib import Path

import click

from telephony.cli.audited import stated_reason, why_option, write_entry
from telephony.cli.db import ready_engines
from telephony.cli.echo import echo, echo_json
from telephony.cli.incidents_false_alarm import false_alarm
from telephony.cli.incidents_list import list_
from telephony.cli.incidents_locatings import locatings
from telephony.cli.incidents_readout import readout, told
from telephony.cli.incidents_response import acknowledge, arrived, dispatch, note
from telephony.cli.naming import meant_incident
from telephony.cli.options import config_option, load_or_exit
from telephony.cli.ordering import give_order, stated
from telephony.cli.times import utc_option, zone_of

LONGEST_REASON = 200


@click.group(short_help="List incidents, show one as a story; acknowledge, dispatch, close.")
def incidents() -> None:
    """Look at incidents, say what 112 does about them and close them, beside a running daemon or without one.

    Numbers are masked; texts, numbers and coordinates are shown only on demand and with a reason. Every look is an
    entry in the audit chain; one that cannot be written is no look, but for `readout`: a life weighs more.

    ID is an incident's, or a beginning that is its alone, with the date or from behind it; `last` is the one opened last.
    The name that 112 read in the INVITE of one of its calls will do too.

    \b
    Examples:
      onetouch incidents list --open
      onetouch incidents list --owed --since 2h
      onetouch incidents readout
      onetouch incidents show sos-20261123-7k3qwz2m9t
      onetouch incidents acknowledge 7k3q --by "Lee, desk 7"
      onetouch incidents dispatch sos-20261123-7k3qwz2m9t --unit "unit 12"
      onetouch incidents arrived sos-20261123-7k3qwz2m9t --unit "unit 12"
      onetouch incidents note sos-20261123-7k3qwz2m9t --words "the back door is open"
      onetouch incidents close sos-20261123-7k3qwz2m9t --reason "found safe, unit 12"
    """


for _command in (list_, acknowledge, dispatch, arrived, note, false_alarm, locatings, readout, told):
    incidents.add_command(_command)


@incidents.command()
@config_option
@click.argument("incident_id", metavar="ID")
@click.option("--positions", is_flag=True, help="Show coordinates; needs a reason.")
@click.option("--reveal", is_flag=True, help="Show everything: number, name, texts, place; needs a reason.")
@utc_option
@click.option("--json", "as_json", is_flag=True, help="The whole story as one JSON object.")
@why_option
def show(
    config: Path,
    incident_id: str,
    why: str | None,
    *,
    positions: bool,
    reveal: bool,
    is_utc: bool,
    as_json: bool,
) -> None:
    """Tell the story of one incident: what came, what was sent, what was acknowledged.

    Times are milliseconds since the first press. What is masked needs no reason. To tell 112 by telephone, `onetouch incidents readout` has the words.

    \b
    Examples:
      onetouch incidents show last
      onetouch incidents show sos-20261123-7k3qwz2m9t --positions --why "unit 12 cannot find her"
      onetouch incidents show sos-20260301-7k3qwz2m9t --reveal --why "112 cannot be reached, I telephone"

    Exit codes: 0 shown; 1 there is none of that ID, or several; 2 wrong settings or options, or no reason.
    """
    reason = stated_reason(why, None if positions or reveal else "the story, number and text masked")
    settings = load_or_exit(config)
    from telephony.cli.story import as_plain_story, as_story  # noqa: PLC0415 - not needed for --help
    from telephony.domain.audit import REVEALED_INCIDENT, SAW_INCIDENT, SAW_POSITION  # noqa: PLC0415
    from telephony.store.incidents import story  # noqa: PLC0415

    with ready_engines(settings) as (writing, reading), reading.connect() as connection:
        incident_id = meant_incident(connection, incident_id)
        seen = REVEALED_INCIDENT if reveal else SAW_POSITION if positions else SAW_INCIDENT
        write_entry(settings, writing, seen, incident_id, reason)
        found = story(connection, incident_id)
    if found is None:
        raise click.ClickException(f"there is no incident {incident_id}; see `onetouch incidents list`")
    if as_json:
        plain = as_plain_story(found, with_coordinates=positions, is_revealed=reveal)
        echo_json(plain, indent=2)
    else:
        zone = zone_of(settings, is_utc=is_utc)
        for line in as_story(found, zone, with_coordinates=positions, is_revealed=reveal):
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

    \b
    Example:
      onetouch incidents close 7k3q --reason "found safe, unit 12"

    Exit codes: 0 closed; 1 refused: it is closed already, or there is none of that ID; 2 wrong settings or options.
    """
    from telephony.domain.orders import Close  # noqa: PLC0415 - not needed for --help

    answer = give_order(config, incident_id, Close(stated(reason, LONGEST_REASON, "--reason")))
    echo(f"closed {answer.incident_id}")
