"""``onetouch check``: what is wrong with the settings, and which far ends cannot be reached."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from telephony.cli.echo import echo
from telephony.cli.options import EXIT_FAILED, config_option, load_or_exit
from telephony.safe_text import one_line

if TYPE_CHECKING:
    from telephony.cli.links import Reached
    from telephony.settings.model import Settings

INSTALLED: Final = Path("/etc/asterisk")
"""Where Asterisk reads its configuration unless it is told otherwise."""


@click.command(short_help="Check the settings, then the links.")
@config_option
@click.option(
    "--links",
    is_flag=True,
    help="Also connect (TCP, TLS) to the store's server, every SMSC, LBS, Asterisk and 112 centre.",
)
@click.option(
    "--bind",
    "with_bind",
    is_flag=True,
    help="With --links: also bind to every SMSC and unbind, log in to every Asterisk.",
)
@click.option(
    "--dialplans",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The folder with pjsip.conf, to see which SIP and RTP is not encrypted. [default: /etc/asterisk, where an "
    "[[asterisk]] runs on this machine]",
)
def check(config: Path, *, links: bool, with_bind: bool, dialplans: Path | None) -> None:
    """Check the settings: every fault with its file, its key and what to write instead.

    With --links every far end is connected to, and every port of ours is tried. That disturbs nobody: a port that the
    running daemon has is said to be taken, which is no fault. --bind also tries the credentials: it binds
    as a transmitter, so that no press is sent to it, but a carrier that counts binds may refuse it, or the
    daemon's next one, while the daemon is running. To an Asterisk it logs in as the daemon does, which disturbs nobody.
    A telephone to 112 ([[psap.voice]]) is not called.

    What is allowed but hardly meant is a remark: links in the clear that leave this machine above all, those of the
    endpoints of pjsip.conf included, and gateways that may come from anywhere.

    \b
    Exit codes: 0 all is well (remarks included), 1 a far end cannot be reached or a port cannot be had, 2 the settings have faults.
    \b
    Example:
      onetouch check --config /etc/onetouch/onetouch.toml --links
    """
    settings = load_or_exit(config)
    from telephony.settings import remarks  # noqa: PLC0415 - pydantic is not needed for --help

    for remark in [*remarks(settings), *_clear_endpoints(settings, dialplans)]:
        echo(f"remark: {remark}")
    ways_in = sum(len(carrier.smpp) + len(carrier.peer) for carrier in settings.carrier)
    trunks = sum(len(carrier.trunk) for carrier in settings.carrier)
    counted = [
        _count(len(settings.carrier), "carrier"),
        _count(ways_in, "link"),
        *([_count(trunks, "trunk")] if trunks else []),
        *([_count(len(settings.asterisk), "Asterisk server")] if settings.asterisk else []),
        _count(len(settings.psap), "centre"),
    ]
    echo(f"{config}: no faults; {', '.join(counted)}")
    if links or with_bind:
        from telephony.cli.links import try_all  # noqa: PLC0415 - opens sockets, only on demand
        from telephony.cli.own_ports import try_own_ports  # noqa: PLC0415

        results = [*try_all(settings, with_bind=with_bind), *try_own_ports(settings)]
        _show(results)
        if not all(result.is_fine for result in results):
            raise SystemExit(EXIT_FAILED)


def _clear_endpoints(settings: Settings, dialplans: Path | None) -> list[str]:
    from telephony.asterisk.pjsip_encryption import clear_endpoints  # noqa: PLC0415 - not needed for --help
    from telephony.asterisk.pjsip_sections import read_sections  # noqa: PLC0415
    from telephony.places import is_loopback  # noqa: PLC0415

    folder = dialplans
    if folder is None and any(is_loopback(server.host) for server in settings.asterisk):
        folder = INSTALLED
    if folder is None or not os.access(folder, os.R_OK | os.X_OK):
        return []
    return list(clear_endpoints(read_sections(folder)))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _show(results: list[Reached]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only where a table is drawn
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table("what", "name", "where", "", "result")
    table.add_column("ms", justify="right")
    for result in results:
        far_end = result.far_end
        mark = Text("ok", "green") if result.is_fine else Text("FAILED", "bold red")
        where = f"{far_end.host or '*'}:{far_end.port}"
        # Text, not str: what a far end said must not be read as rich's markup.
        table.add_row(
            far_end.kind, far_end.name, where, mark, Text(one_line(result.detail)), f"{result.took_ms:.0f}"
        )
    Console().print(table)
