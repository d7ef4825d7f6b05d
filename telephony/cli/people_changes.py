"""``onetouch people change-number``, ``change-carrier`` and ``withdraw``: changes to one person."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telephony.cli.anchors import Written, anchor
from telephony.cli.audited import LONGEST_WHY, add_entry, looked, stated_reason, why_option
from telephony.cli.echo import echo
from telephony.cli.options import EXIT_FAILED, config_option, load_or_exit
from telephony.cli.registry import empty_the_log, number_argument, open_registry

if TYPE_CHECKING:
    from sqlalchemy import Connection

LONGEST_NAME = 80


@click.command("change-number")
@config_option
@click.argument("old_text", metavar="OLD")
@click.argument("new_text", metavar="NEW")
@why_option
def change_number(config: Path, old_text: str, new_text: str, why: str | None) -> None:
    """Move the person who has OLD to the number NEW; consent, guardians and history stay theirs.

    Be sure that both numbers are the same person's: the next owner of OLD is a stranger to us.

    \b
    Example:
      onetouch people change-number 010-1234-5678 010-8765-4321 --why "new SIM, seen at the counter"

    Exit codes: 0 changed, 1 OLD is not registered, or somebody has NEW already.
    """
    reason = stated_reason(why)
    settings = load_or_exit(config)
    old, new = number_argument(settings, old_text), number_argument(settings, new_text)
    from telephony.domain.audit import CHANGED_PERSON  # noqa: PLC0415 - not needed for --help

    entries = [
        looked(CHANGED_PERSON, old.international, f"number changed: {reason}"),
        looked(CHANGED_PERSON, new.international, f"number changed to this one: {reason}"),
    ]
    with open_registry(settings) as opened:

        def change(connection: Connection) -> list[Written]:
            is_changed = opened.registry.change_number(connection, old, new, datetime.now(UTC))
            return [add_entry(connection, entry) for entry in entries] if is_changed else []

        try:
            written = opened.write(change)
        except ValueError as error:
            raise click.ClickException(f"{error}; delete that person first, or correct NEW") from error
        if not written:
            _say_not_registered(old.masked)
        anchor(settings, written, must_show=True)
        empty_the_log(opened)
    echo(f"{old.masked} is {new.masked} from now on")


@click.command("change-carrier")
@config_option
@click.argument("number_text", metavar="NUMBER")
@click.argument("carrier")
@why_option
def change_carrier(config: Path, number_text: str, carrier: str, why: str | None) -> None:
    """Note that NUMBER went to another CARRIER, by its name in the settings.

    \b
    Example:
      onetouch people change-carrier 010-1234-5678 kt --why "ported, told by kt on 3 May"

    Exit codes: 0 changed, 1 this number is not registered, 2 there is no such carrier.
    """
    reason = stated_reason(why)
    settings = load_or_exit(config)
    names = [each.name for each in settings.carrier]
    if carrier not in names:
        raise click.BadParameter(f"write one of: {', '.join(names)}", param_hint="CARRIER")
    wanted = number_argument(settings, number_text)
    from telephony.domain.audit import CHANGED_PERSON  # noqa: PLC0415 - not needed for --help

    entry = looked(CHANGED_PERSON, wanted.international, f"carrier changed to {carrier}: {reason}")
    with open_registry(settings) as opened:

        def change(connection: Connection) -> list[Written]:
            is_changed = opened.registry.change_carrier(connection, wanted, carrier, datetime.now(UTC))
            return [add_entry(connection, entry)] if is_changed else []

        if not (written := opened.write(change)):
            _say_not_registered(wanted.masked)
        anchor(settings, written, must_show=True)
    echo(f"{wanted.masked} is with {carrier} from now on")


@click.command()
@config_option
@click.argument("number_text", metavar="NUMBER")
@click.option("--by", required=True, help="Who withdraws it: the person, or a guardian of a minor.")
@click.option("--means", required=True, help='By what means, e.g. "letter of 3 May".')
def withdraw(config: Path, number_text: str, by: str, means: str) -> None:
    """Withdraw the consent of the person who has NUMBER: they are deleted at once, as onetouch people delete does it.

    By whom and by what means is kept in the audit chain, encrypted; nothing else is. A press of that phone is relayed
    to 112 as before, as that of a number that is not registered.

    \b
    Example:
      onetouch people withdraw 010-1234-5678 --by "her mother" --means "letter of 3 May"

    Exit codes: 0 withdrawn and deleted, 1 this number is not registered.
    """
    for text, option in ((by, "--by"), (means, "--means")):
        if not text.strip() or len(text) > LONGEST_NAME:
            raise click.BadParameter(f"write 1 to {LONGEST_NAME} characters", param_hint=option)
    settings = load_or_exit(config)
    wanted = number_argument(settings, number_text)
    from telephony.domain.audit import CONSENT_WITHDRAWN  # noqa: PLC0415 - not needed for --help

    why = " ".join(f"by {by}, {means}".split())[:LONGEST_WHY]
    entry = looked(CONSENT_WITHDRAWN, wanted.international, why)
    with open_registry(settings) as opened:

        def delete(connection: Connection) -> list[Written]:
            is_deleted = opened.registry.delete(connection, wanted)
            return [add_entry(connection, entry)] if is_deleted else []

        if not (written := opened.write(delete)):
            _say_not_registered(wanted.masked)
        anchor(settings, written, must_show=True)
        empty_the_log(opened)
    echo(f"withdrawn: {wanted.masked} is deleted")


def _say_not_registered(masked: str) -> None:
    echo(f"no one is registered with {masked}", err=True)
    raise SystemExit(EXIT_FAILED)
