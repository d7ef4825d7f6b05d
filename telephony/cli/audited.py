"""An entry in the audit chain before anybody at a terminal sees what is personal: no entry, no look."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from telephony.cli.anchors import Written, anchor
from telephony.cli.turns import in_turn

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from telephony.domain.audit import Looked
    from telephony.settings import Settings

LONGEST_WHY = 200
LONGEST_SUBJECT = 100

why_option = click.option("--why", help="The reason: kept in the audit chain. Asked for on a terminal.")


def stated_reason(why: str | None, otherwise: str | None = None) -> str:
    """Give the reason as it is kept.

    Without one it is asked for at a terminal, and refused elsewhere; ``otherwise`` is what stands for it where nothing
    is shown that needs one.
    """
    if why is None and otherwise is not None:
        return otherwise
    if why is None:
        if not is_terminal():
            raise click.UsageError(
                'this shows or changes what is personal: say why with --why "…", it is kept in the audit chain'
            )
        why = click.prompt("why (kept in the audit chain)", err=True)
    why = " ".join(str(why).split())
    if not why or len(why) > LONGEST_WHY:
        raise click.BadParameter(f"write 1 to {LONGEST_WHY} characters", param_hint="--why")
    return why


def is_terminal() -> bool:
    """Claim that somebody can be asked."""
    return sys.stdin.isatty()


def looked(what: str, subject: str, why: str) -> Looked:
    """Return the entry of the person at the terminal, now."""
    from telephony.cli.seat import account, seat  # noqa: PLC0415 - not needed for --help
    from telephony.domain.audit import Looked  # noqa: PLC0415

    at = seat()
    return Looked(account(at), what, subject[:LONGEST_SUBJECT], why, datetime.now(UTC), at)


def write_entry(settings: Settings, writing: Engine, what: str, subject: str, why: str) -> None:
    """Have the entry on disk and anchored; without it nothing may be shown, so a failure ends the command."""
    entry = looked(what, subject, why)
    try:
        written = in_turn(writing, lambda connection: add_entry(connection, entry))
    except click.ClickException as error:
        raise click.ClickException(
            f"nothing is shown, for the audit chain cannot be written: {error.message}"
        ) from error
    anchor(settings, [written])


def add_entry(connection: Connection, entry: Looked) -> Written:
    """Add the entry to a transaction that does what it says, to be anchored once that is committed.

    Missing keys end the command.
    """
    from telephony.domain.errors import Unavailable  # noqa: PLC0415 - not needed for --help
    from telephony.store.audit import append  # noqa: PLC0415

    try:
        return append(connection, entry), entry
    except Unavailable as error:
        raise click.ClickException(str(error)) from error
