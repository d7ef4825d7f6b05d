"""``onetouch people refused``: the registrar's list of those whom a guardian has refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from telephony.cli.audited import stated_reason, why_option, write_entry
from telephony.cli.echo import echo, echo_json
from telephony.cli.options import config_option, load_or_exit
from telephony.cli.registry import open_registry
from telephony.cli.times import clock_time, utc_option, zone_of

if TYPE_CHECKING:
    from telephony.domain.people.person import Person


@click.command()
@config_option
@utc_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@why_option
def refused(config: Path, why: str | None, *, is_utc: bool, as_json: bool) -> None:
    """List whom a guardian has refused, by masked numbers: when, by what means, and who is left.

    A text tells the person too, but none while a call for help of theirs is open. The registrar finds the person another
    guardian. Where a guardian refused the consent itself, no one was registered: onetouch audit list has that.

    \b
    Example:
      onetouch people refused --why "the week's review"

    Exit codes: 0 listed, none too; 1 the store cannot be used; 2 wrong settings or options.
    """
    reason = stated_reason(why, "masked")
    settings = load_or_exit(config)
    from telephony.domain.audit import SAW_PEOPLE  # noqa: PLC0415 - not needed for --help

    total, zone = 0, zone_of(settings, is_utc=is_utc)
    with open_registry(settings) as opened, opened.reading.connect() as connection:
        write_entry(settings, opened.writing, SAW_PEOPLE, "whom guardians refused", reason)
        for each in opened.registry.everybody(connection):
            if each.person.refused:
                plain = _plain(each.person)
                if as_json:
                    echo_json(plain)
                else:
                    echo(_line(plain, clock_time(each.person.refused[-1].at, zone)))
                total += 1
    if not as_json:
        echo(f"{total:,} people")


def _plain(person: Person) -> dict[str, Any]:
    newest = person.refused[-1]
    return {
        "number": person.devices[0].number.masked,
        "at": newest.at.isoformat(timespec="seconds"),
        "means": newest.means,
        "guardians": len(person.guardians),
        "agreed": sum(each.is_confirmed for each in person.guardians),
        "may_consent": sum(each.is_legal for each in person.guardians),
    }


def _line(plain: dict[str, Any], at: str) -> str:
    left = f"{plain['agreed']} of {plain['guardians']} guardians agreed, {plain['may_consent']} may consent"
    return f"{plain['number']}  {at}  {plain['means']}  {left}"
