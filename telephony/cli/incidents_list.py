"""``onetouch incidents list``: the newest incidents, filtered, with masked numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telephony.cli.audited import stated_reason, why_option, write_entry
from telephony.cli.db import ready_engines
from telephony.cli.echo import echo, echo_json
from telephony.cli.options import config_option, load_or_exit
from telephony.cli.times import Said, Since, since, utc_option, zone_of
from telephony.domain.incident import IncidentState

if TYPE_CHECKING:
    from telephony.settings import Settings


@click.command("list")
@config_option
@click.option("--open", "only_open", is_flag=True, help="Only incidents that are not closed.")
@click.option(
    "--owed", "only_owed", is_flag=True, help="Only incidents with a report that 112 has not acknowledged."
)
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([str(each) for each in IncidentState]),
    help="Only in this state; repeat it for more.",
)
@click.option("--carrier", "carriers", multiple=True, help="Only of this carrier; repeat it for more.")
@click.option(
    "--since",
    "said",
    type=Since(),
    help="Only opened since: 2h or 30m (ago), 21:30 (today), 2026-11-23 or 2026-11-23T21:30.",
)
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="The most to list."
)
@utc_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@why_option
def list_(  # noqa: PLR0917 - click hands the options over by name
    config: Path,
    states: tuple[str, ...],
    carriers: tuple[str, ...],
    said: Said | None,
    limit: int,
    why: str | None,
    *,
    only_open: bool,
    only_owed: bool,
    is_utc: bool,
    as_json: bool,
) -> None:
    """List incidents, the newest first, with masked numbers. A reason may be given, and is not asked for.

    An incident is shown when every option agrees. On a narrow terminal each takes two lines, of which 80 columns are
    enough; into a pipe each goes as one.

    \b
    Examples:
      onetouch incidents list --open
      onetouch incidents list --owed --since 2h
      onetouch incidents list --state dispatched --carrier skt --since 2026-11-23 --json

    Exit codes: 0 listed, none too; 1 the store cannot be used; 2 wrong settings or options.
    """
    reason = stated_reason(why, "the list, numbers masked")
    settings = load_or_exit(config)
    from telephony.domain.audit import SAW_INCIDENTS  # noqa: PLC0415 - not needed for --help
    from telephony.store.incidents import list_incidents  # noqa: PLC0415

    zone = zone_of(settings, is_utc=is_utc)
    earliest = None if said is None else since(said, zone, datetime.now(UTC))
    what = _in_words(states, carriers, earliest, only_open=only_open, only_owed=only_owed)
    with ready_engines(settings) as (writing, reading), reading.connect() as connection:
        write_entry(settings, writing, SAW_INCIDENTS, what, reason)
        rows = list_incidents(
            connection,
            only_open=only_open,
            only_owed=only_owed,
            states=states,
            carriers=carriers,
            since=earliest,
            limit=limit,
        )
    if as_json:
        from telephony.cli.story import as_plain_row  # noqa: PLC0415 - not needed for --help

        for row in rows:
            echo_json(as_plain_row(row))
    elif rows:
        from telephony.cli.incidents_table import print_incidents  # noqa: PLC0415 - only where a table is drawn

        print_incidents(rows, zone)
    else:
        echo(f"no {what}{_unknown_carriers(settings, carriers)}")


def _in_words(
    states: tuple[str, ...],
    carriers: tuple[str, ...],
    earliest: datetime | None,
    *,
    only_open: bool,
    only_owed: bool,
) -> str:
    """Return what was asked for, as the audit chain keeps it."""
    what = "open incidents" if only_open else "incidents"
    what += f", {' or '.join(states)}," if states else ""
    what += f" of {', '.join(carriers)}" if carriers else ""
    what += " that owe 112 a report" if only_owed else ""
    what += f" since {earliest.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if earliest is not None else ""
    return what


def _unknown_carriers(settings: Settings, carriers: tuple[str, ...]) -> str:
    """Say which carriers there are, where one of a filter is none of them."""
    known = [each.name for each in settings.carrier]
    strange = [each for each in carriers if each not in known]
    return f"; the settings have no carrier {', '.join(strange)}, but {', '.join(known)}" if strange else ""
