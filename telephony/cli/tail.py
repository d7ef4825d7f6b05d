"""``onetouch tail``: the logs as a person reads them, filtered, from a file or from a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import tzinfo
from pathlib import Path

import click

from telephony.cli.following import followed_lines, lines_of
from telephony.cli.log_lines import LEVELS, Wanted, entry_of, last_incident, other, readable
from telephony.cli.options import config_option
from telephony.cli.times import utc_option, zone_in

LAST = "last"


@click.command(short_help="Read the logs, filtered and in colour.")
@click.argument("file", default="-", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--incident", help="Only this incident; the beginning of its id is enough, or last, the last one in FILE."
)
@click.option("--number", metavar="LAST4", help="Only callers whose number may end in these digits.")
@click.option("--carrier", help="Only this carrier, or this link of it.")
@click.option("--level", type=click.Choice(list(LEVELS)), help="Only this level and above.")
@click.option("--follow", "-f", is_flag=True, help="Keep reading as lines are added, through rotations.")
@config_option
@utc_option
def tail(
    file: Path,
    *,
    incident: str | None,
    number: str | None,
    carrier: str | None,
    level: str | None,
    follow: bool,
    config: Path,
    is_utc: bool,
) -> None:
    """Show log lines as people read them, from FILE or, with -, from standard input.

    Logs hold masked numbers only (8210******78), so --number also shows other callers whose number looks the
    same when it is masked. Times are by the clock that the settings name, where there are any, else by this machine's.
    Lines that are no logs are shown as they are, unless a filter is set.

    \b
    Examples:
      onetouch tail -f /var/log/onetouch/onetouch.log --level warning
      journalctl -u onetouch -o cat -f | onetouch tail --carrier skt
      onetouch tail onetouch.log --incident 7k3q --number 5678
      onetouch tail onetouch.log --incident last

    Exit codes: 0 read to the end, 1 FILE cannot be read or tells of no incident, 2 wrong options.
    """
    zone = zone_in(config, is_utc=is_utc)
    try:
        if incident == LAST:
            incident = _last_incident_of(file)
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from error
    wanted = Wanted(incident=incident, number=number, carrier=carrier, level=level)
    try:
        for line in _lines(file, follow=follow):
            _show(line, wanted, zone)
    except BrokenPipeError:
        raise  # the reader of our output has gone; click ends quietly
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from error
    except KeyboardInterrupt:
        return


def _lines(file: Path, *, follow: bool) -> Iterator[bytes]:
    if str(file) == "-":
        return lines_of(sys.stdin.buffer)
    return followed_lines(file) if follow else lines_of(file.open("rb"))


def _last_incident_of(file: Path) -> str:
    if str(file) == "-":
        raise click.UsageError("--incident last needs a FILE: what comes over a pipe is read once")
    last = last_incident(lines_of(file.open("rb")))
    if last is None:
        raise click.ClickException(f"{file} tells of no incident")
    return last


def _show(line: bytes, wanted: Wanted, zone: tzinfo | None) -> None:
    entry = entry_of(line)
    if entry is None:
        if wanted.is_everything and line.strip():
            click.secho(other(line), dim=True)
    elif wanted.matches(entry):
        click.echo(readable(entry, zone))
