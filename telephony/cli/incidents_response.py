"""``onetouch incidents acknowledge``, ``dispatch``, ``arrived``, ``note``: what 112 does about an incident is kept and told beside the press."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from telephony.cli.echo import echo
from telephony.cli.incidents_false_alarm import LONGEST_NAME
from telephony.cli.options import config_option
from telephony.cli.ordering import give_order, stated

unit_option = click.option("--unit", required=True, help="The unit as 112 calls it: told to 112, and kept.")
by_option = click.option(
    "--by", help="Who says so: told to 112, and kept in the audit chain. Unset: the account at the terminal."
)


@click.command()
@config_option
@click.argument("incident_id", metavar="ID")
@by_option
def acknowledge(config: Path, incident_id: str, by: str | None) -> None:
    """Note that somebody at 112 has taken an incident.

    It changes nothing of what we do: presses join the incident, its phone is followed and 112 gets every report until
    it is closed. Every other desk reads in the next update who has it. Said once more, the first who said so stands.
    ID may be a beginning, `last`, or the name that 112 read in the INVITE of one of the incident's calls.

    \b
    Examples:
      onetouch incidents acknowledge sos-20261123-7k3qwz2m9t
      onetouch incidents acknowledge sos-20261123-7k3qwz2m9t --by "Lee, desk 7"

    Exit codes: 0 acknowledged, now or before; 1 refused: it is closed, or there is none of that ID; 2 wrong settings or options.
    """
    from telephony.domain.orders import Acknowledge  # noqa: PLC0415 - not needed for --help

    answer = give_order(config, incident_id, Acknowledge(), _stated(by))
    if answer.stood_already:
        echo(f"{answer.incident_id} was acknowledged already; nothing is changed")
    else:
        echo(f"{answer.incident_id} is acknowledged")


@click.command()
@config_option
@click.argument("incident_id", metavar="ID")
@unit_option
@click.option(
    "--eta-min",
    type=click.IntRange(0, 1440),
    help="Minutes until the unit will be there. Another number is told anew.",
)
@by_option
def dispatch(config: Path, incident_id: str, unit: str, eta_min: int | None, by: str | None) -> None:
    """Note that a unit is on its way to an incident.

    Give the command once for each unit: 112 reads all of them. An incident that nobody had acknowledged is acknowledged
    by that. It is followed as before until it is closed, and her phone stays silent: she is not told.

    \b
    Examples:
      onetouch incidents dispatch sos-20261123-7k3qwz2m9t --unit "unit 12"
      onetouch incidents dispatch sos-20261123-7k3qwz2m9t --unit "ambulance 3" --eta-min 8 --by "Lee, desk 7"

    Exit codes: 0 noted, now or before; 1 refused: it is closed, or there is none of that ID; 2 wrong settings or options.
    """
    from telephony.domain.orders import LONGEST_UNIT, Dispatch  # noqa: PLC0415 - not needed for --help

    name = stated(unit, LONGEST_UNIT, "--unit")
    eta = None if eta_min is None else datetime.now(UTC) + timedelta(minutes=eta_min)
    answer = give_order(config, incident_id, Dispatch(name, eta), _stated(by))
    if answer.stood_already:
        echo(f"{name} was dispatched to {answer.incident_id} already; nothing is changed")
    else:
        echo(f"{name} is dispatched to {answer.incident_id}")


@click.command()
@config_option
@click.argument("incident_id", metavar="ID")
@unit_option
@by_option
def arrived(config: Path, incident_id: str, unit: str, by: str | None) -> None:
    """Note that a unit is there.

    Give the command once for each unit. One that nobody had sent was on its way by that. The incident is followed as
    before until it is closed, and her phone stays silent.

    \b
    Examples:
      onetouch incidents arrived sos-20261123-7k3qwz2m9t --unit "unit 12"
      onetouch incidents arrived last --unit "ambulance 3" --by "Lee, desk 7"

    Exit codes: 0 noted, now or before; 1 refused: it is closed, or there is none of that ID; 2 wrong settings or options.
    """
    from telephony.domain.orders import LONGEST_UNIT, Arrive  # noqa: PLC0415 - not needed for --help

    name = stated(unit, LONGEST_UNIT, "--unit")
    answer = give_order(config, incident_id, Arrive(name), _stated(by))
    if answer.stood_already:
        echo(f"{name} was at {answer.incident_id} already; nothing is changed")
    else:
        echo(f"{name} is at {answer.incident_id}")


@click.command()
@config_option
@click.argument("incident_id", metavar="ID")
@click.option(
    "--words", required=True, help="What everybody should know: told to 112 in the next report, and kept."
)
@by_option
def note(config: Path, incident_id: str, words: str, by: str | None) -> None:
    """Note something in words, for every desk that reads of an incident.

    Each note stands beside the others. The caller reads nothing of it.

    \b
    Examples:
      onetouch incidents note sos-20261123-7k3qwz2m9t --words "the back door is open"
      onetouch incidents note last --words "two offenders, one armed" --by "Lee, desk 7"

    Exit codes: 0 noted, now or before; 1 refused: it is closed, or there is none of that ID; 2 wrong settings or options.
    """
    from telephony.domain.orders import LONGEST_NOTE, Note  # noqa: PLC0415 - not needed for --help

    answer = give_order(config, incident_id, Note(stated(words, LONGEST_NOTE, "--words")), _stated(by))
    if answer.stood_already:
        echo(f"{answer.incident_id} has this note already; nothing is changed")
    else:
        echo(f"noted in {answer.incident_id}")


def _stated(by: str | None) -> str | None:
    return None if by is None else stated(by, LONGEST_NAME, "--by")
