"""``onetouch dialplan``: try the dialplans out before they are loaded, and load them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from telephony.cli.echo import echo, echo_json
from telephony.cli.options import (
    EXIT_FAILED,
    EXIT_FAULTS,
    config_option,
    load_or_exit,
)
from telephony.cli.writing_out import folder_argument, written_or_exit
from telephony.safe_text import one_line
from telephony.shipped import Shipped

if TYPE_CHECKING:
    from rich.table import Table

    from telephony.asterisk.dialplan.configuration_files import Finding
    from telephony.asterisk.dialplan.numbers import Site
    from telephony.lab.trial.check import Checked
    from telephony.settings import Settings

dialplans_option = click.option(
    "--dialplans",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path("dialplans"),
    show_default=True,
    help="The folder with extensions.conf.",
)


@click.group(short_help="Write, check and reload the dialplans.")
def dialplan() -> None:
    """Look after the dialplans of the Asterisk servers.

    Asterisk itself says "Dialplan reloaded." for a broken file too; a missing bracket makes every later context of
    that file vanish without an error.

    \b
    Examples:
      onetouch dialplan write /etc/asterisk
      onetouch dialplan check --dialplans /etc/asterisk --json
      onetouch dialplan reload --config /etc/onetouch/onetouch.toml --dialplans /etc/asterisk
    """


@dialplan.command()
@folder_argument
def write(folder: Path) -> None:
    """Write the dialplans of this version, and the prompts in Korean and English, into FOLDER.

    A file that is there already is never changed: where one differs, nothing is written. After an upgrade write them
    into an empty folder, and compare.

    \b
    Exit codes: 0 all of it is there, 1 nothing was written.
    \b
    Example:
      onetouch dialplan write /etc/asterisk
      onetouch dialplan write /tmp/new && diff -r /tmp/new /etc/asterisk
    """
    written_or_exit(Shipped.DIALPLANS, folder)
    echo(
        f"next, in {folder / 'globals.local.conf'}, beside this site's values:",
        f"  VOICE_SOUNDS = {folder.resolve() / 'sounds'}",
        f"then: onetouch dialplan check --dialplans {folder}",
    )


@dialplan.command()
@config_option
@dialplans_option
@click.option("--no-calls", is_flag=True, help="Read and load only: no trial calls.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def check(config: Path, dialplans: Path, *, no_calls: bool, as_json: bool) -> None:
    """Load the dialplans in a private Asterisk and place a call for every trunk and SOS number.

    Nothing of it touches /etc/asterisk or a running Asterisk, and no call leaves this machine: every endpoint that
    the dialplans name is made of loopback. The check finds

    \b
      - contexts, extensions and steps that are in the files and were not loaded; what Asterisk logged
      - contexts that nothing leads to, and Goto, Gosub, Dial … to what does not exist
      - applications and functions that no module in modules.conf brings; forbidden ones
      - trunks that are there by half: no endpoint, aor, identify or pattern for unlisted numbers; direct_media
      - a trunk on which the drill's or the service's number rings 112; knobs in [globals] that nothing reads
      - what the daemon's settings say otherwise: trunks, test and service numbers, country, clock
      - sounds in the contexts of a held key; what a caller chose going on unfiltered; Dial without seconds
      - at the trial calls: 112 not dialled within 1 s, no second route, headers missing on the INVITE,
        180 Ringing or anything audible at the phone
      - the drill's and the service's number in every form on every trunk: one that rings 112; a form or a name of the
        SOS number that does not
      - keys pressed at the centre that would sound at the phone

    \b
    Exit codes: 0 no findings, 1 findings, 2 Asterisk is not installed, or --config names settings with faults.
    \b
    Examples:
      onetouch dialplan check --dialplans dialplans
      onetouch dialplan check --dialplans /etc/asterisk --config /etc/onetouch/onetouch.toml
    """
    site, compared = _site(config)
    done = _checked(dialplans, with_calls=not no_calls, site=site)
    if as_json:
        echo_json(plain_check(done, None if site is None else str(config)), indent=2)
    else:
        _show(done)
        echo(compared)
    if done.findings:
        raise SystemExit(EXIT_FAILED)


@dialplan.command()
@config_option
@dialplans_option
@click.option(
    "--asterisk-conf",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("/etc/asterisk/asterisk.conf"),
    show_default=True,
    help="The asterisk.conf of the Asterisk on this host, which names its control socket.",
)
def reload(config: Path, dialplans: Path, asterisk_conf: Path) -> None:
    """Check the dialplans, then let the Asterisk on this host reload them, by its console.

    What the check refuses is not loaded. Where Asterisk reads files that differ from those checked, it is not reloaded
    either. Afterwards it is asked what it has loaded. Calls in progress go on. Your account needs the console:
    cli_permissions.conf.

    \b
    Exit codes: 0 loaded everywhere, 1 refused or not loaded somewhere, 2 settings or Asterisk missing.
    \b
    Example:
      onetouch dialplan reload --dialplans /etc/asterisk
    """
    from telephony.settings import Needs  # noqa: PLC0415 - not needed for --help

    settings = load_or_exit(config, Needs.TABLES)
    if not settings.asterisk:
        raise click.ClickException(f"{config} names no [[asterisk]]: there is nothing to reload")
    done = _checked(dialplans, with_calls=True, site=site_of(settings))
    if done.findings:
        _show(done)
        echo("not reloaded: the check found what is above", err=True)
        raise SystemExit(EXIT_FAILED)
    from telephony.asterisk.dialplan.files import read_dialplan  # noqa: PLC0415 - not needed for --help
    from telephony.asterisk.operator.reload import reload_dialplan  # noqa: PLC0415

    checked = read_dialplan(dialplans)
    results = [reload_dialplan(server, asterisk_conf, dialplans, checked) for server in settings.asterisk]
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


def _site(config: Path) -> tuple[Site | None, str]:
    """Return what the daemon's settings say of the dialplan, and a sentence of whether it is compared.

    Settings that nobody named may be missing or wrong: whoever writes a dialplan need not have them.
    """
    from telephony.settings import Needs, SettingsFaults, load  # noqa: PLC0415 - pydantic is not needed for --help

    source = click.get_current_context().get_parameter_source("config")
    if source is not ParameterSource.DEFAULT:
        settings = load_or_exit(config, Needs.TABLES)
    else:
        try:
            settings = load(config, Needs.TABLES)
        except SettingsFaults:
            return (
                None,
                f"not compared with the daemon's settings: {config} cannot be used; name them by --config",
            )
    if not settings.asterisk:
        return None, f"not compared with the daemon's settings: {config} names no [[asterisk]]"
    return site_of(settings), f"compared with the daemon's settings in {config}"


def site_of(settings: Settings) -> Site:
    """Return what the settings say of the dialplan."""
    from telephony.asterisk.dialplan.numbers import Site, Trunk  # noqa: PLC0415 - not needed for --help

    trunks = {}
    for carrier in settings.carrier:
        numbers = settings.recognition_for(carrier.name)
        for trunk in carrier.trunk:
            trunks[trunk.name] = Trunk(_dialled(numbers.sos_numbers), _dialled(numbers.test_numbers))
    service = settings.service
    return Site(
        trunks,
        _dialled(settings.recognition.service_numbers),
        service.country_code,
        round(service.utc_offset.total_seconds()),
    )


def _dialled(numbers: Iterable[str]) -> frozenset[str]:
    """Return those that may come by a trunk: a USSD code never does, and a name is no number."""
    return frozenset(each for each in numbers if each.removeprefix("+").isdecimal())


def _checked(folder: Path, *, with_calls: bool, site: Site | None) -> Checked:
    from telephony.domain.errors import Malformed, Unavailable  # noqa: PLC0415 - not needed for --help
    from telephony.lab.trial.check import check_dialplans  # noqa: PLC0415

    try:
        return check_dialplans(folder, with_calls=with_calls, site=site)
    except (Malformed, Unavailable) as error:
        echo(str(error), err=True)
        raise SystemExit(EXIT_FAULTS) from error


def plain_check(done: Checked, settings: str | None) -> dict[str, object]:
    """Return the result as JSON can say it, with the settings that it was compared with."""
    return {
        "settings": settings,
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
    table.add_column("what is wrong", ratio=3, overflow="fold")
    table.add_column("what to write", ratio=2, overflow="fold")
    for finding in findings:
        # Text, not str: [sos] in a sentence must not be read as rich's markup.
        table.add_row(*(Text(one_line(each)) for each in (finding.where, finding.what, finding.write)))
    return table
