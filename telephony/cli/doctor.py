"""``onetouch doctor``: what is wrong with what runs, and what to do about it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telephony.cli.echo import echo_json
from telephony.cli.operator import operator_options, operator_secret
from telephony.cli.options import EXIT_FAILED, config_option, load_or_exit
from telephony.safe_text import one_line

if TYPE_CHECKING:
    from telephony.asterisk.diagnosis import Told

AT_ONCE = 8
"""Servers asked side by side, each on a thread and a connection of its own."""


@click.group(short_help="Examine a running Asterisk.")
def doctor() -> None:
    """Examine what is running. It only asks, and changes nothing.

    \b
    Example:
      onetouch doctor asterisk --config /etc/onetouch/onetouch.toml
    """


@doctor.command()
@config_option
@operator_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
def asterisk(config: Path, username: str, secret_env: str, *, as_json: bool) -> None:
    """Ask every Asterisk of the settings how it is.

    Whether it can be reached and lets us in, its version, systemname, uptime and clock, channels, endpoints and
    whether they answer, the SOS contexts, whether each [[carrier.trunk]] has its endpoint and context, modules that are missing or must not be there, the journal of SOS calls.
    Every line that is not ok says what to do.

    \b
    Exit codes: 0 all is well, 1 something is not, 2 the settings have faults or there is no secret.
    \b
    Example:
      ONETOUCH_OPERATOR_SECRET=… onetouch doctor asterisk --config /etc/onetouch/onetouch.toml
    """
    settings = load_or_exit(config)
    if not settings.asterisk:
        raise click.ClickException(f"{config} names no [[asterisk]]: there is nobody to examine")
    secret = operator_secret(secret_env)
    from telephony.asterisk.diagnosis import diagnose  # noqa: PLC0415 - not needed for --help

    trunks = [trunk.name for carrier in settings.carrier for trunk in carrier.trunk]
    is_only = len(settings.asterisk) == 1
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = pool.map(
            lambda server: diagnose(server, username, secret, trunks, has_all=is_only), settings.asterisk
        )
        told = [each for answer in answers for each in answer]
    if as_json:
        for each in told:
            echo_json({**asdict(each), "is_fine": each.is_fine})
    else:
        _show(told)
    if not all(each.is_fine for each in told):
        raise SystemExit(EXIT_FAILED)


def _show(told: list[Told]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only where a table is drawn
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table("server", "what", "", "found", "what to do")
    for each in told:
        mark = Text("ok", "green") if each.is_fine else Text("FAILED", "bold red")
        # Text, not str: what Asterisk said must not be read as rich's markup.
        table.add_row(
            Text(one_line(each.server)), each.what, mark, Text(one_line(each.found)), Text(one_line(each.do))
        )
    Console().print(table)
