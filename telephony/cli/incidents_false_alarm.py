"""``onetouch incidents false-alarm``: marks an incident as a false alarm, by which the person's next press is scored."""

from __future__ import annotations

from pathlib import Path

import click

from telephony.cli.echo import echo
from telephony.cli.options import config_option
from telephony.cli.ordering import give_order, stated

LONGEST_NAME, LONGEST_REASON = 60, 200


@click.command("false-alarm")
@config_option
@click.argument("incident_id", metavar="ID")
@click.option("--by", required=True, help="Who says so: told to 112, and kept in the audit chain.")
@click.option("--why", required=True, help="How it is known: told to 112, and kept in the audit chain.")
def false_alarm(config: Path, incident_id: str, by: str, why: str) -> None:
    """Mark an incident as a false alarm, open or closed.

    It is a label: the incident stays open and its phone is followed until it is closed. The next presses of the same
    person are labelled with it for [retention] history_days; they are relayed like all others.

    \b
    Examples:
      onetouch incidents false-alarm sos-20261123-7k3qwz2m9t --by "Lee, desk 7" --why "unit 12 met her: in a bag"
      onetouch incidents close sos-20261123-7k3qwz2m9t --reason "false alarm: met by unit 12"

    Exit codes: 0 marked; 1 refused: there is none of that ID; 2 wrong settings or options.
    """
    from telephony.domain.orders import MarkFalse  # noqa: PLC0415 - not needed for --help

    order = MarkFalse(stated(why, LONGEST_REASON, "--why"))
    answer = give_order(config, incident_id, order, stated(by, LONGEST_NAME, "--by"))
    echo(f"{answer.incident_id} is marked as a false alarm")
