"""Writes an entry in the audit chain before personal data is shown at a terminal: no entry, no look."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from telephony.cli.anchors import Written, anchor
from telephony.cli.busy_store import in_turn
from telephony.cli.second_person import Act, NotApproved, approved
from telephony.domain.audit_reasons import (
    LEAST_DIFFERENT,
    LEAST_WEIGHT,
    Reason,
    joined,
    says_something,
    split,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine

    from telephony.domain.audit import Looked
    from telephony.settings import Settings

LONGEST_WHY = 200
LONGEST_SUBJECT = 100

CODE = "onetouch.reason"
"""Where click keeps the --reason of a command until its words are known."""


def why_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --why and --reason; `stated_reason` brings the two together."""
    codes = ", ".join(f"{each} ({each.korean}; {each.english})" for each in Reason)
    words = click.option(
        "--why",
        help='The reason, in words, or "CODE: words"; kept in the audit chain. Asked for on a terminal.',
    )
    code = click.option(
        "--reason",
        type=click.Choice([str(each) for each in Reason]),
        expose_value=False,
        callback=_keep_code,
        help=f"Its code: {codes}. After {' and '.join(each for each in Reason if each.is_enough)} no words are needed.",
    )
    return words(code(command))


def _keep_code(context: click.Context, _: click.Parameter, code: str | None) -> None:
    context.meta[CODE] = None if code is None else Reason(code)


def stated_reason(why: str | None, otherwise: str | None = None, *, must_show: bool = False) -> str:
    """Return the reason as it is kept, its code first.

    Without one it is asked for at a terminal, and refused elsewhere; ``otherwise`` is written instead where nothing
    is shown that needs one. With ``must_show`` any words will do: 112 is waiting.
    """
    code: Reason | None = click.get_current_context().meta.get(CODE)
    if why is None and code is not None and code.is_enough:
        return code
    if why is None and code is None and otherwise is not None:
        return otherwise
    if why is None:
        if not is_terminal():
            raise click.UsageError(
                'this shows or changes what is personal: say why with --why "…", it is kept in the audit chain'
            )
        why = click.prompt("why (kept in the audit chain)", err=True)
    written, words = split(" ".join(str(why).split()))
    if code is not None and written is not None and written is not code:
        raise click.UsageError(f"--reason says {code}, and --why begins with {written}")
    code = code or written
    reason = joined(code, words)
    if len(reason) > LONGEST_WHY or not reason:
        raise click.BadParameter(f"write 1 to {LONGEST_WHY} characters", param_hint="--why")
    is_needed = code is None or not code.is_enough or bool(words)
    if is_needed and not must_show and not says_something(words):
        raise click.BadParameter(
            f"say in words why: {LEAST_WEIGHT} letters or more, {LEAST_DIFFERENT} of them different; or a --reason: "
            + ", ".join(Reason),
            param_hint="--why",
        )
    return reason


def is_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


def looked(what: str, subject: str, why: str) -> Looked:
    """Return the entry of the person at the terminal, now."""
    from telephony.cli.seat import account, seat  # noqa: PLC0415 - not needed for --help
    from telephony.domain.audit import Looked  # noqa: PLC0415

    at = seat()
    return Looked(account(at), what, subject[:LONGEST_SUBJECT], why, datetime.now(UTC), at)


def write_entry(
    settings: Settings, writing: Engine, what: str, subject: str, why: str, *, act: Act | None = None
) -> None:
    """Have the entry on disk and anchored; without it nothing may be shown, so a failure ends the command.

    ``act`` is one that a second person approves, where the settings ask for it.
    """
    entry = looked(what, subject, why)

    def add(connection: Connection) -> Written:
        if act is None or not settings.audit.second_person:
            return add_entry(connection, entry)
        return add_entry(connection, approved(connection, act, entry))

    try:
        written = in_turn(writing, add)
    except NotApproved:
        raise
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
