"""``onetouch dialplan``: try the dialplans out before they are loaded, and load them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telephony.cli.echo import echo, echo_json
from telephony.cli.operator import operator_options, operator_secret
from telephony.cli.options import (
    EXIT_FAILED,
    EXIT_FAULTS,
    config_option,
    load_or_exit,
)
from telephony.safe_text import one_line

if TYPE_CHECKING:
    from rich.table import Table

    from telephony.asterisk.configuration_files import Finding
    from telephony.lab.private_check import Checked

dialplans_option = click.option(
    "--dialplans",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path("dialplans"),
    show_default=True,
    help="The folder with extensions.conf.",
)


@click.group(short_help="Check the dialplans, then reload them.")
def dialplan() -> None:
    """Look after the dialplans of the Asterisk servers.

    Asterisk itself says "Dialplan reloaded." for a broken file too; a missing bracket makes every later context of
    that file vanish without an error.

    \b
    Examples:
      onetouch dialplan check
      onetouch dialplan check --dialplans /etc/asterisk --json
      onetouch dialplan reload --config /etc/onetouch/onetouch.toml --dialplans /etc/asterisk
    """


@dialplan.command()
@dialplans_option
@click.option("--no-calls", is_flag=True, help="Read and load only: no trial calls.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def check(dialplans: Path, *, no_calls: bool, as_json: bool) -> None:
    """Load the dialplans in a private Asterisk and place a call for every trunk and SOS number.

    Nothing of it touches /etc/asterisk or a running Asterisk, and no call leaves this machine: every endpoint that
    the dialplans name is made of loopback. The check finds

    \b
      - contexts, extensions and steps that are in the files and were not loaded; what Asterisk logged
      - contexts that nothing leads to, and Goto, Gosub, Dial … to what does not exist
      - applications and functions that no module in modules.conf brings; forbidden ones
      - trunks that are there by half: no endpoint, aor, identify or pattern for unlisted numbers; direct_media
      - sounds in the contexts of a held key; what a caller chose going on unfiltered; Dial without seconds
      - at the trial calls: 112 not dialled within 1 s, no second route, headers missing on the INVITE,
        180 Ringing or anything audible at the phone
      - the drill's and the service's number in every form on every trunk: one that rings 112; a form or a name of the
        SOS number that does not
      - keys pressed at the centre that would sound at the phone

    \b
    Exit codes: 0 no findings, 1 findings, 2 Asterisk is not installed.
    \b
    Example:
      onetouch dialplan check --dialplans dialplans
    """
    done = _checked(dialplans, with_calls=not no_calls)
    if as_json:
        echo_json(_plain(done), indent=2)
    else:
        _show(done)
    if done.findings:
        raise SystemExit(EXIT_FAILED)


@dialplan.command()
@config_option
@dialplans_option
@operator_options
def reload(config: Path, dialplans: Path, username: str, secret_env: str) -> None:
    """Check the dialplans, then let every Asterisk of the settings reload them.

    What the check refuses is not loaded. Where an Asterisk on this host reads files that differ from those checked,
    it is not reloaded either. Afterwards each is asked what it has loaded. Calls in progress go on.

    \b
    Exit codes: 0 loaded everywhere, 1 refused or not loaded somewhere, 2 settings or Asterisk missing.
    \b
    Example:
      ONETOUCH_OPERATOR_SECRET=… onetouch dialplan reload --dialplans /etc/asterisk
    """
    settings = load_or_exit(config)
    if not settings.asterisk:
        raise click.ClickException(f"{config} names no [[asterisk]]: there is nothing to reload")
    secret = operator_secret(secret_env)
    done = _checked(dialplans, with_calls=True)
    if done.findings:
        _show(done)
        echo("not reloaded: the check found what is above", err=True)
        raise SystemExit(EXIT_FAILED)
    from telephony.asterisk.dialplan_files import read_dialplan  # noqa: PLC0415 - not needed for --help
    from telephony.asterisk.dialplan_reload import reload_dialplan  # noqa: PLC0415

    checked = read_dialplan(dialplans)
    results = [reload_dialplan(server, username, secret, dialplans, checked) for server in settings.asterisk]
    for result in results:
        if result.is_fine:
            echo(f"{result.server}: reloaded, {result.contexts} contexts as checked")
        if result.wrong:
            echo(f"{result.server}: {result.wrong}", err=True)
        for finding in result.findings:
            echo(f"{result.server}: {finding.where}: {finding.what}", err=True)
        if result.remark:
            echo(f"{result.server}: {result.remark}")
    if not all(result.is_fine for result in results):
        raise SystemExit(EXIT_FAILED)


def _checked(folder: Path, *, with_calls: bool) -> Checked:
    from telephony.domain.errors import Malformed, Unavailable  # noqa: PLC0415 - not needed for --help
    from telephony.lab.private_check import check_dialplans  # noqa: PLC0415

    try:
        return check_dialplans(folder, with_calls=with_calls)
    except (Malformed, Unavailable) as error:
        echo(str(error), err=True)
        raise SystemExit(EXIT_FAULTS) from error


def _plain(done: Checked) -> dict[str, object]:
    return {
        **asdict(done),
        "findings": [asdict(finding) for finding in done.findings],
        "took_s": round(done.took_s, 2),
    }


def _show(done: Checked) -> None:
    if done.findings:
        from rich.console import Console  # noqa: PLC0415 - only where a table is drawn

        Console().print(_table(done.findings))
    for sentence in done.proven:
        echo(sentence)
    number = len(done.findings)
    counted = f"{number} finding{'' if number == 1 else 's'}" if number else "no findings"
    echo(f"{counted}; {done.contexts} contexts, {done.extensions} extensions, {done.took_s:.1f} s")


def _table(findings: tuple[Finding, ...]) -> Table:
    from rich.table import Table  # noqa: PLC0415 - only where a table is drawn
    from rich.text import Text  # noqa: PLC0415

    table = Table(show_lines=True)
    table.add_column("where", overflow="fold")
    table.add_column("what is wrong", ratio=3)
    table.add_column("what to write", ratio=2)
    for finding in findings:
        # Text, not str: [sos] in a sentence must not be read as rich's markup.
        table.add_row(*(Text(one_line(each)) for each in (finding.where, finding.what, finding.write)))
    return table
