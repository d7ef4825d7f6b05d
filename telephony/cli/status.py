"""``onetouch status``: what is going on, asked of the running daemon."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from telephony.cli.echo import echo, echo_json
from telephony.cli.options import config_option, load_or_exit

if TYPE_CHECKING:
    from telephony.control.messages import Status
    from telephony.settings import Settings

EXIT_UNKNOWN = 3


@click.command(short_help="What is going on: links, 112, alarms, what is owed.")
@config_option
@click.option("--watch", is_flag=True, help="Draw it again every second, through restarts; q or Ctrl-C ends.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def status(config: Path, *, watch: bool, as_json: bool) -> None:
    """Ask the running daemon how everything stands: every SMPP link, Asterisk, location service and 112 channel with
    its state, since when, and when it was last heard; alarms that stand; reports owed to 112 and the oldest of them;
    open incidents; disk, certificates, versions. The worst comes first.

    It is asked by a socket in state_dir, as root or as the daemon's own account, and costs the daemon next to nothing.
    A location service or a 112 channel is used only on occasion: its state is that of its last use.

    \b
    Exit codes: 0 all is well,
      1 something is degraded: a far end is not up and others are, an alarm stands, presses wait in the
        journal, a certificate ends within 30 days, a disk is nearly full,
      2 critical: 112 cannot be reached, a report is owed for more than 10 s or was rejected, a carrier has no
        link, the store does not answer, a disk is full, a certificate has ended; also faults of the settings,
      3 unknown: no daemon runs, or it does not answer within 3 s, or this account may not ask.
    \b
    Example:
      onetouch status --watch
      onetouch status --json | jq '.far_ends[] | select(.state != "up")'
      sudo -u onetouch onetouch status --config /etc/onetouch/onetouch.toml
    """  # noqa: D205 - the whole first paragraph is the help
    if watch and as_json:
        raise click.UsageError("--watch is for people and --json for programs: choose one")
    from telephony.settings import Needs  # noqa: PLC0415 - pydantic is not needed for --help

    settings = load_or_exit(config, Needs.TABLES)
    if watch:
        from telephony.cli.status_watch import watch_status  # noqa: PLC0415 - only where a screen is drawn

        raise SystemExit(watch_status(settings))
    raise SystemExit(_show_once(settings, as_json=as_json))


def _show_once(settings: Settings, *, as_json: bool) -> int:
    from telephony.cli.asking import ask_daemon, told_unknown  # noqa: PLC0415 - not needed for --help
    from telephony.control.client import NotAsked  # noqa: PLC0415
    from telephony.control.messages import AskStatus, Status  # noqa: PLC0415

    try:
        answer = ask_daemon(settings, AskStatus(), Status)
    except NotAsked as error:
        if as_json:
            echo_json(told_unknown(error))
        else:
            echo(str(error), err=True)
        return EXIT_UNKNOWN
    if as_json:
        return _tell_programs(answer)
    from rich.console import Console  # noqa: PLC0415 - only where people read it

    from telephony.cli.status_screen import Screen  # noqa: PLC0415
    from telephony.cli.status_words import WORDS  # noqa: PLC0415

    screen = Screen(answer, WORDS[settings.service.language], settings.service.zone)
    console = Console(highlight=False)
    for line in screen.lines():
        console.print(line, soft_wrap=not console.is_terminal)
    return int(screen.level)


def _tell_programs(answer: Status) -> int:
    from telephony.control.verdict import findings, level_of  # noqa: PLC0415 - not needed for --help

    found = findings(answer)
    level = level_of(found)
    echo_json(
        {
            "level": level.name.lower(),
            "findings": [
                {"level": each.level.name.lower(), "cause": each.cause, "about": each.about} for each in found
            ],
            **answer.model_dump(mode="json"),
        },
        indent=2,
    )
    return int(level)
