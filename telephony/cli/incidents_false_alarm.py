"""``onetouch incidents false-alarm``: what 112 found is kept beside the press, and weighs at the next one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from telephony.cli.anchors import anchor
from telephony.cli.audited import looked
from telephony.cli.db import ready_engines
from telephony.cli.echo import echo
from telephony.cli.options import EXIT_FAILED, config_option, load_or_exit
from telephony.cli.turns import in_turn

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
    """
    by = stated(by, LONGEST_NAME, "--by")
    why = stated(why, LONGEST_REASON, "--why")
    settings = load_or_exit(config)
    from telephony.domain.audit import MARKED_FALSE  # noqa: PLC0415 - not needed for --help
    from telephony.store.labels import mark_false_alarm  # noqa: PLC0415

    looked_at = looked(MARKED_FALSE, incident_id, f"by {by}: {why}")
    now = datetime.now(UTC)
    with ready_engines(settings) as (writing, _):
        entry = in_turn(
            writing,
            lambda connection: mark_false_alarm(
                connection, settings.plan, incident_id, by, why, now, looked_at
            ),
        )
    if entry is None:
        echo(f"there is no incident {incident_id}; see `onetouch incidents list`", err=True)
        raise SystemExit(EXIT_FAILED)
    anchor(settings, [(entry, looked_at)], must_show=True)
    echo(f"{incident_id} is marked as a false alarm")


def stated(raw: str, longest: int, option: str) -> str:
    """Return what was given for an option on one line, or end the command and say how long it may be."""
    text = " ".join(raw.split())
    if not text or len(text) > longest or not text.isprintable():
        raise click.BadParameter(f"write 1 to {longest} characters", param_hint=option)
    return text
