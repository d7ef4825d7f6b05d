"""Who a person at a terminal is to Asterisk's manager interface: a user of its own, not the daemon's."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

from telephony.cli.echo import echo
from telephony.cli.options import EXIT_FAULTS

_username = click.option(
    "--username",
    default="operator",
    show_default=True,
    help="A section of manager.conf that may run commands.",
)
_secret_env = click.option(
    "--secret-env",
    default="ONETOUCH_OPERATOR_SECRET",
    show_default=True,
    metavar="NAME",
    help="The environment variable with that user's secret.",
)


def operator_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --username and --secret-env."""
    return _username(_secret_env(command))


def operator_secret(name: str) -> str:
    """Give the secret, or say where it is expected and end with `EXIT_FAULTS`."""
    secret = os.environ.get(name)
    if secret:
        return secret
    echo(
        f"put the secret of the manager user into the environment variable {name} (see --secret-env)",
        err=True,
    )
    raise SystemExit(EXIT_FAULTS)
