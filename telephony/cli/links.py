"""``onetouch links``: has the running daemon try a far end again."""

from __future__ import annotations

from pathlib import Path

import click

from telephony.cli.echo import echo
from telephony.cli.options import EXIT_FAILED, config_option, load_or_exit
from telephony.cli.status import EXIT_UNKNOWN


@click.group(short_help="Try a link again at once, with its password read again.")
def links() -> None:
    """Have the running daemon try a far end again; `onetouch status` shows how all of them stand.

    \b
    Example:
      onetouch links retry skt-1
    """


@links.command()
@config_option
@click.argument("name")
def retry(config: Path, name: str) -> None:
    """Read the secret of NAME again and try it at once, instead of after the pause (5 minutes after a refused password).

    NAME is that of a link, an [[asterisk]] or a channel to 112 as in the settings, or lbs-CARRIER. A link that is up is
    left alone. A secret in a file is read as it is now; one in the environment of the daemon changes only with a restart.

    \b
    Exit codes: 0 done, 1 no such name or the secret cannot be used, 2 the settings have faults,
      3 no daemon runs or it does not answer.
    \b
    Example:
      onetouch links retry skt-1
      onetouch links retry lbs-kt --config /etc/onetouch/onetouch.toml
    """
    from telephony.settings import Needs  # noqa: PLC0415 - pydantic is not needed for --help

    settings = load_or_exit(config, Needs.TABLES)
    from telephony.cli.asking import Declined, ask_daemon  # noqa: PLC0415 - not needed for --help
    from telephony.cli.status_words import WORDS  # noqa: PLC0415
    from telephony.control.client import NotAsked  # noqa: PLC0415
    from telephony.control.messages import LONGEST_NAME, AskRetry, RetryAnswer  # noqa: PLC0415

    if len(name) > LONGEST_NAME:
        raise click.BadParameter("no name is that long", param_hint="NAME")
    try:
        answer = ask_daemon(settings, AskRetry(name=name), RetryAnswer)
    except NotAsked as error:
        echo(str(error), err=True)
        raise SystemExit(EXIT_FAILED if isinstance(error, Declined) else EXIT_UNKNOWN) from error
    words = WORDS[settings.service.language]
    echo(words.retried[answer.retried].format(name=answer.name), words.secrets[answer.secret])
