"""``onetouch doctor``: examines what is running, and says what is wrong and what to do about it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telephony.cli.echo import echo, echo_json
from telephony.cli.options import EXIT_FAILED, config_option, load_or_exit
from telephony.safe_text import one_line

if TYPE_CHECKING:
    from telephony.asterisk.operator.diagnosis import Told

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
@click.option("--all", "is_all", is_flag=True, help="Also what is well, behind what is not.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs: always all.")
def asterisk(config: Path, *, is_all: bool, as_json: bool) -> None:
    """Examine every Asterisk of the settings.

    It logs in with the daemon's own account, whose secret you must be able to read: run it as the daemon's user. It shows
    nothing of any call. It reports whether each can be reached and lets the daemon in; its version, systemname, uptime and
    clock; the number of calls that stand; its endpoints, and whether 112 answers; the SOS contexts; whether each
    [[carrier.trunk]] has its endpoint and context; modules that are missing or must not be there; and the journal of SOS
    calls. Shown is what is wrong, each with what to do; with --all the rest behind it.

    \b
    Exit codes: 0 all is well, 1 something is not, 2 the settings have faults.
    \b
    Example:
      sudo -u onetouch onetouch doctor asterisk --config /etc/onetouch/onetouch.toml --all
    """
    from telephony.settings import Needs  # noqa: PLC0415 - not needed for --help

    settings = load_or_exit(config, Needs.ASTERISK)
    if not settings.asterisk:
        raise click.ClickException(f"{config} names no [[asterisk]]: there is no server to examine")
    from telephony.asterisk.operator.diagnosis import diagnose  # noqa: PLC0415 - not needed for --help

    trunks = [trunk.name for carrier in settings.carrier for trunk in carrier.trunk]
    is_only = len(settings.asterisk) == 1
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = pool.map(
            lambda server: diagnose(server, server.secret.read(), trunks, has_all=is_only), settings.asterisk
        )
        # Stable: within both kinds the order of the servers and of the examination stays.
        told = sorted((each for answer in answers for each in answer), key=lambda each: each.is_fine)
    if as_json:
        for each in told:
            echo_json(plain_told(each))
    else:
        _show([each for each in told if is_all or not each.is_fine])
        _count(told, is_all=is_all)
    if not all(each.is_fine for each in told):
        raise SystemExit(EXIT_FAILED)


def plain_told(each: Told) -> dict[str, object]:
    """Return a line as JSON can say it."""
    return {**asdict(each), "is_fine": each.is_fine}


def _count(told: list[Told], *, is_all: bool) -> None:
    """Say how much is wrong, and where the rest is to be seen."""
    wrong = sum(not each.is_fine for each in told)
    counted = f"{wrong} finding{'' if wrong == 1 else 's'}" if wrong else "no findings"
    hidden = "" if is_all or wrong == len(told) else "; --all shows them"
    echo(f"{counted}, {len(told) - wrong} of {len(told)} are well{hidden}")


def _show(told: list[Told]) -> None:
    if not told:
        return
    from rich.console import Console  # noqa: PLC0415 - only where a table is drawn
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table("server", "what", "")
    for column in ("found", "what to do"):
        table.add_column(column, overflow="fold")
    for each in told:
        mark = Text("ok", "green") if each.is_fine else Text("FAILED", "bold red")
        # Text, not str: Asterisk's words must not be read as rich's markup.
        table.add_row(
            Text(one_line(each.server)), each.what, mark, Text(one_line(each.found)), Text(one_line(each.do))
        )
    Console().print(table)
