"""``onetouch calls``: lists the calls that stand, and gives orders of the 112 side about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from telephony.cli.audited import stated_reason, why_option, write_entry
from telephony.cli.db import ready_engines
from telephony.cli.echo import echo, echo_json
from telephony.cli.options import config_option, load_or_exit
from telephony.cli.ordering import give_order, stated
from telephony.cli.times import utc_option, zone_of

if TYPE_CHECKING:
    from telephony.domain.orders import Order
    from telephony.store.standing_calls import StandingCall

LONGEST_NAME = 80

by_option = click.option("--by", required=True, help="Who asks: kept in the incident's story, told to 112.")
incident_argument = click.argument("incident_id", metavar="ID")


@click.group(short_help="List calls; lift silence, hang up, call back.")
def calls() -> None:
    """Look at the SOS calls and give the orders of the 112 side about them.

    An order is written into the store with an entry in the audit chain, and the running daemon carries it out within
    a second. Until silence is lifted for an incident, nothing reaches the caller's phone, and call-back is refused.

    ID is the incident's, a beginning that is its alone, `last`, or the name that 112 read in the INVITE of any of its
    calls. Where it is not the whole id, `lift` and `callback` ask at a terminal before a phone may sound.

    \b
    Examples:
      onetouch calls list
      onetouch calls lift sos-20261123-voice-1-104503-12 --by "seoul, desk 4"
      onetouch calls hangup sos-20261123-voice-1-104503-12 --by "seoul, desk 4"
    """


@calls.command("list")
@config_option
@utc_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@why_option
def list_(config: Path, why: str | None, *, is_utc: bool, as_json: bool) -> None:
    """List the calls that stand now, as the store knows them, the oldest first; the caller's number is masked.

    On a narrow terminal each takes two lines, of which 80 columns are enough; into a pipe each goes as one. The look is
    an entry in the audit chain; a reason may be given, and is not asked for.

    \b
    Example:
      onetouch calls list --json

    Exit codes: 0 listed, none too; 1 the store or the keys cannot be used; 2 wrong settings or options.
    """
    reason = stated_reason(why, "the list, numbers masked")
    settings = load_or_exit(config)
    from telephony.domain.audit import SAW_CALLS  # noqa: PLC0415 - not needed for --help
    from telephony.store.standing_calls import standing_calls  # noqa: PLC0415

    with ready_engines(settings) as (writing, reading), reading.connect() as connection:
        write_entry(settings, writing, SAW_CALLS, "live calls", reason)
        found = [each for server in settings.asterisk for each in standing_calls(connection, server.name)]
    if as_json:
        for each in found:
            echo_json(plain_call(each))
    elif found:
        from telephony.cli.calls_table import print_calls  # noqa: PLC0415 - only where a table is drawn

        print_calls(found, zone_of(settings, is_utc=is_utc))
    else:
        echo("no calls")


def plain_call(each: StandingCall) -> dict[str, Any]:
    """Return a call as JSON can say it, the caller masked."""
    return {
        "incident": each.incident_id,
        "call": each.reference,
        "caller": "(unreadable)" if each.caller is None else each.caller.masked,
        "trunk": each.trunk,
        "state": each.state,
        "silence": each.silence,
        "silence_lifted": each.is_lifted,
        "started_at": each.started_at.isoformat(timespec="milliseconds"),
    }


@calls.command()
@config_option
@incident_argument
@by_option
def lift(config: Path, incident_id: str, by: str) -> None:
    """Lift silence: the caller hears the centre from now on. Be sure that no one else does.

    \b
    Example:
      onetouch calls lift last --by "seoul, desk 4"

    Exit codes: 0 ordered; 1 refused, as is said; 2 wrong settings or options.
    """
    from telephony.domain.orders import LiftSilence  # noqa: PLC0415 - not needed for --help

    _order(config, incident_id, by, LiftSilence())


@calls.command()
@config_option
@incident_argument
@by_option
def hold(config: Path, incident_id: str, by: str) -> None:
    """Hold silence again: nothing reaches the caller's phone.

    \b
    Example:
      onetouch calls hold last --by "seoul, desk 4"

    Exit codes: 0 ordered; 1 refused, as is said; 2 wrong settings or options.
    """
    from telephony.domain.orders import HoldSilence  # noqa: PLC0415 - not needed for --help

    _order(config, incident_id, by, HoldSilence())


@calls.command()
@config_option
@incident_argument
@by_option
def hangup(config: Path, incident_id: str, by: str) -> None:
    """End the incident's calls; the incident stays open.

    \b
    Example:
      onetouch calls hangup last --by "seoul, desk 4"

    Exit codes: 0 ordered; 1 refused, as is said; 2 wrong settings or options.
    """
    from telephony.domain.orders import HangUp  # noqa: PLC0415 - not needed for --help

    _order(config, incident_id, by, HangUp())


@calls.command()
@config_option
@incident_argument
@by_option
def callback(config: Path, incident_id: str, by: str) -> None:
    """Ring the caller's phone and connect it to 112. Refused while silence holds.

    \b
    Example:
      onetouch calls callback last --by "seoul, desk 4"

    Exit codes: 0 ordered; 1 refused, as is said; 2 wrong settings or options.
    """
    from telephony.domain.orders import CallBack  # noqa: PLC0415 - not needed for --help

    _order(config, incident_id, by, CallBack())


def _order(config: Path, incident_id: str, by: str, order: Order) -> None:
    found = give_order(config, incident_id, order, stated(by, LONGEST_NAME, "--by")).incident_id
    echo(f"ordered for {found}; see `onetouch incidents show {found}`")
