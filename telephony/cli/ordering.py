"""Gives an order about an incident from a command: through the one function for it, audited and anchored."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telephony.cli.anchors import anchor
from telephony.cli.audited import is_terminal
from telephony.cli.busy_store import in_turn
from telephony.cli.db import ready_engines
from telephony.cli.echo import echo
from telephony.cli.naming import meant_incident
from telephony.cli.options import EXIT_FAILED, load_or_exit

if TYPE_CHECKING:
    from telephony.domain.orders import Order
    from telephony.store.direction import Answer


def give_order(config: Path, name: str, order: Order, by: str | None = None) -> Answer:
    """Give an order; return its answer, or end the command and say why it was refused.

    ``by`` is who asks; without it, the account at the terminal.
    """
    settings = load_or_exit(config)
    from telephony.cli.seat import account, seat  # noqa: PLC0415 - not needed for --help
    from telephony.domain.errors import Unavailable  # noqa: PLC0415
    from telephony.domain.orders import Ordered, Orderer  # noqa: PLC0415
    from telephony.store.direction import give  # noqa: PLC0415

    at = seat()
    orderer = Orderer(by or account(at), account(at), at)
    try:
        with ready_engines(settings) as (writing, reading):
            with reading.connect() as connection:
                meant = meant_incident(connection, name)
            _confirm(name, meant, order)
            answer = in_turn(
                writing,
                lambda connection: give(
                    connection,
                    settings.plan,
                    Ordered(meant, order, orderer, datetime.now(settings.service.zone)),
                ),
            )
    except Unavailable as error:
        raise click.ClickException(str(error)) from error
    anchor(settings, [(answer.entry, answer.looked)], must_show=True)
    if answer.refused is not None:
        echo(f"refused: {answer.refused.reason}; see `onetouch incidents list`", err=True)
        raise SystemExit(EXIT_FAILED)
    return answer


def _confirm(said: str, meant: str, order: Order) -> None:
    """Ask at a terminal before a phone may sound, where less than the whole id was said: another press may have come since."""
    from telephony.domain.orders import CallBack, LiftSilence  # noqa: PLC0415 - not needed for --help

    if said != meant and isinstance(order, LiftSilence | CallBack) and is_terminal():
        click.confirm(f"{said} is {meant}: its phone may sound from now on. Go on?", abort=True, err=True)


def stated(raw: str, longest: int, option: str) -> str:
    """Return what was given for an option on one line, or end the command and say how long it may be."""
    text = " ".join(raw.split())
    if not text or len(text) > longest or not text.isprintable():
        raise click.BadParameter(f"write 1 to {longest} characters", param_hint=option)
    return text
